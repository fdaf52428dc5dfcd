"""The parts of a Terraform configuration: blocks, expressions and templates, from either of its two syntaxes.

Expressions are kept with their source text, for notes and for the descriptions of variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple


class SyntaxFault(Exception):
    """A text is not in Terraform's language. `line` is 0 where the parser does not say it."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Expr:
    """An expression. `text` is its source, `line` where it begins."""

    text: str
    line: int


@dataclass(frozen=True)
class Literal(Expr):
    """A number, a truth value or null."""

    value: Any


@dataclass(frozen=True)
class Template(Expr):
    """A quoted string (with escapes), a heredoc, or a string of the JSON syntax; `raw` is what is between its ends."""

    raw: str
    quoted: bool = False
    flush: bool = False


@dataclass(frozen=True)
class Items(Expr):
    """`[a, b]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Pairs(Expr):
    """`{ key = value }`."""

    pairs: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True)
class Name(Expr):
    """A word that is a reference."""

    name: str


@dataclass(frozen=True)
class Attribute(Expr):
    """`target.name`."""

    target: Expr
    name: str


@dataclass(frozen=True)
class Index(Expr):
    """`target[key]`."""

    target: Expr
    key: Expr


@dataclass(frozen=True)
class Splat(Expr):
    """`target[*].rest`, or `target.*.rest`; `rest` is an expression on the name `""`, which is each item in turn."""

    target: Expr
    rest: Expr


@dataclass(frozen=True)
class Call(Expr):
    """A call of a function; with `spread` the last argument is a list of them (`f(a, b...)`)."""

    name: str
    args: tuple[Expr, ...]
    spread: bool = False


@dataclass(frozen=True)
class Unary(Expr):
    """An operator before an operand: `-` or `!`."""

    mark: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Expr):
    """An operator between two operands."""

    mark: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Conditional(Expr):
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True)
class For(Expr):
    """A `for` expression; `key` is None for a tuple."""

    names: tuple[str, ...]
    collection: Expr
    key: Expr | None
    value: Expr
    condition: Expr | None
    grouped: bool = False


# --- blocks ---


@dataclass
class Body:
    """The content of a block, or of an object of the JSON syntax."""

    file: str
    line: int = 0
    attributes: dict[str, Expr] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def of(self, kind: str) -> list[Block]:
        """Returns the blocks of a kind."""
        return [one for one in self.blocks if one.kind == kind]

    def place(self, line: int = 0) -> str:
        """Returns a line of it, as notes name it."""
        return f"{self.file}:{line or self.line}" if line or self.line else self.file


class Block(NamedTuple):
    """A block with its labels."""

    kind: str
    labels: tuple[str, ...]
    body: Body

    @property
    def made_kind(self) -> str:
        """The kind of block that it is, or that a `dynamic` block makes."""
        return self.labels[0] if self.kind == "dynamic" and self.labels else self.kind


# The labels of the blocks that a configuration has at its top.
LABELS = {"resource": 2, "data": 2, "variable": 1, "output": 1, "module": 1, "provider": 1}


def from_json(value: dict[str, Any], file: str) -> Body:
    """Returns the body of a file in the JSON syntax."""
    top = Body(file)
    for kind, content in value.items():
        for labels, inner in _split_labels(content, LABELS.get(kind, 0)):
            if isinstance(inner, dict):
                top.blocks.append(Block(kind, labels, _json_body(inner, kind, file)))
    return top


def _split_labels(content: Any, count: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    for one in content if isinstance(content, list) else [content]:
        if not count:
            yield (), one
        elif isinstance(one, dict):
            for label, inner in one.items():
                yield from (((label, *labels), last) for labels, last in _split_labels(inner, count - 1))


def _json_body(value: dict[str, Any], kind: str, file: str) -> Body:
    body = Body(file)
    for key, item in value.items():
        if key == "dynamic":
            for (label,), inner in _split_labels(item, 1):
                body.blocks.append(Block("dynamic", (label,), _json_body(inner, "dynamic", file)))
        elif (key in ("lifecycle", "content") and kind in ("resource", "dynamic")) or _has_dynamic(item):
            body.blocks += [Block(key, (), _json_body(one, key, file)) for _, one in _split_labels(item, 0)]
        elif key in ("type", "source", "depends_on", "provider") or (kind == "variable" and key == "default"):
            body.attributes[key] = Literal(str(item), 0, item)
        elif key != "//":
            body.attributes[key] = json_expr(item)
    return body


def _has_dynamic(value: Any) -> bool:
    """Returns True if a value is a block, or a list of blocks, with a dynamic block somewhere in it."""
    if isinstance(value, list):
        return all(isinstance(one, dict) for one in value) and any(map(_has_dynamic, value))
    return isinstance(value, dict) and ("dynamic" in value or any(map(_has_dynamic, value.values())))


def json_expr(value: Any) -> Expr:
    """Returns a value of the JSON syntax, in which each string is a template."""
    if isinstance(value, str):
        return Template(value, 0, value)
    if isinstance(value, list):
        return Items(str(value), 0, tuple(map(json_expr, value)))
    if isinstance(value, dict):
        return Pairs(str(value), 0, tuple((json_expr(key), json_expr(item)) for key, item in value.items()))
    return Literal(str(value), 0, value)


# --- templates ---


class If(NamedTuple):
    """`%{ if }` … `%{ else }` … `%{ endif }`."""

    condition: str
    yes: tuple[Part, ...]
    no: tuple[Part, ...]


class Loop(NamedTuple):
    """`%{ for }` … `%{ endfor }`."""

    names: tuple[str, ...]
    collection: str
    body: tuple[Part, ...]


class Code(NamedTuple):
    """`${ }`."""

    text: str


Part = str | Code | If | Loop

_SEQUENCE = re.compile(r"\$\$\{|%%\{|\$\{~?|%\{~?")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[nrt\"\\])")
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_FOR = re.compile(r"for\s+([\w-]+)\s*(?:,\s*([\w-]+)\s*)?in\b(.*)", re.DOTALL)


@lru_cache(maxsize=4096)
def template_parts(raw: str, quoted: bool = False, flush: bool = False) -> tuple[Part, ...]:
    """Returns the parts of a template. Raises `SyntaxFault`."""
    tokens = list(_tokens(raw, quoted))
    if flush:
        _dedent(tokens)
    parts, rest = _parse_parts(tokens, 0, ())
    if rest < len(tokens):
        raise SyntaxFault("a template directive without its beginning")
    return parts


def _tokens(raw: str, quoted: bool) -> Iterator[tuple[str, str]]:
    """Yields pairs of a kind ("", "${" or "%{") and a text. Literal text comes line by line, as Terraform scans it."""
    at, trim = 0, False
    pending = ""

    def literal(text: str) -> Iterator[tuple[str, str]]:
        nonlocal trim
        for line in re.findall(r"[^\n]*\n|[^\n]+", text):
            shown = _unescape(line) if quoted else line
            # A strip marker reaches as far as the end of its line.
            yield "", shown.lstrip() if trim else shown
            trim = False

    while match := _SEQUENCE.search(raw, at):
        pending += raw[at : match.start()]
        if match[0] in ("$${", "%%{"):
            pending, at = pending + match[0][1:], match.end()
            continue
        strips = match[0].endswith("~")
        texts = list(literal(pending))
        pending = ""
        if strips and texts:
            texts[-1] = ("", texts[-1][1].rstrip())
        yield from texts
        end = closing_brace(raw, match.end())
        inner = raw[match.end() : end]
        trim = inner.endswith("~")
        yield match[0][:2], inner.removesuffix("~").strip()
        at = end + 1
    yield from literal(pending + raw[at:])


def _unescape(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        code = found[0][1:]
        return _SIMPLE_ESCAPES[code] if code in _SIMPLE_ESCAPES else chr(int(code[1:], 16))

    return _ESCAPE.sub(replaced, text)


def closing_brace(text: str, at: int) -> int:
    """Returns the index of the brace that closes the one opened before `at`. Raises `SyntaxFault`."""
    depth = 1
    while at < len(text):
        char = text[at]
        if char == '"':
            at = _string_end(text, at)
        else:
            depth += (char == "{") - (char == "}")
            if depth == 0:
                return at
        at += 1
    raise SyntaxFault("a template sequence that is not closed")


def _string_end(text: str, at: int) -> int:
    """Returns the index at which the quoted string that begins at `at` ends."""
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
        elif text.startswith(("$${", "%%{"), at):
            at += 2
        elif text.startswith(("${", "%{"), at):
            at = closing_brace(text, at + 2)
        at += 1
    return at


def _dedent(tokens: list[tuple[str, str]]) -> None:
    """Takes the indentation that all lines have off a heredoc that begins with `<<-`."""
    begins = [index for index in range(len(tokens)) if index == 0 or tokens[index - 1][1][-1:] == "\n"]
    begins = [index for index in begins if index == 0 or not tokens[index - 1][0]]
    # A line of nothing but spaces does not count, and keeps them.
    lines = [index for index in begins if tokens[index][0] or tokens[index][1].strip() or tokens[index][1][-1:] != "\n"]
    spaces = [0 if tokens[one][0] else len(tokens[one][1]) - len(tokens[one][1].lstrip()) for one in lines]
    margin = min(spaces, default=0)
    for index in lines:
        if not tokens[index][0]:
            tokens[index] = ("", tokens[index][1][margin:])


def _parse_parts(tokens: Sequence[tuple[str, str]], at: int, ends: tuple[str, ...]) -> tuple[tuple[Part, ...], int]:
    """Returns the parts from a token on, up to one of these directives."""
    parts: list[Part] = []
    while at < len(tokens):
        kind, text = tokens[at]
        word = text.split(None, 1)[0] if kind == "%{" and text else ""
        if kind == "%{" and word in ends:
            return tuple(parts), at
        if kind == "%{":
            part, at = _parse_directive(tokens, at, word)
            parts.append(part)
        else:
            parts.append(Code(text) if kind else text)
            at += 1
    if ends:
        raise SyntaxFault(f"a template directive without its {ends[-1]}")
    return tuple(parts), at


def _parse_directive(tokens: Sequence[tuple[str, str]], at: int, word: str) -> tuple[Part, int]:
    text = tokens[at][1]
    if word == "if":
        yes, at = _parse_parts(tokens, at + 1, ("else", "endif"))
        no: tuple[Part, ...] = ()
        if tokens[at][1].startswith("else"):
            no, at = _parse_parts(tokens, at + 1, ("endif",))
        return If(text[2:], yes, no), at + 1
    found = _FOR.fullmatch(text)
    if not found:
        raise SyntaxFault(f"'{word}' is not a template directive")
    body, at = _parse_parts(tokens, at + 1, ("endfor",))
    return Loop(tuple(one for one in found.group(1, 2) if one), found[3], body), at + 1
