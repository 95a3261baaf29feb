"""Options that every client command has: which server, and whether people or programs read the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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


def server_url(given: str | None) -> str:
    """Return the server's address: the option or variable, else what ``.env`` says, else the default."""
    if given:
        return given
    # Costs as much as the rest of a command's start, so only when nothing was said.
    from engine import config

    return config.load().server_url
