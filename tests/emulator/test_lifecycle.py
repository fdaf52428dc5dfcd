from __future__ import annotations

import pytest

from flowspec.emulator.state import clock, lifecycle
from flowspec.emulator.state.lifecycle import FailureAction, after_failure, next_actions
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import bash


@pytest.mark.parametrize(
    ("action", "keep_alive", "protected", "concurrency", "aftermath"),
    [
        # Management Guide, "Using termination protection": terminate after steps x protection.
        ("TERMINATE_CLUSTER", False, False, 1, FailureAction.TERMINATE),
        ("TERMINATE_CLUSTER", False, True, 1, FailureAction.TERMINATE),
        ("TERMINATE_CLUSTER", True, True, 1, FailureAction.CANCEL_PENDING),
        ("TERMINATE_CLUSTER", True, False, 1, FailureAction.TERMINATE),
        ("CANCEL_AND_WAIT", False, False, 1, FailureAction.CANCEL_PENDING),
        ("CANCEL_AND_WAIT", True, False, 1, FailureAction.CANCEL_PENDING),
        ("CONTINUE", False, False, 1, FailureAction.CONTINUE),
        ("CONTINUE", True, True, 1, FailureAction.CONTINUE),
        # API reference, StepConfig: inert while several steps may run.
        ("TERMINATE_CLUSTER", True, False, 2, FailureAction.CONTINUE),
        ("CANCEL_AND_WAIT", True, False, 2, FailureAction.CONTINUE),
    ],
)
def test_what_a_failed_step_means(action, keep_alive, protected, concurrency, aftermath):
    assert after_failure(action, keep_alive=keep_alive, protected=protected, concurrency=concurrency) is aftermath


@pytest.fixture
def served(still):
    """A ready cluster with three steps, and its store."""

    def serve(*, steps=3, on_failure="CONTINUE", **members):
        cluster_id = still.run(*(bash("true", on_failure) for _ in range(steps)), **members)
        still.put_in_state(cluster_id, "RUNNING")
        return Worked(store, cluster_id)

    with Store(still.home) as store:
        yield serve


class Worked:
    """Does a worker's work on a cluster, without processes."""

    def __init__(self, store, cluster_id):
        self.store, self.cluster_id = store, cluster_id
        self.running = []

    @property
    def cluster(self):
        return self.store.get("cluster", self.cluster_id)

    def states(self):
        return [step.state for step in self.store.find("step", cluster_id=self.cluster_id)]

    def orders(self):
        with self.store.writing():
            orders = next_actions(self.store, self.cluster, self.running)
        self.running += [step.id for step in orders.start]
        return orders

    def over(self, succeeded):
        step = self.store.get("step", self.running.pop(0))
        with self.store.writing():
            lifecycle.on_step_exit(self.store, self.cluster, step, succeeded=succeeded, failure={"Reason": "x"})

    def set(self, **values):
        cluster = self.cluster
        cluster.doc.update(values)
        with self.store.writing():
            self.store.save(cluster)


def test_steps_run_one_after_the_other(served):
    work = served()
    assert len(work.orders().start) == 1
    assert work.states() == ["RUNNING", "PENDING", "PENDING"]
    assert work.orders().start == ()
    work.over(succeeded=True)
    work.orders()
    assert work.states() == ["COMPLETED", "RUNNING", "PENDING"]
    assert work.cluster.state == "RUNNING"
    assert work.cluster.doc["reason"] == {"Message": "Running step"}


def test_as_many_steps_run_at_once_as_the_concurrency_level_says(served):
    work = served(steps=5, StepConcurrencyLevel=3)
    work.orders()
    assert work.states() == ["RUNNING"] * 3 + ["PENDING"] * 2
    work.over(succeeded=True)
    work.orders()
    assert work.states() == ["COMPLETED"] + ["RUNNING"] * 3 + ["PENDING"]


def test_a_lowered_concurrency_level_lets_running_steps_finish(served):
    work = served(steps=4, StepConcurrencyLevel=3)
    work.orders()
    work.set(concurrency=1)
    work.over(succeeded=True)
    assert work.orders().start == ()
    assert work.states() == ["COMPLETED", "RUNNING", "RUNNING", "PENDING"]


def run_all(work, *outcomes):
    for succeeded in outcomes:
        work.orders()
        work.over(succeeded)
    return work.orders()


def end(work):
    with work.store.writing():
        cluster = work.cluster
        lifecycle.end(work.store, cluster)
    return cluster.state


@pytest.mark.parametrize(
    ("on_failure", "outcomes", "steps", "code", "message", "state"),
    [
        ("CONTINUE", (True, True, True), ["COMPLETED"] * 3, "ALL_STEPS_COMPLETED", "Steps completed", "TERMINATED"),
        (
            "CONTINUE",
            (True, False, True),
            ["COMPLETED", "FAILED", "COMPLETED"],
            "STEP_FAILURE",
            "Steps completed with errors",
            "TERMINATED",
        ),
        (
            "CANCEL_AND_WAIT",
            (False,),
            ["FAILED", "CANCELLED", "CANCELLED"],
            "STEP_FAILURE",
            "Steps completed with errors",
            "TERMINATED",
        ),
        (
            "TERMINATE_CLUSTER",
            (True, False),
            ["COMPLETED", "FAILED", "CANCELLED"],
            "STEP_FAILURE",
            "Shut down as step failed",
            "TERMINATED_WITH_ERRORS",
        ),
    ],
)
def test_how_a_transient_cluster_ends(served, on_failure, outcomes, steps, code, message, state):
    work = served(on_failure=on_failure)
    assert run_all(work, *outcomes).stop
    assert work.states() == steps
    assert work.cluster.state == "TERMINATING"
    assert work.cluster.doc["reason"] == {"Code": code, "Message": message}
    assert end(work) == state


@pytest.mark.parametrize(
    ("on_failure", "protected", "steps", "message"),
    [
        ("CANCEL_AND_WAIT", False, ["FAILED", "CANCELLED", "CANCELLED"], "Cluster ready after last step cancelled."),
        ("TERMINATE_CLUSTER", True, ["FAILED", "CANCELLED", "CANCELLED"], "Cluster ready after last step cancelled."),
    ],
)
def test_a_long_lived_cluster_that_survives_a_failed_step_waits(served, on_failure, protected, steps, message):
    work = served(on_failure=on_failure, keep_alive=True, instances={"TerminationProtected": protected})
    orders = run_all(work, False)
    assert not orders.stop
    assert orders.wait is None
    assert work.states() == steps
    assert work.cluster.state == "WAITING"
    assert work.cluster.doc["reason"] == {"Message": message}


def test_a_long_lived_cluster_says_what_it_waits_after(served):
    assert run_all(fresh := served(steps=0, keep_alive=True)) == lifecycle.WorkerActions()
    assert fresh.cluster.doc["reason"] == {"Message": "Cluster ready to run steps."}
    run_all(done := served(steps=1, keep_alive=True), True)
    assert done.cluster.doc["reason"] == {"Message": "Cluster ready after last step completed."}
    run_all(failed := served(steps=1, keep_alive=True), False)
    assert failed.cluster.doc["reason"] == {"Message": "Cluster ready after last step failed."}


def test_an_idle_cluster_ends_after_its_timeout(served, monkeypatch):
    monkeypatch.setattr(clock, "elapsed", lambda: 1000)
    work = served(steps=0, keep_alive=True, AutoTerminationPolicy={"IdleTimeout": 60})
    assert work.orders().wait == 60
    monkeypatch.setattr(clock, "elapsed", lambda: 1059)
    assert work.orders().wait == 1
    monkeypatch.setattr(clock, "elapsed", lambda: 1060)
    assert work.orders().stop
    assert work.cluster.doc["reason"]["Code"] == "ALL_STEPS_COMPLETED"
    assert "60 seconds" in work.cluster.doc["reason"]["Message"]
    assert end(work) == "TERMINATED"


def test_a_step_stops_the_idle_clock(served, monkeypatch):
    work = served(steps=0, keep_alive=True, AutoTerminationPolicy={"IdleTimeout": 60})
    work.orders()
    served_step = work.store.find("step")
    assert served_step == []
    start = clock.elapsed()
    monkeypatch.setattr(clock, "elapsed", lambda: start + 50)
    work.running = ["s-1"]
    work.orders()
    work.running = []
    assert work.orders().wait == 60


@pytest.mark.parametrize("succeeded", [False, True])
def test_a_cancelled_step_does_not_count_as_failed(served, succeeded):
    work = served(on_failure="TERMINATE_CLUSTER")
    work.orders()
    step = work.store.get("step", work.running[0])
    step.state = "CANCEL_PENDING"
    with work.store.writing():
        work.store.save(step)
    assert work.orders().cancel == {step.id: "SEND_INTERRUPT"}
    work.over(succeeded)
    work.orders()
    assert work.states() == ["CANCELLED", "RUNNING", "PENDING"]
    assert work.store.get("step", step.id).doc["failure"] == {}


def test_a_cluster_that_is_told_to_end_starts_nothing(served):
    work = served()
    work.orders()
    with work.store.writing():
        lifecycle.begin_termination(work.store, work.cluster, "USER_REQUEST", "Terminated by user request")
    assert work.orders().stop
    work.over(succeeded=False)
    assert work.states() == ["CANCELLED", "CANCELLED", "CANCELLED"]
    assert end(work) == "TERMINATED"


def test_a_failed_cluster_tells_of_the_steps_it_lost(served):
    work = served(StepConcurrencyLevel=2)
    work.orders()
    cancelled = work.store.get("step", work.running[1])
    cancelled.state = "CANCEL_PENDING"
    with work.store.writing():
        work.store.save(cancelled)
        lifecycle.fail(work.store, work.cluster, "INTERNAL_ERROR", "the worker died")
    assert work.states() == ["FAILED", "CANCELLED", "CANCELLED"]
    assert work.store.get("step", work.running[0]).doc["failure"]["Message"] == "the worker died"
    assert work.cluster.state == "TERMINATED_WITH_ERRORS"
    assert work.cluster.doc["reason"] == {"Code": "INTERNAL_ERROR", "Message": "the worker died"}


def test_a_cluster_that_fails_while_it_ends_keeps_its_reason(served):
    work = served()
    work.orders()
    with work.store.writing():
        lifecycle.begin_termination(work.store, work.cluster, "USER_REQUEST", "Terminated by user request")
        lifecycle.fail(work.store, work.cluster, "INTERNAL_ERROR", "the worker died")
    assert work.states() == ["CANCELLED"] * 3
    assert work.cluster.state == "TERMINATED"
    assert work.cluster.doc["reason"]["Code"] == "USER_REQUEST"


def test_no_timeline_runs_backwards_when_the_clock_does(served, monkeypatch):
    made = served(steps=1)
    monkeypatch.setattr(clock, "now", lambda: 1.0)
    (step,) = made.orders().start
    assert step.doc["started"] == step.created
    with made.store.writing():
        lifecycle.on_step_exit(made.store, made.cluster, step, succeeded=True, failure={})
        cluster = made.cluster
        lifecycle.end(made.store, cluster)
    assert step.doc["ended"] == step.created
    assert cluster.doc["ended"] == cluster.doc["ready"] >= cluster.created


@pytest.mark.parametrize("moved", [-3600, 86400])
def test_the_idle_timeout_does_not_depend_on_the_date(served, monkeypatch, moved):
    made = served(steps=0, keep_alive=True, AutoTerminationPolicy={"IdleTimeout": 60})
    start, then = clock.elapsed(), clock.now()
    monkeypatch.setattr(clock, "elapsed", lambda: start)
    assert made.orders().wait == 60
    monkeypatch.setattr(clock, "now", lambda: then + moved)
    monkeypatch.setattr(clock, "elapsed", lambda: start + 20)
    assert made.orders().wait == pytest.approx(40)
