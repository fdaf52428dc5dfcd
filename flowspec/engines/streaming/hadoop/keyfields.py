"""The `-k` options of KeyFieldBasedPartitioner and KeyFieldBasedComparator.

Sources: org.apache.hadoop.mapreduce.lib.partition.KeyFieldHelper (options, ranges),
KeyFieldBasedPartitioner (hash), KeyFieldBasedComparator (order).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flowspec.engines.streaming.hadoop.javalang import parse_number

_TOKEN = re.compile(r"[nr.,]|[^nr.,]+")  # StringTokenizer("nr.,", returnDelims)
_NUMBER = re.compile(rb"(-?)0*(\d*)")
_NOT_DIGITS = bytes(byte if byte in b"0123456789" else 0x2F for byte in range(256))
_LEAST = 1 << 31
_COMPLEMENT = bytes(255 - byte for byte in range(256))

_NOT_OF_THE_FORM = "Invalid -k argument. Must be of the form -k pos1,[pos2], where pos is of the form f[.c]nr"


class BadOptions(ValueError):
    """Options that can't be read; the text is the exception that ends Hadoop's tasks."""


class KeyField(NamedTuple):
    """One `-k` option: from character `begin_char` of field `begin` to `end_char` of field `end`.

    All count from 1; `end` 0: to the end of the key; `end_char` 0: to the last byte of the field.
    """

    begin: int = 1
    begin_char: int = 1
    end: int = 0
    end_char: int = 0
    numeric: bool = False
    reverse: bool = False


def parse_key_fields(options: str) -> tuple[KeyField, ...]:
    """Reads the value of `...keypartitioner.options` or `...keycomparator.options`.

    Words are `-k pos1[,pos2]`, `-n`, `-r`, `-nr`; an option without n or r takes the global ones.
    Without any `-k`, the whole key is the only field; no option at all: no field. Raises `BadOptions`.
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
    fields = tuple(_parse_field(text, numeric=numeric, reverse=reverse) for text in texts if text)
    if not fields and options.strip():
        return (KeyField(numeric=numeric, reverse=reverse),)
    return fields


def _parse_field(text: str, *, numeric: bool, reverse: bool) -> KeyField:
    tokens = _TOKEN.findall(text)[::-1]
    begin, begin_char = _position(tokens, 1)
    letters = _letters(tokens)
    end, end_char = 0, 0
    if tokens[-1:] == [","]:
        tokens.pop()
        end, end_char = _position(tokens, 0)
        letters += _letters(tokens)
    if tokens:
        raise BadOptions(f"java.lang.IllegalArgumentException: {_NOT_OF_THE_FORM}")
    return KeyField(
        begin=begin,
        begin_char=begin_char,
        end=end,
        end_char=end_char,
        numeric="n" in letters if letters else numeric,
        reverse="r" in letters if letters else reverse,
    )


def _position(tokens: list[str], character: int) -> tuple[int, int]:
    """Reads field and character of `f[.c]`; the tokens, last first, are used up as far as they belong to it."""
    field = _number(tokens)
    if tokens and tokens[-1] == ".":
        tokens.pop()
        character = _number(tokens)
    return field, character


def _number(tokens: list[str]) -> int:
    if not tokens:
        raise BadOptions("java.util.NoSuchElementException")
    try:
        return parse_number(tokens.pop(), bits=32)
    except ValueError as error:
        raise BadOptions(f"java.lang.NumberFormatException: {error}") from error


def _letters(tokens: list[str]) -> str:
    letters = ""
    while tokens and tokens[-1] in "nr":
        letters += tokens.pop()
    return letters


def field_lengths(key: bytes, separator: bytes) -> list[int]:
    """Returns the lengths of the fields of a key as KeyFieldHelper.getWordLengths counts them.

    With a separator of several bytes, Hadoop counts wrongly from the second field on: the search advances by only one
    byte, so the rest of the separator counts as a part of the next field.
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
    """Returns the start and end (exclusive) of a field within a key; None where the key has no such field.

    The end may lie before the start (`-k2,1`) or behind the key, and character 0 of the first field before the key.
    """
    if len(lengths) < field.begin:
        return None
    start = _start(lengths, separator, field.begin) + field.begin_char - 1
    if start >= len(key):
        return None
    end = len(key)
    if field.end and len(lengths) >= field.end:
        end = _start(lengths, separator, field.end) + (field.end_char or lengths[field.end - 1])
    return start, end


def _start(lengths: list[int], separator: bytes, number: int) -> int:
    before = lengths[: max(0, number - 1)]
    return sum(before) + len(before) * len(separator)


def order_key(fields: Sequence[KeyField], separator: bytes) -> Callable[[bytes], bytes]:
    """Returns a function from a key to bytes whose plain order is that of KeyFieldBasedComparator.

    A key that lacks a field is smaller. Where Hadoop contradicts itself (`5.` equals both `5` and `5a`,
    which differ; of two keys that lack a field each is smaller) the order is one of those it allows.
    """

    def ordered(key: bytes) -> bytes:
        lengths = field_lengths(key, separator)
        return b"".join(_ordered_field(key, field_range(key, lengths, separator, field), field) for field in fields)

    return ordered


def _ordered_field(key: bytes, bounds: tuple[int, int] | None, field: KeyField) -> bytes:
    if bounds is None:
        code = b"\x00"
    else:
        start, end = bounds
        serialized = b"%c%b" % (len(key) & 0xFF, key)  # character 0 is the last byte of the length before it
        text = serialized[start + 1 : max(0, end + 1)]
        ordered = _ordered_number(text, serialized[start + 1]) if field.numeric else _ordered_text(text, end - start)
        code = b"\x01" + ordered
    return code.translate(_COMPLEMENT) if field.reverse else code


def _ordered_text(text: bytes, size: int) -> bytes:
    """Encodes a text prefix-free, so that what follows never decides before it, and its complement reverses the order.

    A text whose end lies before its start comes first; the earlier the end, the earlier the text.
    """
    if size < 0:
        return b"\x00\x00" + (_LEAST + size).to_bytes(4, "big")
    return b"\x01" + text.replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _ordered_number(text: bytes, first: int) -> bytes:
    """Encodes sign, number of digits, digits, and what follows: numerical order for texts of any length.

    Between numbers of the same digits decimals decide, or else the byte behind the digits. Where there is
    none, the `first` byte of the text stands for it, so that `007` is before `7`, and the text `a` before `b`
    (KeyFieldBasedComparator.numericalCompare). Minus zero equals zero.
    """
    found = _NUMBER.match(text)
    assert found  # every part is optional
    sign, digits, rest = found[1], found[2], text[found.end() :]
    size = len(digits).to_bytes(4, "big") + digits
    decimals = rest[1:].translate(_NOT_DIGITS).rstrip(b"0") if rest.startswith(b".") else b""
    if decimals.lstrip(b"0") > b"0":
        code = b"\x02" + size + b"\x02" + decimals + b"\x00"
    elif sign and not digits and text.startswith(b"-0"):
        return _ordered_number(text[1:], text[1])
    else:
        follows = first if rest[:1] in (b"", b".") else rest[0]
        code = (b"\x02" if digits else b"\x01") + size + bytes((1, follows ^ 0x80))
    return b"\x00" + code.translate(_COMPLEMENT) if sign else b"\x01" + code
