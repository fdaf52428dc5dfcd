"""Escapes untrusted text inside of Markdown, so that it can't be mistaken for Markdown or HTML of flowspec.

GitHub and GitLab notify the person or team that text after an @ names. Outside of code, the text therefore gets a
zero-width space after an @.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from flowspec.document.escaping import visible
from flowspec.document.masking import mask

# GitHub refuses a comment with more than 65,536 characters; some are left for what a workflow puts before it.
COMMENT_LIMIT = 60_000


def escaped(text: str, secrets: Collection[str] = ()) -> str:
    """Returns a text as one line in which nothing is Markdown or HTML.

    `secrets` are masked first, since an escaped secret would not be found.
    """
    return _escape(visible(str(mask(text, secrets))))


def with_code(text: str, secrets: Collection[str] = ()) -> str:
    """Returns a sentence of flowspec's as one line in which only the code between backquotes is Markdown."""
    parts = re.split("(`[^`]+`)", visible(str(mask(text, secrets))))
    return "".join(part if index % 2 else _escape(part) for index, part in enumerate(parts))


def _escape(text: str) -> str:
    return _without_mentions(re.sub(r"([\\`*_{}\[\]()#+!|<>~&-])", r"\\\1", text))


def _without_mentions(markup: str) -> str:
    return re.sub(r"@(?=\S)", "@&#8203;", markup)


def folded(title: str, lines: Sequence[str], secrets: Collection[str] = (), *, unfolded: bool = False) -> list[str]:
    """Returns lines of Markdown below a title that unfolds them, which is escaped; `unfolded`: they are shown at once.

    GitHub reads Markdown in a summary only after a blank line, so that the title is HTML.
    """
    from html import escape

    summary = _without_mentions(escape(visible(str(mask(title, secrets)))))
    return [f"<details{' open' * unfolded}><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def fenced(lines: Sequence[str], language: str = "") -> list[str]:
    """Returns lines as a block of code. The fence is longer than any row of backticks in the lines."""
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return [f"{fence}{language}", *lines, fence]
