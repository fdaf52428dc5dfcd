"""Evaluates the expressions of a Terraform configuration as far as the configuration alone determines them.

A root module's variable is a placeholder that keeps its name in what is made of it. Where an operation has to know
the value (a comparison, arithmetic, `upper`), it is computed with the value that Terraform would use, and `used`
collects the variable so that a note can name it. What only Terraform or AWS can tell (attributes of resources,
data sources, the time) is a placeholder too, for a variable without a default.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flowspec.importers.placeholders import placeholder_name
from flowspec.importers.terraform import hcl, syntax
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.functions import FAULTS, FUNCTIONS, LENIENT
from flowspec.importers.terraform.special import SPECIAL
from flowspec.importers.terraform.syntax import Code, Expr, If, Loop, template_parts
from flowspec.importers.terraform.values import (
    SetOf,
    Unknown,
    equal,
    is_number,
    pairs_of,
    plain_number,
    to_decimal,
    to_number,
    to_text,
    to_truth,
    to_whole,
)


class Symbol:
    """A reference to something whose value is not in the configuration. `text` is how Terraform writes it."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope

    def attribute(self, name: str) -> Any:
        """Returns an attribute of it."""
        return Symbol(f"{self.text}.{name}", self.scope)

    def index(self, key: Any) -> Any:
        """Returns an element of it; by a key that could be the name of an attribute, that."""
        if isinstance(key, str) and key.isidentifier():
            return self.attribute(key)
        shown = json.dumps(key) if isinstance(key, str) else to_text(key)
        return Symbol(f"{self.text}[{shown}]", self.scope)

    def items(self) -> list[Any]:
        """Returns the items of a splat."""
        raise Unknown

    def instances(self) -> dict[str, Any]:
        """Returns the instances of a resource with `for_each`, by their keys."""
        raise Unknown

    def placeholder(self) -> Any:
        """Returns the placeholder that is its value."""
        return self.scope.context.stand_in(self.text, self.scope.prefix)


class Namespace:
    """The first word of a reference, whose attributes are looked up in a way of their own."""

    def __init__(self, lookup: Callable[[str], Any]) -> None:
        self.attribute = lookup


class Scope:
    """Evaluates expressions where the given names are bound: `each`, `count`, the names of loops and namespaces."""

    def __init__(self, context: Context, folder: Path, bound: Mapping[str, Any], prefix: str = "") -> None:
        self.context, self.folder, self.bound, self.prefix = context, folder, bound, prefix

    def binding(self, **names: Any) -> Scope:
        """Returns the same scope with more names bound."""
        return Scope(self.context, self.folder, {**self.bound, **names}, self.prefix)

    def value(self, expr: Expr) -> Any:
        """Returns the value of an expression; where it is not known, a placeholder for it."""
        try:
            return self.strict(expr)
        except FAULTS:
            return self.context.stand_in(expr.text, self.prefix)

    def known(self, expr: Expr) -> Any:
        """Returns the value of an expression, computed with what Terraform's variables hold. Raises `Unknown`."""
        try:
            return self.context.fill_placeholders(self.strict(expr))
        except FAULTS:
            raise Unknown from None

    def strict(self, expr: Expr) -> Any:
        """Returns the value of an expression. Raises one of `FAULTS` where it is not known."""
        made = self.raw(expr)
        if isinstance(made, Namespace):
            raise Unknown
        return made.placeholder() if isinstance(made, Symbol) else made

    def raw(self, expr: Expr) -> Any:
        """Returns the value of an expression, or a `Symbol` or `Namespace`."""
        self.context.spend()
        made = _EVALUATORS[type(expr)](self, expr)
        if isinstance(made, str):
            self.context.spend(len(made) // 64)
            # Terraform compares and counts the letters of é, however it is written.
            return unicodedata.normalize("NFC", made)
        return made

    # --- references ---

    def _name(self, expr: syntax.Name) -> Any:
        if expr.name in self.bound:
            return self.bound[expr.name]
        if expr.name in ("each", "count", "self", ""):
            raise Unknown
        return Symbol(expr.name, self)

    def _attribute(self, expr: syntax.Attribute) -> Any:
        target = self.raw(expr.target)
        # Other than an index, a name is never the key of an instance; `x.0` is an index in the old syntax.
        is_name = isinstance(target, Symbol) and expr.name.isidentifier()
        return target.attribute(expr.name) if is_name else self._element_of(target, expr.name)

    def _index(self, expr: syntax.Index) -> Any:
        return self._element_of(self.raw(expr.target), self.context.fill_placeholders(self.strict(expr.key)))

    def _element_of(self, target: Any, key: Any) -> Any:
        if isinstance(target, Namespace):
            return target.attribute(str(key))
        if isinstance(target, Symbol):
            return target.index(key)
        if placeholder_name(target):
            target = self.context.fill_placeholders(target)
        if isinstance(target, dict):
            return target[to_text(key)]
        number = to_whole(key)
        if not isinstance(target, list) or isinstance(target, SetOf) or not 0 <= number < len(target):
            raise Unknown
        return target[number]

    def _splat(self, expr: syntax.Splat) -> Any:
        target = self.raw(expr.target)
        if isinstance(target, Symbol):
            items = target.items()
        elif isinstance(target, list):
            items = target
        elif placeholder_name(target):
            target = self.context.fill_placeholders(target)
            items = target if isinstance(target, list) else [target]
        else:
            items = [] if target is None else [target]
        return [self.binding(**{"": one}).strict(expr.rest) for one in items]

    # --- operators ---

    def _pairs(self, expr: syntax.Pairs) -> dict[str, Any]:
        return {to_text(self.context.fill_placeholders(self.strict(key))): self.value(item) for key, item in expr.pairs}

    def _unary(self, expr: syntax.Unary) -> Any:
        value = self.context.fill_placeholders(self.strict(expr.operand))
        return not to_truth(value) if expr.mark == "!" else -to_number(value)

    def _binary(self, expr: syntax.Binary) -> Any:
        if expr.mark in ("&&", "||"):
            return self._logical(expr)
        left, right = (self.context.fill_placeholders(self._operand(one, expr)) for one in (expr.left, expr.right))
        if expr.mark in ("==", "!="):
            return equal(left, right) is (expr.mark == "==")
        one, other = to_decimal(left), to_decimal(right)
        made = _OPERATORS[expr.mark](one, other)
        return made if isinstance(made, bool) else plain_number(made)

    def _operand(self, operand: Expr, expr: syntax.Binary) -> Any:
        value = self.strict(operand)
        # A resource's attribute is never null once it is made, but what it is is not known before.
        if expr.mark in ("==", "!=") and isinstance(value, list | dict):
            other = expr.right if operand is expr.left else expr.left
            if isinstance(other, syntax.Literal) and other.value is None:
                return "not null"
        return value

    def _logical(self, expr: syntax.Binary) -> bool:
        """Evaluates `&&` and `||`: one side may decide though the other is not known."""
        deciding = expr.mark == "||"
        found = []
        for side in (expr.left, expr.right):
            try:
                found.append(to_truth(self.known(side)))
            except Unknown:
                continue
            if found[-1] is deciding:
                return deciding
        if len(found) < 2:
            raise Unknown
        return not deciding

    def _conditional(self, expr: syntax.Conditional) -> Any:
        chosen, other = (expr.yes, expr.no) if to_truth(self.known(expr.condition)) else (expr.no, expr.yes)
        value = self.raw(chosen)
        # The result has one type: a number beside a text is a text.
        is_text = isinstance(other, syntax.Template) and _single_interpolation(other) is None
        return to_text(value) if is_text and (is_number(value) or isinstance(value, bool)) else value

    # --- loops ---

    def _for(self, expr: syntax.For) -> Any:
        pairs = self._selected_scopes(expr)
        if expr.key is None:
            return [scope.value(expr.value) for scope in pairs]
        out: dict[str, Any] = {}
        for scope in pairs:
            key = to_text(self.context.fill_placeholders(scope.strict(expr.key)))
            if expr.grouped:
                out.setdefault(key, []).append(scope.value(expr.value))
            elif key in out:
                raise Unknown
            else:
                out[key] = scope.value(expr.value)
        return out

    def _selected_scopes(self, expr: syntax.For) -> list[Scope]:
        scopes = self._rounds(expr.names, expr.collection)
        return scopes if expr.condition is None else [one for one in scopes if to_truth(one.known(expr.condition))]

    def collection(self, expr: Expr) -> Any:
        """Returns what a loop goes through, also another resource with `for_each`. Raises one of `FAULTS`."""
        value = self.raw(expr)
        if isinstance(value, Symbol):
            return value.instances()
        return self.context.fill_placeholders(value) if isinstance(value, str) else value

    def _rounds(self, names: tuple[str, ...], collection: Expr) -> list[Scope]:
        pairs = pairs_of(self.collection(collection))
        self.context.spend(len(pairs))
        # A single name is that of the value.
        return [self.binding(**{names[0]: key, names[-1]: value}) for key, value in pairs]

    # --- templates ---

    def _template(self, expr: syntax.Template) -> Any:
        code = _single_interpolation(expr)
        if code:
            return self.raw(hcl.expression(code.text, expr.line))
        return self._render_parts(template_parts(expr.raw, expr.quoted, expr.flush), expr.line)

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Returns a template that is a file of its own, filled with `values`. Raises one of `FAULTS`."""
        return Scope(self.context, self.folder, values, self.prefix)._render_parts(template_parts(text), 0)

    def _render_parts(self, parts: tuple[syntax.Part, ...], line: int) -> str:
        made = "".join(self._render_part(one, line) for one in parts)
        self.context.spend(len(made) // 64)
        return made

    def _render_part(self, part: syntax.Part, line: int) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, Code):
            return self.text(self.value(hcl.expression(part.text, line)))
        if isinstance(part, If):
            chosen = to_truth(self.known(hcl.expression(part.condition, line)))
            return self._render_parts(part.yes if chosen else part.no, line)
        assert isinstance(part, Loop)
        scopes = self._rounds(part.names, hcl.expression(part.collection, line))
        return "".join(scope._render_parts(part.body, line) for scope in scopes)

    def text(self, value: Any) -> str:
        """Returns a value within a text. Raises `Unknown` for a collection and for null."""
        name = placeholder_name(value)
        if name and self.context.names.variables[name].type == "list":
            raise Unknown
        return to_text(value)

    # --- functions ---

    def _call(self, expr: syntax.Call) -> Any:
        special = SPECIAL.get(expr.name)
        if special:
            return special(self, expr)
        args = self.arguments(expr)
        if expr.name in LENIENT:
            made = LENIENT[expr.name](*(self.structure(one, expr.name, at) for at, one in enumerate(args)))
        elif expr.name in ("tostring", "tonumber", "tobool") and (args[0] is None or placeholder_name(args[0])):
            made = args[0]
        elif expr.name in FUNCTIONS:
            made = FUNCTIONS[expr.name](*map(self.context.fill_placeholders, args))
        else:
            raise Unknown
        self.context.spend(len(made) // 8 if isinstance(made, str | list | dict) else 0)
        return made

    def arguments(self, expr: syntax.Call) -> list[Any]:
        """Returns the arguments of a call; the last may be a list of them."""
        args = [self.value(one) for one in expr.args]
        if expr.spread:
            last = args.pop()
            last = self.context.fill_placeholders(last) if isinstance(last, str) else last
            if not isinstance(last, list):
                raise Unknown
            args += last
        return args

    def structure(self, value: Any, function: str, at: int) -> Any:
        """Returns an argument of a function that only passes elements on.

        Keys, indexes and whole lists have to be known.
        """
        passed = function in ("list", "map", "sensitive", "nonsensitive") or (function == "lookup" and at > 1)
        return value if isinstance(value, list | dict) or passed else self.context.fill_placeholders(value)


def _single_interpolation(expr: syntax.Template) -> Code | None:
    """Returns the `${ }` that is all of a template, whose value then keeps its type; None for a text."""
    parts = template_parts(expr.raw, expr.quoted, expr.flush)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Code) else None


_OPERATORS: Mapping[str, Callable[[Decimal, Decimal], Any]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "%": lambda one, other: one % other,
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}
_EVALUATORS: Mapping[type[Expr], Callable[[Scope, Any], Any]] = {
    syntax.Literal: lambda _, expr: expr.value,
    syntax.Template: Scope._template,
    syntax.Items: lambda scope, expr: [scope.value(one) for one in expr.items],
    syntax.Pairs: Scope._pairs,
    syntax.Name: Scope._name,
    syntax.Attribute: Scope._attribute,
    syntax.Index: Scope._index,
    syntax.Splat: Scope._splat,
    syntax.Call: Scope._call,
    syntax.Unary: Scope._unary,
    syntax.Binary: Scope._binary,
    syntax.Conditional: Scope._conditional,
    syntax.For: Scope._for,
}
