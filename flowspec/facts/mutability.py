"""The members of RunJobFlow that can be changed on a running cluster, each with its operation.

A row tells, for one member, how a difference between a spec and its cluster is handled. The sources are the API
reference ("API": the parameters of each Modify, Put, Set and Add operation) and the Management Guide ("guide"). Two
tools make the same decision: the AWS provider of Terraform ("Terraform") and CloudFormation's resource specification
("CloudFormation").
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Handling(str, Enum):
    """The way a difference in a member is handled."""

    IN_PLACE = "in place"
    """Changed on the running cluster by the row's operation."""

    REPLACE = "replace"
    """Fixed when the cluster was made: only a new cluster can have the new value."""

    APPEND = "append"
    """Added to, never changed: steps."""

    UNREADABLE = "unreadable"
    """EMR never returns the value: it is compared by the digest in the cluster's tags, and can't be changed, as with
    REPLACE."""

    IGNORED = "ignored"
    """The member has no effect on EMR today, so a difference is not a change."""


class Row(NamedTuple):
    """One member. `operation` is the EMR operation that changes it ("" where none does), `undo` the one that removes
    it; `source` says how it is known.
    """

    member: str
    handling: Handling
    source: str
    operation: str = ""
    undo: str = ""


def _replace(source: str, *members: str) -> tuple[Row, ...]:
    return tuple(Row(member, Handling.REPLACE, source) for member in members)


def _in_place(member: str, source: str, operation: str, undo: str = "") -> Row:
    return Row(member, Handling.IN_PLACE, source, operation, undo)


_BOTH = "no operation changes it; Terraform: ForceNew; CloudFormation: Replacement"

# Members of a RunJobFlow request. Those of `Instances` are written with their parent, those of groups and fleets
# with the role where it matters: MASTER, CORE, TASK, or "*" for all.
ROWS: tuple[Row, ...] = (
    *_replace(
        _BOTH,
        "Name",
        "LogUri",
        "LogEncryptionKmsKeyId",
        "ReleaseLabel",
        "Applications",
        "Configurations",
        "BootstrapActions",
        "JobFlowRole",
        "ServiceRole",
        "AutoScalingRole",
        "SecurityConfiguration",
        "ScaleDownBehavior",
        "CustomAmiId",
        "EbsRootVolumeSize",
        "PlacementGroupConfigs",
        "Instances.Ec2KeyName",
        "Instances.Ec2SubnetId",
        "Instances.Ec2SubnetIds",
        "Instances.Placement",
        "Instances.EmrManagedMasterSecurityGroup",
        "Instances.EmrManagedSlaveSecurityGroup",
        "Instances.ServiceAccessSecurityGroup",
        "Instances.AdditionalMasterSecurityGroups",
        "Instances.AdditionalSlaveSecurityGroups",
    ),
    *_replace(
        "no operation changes it (API); Terraform has no such attribute",
        "AmiVersion",
        "EbsRootVolumeIops",
        "EbsRootVolumeThroughput",
        "RepoUpgradeOnBoot",
        "OSReleaseLabel",
        "MonitoringConfiguration",
        "SessionEnabled",
    ),
    Row("KerberosAttributes", Handling.REPLACE, f"{_BOTH}; DescribeCluster gives only Realm back"),
    Row("AdditionalInfo", Handling.UNREADABLE, "in no answer of the API; Terraform: ForceNew, never read"),
    Row("SupportedProducts", Handling.UNREADABLE, "only the deprecated DescribeJobFlows gives it back"),
    Row("NewSupportedProducts", Handling.UNREADABLE, "in no answer of the API"),
    Row("Instances.HadoopVersion", Handling.UNREADABLE, "only the deprecated DescribeJobFlows gives it back"),
    Row("StepExecutionRoleArn", Handling.APPEND, "belongs to the steps of one request (API: AddJobFlowSteps)"),
    Row("Steps", Handling.APPEND, "API: AddJobFlowSteps, CancelSteps", "AddJobFlowSteps", "CancelSteps"),
    Row("VisibleToAllUsers", Handling.IGNORED, "API: SetVisibleToAllUsers has no effect any more"),
    Row("ExtendedSupport", Handling.IGNORED, "API: reserved"),
    _in_place("Tags", "API; Terraform: in place", "AddTags", "RemoveTags"),
    _in_place("StepConcurrencyLevel", "API; Terraform: in place", "ModifyCluster"),
    _in_place(
        "ManagedScalingPolicy",
        "API: Put overwrites; Terraform: a resource of its own",
        "PutManagedScalingPolicy",
        "RemoveManagedScalingPolicy",
    ),
    _in_place(
        "AutoTerminationPolicy",
        "API; Terraform: in place",
        "PutAutoTerminationPolicy",
        "RemoveAutoTerminationPolicy",
    ),
    _in_place(
        "Instances.KeepJobFlowAliveWhenNoSteps",
        "API and guide, for running clusters; Terraform and CloudFormation replace",
        "SetKeepJobFlowAliveWhenNoSteps",
    ),
    _in_place("Instances.TerminationProtected", "API; Terraform: in place", "SetTerminationProtection"),
    _in_place("Instances.UnhealthyNodeReplacement", "API; Terraform: in place", "SetUnhealthyNodeReplacement"),
    # Groups.
    *_replace(
        "no operation changes a master group but for its configurations; Terraform: ForceNew",
        "Instances.InstanceGroups[MASTER].InstanceCount",
    ),
    *_replace(
        "not in ModifyInstanceGroups; Terraform: ForceNew. Of a task group: a new group is added, the old one emptied",
        "Instances.InstanceGroups[*].Name",
        "Instances.InstanceGroups[*].InstanceType",
        "Instances.InstanceGroups[*].Market",
        "Instances.InstanceGroups[*].BidPrice",
        "Instances.InstanceGroups[*].EbsConfiguration",
        "Instances.InstanceGroups[*].CustomAmiId",
    ),
    _in_place("Instances.InstanceGroups[*].InstanceCount", "API; Terraform: in place", "ModifyInstanceGroups"),
    _in_place(
        "Instances.InstanceGroups[*].Configurations",
        "API and guide, see `reconfigures` (an empty list clears them); Terraform: in place for task groups",
        "ModifyInstanceGroups",
        "ModifyInstanceGroups",
    ),
    _in_place(
        "Instances.InstanceGroups[*].AutoScalingPolicy",
        "API; Terraform: in place",
        "PutAutoScalingPolicy",
        "RemoveAutoScalingPolicy",
    ),
    _in_place(
        "Instances.InstanceGroups[TASK]",
        "API: groups are added; none is deleted, so one that is gone from the spec is set to 0 instances",
        "AddInstanceGroups",
        "ModifyInstanceGroups",
    ),
    *_replace("a core group can neither be added nor removed (guide)", "Instances.InstanceGroups[CORE]"),
    *_replace("a cluster has one master group for its life (guide)", "Instances.InstanceGroups[MASTER]"),
    # Fleets.
    *_replace("a master fleet is fixed (guide)", "Instances.InstanceFleets[MASTER]"),
    *_replace("a core fleet can neither be added nor removed (guide)", "Instances.InstanceFleets[CORE]"),
    *_replace(
        "the guide promises only reconfiguration; Terraform: ForceNew",
        "Instances.InstanceFleets[*].Name",
        "Instances.InstanceFleets[*].InstanceTypeConfigs",
        "Instances.InstanceFleets[*].LaunchSpecifications",
        "Instances.InstanceFleets[MASTER].TargetOnDemandCapacity",
        "Instances.InstanceFleets[MASTER].TargetSpotCapacity",
    ),
    _in_place(
        "Instances.InstanceFleets[*].TargetOnDemandCapacity",
        "API; CloudFormation: no interruption; Terraform replaces for a core fleet",
        "ModifyInstanceFleet",
    ),
    _in_place(
        "Instances.InstanceFleets[*].TargetSpotCapacity",
        "API; CloudFormation: no interruption; Terraform replaces for a core fleet",
        "ModifyInstanceFleet",
    ),
    _in_place("Instances.InstanceFleets[*].ResizeSpecifications", "API", "ModifyInstanceFleet"),
    _in_place("Instances.InstanceFleets[*].Context", "API", "ModifyInstanceFleet"),
    _in_place(
        "Instances.InstanceFleets[*].InstanceTypeConfigs.Configurations",
        "guide, see `reconfigures`: every type with every member is sent",
        "ModifyInstanceFleet",
    ),
    _in_place(
        "Instances.InstanceFleets[TASK]",
        "API: one may be added; none is deleted, so one that is gone from the spec gets targets of 0",
        "AddInstanceFleet",
        "ModifyInstanceFleet",
    ),
)

_BY_MEMBER = {row.member: row for row in ROWS}


def row_of(member: str, role: str = "") -> Row:
    """Returns the row of a member, such as "ReleaseLabel", or "Instances.InstanceGroups[].InstanceCount" with a role.

    The role's own row wins over that of all roles. A member that the table lacks (a newer API's) is REPLACE: a new
    cluster certainly gets it.
    """
    for brackets in (f"[{role}]", "[*]"):
        found = _BY_MEMBER.get(member.replace("[]", brackets))
        if found:
            return found
    return Row(member, Handling.REPLACE, "unknown to this version: only a new cluster is certain to have it")


def operations() -> frozenset[str]:
    """Returns all operations that change a running cluster in place."""
    return frozenset(name for row in ROWS for name in (row.operation, row.undo) if name)
