"""Keys and values: their sizes, how a line is split into them, and how they are written.

A `Writable` is `bytes` (Text), `int` (LongWritable) or `None` (NullWritable).

Sources: org.apache.hadoop.streaming.io.TextOutputReader and KeyOnlyTextOutputReader (cutting),
TextInputWriter and KeyOnlyTextInputWriter (writing), org.apache.hadoop.util.UTF8ByteArrayUtils.
"""

from __future__ import annotations

from collections.abc import Callable

from flowspec.engines.streaming.hadoop.classes import LONG, NULL, TEXT

SHORT = 128  # from here on the length of a Text takes more than one byte

Writable = bytes | int | None
Pair = tuple[Writable, Writable]
Cut = Callable[[bytes], Pair]
Join = Callable[[Writable, Writable], bytes]


def as_bytes(value: Writable) -> bytes:
    """Returns the text of a value, as its toString gives it."""
    if value is None:
        return b"(null)"
    return b"%d" % value if isinstance(value, int) else value


def class_of(value: Writable) -> str:
    """Returns the Java class of a value."""
    if value is None:
        return NULL
    return LONG if isinstance(value, int) else TEXT


def text_size(length: int) -> int:
    """Returns the size in bytes of a `Text` of `length` bytes: WritableUtils.writeVInt, then the bytes."""
    if length < SHORT:
        return length + 1
    return length + 1 + (length.bit_length() + 7) // 8


def size_of(value: Writable) -> int:
    """Returns the size in bytes of a value when serialized."""
    if value is None:
        return 0
    return 8 if isinstance(value, int) else text_size(len(value))


def cutter(separator: bytes, fields: int) -> Cut:
    """Returns a function that cuts a line at the `fields`-th separator; with fewer the whole line is the key.

    The separator itself is dropped. A number of fields below 1 acts as 1.
    """
    if fields <= 1:

        def cut_first(line: bytes) -> Pair:
            key, _, value = line.partition(separator)
            return key, value

        return cut_first

    def cut(line: bytes) -> Pair:
        at = -len(separator)
        for _ in range(fields):
            at = line.find(separator, at + len(separator))
            if at < 0:
                return line, b""
        return line[:at], line[at + len(separator) :]

    return cut


def whole_key(line: bytes) -> Pair:
    """Cuts as KeyOnlyTextOutputReader does: the line is the key, and there is no value."""
    return line, None


def joiner(separator: bytes) -> Join:
    """Returns a function that joins a pair as TextInputWriter does: key, separator, value, LF."""

    def join(key: Writable, value: Writable) -> bytes:
        return b"%b%b%b\n" % (as_bytes(key), separator, as_bytes(value))

    return join


def join_key(key: Writable, _value: Writable) -> bytes:
    """Returns a pair as KeyOnlyTextInputWriter writes it: the key alone."""
    return as_bytes(key) + b"\n"


def join_value(_key: Writable, value: Writable) -> bytes:
    """Returns the value alone, as a mapper gets it when the key is ignored."""
    return as_bytes(value) + b"\n"


def output_joiner(separator: bytes) -> Join:
    """Returns a function that joins a pair as TextOutputFormat does: a null is left out, the separator with it."""

    def join(key: Writable, value: Writable) -> bytes:
        if key is None and value is None:
            return b""
        if key is None or value is None:
            return as_bytes(value if key is None else key) + b"\n"
        return b"%b%b%b\n" % (as_bytes(key), separator, as_bytes(value))

    return join
