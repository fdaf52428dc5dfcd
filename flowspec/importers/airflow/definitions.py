"""The names and functions of a Python module whose values are certain without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple


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
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.AugAssign | ast.For | ast.NamedExpr) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).extend([ast.Constant(None)] * 2)
        elif isinstance(node, ast.Call | ast.Delete | ast.Subscript):
            _note_changed(node, found)
    _grow(found, growing, _first_reads(tree, growing))
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _grow(found: dict[str, list[ast.expr]], growing: list[_Growth], reads: Mapping[str, int]) -> None:
    for name, added, statement in growing:
        if reads.get(name, statement.lineno) < statement.lineno:
            # What was made of the shorter list would get the longer one.
            found.setdefault(name, []).extend([ast.Constant(None)] * 2)
        found[name] = [ast.copy_location(ast.BinOp(one, ast.Add(), added), statement) for one in found.get(name, ())]


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


def _note_changed(node: ast.AST, found: dict[str, list[ast.expr]]) -> None:
    """A list or dict that is changed in place (`STEPS.append(…)`, `OVERRIDES["Name"] = …`) is not certain."""
    changes = ("append", "extend", "update", "insert", "pop", "setdefault", "remove", "clear")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changes:
        owner: ast.expr = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        owner = node.value
    else:
        return
    while isinstance(owner, ast.Subscript | ast.Attribute):
        owner = owner.value
    if isinstance(owner, ast.Name):
        found.setdefault(owner.id, []).extend([ast.Constant(None)] * 2)
