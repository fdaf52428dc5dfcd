"""The steps of a request and the data that they pass on: which step reads the output of another step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import diagnostics_to_show
from flowspec.errors import Diagnostic
from flowspec.request.compile import Request
from flowspec.request.data import DataUse, data_uses, earlier_uses, overlaps, step_uses
from flowspec.request.origins import locate
from flowspec.request.steps.access import Use

_READS = frozenset({Use.FILE, Use.INPUT})
_VERBS = {Use.ARGUMENT: "names", Use.FILE: "uses"}


class Link(NamedTuple):
    """A place of data that a step uses. `verb` is "reads", "writes", "names" or "uses".

    A program's argument, which it may read or write, is named; what a step runs or ships to its tasks (scripts, jars,
    archives, lookup files) is used.

    `sources` are the indexes of the earlier steps that write it; none where the data comes from outside.
    """

    step: int
    verb: str
    uri: str
    sources: tuple[int, ...] = ()


class Graph(NamedTuple):
    """The name of a flow, the names of its steps in order, and the data of each."""

    name: str
    steps: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def drawn(self) -> tuple[Link, ...]:
        """The links that a drawing shows: not the scripts and jars, unless an earlier step writes them."""
        return tuple(one for one in self.links if one.verb != "uses" or one.sources)


def graph_of(params: Mapping[str, Any], region: str | None = None) -> Graph:
    """Returns the graph of the parameters of RunJobFlow; `region` is where EMR runs.

    Data that a program's arguments do not name is not included.
    """
    uses = data_uses(params, region)
    names = (step["Name"] for step in params.get("Steps", ()))
    return Graph(params.get("Name", ""), tuple(names), tuple(_links(uses)))


def _links(uses: Sequence[DataUse]) -> Iterator[Link]:
    for use in uses:
        if use.step is not None:
            # A program that only gets the same argument need not write the data.
            writers = [one for one in earlier_uses(use, uses) if one.use is not Use.ARGUMENT]
            sources = [one.step for one in writers if one.step is not None]
            verb = _VERBS.get(use.use) or ("writes" if use.may_write else "reads")
            yield Link(use.step, verb, use.uri, tuple(dict.fromkeys(sources)))


def find_misordered_steps(jobflow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """Returns a finding on each step that reads data that no earlier step writes, but a later one does.

    Only certain errors are reported: the later step creates the folder and refuses an existing one (Hadoop's
    FileOutputFormat.checkOutputSpecs), so it can't be left from an earlier run. Inputs from outside are no errors.
    """
    # The output of the first step always exists in time. Most flows have no other writer, and parsing its arguments
    # takes 6 % of the time of `validate`.
    params = request.params
    later = step_uses(params, jobflow.region, only=slice(1, None))
    if all(use.use is not Use.OUTPUT for use in later):
        return ()
    uses = (*step_uses(params, jobflow.region, only=slice(1)), *later)
    found = [
        _order_finding(jobflow, request, use, writer)
        for use in uses
        if use.use in _READS and not any(earlier_uses(use, uses))
        for writer in _later_writers(use, uses)[:1]
    ]
    return diagnostics_to_show(found, jobflow.target, jobflow.secrets)


def _later_writers(use: DataUse, uses: Sequence[DataUse]) -> list[DataUse]:
    """Returns the uses by later steps that create the folder of the data of `use`, or one that contains it."""
    return [
        one
        for one in uses
        if one.step is not None
        and use.step is not None
        and one.step > use.step
        and one.use is Use.OUTPUT
        and overlaps(one.uri, use.uri)
        and len(one.uri.rstrip("/")) <= len(use.uri.rstrip("/"))
    ]


def _order_finding(jobflow: JobFlow, request: Request, use: DataUse, writer: DataUse) -> Diagnostic:
    at = locate(jobflow, request.origins, use.path, use.uri)
    message = f"{use.part} reads {use.uri}, which no step before it writes; {writer.part}, after it, does"
    return jobflow.document.diagnostic("FS281", at, message, hint="move the step that writes before the one that reads")
