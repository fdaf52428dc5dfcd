"""The names and functions of a Python module whose values are certain without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from flowspec.importers.airflow.aliases import (
    Aliases,
    captured,
    decorator_names,
    operator_name,
    parameters,
    root_of,
)


class Definitions(NamedTuple):
    """The definitions of a module.

    `assigned` has each name with one certain value, with its expression, and `changes` the statements that change the
    list or dict of one afterwards. If the value of a name in `given` is a list or dict, code that is not followed may
    change it. `functions` are the module's. `changing` are the ids of nodes that may change lists or dicts. `bound` are
    all names that the module gives a meaning of its own.
    """

    assigned: Mapping[str, ast.expr] = {}
    changes: Mapping[str, Sequence[ast.stmt]] = {}
    functions: Mapping[str, ast.FunctionDef] = {}
    given: Collection[str] = ()
    changing: Collection[int] = ()
    bound: Collection[str] = ()


def read_definitions(tree: ast.Module) -> Definitions:
    """Returns what is certain of the names and functions of a module. Raises MemoryError where it is too large."""
    nodes = list(ast.walk(tree))
    if any(isinstance(node, ast.Name) and node.id == "exec" for node in nodes):
        # It may change every name.
        return Definitions()
    bindings = [(target, value) for node in nodes for target, value in _assignments(node)]
    counted = Counter(target.id for target, _ in bindings)
    others = {*_names_bound_otherwise(nodes, {id(target) for target, _ in bindings}), *_parameters_around(nodes)}
    assigned = {target.id: value for target, value in bindings if counted[target.id] == 1 and target.id not in others}
    aliases = Aliases(nodes)
    changes, uncertain = _split_changes(tree, aliases.changes, assigned)
    assigned = {name: value for name, value in assigned.items() if name not in uncertain}
    touched = aliases.given.union(*(names for _, names in aliases.changes))
    changing = {name for name, some in aliases.functions.items() for one in some if {*parameters(one)} & touched}
    defined = [one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    known = Counter([*(one.name for one in defined), *_names_bound_in_module(tree)])
    return Definitions(
        assigned,
        {name: every for name, every in changes.items() if name in assigned},
        {one.name: one for one in _functions(tree.body) if known[one.name] == 1},
        aliases.given,
        {
            *aliases.handing,
            *(id(one) for one, _ in aliases.changes),
            *(id(one) for one in nodes if isinstance(one, ast.Name) and one.id in changing),
        },
        known.keys(),
    )


def _functions(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """Yields the functions of a module, and those in its `with` blocks and in the functions that `@dag` decorates."""
    for one in body:
        if isinstance(one, ast.FunctionDef):
            yield one
            yield from _functions(one.body if "dag" in decorator_names(one) else [])
        elif isinstance(one, ast.With):
            yield from _functions(one.body)


def _parameters_around(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yields the parameters of functions with other functions or operators in them, which see these parameters."""
    for one in nodes:
        if isinstance(one, ast.FunctionDef):
            inner = [node for line in one.body for node in ast.walk(line)]
            functions = any(isinstance(node, ast.FunctionDef) for node in inner)
            if functions or any(isinstance(node, ast.Call) and operator_name(node) for node in inner):
                yield from parameters(one)


def _assignments(node: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Yields the names that a statement assigns whole values to, with the values."""
    if isinstance(node, ast.Assign):
        yield from ((one, node.value) for one in node.targets if isinstance(one, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target, node.value


def _names_bound_otherwise(nodes: Sequence[ast.AST], known: Collection[int]) -> Iterator[str]:
    """Yields the names that get or lose a value by anything but an assignment: imports, loops, `with`, `del`, `a, b =`.

    `known` are the ids of the targets of assignments. The names of a comprehension are its own, and `NAME += …` is
    among the changes of its value.
    """
    own = set(known)
    for node in nodes:
        if isinstance(node, ast.comprehension):
            own |= {id(one) for one in ast.walk(node.target)}
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            own.add(id(node.target))
    for node in nodes:
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del(), id=name) if id(node) not in own:
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from _imported(node)
            case ast.ExceptHandler(name=str() as name):
                yield name
            case ast.Match():
                yield from captured(node)
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id="globals" | "locals" | "vars")), slice=ast.Constant(value=str() as name)
            ):
                yield name


# What is evaluated here as that which is imported: module, name in it, name here.
_EVALUATED = frozenset((("", "copy", "copy"), ("", "os", "os"), ("copy", "deepcopy", "deepcopy")))


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    module = node.module if isinstance(node, ast.ImportFrom) else ""
    names = [(one.asname or one.name.partition(".")[0], one.name) for one in node.names]
    yield from (name for name, imported in names if (module, imported, name) not in _EVALUATED)


def _names_bound_in_module(tree: ast.Module) -> Iterator[str]:
    """Yields the names that the module itself gives a value, and none that only a function has."""
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imported(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    yield from (name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)


def _split_changes(
    tree: ast.Module, nodes: Sequence[tuple[ast.AST, set[str]]], assigned: Collection[str]
) -> tuple[dict[str, list[ast.stmt]], set[str]]:
    """Returns the statements of the module that change the value of one name, by name, and names that are not certain.

    Each of the former runs once, before the value is read. `nodes` are those that change what the names with them hold.
    """
    statements = [*_statements(tree.body)]
    # `add = STEPS.append` changes nothing yet.
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    deferred = {id(node) for one in ast.walk(tree) if isinstance(one, ast.Lambda) for node in ast.walk(one)}
    nodes_of = ((number, node) for number, one in enumerate(statements) for node in ast.walk(one))
    numbers = {id(node): number for number, node in nodes_of if id(node) not in deferred}
    found: dict[str, set[int]] = {}
    otherwise: set[str] = set()
    for node, names in nodes:
        known = {name for name in names if name in assigned}
        at_once = not isinstance(node, ast.Attribute) or id(node) in called
        if len(known) == 1 and at_once and id(node) in numbers:
            found.setdefault(known.pop(), set()).add(numbers[id(node)])
        else:
            otherwise |= names
    changes = {name: [statements[number] for number in sorted(one)] for name, one in found.items()}
    stored = [stored_names(one) for one in statements]
    loops = [(name, number) for name, one in found.items() for number in one if _is_compound(statements[number])]
    # What a loop that changes a list assigns has another value after each change.
    inner = {other for name, number in loops for other in stored[number] - {name}}
    # The list may hold what the loop assigned last, which a later statement changes.
    later = {
        other for node, names in nodes if id(node) in numbers for other in (names & inner) - stored[numbers[id(node)]]
    }
    held = {name for name, number in loops if later & (stored[number] - {name})}
    return changes, otherwise | inner | held | {*_names_read_before(tree, changes)}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements that run once, each time the module is run."""
    for one in body:
        if isinstance(one, ast.With):
            yield from _statements(one.body)
        elif not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one


def _is_compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body")


def _names_read_before(tree: ast.Module, changes: Mapping[str, Sequence[ast.stmt]]) -> Iterator[str]:
    """Yields the names that are read before the last of their changes, by anything else than a change.

    What is made of the shorter list would get the longer one.
    """
    last = {name: (every[-1].end_lineno or 0, every[-1].end_col_offset or 0) for name, every in changes.items()}
    own = {name: {id(one) for one in every} for name, every in changes.items()}
    # A statement may change many names: it is gone through once.
    statements = {id(one): one for every in changes.values() for one in every}
    reads = {id(node): number for number, one in statements.items() for node in _reads_for_change(one)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in last and reads.get(id(node)) not in own[name]:
                if (node.lineno, node.col_offset) < last[name]:
                    yield name


def _reads_for_change(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yields the nodes of a statement whose reading has no other use than the change that it makes."""
    if not _is_compound(statement):
        yield from ast.walk(statement)
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.For):
            yield root_of(node.iter)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield root_of(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield root_of(node.value.func)


def stored_names(statement: ast.stmt) -> set[str]:
    """Returns the names that a statement gives a value."""
    return {one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
