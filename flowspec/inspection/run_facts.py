"""The facts that were read about a run of EMR, before they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flowspec.backend.aws.diagnosis.diagnose import Diagnosis
from flowspec.facts.backends import BackendName
from flowspec.inspection.baseline import Baseline
from flowspec.inspection.details import StepDetail
from flowspec.inspection.timeline import Span
from flowspec.plan.cluster import Cluster, Step

RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a run as texts: the total, rows of a name and an amount, and sentences on the prices used."""

    total: str
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run at the moment `read_at`.

    `outcome` is a value of `Outcome`, or "running". `details` are those of the failed, running and latest steps.
    `baseline` is the last run before it that succeeded, None if there is none or it was not `compared` with any;
    `commands` is the command line that prints its logs. `notes` say what could not be read. `secrets` are to be masked.
    """

    cluster: Cluster
    outcome: str
    read_at: datetime
    region: str
    backend: BackendName
    commands: str
    spans: tuple[Span, ...]
    diagnosis: Diagnosis | None = None
    failed: Step | None = None
    details: tuple[StepDetail, ...] = ()
    compared: bool = False
    baseline: Baseline | None = None
    cost: Cost | None = None
    notes: tuple[str, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
