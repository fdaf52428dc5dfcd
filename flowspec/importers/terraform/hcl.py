"""Terraform's configuration language -> its blocks and expressions. The only door to hcl2 (python-hcl2, an extra)."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from flowspec.errors import FlowspecError
from flowspec.importers.terraform import syntax
from flowspec.importers.terraform.syntax import Block, Body, Expr, SyntaxFault

_HEREDOC = re.compile(r"<<(?P<flush>-?)(?P<end>[\w.-]+)\r?\n(?P<body>(?:.*\n)??)[ \t]*(?P=end)\s*", re.DOTALL)
_IGNORED = {"new_line_or_comment"}
_WORDS = {"true": True, "false": False, "null": None}


def parse(text: str, file: str, first: int = 1) -> Body:
    """Returns the blocks of a text, which begins at line `first` of its file.

    Raises `SyntaxFault` with the line; `FlowspecError` where hcl2 is not installed.
    """
    tree = _tree(text if text.endswith("\n") else f"{text}\n")
    return _Reader(text, file, first - 1).body(_significant_children(tree)[0])


@functools.lru_cache(maxsize=4096)
def expression(text: str, line: int = 0) -> Expr:
    """Returns an expression on its own. Raises `SyntaxFault`."""
    wrapped = f"x = (\n{text}\n)\n"
    body = _Reader(wrapped, "", line - 2).body(_significant_children(_tree(wrapped))[0])
    return body.attributes["x"]


def _tree(text: str) -> Any:
    try:
        import hcl2
    except ImportError:
        raise FlowspecError(
            "reading Terraform's language needs python-hcl2", remedy="pip install python-hcl2"
        ) from None
    try:
        return hcl2.parses_to_tree(_mask_unsupported(text))
    except Exception as error:  # noqa: BLE001 - hcl2 lets its parser's exceptions through
        line = getattr(error, "line", 0)
        raise SyntaxFault(str(error).splitlines()[0][:160], line if isinstance(line, int) and line > 0 else 0) from None


def _mask_unsupported(text: str) -> str:
    """Returns the text without what hcl2's grammar lacks: strip markers in `${~ ~}`, and `$${` without its brace.

    Positions stay, and strings are read from the text itself by their positions.
    """
    text = text.replace("${~", "${ ").replace("~}", " }")
    return text.replace("$${", "$$(").replace("%%{", "%%(")


def _split(text: str) -> Iterator[tuple[str, int]]:
    """Yields the blocks at the top of a file that can't be read as a whole, each with its first line.

    A block begins with a word at the beginning of a line, as `terraform fmt` leaves it.
    """
    lines = text.splitlines(keepends=True)
    begins = [index for index, line in enumerate(lines) if re.match(r"[A-Za-z_]\w*[^=]*\{", line)]
    for begin, end in pairwise([*begins, len(lines)]):
        yield "".join(lines[begin:end]), begin + 1


def _significant_children(tree: Any) -> list[Any]:
    """Returns the children that mean something."""
    return [
        one
        for one in tree.children
        if one is not None and getattr(one, "data", "") not in _IGNORED and getattr(one, "type", "") != "NL_OR_COMMENT"
    ]


def _subtrees(tree: Any) -> list[Any]:
    return [one for one in _significant_children(tree) if hasattr(one, "children")]


def _token_types(tree: Any) -> set[str]:
    return {one.type for one in _significant_children(tree) if not hasattr(one, "children")}


class _Reader:
    """Reads the tree that hcl2 makes of a text. `offset` is added to its lines."""

    def __init__(self, text: str, file: str, offset: int) -> None:
        self.text, self.file, self.offset = text, file, offset

    def body(self, tree: Any) -> Body:
        made = Body(self.file, self._line(tree))
        for one in _subtrees(tree):
            if one.data == "attribute":
                name, value = _subtrees(one)
                made.attributes[self._source(name)] = self.expr(value)
            else:
                *labels, inner = _subtrees(one)
                kind, *rest = (self._source(label).strip('"') for label in labels)
                content = self.body(inner)
                content.line = self._line(one)
                made.blocks.append(Block(kind, tuple(rest), content))
        return made

    def expr(self, tree: Any) -> Expr:
        reader = self._KINDS.get(tree.data)
        if reader is None:
            raise SyntaxFault(f"{tree.data} is not known", self._line(tree))
        return reader(self, tree, self._source(tree), self._line(tree))

    def _source(self, tree: Any) -> str:
        return "" if tree.meta.empty else self.text[tree.meta.start_pos : tree.meta.end_pos]

    def _line(self, tree: Any) -> int:
        return 0 if tree.meta.empty else tree.meta.line + self.offset

    def _number(self, _tree: Any, text: str, line: int) -> Expr:
        value = Decimal(text)
        return syntax.Literal(text, line, int(value) if value == value.to_integral_value() else float(value))

    def _heredoc(self, _tree: Any, text: str, line: int) -> Expr:
        found = _HEREDOC.fullmatch(text)
        if not found:
            raise SyntaxFault("a heredoc without its end", line)
        return syntax.Template(text, line, found["body"].replace("\r\n", "\n"), flush=bool(found["flush"]))

    def _tuple(self, tree: Any, text: str, line: int) -> Expr:
        return syntax.Items(text, line, tuple(map(self.expr, _subtrees(tree))))

    def _object(self, tree: Any, text: str, line: int) -> Expr:
        pairs = []
        for one in _subtrees(tree):
            key, value = _subtrees(one)
            pairs.append((self._key(key), self.expr(value)))
        return syntax.Pairs(text, line, tuple(pairs))

    def _key(self, tree: Any) -> Expr:
        """Returns a key: a word is a text, unless it is in parentheses."""
        text, line = self._source(tree), self._line(tree)
        if re.fullmatch(r"[A-Za-z_][\w-]*|[0-9]+", text):
            return syntax.Literal(text, line, text)
        return self.expr(_subtrees(tree)[0])

    def _get(self, tree: Any, text: str, line: int) -> Expr:
        target, access = _subtrees(tree)
        return self._access_of(self.expr(target), access, text, line)

    def _access_of(self, target: Expr, access: Any, text: str, line: int) -> Expr:
        if access.data == "braces_index":
            return syntax.Index(text, line, target, self.expr(_subtrees(access)[0]))
        name = self._source(access)[1:].strip()
        if access.data == "short_index":
            return syntax.Index(text, line, target, syntax.Literal(name, line, int(name)))
        return syntax.Attribute(text, line, target, name)

    def _splat(self, tree: Any, text: str, line: int) -> Expr:
        target, splat = _subtrees(tree)
        rest: Expr = syntax.Name("", line, "")
        for access in _subtrees(splat):
            rest = self._access_of(rest, access, text, line)
        return syntax.Splat(text, line, self.expr(target), rest)

    def _call(self, tree: Any, text: str, line: int) -> Expr:
        inner = _subtrees(tree)
        names = [self._source(one) for one in inner if one.data == "identifier"]
        found = [one for one in inner if one.data == "arguments"]
        args = tuple(self.expr(one) for part in found for one in _subtrees(part))
        spread = any("ELLIPSIS" in _token_types(part) for part in found)
        return syntax.Call(text, line, "::".join(names), args, spread)

    def _unary(self, tree: Any, text: str, line: int) -> Expr:
        mark = text[0]
        return syntax.Unary(text, line, mark, self.expr(_subtrees(tree)[0]))

    def _binary(self, tree: Any, text: str, line: int) -> Expr:
        left, term = _subtrees(tree)
        mark, right = _subtrees(term)
        return syntax.Binary(text, line, self._source(mark), self.expr(left), self.expr(right))

    def _conditional(self, tree: Any, text: str, line: int) -> Expr:
        condition, yes, no = map(self.expr, _subtrees(tree))
        return syntax.Conditional(text, line, condition, yes, no)

    def _for(self, tree: Any, text: str, line: int) -> Expr:
        intro, *results = _subtrees(tree)
        *names, collection = _subtrees(intro)
        conditions = [_subtrees(one)[0] for one in results if one.data == "for_cond"]
        *keys, value = [self.expr(one) for one in results if one.data != "for_cond"]
        return syntax.For(
            text, line, tuple(map(self._source, names)), self.expr(collection), keys[0] if keys else None, value,
            self.expr(conditions[0]) if conditions else None, "ELLIPSIS" in _token_types(tree),
        )  # fmt: skip

    _KINDS: dict[str, Callable[[_Reader, Any, str, int], Expr]] = {  # noqa: RUF012 - read only
        "expr_term": lambda reader, tree, *_: reader.expr(_subtrees(tree)[0]),
        "literal_value": lambda _reader, _tree, text, line: syntax.Literal(text, line, _WORDS[text]),
        "int_lit": _number,
        "float_lit": _number,
        "string": lambda _reader, _tree, text, line: syntax.Template(text, line, text[1:-1], quoted=True),
        "heredoc_template": _heredoc,
        "heredoc_template_trim": _heredoc,
        **dict.fromkeys(("identifier", "keyword"), lambda _reader, _tree, text, line: syntax.Name(text, line, text)),
        "tuple": _tuple,
        "object": _object,
        "index_expr_term": _get,
        "get_attr_expr_term": _get,
        "attr_splat_expr_term": _splat,
        "full_splat_expr_term": _splat,
        "function_call": _call,
        "unary_op": _unary,
        "binary_op": _binary,
        "conditional": _conditional,
        "for_tuple_expr": _for,
        "for_object_expr": _for,
    }


def read(text: str, file: str) -> tuple[Body, list[str]]:
    """Returns the blocks of a file in either syntax, and what is wrong with the parts that can't be read.

    Raises `SyntaxFault` when nothing can be read.
    """
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, file), []
    try:
        return parse(text, file), []
    except SyntaxFault as fault:
        made, faults = Body(file), []
        for part, first in _split(text):
            try:
                made.blocks += parse(part, file, first).blocks
            except SyntaxFault as inner:
                line = inner.line + first - 1 if inner.line else first
                faults.append(
                    f"{file}:{line}: this block is not imported, since it is not Terraform's language: {inner}"
                )
        if not made.blocks:
            raise fault from None
        return made, faults


def _json(text: str, file: str) -> Body:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SyntaxFault(f"this is not JSON: {str(error)[:200]}", getattr(error, "lineno", 0)) from None
    if not isinstance(value, dict):
        raise SyntaxFault("Terraform's JSON is an object")
    return syntax.from_json(value, file)
