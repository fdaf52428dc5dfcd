"""Plans show no difference between two spellings with the same meaning to EMR, and show every other difference."""

from copy import deepcopy

import pytest

from flowspec import import_cluster
from flowspec.plan.comparison.forms import same
from tests.plan.conftest import FLEETS, GROUPS, RULE, SCALING, changed, fleet, group, observed, planned, running

G, F = GROUPS, FLEETS
ROLE = "arn:aws:iam::123456789012:role/a/path/"
VOLUME = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64}}
FAST = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64, "Iops": 4000}}
EXPORT = {"Classification": "export", "Properties": {"A": "1"}}
OLD = changed(G, ("ReleaseLabel",), "emr-6.9.0")
OWN_AMI = changed(G, ("CustomAmiId",), "ami-1")
KERBEROS = {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "x"}


def top(name, value, base=G):
    return changed(base, (name,), value)


def inner(name, value, base=G):
    return changed(base, ("Instances", name), value)


def volumes(*configs, **more):
    listed = {"EbsBlockDeviceConfigs": list(configs)} if configs else {}
    return changed(G, group(1, "EbsConfiguration"), {**listed, **more})


def of_type(**members):
    return changed(
        F,
        fleet(1, "InstanceTypeConfigs", 0),
        {**F["Instances"]["InstanceFleets"][1]["InstanceTypeConfigs"][0], **members},
    )


def log_types(*names):
    return top(
        "MonitoringConfiguration",
        {"CloudWatchLogConfiguration": {"Enabled": True, "LogTypes": {"STEP_LOGS": [*names]}}},
    )


def alarm(**members):
    rule = deepcopy(RULE)
    rule["Trigger"]["CloudWatchAlarmDefinition"] |= members
    return changed(G, group(1, "AutoScalingPolicy"), {**SCALING, "Rules": [rule]})


def dimensions(*keys):
    return alarm(Dimensions=[{"Key": key, "Value": "v"} for key in keys])


def scripts(*args):
    return top("BootstrapActions", [{"Name": "a", "ScriptBootstrapAction": {"Path": "s3://b/a.sh", **dict(*args)}}])


SAME = {
    "log uri": (top("LogUri", "s3://logs/emr/"), top("LogUri", "s3n://logs/emr")),
    "log uri of s3a": (top("LogUri", "s3a://logs/emr"), top("LogUri", "s3://logs/emr/")),
    "log folder": (top("LogUri", "/logs/"), top("LogUri", "/logs")),
    "role": (top("ServiceRole", "EMR_DefaultRole"), top("ServiceRole", f"{ROLE}EMR_DefaultRole")),
    "profile": (top("JobFlowRole", f"{ROLE}Nodes"), top("JobFlowRole", "Nodes")),
    "scaling role": (top("AutoScalingRole", "Scaling"), top("AutoScalingRole", f"{ROLE}Scaling")),
    "applications": (
        top("Applications", [{"Name": "Hive"}, {"Name": "Spark"}]),
        top("Applications", [{"Name": "spark"}, {"Name": "hive", "Version": "3"}]),
    ),
    "Hadoop, which is always there": (G, top("Applications", [{"Name": "Hadoop"}])),
    "tags": (
        top("Tags", [{"Key": "cost", "Value": ""}, {"Key": "team", "Value": "search"}]),
        top("Tags", [{"Key": "team", "Value": "search"}, {"Key": "cost"}]),
    ),
    "stated defaults": (G, {**G, "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION", "StepConcurrencyLevel": 1}),
    "root volume by default": (
        G, {**G, "EbsRootVolumeSize": 15, "EbsRootVolumeIops": 3000, "EbsRootVolumeThroughput": 125}
    ),
    "root volume by default before 6.10": (OLD, top("EbsRootVolumeSize", 10, OLD)),
    "updates of an AMI by default": (OWN_AMI, top("RepoUpgradeOnBoot", "SECURITY", OWN_AMI)),
    "strategy of a placement group by default": (
        top("PlacementGroupConfigs", [{"InstanceRole": "MASTER"}]),
        top("PlacementGroupConfigs", [{"InstanceRole": "MASTER", "PlacementStrategy": "SPREAD"}]),
    ),
    "realm": (top("KerberosAttributes", KERBEROS), top("KerberosAttributes", KERBEROS)),
    "security groups": (
        inner("AdditionalMasterSecurityGroups", ["sg-1", "sg-2"], inner("AdditionalSlaveSecurityGroups", ["sg-3", "sg-4"])),
        inner("AdditionalMasterSecurityGroups", ["sg-2", "sg-1"], inner("AdditionalSlaveSecurityGroups", ["sg-4", "sg-3"])),
    ),
    "subnets": (inner("Ec2SubnetIds", ["subnet-1", "subnet-2"], F), inner("Ec2SubnetIds", ["subnet-2", "subnet-1"], F)),
    "one subnet": (inner("Ec2SubnetIds", ["subnet-1"], F), inner("Ec2SubnetId", "subnet-1", F)),
    "no subnet": (G, inner("Ec2SubnetId", "")),
    "zones": (
        inner("Placement", {"AvailabilityZones": ["us-east-1a", "us-east-1b"]}, F),
        inner("Placement", {"AvailabilityZones": ["us-east-1b", "us-east-1a"]}, F),
    ),
    "one zone": (
        inner("Placement", {"AvailabilityZones": ["us-east-1b"]}, F),
        inner("Placement", {"AvailabilityZone": "us-east-1b"}, F),
    ),
    "kinds of logs": (log_types("STDOUT", "STDERR"), log_types("STDERR", "STDOUT")),
    "no monitoring": (G, top("MonitoringConfiguration", {"CloudWatchLogConfiguration": {"Enabled": False}})),
    "configurations": (
        top("Configurations", [{"Classification": "a", "Properties": {"x": "1", "y": "2"}}, {"Classification": "b", "Configurations": [EXPORT]}]),
        top("Configurations", [
            {"Classification": "b", "Properties": {}, "Configurations": [{**EXPORT, "Configurations": []}]},
            {"Classification": "a", "Properties": {"y": "2"}},
            {"Classification": "a", "Properties": {"x": "1"}},
            {"Classification": "c", "Properties": {}},
        ]),
    ),
    "nested configurations in two": (
        top("Configurations", [{"Classification": "b", "Configurations": [EXPORT, {**EXPORT, "Classification": "more"}]}]),
        top("Configurations", [{"Classification": "b", "Configurations": [{**EXPORT, "Classification": "more"}]}, {"Classification": "b", "Configurations": [EXPORT]}]),
    ),
    "no arguments": (scripts(), scripts({"Args": []})),
    "price": (changed(G, group(2, "BidPrice"), "0.20"), changed(G, group(2), {**G["Instances"]["InstanceGroups"][2], "BidPrice": "0.2", "Market": "SPOT"})),
    "one volume": (volumes(VOLUME), volumes({**VOLUME, "VolumesPerInstance": 1})),
    "volumes in another order": (volumes(VOLUME, FAST, VOLUME), volumes(FAST, {**VOLUME, "VolumesPerInstance": 2})),
    "no sessions": (G, top("SessionEnabled", False)),
    "not optimized": (G, volumes(EbsOptimized=False)),
    "not optimized, with volumes": (volumes(VOLUME), volumes(VOLUME, EbsOptimized=False)),
    "not optimized, of a fleet": (F, of_type(EbsConfiguration={"EbsOptimized": False})),
    "price in a fleet": (of_type(BidPrice="0.10"), of_type(BidPrice="0.1")),
    "weight by default": (F, changed(F, fleet(2, "InstanceTypeConfigs", 0), {"InstanceType": "m5.xlarge"})),
    "no target": (F, changed(F, fleet(1, "TargetSpotCapacity"), 0)),
    "dimensions": (dimensions("a", "b"), dimensions("b", "a")),
    "dimension of EMR's own": (alarm(), dimensions("JobFlowId")),
    "alarm by default": (alarm(), alarm(Namespace="AWS/ElasticMapReduce", Statistic="AVERAGE", EvaluationPeriods=1)),
    "idle timeout by default": (top("AutoTerminationPolicy", {}), top("AutoTerminationPolicy", {"IdleTimeout": 3600})),
}  # fmt: skip
ANOTHER = {
    "optimized": (volumes(EbsOptimized=True), volumes(EbsOptimized=False)),
    "optimized now": (volumes(EbsOptimized=False), volumes(EbsOptimized=True)),
    "logs are on": (log_types("STDOUT"), top("MonitoringConfiguration", {"CloudWatchLogConfiguration": {"Enabled": False}})),
    "a kind of logs more": (log_types("STDOUT"), log_types("STDOUT", "STDERR")),
    "a kind of logs less": (log_types("STDOUT", "STDERR"), log_types("STDOUT")),
    "root volume of an AMI of one's own": (OWN_AMI, top("EbsRootVolumeSize", 15, OWN_AMI)),
    "root volume of a group's AMI": (
        changed(G, group(1, "CustomAmiId"), "ami-1"), top("EbsRootVolumeSize", 15, changed(G, group(1, "CustomAmiId"), "ami-1")),
    ),
    "root volume of a later release": (OLD, top("EbsRootVolumeSize", 15, OLD)),
    "no updates of an AMI": (OWN_AMI, top("RepoUpgradeOnBoot", "NONE", OWN_AMI)),
    "weight": (F, of_type(WeightedCapacity=2)),
    "a volume more": (volumes(VOLUME), volumes(VOLUME, VOLUME)),
    "a volume less": (volumes(VOLUME, VOLUME), volumes(VOLUME)),
    "a faster volume": (volumes(VOLUME, VOLUME), volumes(VOLUME, FAST)),
    "an application less": (top("Applications", [{"Name": "Hive"}, {"Name": "Spark"}]), top("Applications", [{"Name": "Hive"}])),
    "a property less": (
        top("Configurations", [{"Classification": "a", "Properties": {"x": "1", "y": "2"}}]),
        top("Configurations", [{"Classification": "a", "Properties": {"x": "1"}}]),
    ),
    "no configurations": (top("Configurations", [EXPORT]), top("Configurations", [])),
    "no bootstrap action": (scripts(), top("BootstrapActions", [])),
    "a bootstrap action of another name": (scripts(), top("BootstrapActions", [{**scripts()["BootstrapActions"][0], "Name": "b"}])),
    "arguments in another order": (scripts([("Args", ["x", "y"])]), scripts([("Args", ["y", "x"])])),
    "a bootstrap action less": (
        top("BootstrapActions", scripts()["BootstrapActions"] * 2), scripts(),
    ),
    "a security group less": (
        inner("AdditionalMasterSecurityGroups", ["sg-1", "sg-2"]), inner("AdditionalMasterSecurityGroups", ["sg-2"]),
    ),
    "no spot market any more": (changed(G, group(1, "Market"), "SPOT"), G),
    "a type less": (F, changed(F, fleet(1, "InstanceTypeConfigs", 1), None)),
    "fleets for groups": (G, {**F, "StepConcurrencyLevel": 1}),
    "groups for fleets": (F, G),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(SAME.values()), ids=list(SAME))
def test_the_same_said_otherwise_is_no_difference(emr, before, after):
    cluster_id = running(emr, before)
    plan = planned(after, observed(emr, cluster_id))
    assert [(one.address, one.before, one.after) for one in plan.changes] == []
    assert (plan.joins, plan.calls) == (cluster_id, ())


@pytest.mark.parametrize(("before", "after"), list(ANOTHER.values()), ids=list(ANOTHER))
def test_another_thing_said_alike_wants_a_replacement(emr, before, after):
    cluster_id = running(emr, before)
    assert planned(after, observed(emr, cluster_id)).replaces == cluster_id


@pytest.mark.parametrize(
    ("name", "default"), [("SwitchOfALaterApi", False), ("UnhealthyNodeReplacement", True)], ids=["off", "on"]
)
def test_a_switch_that_emr_does_not_show_has_its_default(name, default):
    assert same(name, default, None)
    assert not same(name, not default, None)


@pytest.mark.parametrize("asked", [(VOLUME,), ()], ids=["volumes", "those of EMR"])
def test_only_what_differs_of_the_volumes_is_shown(emr, asked):
    cluster_id = running(emr, volumes(*asked))
    changes = planned(volumes(*asked, EbsOptimized=True), observed(emr, cluster_id)).changes
    shown = [one.address for one in changes if "ebs_configuration" in one.address]
    assert [one.rpartition(".")[2] for one in shown] == ["ebs_optimized"]


class DefaultVpc:
    """An account whose clusters get a subnet of the default VPC where none is asked for."""

    def __init__(self, emr):
        self._emr = emr

    def __getattr__(self, name):
        return getattr(self._emr, name)

    def call(self, operation, **params):
        answer = self._emr.call(operation, **params)
        if operation == "DescribeCluster":
            answer["Cluster"]["Ec2InstanceAttributes"].setdefault("Ec2SubnetId", "subnet-default")
        return answer


@pytest.mark.parametrize(
    ("params", "imported"),
    [
        (inner("Placement", {"AvailabilityZone": "us-east-1b"}), "ec2_subnet_id: subnet-default"),
        (
            inner("Placement", {"AvailabilityZones": ["us-east-1b", "us-east-1c"]}, F),
            "ec2_subnet_ids: [subnet-default]",
        ),
        (inner("Ec2SubnetId", "subnet-1"), "ec2_subnet_id: subnet-1"),
    ],
    ids=["zone", "zones", "subnet"],
)
def test_a_zone_is_compared_beside_the_subnet_that_emr_chose(emr, params, imported):
    there = DefaultVpc(emr)
    cluster_id = running(emr, params)
    assert planned(params, observed(there, cluster_id)).changes == ()
    if "Placement" in params["Instances"]:
        other = inner("Placement", {"AvailabilityZone": "us-east-1f"}, params)
        assert planned(other, observed(there, cluster_id)).replaces == cluster_id
    text = import_cluster(there, cluster_id).text
    assert imported in text
    assert "availability_zone" not in text
