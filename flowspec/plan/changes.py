"""A plan as data: its changes, their reasons, and the calls that carry them out. Frozen and equal by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.errors import Diagnostic, Location
from flowspec.request.snapshot import Snapshot

if TYPE_CHECKING:
    from flowspec.cost.estimate import Estimate
    from flowspec.plan.findings import Finding
    from flowspec.request.assets import Asset
    from flowspec.request.compile import OmittedStep

PLAN_VERSION = 1


class Action(str, Enum):
    """The kinds of changes; the values are the symbols shown."""

    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"
    REPLACE = "-/+"
    SUBMIT = ">"
    UPLOAD = "^"


class Change(NamedTuple):
    """One line of a plan: `address` names the thing, `reason` says why.

    `before` and `after` are texts, or tuples of texts for command lines.
    `path` leads to the wanted value in the RunJobFlow request, () where the request has none, and `location` is its
    place in the spec.
    """

    action: Action
    address: str
    before: str | tuple[str, ...] | None = None
    after: str | tuple[str, ...] | None = None
    reason: str = ""
    path: tuple[str | int, ...] = ()
    location: Location | None = None


@dataclass(frozen=True)
class ApiCall:
    """One EMR operation to call. `params` are boto3's: a new dict each time."""

    operation: str
    params: Snapshot = Snapshot()  # noqa: RUF009 - a descriptor, no default

    def __hash__(self) -> int:
        return hash(self.operation)


class Assessment(NamedTuple):
    """A backend's report on a request, made before anything is done (`Backend.assess`).

    `unsupported` has the reason for each step that can't run there, by its index in the request's Steps; `remarks`
    describe the differences from EMR; `bootstrap_note` is a note for each bootstrap action.
    """

    unsupported: Mapping[int, str] = MappingProxyType({})
    remarks: tuple[str, ...] = ()
    bootstrap_note: str = ""


@dataclass(frozen=True)
class Plan:
    """All that `apply` would do for one flow on one target. Immutable and hashable.

    `request` are the parameters of RunJobFlow, a new dict each time. `joins` is the id of the running cluster that was
    made from the same request; `replaces` that of the one to terminate first. `blocked` says why the plan can't be
    applied ("" if it can), `remedy` what to do about it. `remarks` describe the differences between this machine and
    the requested cluster, `notes` the settings of the running cluster that are left unchanged. `converges` is the
    running cluster that is changed in place, and `observed` the digest of it as it was then. `uploads` are the files
    that have to be staged, and `staged` the URIs of those that are known to exist already. `supervision` are the tags
    with the policies of steps, for watchers, and with the other settings of runs, for the next plan. `preflight` are
    the findings before the submission; None if there was no preflight. `fallback` are the requests for further launches
    if there is no capacity for this one, in order. `launch_retries` is how often a launch is repeated that fails before
    a step ran. `cost` is the estimate of the wanted cluster's cost; None on this machine, which costs nothing. For a
    run of some of the steps, `omitted` are the other steps, and `resumes` is the id of the run that it continues ("" if
    the user named the steps). `kept` are the indexes of the remaining steps of that run; None for any other plan.
    `skipped` names the ended run that already did everything, so that nothing is run, and `joins` is its id ("" for any
    other plan). `awaits` are the ids of the cluster's steps that belong to the spec and have not ended; None if all its
    steps belong to the run. `failed` are the ids of steps that did not complete and are not run again. `options` are
    those of the command line with which the spec was rendered.
    """

    flow: str
    target: str
    digest: str
    source: str
    request: Snapshot = Snapshot()  # noqa: RUF009 - a descriptor, no default
    changes: tuple[Change, ...] = ()
    calls: tuple[ApiCall, ...] = ()
    uploads: tuple[Asset, ...] = ()
    joins: str | None = None
    replaces: str | None = None
    converges: str | None = None
    observed: str = ""
    awaits: tuple[str, ...] | None = None
    failed: tuple[str, ...] = ()
    blocked: str = ""
    remedy: str = ""
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    staged: frozenset[str] = frozenset()
    preflight: tuple[Finding, ...] | None = None
    supervision: tuple[tuple[str, str], ...] = ()
    fallback: tuple[Mapping[str, Any], ...] = ()
    launch_retries: int = 0
    cost: Estimate | None = None
    omitted: tuple[OmittedStep, ...] = ()
    resumes: str = ""
    kept: tuple[int, ...] | None = None
    skipped: str = ""
    options: tuple[str, ...] = field(default=(), compare=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    version: int = PLAN_VERSION

    def __hash__(self) -> int:
        return hash((self.flow, self.target, self.digest, self.changes))

    @property
    def named_by(self) -> tuple[str, ...]:
        """The words by which a command line names the flow of this plan."""
        return (self.source, *(("--target", self.target) if self.target else ()), *self.options)

    @property
    def has_changes(self) -> bool:
        """True if applying it would call EMR."""
        return bool(self.calls)
