"""Rules of Java's own classes (java.lang) that Hadoop's behaviour follows from."""

from __future__ import annotations

import math
import re
from contextlib import suppress

_DECIMAL = re.compile(r"[+-]?\d+")  # with the digits of any script
_HEXADECIMAL = re.compile(r"[+-]?[0-9a-fA-F]+")
_DOUBLE = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)", re.ASCII)
_HEXADECIMAL_DOUBLE = re.compile(r"[+-]?0[xX]([\da-fA-F]+\.?|[\da-fA-F]*\.[\da-fA-F]+)[pP][+-]?\d+[fFdD]?", re.ASCII)

BLANKS = "".join(map(chr, range(33)))
"""The characters that String.trim takes away."""

_LONGS = 1 << 64


def parse_number(text: str, *, bits: int, radix: int = 10) -> int:
    """Returns the number that Integer.parseInt (`bits` 32) or Long.parseLong (64) reads. Raises `ValueError`."""
    if (_DECIMAL if radix == 10 else _HEXADECIMAL).fullmatch(text):
        with suppress(ValueError):  # Python reads no more than 4300 digits
            number = int(text, radix)
            if -1 << bits - 1 <= number < 1 << bits - 1:
                return number
    raise ValueError(f'For input string: "{text}"' + f" under radix {radix}" * (radix != 10))


def parse_double(text: str) -> float:
    """Returns the number that Double.parseDouble reads (`1.5`, `1e3d`, `0x1.8p1`). Raises `ValueError`."""
    text = text.strip(BLANKS)
    number = text.rstrip("fFdD")
    if _DOUBLE.fullmatch(text):
        return float(number)
    if _HEXADECIMAL_DOUBLE.fullmatch(text):
        try:
            return float.fromhex(number)
        except OverflowError:
            return -math.inf if text.startswith("-") else math.inf
    raise ValueError(f'For input string: "{text}"' if text else "empty String")


def wrapped(number: int) -> int:
    """Returns a number as a long of 64 bits holds it."""
    return (number + _LONGS // 2) % _LONGS - _LONGS // 2
