"""Checks the data that a plan reads and writes: inputs exist, and outputs do not exist yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol

from flowspec.backend.threads import Threads
from flowspec.errors import number_of
from flowspec.plan.changes import Action, Plan
from flowspec.plan.findings import Finding, Level
from flowspec.request.data import DataUse, data_uses, earlier_uses, overlaps
from flowspec.request.steps.access import Use

# The total number of lookups: 200 * 30 ms / 8 take less than a second. A request has at most 256 steps.
_MOST = 200


class NotChecked(Exception):
    """A lookup that got no answer; the text is the reason. `unserved`: the endpoint does not serve the operation."""

    def __init__(self, reason: str, *, unserved: bool = False) -> None:
        super().__init__(reason)
        self.unserved = unserved


class Store(Protocol):
    """A place where data is looked up. Both lookups raise `NotChecked`."""

    def has(self, uri: str) -> bool:
        """Returns True if URIs like this one are in this store."""

    def object_exists(self, uri: str) -> bool:
        """Returns True if there is an object (a file) at a URI."""

    def path_exists(self, uri: str) -> bool:
        """Returns True if there is an object at a URI or below it, or one that it matches as a glob."""


def used_data(plan: Plan, region: str) -> tuple[DataUse, ...]:
    """Returns the data that a plan's request uses, of all its steps."""
    return data_uses(plan.request, region)


def uses_submitted(plan: Plan, uses: Iterable[DataUse]) -> list[DataUse]:
    """Returns the uses by the steps that the plan would submit: on a living cluster, only the added steps."""
    steps = {one.path[1] for one in plan.changes if one.action is Action.SUBMIT and one.path[:1] == ("Steps",)}
    staged = {asset.uri for asset in plan.uploads}
    return [
        one
        for one in uses
        if (one.step in steps or (one.step is None and not plan.converges)) and one.uri not in staged
    ]


def _omitted_data(plan: Plan, region: str) -> tuple[DataUse, ...]:
    """Returns the data of the steps that a plan leaves out.

    `step` is the index of the first step that comes after them.
    """
    steps = [one.config for one in plan.omitted]
    uses = data_uses({**plan.request, "Steps": steps}, region) if steps else ()
    left = ((one, plan.omitted[one.step]) for one in uses if one.step is not None)
    return tuple(one._replace(step=step.place, under_way=step.under_way) for one, step in left)


def data_findings(
    plan: Plan, uses: Sequence[DataUse], wanted: Collection[DataUse], store: Store, region: str
) -> list[Finding]:
    """Looks up the data in `wanted`, a part of the `uses` of a plan's request; one finding for each lookup.

    The output of the steps that the plan leaves out must exist.
    """
    omitted = _omitted_data(plan, region)
    before = {one: writer for one in wanted if (writer := _omitted_writer(one, uses, omitted))}
    asked = [one for one in wanted if one in before or (one.use in _CHECKS and store.has(one.uri))]

    def look_up(use: DataUse) -> Finding:
        try:
            if use in before:
                return _check_earlier(use, before[use], store, goes_on=bool(plan.converges))
            return _CHECKS[use.use](use, uses, store)
        except NotChecked as error:
            return finding(Level.UNCHECKED, use, str(error))._replace(unserved=error.unserved)

    with Threads() as pool:
        found = list(pool.map(look_up, asked[:_MOST]))
    if len(asked) > _MOST:
        found.append(
            Finding(Level.UNCHECKED, number_of(len(asked) - _MOST, "more URI"), f"{_MOST} are looked up at most")
        )
    return [*found, *_duplicate_output_findings(uses, wanted)]


def finding(level: Level, use: DataUse, message: str = "", remedy: str = "") -> Finding:
    """Returns a finding about a use of data."""
    return Finding(level, f"{use.part}: {use.uri}", message, remedy, use.path, use.uri)


def _input_finding(use: DataUse, uses: Sequence[DataUse], exists: bool) -> Finding:
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
    Use.FILE: lambda use, uses, store: _input_finding(use, uses, store.object_exists(use.uri)),
    Use.INPUT: lambda use, uses, store: _input_finding(use, uses, store.path_exists(use.uri)),
    Use.OUTPUT: _check_output,
}


def _omitted_writer(use: DataUse, uses: Iterable[DataUse], omitted: Iterable[DataUse]) -> DataUse | None:
    """Returns the omitted step that wrote, or may have written, the data that a step reads.

    None if another step wrote it.
    """
    if use.step is None or use.use not in _READS or next(earlier_uses(use, uses), None):
        return None
    writers = [one for one in omitted if one.step is not None and one.step <= use.step and one.may_write]
    found = [one for one in writers if overlaps(one.uri, use.uri)]
    return min(found, key=lambda one: one.use is Use.ARGUMENT, default=None)


_READS = frozenset({Use.FILE, Use.INPUT, Use.ARGUMENT})


def _check_earlier(use: DataUse, writer: DataUse, store: Store, *, goes_on: bool) -> Finding:
    """Checks that what an omitted step wrote is there; `goes_on`: its cluster runs, with its HDFS."""
    surely = writer.use is not Use.ARGUMENT and (use.use is not Use.ARGUMENT or _contains_uri(use.uri, writer.uri))
    how_written = f"{writer.part}, which is left out, {'writes' if surely else 'may write'} it"
    if not store.has(use.uri):
        # The HDFS of another cluster, and missing S3 buckets, are not checked either; missing buckets have their own
        # finding.
        if goes_on or not _OF_CLUSTER.match(use.uri):
            return finding(Level.UNCHECKED, use, how_written)
        message = f"{how_written}: it was in the HDFS of a cluster that is gone"
        return finding(Level.WRONG if surely else Level.UNCHECKED, use, message, _AGAIN)
    exists = store.object_exists(use.uri) if use.use is Use.FILE else store.path_exists(use.uri)
    if exists:
        return finding(Level.OK, use)
    if writer.under_way:
        return finding(Level.UNCHECKED, use, f"does not exist yet; {writer.part}, which is under way, may write it")
    missing = surely or use.use is not Use.ARGUMENT
    return finding(Level.WRONG if missing else Level.UNCHECKED, use, f"does not exist; {how_written}", _AGAIN)


# The cluster's own HDFS: hdfs:///x, /x and x. hdfs://host:8020/x belongs to another cluster.
_OF_CLUSTER = re.compile(r"(?:hdfs:(?://)?)?/(?!/)|(?![A-Za-z][A-Za-z0-9+.-]*:)")
_AGAIN = "run that step, too: --from or --only it"


def _contains_uri(uri: str, other: str) -> bool:
    """Returns True if `other` is a URI itself, or below it."""
    return f"{other.rstrip('/')}/".startswith(f"{uri.rstrip('/')}/")


def _duplicate_output_findings(uses: Sequence[DataUse], wanted: Collection[DataUse]) -> Iterator[Finding]:
    """Yields a finding for each output that an earlier step of the same request also writes."""
    for use in wanted:
        if use.use is not Use.OUTPUT:
            continue
        earlier = [one for one in earlier_uses(use, uses) if one.use is Use.OUTPUT]
        if any(one.uri.rstrip("/") == use.uri.rstrip("/") for one in earlier):
            yield finding(Level.WRONG, use, f"{earlier[0].part} writes there, too", _REMOVE)
