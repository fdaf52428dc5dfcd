"""The verdict, for every combination of cluster state, reason code and step states, those of the future included."""

from datetime import datetime, timezone
from itertools import combinations_with_replacement, product

import botocore.session
import pytest

from flowspec.backend.aws.verdict import Outcome, is_over, judge
from flowspec.plan.cluster import Cluster, Step


def cluster(state, steps="", reason_code="", *, keep_alive=False):
    made = tuple(Step(f"s-{number}", f"step {number}", step) for number, step in enumerate(steps.split()))
    return Cluster("j-1", "flow", state, reason_code, steps=made, keep_alive=keep_alive)


@pytest.mark.parametrize(
    ("state", "reason_code", "steps", "outcome"),
    [
        ("TERMINATED", "ALL_STEPS_COMPLETED", "COMPLETED COMPLETED", Outcome.SUCCEEDED),
        ("TERMINATED", "ALL_STEPS_COMPLETED", "", Outcome.SUCCEEDED),
        ("TERMINATED", "", "COMPLETED", Outcome.SUCCEEDED),
        ("TERMINATED", "USER_REQUEST", "COMPLETED", Outcome.SUCCEEDED),
        # Found on real EMR: plainly TERMINATED, although a step failed (snowplow/dataflow-runner#103).
        ("TERMINATED", "", "COMPLETED FAILED CANCELLED", Outcome.STEP_FAILED),
        ("TERMINATED", "ALL_STEPS_COMPLETED", "FAILED COMPLETED", Outcome.STEP_FAILED),
        ("TERMINATED_WITH_ERRORS", "STEP_FAILURE", "FAILED CANCELLED", Outcome.STEP_FAILED),
        ("TERMINATED_WITH_ERRORS", "STEP_FAILURE", "COMPLETED", Outcome.CLUSTER_FAILED),
        ("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", "CANCELLED", Outcome.CLUSTER_FAILED),
        ("TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", "FAILED", Outcome.CLUSTER_FAILED),
        ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", "INTERRUPTED", Outcome.CLUSTER_FAILED),
        ("TERMINATED_WITH_ERRORS", "", "COMPLETED", Outcome.CLUSTER_FAILED),
        ("TERMINATED", "USER_REQUEST", "COMPLETED CANCELLED", Outcome.CANCELLED),
        ("TERMINATED", "USER_REQUEST", "INTERRUPTED", Outcome.CANCELLED),
        ("WAITING", "", "COMPLETED COMPLETED", Outcome.SUCCEEDED),
        ("WAITING", "", "FAILED CANCELLED", Outcome.STEP_FAILED),
        ("WAITING", "", "COMPLETED CANCELLED", Outcome.CANCELLED),
    ],
)
def test_judge(state, reason_code, steps, outcome):
    assert judge(cluster(state, steps, reason_code)).outcome is outcome


def test_the_first_failed_step_is_named():
    assert judge(cluster("TERMINATED", "COMPLETED FAILED FAILED")).step.name == "step 1"


@pytest.mark.parametrize(
    ("state", "steps", "keep_alive", "over"),
    [
        ("STARTING", "", True, False),
        ("RUNNING", "RUNNING", True, False),
        # After AddJobFlowSteps a cluster stays WAITING for seconds (Yelp/mrjob#2189): the steps decide.
        ("WAITING", "COMPLETED PENDING", True, False),
        ("WAITING", "COMPLETED", True, True),
        ("RUNNING", "COMPLETED", True, True),
        ("WAITING", "COMPLETED", False, False),
        ("TERMINATING", "COMPLETED", False, False),
        ("TERMINATED", "", False, True),
        ("TERMINATED_WITH_ERRORS", "PENDING", True, True),
    ],
)
def test_when_it_is_over(state, steps, keep_alive, over):
    assert is_over(cluster(state, steps, keep_alive=keep_alive)) is over


# The laws of the verdict, row by row, over every combination. A row says for which clusters that have ended it
# holds: the cluster's state, the code of the reason, the set of its steps' states. The first that fits counts.
MODEL = botocore.session.get_session().get_service_model("emr")
STATES = [*MODEL.shape_for("ClusterState").enum, "TERMINATED_BY_BUDGET"]
CODES = ["", *MODEL.shape_for("ClusterStateChangeReasonCode").enum, "BUDGET_EXCEEDED"]
STEPS = [*MODEL.shape_for("StepState").enum, "SKIPPED"]
FAULTS = {"INTERNAL_ERROR", "VALIDATION_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT", "BOOTSTRAP_FAILURE"}
TABLE = [
    (lambda state, code, steps: code in FAULTS, Outcome.CLUSTER_FAILED),
    (lambda state, code, steps: "FAILED" in steps, Outcome.STEP_FAILED),
    (lambda state, code, steps: "SKIPPED" in steps, Outcome.STEP_FAILED),
    (lambda state, code, steps: state != "TERMINATED", Outcome.CLUSTER_FAILED),
    (lambda state, code, steps: steps <= {"COMPLETED"}, Outcome.SUCCEEDED),
    (lambda state, code, steps: True, Outcome.CANCELLED),
]
# On one that lives on, the code is of no matter.
TABLE_ALIVE = [
    (lambda steps: bool(steps & {"FAILED", "SKIPPED"}), Outcome.STEP_FAILED),
    (lambda steps: steps <= {"COMPLETED"}, Outcome.SUCCEEDED),
    (lambda steps: True, Outcome.CANCELLED),
]
ENDED = {"TERMINATED", "TERMINATED_WITH_ERRORS", "TERMINATED_BY_BUDGET"}
ENDED_STEPS = {"COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED", "SKIPPED"}
THEN = datetime(2026, 11, 22, tzinfo=timezone.utc)
SETS = [states for size in range(4) for states in combinations_with_replacement(STEPS, size)]


def made(state, code, steps, *, keep_alive=False):
    """A cluster; what has ended in a state of the future has a time of its end, as EMR gives."""
    return Cluster(
        "j-1",
        "flow",
        state,
        code,
        keep_alive=keep_alive,
        ended=THEN if state in ENDED else None,
        steps=tuple(
            Step(f"s-{number}", f"step {number}", one, ended=THEN if one in ENDED_STEPS else None)
            for number, one in enumerate(steps)
        ),
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("code", CODES)
def test_every_combination(state, code):
    for steps, keep_alive in product(SETS, (False, True)):
        cluster = made(state, code, steps, keep_alive=keep_alive)
        idle = keep_alive and state in {"RUNNING", "WAITING"} and set(steps) <= ENDED_STEPS
        assert is_over(cluster) == (state in ENDED or idle), (steps, keep_alive)
        if state in ENDED:
            expected = next(outcome for fits, outcome in TABLE if fits(state, code, set(steps)))
        else:
            expected = next(outcome for fits, outcome in TABLE_ALIVE if fits(set(steps)))
        verdict = judge(cluster)
        assert verdict.outcome is expected, (steps, keep_alive)
        decides = expected is Outcome.CANCELLED or not {"FAILED", "SKIPPED"}.isdisjoint(steps)
        assert (verdict.step is not None) is decides, (steps, keep_alive)


def test_the_table_speaks_of_every_state_that_is_known():
    assert set(STATES) - ENDED == {"STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"}
    assert set(STEPS) - ENDED_STEPS == {"PENDING", "CANCEL_PENDING", "RUNNING"}
    assert set(CODES) > FAULTS


def test_a_state_of_the_future_without_an_end_is_waited_for():
    assert not is_over(Cluster("j-1", "flow", "HIBERNATING", keep_alive=True))
    assert not is_over(Cluster("j-1", "flow", "WAITING", keep_alive=True, steps=(Step("s-1", "a", "SUSPENDED"),)))


@pytest.mark.parametrize("others", [one for one in SETS if one])
def test_only_the_steps_of_this_apply_count(others):
    for ours, expected, decides in [
        (("COMPLETED",), Outcome.SUCCEEDED, False),
        (("FAILED",), Outcome.STEP_FAILED, True),
        (("CANCELLED",), Outcome.CANCELLED, True),
        ((), Outcome.SUCCEEDED, False),
    ]:
        only = tuple(f"s-{number}" for number in range(len(others), len(others) + len(ours)))
        cluster = made("WAITING", "", (*others, *ours), keep_alive=True)
        assert is_over(cluster, only)
        verdict = judge(cluster, only)
        assert verdict.outcome is expected
        assert (verdict.step and verdict.step.id) == (only[0] if decides else None)


@pytest.mark.parametrize(
    ("code", "ours", "outcome"),
    [
        # Someone else's step ended the cluster after ours were done.
        ("STEP_FAILURE", "COMPLETED", Outcome.SUCCEEDED),
        ("STEP_FAILURE", "CANCELLED", Outcome.CLUSTER_FAILED),
        ("STEP_FAILURE", "", Outcome.CLUSTER_FAILED),
        ("INSTANCE_FAILURE", "COMPLETED", Outcome.CLUSTER_FAILED),
        ("", "COMPLETED", Outcome.CLUSTER_FAILED),
    ],
)
def test_a_long_lived_cluster_that_another_step_ended(code, ours, outcome):
    steps = ("FAILED", *ours.split())
    cluster = made("TERMINATED_WITH_ERRORS", code, steps, keep_alive=True)
    assert judge(cluster, ("s-1",)).outcome is outcome
