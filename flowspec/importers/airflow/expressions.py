"""Python's expressions -> values, without running any code. What can't be known is a placeholder."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from flowspec.importers.names import Names
from flowspec.importers.placeholders import MARKS, PLACEHOLDER

_DEEPEST = 50
# Texts and lists that are repeated or put together; a launch script has far less.
_LONGEST = 1_000_000
# Methods of a text that is known.
_ON_TEXTS = ("lower", "upper", "strip", "replace", "rstrip", "lstrip", "split")
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    **dict.fromkeys(("list", "copy.deepcopy", "deepcopy"), lambda one: one),
}
# Calls of the module's functions, and rounds of its comprehensions; some modules have hundreds.
_MOST_ROUNDS = 10_000
# All values that are read or made, in characters: each costs time, and the spec that they make is written and checked.
# A module of 250 Spark steps was measured to have 1,200,000.
_MOST_READ = 10_000_000
# What an item of a list or dict takes besides its text: about its bytes in memory.
_ITEM = 50


class Unknown(Exception):
    """A value that is only known when the module runs."""


class Expressions:
    """Evaluates the expressions of a module.

    `assigned` has each name that is assigned once, with its expression; `functions` are those of the module.
    """

    def __init__(
        self,
        text: str,
        assigned: Mapping[str, ast.expr],
        names: Names,
        functions: Mapping[str, ast.FunctionDef] = MappingProxyType({}),
    ) -> None:
        self.text, self.assigned, self.names, self.functions = text, assigned, names, functions
        self._depth = self._rounds = self._read = 0
        # The parameters and variables of the function, and of the comprehension, that is evaluated.
        self._locals: dict[str, Any] = {}
        self._done: dict[str, Any] = {}
        # The names whose values are being read: one that needs itself is not known.
        self._open_names: set[str] = set()

    def value(self, node: ast.expr) -> Any:
        """Returns the value of an expression, or a placeholder for one that is not known.

        Raises RecursionError where expressions are nested too deeply, MemoryError where the values grow too large.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RecursionError
        try:
            made = _EVALUATED[type(node)](self, node) if type(node) in _EVALUATED else self._stand_in(node)
        except (Unknown, TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            made = self._stand_in(node)
        finally:
            self._depth -= 1
        self._count(made)
        return made

    def _count(self, value: Any) -> None:
        """Adds the size of a value to that of all that was read; raises MemoryError when it is too much."""
        self._read += _ITEM + (len(value) if isinstance(value, str) else 0)
        if self._read > _MOST_READ:
            raise MemoryError
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._count(item)

    def _stand_in(self, node: ast.expr) -> str:
        shown = " ".join((ast.get_source_segment(self.text, node) or "").split())
        # One expression of a function has another value in each call of it.
        used = sorted({one.id for one in ast.walk(node) if isinstance(one, ast.Name)} & self._locals.keys())
        shown += PLACEHOLDER.sub(r"{\1}", "".join(f", {name} = {self._locals[name]}" for name in used))
        return self.names.stand_in(f"in the module: {shown}", _name_for(node).lower())

    def _name(self, node: ast.Name) -> Any:
        if node.id in self._locals:
            return self._locals[node.id]
        if node.id not in self.assigned or node.id in self._open_names:
            raise Unknown
        if node.id not in self._done:
            self._open_names.add(node.id)
            self._done[node.id] = self._evaluate_with_locals({}, lambda: self.value(self.assigned[node.id]))
            self._open_names.discard(node.id)
        return self._done[node.id]

    def _evaluate_with_locals(self, variables: dict[str, Any], evaluate: Callable[[], Any]) -> Any:
        """Returns what `evaluate` gives with these local variables."""
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            raise Unknown
        before, self._locals = self._locals, variables
        try:
            return evaluate()
        finally:
            self._locals = before

    def each_round(self, loop: ast.For, node: ast.expr) -> list[Any]:
        """Returns the value of an expression in the body of a loop, for each round; nothing where that is not certain.

        It is not where the body assigns a name that the expression needs.
        """
        set_inside = {
            one.id
            for line in loop.body
            for one in ast.walk(line)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        if loop.orelse or any(isinstance(one, ast.Name) and one.id in set_inside for one in ast.walk(node)):
            return []
        try:
            return self._evaluate_loops([ast.comprehension(loop.target, loop.iter, [], 0)], node)
        except (Unknown, TypeError, ValueError):
            return []

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        return self._evaluate_loops(node.generators, node.elt)

    def _evaluate_loops(self, loops: list[ast.comprehension], item: ast.expr) -> list[Any]:
        """Returns the value of `item` in each round of the loops."""
        if not loops:
            return [self.value(item)]
        loop, *inner = loops
        over = self.value(loop.iter)
        if loop.ifs or not isinstance(over, list):
            raise Unknown
        rounds = ({**self._locals, **_unpack_target(loop.target, one)} for one in over)
        return [
            made
            for one in rounds
            for made in self._evaluate_with_locals(one, partial(self._evaluate_loops, inner, item))
        ]

    def _call_function(self, node: ast.Call, function: ast.FunctionDef) -> Any:
        """Returns what a function of the module returns that assigns variables and ends with `return`."""
        if function.name in self._open_names or function.decorator_list:
            raise Unknown
        given = self._list(ast.List(node.args))
        named = {str(one.arg): self.value(one.value) for one in node.keywords if one.arg}
        if len(named) < len(node.keywords):
            raise Unknown
        bound = self._signature(function.args).bind(*given, **named)
        bound.apply_defaults()
        variables = {name: [*one] if isinstance(one, tuple) else one for name, one in bound.arguments.items()}
        self._open_names.add(function.name)
        try:
            return self._evaluate_with_locals(variables, lambda: self._run_body(function.body))
        finally:
            self._open_names.discard(function.name)

    def _run_body(self, body: list[ast.stmt]) -> Any:
        for line in body:
            if isinstance(line, ast.Return) and line.value is not None:
                return self.value(line.value)
            if isinstance(line, ast.Assign) and len(line.targets) == 1:
                self._locals |= _unpack_target(line.targets[0], self.value(line.value))
            elif not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)):
                raise Unknown
        raise Unknown

    def _signature(self, args: ast.arguments) -> inspect.Signature:
        plain = [*args.posonlyargs, *args.args]
        nodes = [*([None] * (len(plain) - len(args.defaults))), *args.defaults]
        kinds = inspect.Parameter

        def make_parameter(one: ast.arg, kind: Any, node: ast.expr | None) -> inspect.Parameter:
            default = kinds.empty if node is None else self._evaluate_with_locals({}, lambda: self.value(node))
            return kinds(one.arg, kind, default=default)

        rows = [
            *((one, kinds.POSITIONAL_OR_KEYWORD, node) for one, node in zip(plain, nodes, strict=True)),
            (args.vararg, kinds.VAR_POSITIONAL, None),
            *((one, kinds.KEYWORD_ONLY, node) for one, node in zip(args.kwonlyargs, args.kw_defaults, strict=True)),
            (args.kwarg, kinds.VAR_KEYWORD, None),
        ]
        return inspect.Signature([make_parameter(one, kind, node) for one, kind, node in rows if one])

    def _dict(self, node: ast.Dict) -> Any:
        out: dict[str, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item)
            if key is None and not isinstance(value, dict):
                raise Unknown
            out |= value if key is None else {str(self.value(key)): value}
        return out

    def _list(self, node: ast.List | ast.Tuple) -> Any:
        out: list[Any] = []
        for item in node.elts:
            starred = isinstance(item, ast.Starred)
            value = self.value(item.value if isinstance(item, ast.Starred) else item)
            if starred and not isinstance(value, list):
                raise Unknown
            out += value if starred else [value]
        return out

    def _joined(self, node: ast.JoinedStr) -> Any:
        return "".join(str(self.value(part)) for part in node.values)

    def _formatted(self, node: ast.FormattedValue) -> Any:
        if node.format_spec or node.conversion not in (-1, 115):
            raise Unknown
        return self.value(node.value)

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and type(left) is type(right):
            return _check_length(left + right)
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and set(_directives(left)) <= {"s", "d", "%"}:
            return _check_length(left % (tuple(right) if isinstance(right, list) else right))
        if isinstance(node.op, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
            return left | right
        raise Unknown

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        raise Unknown

    def _subscript(self, node: ast.Subscript) -> Any:
        if ast.unparse(node.value) == "os.environ":
            return self._environment(str(self.value(node.slice)), None)
        value, key = self.value(node.value), self.value(node.slice)
        if not isinstance(value, dict | list):
            raise Unknown
        return value[key]

    def _call(self, node: ast.Call) -> Any:
        called = ast.unparse(node.func)
        if called in self.functions:
            return self._call_function(node, self.functions[called])
        args = [self.value(one) for one in node.args]
        if called in ("os.getenv", "os.environ.get"):
            return self._environment(args[0], args[1] if len(args) > 1 else None)
        if called.endswith("Variable.get"):
            return self._airflow_variable(node, args)
        if called == "dict" and not args and all(one.arg for one in node.keywords):
            return {str(one.arg): self.value(one.value) for one in node.keywords}
        if isinstance(node.func, ast.Attribute) and not node.keywords:
            return self._method(self.value(node.func.value), node.func.attr, args)
        if called in _CONVERSIONS and len(args) == 1 and not _has_placeholder(args[0]):
            return _CONVERSIONS[called](args[0])
        raise Unknown

    def _method(self, owner: Any, name: str, args: list[Any]) -> Any:
        if name == "get" and isinstance(owner, dict) and len(args) in (1, 2) and not any(map(_has_placeholder, owner)):
            return owner.get(_plain(args[0]), args[1] if len(args) > 1 else None)
        if name == "copy" and isinstance(owner, dict | list):
            return owner.copy()
        if name == "items" and isinstance(owner, dict) and not args:
            return [[key, value] for key, value in owner.items()]
        if name == "join" and isinstance(owner, str) and len(args) == 1 and isinstance(args[0], list):
            _refuse_longer(owner, len(args[0]), [owner, *args[0]])
            return owner.join(args[0])
        if not isinstance(owner, str) or not all(isinstance(one, str) for one in args):
            raise Unknown
        # What stands for an unknown text has other letters: nothing is to be looked for in it, nor it in others.
        if name in _ON_TEXTS and not any(map(_has_placeholder, [owner, *args[:1]])):
            _refuse_longer(owner, owner.count(args[0]) if name == "replace" else 0, args)
            return getattr(owner, name)(*args)
        if name == "format" and _simple_format(owner):
            _refuse_longer(owner, owner.count("{"), args)
            return owner.format(*args)
        raise Unknown

    def _environment(self, name: Any, default: Any) -> str:
        text = f"the environment variable {name} of Airflow's worker"
        return self.names.stand_in(text, str(name).lower(), _default_of(default))

    def _airflow_variable(self, node: ast.Call, args: list[Any]) -> str:
        named = {one.arg: one.value for one in node.keywords}
        fallback = named.get("default_var") or named.get("default")
        default = self.value(fallback) if fallback is not None else args[1] if len(args) > 1 else None
        return self.names.stand_in(f"the variable {args[0]} of Airflow", str(args[0]), _default_of(default))


def _name_for(node: ast.expr) -> str:
    """Returns the name that says most of an expression: its own, or that of the key that it looks up."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    key = node.slice if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        key = next(iter(node.args), None)
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else "value"


def _plain(key: Any) -> Any:
    if _has_placeholder(key):
        raise Unknown
    return key


def _unpack_target(target: ast.expr, value: Any) -> dict[str, Any]:
    """Returns the variables that an assignment of a value to a name, or to several, sets."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, list):
        raise Unknown
    pairs = [_unpack_target(one, item) for one, item in zip(target.elts, value, strict=True)]
    return {name: item for pair in pairs for name, item in pair.items()}


def _has_placeholder(value: Any) -> bool:
    return isinstance(value, str) and MARKS.search(value) is not None


def _default_of(value: Any) -> str | None:
    """Returns a value as the default of a variable; None for one that is not known, or no text."""
    return str(value) if isinstance(value, str | int | float) and not _has_placeholder(value) else None


def _check_length(value: Any) -> Any:
    if len(value) > _LONGEST:
        raise Unknown
    return value


def _refuse_longer(text: str, places: int, values: list[Any]) -> None:
    """Raises Unknown, before the text is made, if it may be too long with the values put in."""
    if len(text) + places * max((len(str(one)) for one in values), default=0) > _LONGEST:
        raise Unknown


def _directives(text: str) -> list[str]:
    """Returns the letters after each `%`; a width is none of them, so that it is refused."""
    return [after[:1] for after in text.replace("%%", "").split("%")[1:]]


def _simple_format(text: str) -> bool:
    """Returns True if all fields of a format are `{}` or numbers: others reach into objects, or have widths."""
    return all(part.partition("}")[0].isdigit() or part.startswith("}") for part in text.split("{")[1:])


_EVALUATED: Mapping[type[ast.expr], Callable[..., Any]] = {
    ast.Constant: lambda _, node: node.value,
    ast.Name: Expressions._name,
    ast.Dict: Expressions._dict,
    ast.List: Expressions._list,
    ast.Tuple: Expressions._list,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Subscript: Expressions._subscript,
    ast.Call: Expressions._call,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
}
