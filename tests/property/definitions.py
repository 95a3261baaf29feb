"""Random workflow definitions: shapes of nested steps first, then written out with a reference name for each."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import strategies as st

Step = dict[str, Any]
Shape = tuple[Any, ...]

#: The one task definition: an attempt more, soon, and an answer within half a minute.
WORK = {"name": "work", "retryCount": 1, "retryDelaySeconds": 3, "responseTimeoutSeconds": 30}

_flags = st.sampled_from([{}, {}, {}, {}, {"optional": True}, {"permissive": True}, {"startDelay": 2}])
_leaves: st.SearchStrategy[Shape] = st.one_of(
    st.tuples(st.just("simple"), _flags),
    st.tuples(st.just("simple"), _flags),
    st.tuples(st.just("wait"), st.sampled_from(["0s", "4s", "40s"])),
    st.tuples(st.just("set"), st.integers(0, 9)),
    st.tuples(st.just("inline")),
    st.tuples(st.just("noop")),
    st.tuples(st.just("same"), st.integers(0, 4)),
)


def _containers(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    steps = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("switch"), steps, st.lists(inner, max_size=2), st.booleans()),
        st.tuples(st.just("fork"), st.lists(steps, min_size=1, max_size=3), st.integers(0, 7)),
        st.tuples(st.just("listed"), st.lists(inner, max_size=3)),
        st.tuples(st.just("loop"), steps, st.integers(1, 3)),
        st.tuples(st.just("items"), steps, st.integers(0, 3)),
        st.tuples(st.just("child"), steps, st.booleans()),
    )


_shapes = st.recursive(_leaves, _containers, max_leaves=10)
_ends = st.sampled_from([(), (), (), (("terminate", "COMPLETED"),), (("terminate", "FAILED"),)])


class _Writer:
    """Writes shapes out; every step gets a reference name of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def all_of(self, shapes: list[Shape]) -> list[Step]:
        return [step for shape in shapes for step in self.steps(shape)]

    def steps(self, shape: Shape) -> list[Step]:
        """Return the steps of a shape: a fork brings its join."""
        kind, *parts = shape
        written = getattr(self, f"_{kind}")(f"{kind}{next(self._numbers)}", *parts)
        return written if isinstance(written, list) else [written]

    def _step(self, ref: str, kind: str, **fields: Any) -> Step:
        return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}

    def _simple(self, ref: str, flags: Step) -> Step:
        return {**self._step(ref, "SIMPLE", inputParameters={"v": "${workflow.variables.v}"}), "name": "work", **flags}

    def _wait(self, ref: str, duration: str) -> Step:
        return self._step(ref, "WAIT", inputParameters={"duration": duration})

    def _set(self, ref: str, value: int) -> Step:
        return self._step(ref, "SET_VARIABLE", inputParameters={"v": value})

    def _inline(self, ref: str) -> Step:
        return self._step(ref, "INLINE", inputParameters={"expression": "1"})

    def _noop(self, ref: str) -> Step:
        return self._step(ref, "NOOP")

    def _terminate(self, ref: str, status: str) -> Step:
        return self._step(ref, "TERMINATE", inputParameters={"terminationStatus": status})

    def _switch(self, ref: str, case: list[Shape], default: list[Shape], taken: bool) -> Step:
        return self._step(
            ref,
            "SWITCH",
            evaluatorType="value-param",
            expression="way",
            inputParameters={"way": "a" if taken else "b"},
            decisionCases={"a": self.all_of(case)},
            defaultCase=self.all_of(default),
        )

    def _fork(self, ref: str, branches: list[list[Shape]], unjoined: int) -> list[Step]:
        written = [self.all_of(branch) for branch in branches]
        lasts = [branch[-1]["taskReferenceName"] for branch in written]
        joined = [last for number, last in enumerate(lasts) if number != unjoined]
        fork = self._step(ref, "FORK_JOIN", forkTasks=written)
        return [fork, self._step(f"{ref}_join", "JOIN", joinOn=joined)]

    def _same(self, ref: str, number: int) -> list[Step]:
        inputs = {"forkTaskName": "work", "forkTaskInputs": list(range(number))}
        fork = self._step(ref, "FORK_JOIN_DYNAMIC", inputParameters=inputs)
        return [fork, self._step(f"{ref}_join", "JOIN")]

    def _listed(self, ref: str, shapes: list[Shape]) -> list[Step]:
        steps = [self.steps(shape)[0] for shape in shapes if shape[0] not in ("fork", "same", "listed")]
        fork = self._step(
            ref,
            "FORK_JOIN_DYNAMIC",
            inputParameters={"steps": steps, "inputs": {}},
            dynamicForkTasksParam="steps",
            dynamicForkTasksInputParamName="inputs",
        )
        return [fork, self._step(f"{ref}_join", "JOIN")]

    def _loop(self, ref: str, body: list[Shape], times: int) -> Step:
        condition = f"$.{ref}.iteration < {times}"
        return self._step(ref, "DO_WHILE", loopCondition=condition, loopOver=self.all_of(body))

    def _items(self, ref: str, body: list[Shape], times: int) -> Step:
        inputs = {"_items": list(range(times))}
        return self._step(ref, "DO_WHILE", loopCondition="true", inputParameters=inputs, loopOver=self.all_of(body))

    def _child(self, ref: str, body: list[Shape], optional: bool) -> Step:
        definition = {"name": f"{ref}_def", "tasks": self.all_of(body)}
        param = {"name": f"{ref}_def", "workflowDefinition": definition}
        return self._step(ref, "SUB_WORKFLOW", subWorkflowParam=param, optional=optional)


@st.composite
def definitions(draw: st.DrawFn) -> Step:
    """Return a workflow definition of any shape that is allowed."""
    shapes = draw(st.lists(_shapes, min_size=1, max_size=3)) + list(draw(_ends))
    return {"name": "random", "tasks": _Writer().all_of(shapes)}
