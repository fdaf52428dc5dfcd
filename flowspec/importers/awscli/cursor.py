"""A place in the text of a shell script: quotes, brackets, here documents and the numbers of lines."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEREDOC_BEGUN = re.compile(r"<<(?P<tabs>-?)[ \t]*(?P<quote>['\"\\]?)(?P<end>\w+)['\"]?")


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

    def until(self, quote: str) -> str:
        """Takes the text between this quote and the next one; one that is never closed reaches to the end."""
        end = self.text.find(quote, self.at + 1)
        end = end if end >= 0 else len(self.text)
        inner, self.at = self.text[self.at + 1 : end], end + 1
        return inner

    def enclosed(self, opening: str, closing: str) -> str:
        """Takes the text in the brackets that begin after this `$`."""
        depth, at, quote = 0, self.at + 1, ""
        while at < len(self.text):
            char = self.text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char == "#" and opening == "(" and self.text[at - 1].isspace():
                # An apostrophe in a comment is no quote.
                at = self._end_of_line(at) - 1
            elif char in "'\"":
                quote = char
            else:
                depth += (char == opening) - (char == closing)
            at += 1
            if depth == 0 and not quote:
                break
        inner, self.at = self.text[self.at + 2 : at - 1], at
        return inner

    def here_document(self) -> HereDocument | None:
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
