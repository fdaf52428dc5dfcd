"""The budget of the templates of one document: how much work they may do, and how much text they may make."""

from __future__ import annotations

from typing import Any

from flowspec.document.rendering.template_errors import TemplateError

MAX_TEXT = 100_000
"""Characters of a template, and of a text that one makes."""


class Budget:
    """The budget that all templates of one document share: steps of about a microsecond, characters made."""

    def __init__(self, steps: int = 1_000_000, characters: int = 10_000_000) -> None:
        self.steps, self.characters = steps, characters
        # Found once for the document, when first needed: compiled templates, the patterns' bounds, sizes of values.
        self.compiled: dict[str, Any] = {}
        self.patterns: Any = None
        self.sizes: dict[int, tuple[Any, int, int]] = {}
        self.exceeded = False

    def step(self, count: int = 1) -> None:
        """Counts work before it is done; raises `TemplateError` FS324 the first time that the budget is used up."""
        self.steps -= count
        if self.steps < 0:
            raise self._exhausted_error("take too much work")

    def make(self, length: int) -> None:
        """Counts the characters of a text before it is made."""
        if length > MAX_TEXT:
            raise TemplateError("FS324", f"a template may make up to {MAX_TEXT} characters, this makes {length}")
        self.characters -= length
        self.step(length // 2_000)
        if self.characters < 0:
            raise self._exhausted_error("make too much text")

    def _exhausted_error(self, what: str) -> TemplateError:
        """Returns the error for a budget that is used up; only the first template that exceeds it is reported."""
        id_, self.exceeded = ("" if self.exceeded else "FS324"), True
        return TemplateError(id_, f"the templates of this document {what}")
