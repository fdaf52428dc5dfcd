"""Formats the text of a spec: one order of keys, one way to quote, one indentation; comments stay at their keys.

The text is written anew from PyYAML's events; what they don't have (comments, blank lines) is taken from the lines
between. Scalars of several lines and flow collections that are too wide are kept as they are written. The result is
read again: when it is not the same document with the same comments, nothing is changed and an error says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowspec.document import schema as schemas
from flowspec.document.text.dump import scalar_text
from flowspec.document.text.parse import compose, events, refuse_saved_plan, resolve
from flowspec.document.text.tree import Items, Mapping, Node, Scalar, Source
from flowspec.errors import FlowspecError, SpecError

# The line length of the project's own specs; a flow collection that is wider is left as it is written.
_WIDTH = 120
# The keys that identify a mapping come first, and the steps of a spec last. All other keys keep the author's order,
# since the author may have grouped related keys.
_FIRST = (
    "flowspec",
    "requires",
    "role",
    "name",
    "type",
    "default",
    "count",
    "description",
    "extends",
)
_LAST = ("steps",)
_MODELINE = re.compile(r"#\s*yaml-language-server:")


def format_text(source: Source) -> str:
    """Returns the formatted text of a spec. Raises SpecError if it is not YAML.

    Raises FlowspecError if formatting would change the content. `source` is as `flowspec.document.text.parse.read`
    returns it.
    """
    root, found = compose(source)
    if root is not None:
        refuse_saved_plan(source, root)
    if found:
        # For example a key that is given twice: only one of the two values would be kept.
        raise SpecError(found)
    if root is None or (isinstance(root, Scalar) and root.value is None):
        raise SpecError([source.diagnostic("FS004", "the file is empty")])
    out = _Writer(source).text()
    again, problems = compose(Source(source.file, out))
    if problems or again is None or _texts(again) != _texts(root) or _comments(out) != _comments(source.text):
        raise FlowspecError(
            f"{source.file}: formatting would change what it says, so it is left as it is",
            remedy="write each key on a line of its own, and comments on lines of their own",
        )
    return out


def _texts(node: Node) -> Any:
    """Returns the values of a document with their texts: a configuration's property 0.10 is "0.10"."""
    if isinstance(node, Mapping):
        return {key: _texts(value) for key, (_, value) in node.entries.items()}
    return [_texts(item) for item in node.items] if isinstance(node, Items) else (node.value, node.text)


def _comments(text: str) -> Counter[str]:
    """Returns the words of all comments: a change of their order, or of their indentation, is none."""
    lines = (line.partition("#")[2].split() for line in text.splitlines() if line.lstrip().startswith("#"))
    return Counter(" ".join(words) for words in lines)


@dataclass(slots=True)
class _Piece:
    """A node of the text: its event, its children (keys and values in turn for a mapping), where its content ends."""

    event: Any
    children: list[_Piece] = field(default_factory=list)
    end: Any = None

    @property
    def kind(self) -> str:
        return str(type(self.event).__name__).removesuffix("Event").removesuffix("Start")

    @property
    def start(self) -> Any:
        return self.event.start_mark

    @property
    def column(self) -> int:
        """The column of a block's entries: of its dashes, or of its keys."""
        return int((self if self.kind == "Sequence" else self.children[0]).start.column)

    @property
    def is_block(self) -> bool:
        """True for a collection in block style, which takes lines of its own."""
        return self.kind in {"Mapping", "Sequence"} and not self.event.flow_style and bool(self.children)

    def has_alias(self) -> bool:
        return self.kind == "Alias" or any(child.has_alias() for child in self.children)

    def entries(self) -> list[tuple[_Piece, _Piece]]:
        return list(zip(self.children[::2], self.children[1::2], strict=True))


def _pieces(source: Source) -> _Piece:
    """Returns the root of a text that `compose` has taken."""
    open_: list[_Piece] = [_Piece(None)]
    for event in events(source):
        name = type(event).__name__
        if name in {"ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"}:
            piece = _Piece(event, end=event.end_mark)
            open_[-1].children.append(piece)
            if name.endswith("StartEvent"):
                open_.append(piece)
        elif name in {"MappingEndEvent", "SequenceEndEvent"}:
            piece = open_.pop()
            # PyYAML's end of a block collection is where the next token begins, after comments and blank lines.
            piece.end = piece.children[-1].end if piece.is_block else event.end_mark
    return open_[0].children[0]


class _Writer:
    """Writes one text anew."""

    def __init__(self, source: Source) -> None:
        self.lines = source.lines
        self.root = _pieces(source)
        # Other files (variables, policies) keep their order, and an alias must stay after its anchor.
        is_spec = any(_name(key) == "flowspec" for key in self.root.children[::2])
        self.reorders = is_spec and not self.root.has_alias()

    def text(self) -> str:
        schema = schemas.resolve_schema(schemas.strict(), "object") if self.reorders else {}
        header, lead = self._header()
        tail = self._stripped_lines(self._last_line(self.root) + 1, len(self.lines))
        if self.root.is_block:
            below, comments = _split_comments(tail, 0)
            body = list(self._block(self.root, 0, schema, lead, below))
        else:
            body, comments = [self._inline(self.root, "") or ""], [line.strip() for line in tail]
        return "\n".join([*header, *_collapse_blank_lines([*body, *comments])]) + "\n"

    def _header(self) -> tuple[list[str], list[str]]:
        """Divides the comments at the top into the file's own and those of the first key.

        The former are a modeline, and what a blank line ends.
        """
        above = [
            line.strip() for line in self._stripped_lines(0, self.root.start.line) if not line.startswith(("---", "%"))
        ]
        own = max((at for at, line in enumerate(above, 1) if not line or _MODELINE.match(line)), default=0)
        header = _collapse_blank_lines(above[:own])
        return ([*header, ""] if header and not above[own - 1] else header), above[own:]

    # -- lines of the text

    def _stripped_lines(self, start: int, end: int) -> list[str]:
        return [line.rstrip() for line in self.lines[start:end]]

    def _comments_between(self, start: int, end: int) -> list[str]:
        """Returns the comments and blank lines between two entries, without the dash of an item that begins below."""
        lines = (re.sub(r"^(\s*)-(?= |$)", r"\1 ", line).rstrip() for line in self._stripped_lines(start, end))
        return [
            line for line, written in zip(lines, self._stripped_lines(start, end), strict=True) if line or not written
        ]

    def _last_line(self, piece: _Piece) -> int:
        """Returns the index of the last line of a piece's content."""
        if piece.kind == "Scalar" and piece.event.style in {"|", ">"}:
            return self._end_of_block_scalar(piece)
        return self._last_line(piece.children[-1]) if piece.is_block else int(piece.end.line)

    def _end_of_block_scalar(self, piece: _Piece) -> int:
        """Returns the end of a block scalar.

        Its end mark is at the next token: blank lines belong to it, comments (never deeper than it) do not.
        """
        last = piece.end.line if piece.end.column == 0 and piece.end.line < len(self.lines) else piece.end.line + 1
        last = min(last, len(self.lines)) - 1
        keeps = "+" in self.lines[piece.start.line].partition(piece.event.style)[2][:3]
        first = piece.start.line
        indent = next((_indent(line) for line in self.lines[first + 1 : last + 1] if line.strip()), 0)
        while last > first and (
            _is_shallower_comment(self.lines[last], indent) or (not keeps and not self.lines[last].strip())
        ):
            last -= 1
        return int(last)

    def _trailing(self, line: int, column: int) -> str:
        """Returns the comment behind what ends at a place."""
        rest = self.lines[line][column:].strip() if line < len(self.lines) else ""
        return f"  {rest}" if rest.startswith("#") else ""

    # -- what is written

    def _block(
        self, piece: _Piece, indent: int, schema: Any, lead: list[str], below: Sequence[str] = ()
    ) -> Iterator[str]:
        """Yields the lines of a block collection.

        `lead` are the comments before its first entry, `below` those at the end that are inside of its last.
        """
        groups: list[tuple[str, list[str]]] = []
        is_map = piece.kind == "Mapping"
        pad = " " * indent
        entries = piece.entries() if is_map else [(item, item) for item in piece.children]
        for at, (key, value) in enumerate(entries):
            if at:
                previous = groups[-1][1]
                gap = self._comments_between(self._last_line(entries[at - 1][1]) + 1, key.start.line)
                inner, lead = _split_comments(gap, key.start.column - (0 if is_map else 2))
                previous += _indent_comments(entries[at - 1][1], indent, inner)
            lines = list(self._entry(key, value, indent, schema) if is_map else self._item(value, indent, schema))
            groups.append((_name(key) if is_map else "", [*(line and pad + line for line in lead), *lines]))
        groups[-1][1].extend(_indent_comments(entries[-1][1], indent, below))
        if is_map:
            order = _order(schema, [key for key, _ in groups])
            first = groups[0][0]
            groups.sort(key=lambda group: order.index(group[0]))
            _keep_blank_lines(groups, first)
        for _, lines in groups:
            yield from lines

    def _entry(self, key: _Piece, value: _Piece, indent: int, schema: Any) -> Iterator[str]:
        head = f"{' ' * indent}{self._inline(key, '')}:"
        inner = _schema_of_value(schema, _name(key), value)
        if not value.is_block:
            yield from self._value(head, value, indent)
            return
        anchor, line = _anchor(value), key.end.line
        after = self.lines[line].index(":", key.end.column) + 1 + len(anchor)
        yield head + anchor + self._trailing(line, after)
        lead = [one.strip() for one in self._stripped_lines(line + 1, value.children[0].start.line) if one.strip()]
        yield from self._block(value, indent + 2, inner, lead)

    def _item(self, value: _Piece, indent: int, schema: Any) -> Iterator[str]:
        head = f"{' ' * indent}-"
        inner = _schema_of_value(schema, 0, value)
        if not value.is_block:
            yield from self._value(head, value, indent)
            return
        anchor = _anchor(value)
        lines = list(self._block(value, indent + 2, inner, []))
        # Comments before the first key of an item are put before its dash, where the next reading takes them from.
        first = next(at for at, line in enumerate(lines) if line and not line.lstrip().startswith("#"))
        yield from (line and " " * indent + line.lstrip() for line in lines[:first])
        if anchor:
            yield head + anchor
            yield from lines[first:]
        else:
            yield f"{head} {lines[first].lstrip()}"
            yield from lines[first + 1 :]

    def _value(self, head: str, value: _Piece, indent: int) -> Iterator[str]:
        """Yields the lines of a value that begins on its key's line."""
        last = self._last_line(value)
        text = self._inline(value, head)
        if text is not None:
            comment = self._trailing(value.end.line, value.end.column)
            yield f"{head}{' ' if text else ''}{text}{comment}".rstrip() if text or comment else head
            return
        raw = self.lines[value.start.line : last + 1]
        yield f"{head} {raw[0][value.start.column :].rstrip()}"
        is_block = value.kind == "Scalar" and value.event.style in {"|", ">"}
        have = min((_indent(line) for line in raw[1:] if line.strip()), default=0)
        shift = indent + 2 - have
        if is_block and re.match(r"[|>][-+]?[1-9]", raw[0][value.start.column :]):
            # The indicator counts from the parent's indentation, so only the whole block may be moved.
            shift = 0
        for line in raw[1:]:
            moved = (" " * shift + line if shift >= 0 else line[-shift:]) if line.strip() else line
            yield moved if is_block else moved.rstrip()

    def _inline(self, piece: _Piece, head: str) -> str | None:
        """Returns the text of a piece on one line; None if it must stay on several lines."""
        if piece.kind == "Alias":
            return f"*{piece.event.anchor}"
        if piece.kind == "Scalar":
            return self._scalar(piece)
        if piece.start.line != piece.end.line and any(
            "#" in line for line in self.lines[piece.start.line : piece.end.line]
        ):
            return None
        parts = [part for child in piece.children if (part := self._inline(child, "")) is not None]
        if len(parts) < len(piece.children):
            return None
        if piece.kind == "Mapping":
            parts = [f"{key}: {value}".rstrip() for key, value in zip(parts[::2], parts[1::2], strict=True)]
        text = ", ".join(parts)
        text = f"{{{text}}}" if piece.kind == "Mapping" else f"[{text}]"
        text = f"{_anchor(piece)} {text}".lstrip()
        return text if not head or len(head) + 1 + len(text) <= _WIDTH or piece.start.line == piece.end.line else None

    def _scalar(self, piece: _Piece) -> str | None:
        event, start, end = piece.event, piece.start, piece.end
        if event.style in {"|", ">"} or start.line != end.line:
            return None
        raw: str = self.lines[start.line][start.column : end.column]
        shown = scalar_text(event.value)
        if event.anchor or event.tag or not event.style or (shown == event.value and resolve(shown) != shown):
            return raw
        # A text with quotes or backslashes is easier to read in the other kind of quotes.
        single = "'" + str(event.value).replace("'", "''") + "'"
        return single if "\\" in shown and len(single) <= len(raw) and single.isprintable() else shown


def _anchor(piece: _Piece) -> str:
    """Returns the anchor before a collection, as it is written."""
    return f" &{piece.event.anchor}" if piece.event.anchor else ""


def _name(key: _Piece) -> str:
    """Returns the text of a key; "" for one that is an alias or no scalar."""
    return str(getattr(key.event, "value", ""))


def _collapse_blank_lines(lines: list[str]) -> list[str]:
    """Returns lines with one blank line where there were several, and none at either end."""
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    while kept and not kept[-1]:
        kept.pop()
    while kept and not kept[0]:
        kept.pop(0)
    return kept


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_shallower_comment(line: str, indent: int) -> bool:
    return line.lstrip().startswith("#") and _indent(line) < indent


def _split_comments(gap: list[str], column: int) -> tuple[list[str], list[str]]:
    """Divides the lines between two entries into those inside of the first, deeper than `column`, and the others."""
    own = max((at for at, line in enumerate(gap, 1) if line.strip() and _indent(line) > column), default=0)
    return gap[:own], [line.strip() for line in gap[own:]]


def _indent_comments(value: _Piece, indent: int, comments: Iterable[str]) -> Iterator[str]:
    """Yields the comments below an entry's value, each in the innermost block that is no deeper than the comment."""
    for line in comments:
        piece, depth = value, indent + 2
        while piece.is_block and piece.children[-1].is_block and piece.children[-1].column <= _indent(line):
            piece, depth = piece.children[-1], depth + 2
        yield line.strip() and " " * depth + line.strip()


def _keep_blank_lines(groups: list[tuple[str, list[str]]], was_first: str) -> None:
    """Keeps blank lines with their keys, but no block begins with one: the key that was first gets it instead."""
    key, lines = groups[0]
    if key == was_first or lines[0]:
        return
    del lines[0]
    moved = next(lines for name, lines in groups if name == was_first)
    moved.insert(0, "")


def _order(schema: Any, keys: list[str]) -> list[str]:
    """Returns keys in the order in which they are written; those of a free mapping, such as tags, stay in theirs."""
    if "properties" not in schema:
        return keys
    first = [key for key in _FIRST if key in keys]
    last = [key for key in _LAST if key in keys]
    return [*first, *(key for key in keys if key not in {*first, *last}), *last]


def _schema_of_value(schema: Any, step: str | int, value: _Piece) -> Any:
    """Returns the schema of a value, with the shape that it has; {} where there is none."""
    if isinstance(step, int):
        found = schema.get("items")
    elif schema:
        found = schemas.member(schema, step)
    else:
        found = None
    if not isinstance(found, dict):
        return {}
    kind = {"Mapping": "object", "Sequence": "array"}.get(value.kind, "scalar")
    word = None
    if value.kind == "Mapping":
        word = next((one.event.value for key, one in value.entries() if _name(key) == "type"), None)
    return schemas.resolve_schema(found, kind, word)
