"""Who waits for which queue, and who gets what comes."""

from __future__ import annotations

from engine.polling.lines import Lines
from engine.polling.poll import Poll


def waiting(lines: Lines, count: int = 1, queue: str = "a", until: float = 10.0) -> Poll:
    poll = Poll(queue, count, until, None)
    lines.join(poll)
    return poll


def test_whoever_came_first_gets_as_much_as_it_wants() -> None:
    lines = Lines()
    first, second = waiting(lines, 2), waiting(lines, 2)
    assert lines.share_out("a", 3) == [first, first, second]
    assert lines.demand() == {}


def test_what_nobody_waits_for_is_shared_out_to_nobody() -> None:
    lines = Lines()
    poll = waiting(lines, 1)
    assert lines.share_out("b", 2) == []
    assert lines.share_out("a", 2) == [poll]
    assert lines.share_out("a", 2) == []


def test_the_demand_of_a_queue_is_what_all_its_polls_want() -> None:
    lines = Lines()
    waiting(lines, 2)
    gone = waiting(lines, 3)
    waiting(lines, 1, queue="b")
    assert lines.demand() == {"a": 5, "b": 1}
    assert lines.leave(gone)
    assert not lines.leave(gone)
    assert lines.demand() == {"a": 2, "b": 1}


def test_polls_whose_time_is_up_are_taken_out_the_earliest_first() -> None:
    lines = Lines()
    later, late, patient = waiting(lines, until=5.0), waiting(lines, until=3.0), waiting(lines)
    gone = waiting(lines, until=1.0)
    lines.leave(gone)
    assert lines.first_end() == 3.0
    assert lines.take_out(5.0) == [late, later]
    assert lines.take_all() == [patient]
    assert lines.first_end() is None


def test_a_poll_that_joins_again_waits_as_long_as_it_would_have() -> None:
    lines = Lines()
    poll = waiting(lines, until=5.0)
    lines.share_out("a", 1)
    assert lines.first_end() is None
    lines.join(poll)
    assert (lines.first_end(), lines.take_out(5.0), lines.take_out(5.0)) == (5.0, [poll], [])
