"""Finds the word of the source that an error of a template is about."""

from __future__ import annotations

import re
from typing import Any

from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.text.tree import Place, Scalar
from flowspec.errors import Diagnostic

_OPENING = re.compile(r"\{[{%]")
# Lines that a folded scalar may have more in the source than in its text.
_FOLDED = 1_000


def template_problem(error: TemplateError, node: Any) -> list[Diagnostic]:
    """Returns the diagnostic of a failed template at the word with the error.

    [] if it was already reported.
    """
    if not error.id:
        return []
    at = _place_of_word(error, node.at, node.text) if isinstance(node, Scalar) else node.at
    return [at.source.diagnostic(error.id, error.message, at, hint=error.hint, notes=error.notes)]


def _place_of_word(error: TemplateError, at: Place, text: str) -> Place:
    """Returns the place of the word that the error is about, else that of its tag.

    It is the place of the scalar where both begin in one line.
    """
    tag = _tag_place(at, text, error.offset or 0)
    pattern = re.compile(rf"(?<![\w]){re.escape(error.word)}(?![\w])") if error.word else None
    for number in range(tag.line, tag.line + text.count("\n") + 2) if pattern else ():
        line = at.source.line(number)
        start = tag.column - 1 if number == tag.line else 0
        match = pattern.search(line, start) if pattern else None
        if match:
            return Place(at.source, number, match.start() + 1, len(error.word))
    return tag if tag.line != at.line else at


def _tag_place(at: Place, text: str, offset: int) -> Place:
    """Returns the place in the source of the tag that begins at an offset of a scalar's text.

    Tags are counted: however YAML folds the lines of a scalar, they stay in order.
    """
    before = len(_OPENING.findall(text, 0, offset))
    for number in range(at.line, at.line + text.count("\n") + _FOLDED):
        line = at.source.line(number)
        for found in _OPENING.finditer(line, at.column - 1 if number == at.line else 0):
            if not before:
                end = re.compile(r"[}%]\}").search(line, found.end())
                return Place(at.source, number, found.start() + 1, (end.end() if end else len(line)) - found.start())
            before -= 1
    return at
