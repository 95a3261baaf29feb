"""The ``${…}`` language: values with holes, compiled once and filled from a workflow's data many times.

Rules of Conductor 2.1 and 2.2. Differences on purpose: maps and lists inside a longer text are written as JSON rather
than in Java's form, and neither environment variables nor system properties of the process can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from engine.errors import BadExpression
from engine.expression.budget import Budget
from engine.expression.java_text import embedded_text
from engine.expression.jsonpath import compile_path, named_root
from engine.expression.secret import is_secret, named_value
from engine.expression.template_syntax import Expression, Part, split
from engine.model.payload import Json

#: Root name to its data. It may build roots when asked for them: only those an expression names are asked for, unless
#: a path begins with ``$..`` or ``$.*``. A root that is not there makes the expression null.
Context: TypeAlias = Mapping[str, Json]


class Roots:
    """A part of contexts that can say one field of a root without building all of it."""

    __slots__ = ()

    def field(self, root: str, name: str) -> Json:
        """Return what stands under ``name`` in a root. Raises ``KeyError`` where there is no such root or field."""
        raise NotImplementedError


#: What ``${workflow.env.NAME}`` may read: name to a JSON value, or to a text that holds JSON.
Environment: TypeAlias = Mapping[str, Json]

_Node: TypeAlias = Callable[[Context, Environment, Budget], Json]

#: Names that stand alone between braces and are left as written while they have no value (Conductor 2.2, rule 3).
SYSTEM_NAMES: Final = frozenset({"CPEWF_TASK_ID"})

#: How environment variables are named. Conductor reads those of its server by such names alone (2.2).
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")

_ENVIRONMENT_PREFIX: Final = "workflow.env."
_NOTHING: Final[Mapping[str, Json]] = {}

#: Texts kept compiled, and the length beyond which a text is compiled anew each time: a character takes up to a hundred
#: bytes once it is read, so together they bound the cache to a hundred megabytes.
_CACHED_TEXTS: Final = 2_048
_LONGEST_CACHED_TEXT: Final = 500


class Template:
    """A value whose texts may hold expressions; compile it once for each definition.

    ``constant`` says that there are none, so that rendering returns the value itself.
    """

    __slots__ = ("_node", "_value", "constant")

    def __init__(self, value: Json, node: _Node | None) -> None:
        self._value = value
        self._node = node
        self.constant: Final = node is None

    def render(self, context: Context, environment: Environment = _NOTHING, *, budget: Budget | None = None) -> Json:
        """Return the value with every expression replaced by what it finds.

        A text that is one expression becomes the value found, of whatever type; inside a longer text the values are
        spliced in. Nothing is copied: parts without expressions are those of the template, and values found are those
        of ``context``, so whoever changes the result must copy it first. Texts found are not evaluated again.

        Raises ``BadExpression`` when the expressions cost more than ``budget`` has, or what they find is nested too
        deeply. Everything else that is wrong with a path makes it null, as in Conductor.
        """
        node = self._node
        return self._value if node is None else _rendered(node, context, environment, budget)

    def look(self, context: Context, environment: Environment = _NOTHING, *, budget: Budget) -> Json:
        """Return what ``render`` does, without weighing it: for what is looked at, and neither kept nor written."""
        return self._value if self._node is None else _found(self._node, context, environment, budget)


@dataclass(frozen=True, slots=True)
class Reference:
    """An expression that stands in a value, as validation sees it."""

    #: What stands between the braces.
    text: str
    #: Where: JSON path of the text that holds it, beginning with what ``references`` was given.
    path: str
    #: The name before the first dot or bracket; ``$`` and ``@`` when the path begins with them (registration knows no
    #: such reference), ``None`` when the name itself is computed by an inner expression or there is none.
    root: str | None
    #: What is wrong with it and how to mend it.
    fault: str | None = None


def is_variable(text: str) -> bool:
    """True for what stands between the braces when it reads as the name of an environment variable."""
    return _VARIABLE.fullmatch(text) is not None


def compile_template(value: Json) -> Template:
    """Return ``value`` ready to be rendered. Raises ``BadExpression`` when it is nested too deeply to be walked."""
    try:
        return Template(value, _compile(value))
    except RecursionError:
        raise BadExpression("A value with expressions is nested too deeply; flatten it.") from None


def substitute(
    value: Json, context: Context, *, environment: Environment = _NOTHING, budget: Budget | None = None
) -> Json:
    """Return ``value`` with its expressions replaced; see ``Template.render``. Without any, ``value`` itself."""
    node = _compile_text(value) if isinstance(value, str) else compile_template(value)._node
    return value if node is None else _rendered(node, context, environment, budget)


def _rendered(node: _Node, context: Context, environment: Environment, budget: Budget | None) -> Json:
    budget = Budget() if budget is None else budget
    found = _found(node, context, environment, budget)
    budget.weigh(found)
    return found


def _found(node: _Node, context: Context, environment: Environment, budget: Budget) -> Json:
    try:
        return node(context, environment, budget)
    except RecursionError:
        raise BadExpression("A value that an expression looks at is nested too deeply; flatten it.") from None


def is_expression(value: Json) -> bool:
    """Return whether ``value`` is a text in which something would be replaced."""
    return isinstance(value, str) and any(isinstance(part, Expression) for part in split(value))


def references(value: Json, path: str = "$") -> Iterator[Reference]:
    """Yield every expression in ``value``, inner ones too, with its root and its fault; escaped ones are none.

    ``path`` names where ``value`` itself stands. Blank paths, leading blanks, script indexes and everything that is no
    path are faults (Conductor 1.1). Blanks inside brackets are none, though Conductor refuses them.
    """
    waiting = [(path, value)]
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, str):
            for part in split(item):
                yield from _references_in(part, place)
        elif isinstance(item, Mapping):
            waiting.extend(reversed([(_property(place, key), below) for key, below in item.items()]))
        elif isinstance(item, list | tuple):
            waiting.extend(reversed([(f"{place}[{index}]", below) for index, below in enumerate(item)]))


def _property(place: str, key: str) -> str:
    return f"{place}.{key}" if key.isidentifier() else f"{place}[{key!r}]"


def _references_in(part: Part, path: str) -> Iterator[Reference]:
    if isinstance(part, str):
        return
    yield Reference(part.text, path, _root(part), _fault(part))
    for inner in part.inner:
        yield from _references_in(inner, path)


def _root(expression: Expression) -> str | None:
    text = expression.text.strip()
    head = expression.inner[0] if expression.nested else text
    if not isinstance(head, str):
        return None
    if head[:1] in ("$", "@"):
        return head[0]
    if expression.nested:
        name = head.split(".", 1)[0].split("[", 1)[0]
        return name if len(name) < len(head) else None
    try:
        return named_root(compile_path(text))
    except BadExpression:
        return text.split(".", 1)[0].split("[", 1)[0] or None


def _fault(expression: Expression) -> str | None:
    text = expression.text
    if not text.strip():
        return "an expression is blank; write a path between the braces, such as ${workflow.input.name}"
    if text[0].isspace():
        return f"the expression ${{{text}}} begins with a blank; remove it"
    if expression.nested or is_secret(text) or text.startswith(_ENVIRONMENT_PREFIX):
        return None
    try:
        compile_path(text)
    except BadExpression as fault:
        return str(fault)
    return None


def _compile(value: Json) -> _Node | None:
    """Return what renders ``value``, or ``None`` when it holds no expression."""
    if isinstance(value, str):
        return _compile_text(value)
    if value is None or isinstance(value, int | float):
        return None
    if isinstance(value, dict | Mapping):
        return _compile_map(value)
    if isinstance(value, list | tuple):
        return _compile_list(value)
    return None


def _compile_map(value: Mapping[str, Json]) -> _Node | None:
    holes = [(key, node) for key, item in value.items() if (node := _compile(item)) is not None]
    if not holes:
        return None
    if len(holes) == len(value):
        return lambda context, environment, budget: {key: node(context, environment, budget) for key, node in holes}

    def render(context: Context, environment: Environment, budget: Budget) -> Json:
        filled = dict(value)
        for key, node in holes:
            filled[key] = node(context, environment, budget)
        return filled

    return render


def _compile_list(value: list[Json] | tuple[Json, ...]) -> _Node | None:
    holes = [(position, node) for position, item in enumerate(value) if (node := _compile(item)) is not None]
    if not holes:
        return None

    def render(context: Context, environment: Environment, budget: Budget) -> Json:
        filled = list(value)
        for position, node in holes:
            filled[position] = node(context, environment, budget)
        return filled

    return render


def _compile_text(text: str) -> _Node | None:
    if "${" not in text:
        return None
    return _cached_text(text) if len(text) <= _LONGEST_CACHED_TEXT else _new_text(text)


def _new_text(text: str) -> _Node | None:
    parts = split(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return _expression(parts[0])
    node = _joined(parts)
    if node is None:
        plain = text.replace("$${", "${")
        return None if plain == text else lambda context, environment, budget: plain
    spliced = node
    # The escape is undone in the finished text, so it also touches what was spliced in: Conductor's rule, 2.1.
    return lambda context, environment, budget: spliced(context, environment, budget).replace("$${", "${")


_cached_text = lru_cache(maxsize=_CACHED_TEXTS)(_new_text)


def _joined(parts: tuple[Part, ...]) -> Callable[[Context, Environment, Budget], str] | None:
    """Return what renders ``parts`` as one text, or ``None`` when all of them are plain."""
    if not any(isinstance(part, Expression) for part in parts):
        return None
    nodes: list[str | _Node] = [part if isinstance(part, str) else _expression(part) for part in parts]

    def render(context: Context, environment: Environment, budget: Budget) -> str:
        pieces = [
            node if isinstance(node, str) else _spliced(node(context, environment, budget), budget) for node in nodes
        ]
        return "".join([budget.join(piece) for piece in pieces])

    return render


def _spliced(value: Json, budget: Budget) -> str:
    if not isinstance(value, str):
        budget.weigh(value)
    return embedded_text(value)


def _expression(expression: Expression) -> _Node:
    text = _joined(expression.inner)
    if text is None:
        return _resolver(expression.text)

    def render(context: Context, environment: Environment, budget: Budget) -> Json:
        made = text(context, environment, budget)
        # Reading a path takes longer than following it.
        budget.spend(4 * len(made))
        return _resolver(made)(context, environment, budget)

    return render


def _resolver(text: str) -> _Node:
    """Return what looks up the text between the braces, in the order of Conductor 2.2."""
    if not text.strip():
        return lambda context, environment, budget: ""
    if is_secret(text):
        return lambda context, environment, budget: f"${{{text}}}"
    if text.startswith(_ENVIRONMENT_PREFIX):
        return _variable(text.removeprefix(_ENVIRONMENT_PREFIX))
    if text in SYSTEM_NAMES:
        return _system_name(text)
    if is_variable(text):
        return _step_or_variable(text)
    try:
        path = compile_path(text)
    except BadExpression:
        return lambda context, environment, budget: None
    keys = path.dotted
    if keys is None:
        return lambda context, environment, budget: path.find(context, budget)
    return _dotted(keys)


def _dotted(keys: tuple[str, ...]) -> _Node:
    """Return what follows ``keys`` from map to map: the form of nearly all expressions, so it takes the short way."""

    def resolve(context: Context, environment: Environment, budget: Budget) -> Json:
        value: Json = context
        budget.steps += 1
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError, IndexError):
            return None
        return value

    return resolve if len(keys) < 2 else _field(keys[0], keys[1], keys[2:], resolve)


def _field(root: str, name: str, rest: tuple[str, ...], resolve: _Node) -> _Node:
    """Return what looks into one field of a root, without having the others built where the context can do that."""

    def resolve_field(context: Context, environment: Environment, budget: Budget) -> Json:
        if not isinstance(context, Roots):
            return resolve(context, environment, budget)
        budget.steps += 1
        try:
            value = context.field(root, name)
            for key in rest:
                value = value[key]
        except (KeyError, TypeError, IndexError):
            return None
        return value

    return resolve_field


def _variable(text: str) -> _Node:
    return lambda context, environment, budget: named_value(text, environment.get, budget)


def _step_or_variable(name: str) -> _Node:
    """Return what ``${HOSTNAME}`` finds: the step of that name if there is one, else the value for definitions."""
    return lambda context, environment, budget: context[name] if name in context else environment.get(name)


def _system_name(name: str) -> _Node:
    def resolve(context: Context, environment: Environment, budget: Budget) -> Json:
        value = context.get(name)
        return f"${{{name}}}" if value is None else value

    return resolve
