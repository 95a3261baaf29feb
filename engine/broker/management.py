"""RabbitMQ's HTTP API, as far as the engine asks it: how many messages each queue holds, delivered ones included."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from engine.broker.rabbitmq import connection_parameters
from engine.errors import BrokerUnavailable
from engine.masking import masked

#: Seconds to wait for an answer; whoever asks has dates to keep meanwhile.
_PATIENCE_SECONDS = 2.0


class Management:
    """Asks the management plugin at ``url`` about the virtual host that ``broker_url`` names."""

    #: Waiting for an HTTP API that does not answer keeps the timekeeper from ringing.
    unanswered_seconds: float = 60.0

    def __init__(self, url: str, broker_url: str) -> None:
        vhost = connection_parameters(broker_url.partition(";")[0]).virtual_host
        self._address = f"{url.rstrip('/')}/api/queues/{quote(vhost, safe='')}"
        self._shown = masked(url)

    def totals(self) -> dict[str, int]:
        """Return the messages of each queue, ready and unacked together, as RabbitMQ counted them seconds ago.

        A queue that has not been counted yet is left out. Raises ``BrokerUnavailable`` when there is no answer.
        """
        try:
            answer = httpx.get(self._address, params={"columns": "name,messages"}, timeout=_PATIENCE_SECONDS)
            answer.raise_for_status()
            return {each["name"]: each["messages"] for each in answer.json() if "messages" in each}
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise BrokerUnavailable(f"RabbitMQ's HTTP API at {self._shown} does not answer: {error}") from error
