"""Sizes of groups and fleets are set under the lock, unless a scaler owns them."""

import re
import threading
import time
from dataclasses import replace

import pytest

from flowspec import FlowspecError, Resize, resize, wait_for_sizes
from flowspec.backend.aws.observe import read_back
from flowspec.backend.aws.submission.lock import locked
from flowspec.errors import Locked
from flowspec.plan.cluster import LOCK_TAG
from tests.backend.aws.manage.conftest import FLEETS, GROUPS, no_sleep

pytestmark = pytest.mark.usefixtures("quick_launches")


def sizes(emr, cluster_id):
    instances = read_back(emr, cluster_id).live.params["Instances"]
    if "InstanceFleets" in instances:
        members = ("TargetOnDemandCapacity", "TargetSpotCapacity")
        return [tuple(one[name] for name in members) for one in instances["InstanceFleets"]]
    return [one["InstanceCount"] for one in instances["InstanceGroups"]]


@pytest.mark.parametrize(
    ("wanted", "then"),
    [
        ({"CORE": 10}, [1, 10, 1]),
        ({"TASK": 0}, [1, 2, 0]),
        ({"CORE": 3, "TASK:spot": 5}, [1, 3, 5]),
        ({"CORE": 2}, [1, 2, 1]),
    ],
)
def test_groups(emr, started, wanted, then):
    cluster_id = started()
    emr.seen.clear()
    found = resize(emr, cluster_id, wanted, sleep=no_sleep)
    assert sizes(emr, cluster_id) == then
    assert emr.seen.count("ModifyInstanceGroups") == (0 if then == [1, 2, 1] else 1), "all groups in one call, or none"
    assert [one.after for one in found] == list(wanted.values())
    done = wait_for_sizes(emr, cluster_id, found)
    assert [(one.running, one.reached) for one in done] == [(one.after, True) for one in found]
    assert LOCK_TAG not in read_back(emr, cluster_id).tags


def test_a_group_by_its_id(emr, started):
    cluster_id = started()
    master, core, _ = read_back(emr, cluster_id).live.ids
    resize(emr, cluster_id, {core: 4}, sleep=no_sleep)
    assert sizes(emr, cluster_id) == [1, 4, 1]
    with pytest.raises(FlowspecError, match="number of masters"):
        resize(emr, cluster_id, {master: 3}, sleep=no_sleep)


@pytest.mark.parametrize(
    ("wanted", "then", "calls"),
    [
        (
            {"CORE:on-demand": 0, "CORE:spot": 6, "TASK:spot": 8, "TASK:on-demand": 3},
            [(1, 0), (0, 6), (3, 8)],
            2,
        ),
        ({"CORE": 5}, [(1, 0), (5, 0), (1, 2)], 1),
    ],
    ids=["both targets of a fleet in one call", "the one target that a fleet has"],
)
def test_fleets(emr, started, wanted, then, calls):
    cluster_id = started(instance_fleets=FLEETS)
    found = resize(emr, cluster_id, wanted, sleep=no_sleep)
    assert sizes(emr, cluster_id) == then
    assert emr.seen.count("ModifyInstanceFleet") == calls
    assert all(one.reached for one in wait_for_sizes(emr, cluster_id, found))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"MASTER": 3}, "number of masters"),
        ({"CORE": 0}, "at least one instance"),
        ({"TASK": -1}, "0 or more"),
        ({"TASK:other": 1}, r"TASK:other means no instance groups.*cluster j-"),
        ({"core": 1}, "names no instance group"),
        ({"ig-NONE": 1}, "means no instance groups"),
        ({"CORE": 3, "TASK:": 1, "TASK": 2}, "two sizes"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_sent(emr, started, wanted, message):
    cluster_id = started()
    with pytest.raises(FlowspecError, match=message):
        resize(emr, cluster_id, wanted, sleep=no_sleep)
    assert "ModifyInstanceGroups" not in emr.seen
    assert LOCK_TAG not in read_back(emr, cluster_id).tags


@pytest.mark.parametrize(
    "wanted", [{"MASTER": 3}, {"TASK": -1}, {"core": 1}], ids=["masters", "negative", "no address"]
)
def test_what_can_never_be_is_refused_before_emr_is_asked(emr, wanted):
    with pytest.raises(FlowspecError):
        resize(emr, "j-NONE", wanted, sleep=no_sleep)
    assert emr.seen == []


def test_a_role_in_lower_case_is_suggested_in_upper_case(emr):
    with pytest.raises(FlowspecError, match="names no instance group") as refused:
        resize(emr, "j-NONE", {"core:spot": 1}, sleep=no_sleep)
    assert refused.value.remedy == "did you mean CORE:spot?"


def test_a_role_of_several_groups_is_not_guessed(emr, started):
    cluster_id = started(instance_groups=[*GROUPS, {**GROUPS[2], "name": "more"}])
    with pytest.raises(FlowspecError, match="means 2 instance groups") as refused:
        resize(emr, cluster_id, {"TASK": 3}, sleep=no_sleep)
    named = r"there are: MASTER \(ig-\w+\), CORE \(ig-\w+\), TASK:spot \(ig-\w+\), TASK:more \(ig-\w+\)"
    assert re.fullmatch(named, refused.value.remedy)


def test_an_emptied_group_does_not_count_beside_one_with_instances(emr, started):
    cluster_id = started(instance_groups=[*GROUPS, {**GROUPS[2], "name": "more"}])
    for wanted, then in [("TASK:spot", 0), ("TASK", 3), ("TASK", 0)]:
        resize(emr, cluster_id, {wanted: then}, sleep=no_sleep)
    assert sizes(emr, cluster_id) == [1, 2, 0, 0]
    with pytest.raises(FlowspecError, match="means 2 instance groups"):
        resize(emr, cluster_id, {"TASK": 3}, sleep=no_sleep)


def test_both_targets_of_a_fleet_are_not_guessed(emr, started):
    cluster_id = started(instance_fleets=[*FLEETS[:2], {**FLEETS[2], "name": "spot"}])
    with pytest.raises(FlowspecError, match="means no instance groups or fleets") as refused:
        resize(emr, cluster_id, {"ig-NONE": 3}, sleep=no_sleep)
    assert re.fullmatch(r"there are: MASTER \(if-\w+\), CORE \(if-\w+\), TASK \(if-\w+\)", refused.value.remedy)
    with pytest.raises(FlowspecError, match="a fleet with both targets set: which one is meant") as refused:
        resize(emr, cluster_id, {"TASK": 3}, sleep=no_sleep)
    assert refused.value.remedy == "write TASK:on-demand=N and TASK:spot=N"
    with pytest.raises(FlowspecError, match="targets on-demand and spot"):
        resize(emr, cluster_id, {"TASK:spto": 3}, sleep=no_sleep)


MANAGED = {"compute_limits": {"unit_type": "Instances", "minimum_capacity_units": 2, "maximum_capacity_units": 10}}
RULE = {
    "name": "out",
    "action": {"simple_scaling_policy_configuration": {"scaling_adjustment": 1}},
    "trigger": {
        "cloud_watch_alarm_definition": {
            "comparison_operator": "LESS_THAN",
            "metric_name": "YARNMemoryAvailablePercentage",
            "period": 300,
            "threshold": 15,
        }
    },
}


def test_a_size_that_managed_scaling_moves_is_refused_with_the_reason(emr, started):
    cluster_id = started(managed_scaling_policy=MANAGED)
    with pytest.raises(
        FlowspecError, match=r"CORE \(ig-\w+\) is controlled by managed scaling \(2 to 10 Instances\)"
    ) as no:
        resize(emr, cluster_id, {"CORE": 5}, sleep=no_sleep)
    assert "managed_scaling_policy in the spec" in no.value.remedy


def test_a_size_that_automatic_scaling_moves_is_refused_and_another_is_not(emr, started):
    policy = {"constraints": {"min_capacity": 1, "max_capacity": 4}, "rules": [RULE]}
    groups = [GROUPS[0], GROUPS[1], {**GROUPS[2], "auto_scaling_policy": policy}]
    cluster_id = started(instance_groups=groups, auto_scaling_role="EMR_AutoScaling_DefaultRole")
    with pytest.raises(FlowspecError, match=r"automatic scaling policy \(1 to 4 instances\)"):
        resize(emr, cluster_id, {"CORE": 3, "TASK": 2}, sleep=no_sleep)
    assert sizes(emr, cluster_id)[1] == 2, "all or nothing"
    resize(emr, cluster_id, {"CORE": 3}, sleep=no_sleep)
    assert sizes(emr, cluster_id)[1] == 3


def test_another_apply_holds_the_lock(emr, started):
    cluster_id = started()
    with locked(emr, cluster_id, sleep=no_sleep), pytest.raises(Locked):
        resize(emr, cluster_id, {"CORE": 3}, sleep=no_sleep)
    assert sizes(emr, cluster_id)[1] == 2


def test_a_cluster_that_ended_in_between(emr, started):
    cluster_id = started()
    found = resize(emr, cluster_id, {"CORE": 3}, sleep=no_sleep)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    stale = [type(found[0])(found[0].id, "CORE", "InstanceCount", 3, 9)]
    with pytest.raises(FlowspecError, match=r"is TERMINAT\w+: it ended before"):
        wait_for_sizes(emr, cluster_id, stale, sleep=no_sleep)
    with pytest.raises(FlowspecError, match="can't be resized") as ended:
        resize(emr, cluster_id, {"CORE": 4}, sleep=no_sleep)
    assert "flowspec apply SPEC" in ended.value.remedy


class Groups:
    """An EMR that shows one group, or several, in one state and size after the other."""

    def __init__(self, emr, shown):
        self.backend, self.shown = emr.backend, iter(shown)

    def pages(self, operation, member, **_):
        shown = next(self.shown)
        for index, (state, running) in enumerate([shown] if isinstance(shown[0], str) else shown, 1):
            yield {"Id": f"ig-{index}", "RunningInstanceCount": running, "Status": {"State": state}}

    def call(self, operation, **_):
        return {"Cluster": {"Id": "j-1", "Name": "n", "Status": {"State": "RUNNING"}}}


GROW = [Resize("ig-1", "CORE (ig-1)", "InstanceCount", 2, 5)]


@pytest.mark.parametrize(
    ("wanted", "shown", "message"),
    [
        (5, [("RESIZING", 2), ("SUSPENDED", 3)], r"CORE \(ig-1\) is SUSPENDED with 3 of 5"),
        (5, [("RECONFIGURING", 2), ("ARRESTED", 2)], r"CORE \(ig-1\) is ARRESTED with 2 of 5"),
        (5, [("RESIZING", 3), *[("RUNNING", 4)] * 6], "has 4 instead of 5"),
        (1, [("RESIZING", 2), *[("RUNNING", 2)] * 6], "has 2 instead of 1"),
    ],
)
def test_emr_gives_up(emr, wanted, shown, message):
    with pytest.raises(FlowspecError, match=message):
        wait_for_sizes(Groups(emr, shown), "j-1", [replace(GROW[0], after=wanted)], sleep=no_sleep)


def test_one_group_at_its_size_does_not_end_the_wait_for_another(emr):
    growing = [("RESIZING", 2)] * 9
    emr_with_two = Groups(emr, zip([("RUNNING", 5)] * 10, [*growing, ("RUNNING", 5)], strict=True))
    resizes = [*GROW, replace(GROW[0], id="ig-2", address="TASK (ig-2)")]
    assert [one.running for one in wait_for_sizes(emr_with_two, "j-1", resizes, sleep=no_sleep)] == [5, 5]
    stopped = Groups(emr, [[("RUNNING", 5), ("RUNNING", 2)]] * 6)
    with pytest.raises(FlowspecError, match=r"TASK \(ig-2\) has 2 instead of 5"):
        wait_for_sizes(stopped, "j-1", resizes, sleep=no_sleep)


def test_it_waits_until_it_is_there(emr):
    told, slept = [], []
    shown = [("RUNNING", 2), ("RESIZING", 2), ("RESIZING", 4), ("RUNNING", 5)]
    done = wait_for_sizes(Groups(emr, shown), "j-1", GROW, notify=told.append, sleep=slept.append)
    assert [one.running for one in done] == [5]
    assert [seconds > 0 for seconds in slept] == [True] * 3, "EMR is not asked without a pause"
    assert told == ["CORE (ig-1): 2 of 5", "CORE (ig-1): 4 of 5"]


def test_a_timeout_gives_what_there_is(emr):
    clock = iter([0.0, 50.0, 101.0]).__next__
    done = wait_for_sizes(
        Groups(emr, [("RESIZING", 2), ("RESIZING", 3)]), "j-1", GROW, timeout=100, clock=clock, sleep=no_sleep
    )
    assert [(one.running, one.reached) for one in done] == [(3, False)]


def test_two_resizes_take_turns(emr, started):
    cluster_id = started()
    errors = []

    def change(count):
        try:
            resize(emr, cluster_id, {"CORE": count}, lock_timeout=60, sleep=lambda seconds: time.sleep(seconds / 5))
        except FlowspecError as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=[count]) for count in (5, 7)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not errors
    assert sizes(emr, cluster_id)[1] in {5, 7}
    assert emr.seen.count("ModifyInstanceGroups") == 2
