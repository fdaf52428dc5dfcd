"""The state machines of clusters and steps, with EMR's codes and messages.

Each function changes records in the store inside the caller's transaction; none starts a process or waits. The
service, the workers and `supervisor.fail_orphans` use them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from flowspec.emulator.state import clock
from flowspec.emulator.state.store import Record, Store
from flowspec.facts.states import READY

DEFAULT_IDLE_TIMEOUT = 3600
"""Seconds: IdleTimeout of an auto-termination policy without one (API reference, AutoTerminationPolicy)."""

FIRST_STEP_SECONDS = 5.0
"""Seconds for which a transient cluster without steps stays STARTING.

On AWS STARTING takes minutes, within which clients such as mrjob tag the cluster and add its steps.
"""


class FailureAction(Enum):
    """The effect of a failed step on its cluster."""

    CONTINUE = "the next step runs"
    CANCEL_PENDING = "pending steps are cancelled"
    TERMINATE = "the cluster shuts down"


def after_failure(action: str, *, keep_alive: bool, protected: bool, concurrency: int) -> FailureAction:
    """Returns the effect of ActionOnFailure (Management Guide, "Using termination protection"; API, StepConfig)."""
    if concurrency > 1 or action == "CONTINUE":
        return FailureAction.CONTINUE
    if action == "CANCEL_AND_WAIT":
        return FailureAction.CANCEL_PENDING
    # A transient cluster terminates even if protected; a protected long-lived cluster stays up.
    return FailureAction.CANCEL_PENDING if keep_alive and protected else FailureAction.TERMINATE


def set_state(store: Store, cluster: Record, state: str, message: str = "", code: str = "") -> None:
    """Sets a cluster's state and StateChangeReason."""
    cluster.state = state
    reason = {"Code": code, "Message": message}
    cluster.doc["reason"] = {name: text for name, text in reason.items() if text}
    if state in READY and cluster.doc["ready"] is None:
        cluster.doc["ready"] = _now_after(cluster.created)
    store.save(cluster)


def begin_termination(store: Store, cluster: Record, code: str, message: str, *, with_errors: bool = False) -> None:
    """Sets a cluster to TERMINATING and cancels its pending steps; the worker completes the termination."""
    cancel_pending(store, cluster.id)
    cluster.doc["with_errors"] = with_errors
    set_state(store, cluster, "TERMINATING", message, code)


def terminate_on_request(store: Store, cluster: Record) -> None:
    """Sets a cluster to TERMINATING because its user asked for it."""
    begin_termination(store, cluster, "USER_REQUEST", "Terminated by user request")


def end(store: Store, cluster: Record) -> None:
    """Ends a TERMINATING cluster; its reason was set by `begin_termination`."""
    cluster.state = "TERMINATED_WITH_ERRORS" if cluster.doc["with_errors"] else "TERMINATED"
    cluster.doc["ended"] = _now_after(cluster.doc["ready"] or cluster.created)
    store.save(cluster)


def _now_after(earlier: float) -> float:
    """Returns the current time, but at least `earlier`: timelines stay monotonic if the machine's clock is set back."""
    return max(earlier, clock.now())


def fail(store: Store, cluster: Record, code: str, message: str) -> None:
    """Ends a cluster with errors; running steps become FAILED, pending steps CANCELLED.

    A cluster that is already TERMINATING keeps its reason.
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
    """Sets a step's final state. A step that never started gets no EndDateTime, as on EMR."""
    step.state = state
    if step.doc["started"] is not None:
        step.doc["ended"] = _now_after(step.doc["started"])
    if failure:
        step.doc["failure"] = dict(failure)
    store.save(step)


def on_step_exit(store: Store, cluster: Record, step: Record, *, succeeded: bool, failure: Mapping[str, str]) -> None:
    """Records a step's exit and applies ActionOnFailure."""
    if step.state == "CANCEL_PENDING" or cluster.state == "TERMINATING":
        # A cancelled step does not trigger its ActionOnFailure (API reference, CancelSteps).
        finish_step(store, step, "COMPLETED" if succeeded and step.state == "RUNNING" else "CANCELLED")
        return
    if succeeded:
        finish_step(store, step, "COMPLETED")
        return
    finish_step(store, step, "FAILED", failure)
    effect = after_failure(
        step.doc["action"],
        keep_alive=cluster.doc["keep_alive"],
        protected=cluster.doc["protected"],
        concurrency=cluster.doc["concurrency"],
    )
    if effect is FailureAction.TERMINATE:
        begin_termination(store, cluster, "STEP_FAILURE", "Shut down as step failed", with_errors=True)
    elif effect is FailureAction.CANCEL_PENDING:
        cancel_pending(store, cluster.id)


class WorkerActions(NamedTuple):
    """A worker's next actions: stop (end the cluster), start steps, cancel running steps, or wait.

    `cancel` maps the ids of steps to cancel to their StepCancellationOption; `wait` is the timeout in seconds
    of the next wait, None for no timeout.
    """

    stop: bool = False
    start: tuple[Record, ...] = ()
    cancel: Mapping[str, str] = MappingProxyType({})
    wait: float | None = None


def next_actions(store: Store, cluster: Record, running: Collection[str]) -> WorkerActions:
    """Chooses a worker's next actions and sets the steps to start to RUNNING; `running` steps have processes."""
    if cluster.state not in READY:
        return WorkerActions(stop=True)
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
        return WorkerActions(start=tuple(starting), cancel=cancel)
    return _handle_idle(store, cluster)


def run_instantly(store: Store, cluster: Record) -> None:
    """Brings a cluster without a worker as far as it can go: ready, all steps COMPLETED, ended if terminating.

    Instead of ending at once, a transient cluster without steps is WAITING until it gets some.
    """
    if cluster.state in ("STARTING", "BOOTSTRAPPING"):
        set_state(store, cluster, "RUNNING", "Running step")
    while cluster.state in READY:
        if not cluster.doc["keep_alive"] and not store.find("step", cluster_id=cluster.id, limit=1):
            set_state(store, cluster, "WAITING", _ready_text([]))
            return
        actions = next_actions(store, cluster, ())
        for step in actions.start:
            finish_step(store, step, "COMPLETED")
        if not (actions.start or actions.stop):
            return
    if cluster.state == "TERMINATING":
        end(store, cluster)


def _handle_idle(store: Store, cluster: Record) -> WorkerActions:
    last = store.find("step", cluster_id=cluster.id, newest_first=True, limit=1)
    if not cluster.doc["keep_alive"]:
        _begin_completion(store, cluster)
        return WorkerActions(stop=True)
    if cluster.doc["idle_since"] is None:
        cluster.doc["idle_since"] = clock.elapsed()
        set_state(store, cluster, "WAITING", _ready_text(last))
    return _check_idle_timeout(store, cluster)


def _begin_completion(store: Store, cluster: Record) -> None:
    # EMR ends such a cluster as TERMINATED, not TERMINATED_WITH_ERRORS; only the reason mentions the failed step.
    if store.find("step", cluster_id=cluster.id, states=("FAILED",), limit=1):
        begin_termination(store, cluster, "STEP_FAILURE", "Steps completed with errors")
    else:
        begin_termination(store, cluster, "ALL_STEPS_COMPLETED", "Steps completed")


def _ready_text(last: list[Record]) -> str:
    if not last:
        return "Cluster ready to run steps."
    return f"Cluster ready after last step {last[0].state.lower()}."


def _check_idle_timeout(store: Store, cluster: Record) -> WorkerActions:
    policy: Mapping[str, Any] | None = cluster.doc["auto_termination"]
    if policy is None:
        return WorkerActions()
    timeout = policy.get("IdleTimeout", DEFAULT_IDLE_TIMEOUT)
    left = cluster.doc["idle_since"] + clock.span(timeout, cluster.doc["time_scale"]) - clock.elapsed()
    if left > 0:
        return WorkerActions(wait=left)
    begin_termination(store, cluster, "ALL_STEPS_COMPLETED", f"Auto-terminated after being idle for {timeout} seconds")
    return WorkerActions(stop=True)
