"""A process that is told to stop ends by itself, or else after its time, whatever holds it up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

#: Waits where no wish to stop is heard, as for a broker that takes no messages: for the seconds given.
_HELD_UP = """
import sys, time
from engine.services.stopping import Stop
stop = Stop()
stop.on_signals(float(sys.argv[1]))
print("ready", flush=True)
while not stop.wanted():
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("most", "held_up", "code", "said"), [("300", "0.2", 0, "done"), ("0.3", "300", 1, "service.ended_by_force")]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_may_be_finished_within_its_time(
    number: signal.Signals, most: str, held_up: str, code: int, said: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HELD_UP, most, held_up], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(number)
        # Impatience changes nothing.
        process.send_signal(number)
        words, _ = process.communicate(timeout=120)
    assert process.returncode == code
    assert said in words
    assert time.monotonic() - began < 120


#: Is told to stop while it holds every lock that a handler might want: those of its event and of the log.
_IN_THE_MIDDLE = """
import logging, os, signal
from engine.services.stopping import Stop
stop = Stop()
stop.on_signals()
handler = logging.StreamHandler()
with stop._wanted._cond, handler.lock:
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
stop._wanted.wait()
print("done", flush=True)
"""


def test_a_signal_that_comes_while_a_lock_is_held_stops_the_process_all_the_same() -> None:
    ended = subprocess.run([sys.executable, "-c", _IN_THE_MIDDLE], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "done")
