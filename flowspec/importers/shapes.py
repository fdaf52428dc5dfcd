"""Converts the texts of a source into values of the types in EMR's API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flowspec.importers.placeholders import PLACEHOLDER, Variable, placeholder_name

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_TEXT_OR_PLACEHOLDER = re.compile(rf'"(?:\\.|[^"\\])*"|{PLACEHOLDER.pattern}', re.DOTALL)

UNKNOWN = object()
"""Stands for an object that the source does not tell: `convert_members` returns it instead of the object."""


def parse_json(text: str) -> Any:
    """Returns the value of a JSON text, in which a placeholder may be in the place of a number or a truth value.

    Raises `ValueError`, `RecursionError`.
    """
    return json.loads(_TEXT_OR_PLACEHOLDER.sub(lambda found: f'"{found[0]}"' if found[1] else found[0], text))


def convert_scalars(value: Any, shape: Any) -> Any:
    """Converts the scalars of a value to the types of botocore's `shape` (None: left as they are).

    A single value becomes a list where the shape is one. What does not fit is left for the model to refuse.
    """
    if shape is None or placeholder_name(value) or value is None:
        return value
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        other = getattr(shape, "value", None)
        return {key: convert_scalars(item, members.get(key, other)) for key, item in value.items()}
    if shape.type_name == "list":
        return [convert_scalars(item, shape.member) for item in (value if isinstance(value, list) else [value])]
    return value if isinstance(value, list) else _convert_scalar(value, shape.type_name)


def _convert_scalar(value: Any, kind: str) -> Any:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if kind == "string":
        return text
    if kind in ("integer", "long") and _INTEGER.fullmatch(text):
        return int(text)
    if kind in ("double", "float") and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return value


def allowed_values(value: Any, shape: Any) -> dict[str, list[str]]:
    """Returns the values that the API takes for each placeholder that is the whole value of an enum, by its name."""
    name = placeholder_name(value)
    if name:
        return {name: list(shape.enum)} if getattr(shape, "enum", None) else {}
    out: dict[str, list[str]] = {}
    if isinstance(value, dict):
        members, other = getattr(shape, "members", {}), getattr(shape, "value", None)
        for key, item in value.items():
            out |= allowed_values(item, members.get(key, other))
    elif isinstance(value, list):
        for item in value:
            out |= allowed_values(item, getattr(shape, "member", None))
    return out


def convert_members(
    value: Any, shape: Any, variables: Mapping[str, Variable] = {}, path: str = ""
) -> tuple[Any, list[str]]:
    """Returns a value in the types of botocore's `shape`, and notes on what is left out of it.

    That is members that the shape lacks, placeholders of `variables` in the place of objects, and objects that can't be
    without such a one; UNKNOWN if nothing is left. `path` is that of the value: "" is the request, which is never left
    out.
    """
    return _known_members(convert_scalars(value, shape), shape, path, variables)


def _known_members(value: Any, shape: Any, path: str, variables: Mapping[str, Variable]) -> tuple[Any, list[str]]:
    kind, notes = getattr(shape, "type_name", ""), list[str]()
    name = placeholder_name(value)
    if name and name in variables and _consists_of_objects(shape):
        described = variables[name].rules.get("description", name)
        return UNKNOWN, [f"{path} is not imported: its value is not known here: {described}"]
    if isinstance(value, list) and kind == "list":
        pairs = [_known_members(one, shape.member, f"{path}[{at}]", variables) for at, one in enumerate(value)]
        kept = [one for one, _ in pairs if one is not UNKNOWN]
        return UNKNOWN if value and not kept else kept, [each for _, more in pairs for each in more]
    if not isinstance(value, dict) or kind not in ("structure", "map"):
        return value, notes
    out = {}
    for key, item in value.items():
        inner = f"{path}.{key}".removeprefix(".")
        if kind == "structure" and key not in shape.members:
            notes.append(f"{inner} is not imported: RunJobFlow has no such member")
            continue
        made, more = _known_members(item, shape.members[key] if kind == "structure" else shape.value, inner, variables)
        notes += more
        if made is not UNKNOWN:
            out[key] = made
        elif path and key in getattr(shape, "required_members", ()):
            return UNKNOWN, [*notes, f"{path} is not imported: it can't be without {key}"]
    return out, notes


def _consists_of_objects(shape: Any) -> bool:
    return _consists_of_objects(shape.member) if shape.type_name == "list" else shape.type_name in ("structure", "map")
