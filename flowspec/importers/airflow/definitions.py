"""The names and functions of a Python module whose values are certain without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

CHANGES = frozenset(
    ("append", "extend", "update", "insert", "pop", "popitem", "setdefault", "remove", "clear", "reverse", "sort")
)
"""Methods that change a list or dict in place."""


class _Growth(NamedTuple):
    """A statement that makes a list longer: its name, what is added, the statement, and the node in it that adds."""

    name: str
    added: ast.expr
    statement: ast.stmt
    change: ast.AST


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Returns the functions of the module by name; of several with one name, none."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    counted = Counter(node.name for node in every)
    return {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef) and counted[one.name] == 1}


def assigned_names(tree: ast.Module) -> dict[str, ast.expr]:
    """Returns the names that have one certain value in the module, with their expressions.

    What a statement of the module adds to a list (`STEPS += …`, `STEPS.append(…)`) is a part of its expression.
    """
    nodes = list(ast.walk(tree))
    growing = list(_find_growth(tree.body))
    known = {id(one.change) for one in growing}
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        for target, value in _assignments(node):
            found.setdefault(target.id, []).append(value)
    uncertain = {_changed_name(node) for node in nodes if id(node) not in known}
    uncertain |= {*_names_bound_otherwise(nodes, known), *_names_changed_by_alias(nodes)}
    certain = {name: one for name, (one, *more) in found.items() if not more and name not in uncertain}
    _add_growth(certain, growing, _first_reads(nodes, growing))
    return certain


def _assignments(node: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Yields the names that a statement assigns whole values to, with the values."""
    if isinstance(node, ast.Assign):
        yield from ((one, node.value) for one in node.targets if isinstance(one, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target, node.value


def _names_bound_otherwise(nodes: Sequence[ast.AST], known: Collection[int]) -> Iterator[str]:
    """Yields the names that get or lose a value by anything but an assignment: imports, loops, `with`, `del`, `a, b =`.

    The names of a comprehension are its own. `known` are the ids of the nodes that make a list longer.
    """
    own: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.comprehension):
            own |= {id(one) for one in ast.walk(node.target)}
        elif isinstance(node, ast.AnnAssign) or (isinstance(node, ast.AugAssign) and id(node) in known):
            own.add(id(node.target))
        own |= {id(name) for name, _ in _assignments(node)}
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and id(node) not in own:
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _add_growth(certain: dict[str, ast.expr], growing: list[_Growth], reads: Mapping[str, int]) -> None:
    """Puts what statements add to lists into their expressions."""
    for name in {one.name for one in growing} & certain.keys():
        value = certain[name]
        # A copy, which gets longer in place: a list that is copied at each of its additions costs their square.
        certain[name] = ast.List([*value.elts]) if isinstance(value, ast.List) else value
    for name, added, statement, _ in growing:
        if reads.get(name, statement.lineno) < statement.lineno:
            # What was made of the shorter list would get the longer one.
            certain.pop(name, None)
        elif name in certain:
            certain[name] = ast.copy_location(_extend_expression(certain[name], added), statement)


def _extend_expression(one: ast.expr, added: ast.expr) -> ast.expr:
    """Returns the expression of a list, or text, and what is added to it.

    Of a list it is one flat list, so that many additions are not nested too deeply.
    """
    if not isinstance(one, ast.List) and not isinstance(added, ast.List):
        return ast.BinOp(one, ast.Add(), added)
    longer = one if isinstance(one, ast.List) else ast.List([ast.Starred(one)])
    longer.elts += added.elts if isinstance(added, ast.List) else [ast.Starred(added)]
    return longer


def _first_reads(nodes: Sequence[ast.AST], growing: list[_Growth]) -> dict[str, int]:
    """Returns the first line that reads each name, but for the calls that make it longer."""
    own = {id(node) for one in growing if isinstance(one.change, ast.Call) for node in ast.walk(one.change.func)}
    reads = [one for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
    lines = sorted((one.lineno, one.id) for one in reads if id(one) not in own)
    return {name: line for line, name in reversed(lines)}


def _find_growth(body: list[ast.stmt]) -> Iterator[_Growth]:
    """Yields the statements that make a list longer, each time the module is run."""
    for one in body:
        if isinstance(one, ast.With):
            yield from _find_growth(one.body)
        elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) and isinstance(one.op, ast.Add):
            yield _Growth(one.target.id, one.value, one, one)
        elif call := _call_of(one, "append"):
            yield _Growth(_root_name(call.func), ast.List(call.args, ast.Load()), one, call)
        elif call := _call_of(one, "extend"):
            yield _Growth(_root_name(call.func), call.args[0], one, call)
        elif (
            isinstance(one, ast.For)
            and (call := _call_of(_last_statement(one), "append"))
            and (loops := _as_generators(one))
        ):
            rounds = ast.ListComp(call.args[0], loops)
            yield _Growth(_root_name(call.func), ast.copy_location(rounds, one), one, call)


def _last_statement(loop: ast.For) -> ast.stmt:
    """Returns the last statement of the innermost of loops that end with a loop."""
    last = loop.body[-1]
    return _last_statement(last) if isinstance(last, ast.For) else last


def _as_generators(loop: ast.For) -> list[ast.comprehension]:
    """Returns what a comprehension has for a loop that assigns names and then loops, or adds an item to a list.

    An assignment is a `for` over one value there. Returns nothing for another loop.
    """
    found = [ast.comprehension(loop.target, loop.iter, [], 0)]
    *before, last = loop.body
    for one in before:
        if not isinstance(one, ast.Assign) or len(one.targets) > 1:
            return []
        found.append(ast.comprehension(one.targets[0], ast.List([one.value], ast.Load()), [], 0))
    if isinstance(last, ast.For):
        inner = _as_generators(last)
        found = [*found, *inner] if inner else []
    return [] if loop.orelse or _keep_values(found) else found


def _keep_values(loops: list[ast.comprehension]) -> bool:
    """Returns True if a name has its value of the round before somewhere, as in `total = total + 1`."""
    bound = [_names([*ast.walk(one.target)]) for one in loops]
    return any(_names([*ast.walk(one.iter)]) & later for at, one in enumerate(loops) for later in bound[at:])


def _call_of(statement: ast.stmt, method: str) -> ast.Call | None:
    """Returns the call, with one argument, of a name's method that a statement is; None for another statement."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    plain = isinstance(call.func.value, ast.Name) and len(call.args) == 1 and not call.keywords
    return call if plain and call.func.attr == method else None


def _changed_name(node: ast.AST) -> str:
    """Returns the name of the list or dict that a node changes in place; "" for none.

    As `STEPS.append(…)`, `OVERRIDES["Name"] = …` or `STEPS += MORE` do; `+=` gives a number or text a new value.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        owner = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        owner = node.value
    elif isinstance(node, ast.AugAssign) and not isinstance(node.value, ast.Constant | ast.JoinedStr):
        owner = node.target
    else:
        return ""
    return _root_name(owner)


def _root_name(node: ast.expr) -> str:
    """Returns the name whose value, or a part of it, the expression is; "" for another expression."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names_changed_by_alias(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yields the names whose value is changed in place under another name.

    Such a name is a parameter of a function, one that is assigned the value (`A = B = []` too), or a loop's name for
    its items.
    """
    changed, changing = {_changed_name(node) for node in nodes}, changing_functions(nodes)
    for node in nodes:
        others: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in changing:
            others = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.Assign) and _names(node.targets) & changed:
            others = [node.value, *(node.targets if len(node.targets) > 1 else ())]
        elif isinstance(node, ast.For) and _names([node.target]) & changed:
            others = [node.iter]
        yield from filter(None, map(_root_name, others))


def changing_functions(nodes: Iterable[ast.AST]) -> set[str]:
    """Returns the names of the functions among these nodes of a module that change what they are given."""
    every = (one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return {one.name for one in every if _changes_parameters(one)}


def _changes_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    nodes = [*ast.walk(function)]
    names = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    for node in nodes:
        # Other names for them, or for a part of them.
        if isinstance(node, ast.Assign) and _root_name(node.value) in names:
            names |= _names(node.targets)
        elif isinstance(node, ast.For) and _root_name(node.iter) in names:
            names |= _names([node.target])
    return any(_changed_name(node) in names for node in nodes)


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    return {one.id for one in nodes if isinstance(one, ast.Name)}
