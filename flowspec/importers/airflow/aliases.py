"""Finds the names of a Python module that may refer to a list or dict which is changed in place, under any name.

The scopes of the module are not distinguished: if a function uses a name, this counts for every use of the name.
"""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from flowspec.importers.airflow.operations import BUILT_IN

_Path: TypeAlias = "tuple[object, ...]"
_Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"

# Methods that change a list or dict in place.
_CHANGES = frozenset(
    (
        *("append", "extend", "update", "insert", "pop", "popitem", "setdefault", "remove", "clear", "reverse", "sort"),
        *("__setitem__", "__delitem__", "__iadd__", "__ior__"),
    )
)
# Functions that return a new list or dict, or no such value; in the result of `_NEW_WHOLE`, the parts are new, too.
_NEW = BUILT_IN.keys() | {"copy", "set"}
_NEW_WHOLE = "deepcopy"
# Other functions and methods that do not change their arguments: Python's, those of logs, Airflow's.
_HARMLESS = frozenset(
    (
        *("all", "any", "bool", "format", "get", "isinstance", "join", "max", "min", "print", "repr", "sum"),
        *("dump", "dumps", "debug", "error", "info", "warning"),
        *("chain", "cross_downstream", "dag", "expand", "override", "task", "task_group"),
        *("set_downstream", "set_upstream"),
    )
)

# A part of a path that is not known.
_ANY = object()
# The maximum number of keys in a path. The paths in a request of RunJobFlow are not longer.
_LONGEST_PATH = 10
# The maximum number of expressions that are searched; a module with hundreds of steps has some ten thousand.
_MOST_LOOKS = 1_000_000


class _Value(NamedTuple):
    """An expression that is assigned to a name, or to an item at a `path`; `is_part`: only a part of its value is."""

    node: ast.expr
    is_part: bool = False
    path: _Path = ()


class Aliases:
    """Finds the names that share lists and dicts, from all nodes of a module."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self._values: dict[str, list[_Value]] = defaultdict(list)
        self._contents: dict[str, list[_Value]] = defaultdict(list)
        self.functions: dict[str, list[_Function]] = defaultdict(list)
        self._seen: set[tuple[str | int, object]] = set()
        self._looks = 0
        # Whether to search what the objects of other modules' classes hold.
        self._enters_objects = True
        self._imported = {one.asname or one.name for one in nodes if isinstance(one, ast.alias)}
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[node.name].append(node)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                for target in node.targets:
                    self.functions[last_name(target)].append(node.value)
            elif isinstance(node, ast.ClassDef):
                used = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
                self._values[node.name] += [_Value(one, is_part=True) for one in used]
        for node in nodes:
            self._read_bindings(node)
        stored = [(root_of(owner), self.names_of(owner), value) for node in nodes for owner, value in _stored_by(node)]
        for owner, names, value in stored:
            for name in names:
                # The path is not valid for the other names of the value.
                own = isinstance(owner, ast.Name) and owner.id == name
                self._contents[name].append(value if own else value._replace(path=()))
        self.changes = [
            (node, self.names_of(one) | _rebound(node)) for node in nodes if (one := _changed_by(node)) is not None
        ]
        """The nodes that change a list or dict in place, each with the names that may hold it."""
        handed = {id(node): given for node in nodes if (given := self._handed_over(node))}
        self.handing = handed.keys()
        """The ids of the nodes that hand something to code that is not followed."""
        self._seen, self._enters_objects = set(), False
        self.given = set().union(*(self._inside(one) for given in handed.values() for one in given))
        """The names of what that code may change."""

    def _read_bindings(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = itertools.permutations(targets, 2)
                for target, other in [*((one, value) for one in targets), *pairs]:
                    self._bind(target, other)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                self._bind(node.target, value)
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._bind(node.target, node.iter, is_part=True)
            case ast.Match(subject=subject):
                self._bind(ast.Tuple([*map(ast.Name, captured(node))], ast.Store()), subject)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._bind(target, value)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._bind_parameters(node, [*node.args.defaults, *filter(None, node.args.kw_defaults)])
            case ast.Call(func=func):
                for function in self.functions.get(last_name(func), ()):
                    self._bind_parameters(function, _given(node))

    def _bind_parameters(self, function: _Function, values: Sequence[ast.expr]) -> None:
        for name in parameters(function):
            self._values[name] += map(_Value, values)

    def _bind(self, target: ast.expr, value: ast.expr, *, is_part: bool = False) -> None:
        if isinstance(target, ast.Name):
            self._values[target.id].append(_Value(value, is_part))
        elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
            for one in ast.walk(target):
                if isinstance(one, ast.Name):
                    self._values[one.id].append(_Value(value, is_part=True))

    def _handed_over(self, node: ast.AST) -> list[ast.expr]:
        """Returns what a call or statement hands to code that is not followed."""
        match node:
            case ast.Call(func=func) if not self._is_harmless(func):
                return _given(node)
            case ast.Assign(value=ast.expr() as value) | ast.AnnAssign(value=ast.expr() as value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                is_stored = any(isinstance(one, ast.Attribute) for target in targets for one in ast.walk(target))
                return [value] if is_stored else []
        return []

    def _is_harmless(self, func: ast.expr) -> bool:
        """Returns True for a function that does not change its arguments, or whose changes are found in its body."""
        called, root = last_name(func), root_name(func)
        if called in _CHANGES:
            # `list.append(X, 1)` changes its argument.
            return not root or root in self._values
        if any(not isinstance(one.node, ast.Lambda) for one in self._values.get(called, ())):
            return False
        is_followed = isinstance(func, ast.Name) and called in self.functions and called not in self._imported
        return is_followed or called in _HARMLESS or called in _NEW or self._makes_object(func)

    def _makes_object(self, func: ast.expr) -> bool:
        """Returns True for a class of another module: its objects, such as operators, do not change what they hold."""
        names = (last_name(func), root_name(func))  # `Operator.partial` makes one, too
        return any(name[:1].isupper() and name not in self._values for name in names)

    def names_of(self, node: ast.expr) -> set[str]:
        """Returns the names whose value may be the value of an expression, or may contain it.

        Raises MemoryError if there are too many expressions to search.
        """
        self._seen = set()
        return {name for name in self._same(node) if not self._is_fixed(name)}

    def _is_fixed(self, name: str) -> bool:
        """Returns True for a name that only gets texts and numbers."""
        values = self._values.get(name, ())
        return bool(values) and all(isinstance(one.node, ast.Constant | ast.JoinedStr) for one in values)

    def _same(self, node: ast.expr) -> set[str]:
        """Returns the names whose value may be the value of an expression, or may contain it."""
        found: Iterable[set[str]] = ()
        own: set[str] = set()
        if self._is_seen(node, "same"):
            return own
        match node:
            case ast.Name(id=name):
                own, found = {name}, map(self._of_value, self._values.get(name, ()))
            case ast.Subscript() | ast.Attribute():
                exact, loose = self._at(*_split_path(node))
                found = [self._same(root_of(node)), *map(self._same, exact), *map(self._inside, loose)]
            case ast.IfExp(body=one, orelse=other) | ast.NamedExpr(target=one, value=other):
                found = map(self._same, (one, other))
            case ast.BoolOp(values=values):
                found = map(self._same, values)
            case ast.Starred(value=value) | ast.Await(value=value):
                found = [self._same(value)]
            case ast.Call(func=func) if last_name(func) not in _NEW:
                found = [self._of_call(node)]
        return own.union(*found)

    def _is_seen(self, node: ast.expr, why: object) -> bool:
        """Returns True if an expression was searched before; its names have then been found already."""
        self._looks += 1
        if self._looks > _MOST_LOOKS:
            raise MemoryError
        key = node.id if isinstance(node, ast.Name) else id(node), why
        is_seen = key in self._seen
        self._seen.add(key)
        return is_seen

    def _of_value(self, value: _Value) -> set[str]:
        return self._inside(value.node) if value.is_part else self._same(value.node)

    def _inside(self, node: ast.expr) -> set[str]:
        """Returns the names whose value may be the value of an expression, or a part of it."""
        if self._is_seen(node, "inside"):
            return set()
        match node:
            case ast.Name(id=name):
                values = [*self._values.get(name, ()), *self._contents.get(name, ())]
                return {name}.union(*(self._inside(one.node) for one in values))
            case ast.Call():
                return self._of_call(node)
        inner = [one for one in ast.walk(node) if isinstance(one, ast.Name | ast.Call)]
        return set().union(*map(self._inside, inner))

    def _of_call(self, node: ast.Call) -> set[str]:
        called = last_name(node.func)
        if called == _NEW_WHOLE or (not self._enters_objects and self._makes_object(node.func)):
            return set()
        results = [one for function in self.functions.get(called, ()) for one in _results(function)]
        owner = [] if isinstance(node.func, ast.Name) else [node.func]
        return set().union(*map(self._inside, (*results, *_given(node), *owner)))

    def _at(self, node: ast.expr, path: _Path) -> tuple[list[ast.expr], list[ast.expr]]:
        """Returns the expressions for the item at a path of a value, and others that may be the item, or contain it."""
        if not path:
            return [node], []
        if self._is_seen(node, path):
            return [], []
        found, loose = [], list[ast.expr]()
        if isinstance(node, ast.Name) and node.id in self._values:
            found = [self._at(one.node, path) for one in self._values[node.id] if not one.is_part]
            loose = [one.node for one in self._values[node.id] if one.is_part]
            loose += [one.node for one in self._contents.get(node.id, ()) if _reaches(one.path, path)]
        elif isinstance(node, ast.Subscript) and len(path) < _LONGEST_PATH:
            found = [self._at(*_split_path(node, path))]
        elif (item := _item(node, path[0])) is not None:
            found = [self._at(item, path[1:])]
        else:
            loose = [node]
        return [one for exact, _ in found for one in exact], [*loose, *(one for _, more in found for one in more)]


def _changed_by(node: ast.AST) -> ast.expr | None:
    """Returns the list or dict that a node changes in place."""
    match node:
        case ast.Attribute(value=owner, attr=method) if method in _CHANGES:
            return owner
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return owner
        case ast.AugAssign(target=target):
            return target
    return None


def _split_path(node: ast.expr, path: _Path = ()) -> tuple[ast.expr, _Path]:
    """Splits `a.b[c]` into the expression `a` and the path of the part."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        key = node.slice if isinstance(node, ast.Subscript) else None
        node, path = node.value, (key.value if isinstance(key, ast.Constant) else _ANY, *path)
    return node, path


def _reaches(stored: _Path, path: _Path) -> bool:
    """Returns True if the item stored at one path is the item at the other path, or contains it."""
    pairs = zip(stored, path, strict=False)
    return len(stored) <= len(path) and all(one is _ANY or other is _ANY or one == other for one, other in pairs)


def _stored_by(node: ast.AST) -> Iterator[tuple[ast.expr, _Value]]:
    """Yields the values that a statement or call puts into a list or dict, each after the list or dict."""
    match node:
        case ast.Assign(targets=targets, value=value):
            found = [one for one in targets if isinstance(one, ast.Subscript)]
            yield from ((one.value, _Value(value, path=_split_path(one)[1])) for one in found)
        case ast.AugAssign(target=target, value=value):
            yield target, _Value(value)
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) as call if method in _CHANGES:
            yield from ((owner, _Value(one)) for one in _given(call))


def _rebound(node: ast.AST) -> set[str]:
    """Returns the name that `NAME += …` assigns a new value, unless its value is a list."""
    return {node.target.id} if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) else set()


def _item(node: ast.expr, key: object) -> ast.expr | None:
    """Returns the item of a dict or list display; None if it is not certain which item it is."""
    if isinstance(node, ast.Dict) and all(isinstance(one, ast.Constant) for one in node.keys):
        found = [
            value
            for one, value in zip(node.keys, node.values, strict=True)
            if isinstance(one, ast.Constant) and one.value == key
        ]
        return found[-1] if found else None
    if isinstance(node, ast.List | ast.Tuple) and isinstance(key, int) and 0 <= key < len(node.elts):
        return None if any(isinstance(one, ast.Starred) for one in node.elts) else node.elts[key]
    return None


def captured(match: ast.Match) -> Iterator[str]:
    """Yields the names that the patterns of a `match` bind."""
    for node in ast.walk(match):
        if isinstance(node, ast.MatchAs | ast.MatchStar | ast.MatchMapping):
            name = node.rest if isinstance(node, ast.MatchMapping) else node.name
            yield from [name] if name else []


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(one.value for one in call.keywords)]


def _results(function: _Function) -> list[ast.expr]:
    if isinstance(function, ast.Lambda):
        return [function.body]
    ends = [one for one in ast.walk(function) if isinstance(one, ast.Return | ast.Yield | ast.YieldFrom)]
    return [one.value for one in ends if one.value]


def parameters(function: _Function) -> list[str]:
    """Returns the names of a function's parameters."""
    return [one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)]


def last_name(node: ast.expr) -> str:
    """Returns the last name of `a.b.c`, or of a single name; "" for any other expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def operator_name(call: ast.Call) -> str:
    """Returns the name of the EMR operator that a call makes, also by its `partial`; "" for any other call."""
    made = call.func
    if isinstance(made, ast.Attribute) and made.attr == "partial":
        made = made.value
    name = last_name(made)
    return name if name.startswith("Emr") else ""


def decorator_names(function: ast.FunctionDef) -> list[str]:
    """Returns the last name of each decorator of a function: `task` for `@task` and for `@task(…)`."""
    return [last_name(getattr(one, "func", one)) for one in function.decorator_list]


def root_name(node: ast.expr) -> str:
    """Returns the first name of `a.b[c]`, or a single name; "" if the expression begins with something else."""
    root = root_of(node)
    return root.id if isinstance(root, ast.Name) else ""


def root_of(node: ast.expr) -> ast.expr:
    """Returns the expression before all attributes and indexes: `a` for `a.b[c]`."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node
