"""A place in the text of a shell script: quotes, brackets, here documents and the numbers of lines."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEREDOC_BEGUN = re.compile(r"<<(?P<tabs>-?)[ \t]*(?P<quote>['\"\\]?)(?P<end>\w+)['\"]?")
# The text of `$'…'`, without its end.
_ANSI_C = re.compile(r"(?:[^'\\]|\\.)*\\?", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<byte>[0-9A-Fa-f]{1,2})|u(?P<short>[0-9A-Fa-f]{1,4})"
    r"|U(?P<long>[0-9A-Fa-f]{1,8})|c(?P<control>.)|(?P<one>[abeEfnrtv\\'\"?]))",
    re.DOTALL,
)
_ONE = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
_LAST_CHARACTER = 0x10FFFF


def decode_ansi_c(text: str) -> str:
    """Returns what bash makes of the text of `$'…'` (Bash Reference Manual, "ANSI-C Quoting"); a NUL ends it."""
    out, at = bytearray(), 0
    for found in _ESCAPE.finditer(text):
        out += text[at : found.start()].encode("utf-8", "surrogatepass") + _decode_escape(found)
        at = found.end()
    out += text[at:].encode("utf-8", "surrogatepass")
    return bytes(out).partition(b"\0")[0].decode("utf-8", "replace")


def _decode_escape(found: re.Match[str]) -> bytes:
    if found["one"]:
        return _ONE[found["one"]].encode()
    if found["control"]:
        return b"\x7f" if found["control"] == "?" else bytes([ord(found["control"].upper()) & 0x1F])
    if found["octal"] or found["byte"]:
        return bytes([int(found["octal"] or found["byte"], 8 if found["octal"] else 16) & 0xFF])
    code = int(found["short"] or found["long"], 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= _LAST_CHARACTER else found[0].encode()


class HereDocument(NamedTuple):
    """The text of a here document, the offset where it begins, and whether the shell replaces variables in it."""

    text: str
    start: int
    is_template: bool


class Cursor:
    """A place (`at`) in a text; `first` is the number of the text's first line in the source.

    `resume` is where the line after the here documents of this one begins; 0 without one.
    """

    def __init__(self, text: str, first: int) -> None:
        self.text, self.first = text, first
        self.at = self.resume = 0
        self._counted = (0, 0)
        self._open_ends: set[str] = set()

    def line(self, at: int) -> int:
        """Returns the line of the source that a place is in; counts on from the last place asked for."""
        place, lines = self._counted if self._counted[0] <= at else (0, 0)
        lines += self.text.count("\n", place, at)
        self._counted = (at, lines)
        return self.first + lines

    def skip_comment(self) -> None:
        """Goes to the end of the line."""
        self.at = self._end_of_line(self.at)

    def _end_of_line(self, at: int) -> int:
        end = self.text.find("\n", at)
        return end if end >= 0 else len(self.text)

    def take_until(self, quote: str) -> str:
        """Takes the text between this quote and the next one; one that is never closed reaches to the end.

        Afterwards `at` is beyond the end of the text, if it was never closed.
        """
        end = self.text.find(quote, self.at + 1)
        end = end if end >= 0 else len(self.text)
        inner, self.at = self.text[self.at + 1 : end], end + 1
        return inner

    def take_ansi_c(self) -> str:
        """Takes `$'…'`, and returns what bash makes of it; one that is never closed as `take_until` does."""
        inner = _ANSI_C.match(self.text, self.at + 2)
        assert inner
        self.at = inner.end() + 1
        return decode_ansi_c(inner[0])

    def take_enclosed(self, opening: str, closing: str) -> str:
        """Takes the text in the brackets that begin after this `$`."""
        depth, at, quote, closed = 0, self.at + 1, "", False
        while at < len(self.text) and not closed:
            char = self.text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote[-1] else quote
            elif char == "#" and opening == "(" and self.text[at - 1].isspace():
                # An apostrophe in a comment is no quote.
                at = self._end_of_line(at) - 1
            elif char in "'\"":
                quote = "$'" if char == "'" and self.text[at - 1] == "$" else char
            else:
                depth += (char == opening) - (char == closing)
            at += 1
            closed = depth == 0 and not quote
        inner, self.at = self.text[self.at + 2 : at - closed], at
        return inner

    def take_here_document(self) -> HereDocument | None:
        """Takes `<<END`, whose text begins in the next line; None where none begins here, or its end is missing."""
        begun = _HEREDOC_BEGUN.match(self.text, self.at)
        if not begun or begun["end"] in self._open_ends:
            return None
        start = self.resume or self.text.find("\n", self.at) + 1
        tabs = r"\t*" if begun["tabs"] else ""
        ended = re.compile(rf"^{tabs}{begun['end']}[ \t]*$", re.MULTILINE).search(self.text, start) if start else None
        if not ended:
            # It is not found further down either; without this, many such beginnings cost their square.
            self._open_ends.add(begun["end"])
            return None
        body = self.text[start : ended.start()]
        body = re.sub(r"^\t+", "", body, flags=re.MULTILINE) if begun["tabs"] else body
        self.at, self.resume = begun.end(), ended.end()
        return HereDocument(body, start, not begun["quote"])
