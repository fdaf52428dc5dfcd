"""DescribeJobFlows' answer from the answers of the calls that replaced it.

The members are those of botocore's JobFlowDetail. The states are those of the Developer Guide of 2009: a cluster
that ended because its steps were over is COMPLETED, one that ended with errors FAILED. Times stay as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from flowspec.facts.api_model import ROLES

_Answer: TypeAlias = "dict[str, Any]"
_Members: TypeAlias = "Mapping[str, Any]"

MAX_JOB_FLOWS = 512
"""Job flows in one answer (API reference, DescribeJobFlows)."""

RECENT_SECONDS, KNOWN_SECONDS = 14 * 86400.0, 61 * 86400.0
"""Without parameters: all of the last two weeks, and those of two months that are alive (API reference)."""

STATES_NOW = {"SHUTTING_DOWN": "TERMINATING", "COMPLETED": "TERMINATED", "FAILED": "TERMINATED_WITH_ERRORS"}
"""Cluster states by the job flow states that DescribeJobFlows had."""

_JOB_FLOW_STATES = {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}
_JOB_FLOW_STEP_STATES = {"CANCEL_PENDING": "RUNNING"}


def job_flow_state(state: str, reason: _Members) -> str:
    """Returns the job flow state for a cluster's state and StateChangeReason."""
    if state == "TERMINATED" and reason.get("Code") == "ALL_STEPS_COMPLETED":
        return "COMPLETED"
    return _JOB_FLOW_STATES.get(state, state)


def job_flow(cluster: _Members, list_items: Callable[..., Iterable[_Members]]) -> _Answer:
    """Builds the JobFlowDetail of DescribeCluster's Cluster.

    `list_items` reads all pages of a List operation, given its name, the member with its items and its parameters.
    """

    def items(member: str, **only: object) -> list[_Members]:
        return list(list_items(f"List{member}", member, ClusterId=cluster["Id"], **only))

    # ListSteps gives the newest first, DescribeJobFlows the oldest.
    step_details = [_step(step) for step in reversed(items("Steps"))]
    actions = [_bootstrap_action(action) for action in items("BootstrapActions")]
    status = cluster["Status"]
    start_times = [time for step in step_details if (time := step["ExecutionStatusDetail"].get("StartDateTime"))]
    started = min(start_times, default=status.get("Timeline", {}).get("ReadyDateTime"))
    ami = cluster.get("RunningAmiVersion") or cluster.get("RequestedAmiVersion")
    profile = cluster.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile")
    return {
        "JobFlowId": cluster["Id"],
        **_copy_members(cluster, "Name", "LogUri", "LogEncryptionKmsKeyId", "ServiceRole", "AutoScalingRole"),
        **_copy_members(cluster, "ScaleDownBehavior", "VisibleToAllUsers"),
        **({"AmiVersion": ami} if ami else {}),
        **({"JobFlowRole": profile} if profile else {}),
        "ExecutionStatusDetail": {
            **_execution_status(job_flow_state(status["State"], status.get("StateChangeReason", {})), status),
            **({"StartDateTime": started} if started else {}),
        },
        "Instances": _instances(cluster, items),
        "Steps": step_details,
        "BootstrapActions": actions,
        "SupportedProducts": [],
    }


def _copy_members(members: _Members, *names: str) -> _Answer:
    return {name: members[name] for name in names if name in members}


def _execution_status(state: str, status: _Members) -> _Answer:
    reason = status.get("FailureDetails", {}).get("Message") or status.get("StateChangeReason", {}).get("Message", "")
    return {"State": state, **({"LastStateChangeReason": reason} if reason else {}), **status.get("Timeline", {})}


def _step(step: _Members) -> _Answer:
    config, status = step["Config"], step["Status"]
    properties = [{"Key": key, "Value": value} for key, value in config.get("Properties", {}).items()]
    return {
        "StepConfig": {
            **_copy_members(step, "Name", "ActionOnFailure"),
            "HadoopJarStep": {**_copy_members(config, "Jar", "MainClass", "Args"), "Properties": properties},
        },
        "ExecutionStatusDetail": _execution_status(_JOB_FLOW_STEP_STATES.get(status["State"], status["State"]), status),
    }


def _bootstrap_action(action: _Members) -> _Answer:
    script = {"Path": action["ScriptPath"], "Args": action.get("Args", [])}
    return {"BootstrapActionConfig": {"Name": action["Name"], "ScriptBootstrapAction": script}}


def _instances(cluster: _Members, items: Callable[..., list[_Members]]) -> _Answer:
    # A cluster of fleets has no groups: the nodes of all its roles tell its types and its size.
    if cluster.get("InstanceCollectionType") == "INSTANCE_FLEET":
        groups = []
        nodes = {role: items("Instances", InstanceFleetType=role) for role in ROLES}
    else:
        groups = items("InstanceGroups")
        nodes = {"MASTER": items("Instances", InstanceGroupTypes=["MASTER"])}
    where = cluster.get("Ec2InstanceAttributes", {})
    types = {role: listed[0].get("InstanceType") for role, listed in nodes.items() if listed}
    types |= {group["InstanceGroupType"]: group["InstanceType"] for group in groups}
    master = types.get("MASTER")
    slave = types.get("CORE") or master
    count = sum(group["RequestedInstanceCount"] for group in groups) or sum(map(_count_alive, nodes.values()))
    hadoop = [
        one["Version"]
        for one in cluster.get("Applications", ())
        if one.get("Name", "").lower() == "hadoop" and "Version" in one
    ]
    return {
        **({"MasterInstanceType": master, "SlaveInstanceType": slave} if master else {}),
        "InstanceCount": count,
        **_copy_members(cluster, "MasterPublicDnsName", "NormalizedInstanceHours"),
        **_copy_members(cluster, "TerminationProtected", "UnhealthyNodeReplacement"),
        "MasterInstanceId": next((one.get("Ec2InstanceId") for one in nodes.get("MASTER", ())), None),
        "InstanceGroups": [_group(group) for group in groups],
        **_copy_members(where, "Ec2KeyName", "Ec2SubnetId"),
        "Placement": {"AvailabilityZone": where.get("Ec2AvailabilityZone")},
        "KeepJobFlowAliveWhenNoSteps": not cluster.get("AutoTerminate", False),
        **({"HadoopVersion": hadoop[0]} if hadoop else {}),
    }


def _count_alive(nodes: Sequence[_Members]) -> int:
    return sum("EndDateTime" not in node["Status"].get("Timeline", {}) for node in nodes)


def _group(group: _Members) -> _Answer:
    status = group["Status"]
    created = status.get("Timeline", {}).get("CreationDateTime")
    # DescribeJobFlows has a start once the instances exist; today's calls have no such moment.
    start = {} if created is None or status["State"] == "PROVISIONING" else {"StartDateTime": created}
    return {
        "InstanceGroupId": group["Id"],
        "InstanceRole": group["InstanceGroupType"],
        "InstanceRequestCount": group["RequestedInstanceCount"],
        "InstanceRunningCount": group["RunningInstanceCount"],
        **_copy_members(group, "Name", "Market", "BidPrice", "InstanceType", "CustomAmiId"),
        **_execution_status(status["State"], status),
        **start,
    }
