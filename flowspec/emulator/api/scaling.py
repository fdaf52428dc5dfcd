"""Operations on the automatic scaling policies of groups; `state.capacity` applies their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.emulator.api import request_validation
from flowspec.emulator.api.calls import Call, Operation, Params, require_open
from flowspec.emulator.errors import not_found, validation
from flowspec.emulator.state import capacity, instances
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.ids import cluster_arn
from flowspec.emulator.state.instances import Moment, role
from flowspec.emulator.state.store import Record
from flowspec.facts.limits import ALARM_DEFAULTS, COOL_DOWN_DEFAULT
from flowspec.facts.rules.cluster import MASTER_DOES_NOT_SCALE

POLICY_SECONDS = 4.0
"""Time to attach an automatic scaling policy (half PENDING, half ATTACHING) or to detach it."""


def policy_of(group: Record, at: Moment) -> Mapping[str, Any] | None:
    """Returns the group's automatic scaling policy as sent, None without one."""
    kept = group.doc["scaling"]
    if kept is None or (kept["removed"] is not None and at.is_over(kept["removed"])):
        return None
    policy: Mapping[str, Any] = kept["policy"]
    return policy


def attach(group: Record, policy: Mapping[str, Any], at: Moment) -> None:
    """Sets a group's automatic scaling policy."""
    ready = at.after_if_serving(POLICY_SECONDS)
    group.doc["scaling"] = {"policy": policy, "created": at.now, "ready": ready, "removed": None}


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
        **ALARM_DEFAULTS,
        "Dimensions": [{"Key": "JobFlowId", "Value": "${emr.clusterId}"}],
        **rule["Trigger"]["CloudWatchAlarmDefinition"],
    }
    alarm["Dimensions"] = [
        {**dimension, "Value": dimension.get("Value", "").replace("${emr.clusterId}", cluster.id)}
        for dimension in alarm["Dimensions"]
    ]
    simple = {**COOL_DOWN_DEFAULT, **rule["Action"]["SimpleScalingPolicyConfiguration"]}
    action = {**rule["Action"], "SimpleScalingPolicyConfiguration": simple}
    return {**rule, "Action": action, "Trigger": {"CloudWatchAlarmDefinition": alarm}}


def put_auto_scaling_policy(call: Call, params: Params) -> Answer:
    """Answers PutAutoScalingPolicy: sets the policy of a core or task group."""
    cluster, group = _scaled_group(call, params)
    policy = params["AutoScalingPolicy"]
    request_validation.check_scaling_policy(policy, role(group))
    attach(group, policy, instances.moment(cluster, call.now))
    call.store.save(group)
    capacity.settle(call.store, cluster, call.now)
    return {
        "ClusterId": cluster.id,
        "InstanceGroupId": group.id,
        "AutoScalingPolicy": policy_answer(group, instances.moment(cluster, call.now)),
        "ClusterArn": cluster_arn(cluster.region, cluster.id),
    }


def remove_auto_scaling_policy(call: Call, params: Params) -> Answer:
    """Answers RemoveAutoScalingPolicy: it is DETACHING for some seconds, then gone; no error without a policy."""
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
        raise validation(MASTER_DOES_NOT_SCALE)
    return cluster, group


OPERATIONS: dict[str, Operation] = {
    "PutAutoScalingPolicy": put_auto_scaling_policy,
    "RemoveAutoScalingPolicy": remove_auto_scaling_policy,
}
