"""DO_WHILE: repeats a list of steps while a condition holds, or for each item of a list (Conductor 3.8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from engine.errors import BadExpression, Fault
from engine.expression.script import is_true
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask, walk
from engine.model.execution import Task
from engine.model.payload import Json, JsonObject
from engine.tasks.gathered import Gathered
from engine.tasks.step import At, Branch, Complete, Fail, Open, Step, TaskType, required

_COUNTERS = frozenset({"iteration", "loopIndex", "loopItem"})
_DOLLAR = re.compile(r"\$")
#: ``$.name``, ``$.name.field`` and ``$.name['field']``; every other use of ``$`` may reach anything.
_USE = re.compile(r"""\$\.([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*)|\[(['"])([A-Za-z_]\w*)\3\])?""")


class DoWhile(TaskType):
    """Iterations count from 1; references inside end in ``__<iteration>``; loops may be nested.

    The output has a numbered part for each iteration that is over (``Gathered``).
    """

    name = "DO_WHILE"
    retriable = False
    reopens = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a body, and a condition where no items are gone through (Conductor demands one there too)."""
        yield from required(config, "loopCondition", config.loop_condition or _items_of(config) is not None)
        yield from required(config, "loopOver", config.loop_over)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Expect a whole number as ``keepLastN``."""
        keep = config.input_parameters.get("keepLastN")
        if keep is not None and not is_expression(keep) and not (isinstance(keep, int) and keep > 0):
            yield Fault("inputParameters.keepLastN", f"must be a whole number above 0, not {keep!r}: all is kept")

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the condition: it is always JavaScript."""
        if config.loop_condition:
            yield "loopCondition", config.loop_condition

    def start(self, at: At) -> Step:
        """Open the first iteration; an empty list of items completes the loop at once."""
        items = _items(at)
        if items is not None and not items:
            return Complete(output={"iteration": 0})
        return Open(done=False, iteration=1, output=_counters(1, items))

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return the body of the present iteration."""
        if not task.status.is_open or not task.iteration:
            return ()
        return (self.branch(config, task, str(task.iteration)),)

    def branch(self, config: WorkflowTask, task: Task, name: str) -> Branch:
        """Return the body of any iteration."""
        return Branch(name=name, steps=config.loop_over, suffix=f"__{name}", iteration=int(name))

    def wants(self, config: WorkflowTask, task: Task, branch: str) -> bool:
        """Keep the last iterations, and the one that runs."""
        keep = task.input.get("keepLastN")
        if not isinstance(keep, int) or keep <= 0:
            return True
        return int(branch) > task.iteration - keep - task.status.is_open

    def gathered(self, config: WorkflowTask, task: Task, suffix: str, latest: Mapping[str, Task]) -> JsonObject:
        """Add the parts of the iterations before this one."""
        earlier = range(1, task.iteration)
        if str(task.iteration - 1) in task.output or not config.loop_over:
            return task.output
        parts = {str(each): _body_outputs(config, f"{suffix}__{each}", latest.get) for each in earlier[-_kept(task) :]}
        return Gathered({**task.output, **parts}, task.output)

    def rewound(self, at: At) -> JsonObject:
        """Keep what the iterations before this one have brought."""
        number = at.task.iteration
        kept = {key: value for key, value in at.task.output.items() if key.isdigit() and int(key) < number}
        return {**kept, **_counters(number, _items(at))}

    def cut_short(self, at: At) -> JsonObject:
        """Note what the present iteration has brought so far, as Conductor does."""
        return _with_iteration(at)

    def branch_ended(self, at: At) -> Step:
        """Note the iteration's outputs, evaluate the condition, and go round again or complete."""
        output, number = _with_iteration(at), at.task.iteration
        bodies, items = output[str(number)], _items(at)
        try:
            again = (items is None or number < len(items)) and _holds(at, output, bodies, items)
        except BadExpression as error:
            reason = f"Unable to evaluate condition {at.config.loop_condition}, exception {error}"
            return Fail(reason=reason, output=output.put(_counters(number, items)), terminal=True)
        if not again:
            return Complete(output=output.put(_counters(number, items)))
        return Open(done=False, iteration=number + 1, output=output.put(_counters(number + 1, items)))


def _items_of(config: WorkflowTask) -> Json:
    """Return where the items are written: a field, or an input as Orkes has it, where no condition could mean it."""
    if config.items is not None:
        return config.items
    inputs = config.input_parameters
    return inputs.get("_items", None if config.loop_condition else inputs.get("items"))


def _items(at: At) -> Sequence[Json] | None:
    """Return the items of list mode as they are now, or None in condition mode."""
    source, given = _items_of(at.config), at.task.input.get("_items")
    if source is None and given is None:
        return None
    # What a dynamic fork gave the loop is data, which is not evaluated.
    # Each iteration has a look at all of them, and keeps one.
    value = given if source is None else at.look(source)
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _counters(iteration: int, items: Sequence[Json] | None) -> dict[str, Json]:
    counters: dict[str, Json] = {"iteration": iteration}
    if items is not None and iteration <= len(items):
        counters |= {"loopIndex": iteration - 1, "loopItem": items[iteration - 1]}
    return counters


def _body_outputs(config: WorkflowTask, suffix: str, latest: Callable[[str], Task | None]) -> dict[str, Json]:
    """Return the output of every step in the body that ran in an iteration, by plain reference name."""
    refs = (step.task_reference_name for _, step in walk(config.loop_over))
    found = ((ref, latest(ref + suffix)) for ref in refs)
    return {ref: task.output for ref, task in found if task is not None}


def _with_iteration(at: At) -> Gathered:
    """Return the loop's output with what the present iteration has brought."""
    number = at.task.iteration
    bodies = _body_outputs(at.config, f"{at.suffix}__{number}", at.latest)
    return _gathered(at.task).with_part(number, bodies, _kept(at.task), at.limits.value_characters)


def _gathered(task: Task) -> Gathered:
    """Return the output of a loop whose row may have been written whole."""
    output = task.output
    if isinstance(output, Gathered):
        return output
    return Gathered(output, {key: value for key, value in output.items() if not key.isdigit()})


def _kept(task: Task) -> int:
    """Return how many iterations the output has at most, 0 for all."""
    keep = task.input.get("keepLastN")
    return keep if isinstance(keep, int) and keep > 0 else 0


def _holds(at: At, output: JsonObject, bodies: dict[str, Json], items: Sequence[Json] | None) -> bool:
    condition = at.config.loop_condition
    if not condition:
        return items is not None
    counters = _counters(at.task.iteration, items)
    inputs = {**at.task.input, **at.substitute(dict(at.config.input_parameters))}
    own = {**output, **counters} if _reads_iterations(condition, at.config.task_reference_name) else counters
    seen = {**inputs, **bodies, at.config.task_reference_name: own, **counters}
    names = {"loopIndex": counters.get("loopIndex"), "loopItem": counters.get("loopItem")}
    by_name = at.config.evaluator_type == "value-param" and condition in inputs
    return is_true(at.evaluate("value-param" if by_name else "javascript", condition, seen, names))


def _reads_iterations(condition: str, ref: str) -> bool:
    """False when a condition can only look at the loop's counters, not at the outputs of its iterations.

    These grow with every iteration, and showing them to the script costs as much as they are large.
    """
    uses = [_USE.match(condition, place.start()) for place in _DOLLAR.finditer(condition)]
    return any(use is None or (use[1] == ref and (use[2] or use[4]) not in _COUNTERS) for use in uses)


TYPE = DoWhile()
