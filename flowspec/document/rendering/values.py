"""The marker of a missing value in templates, and the text of a value within other text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowspec.document.rendering.template_errors import TemplateError

MISSING = object()
"""The value of a variable that has none, where that is already said: what uses it fails silently."""


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a mapping" if isinstance(value, dict) else "a list"


def written(value: Any, kind: Callable[[Any], str] = _kind) -> str:
    """Returns a value inside of text, as YAML writes it. Raises `TemplateError` FS323 for what has no place in text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    hint = "use the join filter, or tojson"
    if value is None:
        hint = "give it a value, or use the default filter: default('…', true)"
    raise TemplateError("FS323", f"{kind(value)} can't be a part of text", hint=hint)
