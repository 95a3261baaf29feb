"""The doctor's look at a Redis that serves as the broker: does it keep what it is told, and can it take more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError, ResponseError

from engine.broker.redis_session import open_redis
from engine.config import Settings, variable_of
from engine.services.finding import Finding, sentence

#: The first version that has all commands that we, and kombu, use.
_OLDEST = (6, 2)

#: Share of ``maxmemory`` from which on it is time to do something.
_NEARLY_FULL = 0.8


def examine_redis(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with a Redis that answers."""
    try:
        with open_redis(settings.broker_url) as redis:
            about: Mapping[str, Any] = redis.info("all")
            try:
                policy = redis.config_get("maxmemory-policy").get("maxmemory-policy")
            except ResponseError:
                # Those who rent a Redis are often not let see its settings; what it says of itself must do.
                policy = about.get("maxmemory_policy")
    except (RedisError, OSError) as error:
        yield Finding(subject="redis", state="fault", what=sentence(error), remedy="Start the doctor again.")
        return
    found = [*_server(about), *_memory(about, policy), *_persistence(about)]
    if settings.task_queue_type != "classic":
        what = f"{variable_of('task_queue_type')} has no meaning on Redis"
        found.append(Finding(subject="redis", state="warning", what=what, remedy="Unset it."))
    yield from found
    if not found:
        what = f"version {about['redis_version']} logs every command and evicts nothing"
        yield Finding(subject="redis", state="ok", what=what)


def _server(about: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(about["redis_version"])
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        what = f"is version {version}; {wanted} is the oldest that can work"
        yield Finding(subject="redis", state="fault", what=what, remedy="Install a newer one.")
    if about.get("role") != "master":
        what = "is a replica and takes no messages"
        remedy = f"Name its master in {variable_of('broker_url')}."
        yield Finding(subject="redis", state="fault", what=what, remedy=remedy)


def _memory(about: Mapping[str, Any], policy: str | None) -> Iterator[Finding]:
    limit, used = int(about.get("maxmemory", 0)), int(about.get("used_memory", 0))
    if policy not in (None, "noeviction"):
        # Without a limit nothing is evicted yet; whoever sets one later does not think of messages.
        what = f"maxmemory-policy is {policy}: when memory is short, it throws messages away"
        remedy = "Set maxmemory-policy to noeviction."
        yield Finding(subject="redis", state="fault" if limit else "warning", what=what, remedy=remedy)
    if limit and used > limit * _NEARLY_FULL:
        what = f"uses {used / limit:.0%} of its maxmemory; full, it refuses messages, and workers may lose tasks"
        remedy = "Raise maxmemory, or start more workers."
        yield Finding(subject="redis", state="warning", what=what, remedy=remedy)


def _persistence(about: Mapping[str, Any]) -> Iterator[Finding]:
    if not about.get("aof_enabled"):
        what = "does not log what it is told (appendonly no): a restart loses start messages that nobody has taken yet"
        remedy = "Set appendonly to yes."
        yield Finding(subject="redis", state="warning", what=what, remedy=remedy)
    elif about.get("aof_last_write_status") != "ok":
        what = "could not write its log the last time: it takes no messages, or will lose them"
        yield Finding(subject="redis", state="fault", what=what, remedy="Look at its disk and its own log.")
