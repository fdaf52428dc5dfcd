"""Values sent to EMR and those that its read calls give back: one row and one test for each known difference.

Sources: "API" is the EMR API reference (botocore's model of 2024), "MG" the Management Guide, "Terraform" what the AWS
provider's code expects of EMR (its acceptance tests demand an empty plan after each apply), and owner/name#number a thread
on GitHub.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.emulator.conftest import CORE, MASTER, bash, request

CLUSTER_ID = "<id of the cluster>"
ABSENT = object()


@dataclass(frozen=True)
class Echo:
    """`sent` are members of RunJobFlow; `read` is the value at `path` in the answer of `operation`."""

    sent: dict[str, Any]
    path: str
    read: Any
    source: str
    operation: str = "DescribeCluster"
    without: tuple[str, ...] = field(default=())
    """Members that `conftest.request` adds and this request does not have."""


def cluster(sent: dict[str, Any], path: str, read: Any, source: str, **more: Any) -> Echo:
    return Echo(sent, f"Cluster.{path}", read, source, **more)


def of_instances(member: str, value: Any, read_as: str, read: Any, source: str) -> Echo:
    """A member of Instances, read from Ec2InstanceAttributes."""
    return cluster({"instances": {member: value}}, f"Ec2InstanceAttributes.{read_as}", read, source)


def core(members: dict[str, Any], path: str, read: Any, source: str) -> Echo:
    groups = {"groups": [MASTER, {**CORE, **members}]}
    return Echo(groups, f"InstanceGroups.1.{path}", read, source, "ListInstanceGroups")


FLEET = {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1}


def fleet(kind: dict[str, Any], path: str, read: Any, source: str, **members: Any) -> Echo:
    one = {**FLEET, "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", **kind}], **members}
    sent = {"groups": [], "instances": {"InstanceFleets": [one]}}
    return Echo(sent, f"InstanceFleets.0.{path}", read, source, "ListInstanceFleets")


def step(jar: dict[str, Any], path: str, read: Any, source: str, **members: Any) -> Echo:
    one = {"Name": "a step", "HadoopJarStep": {"Jar": "command-runner.jar", **jar}, **members}
    return Echo({"Steps": [one]}, f"Steps.0.{path}", read, source, "ListSteps")


def launched(kind: str, value: dict[str, Any], source: str) -> Echo:
    """A specification of how a fleet is launched, which comes back as it was sent."""
    return fleet({}, f"LaunchSpecifications.{kind}", value, source, LaunchSpecifications={kind: value})


def device(letter: str, **volume: Any) -> dict[str, Any]:
    return {"VolumeSpecification": volume, "Device": f"/dev/sd{letter}"}


def volumes(*configs: dict[str, Any]) -> dict[str, Any]:
    return {"EbsConfiguration": {"EbsBlockDeviceConfigs": list(configs)}}


ALARM = {"ComparisonOperator": "LESS_THAN", "MetricName": "M", "Period": 300, "Threshold": 15.0}
READ_ALARM = {
    **ALARM,
    "EvaluationPeriods": 1,
    "Namespace": "AWS/ElasticMapReduce",
    "Statistic": "AVERAGE",
    "Dimensions": [{"Key": "JobFlowId", "Value": CLUSTER_ID}],
}
POLICY = {
    "Constraints": {"MinCapacity": 1, "MaxCapacity": 4},
    "Rules": [
        {
            "Name": "out",
            "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
            "Trigger": {"CloudWatchAlarmDefinition": ALARM},
        }
    ],
}
SCALED = {"AutoScalingPolicy": POLICY}
LIMITS = {"ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}}
NESTED = [{"Classification": "hadoop-env", "Configurations": [{"Classification": "export", "Properties": {"A": "1"}}]}]
SPOT = {"TimeoutDurationMinutes": 10, "TimeoutAction": "TERMINATE_CLUSTER", "AllocationStrategy": "capacity-optimized"}
ACTION = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x.sh", "Args": ["1", "1"]}}
BARE_ACTION = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x.sh"}}
PROFILE = "arn:aws:iam::123456789012:instance-profile/mine"
ROLE = "arn:aws:iam::123456789012:role/mine"
TAGS = [{"Key": "a"}, {"Key": "b", "Value": "c"}]

ROWS = {
    # -- the cluster
    "log URI": cluster({"LogUri": "s3://b/p"}, "LogUri", "s3n://b/p/", "cloudposse/terraform-aws-emr-cluster#8"),
    "log URI with a slash": cluster(
        {"LogUri": "s3://b/p/"}, "LogUri", "s3n://b/p/", "hashicorp/terraform-provider-aws#1374"
    ),
    "log URI of a bucket": cluster(
        {"LogUri": "s3n://b"}, "LogUri", "s3n://b/", "cloudposse/terraform-aws-emr-cluster#8"
    ),
    "log folder here": cluster({"LogUri": "/tmp/logs"}, "LogUri", "/tmp/logs/", "of the emulator alone"),
    "no log URI": cluster({}, "LogUri", ABSENT, "API, Cluster"),
    "keep-alive": cluster({"keep_alive": True}, "AutoTerminate", False, "API, Cluster: AutoTerminate"),
    "transient": cluster({}, "AutoTerminate", True, "API, Cluster: AutoTerminate"),
    "profile by name": cluster(
        {"JobFlowRole": "mine"}, "Ec2InstanceAttributes.IamInstanceProfile", "mine", "API, Ec2InstanceAttributes"
    ),
    "profile by ARN": cluster(
        {"JobFlowRole": PROFILE},
        "Ec2InstanceAttributes.IamInstanceProfile",
        PROFILE,
        "API, Ec2InstanceAttributes: as specified; Terraform: ForceNew, and its examples pass an ARN",
    ),
    "role by name": cluster({"ServiceRole": "mine"}, "ServiceRole", "mine", "Terraform"),
    "role by ARN": cluster({"ServiceRole": ROLE}, "ServiceRole", ROLE, "Terraform: its examples pass an ARN"),
    "scaling role": cluster({"AutoScalingRole": ROLE}, "AutoScalingRole", ROLE, "Terraform"),
    "application": cluster(
        {"Applications": [{"Name": "Spark"}]},
        "Applications",
        [{"Name": "Spark", "Version": "3.5.2"}],
        "API, Application; Release Guide",
    ),
    "case of an application": cluster(
        {"Applications": [{"Name": "hadoop"}]},
        "Applications",
        [{"Name": "hadoop", "Version": "3.4.0"}],
        "API, RunJobFlow: case insensitive",
    ),
    "unknown application": cluster(
        {"Applications": [{"Name": "MapR"}]}, "Applications", [{"Name": "MapR"}], "Terraform"
    ),
    "no application": cluster({}, "Applications", [{"Name": "Hadoop", "Version": "3.4.0"}], "MG, describe-cluster"),
    "empty applications": cluster(
        {"Applications": []}, "Applications", [{"Name": "Hadoop", "Version": "3.4.0"}], "MG, describe-cluster"
    ),
    "Hadoop of 5.36": cluster(
        {"ReleaseLabel": "emr-5.36.2"}, "Applications", [{"Name": "Hadoop", "Version": "2.10.1"}], "Release Guide"
    ),
    "Hadoop of 6.8": cluster(
        {"ReleaseLabel": "emr-6.8.0"}, "Applications", [{"Name": "Hadoop", "Version": "3.2.1"}], "Release Guide"
    ),
    "Hadoop of 7.13": cluster(
        {"ReleaseLabel": "emr-7.13.0"}, "Applications", [{"Name": "Hadoop", "Version": "3.4.2"}], "Release Guide"
    ),
    "AMI version": cluster(
        {"AmiVersion": "3.11.0"}, "RequestedAmiVersion", "3.11.0", "API, Cluster", without=("ReleaseLabel",)
    ),
    "running AMI version": cluster(
        {"AmiVersion": "3.11.0"}, "RunningAmiVersion", "3.11.0", "API, Cluster", without=("ReleaseLabel",)
    ),
    "additional info": cluster({"AdditionalInfo": "{}"}, "AdditionalInfo", ABSENT, "API, Cluster: no such member"),
    "visibility": cluster({"VisibleToAllUsers": False}, "VisibleToAllUsers", False, "API, Cluster"),
    "no visibility": cluster({}, "VisibleToAllUsers", True, "API, RunJobFlow: the default is true"),
    "root volume": cluster({"EbsRootVolumeSize": 80}, "EbsRootVolumeSize", 80, "API, Cluster"),
    "no root volume": cluster({}, "EbsRootVolumeSize", ABSENT, "Terraform: not Computed; mrjob, pools"),
    "root volume's IOPS": cluster({"EbsRootVolumeIops": 4000}, "EbsRootVolumeIops", 4000, "API, Cluster"),
    "Amazon Linux": cluster({"OSReleaseLabel": "2.0.1"}, "OSReleaseLabel", "2.0.1", "API, Cluster"),
    "no Amazon Linux": cluster({}, "OSReleaseLabel", "2023.6.20241121.0", "API, RunJobFlow: the latest one"),
    "scale-down": cluster({}, "ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION", "API, Cluster"),
    "concurrency": cluster({}, "StepConcurrencyLevel", 1, "API, RunJobFlow: the default is 1"),
    "node replacement": cluster(
        {"instances": {"UnhealthyNodeReplacement": False}}, "UnhealthyNodeReplacement", False, "API, Cluster"
    ),
    "no node replacement": cluster({}, "UnhealthyNodeReplacement", True, "MG, emr-plan-node-replacement"),
    "placement groups": cluster(
        {"PlacementGroupConfigs": [{"InstanceRole": "MASTER"}]},
        "PlacementGroups",
        [{"InstanceRole": "MASTER"}],
        "API, Cluster",
    ),
    "tag without a value": cluster(
        {"Tags": TAGS}, "Tags", [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "c"}], "API, Tag"
    ),
    "nested configurations": cluster({"Configurations": NESTED}, "Configurations", NESTED, "API, Cluster"),
    "no configurations": cluster({}, "Configurations", [], "MG, describe-cluster"),
    "Kerberos": cluster(
        {"KerberosAttributes": {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "secret"}},
        "KerberosAttributes",
        {"Realm": "EC2.INTERNAL"},
        "Terraform: its passwords are never read",
    ),
    "steps of a cluster": cluster({"Steps": [bash("true")]}, "Steps", ABSENT, "API, Cluster: ListSteps has them"),
    "managed scaling": Echo(
        {"ManagedScalingPolicy": LIMITS}, "ManagedScalingPolicy", LIMITS, "API", "GetManagedScalingPolicy"
    ),
    "managed scaling of a cluster": cluster(
        {"ManagedScalingPolicy": LIMITS}, "ManagedScalingPolicy", ABSENT, "API, Cluster: no such member"
    ),
    "no managed scaling": Echo({}, "ManagedScalingPolicy", ABSENT, "Terraform", "GetManagedScalingPolicy"),
    "auto-termination": Echo(
        {"AutoTerminationPolicy": {}},
        "AutoTerminationPolicy",
        {"IdleTimeout": 3600},
        "API, AutoTerminationPolicy: 60 minutes",
        "GetAutoTerminationPolicy",
    ),
    "no auto-termination": Echo({}, "AutoTerminationPolicy", ABSENT, "Terraform", "GetAutoTerminationPolicy"),
    "bootstrap action": Echo(
        {"BootstrapActions": [ACTION]},
        "BootstrapActions",
        [{"Name": "b", "ScriptPath": "s3://b/x.sh", "Args": ["1", "1"]}],
        "API, Command",
        "ListBootstrapActions",
    ),
    "bootstrap action without arguments": Echo(
        {"BootstrapActions": [BARE_ACTION]}, "BootstrapActions.0.Args", [], "MG", "ListBootstrapActions"
    ),
    # -- the network
    "subnet": of_instances("Ec2SubnetId", "subnet-1", "Ec2SubnetId", "subnet-1", "API, Ec2InstanceAttributes"),
    "subnet asked": of_instances(
        "Ec2SubnetId", "subnet-1", "RequestedEc2SubnetIds", ["subnet-1"], "API, Ec2InstanceAttributes"
    ),
    "no subnet": cluster({}, "Ec2InstanceAttributes.Ec2SubnetId", ABSENT, "API, Ec2InstanceAttributes"),
    "empty subnet": of_instances(
        "Ec2SubnetId", "", "Ec2SubnetId", ABSENT, "Terraform sends it, with empty Ec2SubnetIds"
    ),
    "subnet beside no subnets": cluster(
        {"instances": {"Ec2SubnetId": "subnet-1", "Ec2SubnetIds": []}},
        "Ec2InstanceAttributes.Ec2SubnetId",
        "subnet-1",
        "Terraform sends both",
    ),
    "zone": of_instances(
        "Placement",
        {"AvailabilityZone": "us-east-1c"},
        "Ec2AvailabilityZone",
        "us-east-1c",
        "API, Ec2InstanceAttributes",
    ),
    "no zone": cluster({}, "Ec2InstanceAttributes.Ec2AvailabilityZone", "us-east-1a", "EMR chooses: MG"),
    "key": of_instances("Ec2KeyName", "key", "Ec2KeyName", "key", "API, Ec2InstanceAttributes"),
    "empty key": of_instances("Ec2KeyName", "", "Ec2KeyName", ABSENT, "Terraform sends it"),
    "empty security group": of_instances(
        "ServiceAccessSecurityGroup", "", "ServiceAccessSecurityGroup", ABSENT, "Terraform sends it"
    ),
    # -- groups
    "role of a group": core({}, "InstanceGroupType", "CORE", "API, InstanceGroup"),
    "role of a group, as sent": core({}, "InstanceRole", ABSENT, "API, InstanceGroup"),
    "size of a group": core({}, "RequestedInstanceCount", 2, "API, InstanceGroup"),
    "size of a group, as sent": core({}, "InstanceCount", ABSENT, "API, InstanceGroup"),
    "size of a group at first": core({}, "RunningInstanceCount", 0, "API, InstanceGroup"),
    "market": core({}, "Market", "ON_DEMAND", "Terraform: from whether there is a bid"),
    "market of a bid": core({"BidPrice": "0.30"}, "Market", "SPOT", "AWS CLI, instancegroupsutils"),
    "bid": core({"BidPrice": "0.30"}, "BidPrice", "0.30", "Terraform"),
    "volumes of a group": core(
        volumes(
            {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 40}, "VolumesPerInstance": 2},
            {"VolumeSpecification": {"VolumeType": "gp2", "SizeInGB": 50}},
        ),
        "EbsBlockDevices",
        [
            device("b", VolumeType="gp3", SizeInGB=40),
            device("c", VolumeType="gp3", SizeInGB=40),
            device("d", VolumeType="gp2", SizeInGB=50),
        ],
        "API, EbsBlockDevice; hashicorp/terraform-provider-aws#10446",
    ),
    "volumes of a group, as sent": core(volumes(), "EbsConfiguration", ABSENT, "API, InstanceGroup"),
    "default volumes": core(
        {},
        "EbsBlockDevices",
        [device(letter, VolumeType="gp3", SizeInGB=32) for letter in "bc"],
        "MG, emr-plan-storage; hashicorp/terraform-provider-aws#34666",
    ),
    "EBS-optimized": core({"EbsConfiguration": {"EbsOptimized": True}}, "EbsOptimized", True, "API, InstanceGroup"),
    "scaling constraints": core(SCALED, "AutoScalingPolicy.Constraints", POLICY["Constraints"], "API"),
    "dimension of a scaling rule": core(
        SCALED,
        "AutoScalingPolicy.Rules.0.Trigger.CloudWatchAlarmDefinition",
        READ_ALARM,
        "API, CloudWatchAlarmDefinition: its defaults; Terraform removes the dimension",
    ),
    "cool-down of a scaling rule": core(
        SCALED, "AutoScalingPolicy.Rules.0.Action.SimpleScalingPolicyConfiguration.CoolDown", 0, "API: the default is 0"
    ),
    "state of a scaling policy": core(
        SCALED, "AutoScalingPolicy.Status.State", "PENDING", "API, AutoScalingPolicyStatus"
    ),
    "configurations of a group": core({"Configurations": NESTED}, "Configurations", NESTED, "API, InstanceGroup"),
    "their version": core({"Configurations": NESTED}, "ConfigurationsVersion", 0, "API, InstanceGroup"),
    "groups of the short form": Echo(
        {"groups": [], "instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 3}},
        "InstanceGroups.1.RequestedInstanceCount",
        2,
        "boto 2; AWS CLI, instancegroupsutils",
        "ListInstanceGroups",
    ),
    # -- fleets
    "instance types": fleet({}, "InstanceTypeConfigs", ABSENT, "API, InstanceFleet"),
    "type": fleet({}, "InstanceTypeSpecifications.0.InstanceType", "m5.xlarge", "API, InstanceTypeSpecification"),
    "weight": fleet(
        {}, "InstanceTypeSpecifications.0.WeightedCapacity", 1, "API, InstanceTypeConfig: the default is 1"
    ),
    "percentage": fleet(
        {"BidPriceAsPercentageOfOnDemandPrice": 80.0},
        "InstanceTypeSpecifications.0.BidPriceAsPercentageOfOnDemandPrice",
        80.0,
        "API, InstanceTypeSpecification",
    ),
    "no bid": fleet(
        {},
        "InstanceTypeSpecifications.0.BidPriceAsPercentageOfOnDemandPrice",
        100.0,
        "AWS CLI reference, list-instance-fleets; mrjob; Terraform: the default is 100",
    ),
    "no percentage": fleet(
        {"BidPrice": "0.1"}, "InstanceTypeSpecifications.0.BidPriceAsPercentageOfOnDemandPrice", ABSENT, "mrjob"
    ),
    "volumes of a type": fleet(
        volumes({"VolumeSpecification": {"VolumeType": "gp2", "SizeInGB": 100}, "VolumesPerInstance": 1}),
        "InstanceTypeSpecifications.0.EbsBlockDevices",
        [device("b", VolumeType="gp2", SizeInGB=100)],
        "API, InstanceTypeSpecification",
    ),
    "configurations of a type": fleet(
        {"Configurations": NESTED}, "InstanceTypeSpecifications.0.Configurations", NESTED, "API"
    ),
    "target not given": fleet({}, "TargetSpotCapacity", 0, "Terraform"),
    # Terraform also takes it in upper case with underscores; no example of such an answer is known.
    "strategy of spot": launched("SpotSpecification", SPOT, "API, SpotProvisioningAllocationStrategy"),
    "strategy on demand": launched("OnDemandSpecification", {"AllocationStrategy": "lowest-price"}, "API"),
    "groups of fleets": Echo(
        fleet({}, "", None, "").sent, "Cluster.InstanceCollectionType", "INSTANCE_FLEET", "API, Cluster"
    ),
    # -- steps
    "properties of a step": step(
        {"Properties": [{"Key": "a", "Value": "1"}]}, "Config.Properties", {"a": "1"}, "API, HadoopStepConfig: a map"
    ),
    "no properties": step({}, "Config.Properties", {}, "API, HadoopStepConfig"),
    "no arguments": step({}, "Config.Args", [], "API, HadoopStepConfig"),
    "no main class": step({}, "Config.MainClass", ABSENT, "API, HadoopStepConfig"),
    "empty main class": step({"MainClass": ""}, "Config.MainClass", ABSENT, "Terraform sends it"),
    "old action": step(
        {},
        "ActionOnFailure",
        "TERMINATE_CLUSTER",
        "API, StepConfig: both mean the same",
        ActionOnFailure="TERMINATE_JOB_FLOW",
    ),
    "order of steps": Echo(
        {"Steps": [bash("true", name="first"), bash("true", name="last")]},
        "Steps.0.Name",
        "last",
        "API, ListSteps: in reverse order; Terraform turns it",
        "ListSteps",
    ),
    "role of steps": Echo(
        {"Steps": [bash("true")], "StepExecutionRoleArn": ROLE},
        "Step.ExecutionRoleArn",
        ROLE,
        "API, Step",
        "DescribeStep",
    ),
    "role of steps in the list": Echo(
        {"Steps": [bash("true")], "StepExecutionRoleArn": ROLE},
        "Steps.0.ExecutionRoleArn",
        ABSENT,
        "API, StepSummary: no such member",
        "ListSteps",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_what_is_sent_and_what_is_read(still, row):
    params = {name: value for name, value in request(**row.sent).items() if name not in row.without}
    if row.sent.get("groups") == []:
        del params["Instances"]["InstanceGroups"]
    cluster_id = still.call("RunJobFlow", **params)["JobFlowId"]
    named = {"StepId": still.steps(cluster_id)[0]["Id"]} if row.operation == "DescribeStep" else {}
    assert at(still.call(row.operation, ClusterId=cluster_id, **named), row.path, cluster_id) == row.read


def at(value: Any, path: str, cluster_id: str) -> Any:
    """The value at a path of an answer, ABSENT if only its last part is missing, with the cluster's id as in the rows."""
    *parents, last = path.split(".")
    for name in parents:
        value = value[int(name) if isinstance(value, list) else name]
    return anonymous(value.get(last, ABSENT), cluster_id)


def anonymous(value: Any, cluster_id: str) -> Any:
    if isinstance(value, dict):
        return {name: anonymous(item, cluster_id) for name, item in value.items()}
    if isinstance(value, list):
        return [anonymous(item, cluster_id) for item in value]
    return CLUSTER_ID if value == cluster_id else value


def test_every_row_says_where_it_is_known_from():
    assert [name for name, row in ROWS.items() if not row.source] == []
