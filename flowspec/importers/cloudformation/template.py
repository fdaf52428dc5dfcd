"""A CloudFormation template -> the request that its AWS::EMR::Cluster means.

Parameters are variables. Functions are evaluated where the template alone determines their results; else the value
is a variable whose description says what it was. The members are those of the template reference
(AWS::EMR::Cluster and the resources that belong to one): RunJobFlow's, but for the names that are translated here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Items, Mapping, Node, Scalar, Source
from flowspec.errors import SpecError
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.cloudformation.functions import Functions, shown_argument
from flowspec.importers.placeholders import Wanted
from flowspec.importers.refusal import choose, load_json, refuse
from flowspec.importers.shapes import UNKNOWN, convert_members

_CLUSTER = "AWS::EMR::Cluster"
# Resources of their own that belong to a cluster: the property that names it, and where the request has them.
_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "AWS::EMR::Step": ("JobFlowId", ("Steps",)),
    "AWS::EMR::InstanceGroupConfig": ("JobFlowId", ("Instances", "InstanceGroups")),
    "AWS::EMR::InstanceFleetConfig": ("ClusterId", ("Instances", "InstanceFleets")),
}
_STACKS = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
# What YAML 1.1, which CloudFormation reads, has for a truth value or a number: on, 010, 12:30:00, 1_000.
_READ_OTHERWISE = re.compile(r"(?i:yes|no|on|off)|0[0-7_]+|[0-9]+(:[0-5]?[0-9])+|[0-9]+_[0-9_]+")
# A stack that has itself three times, directly or not, would have 3^n.
_MOST_STACKS = 200
_DEEPEST_STACK = 20
_RENAMED = {"ConfigurationProperties": "Properties", "StepProperties": "Properties"}
_GROUPS = {"MasterInstanceGroup": "MASTER", "CoreInstanceGroup": "CORE", "TaskInstanceGroups": "TASK"}
_FLEETS = {"MasterInstanceFleet": "MASTER", "CoreInstanceFleet": "CORE", "TaskInstanceFleets": "TASK"}
_UNSAID = {
    "VisibleToAllUsers": (
        "VisibleToAllUsers is not set: its default in CloudFormation is false (EMR shows the cluster all the same)"
    ),
    "KeepJobFlowAliveWhenNoSteps": (
        "KeepJobFlowAliveWhenNoSteps is not set: its default in CloudFormation has changed over the years; "
        "a spec's cluster ends with its last step unless keep_alive is true"
    ),
}


class _Stack(NamedTuple):
    """A template with its folder and functions; `prefix` is the path of nested stacks that leads to it."""

    prefix: str
    folder: Path
    template: Json
    functions: Functions

    @property
    def resources(self) -> Json:
        """The resources of the template that have a type."""
        return self.functions.resources


class _FoundResource(NamedTuple):
    """A resource of a stack."""

    stack: _Stack
    name: str

    @property
    def resource(self) -> Json:
        """The description in the template."""
        resource: Json = self.stack.resources[self.name]
        return resource

    @property
    def shown(self) -> str:
        """Its name, with the nested stacks that lead to it."""
        return f"{self.stack.prefix}{self.name}"


def read(
    source: Source, folder: Path, cluster: str = "", *, var_files: Sequence[Path] = (), settings: Sequence[str] = ()
) -> Wanted:
    """Returns the request of a cluster of a template; of several, `cluster` names one. Raises `SpecError`.

    Nested stacks whose template is a file below `folder` are read, too. `var_files` and `settings` give values to
    parameters.
    """
    template, odd = _read_template(source)
    given = _parameter_values(template, source, var_files, settings)
    resources = _resources(template)
    root = _Stack("", folder, template, Functions(template, resources, given))
    root.functions.notes += odd
    _note_unread(root)
    stacks = [root, *_nested_stacks(root, [])]
    clusters = _clusters(stacks)
    if not clusters:
        refuse(source, f"there is no {_CLUSTER} in it", "; ".join(root.functions.notes[:3]) or _hint(template))
    found = clusters[choose(source, [one.shown for one in clusters], cluster)]
    functions = found.stack.functions
    properties = functions.value(found.resource.get("Properties", {}))
    if not isinstance(properties, dict):
        refuse(source, f"{found.shown} has no Properties")
    params = _request(properties, functions)
    for part in _parts(found, stacks):
        _merge_part(params, part)
    params.setdefault("Name", found.name)
    notes = [text for member, text in _UNSAID.items() if member not in {**params, **params["Instances"]}]
    others = [
        f"{name} ({one['Type']})"
        for name, one in resources.items()
        if one["Type"].startswith("AWS::EMR::") and one["Type"] not in _PARTS and name != found.name
    ]
    if len(clusters) > 1 and others:
        notes.append(f"other resources of EMR are in the template: {', '.join(others)[:300]}")
    return Wanted(params, functions.names.variables_in(params), "", (*functions.notes, *notes))


def _resources(template: Json) -> Json:
    described = {name: one for name, one in _mapping(template, "Resources").items() if isinstance(one, dict)}
    return {name: one for name, one in described.items() if isinstance(one.get("Type"), str)}


def _hint(template: Json) -> str:
    """Returns a hint for a template that has no cluster."""
    if "elasticmapreduce:createCluster" in json.dumps(template):
        return "a state machine in it makes clusters: import takes the Parameters of its createCluster state, as JSON"
    return "other resources are not job flows"


def _note_unread(stack: _Stack) -> None:
    for name in _mapping(stack.template, "Resources"):
        if name.startswith("Fn::ForEach"):
            stack.functions.note(f"{stack.prefix}{name} is not written out, and not imported")
    macros = stack.template.get("Transform", [])
    for macro in macros if isinstance(macros, list) else [macros]:
        if macro not in ("AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"):
            stack.functions.note(f"the macro {json.dumps(macro)[:80]} changes the template before it is used; not here")


# --- parameters ---


def _parameter_values(template: Json, source: Source, files: Sequence[Path], settings: Sequence[str]) -> Json:
    """Returns the values of parameters, the last one of each name."""
    values: Json = {}
    for path in files:
        try:
            values |= _file_values(json.loads(path.read_text("utf-8-sig")))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            refuse(source, f"{path} is not a file of parameters: {error}", '[{"ParameterKey": …, "ParameterValue": …}]')
    for setting in settings:
        name, mark, text = setting.partition("=")
        if not mark:
            refuse(source, f"'{setting}' is not of the form NAME=VALUE")
        values[name] = text
    unknown = sorted(values.keys() - _mapping(template, "Parameters").keys())
    if unknown:
        refuse(source, f"the template has no parameter {', '.join(unknown)}")
    return values


def _file_values(content: Any) -> Json:
    """Returns the parameters in a file of `aws cloudformation` or CodePipeline, or in a plain object.

    CodePipeline's is {"Parameters": {…}}.
    """
    if isinstance(content, list):
        return {one["ParameterKey"]: one["ParameterValue"] for one in content}
    return {str(key): value for key, value in content.get("Parameters", content).items()}


# --- nested stacks ---


def _nested_stacks(stack: _Stack, seen: list[str]) -> Iterator[_Stack]:
    """Yields the nested stacks of a stack whose templates are here; a note for each other one."""
    inner = {}
    for name, resource in stack.resources.items():
        if resource["Type"] in _STACKS and (found := _load_nested_stack(stack, name, resource, seen)):
            inner[name] = found
    stack.functions.outputs = lambda name, output: _output_value(inner.get(name), output)
    for one in inner.values():
        yield one
        yield from _nested_stacks(one, seen)


def _load_nested_stack(stack: _Stack, name: str, resource: Json, seen: list[str]) -> _Stack | None:
    """Returns the nested stack that a resource is; None, with a note, where its template is not here."""
    functions, shown = stack.functions, f"{stack.prefix}{name}"
    properties = _mapping(resource, "Properties")
    where = properties.get("TemplateURL") or properties.get("Location")
    path = stack.folder / where if isinstance(where, str) and "://" not in where else None
    if functions.evaluate_condition(resource.get("Condition")) is False:
        functions.note(f"the nested stack {shown} is left out: its condition {resource['Condition']} is false")
        return None
    # A stack may contain itself.
    if path is None or not path.is_file() or len(seen) >= _MOST_STACKS or len(stack.prefix.split(".")) > _DEEPEST_STACK:
        functions.note(
            f"the nested stack {shown} is not imported: its template {shown_argument(where)[:80]} is not here"
        )
        return None
    seen.append(shown)
    try:
        template, odd = _read_template(Source(str(path), path.read_text("utf-8-sig")))
    except (SpecError, OSError, UnicodeDecodeError) as error:
        reason = error.diagnostics[0].message if isinstance(error, SpecError) else str(error)
        functions.note(f"the nested stack {shown} is not imported: {path.name} can't be read: {reason}")
        return None
    given, prefix = _mapping(properties, "Parameters"), f"{shown}."
    made = _Stack(prefix, path.parent, template, Functions(template, _resources(template), given, functions, prefix))
    functions.notes += [f"{shown}: {text}" for text in odd]
    _note_unread(made)
    return made


def _output_value(stack: _Stack | None, output: str) -> Any:
    """Returns the value of an output of a nested stack; None where it is not known."""
    declared = _mapping(_mapping(stack.template, "Outputs"), output) if stack else {}
    return stack.functions.value(declared["Value"]) if stack and "Value" in declared else None


# --- clusters ---


def _all_clusters(stacks: list[_Stack]) -> list[_FoundResource]:
    return [
        _FoundResource(stack, name)
        for stack in stacks
        for name, one in stack.resources.items()
        if one["Type"] == _CLUSTER
    ]


def _clusters(stacks: list[_Stack]) -> list[_FoundResource]:
    """Returns the clusters of the stacks, but for those whose condition is false where there are others."""
    found = _all_clusters(stacks)
    made = []
    for one in found:
        condition = one.resource.get("Condition")
        decided = one.stack.functions.evaluate_condition(condition)
        if condition is not None and decided is not True:
            one.stack.functions.note(
                f"{one.shown} is made only under the condition {condition}, which {_condition_words(decided)}"
            )
        if condition is None or decided is not False:
            made.append(one)
    return made or found


def _condition_words(decided: bool | None) -> str:
    """Returns the words for a condition that is not known to be true."""
    return "is false by the parameters' values" if decided is False else "can't be decided here"


def _read_template(source: Source) -> tuple[Json, list[str]]:
    """Returns a template, and notes on scalars that CloudFormation's YAML reads otherwise."""
    value, notes = None, list[str]()
    if source.text.lstrip()[:1] == "{":
        value = load_json(source)
    else:
        root, found = compose(source, functions=True)
        if found:
            raise SpecError(found)
        if root is not None:
            value, notes = _node_data(root), [*_notes_on_scalars(root)]
    if not isinstance(value, dict):
        refuse(source, "a template is a mapping with Resources")
    return value, notes


def _notes_on_scalars(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        if node.plain and _READ_OTHERWISE.fullmatch(node.text):
            shown = f"line {node.at.line}: {node.text} is taken as a text"
            yield f"{shown}; without quotes, YAML 1.1 reads it as another value"
        return
    for item in [one for _, one in node.entries.values()] if isinstance(node, Mapping) else node.items:
        yield from _notes_on_scalars(item)


def _node_data(node: Node) -> Any:
    """Returns a node as data; a number is the text as it was written, since CloudFormation tells them apart by use."""
    if isinstance(node, Mapping):
        return {key: _node_data(item) for key, (_, item) in node.entries.items()}
    if isinstance(node, Items):
        return [_node_data(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.text if isinstance(node.value, int | float) and not isinstance(node.value, bool) else node.value


def _mapping(value: Any, key: str) -> Json:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _parts(cluster: _FoundResource, stacks: list[_Stack]) -> Iterator[_FoundResource]:
    """Yields the resources that belong to the cluster."""
    own = cluster.stack.functions.ref(cluster.name)
    others = [one.stack.functions.ref(one.name) for one in _all_clusters(stacks) if one != cluster]
    for stack in stacks:
        for name, resource in _order_by_dependency(stack.resources):
            kind = resource.get("Type")
            if kind not in _PARTS:
                continue
            owner = stack.functions.value(_mapping(resource, "Properties").get(_PARTS[kind][0]))
            if owner != own:
                if owner not in others:
                    stack.functions.note(
                        f"{stack.prefix}{name} ({kind}) is not imported: it is for a cluster that is not here"
                    )
                continue
            condition = resource.get("Condition")
            decided = stack.functions.evaluate_condition(condition)
            if condition is not None and decided is not True:
                verdict = _condition_words(decided)
                stack.functions.note(f"{stack.prefix}{name} is left out: its condition {condition} {verdict}")
                continue
            if condition is not None:
                stack.functions.note(
                    f"{stack.prefix}{name} is imported, since {condition} is true by the parameters' values"
                )
            yield _FoundResource(stack, name)


def _order_by_dependency(resources: Json) -> list[tuple[str, Json]]:
    """Returns the resources, each after those it depends on: steps run in the order in which they are made."""
    out: dict[str, Json] = {}

    def add_after_dependencies(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in out or name in on_the_way or name not in resources:
            return
        needed = resources[name].get("DependsOn", [])
        for one in [needed] if isinstance(needed, str) else needed if isinstance(needed, list) else []:
            add_after_dependencies(str(one), (*on_the_way, name))
        out[name] = resources[name]

    for name in resources:
        add_after_dependencies(name, ())
    return list(out.items())


# --- members ---


def _request(properties: Json, functions: Functions) -> Json:
    renamed = _rename_members(properties)
    if isinstance(renamed.get("AdditionalInfo"), dict):
        renamed["AdditionalInfo"] = json.dumps(renamed["AdditionalInfo"])
    instances = renamed.pop("Instances", {})
    if isinstance(instances, dict):
        renamed["Instances"] = _instances(instances, functions)
    else:
        functions.note("Instances is not imported: its value is not known here")
    params, notes = convert_members(renamed, input_shape(), functions.names.variables)
    for note in notes:
        functions.note(note)
    return {"Instances": {}, **params}


def _rename_members(value: Any) -> Any:
    if isinstance(value, list):
        return [_rename_members(item) for item in value]
    if isinstance(value, dict):
        properties = {"ConfigurationProperties", "Properties"}
        return {
            _RENAMED.get(key, key): item if key in properties else _rename_members(item) for key, item in value.items()
        }
    return value


def _instances(given: Json, functions: Functions) -> Json:
    """Returns Instances of JobFlowInstancesConfig, in which each role has a member of its own."""
    out: Json = {}
    for members, known in (("InstanceGroups", _GROUPS), ("InstanceFleets", _FLEETS)):
        word = "InstanceRole" if members == "InstanceGroups" else "InstanceFleetType"
        found = [(key, role, one) for key, role in known.items() for one in _as_list(given.get(key, []))]
        for key in dict.fromkeys(key for key, _, one in found if not isinstance(one, dict)):
            functions.note(f"Instances.{key} is not imported: its value is not known here")
        made = [{word: role, **one} for _, role, one in found if isinstance(one, dict)]
        if made:
            out[members] = made
    return out | {key: value for key, value in given.items() if key not in {**_GROUPS, **_FLEETS}}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _merge_part(params: Json, part: _FoundResource) -> None:
    """Puts a resource of its own into the request of its cluster."""
    functions, kind = part.stack.functions, str(part.resource["Type"])
    owner_property, (*above, member) = _PARTS[kind]
    own = {key: value for key, value in _mapping(part.resource, "Properties").items() if key != owner_property}
    renamed = _rename_members(functions.value(own))
    if kind == "AWS::EMR::Step" and isinstance(renamed, dict):
        monitoring = {key: renamed.pop(key) for key in ("LogUri", "EncryptionKeyArn") if key in renamed}
        if monitoring:
            renamed["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": monitoring}
    shape, owner = input_shape(), params
    for name in above:
        shape, owner = shape.members[name], owner[name]
    made, notes = convert_members(renamed, shape.members[member].member, functions.names.variables, part.shown)
    for note in notes:
        functions.note(note)
    if made is UNKNOWN:
        return
    owner[member] = [*_as_list(owner.get(member, [])), made]
    functions.note(f"{part.shown} ({kind}) is part of the request: in the template it is a resource of its own")
