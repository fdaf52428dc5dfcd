"""`flowspec explain`: what a finding means, why it is one, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from flowspec.cli.exits import Exit
from flowspec.spec.catalog import CATALOG
from flowspec.spec.nearest import did_you_mean
from flowspec.spec.pages import page

_GROUPS = {
    "0": "Text and YAML",
    "1": "The schema",
    "2": "What EMR takes",
    "3": "Variables, targets, templates",
    "4": "Files",
    "5": "The backend",
    "6": "Policies",
}


@click.command(epilog="Example: flowspec explain FS204")
@click.argument("ids", nargs=-1, metavar="[ID...]")
def explain(ids: tuple[str, ...]) -> int:
    """Tell what a finding means, with a wrong and a right example; without an ID, list them all."""
    if not ids:
        click.echo("\n".join(_list()))
        return Exit.OK
    click.echo("\n".join(_page(id_) for id_ in ids), nl=False)
    return Exit.OK


def _list() -> Iterable[str]:
    seen = ""
    for id_, kind in CATALOG.items():
        group = _GROUPS.get(id_[2], "")
        if group != seen:
            yield f"{'' if not seen else chr(10)}{group}"
            seen = group
        yield f"  {id_}  {kind.severity.value:<7}  {kind.title}"


def _page(word: str) -> str:
    id_ = word.upper()
    text = page(id_) if id_ in CATALOG else None
    if text is None:
        hint = did_you_mean(id_, CATALOG) or "`flowspec explain` lists them all"
        raise click.BadParameter(f"there is no finding {word}: {hint}", param_hint="ID")
    return _painted(text) if sys.stdout.isatty() else text


def _painted(text: str) -> str:
    """Markdown for a terminal: headings bold, code as it is, the fences gone."""
    import os

    if os.environ.get("NO_COLOR"):
        return text
    lines = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(click.style(line.lstrip("# "), bold=True))
        elif line.startswith("```"):
            lines.append("")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
