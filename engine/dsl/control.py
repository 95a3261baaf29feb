"""What directs the flow: choices, branches side by side, loops. Each is a ``with`` block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

from engine.dsl.errors import BadWorkflow
from engine.dsl.step import Step, placed
from engine.dsl.task import Task
from engine.dsl.trace import Trace
from engine.dsl.value import Value
from engine.dsl.workflow import Workflow
from engine.model.payload import Json


def _json(steps: list[Step]) -> list[Json]:
    return [step.to_json() for step in steps]


class Switch(Step):
    """A choice between lists of steps."""

    def __init__(self, ref: str, inputs: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        super().__init__("SWITCH", ref, inputs, fields)
        self._cases: dict[str, list[Step]] = {}
        self._default: list[Step] | None = None
        self._block = ExitStack()

    def __enter__(self) -> Self:
        self._block.enter_context(Trace.current().between(f"in no case of {self.ref!r}"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._block.close()

    def case(self, key: str | int | bool) -> AbstractContextManager[None]:
        """Begin the steps for one outcome; without any step, that outcome does nothing."""
        name = str(key).lower() if isinstance(key, bool) else str(key)
        if name in self._cases:
            raise BadWorkflow(f"{self.ref!r} has the case {name!r} already")
        return Trace.current().inside(self._cases.setdefault(name, []))

    def default(self) -> AbstractContextManager[None]:
        """Begin the steps for every other outcome."""
        if self._default is not None:
            raise BadWorkflow(f"{self.ref!r} has its default case already")
        self._default = []
        return Trace.current().inside(self._default)

    def _nested(self) -> dict[str, Json]:
        cases: dict[str, Json] = {"decisionCases": {key: _json(steps) for key, steps in self._cases.items()}}
        return cases if self._default is None else {**cases, "defaultCase": _json(self._default)}

    def lists(self) -> Iterator[tuple[str, list[Step]]]:
        """Yield the cases."""
        for key, steps in self._cases.items():
            yield f"decisionCases.{key}", steps
        yield "defaultCase", self._default or []


def switch(ref: str, script: str | None = None, /, **inputs: Any) -> Switch:
    """Choose by a value, or by a JavaScript expression over the inputs.

    with switch("by_size", size=order.size) as size:
        with size.case("big"):
            freight(order=order)
        with size.default():
            parcel(order=order)

    with switch("by_weight", "$.grams > 2000 ? 'heavy' : 'light'", grams=order.grams) as weight:
        ...
    """
    if script is not None:
        chooses = {"evaluatorType": "javascript", "expression": script}
    elif len(inputs) == 1:
        chooses = {"evaluatorType": "value-param", "expression": next(iter(inputs))}
    else:
        raise BadWorkflow(f"{ref!r} chooses by one value, or by a script over {len(inputs)}: give it one")
    step = Switch(ref, inputs, chooses)
    placed(step)
    return step


class Join(Step):
    """Waits for the branches before it."""

    def __init__(self, ref: str) -> None:
        super().__init__("JOIN", ref)
        #: The last steps of the branches; those of a dynamic fork are known only when it runs.
        self.on: list[str] | None = None

    def _nested(self) -> dict[str, Json]:
        return {} if self.on is None else {"joinOn": list(self.on)}


class Fork(Step):
    """Lists of steps that run side by side, and the JOIN that waits for all of them."""

    def __init__(self, ref: str, join: str | None) -> None:
        super().__init__("FORK_JOIN", ref)
        self.join = Join(join or f"{ref}_join")
        self._branches: list[list[Step]] = []
        self._block = ExitStack()

    def __enter__(self) -> Self:
        self._block.enter_context(Trace.current().between(f"in no branch of {self.ref!r}"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._block.close()
        if error is None:
            if not self._branches or not all(self._branches):
                raise BadWorkflow(f"{self.ref!r} has no branches, or one without steps", self.line)
            self.join.on = [steps[-1].ref for steps in self._branches]
            placed(self.join)

    @property
    def output(self) -> Value:
        """What the branches have produced, by the reference of each one's last step."""
        return self.join.output

    def branch(self) -> AbstractContextManager[None]:
        """Begin a branch."""
        steps: list[Step] = []
        self._branches.append(steps)
        return Trace.current().inside(steps)

    def _nested(self) -> dict[str, Json]:
        return {"inputParameters": {}, "forkTasks": [_json(steps) for steps in self._branches]}

    def lists(self) -> Iterator[tuple[str, list[Step]]]:
        """Yield the branches."""
        for number, steps in enumerate(self._branches):
            yield f"forkTasks[{number}]", steps


def fork(ref: str, /, *, join: str | None = None) -> Fork:
    """Run branches side by side; behind the block all of them have ended, and their outputs can be read.

    with fork("set_up") as set_up:
        with set_up.branch():
            account = open_account(name=name)
        with set_up.branch():
            mailbox = prepare_mailbox(email=email)
    write_welcome(iban=account.output.iban, mailbox=mailbox.output.address)
    """
    step = Fork(ref, join)
    placed(step)
    return step


class DynamicFork(Step):
    """Branches made of data when the workflow runs; ``join`` waits for them, ``output`` is what they produced."""

    def __init__(self, ref: str, join: str | None, inputs: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        super().__init__("FORK_JOIN_DYNAMIC", ref, inputs, fields)
        self.join = Join(join or f"{ref}_join")

    @property
    def output(self) -> Value:
        """What the branches have produced, by reference name."""
        return self.join.output


def fork_each(
    ref: str, runs: Task | Workflow, items: Any, /, *, kind: str = "SIMPLE", join: str | None = None
) -> DynamicFork:
    """Run a task, or a workflow, once for each item of a list, side by side; an item is the input of its branch.

    ``kind`` is the task's type where the engine carries it out, such as HTTP.
    """
    Trace.current().use(runs)
    if isinstance(runs, Workflow):
        what: dict[str, Any] = {"forkTaskWorkflow": runs.name, "forkTaskWorkflowVersion": str(runs.version)}
    else:
        what = {"forkTaskName": runs.name} | ({"forkTaskType": kind} if kind != "SIMPLE" else {})
    return _joined(DynamicFork(ref, join, {**what, "forkTaskInputs": items}, {}))


def fork_dynamic(ref: str, tasks: Any, inputs: Any, /, *, join: str | None = None) -> DynamicFork:
    """Run steps that data describes: a list of steps as JSON, and a map from their reference names to their inputs."""
    params = {"dynamicForkTasksParam": "dynamicTasks", "dynamicForkTasksInputParamName": "dynamicTasksInput"}
    return _joined(DynamicFork(ref, join, {"dynamicTasks": tasks, "dynamicTasksInput": inputs}, params))


def _joined(fork: DynamicFork) -> DynamicFork:
    placed(fork)
    placed(fork.join)
    return fork


class Loop(Step):
    """Steps that are repeated; inside, ``iteration``, ``item`` and ``index`` are those of the present round."""

    looks_ahead = True

    def __init__(self, ref: str, inputs: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        super().__init__("DO_WHILE", ref, inputs, fields)
        self._body: list[Step] = []
        self._block = ExitStack()

    def __enter__(self) -> Self:
        self._block.enter_context(Trace.current().inside(self._body, loop=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._block.close()
        if error is None and not self._body:
            raise BadWorkflow(f"the loop {self.ref!r} has no step", self.line)

    @property
    def iteration(self) -> Value:
        """The number of the round; the first is 1."""
        return self.output.iteration

    @property
    def item(self) -> Value:
        """The item of the round, in ``each``."""
        return self.output.loopItem

    @property
    def index(self) -> Value:
        """The index of the item; the first is 0."""
        return self.output.loopIndex

    def _nested(self) -> dict[str, Json]:
        return {"inputParameters": self._inputs, "loopOver": _json(self._body)}

    def lists(self) -> Iterator[tuple[str, list[Step]]]:
        """Yield the body."""
        yield "loopOver", self._body


def do_while(ref: str, condition: str, /, **inputs: Any) -> Loop:
    """Repeat steps while a JavaScript condition holds; it is looked at behind each round.

    It sees the inputs and the outputs of the loop and its steps: ``$.limit``, ``$.poll.iteration``, ``$.ask.state``.

        with do_while("poll", "$.poll.iteration < $.limit && $.ask.state != 'done'", limit=10):
            ask(order=order)
            wait("pause", duration="5s")
    """
    loop = Loop(ref, inputs, {"loopCondition": condition})
    placed(loop)
    return loop


def each(ref: str, items: Any, /, condition: str = "true", **inputs: Any) -> Loop:
    """Repeat steps for each item of a list, one after the other, while the condition holds.

    with each("ship_lines", order.lines) as line:
        ship(sku=line.item.sku)
    """
    loop = Loop(ref, inputs, {"loopCondition": condition, "items": items})
    placed(loop)
    return loop
