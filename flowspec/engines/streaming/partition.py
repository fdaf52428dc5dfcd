"""Which reducer gets a key: Hadoop's partitioners, to the bit.

Sources: org.apache.hadoop.io.WritableComparator.hashBytes (Text), LongWritable.hashCode,
java.lang.String.hashCode, org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedPartitioner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowspec.engines.streaming.keyfields import KeyField, field_lengths, field_range
from flowspec.engines.streaming.records import Writable, as_bytes

Partitioner = Callable[[Writable], int]

_SIGNED = [byte - 256 if byte > 127 else byte for byte in range(256)]


def java_hash(values: Iterable[int], start: int) -> int:
    """`h = 31 * h + value` over the values, from `start`, in Java's 32 bits (as an unsigned number)."""
    h = start
    for value in values:
        h = (31 * h + value) & 0xFFFFFFFF
    return h


def hash_bytes(data: bytes, start: int = 1) -> int:
    """WritableComparator.hashBytes: bytes count as signed, and the hash starts at 1."""
    signed = _SIGNED
    h = start
    for byte in data:
        h = (31 * h + signed[byte]) & 0xFFFFFFFF
    return h


def hash_partitioner(reduces: int) -> Partitioner:
    """HashPartitioner: the default. A long hashes to its lower half folded with its upper one's bits cut."""

    def partition(key: Writable) -> int:
        h = key & 0xFFFFFFFF if isinstance(key, int) else hash_bytes(as_bytes(key))
        return (h & 0x7FFFFFFF) % reduces

    return partition


def key_field_partitioner(reduces: int, fields: list[KeyField], separator: bytes) -> Partitioner:
    """KeyFieldBasedPartitioner: over the fields chosen, or over the whole key as a UTF-16 string."""

    def whole(key: Writable) -> int:
        text = as_bytes(key).decode("utf-8", "replace").encode("utf-16-le")
        units = (text[at] | text[at + 1] << 8 for at in range(0, len(text), 2))
        return (java_hash(units, 0) & 0x7FFFFFFF) % reduces

    def chosen(key: Writable) -> int:
        data = as_bytes(key).decode("utf-8", "replace").encode()
        lengths = field_lengths(data, separator)
        h = 0
        for field in fields:
            bounds = field_range(data, lengths, separator, field)
            if bounds:
                h = hash_bytes(data[bounds[0] : bounds[1]], h)
        return (h & 0x7FFFFFFF) % reduces

    return chosen if fields else whole
