"""Terraform's functions that see more than the values of their arguments: expressions, placeholders, files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Any, Protocol

from flowspec.importers.placeholders import placeholder_name
from flowspec.importers.terraform import syntax
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.functions import FAULTS, FUNCTIONS, PATTERNS
from flowspec.importers.terraform.syntax import Expr
from flowspec.importers.terraform.values import (
    Unknown,
    is_number,
    to_decimal,
    to_text,
    unify_types,
)


class Evaluator(Protocol):
    """The part of `evaluate.Scope` that these functions need."""

    context: Context

    def strict(self, expr: Expr) -> Any:
        """Returns the value of an expression. Raises one of `FAULTS` where it is not known."""

    def known(self, expr: Expr) -> Any:
        """Returns the value of an expression without placeholders. Raises `Unknown`."""

    def arguments(self, expr: syntax.Call) -> list[Any]:
        """Returns the arguments of a call."""

    def structure(self, value: Any, function: str, at: int) -> Any:
        """Returns an argument of a function that only passes elements on."""

    def text(self, value: Any) -> str:
        """Returns a value within a text. Raises `Unknown`."""

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Returns a template that is a file of its own. Raises one of `FAULTS`."""


def _join(scope: Evaluator, expr: syntax.Call) -> str:
    mark, *lists = (scope.structure(one, "join", at) for at, one in enumerate(scope.arguments(expr)))
    if not all(isinstance(one, list) for one in lists):
        raise Unknown
    return to_text(mark).join(scope.text(item) for one in lists for item in one)


def _format(scope: Evaluator, expr: syntax.Call) -> Any:
    args = scope.arguments(expr)
    pattern = scope.context.fill_placeholders(args[0])
    verbs = [verb for verb in re.findall(r"%[^a-zA-Z%]*[a-zA-Z%]", pattern) if not verb.endswith("%")]
    kept = [
        scope.text(one) if verb in ("%s", "%v") and isinstance(one, str) else scope.context.fill_placeholders(one)
        for verb, one in zip(verbs, args[1:], strict=True)
    ]
    return FUNCTIONS["format"](pattern, *kept)


def _rounded(scope: Evaluator, expr: syntax.Call) -> int:
    """Evaluates ceil and floor, of a quotient too that no float is equal to."""
    (operand,) = expr.args
    rounding = ROUND_CEILING if expr.name == "ceil" else ROUND_FLOOR
    if isinstance(operand, syntax.Binary) and operand.mark == "/":
        one, other = (to_decimal(scope.known(side)) for side in (operand.left, operand.right))
        return int((one / other).to_integral_value(rounding))
    return int(to_decimal(scope.known(operand)).to_integral_value(rounding))


def _coalesce(scope: Evaluator, expr: syntax.Call) -> Any:
    args, known = scope.arguments(expr), scope.context.known
    names = [placeholder_name(one) for one in args]
    values = unify_types([known.get(name) if name else one for name, one in zip(names, args, strict=True)])
    for name, one, value in zip(names, args, values, strict=True):
        if name and (name not in known or value not in (None, "")):
            return one
        if value not in (None, ""):
            return value
        scope.context.used |= {scope.context.shown.get(name, name)} if name else set()
    raise Unknown


def _try(scope: Evaluator, expr: syntax.Call) -> Any:
    """Returns the first argument without an error; what depends on AWS has none as far as is known."""
    for one in expr.args:
        try:
            return scope.strict(one)
        except (LookupError, TypeError, ValueError, ArithmeticError):
            continue
        except Unknown:
            if _certainly_fails(scope, one):
                continue
            raise
    raise Unknown


def _can(scope: Evaluator, expr: syntax.Call) -> bool:
    try:
        scope.known(expr.args[0])
    except Unknown:
        if _certainly_fails(scope, expr.args[0]):
            return False
        raise
    return True


def _with_pattern(scope: Evaluator, expr: syntax.Call) -> Any:
    args = map(scope.context.fill_placeholders, scope.arguments(expr))
    return PATTERNS[expr.name](scope.context.pattern_work, *args)


def _file(scope: Evaluator, expr: syntax.Call) -> str:
    (name,) = scope.arguments(expr)
    return scope.context.read(to_text(scope.context.fill_placeholders(name)))


def _encode_file(scope: Evaluator, expr: syntax.Call) -> Any:
    return FUNCTIONS[_ENCODINGS[expr.name]](_file(scope, expr))


def _file_exists(scope: Evaluator, expr: syntax.Call) -> bool:
    try:
        _file(scope, expr)
    except Unknown:
        path = scope.context.folders[0] / to_text(scope.known(expr.args[0]))
        if path.exists():
            raise
        return False
    return True


def _template_file(scope: Evaluator, expr: syntax.Call) -> str:
    name, values = scope.arguments(expr)
    if not isinstance(values, dict):
        raise Unknown
    text = scope.context.read(to_text(scope.context.fill_placeholders(name)))
    return scope.render(text, values)


def _certainly_fails(scope: Evaluator, expr: Expr) -> bool:
    """Returns True if an expression is an attribute or element that a known value does not have."""
    if not isinstance(expr, syntax.Attribute | syntax.Index):
        return False
    try:
        target = scope.context.fill_placeholders(scope.strict(expr.target))
        key: Any = expr.name if isinstance(expr, syntax.Attribute) else scope.known(expr.key)
    except FAULTS:
        return _certainly_fails(scope, expr.target)
    if isinstance(target, dict):
        return key not in target
    return target is None or (isinstance(target, list) and is_number(key) and key >= len(target))


# The functions that encode a file as others encode a text.
_ENCODINGS = {"filebase64": "base64encode", "filemd5": "md5", "filesha1": "sha1", "filesha256": "sha256"}

SPECIAL: Mapping[str, Callable[[Evaluator, syntax.Call], Any]] = {
    "can": _can,
    "ceil": _rounded,
    "floor": _rounded,
    "coalesce": _coalesce,
    "file": _file,
    "fileexists": _file_exists,
    "format": _format,
    "join": _join,
    "jsonencode": lambda scope, expr: scope.context.encode_json(*scope.arguments(expr)),
    "templatefile": _template_file,
    "try": _try,
    **dict.fromkeys(PATTERNS, _with_pattern),
    **dict.fromkeys(_ENCODINGS, _encode_file),
}
