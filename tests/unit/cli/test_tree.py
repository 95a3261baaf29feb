"""The tree that people watch: where every step stands, and what is folded away."""

from engine.cli.tree import FOLD_ABOVE, PENDING, build, fold, progress


def task(ref, status="COMPLETED", **fields):
    return {"referenceTaskName": ref, "status": status, "taskType": "SIMPLE", **fields}


def run(steps, tasks, status="RUNNING"):
    return {"status": status, "workflowDefinition": {"tasks": steps}, "tasks": tasks}


def step(ref, **fields):
    return {"name": ref, "taskReferenceName": ref, "type": "SIMPLE", **fields}


def shape(nodes):
    return [
        (node.label, node.status, shape(node.children)) if node.children else (node.label, node.status)
        for node in nodes
    ]


def test_steps_still_to_come_are_pending_until_the_run_has_ended():
    steps, tasks = [step("a"), step("b")], [task("a")]

    assert shape(build(run(steps, tasks))) == [("a", "COMPLETED"), ("b", PENDING)]
    assert shape(build(run(steps, tasks, "FAILED"))) == [("a", "COMPLETED")]


def test_attempts_are_one_line_with_the_last_status_and_reason():
    tasks = [task("a", "FAILED", retried=True), task("a", "FAILED", reasonForIncompletion="no\nstock")]

    (node,) = build(run([step("a")], tasks))

    assert (node.status, node.detail) == ("FAILED", "attempt 2, no")


def test_branches_stand_under_their_fork():
    steps = [step("f", forkTasks=[[step("a")], [step("b"), step("c")]])]

    nodes = build(run(steps, [task("f"), task("a"), task("b", "IN_PROGRESS")]))

    assert shape(nodes) == [
        ("f", "COMPLETED", [("a", "COMPLETED"), ("branch 2", "", [("b", "IN_PROGRESS"), ("c", PENDING)])])
    ]


def test_only_the_chosen_case_is_shown():
    steps = [step("s", decisionCases={"x": [step("a")], "y": [step("b")]}, defaultCase=[step("c")])]

    chosen = build(run(steps, [task("s", inputData={"case": "y"})]))
    otherwise = build(run(steps, [task("s", inputData={"case": "z"})]))

    assert shape(chosen) == [("s", "COMPLETED", [("b", PENDING)])]
    assert shape(otherwise) == [("s", "COMPLETED", [("c", PENDING)])]


def test_iterations_are_numbered_and_the_early_ones_folded():
    steps = [step("l", loopOver=[step("a")])]
    tasks = [task("l", "IN_PROGRESS", iteration=6), *(task(f"a__{n}") for n in range(1, 6))]

    (loop,) = build(run(steps, tasks))

    assert [child.label for child in loop.children] == [
        "iterations 1 to 3",
        "iteration 4",
        "iteration 5",
        "iteration 6",
    ]
    assert loop.children[0].counts == {"COMPLETED": 3}
    assert shape(loop.children[3].children) == [("a__6", PENDING)]


def test_a_dynamic_fork_shows_what_it_started():
    tasks = [task("f", inputData={"forkedTasks": ["x_0", "x_1"]}), task("x_0")]

    assert shape(build(run([step("f")], tasks))) == [("f", "COMPLETED", [("x_0", "COMPLETED"), ("x_1", PENDING)])]


def test_what_the_definition_does_not_explain_is_still_shown():
    assert shape(build(run([], [task("stray")]))) == [("stray", "COMPLETED")]


def test_a_large_fork_is_one_line_and_what_went_wrong():
    count = FOLD_ABOVE + 88
    refs = [f"resize_{n}" for n in range(count)]
    tasks = [task("f", inputData={"forkedTasks": refs}), *(task(ref) for ref in refs[:-2]), task(refs[-1], "FAILED")]

    (fork,) = fold(build(run([step("f")], tasks)))

    assert [node.label for node in fork.children] == [f"resize × {count}", refs[-1]]
    assert fork.children[0].counts == {"COMPLETED": count - 2, PENDING: 1, "FAILED": 1}


def test_small_forks_are_not_folded():
    refs = [f"resize_{n}" for n in range(FOLD_ABOVE)]

    (fork,) = fold(build(run([step("f")], [task("f", inputData={"forkedTasks": refs})])))

    assert len(fork.children) == FOLD_ABOVE


def test_progress_counts_steps_not_groups():
    steps = [step("f", forkTasks=[[step("a"), step("b")]]), step("j")]

    reached = progress(build(run(steps, [task("f"), task("a"), task("b", "SCHEDULED")])))

    assert (reached.done, reached.known) == (2, 4)
