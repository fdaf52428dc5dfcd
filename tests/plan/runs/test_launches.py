"""Which launch follows one that failed before a step ran, and what an alternative changes of a request."""

import dataclasses
from datetime import datetime, timezone

import pytest

from flowspec.plan.cluster import FALLBACK_TAG, WATCH_TAG, Cluster, Step
from flowspec.plan.runs.launches import alternatives, failed_to_launch, next_launch
from tests.plan.conftest import CORE_FLEET, FLEETS, GROUPS, MASTER_FLEET, SPOT, TASK_FLEET, job_flow, planned

MOMENT = datetime(2026, 1, 1, tzinfo=timezone.utc)
NO_CAPACITY = "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ: none left"
SUBNETS = [{"ec2_subnet_id": "subnet-b"}, {"ec2_subnet_id": "subnet-c"}]
FAILED = Cluster("j-1", "nightly", "TERMINATED_WITH_ERRORS", reason_code="INTERNAL_ERROR", ended=MOMENT)


@pytest.mark.parametrize(
    ("capacity", "tag", "launches", "retries", "following"),
    [
        (False, None, 1, 0, None),
        (False, None, 1, 1, ("of the request", None)),
        (False, None, 2, 1, None),
        (False, "1", 1, 1, ("subnet-b", "1")),
        (False, "2", 1, 1, ("subnet-c", "2")),
        (True, None, 1, 0, ("subnet-b", "1")),
        (True, "1", 2, 0, ("subnet-c", "2")),
        (True, "2", 3, 0, None),
        # Without capacity anywhere the last one is tried again.
        (True, "2", 3, 3, ("subnet-c", "2")),
        # A tag that someone else has changed.
        (True, "²", 1, 0, ("subnet-b", "1")),
    ],
)
def test_the_next_launch(capacity, tag, launches, retries, following):
    params = {**GROUPS, "Instances": {**GROUPS["Instances"], "Ec2SubnetId": "of the request"}}
    plan = dataclasses.replace(
        planned(params),
        fallback=alternatives(job_flow(fallback=SUBNETS), params),
        launch_retries=retries,
        supervision=((WATCH_TAG, "77ab01:t600"), (FALLBACK_TAG, "9")),
    )
    failed = dataclasses.replace(
        FAILED, error_details=(NO_CAPACITY,) if capacity else (), tags={FALLBACK_TAG: tag} if tag else {}
    )
    made = next_launch(plan, failed, launches)
    if following is None:
        assert made is None
    else:
        subnet, number = following
        assert made.calls[0].params["Instances"]["Ec2SubnetId"] == subnet
        assert made.supervision == ((WATCH_TAG, "77ab01:t600"), *(((FALLBACK_TAG, number),) if number else ()))


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, True),
        ({"steps": (Step("s-1", "one", "CANCELLED"),)}, True),
        ({"steps": (Step("s-1", "one", "FAILED", started=MOMENT), Step("s-2", "two", "CANCELLED"))}, False),
        ({"state": "TERMINATING", "ended": None}, False),
    ],
)
def test_only_a_cluster_that_ended_before_a_step_ran_has_failed_to_launch(change, failed):
    plan = dataclasses.replace(
        planned(GROUPS), fallback=alternatives(job_flow(fallback=SUBNETS), GROUPS), launch_retries=1
    )
    for details in ((), (NO_CAPACITY,)):
        cluster = dataclasses.replace(FAILED, error_details=details, **change)
        assert failed_to_launch(cluster) is failed
        assert (next_launch(plan, cluster, 1) is not None) is failed


NETWORK = {"Ec2SubnetId": "subnet-a", "Ec2SubnetIds": ["subnet-a"], "Placement": {"AvailabilityZone": "us-east-1a"}}


@pytest.mark.parametrize(
    ("alternative", "network"),
    [
        ({"ec2_subnet_id": "subnet-b"}, {"Ec2SubnetId": "subnet-b"}),
        ({"ec2_subnet_ids": ["subnet-b", "subnet-c"]}, {"Ec2SubnetIds": ["subnet-b", "subnet-c"]}),
        ({"availability_zone": "us-east-1b"}, {"Placement": {"AvailabilityZone": "us-east-1b"}}),
        ({"market": "ON_DEMAND"}, NETWORK),
    ],
)
def test_one_way_to_choose_the_network_takes_the_place_of_the_others(alternative, network):
    (made,) = alternatives(job_flow(fallback=[alternative]), {"Instances": NETWORK})
    assert made["Instances"] == network


def test_other_instance_types_in_fleets_and_in_the_short_form():
    types = {"m5.xlarge": "m5a.xlarge"}
    (made,) = alternatives(job_flow(fallback=[{"instance_types": types}]), FLEETS)
    found = [
        [one["InstanceType"] for one in fleet["InstanceTypeConfigs"]] for fleet in made["Instances"]["InstanceFleets"]
    ]
    assert found == [["m5a.xlarge"], ["m5a.xlarge", "r5.xlarge"], ["m5a.xlarge"]]
    short = {"Instances": {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "r5.xlarge"}}
    (made,) = alternatives(job_flow(fallback=[{"instance_types": types}]), short)
    assert made["Instances"] == {"MasterInstanceType": "m5a.xlarge", "SlaveInstanceType": "r5.xlarge"}


def test_fleets_get_their_spot_capacity_on_demand():
    both = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}, "SpotSpecification": SPOT}
    fleets = [
        {**MASTER_FLEET, "LaunchSpecifications": {"SpotSpecification": SPOT}},
        {**CORE_FLEET, "TargetSpotCapacity": 3, "LaunchSpecifications": both},
        TASK_FLEET,
    ]
    (made,) = alternatives(job_flow(fallback=[{"market": "ON_DEMAND"}]), {"Instances": {"InstanceFleets": fleets}})
    master, core, task = made["Instances"]["InstanceFleets"]
    assert (master["TargetOnDemandCapacity"], "LaunchSpecifications" in master) == (1, False)
    assert (core["TargetOnDemandCapacity"], list(core["LaunchSpecifications"])) == (5, ["OnDemandSpecification"])
    assert (task["TargetOnDemandCapacity"], "TargetSpotCapacity" in task) == (2, False)
