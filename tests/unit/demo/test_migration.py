"""data_migration: twenty years of habits in one form, nobody lost, nobody twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo import migration
from demo.database import transaction
from workers import TerminalError

SOURCE, TARGET = "legacy.db", "crm.db"
LOCKED, HOPELESS = 1004, 1017


@pytest.fixture
def numbers(workspace: str) -> list[int]:
    listed = migration.list_customers(workspace, SOURCE, TARGET)
    return [entry["customer_id"] for entry in listed["customers"]]


def migrate(workspace: str, number: int) -> dict[str, Any]:
    try:
        old = migration.extract_customer(workspace, SOURCE, number)
    except migration.RowLocked:
        old = migration.extract_customer(workspace, SOURCE, number)
    new = migration.convert_customer(workspace, TARGET, old["customer"], old["purchases"])
    migration.write_customer(workspace, TARGET, new["contact"], new["purchases"])
    return dict(migration.compare_customer(workspace, SOURCE, TARGET, number))


def test_listing_twice_keeps_what_was_migrated(workspace: str, numbers: list[int]) -> None:
    migrate(workspace, numbers[0])

    assert migration.list_customers(workspace, SOURCE, TARGET)["count"] == len(numbers) == 24
    assert migration.migration_report(workspace, SOURCE, TARGET)["migrated"] == 1


def test_a_locked_row_is_asked_for_and_free_at_the_next_try(workspace: str, numbers: list[int]) -> None:
    with pytest.raises(migration.RowLocked, match="locked by billing, which was asked to let go"):
        migration.extract_customer(workspace, SOURCE, LOCKED)

    assert migration.extract_customer(workspace, SOURCE, LOCKED)["customer"]["id"] == LOCKED


def test_an_unknown_customer_is_not_asked_for_again(workspace: str) -> None:
    with pytest.raises(TerminalError, match="no customer 7"):
        migration.extract_customer(workspace, SOURCE, 7)


def test_a_customer_arrives_in_the_new_form(workspace: str, numbers: list[int]) -> None:
    migrate(workspace, 1001)

    with transaction(Path(workspace, TARGET)) as crm:
        contact = dict(crm.execute("SELECT * FROM contact WHERE id = 1001").fetchone())
    assert (contact["first_name"], contact["last_name"]) == ("Anna", "Albrecht")
    assert contact["email"] == "anna.albrecht@example.org"


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("030 / 12 34 5", "+493012345"),
        ("+49 (40) 777-1", "+49407771"),
        ("0049 89 55", "+498955"),
        ("", None),
        (None, None),
    ],
)
def test_phone_numbers_can_be_dialled_from_anywhere(written: str | None, dialled: str | None) -> None:
    assert migration.international(written) == dialled


def test_everything_that_is_wrong_with_a_customer_is_said_and_noted(workspace: str, numbers: list[int]) -> None:
    with pytest.raises(TerminalError, match="no e-mail address; 'see card file' is not an amount"):
        migrate(workspace, HOPELESS)

    noted = migration.migration_report(workspace, SOURCE, TARGET)["not_migrated"]
    assert [entry["id"] for entry in noted] == [HOPELESS]


def test_writing_twice_leaves_one_contact_with_its_purchases(workspace: str, numbers: list[int]) -> None:
    assert migrate(workspace, 1018) == migrate(workspace, 1018)


def test_two_customers_with_one_address_do_not_replace_each_other(workspace: str, numbers: list[int]) -> None:
    migrate(workspace, 1001)
    old = migration.extract_customer(workspace, SOURCE, 1002)
    old["customer"]["email"] = "anna.albrecht@example.org"
    new = migration.convert_customer(workspace, TARGET, old["customer"], old["purchases"])

    with pytest.raises(Exception, match=r"UNIQUE constraint failed: contact\.email"):
        migration.write_customer(workspace, TARGET, new["contact"], new["purchases"])

    assert migration.compare_customer(workspace, SOURCE, TARGET, 1001)


def test_a_purchase_that_got_lost_is_noticed(workspace: str, numbers: list[int]) -> None:
    migrate(workspace, 1018)
    with transaction(Path(workspace, TARGET)) as crm:
        crm.execute("DELETE FROM purchase WHERE id = (SELECT min(id) FROM purchase WHERE contact_id = 1018)")

    with pytest.raises(RuntimeError, match="customer 1018 differs after the migration"):
        migration.compare_customer(workspace, SOURCE, TARGET, 1018)


def test_the_report_counts_everyone_and_names_who_stayed(workspace: str, numbers: list[int]) -> None:
    for number in numbers:
        if number != HOPELESS:
            migrate(workspace, number)
    with pytest.raises(TerminalError):
        migrate(workspace, HOPELESS)

    report = migration.migration_report(workspace, SOURCE, TARGET)

    assert (report["outcome"], report["customers"], report["migrated"]) == ("balanced", 24, 23)
    assert report["unlocked"] == [1004, 1012]


def test_a_forgotten_customer_unbalances_the_report(workspace: str, numbers: list[int]) -> None:
    for number in numbers[1:16]:
        migrate(workspace, number)

    report = migration.migration_report(workspace, SOURCE, TARGET)

    assert report["outcome"] == "unbalanced"
    assert numbers[0] in report["missing"]
