"""The state machines of clusters and steps: what may follow what, with EMR's codes and texts.

Nothing here starts a process or waits. Each function changes records in the store, inside a transaction
that the caller holds; the service, the workers and the reaper all go through them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from flowspec.emulator.state import clock
from flowspec.emulator.state.store import Record, Store
from flowspec.facts.states import READY

DEFAULT_IDLE_TIMEOUT = 3600
"""Seconds, of an auto-termination policy that gives none (API reference, AutoTerminationPolicy)."""


class Aftermath(Enum):
    """What a failed step means for its cluster."""

    CONTINUE = "the next step runs"
    CANCEL_PENDING = "pending steps are cancelled"
    TERMINATE = "the cluster shuts down"


def after_failure(action: str, *, keep_alive: bool, protected: bool, concurrency: int) -> Aftermath:
    """What ActionOnFailure comes to (Management Guide, "Using termination protection"; API, StepConfig)."""
    if concurrency > 1 or action == "CONTINUE":
        return Aftermath.CONTINUE
    if action == "CANCEL_AND_WAIT":
        return Aftermath.CANCEL_PENDING
    # "Terminate after steps" beats protection; a protected long-lived cluster stays up.
    return Aftermath.CANCEL_PENDING if keep_alive and protected else Aftermath.TERMINATE


def set_state(store: Store, cluster: Record, state: str, message: str = "", code: str = "") -> None:
    """Moves a cluster on, with its StateChangeReason."""
    cluster.state = state
    reason = {"Code": code, "Message": message}
    cluster.doc["reason"] = {name: text for name, text in reason.items() if text}
    if state in READY and cluster.doc["ready"] is None:
        cluster.doc["ready"] = _now_after(cluster.created)
    store.save(cluster)


def begin_termination(store: Store, cluster: Record, code: str, message: str, *, with_errors: bool = False) -> None:
    """Starts a cluster's end: no step starts any more; the worker (or the reaper) brings it to its end."""
    cancel_pending(store, cluster.id)
    cluster.doc["with_errors"] = with_errors
    set_state(store, cluster, "TERMINATING", message, code)


def end(store: Store, cluster: Record) -> None:
    """Ends a TERMINATING cluster, for the reason that was given when that began."""
    cluster.state = "TERMINATED_WITH_ERRORS" if cluster.doc["with_errors"] else "TERMINATED"
    cluster.doc["ended"] = _now_after(cluster.doc["ready"] or cluster.created)
    store.save(cluster)


def _now_after(earlier: float) -> float:
    """Now, but not before `earlier`: no timeline runs backwards, whatever was done to the machine's clock."""
    return max(earlier, clock.now())


def fail(store: Store, cluster: Record, code: str, message: str) -> None:
    """Ends a cluster at once, with errors; steps that still run are FAILED, those that wait CANCELLED.

    A cluster that was ending already keeps the reason for which it did.
    """
    lost = {"Reason": "The cluster ended while the step ran.", "Message": message}
    ending = cluster.state == "TERMINATING"
    if not ending:
        begin_termination(store, cluster, code, message, with_errors=True)
    for step in store.find("step", cluster_id=cluster.id, states=("RUNNING", "CANCEL_PENDING")):
        if ending or step.state == "CANCEL_PENDING":
            finish_step(store, step, "CANCELLED")
        else:
            finish_step(store, step, "FAILED", lost)
    end(store, cluster)


def cancel_pending(store: Store, cluster_id: str) -> None:
    """Cancels every step of the cluster that has not started."""
    for step in store.find("step", cluster_id=cluster_id, states=("PENDING",)):
        finish_step(store, step, "CANCELLED")


def finish_step(store: Store, step: Record, state: str, failure: Mapping[str, str] | None = None) -> None:
    """Brings a step to a final state. One that never started gets no end, as on EMR."""
    step.state = state
    if step.doc["started"] is not None:
        step.doc["ended"] = _now_after(step.doc["started"])
    if failure:
        step.doc["failure"] = dict(failure)
    store.save(step)


def step_over(store: Store, cluster: Record, step: Record, *, succeeded: bool, failure: Mapping[str, str]) -> None:
    """Takes in that a step's process has ended, and what that means for its cluster."""
    if step.state == "CANCEL_PENDING" or cluster.state == "TERMINATING":
        # A cancelled step does not trigger its ActionOnFailure (API reference, CancelSteps).
        finish_step(store, step, "COMPLETED" if succeeded and step.state == "RUNNING" else "CANCELLED")
        return
    if succeeded:
        finish_step(store, step, "COMPLETED")
        return
    finish_step(store, step, "FAILED", failure)
    aftermath = after_failure(
        step.doc["action"],
        keep_alive=cluster.doc["keep_alive"],
        protected=cluster.doc["protected"],
        concurrency=cluster.doc["concurrency"],
    )
    if aftermath is Aftermath.TERMINATE:
        begin_termination(store, cluster, "STEP_FAILURE", "Shut down as step failed", with_errors=True)
    elif aftermath is Aftermath.CANCEL_PENDING:
        cancel_pending(store, cluster.id)


@dataclass(frozen=True)
class Orders:
    """What a worker is to do next: end the cluster, start steps, cancel running ones, or wait.

    `cancel` gives for each step to cancel the StepCancellationOption; `wait` is the longest time in seconds
    to sleep, None for as long as nothing happens.
    """

    stop: bool = False
    start: tuple[Record, ...] = ()
    cancel: Mapping[str, str] = field(default_factory=dict)
    wait: float | None = None


def next_orders(store: Store, cluster: Record, running: Collection[str]) -> Orders:
    """Decides what comes next for a cluster whose steps `running` have processes; steps to start are RUNNING then."""
    if cluster.state not in READY:
        return Orders(stop=True)
    cancelled = store.find("step", cluster_id=cluster.id, states=("CANCEL_PENDING",))
    cancel = {step.id: step.doc["cancel"] for step in cancelled if step.id in running}
    room = max(0, cluster.doc["concurrency"] - len(running))
    starting = store.find("step", cluster_id=cluster.id, states=("PENDING",), limit=room)
    for step in starting:
        step.state = "RUNNING"
        step.doc["started"] = _now_after(step.created)
        store.save(step)
    if starting or running:
        cluster.doc["idle_since"] = None
        if starting or cluster.state != "RUNNING":
            set_state(store, cluster, "RUNNING", "Running step")
        return Orders(start=tuple(starting), cancel=cancel)
    return _idle(store, cluster)


def _idle(store: Store, cluster: Record) -> Orders:
    last = store.find("step", cluster_id=cluster.id, newest_first=True, limit=1)
    if not cluster.doc["keep_alive"]:
        _complete(store, cluster)
        return Orders(stop=True)
    since = cluster.doc["idle_since"]
    # It lies in the future when the machine's clock was set back.
    if since is None or since > clock.now():
        cluster.doc["idle_since"] = clock.now()
        set_state(store, cluster, "WAITING", _ready_text(last))
    return _until_idle_timeout(store, cluster)


def _complete(store: Store, cluster: Record) -> None:
    # EMR ends such a cluster as plainly TERMINATED, and tells of the failed step only in the reason.
    if store.find("step", cluster_id=cluster.id, states=("FAILED",), limit=1):
        begin_termination(store, cluster, "STEP_FAILURE", "Steps completed with errors")
    else:
        begin_termination(store, cluster, "ALL_STEPS_COMPLETED", "Steps completed")


def _ready_text(last: list[Record]) -> str:
    if not last:
        return "Cluster ready to run steps."
    return f"Cluster ready after last step {last[0].state.lower()}."


def _until_idle_timeout(store: Store, cluster: Record) -> Orders:
    policy: Mapping[str, Any] | None = cluster.doc["auto_termination"]
    if policy is None:
        return Orders()
    timeout = policy.get("IdleTimeout", DEFAULT_IDLE_TIMEOUT)
    left = cluster.doc["idle_since"] + clock.span(timeout, cluster.doc["time_scale"]) - clock.now()
    if left > 0:
        return Orders(wait=left)
    begin_termination(store, cluster, "ALL_STEPS_COMPLETED", f"Auto-terminated after being idle for {timeout} seconds")
    return Orders(stop=True)
