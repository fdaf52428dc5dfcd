r"""The option `--select`, and the arguments that name many specs.

    --select name~REGEX         flows whose name contains a match of REGEX
    --select name=NAME          the flow of that name
    --select tag=KEY:VALUE      flows whose cluster has this tag with this value
    --select tag=KEY            flows whose cluster has this tag

Conditions with a comma between them must all hold: `name~^etl-,tag=team:data`; a comma of a regex or value is `\,`.
Of several `--select` one must hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from glob import has_magic, iglob
from pathlib import Path
from typing import Any, NamedTuple

import click

from flowspec.cli.options import compose_options, rendered
from flowspec.document.discovery import find_specs
from flowspec.document.escaping import visible
from flowspec.document.tree import plain, scalars
from flowspec.errors import FlowspecError

PATHS = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False), metavar="SPEC..."
)
SELECT = click.option(
    "--select",
    "selects",
    multiple=True,
    metavar="COND,...",
    help="Of many flows, those with name~REGEX, name=NAME, tag=KEY:VALUE or tag=KEY; all of a list, any of several.",
)
JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Of many flows, work on so many at a time.",
)
FLEET = compose_options(SELECT, JOBS)
_COMMA = r"a comma that does not end a condition is \,"
_FORMS = f"write name~REGEX, name=NAME, tag=KEY:VALUE or tag=KEY; {_COMMA}"


class Condition(NamedTuple):
    """One condition on a flow: its name has a match of `pattern`, or its cluster the tag `key` (with this `value`)."""

    pattern: re.Pattern[str] | None = None
    key: str = ""
    value: str | None = None

    def holds(self, name: str, tags: Mapping[str, str]) -> bool:
        """True if it holds for a flow of this name and these tags."""
        if self.pattern is not None:
            return bool(self.pattern.search(name))
        return self.key in tags and self.value in (None, tags[self.key])


def read_selects(selects: Sequence[str]) -> list[list[Condition]]:
    """Reads the values of `--select`. Raises click.BadParameter for one that is no list of conditions."""
    return [[_condition(part) for part in re.split(r"(?<!\\),", select)] for select in selects]


def _condition(text: str) -> Condition:
    found = re.fullmatch(r"(name)\s*([~=])(.+)|tag=([^:]+)(?::(.*))?", text.strip(), re.DOTALL)
    if not found:
        raise click.BadParameter(f"{text!r} is no condition: {_FORMS}", param_hint="--select")
    _, operator, wanted, key, value = found.groups()
    if key is not None:
        return Condition(key=_unescaped(key), value=None if value is None else _unescaped(value))
    try:
        text = _unescaped(wanted)
        return Condition(re.compile(text if operator == "~" else rf"\A{re.escape(text)}\Z"))
    except re.error as error:
        message = f"{wanted!r} is no regular expression: {error}; {_COMMA}"
        raise click.BadParameter(message, param_hint="--select") from error


def _unescaped(text: str) -> str:
    return text.replace(r"\,", ",")


def names_many(paths: Sequence[Path], selects: Sequence[str] = ()) -> bool:
    """True if the arguments name specs in the plural: several, a folder, a glob, or a selection of them."""
    return len(paths) > 1 or bool(selects) or any(map(is_folder_or_glob, paths))


def is_folder_or_glob(path: Path) -> bool:
    """True for a folder, and for a pattern of files that there are; a cluster's name may look like a pattern, too."""
    if path.is_dir():
        return True
    return has_magic(str(path)) and not path.exists() and any(iglob(str(path), recursive=True))  # noqa: PTH207 - may be absolute


def selected_specs(paths: Sequence[Path], selects: Sequence[str], **options: Any) -> list[Path]:
    """Finds the specs that arguments name and `--select` chooses; `options` are those that a spec is rendered with.

    A spec that can't be rendered is among them, so that the command says why. Raises FlowspecError when none is left.
    """
    alternatives = read_selects(selects)
    specs = find_specs(paths)
    if not alternatives:
        return specs
    chosen = [spec for spec in specs if _is_chosen(spec, alternatives, options)]
    if not chosen:
        raise FlowspecError(
            f"none of {len(specs)} flows is selected by {visible(' or '.join(selects))}",
            remedy="without --select, `flowspec validate` names the specs that there are",
        )
    return chosen


_RENDERING = ("target", "assignments", "variable_files", "date")


def _is_chosen(spec: Path, alternatives: Sequence[Sequence[Condition]], options: Mapping[str, Any]) -> bool:
    try:
        document = rendered(spec, placeholders=True, **{name: options[name] for name in _RENDERING})
    except FlowspecError:
        return True
    nodes = {name: document.root.get(name) for name in ("name", "tags")}
    # A template that could not be filled in.
    if any(one.failed for node in nodes.values() if node for one in scalars(node)):
        return True
    name, tags = (node and plain(node) for node in nodes.values())
    texts = {key: "" if value is None else str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}
    return any(all(one.holds(str(name), texts) for one in every) for every in alternatives)
