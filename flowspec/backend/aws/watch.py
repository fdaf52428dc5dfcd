"""Follows one cluster (`watch`), or many at the published rate of one (`Fleet`).

It has its own loop, since botocore's waiters stop after 30 minutes and don't know INTERRUPTED. The interval grows
with the age of the run. The number of calls has no limit: the loop ends when the run is over, or at the deadline
that the caller gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from queue import SimpleQueue
from threading import Event as Flag
from typing import Protocol

from flowspec.backend.aws.call_errors import PATIENCE, is_transient
from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.events import ClusterChanged, Ended, StepChanged, StepProgress, Unreachable
from flowspec.backend.aws.logs import Logs, logs_of
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.ration import RationedEmr
from flowspec.backend.aws.runs.settle import ExitCodes, awaits_exit_code, settle, settled_run
from flowspec.backend.aws.runs.supervise import Supervisor, WatcherAction
from flowspec.backend.aws.verdict import Outcome, Verdict, counted_steps, is_over, judge
from flowspec.engines.counters import parse_progress
from flowspec.errors import FlowspecError, NothingFound
from flowspec.facts.backends import TRAITS
from flowspec.facts.states import OPEN
from flowspec.plan.cluster import Cluster, Step

# Bytes at the end of a syslog that are searched for the latest progress: some fifty lines.
_TAIL = 8192


Event = ClusterChanged | StepChanged | StepProgress | WatcherAction | Ended


class Watch(Protocol):
    """`watch`, or `SharedWatch.watch`."""

    def __call__(
        self,
        emr: Emr,
        cluster_id: str,
        *,
        steps: Collection[str] | None = None,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Generator[Event, None, None]:
        """Yields an event for every change until the work is over."""


def watch(
    emr: Emr,
    cluster_id: str,
    *,
    steps: Collection[str] | None = None,
    timeout: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Generator[Event, None, None]:
    """Yields an event for every change until the work is over, or `timeout` seconds have passed.

    Meanwhile it does what the cluster's tags say about the steps: timeouts and retries (`Supervisor`); `now` is the
    time by which it does. Steps are in the states that these policies give them (`settle`).

    `steps` are the ids of the steps that are waited for and judged (`Applied.steps`), None for all steps of the
    cluster; other steps that have already ended at the first poll give no event. The last event is always `Ended`.
    Failing calls are tolerated for five minutes in a row. Before the first answer, only transient errors are tolerated
    (`is_transient`), and only within `timeout`. Raises FlowspecError when there is no such cluster or it can't be
    reached.
    """
    deadline = None if timeout is None else clock() + timeout
    seen = _Seen()
    codes: ExitCodes | None = None
    run_cluster, counted = None, steps
    supervisor = Supervisor(emr, cluster_id, steps, now=now, sleep=sleep)
    looking = _poll_cluster(emr, cluster_id, steps, clock=clock, sleep=sleep, deadline=deadline)
    with closing(supervisor), closing(looking) as looks:
        for cluster, is_news in looks:
            if is_news:
                codes = codes or ExitCodes(cluster, logs_of(emr, cluster))
                codes.look_again()
                yield from seen.changes(settle(cluster, codes), steps)
                yield from seen.progress(cluster, codes.logs)
                yield from supervisor.act(cluster, codes)
                run_cluster, counted = settled_run(cluster, steps, codes)
                if is_over(run_cluster, counted) and not supervisor.waits_for(cluster, codes):
                    yield _ended_event(run_cluster, counted, judge(run_cluster, counted))
                    return
            if _has_passed(deadline, clock()):
                yield _ended_event(run_cluster or cluster, counted, Verdict(Outcome.TIMED_OUT))
                return


def _ended_event(cluster: Cluster, only: Collection[str] | None, verdict: Verdict) -> Ended:
    return Ended(cluster, verdict, tuple(step.id for step in counted_steps(cluster, only)))


def _poll_cluster(
    emr: Emr,
    cluster_id: str,
    steps: Collection[str] | None,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    deadline: float | None,
) -> Generator[tuple[Cluster, bool], None, None]:
    """Yields the cluster after each pause, and whether it was read now; never ends by itself."""
    cluster, last_answer = None, clock()
    with closing(emr.backend.pauses(emr.endpoint, cluster_id, sleep)) as pauses:
        for _ in pauses:
            try:
                cluster = describe(emr, cluster_id, awaited=steps, seen=cluster.steps if cluster else ())
            except FlowspecError as error:
                now = clock()
                if final := _final_error(error, emr, cluster, now - last_answer, _has_passed(deadline, now)):
                    raise final from error.__cause__
                if cluster:
                    yield cluster, False
            else:
                last_answer = clock()
                yield cluster, True


def _has_passed(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline


def _final_error(
    error: FlowspecError, emr: Emr, seen: Cluster | None, silent_for: float, is_late: bool
) -> FlowspecError | None:
    """Returns the error that ends the watch after a poll failed with `error`; None if the cluster is polled again.

    A cluster that was seen before is polled again: the network may come back, or the service was throttling. An answer
    that the cluster no longer exists counts after two polls. At the first poll, which may be right after a submission,
    only transient errors are tolerated, and not when `is_late`, since there is no cluster yet that could be reported as
    still running.
    """
    if seen is None:
        is_tolerated = is_transient(error) and not is_late
        return None if is_tolerated and silent_for <= PATIENCE else error
    if not isinstance(error, NothingFound):
        return error if silent_for > PATIENCE else None
    if silent_for <= 2 * TRAITS[emr.backend.name].longest_poll:
        return None
    remedy = "the folder of the embedded EMR was deleted, or the credentials are now those of another account"
    return FlowspecError(f"{error.message}, where it was seen before", remedy=remedy)


class _Seen:
    """The states and progress that were yielded already."""

    def __init__(self) -> None:
        self._cluster = ""
        self._steps: dict[str, str] = {}
        self._progress: dict[str, tuple[int, int]] = {}

    def changes(self, cluster: Cluster, awaited: Collection[str] | None) -> Iterator[Event]:
        """Yields what changed in the cluster and its steps, in the order in which it happened.

        At the first poll, ended steps are reported only if they are `awaited` (None: all are).
        """
        if not self._cluster and awaited is not None:
            self._steps = {step.id: step.state for step in cluster.steps if step.has_ended and step.id not in awaited}
        news: list[Event] = [StepChanged(step) for step in cluster.steps if self._steps.get(step.id) != step.state]
        if cluster.state != self._cluster:
            # A cluster starts before its steps and ends after them.
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


# Seconds from the end of one ListClusters to the next, and the minimum share of time that it leaves for other calls: in
# an account with thousands of clusters, listing takes minutes.
_LIST_EVERY, _LISTING_LEAVES = 10.0, 4
# Up to so many clusters, polling each costs no more than listing all clusters of the account.
_FEW = 5
# In these states no step changes, so a cluster that is listed in one of them need not be polled.
_STEPS_REST = frozenset({"STARTING", "BOOTSTRAPPING", "TERMINATING"})
# Seconds after which an added cluster is polled.
_LONGEST_SLEEP = 1.0


class Fleet:
    """Follows many clusters of one EMR for a whole process, in one loop, within EMR's published rates.

    It only looks: timeouts and retries of steps are kept by `watch`.

        fleet = Fleet(emr)
        fleet.add(applied.cluster_id, steps=applied.steps)    # from any thread, before or while events are read
        fleet.close()                                         # no more will be added
        for cluster_id, event in fleet.events():
            ...

    `events` is a generator for one reader and runs in its thread; there is no other. It yields the events of `watch`,
    each with the id of its cluster; the last one of each cluster is `Ended` or `Unreachable`. It ends when the fleet
    is closed and all is over.

    `watch` sends DescribeCluster and ListSteps for each cluster at its own pace. A fleet instead sends ListClusters,
    which returns the states of 50 clusters. It polls a cluster when its state has changed, else the cluster that was
    polled the longest time ago. Half of each published rate is used (`flowspec.facts.rates`), which an account has once
    per region: use one fleet for each EMR. 50 clusters that all run steps are looked at every 200 s (ListSteps is the
    scarcest), and the end of one is seen within some 20 s.
    """

    def __init__(
        self,
        emr: Emr,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._emr = RationedEmr(emr, clock=clock, sleep=sleep)
        self._clock, self._sleep = clock, sleep
        self._added: SimpleQueue[_Watched] = SimpleQueue()
        self._watched: list[_Watched] = []
        self._closed = Flag()
        self._list_at = 0.0

    def add(self, cluster_id: str, *, steps: Collection[str] | None = None, timeout: float | None = None) -> None:
        """Follows one more cluster; `steps` and `timeout` (seconds from now) are those of `watch`."""
        deadline = None if timeout is None else self._clock() + timeout
        self._added.put(_Watched(cluster_id, steps, deadline, self._emr.backend.poll_intervals(), self._clock()))

    def close(self) -> None:
        """Declares that no more clusters will be added: `events` ends when all runs are over."""
        self._closed.set()

    def events(self) -> Generator[tuple[str, Event | Unreachable], None, None]:
        """Yields each event with the id of its cluster, until the fleet is closed and all is over."""
        while self._admit_added():
            self._list_if_due()
            one = min(self._watched, key=_Watched.urgency, default=None)
            now = self._clock()
            if one is None or (wait := one.due - now) > 0:
                yield from self._end_timed_out(now)
                self._sleep(min(_LONGEST_SLEEP, wait if one else _LONGEST_SLEEP))
                continue
            for event in self._look(one):
                yield one.cluster_id, event
            yield from self._end_timed_out(self._clock())

    def _admit_added(self) -> bool:
        """Starts to follow added clusters; returns False when no cluster is followed and none can be added."""
        # In this order, so that clusters that are added before the fleet is closed are followed.
        closed = self._closed.is_set()
        while not self._added.empty():
            self._watched.append(self._added.get())
        return bool(self._watched) or not closed

    def _list_if_due(self) -> None:
        """Compares the listed states of all clusters with the states in which they were seen."""
        listing = len(self._watched) > _FEW
        if not listing or self._clock() < self._list_at:
            return
        began = self._clock()
        try:
            listed = self._emr.pages("ListClusters", "Clusters", ClusterStates=list(OPEN))
            states = {one["Id"]: one["Status"]["State"] for one in listed}
        except FlowspecError:
            # The next poll of a cluster reports why EMR does not answer. A refused list gives no states: an unknown
            # state would make a cluster due, and then the first clusters would be polled each time.
            states = None
        now = self._clock()
        self._list_at = now + max(_LIST_EVERY, _LISTING_LEAVES * (now - began))
        if states is None:
            return
        for one in self._watched:
            # A cluster that is not listed has ended, or was missed while it changed its state (API: ListClusters).
            one.note(states.get(one.cluster_id, ""), self._list_at)

    def _look(self, one: _Watched) -> Iterator[Event | Unreachable]:
        try:
            cluster = describe(self._emr, one.cluster_id, awaited=one.steps, seen=one.read)
        except FlowspecError as error:
            now = self._clock()
            is_late = _has_passed(one.deadline, now)
            if final := _final_error(error, self._emr, one.cluster, now - one.answered, is_late):
                self._watched.remove(one)
                yield Unreachable(final)
            one.schedule_next_look(now)
            return
        one.answered = self._clock()
        one.schedule_next_look(one.answered)
        one.codes = one.codes or ExitCodes(cluster, logs_of(self._emr, cluster))
        one.codes.look_again()
        one.cluster, one.read = settle(cluster, one.codes), cluster.steps
        yield from one.seen.changes(one.cluster, one.steps)
        yield from one.seen.progress(cluster, one.codes.logs)
        run_cluster, counted = settled_run(cluster, one.steps, one.codes)
        if is_over(run_cluster, counted) and not awaits_exit_code(cluster, one.codes, datetime.now(timezone.utc)):
            self._watched.remove(one)
            yield _ended_event(run_cluster, counted, judge(run_cluster, counted))

    def _end_timed_out(self, now: float) -> Iterator[tuple[str, Event]]:
        for one in [late for late in self._watched if late.deadline is not None and late.deadline <= now]:
            # Each cluster is polled once before it is given up.
            if one.cluster:
                self._watched.remove(one)
                yield one.cluster_id, _ended_event(one.cluster, one.steps, Verdict(Outcome.TIMED_OUT))


@dataclass(eq=False, slots=True)
class _Watched:
    """A cluster of a fleet: its last seen state, its steps as EMR described them, and the time of its next poll."""

    cluster_id: str
    steps: Collection[str] | None
    deadline: float | None
    intervals: Iterator[float]
    answered: float
    due: float = 0.0
    changed: bool = True
    cluster: Cluster | None = None
    read: tuple[Step, ...] = ()
    codes: ExitCodes | None = None
    seen: _Seen = field(default_factory=_Seen)

    def urgency(self) -> tuple[bool, float]:
        """Sorts changed clusters first, then those that are due the longest."""
        return (not self.changed, self.due)

    def note(self, state: str, next_listing: float) -> None:
        """Records the state that ListClusters gives, "" when the cluster is not listed."""
        if self.cluster is None:
            return
        if state != self.cluster.state:
            self.changed, self.due = True, 0.0
        elif state in _STEPS_REST:
            self.due = max(self.due, next_listing)

    def schedule_next_look(self, now: float) -> None:
        """Sets the time of the next poll."""
        self.changed, self.due = False, now + next(self.intervals)


def _latest_progress(syslog: bytes | None) -> tuple[int, int] | None:
    lines = (syslog or b"").decode("utf-8", "replace").splitlines()
    return next((found for line in reversed(lines) if (found := parse_progress(line))), None)
