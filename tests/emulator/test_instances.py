from __future__ import annotations

import contextlib
import re

import pytest

from flowspec.cost.instance import volumes_of
from flowspec.emulator.api.service import EmrError
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import CORE, MASTER

TASK = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 3, "Name": "extra"}


@pytest.fixture
def cluster_id(still):
    made = still.run(groups=[MASTER, CORE])
    still.put_in_state(made, "RUNNING")
    return made


def instances(emr, cluster_id, **conditions):
    return emr.call("ListInstances", ClusterId=cluster_id, **conditions)["Instances"]


def modify(emr, group, cluster_id=None, **change):
    params = {"InstanceGroups": [{"InstanceGroupId": group["Id"], **change}]}
    return emr.call("ModifyInstanceGroups", **params, **({"ClusterId": cluster_id} if cluster_id else {}))


def test_a_group_is_read_back_as_emr_spells_it(still, cluster_id):
    core = still.groups(cluster_id)["CORE"]
    assert core.pop("Id").startswith("ig-")
    assert core["Status"].pop("Timeline").keys() == {"CreationDateTime", "ReadyDateTime"}
    volume = {"VolumeType": "gp3", "SizeInGB": 32}
    assert core == {
        "Market": "ON_DEMAND",
        "InstanceGroupType": "CORE",
        "InstanceType": "m5.xlarge",
        "RequestedInstanceCount": 2,
        "RunningInstanceCount": 2,
        "Status": {"State": "RUNNING", "StateChangeReason": {}},
        "Configurations": [],
        "ConfigurationsVersion": 0,
        "LastSuccessfullyAppliedConfigurations": [],
        "LastSuccessfullyAppliedConfigurationsVersion": 0,
        "EbsBlockDevices": [
            {"VolumeSpecification": volume, "Device": "/dev/sdb"},
            {"VolumeSpecification": volume, "Device": "/dev/sdc"},
        ],
        "ShrinkPolicy": {},
    }


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("m4.large", [32]),
        ("m5.2xlarge", [32, 32, 32, 32]),
        ("m5.12xlarge", [192] * 4),
        ("m7i-flex.xlarge", [32, 32]),
        ("r7a.48xlarge", [768] * 4),
        ("m5d.xlarge", []),
        ("x9.unknown", []),
    ],
)
def test_a_type_without_disks_gets_the_volumes_that_its_price_counts(still, kind, sizes):
    cluster_id = still.run(groups=[{**MASTER, "InstanceType": kind}])
    volumes = [one["VolumeSpecification"] for one in still.groups(cluster_id)["MASTER"]["EbsBlockDevices"]]
    assert [volume["SizeInGB"] for volume in volumes] == sizes
    root, *others = volumes_of({"EbsRootVolumeSize": 100}, {"InstanceType": kind})
    assert root["SizeInGB"] == 100
    assert sum(sizes) == sum(volume["SizeInGB"] for volume in others)


def test_the_order_of_the_groups_is_kept(still):
    made = still.run(groups=[CORE, MASTER])
    listed = still.call("ListInstanceGroups", ClusterId=made)["InstanceGroups"]
    assert [group["InstanceGroupType"] for group in listed] == ["CORE", "MASTER"]


@pytest.mark.parametrize(("count", "roles"), [(1, {"MASTER": 1}), (4, {"MASTER": 1, "CORE": 3})])
def test_the_shorthand_becomes_groups(still, count, roles):
    shorthand = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "c5.large", "InstanceCount": count}
    made = still.groups(still.run(groups=[], instances=shorthand))
    assert {role: group["RequestedInstanceCount"] for role, group in made.items()} == roles
    assert all(
        group["InstanceType"] == ("m5.xlarge" if role == "MASTER" else "c5.large") for role, group in made.items()
    )


@pytest.mark.parametrize(
    ("kind", "label", "volumes"),
    [
        ("m5.2xlarge", "emr-7.5.0", ["gp3:32"] * 4),
        ("r6g.12xlarge", "emr-6.9.0", ["gp2:192"] * 4),
        ("c4.large", "emr-5.36.0", ["gp2:32"]),
        # They bring disks of their own.
        ("m5d.2xlarge", "emr-7.5.0", []),
        ("i3.xlarge", "emr-7.5.0", []),
        ("m3.xlarge", "emr-5.36.0", []),
        ("m5.xlarge", "emr-5.21.0", []),
    ],
)
def test_types_without_disks_get_volumes_that_nobody_asked_for(still, kind, label, volumes):
    master = still.groups(still.run(groups=[{**MASTER, "InstanceType": kind}], ReleaseLabel=label))["MASTER"]
    read = [device["VolumeSpecification"] for device in master["EbsBlockDevices"]]
    assert [f"{volume['VolumeType']}:{volume['SizeInGB']}" for volume in read] == volumes


def test_volumes_are_read_back_one_by_one(still):
    ebs = {
        "EbsOptimized": True,
        "EbsBlockDeviceConfigs": [
            {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 10}, "VolumesPerInstance": 2},
            {"VolumeSpecification": {"VolumeType": "io1", "SizeInGB": 5, "Iops": 100}},
        ],
    }
    master = still.groups(still.run(groups=[{**MASTER, "EbsConfiguration": ebs}]))["MASTER"]
    assert master["EbsOptimized"] is True
    assert [(device["Device"], device["VolumeSpecification"]["SizeInGB"]) for device in master["EbsBlockDevices"]] == [
        ("/dev/sdb", 10),
        ("/dev/sdc", 10),
        ("/dev/sdd", 5),
    ]


def test_a_scaling_policy_is_read_back_with_its_defaults(still):
    alarm = {"ComparisonOperator": "LESS_THAN", "MetricName": "YARNMemory", "Period": 300, "Threshold": 15.0}
    rule = {
        "Name": "out",
        "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
        "Trigger": {"CloudWatchAlarmDefinition": alarm},
    }
    policy = {"Constraints": {"MinCapacity": 1, "MaxCapacity": 5}, "Rules": [rule]}
    made = still.run(groups=[MASTER, {**CORE, "AutoScalingPolicy": policy}])
    assert still.groups(made)["CORE"]["AutoScalingPolicy"]["Status"]["State"] == "PENDING"
    still.put_in_state(made, "RUNNING")
    read = still.groups(made)["CORE"]["AutoScalingPolicy"]
    assert read["Status"] == {"State": "ATTACHED", "StateChangeReason": {"Code": "USER_REQUEST", "Message": ""}}
    assert read["Constraints"] == policy["Constraints"]
    filled = read["Rules"][0]["Trigger"]["CloudWatchAlarmDefinition"]
    assert filled["Dimensions"] == [{"Key": "JobFlowId", "Value": made}]
    assert (filled["Namespace"], filled["Statistic"], filled["EvaluationPeriods"]) == (
        "AWS/ElasticMapReduce",
        "AVERAGE",
        1,
    )
    assert read["Rules"][0]["Action"]["SimpleScalingPolicyConfiguration"] == {"CoolDown": 0, "ScalingAdjustment": 1}


def test_instances_have_ids_and_addresses_of_their_own_that_stay(still, cluster_id):
    listed = instances(still, cluster_id)
    assert len(listed) == 3
    for name, form in (
        ("Id", r"ci-[A-Z0-9]{13}"),
        ("Ec2InstanceId", r"i-[0-9a-f]{17}"),
        ("PrivateIpAddress", r"10\.\d+\.\d+\.\d+"),
        ("PrivateDnsName", r"ip-10-\d+-\d+-\d+\.ec2\.internal"),
    ):
        values = [instance[name] for instance in listed]
        assert len(set(values)) == 3
        assert all(re.fullmatch(form, value) for value in values), values
    assert instances(still, cluster_id) == listed


def test_the_master_instance_is_the_one_the_cluster_names(still, cluster_id):
    (master,) = instances(still, cluster_id, InstanceGroupTypes=["MASTER"])
    name = still.cluster(cluster_id)["MasterPublicDnsName"]
    assert (
        master["PublicDnsName"] == name == f"ec2-{master['PublicIpAddress'].replace('.', '-')}.compute-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("cluster_state", "group_state", "instance_state", "running"),
    [
        ("STARTING", "PROVISIONING", "PROVISIONING", 0),
        ("BOOTSTRAPPING", "BOOTSTRAPPING", "BOOTSTRAPPING", 0),
        ("RUNNING", "RUNNING", "RUNNING", 2),
        ("WAITING", "RUNNING", "RUNNING", 2),
        ("TERMINATING", "TERMINATING", "RUNNING", 0),
        ("TERMINATED", "TERMINATED", "TERMINATED", 0),
        ("TERMINATED_WITH_ERRORS", "TERMINATED", "TERMINATED", 0),
    ],
)
def test_groups_and_instances_follow_their_cluster(still, cluster_state, group_state, instance_state, running):
    made = still.run(groups=[MASTER, CORE])
    still.put_in_state(made, cluster_state)
    core = still.groups(made)["CORE"]
    assert core["Status"]["State"] == group_state
    assert core["RunningInstanceCount"] == running
    assert {instance["Status"]["State"] for instance in instances(still, made)} == {instance_state}
    if instance_state == "TERMINATED":
        gone = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}
        assert core["Status"]["StateChangeReason"] == gone
        assert instances(still, made)[0]["Status"]["StateChangeReason"] == gone


def test_instances_are_listed_by_group_role_and_state(still, cluster_id):
    core = still.groups(cluster_id)["CORE"]
    assert len(instances(still, cluster_id, InstanceGroupId=core["Id"])) == 2
    assert len(instances(still, cluster_id, InstanceGroupTypes=["MASTER", "CORE"])) == 3
    assert len(instances(still, cluster_id, InstanceStates=["RUNNING"])) == 3
    assert instances(still, cluster_id, InstanceStates=["TERMINATED"]) == []


def test_instances_come_fifty_on_a_page(still):
    made = still.run(groups=[MASTER, {**CORE, "InstanceCount": 60}])
    first = still.call("ListInstances", ClusterId=made)
    rest = still.call("ListInstances", ClusterId=made, Marker=first["Marker"])
    assert (len(first["Instances"]), len(rest["Instances"])) == (50, 11)
    assert len({instance["Id"] for instance in first["Instances"] + rest["Instances"]}) == 61


def test_instances_that_leave_between_two_pages_hide_no_others(still):
    made = still.run(groups=[MASTER, {**CORE, "InstanceCount": 60}])
    still.put_in_state(made, "WAITING")
    running = {"ClusterId": made, "InstanceStates": ["RUNNING"]}
    first = still.call("ListInstances", **running)
    leave = [one["Ec2InstanceId"] for one in first["Instances"][10:20]]
    core = still.groups(made)["CORE"]["Id"]
    still.call("ModifyInstanceGroups", InstanceGroups=[{"InstanceGroupId": core, "EC2InstanceIdsToTerminate": leave}])
    rest = still.call("ListInstances", **running, Marker=first["Marker"])
    assert len({instance["Id"] for instance in first["Instances"] + rest["Instances"]}) == 61


def sizes(emr, cluster_id, role="CORE"):
    """State, requested and running instances of a group."""
    group = emr.groups(cluster_id)[role]
    return group["Status"]["State"], group["RequestedInstanceCount"], group["RunningInstanceCount"]


def test_a_group_grows_and_shrinks_and_keeps_a_record_of_who_left(still, cluster_id, later):
    modify(still, still.groups(cluster_id)["CORE"], InstanceCount=4)
    assert sizes(still, cluster_id) == ("RESIZING", 4, 2)
    later(10)
    assert sizes(still, cluster_id) == ("RUNNING", 4, 4)
    core = still.groups(cluster_id)["CORE"]
    modify(still, core, cluster_id, InstanceCount=1)
    assert sizes(still, cluster_id) == ("RESIZING", 1, 4)
    later(5)
    assert sizes(still, cluster_id) == ("RUNNING", 1, 1)
    ended = instances(still, cluster_id, InstanceStates=["TERMINATED"])
    assert len(ended) == 3
    assert all("EndDateTime" in instance["Status"]["Timeline"] for instance in ended)
    modify(still, core, InstanceCount=2)
    listed = instances(still, cluster_id, InstanceGroupId=core["Id"])
    assert len({instance["Id"] for instance in listed}) == 5
    modify(still, core, InstanceCount=1)
    later(100)
    listed = instances(still, cluster_id, InstanceGroupId=core["Id"])
    assert ["ReadyDateTime" in instance["Status"]["Timeline"] for instance in listed].count(False) == 1


def test_a_named_instance_is_taken_out_and_not_replaced(still, cluster_id):
    core = still.groups(cluster_id)["CORE"]
    gone = instances(still, cluster_id, InstanceGroupId=core["Id"])[0]["Ec2InstanceId"]
    modify(still, core, EC2InstanceIdsToTerminate=[gone])
    assert still.groups(cluster_id)["CORE"]["RequestedInstanceCount"] == 1
    assert [i["Ec2InstanceId"] for i in instances(still, cluster_id, InstanceStates=["TERMINATED"])] == [gone]


def test_configurations_are_replaced_or_merged_and_counted(still, cluster_id, later):
    def site(**properties):
        return [{"Classification": "hdfs-site", "Properties": properties}]

    core = still.groups(cluster_id)["CORE"]
    modify(still, core, Configurations=site(a="1"))
    core = still.groups(cluster_id)["CORE"]
    assert core["Status"]["State"] == "RECONFIGURING"
    assert core["Configurations"] == site(a="1")
    assert core["LastSuccessfullyAppliedConfigurations"] == []
    assert (core["ConfigurationsVersion"], core["LastSuccessfullyAppliedConfigurationsVersion"]) == (1, 0)
    modify(still, core, Configurations=site(b="2"), ReconfigurationType="MERGE")
    assert still.groups(cluster_id)["CORE"]["LastSuccessfullyAppliedConfigurationsVersion"] == 0
    later(10)
    core = still.groups(cluster_id)["CORE"]
    assert core["Status"]["State"] == "RUNNING"
    assert core["Configurations"] == core["LastSuccessfullyAppliedConfigurations"] == site(a="1", b="2")
    assert core["ConfigurationsVersion"] == core["LastSuccessfullyAppliedConfigurationsVersion"] == 2
    modify(still, core, Configurations=[])
    assert still.groups(cluster_id)["CORE"]["Configurations"] == []


@pytest.mark.parametrize(
    ("role", "count", "message"),
    [
        ("MASTER", 2, "The instance count of the master instance group may not be changed."),
        ("CORE", 0, "Instance count must be greater than 0."),
    ],
)
def test_what_a_group_may_not_be_resized_to(still, cluster_id, role, count, message):
    with pytest.raises(EmrError) as caught:
        modify(still, still.groups(cluster_id)[role], InstanceCount=count)
    assert caught.value.message == message


def test_modifying_groups_is_all_or_nothing(still, cluster_id):
    found = still.groups(cluster_id)
    changes = [
        {"InstanceGroupId": found["CORE"]["Id"], "InstanceCount": 5},
        {"InstanceGroupId": found["MASTER"]["Id"], "InstanceCount": 5},
    ]
    with pytest.raises(EmrError):
        still.call("ModifyInstanceGroups", InstanceGroups=changes)
    assert still.groups(cluster_id)["CORE"]["RequestedInstanceCount"] == 2


def test_groups_are_only_modified_while_the_cluster_runs_or_waits(still):
    made = still.run(groups=[MASTER, CORE])
    with pytest.raises(EmrError, match="only be modified when the cluster is running or waiting"):
        modify(still, still.groups(made)["CORE"], InstanceCount=3)
    with pytest.raises(EmrError, match="only be modified when the cluster is running or waiting"):
        still.call("AddInstanceGroups", JobFlowId=made, InstanceGroups=[TASK])


def test_a_group_of_another_cluster_is_not_there(still, cluster_id):
    with pytest.raises(EmrError, match=r"Instance group id 'ig-\w+' is not valid\."):
        modify(still, still.groups(cluster_id)["CORE"], still.run(), InstanceCount=3)


def test_task_groups_are_added_and_emptied_but_stay(still, cluster_id):
    answer = still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[TASK, {**TASK, "BidPrice": "0.2"}])
    assert answer["JobFlowId"] == cluster_id
    assert len(answer["InstanceGroupIds"]) == 2
    listed = still.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][2:]
    assert [group["Id"] for group in listed] == answer["InstanceGroupIds"]
    assert [group["Market"] for group in listed] == ["ON_DEMAND", "SPOT"]
    assert (listed[0]["Name"], listed[1]["BidPrice"]) == ("extra", "0.2")
    modify(still, listed[0], InstanceCount=0)
    assert still.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][2]["RequestedInstanceCount"] == 0


def test_only_task_groups_are_added_and_only_beside_core(still, cluster_id):
    with pytest.raises(EmrError, match="Only task instance groups"):
        still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[CORE])
    alone = still.run()
    still.put_in_state(alone, "WAITING")
    with pytest.raises(EmrError, match="must also define core nodes"):
        still.call("AddInstanceGroups", JobFlowId=alone, InstanceGroups=[TASK])


@pytest.mark.parametrize(
    ("passed", "instance_state", "group_state"),
    [(1, "PROVISIONING", "RESIZING"), (6, "BOOTSTRAPPING", "RESIZING"), (11, "RUNNING", "RUNNING")],
)
def test_a_new_instance_comes_step_by_step(still, cluster_id, later, passed, instance_state, group_state):
    modify(still, still.groups(cluster_id)["CORE"], InstanceCount=3)
    later(passed)
    newest = instances(still, cluster_id)[-1]["Status"]
    assert newest["State"] == instance_state
    assert ("ReadyDateTime" in newest["Timeline"]) == (instance_state == "RUNNING")
    assert sizes(still, cluster_id)[0] == group_state


@pytest.mark.parametrize(
    ("passed", "state"), [(1, "PROVISIONING"), (6, "BOOTSTRAPPING"), (11, "RUNNING")], ids=["new", "half", "there"]
)
def test_an_added_group_comes_step_by_step(still, cluster_id, later, passed, state):
    still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[TASK])
    later(passed)
    assert sizes(still, cluster_id, "TASK") == (state, 3, 3 if state == "RUNNING" else 0)
    assert sizes(still, cluster_id)[0] == "RUNNING"


def test_asking_for_the_present_count_takes_a_resize_back(still, cluster_id):
    before = [one["Id"] for one in instances(still, cluster_id, InstanceStates=["RUNNING"])]
    for count in (5, 2, 1, 2):
        modify(still, still.groups(cluster_id)["CORE"], InstanceCount=count)
    assert sizes(still, cluster_id) == ("RUNNING", 2, 2)
    assert [one["Id"] for one in instances(still, cluster_id, InstanceStates=["RUNNING"])] == before


def test_a_shrink_takes_and_spares_the_instances_that_are_named(still, cluster_id, later):
    modify(still, still.groups(cluster_id)["CORE"], InstanceCount=4)
    later(20)
    core = still.groups(cluster_id)["CORE"]
    first, second, third, fourth = (one["Ec2InstanceId"] for one in instances(still, cluster_id)[1:])
    resize = {"InstancesToTerminate": [first], "InstancesToProtect": [fourth]}
    modify(still, core, InstanceCount=2, ShrinkPolicy={"InstanceResizePolicy": resize})
    later(20)
    left = instances(still, cluster_id, InstanceStates=["RUNNING"], InstanceGroupId=core["Id"])
    assert [one["Ec2InstanceId"] for one in left] == [second, fourth]
    assert third not in {one["Ec2InstanceId"] for one in left}


def test_a_reconfiguration_waits_for_a_resize(still, cluster_id, later):
    change = {"InstanceCount": 3, "Configurations": [{"Classification": "a", "Properties": {}}]}
    modify(still, still.groups(cluster_id)["CORE"], **change)
    states = []
    for _ in range(5):
        states.append(sizes(still, cluster_id)[0])
        later(5)
    assert states == ["RESIZING", "RESIZING", "RECONFIGURING", "RECONFIGURING", "RUNNING"]


def test_no_change_lasts_until_a_date_that_was_set_back_comes_again(still, cluster_id, later):
    still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[TASK])
    core = still.groups(cluster_id)["CORE"]
    modify(still, core, InstanceCount=3, Configurations=[{"Classification": "a", "Properties": {}}])
    later(-3600)
    assert sizes(still, cluster_id) == ("RUNNING", 3, 3)
    assert sizes(still, cluster_id, "TASK") == ("RUNNING", 3, 3)
    assert still.groups(cluster_id)["CORE"]["LastSuccessfullyAppliedConfigurationsVersion"] == 1
    modify(still, core, InstanceCount=1)
    assert sizes(still, cluster_id) == ("RESIZING", 1, 3)
    later(-3600)
    assert sizes(still, cluster_id) == ("RUNNING", 1, 1)


def test_what_was_under_way_is_over_when_the_cluster_is(still, cluster_id, later):
    modify(still, still.groups(cluster_id)["CORE"], InstanceCount=3)
    with Store(still.home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        lifecycle.fail(store, cluster, "INTERNAL_ERROR", "x")
    later(100)
    statuses = [one["Status"] for one in instances(still, cluster_id)]
    assert {status["State"] for status in statuses} == {"TERMINATED"}
    assert {status["StateChangeReason"]["Code"] for status in statuses} == {"CLUSTER_TERMINATED"}
    ended = cluster.doc["ended"]
    assert {status["Timeline"]["EndDateTime"] for status in statuses} == {ended}
    assert "ReadyDateTime" not in statuses[-1]["Timeline"]
    assert sizes(still, cluster_id) == ("TERMINATED", 3, 0)


@pytest.mark.parametrize("role", ["MASTER", "CORE"])
def test_the_last_instances_are_not_taken_out(still, cluster_id, role):
    group = still.groups(cluster_id)[role]
    all_of = [one["Ec2InstanceId"] for one in instances(still, cluster_id, InstanceGroupId=group["Id"])]
    with pytest.raises(EmrError, match=r"may not be changed|must be greater than 0"):
        modify(still, group, EC2InstanceIdsToTerminate=all_of)


def test_an_instance_that_is_not_there_is_not_taken_out(still, cluster_id):
    with pytest.raises(EmrError, match="Instance 'i-0' is not in instance group"):
        modify(still, still.groups(cluster_id)["CORE"], EC2InstanceIdsToTerminate=["i-0"])


def test_instances_are_listed_for_thirty_days_after_their_end(still, cluster_id, later):
    modify(still, still.groups(cluster_id)["CORE"], InstanceCount=1)
    later(29 * 86400)
    assert len(instances(still, cluster_id)) == 3
    later(2 * 86400)
    assert len(instances(still, cluster_id)) == 2


@pytest.mark.parametrize("scale", [0.5, 100])
def test_a_resize_takes_its_time_by_the_scale_of_the_cluster(still, later, scale):
    still.service.time_scale = scale
    made = still.run(groups=[MASTER, CORE])
    still.put_in_state(made, "RUNNING")
    # That of the cluster counts, whoever asks.
    still.service.time_scale = 1.0
    modify(still, still.groups(made)["CORE"], InstanceCount=3)
    later(9.9 / scale)
    assert sizes(still, made)[2] == 2
    later(0.2 / scale)
    assert sizes(still, made)[2] == 3


def test_more_instances_than_emr_has_are_refused(still, cluster_id):
    core = still.groups(cluster_id)["CORE"]
    for wrong in (2001, 2**31 - 1):
        with pytest.raises(EmrError, match="must not exceed 2000"):
            modify(still, core, InstanceCount=wrong)
        with pytest.raises(EmrError, match="must not exceed 2000"):
            still.run(groups=[MASTER, {**CORE, "InstanceCount": wrong}])


def test_at_most_48_task_groups_are_added(still, cluster_id):
    still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[TASK] * 48)
    with pytest.raises(EmrError, match="must not exceed 48"):
        still.call("AddInstanceGroups", JobFlowId=cluster_id, InstanceGroups=[TASK])


@pytest.mark.parametrize(
    ("since", "before", "masters", "classification"),
    [
        ("emr-5.21.0", "emr-5.20.0", 1, "hdfs-site"),
        ("emr-5.23.0", "emr-5.22.0", 1, "phoenix-hbase-site"),
        ("emr-5.27.0", "emr-5.26.0", 3, "hdfs-site"),
        ("emr-5.30.0", "emr-5.29.0", 1, "hbase-site"),
    ],
)
def test_the_release_from_which_groups_and_fleets_are_reconfigured(still, since, before, masters, classification):
    configurations = [{"Classification": classification, "Properties": {"a": "1"}}]
    first = {**MASTER, "InstanceCount": masters}
    for label, refused in ((before, True), (since, False)):
        made = still.run(groups=[first, CORE], ReleaseLabel=label)
        still.put_in_state(made, "RUNNING")
        with (
            pytest.raises(EmrError, match="Reconfiguring a running cluster is only supported by")
            if refused
            else contextlib.nullcontext()
        ):
            modify(still, still.groups(made)["CORE"], Configurations=configurations)
    if masters == 1:
        made = still.run(groups=[], instances={"InstanceFleets": FLEETS}, ReleaseLabel=before)
        still.put_in_state(made, "RUNNING")
        change = {
            "InstanceFleetId": fleet(still, made)["Id"],
            "InstanceTypeConfigs": [
                {**kind, "Configurations": configurations} for kind in FLEETS[1]["InstanceTypeConfigs"]
            ],
        }
        with pytest.raises(EmrError, match="Reconfiguring a running cluster is only supported by"):
            still.call("ModifyInstanceFleet", ClusterId=made, InstanceFleet=change)


FLEETS = [
    {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    },
    {
        "InstanceFleetType": "CORE",
        "Name": "core",
        "TargetOnDemandCapacity": 4,
        "TargetSpotCapacity": 5,
        "InstanceTypeConfigs": [
            {"InstanceType": "m5.2xlarge", "WeightedCapacity": 2, "BidPrice": "0.5", "Priority": 1.0},
            {"InstanceType": "m5.4xlarge", "WeightedCapacity": 4},
        ],
        "LaunchSpecifications": {
            "SpotSpecification": {"TimeoutDurationMinutes": 10, "TimeoutAction": "TERMINATE_CLUSTER"}
        },
    },
]


def test_fleets_are_filled_and_read_back(still):
    made = still.run(groups=[], instances={"InstanceFleets": FLEETS, "Ec2SubnetIds": ["a", "b"]})
    still.put_in_state(made, "RUNNING")
    assert still.cluster(made)["InstanceCollectionType"] == "INSTANCE_FLEET"
    core = still.call("ListInstanceFleets", ClusterId=made)["InstanceFleets"][1]
    assert core["Id"].startswith("if-")
    assert (core["TargetOnDemandCapacity"], core["TargetSpotCapacity"]) == (4, 5)
    # Spot capacity is filled in whole instances of weight 2.
    assert (core["ProvisionedOnDemandCapacity"], core["ProvisionedSpotCapacity"]) == (4, 6)
    assert [spec["WeightedCapacity"] for spec in core["InstanceTypeSpecifications"]] == [2, 4]
    assert core["LaunchSpecifications"] == FLEETS[1]["LaunchSpecifications"]
    found = instances(still, made, InstanceFleetType="CORE")
    assert sorted(instance["Market"] for instance in found) == ["ON_DEMAND"] * 2 + ["SPOT"] * 3
    assert {instance["InstanceFleetId"] for instance in found} == {core["Id"]}


def test_groups_and_fleets_are_not_asked_for_in_each_others_place(still, cluster_id):
    fleets = still.run(groups=[], instances={"InstanceFleets": FLEETS})
    for operation, made in (("ListInstanceGroups", fleets), ("ListInstanceFleets", cluster_id)):
        with pytest.raises(EmrError, match="Instance fleets and instance groups are mutually exclusive") as caught:
            still.call(operation, ClusterId=made)
        assert caught.value.code == "InvalidRequestException"
        other = {"ListInstanceGroups": "fleets", "ListInstanceFleets": "groups"}[operation]
        said = f"The {operation} operation does not support clusters that use instance {other}. Use the ListInstance"
        assert said in caught.value.message
        code = "API_DOES_NOT_SUPPORT_INSTANCE_FLEET_CLUSTERS" if other == "fleets" else ""
        assert caught.value.detail == code


@pytest.fixture
def fleets(still):
    made = still.run(groups=[], instances={"InstanceFleets": FLEETS})
    still.put_in_state(made, "RUNNING")
    return made


def fleet(emr, cluster_id, number=1):
    return emr.call("ListInstanceFleets", ClusterId=cluster_id)["InstanceFleets"][number]


def capacities(emr, cluster_id, number=1):
    """State of a fleet, its targets and its provisioned capacities."""
    found = fleet(emr, cluster_id, number)
    names = ("TargetOnDemandCapacity", "TargetSpotCapacity", "ProvisionedOnDemandCapacity", "ProvisionedSpotCapacity")
    return (found["Status"]["State"], *(found[name] for name in names))


def modify_fleet(emr, cluster_id, number=1, **change):
    change["InstanceFleetId"] = fleet(emr, cluster_id, number)["Id"]
    return emr.call("ModifyInstanceFleet", ClusterId=cluster_id, InstanceFleet=change)


def test_a_fleet_comes_to_its_targets_in_whole_instances(still, fleets, later):
    modify_fleet(still, fleets, TargetOnDemandCapacity=7, TargetSpotCapacity=3)
    assert capacities(still, fleets) == ("RESIZING", 7, 3, 4, 6)
    later(10)
    # Never below a target: of three spot instances of weight 2, one may go.
    assert capacities(still, fleets) == ("RUNNING", 7, 3, 8, 4)
    modify_fleet(still, fleets, TargetSpotCapacity=0)
    later(10)
    assert capacities(still, fleets) == ("RUNNING", 7, 0, 8, 0)


def test_a_task_fleet_is_added_once_and_emptied(still, fleets, later):
    task = {**FLEETS[1], "InstanceFleetType": "TASK", "Name": "task"}
    answer = still.call("AddInstanceFleet", ClusterId=fleets, InstanceFleet=task)
    assert fleet(still, fleets, 2)["Id"] == answer["InstanceFleetId"]
    assert (answer["ClusterId"], answer["ClusterArn"][-len(fleets) :]) == (fleets, fleets)
    assert capacities(still, fleets, 2) == ("PROVISIONING", 4, 5, 0, 0)
    later(10)
    assert capacities(still, fleets, 2) == ("RUNNING", 4, 5, 4, 6)
    with pytest.raises(EmrError, match="Multiple task instance groups supplied"):
        still.call("AddInstanceFleet", ClusterId=fleets, InstanceFleet=task)
    modify_fleet(still, fleets, 2, TargetOnDemandCapacity=0, TargetSpotCapacity=0)
    later(10)
    assert capacities(still, fleets, 2) == ("RUNNING", 0, 0, 0, 0)


def test_a_fleet_is_reconfigured_type_by_type(still, fleets, later):
    large, larger = FLEETS[1]["InstanceTypeConfigs"]
    site = [{"Classification": "hdfs-site", "Properties": {"a": "b"}}]
    modify_fleet(still, fleets, InstanceTypeConfigs=[{**large, "Configurations": site}, larger])
    assert capacities(still, fleets)[0] == "RECONFIGURING"
    later(10)
    modify_fleet(still, fleets, InstanceTypeConfigs=[large, {**larger, "Configurations": site}])
    later(10)
    assert capacities(still, fleets) == ("RUNNING", 4, 5, 4, 6)
    assert [kind["Configurations"] for kind in fleet(still, fleets)["InstanceTypeSpecifications"]] == [site, site]


def test_how_a_fleet_is_resized_can_be_changed(still, fleets):
    wanted = {"SpotResizeSpecification": {"TimeoutDurationMinutes": 5}}
    modify_fleet(still, fleets, ResizeSpecifications=wanted)
    assert fleet(still, fleets)["ResizeSpecifications"] == wanted
    assert capacities(still, fleets)[0] == "RUNNING"


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"TargetOnDemandCapacity": 3}, "of the master instance fleet may not be changed"),
        (1, {"TargetOnDemandCapacity": 0, "TargetSpotCapacity": 0}, "must be greater than 0"),
        (1, {"TargetSpotCapacity": -1}, "must not be less than 0"),
        (1, {"TargetSpotCapacity": 2**31 - 1}, "must not exceed 2000"),
        (1, {"InstanceTypeConfigs": FLEETS[1]["InstanceTypeConfigs"][:1]}, "must list every instance type"),
        (
            1,
            {"ResizeSpecifications": {"OnDemandResizeSpecification": {"TimeoutDurationMinutes": 4}}},
            "TimeoutDurationMinutes must be between 5 and 10080",
        ),
    ],
)
def test_what_a_fleet_may_not_become(still, fleets, number, change, message):
    before = fleet(still, fleets, number)
    with pytest.raises(EmrError, match=message):
        modify_fleet(still, fleets, number, **change)
    assert fleet(still, fleets, number) == before


def test_fleets_are_only_modified_while_the_cluster_runs_or_waits(still, cluster_id):
    made = still.run(groups=[], instances={"InstanceFleets": FLEETS})
    with pytest.raises(EmrError, match="instance fleet may only be modified when the cluster is running or waiting"):
        modify_fleet(still, made, TargetSpotCapacity=1)
    with pytest.raises(EmrError, match="a cluster that uses instance groups"):
        still.call("AddInstanceFleet", ClusterId=cluster_id, InstanceFleet=FLEETS[1])


def fleet_of(**changes):
    return [FLEETS[0], {**FLEETS[1], **changes}]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([FLEETS[0], {**FLEETS[1], "InstanceFleetType": "TASK"}], "must also define core instance fleets"),
        (fleet_of(TargetOnDemandCapacity=0, TargetSpotCapacity=0), "should have a value of one or greater"),
        (fleet_of(InstanceTypeConfigs=[{"InstanceType": f"m{n}.xlarge"} for n in range(6)]), "must not exceed 5"),
        (
            fleet_of(LaunchSpecifications={"SpotSpecification": {"TimeoutDurationMinutes": 4, "TimeoutAction": "x"}}),
            "must be between 5 and 1440",
        ),
        (
            [{**FLEETS[0], "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", "WeightedCapacity": 2}]}],
            "in the master instance fleet must have weighted capacity as 1",
        ),
    ],
)
def test_fleets_that_are_refused(still, wanted, message):
    with pytest.raises(EmrError, match=message):
        still.run(groups=[], instances={"InstanceFleets": wanted})


def test_with_an_allocation_strategy_a_fleet_has_up_to_thirty_types(still):
    kinds = [{"InstanceType": f"m{n}.xlarge"} for n in range(30)]
    launch = {"OnDemandSpecification": {"AllocationStrategy": "prioritized"}}
    wanted = fleet_of(InstanceTypeConfigs=kinds, LaunchSpecifications=launch)
    made = still.run(groups=[], instances={"InstanceFleets": wanted})
    assert len(fleet(still, made)["InstanceTypeSpecifications"]) == 30


@pytest.mark.parametrize("label", ["emr-4.7.2", "emr-5.0.3"])
def test_fleets_need_their_release(still, label):
    with pytest.raises(EmrError, match="Instance fleets are not available for the release"):
        still.run(groups=[], instances={"InstanceFleets": FLEETS}, ReleaseLabel=label)
