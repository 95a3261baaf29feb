"""Routes under /api/environment and /api/secrets: which names of the world outside definitions may use (5.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from engine.api.body import answer
from engine.config import ENVIRONMENT_PREFIX, SECRET_PREFIX
from engine.errors import NotFound

_WHERE_SECRETS_LIVE = (
    f"secrets are variables {SECRET_PREFIX}<NAME> of the deciders, or files in BATON_SECRETS_DIRECTORY, "
    "and only workers are told their values"
)


def outside_routes(environment: Mapping[str, str], secret_names: Callable[[], list[str]]) -> APIRouter:
    """Return the routes; values of the environment are shown, of secrets nothing but names."""
    router = APIRouter()
    _environment(router, environment)
    _secrets(router, secret_names)
    return router


def _environment(router: APIRouter, environment: Mapping[str, str]) -> None:
    @router.get("/api/environment", tags=["environment"])
    def variables() -> Response:
        """List what definitions find as ``${workflow.env.NAME}``."""
        return answer([{"name": name, "value": environment[name]} for name in sorted(environment)])

    @router.get("/api/environment/{key}", tags=["environment"])
    def variable(key: str) -> Response:
        """Give one value as text; of an unknown name it is empty."""
        return PlainTextResponse(environment.get(key, ""))

    @router.put("/api/environment/{key}", tags=["environment"])
    @router.delete("/api/environment/{key}", tags=["environment"])
    def write(key: str) -> Response:
        """Refuse: these values are set where the processes are started."""
        raise HTTPException(
            501, f"Set the variable {ENVIRONMENT_PREFIX}{key[:100]} of the deciders and servers instead."
        )


def _secrets(router: APIRouter, secret_names: Callable[[], list[str]]) -> None:
    @router.get("/api/secrets", tags=["secrets"])
    @router.post("/api/secrets", tags=["secrets"])
    def names() -> Response:
        """List the names that definitions may use as ``${workflow.secrets.NAME}``."""
        return answer(list(secret_names()))

    @router.get("/api/secrets/v2", tags=["secrets"])
    def described() -> Response:
        """List the same names as objects (Orkes)."""
        return answer([{"name": name, "tags": []} for name in secret_names()])

    @router.get("/api/secrets/{key}/exists", tags=["secrets"])
    def exists(key: str) -> Response:
        """Say whether there is a secret of this name."""
        return answer(key in secret_names())

    @router.get("/api/secrets/{key}", tags=["secrets"])
    def value(key: str) -> Response:
        """Refuse: nobody reads a secret over HTTP."""
        if key not in secret_names():
            raise NotFound(f"There is no secret {key[:100]!r}.")
        raise HTTPException(403, f"The value of {key[:100]!r} is not shown: {_WHERE_SECRETS_LIVE}.")

    @router.put("/api/secrets/{key}", tags=["secrets"])
    @router.delete("/api/secrets/{key}", tags=["secrets"])
    def write(key: str) -> Response:
        """Refuse: secrets are kept where the processes are started."""
        raise HTTPException(501, f"{key[:100]!r} cannot be written here: {_WHERE_SECRETS_LIVE}.")
