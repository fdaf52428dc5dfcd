"""A plan asks EMR little: one ListClusters for 50 active clusters, and seven calls for one that matches."""

from collections import Counter

from flowspec.backend.aws.apply import apply
from flowspec.backend.aws.observe import observe
from tests.plan.conftest import job_flow, planned
from tests.plan.test_converge import GROUPS


def test_the_calls_of_a_plan(emr):
    assert observe(emr, job_flow()) is None
    assert emr.seen == ["ListClusters"]
    apply(planned(GROUPS), emr, sleep=lambda _: None)
    emr.seen.clear()
    assert observe(emr, job_flow()) is not None
    assert Counter(emr.seen) == Counter(
        [
            "ListClusters",
            "DescribeCluster",
            "ListSteps",
            "ListInstanceGroups",
            "ListBootstrapActions",
            "GetManagedScalingPolicy",
            "GetAutoTerminationPolicy",
        ]
    )


def test_among_two_hundred_clusters(emr):
    for number in range(200):
        emr.service.call("RunJobFlow", {**GROUPS, "Name": f"other {number}"})
    emr.seen.clear()
    assert observe(emr, job_flow()) is None
    assert emr.seen == ["ListClusters"] * 4
