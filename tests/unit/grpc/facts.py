"""What of messages and services is seen on the wire, written as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet

_REPEATED = FieldDescriptorProto.LABEL_REPEATED
_TYPES = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_INT64: "int64",
}


def facts_of(files: FileDescriptorSet) -> list[str]:
    """Return a line for each field, word of an enum and method; who changes one breaks clients."""
    return sorted(fact for file in files.file if not file.package.startswith("google.") for fact in _of_file(file))


def _of_file(file) -> Iterator[str]:  # type: ignore[no-untyped-def]
    for message in file.message_type:
        yield from _of_message(file.package, message)
    for service in file.service:
        for method in service.method:
            stream = "stream " if method.server_streaming else ""
            name = f"{file.package}.{service.name}.{method.name}"
            yield f"{name} ({method.input_type[1:]}) {stream}{method.output_type[1:]}"


def _of_message(above: str, message: DescriptorProto) -> Iterator[str]:
    name = f"{above}.{message.name}"
    for field in message.field:
        kind = _TYPES.get(field.type, field.type_name[1:])
        yield f"{name}.{field.name} = {field.number} {'repeated ' if field.label == _REPEATED else ''}{kind}"
    for inner in message.nested_type:
        yield from _of_message(name, inner)
    for enum in message.enum_type:
        yield from _of_enum(name, enum)


def _of_enum(above: str, enum: EnumDescriptorProto) -> Iterator[str]:
    for value in enum.value:
        yield f"{above}.{enum.name}.{value.name} = {value.number}"
