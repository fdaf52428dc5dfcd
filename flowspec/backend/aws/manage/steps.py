"""Adds steps to a living cluster, each once, and cancels steps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.observe import describe, describe_step, read_steps, steps_in
from flowspec.backend.aws.runs.settle import settle_on
from flowspec.backend.aws.submission.cancellation import CancelledStep, cancel_steps
from flowspec.backend.aws.submission.change import add, mark_sensitive
from flowspec.backend.aws.submission.lock import locked
from flowspec.backend.aws.submission.uploads import upload
from flowspec.document.job_flow import JobFlow
from flowspec.document.nearest import not_found
from flowspec.errors import FlowspecError, NothingFound
from flowspec.facts.ids import STEP_ID
from flowspec.facts.states import ACTIVE_STEPS, ENDED_STEPS, OPEN
from flowspec.plan.cluster import Cluster, Step
from flowspec.plan.compare import refuse_unknown_names, refuse_unsupported, step_calls, why_steps_are_not_added
from flowspec.plan.steps import StepChanges, compare_steps
from flowspec.request.compile import Request


@dataclass(frozen=True, slots=True)
class AddedSteps:
    """The ids of the steps that were added, of those that were there and are not over yet, and failed ones.

    `failed` have run before and were not added again.
    """

    added: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    failed: tuple[Step, ...] = ()


def add_steps(
    emr: Emr,
    cluster_id: str,
    jobflow: JobFlow,
    request: Request,
    *,
    rerun: Collection[str] = (),
    lock_timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> AddedSteps:
    """Adds the steps of a request that a cluster does not have yet, under the cluster's lock.

    A step is identified by its name and by what it runs. `rerun` names steps to run again ("failed": all that failed).
    Their local files are uploaded first. Raises FlowspecError when the cluster accepts no steps, when the steps are for
    another backend, when the cluster has too many steps to know whether one has run, and when it runs several at once
    and a step would not let the others continue after a failure. Raises Locked when another process changes the cluster
    for longer than `lock_timeout` seconds, and SpecError when a step can't run there.
    """
    if jobflow.backend != emr.endpoint.backend:
        raise FlowspecError(
            f"the steps are made for backend {jobflow.backend}, cluster {cluster_id} is on {emr.endpoint.backend}",
            remedy="choose a target of the cluster's backend with --target",
        )
    refuse_unknown_names(rerun, request.params)
    refuse_unsupported(jobflow, request, emr.backend.assess(request.params))
    # An ended cluster accepts no tags either, and the lock is a tag.
    _refuse_ended(describe(emr, cluster_id, steps=False))
    with locked(emr, cluster_id, timeout=lock_timeout, notify=notify, sleep=sleep):
        cluster = settle_on(emr, read_steps(emr, cluster_id), notify)
        changes = _compare_added_steps(request, cluster, rerun)
        _upload(emr, request, changes, notify)
        wanted = request.params.get("Steps", ())
        mark_sensitive(emr, cluster, {"Steps": [wanted[index] for index in changes.add]}, request.secrets)
        added: list[str] = []
        for call in step_calls(request.params, changes, cluster):
            added += add(call.operation, call.params, emr, cluster_id, sleep)
    return AddedSteps(tuple(added), tuple(one.id for one in changes.awaits), changes.failed)


def _refuse_ended(cluster: Cluster) -> None:
    if cluster.state not in OPEN:
        message = f"cluster {cluster.id} is {cluster.state}: it takes no more steps"
        raise FlowspecError(message, remedy="start a new run with them: flowspec apply SPEC")


def _compare_added_steps(request: Request, cluster: Cluster, rerun: Collection[str]) -> StepChanges:
    _refuse_ended(cluster)
    changes = compare_steps(request.params.get("Steps", ()), cluster, rerun=rerun)
    assert cluster.live is not None
    # The cluster keeps its level, whatever the spec of the steps says.
    level = cluster.live.params["StepConcurrencyLevel"]
    reason, remedy = why_steps_are_not_added(request.params, changes, cluster.id, level)
    if reason:
        raise FlowspecError(reason, remedy=remedy)
    return changes


def _upload(emr: Emr, request: Request, changes: StepChanges, notify: Callable[[str], None]) -> None:
    """Uploads the files that the added steps name, and no others of the spec."""
    text = json.dumps([request.params["Steps"][index] for index in changes.add], ensure_ascii=False)
    upload([one for one in request.assets if one.uri in text], emr, notify)


def steps_to_cancel(emr: Emr, cluster_id: str, step: str) -> list[Step]:
    """Returns the step with an id or name; without one, all pending steps, oldest first.

    If several ended steps have the name, the last one is returned. Raises NothingFound when there is no such step, or
    when several steps that are not over have that name.
    """
    if not step:
        return steps_in(emr, cluster_id, ["PENDING"])
    if STEP_ID.fullmatch(step):
        # A step's name may have the form of an id.
        with suppress(NothingFound):
            return [describe_step(emr, cluster_id, step)]
    return _find_steps_by_name(emr, cluster_id, step)


def _find_steps_by_name(emr: Emr, cluster_id: str, step: str) -> list[Step]:
    active = steps_in(emr, cluster_id, ACTIVE_STEPS)
    found = [one for one in active if one.name == step]
    if len(found) > 1:
        ids = ", ".join(f"{one.id} ({one.state})" for one in found)
        raise NothingFound(f"{len(found)} steps are called {step!r}: {ids}", remedy="name one by its id")
    if found:
        return found
    ended = steps_in(emr, cluster_id, ENDED_STEPS)
    if last := [one for one in ended if one.name == step][-1:]:
        return last
    names = [one.name for one in (*ended, *active)]
    raise not_found(f"there is no step {step!r} in cluster {cluster_id}", step, names)


def cancel(emr: Emr, cluster_id: str, step: str = "", *, force: bool = False) -> tuple[CancelledStep, ...]:
    """Cancels a step by id or name, or without one all pending steps; returns EMR's answer on each.

    `force` kills the process of a running step (TERMINATE_PROCESS) instead of interrupting it. Raises as
    `steps_to_cancel` does.
    """
    return cancel_steps(emr, cluster_id, steps_to_cancel(emr, cluster_id, step), force=force)
