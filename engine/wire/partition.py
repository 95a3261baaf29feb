"""Which partition a workflow belongs to: the same for everybody who sends it a message."""

from __future__ import annotations

from zlib import crc32

from engine.wire.message import events_queue


def partition_of(workflow_id: str, partitions: int) -> int:
    """Return the partition of a workflow: CRC-32 of its id modulo the number of partitions."""
    return crc32(workflow_id.encode("utf-8", "surrogatepass")) % partitions


def queue_of(workflow_id: str, partitions: int) -> str:
    """Return the events queue that carries everything about this workflow."""
    return events_queue(partition_of(workflow_id, partitions))
