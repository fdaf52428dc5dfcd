"""Changes a running cluster as a plan says: under one lock, with the calls in their order, none of them twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice, takewhile
from typing import Any, NamedTuple

from flowspec.backend.aws.call_errors import PATIENCE
from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.live import step_config
from flowspec.backend.aws.observe import describe_step, read_back
from flowspec.backend.aws.submission.cancellation import cancel_steps
from flowspec.backend.aws.submission.lock import locked
from flowspec.backend.aws.submission.submit import submit_once
from flowspec.backend.aws.submission.uploads import upload
from flowspec.errors import FlowspecError, StalePlan
from flowspec.facts.states import OPEN, READY
from flowspec.plan.changes import ApiCall, Plan
from flowspec.plan.cluster import SENSITIVE_TAG, Cluster
from flowspec.plan.converge import WANTS_READY
from flowspec.plan.identity import observed_digest
from flowspec.plan.sensitive import sensitive_tokens
from flowspec.plan.steps import step_identity

_READY_INTERVAL = 10.0
# ListSteps gives 50 steps a page (API reference); no cluster has as many groups or fleets.
_PAGE = 50


class Changed(NamedTuple):
    """The changes made to a cluster: how many files were uploaded, the ids of its steps, and of those that had failed.

    `steps` is None where all steps of the cluster are its own, as `Plan.awaits` has it.
    """

    uploaded: int
    steps: tuple[str, ...] | None
    failed: tuple[str, ...]


def change_cluster(
    plan: Plan,
    emr: Emr,
    *,
    replan: Callable[[], Plan] | None,
    lock_timeout: float,
    notify: Callable[[str], None],
    warn: Callable[[str], None],
    sleep: Callable[[float], None],
) -> Changed:
    """Uploads the files of a plan that converges a cluster, and makes its calls; `warn` gets what did not work.

    When the cluster has changed since the plan was made, `replan` makes it again, while no one else can change the
    cluster, and the files of that plan are uploaded. Raises Locked when another apply is changing the cluster or the
    lock was lost, and ServiceError when EMR refuses a call. Raises StalePlan when the cluster has changed and there is
    no `replan`, or the new plan is of another kind.
    """
    cluster_id = str(plan.converges)
    uploaded = upload(plan.uploads, emr, notify)
    if _wants_ready(plan):
        # Before the lock is taken: a cluster takes minutes to start, and others may wait for the lock.
        _refuse_ended(cluster_id, wait_until_ready(emr, cluster_id, notify, sleep))
    with locked(emr, cluster_id, timeout=lock_timeout, notify=notify, warn=warn, sleep=sleep) as lock:
        cluster = read_back(emr, cluster_id)
        current = _refresh_plan(plan, cluster, replan)
        if current is not plan:
            notify(f"cluster {cluster_id} has changed meanwhile: the plan was made again")
            uploaded += upload(current.uploads, emr, notify)
        mark_sensitive(emr, cluster, current.request, current.secrets)
        added: list[str] = []
        for call in current.calls:
            lock.check()
            added += _send(call, emr, cluster, warn, sleep)
            notify(call.operation)
    steps = None if current.awaits is None and not added else (*(current.awaits or ()), *added)
    return Changed(uploaded, steps, current.failed)


def _wants_ready(plan: Plan) -> bool:
    return any(call.operation in WANTS_READY for call in plan.calls)


def _refresh_plan(plan: Plan, cluster: Cluster, replan: Callable[[], Plan] | None) -> Plan:
    """Returns the plan, made again if the cluster has changed since."""
    _refuse_ended(cluster.id, cluster.state)
    if observed_digest(cluster, plan.secrets) == plan.observed:
        return plan
    changed = f"cluster {cluster.id} has changed since this plan was made"
    if replan is None:
        raise StalePlan(changed, remedy="make the plan again")
    again = replan()
    if again.blocked:
        raise FlowspecError(again.blocked, remedy=again.remedy)
    if cluster.id not in {again.converges, again.joins} or (_wants_ready(again) and cluster.state not in READY):
        raise StalePlan(changed, remedy="make the plan again")
    return again


def mark_sensitive(emr: Emr, cluster: Cluster, params: Mapping[str, Any], secrets: Collection[str]) -> None:
    """Tags the cluster with the places of a request's secrets, before the secrets are sent."""
    before = cluster.tags.get(SENSITIVE_TAG, "")
    marked = sensitive_tokens(params, secrets, before)
    if marked != before:
        emr.call("AddTags", ResourceId=cluster.id, Tags=[{"Key": SENSITIVE_TAG, "Value": marked}])


def _refuse_ended(cluster_id: str, state: str) -> None:
    if state not in OPEN:
        raise StalePlan(f"cluster {cluster_id} is {state} now", remedy="make the plan again")


def wait_until_ready(emr: Emr, cluster_id: str, notify: Callable[[str], None], sleep: Callable[[float], None]) -> str:
    """Waits while a cluster starts: groups and fleets can be changed only when it is RUNNING or WAITING.

    Returns the state after the wait: one of these two, or TERMINATING or an ended state. As in `watch`, after a first
    successful read, reads may fail for five minutes in a row.
    """
    seen, failed = "", 0
    while True:
        try:
            state = str(emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"]["Status"]["State"])
        except FlowspecError:
            failed += 1
            if not seen or failed * _READY_INTERVAL > PATIENCE:
                raise
        else:
            failed = 0
            if state in READY or state not in OPEN:
                return state
            if not seen:
                notify(f"waiting for cluster {cluster_id}, which is {state}")
            seen = state
        sleep(_READY_INTERVAL)


class _Adding(NamedTuple):
    """An operation that adds something, and how to find what it added after a lost answer."""

    operation: str
    member: str
    asked: Callable[[Mapping[str, Any]], list[str]]
    """The identities of the items that a call adds."""
    identity: Callable[[Mapping[str, Any]], str]
    """The identity of a listed item."""

    def list_items(self, emr: Emr, cluster_id: str) -> Iterator[dict[str, Any]]:
        """Yields the cluster's items, page by page; steps newest first."""
        return emr.pages(self.operation, self.member, ClusterId=cluster_id)

    def present_ids(self, emr: Emr, cluster_id: str) -> frozenset[str]:
        """Returns the ids of the existing items; for steps, those of the latest page (a cluster may have thousands)."""
        return frozenset(one["Id"] for one in islice(self.list_items(emr, cluster_id), _PAGE))

    def find_added(self, emr: Emr, cluster_id: str, known: Collection[str]) -> dict[str, str]:
        """Returns the ids and identities of the new items, oldest first."""
        listed = self.list_items(emr, cluster_id)
        if self.operation == "ListSteps":
            new = list(takewhile(lambda one: one["Id"] not in known, listed))[::-1]
        else:
            new = [one for one in listed if one["Id"] not in known]
        return {one["Id"]: self.identity(one) for one in new}


_ADDING = {
    "AddJobFlowSteps": _Adding(
        "ListSteps",
        "Steps",
        lambda params: [step_identity(step) for step in params["Steps"]],
        lambda raw: step_identity(step_config(raw)),
    ),
    "AddInstanceGroups": _Adding(
        "ListInstanceGroups",
        "InstanceGroups",
        lambda params: [f"{one.get('Name', '')}\n{one['InstanceType']}" for one in params["InstanceGroups"]],
        lambda raw: f"{raw.get('Name', '')}\n{raw['InstanceType']}",
    ),
    "AddInstanceFleet": _Adding(
        "ListInstanceFleets",
        "InstanceFleets",
        lambda params: [str(params["InstanceFleet"]["InstanceFleetType"])],
        lambda raw: str(raw["InstanceFleetType"]),
    ),
}


def _send(
    call: ApiCall, emr: Emr, cluster: Cluster, warn: Callable[[str], None], sleep: Callable[[float], None]
) -> list[str]:
    """Makes one call; returns the ids of the steps that it added."""
    if call.operation in _ADDING:
        added = add(call.operation, call.params, emr, cluster.id, sleep)
        return added if call.operation == "AddJobFlowSteps" else []
    if call.operation == "CancelSteps":
        known = {one.id: one for one in cluster.steps}
        # A plan that was made again may contain later steps.
        steps = [known.get(id_) or describe_step(emr, cluster.id, id_) for id_ in call.params["StepIds"]]
        for answer in cancel_steps(emr, cluster.id, steps):
            if not answer.accepted:
                warn(f"step {answer.id} {answer.name} is not cancelled: {answer.reason}")
    else:
        emr.call(call.operation, **call.params)
    return []


def add(
    operation: str,
    params: Mapping[str, Any],
    emr: Emr,
    cluster_id: str,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Calls AddJobFlowSteps, AddInstanceGroups or AddInstanceFleet so that what it adds is added once.

    None of them has a client token, so after a lost answer the items are searched for before the call is sent again.
    Items that existed before the call are never counted, and equal steps or groups of one call are found as often as
    the call contains them. For two groups with the same name and type, either id may come first. An item that someone
    else adds at the same time with the same name and type looks like ours. Then ours is not sent again: one item may be
    missing, which the next plan adds, but there is never one too many. Returns the ids of the added items, in the order
    of the call. Raises FlowspecError when it is not known whether the last send took effect.
    """
    adding = _ADDING[operation]
    known = adding.present_ids(emr, cluster_id)
    asked = adding.asked(params)
    return submit_once(
        emr,
        operation,
        params,
        read=_ids,
        find=lambda: _match_added(asked, adding.find_added(emr, cluster_id, known)),
        not_found=f"nothing that it adds was found on cluster {cluster_id}",
        remedy=f"look at the cluster before you send it again: {command_line('status', emr, cluster_id)}",
        sleep=sleep,
    )


def _ids(answer: Mapping[str, Any]) -> list[str]:
    fleet = [answer["InstanceFleetId"]] if "InstanceFleetId" in answer else []
    return list(answer.get("StepIds") or answer.get("InstanceGroupIds") or fleet)


def _match_added(asked: list[str], there: dict[str, str]) -> list[str] | None:
    """Returns the ids of the items that a call has added; None if it added none: EMR adds all items of a call or none.

    `asked` are the identities of the items in the call, `there` the ids and identities of the new items.
    """
    found = []
    for identity in asked:
        match = next((id_ for id_, other in there.items() if other == identity), None)
        if match is None:
            return None
        found.append(match)
        del there[match]
    return found
