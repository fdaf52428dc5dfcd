"""Turns values into the type that a variable declares, and checks its constraints."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as MappingOf
from typing import Any, NamedTuple

from flowspec.document.masking import MASK
from flowspec.document.rendering.patterns import Pattern, PatternError
from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Node, Scalar, Source, plain
from flowspec.errors import SpecError, shorten

_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a string", (str,)),
    "integer": ("an integer", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "list": ("a list", (list,)),
    "mapping": ("a mapping", (dict,)),
}
TYPES = tuple(_KINDS)


class Data(NamedTuple):
    """A node that is data and never a template."""

    node: Node


class UnfitError(Exception):
    """A value does not fit the variable's declaration: the id of the finding, and what is required."""

    def __init__(self, id: str, wanted: str) -> None:  # noqa: A002
        super().__init__(wanted)
        self.id = id


def fit(value: Any, wanted: str) -> Any:
    """Returns a value that already has a type. null fits every type, so that a variable can be optional."""
    name, kinds = _KINDS[wanted]
    if value is None:
        return None
    if wanted == "string" and isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise UnfitError("FS303", name)
    return value


def from_node(node: Node, wanted: str) -> Any:
    """Returns the value of a node; for the type string, a plain scalar is the text as it was written."""
    if isinstance(node, Scalar) and node.plain and wanted == "string" and node.value is not None:
        return node.text
    return fit(plain(node), wanted)


def from_text(text: str, wanted: str) -> Any:
    """Converts a value from outside the spec, which is text, to the declared type."""
    name = _KINDS[wanted][0]
    if wanted == "string":
        return text
    if wanted == "boolean" and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    if wanted == "integer" and re.fullmatch(r"\s*[-+]?[0-9]{1,70}\s*", text):
        return int(text)
    if wanted == "number" and re.fullmatch(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*", text):
        number = float(text) if re.search(r"[.eE]", text) else int(text)
        if math.isfinite(number):
            return number
    if wanted in ("list", "mapping"):
        try:
            node, found = compose(Source("--var", text))
        except SpecError:
            raise UnfitError("FS303", f"{name}, written as YAML or JSON") from None
        if node is not None and not found:
            return fit(plain(node), wanted)
    raise UnfitError("FS303", name)


def check(value: Any, rules: MappingOf[str, Any], pattern: Pattern | None) -> None:
    """Checks the constraints of a declaration; raises `UnfitError`."""
    if value is None:
        return
    if pattern and isinstance(value, str) and not _matches(pattern, value):
        raise UnfitError("FS304", f"text that matches {pattern.text}")
    allowed = rules.get("enum")
    if isinstance(allowed, list) and value not in allowed and str(value) not in map(str, allowed):
        raise UnfitError("FS304", f"one of {', '.join(map(str, allowed))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(value, rules)


def _check_range(value: float, rules: MappingOf[str, Any]) -> None:
    low, high = rules.get("minimum"), rules.get("maximum")
    if isinstance(low, int | float) and value < low:
        raise UnfitError("FS304", f"{low} or more")
    if isinstance(high, int | float) and value > high:
        raise UnfitError("FS304", f"{high} or less")


def _matches(pattern: Pattern, value: str) -> bool:
    try:
        return pattern.search(value) is not None
    except PatternError as error:
        raise UnfitError("FS304", f"text that matches {shorten(pattern.text, 200)}, but {error}") from None


def placeholder_of(wanted: str, rules: MappingOf[str, Any]) -> Any:
    """Returns a placeholder of a type, for a secret without a value.

    The placeholder of a text is MASK, so the output is the same with and without the secret.
    """
    least = rules.get("minimum")
    number = least if isinstance(least, int | float) else 1
    return {"integer": number, "number": number, "boolean": False, "list": [], "mapping": {}}.get(wanted, MASK)
