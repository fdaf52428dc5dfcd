"""Every row of the mutability table: what can be changed in place is, by the named call, and the rest is replaced."""

import json

import pytest

from flowspec.backend.aws.submission.apply import apply
from flowspec.errors import ServiceError
from flowspec.facts.api_model import SHORT_FORM, input_shape, shape_for
from flowspec.facts.mutability import ROWS, Handling
from flowspec.plan.changes import Action
from flowspec.report import plans
from flowspec.review.compare import compare_params
from tests.plan.conftest import (
    CORE,
    FLEETS,
    GROUPS,
    LIMITS,
    MASTER,
    MASTER_FLEET,
    RULE,
    SCALING,
    SPARK,
    SPARK_TOO,
    SPOT,
    TASK,
    TYPES,
    changed,
    fleet,
    group,
    observed,
    planned,
    running,
)

G, F = GROUPS, FLEETS
# Of each member that is changed in place: the request before, the one after, and the calls beside AddTags of ours.
IN_PLACE = {
    "Tags": [
        (G, changed(G, ("Tags", 0, "Value"), "ads"), ["AddTags"]),
        (G, changed(G, ("Tags", 1), {"Key": "cost", "Value": ""}), ["AddTags"]),
        (G, changed(G, ("Tags",), []), ["RemoveTags"]),
    ],
    "StepConcurrencyLevel": [(G, changed(G, ("StepConcurrencyLevel",), 5), ["ModifyCluster"])],
    "ManagedScalingPolicy": [
        (G, changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": LIMITS}), ["PutManagedScalingPolicy"]),
        (
            changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": LIMITS}),
            changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": {**LIMITS, "MaximumCapacityUnits": 9}}),
            ["PutManagedScalingPolicy"],
        ),
        (changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": LIMITS}), G, ["RemoveManagedScalingPolicy"]),
    ],
    "AutoTerminationPolicy": [
        (G, changed(G, ("AutoTerminationPolicy",), {"IdleTimeout": 600}), ["PutAutoTerminationPolicy"]),
        (G, changed(G, ("AutoTerminationPolicy",), {}), ["PutAutoTerminationPolicy"]),
        (changed(G, ("AutoTerminationPolicy",), {"IdleTimeout": 600}), G, ["RemoveAutoTerminationPolicy"]),
    ],
    "Instances.KeepJobFlowAliveWhenNoSteps": [
        (G, changed(G, ("Instances", "KeepJobFlowAliveWhenNoSteps"), False), ["SetKeepJobFlowAliveWhenNoSteps"]),
        (changed(G, ("Instances", "KeepJobFlowAliveWhenNoSteps"), False), G, ["SetKeepJobFlowAliveWhenNoSteps"]),
    ],
    "Instances.TerminationProtected": [
        (G, changed(G, ("Instances", "TerminationProtected"), True), ["SetTerminationProtection"]),
        (changed(G, ("Instances", "TerminationProtected"), True), G, ["SetTerminationProtection"]),
    ],
    "Instances.UnhealthyNodeReplacement": [
        (G, changed(G, ("Instances", "UnhealthyNodeReplacement"), False), ["SetUnhealthyNodeReplacement"])
    ],
    "Instances.InstanceGroups[*].InstanceCount": [
        (G, changed(G, group(1, "InstanceCount"), 10), ["ModifyInstanceGroups"]),
        (G, changed(changed(G, group(1, "InstanceCount"), 3), group(2, "InstanceCount"), 1), ["ModifyInstanceGroups"]),
    ],
    "Instances.InstanceGroups[*].Configurations": [
        (G, changed(G, group(1, "Configurations"), SPARK), ["ModifyInstanceGroups"]),
        (
            changed(G, group(0, "Configurations"), SPARK),
            changed(G, group(0, "Configurations"), SPARK_TOO),
            ["ModifyInstanceGroups"],
        ),
        (changed(G, group(1, "Configurations"), SPARK), G, ["ModifyInstanceGroups"]),
        (changed(G, group(2, "Configurations"), SPARK), changed(G, group(2, "Name"), None), ["ModifyInstanceGroups"]),
    ],
    "Instances.InstanceGroups[*].AutoScalingPolicy": [
        (G, changed(G, group(1, "AutoScalingPolicy"), SCALING), ["PutAutoScalingPolicy"]),
        (
            changed(G, group(1, "AutoScalingPolicy"), {**SCALING, "Rules": [RULE, {**RULE, "Name": "more"}]}),
            changed(G, group(1, "AutoScalingPolicy"), SCALING),
            ["PutAutoScalingPolicy"],
        ),
        (changed(G, group(1, "AutoScalingPolicy"), SCALING), G, ["RemoveAutoScalingPolicy"]),
        (
            changed(G, group(2, "AutoScalingPolicy"), SCALING),
            changed(G, group(2, "Name"), None),
            ["RemoveAutoScalingPolicy"],
        ),
    ],
    "Instances.InstanceGroups[TASK]": [
        (changed(G, group(2), None), G, ["AddInstanceGroups"]),
        (G, changed(G, group(2), None), ["ModifyInstanceGroups"]),
        (G, changed(G, group(2, "InstanceType"), "r5.xlarge"), ["ModifyInstanceGroups", "AddInstanceGroups"]),
        (G, changed(G, group(2, "BidPrice"), "0.20"), ["ModifyInstanceGroups", "AddInstanceGroups"]),
    ],
    "Instances.InstanceFleets[*].TargetOnDemandCapacity": [
        (F, changed(F, fleet(1, "TargetOnDemandCapacity"), 5), ["ModifyInstanceFleet"])
    ],
    "Instances.InstanceFleets[*].TargetSpotCapacity": [
        (F, changed(F, fleet(1, "TargetSpotCapacity"), 3), ["ModifyInstanceFleet"]),
        (
            changed(F, fleet(1, "TargetSpotCapacity"), 3),
            F,
            ["ModifyInstanceFleet"],
        ),
    ],
    "Instances.InstanceFleets[*].ResizeSpecifications": [
        (F, changed(F, fleet(2, "ResizeSpecifications"), SPOT), ["ModifyInstanceFleet"])
    ],
    "Instances.InstanceFleets[*].Context": [(F, changed(F, fleet(1, "Context"), "c"), ["ModifyInstanceFleet"])],
    "Instances.InstanceFleets[*].InstanceTypeConfigs.Configurations": [
        (F, changed(F, fleet(1, "InstanceTypeConfigs", 0, "Configurations"), SPARK), ["ModifyInstanceFleet"])
    ],
    "Instances.InstanceFleets[TASK]": [
        (changed(F, fleet(2), None), F, ["AddInstanceFleet"]),
        (F, changed(F, fleet(2), None), ["ModifyInstanceFleet"]),
    ],
}
SUBNET = {"Ec2SubnetId": "subnet-1"}


def of_group(index, name, value):
    return (G, changed(G, group(index, name), value))


def at_top(name, value, base=G):
    return (base, changed(base, (name,), value))


def of_instances(name, value):
    return (G, changed(G, ("Instances", name), value))


EBS = {"EbsBlockDeviceConfigs": [{"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 99}}]}
ACTION = {"Name": "tools", "ScriptBootstrapAction": {"Path": "s3://b/tools.sh", "Args": ["--fast"]}}
AMI = {key: value for key, value in G.items() if key != "ReleaseLabel"} | {"AmiVersion": "3.11.0"}
REPLACED = {
    "Name": at_top("Name", "weekly"),
    "LogUri": at_top("LogUri", "s3://other/"),
    "LogEncryptionKmsKeyId": at_top("LogEncryptionKmsKeyId", "key"),
    "ReleaseLabel": at_top("ReleaseLabel", "emr-7.1.0"),
    "Applications": at_top("Applications", [{"Name": "Flink"}]),
    "Configurations": at_top("Configurations", SPARK),
    "BootstrapActions": (
        changed(G, ("BootstrapActions",), [ACTION]),
        changed(G, ("BootstrapActions",), [{**ACTION, "ScriptBootstrapAction": {"Path": "s3://b/tools.sh"}}]),
    ),
    "JobFlowRole": at_top("JobFlowRole", "Other"),
    "ServiceRole": at_top("ServiceRole", "arn:aws:iam::123456789012:role/Other"),
    "AutoScalingRole": at_top("AutoScalingRole", "Other"),
    "SecurityConfiguration": at_top("SecurityConfiguration", "strict"),
    "ScaleDownBehavior": at_top("ScaleDownBehavior", "TERMINATE_AT_INSTANCE_HOUR"),
    "CustomAmiId": at_top("CustomAmiId", "ami-1"),
    "EbsRootVolumeSize": at_top("EbsRootVolumeSize", 90),
    "EbsRootVolumeIops": at_top("EbsRootVolumeIops", 4000),
    "EbsRootVolumeThroughput": at_top("EbsRootVolumeThroughput", 200),
    "PlacementGroupConfigs": at_top("PlacementGroupConfigs", [{"InstanceRole": "MASTER"}]),
    "AmiVersion": at_top("AmiVersion", "3.10.0", AMI),
    "RepoUpgradeOnBoot": (
        changed(changed(G, ("CustomAmiId",), "ami-1"), ("RepoUpgradeOnBoot",), "NONE"),
        changed(changed(G, ("CustomAmiId",), "ami-1"), ("RepoUpgradeOnBoot",), "SECURITY"),
    ),
    "OSReleaseLabel": at_top("OSReleaseLabel", "2023.1.20230725.0"),
    "MonitoringConfiguration": at_top("MonitoringConfiguration", {"CloudWatchLogConfiguration": {"Enabled": True}}),
    "SessionEnabled": at_top("SessionEnabled", True),
    "KerberosAttributes": at_top("KerberosAttributes", {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "x"}),
    "Instances.Ec2KeyName": of_instances("Ec2KeyName", "mine"),
    "Instances.Ec2SubnetId": of_instances("Ec2SubnetId", "subnet-9"),
    "Instances.Ec2SubnetIds": of_instances("Ec2SubnetIds", ["subnet-9"]),
    "Instances.Placement": of_instances("Placement", {"AvailabilityZone": "us-east-1f"}),
    "Instances.EmrManagedMasterSecurityGroup": of_instances("EmrManagedMasterSecurityGroup", "sg-1"),
    "Instances.EmrManagedSlaveSecurityGroup": of_instances("EmrManagedSlaveSecurityGroup", "sg-1"),
    "Instances.ServiceAccessSecurityGroup": of_instances("ServiceAccessSecurityGroup", "sg-1"),
    "Instances.AdditionalMasterSecurityGroups": of_instances("AdditionalMasterSecurityGroups", ["sg-1"]),
    "Instances.AdditionalSlaveSecurityGroups": of_instances("AdditionalSlaveSecurityGroups", ["sg-1"]),
    "Instances.InstanceGroups[MASTER].InstanceCount": of_group(0, "InstanceCount", 3),
    "Instances.InstanceGroups[*].Name": of_group(1, "Name", "other"),
    "Instances.InstanceGroups[*].InstanceType": of_group(1, "InstanceType", "r5.xlarge"),
    "Instances.InstanceGroups[*].Market": of_group(1, "Market", "SPOT"),
    "Instances.InstanceGroups[*].BidPrice": (
        changed(G, group(1, "BidPrice"), "0.10"),
        changed(G, group(1, "BidPrice"), "0.20"),
    ),
    "Instances.InstanceGroups[*].EbsConfiguration": of_group(1, "EbsConfiguration", EBS),
    "Instances.InstanceGroups[*].CustomAmiId": of_group(1, "CustomAmiId", "ami-1"),
    "Instances.InstanceGroups[CORE]": (changed(G, ("Instances", "InstanceGroups"), [MASTER]), G),
    "Instances.InstanceGroups[MASTER]": of_group(0, "InstanceType", "m5.2xlarge"),
    "Instances.InstanceFleets[MASTER]": (
        F,
        changed(F, fleet(0, "InstanceTypeConfigs", 0, "InstanceType"), "r5.xlarge"),
    ),
    "Instances.InstanceFleets[CORE]": (changed(F, ("Instances", "InstanceFleets"), [MASTER_FLEET]), F),
    "Instances.InstanceFleets[*].Name": (F, changed(F, fleet(1, "Name"), "other")),
    "Instances.InstanceFleets[*].InstanceTypeConfigs": (F, changed(F, fleet(1, "InstanceTypeConfigs"), TYPES[:1])),
    "Instances.InstanceFleets[*].LaunchSpecifications": (
        F,
        changed(F, fleet(1, "LaunchSpecifications"), {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}),
    ),
    "Instances.InstanceFleets[MASTER].TargetOnDemandCapacity": (
        F,
        changed(changed(F, fleet(0, "TargetOnDemandCapacity"), 0), fleet(0, "TargetSpotCapacity"), 1),
    ),
    "Instances.InstanceFleets[MASTER].TargetSpotCapacity": (
        F,
        changed(changed(F, fleet(0, "TargetOnDemandCapacity"), 0), fleet(0, "TargetSpotCapacity"), 1),
    ),
}
UNREADABLE = {
    "AdditionalInfo": (changed(G, ("AdditionalInfo",), '{"a": 1}'), changed(G, ("AdditionalInfo",), '{"a": 2}')),
    "SupportedProducts": (
        changed(AMI, ("SupportedProducts",), ["hue"]),
        changed(AMI, ("SupportedProducts",), ["hunk"]),
    ),
    "NewSupportedProducts": (
        changed(AMI, ("NewSupportedProducts",), [{"Name": "hue"}]),
        changed(AMI, ("NewSupportedProducts",), [{"Name": "hunk"}]),
    ),
    "Instances.HadoopVersion": (
        changed(AMI, ("Instances", "HadoopVersion"), "2.2.0"),
        changed(AMI, ("Instances", "HadoopVersion"), "2.4.0"),
    ),
}
IGNORED = {"VisibleToAllUsers": at_top("VisibleToAllUsers", False), "ExtendedSupport": at_top("ExtendedSupport", True)}
# See test_append.
APPENDED = {"Steps", "StepExecutionRoleArn"}


def test_every_member_of_the_model_has_a_row():
    members = {*input_shape().members, *(f"Instances.{name}" for name in shape_for("JobFlowInstancesConfig").members)}
    compared_by_group = {f"Instances.{name}" for name in (*SHORT_FORM, "InstanceGroups", "InstanceFleets")}
    assert members - {"Instances"} - compared_by_group <= {row.member for row in ROWS}


def test_every_row_of_the_table_is_tried():
    tried = {*IN_PLACE, *REPLACED, *UNREADABLE, *IGNORED, *APPENDED}
    assert tried == {row.member for row in ROWS}
    by_handling = {Handling.IN_PLACE: IN_PLACE, Handling.UNREADABLE: UNREADABLE, Handling.IGNORED: IGNORED}
    for handling, cases in by_handling.items():
        assert set(cases) == {row.member for row in ROWS if row.handling is handling}


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [pytest.param(*case, id=f"{member}-{n}") for member, cases in IN_PLACE.items() for n, case in enumerate(cases)],
)
def test_a_member_is_changed_in_place(emr, before, after, operations):
    cluster_id = running(emr, before)
    plan = planned(after, observed(emr, cluster_id))
    assert (plan.converges, plan.blocked, plan.replaces) == (cluster_id, "", None)
    emr.seen.clear()
    applied = apply(plan, emr, sleep=lambda _: None)
    assert applied.cluster_id == cluster_id
    sent = [name for name in emr.seen if not name.startswith(("Describe", "List", "Get"))]
    # The first and the last write and remove the lock, the second may name what is ours from now on.
    others = [name for name in sent[1:-1] if name not in {"AddTags"}]
    assert others == [name for name in operations if name != "AddTags"]
    assert sent.count("AddTags") >= 2
    again = planned(after, observed(emr, cluster_id))
    assert [(one.address, one.before, one.after) for one in again.changes] == []
    assert again.joins == cluster_id


@pytest.mark.parametrize(("before", "after"), list((REPLACED | UNREADABLE).values()), ids=list(REPLACED | UNREADABLE))
def test_a_member_that_is_fixed_wants_a_replacement(emr, before, after):
    cluster_id = running(emr, before)
    plan = planned(after, observed(emr, cluster_id))
    assert plan.replaces == cluster_id
    assert "--replace" in plan.remedy
    (first, *_) = [one for one in plan.changes if one.action is Action.REPLACE]
    assert "HDFS is lost" in first.reason
    assert "forces replacement" in plans.as_text(plan)
    replacing = planned(after, observed(emr, cluster_id), replace=True)
    assert replacing.blocked == ""
    assert [call.operation for call in replacing.calls] == ["TerminateJobFlows", "RunJobFlow"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (changed(G, group(1, "Configurations"), SPARK), changed(G, group(1, "Configurations"), SPARK_TOO)),
        (changed(G, group(1, "Configurations"), SPARK), G),
        (F, changed(F, fleet(1, "InstanceTypeConfigs", 0, "Configurations"), SPARK)),
    ],
    ids=["other configurations", "none any more", "of a fleet"],
)
def test_configurations_are_fixed_before_release_5_21(emr, before, after):
    old, wanted = ({**one, "ReleaseLabel": "emr-5.20.0"} for one in (before, after))
    cluster_id = running(emr, old)
    plan = planned(wanted, observed(emr, cluster_id))
    assert (plan.replaces, plan.converges) == (cluster_id, None)
    assert any(one.action is Action.REPLACE and "onfigurations" in one.address + str(one.path) for one in plan.changes)
    (seen, *_), _ = compare_params(old, wanted, lasting=True)
    assert seen.action is Action.REPLACE


@pytest.mark.parametrize(
    ("label", "masters", "classification", "fixed"),
    [
        ("emr-5.26.0", 3, "spark-defaults", True),
        ("emr-5.27.0", 3, "spark-defaults", False),
        ("emr-5.29.0", 1, "hbase-site", True),
        ("emr-5.30.0", 1, "hbase-site", False),
    ],
)
@pytest.mark.parametrize(
    ("base", "count", "configurations"),
    [
        (G, group(0, "InstanceCount"), group(1, "Configurations")),
        (F, fleet(0, "TargetOnDemandCapacity"), fleet(1, "InstanceTypeConfigs", 0, "Configurations")),
    ],
    ids=["groups", "fleets"],
)
def test_three_masters_and_hbase_are_reconfigured_by_later_releases(
    emr, base, count, configurations, label, masters, classification, fixed
):
    old = changed({**base, "ReleaseLabel": label}, count, masters)
    wanted = changed(old, configurations, [{"Classification": classification, "Properties": {"a": "1"}}])
    cluster_id = running(emr, old)
    plan = planned(wanted, observed(emr, cluster_id))
    assert (plan.replaces, plan.converges) == ((cluster_id, None) if fixed else (None, cluster_id))


@pytest.mark.parametrize(("before", "after"), list(IGNORED.values()), ids=list(IGNORED))
def test_a_member_without_effect_is_no_difference(emr, before, after):
    plan = planned(after, observed(emr, running(emr, before)))
    assert plan.changes == ()


RULE_SLOW = {**RULE, "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1, "CoolDown": 300}}}
LIMITED = {**LIMITS, "MaximumCoreCapacityUnits": 3}
OTHER_CONFIGURATIONS = [{"Classification": "spark-defaults", "Properties": {"a": "2", "bC": "3"}}]
COOL_DOWN = "auto_scaling_policy.rules.up.action.simple_scaling_policy_configuration.cool_down"


@pytest.mark.parametrize(
    ("path", "before", "after", "lines"),
    [
        (
            group(1, "AutoScalingPolicy"),
            None,
            SCALING,
            [
                f"~ instance group CORE: auto_scaling_policy {json.dumps(SCALING, sort_keys=True)}  (PutAutoScalingPolicy)"
            ],
        ),
        (
            ("ManagedScalingPolicy",),
            {"ComputeLimits": LIMITED},
            {"ComputeLimits": {**LIMITS, "MaximumCapacityUnits": 9}},
            [
                "~ managed_scaling_policy.compute_limits.maximum_capacity_units: 4 → 9  (PutManagedScalingPolicy)",
                "~ managed_scaling_policy.compute_limits.maximum_core_capacity_units: 3 → 9  (PutManagedScalingPolicy)",
            ],
        ),
        (
            ("ManagedScalingPolicy",),
            {"ComputeLimits": LIMITS, "ScalingStrategy": "ADVANCED", "UtilizationPerformanceIndex": 50},
            {"ComputeLimits": LIMITS},
            ["~ managed_scaling_policy.scaling_strategy: ADVANCED → DEFAULT  (PutManagedScalingPolicy)"],
        ),
        (
            group(1, "AutoScalingPolicy"),
            {**SCALING, "Rules": [RULE_SLOW]},
            SCALING,
            [f"~ instance group CORE: {COOL_DOWN} 300 → 0  (PutAutoScalingPolicy)"],
        ),
        (
            group(1, "AutoScalingPolicy"),
            SCALING,
            {**SCALING, "Constraints": {"MinCapacity": 1, "MaxCapacity": 9}},
            ["~ instance group CORE: auto_scaling_policy.constraints.max_capacity 5 → 9  (PutAutoScalingPolicy)"],
        ),
        (
            group(1, "Configurations"),
            OTHER_CONFIGURATIONS,
            SPARK,
            [
                "~ instance group CORE: configurations.spark-defaults.properties.a 2 → 1  (ModifyInstanceGroups)",
                "~ instance group CORE: configurations.spark-defaults.properties.bC 3 → (none)  (ModifyInstanceGroups)",
            ],
        ),
        (
            group(1, "Configurations"),
            [*SPARK, {"Classification": "yarn-site", "Properties": {"c": "4"}}],
            SPARK,
            [
                '~ instance group CORE: configurations.yarn-site {"Properties": {"c": "4"}} → (none)  (ModifyInstanceGroups)'
            ],
        ),
    ],
)
def test_what_is_left_out_of_a_policy_goes_back_to_the_default(emr, path, before, after, lines):
    """It is a difference, and the lines of a plan are those of what differs, not of what EMR has filled in."""
    cluster_id = running(emr, changed(G, path, before) if before else G)
    wanted = changed(G, path, after)
    made = planned(wanted, observed(emr, cluster_id))
    assert [line.strip() for line in plans.as_text(made).splitlines() if line.startswith("  ~")] == lines
    apply(made, emr, sleep=lambda _: None)
    assert planned(wanted, observed(emr, cluster_id)).changes == ()


UNITS = {"ComputeLimits": {**LIMITS, "UnitType": "InstanceFleetUnits"}}


@pytest.mark.parametrize(
    ("scaled", "policy", "size", "address", "note"),
    [
        (
            changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": LIMITS}),
            ("ManagedScalingPolicy",),
            group(1, "InstanceCount"),
            "instance group CORE: count",
            "instance group CORE has 2 instances where the spec says 3: managed scaling changes it",
        ),
        (
            changed(G, group(1, "AutoScalingPolicy"), SCALING),
            group(1, "AutoScalingPolicy"),
            group(1, "InstanceCount"),
            "instance group CORE: count",
            "instance group CORE has 2 instances where the spec says 3: its automatic scaling policy changes it",
        ),
        (
            changed(F, ("ManagedScalingPolicy",), UNITS),
            ("ManagedScalingPolicy",),
            fleet(1, "TargetOnDemandCapacity"),
            "instance fleet CORE: target_on_demand_capacity",
            "instance fleet CORE has target_on_demand_capacity 2 where the spec says 3: managed scaling changes it",
        ),
    ],
    ids=["managed scaling of groups", "a group's own policy", "managed scaling of fleets"],
)
def test_a_size_that_a_scaler_moves_is_left_alone_and_told(emr, scaled, policy, size, address, note):
    cluster_id = running(emr, scaled)
    wanted = changed(scaled, size, 3)
    plan = planned(wanted, observed(emr, cluster_id))
    assert (plan.changes, plan.joins) == ((), cluster_id)
    assert plan.notes[0] == note
    gone = planned(changed(wanted, policy, None), observed(emr, cluster_id))
    assert address in {line.address for line in gone.changes}, "the size is the spec's again"


@pytest.mark.parametrize(
    ("scaled", "size"),
    [
        (changed(G, ("ManagedScalingPolicy",), {"ComputeLimits": LIMITS}), group(0, "InstanceCount")),
        (changed(F, ("ManagedScalingPolicy",), UNITS), fleet(0, "TargetOnDemandCapacity")),
    ],
    ids=["groups", "fleets"],
)
def test_no_scaler_moves_the_masters(emr, scaled, size):
    cluster_id = running(emr, scaled)
    assert planned(changed(scaled, size, 3), observed(emr, cluster_id)).replaces == cluster_id


class Refusing:
    """A connection that may not read policies."""

    def __init__(self, emr):
        self._emr = emr

    def __getattr__(self, name):
        return getattr(self._emr, name)

    def call(self, operation, **params):
        if operation.startswith("Get"):
            raise ServiceError(operation, "AccessDeniedException", "you may not")
        return self._emr.call(operation, **params)


@pytest.mark.parametrize(("stated", "operations"), [(True, []), (False, ["ModifyInstanceGroups"])])
def test_a_policy_that_can_not_be_read_is_no_difference(emr, stated, operations):
    """If the spec has managed scaling, it may move the sizes."""
    policies = {"ManagedScalingPolicy": {"ComputeLimits": LIMITS}, "AutoTerminationPolicy": {"IdleTimeout": 600}}
    there = {**G, **policies} if stated else G
    cluster = observed(Refusing(emr), running(emr, there))
    made = planned(changed(there, group(1, "InstanceCount"), 3), cluster)
    assert [call.operation for call in made.calls if call.operation != "AddTags"] == operations


def test_policies_of_other_people_are_left_alone(emr):
    cluster_id = running(emr, G)
    emr.call("PutAutoTerminationPolicy", ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 600})
    emr.call("PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy={"ComputeLimits": LIMITS})
    made = planned(changed(G, group(1, "InstanceCount"), 3), observed(emr, cluster_id))
    assert made.changes == ()
    assert made.notes == ("instance group CORE has 2 instances where the spec says 3: managed scaling changes it",)


def test_an_empty_list_takes_off_the_configurations_that_other_people_set(emr):
    cluster_id = running(emr, G)
    change = {"InstanceGroupId": observed(emr, cluster_id).live.ids[1], "Configurations": SPARK}
    emr.call("ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=[change])
    emr.put_in_state(cluster_id, "WAITING")
    assert planned(G, observed(emr, cluster_id)).changes == ()
    none = changed(G, group(1, "Configurations"), [])
    made = planned(none, observed(emr, cluster_id))
    assert [(one.action, one.address) for one in made.changes] == [
        (Action.DELETE, "instance group CORE: configurations")
    ]
    apply(made, emr, sleep=lambda _: None)
    assert planned(none, observed(emr, cluster_id)).changes == ()


@pytest.mark.parametrize("stated", [[], None], ids=["an empty list", "left out"])
def test_configurations_of_a_fleet_that_emr_keeps_are_told(emr, stated):
    at = fleet(1, "InstanceTypeConfigs", 0, "Configurations")
    configured = changed(F, at, SPARK)
    cluster_id = running(emr, configured)
    made = planned(changed(configured, at, stated), observed(emr, cluster_id))
    assert made.changes == ()
    (note,) = made.notes
    assert note.startswith("instance fleet CORE has configurations of m5.xlarge that the spec does not have: ")


def test_a_policy_that_someone_took_off_is_not_taken_off_again(emr):
    cluster_id = running(emr, changed(G, ("AutoTerminationPolicy",), {"IdleTimeout": 600}))
    emr.call("RemoveAutoTerminationPolicy", ClusterId=cluster_id)
    assert planned(G, observed(emr, cluster_id)).changes == ()


@pytest.mark.parametrize(
    ("base", "path", "operation"),
    [
        (GROUPS, group(1, "InstanceCount"), "ModifyInstanceGroups"),
        (FLEETS, fleet(1, "TargetOnDemandCapacity"), "ModifyInstanceFleet"),
    ],
)
@pytest.mark.parametrize("removed", [None, {}], ids=["left out", "empty"])
def test_sizes_are_the_specs_again_when_the_scaler_goes(emr, base, path, operation, removed):
    """In the same apply: the next plan would find the size that a policy which is gone had left."""
    unit = "InstanceFleetUnits" if base is FLEETS else "Instances"
    scaled = changed(base, ("ManagedScalingPolicy",), {"ComputeLimits": {**LIMITS, "UnitType": unit}})
    cluster_id = running(emr, scaled)
    wanted = changed(changed(scaled, path, 3), ("ManagedScalingPolicy",), removed)
    made = planned(wanted, observed(emr, cluster_id))
    operations = [call.operation for call in made.calls if call.operation != "AddTags"]
    assert operations == ["RemoveManagedScalingPolicy", operation]
    apply(made, emr, sleep=lambda _: None)
    assert planned(wanted, observed(emr, cluster_id)).changes == ()


def test_what_emr_never_shows_is_said_to_be_unknown_without_our_tags(emr):
    wanted = changed(G, ("AdditionalInfo",), "{}")
    cluster_id = running(emr, wanted)
    emr.call("RemoveTags", ResourceId=cluster_id, TagKeys=["flowspec:hidden"])
    plan = planned(wanted, observed(emr, cluster_id))
    assert plan.changes == ()
    assert plan.notes == ("additional_info: EMR never shows it, and the cluster's tags don't say what it was",)


def test_what_emr_never_shows_is_compared_member_by_member(emr):
    both = changed(
        changed(G, ("AdditionalInfo",), "{}"), ("KerberosAttributes",), {"Realm": "R", "KdcAdminPassword": "pw"}
    )
    cluster = observed(emr, running(emr, both))
    assert planned(changed(both, ("AdditionalInfo",), None), cluster).changes == ()
    forced = planned(changed(both, ("AdditionalInfo",), '{"a": 1}'), cluster).changes
    assert [one.address.partition(": ")[2] for one in forced if one.action is Action.REPLACE] == ["additional_info"]
    also = {**both, "AdditionalInfo": "[]", "ReleaseLabel": "emr-7.1.0"}
    forced = [one.address.partition(": ")[2] for one in planned(also, cluster).changes if one.action is Action.REPLACE]
    assert sorted(forced) == ["additional_info", "release_label"]


def test_a_protected_cluster_is_not_replaced(emr):
    there = changed(G, ("Instances", "TerminationProtected"), True)
    cluster = observed(emr, running(emr, there))
    plan = planned({**there, "ReleaseLabel": "emr-7.1.0"}, cluster, replace=True)
    assert (plan.blocked, plan.remedy) == (
        f"cluster {cluster.id} must be replaced, but is protected against termination",
        f"end it first: flowspec destroy {cluster.id} --unprotect",
    )


def test_tags_of_other_people_are_left_alone(emr):
    cluster_id = running(emr, G)
    emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": "owner", "Value": "ann"}])
    assert planned(G, observed(emr, cluster_id)).changes == ()
    apply(planned(changed(G, ("Tags",), []), observed(emr, cluster_id)), emr, sleep=lambda _: None)
    tags = observed(emr, cluster_id).tags
    assert ("owner" in tags, "team" in tags) == (True, False)


@pytest.mark.parametrize("before", [G, changed(G, group(2, "Configurations"), SPARK)], ids=["plain", "configured"])
def test_a_removed_task_group_is_emptied_once_and_taken_again_as_the_spec_says(emr, before):
    cluster_id = running(emr, before)
    less = changed(before, group(2), None)
    apply(planned(less, observed(emr, cluster_id)), emr, sleep=lambda _: None)
    assert planned(less, observed(emr, cluster_id)).changes == ()
    back = planned(G, observed(emr, cluster_id))
    assert [call.operation for call in back.calls if call.operation != "AddTags"] == ["ModifyInstanceGroups"]
    apply(back, emr, sleep=lambda _: None)
    assert "Configurations" not in observed(emr, cluster_id).live.params["Instances"]["InstanceGroups"][2]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, ["RemoveAutoScalingPolicy", "ModifyInstanceGroups"]), (0, ["RemoveAutoScalingPolicy"])],
)
def test_a_removed_task_group_is_not_filled_again_by_its_policy(emr, count, expected):
    scaled = changed(changed(G, group(2, "AutoScalingPolicy"), SCALING), group(2, "InstanceCount"), count)
    cluster_id = running(emr, scaled)
    less = changed(scaled, group(2), None)
    made = planned(less, observed(emr, cluster_id))
    operations = [call.operation for call in made.calls if call.operation != "AddTags"]
    assert operations == expected
    apply(made, emr, sleep=lambda _: None)
    assert planned(less, observed(emr, cluster_id)).changes == ()


@pytest.mark.parametrize(
    ("base", "path"),
    [(G, group(0, "InstanceCount")), (F, fleet(0, "TargetOnDemandCapacity"))],
    ids=["group", "fleet"],
)
def test_three_masters_are_protected_and_kept_by_emr_itself(emr, base, path):
    switches = {"KeepJobFlowAliveWhenNoSteps": False, "TerminationProtected": False}
    wanted = changed(base, path, 3)
    wanted["Instances"] |= switches
    plan = planned(wanted, observed(emr, running(emr, wanted)))
    assert plan.changes == ()
    assert [note.partition(":")[0] for note in plan.notes] == [
        "keep_job_flow_alive_when_no_steps is true",
        "termination_protected is true",
    ]
    stated = changed(wanted, ("Instances",), {**wanted["Instances"], **dict.fromkeys(switches, True)})
    assert planned(stated, observed(emr, plan.joins)).notes == ()


def test_more_groups_than_one_call_takes_are_added_by_two(emr):
    many = [{**TASK, "Name": f"task {number}"} for number in range(7)]
    plan = planned(
        changed(G, ("Instances", "InstanceGroups"), [MASTER, CORE, TASK, *many]), observed(emr, running(emr, G))
    )
    assert [len(call.params["InstanceGroups"]) for call in plan.calls if call.operation == "AddInstanceGroups"] == [
        5,
        2,
    ]


def test_what_keeps_a_cluster_alive_comes_first_and_what_lets_it_end_last(emr):
    cluster_id = running(emr, changed(G, ("Instances", "TerminationProtected"), True))
    after = changed(G, ("Instances", "KeepJobFlowAliveWhenNoSteps"), False)
    after = changed(changed(after, group(1, "InstanceCount"), 5), ("Tags",), [])
    operations = [call.operation for call in planned(after, observed(emr, cluster_id)).calls]
    assert operations == [
        "ModifyInstanceGroups",
        "RemoveTags",
        "AddTags",
        "SetKeepJobFlowAliveWhenNoSteps",
        "SetTerminationProtection",
    ]


SHORTHAND = changed(
    G,
    ("Instances",),
    {"MasterInstanceType": "m5.xlarge", "InstanceCount": 4, "KeepJobFlowAliveWhenNoSteps": True},
)


def test_a_count_in_short_is_that_of_the_core_group(emr):
    cluster_id = running(emr, SHORTHAND)
    assert planned(SHORTHAND, observed(emr, cluster_id)).changes == ()
    plan = planned(changed(SHORTHAND, ("Instances", "InstanceCount"), 10), observed(emr, cluster_id))
    (line,) = plan.changes
    assert (line.address, line.before, line.after) == ("instance group CORE: count", "3", "9")
    assert line.path == ("Instances", "InstanceCount")


def test_a_task_group_of_no_instances_beside_one_with_volumes_is_no_difference(emr):
    bare = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 0}
    wanted = changed(G, ("Instances", "InstanceGroups"), [MASTER, CORE, bare, {**bare, "EbsConfiguration": EBS}])
    cluster_id = running(emr, wanted)
    assert planned(wanted, observed(emr, cluster_id)).changes == ()
    more = changed(wanted, group(3, "InstanceCount"), 2)
    apply(planned(more, observed(emr, cluster_id)), emr, sleep=lambda _: None)
    assert planned(more, observed(emr, cluster_id)).changes == ()
