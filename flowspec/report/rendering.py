"""A rendered spec: where each of its values comes from, and what two targets make of it differently."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowspec.document import schema as schemas
from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.document.rendering.overrides import IDENTITY
from flowspec.document.text.dump import dump
from flowspec.document.text.reading import Reading
from flowspec.document.text.tree import Document, NodePath
from flowspec.report.columns import cells, padded
from flowspec.report.json_text import as_json

ABSENT = object()
"""The value at a path that a target does not have; distinct from null."""

# The keys that identify an item of a list; items of all other lists are compared by position.
_NAMES = {**IDENTITY, "applications": ("name",)}


def explained(document: Document) -> str:
    """Returns the rendered spec as YAML, each value with a comment on its line and origin."""
    return dump(document, note=lambda path: _origin(document, path), cells=cells)


def explained_as_json(document: Document) -> str:
    """Returns the explained spec for programs: a list of `{path, value, file, line, origin}`; secrets are masked."""
    values, secrets = _read(document)
    shown = []
    for path, value in _leaves(values, ()):
        at = document.nearest(path).at
        shown.append(
            {
                "path": _path_text(path),
                "value": value,
                "file": at.source.file,
                "line": at.line,
                "origin": _given_by(document, path),
            }
        )
    return as_json(shown, secrets)


def _origin(document: Document, path: NodePath) -> str:
    place = document.nearest(path).at.location.file_and_line
    return visible(", ".join(filter(None, (place, _given_by(document, path)))))


def _given_by(document: Document, path: NodePath) -> str:
    node = document.nearest(path)
    base = "base file" if node.at.source is not document.source else ""
    return ", ".join(filter(None, (base, node.origin)))


def _read(document: Document) -> tuple[dict[str, Any], frozenset[str]]:
    reading = Reading()
    values = reading.value(document.root, schemas.strict())
    return values, document.secrets | reading.secrets


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list) and value:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in steps:
            yield from _leaves(item, (*path, step))
    else:
        yield path, value


def _path_text(path: NodePath) -> str:
    """Returns a path as people write it: `steps[0].args[1]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True)
class Difference:
    """The values of two targets at one path; `ABSENT` where one has none."""

    path: str
    a: Any
    b: Any


def differences(a: Document, b: Document) -> tuple[Difference, ...]:
    """Returns the differences of two renderings of one spec, in the order of the spec; secrets are masked."""
    (left, hidden), (right, also) = _read(a), _read(b)
    secrets = hidden | also
    return tuple(
        Difference(one.path, *(value if value is ABSENT else mask(value, secrets) for value in (one.a, one.b)))
        for one in _compared(left, right, ())
    )


def _compared(a: Any, b: Any, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        yield from _entries(a, b, path)
    elif isinstance(a, list) and isinstance(b, list) and path[-1] in _NAMES:
        words = _NAMES[str(path[-1])]
        named, others = _by_name(a, words), _by_name(b, words)
        if [name for name in named if name in others] != [name for name in others if name in named]:
            yield Difference(f"{_path_text(path)} (order)", list(named), list(others))
        yield from _entries(named, others, path)
    elif type(a) is not type(b) or a != b:
        yield Difference(_path_text(path), a, b)


def _entries(a: Mapping[str, Any], b: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Difference]:
    for key in dict.fromkeys((*a, *b)):
        if key in a and key in b:
            yield from _compared(a[key], b[key], (*path, key))
        else:
            yield Difference(_path_text((*path, key)), a.get(key, ABSENT), b.get(key, ABSENT))


def _by_name(items: list[Any], words: tuple[str, ...]) -> dict[str, Any]:
    """Returns the items of a list by their name; the second of one name is `name#2`."""
    found: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for item in items:
        said = [str(item[word]) for word in words if word in item] if isinstance(item, dict) else [str(item)]
        name = " ".join(said)
        seen[name] += 1
        found[f"{name}#{seen[name]}" if seen[name] > 1 else name] = item
    return found


def differences_as_text(found: tuple[Difference, ...], a: str, b: str) -> str:
    """Returns a block for each difference: its path, then what either target has."""
    a, b = visible(a), visible(b)
    if not found:
        return f"{a} and {b} do not differ"
    width = max(cells(a), cells(b))
    blocks = []
    for one in found:
        lines = (f"  {padded(name, width)}  {_value_text(value)}" for name, value in ((a, one.a), (b, one.b)))
        blocks += [visible(one.path), *lines]
    return "\n".join(blocks)


def _value_text(value: Any) -> str:
    return "(absent)" if value is ABSENT else json.dumps(value, ensure_ascii=False)


def differences_as_json(found: tuple[Difference, ...], a: str, b: str) -> str:
    """Returns `{a, b, differences: [{path, a, b}]}` for programs; a target that has nothing there has no key."""
    listed = [
        {"path": one.path, **{side: value for side, value in (("a", one.a), ("b", one.b)) if value is not ABSENT}}
        for one in found
    ]
    return as_json({"a": a, "b": b, "differences": listed})
