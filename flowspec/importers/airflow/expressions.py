"""Python's expressions -> values, without running any code. What can't be known is a placeholder."""

from __future__ import annotations

import ast
import copy
import inspect
import operator
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from flowspec.importers.airflow.definitions import CHANGES
from flowspec.importers.names import Names
from flowspec.importers.placeholders import MARKS, PLACEHOLDER

_DEEPEST = 50
# Texts and lists that are repeated or put together; a launch script has far less.
_LONGEST = 1_000_000
# Methods of a text that is known.
_ON_TEXTS = ("lower", "upper", "strip", "replace", "rstrip", "lstrip", "split")
# Calls of the module's functions, and rounds of its comprehensions; some modules have hundreds.
_MOST_ROUNDS = 10_000
# All values that are read or made, in characters: each costs time, and the spec that they make is written and checked.
# A module of 250 Spark steps was measured to have 1,200,000.
_MOST_READ = 10_000_000
# What an item of a list or dict takes besides its text: about its bytes in memory.
_ITEM = 50
# The results of a statement that does not end the function, and of one that ends the round of a loop.
_NO_RETURN, _NEXT_ROUND = object(), object()


class Unknown(Exception):
    """A value that is only known when the module runs."""


class Expressions:
    """Evaluates the expressions of a module.

    `assigned` has each name that is assigned once, with its expression; `functions` are those of the module, and
    `changing` the names of those that change what they are given.
    """

    def __init__(
        self,
        text: str,
        assigned: Mapping[str, ast.expr],
        names: Names,
        functions: Mapping[str, ast.FunctionDef] = MappingProxyType({}),
        changing: Collection[str] = (),
    ) -> None:
        self.assigned, self.names, self.functions, self.changing = assigned, names, functions, changing
        # As `ast` counts places. Once for all: `ast.get_source_segment` would split the text for each expression.
        self._lines = [line.encode() for line in re.split(r"\r\n?|\n", text)]
        self._depth = self._rounds = self._read = 0
        # The parameters and variables of the function, and of the comprehension, that is evaluated.
        self._locals: dict[str, Any] = {}
        self._done: dict[str, Any] = {}
        # The names whose values are being read: one that needs itself is not known.
        self._open_names: set[str] = set()
        # The lists and dicts that the function which is evaluated made, by their ids, and those that it met.
        self._made_here: dict[int, Any] = {}
        self._met: list[Any] = []
        # Whether an expression that is not known may have changed a list or dict of the function.
        self._is_changed = False

    def value(self, node: ast.expr) -> Any:
        """Returns the value of an expression, or a placeholder for one that is not known.

        Raises RecursionError where expressions are nested too deeply, MemoryError where the values grow too large.
        """
        try:
            made = self._known(node)
        except (Unknown, TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            made = self._stand_in(node)
        self._count(made)
        return made

    def _known(self, node: ast.expr) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RecursionError
        try:
            if type(node) not in _EVALUATED:
                raise Unknown
            made = _EVALUATED[type(node)](self, node)
        finally:
            self._depth -= 1
        if isinstance(node, ast.List | ast.Dict | ast.ListComp):
            self._made_here[id(made)] = made
        if isinstance(made, list | dict):
            self._met.append(made)
        return made

    def _is_true(self, test: ast.expr) -> bool:
        return _truth_of(self._known(test))

    def _count(self, value: Any) -> None:
        """Adds the size of a value to that of all that was read; raises MemoryError when it is too much."""
        self._read += _ITEM + (len(value) if isinstance(value, str) else 0)
        if self._read > _MOST_READ:
            raise MemoryError
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._count(item)

    def _stand_in(self, node: ast.expr) -> str:
        shown = " ".join(self._source_of(node).split())
        self._count(shown)
        nodes = [*ast.walk(node)]
        self._is_changed = self._is_changed or any(map(self._may_change, nodes))
        # One expression of a function has another value in each call of it.
        used = {one.id: self._locals[one.id] for one in nodes if isinstance(one, ast.Name) and one.id in self._locals}
        self._count(used)
        shown += PLACEHOLDER.sub(r"{\1}", "".join(f", {name} = {used[name]}" for name in sorted(used)))
        return self.names.stand_in(f"in the module: {shown}", _name_for(node).lower())

    def _source_of(self, node: ast.expr) -> str:
        # One that stands for several statements has no place.
        lines = self._lines[node.lineno - 1 : node.end_lineno] if hasattr(node, "lineno") else []
        if len(lines) > 1:
            parts = [lines[0][node.col_offset :], *lines[1:-1], lines[-1][: node.end_col_offset]]
        else:
            parts = [line[node.col_offset : node.end_col_offset] for line in lines]
        return b" ".join(parts).decode(errors="replace")

    def _may_change(self, node: ast.AST) -> bool:
        """Returns True for a call that may change a list or dict which it is made on, or is given."""
        func = node.func if isinstance(node, ast.Call) else None
        if isinstance(func, ast.Attribute):
            return func.attr in CHANGES
        return isinstance(func, ast.Name) and func.id in self.changing

    def _name(self, node: ast.Name) -> Any:
        if node.id in self._locals:
            return self._locals[node.id]
        if node.id not in self.assigned or node.id in self._open_names:
            raise Unknown
        if node.id not in self._done:
            self._open_names.add(node.id)
            self._done[node.id] = self._evaluate_apart({}, lambda: self.value(self.assigned[node.id]))
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

    def _evaluate_apart(self, variables: dict[str, Any], evaluate: Callable[[], Any]) -> Any:
        """Returns what `evaluate` gives in a function of its own, or outside of all."""
        before = self._made_here, self._met, self._is_changed
        self._made_here, self._met, self._is_changed = {}, [], False
        try:
            return self._evaluate_with_locals(variables, evaluate)
        finally:
            self._made_here, self._met, self._is_changed = before

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
        rounds = ({**self._locals, **_unpack_target(loop.target, one)} for one in _items_of(self.value(loop.iter)))
        return [
            made
            for one in rounds
            if all(self._evaluate_with_locals(one, partial(self._is_true, test)) for test in loop.ifs)
            for made in self._evaluate_with_locals(one, partial(self._evaluate_loops, inner, item))
        ]

    def _call_function(self, node: ast.Call, function: ast.FunctionDef) -> Any:
        """Returns what a function of the module returns, whose statements are among those that `_run` knows."""
        if function.name in self._open_names or function.decorator_list:
            raise Unknown
        self._count([one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)])
        given = self._list(ast.List(node.args))
        named = {str(one.arg): self.value(one.value) for one in node.keywords if one.arg}
        if len(named) < len(node.keywords):
            raise Unknown
        bound = self._signature(function.args).bind(*given, **named)
        bound.apply_defaults()
        variables = {name: [*one] if isinstance(one, tuple) else one for name, one in bound.arguments.items()}
        self._open_names.add(function.name)
        try:
            return self._evaluate_apart(variables, lambda: self._run_function(function.body))
        finally:
            self._open_names.discard(function.name)

    def _run_function(self, body: list[ast.stmt]) -> Any:
        made = self._run_all(body)
        if made in (_NO_RETURN, _NEXT_ROUND) or self._is_changed:
            raise Unknown
        return made

    def _run_all(self, body: list[ast.stmt]) -> Any:
        """Runs statements of a function; returns what they return, or `_NO_RETURN`, or `_NEXT_ROUND`."""
        for line in body:
            made = self._run(line)
            if made is not _NO_RETURN:
                return made
        return _NO_RETURN

    def _run(self, line: ast.stmt) -> Any:
        self._count(line)
        match line:
            case ast.Return(value=ast.expr() as value):
                return self.value(value)
            case ast.Continue():
                return _NEXT_ROUND
            case ast.If(test=test, body=body, orelse=orelse):
                return self._run_all(body if self._is_true(test) else orelse)
            case ast.For(orelse=[]):
                return self._run_rounds(line)
            case ast.Assign(targets=[ast.Subscript(value=owner, slice=key)], value=value):
                made = self.value(value)
                self._own(owner, dict)[self.value(key)] = made
            case ast.Assign(targets=[target], value=value):
                self._locals |= _unpack_target(target, self.value(value))
            case ast.AugAssign(target=owner, op=ast.Add(), value=value):
                self._own(owner, list).extend(_items_of(self.value(value)))
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=owner, attr=method), args=[argument], keywords=[])
            ) if not isinstance(argument, ast.Starred):
                self._change(owner, method, self.value(argument))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                raise Unknown
        return _NO_RETURN

    def _run_rounds(self, loop: ast.For) -> Any:
        before, self._met = self._met, []
        rounds = _items_of(self.value(loop.iter))
        # They are those at its beginning: what the loop goes over is not to be changed in it.
        met = {id(one): one for one in self._met if self._made_here.pop(id(one), None) is not None}
        self._met = before
        for one in rounds:
            self._rounds += 1
            if self._rounds > _MOST_ROUNDS:
                raise Unknown
            self._locals |= _unpack_target(loop.target, one)
            made = self._run_all(loop.body)
            if made not in (_NO_RETURN, _NEXT_ROUND):
                return made
        self._made_here |= met
        return _NO_RETURN

    def _own(self, node: ast.expr, kind: type) -> Any:
        """Returns a list or dict that the function made. Raises Unknown for others: their other uses are not known."""
        found = self._known(node)
        if not isinstance(found, kind) or id(found) not in self._made_here:
            raise Unknown
        return found

    def _change(self, node: ast.expr, method: str, value: Any) -> None:
        if method == "append":
            self._own(node, list).append(value)
        elif method == "extend":
            self._own(node, list).extend(_items_of(value))
        elif method == "update" and isinstance(value, dict):
            self._own(node, dict).update(value)
        else:
            raise Unknown

    def _signature(self, args: ast.arguments) -> inspect.Signature:
        plain = [*args.posonlyargs, *args.args]
        nodes = [*([None] * (len(plain) - len(args.defaults))), *args.defaults]
        kinds = inspect.Parameter

        def make_parameter(one: ast.arg, kind: Any, node: ast.expr | None) -> inspect.Parameter:
            default = kinds.empty if node is None else self._evaluate_apart({}, lambda: self.value(node))
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
            out |= value if key is None else {self.value(key): value}
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
        if isinstance(node.op, ast.Not):
            return not _truth_of(value)
        raise Unknown

    def _compare(self, node: ast.Compare) -> Any:
        left, right = _plain(self.value(node.left)), _plain(self.value(node.comparators[0]))
        if len(node.ops) > 1 or type(node.ops[0]) not in _COMPARED:
            raise Unknown
        return _COMPARED[type(node.ops[0])](left, right)

    def _choose(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self._is_true(node.test) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        if _dotted_name(node.value) == "os.environ":
            return self._environment(str(self.value(node.slice)), None)
        value, key = self.value(node.value), self.value(node.slice)
        if not isinstance(value, dict | list):
            raise Unknown
        return value[key]

    def _call(self, node: ast.Call) -> Any:
        called = _dotted_name(node.func)
        if called in self._locals:
            raise Unknown
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
        if called in _BUILT_IN and not node.keywords:
            return _BUILT_IN[called](*args)
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


def _dotted_name(node: ast.expr) -> str:
    """Returns the name, or names with dots, that an expression is; "" for another expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _truth_of(value: Any) -> bool:
    """Returns True for what Python takes for true; what is in a list or dict does not matter for that."""
    return bool(value if isinstance(value, list | dict) else _plain(value))


def _plain(value: Any) -> Any:
    """Returns a value. Raises Unknown where it, or something in it, is not known."""
    if _has_placeholder(value):
        raise Unknown
    return value


def _unpack_target(target: ast.expr, value: Any) -> dict[str, Any]:
    """Returns the variables that an assignment of a value to a name, or to several, sets."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, list):
        raise Unknown
    pairs = [_unpack_target(one, item) for one, item in zip(target.elts, value, strict=True)]
    return {name: item for pair in pairs for name, item in pair.items()}


def _has_placeholder(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_placeholder, value))
    if isinstance(value, dict):
        return any(map(_has_placeholder, [*value, *value.values()]))
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


def _converted(kind: type, value: Any) -> Any:
    """Returns `kind(value)`; for an unknown value its placeholder, whose type is that of its place in the request."""
    return value if isinstance(value, str) and PLACEHOLDER.fullmatch(value) else kind(_plain(value))


def _range(*bounds: Any) -> list[int]:
    made = range(*bounds)
    if len(made) > _MOST_ROUNDS:
        raise Unknown
    return list(made)


def _items_of(value: Any) -> list[Any]:
    if not isinstance(value, list | dict):
        raise Unknown
    return list(value)


_BUILT_IN: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("copy.deepcopy", "deepcopy"), copy.deepcopy),
    **dict.fromkeys(("list", "tuple"), _items_of),
    "enumerate": lambda items, start=0: [[number, one] for number, one in enumerate(_items_of(items), start)],
    "int": partial(_converted, int),
    "len": lambda items: len(_items_of(items)),
    "range": _range,
    "sorted": lambda items: sorted(_plain(_items_of(items))),
    "str": partial(_converted, str),
    "zip": lambda *lists: [list(pair) for pair in zip(*map(_items_of, lists), strict=False)],
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda one, all_: one in all_,
    ast.NotIn: lambda one, all_: one not in all_,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
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
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._choose,
    ast.Subscript: Expressions._subscript,
    ast.Call: Expressions._call,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
}
