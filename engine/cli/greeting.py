"""What ``baton dev`` says when everything runs: where it is, what it has, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.services.dev import Started

#: Names in a line; who has more of them sees how many.
_MOST_NAMES = 4


def greeting(started: Started, settings: Settings) -> str:
    """Return the text for a person at a terminal."""
    return "\n".join(_lines(started, settings))


def _lines(started: Started, settings: Settings) -> Iterator[str]:
    yield f"{click.style('Baton is running', bold=True)} at {started.url} (Ctrl-C stops it)."
    yield ""
    yield f"  Data         {started.data}: runs are kept here, and go on when you start again"
    yield f"  Definitions  {_count(started.workflows, 'workflow')}; {started.task_definitions} for tasks"
    if started.tasks:
        yield f"  Tasks        {len(started.tasks)} of {settings.app} are carried out here: {_names(started.tasks)}"
    else:
        yield "  Tasks        the system's own are carried out here; yours are with --app MODULE:APP"
    yield f"  API          {started.url}/swagger-ui"
    if settings.grpc_port is not None:
        yield f"  gRPC         port {settings.grpc_port}, Conductor's services"
    yield ""
    yield "Next, in another terminal:"
    yield ""
    if urlsplit(settings.server_url).port != settings.http_port:
        yield f"  export BATON_SERVER_URL={started.url}"
    if started.workflows:
        yield f"  baton workflow start {started.workflows[0]} --watch"
        yield "  baton workflow list"
    else:
        yield "  baton definition apply my-workflow.json"
        yield "  baton workflow start my-workflow --watch"
    yield ""


def _count(names: Sequence[str], what: str) -> str:
    if not names:
        return f"no {what} yet"
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({_names(names)})"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
