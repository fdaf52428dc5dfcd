"""`flowspec explain`: what a finding means, why it is one, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import print_result, wants_color

_GROUPS = {
    "0": "Text and YAML",
    "1": "The schema",
    "2": "What EMR takes",
    "3": "Variables, targets, templates",
    "4": "Files",
    "5": "The backend",
    "6": "Policies",
    "7": "Requests to import",
}


@click.command("explain", epilog="Example: flowspec explain FS204")
@click.argument("ids", nargs=-1, metavar="[ID...]")
def command(ids: tuple[str, ...]) -> int:
    """Tell what a finding means, with a wrong and a right example; without an ID, list them all.

    `flowspec explain templates` lists the filters, tests and functions of templates, with examples.
    """
    if not ids:
        print_result("\n".join(_list()))
        return Exit.OK
    print_result("\n".join(_page(id_) for id_ in ids), newline=False)
    return Exit.OK


def _list() -> Iterable[str]:
    from flowspec.document.catalog import CATALOG

    seen = ""
    for id_, kind in CATALOG.items():
        group = _GROUPS.get(id_[2], "")
        if group != seen:
            yield f"{'' if not seen else chr(10)}{group}"
            seen = group
        yield f"  {id_}  {kind.severity.value:<7}  {kind.title}"


def _page(word: str) -> str:
    from flowspec.document.catalog import CATALOG
    from flowspec.document.nearest import did_you_mean
    from flowspec.document.pages import PAGES, page

    id_ = word.upper()
    text = page(id_) if id_ in CATALOG else page(word) if word in PAGES else None
    if text is None:
        hint = did_you_mean(id_, CATALOG) or did_you_mean(word, PAGES) or "`flowspec explain` lists them all"
        raise click.BadParameter(f"there is no finding {word}: {hint}", param_hint="ID")
    return painted(text) if sys.stdout and wants_color(sys.stdout) else text


def painted(text: str) -> str:
    """Markdown for a terminal: headings bold, code indented, the fences gone."""
    lines = []
    is_code = False
    for line in text.splitlines():
        if line.startswith("```"):
            is_code = not is_code
        elif is_code:
            lines.append(f"    {line}".rstrip())
        else:
            lines.append(click.style(line.lstrip("# "), bold=True) if line.startswith("#") else line)
    return "\n".join(lines) + "\n"
