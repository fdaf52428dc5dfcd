"""Compares two renderings of one spec, such as those for two of its targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowspec.document.masking import mask
from flowspec.document.rendering.overrides import IDENTITY
from flowspec.document.text.reading import read_values
from flowspec.document.text.tree import Document
from flowspec.facts.api_model import path_text

ABSENT = object()
"""The value at a path that a target does not have; distinct from null."""

# The keys that identify an item of a list; items of all other lists are compared by position.
_NAMES = {**IDENTITY, "applications": ("name",)}


class Difference(NamedTuple):
    """The values of two targets at one path; `ABSENT` if a target has none."""

    path: str
    a: Any
    b: Any


def differences(a: Document, b: Document) -> tuple[Difference, ...]:
    """Returns the differences of two renderings of one spec, in the order of the spec; secrets are masked."""
    (left, hidden), (right, also) = read_values(a), read_values(b)
    secrets = hidden | also
    return tuple(
        Difference(one.path, *(value if value is ABSENT else mask(value, secrets) for value in (one.a, one.b)))
        for one in _compare_values(left, right, ())
    )


def _compare_values(a: Any, b: Any, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        yield from _compare_entries(a, b, path)
    elif isinstance(a, list) and isinstance(b, list) and path[-1] in _NAMES:
        words = _NAMES[str(path[-1])]
        named, others = _by_name(a, words), _by_name(b, words)
        if [name for name in named if name in others] != [name for name in others if name in named]:
            yield Difference(f"{path_text(path)} (order)", list(named), list(others))
        yield from _compare_entries(named, others, path)
    elif type(a) is not type(b) or a != b:
        yield Difference(path_text(path), a, b)


def _compare_entries(a: Mapping[str, Any], b: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Difference]:
    for key in dict.fromkeys((*a, *b)):
        if key in a and key in b:
            yield from _compare_values(a[key], b[key], (*path, key))
        else:
            yield Difference(path_text((*path, key)), a.get(key, ABSENT), b.get(key, ABSENT))


def _by_name(items: list[Any], words: tuple[str, ...]) -> dict[str, Any]:
    """Returns the items of a list by their name; the second of one name is `name#2`."""
    found: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for item in items:
        names = [str(item[word]) for word in words if word in item] if isinstance(item, dict) else [str(item)]
        name = " ".join(names)
        seen[name] += 1
        found[f"{name}#{seen[name]}" if seen[name] > 1 else name] = item
    return found
