"""A rendered spec as text and JSON: each value with where it comes from, and the differences of two targets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flowspec.document.escaping import visible
from flowspec.document.rendering.compare import ABSENT, Difference
from flowspec.document.text.dump import dump
from flowspec.document.text.reading import read_values
from flowspec.document.text.tree import Document, NodePath
from flowspec.facts.api_model import path_text
from flowspec.report.columns import cells, padded
from flowspec.report.json_text import as_json


def annotated_yaml(document: Document) -> str:
    """Returns the rendered spec as YAML, each value with a comment on its line and origin."""
    return dump(document, note=lambda path: _origin(document, path), cells=cells)


def annotated_json(document: Document) -> str:
    """Returns the annotated spec for programs: a list of `{path, value, file, line, origin}`; secrets are masked."""
    values, secrets = read_values(document)
    shown = []
    for path, value in _leaves(values, ()):
        at = document.nearest(path).at
        shown.append(
            {
                "path": path_text(path),
                "value": value,
                "file": at.source.file,
                "line": at.line,
                "origin": _origin_text(document, path),
            }
        )
    return as_json(shown, secrets)


def _origin(document: Document, path: NodePath) -> str:
    place = document.nearest(path).at.location.file_and_line
    return visible(", ".join(filter(None, (place, _origin_text(document, path)))))


def _origin_text(document: Document, path: NodePath) -> str:
    node = document.nearest(path)
    base = "base file" if node.at.source is not document.source else ""
    return ", ".join(filter(None, (base, node.origin)))


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list) and value:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in steps:
            yield from _leaves(item, (*path, step))
    else:
        yield path, value


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
