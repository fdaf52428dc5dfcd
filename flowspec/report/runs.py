"""A run as text and plain data: a line for each event, a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flowspec.backend.aws.events import ClusterChanged, StepChanged
from flowspec.backend.aws.runs.supervise import WatcherAction
from flowspec.backend.aws.verdict import Verdict
from flowspec.backend.aws.watch import Event
from flowspec.backend.local.fidelity import LocalFidelity
from flowspec.document.escaping import visible, visible_values
from flowspec.errors import number_of
from flowspec.plan.cluster import SOURCE_TAG, Cluster, Step
from flowspec.report.times import duration_text, utc_text

Counters = Mapping[str, Mapping[str, int]]


def event_line(event: Event) -> str:
    """Returns a line for a new state of a cluster or step, or for an action of the watcher; "" for other events."""
    if isinstance(event, ClusterChanged):
        cluster = event.cluster
        return f"cluster {cluster.id}: {cluster.state}{_reason_suffix(cluster)}"
    if isinstance(event, StepChanged):
        return "" if event.step.state == "PENDING" else step_line(event.step)
    if isinstance(event, WatcherAction):
        return visible(event.text)
    return ""


def step_line(step: Step) -> str:
    """Returns a step in one line: its state, how long it took if it has ended, and why it failed."""
    step = visible_values(step)
    failure = f" ({step.reason})" if step.reason else ""
    return f"step {step.id} {step.name}: {step.state}{_duration_suffix(step.started, step.ended)}{failure}"


def _reason_suffix(cluster: Cluster) -> str:
    return f" ({visible(cluster.reason)})" if cluster.reason else ""


def _duration_suffix(started: datetime | None, ended: datetime | None) -> str:
    if not started or not ended:
        return ""
    return f" in {duration_text((ended - started).total_seconds())}"


def summary(
    cluster: Cluster, verdict: Verdict, *, outputs: Sequence[str], logs: str, counters: Mapping[str, Counters]
) -> str:
    """Returns the summary of a run: the verdict, where the output and the logs are, the counters by the steps' ids."""
    names = {step.id: visible(step.name) for step in cluster.steps}
    took = _duration_suffix(cluster.created, cluster.ended)
    lines = [f"{visible(cluster.name)} ({cluster.id}): {verdict.outcome.value}{took}"]
    lines += [f"  output   {visible(uri)}" for uri in outputs]
    lines += [f"  logs     {visible(logs)}"] if logs else []
    for step_id, groups in visible_values(dict(counters)).items():
        lines += [f"  counters of step '{names[step_id]}'"]
        for group, values in groups.items():
            lines += [f"    {group}", *(f"      {name:<28} {value:>14,}" for name, value in values.items())]
    return "\n".join(lines)


def fidelity_line(fidelity: LocalFidelity) -> str:
    """Returns a line on a local run: the executed and simulated parts, and versions that differ from the release's."""
    ran = ", ".join(f"{engine} {count}" for engine, count in fidelity.steps.items())
    recorded = fidelity.bootstrap_actions - fidelity.bootstrap_ran
    simulated = [
        number_of(fidelity.instances, "instance"),
        *([number_of(recorded, "bootstrap action")] if recorded else []),
        *(["IAM roles"] if fidelity.roles else []),
    ]
    real = [f"steps executed ({ran})" if ran else "no step executed"]
    if fidelity.bootstrap_ran:
        real.append(f"{number_of(fidelity.bootstrap_ran, 'bootstrap action')} executed")
    parts = [", ".join(real), f"{_join_with_and(simulated)} simulated"]
    parts += [f"{name} {ours} for {fidelity.release}'s {theirs}" for name, theirs, ours in fidelity.versions]
    return f"local run: {'; '.join(parts)}"


def _join_with_and(words: Sequence[str]) -> str:
    """Returns `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def fidelity_document(fidelity: LocalFidelity) -> dict[str, Any]:
    """Returns a local run's fidelity for programs: plain data."""
    versions = [{"application": name, "release": theirs, "local": ours} for name, theirs, ours in fidelity.versions]
    return {**fidelity._asdict(), "versions": versions}


def status(cluster: Cluster) -> str:
    """Returns a cluster and its steps, for people."""
    cluster = visible_values(cluster)
    lines = [f"{cluster.name} ({cluster.id}): {cluster.state}{_reason_suffix(cluster)}"]
    facts = {
        "created": cluster.created and f"{utc_text(cluster.created)} UTC",
        "ended": cluster.ended and f"{utc_text(cluster.ended)} UTC",
        "release": cluster.release_label,
        "logs": cluster.log_uri,
        "source": cluster.tags.get(SOURCE_TAG, ""),
    }
    lines += [f"  {name:<8} {value}" for name, value in facts.items() if value]
    return "\n".join(lines + [f"  {step_line(step)}" for step in cluster.steps])


def cluster_document(cluster: Cluster) -> dict[str, Any]:
    """Returns a cluster for programs: plain data, times in ISO 8601."""
    return {**asdict(cluster), "has_ended": cluster.has_ended}
