"""Checks of the data that a plan reads and writes: what is read exists, and outputs do not exist yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from flowspec.plan.changes import Action, Plan
from flowspec.plan.findings import Finding, Level
from flowspec.request.data import DataUse, data_uses, earlier_uses
from flowspec.request.steps.access import Use

# A lookup in S3 takes some 30 ms; boto3 keeps ten connections in a client's pool.
_AT_ONCE = 8
# Lookups in all: at most 200 * 30 ms / 8, under a second. A request has 256 steps at most.
_MOST = 200


class NotChecked(Exception):
    """A lookup that got no answer; the text is the reason."""


class Store(Protocol):
    """A place where data is looked up. Both lookups raise `NotChecked`."""

    def has(self, uri: str) -> bool:
        """True if URIs like this one are in this store."""

    def object_exists(self, uri: str) -> bool:
        """True if there is an object (a file) at a URI."""

    def path_exists(self, uri: str) -> bool:
        """True if there is an object at a URI or below it, or one that it matches as a glob."""


def used_data(plan: Plan, region: str) -> tuple[DataUse, ...]:
    """The data that a plan's request uses, of all its steps."""
    return data_uses(plan.request, region)


def submitted(plan: Plan, uses: Iterable[DataUse]) -> list[DataUse]:
    """The uses by what the plan would submit: on a living cluster, the steps that are added."""
    steps = {one.path[1] for one in plan.changes if one.action is Action.SUBMIT and one.path[:1] == ("Steps",)}
    staged = {asset.uri for asset in plan.uploads}
    return [
        one
        for one in uses
        if (one.step in steps or (one.step is None and not plan.converges)) and one.uri not in staged
    ]


def data_findings(uses: Sequence[DataUse], wanted: Collection[DataUse], store: Store) -> list[Finding]:
    """Looks up the data in `wanted`, a part of the `uses` of a request; one finding for each lookup."""
    asked = [one for one in wanted if one.use in _CHECKS and store.has(one.uri)]

    def look_up(use: DataUse) -> Finding:
        try:
            return _CHECKS[use.use](use, uses, store)
        except NotChecked as error:
            return finding(Level.UNCHECKED, use, str(error))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(look_up, asked[:_MOST]))
    if len(asked) > _MOST:
        found.append(Finding(Level.UNCHECKED, f"{len(asked) - _MOST} more URIs", f"{_MOST} are looked up at most"))
    return [*found, *_written_twice(uses, wanted)]


def finding(level: Level, use: DataUse, message: str = "", remedy: str = "") -> Finding:
    """A finding about a use of data."""
    return Finding(level, f"{use.part}: {use.uri}", message, remedy, use.path, use.uri)


def _check_file(use: DataUse, uses: Sequence[DataUse], store: Store) -> Finding:
    return _read(use, uses, store.object_exists(use.uri))


def _check_input(use: DataUse, uses: Sequence[DataUse], store: Store) -> Finding:
    return _read(use, uses, store.path_exists(use.uri))


def _read(use: DataUse, uses: Sequence[DataUse], exists: bool) -> Finding:
    if exists:
        return finding(Level.OK, use)
    writer = next(earlier_uses(use, uses), None)
    if writer is None:
        return finding(Level.WRONG, use, "does not exist")
    if writer.use is Use.ARGUMENT:
        return finding(Level.UNCHECKED, use, f"does not exist yet; {writer.part} may write it")
    return finding(Level.OK, use, f"{writer.part} writes it")


def _check_output(use: DataUse, uses: Sequence[DataUse], store: Store) -> Finding:
    if not store.path_exists(use.uri):
        return finding(Level.OK, use)
    remover = next((one for one in earlier_uses(use, uses) if one.use is Use.ARGUMENT), None)
    if remover:
        return finding(Level.UNCHECKED, use, f"exists already; {remover.part} may remove it")
    return finding(Level.WRONG, use, "exists already, and Hadoop does not write into a folder that exists", _REMOVE)


_REMOVE = "remove it, or write to another folder"
_CHECKS: dict[Use, Callable[[DataUse, Sequence[DataUse], Store], Finding]] = {
    Use.FILE: _check_file,
    Use.INPUT: _check_input,
    Use.OUTPUT: _check_output,
}


def _written_twice(uses: Sequence[DataUse], wanted: Collection[DataUse]) -> Iterator[Finding]:
    """Yields a finding for each output that an earlier step of the same request makes already."""
    for use in wanted:
        if use.use is not Use.OUTPUT:
            continue
        earlier = [one for one in earlier_uses(use, uses) if one.use is Use.OUTPUT]
        if any(one.uri.rstrip("/") == use.uri.rstrip("/") for one in earlier):
            yield finding(Level.WRONG, use, f"{earlier[0].part} writes there, too", _REMOVE)
