"""Operations on instance groups and fleets: create, list, add and modify.

The request of a group is stored; its state is computed from its instances (`state.instances`) and the times of
changes. Policies may change sizes, too (`state.capacity`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flowspec.emulator.api import request_validation, scaling
from flowspec.emulator.api.calls import Call, Operation, Params, page, require_open
from flowspec.emulator.errors import EmrError, invalid_request, not_found, validation
from flowspec.emulator.state import capacity, ids, instances
from flowspec.emulator.state.answers import Answer, status
from flowspec.emulator.state.instances import Moment, role
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.state.volumes import volumes_answer
from flowspec.facts import states
from flowspec.facts.limits import LISTED_DAYS, MAX_LISTED
from flowspec.facts.rules.releases import NOT_RECONFIGURED, reconfigures

_DEFAULT_TYPE = "m5.xlarge"
"""Type of the master of a request without instances: the first one in the EMR Management Guide's tutorial."""


# -- creation


def add_all(store: Store, cluster: Record, wanted: Mapping[str, Any]) -> None:
    """Creates the groups or fleets of a RunJobFlow's `Instances`."""
    at = instances.moment(cluster, cluster.created)
    for fleet in wanted.get("InstanceFleets", ()):
        add_fleet(store, fleet, at)
    for group in wanted.get("InstanceGroups") or _from_shorthand(wanted):
        add_group(store, group, at)


def _from_shorthand(wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if wanted.get("InstanceFleets"):
        return
    # Without the account rules (`backend: local`) a request may lack instance types.
    master, count = wanted.get("MasterInstanceType", _DEFAULT_TYPE), wanted.get("InstanceCount", 1)
    yield {"Name": "Master instance group", "InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}
    if count > 1:
        kind = wanted.get("SlaveInstanceType", master)
        yield {"Name": "Core instance group", "InstanceRole": "CORE", "InstanceType": kind, "InstanceCount": count - 1}


def add_group(store: Store, request: Mapping[str, Any], at: Moment) -> Record:
    """Creates an instance group from an InstanceGroupConfig."""
    market = request.get("Market") or ("SPOT" if request.get("BidPrice") else "ON_DEMAND")
    group = _new_record("group", "ig", {**request, "Market": market}, at)
    instances.resize(group, request["InstanceCount"], at)
    if "AutoScalingPolicy" in request:
        scaling.attach(group, request["AutoScalingPolicy"], at)
    store.add(group)
    return group


def add_fleet(store: Store, request: Mapping[str, Any], at: Moment) -> Record:
    """Creates an instance fleet from an InstanceFleetConfig."""
    fleet = _new_record("fleet", "if", dict(request), at)
    instances.resize_fleet(fleet, instances.targets(request), at)
    store.add(fleet)
    return fleet


def _new_record(kind: str, prefix: str, request: dict[str, Any], at: Moment) -> Record:
    doc: dict[str, Any] = {
        "request": request,
        "ready": at.after_if_serving(instances.LAUNCH_SECONDS),
        "instances": [],
        "scaling": None,
        "version": 0,
        "applied": {"version": 0, "configurations": request.get("Configurations", [])},
        "reconfigured": 0.0,
    }
    return Record(kind, ids.new_id(prefix), at.cluster.id, at.cluster.region, "", at.now, doc)


# -- listing


def list_instance_groups(call: Call, params: Params) -> Answer:
    """Answers ListInstanceGroups. Refused for a cluster with fleets, as on EMR."""
    return _list(call, params, "group", group_answer)


def list_instance_fleets(call: Call, params: Params) -> Answer:
    """Answers ListInstanceFleets. Refused for a cluster with groups, as on EMR."""
    return _list(call, params, "fleet", fleet_answer)


def _list(call: Call, params: Params, kind: str, answer: Callable[[Record, Moment], Answer]) -> Answer:
    at = instances.moment(call.cluster(params["ClusterId"]), call.now)
    found = call.store.find(kind, cluster_id=at.cluster.id)
    if not found:
        raise _other_kind(kind, "fleet" if kind == "group" else "group")
    shown, more = page([(one.seq, answer(one, at)) for one in found], params)
    return {f"Instance{kind.title()}s": shown, **more}


def _other_kind(asked: str, used: str) -> EmrError:
    # Words and code as in turbot/steampipe-plugin-aws#1222; no code is known for a cluster with groups.
    return invalid_request(
        "Instance fleets and instance groups are mutually exclusive. "
        f"The EMR cluster specified in the request uses instance {used}s. "
        f"The ListInstance{asked.title()}s operation does not support clusters that use instance {used}s. "
        f"Use the ListInstance{used.title()}s operation instead.",
        "API_DOES_NOT_SUPPORT_INSTANCE_FLEET_CLUSTERS" if used == "fleet" else "",
    )


def group_answer(group: Record, at: Moment) -> Answer:
    """Returns a group as in ListInstanceGroups."""
    request, applied = group.doc["request"], _applied_configurations(group, at)
    answer = {
        "Id": group.id,
        "Market": request["Market"],
        "InstanceGroupType": request["InstanceRole"],
        "InstanceType": request["InstanceType"],
        "RequestedInstanceCount": request["InstanceCount"],
        "RunningInstanceCount": len(instances.running(group, at)),
        "Status": _status(group, at),
        "Configurations": request.get("Configurations", []),
        "ConfigurationsVersion": group.doc["version"],
        "LastSuccessfullyAppliedConfigurations": applied["configurations"],
        "LastSuccessfullyAppliedConfigurationsVersion": applied["version"],
        "ShrinkPolicy": request.get("ShrinkPolicy", {}),
        **volumes_answer(request, at.cluster),
    }
    policy = scaling.policy_answer(group, at)
    scaled = {"AutoScalingPolicy": policy} if policy else {}
    return answer | scaled | {name: request[name] for name in ("Name", "BidPrice", "CustomAmiId") if name in request}


def fleet_answer(fleet: Record, at: Moment) -> Answer:
    """Returns a fleet as in ListInstanceFleets."""
    request, running = fleet.doc["request"], instances.running(fleet, at)
    answer = {
        "Id": fleet.id,
        "Status": _status(fleet, at),
        "InstanceFleetType": request["InstanceFleetType"],
        "TargetOnDemandCapacity": request.get("TargetOnDemandCapacity", 0),
        "TargetSpotCapacity": request.get("TargetSpotCapacity", 0),
        "ProvisionedOnDemandCapacity": instances.capacity(fleet, "ON_DEMAND", running),
        "ProvisionedSpotCapacity": instances.capacity(fleet, "SPOT", running),
        "InstanceTypeSpecifications": [
            _type_specification(kind, at.cluster) for kind in request.get("InstanceTypeConfigs", ())
        ],
    }
    echoed = ("Name", "LaunchSpecifications", "ResizeSpecifications", "Context")
    return answer | {name: request[name] for name in echoed if name in request}


def _type_specification(kind: Mapping[str, Any], cluster: Record) -> Answer:
    echoed = (
        "InstanceType",
        "BidPrice",
        "BidPriceAsPercentageOfOnDemandPrice",
        "Configurations",
        "CustomAmiId",
        "Priority",
    )
    # The default bid is shown, of a master on demand, too (AWS CLI reference, list-instance-fleets; mrjob).
    bid = {} if "BidPrice" in kind else {"BidPriceAsPercentageOfOnDemandPrice": 100.0}
    answer = {"WeightedCapacity": kind.get("WeightedCapacity", 1), **bid, **volumes_answer(kind, cluster)}
    return answer | {name: kind[name] for name in echoed if name in kind}


def _status(group: Record, at: Moment) -> Answer:
    return status(
        _state(group, at),
        {} if at.cluster.state in states.OPEN else instances.CLUSTER_GONE,
        CreationDateTime=group.created,
        ReadyDateTime=at.ready({"ready": group.doc["ready"], "created": group.created}),
        EndDateTime=at.cluster.doc["ended"],
    )


def _state(group: Record, at: Moment) -> str:
    if not at.serving:
        return states.OF_CLUSTER[at.cluster.state]
    if group.doc["ready"] is not None and not at.is_over(group.doc["ready"]):
        return "PROVISIONING" if at.now < (group.created + group.doc["ready"]) / 2 else "BOOTSTRAPPING"
    if instances.settled_at(group, at):
        return "RESIZING"
    return "RUNNING" if at.is_over(group.doc["reconfigured"]) else "RECONFIGURING"


def _applied_configurations(group: Record, at: Moment) -> Mapping[str, Any]:
    """Returns the version and configurations that all instances have applied."""
    if not at.is_over(group.doc["reconfigured"]):
        before: Mapping[str, Any] = group.doc["applied"]
        return before
    return {"version": group.doc["version"], "configurations": group.doc["request"].get("Configurations", [])}


def list_instances(call: Call, params: Params) -> Answer:
    """Answers ListInstances, with all its filters."""
    at = instances.moment(call.cluster(params["ClusterId"]), call.now)
    groups = [group for group in instances.of_cluster(call.store, at.cluster) if _matches_filters(group, params)]
    answers = [
        (group.seq << 32 | one["number"], instances.answer(group, one, at))
        for group in groups
        for one in group.doc["instances"]
    ]
    wanted = params.get("InstanceStates")
    kept = [numbered for numbered in answers if _is_listed(numbered[1]["Status"], wanted, call.now)]
    shown, more = page(kept[:MAX_LISTED], params)
    return {"Instances": shown, **more}


def _is_listed(shown: Mapping[str, Any], wanted: Sequence[str] | None, now: float) -> bool:
    recent = now - shown["Timeline"].get("EndDateTime", now) <= LISTED_DAYS * 86400.0
    return recent and (not wanted or shown["State"] in wanted)


def _matches_filters(group: Record, params: Params) -> bool:
    roles = {*params.get("InstanceGroupTypes", ())}
    if params.get("InstanceFleetType"):
        roles.add(params["InstanceFleetType"])
    only = params.get("InstanceGroupId") or params.get("InstanceFleetId")
    return (not roles or role(group) in roles) and (not only or group.id == only)


# -- additions and changes


def add_instance_groups(call: Call, params: Params) -> Answer:
    """Answers AddInstanceGroups: adds task groups to a running or waiting cluster."""
    at = _require_changeable(call, call.job_flow(params["JobFlowId"]), "group")
    present = call.store.find("group", cluster_id=at.cluster.id)
    if not present:
        raise validation("Instance groups may not be added to a cluster that uses instance fleets.")
    request_validation.check_added_groups(params["InstanceGroups"], [role(group) for group in present])
    added = [add_group(call.store, request, at).id for request in params["InstanceGroups"]]
    capacity.settle(call.store, at.cluster, call.now)
    return {
        "JobFlowId": at.cluster.id,
        "InstanceGroupIds": added,
        "ClusterArn": ids.cluster_arn(at.cluster.region, at.cluster.id),
    }


def add_instance_fleet(call: Call, params: Params) -> Answer:
    """Answers AddInstanceFleet: adds the task fleet to a running or waiting cluster."""
    at = _require_changeable(call, call.cluster(params["ClusterId"]), "fleet")
    present = call.store.find("fleet", cluster_id=at.cluster.id)
    if not present:
        raise invalid_request("Instance fleets may not be added to a cluster that uses instance groups.")
    request_validation.check_added_fleet(params["InstanceFleet"], [role(fleet) for fleet in present])
    added = add_fleet(call.store, params["InstanceFleet"], at).id
    capacity.settle(call.store, at.cluster, call.now)
    return {
        "ClusterId": at.cluster.id,
        "InstanceFleetId": added,
        "ClusterArn": ids.cluster_arn(at.cluster.region, at.cluster.id),
    }


def _require_changeable(call: Call, cluster: Record, kind: str) -> Moment:
    require_open(cluster)
    if cluster.state not in states.READY:
        text = f"An instance {kind} may only be modified when the cluster is running or waiting"
        raise validation(text) if kind == "group" else invalid_request(text)
    return instances.moment(cluster, call.now)


def modify_instance_groups(call: Call, params: Params) -> Answer:
    """Answers ModifyInstanceGroups: changes counts and configurations, all or none."""
    if "ClusterId" in params:
        call.cluster(params["ClusterId"])
    for change in params.get("InstanceGroups", ()):
        group = call.store.get("group", change["InstanceGroupId"])
        if group is None or params.get("ClusterId") not in (None, group.cluster_id):
            raise not_found(f"Instance group id '{change['InstanceGroupId']}' is not valid.")
        at = _require_changeable(call, call.cluster(group.cluster_id), "group")
        _modify_group(group, change, at)
        call.store.save(group)
        capacity.settle(call.store, at.cluster, call.now)
    return {}


def _modify_group(group: Record, change: Mapping[str, Any], at: Moment) -> None:
    request = group.doc["request"]
    if "ShrinkPolicy" in change:
        request["ShrinkPolicy"] = change["ShrinkPolicy"]
    gone = set(change.get("EC2InstanceIdsToTerminate", ()))
    request_validation.check_new_count(role(group), request["InstanceCount"] - len(gone), request["InstanceCount"])
    for ec2_id in gone:
        instances.remove(group, ec2_id, at)
    if "InstanceCount" in change:
        request_validation.check_new_count(role(group), change["InstanceCount"], request["InstanceCount"])
        instances.resize(group, change["InstanceCount"], at, change.get("ShrinkPolicy", {}).get("InstanceResizePolicy"))
    if "Configurations" in change:
        _require_reconfiguring(at.cluster, change["Configurations"])
        merging = change.get("ReconfigurationType") == "MERGE"
        kept = request.get("Configurations", []) if merging else []
        _reconfigure(group, at)
        request["Configurations"] = _merge_configurations(kept, change["Configurations"])


def _require_reconfiguring(cluster: Record, configurations: Sequence[Mapping[str, Any]]) -> None:
    if not reconfigures(cluster.doc["request"], configurations):
        raise validation(NOT_RECONFIGURED)


def _reconfigure(group: Record, at: Moment) -> None:
    """Starts a reconfiguration, after any resize in progress (Management Guide, "Scale on demand")."""
    group.doc["applied"] = dict(_applied_configurations(group, at))
    begins = max(at.now, instances.settled_at(group, at))
    group.doc["reconfigured"] = begins - at.now + at.after(instances.RECONFIGURE_SECONDS)
    group.doc["version"] += 1


def _merge_configurations(kept: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Answer]:
    merged = {config.get("Classification"): dict(config) for config in kept}
    for config in new:
        old = merged.get(config.get("Classification"), {})
        properties = {**old.get("Properties", {}), **config.get("Properties", {})}
        merged[config.get("Classification")] = {**old, **config, "Properties": properties}
    return list(merged.values())


def modify_instance_fleet(call: Call, params: Params) -> Answer:
    """Answers ModifyInstanceFleet: changes targets, resize specifications and configurations."""
    change = params["InstanceFleet"]
    at = _require_changeable(call, call.cluster(params["ClusterId"]), "fleet")
    fleet = call.store.get("fleet", change["InstanceFleetId"])
    if fleet is None or fleet.cluster_id != at.cluster.id:
        raise not_found(f"Instance fleet id '{change['InstanceFleetId']}' is not valid.")
    request_validation.check_fleet_change(change, role(fleet), fleet.doc["request"])
    fleet.doc["request"] |= {name: change[name] for name in ("ResizeSpecifications", "Context") if name in change}
    instances.resize_fleet(
        fleet, {market: change[name] for market, name in instances.TARGETS.items() if name in change}, at
    )
    if "InstanceTypeConfigs" in change:
        kinds = change["InstanceTypeConfigs"]
        _require_reconfiguring(at.cluster, [one for kind in kinds for one in kind.get("Configurations", ())])
        _reconfigure(fleet, at)
        fleet.doc["request"]["InstanceTypeConfigs"] = [
            _with_kept_configurations(kind, fleet.doc["request"]) for kind in kinds
        ]
    call.store.save(fleet)
    capacity.settle(call.store, at.cluster, call.now)
    return {}


def _with_kept_configurations(kind: Mapping[str, Any], request: Mapping[str, Any]) -> Answer:
    # Types with empty configurations keep theirs (Management Guide, reconfiguring fleets).
    kept: Mapping[str, Any] = next(
        (old for old in request["InstanceTypeConfigs"] if old["InstanceType"] == kind["InstanceType"]),
        {},
    )
    return {**kind, "Configurations": kind.get("Configurations") or kept.get("Configurations", [])}


OPERATIONS: dict[str, Operation] = {
    "AddInstanceFleet": add_instance_fleet,
    "AddInstanceGroups": add_instance_groups,
    "ListInstanceFleets": list_instance_fleets,
    "ListInstanceGroups": list_instance_groups,
    "ListInstances": list_instances,
    "ModifyInstanceFleet": modify_instance_fleet,
    "ModifyInstanceGroups": modify_instance_groups,
}
