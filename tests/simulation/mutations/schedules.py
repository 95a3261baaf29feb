"""Mutations of schedules: which dates start a run, and what is remembered of them."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_SCHEDULER = "engine/services/scheduler.py"

SCHEDULES: tuple[Mutation, ...] = (
    mutation(
        "the run of a date that is asked for again is another run",
        _SCHEDULER,
        "        yield encode_start(start_of(execution))\n",
        '        again = f"{execution.id}-{execution.sent_at}"\n'
        "        yield encode_start(replace(start_of(execution), workflow_id=again, event_id=again))\n",
    ),
    mutation(
        "a date that was taken up is not written down",
        _SCHEDULER,
        "        transaction.put_executions(turn.executions)\n",
        "",
    ),
    mutation(
        "a start that made no run is not sent again",
        _SCHEDULER,
        "    return replace(execution, sent_at=now)\n",
        "    return execution\n",
    ),
    mutation(
        "dates that came in one look are one date",
        _SCHEDULER,
        "        for date in taken:\n",
        "        for date in taken[-1:]:\n",
    ),
    mutation(
        "a date is taken up whatever run is open",
        _SCHEDULER,
        "        if not before:\n            self._start(date)\n",
        "        if before is not None:\n            self._start(date)\n",
    ),
    mutation(
        "a run that is only asked for counts as none",
        _SCHEDULER,
        "else awaited) else",
        "else False) else",
    ),
    mutation(
        "a date that waits for the run before is forgotten",
        _SCHEDULER,
        "        turn.take_buffered()\n",
        "",
    ),
    mutation(
        "the run before is not ended to make room",
        _SCHEDULER,
        "            yield encode_request(cancel, self._partitions)\n",
        "            pass\n",
    ),
    mutation(
        "a run that has yet to begin needs not make room",
        _SCHEDULER,
        "if cancelled is not None else execution.cancels not in awaited\n",
        "if cancelled is not None else True\n",
    ),
)
