"""Messages as Conductor's JSON, which the rest of the API speaks, and that JSON as messages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from msgspec import Raw

from engine.api.grpc.messages import message_class
from engine.errors import BadMessage
from engine.model.payload import Json, JsonObject
from engine.wire.fields import read_json, write_json

_VALUE: Final = "google.protobuf.Value"
_ANY: Final = "google.protobuf.Any"

#: Stands for a list: protobuf knows no list within a list.
_LIST: Final = "conductor.proto.WorkflowTask.WorkflowTaskList"

#: Enums that Conductor's JSON writes in small letters.
_SMALL: Final = frozenset({"conductor.proto.EventHandler.Action.Type"})

#: Fields that the JSON does not write as protobuf does, by their full names.
_NAMES: Final[Mapping[str, str]] = {
    "conductor.proto.EventHandler.Action.start_workflow": "start_workflow",
    "conductor.proto.EventHandler.Action.complete_task": "complete_task",
    "conductor.proto.EventHandler.Action.fail_task": "fail_task",
    "conductor.proto.EventHandler.Action.expand_inline_json": "expandInlineJSON",
}

#: A message does not say whether a field was set to 0 or not at all. These mean 0, because 0 differs from what the JSON
#: means by leaving them out; all others count as left out, as an empty text does.
_ZERO_COUNTS: Final[Mapping[str, frozenset[str]]] = {
    "conductor.proto.TaskDef": frozenset({"retry_count", "timeout_policy", "retry_delay_seconds"}),
    "conductor.proto.TaskResult": frozenset({"status"}),
    "conductor.proto.WorkflowDef": frozenset({"restartable", "timeout_policy"}),
    "conductor.proto.WorkflowTask": frozenset({"retry_count"}),
    "conductor.proto.EventHandler.Action": frozenset({"action"}),
    "conductor.grpc.workflows.RemoveWorkflowRequest": frozenset({"archive_workflow"}),
    "conductor.grpc.events.GetEventHandlersForEventRequest": frozenset({"active_only"}),
}

#: Numbers by which Conductor's messages say that a field was left out, by its full name.
_LEFT_OUT: Final[Mapping[str, int]] = {"conductor.proto.WorkflowTask.retry_count": -1}

#: Equals no value.
_NOTHING: Final = object()

#: Whole numbers up to here are exact in a double, which is all that a Value holds.
_EXACT: Final = 2**53

_BITS: Final = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}


def from_message(message: Message) -> JsonObject:
    """Return a message as JSON; raise ``BadMessage`` for what JSON has no word for."""
    kind = message.DESCRIPTOR
    said: dict[Any, Any] = dict(message.ListFields())
    for name in _ZERO_COUNTS.get(kind.full_name, ()):
        said.setdefault(kind.fields_by_name[name], 0)
    return {
        _name(field): _of_field(field, value)
        for field, value in said.items()
        if value != _LEFT_OUT.get(field.full_name, _NOTHING)
    }


def to_message(kind: Descriptor, document: JsonObject) -> Message:
    """Return JSON of ours as a message; what the message does not know is left out."""
    message = message_class(kind.full_name)()
    _fill(message, document)
    return message


# messages as JSON


def _of_field(field: FieldDescriptor, value: Any) -> Json:
    if _is_map(field):
        inner = _values_of(field)
        return {str(key): _of_one(inner, value[key]) for key in value}
    if field.is_repeated:
        return [_of_one(field, each) for each in value]
    return _of_one(field, value)


def _of_one(field: FieldDescriptor, value: Any) -> Json:
    if field.enum_type is not None:
        return _of_enum(field.enum_type, value)
    if field.message_type is None:
        return bool(value) if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else value
    match field.message_type.full_name:
        case name if name == _VALUE:
            return _of_value(value)
        case name if name == _ANY:
            return str(value.type_url)
        case name if name == _LIST:
            return [from_message(each) for each in value.tasks]
        case _:
            return from_message(value)


def _of_enum(kind: EnumDescriptor, number: int) -> str:
    known = kind.values_by_number.get(number)
    if known is None:
        words = ", ".join(f"{each.number} ({each.name})" for each in kind.values)
        raise BadMessage(f"{kind.full_name} is {number}, which means nothing here: there are {words}.")
    name = str(known.name)
    return name.lower() if kind.full_name in _SMALL else name


def _of_value(value: Any) -> Json:
    match value.WhichOneof("kind"):
        case "number_value":
            return _of_number(value.number_value)
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return bool(value.bool_value)
        case "struct_value":
            fields = value.struct_value.fields
            return {str(key): _of_value(fields[key]) for key in fields}
        case "list_value":
            return [_of_value(each) for each in value.list_value.values]
        case _:
            return None


def _of_number(number: float) -> Json:
    if not math.isfinite(number):
        raise BadMessage(f"The request has the number {number}, which JSON does not know.")
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


# JSON as messages


def _fill(message: Any, document: JsonObject) -> None:
    for name, field, left_out in _fields(message.DESCRIPTOR):
        value = document.get(name, left_out)
        if value is None:
            continue
        if _is_map(field):
            _fill_map(_values_of(field), getattr(message, field.name), value)
        elif field.is_repeated:
            _fill_list(field, getattr(message, field.name), value)
        elif field.message_type is not None:
            _fill_one(getattr(message, field.name), value)
        else:
            setattr(message, field.name, _scalar(field, value))


def _fill_map(inner: FieldDescriptor, target: Any, value: Json) -> None:
    given = read_json(bytes(value), "a payload") if isinstance(value, Raw) else value
    for key, each in given.items() if isinstance(given, Mapping) else ():
        if inner.message_type is not None:
            _fill_one(target[key], each)
        else:
            target[key] = _scalar(inner, each)


def _fill_list(field: FieldDescriptor, target: Any, value: Json) -> None:
    for each in value if isinstance(value, list | tuple) else ():
        if field.message_type is not None:
            _fill_one(target.add(), each)
        else:
            target.append(_scalar(field, each))


def _fill_one(target: Any, value: Json) -> None:
    target.SetInParent()
    match target.DESCRIPTOR.full_name:
        case name if name == _VALUE:
            _fill_value(target, value)
        case name if name == _LIST:
            for each in value:
                _fill(target.tasks.add(), each)
        case _ if isinstance(value, Mapping):
            _fill(target, value)


def _fill_value(target: Any, value: Json) -> None:
    match value:
        case None:
            target.null_value = 0
        case bool():
            target.bool_value = value
        case int() | float():
            _fill_number(target, value)
        case str():
            target.string_value = value
        case Mapping():
            target.struct_value.SetInParent()
            for key, each in value.items():
                _fill_value(target.struct_value.fields[key], each)
        case _:
            target.list_value.SetInParent()
            for each in value:
                _fill_value(target.list_value.values.add(), each)


def _fill_number(target: Any, number: float) -> None:
    try:
        target.number_value = number
    except OverflowError:
        # No double is so large; the task must reach its worker all the same.
        target.string_value = str(number)


def _scalar(field: FieldDescriptor, value: Json) -> Any:
    if field.enum_type is not None:
        word = field.enum_type.values_by_name.get(str(value).upper())
        return 0 if word is None else word.number
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return bool(value)
    if field.cpp_type in _BITS:
        return _whole(value, 2 ** _BITS[field.cpp_type])
    return value if isinstance(value, str) else write_json(value).decode()


def _whole(value: Json, bound: int) -> int:
    """Return what a definition may also have written as a text, within what the message can hold."""
    try:
        return max(-bound, min(int(value), bound - 1))
    except (TypeError, ValueError, OverflowError):
        return 0


@cache
def _fields(kind: Descriptor) -> tuple[tuple[str, FieldDescriptor, int | None], ...]:
    """Return the fields of a message, each with its name in JSON and what is written where that has none."""
    fields: Sequence[Any] = kind.fields
    return tuple((_name(field), field, _LEFT_OUT.get(field.full_name)) for field in fields)


def _name(field: FieldDescriptor) -> str:
    return _NAMES.get(field.full_name, field.json_name)


@cache
def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _values_of(field: FieldDescriptor) -> FieldDescriptor:
    """Return what the values of a map are."""
    assert field.message_type is not None
    return field.message_type.fields_by_name["value"]
