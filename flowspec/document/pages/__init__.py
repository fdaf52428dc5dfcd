"""A page for each id of the catalogue: what it means, why, and a wrong and a right example.

The pages are Markdown files beside this one, named by the id. The examples are tests: the wrong one
gives exactly that finding, the right one does not. They leave out what has nothing to do with the finding, such
as the head of a spec, its release and its instances.
"""

from __future__ import annotations

from pathlib import Path

_OTHERS = {"templates": Path(__file__).parent.parent / "rendering/jinja/reference.md"}

PAGES = tuple(_OTHERS)
"""The pages that are about no finding."""


def page(id: str) -> str | None:  # noqa: A002 - it is the word for it
    """Returns the page of an id or one of PAGES, as Markdown; None when there is none."""
    path = _OTHERS.get(id) or Path(__file__).with_name(f"{id}.md")
    return path.read_text("utf-8") if path.is_file() else None
