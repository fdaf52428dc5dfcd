"""Folds the calls that follow a RunJobFlow into its request, as if the cluster had been created that way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowspec.facts.api_model import Json
from flowspec.request.instances import expand_shorthand

_ROLE = "the execution role of steps that are added later is not imported: RunJobFlow has none for single steps"
_TERMINATED = "the script terminates the cluster itself: here keep_alive is false, so that it ends after its last step"


def fold(request: Json, operation: str, params: Json) -> str:
    """Changes a RunJobFlow request by a later call on its cluster.

    Returns a note on what can't be taken over, "" without one.
    """
    if operation == "TerminateJobFlows":
        kept = request["Instances"].get("KeepJobFlowAliveWhenNoSteps")
        request["Instances"]["KeepJobFlowAliveWhenNoSteps"] = False
        return _TERMINATED if kept else ""
    if operation not in _FOLDS:
        return f"{operation} came later, and is not imported"
    if operation == "AddInstanceGroups" and isinstance(request["Instances"].get("InstanceCount"), str):
        # Only EMR can subtract the master from a variable, and it takes no groups beside the count of all nodes.
        return "the groups that are added later are not imported: the number of instances is a variable"
    _FOLDS[operation](request, params)
    return _ROLE if params.get("ExecutionRoleArn") else ""


def _extend(owner: Json, member: str, items: list[Json]) -> None:
    owner[member] = [*owner.get(member, []), *items]


def _groups(flow: Json, params: Json) -> None:
    # EMR takes groups or the three members that are short for them, not both.
    flow.update(expand_shorthand(flow))
    _extend(flow["Instances"], "InstanceGroups", params["InstanceGroups"])


def _tags(flow: Json, params: Json) -> None:
    new = {tag.get("Key") for tag in params["Tags"]}
    flow["Tags"] = [*(tag for tag in flow.get("Tags", []) if tag.get("Key") not in new), *params["Tags"]]


def _untags(flow: Json, params: Json) -> None:
    flow["Tags"] = [tag for tag in flow.get("Tags", []) if tag.get("Key") not in params["TagKeys"]]


def _set_members(*members: str) -> Callable[[Json, Json], None]:
    """Returns a function that sets these members of the request to those of the call."""
    return lambda flow, params: flow.update({name: params[name] for name in members if name in params})


def _set_instances_member(member: str) -> Callable[[Json, Json], None]:
    """Returns a function that sets a member of Instances to that of the call."""
    return lambda flow, params: flow["Instances"].update({member: params[member]})


_FOLDS: Mapping[str, Callable[[Json, Json], None]] = {
    "AddJobFlowSteps": lambda flow, params: _extend(flow, "Steps", params["Steps"]),
    "AddInstanceGroups": _groups,
    "AddInstanceFleet": lambda flow, params: _extend(flow["Instances"], "InstanceFleets", [params["InstanceFleet"]]),
    "AddTags": _tags,
    "RemoveTags": _untags,
    "ModifyCluster": _set_members("StepConcurrencyLevel", "ExtendedSupport"),
    "PutManagedScalingPolicy": _set_members("ManagedScalingPolicy"),
    "PutAutoTerminationPolicy": _set_members("AutoTerminationPolicy"),
    "RemoveManagedScalingPolicy": lambda flow, _: flow.pop("ManagedScalingPolicy", None),
    "RemoveAutoTerminationPolicy": lambda flow, _: flow.pop("AutoTerminationPolicy", None),
    "SetTerminationProtection": _set_instances_member("TerminationProtected"),
    "SetUnhealthyNodeReplacement": _set_instances_member("UnhealthyNodeReplacement"),
    "SetKeepJobFlowAliveWhenNoSteps": _set_instances_member("KeepJobFlowAliveWhenNoSteps"),
    "SetVisibleToAllUsers": _set_members("VisibleToAllUsers"),
}
