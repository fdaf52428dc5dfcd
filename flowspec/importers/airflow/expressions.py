"""Python's expressions -> values, without running any code. What can't be known is a placeholder."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import EllipsisType
from typing import Any

from flowspec.errors import shorten
from flowspec.importers.airflow.aliases import decorator_names, last_name
from flowspec.importers.airflow.definitions import Definitions, stored_names
from flowspec.importers.airflow.operations import (
    BUILT_IN,
    MOST_ROUNDS,
    Reading,
    Unknown,
    as_text,
    binary,
    call_method,
    change,
    compare,
    has_placeholder,
    item,
    items_of,
    plain,
    truth_of,
)
from flowspec.importers.airflow.templates import name_for, rendered
from flowspec.importers.names import Names
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name

_DEEPEST = 50
_LONGEST_SHOWN = 100  # characters of an expression in a message
# The names of a task's context that are texts.
_CONTEXT = frozenset({"ds", "ds_nodash", "run_id", "ts", "ts_nodash"})
# The maximum size of all values that are read or made, in characters: they take time, also in the resulting spec.
# A module of 250 Spark steps was measured to have 1,200,000.
_MOST_READ = 10_000_000
# The size of an item of a list or dict besides its text: about its bytes in memory.
_ITEM = 50
# The results of statements: one that does not end the function, `continue`, and `break`.
_NO_RETURN, _NEXT_ROUND, _NO_MORE_ROUNDS = object(), object(), object()
# The value of a variable that is assigned in the evaluated statements, but has no known value yet.
_UNSET = object()
# Exceptions for a value that is not known, or for which Python itself would raise an exception.
_FAULTS = (Unknown, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


class Expressions:
    """Evaluates the expressions of a module, with its definitions."""

    def __init__(self, text: str, names: Names, defined: Definitions) -> None:
        self.names, self.defined = names, defined
        # Bytes, in which `ast` counts columns. `ast.get_source_segment` would split the text for each expression.
        self._lines = [line.encode() for line in re.split(r"\r\n?|\n", text)]
        self._depth = self._rounds = self._read = 0
        # The parameters and variables of the function and comprehension being evaluated.
        self._locals: dict[str, Any] = {}
        self._done: dict[str, Any] = {}
        # The names whose values are being evaluated: a value that depends on itself is not known.
        self._open_names: set[str] = set()
        # The lists and dicts that the function being evaluated made, by their ids, and all that it used.
        self._made_here: dict[int, Any] = {}
        self._met: list[Any] = []
        # Whether an unknown expression may have changed a list or dict of the function.
        self._is_changed = False
        # The first statement or expression of a function that is not followed, so that its result is not known.
        self._obstacle: ast.stmt | ast.expr | None = None

    def value(self, node: ast.expr) -> Any:
        """Returns the value of an expression, as JSON has it, or a placeholder for one that is not known.

        Raises RecursionError where expressions are nested too deeply, MemoryError where the values grow too large.
        """
        return _with_lists(self._value(node))

    def explain_unknown(self, node: ast.expr) -> str:
        """Returns why the value of an expression is not known."""
        self._obstacle, self._done = None, {}
        name = placeholder_name(self._value(node))
        described = str(self.names.variables[name].rules.get("description", "")) if name else ""
        shown = shorten(described.removeprefix("in the module: ") or ast.unparse(node), _LONGEST_SHOWN)
        if self._obstacle is None:
            return shown
        source = shorten(" ".join(self._source_of(self._obstacle).split()), _LONGEST_SHOWN)
        return f"{shown} (line {self._obstacle.lineno} is not evaluated: {source})"

    def _value(self, node: ast.expr, *, reads: bool = False) -> Any:
        """Returns a value, or a placeholder; `reads`: the caller reads the items now, and only here."""
        try:
            made = self._known(node)
            if isinstance(made, Reading) and not reads:
                raise Unknown
        except _FAULTS:
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
        if isinstance(node, ast.List | ast.Dict | ast.ListComp | ast.DictComp | ast.BinOp):
            self._made_here[id(made)] = made
        if isinstance(made, list | dict):
            self._met.append(made)
        return made

    def _is_true(self, test: ast.expr) -> bool:
        return truth_of(self._known(test))

    def _count(self, value: Any) -> None:
        """Adds the size of a value to the total size; raises MemoryError if the total is too large."""
        self._read += _ITEM + (len(value) if isinstance(value, str) else 0)
        if self._read > _MOST_READ:
            raise MemoryError
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            self._count(one)

    def _stand_in(self, node: ast.expr) -> str:
        shown = " ".join(self._source_of(node).split())
        self._count(shown)
        nodes = [*ast.walk(node)]
        # An expression of a function may have another value in each call.
        used = {one.id: self._locals[one.id] for one in nodes if isinstance(one, ast.Name) and one.id in self._locals}
        self._count(used)
        uses_items = any(isinstance(one, list | tuple | dict) for one in used.values())
        if uses_items and any(id(one) in self.defined.changing for one in nodes):
            self._is_changed = True
            self._obstacle = self._obstacle or node
        shown += PLACEHOLDER.sub(r"{\1}", "".join(f", {name} = {used[name]}" for name in sorted(used)))
        return self.names.stand_in(f"in the module: {shown}", name_for(node).lower())

    def _source_of(self, node: ast.expr | ast.stmt) -> str:
        if not hasattr(node, "lineno"):
            # The expression was built from parts of the module, so it has no place in the text.
            return ast.unparse(node)
        lines = self._lines[node.lineno - 1 : node.end_lineno]
        if len(lines) > 1:
            parts = [lines[0][node.col_offset :], *lines[1:-1], lines[-1][: node.end_col_offset]]
        else:
            parts = [line[node.col_offset : node.end_col_offset] for line in lines]
        return b" ".join(parts).decode(errors="replace")

    def _constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, bytes | complex | EllipsisType):  # JSON does not have them
            raise Unknown
        return node.value

    def _name(self, node: ast.Name) -> Any:
        if node.id in self._locals:
            if self._locals[node.id] is _UNSET:
                self._is_changed = True
                raise Unknown
            return self._locals[node.id]
        if node.id not in self.defined.assigned or node.id in self._open_names:
            raise Unknown
        if node.id not in self._done:
            self._open_names.add(node.id)
            try:
                made = self._evaluate_apart({}, lambda: self._final_value(node.id))
                if node.id in self.defined.given and isinstance(made, list | tuple | dict):
                    raise Unknown
                self._done[node.id] = made
            except _FAULTS:
                self._done[node.id] = self._stand_in(node)
            self._open_names.discard(node.id)
        return self._done[node.id]

    def _final_value(self, name: str) -> Any:
        """Returns the value of a name of the module after all of its changes."""
        changes = self.defined.changes.get(name, ())
        # The earlier values of other names that the changes assign are not known.
        self._locals |= dict.fromkeys([one for line in changes for one in stored_names(line)], _UNSET)
        self._locals[name] = self._value(self.defined.assigned[name])
        # No other expression can use the new value yet.
        self._is_changed = False
        if self._run_all(changes) is not _NO_RETURN or self._is_changed:
            raise Unknown
        return self._locals[name]

    def _evaluate_with_locals(self, variables: dict[str, Any], evaluate: Callable[[], Any]) -> Any:
        """Returns the result of `evaluate` with these local variables."""
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            raise Unknown
        before, self._locals = self._locals, variables
        try:
            return evaluate()
        finally:
            self._locals = before

    def _evaluate_apart(self, variables: dict[str, Any], evaluate: Callable[[], Any]) -> Any:
        """Returns the result of `evaluate` in a separate function, or outside of all functions."""
        before = self._made_here, self._met, self._is_changed
        self._made_here, self._met, self._is_changed = {}, [], False
        try:
            return self._evaluate_with_locals(variables, evaluate)
        finally:
            self._made_here, self._met, self._is_changed = before

    def each_round(self, loop: ast.For, node: ast.expr) -> list[Any]:
        """Returns the values of an expression in the body of a loop, one for each round; [] if they are not certain.

        They are not certain if the body assigns a name that the expression uses.
        """
        set_inside = {name for line in loop.body for name in stored_names(line)}
        if loop.orelse or any(isinstance(one, ast.Name) and one.id in set_inside for one in ast.walk(node)):
            return []
        try:
            return list(
                map(_with_lists, self._evaluate_loops([ast.comprehension(loop.target, loop.iter, [], 0)], node))
            )
        except _FAULTS:
            return []

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        return self._evaluate_loops(node.generators, node.elt)

    def _dict_comprehension(self, node: ast.DictComp) -> Any:
        return dict(self._evaluate_loops(node.generators, ast.Tuple([node.key, node.value], ast.Load())))

    def _evaluate_loops(self, loops: list[ast.comprehension], item: ast.expr) -> list[Any]:
        """Returns the value of `item` in each round of the loops."""
        if not loops:
            return [self._value(item)]
        loop, *inner = loops
        with self._fixed_items(loop.iter) as items:
            rounds = ({**self._locals, **_unpack_target(loop.target, one)} for one in items)
            return [
                made
                for one in rounds
                if all(self._evaluate_with_locals(one, partial(self._is_true, test)) for test in loop.ifs)
                for made in self._evaluate_with_locals(one, partial(self._evaluate_loops, inner, item))
            ]

    def _call_function(self, node: ast.Call, function: ast.FunctionDef) -> Any:
        """Returns the result of a function of the module. Raises Unknown if `_run` does not support its statements."""
        if function.name in self._open_names or not {*decorator_names(function)} <= {"task"}:
            raise Unknown
        self._count([one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)])
        given = self._items(node.args)
        bound = self._signature(function.args).bind(*given, **self._named(node))
        bound.apply_defaults()
        if function.decorator_list:
            # Airflow renders a task's arguments, and gives it these values of its context.
            filled = _CONTEXT & {name for name, one in bound.arguments.items() if one is None}
            bound.arguments.update({name: f"{{{{ {name} }}}}" for name in filled})
            bound.arguments.update(rendered(dict(bound.arguments), self.names, {}))
            if function.args.kwarg:
                # Those have the rest of the context, whose values are not known.
                rest = function.args.kwarg.arg
                bound.arguments[rest] = self.names.stand_in(f"in the module: {rest}", rest)
        self._open_names.add(function.name)
        try:
            made, made_there = self._evaluate_apart(dict(bound.arguments), lambda: self._run_function(function))
        finally:
            self._open_names.discard(function.name)
        # Only the caller can use the lists and dicts that the function made.
        self._made_here |= made_there
        return made

    def _named(self, node: ast.Call) -> dict[str, Any]:
        """Returns the keyword arguments of a call."""
        out: dict[str, Any] = {}
        for one in node.keywords:
            value = self._value(one.value)
            more = value if one.arg is None else {one.arg: value}
            if not isinstance(more, dict) or more.keys() & out.keys() or has_placeholder([*more]):
                raise Unknown
            out |= more
        return out

    def _run_function(self, function: ast.FunctionDef) -> tuple[Any, dict[int, Any]]:
        """Returns the result of a function, and the lists and dicts that it made."""
        if function.args.kwarg:
            # Each call has its own dict of them.
            self._take_over(self._locals[function.args.kwarg.arg])
        made = self._run_all(function.body)
        if made in (_NO_RETURN, _NEXT_ROUND, _NO_MORE_ROUNDS) or self._is_changed:
            raise Unknown
        return made, self._made_here

    def _run_all(self, body: Sequence[ast.stmt]) -> Any:
        """Runs statements; returns the value of `return`, or `_NO_RETURN`, `_NEXT_ROUND` or `_NO_MORE_ROUNDS`."""
        for line in body:
            made = self._run(line)
            if made is not _NO_RETURN:
                return made
        return _NO_RETURN

    def _run(self, line: ast.stmt) -> Any:
        self._count(line)
        match line:
            case ast.Return(value=ast.expr() as value):
                return self._value(value)
            case ast.Continue():
                return _NEXT_ROUND
            case ast.If(test=test, body=body, orelse=orelse):
                return self._run_all(body if self._is_true(test) else orelse)
            case ast.For(orelse=[]):
                return self._run_rounds(line)
            case ast.Break():
                return _NO_MORE_ROUNDS
        self._do(line)
        return _NO_RETURN

    def _do(self, line: ast.stmt) -> None:
        """Runs a statement that is not part of the control flow."""
        match line:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, self._value(value))
            case ast.AugAssign(target=target, op=kind, value=value):
                self._augment(target, kind, self._value(value, reads=True))
            case ast.Delete(targets=[ast.Subscript(value=owner, slice=key)]):
                del self._own(owner)[plain(self._value(key))]
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=method)) as call):
                args, named = self._items(call.args, reads=method == "extend"), self._named(call)
                change(self._own(owner), method, args, named)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                self._obstacle = self._obstacle or line
                raise Unknown

    @contextmanager
    def _fixed_items(self, node: ast.expr) -> Iterator[list[Any]]:
        """Yields the items that a loop iterates over; within it, nothing may change the lists and dicts in `node`."""
        before, self._met = self._met, []
        items = items_of(self._value(node, reads=True))
        met = {id(one): one for one in self._met if self._made_here.pop(id(one), None) is not None}
        self._met = before
        yield items
        self._made_here |= met

    def _run_rounds(self, loop: ast.For) -> Any:
        with self._fixed_items(loop.iter) as rounds:
            for one in rounds:
                self._rounds += 1
                if self._rounds > MOST_ROUNDS:
                    raise Unknown
                self._locals |= _unpack_target(loop.target, one)
                made = self._run_all(loop.body)
                if made is _NO_MORE_ROUNDS:
                    break
                if made not in (_NO_RETURN, _NEXT_ROUND):
                    return made
        return _NO_RETURN

    def _own(self, node: ast.expr) -> Any:
        """Returns a list or dict that was made here. Raises Unknown for any other, which may be used elsewhere."""
        found = self._known(node)
        if not isinstance(found, list | dict) or id(found) not in self._made_here:
            raise Unknown
        return found

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Subscript):
            self._own(target.value)[plain(self._value(target.slice))] = value
        else:
            self._locals |= _unpack_target(target, value)

    def _augment(self, target: ast.expr, kind: ast.operator, value: Any) -> None:
        # A call in the target would be made twice here.
        is_called = any(isinstance(one, ast.Call) for one in ast.walk(target))
        if is_called or (isinstance(target, ast.Name) and target.id not in self._locals):
            raise Unknown
        known = self._known(target)
        if isinstance(known, list) and isinstance(kind, ast.Add):
            self._own(target).extend(items_of(value))
        elif isinstance(known, dict) and isinstance(kind, ast.BitOr):
            change(self._own(target), "update", [value], {})
        else:
            self._assign(target, binary(kind, known, value))

    def _signature(self, args: ast.arguments) -> inspect.Signature:
        plain = [*args.posonlyargs, *args.args]
        nodes = [*([None] * (len(plain) - len(args.defaults))), *args.defaults]
        kinds = inspect.Parameter

        def make_parameter(one: ast.arg, kind: Any, node: ast.expr | None) -> inspect.Parameter:
            default = kinds.empty if node is None else self._evaluate_apart({}, lambda: self._value(node))
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
        for key, item_ in zip(node.keys, node.values, strict=True):
            # Python evaluates a key before its value.
            name: Any = None if key is None else self._value(key)
            value = self._value(item_)
            if key is None and not isinstance(value, dict):
                raise Unknown
            out |= value if key is None else {name: value}
        return out

    def _items(self, nodes: Sequence[ast.expr], *, reads: bool = False) -> list[Any]:
        out: list[Any] = []
        for one in nodes:
            if isinstance(one, ast.Starred):
                out += items_of(self._value(one.value, reads=True))
            else:
                out.append(self._value(one, reads=reads))
        return out

    def _joined(self, node: ast.JoinedStr) -> Any:
        return "".join(as_text(self._value(part)) for part in node.values)

    def _formatted(self, node: ast.FormattedValue) -> Any:
        if node.format_spec or node.conversion not in (-1, 115):
            raise Unknown
        return self._value(node.value)

    def _binary(self, node: ast.BinOp) -> Any:
        return binary(node.op, self._value(node.left), self._value(node.right))

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self._value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        if isinstance(node.op, ast.Not):
            return not truth_of(value)
        raise Unknown

    def _compare(self, node: ast.Compare) -> Any:
        if len(node.ops) > 1:
            raise Unknown
        return compare(node.ops[0], self._value(node.left), self._value(node.comparators[0]))

    def _choose(self, node: ast.IfExp) -> Any:
        return self._value(node.body if self._is_true(node.test) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        if _dotted_name(node.value) == "os.environ":
            return self._environment(str(self._value(node.slice)), None)
        return item(self._value(node.value), self._value(node.slice))

    def _call(self, node: ast.Call) -> Any:
        called = _dotted_name(node.func)
        if called in self._locals:
            raise Unknown
        if called in self.defined.functions:
            return self._call_function(node, self.defined.functions[called])
        args = self._items(node.args, reads=True)
        if called in ("os.getenv", "os.environ.get"):
            return self._environment(args[0], args[1] if len(args) > 1 else None)
        if called.endswith("Variable.get"):
            return self._airflow_variable(node, args)
        if called.rpartition(".")[2] == "Param":
            return args[0] if args else self._named(node).get("default")
        if called in BUILT_IN and called.partition(".")[0] not in self.defined.bound:
            made = BUILT_IN[called](*args, **self._named(node))
            self._take_over(made, deep=called.endswith("deepcopy"))
            return made
        if isinstance(node.func, ast.Attribute) and not node.keywords:
            return self._call_method(node.func, args)
        raise Unknown

    def _call_method(self, node: ast.Attribute, args: list[Any]) -> Any:
        if node.attr == "pop":
            owner = self._own(node.value)
            plain([*args[:1], *(owner if isinstance(owner, dict) else ())])
            return owner.pop(*args)
        if any(isinstance(one, ast.Call) and last_name(one.func) == "pop" for one in ast.walk(node.value)):
            # Python takes the object before the arguments, which may change the same list.
            raise Unknown
        made = call_method(self._value(node.value), node.attr, args)
        # Other methods return a part of their object.
        self._take_over(made if node.attr in ("copy", "split") else None)
        return made

    def _take_over(self, made: Any, *, deep: bool = False) -> None:
        """Registers a new list or dict, and its parts if `deep`, as made here."""
        if isinstance(made, list | tuple | dict):
            self._made_here[id(made)] = made
            for one in (made.values() if isinstance(made, dict) else made) if deep else ():
                self._take_over(one, deep=True)

    def _environment(self, name: Any, default: Any) -> str:
        text = f"the environment variable {name} of Airflow's worker"
        return self.names.stand_in(text, str(name).lower(), _default_of(default))

    def _airflow_variable(self, node: ast.Call, args: list[Any]) -> str:
        named = {one.arg: one.value for one in node.keywords}
        fallback = named.get("default_var") or named.get("default")
        default = self._value(fallback) if fallback is not None else args[1] if len(args) > 1 else None
        return self.names.stand_in(f"the variable {args[0]} of Airflow", str(args[0]), _default_of(default))


def _dotted_name(node: ast.expr) -> str:
    """Returns the text of `a.b.c`, or of a single name; "" for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _unpack_target(target: ast.expr, value: Any) -> dict[str, Any]:
    """Returns the values of variables after an assignment of a value to a name, or to several names."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, list | tuple):
        raise Unknown
    pairs = [_unpack_target(one, item) for one, item in zip(target.elts, value, strict=True)]
    return {name: item for pair in pairs for name, item in pair.items()}


def _default_of(value: Any) -> str | None:
    """Returns a value as the default of a variable; None if it is not known, or neither a text nor a number."""
    return str(value) if isinstance(value, str | int | float) and not has_placeholder(value) else None


def _with_lists(value: Any) -> Any:
    """Returns a value with lists instead of tuples."""
    if isinstance(value, dict):
        return {key: _with_lists(one) for key, one in value.items()}
    return [*map(_with_lists, value)] if isinstance(value, list | tuple) else value


_EVALUATED: Mapping[type[ast.expr], Callable[..., Any]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Dict: Expressions._dict,
    ast.List: lambda self, node: self._items(node.elts),
    ast.Tuple: lambda self, node: tuple(self._items(node.elts)),
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._choose,
    ast.Subscript: Expressions._subscript,
    ast.Call: Expressions._call,
    ast.DictComp: Expressions._dict_comprehension,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: lambda self, node: Reading(self._comprehension(node)),
}
