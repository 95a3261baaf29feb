"""The page that shows the document: what it loads comes from this server where fastapi-offline is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, Response

#: Where clients of Conductor look for the page, beside FastAPI's own place.
_PATHS: Final = ("/docs", "/swagger-ui", "/swagger-ui.html", "/swagger-ui/index.html")

#: What the page loads; without the extra ``docs`` it comes from a CDN.
_SCRIPT: Final = "swagger-ui-bundle.js"
_STYLE: Final = "swagger-ui.css"
_ICON: Final = "favicon.png"
_LOADED: Final = (_SCRIPT, _STYLE, _ICON)


def show(app: FastAPI) -> None:
    """Show the application's document wherever people look for it; the application must not have a page of its own."""
    folder = _folder()

    def from_elsewhere(request: Request) -> Response:
        return get_swagger_ui_html(openapi_url="/openapi.json", title=app.title)

    def from_here(request: Request) -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"/docs/{_SCRIPT}",
            swagger_css_url=f"/docs/{_STYLE}",
            swagger_favicon_url=f"/docs/{_ICON}",
        )

    for path in _PATHS:
        app.add_route(path, from_elsewhere if folder is None else from_here, include_in_schema=False)
    if folder is not None:
        _hand_out(app, folder)


def _hand_out(app: FastAPI, folder: Path) -> None:
    def file(request: Request) -> Response:
        return FileResponse(folder / request.url.path.rpartition("/")[2])

    for name in _LOADED:
        app.add_route(f"/docs/{name}", file, include_in_schema=False)


def _folder() -> Path | None:
    """Return where the files are; None where there are not all of them."""
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "static"
    return folder if all((folder / name).is_file() for name in _LOADED) else None
