"""Tasks of etl_pipeline: a CSV file is split, cleaned chunk by chunk, loaded into SQLite and reconciled."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import date, datetime
from typing import Any

from demo.app import app
from demo.database import transaction
from demo.files import existing, inside, write_whole
from workers import TerminalError

COLUMNS = ("order_id", "date", "country", "sku", "quantity", "unit_price")

#: ISO 3166 codes of the countries that the shop sells to.
COUNTRIES = frozenset({"DE", "ES", "FR", "IT", "NL", "PL", "SE"})

#: How dates are written by the branches that send the file.
DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y")

WAREHOUSE = """
    CREATE TABLE IF NOT EXISTS sale (
        batch TEXT NOT NULL, order_id TEXT NOT NULL, sold_on TEXT NOT NULL, country TEXT NOT NULL, sku TEXT NOT NULL,
        quantity INTEGER NOT NULL, amount_cents INTEGER NOT NULL, PRIMARY KEY (batch, order_id)
    );
    CREATE TABLE IF NOT EXISTS reject (
        batch TEXT NOT NULL, line INTEGER NOT NULL, order_id TEXT NOT NULL, reason TEXT NOT NULL,
        amount_cents INTEGER NOT NULL, PRIMARY KEY (batch, line)
    );
"""


@app.task
def split_csv(workspace: str, source: str, batch: str, rows_per_chunk: int) -> dict[str, Any]:
    """Cut the file into chunks of so many rows and return one entry for each, ready to be the input of a branch.

    Raises ``TerminalError`` when the columns are not the agreed ones. Idempotent: chunks are replaced whole, and the
    same file gives the same chunks.
    """
    with existing(workspace, source).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise TerminalError(f"{source} has the columns {reader.fieldnames}, expected are {list(COLUMNS)}")
        # The line is what a person looks up in the file: the header is line 1.
        rows = [{"line": line, **row} for line, row in enumerate(reader, start=2)]
    chunks = []
    for number, first in enumerate(range(0, len(rows), rows_per_chunk)):
        part = rows[first : first + rows_per_chunk]
        path = f"etl/{batch}/raw-{number:03}.json"
        write_whole(inside(workspace, path), json.dumps(part).encode())
        chunks.append({"workspace": workspace, "batch": batch, "number": number, "path": path})
    return {"rows": len(rows), "chunks": chunks}


@app.task
def transform_chunk(workspace: str, batch: str, number: int, path: str) -> dict[str, Any]:
    """Clean the rows of one chunk, set aside those that cannot be understood with the reason, and return the counts.

    Idempotent: the result follows from the chunk and is replaced whole.
    """
    rows = json.loads(existing(workspace, path).read_bytes())
    clean, rejected = [], []
    for row in rows:
        try:
            clean.append(clean_row(row))
        except ValueError as error:
            rejected.append({"line": row["line"], "order_id": row["order_id"], "reason": str(error)})
    result = f"etl/{batch}/clean-{number:03}.json"
    write_whole(inside(workspace, result), json.dumps({"clean": clean, "rejected": rejected}).encode())
    return {
        "number": number,
        "path": result,
        "rows": len(rows),
        "clean": len(clean),
        "rejected": len(rejected),
        "amount_cents": sum(row["amount_cents"] for row in clean),
    }


def clean_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with real types, one date format and whole cents; raises ``ValueError`` with the reason."""
    if not row["sku"]:
        raise ValueError("article missing")
    country = row["country"].strip().upper()
    if country not in COUNTRIES:
        raise ValueError("unknown country")
    if not re.fullmatch(r"-?[0-9]{1,9}", row["quantity"].strip()):
        raise ValueError("quantity is not a whole number")
    quantity = int(row["quantity"])
    if quantity < 1:
        raise ValueError("quantity below 1")
    return {
        "line": row["line"],
        "order_id": row["order_id"],
        "sold_on": _date(row["date"]).isoformat(),
        "country": country,
        "sku": row["sku"],
        "quantity": quantity,
        "amount_cents": quantity * _cents(row["unit_price"]),
    }


def _date(text: str) -> date:
    for pattern in DATE_FORMATS:
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    raise ValueError("no such date")


def _cents(text: str) -> int:
    """Read a price such as ``€ 12,90``, never by way of binary fractions, which lose cents."""
    amount = re.fullmatch(r"(?:€ ?)?([0-9]{1,9})(?:[.,]([0-9]{1,2}))?", text.strip())
    cents = int(amount[1]) * 100 + int((amount[2] or "0").ljust(2, "0")) if amount else 0
    if cents == 0:
        raise ValueError("price is not an amount")
    return cents


@app.task
def load_rows(workspace: str, batch: str, database: str, chunks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Load the cleaned chunks into the warehouse and return what was loaded and rejected, the reasons counted.

    ``chunks`` is the output of the JOIN, one entry for each branch. An order id that appears twice counts once, the
    first line wins. Idempotent: the rows of the batch are replaced in one transaction.
    """
    results = [
        json.loads(existing(workspace, chunk["path"]).read_bytes())
        for chunk in sorted(chunks.values(), key=lambda chunk: int(chunk["number"]))
    ]
    sales: dict[str, dict[str, Any]] = {}
    rejected = [{**row, "amount_cents": 0} for result in results for row in result["rejected"]]
    for row in (row for result in results for row in result["clean"]):
        if row["order_id"] in sales:
            rejected.append({**row, "reason": "order id appears twice"})
        else:
            sales[row["order_id"]] = row
    path = inside(workspace, database)
    path.parent.mkdir(parents=True, exist_ok=True)
    with transaction(path) as warehouse:
        for statement in WAREHOUSE.split(";"):
            warehouse.execute(statement)
        warehouse.execute("DELETE FROM sale WHERE batch = ?", (batch,))
        warehouse.execute("DELETE FROM reject WHERE batch = ?", (batch,))
        warehouse.executemany(
            "INSERT INTO sale VALUES (:batch, :order_id, :sold_on, :country, :sku, :quantity, :amount_cents)",
            [{"batch": batch, **row} for row in sales.values()],
        )
        warehouse.executemany(
            "INSERT INTO reject VALUES (:batch, :line, :order_id, :reason, :amount_cents)",
            [{"batch": batch, **row} for row in rejected],
        )
    return {
        "loaded": len(sales),
        "rejected": len(rejected),
        "reasons": dict(sorted(Counter(row["reason"] for row in rejected).items())),
    }


@app.task
def reconcile_batch(
    workspace: str, source: str, batch: str, database: str, chunks: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Compare source, chunks and warehouse, and return ``balanced`` or ``unbalanced`` with the differences.

    Every row of the source must be in the warehouse or among the rejects, and every cent of the chunks must be in one
    of the two as well. Idempotent: it only reads.
    """
    with existing(workspace, source).open(newline="", encoding="utf-8") as file:
        source_rows = sum(1 for _ in csv.reader(file)) - 1
    with transaction(existing(workspace, database)) as warehouse:
        sums = "SELECT count(*), coalesce(sum(amount_cents), 0) FROM"
        loaded, amount = warehouse.execute(f"{sums} sale WHERE batch = ?", (batch,)).fetchone()
        rejected, set_aside = warehouse.execute(f"{sums} reject WHERE batch = ?", (batch,)).fetchone()
    checks = {
        "rows": (source_rows, loaded + rejected),
        "rows_in_chunks": (source_rows, sum(chunk["rows"] for chunk in chunks.values())),
        "amount_cents": (sum(chunk["amount_cents"] for chunk in chunks.values()), amount + set_aside),
    }
    differences = {name: {"expected": old, "found": new} for name, (old, new) in checks.items() if old != new}
    return {
        "outcome": "unbalanced" if differences else "balanced",
        "rows": source_rows,
        "amount_cents": amount,
        "differences": differences,
    }


@app.task
def publish_report(workspace: str, batch: str, database: str) -> dict[str, Any]:
    """Write the sales of the batch by country as a CSV file, best first, and return its name and the best country.

    Idempotent: the file follows from the warehouse and is replaced whole.
    """
    with transaction(existing(workspace, database)) as warehouse:
        rows = warehouse.execute(
            "SELECT country, count(*) AS orders, sum(quantity) AS pieces, sum(amount_cents) AS amount_cents"
            " FROM sale WHERE batch = ? GROUP BY country ORDER BY amount_cents DESC",
            (batch,),
        ).fetchall()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("country", "orders", "pieces", "amount"))
    writer.writerows((row["country"], row["orders"], row["pieces"], f"{row['amount_cents'] / 100:.2f}") for row in rows)
    path = f"reports/{batch}.csv"
    write_whole(inside(workspace, path), text.getvalue().encode())
    return {"report": path, "countries": len(rows), "best_country": rows[0]["country"] if rows else None}
