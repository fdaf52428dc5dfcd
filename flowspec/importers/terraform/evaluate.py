"""Evaluates the expressions of a Terraform configuration as far as the configuration alone determines them.

A root module's variable is a placeholder that keeps its name in what is made of it. Where an operation has to know
the value (a comparison, arithmetic, `upper`), it is computed with the value that Terraform would use, and `used`
collects the variable so that a note can name it. What only Terraform or AWS can tell (attributes of resources,
data sources, the time) is a placeholder too, for a variable without a default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from flowspec.importers.decompile.placeholders import PLACEHOLDER, placeholder_name, substitute
from flowspec.importers.names import Names
from flowspec.importers.terraform import hcl, syntax
from flowspec.importers.terraform.functions import FUNCTIONS, LENIENT, jsonencode
from flowspec.importers.terraform.syntax import Code, Expr, If, Loop, SyntaxFault, template_parts
from flowspec.importers.terraform.values import (
    SetOf,
    Unknown,
    equal,
    has_placeholder,
    is_number,
    plain_number,
    to_number,
    to_text,
    to_truth,
)

# Evaluated nodes and elements, over all of an import; 200 clusters of 100 lines take some 50,000.
_BUDGET = 1_000_000
_LARGEST_FILE = 10_000_000
# What a function raises for arguments that it does not take.
_FAULTS = (Unknown, SyntaxFault, ArithmeticError, LookupError, TypeError, ValueError, StopIteration, RecursionError)


class TooMuchWork(Exception):
    """The expressions of a configuration take more work than any real one."""


@dataclass
class Context:
    """The state that all modules of an import share.

    `known` are the values that the variables of `names` have in Terraform, `shown` how Terraform calls them;
    `used` are those that something was computed from. Files are read from `folders` only; the first is the root's.
    """

    folders: tuple[Path, ...]
    names: Names = field(default_factory=Names)
    known: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    spent: int = 0

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def inputs(self) -> str:
        """Returns the variables that something was computed from, for a note."""
        names = sorted(self.used)
        return f"the value of {names[0]}" if len(names) == 1 else f"the values of {', '.join(names)}"

    def spend(self, amount: int = 1) -> None:
        """Counts work. Raises `TooMuchWork`."""
        self.spent += amount
        if self.spent > _BUDGET:
            raise TooMuchWork

    def concrete(self, value: Any) -> Any:
        """Fills placeholders with the values that Terraform uses. Raises `Unknown` where one has none.

        Nor is anything computed from a sensitive value: the result would be in the spec.
        """
        if not has_placeholder(value):
            return value
        names = set(PLACEHOLDER.findall(json.dumps(value, ensure_ascii=False)))
        if not names <= self.known.keys() or any(self.names.variables[one].rules.get("sensitive") for one in names):
            raise Unknown
        self.used |= {self.shown.get(one, one) for one in names}
        return _filled(value, self.known)

    def stand_in(self, expr: str, prefix: str = "", default: Any = None) -> str:
        """Returns the placeholder of a variable for what only Terraform can tell."""
        shown = " ".join(expr.split())
        text = f"in Terraform: {prefix}{shown}".replace("{{", "{ {").replace("{%", "{ %")
        rules = {"sensitive": True} if self._is_sensitive(shown) else {}
        return self.names.stand_in(PLACEHOLDER.sub(r"\1", text), stem(shown), default, **rules)

    def _is_sensitive(self, shown: str) -> bool:
        secret = [name for name, one in self.names.variables.items() if one.rules.get("sensitive")]
        return any(re.search(rf"\bvar\.{re.escape(name)}\b", shown) for name in secret)

    def read(self, name: str, folder: Path) -> str:
        """Returns the text of a file of the configuration. Raises `Unknown`."""
        try:
            path = (folder / name).resolve()
            if not any(one in path.parents for one in self.folders) or path.stat().st_size > _LARGEST_FILE:
                raise Unknown
            return path.read_text("utf-8")
        except (OSError, ValueError):
            raise Unknown from None


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Fills placeholders as `placeholders.filled` does, with numbers in texts as Terraform writes them."""
    if isinstance(value, SetOf):
        return SetOf(_filled(one, known) for one in value)
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if isinstance(value, dict):
        return {_filled(key, known): _filled(item, known) for key, item in value.items()}
    if isinstance(value, str) and not placeholder_name(value):
        return PLACEHOLDER.sub(lambda found: to_text(known[found[1]]), value)
    return substitute(value, known)


def stem(shown: str) -> str:
    """Returns the name of a variable for an expression."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"^data\.", "", shown.removeprefix("module.")))
    return "_".join(words[-3:])[-60:] or "value"


class Symbol:
    """A reference to something whose value is not in the configuration. `text` is how Terraform writes it."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope

    def attribute(self, name: str) -> Any:
        """Returns an attribute of it."""
        return Symbol(f"{self.text}.{name}", self.scope)

    def index(self, key: Any) -> Any:
        """Returns an element of it."""
        shown = json.dumps(key) if isinstance(key, str) else to_text(key)
        return Symbol(f"{self.text}[{shown}]", self.scope)

    def items(self) -> list[Any]:
        """Returns the items of a splat."""
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
        except _FAULTS:
            return self.context.stand_in(expr.text, self.prefix)

    def known(self, expr: Expr) -> Any:
        """Returns the value of an expression, computed with what Terraform's variables hold. Raises `Unknown`."""
        try:
            return self.context.concrete(self.strict(expr))
        except _FAULTS:
            raise Unknown from None

    def strict(self, expr: Expr) -> Any:
        """Returns the value of an expression. Raises one of `_FAULTS` where it is not known."""
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
        return made

    # --- references ---

    def _name(self, expr: syntax.Name) -> Any:
        if expr.name in self.bound:
            return self.bound[expr.name]
        if expr.name in ("each", "count", "self", ""):
            raise Unknown
        return Symbol(expr.name, self)

    def _attribute(self, expr: syntax.Attribute) -> Any:
        return self._descend(self.raw(expr.target), expr.name)

    def _index(self, expr: syntax.Index) -> Any:
        return self._descend(self.raw(expr.target), self.context.concrete(self.strict(expr.key)))

    def _descend(self, target: Any, key: Any) -> Any:
        if isinstance(target, Namespace):
            return target.attribute(str(key))
        if isinstance(target, Symbol):
            return target.attribute(key) if isinstance(key, str) and key.isidentifier() else target.index(key)
        if placeholder_name(target):
            target = self.context.concrete(target)
        if isinstance(target, dict):
            return target[to_text(key)]
        number = to_number(key)
        if not isinstance(target, list) or isinstance(target, SetOf) or not 0 <= number < len(target):
            raise Unknown
        return target[int(number)]

    def _splat(self, expr: syntax.Splat) -> Any:
        target = self.raw(expr.target)
        if isinstance(target, Symbol):
            items = target.items()
        elif isinstance(target, list):
            items = target
        elif placeholder_name(target):
            target = self.context.concrete(target)
            items = target if isinstance(target, list) else [target]
        else:
            items = [] if target is None else [target]
        return [self.binding(**{"": one}).strict(expr.rest) for one in items]

    # --- operators ---

    def _literal(self, expr: syntax.Literal) -> Any:
        return expr.value

    def _items(self, expr: syntax.Items) -> list[Any]:
        return [self.value(one) for one in expr.items]

    def _pairs(self, expr: syntax.Pairs) -> dict[str, Any]:
        return {to_text(self.context.concrete(self.strict(key))): self.value(item) for key, item in expr.pairs}

    def _unary(self, expr: syntax.Unary) -> Any:
        value = self.context.concrete(self.strict(expr.operand))
        return not to_truth(value) if expr.mark == "!" else -to_number(value)

    def _binary(self, expr: syntax.Binary) -> Any:
        if expr.mark in ("&&", "||"):
            return self._logical(expr)
        left, right = (self.context.concrete(self._operand(one, expr)) for one in (expr.left, expr.right))
        if expr.mark in ("==", "!="):
            return equal(left, right) is (expr.mark == "==")
        one, other = Decimal(repr(to_number(left))), Decimal(repr(to_number(right)))
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
        if (is_number(value) or isinstance(value, bool)) and isinstance(other, syntax.Template):
            return to_text(value)
        return value

    # --- loops ---

    def _for(self, expr: syntax.For) -> Any:
        pairs = self._selected(expr)
        if expr.key is None:
            return [scope.value(expr.value) for scope in pairs]
        out: dict[str, Any] = {}
        for scope in pairs:
            key = to_text(self.context.concrete(scope.strict(expr.key)))
            if expr.grouped:
                out.setdefault(key, []).append(scope.value(expr.value))
            elif key in out:
                raise Unknown
            else:
                out[key] = scope.value(expr.value)
        return out

    def _selected(self, expr: syntax.For) -> list[Scope]:
        scopes = [self.binding(**bound) for bound in self._bindings(expr.names, self._collection(expr.collection))]
        if expr.condition is None:
            return scopes
        return [scope for scope in scopes if to_truth(scope.known(expr.condition))]

    def _collection(self, expr: Expr) -> Any:
        value = self.strict(expr)
        return self.context.concrete(value) if isinstance(value, str) else value

    def _bindings(self, names: tuple[str, ...], collection: Any) -> Iterator[dict[str, Any]]:
        for key, value in pairs_of(collection):
            self.context.spend()
            yield {names[0]: value} if len(names) == 1 else {names[0]: key, names[1]: value}

    # --- templates ---

    def _template(self, expr: syntax.Template) -> Any:
        parts = template_parts(expr.raw, expr.quoted, expr.flush)
        if len(parts) == 1 and isinstance(parts[0], Code):
            return self.raw(hcl.expression(parts[0].text, expr.line))
        return self._joined(parts, expr.line)

    def render(self, text: str) -> str:
        """Returns a template that is a file of its own. Raises one of `_FAULTS`."""
        return self._joined(template_parts(text), 0)

    def _joined(self, parts: tuple[syntax.Part, ...], line: int) -> str:
        made = "".join(self._part(one, line) for one in parts)
        self.context.spend(len(made) // 64)
        return made

    def _part(self, part: syntax.Part, line: int) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, Code):
            return self.text(self.value(hcl.expression(part.text, line)))
        if isinstance(part, If):
            chosen = to_truth(self.known(hcl.expression(part.condition, line)))
            return self._joined(part.yes if chosen else part.no, line)
        assert isinstance(part, Loop)
        collection = self._collection(hcl.expression(part.collection, line))
        scopes = [self.binding(**bound) for bound in self._bindings(part.names, collection)]
        return "".join(scope._joined(part.body, line) for scope in scopes)

    def text(self, value: Any) -> str:
        """Returns a value within a text. Raises `Unknown` for a collection and for null."""
        name = placeholder_name(value)
        if name and self.context.names.variables[name].type == "list":
            raise Unknown
        return to_text(value)

    # --- functions ---

    def _call(self, expr: syntax.Call) -> Any:
        special = _SPECIAL.get(expr.name)
        if special:
            return special(self, expr)
        args = self.arguments(expr)
        if expr.name in LENIENT:
            made = LENIENT[expr.name](*(self._structure(one, expr.name, at) for at, one in enumerate(args)))
        elif expr.name in ("tostring", "tonumber", "tobool") and (args[0] is None or placeholder_name(args[0])):
            made = args[0]
        elif expr.name in FUNCTIONS:
            made = FUNCTIONS[expr.name](*map(self.context.concrete, args))
        else:
            raise Unknown
        self.context.spend(len(made) // 8 if isinstance(made, str | list | dict) else 0)
        return made

    def arguments(self, expr: syntax.Call) -> list[Any]:
        """Returns the arguments of a call; the last may be a list of them."""
        args = [self.value(one) for one in expr.args]
        if expr.spread:
            last = args.pop()
            last = self.context.concrete(last) if isinstance(last, str) else last
            if not isinstance(last, list):
                raise Unknown
            args += last
        return args

    def _structure(self, value: Any, function: str, at: int) -> Any:
        """Returns an argument of a function that only passes elements on.

        Keys, indexes and whole lists have to be known.
        """
        passed = function in ("list", "map", "sensitive", "nonsensitive") or (function == "lookup" and at > 1)
        return value if isinstance(value, list | dict) or passed else self.context.concrete(value)

    def _join(self, expr: syntax.Call) -> str:
        mark, *lists = (self._structure(one, "join", at) for at, one in enumerate(self.arguments(expr)))
        return to_text(mark).join(self.text(item) for one in lists for item in _list(one))

    def _format(self, expr: syntax.Call) -> Any:
        args = self.arguments(expr)
        pattern = self.context.concrete(args[0])
        verbs = [verb for verb in re.findall(r"%[^a-zA-Z%]*[a-zA-Z%]", pattern) if not verb.endswith("%")]
        kept = [
            self.text(one) if verb in ("%s", "%v") and isinstance(one, str) else self.context.concrete(one)
            for verb, one in zip(verbs, args[1:], strict=True)
        ]
        return FUNCTIONS["format"](pattern, *kept)

    def _rounded(self, expr: syntax.Call) -> int:
        """Evaluates ceil and floor, of a quotient too that no float is equal to."""
        (operand,) = expr.args
        rounding = ROUND_CEILING if expr.name == "ceil" else ROUND_FLOOR
        if isinstance(operand, syntax.Binary) and operand.mark == "/":
            one, other = (Decimal(repr(to_number(self.known(side)))) for side in (operand.left, operand.right))
            return int((one / other).to_integral_value(rounding))
        return int(Decimal(repr(to_number(self.known(operand)))).to_integral_value(rounding))

    def _coalesce(self, expr: syntax.Call) -> Any:
        for one in self.arguments(expr):
            name = placeholder_name(one)
            held = self.context.known.get(name, one) if name else one
            if held not in (None, ""):
                return one
            self.context.used |= {self.context.shown.get(name, name)} if name else set()
        raise Unknown

    def _jsonencode(self, expr: syntax.Call) -> str:
        (value,) = self.arguments(expr)
        return self._json(value)

    def _json(self, value: Any) -> str:
        """Returns JSON in which a placeholder stays: within quotes for a text, without them for a number."""
        if isinstance(value, dict):
            inner = ",".join(f"{self._json(key)}:{self._json(value[key])}" for key in sorted(value))
            return f"{{{inner}}}"
        if isinstance(value, list):
            return f"[{','.join(map(self._json, value))}]"
        if isinstance(value, str) and has_placeholder(value):
            return self._opened_json(value)
        return jsonencode(value)

    def _opened_json(self, value: str) -> str:
        """Returns a text with placeholders as JSON.

        What they hold is written out where JSON would have to escape it.
        """
        name = placeholder_name(value)
        held = self.context.known.get(name, "") if name else ""
        if isinstance(held, list | dict):
            return self._json(self.context.concrete(value))
        if not isinstance(held, str):
            return value
        texts = [self.context.known.get(one, "") for one in PLACEHOLDER.findall(value)]
        plain = all(json.dumps(one) == f'"{one}"' for one in texts)
        return jsonencode(value if plain else self.context.concrete(value))

    def _try(self, expr: syntax.Call) -> Any:
        """Returns the first argument without an error; what depends on AWS has none as far as is known."""
        for one in expr.args:
            try:
                return self.strict(one)
            except (LookupError, TypeError, ValueError, ArithmeticError):
                continue
            except Unknown:
                if _certainly_fails(self, one):
                    continue
                raise
        raise Unknown

    def _can(self, expr: syntax.Call) -> bool:
        try:
            self.known(expr.args[0])
        except Unknown:
            if _certainly_fails(self, expr.args[0]):
                return False
            raise
        return True

    def _file(self, expr: syntax.Call) -> str:
        (name,) = self.arguments(expr)
        return self.context.read(to_text(self.context.concrete(name)), self._root())

    def _file_hash(self, expr: syntax.Call) -> Any:
        return FUNCTIONS[expr.name.removeprefix("file")](self._file(expr))

    def _file_base64(self, expr: syntax.Call) -> Any:
        return FUNCTIONS["base64encode"](self._file(expr))

    def _file_exists(self, expr: syntax.Call) -> bool:
        try:
            self._file(expr)
        except Unknown:
            path = self._root() / to_text(self.known(expr.args[0]))
            if path.exists():
                raise
            return False
        return True

    def _template_file(self, expr: syntax.Call) -> str:
        name, values = self.arguments(expr)
        if not isinstance(values, dict):
            raise Unknown
        text = self.context.read(to_text(self.context.concrete(name)), self._root())
        return Scope(self.context, self.folder, values, self.prefix).render(text)

    def _root(self) -> Path:
        """Returns the folder that relative paths begin at, which is the root module's."""
        return self.context.folders[0]


def _certainly_fails(scope: Scope, expr: Expr) -> bool:
    """Returns True if an expression is an attribute or element that a known value does not have."""
    if not isinstance(expr, syntax.Attribute | syntax.Index):
        return False
    try:
        target = scope.context.concrete(scope.strict(expr.target))
        key: Any = expr.name if isinstance(expr, syntax.Attribute) else scope.known(expr.key)
    except _FAULTS:
        return _certainly_fails(scope, expr.target)
    if isinstance(target, dict):
        return key not in target
    return target is None or (isinstance(target, list) and is_number(key) and key >= len(target))


def pairs_of(collection: Any) -> list[tuple[Any, Any]]:
    """Returns the keys and values of a collection, in Terraform's order. Raises `Unknown` for what is none."""
    if isinstance(collection, dict):
        return [(key, collection[key]) for key in sorted(collection)]
    if isinstance(collection, SetOf):
        return [(one, one) for one in collection]
    if isinstance(collection, list):
        return list(enumerate(collection))
    raise Unknown


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unknown
    return value


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
    syntax.Literal: Scope._literal,
    syntax.Template: Scope._template,
    syntax.Items: Scope._items,
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
_SPECIAL: Mapping[str, Callable[[Scope, syntax.Call], Any]] = {
    "can": Scope._can,
    "ceil": Scope._rounded,
    "floor": Scope._rounded,
    "coalesce": Scope._coalesce,
    "file": Scope._file,
    "filebase64": Scope._file_base64,
    "fileexists": Scope._file_exists,
    "filemd5": Scope._file_hash,
    "filesha1": Scope._file_hash,
    "filesha256": Scope._file_hash,
    "format": Scope._format,
    "join": Scope._join,
    "jsonencode": Scope._jsonencode,
    "templatefile": Scope._template_file,
    "try": Scope._try,
}
