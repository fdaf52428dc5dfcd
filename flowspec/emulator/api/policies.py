"""Operations on cluster policies: managed scaling and auto-termination.

The worker applies auto-termination, `state.capacity` managed scaling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowspec.emulator.api.calls import Call, Operation, Params, require_open
from flowspec.emulator.api.request_validation import check_auto_termination, check_managed_scaling
from flowspec.emulator.state import capacity, lifecycle
from flowspec.emulator.state.answers import Answer

_Check = Callable[[Mapping[str, Any], Mapping[str, Any]], None]


def _policy_setter(member: str, name: str, check: _Check) -> Operation:
    def put(call: Call, params: Params) -> Answer:
        cluster = require_open(call.cluster(params["ClusterId"]))
        policy = params.get(member, {})
        check(policy, cluster.doc["request"])
        cluster.doc[name] = policy
        call.store.save(cluster)
        capacity.settle(call.store, cluster, call.now)
        call.wake(cluster)
        return {}

    return put


def _get(member: str, name: str, **defaults: Any) -> Operation:
    """Returns an operation that answers with the policy and its `defaults`, or with no member if there is none."""

    def get(call: Call, params: Params) -> Answer:
        policy = call.cluster(params["ClusterId"]).doc[name]
        return {} if policy is None else {member: {**defaults, **policy}}

    return get


def _remove(name: str) -> Operation:
    def remove(call: Call, params: Params) -> Answer:
        cluster = require_open(call.cluster(params["ClusterId"]))
        cluster.doc[name] = None
        call.store.save(cluster)
        call.wake(cluster)
        return {}

    return remove


OPERATIONS: dict[str, Operation] = {
    "GetAutoTerminationPolicy": _get(
        "AutoTerminationPolicy", "auto_termination", IdleTimeout=lifecycle.DEFAULT_IDLE_TIMEOUT
    ),
    "GetManagedScalingPolicy": _get("ManagedScalingPolicy", "managed_scaling"),
    "PutAutoTerminationPolicy": _policy_setter("AutoTerminationPolicy", "auto_termination", check_auto_termination),
    "PutManagedScalingPolicy": _policy_setter("ManagedScalingPolicy", "managed_scaling", check_managed_scaling),
    "RemoveAutoTerminationPolicy": _remove("auto_termination"),
    "RemoveManagedScalingPolicy": _remove("managed_scaling"),
}
