"""Evaluates `[ … ]`, `[[ … ]]` and `test` with words that are known (POSIX, "test"; bash, "Conditional Constructs")."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MOST_WORDS = 6
"""The words of the longest condition that is read, `[ ! A = B ]`."""
_CLOSED = {"[": "]", "[[": "]]"}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "==": str.__eq__,
    "!=": str.__ne__,
}
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": int.__eq__,
    "-ne": int.__ne__,
    "-gt": int.__gt__,
    "-ge": int.__ge__,
    "-lt": int.__lt__,
    "-le": int.__le__,
}
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
# With these, the right side of [[ = ]] is a pattern.
_PATTERN = re.compile(r"[*?\[(\\]")


def outcome(words: Sequence[str]) -> bool | None:
    """Returns True if a command with these words succeeds, False if it fails, None where that is not known."""
    program, *rest = words or [""]
    if len(words) > MOST_WORDS:
        return None
    if program in ("true", "false") and not rest:
        return program == "true"
    closing = _CLOSED.get(program)
    if closing:
        if rest[-1:] != [closing]:
            return None
        rest = rest[:-1]
    elif program != "test":
        return None
    if rest[:1] == ["!"]:
        found = _compare(rest[1:], is_pattern=program == "[[")
        return None if found is None else not found
    return _compare(rest, is_pattern=program == "[[")


def _compare(words: Sequence[str], *, is_pattern: bool) -> bool | None:
    if len(words) == 2 and words[0] in ("-n", "-z"):
        return bool(words[1]) == (words[0] == "-n")
    if len(words) != 3:
        return None
    left, how, right = words
    if how in _TEXTS and not (is_pattern and _PATTERN.search(right)):
        return _TEXTS[how](left, right)
    if how in _NUMBERS and _NUMBER.fullmatch(left) and _NUMBER.fullmatch(right):
        return _NUMBERS[how](int(left), int(right))
    return None
