"""Decides whether a cluster that failed before a step ran is launched again, and how (`launch_retries`, `fallback`).

An alternative changes only where and with which instances the cluster runs, and by the spec's digest it is the same
flow. A cluster that was made by one says so in a tag, so that a later plan compares it with that alternative.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.errors import number_of
from flowspec.plan.changes import ApiCall, Plan
from flowspec.plan.cluster import FALLBACK_TAG, Cluster

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow

Params = Mapping[str, Any]

# EMR Management Guide, "ErrorDetail" codes. According to EMR, programs may rely on codes, but not on messages.
_NO_CAPACITY = frozenset({"INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ", "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"})
# botocore shape ClusterStateChangeReasonCode: a second launch may succeed after these, but not after VALIDATION_ERROR.
_WORTH_A_RETRY = frozenset({"BOOTSTRAP_FAILURE", "INSTANCE_FAILURE", "INTERNAL_ERROR", "INSTANCE_FLEET_TIMEOUT"})


def lacked_capacity(cluster: Cluster) -> bool:
    """Returns True if, by EMR's codes, a cluster failed before any step ran because EC2 lacked instances."""
    coded = any(detail.partition(":")[0] in _NO_CAPACITY for detail in cluster.error_details)
    return failed_to_launch(cluster) and (coded or cluster.reason_code == "INSTANCE_FLEET_TIMEOUT")


def failed_to_launch(cluster: Cluster) -> bool:
    """Returns True if a cluster ended before any step ran, for a temporary reason."""
    ran = any(step.started is not None for step in cluster.steps)
    return cluster.has_ended and not ran and cluster.reason_code in _WORTH_A_RETRY


def next_launch(plan: Plan, cluster: Cluster, launches: int) -> Plan | None:
    """Returns the plan of the next launch, after `launches` of the same plan; None if nothing is left to try.

    `cluster` is the ended cluster of the last launch. If capacity was missing, the next alternative is tried, else the
    same request.
    """
    if lacked_capacity(cluster) and plan.fallback:
        number = _alternative_number(cluster.tags)
        if number < len(plan.fallback):
            return _plan_launch(plan, plan.fallback[number], number + 1)
    if failed_to_launch(cluster) and launches <= plan.launch_retries:
        number = _alternative_number(cluster.tags)
        return _plan_launch(plan, plan.fallback[number - 1] if number else plan.request, number)
    return None


def _alternative_number(tags: Mapping[str, str]) -> int:
    """Returns the number of the alternative that made a cluster, from 1; 0 for the request itself."""
    text = tags.get(FALLBACK_TAG, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _plan_launch(plan: Plan, request: Params, number: int) -> Plan:
    tag = ((FALLBACK_TAG, str(number)),) if number else ()
    supervision = (*(pair for pair in plan.supervision if pair[0] != FALLBACK_TAG), *tag)
    call = ApiCall("RunJobFlow", request)
    # The plan may have joined the failed cluster, but this is a new launch.
    return dataclasses.replace(
        plan,
        request=request,
        calls=(call,),
        replaces=None,
        joins=None,
        converges=None,
        awaits=None,
        observed="",
        supervision=supervision,
    )


def made_by(cluster: Cluster, request: Params, fallback: Sequence[Params]) -> Params:
    """Returns the request that made a cluster: an alternative of `fallback`, if it is still there, or `request`."""
    number = _alternative_number(cluster.tags)
    return fallback[number - 1] if 0 < number <= len(fallback) else request


def alternatives(jobflow: JobFlow, params: Params) -> tuple[dict[str, Any], ...]:
    """Returns the requests of a spec's `fallback`, in order."""
    return tuple(_apply_alternative(one, params) for one in jobflow.fields.get("fallback", ()))


def _apply_alternative(changes: Mapping[str, Any], params: Params) -> dict[str, Any]:
    request = copy.deepcopy(dict(params))
    instances = request.setdefault("Instances", {})
    for key, value in changes.items():
        _CHANGES[key](instances, value)
    return request


def _place_setter(member: str) -> Callable[[dict[str, Any], Any], None]:
    def change(instances: dict[str, Any], value: Any) -> None:
        # An alternative's choice of the network replaces that of the request.
        for other in ("Ec2SubnetId", "Ec2SubnetIds", "Placement"):
            instances.pop(other, None)
        instances |= {"Placement": {"AvailabilityZone": value}} if member == "Placement" else {member: value}

    return change


def _change_types(instances: dict[str, Any], types: Mapping[str, str]) -> None:
    for one in (*instances.get("InstanceGroups", ()), *_type_configs(instances), instances):
        for member in ("InstanceType", "MasterInstanceType", "SlaveInstanceType"):
            if one.get(member) in types:
                one[member] = types[one[member]]


def _type_configs(instances: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for fleet in instances.get("InstanceFleets", ()):
        yield from fleet.get("InstanceTypeConfigs", ())


def _change_market(instances: dict[str, Any], market: str) -> None:
    for group in instances.get("InstanceGroups", ()):
        group["Market"] = market
        group.pop("BidPrice", None)
    for fleet in instances.get("InstanceFleets", ()):
        spot = fleet.pop("TargetSpotCapacity", 0)
        fleet["TargetOnDemandCapacity"] = fleet.get("TargetOnDemandCapacity", 0) + spot
        fleet.get("LaunchSpecifications", {}).pop("SpotSpecification", None)
        if not fleet.get("LaunchSpecifications", True):
            del fleet["LaunchSpecifications"]


_CHANGES: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "ec2_subnet_id": _place_setter("Ec2SubnetId"),
    "ec2_subnet_ids": _place_setter("Ec2SubnetIds"),
    "availability_zone": _place_setter("Placement"),
    "instance_types": _change_types,
    "market": _change_market,
}


def launch_notes(retries: int, fallback: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the notes of a plan about further launches."""
    for number, one in enumerate(fallback, 1):
        yield f"if capacity is missing, alternative {number} is launched: {alternative_text(one)}"
    if retries:
        times = "once" if retries == 1 else f"up to {retries} times"
        yield f"a cluster that fails before one of its steps ran is launched again {times}"
    if retries or fallback:
        yield "launched again by the `apply` that watches the run: not after --detach"


def alternative_text(changes: Mapping[str, Any]) -> str:
    """Returns an alternative of `fallback` for people: `ec2_subnet_id subnet-0b, market ON_DEMAND`."""
    return ", ".join(f"{key} {_value_text(value)}" for key, value in changes.items())


def _value_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{one} → {other}" for one, other in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def time_left(timeout: float | None, clock: Callable[[], float]) -> Callable[[], float | None]:
    """Returns a function that returns the seconds left of `timeout`, which is for all launches; None without a limit.

    At 0.0, nothing more is launched.
    """
    deadline = None if timeout is None else clock() + timeout
    return lambda: None if deadline is None else max(0.0, deadline - clock())


def launch_line(cluster: Cluster, instances: int) -> str:
    """Returns a line about a failed launch: its cluster, its cause, and its cost."""
    seconds = (cluster.ended - cluster.created).total_seconds() if cluster.ended and cluster.created else 0.0
    codes = ", ".join(detail.partition(":")[0] for detail in cluster.error_details) or cluster.reason_code
    cost = f"{number_of(instances, 'instance')}, {seconds * instances / 3600:.2f} instance hours"
    return f"cluster {cluster.id} failed before a step ran ({codes}): {cost}"


def size(params: Params) -> int:
    """Returns the number of instances in a request; for a fleet, its units of capacity."""
    instances = params.get("Instances", {})
    groups = sum(one.get("InstanceCount", 1) for one in instances.get("InstanceGroups", ()))
    fleets = sum(
        one.get("TargetOnDemandCapacity", 0) + one.get("TargetSpotCapacity", 0)
        for one in instances.get("InstanceFleets", ())
    )
    return int(groups + fleets or instances.get("InstanceCount") or 1)
