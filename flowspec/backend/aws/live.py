"""Reconstructs the RunJobFlow request that would create a cluster as it is now.

EMR's answers spell some values differently from requests. This module restores the form of a request, so that a plan
can compare the two directly; each function names the difference and its source. What EMR never returns is missing
from the result: `flowspec.facts.mutability` has the list (UNREADABLE).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.errors import FlowspecError
from flowspec.facts.api_model import RETURNED_OF_INSTANCES, Json
from flowspec.plan.cluster import Live
from flowspec.plan.comparison.forms import without_added_dimension

# Members of DescribeCluster's Cluster that are spelled as in RunJobFlow.
_SAME = (
    "Name",
    "LogEncryptionKmsKeyId",
    "ReleaseLabel",
    "SecurityConfiguration",
    "ScaleDownBehavior",
    "CustomAmiId",
    "EbsRootVolumeSize",
    "EbsRootVolumeIops",
    "EbsRootVolumeThroughput",
    "RepoUpgradeOnBoot",
    "OSReleaseLabel",
    "StepConcurrencyLevel",
    "VisibleToAllUsers",
    "ExtendedSupport",
    "MonitoringConfiguration",
    "SessionEnabled",
)
_SAME_OF_A_GROUP = ("Name", "Market", "BidPrice", "InstanceType", "CustomAmiId")
_SAME_OF_A_FLEET = ("Name", "TargetOnDemandCapacity", "TargetSpotCapacity", "Context")
_SAME_OF_A_TYPE = (
    "InstanceType",
    "WeightedCapacity",
    "BidPrice",
    "BidPriceAsPercentageOfOnDemandPrice",
    "CustomAmiId",
    "Priority",
)


def read_live(emr: Emr, raw: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Live:
    """Reads back the request that would have made a cluster.

    `raw` is DescribeCluster's Cluster, `steps` are StepSummaries, oldest first. Sends ListInstanceGroups or
    ListInstanceFleets, ListBootstrapActions, GetManagedScalingPolicy and GetAutoTerminationPolicy. Raises ServiceError
    when one of the lists is refused; a policy that can't be read (an older endpoint, no permission) is named in
    `Live.unread`.
    """
    cluster_id = raw["Id"]
    fleets = raw.get("InstanceCollectionType") == "INSTANCE_FLEET"
    kind = "InstanceFleets" if fleets else "InstanceGroups"
    found = list(emr.pages(f"List{kind}", kind, ClusterId=cluster_id))
    policies, unread = _policies(emr, cluster_id)
    actions = emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster_id)
    params = {
        **_cluster(raw),
        "Instances": {**_instances(raw), kind: list(map(_fleet if fleets else _group, found))},
        **policies,
        "BootstrapActions": [_bootstrap_action(one) for one in actions],
        "Steps": [step_config(step) for step in steps],
    }
    return Live(
        _drop_empty_members(params), tuple(one["Id"] for one in found), tuple(map(_state, found)), frozenset(unread)
    )


# An empty text is a value of a property and of a tag.
_KEPT = frozenset({"Properties", "Value"})


def _drop_empty_members(value: Any) -> Any:
    """Drops members that are null or empty: EMR also returns such members for settings that nobody asked for."""
    if isinstance(value, Mapping):
        kept = {key: item if key in _KEPT else _drop_empty_members(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, [], {}, "") or key == "Value"}
    if isinstance(value, list):
        return [_drop_empty_members(item) for item in value]
    return value


def _cluster(raw: Mapping[str, Any]) -> Json:
    return {
        **{name: raw[name] for name in _SAME if name in raw},
        "LogUri": s3_uri(raw.get("LogUri", "")),
        # The requested version, not the running one: RunningAmiVersion may be later.
        "AmiVersion": raw.get("RequestedAmiVersion"),
        "Applications": [{"Name": one["Name"]} for one in raw.get("Applications", ()) if one.get("Name")],
        "Configurations": raw.get("Configurations"),
        "JobFlowRole": raw.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile"),
        "ServiceRole": raw.get("ServiceRole"),
        "AutoScalingRole": raw.get("AutoScalingRole"),
        "Tags": [{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in raw.get("Tags", ())],
        "KerberosAttributes": {"Realm": raw.get("KerberosAttributes", {}).get("Realm")},
        "PlacementGroupConfigs": raw.get("PlacementGroups"),
    }


def s3_uri(uri: str) -> str:
    """Returns a log URI as people write it.

    EMR gives s3://b/p back as s3n://b/p/ (terraform-provider-aws pull 1374).
    """
    scheme, separator, rest = uri.partition("://")
    return f"s3://{rest}" if separator and scheme in {"s3n", "s3a"} else uri


def _instances(raw: Mapping[str, Any]) -> Json:
    nodes = raw.get("Ec2InstanceAttributes", {})
    asked = nodes.get("RequestedEc2SubnetIds")
    zones = nodes.get("RequestedEc2AvailabilityZones") or [one for one in (nodes.get("Ec2AvailabilityZone"),) if one]
    return {
        **{name: nodes[name] for name in RETURNED_OF_INSTANCES if name in nodes},
        # AutoTerminate is the inverse of what was sent.
        "KeepJobFlowAliveWhenNoSteps": not raw.get("AutoTerminate", True),
        "TerminationProtected": raw.get("TerminationProtected", False),
        "UnhealthyNodeReplacement": raw.get("UnhealthyNodeReplacement"),
        "Ec2SubnetIds": asked or [one for one in (nodes.get("Ec2SubnetId"),) if one],
        # A request gives a subnet or a zone. Where it gave a zone or neither, EMR shows the subnet that it chose.
        "Placement": {"AvailabilityZones": [] if asked else zones},
    }


def _state(raw: Mapping[str, Any]) -> str:
    return str(raw.get("Status", {}).get("State", ""))


def _group(raw: Mapping[str, Any]) -> Json:
    return {
        **{name: raw[name] for name in _SAME_OF_A_GROUP if name in raw},
        "InstanceRole": raw.get("InstanceGroupType"),
        # The requested count, not the running one: a resize may be in progress.
        "InstanceCount": raw.get("RequestedInstanceCount", 0),
        "Configurations": raw.get("Configurations"),
        "EbsConfiguration": _ebs(raw),
        "AutoScalingPolicy": _scaling_policy(raw.get("AutoScalingPolicy")),
    }


def _ebs(raw: Mapping[str, Any]) -> Json:
    """Counts equal volumes of EbsBlockDevices, which lists each, to have VolumesPerInstance, as Terraform does."""
    volumes = [device.get("VolumeSpecification", {}) for device in raw.get("EbsBlockDevices", ())]
    counted = Counter(tuple(sorted(volume.items())) for volume in volumes)
    return {
        "EbsOptimized": raw.get("EbsOptimized"),
        "EbsBlockDeviceConfigs": [
            {"VolumeSpecification": dict(volume), "VolumesPerInstance": count} for volume, count in counted.items()
        ],
    }


def _scaling_policy(raw: Mapping[str, Any] | None) -> Json:
    # EMR still lists a removed policy for up to a minute (terraform-provider-aws, instance_group.go).
    if not raw or raw.get("Status", {}).get("State") in {"DETACHING", "DETACHED"}:
        return {}
    return {
        "Constraints": raw.get("Constraints"),
        "Rules": [without_added_dimension(rule) for rule in raw.get("Rules", ())],
    }


def _fleet(raw: Mapping[str, Any]) -> Json:
    return {
        **{name: raw[name] for name in _SAME_OF_A_FLEET if name in raw},
        "InstanceFleetType": raw.get("InstanceFleetType"),
        "InstanceTypeConfigs": [_type_config(one) for one in raw.get("InstanceTypeSpecifications", ())],
        "LaunchSpecifications": _lower_allocation_strategy(raw.get("LaunchSpecifications")),
        "ResizeSpecifications": _lower_allocation_strategy(raw.get("ResizeSpecifications")),
    }


def _type_config(raw: Mapping[str, Any]) -> Json:
    return {
        **{name: raw[name] for name in _SAME_OF_A_TYPE if name in raw},
        "Configurations": raw.get("Configurations"),
        "EbsConfiguration": _ebs(raw),
    }


def _lower_allocation_strategy(value: Any) -> Any:
    """Spells AllocationStrategy in lower case with hyphens.

    It may come back in upper case with underscores (terraform-provider-aws lowers it, too).
    """
    if not isinstance(value, Mapping):
        return value
    return {
        key: item.lower().replace("_", "-")
        if key == "AllocationStrategy" and isinstance(item, str)
        else _lower_allocation_strategy(item)
        for key, item in value.items()
    }


def _bootstrap_action(raw: Mapping[str, Any]) -> Json:
    script = {"Path": raw.get("ScriptPath"), "Args": raw.get("Args")}
    return {"Name": raw.get("Name"), "ScriptBootstrapAction": script}


def step_config(raw: Mapping[str, Any]) -> Json:
    """Returns a StepSummary as the StepConfig that it came from.

    Properties are a map on read, a list of pairs on write.
    """
    config = raw.get("Config", {})
    pairs = [{"Key": key, "Value": value} for key, value in config.get("Properties", {}).items()]
    logs = {"LogUri": raw.get("LogUri"), "EncryptionKeyArn": raw.get("EncryptionKeyArn")}
    step = {
        "Name": raw.get("Name"),
        "ActionOnFailure": raw.get("ActionOnFailure"),
        "HadoopJarStep": {
            "Jar": config.get("Jar"),
            "MainClass": config.get("MainClass"),
            "Args": config.get("Args"),
            "Properties": pairs,
        },
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": logs},
    }
    stated: Json = _drop_empty_members(step)
    return stated


def _policies(emr: Emr, cluster_id: str) -> tuple[Json, list[str]]:
    found, unread = {}, []
    for member in ("ManagedScalingPolicy", "AutoTerminationPolicy"):
        try:
            found[member] = emr.call(f"Get{member}", ClusterId=cluster_id).get(member)
        # "Unknown operation" of an older endpoint, no permission, or a cluster that is ending: the policy can't be
        # read, which is not an error.
        except FlowspecError:
            unread.append(member)
    return found, unread
