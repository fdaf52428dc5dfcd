"""Compares the request of a spec with the running cluster and lists what has to be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.errors import SpecError
from flowspec.plan.changes import Action, ApiCall, Assessment, Change, Plan

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
) -> Plan:
    """Compares a request with `cluster`, the flow's active cluster if there is one.

    `assessment` is what the backend reports about the request (`assess`); `replace` allows ending a cluster
    that was made from another request. Raises SpecError when a step can't run on the backend: it is better
    to know before the steps ahead of it have run.
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
    if cluster.digest == request.digest:
        return dataclasses.replace(submission, changes=(), calls=(), uploads=(), joins=cluster.id)
    return _replacement(submission, cluster, allowed=replace)


def _replacement(submission: Plan, cluster: Cluster, *, allowed: bool) -> Plan:
    before, after = cluster.digest[:12], submission.digest[:12]
    change = Change(Action.REPLACE, f"cluster {cluster.id}", before, after, reason=_blast_radius(cluster))
    blocked, remedy = _obstacle(cluster, allowed)
    return dataclasses.replace(
        submission,
        changes=(change, *submission.changes),
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
    return f"it is {cluster.state}, {doing}{since}"


def _refuse_unsupported(jobflow: JobFlow, request: Request, assessment: Assessment) -> None:
    names = [step["Name"] for step in request.params.get("Steps", ())]
    found = [
        jobflow.document.diagnostic("FS501", ("steps", index), f"step '{names[index]}' can't run here: {reason}")
        for index, reason in assessment.unsupported.items()
    ]
    if found:
        raise SpecError(found)
