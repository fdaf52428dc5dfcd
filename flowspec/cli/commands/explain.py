"""`flowspec explain`: explains findings and the fields of a spec."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import click

from flowspec.cli import print_error
from flowspec.cli.exits import Exit
from flowspec.cli.options import complete_with, output_format
from flowspec.cli.output import print_json, print_result, wants_color
from flowspec.errors import NothingFound
from flowspec.report.json_text import as_json

# An id, or one that lacks a letter: F204.
_ID = re.compile(r"(?i)[a-z]{0,2}\d+")
# So much of a very long word is shown.
_VERY_LONG = re.compile(r"(\S{60})\S+")

_GROUPS = {
    "0": "Text and YAML",
    "1": "The schema",
    "2": "What EMR takes",
    "3": "Variables, targets, templates",
    "4": "Files",
    "5": "The backend",
    "6": "Policies and security",
    "7": "Requests to import",
    "8": "Tests of flows",
}


@click.command("explain", epilog="Example: flowspec explain FS204 steps.streaming.mapper")
@click.argument("words", nargs=-1, metavar="[ID|FIELD...]", shell_complete=complete_with("explainable"))
@output_format("text", "json")
def command(words: tuple[str, ...], format_: str) -> int:
    """Explain a finding, with a wrong and a right example, or a field of the spec; without a word, list them all.

    A field is named by the keys from the top of the spec: `instance_groups.type`, `steps.streaming.mapper`.
    `flowspec explain templates` lists the filters, tests and functions of templates, with examples.
    """
    if not words:
        print_result(as_json(_index()) if format_ == "json" else "\n".join(_list_all()))
        return Exit.OK
    pages, unknown = _pages(words)
    for error in unknown:
        print_error(error)
    if unknown:
        return Exit.USAGE
    if format_ == "json":
        print_json([*map(_document, pages)])
        return Exit.OK
    if sys.stdout and wants_color(sys.stdout):
        pages = [*map(painted, pages)]
    print_result("\n".join(pages), newline=False)
    return Exit.OK


def _index() -> dict[str, Any]:
    from flowspec.document.catalog import CATALOG
    from flowspec.document.checking.fields import field_names

    findings = [{"id": id_, "severity": kind.severity.value, "title": kind.title} for id_, kind in CATALOG.items()]
    return {"findings": findings, "fields": field_names("")}


def _document(page: str) -> dict[str, Any]:
    """Returns a page as data: its title, its text, and the Markdown of each section by its heading, such as `wrong`."""
    head, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    first, _, text = head.removeprefix("# ").partition("\n")
    id_, _, title = first.partition(": ")
    parts = (one.partition("\n") for one in sections)
    return {
        "id": id_,
        "title": title,
        "text": text.strip(),
        "sections": {heading.lower(): body.strip() for heading, _, body in parts},
    }


def _list_all() -> Iterable[str]:
    from flowspec.document.catalog import CATALOG
    from flowspec.document.checking.fields import field_names

    seen = ""
    for id_, kind in CATALOG.items():
        group = _GROUPS[id_[2]]
        if group != seen:
            yield f"{'' if not seen else chr(10)}{group}"
            seen = group
        yield f"  {id_}  {kind.severity.value:<7}  {kind.title}"
    yield "\nThe fields of a spec"
    yield from (f"  {name}" for name in field_names(""))


def _pages(words: Iterable[str]) -> tuple[list[str], list[NothingFound]]:
    """Returns the pages of the words, and an error for each word that is unknown."""
    pages, unknown = [], []
    for word in words:
        try:
            pages.append(_page_text(word))
        except NothingFound as error:
            message = _VERY_LONG.sub(r"\1…", error.message)
            unknown.append(NothingFound(message, remedy=error.remedy))
    return pages, unknown


def _page_text(word: str) -> str:
    from flowspec.document.catalog import CATALOG
    from flowspec.document.checking.fields import describe_field
    from flowspec.document.nearest import did_you_mean
    from flowspec.document.pages import PAGES, page

    if word in PAGES or word.upper() in CATALOG:
        return page(word if word in PAGES else word.upper()) or ""
    if _ID.fullmatch(word):
        hint = did_you_mean(word.upper(), CATALOG, most=3) or "`flowspec explain` lists them all"
        raise NothingFound(f"there is no finding {word}", remedy=hint)
    if hint := did_you_mean(word, PAGES):
        raise NothingFound(f"there is no page {word}", remedy=hint)
    return describe_field(word)


def painted(text: str) -> str:
    """Returns Markdown for a terminal: headings bold, code indented, the fences gone."""
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
