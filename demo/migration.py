"""Tasks of data_migration: customers move from an old database to a new one, one at a time, and are counted again."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from typing import Any

from demo.app import app
from demo.database import transaction
from demo.files import existing, inside
from workers import TerminalError

#: The name under which this migration asks other programs to let go of a row.
US = "migration"

CRM = """
    CREATE TABLE IF NOT EXISTS contact (
        id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
        phone TEXT, born_on TEXT, balance_cents INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS purchase (
        id INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL REFERENCES contact (id), bought_on TEXT NOT NULL,
        amount_cents INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS not_migrated (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
"""


class RowLocked(Exception):
    """Another program keeps the row; it was asked to let go, so trying again helps."""


@app.task
def list_customers(workspace: str, source: str, target: str) -> dict[str, Any]:
    """Prepare the tables of the new database and return one entry for each customer, ready to start a sub-workflow.

    Idempotent: tables that exist are kept, and listing only reads.
    """
    path = inside(workspace, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with transaction(path) as crm:
        for statement in CRM.split(";"):
            crm.execute(statement)
    with transaction(existing(workspace, source)) as legacy:
        numbers = [row["id"] for row in legacy.execute("SELECT id FROM customer ORDER BY id")]
    shared = {"workspace": workspace, "source": source, "target": target}
    return {"count": len(numbers), "customers": [{"customer_id": number, **shared} for number in numbers]}


@app.task
def extract_customer(workspace: str, source: str, customer_id: int) -> dict[str, Any]:
    """Return one customer of the old database with all purchases, as they are written there.

    Raises ``RowLocked`` (retried by the task definition) when another program keeps the row, after asking it to let
    go; ``TerminalError`` when there is no such customer. Idempotent: asking twice is asking once, the rest only reads.
    """
    with transaction(existing(workspace, source)) as legacy:
        lock = legacy.execute("SELECT holder FROM row_lock WHERE customer_id = ?", (customer_id,)).fetchone()
        if lock:
            legacy.execute("INSERT INTO lock_request VALUES (?, ?) ON CONFLICT DO NOTHING", (customer_id, US))
        else:
            customer = legacy.execute("SELECT * FROM customer WHERE id = ?", (customer_id,)).fetchone()
            purchases = legacy.execute(
                "SELECT id, bought_on, amount FROM purchase WHERE customer_id = ? ORDER BY id", (customer_id,)
            ).fetchall()
    # Outside the transaction: raised inside, it would roll the request back and nobody would ever let go.
    if lock:
        raise RowLocked(f"customer {customer_id} is locked by {lock['holder']}, which was asked to let go")
    if customer is None:
        raise TerminalError(f"there is no customer {customer_id} in {source}")
    return {"customer": dict(customer), "purchases": [dict(row) for row in purchases]}


@app.task
def convert_customer(
    workspace: str, target: str, customer: dict[str, Any], purchases: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the customer in the new form: names apart, one phone and date format, money in cents.

    Raises ``TerminalError`` with everything that cannot be converted, after noting it for the report.
    Idempotent: it computes; the note has one row for each customer.
    """
    faults: list[str] = []
    contact = {
        "id": customer["id"],
        **_names(customer["full_name"], faults),
        "email": _email(customer["email"], faults),
        "phone": international(customer["phone"]),
        "born_on": _date(customer["born"], faults) if customer["born"] else None,
        "balance_cents": _cents(customer["balance"], faults),
    }
    converted = [
        {
            "id": purchase["id"],
            "bought_on": _date(purchase["bought_on"], faults),
            "amount_cents": _cents(purchase["amount"], faults),
        }
        for purchase in purchases
    ]
    if faults:
        reason = "; ".join(faults)
        with transaction(existing(workspace, target)) as crm:
            crm.execute("INSERT OR REPLACE INTO not_migrated VALUES (?, ?)", (customer["id"], reason))
        raise TerminalError(f"customer {customer['id']} cannot be migrated: {reason}")
    return {"contact": contact, "purchases": converted}


def _names(full_name: str, faults: list[str]) -> dict[str, str]:
    last, comma, first = (part.strip() for part in full_name.partition(","))
    if not (comma and last and first):
        faults.append(f"name {full_name!r} is not 'LAST, First'")
    return {"first_name": first, "last_name": last.title()}


def _email(text: str | None, faults: list[str]) -> str | None:
    if text and re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-zA-Z]+", text):
        return text.lower()
    faults.append("no e-mail address" if not text else f"{text!r} is not an e-mail address")
    return None


def international(phone: str | None) -> str | None:
    """Return a German phone number in the form of E.164, such as ``+4930123456``."""
    if not phone:
        return None
    digits = re.sub(r"\D", "", phone)
    if phone.strip().startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else f"+49{digits.removeprefix('0')}"


def _date(text: str, faults: list[str]) -> str | None:
    try:
        return datetime.strptime(text, "%d.%m.%Y").date().isoformat()
    except ValueError:
        faults.append(f"{text!r} is no date")
        return None


def _cents(text: str, faults: list[str]) -> int | None:
    """Read an amount such as ``1.234,56``."""
    if re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{3})*,[0-9]{2}", text):
        return int(text.replace(".", "").replace(",", ""))
    faults.append(f"{text!r} is not an amount")
    return None


@app.task
def write_customer(
    workspace: str, target: str, contact: dict[str, Any], purchases: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write the customer and the purchases into the new database in one transaction and return what was written.

    Idempotent: the rows keep the numbers of the old database and are replaced.
    """
    with transaction(existing(workspace, target)) as crm:
        crm.execute("DELETE FROM purchase WHERE contact_id = ?", (contact["id"],))
        crm.execute("DELETE FROM not_migrated WHERE id = ?", (contact["id"],))
        # Not INSERT OR REPLACE: that would silently delete another customer with the same e-mail address.
        crm.execute("DELETE FROM contact WHERE id = ?", (contact["id"],))
        crm.execute(
            "INSERT INTO contact VALUES (:id, :first_name, :last_name, :email, :phone, :born_on, :balance_cents)",
            contact,
        )
        crm.executemany(
            "INSERT INTO purchase VALUES (:id, :contact_id, :bought_on, :amount_cents)",
            [{"contact_id": contact["id"], **purchase} for purchase in purchases],
        )
    return {"contact_id": contact["id"], "purchases": len(purchases)}


@app.task
def compare_customer(workspace: str, source: str, target: str, customer_id: int) -> dict[str, Any]:
    """Read the customer from both databases and return the sums that agree.

    Raises an error (retried by the task definition) when they differ. Idempotent: it only reads.
    """
    with transaction(existing(workspace, source)) as legacy:
        old = _old_sums(legacy, customer_id)
    with transaction(existing(workspace, target)) as crm:
        new = _new_sums(crm, customer_id)
    if old != new:
        raise RuntimeError(f"customer {customer_id} differs after the migration: {old} became {new}")
    return new


def _old_sums(legacy: sqlite3.Connection, customer_id: int) -> dict[str, Any]:
    customer = legacy.execute("SELECT balance FROM customer WHERE id = ?", (customer_id,)).fetchone()
    amounts = legacy.execute("SELECT amount FROM purchase WHERE customer_id = ?", (customer_id,)).fetchall()
    faults: list[str] = []
    return {
        "balance_cents": _cents(customer["balance"], faults) if customer else None,
        "purchases": len(amounts),
        "spent_cents": sum(_cents(row["amount"], faults) or 0 for row in amounts),
    }


def _new_sums(crm: sqlite3.Connection, customer_id: int) -> dict[str, Any]:
    contact = crm.execute("SELECT balance_cents FROM contact WHERE id = ?", (customer_id,)).fetchone()
    purchases, spent = crm.execute(
        "SELECT count(*), coalesce(sum(amount_cents), 0) FROM purchase WHERE contact_id = ?", (customer_id,)
    ).fetchone()
    balance = contact["balance_cents"] if contact else None
    return {"balance_cents": balance, "purchases": purchases, "spent_cents": spent}


@app.task
def migration_report(workspace: str, source: str, target: str) -> dict[str, Any]:
    """Count both databases again and return who moved, who did not and why, who needed a second try, and the outcome.

    ``balanced`` means that every customer of the old database is in the new one or reported, and that the sums of
    those who moved agree to the cent. Idempotent: it only reads.
    """
    with transaction(existing(workspace, source)) as legacy:
        numbers = {row["id"] for row in legacy.execute("SELECT id FROM customer")}
        asked = [row[0] for row in legacy.execute("SELECT customer_id FROM lock_request ORDER BY customer_id")]
        old = {number: _old_sums(legacy, number) for number in numbers}
    with transaction(existing(workspace, target)) as crm:
        moved = {row["id"] for row in crm.execute("SELECT id FROM contact")}
        left = [dict(row) for row in crm.execute("SELECT id, reason FROM not_migrated ORDER BY id")]
        new = {number: _new_sums(crm, number) for number in moved}
    missing = sorted(numbers - moved - {row["id"] for row in left})
    different = sorted(number for number in moved if new[number] != old.get(number))
    return {
        "outcome": "unbalanced" if missing or different else "balanced",
        "customers": len(numbers),
        "migrated": len(moved),
        "not_migrated": left,
        "unlocked": [number for number in asked if number in moved],
        "missing": missing,
        "different": different,
        "purchases": sum(sums["purchases"] for sums in new.values()),
        "balance_cents": sum(sums["balance_cents"] for sums in new.values()),
    }
