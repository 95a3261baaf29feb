"""customer_onboarding: documents are checked by their own digits, accounts and letters exist once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo import onboarding
from workers import TerminalError

SHIPPED = json.loads(Path("definitions/inputs/customer_onboarding.json").read_text())["application"]["passport_line"]
#: The specimen of ICAO Doc 9303, which expired in 2012.
SPECIMEN = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"


def test_the_shipped_passport_is_genuine() -> None:
    assert onboarding.check_document(SHIPPED, "Clara Conti") == {
        "number": "C01X00T47",
        "nationality": "D",
        "born_on": "1985-03-14",
        "expires_on": "2049-09-30",
    }


def test_the_check_digits_are_those_of_the_standard() -> None:
    assert [onboarding.check_digit(text) for text in ("L898902C3", "740812", "120415", "ZE184226B<<<<<")] == [*"6291"]


def test_a_document_that_has_run_out_is_refused() -> None:
    with pytest.raises(TerminalError, match="expired on 2012-04-15"):
        onboarding.check_document(SPECIMEN, "Anna Eriksson")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (SHIPPED.replace("C01X00T47", "C01X00T48"), "wrong: number, whole line"),
        (SHIPPED.replace("850314", "850315"), "wrong: born, whole line"),
        (SHIPPED[:-1] + "3", "wrong: whole line"),
        (SHIPPED[:-1], "has 43 characters"),
        (SHIPPED.lower(), "forbidden"),
    ],
)
def test_a_forged_line_is_refused_for_good(line: str, reason: str) -> None:
    with pytest.raises(TerminalError, match=reason):
        onboarding.check_document(line, "Clara Conti")


def test_opening_an_account_twice_gives_the_same_account(workspace: str) -> None:
    first = onboarding.open_account(workspace, "clara@example.org", "Clara", "business")
    other = onboarding.open_account(workspace, "boris@example.org", "Boris", "private")

    assert onboarding.open_account(workspace, "clara@example.org", "Clara", "business") == first
    assert first["number"] != other["number"]


@pytest.mark.parametrize("account", [1, 532013000, 9_999_999_999])
def test_an_iban_passes_its_own_check(account: int) -> None:
    iban = onboarding.german_iban("37040044", account)

    assert len(iban) == 22
    assert int(f"{iban[4:]}1314{iban[2:4]}") % 97 == 1


def test_a_well_known_iban_is_computed_right() -> None:
    assert onboarding.german_iban("37040044", 532013000) == "DE89370400440532013000"


def test_the_welcome_letter_lies_in_the_mailbox_once_and_shows_little_of_the_document(workspace: str) -> None:
    mailbox = onboarding.prepare_mailbox(workspace, "clara@example.org")["mailbox"]
    for _ in range(2):
        written = onboarding.write_welcome(
            workspace, mailbox, "clara@example.org", "Clara Conti", "DE89", "business", "C01X00T47"
        )

    assert [path.name for path in Path(workspace, mailbox, "new").iterdir()] == ["welcome.eml"]
    letter = Path(workspace, written["letter"]).read_text()
    assert "Welcome, Clara Conti" in letter
    assert "T47" in letter
    assert "C01X00T47" not in letter
