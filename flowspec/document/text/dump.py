"""Plain values -> YAML text that YAML 1.1 and 1.2 readers understand alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias

from flowspec.document.masking import mask
from flowspec.document.text.reading import read_values
from flowspec.document.text.tree import Document, NodePath

# Without quotes only if every YAML reader reads text: it begins with letters, and is no word that some reader takes for
# a boolean, null or number.
_SAFE = re.compile(r"[A-Za-z_/][\w./@%+=-]*( [\w./@%+=-]+)*|s3[an]?://[\w./@%+=*-]*")
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


_Line: TypeAlias = "tuple[str, tuple[str | int, ...]]"
"""A line, and the path of the value that it shows; () if the lines below show the value."""

_WIDEST = 60


def dump(
    document: Any,
    secrets: Collection[str] = (),
    note: Callable[[NodePath], str] | None = None,
    cells: Callable[[str], int] = len,
) -> str:
    """Returns a rendered `Document` (its secrets masked), or plain data, as YAML in block style; keeps the order.

    `note` gives a comment for the value at a path, which is put behind it ("": none), all in one column by the `cells`
    of a terminal that a line takes.
    """
    if isinstance(document, Document):
        document, secrets = read_values(document)
    lines = list(_lines(mask(document, secrets), "", ()))
    if note is None:
        return "".join(f"{text}\n" for text, _ in lines)
    width = min(_WIDEST, max((cells(text) for text, path in lines if path), default=0))
    noted = ((text, note(path) if path else "") for text, path in lines)
    return "".join(
        f"{text}{' ' * (width - cells(text))}  # {comment}\n" if comment else f"{text}\n" for text, comment in noted
    )


def _lines(value: Any, indent: str, path: tuple[str | int, ...]) -> Iterator[_Line]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{scalar_text(str(key))}:", item, indent, (*path, str(key)))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _element(item, indent, (*path, index))
    else:
        yield indent + scalar_text(value), path


def _entry(head: str, item: Any, indent: str, path: tuple[str | int, ...]) -> Iterator[_Line]:
    if isinstance(item, dict | list | tuple) and item:
        yield head, ()
        yield from _lines(item, f"{indent}  ", path)
    else:
        yield f"{head} {scalar_text(item)}", path


def _element(item: Any, indent: str, path: tuple[str | int, ...]) -> Iterator[_Line]:
    (first, shown), *lines = _lines(item, f"{indent}  ", path)
    yield f"{indent}- {first.lstrip(' ')}", shown
    yield from lines


def scalar_text(value: Any) -> str:
    """Returns a scalar as YAML: plain if all readers read the same value, else in double quotes."""
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):
        # YAML 1.1 takes 1e-05 for text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
    if not isinstance(value, str):
        return json.dumps(value)
    if _SAFE.fullmatch(value) and value.lower() not in WORDS:
        return value
    return quoted_text(value)


def quoted_text(text: str) -> str:
    """Returns a text in double quotes, as all readers of YAML take it."""
    quoted = json.dumps(text, ensure_ascii=False)
    # Characters that YAML can't print, that some readers take for the end of a line, or that reorder the text.
    return re.sub(
        "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]",
        lambda odd: f"\\u{ord(odd[0]):04x}",
        quoted,
    )
