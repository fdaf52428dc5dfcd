"""Plans and runs many flows at once; the clusters of each EMR are listed only once.

    compiled = [(flow, flowspec.compile(flow)) for flow in flows]
    plans = flowspec.plan_all(compiled)
    print([one.jobflow.name for one in plans if one.drifted])
    for run in flowspec.apply_all(plans):
        print(run.jobflow.name, run.error or run.result.verdict.outcome.value)

A flow that fails does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from typing import Any, NamedTuple, TypeAlias, TypeVar

from flowspec.backend.aws.client import Emr, Endpoint, connect
from flowspec.backend.aws.reads import SharedReads
from flowspec.backend.aws.shared import SharedWatch
from flowspec.backend.aws.submission.staging import StagedFiles
from flowspec.backend.aws.watch import Event as AnyEvent
from flowspec.backend.threads import Threads
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError
from flowspec.facts.rates import FLOWS_AT_A_TIME
from flowspec.pipeline import RunResult, apply_and_watch, plan_offline, plan_on, preflight_on, refuse_wrong
from flowspec.plan.changes import Plan
from flowspec.request.compile import Request

Item = TypeVar("Item")
Result = TypeVar("Result")
Sleep: TypeAlias = "Callable[[float], None]"


class Connection(NamedTuple):
    """The connection to an EMR, and a second one for plans, which share their reads."""

    emr: Emr
    shared: SharedReads
    files: StagedFiles


class Connections:
    """The connections of many flows: one for each endpoint, made when any thread first needs it."""

    def __init__(self, connect: Callable[[Endpoint], Emr] = connect) -> None:
        self._connect = connect
        self._lock = Lock()
        self._made: dict[Endpoint, Connection] = {}

    def of(self, endpoint: Endpoint) -> Connection:
        """Returns the connection to an endpoint. Raises FlowspecError when it can't be made."""
        with self._lock:
            if endpoint not in self._made:
                emr = self._connect(endpoint)
                self._made[endpoint] = Connection(emr, SharedReads(emr), StagedFiles(emr))
            return self._made[endpoint]


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """The plan of one flow among many, or the error because of which there is none: one of the two is None.

    `emr` is the connection to apply it with. `again` makes the plan again from new reads, and `preflight` checks that
    the resources of a plan exist.
    """

    jobflow: JobFlow
    plan: Plan | None = None
    error: Exception | None = None
    emr: Emr | None = field(default=None, repr=False)
    again: Callable[[], Plan] | None = field(default=None, repr=False)
    preflight: Callable[[Plan], Plan] | None = field(default=None, repr=False)

    @property
    def running(self) -> str:
        """The id of the flow's active cluster; "" without one, or without a plan."""
        if self.plan and self.plan.skipped:
            return ""
        return (self.plan and (self.plan.joins or self.plan.converges or self.plan.replaces)) or ""

    @property
    def drifted(self) -> bool:
        """True if an active cluster differs from its spec: an apply would change it, replace it, or be refused."""
        return bool(self.plan and self.running and (self.plan.has_changes or self.plan.blocked))


def plan_all(
    compiled: Iterable[tuple[JobFlow, Request]],
    *,
    jobs: int = FLOWS_AT_A_TIME,
    connections: Connections | None = None,
    run_bootstrap: bool = False,
    offline: bool = False,
    **choices: Any,
) -> list[FlowPlan]:
    """Makes the plans of many flows, `jobs` at a time, in their order; `choices` are those of `plan_on`.

    For each EMR, ListClusters is sent once (a call for 50 active clusters), DescribeCluster once for each cluster that
    has the name of a flow, and six further calls for each that is found. At most 50 of all local files are looked up in
    S3. An error of one flow does not affect the others: it is in its `FlowPlan`. If two specs have the same flow and
    target, both get an error. With `offline`, no call is sent, and the plans are made as if no flow ran; they can't be
    applied.
    """
    flows = list(compiled)
    connections = connections or Connections()
    clashes = _find_clashes([flow for flow, _ in flows])

    def make_flow_plan(one: tuple[JobFlow, Request]) -> FlowPlan:
        flow, request = one
        try:
            if other := clashes.get(id(flow)):
                raise FlowspecError(
                    f"{other.path} is a spec of flow {flow.name} on this target, too: they would change one cluster",
                    remedy="give one of them another name",
                )
            if offline:
                return FlowPlan(flow, plan_offline(flow, request))
            emr, shared, files = connections.of(Endpoint.of(flow, run_bootstrap=run_bootstrap))
            again = partial(plan_on, emr, flow, request, **choices)
            made = plan_on(shared, flow, request, files=files, **choices)
            return FlowPlan(flow, made, emr=emr, again=again, preflight=partial(preflight_on, emr, flow, request))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other flows are planned
            return FlowPlan(flow, error=error)

    # Ctrl-C does not wait for an endpoint that does not answer: nothing has been changed yet.
    with Threads(jobs) as pool:
        return list(pool.map(make_flow_plan, flows))


@dataclass(frozen=True, slots=True)
class FlowRun:
    """The end of one flow's run among many, or the error because of which there is none: one of the two is None."""

    jobflow: JobFlow
    result: RunResult | None = None
    error: Exception | None = None


def apply_all(
    plans: Iterable[FlowPlan],
    *,
    jobs: int = FLOWS_AT_A_TIME,
    timeout: float | None = None,
    preflight: bool = True,
    on_event: Callable[[JobFlow, AnyEvent], object] = lambda _flow, _event: None,
) -> list[FlowRun]:
    """Applies the plans of many flows, `jobs` at a time, and watches each run to its end; in their order.

    A flow that fails does not stop the others, and a flow without a plan gets the error of its plan. A plan that was
    made offline is an error, because it was not compared with the running clusters. `timeout` is in seconds for each
    run; after Ctrl-C the runs go on. With `preflight` a plan that would fail is an error, and nothing is submitted for
    it. `on_event` is called with each event of `watch`, from several threads.
    """
    watching = SharedWatch()

    def apply_flow_plan(one: FlowPlan, sleep: Sleep) -> FlowRun:
        if one.plan is None or one.emr is None:
            return FlowRun(one.jobflow, error=one.error or _OFFLINE)
        try:
            if preflight and one.preflight and not one.plan.blocked:
                refuse_wrong(one.preflight(one.plan))
            heard = partial(on_event, one.jobflow)
            follow = watching.watch_for(one.plan)
            result = apply_and_watch(
                one.plan, one.emr, replan=one.again, timeout=timeout, on_event=heard, sleep=sleep, watch=follow
            )
            return FlowRun(one.jobflow, result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other flows go on
            return FlowRun(one.jobflow, error=error)

    with watching:
        return list(work_on(apply_flow_plan, list(plans), jobs=jobs))


_OFFLINE = FlowspecError(
    "a plan that was made offline can't be applied: it was not compared with what runs",
    remedy="make it without offline=True",
)


def _find_clashes(flows: Sequence[JobFlow]) -> dict[int, JobFlow]:
    """Returns flows with the same name, target and endpoint as another: a mapping from `id` to the other flow."""
    by_identity: dict[object, list[JobFlow]] = {}
    for flow in flows:
        by_identity.setdefault((flow.name, flow.target, Endpoint.of(flow)), []).append(flow)
    pairs = (same for same in by_identity.values() if len(same) > 1)
    return {id(one): next(other for other in same if other is not one) for same in pairs for one in same}


def work_on(work: Callable[[Item, Sleep], Result], items: Sequence[Item], *, jobs: int) -> Iterator[Result]:
    """Yields the result of `work` for each item in order, with `jobs` threads. Exceptions of `work` are raised here.

    `work` gets a function to sleep with, which raises KeyboardInterrupt after Ctrl-C: that reaches the first thread
    only. Then no further item is started, the results of running items are still yielded, and the interrupt is raised.
    A second Ctrl-C does not wait for them.
    """
    stopped = Event()

    def sleep(seconds: float) -> None:
        if stopped.wait(seconds):
            raise KeyboardInterrupt

    pool = Threads(jobs)
    futures = [pool.submit(work, one, sleep) for one in items]
    done = 0
    try:
        for future in futures:
            result = future.result()
            done += 1
            yield result
    except KeyboardInterrupt:
        stopped.set()
        under_way = [one for one in futures[done:] if not one.cancel()]
        with suppress(KeyboardInterrupt):
            wait(under_way)
        for future in under_way:
            with suppress(KeyboardInterrupt):
                if future.done():
                    yield future.result()
        raise
    finally:
        stopped.set()
        for future in futures:
            future.cancel()
