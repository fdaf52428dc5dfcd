"""Tags a cluster that was started without flowspec, so that a spec manages it from then on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.observe import describe, find_active, read_back
from flowspec.backend.aws.submission.apply import source_of
from flowspec.backend.aws.submission.change import mark_sensitive
from flowspec.backend.aws.submission.lock import locked
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError
from flowspec.facts.limits import TAG_VALUE
from flowspec.facts.states import OPEN
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import (
    DIGEST_TAG,
    FLOW_TAG,
    HIDDEN_TAG,
    SOURCE_TAG,
    STEPS_TAG,
    SUBMISSION_TAG,
    TARGET_TAG,
    Cluster,
)
from flowspec.plan.compare import make_plan
from flowspec.plan.identity import identity_tags
from flowspec.request.compile import Request


@dataclass(frozen=True, slots=True)
class Adoption:
    """The cluster to adopt, and the plan for it as if it were the flow's already."""

    cluster: Cluster
    plan: Plan

    @property
    def is_done(self) -> bool:
        """True if the cluster has the tags of this flow and target."""
        return self.cluster.is_of(self.plan.flow, self.plan.target)


def plan_adoption(emr: Emr, cluster_id: str, jobflow: JobFlow, request: Request) -> Adoption:
    """Compares a spec with a cluster that shall be its own; nothing is changed.

    Raises FlowspecError when the cluster has ended or belongs to another flow, and when the flow already has a cluster.
    Also raises it when the cluster's name differs from the name of the spec's clusters, since EMR can't rename a
    cluster. A `blocked` plan lists differences that only a new cluster could remove.
    """
    cluster = read_back(emr, cluster_id)
    _refuse_ended(cluster)
    plan = make_plan(jobflow, request, cluster, emr.backend.assess(request.params), now=datetime.now(timezone.utc))
    adoption = Adoption(cluster, plan)
    if not adoption.is_done:
        _refuse_owned(emr, cluster, jobflow)
    return adoption


def _refuse_ended(cluster: Cluster) -> None:
    if cluster.state not in OPEN:
        raise FlowspecError(f"cluster {cluster.id} is {cluster.state}: a cluster that ends can't be adopted")


def _refuse_owned(emr: Emr, cluster: Cluster, jobflow: JobFlow) -> None:
    if FLOW_TAG in cluster.tags:
        owner, target = cluster.tags[FLOW_TAG], cluster.tags.get(TARGET_TAG)
        raise FlowspecError(
            f"cluster {cluster.id} belongs to flow {owner}" + (f", target {target}" if target else ""),
            remedy=f"to hand it over, remove its tag first: aws emr remove-tags --resource-id {cluster.id} "
            f"--tag-keys {FLOW_TAG}",
        )
    if cluster.name != jobflow.cluster_name:
        raise FlowspecError(
            f"cluster {cluster.id} is called {cluster.name!r}, "
            f"but the spec's clusters are called {jobflow.cluster_name!r}",
            remedy=f"EMR can't rename a cluster: write `name: {cluster.name}` into the spec, "
            "or set Name in its api_params to that",
        )
    active = find_active(emr, jobflow.name, jobflow.target, name=jobflow.cluster_name)
    if active:
        end = command_line("destroy", emr, active[0].id)
        raise FlowspecError(
            f"flow {jobflow.name} has a cluster already: {active[0].id} ({active[0].state})",
            remedy=f"end that first ({end}), or adopt this one for another target",
        )


def adopt(
    emr: Emr,
    cluster_id: str,
    jobflow: JobFlow,
    request: Request,
    *,
    lock_timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Adoption:
    """Tags a cluster as this flow's, under its lock; returns it with the plan for it from then on.

    That plan is empty, or changes the cluster in place; nothing but tags is changed here. Raises FlowspecError as
    `plan_adoption` does, and when a difference would need a new cluster; Locked when another changes the cluster.
    """
    # An ended cluster accepts no tags, and the lock is a tag.
    _refuse_ended(describe(emr, cluster_id, steps=False))
    with locked(emr, cluster_id, timeout=lock_timeout, notify=notify, sleep=sleep):
        found = plan_adoption(emr, cluster_id, jobflow, request)
        if found.plan.replaces:
            raise FlowspecError(
                f"cluster {cluster_id} differs from the spec in what EMR can't change: {_forced_changes(found.plan)}",
                remedy=f"change the spec to match the cluster: {command_line('import', emr, cluster_id)}",
            )
        mark_sensitive(emr, found.cluster, request.params, request.secrets)
        tags = [{"Key": key, "Value": value[-TAG_VALUE.most :]} for key, value in _tags(found.plan).items()]
        emr.call("AddTags", ResourceId=cluster_id, Tags=tags)
    return plan_adoption(emr, cluster_id, jobflow, request)


def _forced_changes(plan: Plan) -> str:
    addresses = (one.address for one in plan.changes if one.reason.startswith("forces replacement"))
    return "; ".join(address.partition(": ")[2] or address for address in addresses)


def _tags(plan: Plan) -> dict[str, str]:
    """Returns the tags of the flow. They claim nothing that is unknown about a cluster that someone else made.

    It is unknown whether the cluster has the members that EMR never shows. The digests of the request and of its steps
    are left out while something in them differs.
    """
    unclaimed = {HIDDEN_TAG} if plan.joins else {HIDDEN_TAG, DIGEST_TAG, STEPS_TAG}
    tags = {key: value for key, value in identity_tags(plan).items() if key not in unclaimed}
    return {**tags, SUBMISSION_TAG: uuid4().hex, SOURCE_TAG: source_of(Path(plan.source))}
