"""Regular expressions of people one does not know: searched for in bounded time.

Python's `re` tries one way after the other, and `(a+)+$` has more of them than anyone can wait for. So
a pattern that may take long is not given to it: all ways are followed at once here, as sets of
positions (Thompson, "Regular Expression Search Algorithm", CACM 1968), on the tree that `re` parses.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from math import log2
from typing import Any

# Any: whether type checkers know this module depends on what else they have seen.
_sre: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

_QUICK = 1_000_000
_MAX_WORK = 2_000_000
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT"}


class PatternError(ValueError):
    """A pattern can't be used: the message says why."""


def is_found(pattern: str, text: str) -> bool:
    """What `re.search` says, within a second. Raises PatternError for what is no pattern or takes too long."""
    try:
        tree = _parsed(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"no regular expression: {error}") from None
    if _ways(tree, len(text) + 1) <= _QUICK:
        return re.search(pattern, text) is not None
    if tree.state.flags & ~re.UNICODE.value:
        raise PatternError("a regular expression that may take for ever, with flags")
    return bool(_Search(text).ends(tree, set(range(len(text) + 1))))


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> Any:
    return _sre.parse(pattern)


def _ways(tree: Any, length: int) -> float:
    """How many ways there may be to lay a pattern along a text of this length, at most: infinity for too many."""
    ways = float(length)
    for name, said in _items(tree):
        if name in _REPEATS:
            low, high, part = said
            inner = _ways(part, length) / length
            ways *= 2 ** min(log2(max(inner, 1)) * min(int(high), length), 100)
            ways *= min(int(high) - low + 1, length)
        elif name == "BRANCH":
            ways *= sum(_ways(one, length) / length for one in said[1])
        else:
            for part in _parts(name, said):
                ways *= _ways(part, length) / length
        if ways > _QUICK:
            return float("inf")
    return ways


def _items(tree: Any) -> Iterable[tuple[str, Any]]:
    return ((str(name), said) for name, said in tree)


def _parts(name: str, said: Any) -> list[Any]:
    if name == "SUBPATTERN":
        return [said[3]]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [said[1]]
    if name in ("ATOMIC_GROUP",):
        return [said]
    return [said[2]] if name == "POSSESSIVE_REPEAT" else []


class _Search:
    """One text, and the positions that can be reached in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.work = 0

    def ends(self, tree: Any, starts: set[int]) -> set[int]:
        """Where the pattern can end when it begins at one of these positions."""
        for name, said in _items(tree):
            self.work += len(starts) + 1
            if self.work > _MAX_WORK:
                raise PatternError("a regular expression that takes too much work")
            step = _STEPS.get(name)
            if step is None:
                raise PatternError("a regular expression that may take for ever")
            starts = step(self, said, starts)
        return starts

    def repeated(self, said: Any, starts: set[int]) -> set[int]:
        low, high, part = said
        for _ in range(low):
            before, starts = starts, self.ends(part, starts)
            if starts == before:
                break
        reached, count = set(starts), low
        while starts and count < int(high):
            starts = self.ends(part, starts) - reached
            reached |= starts
            count += 1
        return reached

    def branched(self, said: Any, starts: set[int]) -> set[int]:
        return set().union(*(self.ends(one, starts) for one in said[1]))

    def grouped(self, said: Any, starts: set[int]) -> set[int]:
        _, more_flags, less_flags, part = said
        if more_flags or less_flags:
            raise PatternError("a regular expression that may take for ever, with flags")
        return self.ends(part, starts)

    def at(self, said: Any, starts: set[int]) -> set[int]:
        test = _PLACES.get(str(said))
        if test is None:
            raise PatternError("a regular expression that may take for ever")
        return {one for one in starts if test(self.text, one)}

    def stepped(self, is_meant: Callable[[str], bool], starts: set[int]) -> set[int]:
        """One character further, where it is one that is meant."""
        return {one + 1 for one in starts if one < len(self.text) and is_meant(self.text[one])}


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")


_PLACES: dict[str, Callable[[str, int], bool]] = {
    "AT_BEGINNING": lambda text, at: at == 0,  # noqa: ARG005 - places are asked alike
    "AT_BEGINNING_STRING": lambda text, at: at == 0,  # noqa: ARG005
    "AT_END": lambda text, at: at == len(text) or (at == len(text) - 1 and text[at] == "\n"),
    "AT_END_STRING": lambda text, at: at == len(text),
    "AT_BOUNDARY": lambda text, at: _is_word(text, at - 1) != _is_word(text, at),
    "AT_NON_BOUNDARY": lambda text, at: _is_word(text, at - 1) == _is_word(text, at),
}

_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda one: one.isalnum() or one == "_",
}


def _is_in(said: Any, one: str) -> bool:
    """Whether a character is in a class, such as [a-z]."""
    members = list(_items(said))
    negated = bool(members) and members[0][0] == "NEGATE"
    return any(_is_member(name, what, one) for name, what in members[negated:]) is not negated


def _is_member(name: str, what: Any, one: str) -> bool:
    if name == "LITERAL":
        return bool(ord(one) == what)
    if name == "RANGE":
        return bool(what[0] <= ord(one) <= what[1])
    category = str(what).removeprefix("CATEGORY_")
    plain = category.removeprefix("NOT_")
    return _CATEGORIES[plain](one) is (plain == category)


_STEPS: dict[str, Callable[[_Search, Any, set[int]], set[int]]] = {
    "LITERAL": lambda search, said, starts: search.stepped(lambda one: ord(one) == said, starts),
    "NOT_LITERAL": lambda search, said, starts: search.stepped(lambda one: ord(one) != said, starts),
    "ANY": lambda search, said, starts: search.stepped(lambda one: one != "\n", starts),  # noqa: ARG005
    "IN": lambda search, said, starts: search.stepped(lambda one: _is_in(said, one), starts),
    "AT": _Search.at,
    "BRANCH": _Search.branched,
    "SUBPATTERN": _Search.grouped,
    "MAX_REPEAT": _Search.repeated,
    "MIN_REPEAT": _Search.repeated,
}
