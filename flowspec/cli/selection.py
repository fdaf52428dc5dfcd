"""The option `--select`, and the arguments that name many specs. If it is repeated, a flow must match one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from flowspec.cli.options import SPEC_PATH, WholeNumber, gather
from flowspec.cli.output import eprint
from flowspec.cli.specs import Rendering, render_spec
from flowspec.document.discovery import SPEC_SUFFIXES, find_flows, matches
from flowspec.document.selection import Condition, colon_hint, is_selected, read_selects
from flowspec.errors import FlowspecError, NothingFound, number_of
from flowspec.facts.rates import FLOWS_AT_A_TIME

PATHS = click.argument("paths", nargs=-1, required=True, type=SPEC_PATH, metavar="SPEC...")


def _check_selects(_context: click.Context, _option: click.Parameter, selects: tuple[str, ...]) -> tuple[str, ...]:
    try:
        read_selects(selects)
    except FlowspecError as error:
        raise click.BadParameter(error.message) from error
    return selects


SELECT = click.option(
    "--select",
    "selects",
    multiple=True,
    callback=_check_selects,
    metavar="COND,...",
    help="Only flows that meet every COND: name=NAME, name~REGEX, tag=KEY or tag=KEY:VALUE. May be repeated: "
    "flows that meet any of the lists.",
)
JOBS = click.option(
    "--jobs",
    type=WholeNumber(min=1),
    default=FLOWS_AT_A_TIME,
    show_default=True,
    metavar="N",
    help="Work on up to N flows at a time.",
)


class Fleet(NamedTuple):
    """The options of commands that work on many specs."""

    selects: tuple[str, ...]
    jobs: int


FLEET = gather(Fleet, SELECT, JOBS)


def names_many(paths: Sequence[Path], selects: Sequence[str]) -> bool:
    """Returns True if the arguments name specs in the plural: several, a folder, a glob, or a selection of them."""
    return len(paths) > 1 or bool(selects) or any(map(is_folder_or_glob, paths))


def is_folder_or_glob(path: Path) -> bool:
    """Returns True for a folder, and for a pattern of files that there are: a cluster's name may look like one, too."""
    return path.is_dir() or (not path.exists() and any(matches(path)))


def selected_specs(
    paths: Sequence[Path],
    selects: Sequence[str],
    rendering: Rendering,
    *,
    find: Callable[[Sequence[Path]], list[Path]] = find_flows,
) -> list[Path]:
    """Finds the specs that arguments name, with `find`, and that `--select` chooses by their rendered values.

    A spec that can't be rendered is among them, so that the command says why. Raises NothingFound when an argument
    names none, and when none remains; click.UsageError when one names a saved plan.
    """
    refuse_saved_plans(paths)
    with _announce_long_search(paths):
        specs = find(paths)
    alternatives = read_selects(selects)
    if not alternatives:
        return specs
    chosen = list(filter(partial(_is_chosen, alternatives=alternatives, rendering=rendering), specs))
    if not chosen:
        raise NothingFound(
            f"none of {number_of(len(specs), 'flow')} is selected by {' or '.join(selects)}",
            remedy=colon_hint(selects) or "without --select, `flowspec validate` names the specs that there are",
        )
    return chosen


# Seconds. The folders of a repository take some milliseconds; a disk, which may be named by mistake, takes minutes.
_LONG_SEARCH = 3.0


@contextmanager
def _announce_long_search(paths: Iterable[Path]) -> Iterator[None]:
    """Prints the folders in which specs are looked for, if that takes long."""
    folders = ", ".join(str(path) for path in paths if path.is_dir())
    timer = threading.Timer(_LONG_SEARCH, eprint, [f"looking for specs in {folders} and below"])
    if folders:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


# A saved plan names its format within so many characters; of any other file, however large, no more is read.
_BEGINNING = 1 << 16


def refuse_saved_plans(paths: Iterable[Path]) -> None:
    """Raises click.UsageError when a saved plan is named where specs are wanted."""
    for path in paths:
        # Of a thousand specs none is opened twice.
        if path.suffix not in SPEC_SUFFIXES and text_of_saved_plan(path):
            raise click.UsageError(f"{path} is a saved plan, not a spec: apply it by itself with flowspec apply FILE")


def text_of_saved_plan(path: Path) -> str:
    """Returns the text of a saved plan, "" for any other path; what can't be read is refused as a spec."""
    from flowspec.plan.saved import is_plan_file

    # To open a named pipe waits for a writer.
    with suppress(OSError):
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                begins = file.read(_BEGINNING)
                return begins + file.read() if is_plan_file(begins) else ""
    return ""


def _is_chosen(spec: Path, alternatives: Sequence[Sequence[Condition]], rendering: Rendering) -> bool:
    try:
        document = render_spec(spec, rendering, placeholders=True)
    except FlowspecError:
        return True
    return is_selected(document, alternatives)
