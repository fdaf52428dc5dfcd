"""The AWS CLI's shorthand syntax: `Type=Spark,Name=x,Args=[a,b]` -> an object whose scalars are strings.

The grammar is that of the user guide's page "Using shorthand syntax": a value goes on up to a comma, and a
key with several values, `k=a,b`, is a list. An unquoted value may hold blanks, but none of its own
brackets or quotes at its start.
"""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"[A-Za-z0-9_.#/:-]*")
# The first word of a value may hold "=", the further ones of a list may not: there a key begins.
_START = r"(?:\\,|[!#-&(-+\--<>-Z\\-z|-\uffff])"
_FIRST = re.compile(_START + r"(?:\\,|[\s!#-&(-+\--\\^-|~-\uffff])*")
_FURTHER = re.compile(_START + r"(?:\\,|[\s!#-&(-+\--<>-\uffff])*")
_QUOTED = re.compile(r"'(?P<single>(?:\\'|[^'])*)'|\"(?P<double>(?:\\\"|[^\"])*)\"")


class ShorthandError(ValueError):
    """A text that is no shorthand; says what was wanted where."""


def parse(text: str) -> dict[str, Any]:
    """Returns the object that a text means. Raises `ShorthandError`."""
    return _Parser(text).parameter()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def parameter(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        while True:
            key = self._key()
            if key in out:
                raise ShorthandError(f"{key} is given twice; a blank stands between two objects")
            out[key] = self._values()
            self._skip_blanks()
            if self.at >= len(self.text):
                return out
            self._expect(",")

    def _key(self) -> str:
        matched = _KEY.match(self.text, self.at)
        assert matched
        self.at = matched.end()
        self._expect("=")
        return matched[0]

    def _values(self) -> Any:
        if self.at >= len(self.text):
            return ""
        if self._current in "[{":
            return self._nested_value()
        first = self._value(_FIRST, "")
        self._skip_blanks()
        rest: list[str] = []
        while self._current == ",":
            self._expect(",")
            further = self._next_value_or_none()
            self._skip_blanks()
            if further is None or self._current not in ("", ","):
                # It was the key of the next entry.
                self.at = self.text.rfind(",", 0, self.at + 1)
                break
            rest.append(further)
        return [first, *rest] if rest else first

    def _next_value_or_none(self) -> str | None:
        try:
            return self._value(_FURTHER, None)
        except ShorthandError:
            return None

    def _nested_value(self) -> Any:
        if self._current == "[":
            return self._list()
        if self._current == "{":
            return self._object()
        return self._value(_FIRST, "")

    def _list(self) -> list[Any]:
        self._expect("[")
        out = []
        while self._current != "]":
            out.append(self._nested_value())
            self._separator("]")
        self._expect("]")
        return out

    def _object(self) -> dict[str, Any]:
        self._expect("{")
        out: dict[str, Any] = {}
        while self._current != "}":
            key = self._key()
            out[key] = self._nested_value()
            self._separator("}")
        self._expect("}")
        return out

    def _separator(self, closing: str) -> None:
        self._skip_blanks()
        if self._current != closing:
            self._expect(",")

    def _value(self, form: re.Pattern[str], default: str | None) -> str:
        quoted = _QUOTED.match(self.text, self.at)
        if quoted:
            self.at = quoted.end()
            mark, inner = ("'", quoted["single"]) if quoted["single"] is not None else ('"', quoted["double"])
            return inner.replace(f"\\{mark}", mark).replace("\\\\", "\\")
        matched = form.match(self.text, self.at)
        if matched:
            self.at = matched.end()
            return matched[0].replace("\\,", ",").rstrip()
        if default is None or (self._current and self._current in "'\""):
            raise ShorthandError(f"a value is wanted at {self._shown_position}")
        return default

    @property
    def _current(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def _shown_position(self) -> str:
        rest = self.text[self.at : self.at + 30]
        return f"'{rest}'" if rest else "its end"

    def _skip_blanks(self) -> None:
        while self._current.isspace():
            self.at += 1

    def _expect(self, char: str) -> None:
        self._skip_blanks()
        if self._current != char:
            raise ShorthandError(f"'{char}' is wanted at {self._shown_position}")
        self.at += 1
        self._skip_blanks()
