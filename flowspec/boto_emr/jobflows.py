"""DescribeJobFlows out of today's calls, for an endpoint or an SDK that no longer has it.

The members are those of botocore's JobFlowDetail, the old states those of the Developer Guide of then: a
cluster that ended because its steps were through is COMPLETED, one that ended with errors FAILED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, TypeAlias

from flowspec.backend.aws.client import Emr
from flowspec.facts.states import OPEN

_Answer: TypeAlias = "dict[str, Any]"

_MOST = 512
"""Job flows in one answer (API reference, DescribeJobFlows)."""

_RECENT, _KNOWN = timedelta(days=14), timedelta(days=61)
"""Without parameters: all of the last two weeks, and those of two months that are alive (API reference)."""

_STATES_NOW = {"SHUTTING_DOWN": "TERMINATING", "COMPLETED": "TERMINATED", "FAILED": "TERMINATED_WITH_ERRORS"}
_STATES_THEN = {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}


def describe_job_flows(emr: Emr, params: Mapping[str, Any]) -> _Answer:
    """What DescribeJobFlows would answer to `params`, newest first. Raises ServiceError as the calls it makes."""
    wanted = params.get("JobFlowStates")
    found = (_job_flow(emr, cluster_id) for cluster_id in _ids(emr, params))
    kept = (flow for flow in found if not wanted or flow["ExecutionStatusDetail"]["State"] in wanted)
    return {"JobFlows": list(islice(kept, _MOST))}


def _ids(emr: Emr, params: Mapping[str, Any]) -> Iterator[str]:
    if params.get("JobFlowIds"):
        yield from params["JobFlowIds"]
        return
    now = datetime.now(timezone.utc)
    query = {name: params[name] for name in ("CreatedAfter", "CreatedBefore") if name in params}
    if params.get("JobFlowStates"):
        query["ClusterStates"] = sorted({_STATES_NOW.get(state, state) for state in params["JobFlowStates"]})
    for summary in emr.pages("ListClusters", "Clusters", **(query or {"CreatedAfter": now - _KNOWN})):
        status = summary["Status"]
        if query or status["State"] in OPEN or now - status["Timeline"]["CreationDateTime"] <= _RECENT:
            yield summary["Id"]


def _job_flow(emr: Emr, cluster_id: str) -> _Answer:
    cluster = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"]
    # ListSteps gives the newest first, DescribeJobFlows the oldest.
    steps = [_step(one) for one in emr.pages("ListSteps", "Steps", ClusterId=cluster_id)][::-1]
    begun = [time for step in steps if (time := step["ExecutionStatusDetail"].get("StartDateTime"))]
    status = cluster["Status"]
    timeline = status.get("Timeline", {})
    started = min(begun, default=timeline.get("ReadyDateTime"))
    return {
        "JobFlowId": cluster["Id"],
        "AmiVersion": cluster.get("RunningAmiVersion") or cluster.get("RequestedAmiVersion"),
        **_copied(cluster, "Name", "LogUri", "ServiceRole", "VisibleToAllUsers"),
        "JobFlowRole": cluster.get("Ec2InstanceAttributes", {}).get("IamInstanceProfile"),
        "ExecutionStatusDetail": {
            **_execution(_state(status), status),
            **({"StartDateTime": started} if started else {}),
        },
        "Instances": _instances(emr, cluster),
        "Steps": steps,
        "BootstrapActions": [
            _bootstrap_action(one)
            for one in emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster_id)
        ],
        "SupportedProducts": [],
    }


def _copied(members: Mapping[str, Any], *names: str) -> _Answer:
    return {name: members[name] for name in names if name in members}


def _state(status: Mapping[str, Any]) -> str:
    state: str = status["State"]
    if state == "TERMINATED" and status.get("StateChangeReason", {}).get("Code") == "ALL_STEPS_COMPLETED":
        return "COMPLETED"
    return _STATES_THEN.get(state, state)


def _execution(state: str, status: Mapping[str, Any], reason: str = "") -> _Answer:
    told = reason or status.get("StateChangeReason", {}).get("Message", "")
    return {"State": state, **({"LastStateChangeReason": told} if told else {}), **status.get("Timeline", {})}


def _step(step: Mapping[str, Any]) -> _Answer:
    config, status = step["Config"], step["Status"]
    properties = [{"Key": key, "Value": value} for key, value in config.get("Properties", {}).items()]
    state = "RUNNING" if status["State"] == "CANCEL_PENDING" else status["State"]
    return {
        "StepConfig": {
            **_copied(step, "Name", "ActionOnFailure"),
            "HadoopJarStep": {**_copied(config, "Jar", "MainClass", "Args"), "Properties": properties},
        },
        "ExecutionStatusDetail": _execution(state, status, status.get("FailureDetails", {}).get("Message", "")),
    }


def _bootstrap_action(action: Mapping[str, Any]) -> _Answer:
    script = {"Path": action["ScriptPath"], "Args": action.get("Args", [])}
    return {"BootstrapActionConfig": {"Name": action["Name"], "ScriptBootstrapAction": script}}


def _instances(emr: Emr, cluster: Mapping[str, Any]) -> _Answer:
    where = cluster.get("Ec2InstanceAttributes", {})
    fleets = cluster.get("InstanceCollectionType") == "INSTANCE_FLEET"
    groups = (
        []
        if fleets
        else [_group(one) for one in emr.pages("ListInstanceGroups", "InstanceGroups", ClusterId=cluster["Id"])]
    )
    types = {group["InstanceRole"]: group["InstanceType"] for group in groups}
    hadoop = [
        one["Version"]
        for one in cluster.get("Applications", ())
        if one.get("Name", "").lower() == "hadoop" and "Version" in one
    ]
    return {
        **({"MasterInstanceType": types["MASTER"]} if types else {}),
        **({"SlaveInstanceType": types.get("CORE", types["MASTER"])} if types else {}),
        "InstanceCount": sum(group["InstanceRequestCount"] for group in groups),
        **_copied(cluster, "MasterPublicDnsName", "NormalizedInstanceHours", "TerminationProtected"),
        "MasterInstanceId": _master(emr, cluster["Id"], fleets=fleets),
        "InstanceGroups": groups,
        **_copied(where, "Ec2KeyName", "Ec2SubnetId"),
        "Placement": {"AvailabilityZone": where.get("Ec2AvailabilityZone")},
        "KeepJobFlowAliveWhenNoSteps": not cluster.get("AutoTerminate", False),
        **({"HadoopVersion": hadoop[0]} if hadoop else {}),
    }


def _master(emr: Emr, cluster_id: str, *, fleets: bool) -> str | None:
    role: _Answer = {"InstanceFleetType": "MASTER"} if fleets else {"InstanceGroupTypes": ["MASTER"]}
    listed = emr.pages("ListInstances", "Instances", ClusterId=cluster_id, **role)
    return next((one.get("Ec2InstanceId") for one in listed), None)


def _group(group: Mapping[str, Any]) -> _Answer:
    status = group["Status"]
    created = status.get("Timeline", {}).get("CreationDateTime")
    # DescribeJobFlows has a start once the instances exist; today's calls have no such moment.
    start = {} if created is None or status["State"] == "PROVISIONING" else {"StartDateTime": created}
    return {
        "InstanceGroupId": group["Id"],
        "InstanceRole": group["InstanceGroupType"],
        "InstanceRequestCount": group["RequestedInstanceCount"],
        "InstanceRunningCount": group["RunningInstanceCount"],
        **_copied(group, "Name", "Market", "BidPrice", "InstanceType"),
        **_execution(status["State"], status),
        **start,
    }
