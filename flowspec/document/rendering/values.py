"""The values of templates: the marker of a missing one, the kind of one in words, and its text within other text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.document.rendering.template_errors import TemplateError

MISSING = object()
"""The value of a variable without one, which is already reported: templates that use it fail silently."""


def kind_of(value: Any) -> str:
    """Returns the kind of a value in words: "a text", "an integer"."""
    if value is None:
        return "null"
    for kinds, words in _KINDS:
        if isinstance(value, kinds):
            return words
    return _KINDS_BY_CLASS_NAME.get(type(value).__name__, "a function")


_KINDS: list[tuple[Any, str]] = [
    (bool, "a boolean"),
    (str, "a text"),
    (int, "an integer"),
    (float, "a number"),
    (dict, "a mapping"),
    ((list, tuple, range, type({}.keys()), type({}.values()), type({}.items())), "a list"),
]
# Of jinja2 and of our sandbox, which is not imported before a template needs it.
_KINDS_BY_CLASS_NAME = {
    "Cycler": "a cycler",
    "LoopContext": "the loop",
    "Macro": "a macro",
    "Namespace": "a namespace",
    "Stream": "a list",
    **dict.fromkeys(("Undefined", "Unset"), "an undefined value"),
}


def written(value: Any) -> str:
    """Returns a value inside of text, as YAML writes it. Raises `TemplateError` FS323 if text can't contain it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    hint = "use the join filter, or tojson"
    if value is None:
        hint = "give it a value, or use the default filter: default('…', true)"
    raise TemplateError("FS323", f"{kind_of(value)} can't be a part of text", hint=hint)


def leaves(value: Any) -> Iterator[Any]:
    """Yields the values within lists and mappings, at any depth; a value that is neither is yielded itself."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value
