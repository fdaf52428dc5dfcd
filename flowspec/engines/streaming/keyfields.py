"""The `-k` options of KeyFieldBasedPartitioner and KeyFieldBasedComparator.

Sources: org.apache.hadoop.mapreduce.lib.partition.KeyFieldHelper (options, ranges),
KeyFieldBasedPartitioner (hash), KeyFieldBasedComparator (order).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SPEC = re.compile(r"(\d+)(?:\.(\d+))?([nr]*)(?:,(\d+)(?:\.(\d+))?([nr]*))?")
_NUMBER = re.compile(rb"(-?)0*(\d*)(?:\.(\d*))?")
_COMPLEMENT = bytes(255 - byte for byte in range(256))


@dataclass(frozen=True, slots=True)
class KeyField:
    """One `-k` option: from character `begin_char` of field `begin` to `end_char` of field `end`.

    All count from 1; `end` 0: to the end of the key; `end_char` 0: to the last byte of the field.
    """

    begin: int = 1
    begin_char: int = 1
    end: int = 0
    end_char: int = 0
    numeric: bool = False
    reverse: bool = False


def parse_key_fields(options: str) -> list[KeyField]:
    """Read the value of `...keypartitioner.options` or `...keycomparator.options`.

    Words are `-k pos1[,pos2]`, `-n`, `-r`, `-nr`; an option without n or r takes the global ones.
    Without any `-k`, the whole key is the only field; no option at all: no field. Raises `ValueError`.
    """
    words = options.split()[::-1]
    texts: list[str] = []
    numeric = reverse = False
    while words:
        word = words.pop()
        if word.startswith("-k"):
            texts.append(word[2:] or (words.pop() if words else ""))
        numeric |= word in ("-n", "-nr")
        reverse |= word in ("-r", "-nr")
    fields = [_parse_field(text, numeric=numeric, reverse=reverse) for text in texts if text]
    if not fields and options.strip():
        fields = [KeyField(numeric=numeric, reverse=reverse)]
    return fields


def _parse_field(text: str, *, numeric: bool, reverse: bool) -> KeyField:
    found = _SPEC.fullmatch(text)
    if not found:
        raise ValueError(
            f"Invalid -k argument. Must be of the form -k pos1,[pos2], where pos is of the form f[.c]nr: {text}"
        )
    begin, begin_char, first, end, end_char, second = found.groups()
    letters = first + (second or "")
    return KeyField(
        begin=int(begin),
        begin_char=int(begin_char or 1),
        end=int(end or 0),
        end_char=int(end_char or 0),
        numeric="n" in letters if letters else numeric,
        reverse="r" in letters if letters else reverse,
    )


def field_lengths(key: bytes, separator: bytes) -> list[int]:
    """The lengths of the fields of a key as KeyFieldHelper.getWordLengths counts them.

    With a separator of several bytes the count goes wrong in Hadoop from the second field on: the
    search steps on by one byte, and so the rest of the separator is counted into the next field.
    """
    lengths: list[int] = []
    start = 0
    while True:
        found = key.find(separator, start) if separator else -1
        if found < 0:
            lengths.append(len(key) - start)
            return lengths
        lengths.append(found - start)
        start = found + 1


def field_range(key: bytes, lengths: list[int], separator: bytes, field: KeyField) -> tuple[int, int] | None:
    """Start and end (exclusive) of a field within a key; None where the key has no such field."""
    if len(lengths) < field.begin:
        return None
    start = sum(lengths[: field.begin - 1]) + (field.begin - 1) * len(separator) + field.begin_char - 1
    if start >= len(key):
        return None
    end = len(key)
    if field.end and len(lengths) >= field.end:
        if field.end_char:
            end = sum(lengths[: field.end - 1]) + (field.end - 1) * len(separator) + field.end_char
        else:
            end = sum(lengths[: field.end]) + (field.end - 1) * len(separator)
    return start, max(start, min(end, len(key)))


def order_key(fields: list[KeyField], separator: bytes) -> Callable[[bytes], bytes]:
    """A function from a key to bytes whose plain order is that of KeyFieldBasedComparator.

    A key that lacks a field is smaller. Keys that Hadoop orders by accident (numbers that differ in
    form only, both lacking a field) come out equal.
    """

    def ordered(key: bytes) -> bytes:
        lengths = field_lengths(key, separator)
        return b"".join(_ordered_field(key, field_range(key, lengths, separator, field), field) for field in fields)

    return ordered


def _ordered_field(key: bytes, bounds: tuple[int, int] | None, field: KeyField) -> bytes:
    if bounds is None:
        code = b"\x00"
    else:
        text = key[bounds[0] : bounds[1]]
        code = b"\x01" + (_ordered_number(text) if field.numeric else _ordered_text(text))
    return code.translate(_COMPLEMENT) if field.reverse else code


def _ordered_text(text: bytes) -> bytes:
    """Prefix-free, so that what follows never decides before it, and its complement reverses the order."""
    return text.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _ordered_number(text: bytes) -> bytes:
    """Sign, number of digits, digits, decimals: numerical order for texts of any length."""
    found = _NUMBER.match(text)
    assert found  # every part is optional
    sign, digits, decimals = found[1], found[2], (found[3] or b"").rstrip(b"0")
    if not digits and not decimals:
        return b"\x01"
    size = b"\x02" + len(digits).to_bytes(4, "big") + digits + decimals + b"\x00"
    return b"\x00" + size.translate(_COMPLEMENT) if sign else size
