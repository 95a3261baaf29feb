"""Tasks of customer_onboarding: a passport is checked by its own check digits, an account opened, a mailbox filled."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime
from string import Template
from typing import Any

from demo.app import app
from demo.database import transaction
from demo.files import inside, write_whole
from workers import TerminalError

#: Where accounts are kept, below the workspace.
ACCOUNTS = "accounts.db"

WELCOME = Template(
    "To: $email\nSubject: Welcome, $name\n\n"
    "Your account is $iban, plan $plan.\nWe checked your document ending $digits.\n"
)


@app.task
def check_document(mrz: str, name: str) -> dict[str, Any]:
    """Check the second line of a passport's machine-readable zone and return what it says of its holder.

    All five check digits are computed (ICAO Doc 9303 part 4). Raises ``TerminalError`` for a line of the wrong shape,
    a wrong check digit or a document that has run out. Idempotent: it only computes.
    """
    if not re.fullmatch(r"[A-Z0-9<]{44}", mrz):
        raise TerminalError(f"the machine-readable line of {name} has {len(mrz)} characters or forbidden ones, not 44")
    fields = {"number": (0, 9), "born": (13, 19), "expires": (21, 27), "personal number": (28, 42)}
    wrong = [field for field, (first, last) in fields.items() if not _digit_agrees(mrz[first:last], mrz[last])]
    if not _digit_agrees(mrz[0:10] + mrz[13:20] + mrz[21:43], mrz[43]):
        wrong.append("whole line")
    if wrong:
        raise TerminalError(f"check digits of {name}'s document are wrong: {', '.join(wrong)}")
    expires = _date(mrz[21:27], ahead=True)
    if expires < datetime.now(UTC).date():
        raise TerminalError(f"the document of {name} expired on {expires}")
    return {
        "number": mrz[0:9].rstrip("<"),
        "nationality": mrz[10:13].rstrip("<"),
        "born_on": _date(mrz[13:19], ahead=False).isoformat(),
        "expires_on": expires.isoformat(),
    }


def check_digit(text: str) -> str:
    """Return the check digit of ICAO 9303: weights 7, 3, 1; letters count from 10, the filler counts 0."""
    values = (0 if letter == "<" else int(letter, 36) for letter in text)
    return str(sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values)) % 10)


def _digit_agrees(text: str, digit: str) -> bool:
    """An empty field may carry the filler instead of its digit 0."""
    return digit == check_digit(text) or (digit == "<" and not text.strip("<"))


def _date(digits: str, *, ahead: bool) -> date:
    """Read YYMMDD: a birth lies in the past, an expiry at most fifty years ahead."""
    try:
        year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        this_year = datetime.now(UTC).year
        century = this_year - this_year % 100
        newest = this_year + 50 if ahead else this_year
        return date(century + year if century + year <= newest else century - 100 + year, month, day)
    except ValueError as error:
        raise TerminalError(f"{digits} in the document is no date") from error


def german_iban(bank: str, account: int) -> str:
    """Return the IBAN of an account, with the check digits of ISO 13616 (modulo 97)."""
    basic = f"{bank}{account:010}"
    return f"DE{98 - int(f'{basic}131400') % 97:02}{basic}"


@app.task
def open_account(workspace: str, email: str, name: str, plan: str) -> dict[str, Any]:
    """Open an account for this e-mail address and return its number and IBAN.

    Idempotent: an address has one account; a second run returns the one that exists.
    """
    path = inside(workspace, ACCOUNTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with transaction(path) as accounts:
        accounts.execute(
            "CREATE TABLE IF NOT EXISTS account"
            " (number INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, plan TEXT NOT NULL)"
        )
        accounts.execute(
            "INSERT INTO account (email, name, plan) VALUES (?, ?, ?) ON CONFLICT (email) DO NOTHING",
            (email, name, plan),
        )
        account = accounts.execute("SELECT * FROM account WHERE email = ?", (email,)).fetchone()
    return {**dict(account), "iban": german_iban("10020030", account["number"])}


@app.task
def prepare_mailbox(workspace: str, email: str) -> dict[str, Any]:
    """Make the customer's mailbox, a Maildir, and return its folder.

    Idempotent: folders that exist are left as they are.
    """
    folder = f"mail/{hashlib.sha256(email.encode()).hexdigest()[:12]}"
    for part in ("tmp", "new", "cur"):
        inside(workspace, f"{folder}/{part}").mkdir(parents=True, exist_ok=True)
    return {"mailbox": folder}


@app.task
def write_welcome(
    workspace: str, mailbox: str, email: str, name: str, iban: str, plan: str, document: str
) -> dict[str, Any]:
    """Put the welcome letter into the mailbox and return its name; it shows only the end of the document's number.

    Idempotent: the letter has one name and is replaced whole.
    """
    letter = WELCOME.substitute(email=email, name=name, iban=iban, plan=plan, digits=document[-3:])
    path = f"{mailbox}/new/welcome.eml"
    write_whole(inside(workspace, path), letter.encode())
    return {"letter": path}
