"""A CloudFormation template -> the request that its AWS::EMR::Cluster means.

Parameters are variables. Functions are carried out where the template alone decides what comes of them;
else a variable stands for the value, and its description says what it was. The members are those of the
template reference (AWS::EMR::Cluster and the resources that belong to one): RunJobFlow's, but for the
names that are translated here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowspec.document.parse import compose
from flowspec.document.tree import Items, Mapping, Node, Scalar, Source
from flowspec.errors import SpecError
from flowspec.facts.api_model import input_shape
from flowspec.importers.cloudformation.functions import Functions
from flowspec.importers.decompile.placeholders import Wanted
from flowspec.importers.refusal import choose, refuse
from flowspec.importers.shapes import fitted

Json = dict[str, Any]

_CLUSTER = "AWS::EMR::Cluster"
# Resources of their own that belong to a cluster, and the property that names it.
_PARTS = {
    "AWS::EMR::Step": "JobFlowId",
    "AWS::EMR::InstanceGroupConfig": "JobFlowId",
    "AWS::EMR::InstanceFleetConfig": "ClusterId",
}
_RENAMED = {"ConfigurationProperties": "Properties", "StepProperties": "Properties"}
_GROUPS = {"MasterInstanceGroup": "MASTER", "CoreInstanceGroup": "CORE", "TaskInstanceGroups": "TASK"}
_FLEETS = {"MasterInstanceFleet": "MASTER", "CoreInstanceFleet": "CORE", "TaskInstanceFleets": "TASK"}
_UNSAID = {
    "VisibleToAllUsers": (
        "VisibleToAllUsers is not said: CloudFormation takes it for false (EMR shows the cluster all the same)"
    ),
    "KeepJobFlowAliveWhenNoSteps": (
        "KeepJobFlowAliveWhenNoSteps is not said: what CloudFormation takes it for has changed over the years, "
        "a spec's cluster ends with its last step; say keep_alive"
    ),
}


def read(
    source: Source, folder: Path, cluster: str = "", *, var_files: Sequence[Path] = (), settings: Sequence[str] = ()
) -> Wanted:
    """What a cluster of a template asks for; of several, `cluster` names one. Raises `SpecError`."""
    template = _template(source)
    resources = {name: one for name, one in _mapping(template, "Resources").items() if isinstance(one, dict)}
    names = [name for name, one in resources.items() if one.get("Type") == _CLUSTER]
    if not names:
        refuse(source, f"there is no {_CLUSTER} in it", "other resources are no job flows")
    name = names[choose(source, names, cluster)]
    functions = Functions(template, resources)
    properties = functions.value(resources[name].get("Properties", {}))
    if not isinstance(properties, dict):
        refuse(source, f"{name} has no Properties")
    params = _request(properties)
    for part in _parts(name, resources, functions):
        _fold(params, *part, functions)
    params.setdefault("Instances", {})
    params.setdefault("Name", name)
    notes = [text for member, text in _UNSAID.items() if member not in {**params, **params["Instances"]}]
    others = [f"{one} ({resources[one].get('Type')})" for one in resources if _belongs(resources[one]) and one != name]
    if len(names) > 1 and others:
        notes.append(f"other resources of EMR are in the template: {', '.join(others)[:300]}")
    return Wanted(params, functions.names.used(params), "", (*functions.notes, *notes))


def _belongs(resource: Json) -> bool:
    return str(resource.get("Type", "")).startswith("AWS::EMR::") and resource["Type"] not in _PARTS


def _template(source: Source) -> Json:
    if source.text.lstrip()[:1] == "{":
        try:
            value = json.loads(source.text)
        except (ValueError, RecursionError) as error:
            refuse(source, f"this is not JSON: {str(error)[:200]}")
    else:
        root, found = compose(source, functions=True)
        if found:
            raise SpecError(found)
        value = _data(root) if root is not None else None
    if not isinstance(value, dict):
        refuse(source, "a template is a mapping with Resources")
    return value


def _data(node: Node) -> Any:
    """A node as data, in which a number is the text as it was written: CloudFormation tells them apart by use."""
    if isinstance(node, Mapping):
        return {key: _data(item) for key, (_, item) in node.entries.items()}
    if isinstance(node, Items):
        return [_data(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.text if isinstance(node.value, int | float) and not isinstance(node.value, bool) else node.value


def _mapping(value: Any, key: str) -> Json:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _parts(cluster: str, resources: Json, functions: Functions) -> Iterator[tuple[str, str, Json]]:
    """The resources that belong to the cluster: each one's name, type and properties."""
    for name, resource in _ordered(resources):
        kind = resource.get("Type")
        if kind not in _PARTS:
            continue
        properties = _mapping(resource, "Properties")
        owner = properties.get(_PARTS[kind])
        if owner not in ({"Ref": cluster}, {"Fn::GetAtt": [cluster, "Id"]}, {"Fn::GetAtt": f"{cluster}.Id"}):
            continue
        if functions.decided(resource.get("Condition")) is False:
            functions.notes.append(
                f"{name} is left out: its condition {resource['Condition']} is false by the defaults"
            )
            continue
        own = {key: value for key, value in properties.items() if key != _PARTS[kind]}
        value = functions.value(own)
        yield name, kind, value


def _ordered(resources: Json) -> list[tuple[str, Json]]:
    """The resources, each after those it depends on: steps run in the order in which they are made."""
    out: dict[str, Json] = {}

    def put(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in out or name in on_the_way or name not in resources:
            return
        needed = resources[name].get("DependsOn", [])
        for one in [needed] if isinstance(needed, str) else needed if isinstance(needed, list) else []:
            put(str(one), (*on_the_way, name))
        out[name] = resources[name]

    for name in resources:
        put(name, ())
    return list(out.items())


# --- members ---


def _request(properties: Json) -> Json:
    renamed = _renamed(properties)
    instances = renamed.pop("Instances", {})
    if isinstance(renamed.get("AdditionalInfo"), dict):
        renamed["AdditionalInfo"] = json.dumps(renamed["AdditionalInfo"])
    if isinstance(instances, dict):
        renamed["Instances"] = _instances(instances)
    params: Json = fitted(renamed, input_shape())
    return params


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if isinstance(value, dict):
        properties = {"ConfigurationProperties", "Properties"}
        return {_RENAMED.get(key, key): item if key in properties else _renamed(item) for key, item in value.items()}
    return value


def _instances(given: Json) -> Json:
    """JobFlowInstancesConfig: there each role has a member of its own."""
    out: Json = {}
    for members, known in (("InstanceGroups", _GROUPS), ("InstanceFleets", _FLEETS)):
        word = "InstanceRole" if members == "InstanceGroups" else "InstanceFleetType"
        found = [
            {word: role, **one}
            for key, role in known.items()
            for one in _listed(given.get(key, []))
            if isinstance(one, dict)
        ]
        if found:
            out[members] = found
    return out | {key: value for key, value in given.items() if key not in {**_GROUPS, **_FLEETS}}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fold(params: Json, name: str, kind: str, properties: Json, functions: Functions) -> None:
    """Puts a resource of its own into the request of its cluster."""
    renamed = _renamed(properties)
    if kind == "AWS::EMR::Step":
        monitoring = {key: renamed.pop(key) for key in ("LogUri", "EncryptionKeyArn") if key in renamed}
        if monitoring:
            renamed["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": monitoring}
        _append(params, ("Steps",), renamed)
    elif kind == "AWS::EMR::InstanceGroupConfig":
        _append(params, ("Instances", "InstanceGroups"), renamed)
    else:
        _append(params, ("Instances", "InstanceFleets"), renamed)
    functions.notes.append(f"{name} ({kind}) is part of the request: in the template it is a resource of its own")


def _append(params: Json, path: tuple[str, ...], value: Json) -> None:
    shape, owner = input_shape(), params
    for member in path[:-1]:
        shape, owner = shape.members[member], owner.setdefault(member, {})
    owner.setdefault(path[-1], []).append(fitted(value, shape.members[path[-1]].member))
