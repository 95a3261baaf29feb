"""``python -m benchmarks.bare_routes``: a FastAPI that answers polls and updates with bytes it was given.

It reads bodies and checks nothing: what is left of a request when the engine's share is taken away.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response


def routes(polled: bytes, updated: bytes) -> FastAPI:
    """Return the two routes that workers ask, each with its one answer."""
    app = FastAPI()

    @app.get("/api/tasks/poll/batch/{task_type}")
    async def poll_batch(task_type: str, count: int = 1, timeout: int = 100, workerid: str | None = None) -> Response:
        return Response(polled, media_type="application/json")

    @app.post("/api/tasks/update-v2")
    async def update(request: Request) -> Response:
        await request.body()
        return Response(updated, media_type="application/json")

    @app.get("/health")
    async def health() -> Response:
        return Response(b"{}", media_type="application/json")

    return app


def main() -> None:
    """Serve on this machine until a signal comes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--polled", type=Path, required=True, help="a file with the answer to polls")
    arguments.add_argument("--updated", type=Path, required=True, help="a file with the answer to updates")
    given = arguments.parse_args()
    app = routes(given.polled.read_bytes(), given.updated.read_bytes())
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
