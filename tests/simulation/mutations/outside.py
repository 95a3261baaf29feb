"""Mutations of the services around the road, and of what operators may ask for."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_DECIDER, _TIMEKEEPER, _RESCUER = (
    "engine/services/decider.py",
    "engine/services/timekeeper.py",
    "engine/services/rescuer.py",
)
_STOPPING = "engine/services/stopping.py"
_STORE = "engine/testing/memory_store.py"

OUTSIDE: tuple[Mutation, ...] = (
    mutation("there is no rescuer", _TIMEKEEPER, "            self._rescuer.look()\n", "            pass\n"),
    mutation(
        "the rescuer places the new marker before it has sent everything again",
        _RESCUER,
        "        if self._broker.ready(MARKER_QUEUE):\n            return 0\n        with",
        "        if self._broker.ready(MARKER_QUEUE):\n            return 0\n"
        "        self._broker.publish([Message(queue=MARKER_QUEUE, body=b'{}')])\n        with",
    ),
    mutation(
        "the rescuer looks at the first page of runs only",
        _RESCUER,
        "            yield page\n",
        "            yield page\n            return\n",
        (_RESCUER, "_PAGE = 500", "_PAGE = 1"),
    ),
    mutation("a ring that nobody answered is not repeated", _STORE, " or rung_at <= expired)", ")"),
    mutation(
        "a wake-up is rung once for each run",
        _STORE,
        "(rung_at < workflow.wake_at or rung_at <= expired)",
        "rung_at == NEVER",
    ),
    mutation(
        "what is held is forgotten while the database is away",
        _STOPPING,
        "        except Transient as error:\n            patience",
        "        except Transient as error:\n            lost()\n            patience",
    ),
    mutation(
        "a lost line is not opened again",
        _STOPPING,
        "            patience.lost(error)\n            _reconnect(broker, stop)\n",
        "            patience.lost(error)\n",
    ),
    mutation(
        "a share that was broken off is not done again",
        _DECIDER,
        "        if gained or lost or not self._settled:\n",
        "        if gained or lost:\n",
    ),
    mutation(
        "the partitions of a dead decider stay nobody's",
        "engine/store/share.py",
        "if holder in living and 0 <=",
        "if 0 <=",
        (_DECIDER, "self._orphans.look(set(range(self._partitions)) - set(leased), now)", "()"),
    ),
    mutation(
        "resume lets nothing go on",
        "engine/operations/resume.py",
        "    desk.go_on()\n",
        "",
    ),
    mutation(
        "pause is granted and does nothing",
        "engine/operations/pause.py",
        "        desk.change_workflow(status=WorkflowStatus.PAUSED)\n",
        "        pass\n",
    ),
    mutation(
        "a paused run goes on",
        "engine/decider/draft.py",
        "return self.workflow.status is WorkflowStatus.RUNNING and",
        "return self.workflow.status.is_open and",
    ),
    mutation(
        "terminate is granted and does nothing",
        "engine/operations/terminate.py",
        "        desk.end(WorkflowStatus.TERMINATED, reason, failure_workflow=on_demand)\n",
        "        pass\n",
    ),
    mutation(
        "a retry reopens the run and nothing in it",
        "engine/operations/retry.py",
        "    desk.go_on()\n",
        "",
    ),
    mutation(
        "a report does not end what asyncComplete left open",
        "engine/operations/update_task.py",
        "            reported=True,\n",
        "",
    ),
)
