"""Which launch follows one that failed before a step ran, and what an alternative changes of a request."""

import dataclasses
from datetime import datetime, timezone

import pytest

from flowspec.plan.cluster import FALLBACK_TAG, Cluster, Step
from flowspec.plan.runs.launches import alternatives, failed_to_launch, next_launch
from tests.plan.conftest import CORE_FLEET, FLEETS, GROUPS, MASTER_FLEET, SPOT, TASK_FLEET, job_flow, planned

MOMENT = datetime(2026, 1, 1, tzinfo=timezone.utc)
NO_CAPACITY = "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ: none left"
SUBNETS = [{"ec2_subnet_id": "subnet-b"}, {"ec2_subnet_id": "subnet-c"}]
FAILED = Cluster("j-1", "nightly", "TERMINATED_WITH_ERRORS", reason_code="INTERNAL_ERROR", ended=MOMENT)


@pytest.mark.parametrize(
    ("capacity", "tag", "launches", "retries", "subnet"),
    [
        (False, None, 1, 0, None),
        (False, None, 1, 1, "of the request"),
        (False, None, 2, 1, None),
        (False, "1", 1, 1, "subnet-b"),
        (False, "2", 1, 1, "subnet-c"),
        (True, None, 1, 0, "subnet-b"),
        (True, "1", 2, 0, "subnet-c"),
        (True, "2", 3, 0, None),
        # Without capacity anywhere the last one is tried again.
        (True, "2", 3, 3, "subnet-c"),
        (True, "²", 1, 0, "subnet-b"),
    ],
)
def test_the_next_launch(capacity, tag, launches, retries, subnet):
    params = {**GROUPS, "Instances": {**GROUPS["Instances"], "Ec2SubnetId": "of the request"}}
    plan = dataclasses.replace(
        planned(params), fallback=alternatives(job_flow(fallback=SUBNETS), params), launch_retries=retries
    )
    failed = dataclasses.replace(
        FAILED, error_details=(NO_CAPACITY,) if capacity else (), tags={FALLBACK_TAG: tag} if tag else {}
    )
    made = next_launch(plan, failed, launches)
    assert (made and made.calls[0].params["Instances"]["Ec2SubnetId"]) == subnet


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, True),
        ({"steps": (Step("s-1", "one", "CANCELLED"),)}, True),
        ({"steps": (Step("s-1", "one", "FAILED", started=MOMENT), Step("s-2", "two", "CANCELLED"))}, False),
        ({"state": "TERMINATING", "ended": None}, False),
    ],
)
def test_only_a_cluster_that_ended_before_a_step_ran_has_failed_to_launch(change, reason):
    assert failed_to_launch(dataclasses.replace(FAILED, **change)) is reason


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


def test_other_types_of_fleets_and_of_the_short_words():
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
