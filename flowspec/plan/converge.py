"""Differences between a request and its living cluster -> changes for people and calls for EMR, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flowspec.facts.limits import TAG_VALUE
from flowspec.facts.mutability import Handling
from flowspec.plan.changes import Action, ApiCall, Change
from flowspec.plan.cluster import MANAGED_TAG, Cluster
from flowspec.plan.comparison.differences import Difference, Kind, snake, tokens_in
from flowspec.plan.comparison.forms import written_out

_ACTIONS = {Kind.SET: Action.UPDATE, Kind.ADD: Action.CREATE, Kind.REMOVE: Action.DELETE}
_SWITCHES = {
    "SetKeepJobFlowAliveWhenNoSteps": "KeepJobFlowAliveWhenNoSteps",
    "SetTerminationProtection": "TerminationProtected",
    "SetUnhealthyNodeReplacement": "UnhealthyNodeReplacement",
}
# EMR resizes and reconfigures only then: "An instance group may only be modified when the cluster is running or
# waiting" (hashicorp/terraform#22116).
WANTS_READY = frozenset({"ModifyInstanceGroups", "AddInstanceGroups", "ModifyInstanceFleet", "AddInstanceFleet"})


def needs_replacement(difference: Difference) -> bool:
    """Returns True if only a new cluster can have the wanted value."""
    return difference.row.handling in {Handling.REPLACE, Handling.UNREADABLE, Handling.APPEND}


def changes_of(difference: Difference) -> Iterator[Change]:
    """Yields the lines of a plan for a difference; of policies and configurations, one for each different value."""
    action, operation = _ACTIONS[difference.kind], difference.operation
    if difference.kind is not Kind.SET:
        before, after = value_text(difference.before), value_text(difference.after)
        yield Change(action, difference.address, before, after, operation, difference.path)
        return
    for suffix, one, other in _differing_parts(
        difference.row.member.rpartition(".")[2], difference.before, difference.after
    ):
        address = f"{difference.address}.{suffix}" if suffix else difference.address
        yield Change(action, address, value_text(one), value_text(other), operation, difference.path)


def _differing_parts(name: str, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """Returns the differing parts of two values of the member `name`, each with its path; else the two values."""
    if name == "Applications":
        # Only the names are compared; a removed name is a difference like a new one.
        return [("", _app_names(before), _app_names(after))]
    if not (before and after):
        return [("", before, after)]
    one, other = (_drop_unstated(written_out(name, value), before, after) for value in (before, after))
    parts = list(_differing_leaves(one, other, whole=name == "BootstrapActions"))
    # If a given value differs, missing values may be EMR's defaults.
    kept = [part for part in parts if part.whole or part.after is not None] or parts
    return [(part.address, part.before, part.after) for part in kept] or [("", before, after)]


def _app_names(applications: Any) -> list[str]:
    return [str(one.get("Name", "")) for one in applications or ()]


def _drop_unstated(value: Any, *stated: Any) -> Any:
    """Returns a value without members of mappings that are in none of `stated`."""
    if not isinstance(value, Mapping):
        return value
    given = [one for one in stated if isinstance(one, Mapping)]
    return {
        key: _drop_unstated(item, *(one.get(key) for one in given))
        for key, item in value.items()
        if any(key in one for one in given)
    }


class _Part(NamedTuple):
    """A value that differs; `whole` says that it belongs to a value to which EMR adds no defaults."""

    address: str
    before: Any
    after: Any
    whole: bool


def _differing_leaves(before: Any, after: Any, *, whole: bool, spelled: bool = False) -> Iterator[_Part]:
    """Yields the values in which two values differ, each with its path; those that `after` lacks come last."""
    one, other = _by_name(before, spelled), _by_name(after, spelled)
    if one is None or other is None:
        yield _Part("", before, after, whole)
        return
    whole = whole or _is_classified(after)
    for key in (*other, *(key for key in one if key not in other)):
        if one.get(key) != other.get(key):
            for part in _differing_leaves(one.get(key), other.get(key), whole=whole, spelled=key == "properties"):
                yield part._replace(address=f"{key}.{part.address}" if part.address else key)


def _is_classified(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, Mapping) and "Classification" in one for one in value)


def _by_name(value: Any, spelled: bool) -> Mapping[str, Any] | None:
    """Returns a mapping, or a list of things with names, by name; None for anything else.

    The names of members are as the spec has them, and those that people give (`spelled`) as they are.
    """
    if isinstance(value, Mapping):
        return {key if spelled else snake(key): item for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for key in ("Classification", "Name", "InstanceType", "Key"):
            if all(item.get(key) for item in value):
                return {str(item[key]): {name: it for name, it in item.items() if name != key} for item in value}
    return None


def value_text(value: Any) -> str | tuple[str, ...] | None:
    """Returns a value of a request as a plan shows it: a text, or the texts of a list."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, Mapping | list) else str(value)


def calls_of(differences: Sequence[Difference], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields the calls that change a cluster to match the request, except steps and tags.

    Calls that keep the cluster alive come first, and calls that let it end come last, so that it can't end in between.
    Policies are removed before sizes are set, and added afterwards, since they would change the sizes again.
    """
    by_operation: dict[str, list[Difference]] = {}
    for one in differences:
        by_operation.setdefault(one.operation, []).append(one)

    def of(*operations: str) -> list[Difference]:
        return [one for operation in operations for one in by_operation.get(operation, ())]

    lasting = ("SetKeepJobFlowAliveWhenNoSteps", "SetTerminationProtection")
    yield from (_switch_call(one, cluster) for one in of(*lasting) if one.after)
    yield from (_policy_call(one, cluster) for one in of("RemoveAutoScalingPolicy", "RemoveManagedScalingPolicy"))
    yield from _group_calls(of("ModifyInstanceGroups"), cluster)
    yield from _add_group_calls(of("AddInstanceGroups"), cluster)
    yield from _fleet_calls(of("ModifyInstanceFleet"), cluster)
    for one in of("AddInstanceFleet"):
        yield ApiCall("AddInstanceFleet", {"ClusterId": cluster.id, "InstanceFleet": one.after})
    yield from (_policy_call(one, cluster) for one in of("PutAutoScalingPolicy", "PutManagedScalingPolicy"))
    for one in of("ModifyCluster"):
        yield ApiCall("ModifyCluster", {"ClusterId": cluster.id, "StepConcurrencyLevel": one.after})
    yield from (_switch_call(one, cluster) for one in of("SetUnhealthyNodeReplacement"))
    yield from (_policy_call(one, cluster) for one in of("RemoveAutoTerminationPolicy", "PutAutoTerminationPolicy"))


def ending_calls(differences: Sequence[Difference], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields the calls that let a cluster end, which are sent last."""
    for one in differences:
        if one.row.operation in {"SetKeepJobFlowAliveWhenNoSteps", "SetTerminationProtection"} and not one.after:
            yield _switch_call(one, cluster)


def intent_calls(identity: Mapping[str, str], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields AddTags with the tokens of all members that the calls will set, and the present tokens.

    It comes first: if an apply is killed in between, a later apply still recognizes everything that it set.
    """
    tokens = tokens_in(cluster.tags.get(MANAGED_TAG, ""))
    new = tokens_in(identity[MANAGED_TAG])
    value = "".join(sorted(tokens | new))
    if not new <= tokens and len(value) <= TAG_VALUE.most:
        yield ApiCall("AddTags", {"ResourceId": cluster.id, "Tags": [{"Key": MANAGED_TAG, "Value": value}]})


def tag_calls(differences: Sequence[Difference], identity: Mapping[str, str], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields AddTags and RemoveTags for those of flowspec's tags (`identity`) that do not have the wanted values."""
    mine = {key: value for key, value in identity.items() if cluster.tags.get(key) != value}
    tags = {one.address.removeprefix("tags."): one.after for one in differences if one.row.operation == "AddTags"}
    gone = [key for key, value in tags.items() if value is None]
    added = {**{key: value for key, value in tags.items() if value is not None}, **mine}
    if gone:
        yield ApiCall("RemoveTags", {"ResourceId": cluster.id, "TagKeys": gone})
    if added:
        pairs = [{"Key": key, "Value": value} for key, value in added.items()]
        yield ApiCall("AddTags", {"ResourceId": cluster.id, "Tags": pairs})


def _switch_call(difference: Difference, cluster: Cluster) -> ApiCall:
    operation = difference.row.operation
    return ApiCall(operation, {"JobFlowIds": [cluster.id], _SWITCHES[operation]: difference.after})


def _policy_call(difference: Difference, cluster: Cluster) -> ApiCall:
    group = {"InstanceGroupId": difference.resource} if difference.resource else {}
    member = difference.row.member.rpartition(".")[2]
    policy = {} if difference.kind is Kind.REMOVE else {member: difference.after}
    return ApiCall(difference.operation, {"ClusterId": cluster.id, **group, **policy})


def _group_calls(differences: Sequence[Difference], cluster: Cluster) -> Iterator[ApiCall]:
    """Yields one call for all groups, which EMR carries out completely or not at all (API: ModifyInstanceGroups)."""
    changes: dict[str, dict[str, Any]] = {}
    for one in differences:
        change = changes.setdefault(one.resource, {"InstanceGroupId": one.resource})
        if one.row.member.endswith(".Configurations"):
            # The full set: EMR drops everything that an OVERWRITE leaves out, and an empty list clears it.
            change |= {"Configurations": one.after or [], "ReconfigurationType": "OVERWRITE"}
        else:
            change["InstanceCount"] = one.after
    if changes:
        yield ApiCall("ModifyInstanceGroups", {"ClusterId": cluster.id, "InstanceGroups": list(changes.values())})


# The documentation of the AWS CLI gives this as the limit of one call.
_GROUPS_IN_A_CALL = 5


def _add_group_calls(differences: Sequence[Difference], cluster: Cluster) -> Iterator[ApiCall]:
    groups = [one.after for one in differences]
    for start in range(0, len(groups), _GROUPS_IN_A_CALL):
        batch = groups[start : start + _GROUPS_IN_A_CALL]
        yield ApiCall("AddInstanceGroups", {"JobFlowId": cluster.id, "InstanceGroups": batch})


def _fleet_calls(differences: Sequence[Difference], cluster: Cluster) -> Iterator[ApiCall]:
    changes: dict[str, dict[str, Any]] = {}
    for one in differences:
        change = changes.setdefault(one.resource, {"InstanceFleetId": one.resource})
        if one.kind is Kind.REMOVE:
            change |= {"TargetOnDemandCapacity": 0, "TargetSpotCapacity": 0}
        elif one.row.member.endswith(".Configurations"):
            # Every type with every member that it was launched with: members that are left out may be overwritten
            # (guide).
            change["InstanceTypeConfigs"] = one.after
        else:
            member = one.row.member.rpartition(".")[2]
            change[member] = one.after if one.after is not None else 0
    for change in changes.values():
        yield ApiCall("ModifyInstanceFleet", {"ClusterId": cluster.id, "InstanceFleet": change})
