"""Cluster and playbook files of Snowplow's dataflow-runner -> a request.

Facts from the Avro schemas ClusterConfig 1-1-0 and PlaybookConfig 1-0-1, and from what version 0.7 sends: it keeps the
cluster alive and visible, calls versions from 4.0 on a release, and makes no group of no instances.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowspec.document.text.tree import Source
from flowspec.facts.api_model import input_shape
from flowspec.importers.decompile.placeholders import Wanted
from flowspec.importers.names import Names
from flowspec.importers.refusal import refuse
from flowspec.importers.shapes import fitted, known_members

Json = dict[str, Any]

_GO_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ENVIRONMENT = re.compile(r"""\s*systemEnv\s+["`](\w+)["`]\s*""")
_SCHEMA = "com.snowplowanalytics.dataflowrunner/"
# What the file says, member by member; other keys are read apart.
_KNOWN = {"name", "region", "logUri", "credentials", "roles", "ec2", "tags", "bootstrapActionConfigs"}
_KNOWN |= {"configurations", "applications"}
_PLAYBOOK = {"region", "credentials", "steps"}


def is_file(value: Any) -> bool:
    """Returns True for the content of a cluster or playbook file."""
    return isinstance(value, Mapping) and _SCHEMA in str(value.get("schema")) and isinstance(value.get("data"), Mapping)


def read(source: Source, folder: Path, _cluster: str = "") -> Wanted:
    """Returns the request of a cluster file, with the steps of the playbook of its name, if there is one in `folder`.

    The playbook of cluster.json is playbook.json, that of NAME-cluster.json is NAME-playbook.json. Raises `SpecError`.
    """
    names, notes = Names(), list[str]()
    data = _data(source, names)
    if "steps" in data:
        refuse(source, "this is a playbook of dataflow-runner: it has steps, and no cluster", "import the cluster file")
    if "ec2" not in data:
        refuse(source, "a cluster of dataflow-runner has ec2", "")
    params = _request(data, notes)
    playbook = folder / re.sub("cluster", "playbook", Path(source.file).name)
    if playbook.name != Path(source.file).name and playbook.is_file():
        found = _data(Source(str(playbook), playbook.read_text("utf-8-sig")), names)
        params["Steps"] = [_step(one) for one in found.get("steps", [])]
        notes += [f"{playbook.name}: {key} is not imported" for key in found if key not in _PLAYBOOK]
        notes.append(f"the steps are those of {playbook.name}")
    made, unknown = known_members(fitted(params, input_shape()), input_shape())
    notes += [f"{path} is not imported: RunJobFlow has no such member" for path in unknown]
    region = data.get("region", "")
    return Wanted(made, names.used([made, region]), region, tuple(notes))


def _data(source: Source, names: Names) -> Json:
    try:
        value = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        refuse(source, f"this is not JSON: {str(error)[:200]}", "templates have to be within texts")
    if not is_file(value):
        refuse(
            source,
            "a file of dataflow-runner has schema and data",
            f'"schema": "iglu:{_SCHEMA}ClusterConfig/avro/1-1-0"',
        )
    made: Json = _replaced(value["data"], names)
    return made


def _replaced(value: Any, names: Names) -> Any:
    """Returns a value with a placeholder for each Go template in its texts."""
    if isinstance(value, dict):
        return {key: _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return _GO_TEMPLATE.sub(lambda found: _stand_in(found[1], names), value) if isinstance(value, str) else value


def _stand_in(text: str, names: Names) -> str:
    environment = _ENVIRONMENT.fullmatch(text)
    if environment:
        return names.stand_in(f"the environment variable {environment[1]}", environment[1].lower())
    return names.stand_in(f"in dataflow-runner: {{{{{text}}}}}", "value")


def _request(data: Json, notes: list[str]) -> Json:
    ec2, roles = data["ec2"], data.get("roles", {})
    version = str(ec2.get("amiVersion", ""))
    release = "AmiVersion" if re.match(r"[0-3]\.", version) else "ReleaseLabel"
    out: Json = {"Name": data.get("name"), release: version if release == "AmiVersion" else f"emr-{version}"}
    out |= {"LogUri": data.get("logUri"), "JobFlowRole": roles.get("jobflow"), "ServiceRole": roles.get("service")}
    out["VisibleToAllUsers"] = True
    out["Instances"] = _instances(ec2)
    out["Tags"] = [{"Key": one.get("key"), "Value": one.get("value")} for one in data.get("tags") or ()]
    out["BootstrapActions"] = [_action(one) for one in data.get("bootstrapActionConfigs") or ()]
    out["Configurations"] = [_configuration(one) for one in data.get("configurations") or ()]
    out["Applications"] = [{"Name": one} for one in data.get("applications") or ()]
    notes += [f"{key} is not imported: no key of a cluster that is known here" for key in data if key not in _KNOWN]
    if set(data.get("credentials", {}).values()) - {"env", "iam", "default"}:
        notes.append("the keys in credentials are not imported: flowspec has those of AWS's files and environment")
    notes.append(
        "dataflow-runner ends the cluster itself (run-transient, down): keep_alive: false ends it with its last step"
    )
    return {key: value for key, value in out.items() if value not in (None, "", [])}


def _instances(ec2: Json) -> Json:
    place, given = ec2.get("location", {}), ec2.get("instances", {})
    out: Json = {"InstanceGroups": [], "KeepJobFlowAliveWhenNoSteps": True}
    for role in ("master", "core", "task"):
        one = given.get(role) or {}
        count = 1 if role == "master" else one.get("count", 0)
        if count:
            out["InstanceGroups"].append(_group(role, one, count))
    out |= {"Ec2KeyName": ec2["keyName"]} if ec2.get("keyName") else {}
    subnet, zone = (place.get("vpc") or {}).get("subnetId"), (place.get("classic") or {}).get("availabilityZone")
    out |= {"Ec2SubnetId": subnet} if subnet else {}
    return out | ({"Placement": {"AvailabilityZone": zone}} if zone else {})


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
    inner = [_configuration(each) for each in one.get("configurations") or ()]
    out = {"Classification": one.get("classification"), "Properties": one.get("properties", {})}
    return {**out, "Configurations": inner} if inner else out


def _step(one: Json) -> Json:
    jar = {"Jar": one.get("jar"), "Args": one.get("arguments", [])}
    return {"Name": one.get("name"), "ActionOnFailure": one.get("actionOnFailure"), "HadoopJarStep": jar}
