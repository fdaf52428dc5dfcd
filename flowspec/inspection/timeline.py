"""The times of the parts of a run: the start of the cluster, each step, and the time after the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flowspec.plan.cluster import Cluster, Step

# A shorter pause between the last step and the end of the cluster is not worth showing.
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a run. `step` is the id of its step ("" for a part of the cluster's own life).

    `started` is None when it has not begun, `ended` when it has not ended. `note` says why a step counts as completed
    (it was skipped) although EMR calls it failed or cancelled.
    """

    name: str
    state: str
    step: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    note: str = ""

    def seconds(self, now: datetime) -> float | None:
        """Returns how long the part took, up to `now` if it has not ended; None if it has not begun."""
        return None if self.started is None else max(0.0, ((self.ended or now) - self.started).total_seconds())


def spans_of(cluster: Cluster, bootstrap: tuple[Span, ...] = ()) -> tuple[Span, ...]:
    """Returns the parts of a run in the order of their beginning; steps in the order in which they were added.

    EMR reports when a cluster was created and when it was ready (ClusterTimeline). Bootstrap actions run between the
    two; their times, `bootstrap`, are only in their logs.
    """
    return (
        _provisioning_span(cluster, bootstrap),
        *bootstrap,
        *map(_step_span, cluster.steps),
        *_time_after_steps(cluster),
    )


def _provisioning_span(cluster: Cluster, bootstrap: tuple[Span, ...]) -> Span:
    if bootstrap:
        return Span("Provisioning", "COMPLETED", started=cluster.created, ended=bootstrap[0].started)
    actions = len(cluster.live.params.get("BootstrapActions", ())) if cluster.live else 0
    name = f"Provisioning and {actions} bootstrap action{'s'[: actions != 1]}" if actions else "Provisioning"
    ready = cluster.ready or (cluster.ended if cluster.has_ended else None)
    failed = cluster.has_ended and cluster.ready is None
    state = "FAILED" if failed else "COMPLETED" if cluster.ready else "RUNNING"
    return Span(name, state, started=cluster.created, ended=ready)


def _step_span(step: Step) -> Span:
    ended = step.ended if step.has_ended else None
    # A step that was cancelled before it began has an end but no start.
    return Span(step.name, step.state, step.id, step.started, ended if step.started else None, skip_note(step))


def skip_note(step: Step) -> str:
    """Returns why a skipped step counts as completed; "" for other steps."""
    return step.reason if step.state == "COMPLETED" else ""


def _time_after_steps(cluster: Cluster) -> Iterator[Span]:
    """Yields the time after the last step, when the instances cost money and do nothing."""
    if not cluster.ready or not cluster.steps or not all(step.has_ended for step in cluster.steps):
        return
    last = max((step.ended for step in cluster.steps if step.ended), default=cluster.ready)
    if cluster.has_ended:
        if cluster.ended and (cluster.ended - last).total_seconds() >= _PAUSE_SECONDS:
            yield Span("After the last step", "ENDED", started=last, ended=cluster.ended)
    else:
        name = "Waiting for steps" if cluster.state == "WAITING" else "After the last step"
        yield Span(name, cluster.state, started=last)
