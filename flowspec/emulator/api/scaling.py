"""Automatic scaling policies and managed scaling.

The emulator has no load metrics, so only the limits of policies take effect: when a cluster becomes ready, and
after every change, a size outside of the limits is set to the nearest limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowspec.emulator.api import request_validation
from flowspec.emulator.api.calls import Call, Operation, Params, require_open
from flowspec.emulator.api.catalogue import vcpus
from flowspec.emulator.errors import not_found, validation
from flowspec.emulator.state import instances
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.ids import cluster_arn
from flowspec.emulator.state.instances import Moment, role
from flowspec.emulator.state.store import Record, Store
from flowspec.facts.limits import MAX_INSTANCES

POLICY_SECONDS = 4.0
"""Time to attach an automatic scaling policy (half PENDING, half ATTACHING) or to detach it."""


def settle(store: Store, cluster: Record, now: float) -> None:
    """Resizes groups and fleets outside of their policies' limits; does nothing unless the cluster is ready."""
    at = instances.moment(cluster, now)
    if not at.serving:
        return
    groups = instances.of_cluster(store, cluster)
    for group in groups:
        _hold_constraints(group, at)
    limits = (cluster.doc["managed_scaling"] or {}).get("ComputeLimits")
    if limits:
        _hold_limits([group for group in groups if role(group) != "MASTER"], limits, at)
    for group in groups:
        store.save(group)


# -- automatic scaling of one group


def policy_of(group: Record, at: Moment) -> Mapping[str, Any] | None:
    """Returns the group's automatic scaling policy as sent, None without one."""
    kept = group.doc["scaling"]
    if kept is None or (kept["removed"] is not None and at.now >= kept["removed"]):
        return None
    policy: Mapping[str, Any] = kept["policy"]
    return policy


def attach(group: Record, policy: Mapping[str, Any], at: Moment) -> None:
    """Sets a group's automatic scaling policy."""
    attached = at.after(POLICY_SECONDS) if at.serving else None
    group.doc["scaling"] = {"policy": policy, "created": at.now, "ready": attached, "removed": None}


def policy_answer(group: Record, at: Moment) -> Answer | None:
    """Returns the policy with EMR's defaults and the cluster's id filled in, None without one."""
    policy = policy_of(group, at)
    if policy is None:
        return None
    return {
        "Status": {"State": _policy_state(group, at), "StateChangeReason": {"Code": "USER_REQUEST", "Message": ""}},
        "Constraints": policy["Constraints"],
        "Rules": [_rule(rule, at.cluster) for rule in policy["Rules"]],
    }


def _policy_state(group: Record, at: Moment) -> str:
    kept = group.doc["scaling"]
    if kept["removed"] is not None:
        return "DETACHING"
    if at.ready(kept) is not None:
        return "ATTACHED"
    ready = kept["ready"]
    return "PENDING" if ready is None or at.now < (kept["created"] + ready) / 2 else "ATTACHING"


def _rule(rule: Mapping[str, Any], cluster: Record) -> Answer:
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


def _hold_constraints(group: Record, at: Moment) -> None:
    if group.kind != "group" or group.doc["scaling"] is None or group.doc["scaling"]["removed"] is not None:
        return
    bounds, count = group.doc["scaling"]["policy"]["Constraints"], group.doc["request"]["InstanceCount"]
    held = min(max(count, bounds["MinCapacity"]), bounds["MaxCapacity"])
    if held != count:
        instances.resize(group, held, at)


def put_auto_scaling_policy(call: Call, params: Params) -> Answer:
    """PutAutoScalingPolicy: sets the policy of a core or task group."""
    cluster, group = _scaled_group(call, params)
    policy = params["AutoScalingPolicy"]
    request_validation.check_scaling_policy(policy, role(group))
    attach(group, policy, instances.moment(cluster, call.now))
    call.store.save(group)
    settle(call.store, cluster, call.now)
    return {
        "ClusterId": cluster.id,
        "InstanceGroupId": group.id,
        "AutoScalingPolicy": policy_answer(group, instances.moment(cluster, call.now)),
        "ClusterArn": cluster_arn(cluster.region, cluster.id),
    }


def remove_auto_scaling_policy(call: Call, params: Params) -> Answer:
    """RemoveAutoScalingPolicy: the policy is DETACHING for some seconds, then gone; no error without one."""
    cluster, group = _scaled_group(call, params)
    at = instances.moment(cluster, call.now)
    if policy_of(group, at) is not None and group.doc["scaling"]["removed"] is None:
        group.doc["scaling"]["removed"] = at.after(POLICY_SECONDS)
        call.store.save(group)
    return {}


def _scaled_group(call: Call, params: Params) -> tuple[Record, Record]:
    cluster = require_open(call.cluster(params["ClusterId"]))
    group = call.store.get("group", params["InstanceGroupId"])
    if group is None or group.cluster_id != cluster.id:
        raise not_found(f"Instance group id '{params['InstanceGroupId']}' is not valid.")
    if role(group) == "MASTER":
        raise validation("An automatic scaling policy may not be attached to the master instance group.")
    return cluster, group


# -- managed scaling of a cluster


@dataclass(frozen=True)
class _Share:
    """A group, or one market of a fleet, as managed scaling resizes it; `size` and `unit` in the policy's UnitType."""

    role: str
    market: str
    size: int
    unit: int
    resize: Callable[[int], None]

    def change(self, units: int) -> None:
        """Resizes by a number of units, a multiple of `unit`."""
        if units:
            self.resize(self.size + units)


def _hold_limits(groups: list[Record], limits: Mapping[str, Any], at: Moment) -> None:
    # Core nodes are added first, task nodes removed first (Management Guide, managed scaling: node allocation).
    shares = sorted(_shares(groups, limits["UnitType"], at), key=lambda share: share.role)
    total = sum(share.size for share in shares)
    if total < limits["MinimumCapacityUnits"]:
        _grow(shares, limits["MinimumCapacityUnits"] - total, limits)
    elif total > limits["MaximumCapacityUnits"]:
        _shrink(shares[::-1], total - limits["MaximumCapacityUnits"])


def _shares(groups: list[Record], unit_type: str, at: Moment) -> Iterator[_Share]:
    for group in groups:
        request = group.doc["request"]
        if group.kind == "fleet":
            for market, target in instances.targets(request).items():
                yield _Share(role(group), market, target, 1, _retargeting(group, market, at))
        else:
            unit = vcpus(request["InstanceType"]) if unit_type == "VCPU" else 1
            size = request["InstanceCount"] * unit
            yield _Share(role(group), request["Market"], size, unit, _resizing(group, unit, at))


def _resizing(group: Record, unit: int, at: Moment) -> Callable[[int], None]:
    return lambda size: instances.resize(group, size // unit, at)


def _retargeting(fleet: Record, market: str, at: Moment) -> Callable[[int], None]:
    return lambda size: instances.retarget(fleet, {market: size}, at)


def _grow(shares: list[_Share], missing: int, limits: Mapping[str, Any]) -> None:
    most = limits["MaximumCapacityUnits"]
    room = most - _size(shares)
    core_room = limits.get("MaximumCoreCapacityUnits", most) - _size(shares, role="CORE")
    on_demand_room = limits.get("MaximumOnDemandCapacityUnits", most) - _size(shares, market="ON_DEMAND")
    for share in shares:
        core, on_demand = share.role == "CORE", share.market == "ON_DEMAND"
        bounds = (
            room,
            core_room if core else room,
            on_demand_room if on_demand else room,
            MAX_INSTANCES * share.unit - share.size,
        )
        steps = max(0, min(math.ceil(missing / share.unit), *(bound // share.unit for bound in bounds)))
        grown = steps * share.unit
        share.change(grown)
        missing -= grown
        room -= grown
        core_room -= grown if core else 0
        on_demand_room -= grown if on_demand else 0


def _size(shares: list[_Share], *, role: str = "", market: str = "") -> int:
    return sum(share.size for share in shares if role in ("", share.role) and market in ("", share.market))


def _shrink(shares: list[_Share], excess: int) -> None:
    core_left = _size(shares, role="CORE")
    for share in shares:
        # HDFS needs one core node, even if the policy's limit is lower.
        spare = min(share.size, core_left - share.unit) if share.role == "CORE" else share.size
        steps = min(math.ceil(max(excess, 0) / share.unit), max(spare, 0) // share.unit)
        removed = steps * share.unit
        share.change(-removed)
        excess -= removed
        core_left -= removed if share.role == "CORE" else 0


OPERATIONS: dict[str, Operation] = {
    "PutAutoScalingPolicy": put_auto_scaling_policy,
    "RemoveAutoScalingPolicy": remove_auto_scaling_policy,
}
