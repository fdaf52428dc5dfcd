"""Values of a source that knows only texts -> values of the types that EMR's API has for them."""

from __future__ import annotations

import json
import re
from typing import Any

from flowspec.importers.decompile.placeholders import PLACEHOLDER, placeholder_name

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_TEXT_OR_PLACEHOLDER = re.compile(rf'"(?:\\.|[^"\\])*"|{PLACEHOLDER.pattern}', re.DOTALL)


def parsed_json(text: str) -> Any:
    """A JSON text, where a placeholder may be a number or boolean. Raises `ValueError`, `RecursionError`."""
    return json.loads(_TEXT_OR_PLACEHOLDER.sub(lambda found: f'"{found[0]}"' if found[1] else found[0], text))


def fitted(value: Any, shape: Any) -> Any:
    """The value with its scalars in the types of botocore's `shape` (None: left as they are).

    A single value where a list is wanted becomes one. What does not fit is left for the model to refuse.
    """
    if shape is None or placeholder_name(value) or value is None:
        return value
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        other = getattr(shape, "value", None)
        return {key: fitted(item, members.get(key, other)) for key, item in value.items()}
    if shape.type_name == "list":
        return [fitted(item, shape.member) for item in (value if isinstance(value, list) else [value])]
    return value if isinstance(value, list) else _scalar(value, shape.type_name)


def _scalar(value: Any, kind: str) -> Any:
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
