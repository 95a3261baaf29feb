"""Hides passwords in what is shown to people: settings, log lines, error texts."""

from __future__ import annotations

import re

HIDDEN = "***"

#: The password of a URL: after the first colon of the credentials, up to the last @ before the host.
#: It begins at the "://", not at the scheme, so that each character is looked at a few times however long the text.
_URL_PASSWORD = re.compile(r"(?P<before>://[^:/?#@\s]*:)[^/?#\s]+(?=@)")

#: A password among the parameters of a URL, as libpq and Redis accept it.
_PARAMETER = re.compile(r"(?P<before>[?&](?:password|passwd|secret|token|sslpassword)=)[^&#\s]*", re.IGNORECASE)


def visible(text: str, kept: str = "\n\t") -> str:
    """Return ``text`` with every character that no one can see as an escape in its place, except those ``kept``.

    Names and reasons come from strangers: a terminal would carry out what is written in them, and a line break would
    make one line of a log two.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in kept else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def masked(text: str) -> str:
    """Return ``text`` with the password of every URL in it replaced by ``***``."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\g<before>{HIDDEN}", _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text))
