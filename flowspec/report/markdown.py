"""Texts of others inside of Markdown, shown so that they can't be taken for Markdown or HTML of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowspec.document.escaping import visible


def escaped(text: str) -> str:
    """Returns a text as one line in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~-])", r"\\\1", visible(text))


def fenced(lines: Sequence[str], language: str = "") -> list[str]:
    """Returns lines as a block of code. A fence is ended only by one as long: the lines may hold backticks."""
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return [f"{fence}{language}", *lines, fence]
