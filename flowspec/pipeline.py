"""The common cases in one call: a plan or a run from a spec, a spec or a report from a cluster."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowspec.backend.aws.client import Emr, Endpoint, connect
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.observe import observe_named
from flowspec.backend.aws.runs.relaunch import Launches
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.backend.protocol import backend_of
from flowspec.document.job_flow import JobFlow
from flowspec.document.masking import mask
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import FlowspecError
from flowspec.facts.backends import DEFAULT_BACKEND
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import CHOSEN, FLOW_TAG, PART_TAG, TARGET_TAG, Cluster
from flowspec.plan.compare import make_plan, with_preflight
from flowspec.plan.findings import wrong
from flowspec.plan.runs.launches import time_left
from flowspec.request.compile import Request, compile, validate_with_files
from flowspec.request.instances import lives_on
from flowspec.request.selection import keep_steps

# Modules that only some plans and runs need are imported where they are used: that saves 20 ms, a tenth of a submission
# to AWS.
if TYPE_CHECKING:
    from flowspec.backend.aws.events import Ended
    from flowspec.backend.aws.manage.reconstruction import Reconstructed
    from flowspec.backend.aws.runs.resume import Unfinished
    from flowspec.backend.aws.submission.staging import StagedFiles
    from flowspec.backend.aws.watch import Event, Watch
    from flowspec.importers.decompile.draft import Decompiled
    from flowspec.importers.placeholders import Variable
    from flowspec.inspection.run_facts import Cost
    from flowspec.report.page.run_report import RunReport


@dataclass(frozen=True, slots=True)
class RunResult:
    """The end of a run: the cluster as it was then, the verdict on it, and the connection to it.

    `joined` says that the run existed before, `skipped` that it had already ended, so nothing was run (`Plan.skipped`).
    """

    cluster: Cluster
    verdict: Verdict
    joined: bool
    emr: Emr = field(repr=False, compare=False)
    skipped: str = ""

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
    if_changed: bool = False,
    files: StagedFiles | None = None,
) -> Plan:
    """Reads the flow's cluster and which files are staged, and makes the plan with the backend's report.

    The options are those of `make_plan`; `files` is given to plans that are made together. For a cluster that ends with
    its steps, "failed" in `rerun` makes a plan for the steps that the flow's last run did not complete. With
    `if_changed`, and no `rerun`, nothing is run if the last run had the same request and succeeded.

    Raises SpecError when a step can't run on the backend, ServiceError when EMR refuses to be read.
    """
    running, namesakes = observe_named(emr, jobflow)
    unread: list[str] = []
    running = running and _settle_cluster(emr, running, unread.append)
    # After the read of the active cluster: a run that ends in between is then the last run.
    left = _find_unfinished(emr, jobflow, request, running, rerun)
    chosen = keep_steps(request, left.indexes) if left else request
    made = make_plan(
        jobflow,
        chosen,
        running,
        emr.backend.assess(chosen.params),
        replace=replace,
        rerun=() if left else rerun,
        cancel_removed=cancel_removed,
        now=datetime.now(timezone.utc),
        region=emr.region,
    )
    made = _plan_continuation(made, left) if left else made
    if if_changed and not rerun and running is None and not lives_on(request.params):
        made = _skip_if_done(emr, jobflow, request, made)
    # If the flow has its own cluster, clusters of its other targets are not reported.
    notes = () if running else map(partial(_namesake_note, emr, made), namesakes)
    return _note_staged_files(emr, files, dataclasses.replace(made, notes=(*made.notes, *unread, *notes)))


def _settle_cluster(emr: Emr, running: Cluster, notify: Callable[[str], object]) -> Cluster:
    from flowspec.backend.aws.runs.settle import settle_on

    return settle_on(emr, running, notify)


def _note_staged_files(emr: Emr, files: StagedFiles | None, plan: Plan) -> Plan:
    """Returns the plan with the state of its files; if `files` is None, they are looked up only for this plan."""
    if not plan.uploads:
        return plan
    from flowspec.backend.aws.submission.staging import StagedFiles, note_staged

    return note_staged(files or StagedFiles(emr), plan)


def _find_unfinished(
    emr: Emr, jobflow: JobFlow, request: Request, running: Cluster | None, rerun: Collection[str]
) -> Unfinished | None:
    """Finds what `rerun` runs again on a cluster that ends with its steps: the rest of the last run; else None.

    Raises FlowspecError for names of steps, which belong to a long-running cluster, and what `unfinished` raises.
    """
    if not rerun or lives_on(request.params) or (running and running.keep_alive):
        return None
    if (named := next((one for one in rerun if one != "failed"), None)) is not None:
        message = f"--rerun {named}: the cluster of this flow ends with its steps (keep_alive: false)"
        remedy = f"--rerun failed runs the steps that did not complete, --only {named} the step of that name"
        raise FlowspecError(message, remedy=remedy)
    from flowspec.backend.aws.runs.resume import unfinished

    if running is None:
        return unfinished(emr, jobflow, request)
    resumed = running.tags.get(PART_TAG, CHOSEN)
    # An active run of all steps is joined, or blocks this plan, as without the option.
    return None if resumed == CHOSEN else unfinished(emr, jobflow, request, last=resumed)


def _plan_continuation(plan: Plan, left: Unfinished) -> Plan:
    """Returns the plan that continues a run; if no step is left, it joins that run, which has ended."""
    notes = (*plan.notes, f"continues {left.run}, the last run of this flow", *left.notes)
    if left.indexes:
        return dataclasses.replace(plan, notes=notes, resumes=left.run, kept=left.indexes)
    return _join_ended_run(
        plan, left.run, f"all steps of {left.run}, the last run of this flow, are done: nothing is left", left.notes
    )


def _skip_if_done(emr: Emr, jobflow: JobFlow, request: Request, plan: Plan) -> Plan:
    """Returns the plan of a run; if the last run makes it unnecessary, a plan that joins that ended run."""
    from flowspec.backend.aws.runs.resume import compare_last

    last = compare_last(emr, jobflow, request)
    if last.done:
        return _join_ended_run(plan, last.run, last.why, last.notes)
    return dataclasses.replace(plan, notes=(*plan.notes, *last.notes, f"not skipped by --if-changed: {last.why}"))


def _join_ended_run(plan: Plan, run: str, why: str, notes: tuple[str, ...]) -> Plan:
    """Returns the plan that joins an ended run. It waits for no steps, so hooks are not run again."""
    return dataclasses.replace(
        plan, changes=(), calls=(), uploads=(), joins=run, awaits=(), notes=notes, cost=None, skipped=why
    )


def _namesake_note(emr: Emr, plan: Plan, cluster: Cluster) -> str:
    """Returns the note that an active cluster of the flow's name is not the flow's own: an apply leaves it alone."""
    called = f"cluster {cluster.id} ({cluster.state}) is called {cluster.name}, but "
    if flow := cluster.tags.get(FLOW_TAG):
        target = cluster.tags.get(TARGET_TAG)
        return f"{called}is of flow {flow}{f' on target {target}' if target else ''}: it is left alone"
    return (
        f"{called}does not have the tags of this flow and target: it is left alone; "
        f"`{command_line('adopt', emr, cluster.id, *plan.named_by)}` takes it over"
    )


def plan_offline(jobflow: JobFlow, request: Request) -> Plan:
    """Makes the plan as if nothing ran and nothing was staged, without any call, and adds a note about that.

    Raises SpecError when a step can't run on the backend.
    """
    made = make_plan(jobflow, request, None, backend_of(jobflow.backend).assess(request.params))
    return dataclasses.replace(
        made, notes=(*made.notes, "made offline: not compared with what runs or is staged already")
    )


def preflight_on(emr: Emr, jobflow: JobFlow, request: Request, plan: Plan) -> Plan:
    """Checks that the resources of a plan exist: files, inputs, buckets, roles, networks. Changes and runs nothing.

    A plan that submits nothing needs no resources, and is returned unchanged.
    """
    if not plan.has_changes:
        return plan
    chosen = request if plan.kept is None else keep_steps(request, plan.kept)
    return with_preflight(plan, emr.backend.preflight(emr, plan), jobflow, chosen)


def refuse_wrong(plan: Plan) -> None:
    """Raises FlowspecError when the preflight of a plan found a reason why its run would fail."""
    found = wrong(plan.preflight or ())
    if found:
        named = found[:_MAX_PROBLEMS_NAMED]
        problems = "; ".join(f"{one.subject} {one.message}{f' ({one.remedy})' if one.remedy else ''}" for one in named)
        more = f"; and {len(found) - len(named)} more" if len(found) > len(named) else ""
        message = f"nothing was submitted, since it would fail: {mask(problems, plan.secrets)}{more}"
        raise FlowspecError(message, remedy="correct this, or submit without the preflight: --skip-preflight")


# The number of problems that an error names; the plan shows all.
_MAX_PROBLEMS_NAMED = 3


def run(
    spec: str | PathLike[str],
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    variable_files: Sequence[str | PathLike[str]] = (),
    replace: bool = False,
    if_changed: bool = False,
    run_bootstrap: bool = False,
    preflight: bool = True,
    timeout: float | None = None,
    on_event: Callable[[Event], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> RunResult:
    """Applies a spec, as `flowspec apply` does, and watches its run to the end.

    An active run of the same request is joined; `replace` ends a run of another request. With `if_changed`, and where
    the cluster ends with its steps, nothing is run if the last run had the same request and succeeded: the result is
    that run's. `timeout` is in seconds, for all launches together, after which the verdict is TIMED_OUT and the run
    goes on. `run_bootstrap` runs bootstrap actions locally, too. `preflight` first checks that the resources exist, and
    raises FlowspecError when the run would fail. `on_event` is called with each event of `watch`. Raises SpecError for
    an invalid spec, ServiceError when EMR or S3 refuses a call, and FlowspecError for other errors. A failed run is a
    verdict, not an exception.
    """
    document = render(load(spec), target=target, variables=variables or {}, variable_files=variable_files)
    jobflow = validate_with_files(document)
    request = compile(jobflow)
    emr = connect(Endpoint.of(jobflow, run_bootstrap=run_bootstrap))
    plan = partial(plan_on, emr, jobflow, request, replace=replace, if_changed=if_changed)
    made = plan()
    if preflight and not made.blocked:
        refuse_wrong(preflight_on(emr, jobflow, request, made))
    return apply_and_watch(made, emr, replan=plan, timeout=timeout, on_event=on_event, sleep=sleep)


def apply_and_watch(
    plan: Plan,
    emr: Emr,
    *,
    replan: Callable[[], Plan] | None = None,
    timeout: float | None = None,
    on_event: Callable[[Event], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RunResult:
    """Applies a plan and watches its run to the end, by `watch`, whose default is `backend.aws.watch.watch`.

    The options are those of `apply` and `run`.
    """
    if watch is None:
        from flowspec.backend.aws import watch as watching

        watch = watching.watch
    applied = apply(plan, emr, replan=replan, sleep=sleep)
    launches = Launches(plan, emr, sleep=sleep)
    joined = applied.joined
    start_watch = partial(watch, emr, sleep=sleep)
    seconds_left = time_left(timeout, clock)
    while True:
        end = _watch_to_end(start_watch(applied.cluster_id, steps=applied.steps, timeout=seconds_left()), on_event)
        end = end.judged_with(applied.failed)
        next_launch = None if seconds_left() == 0.0 else launches.relaunch(end.cluster)
        if next_launch is None:
            return RunResult(end.cluster, end.verdict, joined, emr, plan.skipped)
        applied = next_launch


def _watch_to_end(events: Generator[Event, None, None], on_event: Callable[[Event], object]) -> Ended:
    from flowspec.backend.aws.events import Ended

    with closing(events):
        for event in events:
            on_event(event)
            if isinstance(event, Ended):
                return event
    raise AssertionError("watch always ends with Ended")


def import_cluster(emr: Emr, cluster_id: str, *, folder: Path = Path(), keep_secrets: bool = False) -> Decompiled:
    """Writes the spec of a cluster, live or ended, whose plan shows no differences from it.

    A cluster that flowspec made keeps its flow's name and target; another is taken over with `adopt`. Secrets become
    variables, also those that only the cluster's tags mark as secret; `keep_secrets` leaves the other ones in the text.
    A relative path in the cluster's steps must not become a local file in `folder`, where the spec will be. The first
    lines of the text list what can't be known. Raises FlowspecError when there is no such cluster.
    """
    from flowspec.backend.aws.manage.reconstruction import reconstruct
    from flowspec.importers.decompile.draft import write_spec
    from flowspec.importers.placeholders import Wanted

    found = reconstruct(emr, cluster_id)
    params, variables = _without_secrets(found)
    backend = emr.endpoint.backend
    wanted = Wanted(
        params,
        variables,
        region=emr.region if "region" in emr.endpoint.traits.connection_settings else "",
        notes=found.notes,
        profile=emr.endpoint.profile or "",
        backend="" if backend == DEFAULT_BACKEND else backend,
        target=found.target,
        flow=found.flow,
        settings=found.settings,
        policies=found.policies,
    )
    return write_spec(wanted, folder=folder, origin=f"cluster {cluster_id}", keep_secrets=keep_secrets)


def _without_secrets(found: Reconstructed) -> tuple[dict[str, Any], dict[str, Variable]]:
    """Returns the parameters with a variable for each text known to be secret, and for passwords that EMR hides."""
    from flowspec.importers.placeholders import Variable, map_texts, placeholder

    secret = Variable(rules={"sensitive": True})
    params, variables = dict(found.params), {}
    if params.get("KerberosAttributes"):
        variables["kdc_admin_password"] = secret
        password = placeholder("kdc_admin_password")
        params["KerberosAttributes"] = {**params["KerberosAttributes"], "KdcAdminPassword": password}
    # In `--password=value`, only the value is the secret.
    values = {one for one in found.secrets if not (one.startswith("-") and one.partition("=")[2] in found.secrets)}
    names = {value: f"secret_{number}" for number, value in enumerate(sorted(values), 1)}
    if names:
        # The longest first, because one secret may be a part of another.
        pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
        texts = {value: placeholder(name) for value, name in names.items()}
        for member in ("Tags", "Steps"):
            if member in params:
                params[member] = map_texts(params[member], lambda text: pattern.sub(lambda one: texts[one[0]], text))
        variables |= dict.fromkeys(names.values(), secret)
    return params, variables


def make_report(
    emr: Emr,
    cluster_id: str,
    *,
    secrets: Collection[str] = (),
    cost: Callable[[Emr, Cluster], Cost | None] | None = None,
    compare: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> RunReport:
    """Reads a run, ended or not, and returns the report on it. The options and errors are those of `read_run`.

    `cost` is by default what the instances have cost by the hours that they lived.
    """
    from flowspec.inspection.reading import read_run
    from flowspec.report.page.run_report import RunReport

    cost = cost or _cost_so_far
    return RunReport.of(read_run(emr, cluster_id, secrets=secrets, cost=cost, compare=compare, now=now))


def _cost_so_far(emr: Emr, cluster: Cluster) -> Cost | None:
    """Returns the cost of a run so far; None on this machine, where nothing is paid."""
    if not emr.endpoint.traits.is_paid:
        return None
    from flowspec.backend.aws.spending import spent
    from flowspec.report.page.paid import cost_texts

    return cost_texts(spent(emr, cluster.id))
