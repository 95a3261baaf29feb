"""JavaScript: what comes back, what is refused, and that no script outlives its limits or leaves traces."""

from __future__ import annotations

import time

import pytest

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.expression.condition_syntax import only_reads
from engine.expression.script import case_key, check_javascript, evaluate, evaluate_javascript, is_true
from engine.model.payload import Json

GIVEN: dict[str, Json] = {"n": 2, "list": [3, 1, 2], "map": {"x": 1, "y": {"z": 2}}, "s": "abc", "none": None}


def run(source: str, *, seconds: float = 0.2, memory: int = 16 * 1024 * 1024) -> Json:
    return evaluate_javascript(source, {"$": GIVEN}, time_limit_seconds=seconds, memory_limit_bytes=memory)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("$.n + 1", 3),
        ("2.0", 2),
        ("1 / 4", 0.25),
        ("2 ** 53", 2**53),
        ("1e21", 1e21),
        ("undefined", None),
        ("null", None),
        ("", None),
        ("NaN", "NaN"),
        ("1 / 0", "Infinity"),
        ("-1 / 0", "-Infinity"),
        ("() => 1", {}),
        ("new Date()", {}),
        ("new Set([1])", {}),
        ("new Map([[1, 2]])", {}),
        ("Promise.resolve(1)", {}),
        ("Symbol('x')", {}),
        ("[1.0, undefined, NaN, () => 1, {a: undefined, d: new Date()}]", [1, None, "NaN", {}, {"a": None, "d": {}}]),
        ("if ($.n == 2) { 'two' } else { 'other' }", "two"),
        ("(function () { return $.n; })()", 2),
        ("$.list.map(x => x * 2)", [6, 2, 4]),
        ("$.list.filter(x => x > 1).length", 2),
        ("[...$.list].sort()", [1, 2, 3]),
        ("$.list.push(9); $.list", [3, 1, 2, 9]),
        ("$.list.get($.n - 2) + $.list.size()", 6),
        ("!$.list.isEmpty() && $.list.contains(3)", True),
        ("const found = []; for (const key in $.list) found.push(key); found", ["0", "1", "2"]),
        ("Object.keys($.map)", ["x", "y"]),
        ("JSON.stringify($.map)", '{"x":1,"y":{"z":2}}'),
        ("'x' in $.map && $.map.hasOwnProperty('x')", True),
        ("({...$.map, w: 1})", {"x": 1, "y": {"z": 2}, "w": 1}),
        ("$.missing === undefined && $.none === null", True),
        ("let total = 0; for (const x of $.list) total += x; total", 6),
        ("'a,b'.split(',').concat(['c']).join('-')", "a-b-c"),
        ("'abc'.replace(/b/, 'x').replace('c', s => s + s)", "axcc"),
        ("[[1, [2]], 3].flat(2).concat([4].flatMap(x => [x, x]))", [1, 2, 3, 4, 4]),
        ("'abc'.includes('b') && $.list.includes(3) && $.list.indexOf(9) === -1", True),
        ("'\\ud800x'", "\ufffdx"),
        ("({'\\udc00': ['\\ud800']})", {"\ufffd": ["\ufffd"]}),
        ("'\\\\ud800'", "\\ud800"),
        ("'😀\\u0000'", "😀\x00"),
    ],
)
def test_a_result_comes_back_as_json(source: str, result: Json) -> None:
    found = run(source)

    assert found == result
    assert type(found) is type(result)


def test_the_input_is_a_copy() -> None:
    run("$.list.push(1); $.map.x = 5; delete $.s;")

    assert GIVEN["list"] == [3, 1, 2]
    assert GIVEN["map"]["x"] == 1


def test_every_binding_is_a_global_name() -> None:
    bindings = {"$": {"n": 1}, "loopIndex": 2, "loopItem": {"a": 3}}

    found = evaluate_javascript(
        "$.n + loopIndex + loopItem.a", bindings, time_limit_seconds=0.2, memory_limit_bytes=16_000_000
    )

    assert found == 6


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("return 1", "SyntaxError: return not in a function` at line 1"),
        ("1 +\n nope", "ReferenceError: nope is not defined` at line 2"),
        ("\n\nthrow new Error('boom')", "`Error: boom` at line 3"),
        ("$.none.x", "TypeError: .* of null` at line 1"),
        ("$.list.includes.call(null, 1)", "TypeError.* at line 1"),
        ("throw 'plain'", "`plain`"),
        ("throw Symbol('x')", "symbol"),
        ("console.log(1)", "console is not defined"),
        ("require('fs')", "require is not defined"),
        ("java.lang.System", "java is not defined"),
        ("eval('1')", "eval is not defined"),
        ("(() => 1).constructor('return 1')()", "TypeError"),
        ("10n ** 5n", "big integers"),
        ("BigInt(1)", "BigInt is not defined"),
        ("const o = {}; o.o = o; o", "circular"),
        ("//" + "x" * 200_000, "characters"),
    ],
)
def test_a_faulty_script_is_refused_with_message_and_line(source: str, reason: str) -> None:
    with pytest.raises(BadExpression, match=reason) as caught:
        run(source)

    assert not isinstance(caught.value, ScriptLimitExceeded)


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("while (true) {}", "0.05 seconds"),
        ("for (;;) { try { while (true) {} } catch (e) {} }", "0.05 seconds"),
        ("/(a+)+$/.test('a'.repeat(60) + 'b')", "0.05 seconds"),
        ("throw {toString() { while (true) {} }}", "0.05 seconds"),
        ("({toJSON() { while (true) {} }})", "0.05 seconds"),
        ("({get a() { while (true) {} }})", "0.05 seconds"),
        ("InternalError.prototype.toString = () => { while (true) {} }; while (true) {}", "0.05 seconds"),
        ("Error.prepareStackTrace = () => { while (true) {} }; while (true) {}", "0.05 seconds"),
        ("[new Array(4e9)].flat()", "0.05 seconds"),
        ("const x = []; while (true) x.push(new Array(10000).fill(1))", "bytes of memory"),
        ("'x'.repeat(2 ** 28)", "bytes of memory"),
        ("let x = 'x'; while (true) x += x", "."),
        ("const f = () => f() + 1; f()", "too deeply"),
        ("let a = []; for (let i = 0; i < 50000; i++) a = [a]; a", "."),
        ("new Array(4e9).sort()", "too long"),
        ("Array.prototype.reverse.call({length: 2 ** 53 - 1})", "too long"),
        ("new Array(4e9) + ''", "too long"),
        ("[1].concat({length: 2 ** 53 - 1, [Symbol.isConcatSpreadable]: true})", "too long"),
        ("String.raw({raw: {length: 2 ** 53 - 1}})", "too long"),
        ("JSON.stringify({}, new Array(4e9))", "too long"),
        ("'a'.repeat(2e5).indexOf('a'.repeat(1e5) + 'b')", "too long"),
        ("'a'.repeat(2e5).replaceAll('a'.repeat(1e5) + 'b', '')", "too long"),
        ("try { new Array(4e9).sort() } catch (e) {} 1", "too long"),
    ],
)
def test_a_script_that_takes_too_much_is_stopped_soon(source: str, limit: str) -> None:
    begun = time.process_time()

    with pytest.raises(ScriptLimitExceeded, match=limit):
        run(source, seconds=0.05)

    assert time.process_time() - begun < 2


def test_a_script_that_fills_memory_is_stopped_by_the_memory_limit() -> None:
    with pytest.raises(ScriptLimitExceeded, match="4,000,000 bytes"):
        run("const x = []; while (true) x.push([1, 2, 3])", seconds=10, memory=4_000_000)


@pytest.mark.parametrize(
    "trace",
    [
        "leaked = 1; 1",
        "globalThis.leaked = 1; 1",
        "var leaked = 1; 1",
        "Array.prototype.leaked = 1; 1",
        "Object.prototype.leaked = 1; 1",
        "String.prototype.toString = () => 'patched'; 1",
        "JSON.stringify = () => 'patched'; 1",
        "Object.defineProperty(globalThis, '$', {get: () => 'patched', set() {}}); 1",
    ],
)
@pytest.mark.parametrize("probe", ["typeof leaked + [].leaked + ({}).leaked + String($.s) + JSON.stringify(1)"])
def test_nothing_that_a_script_changes_reaches_the_next(trace: str, probe: str) -> None:
    run("$.n")
    run(trace)

    assert run(probe) == "undefinedundefinedundefinedabc1"
    assert run("[$.n, $.list.leaked, $.map.leaked, $.s]") == [2, None, None, "abc"]


def test_a_condition_sees_nothing_of_the_one_before() -> None:
    limits = {"time_limit_seconds": 0.2, "memory_limit_bytes": 16_000_000}
    evaluate_javascript("loopIndex < 3", {"$": {"n": 1}, "loopIndex": 1}, **limits)

    with pytest.raises(BadExpression, match="loopIndex is not defined"):
        evaluate_javascript("loopIndex < 3", {"$": {}}, **limits)
    assert evaluate_javascript("$.n", {"$": {}}, **limits) is None


@pytest.mark.parametrize(
    "source",
    [
        "$.n < 3",
        "if ($.loop['iteration'] < $.n) { true; } else { false; }",
        "$.a?.b === 'x' ? 'yes' : 'no'",
        "($.list.length > 0 && !$.done) || loopIndex % 2 == 0",
    ],
)
def test_a_plain_condition_is_recognised(source: str) -> None:
    assert only_reads(source)


@pytest.mark.parametrize(
    "source",
    [
        *("$.a = 3", "$.a += 1", "$.a++", "--$.a", "x = 1", "delete $.a", "var x", "let x", "class A {}"),
        *("$.f()", "$['f']()", "($.f)(1)", "$.f?.(1)", "$.f``", "`${$.f}`", "$.a\n(1)", "new Date", "(x => x)"),
        *("for (;;) {}", "while (true) {}", "({a: 1})", "this.a", "globalThis", "Array", "$.a / 2", "'\\x41'", "é"),
        *("function f() {}", "throw 1", "[...$.a]", "<!-- $.a", "a => a", "if ($.a) {} [0]()"),
    ],
)
def test_whatever_could_leave_a_trace_is_no_plain_condition(source: str) -> None:
    assert not only_reads(source)


@pytest.mark.parametrize("source", ["1 + 1", "while (true) {}", "throw 1", "nope()", "'use strict'; 1", "// note", ""])
def test_sound_syntax_passes_without_being_run(source: str) -> None:
    assert check_javascript(source) is None


@pytest.mark.parametrize(
    ("source", "line"), [("a b", 1), ("\n return 1", 2), ("let x = ;", 1), ("}", 1), ("'open", 1), ("10n", None)]
)
def test_a_syntax_error_is_told_with_its_line(source: str, line: int | None) -> None:
    fault = check_javascript(source)

    assert fault is not None
    assert "SyntaxError" in fault
    assert line is None or fault.endswith(f"at line {line}")


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0.5, True),
        (0, False),
        (-1, False),
        ("true", False),
        (None, False),
        ([1], False),
    ],
)
def test_only_true_and_positive_numbers_hold(value: Json, answer: bool) -> None:
    assert is_true(value) is answer


@pytest.mark.parametrize(
    ("value", "key"),
    [
        *((1, "1"), (1.0, "1.0"), (0.25, "0.25"), (1e7, "1.0E7"), (12345678.5, "1.23456785E7"), (1e-4, "1.0E-4")),
        *((True, "true"), (False, "false"), (None, "null"), ("a", "a"), (["a"], "[a]"), (["a", 1], "[a, 1]")),
        *(({"k": "v"}, "{k=v}"), ([], "[]"), (1e300, "1.0E300"), (-1.5e-9, "-1.5E-9")),
    ],
)
def test_a_case_key_is_the_text_that_java_prints(value: Json, key: str) -> None:
    assert case_key(value) == key


@pytest.mark.parametrize(
    ("evaluator", "expression", "result"),
    [("value-param", "n", 2), ("value-param", "missing", None), ("javascript", "$.n * 2", 4), ("graaljs", "$.n", 2)],
)
def test_an_evaluator_is_chosen_by_name(evaluator: str, expression: str, result: Json) -> None:
    assert evaluate(evaluator, expression, GIVEN, time_limit_seconds=0.2, memory_limit_bytes=16_000_000) == result


@pytest.mark.parametrize(("evaluator", "reason"), [("python", "javascript"), ("cobol", "No evaluator registered")])
def test_an_evaluator_that_is_not_offered_is_refused(evaluator: str, reason: str) -> None:
    with pytest.raises(BadExpression, match=reason):
        evaluate(evaluator, "1", GIVEN, time_limit_seconds=0.2, memory_limit_bytes=16_000_000)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"])
def test_input_that_is_no_json_is_refused(value: Json) -> None:
    with pytest.raises(BadExpression, match="cannot be written as JSON"):
        evaluate_javascript("1", {"$": value}, time_limit_seconds=0.2, memory_limit_bytes=16_000_000)


@pytest.mark.parametrize("length", [100, 600, 9_000, 100_000])
def test_a_result_of_any_length_is_read(length: int) -> None:
    assert run(f"'x'.repeat({length})") == "x" * length
    with pytest.raises(BadExpression, match="xxxx"):
        run(f"throw 'x'.repeat({length})")
