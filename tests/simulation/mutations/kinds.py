"""Mutations of the types of tasks, at least one for each, and of the operations that workers ask for."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_TASKS, _OPERATIONS, _FORGET = "engine/tasks", "engine/operations", "engine/decider/forget.py"


_FAILS = 'from engine.tasks.step import Fail\n        return Fail(reason="not here", terminal=True)\n'


def _fails(file: str, kind: str) -> Mutation:
    """Return the mutation by which a task of this type fails instead of being handed out."""
    name = f'    name = "{kind}"\n'
    start = f"{name}\n    def start(self, at):\n        {_FAILS}"
    return mutation(f"{kind} is handed to nobody", f"{_TASKS}/{file}.py", name, start)


KINDS: tuple[Mutation, ...] = (
    # handed to workers
    _fails("http", "HTTP"),
    _fails("inline", "INLINE"),
    _fails("json_jq_transform", "JSON_JQ_TRANSFORM"),
    _fails("kafka_publish", "KAFKA_PUBLISH"),
    mutation(
        "SQL is handed to nobody, nor is JDBC",
        f"{_TASKS}/sql.py",
        '    name: ClassVar[str] = "SQL"\n',
        f'    name: ClassVar[str] = "SQL"\n\n    def start(self, at):\n        {_FAILS}',
    ),
    mutation(
        "EVENT is handed to nobody",
        f"{_TASKS}/event.py",
        "        workflow = at.workflow\n",
        f"        {_FAILS}",
    ),
    mutation(
        "LAMBDA is handed to nobody",
        f"{_TASKS}/lambda_.py",
        '        body = at.task.input.get("scriptExpression")\n',
        f"        {_FAILS}",
    ),
    mutation(
        "SIMPLE is handed to nobody",
        f"{_TASKS}/simple.py",
        "        return HandOut(queue=at.task.name, by_domain=True)\n",
        f"        {_FAILS}",
    ),
    mutation(
        "a type that the engine does not know is handed to nobody",
        f"{_TASKS}/worker.py",
        "        return Become(name=at.config.type, step=HandOut(queue=at.config.type, by_domain=True))\n",
        f"        {_FAILS}",
    ),
    mutation(
        "DYNAMIC becomes no task",
        f"{_TASKS}/dynamic.py",
        "        return Become(name=str(name), step=HandOut(queue=str(name), by_domain=True))\n",
        f"        {_FAILS}",
    ),
    mutation(
        "HTTP_POLL is handed to nobody",
        f"{_TASKS}/http_poll.py",
        "        wrong = next(_faults(_request(at.task.input)), None)\n",
        '        wrong = ("it", "fails")\n',
    ),
    # waiting
    mutation(
        "a WAIT has no end",
        f"{_TASKS}/wait.py",
        "Hold(until=after(at.now, duration_seconds(duration)))",
        "Hold(shown_seconds=_OPEN_ENDED)",
    ),
    mutation("nobody can answer a HUMAN", f"{_TASKS}/human.py", "    takes_signal = True\n", ""),
    mutation("nobody can answer a YIELD", f"{_TASKS}/yield_.py", "    takes_signal = True\n", ""),
    mutation(
        "WAIT_FOR_WEBHOOK finds nothing to wait for",
        f"{_TASKS}/wait_for_webhook.py",
        '        matches = at.task.input.get("matches")\n',
        "        matches = None\n",
    ),
    mutation(
        "PULL_WORKFLOW_MESSAGES does not take what was sent",
        f"{_TASKS}/pull_workflow_messages.py",
        "        return TakeMessages(most=_batch(at.task.input))\n",
        '        return Complete(output={"messages": [], "count": 0})\n',
    ),
    # choosing and opening
    mutation(
        "SWITCH takes its default case",
        f"{_TASKS}/switch.py",
        "        if case in config.decision_cases:\n",
        "        if case is None:\n",
    ),
    mutation(
        "DECISION takes its default case",
        f"{_TASKS}/decision.py",
        "    return config.decision_cases.get(case) or config.default_case\n",
        "    return config.default_case\n",
    ),
    mutation(
        "EXCLUSIVE_JOIN waits for nobody",
        f"{_TASKS}/exclusive_join.py",
        "    return (*config.join_on, *config.default_exclusive_join_task)",
        '    return ("nobody",)',
    ),
    mutation(
        "FORK_JOIN leaves its first branch out",
        f"{_TASKS}/fork_join.py",
        "in enumerate(config.fork_tasks) if steps)",
        "in enumerate(config.fork_tasks) if steps and number)",
    ),
    mutation(
        "FORK_JOIN_DYNAMIC leaves its first branch out",
        f"{_TASKS}/fork_join_dynamic.py",
        "                for number, ref in enumerate(refs)\n",
        "                for number, ref in enumerate(refs)\n                if number\n",
    ),
    # at once
    mutation(
        "NOOP does not end",
        f"{_TASKS}/noop.py",
        "        return Complete()\n",
        "        return Hold()\n",
        (f"{_TASKS}/noop.py", "import At, Complete,", "import At, Complete, Hold,"),
    ),
    mutation(
        "SET_VARIABLE sets none",
        f"{_TASKS}/set_variable.py",
        "Assign(variables=at.task.input)",
        "Assign(variables={})",
    ),
    mutation(
        "TERMINATE always ends well",
        f"{_TASKS}/terminate.py",
        "End(status=WorkflowStatus(status),",
        'End(status=WorkflowStatus("COMPLETED"),',
    ),
    mutation(
        "GET_WORKFLOW does not find the run",
        f"{_TASKS}/get_workflow.py",
        "        return Fail(reason=found) if isinstance(found, str) else Complete(output=found)\n",
        '        return Fail(reason="gone")\n',
    ),
    # other runs
    mutation(
        "a child that has failed is taken for one that has not",
        f"{_TASKS}/sub_workflow.py",
        "        if news.status is WorkflowStatus.COMPLETED:\n",
        "        if news.status:\n",
    ),
    mutation(
        "START_WORKFLOW fails though the run has started",
        f"{_TASKS}/start_workflow.py",
        '        return Complete(output={"workflowId": child_id})\n',
        '        return Fail(reason="not here")\n',
    ),
    mutation(
        "UPDATE_TASK reports without the output",
        f"{_TASKS}/update_task.py",
        '            "output": given.get("taskOutput") or {},\n',
        '            "output": {},\n',
    ),
    # what operators and workers ask for
    mutation(
        "a run that is looked at afresh gives no answer",
        f"{_OPERATIONS}/decide.py",
        "    return granted()\n",
        "    return None\n",
    ),
    mutation(
        "a jump to where the flow is not is granted",
        f"{_OPERATIONS}/jump.py",
        "    if desk.jump_to(ref, given or None):\n",
        "    if desk.jump_to(ref, given or None) or True:\n",
    ),
    mutation(
        "a poller is not told what it is handed",
        f"{_OPERATIONS}/take_task.py",
        "    return Outcome(granted=True, result={HANDED_OUT: task.seq})",
        "    return None",
    ),
    # what loops forget
    mutation(
        "a loop forgets every iteration that is over",
        _FORGET,
        "            outer = None if wanted else (task.parent, task.branch)\n",
        "            outer = None if wanted is None else (task.parent, task.branch)\n",
    ),
)
