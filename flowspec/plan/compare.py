"""Compares the request of a spec with the running cluster and lists what has to be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.errors import SpecError
from flowspec.facts.mutability import row_of
from flowspec.plan.changes import Action, ApiCall, Assessment, Change, Plan
from flowspec.plan.cluster import HIDDEN_TAG, MANAGED_TAG, STEPS_TAG
from flowspec.plan.converge import calls_of, changes_of, ending_calls, needs_replacement, tag_calls
from flowspec.plan.fields import Comparison, Difference, compare_fields, snake
from flowspec.plan.identity import (
    hidden_digest,
    identity_tags,
    managed_tokens,
    observed_digest,
    steps_digest,
    unreadable,
)
from flowspec.plan.steps import HISTORY_LIMIT, StepChanges, compare_steps, step_identity

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.cluster import Cluster
    from flowspec.request.assets import Asset
    from flowspec.request.compile import Request


def make_plan(
    jobflow: JobFlow,
    request: Request,
    cluster: Cluster | None = None,
    assessment: Assessment | None = None,
    *,
    replace: bool = False,
    rerun: Collection[str] = (),
    cancel_removed: bool = False,
) -> Plan:
    """Compares a request with `cluster`, the flow's active cluster if there is one.

    `assessment` is what the backend reports about the request (`assess`); `replace` allows ending a cluster
    that can't be changed into the one asked for. On a cluster that lives on, `rerun` names steps to run again
    ("failed": all that failed), and `cancel_removed` cancels steps that the spec has no more. Raises SpecError when
    a step can't run on the backend: it is better to know before the steps ahead of it have run.
    """
    assessment = assessment or Assessment()
    _refuse_unsupported(jobflow, request, assessment)
    uploads = request.assets if jobflow.stages_files else ()
    submission = Plan(
        flow=jobflow.name,
        target=jobflow.target,
        digest=request.digest,
        source=str(jobflow.path),
        request=request.params,
        changes=tuple(_changes(request.params, uploads, assessment)),
        calls=(ApiCall("RunJobFlow", request.params),),
        uploads=uploads,
        remarks=assessment.remarks,
        warnings=jobflow.warnings,
        secrets=request.secrets,
    )
    if cluster is None:
        return submission
    if cluster.live is None or not _lives_on(request.params):
        return _joined_or_replaced(submission, cluster, allowed=replace)
    comparison = _compared(request.params, cluster)
    fixed = [one for one in comparison.differences if needs_replacement(one)]
    if fixed:
        return _replacement(submission, cluster, fixed, allowed=replace)
    steps = compare_steps(
        request.params.get("Steps", ()),
        cluster,
        rerun=rerun,
        cancel_removed=cancel_removed,
        known=cluster.tags.get(STEPS_TAG) == steps_digest(request.params),
    )
    return _converging(submission, cluster, comparison, steps)


def _lives_on(params: Mapping[str, Any]) -> bool:
    return bool(params.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps"))


def _compared(params: Mapping[str, Any], cluster: Cluster) -> Comparison:
    """The differences, and what can't be known: members that EMR never gives back are compared by their digest."""
    assert cluster.live is not None
    found = compare_fields(params, cluster.live, managed_tokens(cluster.tags.get(MANAGED_TAG, "")))
    hidden = unreadable(params)
    if not hidden or cluster.tags.get(HIDDEN_TAG) == hidden_digest(params):
        return found
    if HIDDEN_TAG in cluster.tags:
        changed = [
            Difference((name,), snake(name), "(another value)", value, row_of(name)) for name, value in hidden.items()
        ]
        return Comparison((*found.differences, *changed), found.notes)
    note = f"{', '.join(map(snake, hidden))}: EMR never shows it, and the cluster's tags don't say what it was"
    return Comparison(found.differences, (*found.notes, note))


def _joined_or_replaced(submission: Plan, cluster: Cluster, *, allowed: bool) -> Plan:
    """A run of the same request is joined: its digest says so, or else each of its fields does."""
    joined = dataclasses.replace(submission, changes=(), calls=(), uploads=(), joins=cluster.id)
    if cluster.digest == submission.digest:
        return joined
    if cluster.live is None:
        return _replacement(submission, cluster, (), allowed=allowed)
    wanted = submission.request
    comparison = _compared(wanted, cluster)
    wanted_steps = [step_identity(one) for one in wanted.get("Steps", ())]
    if wanted_steps != [step_identity(one) for one in cluster.live.params.get("Steps", ())]:
        step = Difference(("Steps",), "steps", "(others)", "(those of the spec)", row_of("Steps"))
        comparison = Comparison((*comparison.differences, step), comparison.notes)
    if not comparison.differences:
        return joined
    return _replacement(submission, cluster, comparison.differences, allowed=allowed)


def _converging(submission: Plan, cluster: Cluster, comparison: Comparison, steps: StepChanges) -> Plan:
    """A plan that changes the running cluster; one that finds nothing to change joins it."""
    wanted = submission.request
    differences = comparison.differences
    changes = [*(line for one in differences for line in changes_of(one)), *_step_lines(wanted, steps)]
    calls = [*calls_of(differences, cluster), *_step_calls(wanted, steps, cluster)]
    ending = list(ending_calls(differences, cluster))
    plan = dataclasses.replace(
        submission,
        changes=tuple(changes),
        calls=(),
        uploads=submission.uploads if steps.add else (),
        joins=None if changes else cluster.id,
        converges=cluster.id if changes else None,
        observed=observed_digest(cluster),
        awaits=tuple(one.id for one in steps.awaits),
        notes=(*comparison.notes, *_failed_notes(steps)),
        blocked=_unknown_steps(wanted, steps),
        remedy="name those that shall run (again) with --rerun NAME" if steps.unknown else "",
    )
    if not changes:
        return plan
    tags = tag_calls(differences, identity_tags(plan), cluster)
    uploads = tuple(Change(Action.UPLOAD, one.name, after=one.uri, reason=_asset_line(one)) for one in plan.uploads)
    return dataclasses.replace(plan, changes=(*uploads, *changes), calls=(*calls, *tags, *ending))


def _step_lines(wanted: Mapping[str, Any], steps: StepChanges) -> Iterator[Change]:
    for index in steps.add:
        step = wanted["Steps"][index]
        jar = step["HadoopJarStep"]
        command = (jar["Jar"], *jar.get("Args", ()))
        yield Change(Action.SUBMIT, f"step {step['Name']}", None, command, "AddJobFlowSteps", ("Steps", index))
    for one in steps.cancel:
        yield Change(Action.DELETE, f"step {one.name}", one.state, None, "CancelSteps")


def _step_calls(wanted: Mapping[str, Any], steps: StepChanges, cluster: Cluster) -> Iterator[ApiCall]:
    if steps.cancel:
        yield ApiCall("CancelSteps", {"ClusterId": cluster.id, "StepIds": [one.id for one in steps.cancel]})
    role = {"ExecutionRoleArn": wanted["StepExecutionRoleArn"]} if wanted.get("StepExecutionRoleArn") else {}
    added = [wanted["Steps"][index] for index in steps.add]
    for start in range(0, len(added), MAX_STEPS_IN_A_CALL):
        some = added[start : start + MAX_STEPS_IN_A_CALL]
        yield ApiCall("AddJobFlowSteps", {"JobFlowId": cluster.id, "Steps": some, **role})


# API reference, AddJobFlowSteps.
MAX_STEPS_IN_A_CALL = 256


def _failed_notes(steps: StepChanges) -> Iterator[str]:
    for one in steps.failed:
        yield f"step {one.name} ({one.id}) is {one.state}: --rerun failed runs it again"


def _unknown_steps(wanted: Mapping[str, Any], steps: StepChanges) -> str:
    names = ", ".join(repr(wanted["Steps"][index]["Name"]) for index in steps.unknown)
    if not names:
        return ""
    return f"EMR shows only the latest {HISTORY_LIMIT} steps of the cluster; whether {names} ran before can't be known"


def _replacement(submission: Plan, cluster: Cluster, differences: Sequence[Difference], *, allowed: bool) -> Plan:
    """A plan that ends the cluster and starts another; each difference that forces it has a line."""
    reason = _blast_radius(cluster)
    forced = [
        dataclasses.replace(
            line, action=Action.REPLACE, address=f"cluster {cluster.id}: {line.address}", reason="forces replacement"
        )
        for one in differences
        for line in changes_of(one)
    ]
    before, after = (None, None) if forced else (cluster.digest[:12], submission.digest[:12])
    change = Change(Action.REPLACE, f"cluster {cluster.id}", before, after, reason=reason)
    blocked, remedy = _obstacle(cluster, allowed)
    return dataclasses.replace(
        submission,
        changes=(change, *forced, *submission.changes),
        calls=(ApiCall("TerminateJobFlows", {"JobFlowIds": [cluster.id]}), *submission.calls),
        replaces=cluster.id,
        blocked=blocked,
        remedy=remedy,
    )


def _obstacle(cluster: Cluster, allowed: bool) -> tuple[str, str]:
    """Returns why a cluster may not be replaced, and the remedy; two empty texts when it may."""
    if not allowed:
        busy = any(not step.has_ended for step in cluster.steps)
        wait = "wait for it (flowspec wait), " if busy else ""
        return (
            f"cluster {cluster.id} of this flow is {cluster.state}, made from another request",
            f"{wait}end it (flowspec destroy), or let this apply end it with --replace",
        )
    if cluster.termination_protected:
        problem = f"cluster {cluster.id} is to be replaced and is protected against termination"
        return problem, "end it first: flowspec destroy --unprotect"
    return "", ""


def _changes(params: Mapping[str, Any], uploads: Sequence[Asset], assessment: Assessment) -> Iterator[Change]:
    for asset in uploads:
        yield Change(Action.UPLOAD, asset.name, after=asset.uri, reason=_asset_line(asset))
    yield Change(Action.CREATE, f"cluster {params['Name']}", after=_cluster_line(params))
    for group in params.get("Instances", {}).get("InstanceGroups", ()):
        yield Change(Action.CREATE, f"instance group {group['InstanceRole']}", after=_group_line(group))
    for action in params.get("BootstrapActions", ()):
        script = action["ScriptBootstrapAction"]
        yield Change(
            Action.CREATE,
            f"bootstrap action {action['Name']}",
            after=(script["Path"], *script.get("Args", ())),
            reason=assessment.bootstrap_note,
        )
    for step in params.get("Steps", ()):
        jar = step["HadoopJarStep"]
        yield Change(Action.SUBMIT, f"step {step['Name']}", after=(jar["Jar"], *jar.get("Args", ())))


def _asset_line(asset: Asset) -> str:
    size = f"{asset.size} bytes"
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if asset.size >= 1000**power:
            size = f"{asset.size / 1000**power:.1f} {unit}"
            break
    return size if asset.members is None else f"{size}, {len(asset.members)} files of {asset.path.name}/"


def _cluster_line(params: Mapping[str, Any]) -> str:
    software = params.get("ReleaseLabel") or params.get("AmiVersion") or ""
    applications = ", ".join(app.get("Name", "") for app in params.get("Applications", ()))
    stays = (
        "keeps running" if params.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps") else "ends after its steps"
    )
    return "; ".join(filter(None, [software, applications, stays]))


def _group_line(group: Mapping[str, Any]) -> str:
    price = f" at {group['BidPrice']}" if group.get("BidPrice") else ""
    market = f" {group['Market']}{price}" if group.get("Market") else ""
    return f"{group['InstanceCount']} x {group['InstanceType']}{market}"


def _blast_radius(cluster: Cluster) -> str:
    running = [step.name for step in cluster.steps if step.state == "RUNNING"]
    doing = f"running: {', '.join(running)}" if running else "no step is running"
    since = f", up since {cluster.created:%Y-%m-%d %H:%M:%S}" if cluster.created else ""
    loss = ", its HDFS is lost" if cluster.keep_alive else ""
    return f"it is {cluster.state}, {doing}{since}{loss}"


def _refuse_unsupported(jobflow: JobFlow, request: Request, assessment: Assessment) -> None:
    names = [step["Name"] for step in request.params.get("Steps", ())]
    found = [
        jobflow.document.diagnostic("FS501", ("steps", index), f"step '{names[index]}' can't run here: {reason}")
        for index, reason in assessment.unsupported.items()
    ]
    if found:
        raise SpecError(found)
