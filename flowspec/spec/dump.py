"""Plain values -> YAML text that YAML 1.1 and 1.2 readers understand alike."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from flowspec.spec import schema as schemas
from flowspec.spec.document import Document
from flowspec.spec.masking import mask
from flowspec.spec.reading import Reading

# Plain only what no reader could take for anything but text: letters first, and none of the words
# that are booleans, nulls or numbers to someone.
_SAFE = re.compile(r"[A-Za-z_/][\w./@%+=-]*( [\w./@%+=-]+)*$|s3[an]?://[\w./@%+=*-]*$")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def dump(document: Any, secrets: Collection[str] = ()) -> str:
    """A rendered `Document` (its secrets masked), or plain data, as YAML in block style, in the order it has."""
    if isinstance(document, Document):
        reading = Reading()
        document, secrets = reading.value(document.root, schemas.strict()), document.secrets | reading.secrets
    return "".join(f"{line}\n" for line in _lines(mask(document, secrets), ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{_scalar(str(key))}:", item, indent)
    elif isinstance(value, list | tuple) and value:
        for item in value:
            yield from _element(item, indent)
    else:
        yield indent + _scalar(value)


def _entry(head: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list | tuple) and item:
        yield head
        yield from _lines(item, f"{indent}  ")
    else:
        yield f"{head} {_scalar(item)}"


def _element(item: Any, indent: str) -> Iterator[str]:
    lines = list(_lines(item, f"{indent}  "))
    yield f"{indent}- {lines[0].lstrip(' ')}"
    yield from lines[1:]


def _scalar(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):
        # YAML 1.1 takes 1e-05 for text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
    if not isinstance(value, str):
        return json.dumps(value)
    if _SAFE.match(value) and value.lower() not in _WORDS:
        return value
    return _quoted(value)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    # What is no printable text in YAML, or the end of a line to some readers, is written by its number.
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]", lambda odd: f"\\u{ord(odd[0]):04x}", quoted)
