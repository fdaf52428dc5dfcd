"""A spec as plain data and comments -> YAML: short values on one line, comments above."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from flowspec.document import schema as schemas
from flowspec.document.escaping import visible
from flowspec.document.text.dump import WORDS
from flowspec.document.text.parse import resolve
from flowspec.facts.api_model import KeyPath

Schema: TypeAlias = "schemas.Schema | None"

# Lines of values; a comment or a long text may be longer.
_WIDTH = 100
# A mapping with more entries is easier to read in several lines.
_ENTRIES = 6
# Texts that need no quotes: readers of YAML 1.1 and 1.2 alike read them as this text, also within braces.
_PART = r"[\w./@%+=*$~^?&#-]*(?::+(?=[\w/+*.])[\w./@%+=*$~^?&#-]*)*"
_PLAIN = re.compile(rf"(?:--?(?=[A-Za-z])|(?=[A-Za-z/_$])){_PART}(?: (?:--?(?=[A-Za-z])|(?=[\w./$])){_PART})*")
# Matching _PLAIN backtracks; longer texts are quoted.
_PLAIN_LENGTH = 400
_FIGURES = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+|[0-9]+[kKmMgGtTsSh][bB]?")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,8}|true|false")
_BLOCK = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]*"
)
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Line(NamedTuple):
    """A line, and the path of the value in it."""

    text: str
    path: KeyPath


def write(spec: Mapping[str, Any], comments: Mapping[KeyPath, list[str]], head: list[str]) -> list[Line]:
    """Writes a spec as lines; `head` are comments at the top. Values of several lines are between blank lines."""
    lines = [Line(_comment(text), ()) for text in head]
    writer = _Writer(comments)
    for key, value in spec.items():
        entry = list(writer.entry(key, value, schemas.member(schemas.strict(), key), "", (key,)))
        gap = [Line("", ())] if len(entry) > 1 + len(comments.get((key,), ())) else []
        lines += [*gap, *entry, *gap]
    return [line for index, line in enumerate(lines) if line.text or (lines[index - 1].text and index + 1 < len(lines))]


def _comment(text: str) -> str:
    # A name from the source may have line breaks, behind which it would be YAML.
    return f"# {visible(text)}"


class _Writer:
    def __init__(self, comments: Mapping[KeyPath, list[str]]) -> None:
        self.comments = comments
        self.commented = {path[:length] for path in comments for length in range(len(path))}

    def remarks(self, path: KeyPath, indent: str) -> Iterator[Line]:
        for text in self.comments.get(path, ()):
            yield Line(f"{indent}{_comment(text)}", path)

    def entry(self, key: str, value: Any, schema: Schema, indent: str, path: KeyPath) -> Iterator[Line]:
        yield from self.remarks(path, indent)
        head = f"{indent}{scalar(key)}:"
        short = self.short(value, schema, _WIDTH - len(head), path)
        if short is not None:
            yield Line(f"{head} {short}", path)
        elif isinstance(value, str):
            yield from _literal_block(head, value, indent, path)
        else:
            yield Line(head, path)
            yield from self.block(value, schema, f"{indent}  ", path)

    def block(self, value: Any, schema: Schema, indent: str, path: KeyPath) -> Iterator[Line]:
        if isinstance(value, dict):
            known = _narrow_schema(schema, value)
            for key, item in value.items():
                yield from self.entry(key, item, schemas.member(known, key) if known else None, indent, (*path, key))
            return
        items = _items(schema)
        for index, item in enumerate(value):
            yield from self.item(item, items, indent, (*path, index))

    def item(self, value: Any, schema: Schema, indent: str, path: KeyPath) -> Iterator[Line]:
        yield from self.remarks(path, indent)
        short = self.short(value, schema, _WIDTH - len(indent) - 2, path)
        if short is not None:
            yield Line(f"{indent}- {short}", path)
            return
        if isinstance(value, str):
            yield from _literal_block(f"{indent}-", value, indent, path)
            return
        first, *rest = self.block(value, schema, f"{indent}  ", path)
        yield Line(f"{indent}- {first.text.lstrip(' ')}", first.path)
        yield from rest

    def short(self, value: Any, schema: Schema, width: int, path: KeyPath) -> str | None:
        """Returns the value on one line; None for a text of several lines, and for too large a list or mapping."""
        if isinstance(value, str) and "\n" in value and _is_block(value):
            return None
        if not isinstance(value, dict | list) or not value:
            return scalar(value, schema)
        if path in self.commented or not _may_be_short(value, path):
            return None
        text = self.inline(value, schema)
        return text if len(text) <= width else None

    def inline(self, value: Any, schema: Schema) -> str:
        if isinstance(value, dict) and value:
            known = _narrow_schema(schema, value)
            pairs = (
                f"{scalar(key)}: {self.inline(item, schemas.member(known, key) if known else None)}"
                for key, item in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, list) and value:
            return f"[{', '.join(self.inline(item, _items(schema)) for item in value)}]"
        return scalar(value, schema)


def _literal_block(head: str, value: str, indent: str, path: KeyPath) -> Iterator[Line]:
    """Yields a text of several lines, as a literal block."""
    yield Line(f"{head} {'|' if value.endswith(chr(10)) else '|-'}", path)
    for text in value.removesuffix("\n").split("\n"):
        yield Line(f"{indent}  {text}" if text else "", path)


def _narrow_schema(schema: Schema, value: dict[str, Any]) -> Schema:
    kind = value.get("type")
    return (
        schemas.resolve_schema(schema, "object", kind if isinstance(kind, str) else None)
        if schema is not None
        else None
    )


def _items(schema: Schema) -> Schema:
    return schemas.resolve_schema(schema, "array").get("items") if schema is not None else None


def _may_be_short(value: Any, path: KeyPath) -> bool:
    if (path[0] == "steps" and len(path) == 2) or path in (("configurations",), ("variables",), ("api_params",)):
        return False
    return _is_flat(value, 1 if isinstance(value, dict) else 0)


def _is_flat(value: Any, depth: int) -> bool:
    """Returns True for a scalar, or nested collections of scalars up to `depth` levels, none of many entries."""
    if isinstance(value, str):
        return "\n" not in value
    if not isinstance(value, dict | list) or not value:
        return True
    if depth < 0 or (isinstance(value, dict) and len(value) > _ENTRIES):
        return False
    return all(_is_flat(one, depth - 1) for one in (value.values() if isinstance(value, dict) else value))


def _is_block(text: str) -> bool:
    body = text.removesuffix("\n")
    return (
        bool(_BLOCK.fullmatch(body)) and not body.endswith("\n") and not re.search(r"[ \t](\n|$)|\n[ \t]*\n[ \t]", body)
    )


def scalar(value: Any, schema: Schema = None) -> str:
    """Writes a scalar. Where the schema has `x-text`, a number is read as text and needs no quotes."""
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    if not isinstance(value, str):
        return json.dumps(value)
    if schema is not None and _NUMBER.fullmatch(value) and schemas.resolve_schema(schema, "scalar").get("x-text"):
        return value
    return value if _is_plain(value) else quoted(value)


def _is_plain(text: str) -> bool:
    if not (_PLAIN.fullmatch(text) or _FIGURES.fullmatch(text)) or len(text) > _PLAIN_LENGTH:
        return False
    return text.lower() not in WORDS and isinstance(resolve(text), str)


def quoted(text: str) -> str:
    """Writes a text in double quotes; characters that YAML can't hold are escaped."""
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(text, ensure_ascii=False))
