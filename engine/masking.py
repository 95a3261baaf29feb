"""Hides passwords in what is shown to people: settings, log lines, error texts."""

from __future__ import annotations

import re

HIDDEN = "***"

#: The password of a URL: after the first colon of the credentials, up to the last @ before the host.
#: It begins at the "://", not at the scheme, so that each character is looked at a few times however long the text.
_URL_PASSWORD = re.compile(r"(?P<before>://[^:/?#@\s]*:)[^/?#\s]+(?=@)")

#: A password among the parameters of a URL, as libpq and Redis accept it.
_PARAMETER = re.compile(r"(?P<before>[?&](?:password|passwd|secret|token|sslpassword)=)[^&#\s]*", re.IGNORECASE)


def masked(text: str) -> str:
    """Return ``text`` with the password of every URL in it replaced by ``***``."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\g<before>{HIDDEN}", _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text))
