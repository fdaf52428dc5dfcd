"""Colours a terminal's text by ANSI's codes (ECMA-48, SGR)."""

from __future__ import annotations


def painted(text: str, code: str, *, color: bool) -> str:
    """Returns a text between ANSI's codes: `1` bold, `31` red, `1;31` both; as it is without `color`."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
