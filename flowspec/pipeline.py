"""The common cases in one call: a plan from a spec and a connection, a whole run from a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from os import PathLike
from typing import Any

from flowspec.backend.aws.apply import apply
from flowspec.backend.aws.client import Emr, Endpoint, connect
from flowspec.backend.aws.observe import observe
from flowspec.backend.aws.staging import note_staged
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.backend.aws.watch import Ended, Event, watch
from flowspec.document.job_flow import JobFlow
from flowspec.document.parse import load
from flowspec.document.render import render
from flowspec.document.validate import validate
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import Cluster
from flowspec.plan.compare import make_plan
from flowspec.request.compile import Request, compile


@dataclass(frozen=True, slots=True)
class RunResult:
    """The end of a run: the cluster as it was then, the verdict on it, and the connection to it.

    `joined` says that the run was there before.
    """

    cluster: Cluster
    verdict: Verdict
    joined: bool
    emr: Emr = field(repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        """True if all steps completed."""
        return self.verdict.outcome is Outcome.SUCCEEDED


def plan_on(
    emr: Emr,
    jobflow: JobFlow,
    request: Request,
    *,
    replace: bool = False,
    rerun: Collection[str] = (),
    cancel_removed: bool = False,
) -> Plan:
    """Reads the flow's cluster and which files are staged, and makes the plan with the backend's report.

    The options are those of `make_plan`.

    Raises SpecError when a step can't run on the backend, ServiceError when EMR refuses to be read.
    """
    running = observe(emr, jobflow)
    assessment = emr.backend.assess(request.params)
    made = make_plan(
        jobflow,
        request,
        running,
        assessment,
        replace=replace,
        rerun=rerun,
        cancel_removed=cancel_removed,
        now=datetime.now(timezone.utc),
    )
    return note_staged(emr, made)


def run(
    spec: str | PathLike[str],
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    variable_files: Sequence[str | PathLike[str]] = (),
    replace: bool = False,
    run_bootstrap: bool = False,
    timeout: float | None = None,
    on_event: Callable[[Event], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> RunResult:
    """Applies a spec, as `flowspec apply` does, and watches its run to the end.

    A run of the same request is joined; `replace` ends one of another request. `timeout` is in seconds, after
    which the verdict is TIMED_OUT and the run goes on. `run_bootstrap` runs bootstrap actions locally, too.
    `on_event` is called with each event of `watch`. Raises SpecError for an invalid spec, ServiceError when EMR
    or S3 refuses a call, FlowspecError for the rest; a run that failed is a verdict, not an exception.
    """
    document = render(load(spec), target=target, variables=variables or {}, variable_files=variable_files)
    jobflow = validate(document)
    request = compile(jobflow)
    emr = connect(Endpoint.of(jobflow, run_bootstrap=run_bootstrap))
    plan = partial(plan_on, emr, jobflow, request, replace=replace)
    applied = apply(plan(), emr, replan=plan, sleep=sleep)
    with closing(watch(emr, applied.cluster_id, steps=applied.steps, timeout=timeout, sleep=sleep)) as events:
        for event in events:
            on_event(event)
            if isinstance(event, Ended):
                return RunResult(event.cluster, event.verdict, applied.joined, emr)
    raise AssertionError("watch always ends with Ended")
