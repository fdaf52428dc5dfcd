"""Follows a cluster. A loop of our own: botocore's waiters stop after 30 minutes and don't know INTERRUPTED.

Adaptive (the interval grows with the age of the run), throttle-aware, with no cap on attempts: it ends
when the work is over or at the deadline that was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.logs import Logs, logs_of
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.verdict import Outcome, Verdict, is_over, judge
from flowspec.engines.counters import parse_progress
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import Cluster, Step

# Seconds of failed calls in a row that are tolerated: a laptop's network comes back, a VPN reconnects.
_PATIENCE = 300.0
# Bytes at the end of a syslog in which the latest progress is looked for: some fifty lines.
_TAIL = 8192


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """The cluster is in a new state."""

    cluster: Cluster


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step is in a new state."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepProgress:
    """The progress of a running MapReduce step, in percent of its maps and of its reduces."""

    step: Step
    maps: int
    reduces: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: the verdict, and the cluster as it was then."""

    cluster: Cluster
    verdict: Verdict


Event = ClusterChanged | StepChanged | StepProgress | Ended


def watch(
    emr: Emr,
    cluster_id: str,
    *,
    steps: Collection[str] | None = None,
    timeout: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[Event, None, None]:
    """Yields an event for every change until the work is over, or `timeout` seconds have passed.

    `steps` are the ids of the steps that are waited for and judged (`Applied.steps`), None for all of the cluster's.
    The last event is always `Ended`. Failing calls are tolerated for five minutes in a row.
    Raises FlowspecError when there is no such cluster or it can't be reached.
    """
    start = clock()
    seen = _Seen()
    logs: Logs | None = None
    with closing(_looks(emr, cluster_id, clock, sleep)) as looks:
        for cluster in looks:
            yield from seen.changes(cluster)
            logs = logs or logs_of(emr, cluster)
            yield from seen.progress(cluster, logs)
            if is_over(cluster, steps):
                yield Ended(cluster, judge(cluster, steps))
                return
            if timeout is not None and clock() - start >= timeout:
                yield Ended(cluster, Verdict(Outcome.TIMED_OUT))
                return


def _looks(
    emr: Emr, cluster_id: str, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Generator[Cluster, None, None]:
    """Yields the cluster after each pause, without end; the caller stops."""
    last_answer: float | None = None
    with closing(emr.backend.pauses(cluster_id, sleep)) as pauses:
        for _ in pauses:
            try:
                cluster = describe(emr, cluster_id)
            except FlowspecError:
                # A cluster that was there does not vanish: the network did, or the service says "slow down".
                if last_answer is None or clock() - last_answer > _PATIENCE:
                    raise
            else:
                last_answer = clock()
                yield cluster


class _Seen:
    """The states and progress that were yielded already."""

    def __init__(self) -> None:
        self._cluster = ""
        self._steps: dict[str, str] = {}
        self._progress: dict[str, tuple[int, int]] = {}

    def changes(self, cluster: Cluster) -> Iterator[Event]:
        """Yields what changed in the cluster and its steps, in the order in which it happened."""
        news: list[Event] = [StepChanged(step) for step in cluster.steps if self._steps.get(step.id) != step.state]
        if cluster.state != self._cluster:
            # A cluster comes before its steps and ends after them.
            news.insert(len(news) if cluster.state.startswith("TERMINAT") else 0, ClusterChanged(cluster))
        self._cluster, self._steps = cluster.state, {step.id: step.state for step in cluster.steps}
        yield from news

    def progress(self, cluster: Cluster, logs: Logs) -> Iterator[Event]:
        """Yields the progress of running steps, from live logs only: shipped ones are minutes old."""
        if not logs.live:
            return
        for step in cluster.steps:
            if step.state == "RUNNING":
                now = _latest_progress(logs.tail(step.id, "syslog", _TAIL))
                if now and self._progress.get(step.id) != now:
                    self._progress[step.id] = now
                    yield StepProgress(step, *now)


def _latest_progress(syslog: bytes | None) -> tuple[int, int] | None:
    lines = (syslog or b"").decode("utf-8", "replace").splitlines()
    return next((found for line in reversed(lines) if (found := parse_progress(line))), None)
