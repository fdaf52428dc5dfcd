"""The verdict, for every combination that matters."""

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
