"""Instance groups, fleets and the instances in them. No machine stands behind them: they follow their cluster.

What changes is kept (requests, counts, which instance came and went when); states, timelines, ids and
addresses are derived from that and from the cluster's state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowspec.emulator import admission, ids, lifecycle, releases
from flowspec.emulator.calls import WRONG_STATE_FOR_GROUPS, Answer, Call, Operation, Params, page, require_open, status
from flowspec.emulator.errors import EmrError, invalid_request, validation
from flowspec.emulator.store import Record, Store

_GROUP_STATES = {
    "STARTING": "PROVISIONING",
    "BOOTSTRAPPING": "BOOTSTRAPPING",
    "RUNNING": "RUNNING",
    "WAITING": "RUNNING",
    "TERMINATING": "TERMINATING",
    "TERMINATED": "TERMINATED",
    "TERMINATED_WITH_ERRORS": "TERMINATED",
}
_CLUSTER_GONE = {"Code": "CLUSTER_TERMINATED", "Message": "Job flow terminated"}

# Data volumes of EBS-only types that were given none, by size: (volumes, GiB each) (Management Guide, EMR storage).
_DEFAULT_VOLUMES = {
    "large": (1, 32),
    "xlarge": (2, 32),
    "2xlarge": (4, 32),
    "4xlarge": (4, 64),
    "8xlarge": (4, 128),
    "9xlarge": (4, 144),
    "10xlarge": (4, 160),
    "12xlarge": (4, 192),
    "16xlarge": (4, 256),
    "18xlarge": (4, 288),
    "24xlarge": (4, 384),
}
_EBS_ONLY = re.compile(r"(m4|c4|r4|t\d\w*|[mcr][5-9](?!\w*d)\w*)\.(\w+)")


def add_all(store: Store, cluster: Record, instances: Mapping[str, Any]) -> None:
    """Makes the groups or fleets that a RunJobFlow's `Instances` asks for."""
    for fleet in instances.get("InstanceFleets", ()):
        add_fleet(store, cluster, fleet)
    for group in instances.get("InstanceGroups") or _from_shorthand(instances):
        add_group(store, cluster, group)


def _from_shorthand(instances: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if instances.get("InstanceFleets"):
        return
    master, count = instances["MasterInstanceType"], instances.get("InstanceCount", 1)
    yield {"Name": "Master instance group", "InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}
    if count > 1:
        kind = instances.get("SlaveInstanceType", master)
        yield {"Name": "Core instance group", "InstanceRole": "CORE", "InstanceType": kind, "InstanceCount": count - 1}


def add_group(store: Store, cluster: Record, request: Mapping[str, Any]) -> Record:
    """Makes an instance group as an InstanceGroupConfig asks for it."""
    market = request.get("Market") or ("SPOT" if request.get("BidPrice") else "ON_DEMAND")
    doc = {"request": {**request, "Market": market}, "instances": [], "configurations_version": 0}
    group = Record("group", ids.new_id("ig"), cluster.id, cluster.region, "", cluster.created, doc)
    _grow(group, request["InstanceType"], market, request["InstanceCount"], cluster.created)
    store.add(group)
    return group


def add_fleet(store: Store, cluster: Record, request: Mapping[str, Any]) -> Record:
    """Makes an instance fleet as an InstanceFleetConfig asks for it; its first instance type fills it."""
    fleet = Record(
        "fleet",
        ids.new_id("if"),
        cluster.id,
        cluster.region,
        "",
        cluster.created,
        {"request": dict(request), "instances": []},
    )
    kind: Mapping[str, Any] = next(iter(request.get("InstanceTypeConfigs", ())), {})
    for market, capacity in _targets(request):
        count = math.ceil(capacity / (kind.get("WeightedCapacity") or 1))
        _grow(fleet, kind.get("InstanceType", ""), market, count, cluster.created)
    store.add(fleet)
    return fleet


def _targets(fleet: Mapping[str, Any]) -> tuple[tuple[str, int], tuple[str, int]]:
    return (
        ("ON_DEMAND", fleet.get("TargetOnDemandCapacity", 0)),
        ("SPOT", fleet.get("TargetSpotCapacity", 0)),
    )


def _grow(group: Record, kind: str, market: str, count: int, now: float) -> None:
    first = len(group.doc["instances"])
    group.doc["instances"] += [
        {"number": number, "type": kind, "market": market, "created": now, "ended": None}
        for number in range(first, first + count)
    ]


def _shrink(group: Record, count: int, now: float) -> None:
    for instance in _living(group)[::-1][:count]:
        instance["ended"] = now


def _living(group: Record) -> list[dict[str, Any]]:
    return [instance for instance in group.doc["instances"] if instance["ended"] is None]


def of_cluster(store: Store, cluster: Record) -> list[Record]:
    """The cluster's groups, or its fleets."""
    return store.find("group", cluster_id=cluster.id) or store.find("fleet", cluster_id=cluster.id)


def role(group: Record) -> str:
    """MASTER, CORE or TASK."""
    request = group.doc["request"]
    return str(request.get("InstanceRole") or request["InstanceFleetType"])


MASTER_NUMBER = 0
"""The number of the master node in its group or fleet."""


def master(store: Store, cluster: Record) -> Record:
    """The group or fleet of the master node."""
    return next(group for group in of_cluster(store, cluster) if role(group) == "MASTER")


def list_instance_groups(call: Call, params: Params) -> Answer:
    """ListInstanceGroups. Refused for a cluster with fleets, as on EMR."""
    cluster = call.cluster(params["ClusterId"])
    groups = call.store.find("group", cluster_id=cluster.id)
    if not groups:
        raise _other_kind("instance fleets", "ListInstanceGroups", "instance groups", "ListInstanceFleets")
    shown, more = page([(group.seq, group_answer(group, cluster)) for group in groups], params)
    return {"InstanceGroups": shown, **more}


def list_instance_fleets(call: Call, params: Params) -> Answer:
    """ListInstanceFleets. Refused for a cluster with groups, as on EMR."""
    cluster = call.cluster(params["ClusterId"])
    fleets = call.store.find("fleet", cluster_id=cluster.id)
    if not fleets:
        raise _other_kind("instance groups", "ListInstanceFleets", "instance fleets", "ListInstanceGroups")
    shown, more = page([(fleet.seq, fleet_answer(fleet, cluster)) for fleet in fleets], params)
    return {"InstanceFleets": shown, **more}


def _other_kind(used: str, operation: str, supported: str, instead: str) -> EmrError:
    return invalid_request(
        "Instance fleets and instance groups are mutually exclusive. "
        f"The EMR cluster specified in the request uses {used}. "
        f"The {operation} request supports only clusters that use {supported}. Use the {instead} request instead."
    )


def group_answer(group: Record, cluster: Record) -> Answer:
    """An InstanceGroup as ListInstanceGroups gives it."""
    request, version = group.doc["request"], group.doc["configurations_version"]
    running = len(_living(group)) if cluster.state in lifecycle.READY else 0
    configurations = request.get("Configurations", [])
    answer = {
        "Id": group.id,
        "Market": request["Market"],
        "InstanceGroupType": request["InstanceRole"],
        "InstanceType": request["InstanceType"],
        "RequestedInstanceCount": request["InstanceCount"],
        "RunningInstanceCount": running,
        "Status": _group_status(group, cluster),
        "Configurations": configurations,
        "ConfigurationsVersion": version,
        "LastSuccessfullyAppliedConfigurations": configurations,
        "LastSuccessfullyAppliedConfigurationsVersion": version,
        "EbsBlockDevices": _block_devices(request, cluster),
        "ShrinkPolicy": request.get("ShrinkPolicy", {}),
    }
    answer |= {name: request[name] for name in ("Name", "BidPrice", "CustomAmiId") if name in request}
    if "EbsOptimized" in request.get("EbsConfiguration", {}):
        answer["EbsOptimized"] = request["EbsConfiguration"]["EbsOptimized"]
    if "AutoScalingPolicy" in request:
        answer["AutoScalingPolicy"] = _scaling_answer(request["AutoScalingPolicy"], cluster)
    return answer


def fleet_answer(fleet: Record, cluster: Record) -> Answer:
    """An InstanceFleet as ListInstanceFleets gives it."""
    request = fleet.doc["request"]
    answer = {
        "Id": fleet.id,
        "Status": _group_status(fleet, cluster),
        "InstanceFleetType": request["InstanceFleetType"],
        "TargetOnDemandCapacity": request.get("TargetOnDemandCapacity", 0),
        "TargetSpotCapacity": request.get("TargetSpotCapacity", 0),
        "ProvisionedOnDemandCapacity": _provisioned(fleet, cluster, "ON_DEMAND"),
        "ProvisionedSpotCapacity": _provisioned(fleet, cluster, "SPOT"),
        "InstanceTypeSpecifications": [
            _type_specification(kind, cluster) for kind in request.get("InstanceTypeConfigs", ())
        ],
    }
    echoed = ("Name", "LaunchSpecifications", "ResizeSpecifications", "Context")
    return answer | {name: request[name] for name in echoed if name in request}


def _provisioned(fleet: Record, cluster: Record, market: str) -> int:
    if cluster.state not in lifecycle.READY:
        return 0
    weights = {
        kind["InstanceType"]: kind.get("WeightedCapacity") or 1
        for kind in fleet.doc["request"].get("InstanceTypeConfigs", ())
    }
    return sum(weights.get(instance["type"], 1) for instance in _living(fleet) if instance["market"] == market)


def _type_specification(kind: Mapping[str, Any], cluster: Record) -> Answer:
    echoed = (
        "InstanceType",
        "BidPrice",
        "BidPriceAsPercentageOfOnDemandPrice",
        "Configurations",
        "CustomAmiId",
        "Priority",
    )
    answer = {"WeightedCapacity": kind.get("WeightedCapacity", 1), "EbsBlockDevices": _block_devices(kind, cluster)}
    if "EbsOptimized" in kind.get("EbsConfiguration", {}):
        answer["EbsOptimized"] = kind["EbsConfiguration"]["EbsOptimized"]
    return answer | {name: kind[name] for name in echoed if name in kind}


def _group_status(group: Record, cluster: Record) -> Answer:
    gone = cluster.state in lifecycle.ENDED or cluster.state == "TERMINATING"
    return status(
        _GROUP_STATES[cluster.state],
        _CLUSTER_GONE if gone else {},
        CreationDateTime=group.created,
        ReadyDateTime=_ready(group.created, cluster),
        EndDateTime=cluster.doc["ended"],
    )


def _ready(created: float, cluster: Record) -> float | None:
    ready: float | None = cluster.doc["ready"]
    return None if ready is None else max(created, ready)


def _block_devices(request: Mapping[str, Any], cluster: Record) -> list[Answer]:
    """One entry for each volume of an instance: EMR gives no VolumesPerInstance back, and shows its defaults."""
    configs = request.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs")
    if configs is None:
        configs = _default_volumes(request["InstanceType"], cluster)
    volumes = [config["VolumeSpecification"] for config in configs for _ in range(config.get("VolumesPerInstance", 1))]
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{chr(ord('b') + index)}"}
        for index, volume in enumerate(volumes)
    ]


def _default_volumes(kind: str, cluster: Record) -> Sequence[Mapping[str, Any]]:
    label = cluster.doc["request"].get("ReleaseLabel")
    found = _EBS_ONLY.fullmatch(kind)
    if not found or found[2] not in _DEFAULT_VOLUMES or not releases.at_least(label, 5, 22):
        return ()
    count, size = _DEFAULT_VOLUMES[found[2]]
    volume = "gp3" if releases.at_least(label, 6, 15) else "gp2"
    return ({"VolumeSpecification": {"VolumeType": volume, "SizeInGB": size}, "VolumesPerInstance": count},)


def _scaling_answer(policy: Mapping[str, Any], cluster: Record) -> Answer:
    """An automatic scaling policy with EMR's defaults written out and the cluster's id put in."""
    return {
        "Status": {"State": "ATTACHED", "StateChangeReason": {"Code": "USER_REQUEST", "Message": ""}},
        "Constraints": policy["Constraints"],
        "Rules": [_scaling_rule(rule, cluster) for rule in policy["Rules"]],
    }


def _scaling_rule(rule: Mapping[str, Any], cluster: Record) -> Answer:
    alarm = {
        "EvaluationPeriods": 1,
        "Namespace": "AWS/ElasticMapReduce",
        "Statistic": "AVERAGE",
        "Dimensions": [{"Key": "JobFlowId", "Value": "${emr.clusterId}"}],
        **rule["Trigger"]["CloudWatchAlarmDefinition"],
    }
    alarm["Dimensions"] = [
        {**dimension, "Value": dimension.get("Value", "").replace("${emr.clusterId}", cluster.id)}
        for dimension in alarm["Dimensions"]
    ]
    simple = {"CoolDown": 0, **rule["Action"]["SimpleScalingPolicyConfiguration"]}
    action = {**rule["Action"], "SimpleScalingPolicyConfiguration": simple}
    return {**rule, "Action": action, "Trigger": {"CloudWatchAlarmDefinition": alarm}}


def list_instances(call: Call, params: Params) -> Answer:
    """ListInstances, with all its filters."""
    cluster = call.cluster(params["ClusterId"])
    groups = [group for group in of_cluster(call.store, cluster) if _wanted(group, params)]
    states = params.get("InstanceStates")
    answers = [instance_answer(group, instance, cluster) for group in groups for instance in group.doc["instances"]]
    kept = [answer for answer in answers if not states or answer["Status"]["State"] in states]
    shown, more = page(list(enumerate(kept)), params)
    return {"Instances": shown, **more}


def _wanted(group: Record, params: Params) -> bool:
    roles = {*params.get("InstanceGroupTypes", ())}
    if params.get("InstanceFleetType"):
        roles.add(params["InstanceFleetType"])
    only = params.get("InstanceGroupId") or params.get("InstanceFleetId")
    return (not roles or role(group) in roles) and (not only or group.id == only)


def instance_answer(group: Record, instance: Mapping[str, Any], cluster: Record) -> Answer:
    """An Instance as ListInstances gives it."""
    number = instance["number"]
    address = ids.private_address(group.id, number)
    owner = "InstanceGroupId" if group.kind == "group" else "InstanceFleetId"
    devices = _block_devices(_request_of(group, instance["type"]), cluster)
    return {
        "Id": ids.instance_id(group.id, number),
        "Ec2InstanceId": ids.ec2_instance_id(group.id, number),
        "PublicDnsName": "",
        "PrivateDnsName": ids.private_dns_name(address, cluster.region),
        "PrivateIpAddress": address,
        "Status": _instance_status(instance, cluster),
        owner: group.id,
        "Market": instance["market"],
        "InstanceType": instance["type"],
        "EbsVolumes": [
            {"Device": device["Device"], "VolumeId": ids.volume_id(group.id, number, device["Device"])}
            for device in devices
        ],
    }


def _request_of(group: Record, kind: str) -> Mapping[str, Any]:
    request: Mapping[str, Any] = group.doc["request"]
    if group.kind == "group":
        return request
    configs: Sequence[Mapping[str, Any]] = request.get("InstanceTypeConfigs", ())
    return next((config for config in configs if config["InstanceType"] == kind), {"InstanceType": kind})


def _instance_status(instance: Mapping[str, Any], cluster: Record) -> Answer:
    left, cluster_gone = instance["ended"] is not None, cluster.state in lifecycle.ENDED
    state = _GROUP_STATES[cluster.state]
    return status(
        # An instance has no TERMINATING: it runs until it is gone.
        "TERMINATED" if left or cluster_gone else "RUNNING" if state == "TERMINATING" else state,
        _CLUSTER_GONE if cluster_gone and not left else {},
        CreationDateTime=instance["created"],
        ReadyDateTime=_ready(instance["created"], cluster),
        EndDateTime=instance["ended"] if left else cluster.doc["ended"],
    )


def add_instance_groups(call: Call, params: Params) -> Answer:
    """AddInstanceGroups: task groups, on a running or waiting cluster."""
    cluster = _resizable(call.job_flow(params["JobFlowId"]))
    present = call.store.find("group", cluster_id=cluster.id)
    if not present:
        raise validation("Instance groups may not be added to a cluster that uses instance fleets.")
    for request in params["InstanceGroups"]:
        if request["InstanceRole"] != "TASK":
            raise validation("Only task instance groups may be added to a running job flow.")
        admission.check_group(request)
    if "CORE" not in map(role, present):
        raise validation("Task instance groups need a core instance group.")
    added = [add_group(call.store, cluster, request).id for request in params["InstanceGroups"]]
    return {
        "JobFlowId": cluster.id,
        "InstanceGroupIds": added,
        "ClusterArn": ids.cluster_arn(cluster.region, cluster.id),
    }


def modify_instance_groups(call: Call, params: Params) -> Answer:
    """ModifyInstanceGroups: counts and configurations, all or none."""
    for change in params.get("InstanceGroups", ()):
        group = call.store.get("group", change["InstanceGroupId"])
        if group is None or params.get("ClusterId") not in (None, group.cluster_id):
            raise invalid_request(f"Instance group id '{change['InstanceGroupId']}' is not valid.")
        _resizable(call.cluster(group.cluster_id))
        _modify(group, change, call.now)
        call.store.save(group)
    return {}


def _resizable(cluster: Record) -> Record:
    require_open(cluster)
    if cluster.state not in lifecycle.READY:
        raise validation(WRONG_STATE_FOR_GROUPS)
    return cluster


def _modify(group: Record, change: Mapping[str, Any], now: float) -> None:
    request = group.doc["request"]
    if "ShrinkPolicy" in change:
        request["ShrinkPolicy"] = change["ShrinkPolicy"]
    if "Configurations" in change:
        merging = change.get("ReconfigurationType") == "MERGE"
        kept = request.get("Configurations", []) if merging else []
        request["Configurations"] = _merged(kept, change["Configurations"])
        group.doc["configurations_version"] += 1
    for ec2_id in change.get("EC2InstanceIdsToTerminate", ()):
        _remove(group, ec2_id, now)
    if "InstanceCount" in change:
        _resize(group, change["InstanceCount"], now)


def _merged(kept: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Answer]:
    merged = {config["Classification"]: dict(config) for config in kept}
    for config in new:
        old = merged.get(config["Classification"], {})
        properties = {**old.get("Properties", {}), **config.get("Properties", {})}
        merged[config["Classification"]] = {**old, **config, "Properties": properties}
    return list(merged.values())


def _resize(group: Record, count: int, now: float) -> None:
    request, living = group.doc["request"], _living(group)
    if role(group) == "MASTER" and count != request["InstanceCount"]:
        raise validation("The instance count of the master instance group may not be changed.")
    if count < (0 if role(group) == "TASK" else 1):
        raise validation("Instance count must be greater than 0.")
    if count > len(living):
        _grow(group, request["InstanceType"], request["Market"], count - len(living), now)
    else:
        _shrink(group, len(living) - count, now)
    request["InstanceCount"] = count


def _remove(group: Record, ec2_id: str, now: float) -> None:
    for instance in _living(group):
        if ids.ec2_instance_id(group.id, instance["number"]) == ec2_id:
            instance["ended"] = now
            group.doc["request"]["InstanceCount"] -= 1
            return
    raise validation(f"Instance '{ec2_id}' is not in instance group '{group.id}'.")


OPERATIONS: dict[str, Operation] = {
    "AddInstanceGroups": add_instance_groups,
    "ListInstanceFleets": list_instance_fleets,
    "ListInstanceGroups": list_instance_groups,
    "ListInstances": list_instances,
    "ModifyInstanceGroups": modify_instance_groups,
}
