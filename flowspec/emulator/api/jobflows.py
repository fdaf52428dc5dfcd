"""DescribeJobFlows: deprecated by AWS, but still called by users of boto 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.emulator.api import clusters, groups
from flowspec.emulator.api.calls import Answer, Call, Operation, Params, epoch
from flowspec.emulator.api.catalogue import applications_of
from flowspec.emulator.api.errors import validation
from flowspec.emulator.state import ids, instances
from flowspec.emulator.state.instances import Moment
from flowspec.emulator.state.store import Record
from flowspec.facts import states

_MOST = 512
"""Job flows in one answer (API reference, DescribeJobFlows)."""

_RECENT_SECONDS, _KNOWN_SECONDS = 14 * 86400.0, 61 * 86400.0
"""Without parameters: all of the last two weeks, and active ones of the last two months (API reference)."""

_ECHOED = ("LogEncryptionKmsKeyId", "AmiVersion", "JobFlowRole", "ServiceRole", "AutoScalingRole", "ScaleDownBehavior")
_OLD_STEP_STATES = {"CANCEL_PENDING": "RUNNING"}
"""States of StepExecutionState for states that were added to the API later."""


def describe_job_flows(call: Call, params: Params) -> Answer:
    """DescribeJobFlows, newest first."""
    after, before = epoch(params.get("CreatedAfter")), epoch(params.get("CreatedBefore"))
    if after is not None and before is not None and after >= before:
        raise validation("CreatedAfter must be earlier than CreatedBefore.")
    if params.get("JobFlowIds"):
        found = call.job_flows(params["JobFlowIds"])
    else:
        found = call.store.find("cluster", region=call.region, created_after=after, created_before=before)
    if not params:
        found = [cluster for cluster in found if _recent(cluster, call.now)]
    states = params.get("JobFlowStates")
    wanted = [cluster for cluster in found if not states or _state(cluster) in states]
    newest = sorted(wanted, key=lambda cluster: -cluster.seq)[:_MOST]
    return {"JobFlows": [_job_flow(call, instances.moment(cluster, call.now)) for cluster in newest]}


def _recent(cluster: Record, now: float) -> bool:
    age = now - cluster.created
    return age <= _RECENT_SECONDS or (cluster.state in states.ALIVE and age <= _KNOWN_SECONDS)


def _state(cluster: Record) -> str:
    if cluster.state == "TERMINATED" and cluster.doc["reason"].get("Code") == "ALL_STEPS_COMPLETED":
        return "COMPLETED"
    return {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}.get(cluster.state, cluster.state)


def _job_flow(call: Call, at: Moment) -> Answer:
    cluster, request = at.cluster, at.cluster.doc["request"]
    listed = call.store.find("step", cluster_id=cluster.id)
    started = [step.doc["started"] for step in listed if step.doc["started"] is not None]
    log_uri = clusters.log_uri(request.get("LogUri"))
    return {
        "JobFlowId": cluster.id,
        "Name": request["Name"],
        **({"LogUri": log_uri} if log_uri else {}),
        **{name: request[name] for name in _ECHOED if name in request},
        "ExecutionStatusDetail": _execution(
            _state(cluster),
            cluster.doc["reason"].get("Message", ""),
            CreationDateTime=cluster.created,
            StartDateTime=min(started, default=cluster.doc["ready"]),
            ReadyDateTime=cluster.doc["ready"],
            EndDateTime=cluster.doc["ended"],
        ),
        "Instances": _instances(call, at),
        "Steps": [_step(step) for step in listed],
        "BootstrapActions": [{"BootstrapActionConfig": action} for action in request.get("BootstrapActions", ())],
        "SupportedProducts": request.get("SupportedProducts", []),
        "VisibleToAllUsers": cluster.doc["visible"],
    }


def _execution(state: str, reason: str, **times: float | None) -> Answer:
    last = {"LastStateChangeReason": reason} if reason else {}
    return {"State": state, **last, **{name: time for name, time in times.items() if time is not None}}


def _instances(call: Call, at: Moment) -> Answer:
    cluster = at.cluster
    there = instances.of_cluster(call.store, cluster)
    master = instances.master(call.store, cluster)
    types = {instances.role(group): _type(group) for group in there}
    placement = clusters.ec2_attributes(cluster.doc["request"], cluster.region)
    return {
        "MasterInstanceType": types["MASTER"],
        "MasterPublicDnsName": clusters.master_dns(call, cluster),
        "MasterInstanceId": ids.ec2_instance_id(master.id, instances.MASTER_NUMBER),
        "SlaveInstanceType": types.get("CORE", types["MASTER"]),
        "InstanceCount": sum(len(instances.staying(group)) for group in there),
        "InstanceGroups": [_group(group, at) for group in there if group.kind == "group"],
        "NormalizedInstanceHours": 0,
        **{name: placement[name] for name in ("Ec2KeyName", "Ec2SubnetId") if name in placement},
        "Placement": {"AvailabilityZone": placement["Ec2AvailabilityZone"]},
        "KeepJobFlowAliveWhenNoSteps": cluster.doc["keep_alive"],
        "TerminationProtected": cluster.doc["protected"],
        "UnhealthyNodeReplacement": cluster.doc["unhealthy_replacement"],
        **_hadoop_version(cluster.doc["request"]),
    }


def _hadoop_version(request: Mapping[str, Any]) -> Answer:
    version = request["Instances"].get("HadoopVersion") or applications_of(request.get("ReleaseLabel", "")).get(
        "Hadoop"
    )
    return {"HadoopVersion": version} if version else {}


def _type(group: Record) -> str:
    return next((str(instance["type"]) for instance in group.doc["instances"]), "")


def _group(group: Record, at: Moment) -> Answer:
    now = groups.group_answer(group, at)
    echoed: Answer = {name: now[name] for name in ("Name", "BidPrice", "CustomAmiId") if name in now}
    status = now["Status"]
    times = dict(status["Timeline"])
    if status["State"] != "PROVISIONING":
        # Requested and started are the same moment here; EMR has the latter once the instances exist.
        times["StartDateTime"] = times["CreationDateTime"]
    reason = status["StateChangeReason"].get("Message", "")
    return {
        "InstanceGroupId": group.id,
        **echoed,
        "Market": now["Market"],
        "InstanceRole": now["InstanceGroupType"],
        "InstanceType": now["InstanceType"],
        "InstanceRequestCount": now["RequestedInstanceCount"],
        "InstanceRunningCount": now["RunningInstanceCount"],
        **_execution(status["State"], reason, **times),
    }


def _step(step: Record) -> Answer:
    config = {"Name": step.doc["name"], "ActionOnFailure": step.doc["action"], "HadoopJarStep": step.doc["jar"]}
    detail = _execution(
        _OLD_STEP_STATES.get(step.state, step.state),
        step.doc["failure"].get("Message", ""),
        CreationDateTime=step.created,
        StartDateTime=step.doc["started"],
        EndDateTime=step.doc["ended"],
    )
    return {"StepConfig": config, "ExecutionStatusDetail": detail}


OPERATIONS: dict[str, Operation] = {"DescribeJobFlows": describe_job_flows}
