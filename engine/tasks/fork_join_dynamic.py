"""FORK_JOIN_DYNAMIC: opens branches that the input describes (Conductor 3.6, in all its input styles)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.errors import BadDefinition, Fault
from engine.expression.java_text import java_text
from engine.model.definition import WorkflowTask, changed, read
from engine.model.execution import Task
from engine.model.payload import Json
from engine.tasks.fork_join import NOT_JOINED, is_joined
from engine.tasks.step import Abort, At, Branch, Open, Step, TaskType, names_input


class ForkJoinDynamic(TaskType):
    """What was opened is kept in the row's input: ``forkedTaskDefs`` and ``forkedTasks``, which UIs read too.

    What describes a step is a definition, whoever made it, so the expressions in its own parameters are evaluated. The
    inputs that are given beside it (``forkedTaskInputs``) are data: taken as they are, and never evaluated. A branch
    whose one step is a container runs the whole of it.
    """

    name = "FORK_JOIN_DYNAMIC"
    shown_as = "FORK"
    named_by_type = True
    retriable = False
    detached = True
    makes_refs = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand exactly one of the input styles."""
        explicit = bool(config.dynamic_fork_tasks_param or config.dynamic_fork_tasks_input_param_name)
        legacy = bool(config.dynamic_fork_join_tasks_param)
        if explicit and legacy:
            yield Fault("dynamicForkJoinTasksParam", "give either this or dynamicForkTasksParam, not both")
        if explicit and not (config.dynamic_fork_tasks_param and config.dynamic_fork_tasks_input_param_name):
            yield Fault(
                "dynamicForkTasksParam", "dynamicForkTasksParam and dynamicForkTasksInputParamName come together"
            )
        if not explicit and not legacy and "forkTaskInputs" not in config.input_parameters:
            yield Fault(
                "dynamicForkTasksParam",
                "say where the branches come from: dynamicForkTasksParam and dynamicForkTasksInputParamName, "
                "dynamicForkJoinTasksParam, or inputParameters.forkTaskInputs",
            )

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name inputs that are read and not given."""
        if "forkTaskInputs" in config.input_parameters:
            # Editors write the names of the other style beside it; they are not read.
            return
        yield from names_input(config, "dynamicForkTasksParam", config.dynamic_fork_tasks_param)
        yield from names_input(config, "dynamicForkTasksInputParamName", config.dynamic_fork_tasks_input_param_name)
        yield from names_input(config, "dynamicForkJoinTasksParam", config.dynamic_fork_join_tasks_param)

    def warn_follower(self, config: WorkflowTask, following: WorkflowTask | None) -> Iterator[Fault]:
        """Expect a JOIN."""
        if not is_joined(following):
            yield Fault("", NOT_JOINED)

    def start(self, at: At) -> Step:
        """Work out the branches and open them."""
        if not is_joined(at.next_step()):
            return Abort(reason=NOT_JOINED)
        try:
            stored = _described(at)
        except ValueError as error:
            return Abort(reason=str(error))
        return Open(detached=True, input={**at.task.input, **stored})

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return the branches as the stored input describes them."""
        refs: Sequence[str] = task.input.get("forkedTasks") or ()
        described: Sequence[Json] = task.input.get("forkedTaskDefs") or ()
        inputs = task.input.get("forkTaskInputs")
        if len(described) == 1 and isinstance(inputs, list) and "forkTaskTemplate" in task.input:
            template = (_step(described[0]),)
            return tuple(
                Branch(name=str(number), steps=template, ref=ref, data=inputs[number], is_element=True)
                for number, ref in enumerate(refs)
            )
        steps = (_step(document) for document in described)
        given = task.input.get("forkedTaskInputs")
        return tuple(
            Branch(name=str(number), steps=(step,), ref=ref, data=given.get(ref))
            if isinstance(given, Mapping)
            else _merged(str(number), step, ref)
            for number, (ref, step) in enumerate(zip(refs, steps, strict=True))
        )


def _merged(name: str, step: WorkflowTask, ref: str) -> Branch:
    """Return a branch of a row in which data had been merged into the step's own parameters, as they once were."""
    bare = step.model_copy(update={"input_parameters": {}})
    return Branch(name=name, steps=(bare,), ref=ref, data=step.input_parameters)


def _described(at: At) -> dict[str, Json]:
    """Return what is added to the fork's input; raises ValueError with Conductor's sentence when it has no shape."""
    config, given = at.config, at.task.input
    if isinstance(given.get("forkTaskInputs"), list):
        return _one_task_many_inputs(at)
    if config.dynamic_fork_tasks_param:
        return _listed(at, config.dynamic_fork_tasks_param, config.dynamic_fork_tasks_input_param_name or "")
    if config.dynamic_fork_join_tasks_param:
        return _legacy(at, config.dynamic_fork_join_tasks_param)
    raise ValueError(
        f"Dynamic tasks could not be created. The value of {_text(config.dynamic_fork_tasks_param)} from task's input "
        f"{_text(sorted(given))} has no dynamic tasks to be scheduled"
    )


def _one_task_many_inputs(at: At) -> dict[str, Json]:
    """Style A: the same task, or the same workflow, once for each element of ``forkTaskInputs``."""
    from engine.tasks import task_types  # the register lists this very module

    given, own_ref = at.task.input, at.config.task_reference_name
    workflow = given.get("forkTaskWorkflow")
    named = given.get("forkTaskName")
    kind = str(given.get("forkTaskType") or (named if named in task_types() else "SIMPLE"))
    if workflow:
        kind = "SUB_WORKFLOW"
    fallback = kind if kind in task_types() and kind != "SIMPLE" else own_ref
    name = str(workflow or named or fallback)
    inputs: list[Json] = given["forkTaskInputs"]
    stem = f"_{name}_"
    if at.latest(f"{stem}0{at.suffix}") is not None:
        stem = f"_{own_ref}_{name}_"
    step: dict[str, Json] = {"name": name, "taskReferenceName": f"{stem}0", "type": kind}
    if at.config.optional:
        step["optional"] = True
    if workflow:
        version = given.get("forkTaskWorkflowVersion")
        step["subWorkflowParam"] = {"name": name, "version": int(version) if version not in (None, "") else None}
    step = _with_definitions(at, step)
    refs = [f"{stem}{number}" for number in range(len(inputs))]
    if any(isinstance(item, Mapping) and "taskToDomain" in item for item in inputs) and workflow:
        return _written_out(at, step, refs, inputs)
    return {"forkedTaskDefs": [step] if inputs else [], "forkedTasks": refs, "forkTaskTemplate": True}


def _written_out(at: At, step: dict[str, Json], refs: list[str], inputs: list[Json]) -> dict[str, Json]:
    """Style A where items choose their own domains: each branch needs a definition of its own."""
    described = []
    items = {ref: _item(inputs[number], number) for number, ref in enumerate(refs)}
    for ref, item in items.items():
        param = {**step["subWorkflowParam"], "taskToDomain": item.get("taskToDomain")}
        described.append({**step, "taskReferenceName": ref, "subWorkflowParam": param})
    return {"forkedTaskDefs": described, "forkedTasks": refs, "forkedTaskInputs": items}


def _item(value: Json, number: int) -> dict[str, Json]:
    """Return one element as a branch's input, with its index (Conductor adds ``__index``)."""
    item = dict(value) if isinstance(value, Mapping) else {"input": value}
    return {**item, "__index": number}


def _text(value: Json) -> str:
    """Return the beginning of a value as Conductor's sentences have it."""
    try:
        return java_text(value)[:200]
    except RecursionError:
        return "…"


def _listed(at: At, tasks_key: str, inputs_key: str) -> dict[str, Json]:
    """Style B: a list of steps, and a map from reference name to input."""
    tasks, inputs = at.task.input.get(tasks_key), at.task.input.get(inputs_key)
    wrong = f"Input '{tasks_key}' is invalid. Cannot deserialize a list of Workflow Tasks from '{_text(tasks)}'"
    if not isinstance(tasks, list) or not all(isinstance(task, Mapping) for task in tasks):
        raise ValueError(wrong)
    if not isinstance(inputs, Mapping):
        found = "null" if inputs is None else type(inputs).__name__
        raise ValueError(
            "Input to the dynamically forked tasks is not a map -> expecting a map of K,V  "
            f"but found {found} in '{inputs_key}'"
        )
    described: dict[str, Json] = {}
    for task in tasks:
        ref = task.get("taskReferenceName")
        if not ref:
            raise ValueError(wrong)
        own, extra = task.get("inputParameters"), inputs.get(ref)
        if isinstance(own, Mapping) and isinstance(extra, Mapping):
            own = {key: value for key, value in own.items() if key not in extra}
        described.setdefault(str(ref), {**task, "inputParameters": own or {}})
    return _checked(at, described, inputs)


def _legacy(at: At, key: str) -> dict[str, Json]:
    """Style C: ``{"dynamicTasks": [{taskName, workflowName, referenceName, type, input}]}``."""
    value = at.task.input.get(key)
    tasks = value.get("dynamicTasks") if isinstance(value, Mapping) else value
    if not isinstance(tasks, list) or not all(isinstance(task, Mapping) for task in tasks):
        raise ValueError(f"Input '{key}' is invalid. It must hold a list under 'dynamicTasks', found '{value!r:.200}'")
    described: dict[str, Json] = {}
    inputs: dict[str, Json] = {}
    for task in tasks:
        child, name = task.get("workflowName"), task.get("taskName")
        ref = str(task.get("referenceName") or name or child)
        step: dict[str, Json] = {
            "name": name or child,
            "taskReferenceName": ref,
            "type": task.get("type") or ("SUB_WORKFLOW" if child else "SIMPLE"),
        }
        if child:
            step["subWorkflowParam"] = {"name": child}
        described.setdefault(ref, step)
        inputs.setdefault(ref, task.get("input"))
    return _checked(at, described, inputs)


def _checked(at: At, described: dict[str, dict[str, Json]], inputs: Mapping[str, Json]) -> dict[str, Json]:
    """Refuse references that the run has used already, and steps that cannot be read."""
    for ref in described:
        if at.latest(ref + at.suffix) is not None or ref == at.config.task_reference_name:
            raise ValueError(f"The dynamic fork attempted to create a duplicate task reference name: {ref}")
    steps = [_with_definitions(at, step) for step in described.values()]
    given = {ref: item for ref in described if isinstance(item := inputs.get(ref), Mapping)}
    return {"forkedTaskDefs": steps, "forkedTasks": list(described), "forkedTaskInputs": given}


def _with_definitions(at: At, document: dict[str, Json]) -> dict[str, Json]:
    """Return the description of a step with the registered task definitions of all that it contains.

    They are kept with it, because later edits must not touch a run (Conductor 1.3). Raises ValueError when the
    description cannot be read as a step.
    """

    def define(step: WorkflowTask) -> WorkflowTask:
        found = at.task_def(step.name) if step.task_definition is None else None
        return step if found is None else step.model_copy(update={"task_definition": found})

    step = _step(document)
    defined = changed(step, define)
    return document if defined is step else defined.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _step(document: Json) -> WorkflowTask:
    """Return the step that a stored description stands for; raises ValueError when it is none."""
    if isinstance(document, WorkflowTask):
        return document
    try:
        step, faults = read(WorkflowTask, document, "A forked task", bounded=False)
    except BadDefinition as error:
        raise ValueError(str(error)) from None
    if faults:
        raise ValueError(f"The forked task {document.get('taskReferenceName')} is invalid: {'; '.join(faults)}")
    return step


TYPE = ForkJoinDynamic()
