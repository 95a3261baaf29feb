"""Mutations of what operators may ask for, beyond what `outside` breaks: doing over, messages, variables, delays."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_RERUN, _DESK = "engine/operations/rerun.py", "engine/decider/open_desk.py"

OPERATORS: tuple[Mutation, ...] = (
    mutation(
        "a restart leaves in the flow what was there",
        "engine/operations/restart.py",
        "    desk.take_all_out()\n",
        "",
    ),
    mutation(
        "a run that is done over from a task does not go back",
        _RERUN,
        "        _go_back(desk, way, arguments)\n",
        "        pass\n",
    ),
    mutation(
        "a run that is done over forgets what it was",
        "engine/saving.py",
        "earlier=decision.earlier,",
        "earlier=None,",
    ),
    mutation(
        "branches beside the task that is done over stay as they were",
        _RERUN,
        "    _take_up_beside(desk)\n\n\ndef",
        "\n\ndef",
    ),
    mutation(
        "a child is not asked to go back to its task",
        _DESK,
        "        self._draft.command(RerunChild(task.seq, arguments))",
        "        pass",
    ),
    mutation(
        "a run that is done over is not told to the run above",
        _DESK,
        "            self._draft.command(ReviveParent())",
        "            pass",
    ),
    mutation(
        "delays are reset and go on",
        "engine/operations/reset_callbacks.py",
        "        desk.end_delay(task)\n",
        "        pass\n",
    ),
    mutation(
        "variables are granted and not written",
        "engine/operations/update_variables.py",
        "    desk.change_workflow(variables=variables)\n",
        "",
    ),
    mutation(
        "a step that is to be skipped is carried out",
        "engine/operations/skip_task.py",
        "    desk.change_workflow(skips={**workflow.skips, ref: wish})\n",
        "",
    ),
    mutation(
        "a removal is granted and the run stays",
        "engine/operations/remove.py",
        "    desk.remove(archive=bool(archive))\n",
        "",
    ),
    mutation(
        "a message is granted and lost",
        "engine/operations/send_message.py",
        "    desk.change_workflow(messages=waiting)\n",
        "",
    ),
    mutation(
        "a message wakes no task that waits for one",
        "engine/operations/send_message.py",
        "    if taker is not None:\n        desk.hand_over_messages(taker)\n",
        "",
    ),
    mutation(
        "a jump is granted and the flow stays where it is",
        _DESK,
        "        clear_way(self._draft, there)\n        self._wanted.append((there, given))\n",
        "",
    ),
    mutation(
        "a jump leaves open what it passes over",
        _DESK,
        "        clear_way(self._draft, there)\n",
        "",
    ),
    mutation(
        "an upgrade is granted and the run goes by its old version",
        _DESK,
        "            self._draft.change_workflow(definition_hash=found.hash, version=found.definition.version)\n",
        "",
    ),
    mutation(
        "a signal is granted and ends nothing",
        "engine/operations/signal.py",
        "    desk.apply(\n        TaskResult(",
        "    id(\n        TaskResult(",
    ),
    mutation(
        "a report is granted and lost",
        "engine/operations/update_task.py",
        "    applied = desk.apply(\n",
        "    applied = bool(\n",
    ),
    mutation(
        "a worker that is handed a task once more is not counted",
        "engine/operations/desk.py",
        "            beginning=beginning,\n",
        "",
    ),
    mutation(
        "a task that kills every worker is begun for ever",
        "engine/decider/apply.py",
        "    if begun - 1 > draft.surroundings.redelivery_limit:\n",
        "    if begun < 0:\n",
    ),
    mutation(
        "a task that waits for its child once more is not told how that has ended",
        "engine/operations/tell_parent.py",
        "        desk.tell_parent_again(request)\n",
        "        pass\n",
    ),
)
