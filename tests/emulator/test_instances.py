from __future__ import annotations

import re

import pytest

from flowspec.emulator.service import EmrError
from tests.emulator.conftest import CORE, MASTER

TASK = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 3, "Name": "extra"}


@pytest.fixture
def cluster_id(still):
    made = still.run(groups=[MASTER, CORE])
    still.put_in_state(made, "RUNNING")
    return made


def groups(emr, cluster_id):
    return {
        group["InstanceGroupType"]: group
        for group in emr.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"]
    }


def instances(emr, cluster_id, **conditions):
    return emr.call("ListInstances", ClusterId=cluster_id, **conditions)["Instances"]


def modify(emr, group, cluster_id=None, **change):
    params = {"InstanceGroups": [{"InstanceGroupId": group["Id"], **change}]}
    return emr.call("ModifyInstanceGroups", **params, **({"ClusterId": cluster_id} if cluster_id else {}))


def test_a_group_is_read_back_as_emr_spells_it(still, cluster_id):
    core = groups(still, cluster_id)["CORE"]
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


def test_the_order_of_the_groups_is_kept(still):
    made = still.run(groups=[CORE, MASTER])
    listed = still.call("ListInstanceGroups", ClusterId=made)["InstanceGroups"]
    assert [group["InstanceGroupType"] for group in listed] == ["CORE", "MASTER"]


@pytest.mark.parametrize(("count", "roles"), [(1, {"MASTER": 1}), (4, {"MASTER": 1, "CORE": 3})])
def test_the_shorthand_becomes_groups(still, count, roles):
    shorthand = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "c5.large", "InstanceCount": count}
    made = groups(still, still.run(groups=[], instances=shorthand))
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
    master = groups(still, still.run(groups=[{**MASTER, "InstanceType": kind}], ReleaseLabel=label))["MASTER"]
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
    master = groups(still, still.run(groups=[{**MASTER, "EbsConfiguration": ebs}]))["MASTER"]
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
    assert groups(still, made)["CORE"]["AutoScalingPolicy"]["Status"]["State"] == "PENDING"
    still.put_in_state(made, "RUNNING")
    read = groups(still, made)["CORE"]["AutoScalingPolicy"]
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
    assert master["PrivateDnsName"] == still.cluster(cluster_id)["MasterPublicDnsName"]


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
    core = groups(still, made)["CORE"]
    assert core["Status"]["State"] == group_state
    assert core["RunningInstanceCount"] == running
    assert {instance["Status"]["State"] for instance in instances(still, made)} == {instance_state}
    if instance_state == "TERMINATED":
        gone = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}
        assert core["Status"]["StateChangeReason"] == gone
        assert instances(still, made)[0]["Status"]["StateChangeReason"] == gone


def test_instances_are_listed_by_group_role_and_state(still, cluster_id):
    core = groups(still, cluster_id)["CORE"]
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


def sizes(emr, cluster_id, role="CORE"):
    """State, requested and running instances of a group."""
    group = groups(emr, cluster_id)[role]
    return group["Status"]["State"], group["RequestedInstanceCount"], group["RunningInstanceCount"]


def test_a_group_grows_and_shrinks_and_keeps_a_record_of_who_left(still, cluster_id, later):
    modify(still, groups(still, cluster_id)["CORE"], InstanceCount=4)
    assert sizes(still, cluster_id) == ("RESIZING", 4, 2)
    later(10)
    assert sizes(still, cluster_id) == ("RUNNING", 4, 4)
    core = groups(still, cluster_id)["CORE"]
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


def test_a_named_instance_is_taken_out_and_not_replaced(still, cluster_id):
    core = groups(still, cluster_id)["CORE"]
    gone = instances(still, cluster_id, InstanceGroupId=core["Id"])[0]["Ec2InstanceId"]
    modify(still, core, EC2InstanceIdsToTerminate=[gone])
    assert groups(still, cluster_id)["CORE"]["RequestedInstanceCount"] == 1
    assert [i["Ec2InstanceId"] for i in instances(still, cluster_id, InstanceStates=["TERMINATED"])] == [gone]


def test_configurations_are_replaced_or_merged_and_counted(still, cluster_id, later):
    def site(**properties):
        return [{"Classification": "hdfs-site", "Properties": properties}]

    core = groups(still, cluster_id)["CORE"]
    modify(still, core, Configurations=site(a="1"))
    core = groups(still, cluster_id)["CORE"]
    assert core["Status"]["State"] == "RECONFIGURING"
    assert core["Configurations"] == site(a="1")
    assert core["LastSuccessfullyAppliedConfigurations"] == []
    assert (core["ConfigurationsVersion"], core["LastSuccessfullyAppliedConfigurationsVersion"]) == (1, 0)
    modify(still, core, Configurations=site(b="2"), ReconfigurationType="MERGE")
    assert groups(still, cluster_id)["CORE"]["LastSuccessfullyAppliedConfigurationsVersion"] == 0
    later(10)
    core = groups(still, cluster_id)["CORE"]
    assert core["Status"]["State"] == "RUNNING"
    assert core["Configurations"] == core["LastSuccessfullyAppliedConfigurations"] == site(a="1", b="2")
    assert core["ConfigurationsVersion"] == core["LastSuccessfullyAppliedConfigurationsVersion"] == 2
    modify(still, core, Configurations=[])
    assert groups(still, cluster_id)["CORE"]["Configurations"] == []


@pytest.mark.parametrize(
    ("role", "count", "message"),
    [
        ("MASTER", 2, "The instance count of the master instance group may not be changed."),
        ("CORE", 0, "Instance count must be greater than 0."),
    ],
)
def test_what_a_group_may_not_be_resized_to(still, cluster_id, role, count, message):
    with pytest.raises(EmrError) as caught:
        modify(still, groups(still, cluster_id)[role], InstanceCount=count)
    assert caught.value.message == message


def test_modifying_groups_is_all_or_nothing(still, cluster_id):
    found = groups(still, cluster_id)
    changes = [
        {"InstanceGroupId": found["CORE"]["Id"], "InstanceCount": 5},
        {"InstanceGroupId": found["MASTER"]["Id"], "InstanceCount": 5},
    ]
    with pytest.raises(EmrError):
        still.call("ModifyInstanceGroups", InstanceGroups=changes)
    assert groups(still, cluster_id)["CORE"]["RequestedInstanceCount"] == 2


def test_groups_are_only_modified_while_the_cluster_runs_or_waits(still):
    made = still.run(groups=[MASTER, CORE])
    with pytest.raises(EmrError, match="only be modified when the cluster is running or waiting"):
        modify(still, groups(still, made)["CORE"], InstanceCount=3)
    with pytest.raises(EmrError, match="only be modified when the cluster is running or waiting"):
        still.call("AddInstanceGroups", JobFlowId=made, InstanceGroups=[TASK])


def test_a_group_of_another_cluster_is_not_there(still, cluster_id):
    with pytest.raises(EmrError, match=r"Instance group id 'ig-\w+' is not valid\."):
        modify(still, groups(still, cluster_id)["CORE"], still.run(), InstanceCount=3)


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
    with pytest.raises(EmrError, match="need a core instance group"):
        still.call("AddInstanceGroups", JobFlowId=alone, InstanceGroups=[TASK])


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
