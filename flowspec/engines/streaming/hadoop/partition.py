"""Hadoop's partitioners, which choose the reducer that gets a key, with results identical to Hadoop's.

Sources: org.apache.hadoop.io.WritableComparator.hashBytes (Text), LongWritable.hashCode,
java.lang.String.hashCode, org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedPartitioner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from zlib import adler32

from flowspec.engines.streaming.hadoop.keyfields import KeyField, field_lengths, field_range
from flowspec.engines.streaming.hadoop.records import Writable, as_bytes

Partitioner = Callable[[Writable], int]

_SUMMABLE = 500  # bytes of which every second one sums up to less than adler32's modulus
_SIGNED = [byte - 256 if byte > 127 else byte for byte in range(256)]


def java_hash(values: Iterable[int], start: int) -> int:
    """Computes `h = 31 * h + value` over the values, from `start`, in Java's 32 bits (as an unsigned number)."""
    h = start
    for value in values:
        h = (31 * h + value) & 0xFFFFFFFF
    return h


def hash_bytes(data: bytes, start: int = 1) -> int:
    """Hashes as WritableComparator.hashBytes: bytes count as signed, and the hash starts at 1."""
    signed = _SIGNED
    h = start
    for byte in data:
        h = (31 * h + signed[byte]) & 0xFFFFFFFF
    return h


def hash_partitioner(reduces: int) -> Partitioner:
    """Returns HashPartitioner, the default. A long counts with its lower 32 bits."""
    if reduces in (2, 4, 8, 16, 32):
        return _power_of_two(reduces)

    def partition(key: Writable) -> int:
        h = key & 0xFFFFFFFF if isinstance(key, int) else hash_bytes(as_bytes(key))
        return (h & 0x7FFFFFFF) % reduces

    return partition


def _power_of_two(reduces: int) -> Partitioner:
    """Returns HashPartitioner for 2, 4 ... 32 reducers, where 31 is -1: the hash is the alternating sum of the bytes.

    zlib sums bytes fast: the lower half of adler32 is 1 + their sum, as long as that is below 65521.
    """
    mask = reduces - 1

    def partition(key: Writable) -> int:
        if isinstance(key, int):
            return key & mask
        data = as_bytes(key)
        length = len(data)
        if length > _SUMMABLE:
            return hash_bytes(data) & mask
        return (adler32(data[::-2]) - adler32(data[-2::-2]) + (-1 if length & 1 else 1)) & mask

    return partition


def key_field_partitioner(reduces: int, fields: Sequence[KeyField], separator: bytes) -> Partitioner:
    """Returns KeyFieldBasedPartitioner: it hashes the fields chosen, or the whole key as a UTF-16 string."""

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
            if bounds and bounds[0] >= 0:
                h = hash_bytes(data[bounds[0] : bounds[1]], h)
        return (h & 0x7FFFFFFF) % reduces

    return chosen if fields else whole
