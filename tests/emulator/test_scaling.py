"""Policies hold their bounds: automatic scaling of groups, managed scaling of groups and fleets."""

from __future__ import annotations

import pytest

from flowspec.emulator.api.service import EmrError, Service
from tests.emulator.conftest import CORE, MASTER, Emr, request
from tests.emulator.test_instances import FLEETS
from tests.waiting import wait_until

RULE = {
    "Name": "out",
    "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
    "Trigger": {
        "CloudWatchAlarmDefinition": {
            "ComparisonOperator": "LESS_THAN",
            "MetricName": "YARNMemory",
            "Period": 300,
            "Threshold": 15.0,
        }
    },
}
TASK = {"InstanceRole": "TASK", "InstanceType": "m5.2xlarge", "InstanceCount": 3, "Market": "SPOT"}


def policy(least, most, *names):
    rules = [{**RULE, "Name": name} for name in names or ("out",)]
    return {"Constraints": {"MinCapacity": least, "MaxCapacity": most}, "Rules": rules}


def limits(least, most, unit="Instances", **others):
    return {
        "ComputeLimits": {
            "UnitType": unit,
            "MinimumCapacityUnits": least,
            "MaximumCapacityUnits": most,
            **{f"Maximum{name}CapacityUnits": value for name, value in others.items()},
        }
    }


@pytest.fixture
def ready(still):
    """A running cluster of groups; a function that gives their requested sizes by role."""

    def make(*groups, state="RUNNING", **members):
        cluster_id = still.run(groups=[MASTER, *groups], keep_alive=True, **members)
        still.put_in_state(cluster_id, state)
        return cluster_id

    return make


def sizes(emr, cluster_id):
    found = emr.groups(cluster_id)
    return {role: found[role]["RequestedInstanceCount"] for role in found if role != "MASTER"}


def scale(emr, cluster_id, wanted, role="CORE"):
    group_id = emr.groups(cluster_id)[role]["Id"]
    return emr.call("PutAutoScalingPolicy", ClusterId=cluster_id, InstanceGroupId=group_id, AutoScalingPolicy=wanted)


@pytest.mark.parametrize(("bounds", "size"), [((1, 5), 2), ((3, 5), 3), ((1, 1), 1)])
def test_a_scaling_policy_keeps_its_group_within_its_bounds(still, ready, bounds, size, later):
    cluster_id = ready(CORE)
    answer = scale(still, cluster_id, policy(*bounds))
    assert answer["AutoScalingPolicy"]["Status"]["State"] == "PENDING"
    assert answer["ClusterArn"].endswith(cluster_id)
    assert sizes(still, cluster_id) == {"CORE": size}
    states = []
    for _ in range(3):
        states.append(still.groups(cluster_id)["CORE"]["AutoScalingPolicy"]["Status"]["State"])
        later(2)
    assert states == ["PENDING", "ATTACHING", "ATTACHED"]
    later(10)
    assert still.groups(cluster_id)["CORE"]["RunningInstanceCount"] == size


def test_a_manual_resize_is_brought_back_into_the_bounds(still, ready):
    cluster_id = ready(CORE)
    scale(still, cluster_id, policy(1, 4))
    change = {"InstanceGroupId": still.groups(cluster_id)["CORE"]["Id"], "InstanceCount": 9}
    still.call("ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=[change])
    assert sizes(still, cluster_id) == {"CORE": 4}


@pytest.mark.parametrize("passed", [4, -3600], ids=["passed", "date set back"])
def test_a_removed_policy_is_gone_after_a_while_and_holds_nothing(still, ready, later, passed):
    cluster_id = ready(CORE)
    scale(still, cluster_id, policy(1, 2))
    group_id = still.groups(cluster_id)["CORE"]["Id"]
    for _ in range(2):
        assert still.call("RemoveAutoScalingPolicy", ClusterId=cluster_id, InstanceGroupId=group_id) == {}
    assert still.groups(cluster_id)["CORE"]["AutoScalingPolicy"]["Status"]["State"] == "DETACHING"
    change = {"InstanceGroupId": group_id, "InstanceCount": 3}
    still.call("ModifyInstanceGroups", InstanceGroups=[change])
    later(passed)
    assert "AutoScalingPolicy" not in still.groups(cluster_id)["CORE"]
    assert sizes(still, cluster_id) == {"CORE": 3}


@pytest.mark.parametrize(
    ("role", "wanted", "message"),
    [
        ("MASTER", policy(1, 2), "may not be attached to the master instance group"),
        ("CORE", policy(0, 2), "MinCapacity must be at least 1"),
        ("CORE", policy(3, 2), "MinCapacity must be at most MaxCapacity"),
        ("CORE", policy(1, 2001), "must not exceed 2000"),
        ("CORE", policy(1, 2, "a", "a"), "The names of the rules of an automatic scaling policy must be unique"),
    ],
)
def test_a_scaling_policy_that_is_refused(still, ready, role, wanted, message):
    cluster_id = ready(CORE)
    with pytest.raises(EmrError, match=message) as caught:
        scale(still, cluster_id, wanted, role)
    assert caught.value.code == "ValidationException"
    assert "AutoScalingPolicy" not in still.groups(cluster_id)[role]


def test_a_scaling_policy_is_for_a_group_of_the_cluster(still, ready):
    one, other = ready(CORE), ready(CORE)
    params = {"ClusterId": one, "InstanceGroupId": still.groups(other)["CORE"]["Id"]}
    with pytest.raises(EmrError, match="is not valid"):
        still.call("RemoveAutoScalingPolicy", **params)


@pytest.mark.parametrize(
    ("put", "expected"),
    [
        (limits(1, 10), {"CORE": 2, "TASK": 3}),
        # Core nodes come first ...
        (limits(8, 10), {"CORE": 5, "TASK": 3}),
        (limits(8, 10, Core=3), {"CORE": 3, "TASK": 5}),
        (limits(8, 10, OnDemand=2), {"CORE": 2, "TASK": 6}),
        # ... and go last; one stays.
        (limits(1, 4), {"CORE": 2, "TASK": 2}),
        (limits(1, 1), {"CORE": 1, "TASK": 0}),
        # m5.xlarge has 4, m5.2xlarge 8: 32 vCPUs.
        (limits(40, 60, "VCPU"), {"CORE": 4, "TASK": 3}),
        (limits(33, 60, "VCPU"), {"CORE": 3, "TASK": 3}),
        (limits(4, 20, "VCPU"), {"CORE": 2, "TASK": 1}),
        (limits(1, 3, "VCPU"), {"CORE": 1, "TASK": 0}),
        # Whole nodes that would not fit below a maximum are not added.
        (limits(33, 35, "VCPU"), {"CORE": 2, "TASK": 3}),
        (limits(40, 60, "VCPU", OnDemand=11), {"CORE": 2, "TASK": 4}),
        (limits(40, 43, "VCPU", Core=12), {"CORE": 3, "TASK": 3}),
        (limits(2**30, 2**31 - 1), {"CORE": 2000, "TASK": 2000}),
    ],
)
def test_managed_scaling_brings_groups_within_its_limits(still, ready, put, expected):
    cluster_id = ready(CORE, TASK)
    still.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=put)
    assert sizes(still, cluster_id) == expected


def test_the_groups_of_one_market_share_its_limit(still, ready):
    cluster_id = ready(CORE, {**TASK, "Market": "ON_DEMAND"})
    put = limits(8, 10, OnDemand=6)
    still.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=put)
    assert sizes(still, cluster_id) == {"CORE": 3, "TASK": 3}


def test_managed_scaling_resizes_and_comes_to_its_end(still, ready, later):
    cluster_id = ready(CORE)
    still.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=limits(4, 10))
    core = still.groups(cluster_id)["CORE"]
    assert (core["Status"]["State"], core["RunningInstanceCount"]) == ("RESIZING", 2)
    later(10)
    core = still.groups(cluster_id)["CORE"]
    assert (core["Status"]["State"], core["RunningInstanceCount"]) == ("RUNNING", 4)


def fleet_targets(emr, cluster_id):
    return [
        (fleet["TargetOnDemandCapacity"], fleet["TargetSpotCapacity"])
        for fleet in emr.call("ListInstanceFleets", ClusterId=cluster_id)["InstanceFleets"]
    ][1:]


@pytest.mark.parametrize(
    ("put", "expected"),
    [
        (limits(1, 20, "InstanceFleetUnits"), [(4, 5)]),
        (limits(12, 20, "InstanceFleetUnits"), [(7, 5)]),
        (limits(12, 20, "InstanceFleetUnits", OnDemand=5), [(5, 7)]),
        (limits(12, 20, "InstanceFleetUnits", Core=10), [(5, 5)]),
        (limits(1, 3, "InstanceFleetUnits"), [(3, 0)]),
    ],
)
def test_managed_scaling_brings_fleets_within_its_limits(still, put, expected):
    cluster_id = still.run(groups=[], instances={"InstanceFleets": FLEETS}, keep_alive=True)
    still.put_in_state(cluster_id, "WAITING")
    still.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=put)
    assert fleet_targets(still, cluster_id) == expected


def test_policies_that_come_with_a_cluster_hold_once_it_is_ready(home, emr):
    quick = Emr(Service(home, time_scale=1000))
    scaled = {**TASK, "AutoScalingPolicy": policy(0, 1)}
    cluster_id = quick.run(groups=[MASTER, CORE, scaled], keep_alive=True, ManagedScalingPolicy=limits(4, 9))
    assert sizes(quick, cluster_id)["TASK"] in (1, 3)
    quick.until(cluster_id, "WAITING")
    assert sizes(quick, cluster_id) == {"CORE": 3, "TASK": 1}
    wait_until(
        lambda: {group["Status"]["State"] for group in quick.groups(cluster_id).values()} == {"RUNNING"},
        lambda: quick.groups(cluster_id),
    )
    assert quick.groups(cluster_id)["CORE"]["RunningInstanceCount"] == 3


def test_a_policy_put_while_a_cluster_starts_waits_for_it(still):
    cluster_id = still.run(groups=[MASTER, CORE])
    still.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=limits(4, 9))
    assert sizes(still, cluster_id) == {"CORE": 2}


@pytest.mark.parametrize(
    ("label", "operation", "params"),
    [
        ("emr-5.29.0", "PutManagedScalingPolicy", {"ManagedScalingPolicy": limits(1, 2)}),
        ("emr-6.0.0", "PutManagedScalingPolicy", {"ManagedScalingPolicy": limits(1, 2)}),
        ("emr-5.29.0", "PutAutoTerminationPolicy", {"AutoTerminationPolicy": {}}),
        ("emr-6.0.1", "PutAutoTerminationPolicy", {"AutoTerminationPolicy": {}}),
    ],
)
def test_policies_of_a_cluster_need_their_release(still, label, operation, params):
    cluster_id = still.run(ReleaseLabel=label)
    with pytest.raises(EmrError) as caught:
        still.call(operation, ClusterId=cluster_id, **params)
    assert caught.value.code == "ValidationException"
    wanted = {**request(ReleaseLabel=label), **params}
    with pytest.raises(EmrError, match=r"only supported by|not available for this account"):
        still.call("RunJobFlow", **wanted)
