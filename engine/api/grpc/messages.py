"""The messages and services that the .proto files declare, read from their compiled form.

No module is generated: those that protoc writes work with few versions of protobuf, and register themselves for the
whole process, where another library may have registered Conductor's messages already.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from engine.errors import BadMessage

#: Where the .proto files lie, for those who make clients of them, and what ``make protos`` makes of them.
SOURCES = Path(__file__).parent / "proto"
COMPILED = SOURCES / "services.pb"

#: What of the compiled files comes from elsewhere.
_FOREIGN = "google/"

_TEXT = FieldDescriptor.TYPE_STRING


@cache
def _pool() -> tuple[DescriptorPool, tuple[str, ...]]:
    declared = DescriptorPool()
    files = FileDescriptorSet.FromString(COMPILED.read_bytes()).file
    for each in files:
        declared.Add(each)
    return declared, tuple(each.name for each in files if not each.name.startswith(_FOREIGN))


def pool() -> DescriptorPool:
    """Return where everything is declared."""
    return _pool()[0]


@cache
def services() -> tuple[ServiceDescriptor, ...]:
    """Return every service that is declared."""
    declared, names = _pool()
    files = [declared.FindFileByName(name) for name in names]
    return tuple(service for file in files for service in file.services_by_name.values())


@cache
def message_class(name: str) -> type[Message]:
    """Return the class of a message by its full name."""
    found: type[Message] = GetMessageClass(pool().FindMessageTypeByName(name))
    return found


def parse(kind: Descriptor, content: bytes) -> Message:
    """Return a request as it came; raise ``BadMessage`` when it is none of this kind."""
    try:
        message = message_class(kind.full_name).FromString(content)
    except DecodeError:
        raise BadMessage(f"The request is no {kind.full_name}, or it is nested too deeply.") from None
    for field, value in message.ListFields():
        texts = (value,) if isinstance(value, str) else value if field.type == _TEXT else ()
        if any("\0" in text for text in texts):
            raise BadMessage(f"{field.name} contains the character NUL, which no name or id has.")
    return message
