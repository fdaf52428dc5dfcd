"""Tests which changes of a cluster make a saved plan stale; routine changes by scaling policies and watchers do not."""

import pytest

from flowspec.plan.cluster import LOCK_TAG, REPEATED_TAG, TIMED_OUT_TAG, WATCHER_TAG
from flowspec.plan.identity import observed_digest
from tests.plan.conftest import FLEETS, GROUPS, LIMITS, SCALING, STEP, changed, group, observed, running

MANAGED = {"ComputeLimits": LIMITS}
MANAGED_FLEETS = {"ComputeLimits": {**LIMITS, "UnitType": "InstanceFleetUnits"}}


def resized(index, **sizes):
    def change(emr, cluster):
        one = cluster.live.ids[index]
        if "InstanceCount" in sizes:
            changes = [{"InstanceGroupId": one, **sizes}]
            emr.call("ModifyInstanceGroups", ClusterId=cluster.id, InstanceGroups=changes)
        else:
            emr.call("ModifyInstanceFleet", ClusterId=cluster.id, InstanceFleet={"InstanceFleetId": one, **sizes})

    return change


def tagged(key):
    return lambda emr, cluster: emr.call("AddTags", ResourceId=cluster.id, Tags=[{"Key": key, "Value": "x"}])


def with_another_step(emr, cluster):
    emr.call("AddJobFlowSteps", JobFlowId=cluster.id, Steps=[STEP])


@pytest.mark.parametrize(
    ("params", "change", "stale"),
    [
        (GROUPS, resized(1, InstanceCount=3), True),
        (changed(GROUPS, ("ManagedScalingPolicy",), MANAGED), resized(1, InstanceCount=3), False),
        (changed(GROUPS, group(1, "AutoScalingPolicy"), SCALING), resized(1, InstanceCount=3), False),
        (changed(GROUPS, group(1, "AutoScalingPolicy"), SCALING), resized(2, InstanceCount=3), True),
        (FLEETS, resized(1, TargetOnDemandCapacity=3), True),
        (changed(FLEETS, ("ManagedScalingPolicy",), MANAGED_FLEETS), resized(1, TargetOnDemandCapacity=3), False),
        (changed(FLEETS, ("ManagedScalingPolicy",), MANAGED_FLEETS), resized(2, TargetSpotCapacity=3), False),
        (GROUPS, tagged("team"), True),
        *((GROUPS, tagged(key), False) for key in (LOCK_TAG, WATCHER_TAG, TIMED_OUT_TAG, REPEATED_TAG)),
        (GROUPS, with_another_step, True),
        (GROUPS, lambda emr, cluster: emr.put_step_in_state(cluster.steps[0].id, "RUNNING"), False),
    ],
    ids=[
        "a group's size",
        "a size under managed scaling",
        "a size under the group's own policy",
        "a size beside a group with a policy",
        "a fleet's target",
        "a target on demand under managed scaling",
        "a spot target under managed scaling",
        "a tag",
        "the lock",
        "the watcher",
        "a mark of a timeout",
        "a mark of a repeated step",
        "a step",
        "a step's state",
    ],
)
def test_a_plan_goes_stale_by(emr, params, change, stale):
    cluster = observed(emr, running(emr, params))
    change(emr, cluster)
    assert (observed_digest(observed(emr, cluster.id), ()) != observed_digest(cluster, ())) is stale
