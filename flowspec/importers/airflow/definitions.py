"""The names and functions of a Python module whose values are certain without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

# Methods that change a list or dict in place.
_CHANGES = frozenset(
    ("append", "extend", "update", "insert", "pop", "popitem", "setdefault", "remove", "clear", "reverse", "sort")
)
# Two values: a name that has them has no certain one.
_UNCERTAIN = (ast.Constant(None),) * 2


class _Growth(NamedTuple):
    """A statement that makes a list longer: its name, and the list that is added."""

    name: str
    added: ast.expr
    statement: ast.stmt


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Returns the functions of the module by name; of several with one name, none."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    counted = Counter(node.name for node in every)
    return {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef) and counted[one.name] == 1}


def assigned_names(tree: ast.Module) -> dict[str, ast.expr]:
    """Returns the names that have one certain value in the module, with their expressions.

    What a statement of the module adds to a list (`STEPS += …`, `STEPS.append(…)`) is a part of its expression.
    """
    found: dict[str, list[ast.expr]] = {}
    growing = list(_growing(tree.body))
    # Calls that make a list longer are no changes that nobody knows.
    known = {id(one.statement.value if isinstance(one.statement, ast.Expr) else one.statement) for one in growing}
    for node in ast.walk(tree):
        if id(node) in known:
            continue
        for target, value in _assignments(node):
            found.setdefault(target.id, []).append(value)
        if name := _changed(node):
            found.setdefault(name, []).extend(_UNCERTAIN)
    for name in (*_bound_otherwise(tree, growing), *_changed_elsewhere(tree)):
        found.setdefault(name, []).extend(_UNCERTAIN)
    _grow(found, growing, _first_reads(tree, growing))
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _assignments(node: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Yields the names that a statement assigns whole values to, with the values."""
    if isinstance(node, ast.Assign):
        yield from ((one, node.value) for one in node.targets if isinstance(one, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target, node.value


def _bound_otherwise(tree: ast.Module, growing: Sequence[_Growth]) -> Iterator[str]:
    """Yields the names that get or lose a value by anything but an assignment: imports, loops, `with`, `del`, `a, b =`.

    The names of a comprehension are its own.
    """
    known = {id(node) for one in growing for node in ast.walk(one.statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            known |= {id(one) for one in ast.walk(node.target)}
        elif isinstance(node, ast.AnnAssign):
            known.add(id(node.target))
        known |= {id(name) for name, _ in _assignments(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and id(node) not in known:
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _grow(found: dict[str, list[ast.expr]], growing: list[_Growth], reads: Mapping[str, int]) -> None:
    for name in {one.name for one in growing}:
        # Copies, which get longer in place: a list that is copied at each of its additions costs their square.
        found[name] = [ast.List([*one.elts]) if isinstance(one, ast.List) else one for one in found.get(name, ())]
    for name, added, statement in growing:
        if reads.get(name, statement.lineno) < statement.lineno:
            # What was made of the shorter list would get the longer one.
            found[name].extend(_UNCERTAIN)
        found[name] = [ast.copy_location(_longer(one, added), statement) for one in found[name]]


def _longer(one: ast.expr, added: ast.expr) -> ast.expr:
    """Returns the expression of a list, or text, and what is added to it.

    Of a list it is one flat list, so that many additions are not nested too deeply.
    """
    if not isinstance(one, ast.List) and not isinstance(added, ast.List):
        return ast.BinOp(one, ast.Add(), added)
    longer = one if isinstance(one, ast.List) else ast.List([ast.Starred(one)])
    longer.elts += added.elts if isinstance(added, ast.List) else [ast.Starred(added)]
    return longer


def _first_reads(tree: ast.Module, growing: list[_Growth]) -> dict[str, int]:
    """Returns the first line that reads each name, but for the statements that make a list longer."""
    own = {id(node) for _, _, statement in growing for node in ast.walk(statement)}
    reads = [one for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
    lines = sorted((one.lineno, one.id) for one in reads if id(one) not in own)
    return {name: line for line, name in reversed(lines)}


def _growing(body: list[ast.stmt]) -> Iterator[_Growth]:
    """Yields the statements that make a list longer, each time the module is run: its name, and what is added."""
    for one in body:
        if isinstance(one, ast.With):
            yield from _growing(one.body)
        elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) and isinstance(one.op, ast.Add):
            yield _Growth(one.target.id, one.value, one)
        elif (
            isinstance(one, ast.Expr) and isinstance(one.value, ast.Call) and isinstance(one.value.func, ast.Attribute)
        ):
            owner, name, args = one.value.func.value, one.value.func.attr, one.value.args
            if isinstance(owner, ast.Name) and name in ("append", "extend") and len(args) == 1:
                yield _Growth(owner.id, ast.List(args, ast.Load()) if name == "append" else args[0], one)


def _changed(node: ast.AST) -> str:
    """Returns the name of the list or dict that a node changes in place; "" for none.

    As `STEPS.append(…)`, `OVERRIDES["Name"] = …` or `STEPS += […]` do.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        owner = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        owner = node.value
    elif isinstance(node, ast.AugAssign) and isinstance(node.value, ast.List):
        owner = node.target
    else:
        return ""
    return _owner(owner)


def _owner(node: ast.expr) -> str:
    """Returns the name whose value, or a part of it, the expression is; "" for another expression."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _changed_elsewhere(tree: ast.Module) -> Iterator[str]:
    """Yields the names whose value is changed in place under another name.

    Such a name is a parameter of a function, one that is assigned the value, or a loop's name for its items.
    """
    changed = {_changed(node) for node in ast.walk(tree)}
    changing = {
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and _changes_parameters(one)
    }
    for node in ast.walk(tree):
        others: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in changing:
            others = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.Assign) and _names(node.targets) & changed:
            others = [node.value]
        elif isinstance(node, ast.For) and _names([node.target]) & changed:
            others = [node.iter]
        yield from filter(None, map(_owner, others))


def _changes_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    return any(_changed(node) in names for node in ast.walk(function))


def _names(nodes: Sequence[ast.expr]) -> set[str]:
    return {one.id for one in nodes if isinstance(one, ast.Name)}
