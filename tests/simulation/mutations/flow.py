"""Mutations of the decision: what follows what, what counts, and when it is due."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_WALK, _WAKE, _APPLY = "engine/decider/walk.py", "engine/decider/wake.py", "engine/decider/apply.py"
_ENDING, _DRAFT, _DEADLINE = "engine/decider/ending.py", "engine/decider/draft.py", "engine/decider/deadline.py"
_SCHEDULE, _CARRY, _RETRY = "engine/decider/schedule.py", "engine/decider/carry.py", "engine/decider/retry.py"
_LOOP, _JOIN, _MESSAGES = "engine/tasks/do_while.py", "engine/tasks/join.py", "engine/decider/messages.py"

FLOW: tuple[Mutation, ...] = (
    # what counts
    mutation(
        "a join does not wait for its last branch",
        _WALK,
        "        if not draft.unsettled.get(task.seq):\n            return True\n",
        "        if (draft.unsettled.get(task.seq) or 0) <= 1:\n            return True\n",
    ),
    mutation(
        "a join asks its script only when there is nothing left to wait for",
        _JOIN,
        "return by_script(at, done=False) if at.config.expression else None",
        "return None",
    ),
    mutation(
        "what the script of a join says is not heeded",
        _JOIN,
        "            return by_script(at, done=True) or Complete()\n",
        "            return Complete()\n",
    ),
    mutation(
        "the script of a join sees what has not ended as if it had",
        "engine/tasks/join_script.py",
        '"status": task.status.value,\n',
        '"status": "COMPLETED",\n',
    ),
    mutation("a retry counts twice", _SCHEDULE, "attempt=failed.attempt + 1,", "attempt=failed.attempt + 2,"),
    mutation(
        "one retry too many",
        _RETRY,
        "task.attempt < retry_limit(config, task)",
        "task.attempt <= retry_limit(config, task)",
    ),
    mutation(
        "a failure for good is tried again",
        "engine/model/status.py",
        "RETRIABLE_TASK = frozenset({TaskStatus.FAILED, TaskStatus.TIMED_OUT})",
        "RETRIABLE_TASK = frozenset({TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.FAILED_WITH_TERMINAL_ERROR})",
    ),
    mutation("optional is ignored", _WALK, "        if config.optional:\n", "        if config.optional is None:\n"),
    mutation(
        "permissive failures are forgotten at the end",
        _ENDING,
        "    if not failed:\n        end(",
        "    if not failed or failed:\n        end(",
    ),
    mutation(
        "one iteration too many for lists of items",
        _LOOP,
        "number < len(items)",
        "number <= len(items)",
    ),
    mutation("a loop's counter skips a number", _LOOP, "iteration=number + 1, output", "iteration=number + 2, output"),
    mutation("keepLastN keeps one too few", "engine/tasks/gathered.py", "str(number - keep)", "str(number - keep + 1)"),
    mutation(
        "what a loop has gathered is lost when a run is read",
        _LOOP,
        "        return Gathered({**task.output, **parts}, task.output)\n",
        "        return task.output\n",
    ),
    mutation(
        "what a loop has gathered is lost when the run ends",
        "engine/decider/gathering.py",
        "output=output.rest if task.status.is_open else dict(output)",
        "output=output.rest",
    ),
    mutation(
        "the live branches of a fork are miscounted",
        _CARRY,
        "        draft.lists[outer_key] = replace(outer, live=outer.live + len(branches))\n",
        "        draft.lists[outer_key] = replace(outer, live=outer.live + len(branches) - 1)\n",
    ),
    mutation(
        "a variable overwrites all others",
        _CARRY,
        "variables={**draft.workflow.variables, **step.variables}",
        "variables={**step.variables}",
    ),
    # what is applied
    mutation(
        "late results of closed tasks are accepted",
        _APPLY,
        "closed = task is None or task.status.is_terminal or",
        "closed = task is None or",
    ),
    # commands
    mutation(
        "the parent is not told of the end",
        _ENDING,
        "        draft.command(TellParent(task_id))",
        "        pass",
    ),
    mutation(
        "the parent is not told of the start",
        "engine/decider/decide.py",
        "        draft.command(TellParent(start.parent_task_id, started=True))\n    admit",
        "        pass\n    admit",
    ),
    mutation(
        "the failure workflow is not started",
        _ENDING,
        "        draft.command(StartFailureWorkflow())\n",
        "",
    ),
    mutation("ended tasks are not revoked", _ENDING, "        draft.command(Cancel(task.seq))", "        pass"),
    mutation(
        "terminate leaves children running",
        _MESSAGES,
        "    elif task.child_id:\n        ended",
        "    elif task.child_id is None:\n        ended",
    ),
    mutation(
        "what is open when a run ends stays open",
        _ENDING,
        "    _cancel_open(draft)\n    listed",
        "    listed",
    ),
    mutation(
        "nobody is told that a run has ended",
        _ENDING,
        "    draft.command(Announce(0, status.value))\n",
        "",
    ),
    mutation(
        "the asker is not answered",
        "engine/decider/decide.py",
        "    if request.reply_to is not None and outcome.code",
        "    if request.reply_to == () and outcome.code",
    ),
    mutation(
        "a child that nobody wants any more is let run",
        _APPLY,
        "        cancel(draft, task)\n\n\ndef child_ended",
        "        pass\n\n\ndef child_ended",
    ),
    # dates
    mutation(
        "wake_at is not written",
        _DRAFT,
        "            self.workflow = msgspec.structs.replace(self.workflow, wake_at=moment)",
        "            pass",
    ),
    mutation(
        "a later date takes the place of an earlier one",
        _DRAFT,
        "wake_at == NEVER or moment < wake_at",
        "wake_at == NEVER or moment > wake_at",
    ),
    mutation(
        "the next date is worked out for the run and not for its tasks",
        _DEADLINE,
        "            if deadline.at > draft.now:\n                draft.wake_by(deadline.at)",
        "            if deadline.at > draft.now:\n                pass",
    ),
    mutation(
        "the next date is worked out ten minutes late",
        _DEADLINE,
        "            if deadline.at > draft.now:\n                draft.wake_by(deadline.at)",
        "            if deadline.at > draft.now:\n                draft.wake_by(after(deadline.at, 600))",
    ),
    mutation(
        "a retry does not wait",
        _RETRY,
        "after(now, delay_seconds(definition, task.attempt))",
        "now",
    ),
    mutation("a delay does not grow", _RETRY, "base * 2 ** min(attempt, 31)", "base"),
    mutation(
        "a task that is delayed is handed out at once",
        _CARRY,
        "    now_visible = task.visible_at <= draft.now\n",
        "    now_visible = True\n",
        (
            _WALK,
            "        if again.visible_at <= self.draft.now:\n            self._start(again)",
            "        self._start(again)",
        ),
    ),
    mutation(
        "silence is not noticed",
        _DEADLINE,
        "    return draft.change(task, updated_at=seen_empty) if waits and seen_empty > task.visible_at else task",
        "    return task",
    ),
    mutation(
        "a worker that was heard of once may be silent for ever",
        _DEADLINE,
        "        return [Deadline(Kind.RESPONSE, after(task.updated_at, response))] if response else []",
        "        return []",
    ),
    mutation("a run does not time out", _WAKE, "    if _run_timed_out(draft):\n        return True\n", ""),
    # going on
    mutation(
        "the flow goes on beyond the step budget",
        _WALK,
        "if self._steps_left <= 0 or",
        "if self._steps_left is None or",
    ),
    mutation(
        "a run whose step budget is spent is not woken",
        _WALK,
        "        draft.command(WakeSoon())\n        draft.wake_by(draft.now)\n",
        "",
    ),
    mutation(
        "a flow that was stopped half a step on is taken for one that the rows show",
        _WALK,
        "            case Carry() | Ended():\n                return False",
        "            case Carry() | Ended():\n                return True",
    ),
    mutation(
        "what a spent budget left lying is not picked up",
        "engine/decider/decide.py",
        "    if events and execution.fresh and draft",
        "    if events and not execution.fresh and draft",
    ),
    mutation(
        "lists that nobody has entered are not picked up",
        _WALK,
        "                self.agenda.append(Enter(key, following))\n",
        "                pass\n",
    ),
    mutation(
        "children are not asked for again after a loss",
        _WAKE,
        "        draft.command(StartChild(task.seq))\n",
        "        pass\n",
    ),
    mutation(
        "a run that nothing can move stays RUNNING",
        _WALK,
        "            self._check_something_moves()\n",
        "            pass\n",
    ),
)
