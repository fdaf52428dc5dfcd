"""Reads a run from EMR: how it ended and why, when, with which logs and counters."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timezone

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.diagnosis.diagnose import diagnose
from flowspec.backend.aws.logs import logs_of
from flowspec.backend.aws.observe import describe, read_back
from flowspec.backend.aws.runs.settle import settle_on, without_repeated
from flowspec.backend.aws.verdict import failure_of, is_over, judge
from flowspec.errors import ServiceError
from flowspec.facts.limits import MAX_STEPS_LISTED
from flowspec.inspection.baseline import find_baseline
from flowspec.inspection.bootstrap import read_bootstrap
from flowspec.inspection.details import LogReader, Notes, choose_steps
from flowspec.inspection.named_secrets import named_secrets
from flowspec.inspection.run_facts import RUNNING, Cost, RunFacts
from flowspec.inspection.timeline import spans_of
from flowspec.plan.cluster import Cluster
from flowspec.plan.sensitive import known_secrets
from flowspec.plan.steps import history_is_cut


def read_run(
    emr: Emr,
    cluster_id: str,
    *,
    secrets: Collection[str] = (),
    cost: Callable[[Emr, Cluster], Cost | None] = lambda *_: None,
    compare: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> RunFacts:
    """Reads a run, ended or not: its cluster, steps, logs and counters, and the last one of its flow that succeeded.

    `secrets` are masked in all output, and so are the secrets that the cluster's tags and the names of its options
    reveal. `cost` gives what the run cost, from the cluster as it was read back; default: nothing. Without `compare`,
    no earlier run is looked for. Raises FlowspecError when there is no such cluster, ServiceError when EMR refuses;
    logs and earlier runs that can't be read give notes.
    """
    notes = Notes()
    cluster = settle_on(emr, _read(emr, cluster_id, notes), notes.add)
    counted = without_repeated(cluster)
    hidden = frozenset(secrets) | known_secrets(cluster) | named_secrets(cluster)
    verdict, logs = failure_of(counted), logs_of(emr, cluster)
    diagnosis = diagnose(cluster, verdict, logs, hidden) if verdict else None
    baseline = notes.read_or_note("earlier runs", lambda: find_baseline(emr, cluster)) if compare else None
    hidden |= baseline.secrets if baseline else frozenset()
    earlier, counterparts = (logs_of(emr, baseline.cluster), baseline.steps(cluster)) if baseline else (logs, {})
    reader = LogReader(logs, notes, hidden, diagnosis.cause if diagnosis else None, earlier, counterparts)
    steps = choose_steps(cluster.steps, verdict.step if verdict else None)
    bootstrap = notes.read_or_note("the logs of bootstrap actions", lambda: read_bootstrap(emr, cluster, logs)) or ()
    return RunFacts(
        cluster=cluster,
        outcome=judge(counted).outcome.value if is_over(cluster) else RUNNING,
        read_at=now(),
        region=emr.region,
        backend=emr.backend.name,
        commands=command_line("logs", emr, cluster_id),
        spans=spans_of(cluster, bootstrap),
        diagnosis=diagnosis,
        failed=verdict.step if verdict else None,
        details=tuple(reader.read(steps, unread=bool(diagnosis and diagnosis.unread))),
        compared=compare,
        baseline=baseline,
        cost=notes.read_or_note("the cost", lambda: cost(emr, cluster)),
        notes=tuple(notes.sentences),
        secrets=hidden,
    )


def _read(emr: Emr, cluster_id: str, notes: Notes) -> Cluster:
    try:
        cluster = read_back(emr, cluster_id)
    except ServiceError as error:
        # A caller with permission to describe a cluster may have no permission to list its groups and bootstrap
        # actions.
        cluster = describe(emr, cluster_id)
        notes.add(f"the configuration could not be read: {error.sentence}")
    if history_is_cut(cluster):
        notes.add(f"EMR lists the latest {MAX_STEPS_LISTED:,} steps of a cluster: earlier ones are not shown")
    return cluster
