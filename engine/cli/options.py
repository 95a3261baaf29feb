"""Options that every client command has: which server, and whether people or programs read the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from engine.cli.profiles import Profile

_F = TypeVar("_F", bound=Callable[..., Any])


def client_options(command: _F) -> _F:
    """Add ``--server`` and ``--output`` to a command; they arrive as ``server`` and ``output``."""
    server = click.option(
        "--server",
        metavar="URL",
        envvar="BATON_SERVER_URL",
        show_envvar=True,
        help="Where the server is.  [default: http://localhost:8080]",
    )
    return server(output_option(command))


def output_option(command: _F) -> _F:
    """Add ``--output`` to a command."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people or for programs.",
    )(command)


class Chosen(NamedTuple):
    """What was said before the command: a server's address, and the name of a profile."""

    server: str | None = None
    profile: str | None = None


def server_url(given: str | None) -> str:
    """Return the server's address.

    That is what stands nearest to the command: its own option, the one before the command, the profile, the variable,
    ``.env``, else the default.
    """
    context = click.get_current_context(silent=True)
    written = context is not None and context.get_parameter_source("server") is ParameterSource.COMMANDLINE
    if given and (written or context is None):
        return given
    if (chosen := _chosen()).server:
        return chosen.server
    if chosen.profile:
        return _profile(chosen.profile).server
    if given:
        return given
    # Costs as much as the rest of a command's start, so only when nothing was said.
    from engine import config

    return config.load().server_url


def headers_for(url: str) -> dict[str, str]:
    """Return the headers that are sent with every call: those of the profile, if the server is the profile's."""
    chosen = _chosen()
    if not chosen.profile:
        return {}
    found = _profile(chosen.profile)
    return found.headers if found.server.rstrip("/") == url else {}


def _chosen() -> Chosen:
    context = click.get_current_context(silent=True)
    found = None if context is None else context.find_root().obj
    return found if isinstance(found, Chosen) else Chosen()


def _profile(name: str) -> Profile:
    from engine.cli import profiles

    return profiles.named(name)
