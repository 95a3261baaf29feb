"""The notifier brings every notice to its sink, holds what is not taken, and sets aside what never will be."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from engine.broker.memory import MemoryBroker
from engine.clock import after
from engine.config import LOOPBACK, Settings
from engine.outgoing import network
from engine.services.delivery import signature
from engine.services.notifier import Notifier
from engine.services.stopping import Stop
from engine.store.notice_port import HeldNotice
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore
from engine.wire.dead_letter import read_dead, revive
from engine.wire.message import DEAD_QUEUE, NOTICES_QUEUE, Message
from engine.wire.notice import Notice, encode_notice
from tests.conformance.broker.deliveries import eventually
from tests.listener import Listener


class Office:
    """A notifier at work, on memory."""

    def __init__(self) -> None:
        self.clock, self.store, self.hub = FixedClock(), MemoryStore(), MemoryBroker()
        self.outside = self.hub.connect()
        self.settings = Settings(notice_give_up_seconds=100, notice_timeout_seconds=5)
        self.begin()

    def begin(self) -> None:
        self.stop = Stop()
        self.broker = self.hub.connect()
        notifier = Notifier(self.store, self.broker, self.settings, self.stop, clock=self.clock)
        self.thread = threading.Thread(target=notifier.run)
        self.thread.start()

    def send(self, *sinks: str) -> list[str]:
        notices = [
            Notice(id=f"n{number}", sink=sink, topic="workflow.completed.greet", document={"id": f"n{number}"})
            for number, sink in enumerate(sinks, 1)
        ]
        self.outside.publish([encode_notice(notice) for notice in notices])
        return [notice.id for notice in notices]

    def held(self) -> tuple[HeldNotice, ...]:
        with self.store.transaction() as transaction:
            return transaction.held_notices()[1]

    def dead(self) -> list[Message]:
        return [each.message for each in self.outside.peek(DEAD_QUEUE, 10)]

    def advance(self, seconds: float) -> None:
        self.clock.set(after(self.clock.now(), seconds))
        self.broker.interrupt()

    def close(self) -> None:
        self.stop.now()
        self.thread.join(60)


@pytest.fixture(autouse=True)
def _loopback_is_allowed() -> Iterator[None]:
    before = list(network._chosen)
    network.use(network.rules_of(Settings(outgoing_loopback_networks=LOOPBACK)))
    yield
    network._chosen[:] = before


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.fixture
def office() -> Iterator[Office]:
    one = Office()
    yield one
    one.close()


def settled(office: Office) -> Callable[[], bool]:
    return lambda: office.outside.ready(NOTICES_QUEUE) == 0


def test_a_notice_is_posted_with_its_id_and_then_gone(office: Office, listener: Listener) -> None:
    office.send(listener.url)
    eventually(lambda: listener.ids() == ["n1"])
    headers, body = listener.heard[0]
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/json", "n1")
    assert json.loads(body) == {"id": "n1"}
    eventually(settled(office))
    assert office.held() == ()


def test_a_sink_that_is_away_gets_everything_once_it_is_back(office: Office, listener: Listener) -> None:
    listener.status = 503
    ids = office.send(*[listener.url] * 5)
    eventually(lambda: len(office.held()) == 5)
    assert office.held()[0].reason == "it answered 503 Service Unavailable"
    listener.status = 204
    for _ in range(20):
        office.advance(1)
    eventually(lambda: sorted(listener.ids()) == ids)
    eventually(lambda: office.held() == ())


def test_what_is_for_a_sink_that_has_just_failed_is_held_without_a_call(office: Office, listener: Listener) -> None:
    listener.status = 500
    office.send(listener.url)
    eventually(lambda: len(office.held()) == 1)
    calls = listener.calls
    office.outside.publish(
        [encode_notice(Notice(id="later", sink=listener.url, topic="workflow.paused.greet", document={}))]
    )
    eventually(lambda: len(office.held()) == 2)
    assert listener.calls == calls


def test_a_sink_that_is_away_keeps_no_other_waiting(office: Office, listener: Listener) -> None:
    office.send("http://127.0.0.1:9/", listener.url, "amqp_queue:mine")
    eventually(lambda: listener.ids() == ["n2"])
    eventually(lambda: office.outside.ready("mine") == 1)
    eventually(lambda: [each.id for each in office.held()] == ["n1"])


def test_what_is_held_is_delivered_by_the_next_notifier(office: Office, listener: Listener) -> None:
    listener.status = 503
    office.send(listener.url)
    eventually(lambda: len(office.held()) == 1)
    office.close()
    listener.status = 200
    office.clock.set(after(office.clock.now(), 90))
    office.begin()
    eventually(lambda: listener.ids() == ["n1"])


def test_a_sink_that_stays_away_makes_a_dead_letter_that_can_be_sent_again(office: Office, listener: Listener) -> None:
    listener.status = 500
    office.send(listener.url)
    eventually(lambda: len(office.held()) == 1)
    office.advance(200)
    eventually(lambda: len(office.dead()) == 1)
    letter = read_dead(office.dead()[0])
    assert "it answered 500" in letter.reason
    assert letter.origin == NOTICES_QUEUE
    listener.status = 200
    office.advance(400)
    office.outside.publish([revive(letter.message)])
    eventually(lambda: listener.ids() == ["n1"])


@pytest.mark.parametrize(
    ("sink", "reason"),
    [
        ("ftp://somewhere/else", "is no sink"),
        ("amqp_queue:baton.start", "the engine's"),
        ("http://169.254.169.254/latest", "never called"),
    ],
)
def test_a_sink_that_can_never_take_anything_makes_a_dead_letter_at_once(
    office: Office, sink: str, reason: str
) -> None:
    office.send(sink)
    eventually(lambda: len(office.dead()) == 1)
    assert reason in read_dead(office.dead()[0]).reason
    assert office.held() == ()


def test_a_sink_that_says_it_is_gone_is_not_asked_again(office: Office, listener: Listener) -> None:
    listener.status = 410
    office.send(listener.url)
    eventually(lambda: len(office.dead()) == 1)
    assert listener.calls == 1


def test_headers_and_signature_come_from_secrets_that_are_never_sent_as_names(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_SECRET_KEY", "Bearer abc")
    monkeypatch.setenv("BATON_SECRET_SIGNING", "s3cret")
    office = Office()
    office.send(f"{listener.url}#Authorization=KEY&signature=SIGNING")
    eventually(lambda: len(listener.heard) == 1)
    office.close()
    headers, body = listener.heard[0]
    assert headers["authorization"] == "Bearer abc"
    at = int(headers["baton-signature"].split(",")[0].removeprefix("t="))
    assert headers["baton-signature"] == signature("s3cret", body, at)


def test_a_secret_that_is_not_known_yet_is_waited_for(office: Office, listener: Listener) -> None:
    office.send(f"{listener.url}#Authorization=NOT_YET")
    eventually(lambda: len(office.held()) == 1)
    assert "BATON_SECRET_NOT_YET" in office.held()[0].reason
    assert listener.calls == 0


def test_a_message_that_is_no_notice_is_a_dead_letter_and_stops_nobody(office: Office, listener: Listener) -> None:
    good = encode_notice(Notice(id="good", sink=listener.url, topic="t", document={"id": "good"}))
    office.outside.publish([replace(good, body=b"{"), good])
    eventually(lambda: listener.ids() == ["good"])
    eventually(lambda: len(office.dead()) == 1)
    assert "a notice is not JSON" in read_dead(office.dead()[0]).reason
