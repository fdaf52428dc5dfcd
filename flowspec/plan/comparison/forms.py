"""Compares a value of a request with the value of the cluster, independently of their spelling.

Both sides are first converted to one form, so that order, spelling and EMR's defaults make no difference
(`flowspec.backend.aws.live` has already restored members that the service returns under other names).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowspec.facts.api_model import Json, JsonView
from flowspec.facts.ids import role_name
from flowspec.facts.instance_types import requested_volumes
from flowspec.facts.limits import ALARM_DEFAULTS, COOL_DOWN_DEFAULT


def same(name: str, wanted: Any, live: Any) -> bool:
    """Returns True if a member has the wanted value on the cluster, or if the request leaves it open."""
    if _is_empty(wanted) and name not in _VALID_WHEN_EMPTY:
        return not removes(name, wanted) or not live
    live = _WHEN_ABSENT.get(name) if live is None else live
    form = _FORMS.get(name, lambda value: value)
    one = form(written_out(name, wanted))
    if live is None:
        return _includes(one, None)
    other = form(written_out(name, live))
    return bool(one == other) if name in _COMPARED_WHOLE else _includes(one, other)


def removes(name: str, wanted: Any) -> bool:
    """Returns True if an empty value means that a member must not exist; other empty values mean nothing."""
    return name in _REMOVED_WHEN_EMPTY and _is_empty(wanted)


def _is_empty(value: Any) -> bool:
    """Returns True if a value is empty: EMR returns neither empty structures nor structures of empty structures."""
    if isinstance(value, Mapping):
        return all(map(_is_empty, value.values()))
    return value is None or (isinstance(value, list | str) and not value)


def _includes(wanted: Any, live: Any) -> bool:
    """Returns True if `live` has every value that `wanted` states; the order of lists does not matter.

    EMR adds values that the request leaves open, and may leave out a switch that is off.
    """
    if isinstance(wanted, Mapping):
        shown = live or {}
        return all(_includes(item, shown.get(key)) for key, item in wanted.items() if not _is_empty(item))
    if isinstance(wanted, list):
        return _fit(wanted, live or [])
    return bool(wanted == live) or (wanted is False and live is None)


def _fit(wanted: Sequence[Any], live: Sequence[Any]) -> bool:
    """Returns True if the items can be paired with those of `live` that include them, with none left over."""
    left = list(live)
    # Items with most members are paired first: a volume without Iops matches a volume with any Iops.
    for one in sorted(wanted, key=len, reverse=True):
        found = next((other for other in left if _includes(one, other)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


# -- one form for both sides


def _without_last_slash(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    return f"s3://{rest.rstrip('/')}" if separator and scheme in {"s3", "s3n", "s3a"} else uri.rstrip("/")


def _names(applications: Sequence[JsonView]) -> frozenset[str]:
    """Returns the names of applications; EMR ignores their case, their order, and (from 4.0 on) all but the name."""
    return frozenset(str(one.get("Name", "")).lower() for one in applications)


def configurations(value: Sequence[JsonView]) -> JsonView:
    """Returns classifications by name, without those that say nothing: neither properties nor nested ones."""
    out: dict[str, Any] = {}
    for one in value:
        name = one.get("Classification", "")
        properties = {**out.get(name, {}).get("properties", {}), **one.get("Properties", {})}
        nested = {**out.get(name, {}).get("configurations", {}), **configurations(one.get("Configurations", ()))}
        inner = {"properties": properties, "configurations": nested}
        out[name] = {key: item for key, item in inner.items() if item}
    return {key: item for key, item in out.items() if item}


def _scripts(actions: Sequence[JsonView]) -> list[Any]:
    """Returns bootstrap actions, where no arguments and an empty list of them are the same.

    An argument more or less is another action.
    """
    scripts = [(one.get("Name", ""), one.get("ScriptBootstrapAction", {})) for one in actions]
    return [(name, script.get("Path", ""), script.get("Args", [])) for name, script in scripts]


def _volumes(value: JsonView) -> Any:
    """Returns the volumes of an instance, one by one: EMR lists them so."""
    each = requested_volumes(value)
    optimized = {key: value[key] for key in ("EbsOptimized",) if key in value}
    # No volumes asked for: EMR lists its defaults.
    return {**optimized, **({"EbsBlockDeviceConfigs": each} if each else {})}


def _price(value: str) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(value).normalize()
    except (InvalidOperation, TypeError):
        return value


def _scaling(value: JsonView) -> JsonView:
    """Returns the rules of scaling by name."""
    rules = {rule.get("Name", ""): rule for rule in value.get("Rules", ())}
    return {"Constraints": value.get("Constraints", {}), "Names": frozenset(rules), "Rules": rules}


def _written_out_volumes(value: JsonView) -> JsonView:
    volumes = [{"VolumesPerInstance": 1, **one} for one in value.get("EbsBlockDeviceConfigs", ())]
    return {**value, "EbsBlockDeviceConfigs": volumes} if volumes else value


def _written_out_rule(rule: JsonView) -> JsonView:
    """Returns a rule with EMR's defaults, and without the dimension that EMR adds."""
    alarm = without_added_dimension(rule)["Trigger"]["CloudWatchAlarmDefinition"]
    trigger = {"CloudWatchAlarmDefinition": {**ALARM_DEFAULTS, **alarm}}
    action = rule.get("Action", {})
    adjustment = {
        "AdjustmentType": "CHANGE_IN_CAPACITY",
        **COOL_DOWN_DEFAULT,
        **action.get("SimpleScalingPolicyConfiguration", {}),
    }
    return {**rule, "Action": {**action, "SimpleScalingPolicyConfiguration": adjustment}, "Trigger": trigger}


def without_added_dimension(rule: JsonView) -> Json:
    """Returns a scaling rule without the dimension that EMR adds.

    It is JobFlowId = the cluster's id, which a request writes as ${emr.clusterId} or not at all.
    """
    alarm = rule.get("Trigger", {}).get("CloudWatchAlarmDefinition", {})
    dimensions = [one for one in alarm.get("Dimensions", ()) if one.get("Key") != "JobFlowId"]
    return {**rule, "Trigger": {"CloudWatchAlarmDefinition": {**alarm, "Dimensions": dimensions}}}


def _written_out_managed(value: JsonView) -> JsonView:
    """Returns a policy with the two limits that default to the maximum (API: ComputeLimits), and the strategy."""
    limits = value.get("ComputeLimits", {})
    most = limits.get("MaximumCapacityUnits")
    # Given values override the defaults.
    filled = {**limits, "MaximumOnDemandCapacityUnits": most, "MaximumCoreCapacityUnits": most, **limits}
    return {"ScalingStrategy": "DEFAULT", **value, "ComputeLimits": filled if limits else {}}


def written_out(name: str, value: Any) -> Any:
    """Returns the value of a member with the defaults that EMR takes for what it leaves open, as far as known."""
    return _WRITTEN_OUT[name](value) if value and name in _WRITTEN_OUT else value


_WRITTEN_OUT: dict[str, Callable[[Any], Any]] = {
    "EbsConfiguration": _written_out_volumes,
    # The one strategy that EMR supports (API: PlacementGroupConfig).
    "PlacementGroupConfigs": lambda groups: [{"PlacementStrategy": "SPREAD", **one} for one in groups],
    "AutoScalingPolicy": lambda policy: {**policy, "Rules": list(map(_written_out_rule, policy.get("Rules", ())))},
    "ManagedScalingPolicy": _written_out_managed,
}
_FORMS: dict[str, Callable[[Any], Any]] = {
    "LogUri": _without_last_slash,
    "JobFlowRole": role_name,
    "ServiceRole": role_name,
    "AutoScalingRole": role_name,
    "Applications": _names,
    "Configurations": configurations,
    "BootstrapActions": _scripts,
    "EbsConfiguration": _volumes,
    "BidPrice": _price,
    "AutoScalingPolicy": _scaling,
    # An hour where no idle timeout is given (API: AutoTerminationPolicy).
    "AutoTerminationPolicy": lambda policy: {"IdleTimeout": 3600, **policy},
    "AdditionalMasterSecurityGroups": frozenset,
    "AdditionalSlaveSecurityGroups": frozenset,
    "Ec2SubnetIds": frozenset,
    "AvailabilityZones": frozenset,
}
# What EMR takes for a member that is left out, where it does not show it (API: InstanceTypeConfig, RunJobFlow).
_WHEN_ABSENT: dict[str, Any] = {
    "WeightedCapacity": 1,
    "RepoUpgradeOnBoot": "SECURITY",
    # Management Guide, "Unhealthy node replacement".
    "UnhealthyNodeReplacement": True,
}
# Where the whole value counts: what the request leaves out of it is not on the cluster.
_COMPARED_WHOLE = frozenset({"Applications", "Configurations", "BootstrapActions"})
_REMOVED_WHEN_EMPTY = frozenset({"Configurations", "BootstrapActions", "ManagedScalingPolicy", "AutoScalingPolicy"})
# An empty policy means a policy with EMR's default.
_VALID_WHEN_EMPTY = frozenset({"AutoTerminationPolicy"})
