"""Cluster and playbook files of Snowplow's dataflow-runner -> a request.

Facts from the Avro schemas ClusterConfig 1-1-0 and PlaybookConfig 1-0-1, and from what version 0.7 sends: it keeps the
cluster alive and visible, calls versions from 4.0 on a release, and makes no group of no instances.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowspec.document.text.tree import Source
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.decompile.request_file import decode_source
from flowspec.importers.names import Names
from flowspec.importers.placeholders import Wanted
from flowspec.importers.refusal import load_json, refuse
from flowspec.importers.shapes import convert_members, members_that_are_set

_GO_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ENVIRONMENT = re.compile(r"""\s*systemEnv\s+["`](\w+)["`]\s*""")
_SCHEMA = "com.snowplowanalytics.dataflowrunner/"
# The keys of the files: an object, or a list of objects, where they have keys below; else _ANY.
_ANY = None
_CREDENTIALS = dict.fromkeys(("accessKeyId", "secretAccessKey"), _ANY)
_ROLES = dict.fromkeys(("jobflow", "service"), _ANY)
_MASTER = dict.fromkeys(("type", "bid", "ebsConfiguration"), _ANY)
_WORKERS = {**_MASTER, "count": _ANY}
_CONFIGURATION: Json = dict.fromkeys(("classification", "properties"), _ANY)
_CONFIGURATION["configurations"] = [_CONFIGURATION]
_CLUSTER: Json = {
    **dict.fromkeys(("name", "region", "logUri"), _ANY),
    "credentials": _CREDENTIALS,
    "roles": _ROLES,
    "ec2": {
        **dict.fromkeys(("amiVersion", "keyName"), _ANY),
        "location": {"vpc": {"subnetId": _ANY}, "classic": {"availabilityZone": _ANY}},
        "instances": {"master": _MASTER, "core": _WORKERS, "task": _WORKERS},
    },
    "tags": [dict.fromkeys(("key", "value"), _ANY)],
    "bootstrapActionConfigs": [{"name": _ANY, "scriptBootstrapAction": dict.fromkeys(("path", "args"), _ANY)}],
    "configurations": [_CONFIGURATION],
    "applications": [_ANY],
}
_PLAYBOOK: Json = {
    "region": _ANY,
    "credentials": _CREDENTIALS,
    "steps": [dict.fromkeys(("type", "name", "actionOnFailure", "jar", "arguments"), _ANY)],
}


def is_file(value: Any) -> bool:
    """Returns True for the content of a cluster or playbook file."""
    return isinstance(value, Mapping) and _SCHEMA in str(value.get("schema")) and isinstance(value.get("data"), Mapping)


def read(source: Source, folder: Path, _cluster: str = "") -> Wanted:
    """Returns the request of a cluster file, with the steps of the playbook of its name, if there is one in `folder`.

    The playbook of cluster.json is playbook.json, that of NAME-cluster.json is NAME-playbook.json. Raises `SpecError`.
    """
    names, notes = Names(), list[str]()
    data = _read_data(source, names)
    if "steps" in data:
        refuse(source, "this is a playbook of dataflow-runner: it has steps, and no cluster", "import the cluster file")
    if "ec2" not in data:
        refuse(source, "a cluster of dataflow-runner has ec2", "")
    unknown = [*_unknown_paths(source, data, _CLUSTER, "")]
    params = _request(data)
    notes += [f"{path} is not imported: it is not a known key of a cluster" for path in unknown]
    notes += _notes(data)
    playbook = folder / re.sub("cluster", "playbook", Path(source.file).name)
    if playbook.name != Path(source.file).name and playbook.is_file():
        beside = decode_source(str(playbook), playbook.read_bytes())
        found = _read_data(beside, names)
        notes += [f"{playbook.name}: {path} is not imported" for path in _unknown_paths(beside, found, _PLAYBOOK, "")]
        params["Steps"] = [_step(one) for one in found.get("steps", [])]
        notes.append(f"the steps are those of {playbook.name}")
    made, more = convert_members(params, input_shape())
    region = data.get("region", "")
    return Wanted(made, names.variables_in([made, region]), region, (*notes, *more))


def _unknown_paths(source: Source, value: Any, known: Any, path: str) -> Iterator[str]:
    """Yields the paths of the keys that are not `known`. Raises `SpecError` for what is no object or list there."""
    if known is _ANY:
        return
    if not isinstance(value, type(known)):
        wanted = "a list" if isinstance(known, list) else "an object"
        refuse(source, f"{path.removeprefix('.')} has to be {wanted}", "as in the Avro schemas of dataflow-runner")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_paths(source, item, known[0], f"{path}[{index}]")
        return
    for key, item in value.items():
        if key in known:
            yield from _unknown_paths(source, item, known[key], f"{path}.{key}")
        else:
            yield f"{path}.{key}".removeprefix(".")


def _read_data(source: Source, names: Names) -> Json:
    value = load_json(source, "templates have to be within texts")
    if not is_file(value):
        refuse(
            source,
            "a file of dataflow-runner has schema and data",
            f'"schema": "iglu:{_SCHEMA}ClusterConfig/avro/1-1-0"',
        )
    made: Json = _replace_templates(value["data"], names)
    return made


def _replace_templates(value: Any, names: Names) -> Any:
    """Returns a value with a placeholder for each Go template in its texts, and without what is null."""
    if isinstance(value, dict):
        return {key: _replace_templates(item, names) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_replace_templates(item, names) for item in value]
    return _GO_TEMPLATE.sub(lambda found: _stand_in(found[1], names), value) if isinstance(value, str) else value


def _stand_in(text: str, names: Names) -> str:
    environment = _ENVIRONMENT.fullmatch(text)
    if environment:
        return names.stand_in(f"the environment variable {environment[1]}", environment[1].lower())
    return names.stand_in(f"in dataflow-runner: {{{{{text}}}}}", "value")


def _request(data: Json) -> Json:
    ec2, roles = data["ec2"], data.get("roles", {})
    version = str(ec2.get("amiVersion", ""))
    release = "AmiVersion" if re.match(r"[0-3]\.", version) else "ReleaseLabel"
    out: Json = {"Name": data.get("name"), release: version if release == "AmiVersion" else f"emr-{version}"}
    out |= {"LogUri": data.get("logUri"), "JobFlowRole": roles.get("jobflow"), "ServiceRole": roles.get("service")}
    out["VisibleToAllUsers"] = True
    out["Instances"] = _instances(ec2)
    out["Tags"] = [{"Key": one.get("key"), "Value": one.get("value")} for one in data.get("tags", ())]
    out["BootstrapActions"] = [_action(one) for one in data.get("bootstrapActionConfigs", ())]
    out["Configurations"] = [_configuration(one) for one in data.get("configurations", ())]
    out["Applications"] = [{"Name": one} for one in data.get("applications", ())]
    return {key: value for key, value in out.items() if value not in (None, "", [])}


def _notes(data: Json) -> Iterator[str]:
    if not {*map(str, data.get("credentials", {}).values())} <= {"env", "iam", "default"}:
        yield "the keys in credentials are not imported: flowspec has those of AWS's files and environment"
    yield "dataflow-runner ends the cluster itself (run-transient, down): keep_alive: false ends it with its last step"


def _instances(ec2: Json) -> Json:
    place, given = ec2.get("location", {}), ec2.get("instances", {})
    out: Json = {"InstanceGroups": [], "KeepJobFlowAliveWhenNoSteps": True}
    for role in ("master", "core", "task"):
        one = given.get(role, {})
        count = 1 if role == "master" else one.get("count", 0)
        if count:
            out["InstanceGroups"].append(_group(role, one, count))
    return out | members_that_are_set(
        Ec2KeyName=ec2.get("keyName"),
        Ec2SubnetId=place.get("vpc", {}).get("subnetId"),
        Placement=members_that_are_set(AvailabilityZone=place.get("classic", {}).get("availabilityZone")),
    )


def _group(role: str, one: Json, count: Any) -> Json:
    out = {"InstanceRole": role.upper(), "InstanceType": one.get("type"), "InstanceCount": count}
    if one.get("bid"):
        out |= {"Market": "SPOT", "BidPrice": one["bid"]}
    if one.get("ebsConfiguration"):
        out["EbsConfiguration"] = _capitalized(one["ebsConfiguration"])
    return out


def _capitalized(value: Any) -> Any:
    """Returns the members of an object as the API writes them."""
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _capitalized(item) for key, item in value.items()}
    return [_capitalized(one) for one in value] if isinstance(value, list) else value


def _action(one: Json) -> Json:
    script = one.get("scriptBootstrapAction", {})
    return {
        "Name": one.get("name"),
        "ScriptBootstrapAction": {"Path": script.get("path"), "Args": script.get("args", [])},
    }


def _configuration(one: Json) -> Json:
    inner = [_configuration(each) for each in one.get("configurations", ())]
    out = {"Classification": one.get("classification"), "Properties": one.get("properties", {})}
    return {**out, "Configurations": inner} if inner else out


def _step(one: Json) -> Json:
    jar = {"Jar": one.get("jar"), "Args": one.get("arguments", [])}
    return {"Name": one.get("name"), "ActionOnFailure": one.get("actionOnFailure"), "HadoopJarStep": jar}
