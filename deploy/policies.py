"""Gives a RabbitMQ the policies of `rabbitmq/definitions.json`: `python -m deploy.policies`.

Task queues get their dead-lettering by policy, because a Celery worker declares the same queues, and an argument that
it does not know of would make the broker refuse it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import httpx

from engine.config import load
from engine.errors import BadConfiguration
from engine.masking import masked

DEFINITIONS = Path(__file__).parent / "rabbitmq" / "definitions.json"

#: Seconds for the one call.
CALL_SECONDS = 30.0


class NotApplied(Exception):
    """The policies could not be set; the text says why."""


def apply(management_url: str, vhost: str) -> None:
    """Import the definitions into one virtual host; policies of the same names are replaced, others stay.

    Raises:
        NotApplied: RabbitMQ's HTTP API does not answer, or refuses.
    """
    try:
        answer = httpx.post(
            f"{management_url}/api/definitions/{quote(vhost, safe='')}",
            content=DEFINITIONS.read_bytes(),
            headers={"content-type": "application/json"},
            timeout=CALL_SECONDS,
        )
    except httpx.HTTPError as error:
        raise NotApplied(f"RabbitMQ's HTTP API at {masked(management_url)} cannot be reached: {error}") from error
    if answer.is_error:
        raise NotApplied(f"RabbitMQ's HTTP API answers {answer.status_code}: {answer.text}")


def vhost_of(broker_url: str) -> str:
    """Return the virtual host that a broker URL names; the default one where it names none."""
    return unquote(urlsplit(broker_url).path[1:]) or "/"


def main() -> int:
    """Apply the policies to the broker that the settings name."""
    try:
        settings = load()
        if settings.management_url is None:
            print("BATON_MANAGEMENT_URL is not set: it names RabbitMQ's HTTP API, which takes the policies.")
            return 1
        apply(settings.management_url, vhost_of(settings.broker_url))
    except (BadConfiguration, NotApplied) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
