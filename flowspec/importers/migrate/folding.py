"""The calls of a script -> what each job flow asks for, with what was done to it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowspec.importers.decompile.placeholders import Wanted

Json = dict[str, Any]

# What only asks.
_HARMLESS = ("Describe", "List", "Get")


_TERMINATED = "the script terminates it; with keep_alive: false it ends by itself, after its last step"


@dataclass
class _JobFlow:
    params: Json
    region: str
    notes: list[str] = field(default_factory=list)


def job_flows(calls: Iterable[Mapping[str, Any]]) -> tuple[Wanted, ...]:
    """The job flows that calls made, in order; the notes of each tell what a request can't say."""
    flows: dict[str, _JobFlow] = {}
    rest: list[str] = []
    others: Counter[str] = Counter()
    for call in calls:
        operation, params = call["operation"], call["params"]
        if operation == "Upload":
            rest.append(f"the script uploads {params['File']} to {params['To']}: nothing else does it for the spec")
        elif call["service"] != "emr":
            others[f"{call['service']}.{operation}"] += 1
        elif operation == "RunJobFlow":
            refused = [f"EMR refuses this request: {call['refused']}"] if "refused" in call else []
            flows[call["id"] or f"refused {len(flows)}"] = _JobFlow(params, call["region"], refused)
        elif "refused" in call and not operation.startswith(_HARMLESS):
            rest.append(f"{operation} is not imported: EMR refuses it ({call['refused']})")
        elif not operation.startswith(_HARMLESS):
            _fold(flows, call, rest)
    if others:
        told = "what these answered was made up, look for values such as sample-… and subnet-0123456789abcdef0"
        rest.append(f"{told}: {', '.join(others)}")
    return tuple(
        Wanted(flow.params, region=flow.region, notes=tuple(dict.fromkeys((*flow.notes, *rest))))
        for flow in flows.values()
    )


def _fold(flows: Mapping[str, _JobFlow], call: Mapping[str, Any], rest: list[str]) -> None:
    operation, params = call["operation"], call["params"]
    owner = params.get("JobFlowId") or params.get("ClusterId") or params.get("ResourceId") or call["id"]
    named = params.get("JobFlowIds") or [owner]
    for name in named:
        flow = flows.get(str(name))
        if flow is None:
            rest.append(f"{operation} on {name or 'no cluster'}, which the script did not make, is not imported")
        elif operation in _FOLDS:
            _FOLDS[operation](flow.params, params)
        elif operation == "TerminateJobFlows":
            flow.notes += [_TERMINATED] if flow.params["Instances"].get("KeepJobFlowAliveWhenNoSteps") else []
        else:
            flow.notes.append(f"{operation} came later, and is not imported")


def _steps(flow: Json, params: Json) -> None:
    flow["Steps"] = [*flow.get("Steps", []), *params["Steps"]]


def _groups(flow: Json, params: Json) -> None:
    instances = flow["Instances"]
    if "InstanceCount" in instances and "InstanceGroups" not in instances:
        instances["InstanceGroups"] = _written_out(instances)
    instances["InstanceGroups"] = [*instances.get("InstanceGroups", []), *params["InstanceGroups"]]


def _written_out(instances: Json) -> list[Json]:
    """The groups that the three short members mean: they can't stand beside groups."""
    master, count = instances.pop("MasterInstanceType", None), instances.pop("InstanceCount")
    slave = instances.pop("SlaveInstanceType", master)
    groups = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    core = [{"InstanceRole": "CORE", "InstanceType": slave, "InstanceCount": count - 1}] if count > 1 else []
    return groups + core


def _fleet(flow: Json, params: Json) -> None:
    flow["Instances"]["InstanceFleets"] = [*flow["Instances"].get("InstanceFleets", []), params["InstanceFleet"]]


def _tags(flow: Json, params: Json) -> None:
    new = {tag.get("Key") for tag in params["Tags"]}
    flow["Tags"] = [*(tag for tag in flow.get("Tags", []) if tag.get("Key") not in new), *params["Tags"]]


def _untags(flow: Json, params: Json) -> None:
    flow["Tags"] = [tag for tag in flow.get("Tags", []) if tag.get("Key") not in params["TagKeys"]]


def _top(member: str) -> Callable[[Json, Json], None]:
    """Sets a member of the request to that of the call."""

    def fold(flow: Json, params: Json) -> None:
        if member in params:
            flow[member] = params[member]

    return fold


def _instances(member: str, given: str = "") -> Callable[[Json, Json], None]:
    """Sets a member of Instances."""

    def fold(flow: Json, params: Json) -> None:
        flow["Instances"][member] = params[given or member]

    return fold


def _without(member: str) -> Callable[[Json, Json], None]:
    return lambda flow, _: flow.pop(member, None)


_FOLDS: Mapping[str, Callable[[Json, Json], None]] = {
    "AddJobFlowSteps": _steps,
    "AddInstanceGroups": _groups,
    "AddInstanceFleet": _fleet,
    "AddTags": _tags,
    "RemoveTags": _untags,
    "ModifyCluster": _top("StepConcurrencyLevel"),
    "PutManagedScalingPolicy": _top("ManagedScalingPolicy"),
    "PutAutoTerminationPolicy": _top("AutoTerminationPolicy"),
    "RemoveManagedScalingPolicy": _without("ManagedScalingPolicy"),
    "RemoveAutoTerminationPolicy": _without("AutoTerminationPolicy"),
    "SetTerminationProtection": _instances("TerminationProtected"),
    "SetUnhealthyNodeReplacement": _instances("UnhealthyNodeReplacement"),
    "SetKeepJobFlowAliveWhenNoSteps": _instances("KeepJobFlowAliveWhenNoSteps"),
    "SetVisibleToAllUsers": _top("VisibleToAllUsers"),
}
