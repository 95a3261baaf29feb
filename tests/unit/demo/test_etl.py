"""etl_pipeline: every row and every cent of the shipped file is accounted for, on the first run and on the second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from demo import etl
from demo.database import transaction
from workers import TerminalError

SOURCE, BATCH, DATABASE = "inbox/sales.csv", "sales-2024", "warehouse.db"
ROW = {
    "line": 2,
    "order_id": "S1",
    "date": "2024-05-17",
    "country": "DE",
    "sku": "KB-75",
    "quantity": "2",
    "unit_price": "12.90",
}


def transformed(workspace: str) -> dict[str, dict[str, Any]]:
    split = etl.split_csv(workspace, SOURCE, BATCH, 250)
    return {f"_transform_chunk_{number}": etl.transform_chunk(**chunk) for number, chunk in enumerate(split["chunks"])}


def test_the_file_is_cut_into_chunks_that_hold_every_row(workspace: str) -> None:
    split = etl.split_csv(workspace, SOURCE, BATCH, 700)

    sizes = [len(json.loads(Path(workspace, chunk["path"]).read_text())) for chunk in split["chunks"]]
    assert (split["rows"], sizes) == (3000, [700, 700, 700, 700, 200])


def test_a_file_with_other_columns_is_refused_before_anything_is_written(workspace: str) -> None:
    Path(workspace, "inbox/other.csv").write_text("id;date\n1;2\n")

    with pytest.raises(TerminalError, match=r"other\.csv has the columns"):
        etl.split_csv(workspace, "inbox/other.csv", BATCH, 100)


def test_an_empty_file_gives_no_chunks(workspace: str) -> None:
    Path(workspace, "inbox/empty.csv").write_text(",".join(etl.COLUMNS) + "\n")

    assert etl.split_csv(workspace, "inbox/empty.csv", BATCH, 100) == {"rows": 0, "chunks": []}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"date": "17.05.2024"}, {"sold_on": "2024-05-17"}),
        ({"date": "17/05/2024"}, {"sold_on": "2024-05-17"}),
        ({"country": " de "}, {"country": "DE"}),
        ({"unit_price": "€ 12,90"}, {"amount_cents": 2580}),
        ({"unit_price": "0.29", "quantity": "3"}, {"amount_cents": 87}),
    ],
)
def test_rows_are_read_however_their_branch_writes_them(written: dict[str, str], meant: dict[str, Any]) -> None:
    assert meant.items() <= etl.clean_row({**ROW, **written}).items()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"date": "2024-02-30"}, "no such date"),
        ({"country": "XX"}, "unknown country"),
        ({"sku": ""}, "article missing"),
        ({"quantity": "1.5"}, "quantity is not a whole number"),
        ({"quantity": "-1"}, "quantity below 1"),
        ({"unit_price": "free"}, "price is not an amount"),
        ({"unit_price": "12.905"}, "price is not an amount"),
        ({"unit_price": "NaN"}, "price is not an amount"),
        ({"unit_price": "Infinity"}, "price is not an amount"),
    ],
)
def test_rows_that_cannot_be_understood_say_why(written: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        etl.clean_row({**ROW, **written})


def test_the_shipped_file_balances_to_the_cent(workspace: str) -> None:
    chunks = transformed(workspace)

    loaded = etl.load_rows(workspace, BATCH, DATABASE, chunks)
    found = etl.reconcile_batch(workspace, SOURCE, BATCH, DATABASE, chunks)

    assert (loaded["loaded"], loaded["rejected"]) == (2953, 47)
    assert loaded["reasons"]["order id appears twice"] == 6
    assert (found["outcome"], found["amount_cents"], found["differences"]) == ("balanced", 70991170, {})


def test_loading_twice_leaves_the_warehouse_as_it_was(workspace: str) -> None:
    chunks = transformed(workspace)

    first = etl.load_rows(workspace, BATCH, DATABASE, chunks)

    assert etl.load_rows(workspace, BATCH, DATABASE, chunks) == first
    assert etl.reconcile_batch(workspace, SOURCE, BATCH, DATABASE, chunks)["outcome"] == "balanced"


def test_a_row_that_vanishes_from_the_warehouse_is_noticed(workspace: str) -> None:
    chunks = transformed(workspace)
    etl.load_rows(workspace, BATCH, DATABASE, chunks)
    with transaction(Path(workspace, DATABASE)) as warehouse:
        warehouse.execute("DELETE FROM sale WHERE order_id = 'S00001'")

    found = etl.reconcile_batch(workspace, SOURCE, BATCH, DATABASE, chunks)

    assert found["outcome"] == "unbalanced"
    assert found["differences"]["rows"] == {"expected": 3000, "found": 2999}


def test_the_report_lists_the_countries_best_first(workspace: str) -> None:
    etl.load_rows(workspace, BATCH, DATABASE, transformed(workspace))

    report = etl.publish_report(workspace, BATCH, DATABASE)

    assert (report["countries"], report["best_country"]) == (7, "FR")
    assert Path(workspace, report["report"]).read_text().splitlines()[1].startswith("FR,430,910,")
