"""Converts the texts of a source into values of the types in EMR's API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowspec.facts.api_model import Json
from flowspec.importers.placeholders import (
    PLACEHOLDER,
    Variable,
    part_shape,
    placeholder_name,
    placeholder_uses,
    text_of,
)

_TYPES = {
    **dict.fromkeys(("integer", "long"), "integer"),
    **dict.fromkeys(("double", "float"), "number"),
    "boolean": "boolean",
    "list": "list",
    "map": "mapping",
}
"""The types of a spec's variables, by those of the API's shapes."""
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
        return {key: convert_scalars(item, part_shape(shape, key)) for key, item in value.items()}
    if shape.type_name == "list":
        return [convert_scalars(item, shape.member) for item in (value if isinstance(value, list) else [value])]
    return value if isinstance(value, list) else _convert_scalar(value, shape.type_name)


def _convert_scalar(value: Any, kind: str) -> Any:
    text = text_of(value)
    if kind == "string":
        return text
    if kind in ("integer", "long") and _INTEGER.fullmatch(text):
        return int(text)
    if kind in ("double", "float") and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return value


def members_that_are_set(**members: Any) -> Json:
    """Returns the members of a structure, but for those with nothing in them: None, and what is empty."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def fit_variables(variables: Mapping[str, Variable], params: Any, shape: Any) -> dict[str, Variable]:
    """Returns the variables of a request with the types and allowed values of the API's members in which they are used.

    Only a variable that nobody gave a value is limited.
    """
    out = dict(variables)
    for name, _, used_as in placeholder_uses(params, shape):
        known = out.get(name)
        if known is None or used_as is None:
            continue
        if used_as.enum and known.default is None and "enum" not in variables[name].rules:
            # If it is used in several places, all must allow the value. If no value is allowed in all, EMR refuses it.
            before = known.rules.get("enum", used_as.enum)
            both = [one for one in before if one in used_as.enum]
            out[name] = replace(known, rules={**known.rules, "enum": both or before})
        elif known.type == "string" and used_as.type_name in _TYPES:
            out[name] = _convert_variable(known, used_as.type_name)
    return out


def _convert_variable(variable: Variable, kind: str) -> Variable:
    """Returns the variable in the type for a kind of shape; unchanged where its default is no text of that type.

    A default that is put together from others is text: it is left out, as are the rules that are for texts.
    """
    default = variable.default
    made = None if default is None or PLACEHOLDER.search(default) else _convert_scalar(default, kind)
    if isinstance(made, str):
        return variable
    rules = {key: rule for key, rule in variable.rules.items() if key not in ("pattern", "enum")}
    allowed = [_convert_scalar(one, kind) for one in variable.rules.get("enum", ()) if kind != "boolean"]
    allowed = [one for one in allowed if not isinstance(one, str)]
    return replace(variable, type=_TYPES[kind], default=made, rules={**rules, "enum": allowed} if allowed else rules)


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
            return UNKNOWN, [*notes, f"{path} is not imported: it requires {key}"]
    return out, notes


def _consists_of_objects(shape: Any) -> bool:
    return _consists_of_objects(shape.member) if shape.type_name == "list" else shape.type_name in ("structure", "map")
