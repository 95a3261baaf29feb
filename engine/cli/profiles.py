"""The file of profiles: which server each name stands for, readable by its owner only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from engine.cli.failure import USAGE, Failure


class Profile(NamedTuple):
    """A server's address, and the headers that are sent with every call."""

    server: str
    headers: dict[str, str]


def file() -> Path:
    """Return where profiles are kept."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "baton" / "profiles.json"


def read() -> dict[str, Profile]:
    """Return the profiles by name; raise ``Failure`` when the file cannot be read."""
    try:
        document = json.loads(file().read_text(encoding="utf-8"))
        return {name: Profile(str(each["server"]), dict(each.get("headers") or {})) for name, each in document.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"The file of profiles {file()} cannot be read: mend or delete it.", code=USAGE) from None


def write(found: dict[str, Profile]) -> None:
    """Keep these profiles and no others."""
    place = file()
    place.parent.mkdir(parents=True, exist_ok=True)
    document = {name: {"server": each.server, "headers": each.headers} for name, each in found.items()}
    # Headers may be keys: nobody else may read them, not even for a moment.
    place.touch(mode=0o600)
    place.chmod(0o600)
    place.write_text(json.dumps(document, indent=2), encoding="utf-8")


def named(name: str) -> Profile:
    """Return a profile; raise ``Failure`` when there is none of this name."""
    found = read()
    if name not in found:
        known = ", ".join(found) or "none"
        raise Failure(
            f"There is no profile {name!r}; there are: {known}.", code=USAGE, hint="baton profile save NAME URL"
        )
    return found[name]
