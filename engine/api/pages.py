"""What a browser is shown: the files of a web UI, or one page that says where everything is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from engine.config import Settings, variable_of
from engine.errors import BadConfiguration

#: The page of a web UI's application, which finds out by itself what its address means.
_APPLICATION: Final = "index.html"

#: What programs ask for; a path in here that nothing answers is an error and no page.
_FOR_PROGRAMS: Final = "/api/"

_FRONT: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Baton</title>
<style>body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}</style>
<h1>Baton</h1>
<p>This is the server of a workflow engine. It is made for programs:</p>
<ul>
<li><a href="/swagger-ui">every call of its API</a>, to read and to try</li>
<li><a href="/health">health</a> and <a href="/metrics">metrics</a></li>
<li><code>baton --help</code>, the same in a terminal</li>
</ul>
<p>A web UI made for Conductor can stand here: name the folder of its files in
<code>{variable_of("ui_folder")}</code>.</p>
</html>
"""


def check_pages(settings: Settings) -> None:
    """Raise ``BadConfiguration`` when the folder of the web UI has no application in it."""
    if settings.ui_folder is not None and not (Path(settings.ui_folder) / _APPLICATION).is_file():
        raise BadConfiguration(
            [
                f"{variable_of('ui_folder')} is {settings.ui_folder!r}, where there is no {_APPLICATION}: name the "
                "folder that the UI's build has written, or leave the setting out."
            ]
        )


def add_pages(app: FastAPI, settings: Settings | None) -> None:
    """Show a browser the web UI of the settings, or the page that stands in for one; to be called after all routes."""
    if settings is None or settings.ui_folder is None:
        app.add_route("/", _front, include_in_schema=False)
    else:
        app.router.routes.append(_Pages("/", _Files(directory=settings.ui_folder)))


async def _front(request: Request) -> Response:
    return HTMLResponse(_FRONT)


class _Pages(Mount):
    """All that is not for programs."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].startswith(_FOR_PROGRAMS):
            return Match.NONE, {}
        return super().matches(scope)


class _Files(StaticFiles):
    """The files of a web UI; any other address that a browser goes to is one of its application's own."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            # What goes to a page asks for one. A script or a picture that is not there is not there.
            if error.status_code != 404 or "text/html" not in Headers(scope=scope).get("accept", ""):
                raise
            path = _APPLICATION
            response = await super().get_response(path, scope)
        if Path(path).name == _APPLICATION:
            # It names the scripts of one build, so that yesterday's page would ask for what is gone.
            response.headers["Cache-Control"] = "no-cache"
        return response
