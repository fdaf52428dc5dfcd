"""Rules of Java's own classes (java.lang) that Hadoop's behaviour follows from."""

from __future__ import annotations

import re

INTEGER = re.compile(r"[+-]?\d+")
"""The texts that Integer.parseInt and Long.parseLong take, with the digits of any script."""

BLANKS = "".join(map(chr, range(33)))
"""The characters that String.trim takes away."""

_LONGS = 1 << 64


def is_long(text: str) -> bool:
    """Returns whether Long.parseLong takes a text."""
    return bool(INTEGER.fullmatch(text)) and int(text) == wrapped(int(text))


def wrapped(number: int) -> int:
    """Returns a number as a long of 64 bits holds it."""
    return (number + _LONGS // 2) % _LONGS - _LONGS // 2
