"""`flowspec explain`: explains findings and the fields of a spec."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import completed
from flowspec.cli.output import print_result, wants_color

_GROUPS = {
    "0": "Text and YAML",
    "1": "The schema",
    "2": "What EMR takes",
    "3": "Variables, targets, templates",
    "4": "Files",
    "5": "The backend",
    "6": "Policies and security",
    "7": "Requests to import",
}


@click.command("explain", epilog="Example: flowspec explain FS204 steps.streaming.mapper")
@click.argument("words", nargs=-1, metavar="[ID|FIELD...]", shell_complete=completed("explained"))
def command(words: tuple[str, ...]) -> int:
    """Explain a finding, with a wrong and a right example, or a field of the spec; without a word, list the findings.

    A field is named by the keys from the top of the spec: `instance_groups.type`, `steps.streaming.mapper`.
    `flowspec explain templates` lists the filters, tests and functions of templates, with examples.
    """
    if not words:
        print_result("\n".join(_list()))
        return Exit.OK
    print_result("\n".join(_page(word) for word in words), newline=False)
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
    text = _text(word)
    return painted(text) if sys.stdout and wants_color(sys.stdout) else text


def _text(word: str) -> str:
    from flowspec.document.catalog import CATALOG
    from flowspec.document.checking.fields import UnknownFieldError, describe_field
    from flowspec.document.nearest import did_you_mean
    from flowspec.document.pages import PAGES, page

    if word in PAGES or word.upper() in CATALOG:
        return page(word if word in PAGES else word.upper()) or ""
    try:
        return describe_field(word)
    except UnknownFieldError as error:
        hint = did_you_mean(word.upper(), CATALOG) or did_you_mean(word, PAGES)
        if re.fullmatch(r"(?i)FS\d*", word):
            hint = hint or "`flowspec explain` lists them all"
        told = f"there is no finding, page or field {word}: {hint}" if hint else str(error)
        raise click.BadParameter(told, param_hint="ID|FIELD") from None


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
