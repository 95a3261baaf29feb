"""Creates and deletes RabbitMQ's virtual hosts, through its HTTP API or through rabbitmqctl."""

from __future__ import annotations

import shutil
import subprocess
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from deploy.endpoint import Unusable

#: Seconds for one call; deleting a virtual host with many quorum queues takes some.
CALL_SECONDS = 60.0


class Vhosts:
    """The virtual hosts of one RabbitMQ.

    ``management_url`` is tried first because a call takes milliseconds; ``rabbitmqctl``, which starts an Erlang
    machine for each call, serves where the management plugin is off and the server is on this machine.
    """

    def __init__(self, broker_url: str, management_url: str | None) -> None:
        parts = urlsplit(broker_url)
        self._parts = parts
        self._user = unquote(parts.username or "guest")
        self._password = unquote(parts.password or "guest")
        self._api = management_url or self._default_api()

    def create(self, name: str) -> str:
        """Create the virtual host, unless it is there, with all rights for our user; return its broker URL."""
        if self._api_answers():
            self._call("PUT", f"vhosts/{quote(name, safe='')}")
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            self._call("PUT", f"permissions/{quote(name, safe='')}/{quote(self._user, safe='')}", everything)
        else:
            if name not in self._rabbitmqctl("list_vhosts", "--quiet", "--no-table-headers").splitlines():
                self._rabbitmqctl("add_vhost", name)
            self._rabbitmqctl("set_permissions", "-p", name, self._user, ".*", ".*", ".*")
        return urlunsplit(self._parts._replace(path="/" + quote(name, safe="")))

    def delete(self, name: str) -> None:
        """Delete the virtual host with everything in it."""
        if self._api_answers():
            self._call("DELETE", f"vhosts/{quote(name, safe='')}")
        else:
            self._rabbitmqctl("delete_vhost", name)

    def management_url(self) -> str | None:
        """Return the URL of the HTTP API, with its credentials, if it answers."""
        return self._api if self._api_answers() else None

    def check(self) -> None:
        """Find out whether virtual hosts can be created.

        Raises:
            Unusable: neither way works; the text says what to do.
        """
        if self._api_answers():
            return
        if self._parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise Unusable(self._no_way("the server is on another machine"))
        self._rabbitmqctl("list_vhosts", "--quiet")

    def _default_api(self) -> str:
        credentials = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}"
        return f"http://{credentials}@{self._parts.hostname or 'localhost'}:15672"

    def _api_answers(self) -> bool:
        try:
            answer = httpx.get(f"{self._api}/api/whoami", timeout=3.0)
            tags = answer.json()["tags"] if answer.status_code == httpx.codes.OK else []
        except (httpx.HTTPError, ValueError, KeyError):
            return False
        return "administrator" in (tags.split(",") if isinstance(tags, str) else tags)

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        answer = httpx.request(method, f"{self._api}/api/{path}", json=body, timeout=CALL_SECONDS)
        if answer.is_error:
            raise Unusable(f"RabbitMQ's HTTP API answers {answer.status_code} to {method} {path}: {answer.text}")

    def _rabbitmqctl(self, *arguments: str) -> str:
        program = shutil.which("rabbitmqctl")
        if program is None:
            raise Unusable(self._no_way("rabbitmqctl is not installed"))
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
        if done.returncode != 0:
            raise Unusable(self._no_way(" ".join((done.stderr or done.stdout).split())[-300:]))
        return done.stdout

    def _no_way(self, why: object) -> str:
        return (
            "virtual hosts cannot be created: the management API does not answer an administrator at "
            f"{self._parts.hostname}:{urlsplit(self._api).port}, and rabbitmqctl does not help ({why}). "
            "Enable it with `rabbitmq-plugins enable rabbitmq_management`, and give the user the tag administrator."
        )
