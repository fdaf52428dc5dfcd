"""A Terraform module -> the request that its aws_emr_cluster means.

Read as HCL or as JSON; the answer of `terraform show -json`, for a plan or a state, will do as well. The
attributes are those of the AWS provider's pages on aws_emr_cluster and on the resources that belong to one;
what the provider adds (keep-alive and visibility are true, a market for each group) is added here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.tree import Source
from flowspec.facts.api_model import input_shape
from flowspec.importers.decompile.placeholders import Wanted, placeholder_name
from flowspec.importers.refusal import choose, refuse
from flowspec.importers.shapes import fitted, parsed_json
from flowspec.importers.terraform.expressions import Scope, Unknown
from flowspec.importers.terraform.hcl import parse

Json = dict[str, Any]

_CLUSTER = "aws_emr_cluster"
_PARTS = ("aws_emr_instance_group", "aws_emr_instance_fleet", "aws_emr_managed_scaling_policy")
_PLAIN = {
    "additional_info": "AdditionalInfo",
    "autoscaling_role": "AutoScalingRole",
    "custom_ami_id": "CustomAmiId",
    "ebs_root_volume_size": "EbsRootVolumeSize",
    "log_encryption_kms_key_id": "LogEncryptionKmsKeyId",
    "log_uri": "LogUri",
    "name": "Name",
    "os_release_label": "OSReleaseLabel",
    "release_label": "ReleaseLabel",
    "scale_down_behavior": "ScaleDownBehavior",
    "security_configuration": "SecurityConfiguration",
    "service_role": "ServiceRole",
    "step_concurrency_level": "StepConcurrencyLevel",
}
_EC2 = {
    "key_name": "Ec2KeyName",
    "subnet_id": "Ec2SubnetId",
    "subnet_ids": "Ec2SubnetIds",
    "emr_managed_master_security_group": "EmrManagedMasterSecurityGroup",
    "emr_managed_slave_security_group": "EmrManagedSlaveSecurityGroup",
    "service_access_security_group": "ServiceAccessSecurityGroup",
    "additional_master_security_groups": "AdditionalMasterSecurityGroups",
    "additional_slave_security_groups": "AdditionalSlaveSecurityGroups",
}
# Read by _request, each in a way of its own.
_SPECIAL = {
    *("applications", "auto_termination_policy", "bootstrap_action", "configurations", "configurations_json"),
    *("core_instance_fleet", "core_instance_group", "master_instance_fleet", "master_instance_group"),
    *("ec2_attributes", "keep_job_flow_alive_when_no_steps", "kerberos_attributes", "placement_group_config"),
    *("step", "tags", "termination_protection", "unhealthy_node_replacement", "visible_to_all_users"),
    *("master_instance_type", "core_instance_type", "core_instance_count", "instance_group"),
}
# What is for Terraform itself, or what it only reads.
_META = {
    *("lifecycle", "depends_on", "provider", "count", "for_each", "timeouts", "list_steps_states", "provisioner"),
    *("id", "arn", "cluster_state", "master_public_dns", "tags_all", "region", "connection"),
}


class _Resource(NamedTuple):
    kind: str
    name: str
    body: Json


class _Module(NamedTuple):
    """What the files of a module say."""

    resources: list[_Resource]
    variables: Json
    local: Json


def is_module(folder: Path) -> bool:
    """Whether a folder holds Terraform files."""
    return any(_files(folder))


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted((*folder.glob("*.tf"), *folder.glob("*.tf.json")))


def read(source: Source, folder: Path, cluster: str = "") -> Wanted:
    """What a cluster of a module asks for; of several, `cluster` names one. Raises `SpecError`.

    `source` is a file, whose folder's other files are the rest of the module, or that folder itself.
    """
    module, chosen = _module(source, folder)
    clusters = [one for one in chosen if one.kind == _CLUSTER]
    if not clusters:
        refuse(source, f"there is no {_CLUSTER} in it", "other resources are no job flows")
    found = clusters[choose(source, [one.name for one in clusters], cluster)]
    scope = Scope(module.variables, module.local, folder)
    body = found.body
    params = _request(body, scope, source)
    owner = re.compile(rf"\b{_CLUSTER}\.{re.escape(found.name)}\b(\[[^]]*\]|\.\*)?\.id\b")
    for part in module.resources:
        if part.kind in _PARTS and (owner.search(str(part.body.get("cluster_id"))) or _is_id(part.body, body)):
            _fold(params, part, scope)
    return Wanted(params, scope.names.used(params), "", tuple(dict.fromkeys(scope.notes)))


def _is_id(part: Json, cluster: Json) -> bool:
    """In a state both have the cluster's id."""
    return "id" in cluster and part.get("cluster_id") == cluster["id"]


# --- files ---


def _module(source: Source, folder: Path) -> tuple[_Module, list[_Resource]]:
    """The module, and those of its resources that are in the source itself."""
    is_folder = Path(source.file).is_dir()
    own = [] if is_folder else [_parsed(source)]
    name = Path(source.file).name
    # Other than a file of a module, what is read from stdin or a plan has no files beside it.
    beside = is_folder or name.endswith((".tf", ".tf.json"))
    others = [
        _parsed(Source(str(path), path.read_text("utf-8-sig")))
        for path in (_files(folder) if beside else ())
        if is_folder or path.name != name
    ]
    resources = [one for parsed in (own or others) for one in _resources(parsed)]
    parsed = [*own, *others]
    everything = [one for each in parsed for one in _resources(each)]
    variables = {key: value for each in parsed for key, value in _merged(each.get("variable")).items()}
    local = {key: value for each in parsed for key, value in _merged(each.get("locals")).items()}
    return _Module(everything, {key: _block(value) for key, value in variables.items()}, local), resources


def _parsed(source: Source) -> Json:
    if source.text.lstrip()[:1] not in ("{", "["):
        return parse(source)
    try:
        value = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        refuse(source, f"this is not JSON: {str(error)[:200]}")
    if not isinstance(value, dict):
        refuse(source, "Terraform's JSON is an object")
    return value


def _resources(parsed: Json) -> Iterator[_Resource]:
    shown = parsed.get("planned_values") or parsed.get("values")
    if isinstance(shown, dict):
        yield from _shown(shown.get("root_module"))
    for kind, named in _merged(parsed.get("resource")).items():
        for name, body in _merged(named).items():
            yield _Resource(kind, name, _block(body))


def _shown(module: Any) -> Iterator[_Resource]:
    """The resources of a plan or state, those of its modules too."""
    if not isinstance(module, dict):
        return
    for one in module.get("resources", []):
        body = {key: _escaped(value) for key, value in one.get("values", {}).items() if value not in (None, [], "")}
        yield _Resource(str(one.get("type")), str(one.get("name")), body)
    for inner in module.get("child_modules", []):
        yield from _shown(inner)


def _escaped(value: Any) -> Any:
    """A value that is no template."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _merged(value: Any) -> Json:
    """Blocks of one word: a list of them, or one, as a mapping by what comes next."""
    out: Json = {}
    for one in value if isinstance(value, list) else [value]:
        for key, inner in one.items() if isinstance(one, dict) else ():
            if isinstance(out.get(key), dict) and isinstance(inner, dict):
                out[key] = {**out[key], **inner}
            else:
                out[key] = inner
    return out


def _block(value: Any) -> Json:
    """The one block of this name; {} when there is none."""
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, dict) else {}


def _blocks(value: Any) -> list[Json]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


# --- members ---


def _request(body: Json, scope: Scope, source: Source) -> Json:
    _note_unread(body, scope)
    params: Json = {}
    for key, member in _PLAIN.items():
        if body.get(key) is not None:
            params[member] = scope.value(body[key])
    params.setdefault("Name", "imported")
    params["Instances"] = _instances(body, scope)
    profile = scope.value(_block(body.get("ec2_attributes")).get("instance_profile"))
    params |= _said("JobFlowRole", profile)
    params |= _said("Applications", [{"Name": one} for one in _listed(body.get("applications"), "applications", scope)])
    params |= _said("Configurations", _configurations(body, scope, source))
    params |= _said("BootstrapActions", [_action(one, scope) for one in _blocks(body.get("bootstrap_action"))])
    params |= _said("Steps", [_step(one, scope) for one in _blocks(body.get("step"))])
    params |= _said("Tags", _tags(body.get("tags"), scope))
    params |= _said(
        "KerberosAttributes", _members(_block(body.get("kerberos_attributes")), scope, "KerberosAttributes")
    )
    params |= _said(
        "AutoTerminationPolicy", _members(_block(body.get("auto_termination_policy")), scope, "AutoTerminationPolicy")
    )
    groups = [_members(one, scope, "") for one in _blocks(body.get("placement_group_config"))]
    params |= _said("PlacementGroupConfigs", groups)
    params["VisibleToAllUsers"] = scope.value(body.get("visible_to_all_users", True))
    made: Json = fitted(params, input_shape())
    return made


def _said(member: str, value: Any) -> Json:
    return {member: value} if value else {}


def _note_unread(body: Json, scope: Scope) -> None:
    for key in body:
        if key == "dynamic":
            names = ", ".join(_merged(body[key]))
            scope.notes.append(
                f"dynamic blocks ({names}) are not written out, and not imported: write them into the spec"
            )
        elif key in ("count", "for_each"):
            scope.notes.append(f"{key} is not imported: the spec is for one cluster")
        elif key not in {*_PLAIN, *_SPECIAL, *_META}:
            scope.notes.append(f"{key} is not imported: no attribute of {_CLUSTER} that is known here")
    if "step" in str(_block(body.get("lifecycle")).get("ignore_changes", "")):
        scope.notes.append("Terraform ignores changes of its steps; a spec's steps are part of it")


def _members(block: Json, scope: Scope, member: str) -> Json:
    """A block whose attributes are the API's members in snake_case."""
    known = getattr(input_shape().members.get(member), "members", {})
    spelled = {name.lower(): name for name in known}
    out = {}
    for key, value in block.items():
        camel = "".join(word.title() for word in key.split("_"))
        if value is not None:
            out[spelled.get(camel.lower(), camel)] = scope.value(value)
    return out


def _listed(value: Any, what: str, scope: Scope) -> list[Any]:
    """A list whose items are needed one by one: a variable for all of it counts by its default."""
    made = scope.value(value)
    if placeholder_name(made):
        try:
            made = scope.default(made)
        except Unknown:
            scope.notes.append(f"{what} is not imported: only Terraform knows {value}")
            return []
        scope.notes.append(f"{what} is taken from the default of {str(value).strip('${}')}")
    return made if isinstance(made, list) else [] if made is None else [made]


def _tags(value: Any, scope: Scope) -> list[Json]:
    made = scope.value(value)
    if placeholder_name(made):
        scope.notes.append(f"tags are not imported: only Terraform knows {value}")
        return []
    pairs = made.items() if isinstance(made, dict) else ()
    return [{"Key": key, "Value": item} for key, item in pairs]


def _instances(body: Json, scope: Scope) -> Json:
    out: Json = {}
    groups = [
        _group(block, role, scope)
        for key, role in (("master_instance_group", "MASTER"), ("core_instance_group", "CORE"))
        for block in _blocks(body.get(key))
    ]
    groups += [_group(block, str(block.get("instance_role")), scope) for block in _blocks(body.get("instance_group"))]
    out |= _said("InstanceGroups", groups)
    fleets = [
        _fleet(block, role, scope)
        for key, role in (("master_instance_fleet", "MASTER"), ("core_instance_fleet", "CORE"))
        for block in _blocks(body.get(key))
    ]
    out |= _said("InstanceFleets", fleets)
    out |= _old_instances(body, scope)
    ec2 = _block(body.get("ec2_attributes"))
    for key, member in _EC2.items():
        if ec2.get(key) is not None:
            made = scope.value(ec2[key])
            out[member] = _separated(made) if key.startswith("additional") else made
    out["KeepJobFlowAliveWhenNoSteps"] = scope.value(body.get("keep_job_flow_alive_when_no_steps", True))
    out["TerminationProtected"] = scope.value(body.get("termination_protection", False))
    if body.get("unhealthy_node_replacement") is not None:
        out["UnhealthyNodeReplacement"] = scope.value(body["unhealthy_node_replacement"])
    return out


def _separated(value: Any) -> Any:
    """Security groups are one text with commas in Terraform."""
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else value


def _old_instances(body: Json, scope: Scope) -> Json:
    """The attributes of the provider before version 3."""
    if "master_instance_type" not in body:
        return {}
    master, count = scope.value(body["master_instance_type"]), scope.value(body.get("core_instance_count", 0))
    core = scope.value(body.get("core_instance_type", body["master_instance_type"]))
    number = int(count) + 1 if str(count).isdigit() else count
    return {"MasterInstanceType": master, "SlaveInstanceType": core, "InstanceCount": number}


def _group(block: Json, role: str, scope: Scope) -> Json:
    bid = scope.value(block.get("bid_price"))
    out = {"InstanceRole": role, "Market": "SPOT" if bid else "ON_DEMAND"}
    out |= _said("Name", scope.value(block.get("name")))
    out |= _said("BidPrice", bid)
    out["InstanceType"] = scope.value(block.get("instance_type"))
    out["InstanceCount"] = scope.value(block.get("instance_count", 1))
    out |= _ebs(block, scope)
    out |= _said("AutoScalingPolicy", _json(block.get("autoscaling_policy"), "autoscaling_policy", scope))
    return out | _said("Configurations", _json(block.get("configurations_json"), "configurations_json", scope))


def _ebs(block: Json, scope: Scope) -> Json:
    names = {"size": "SizeInGB", "type": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
    volumes = []
    for one in _blocks(block.get("ebs_config")):
        volume = {names[key]: scope.value(value) for key, value in one.items() if key in names and value is not None}
        volumes.append(
            {"VolumeSpecification": volume, "VolumesPerInstance": scope.value(one.get("volumes_per_instance", 1))}
        )
    configuration = _said("EbsBlockDeviceConfigs", volumes)
    if block.get("ebs_optimized") is not None:
        configuration["EbsOptimized"] = scope.value(block["ebs_optimized"])
    return _said("EbsConfiguration", configuration)


def _fleet(block: Json, role: str, scope: Scope) -> Json:
    out: Json = {"InstanceFleetType": role, **_said("Name", scope.value(block.get("name")))}
    for key, member in (
        ("target_on_demand_capacity", "TargetOnDemandCapacity"),
        ("target_spot_capacity", "TargetSpotCapacity"),
    ):
        if block.get(key) is not None:
            out[member] = scope.value(block[key])
    types = [_fleet_type(one, scope) for one in _blocks(block.get("instance_type_configs"))]
    out |= _said("InstanceTypeConfigs", types)
    launch = _block(block.get("launch_specifications"))
    specifications: Json = {}
    for key, member in (
        ("spot_specification", "SpotSpecification"),
        ("on_demand_specification", "OnDemandSpecification"),
    ):
        specifications |= _said(member, _members(_block(launch.get(key)), scope, ""))
    return out | _said("LaunchSpecifications", specifications)


def _fleet_type(block: Json, scope: Scope) -> Json:
    out = {"InstanceType": scope.value(block.get("instance_type"))}
    for key, member in (
        ("weighted_capacity", "WeightedCapacity"),
        ("bid_price", "BidPrice"),
        ("bid_price_as_percentage_of_on_demand_price", "BidPriceAsPercentageOfOnDemandPrice"),
    ):
        if block.get(key) is not None:
            out[member] = scope.value(block[key])
    configurations = [
        {"Classification": scope.value(one.get("classification")), "Properties": scope.value(one.get("properties", {}))}
        for one in _blocks(block.get("configurations"))
    ]
    return out | _ebs(block, scope) | _said("Configurations", configurations)


def _json(value: Any, what: str, scope: Scope) -> Any:
    """An attribute that is JSON in a text."""
    text = scope.value(value)
    if text is None or not isinstance(text, str):
        return text
    try:
        return _capitalized(parsed_json(text))
    except (ValueError, RecursionError):
        shown = placeholder_name(text) or " ".join(text.split())[:60]
        scope.notes.append(f"{what} is not imported: what Terraform makes of it can't be read here ({shown})")
        return None


def _capitalized(value: Any) -> Any:
    """Configurations are accepted with members that begin in lower case: classification, properties."""
    words = {"classification": "Classification", "properties": "Properties", "configurations": "Configurations"}
    if isinstance(value, list):
        return [_capitalized(one) for one in value]
    if isinstance(value, dict) and ("classification" in value or "Classification" in value):
        return {
            words.get(key, key): _capitalized(item) if key.lower() == "configurations" else item
            for key, item in value.items()
        }
    return value


def _configurations(body: Json, scope: Scope, source: Source) -> Any:
    if body.get("configurations_json") is not None:
        return _json(body["configurations_json"], "configurations_json", scope)
    text = scope.value(body.get("configurations"))
    if not isinstance(text, str):
        return text
    if text.lstrip()[:1] in ("[", "{"):
        return _json(body["configurations"], "configurations", scope)
    try:
        return json.loads(scope.file(text))
    except (Unknown, ValueError):
        scope.notes.append(f"configurations is not imported: {text[:80]!r} is no file of {source.file}'s folder")
        return None


def _action(block: Json, scope: Scope) -> Json:
    script = {"Path": scope.value(block.get("path")), **_said("Args", _listed(block.get("args"), "args", scope))}
    return {"Name": scope.value(block.get("name")), "ScriptBootstrapAction": script}


def _step(block: Json, scope: Scope) -> Json:
    jar = _block(block.get("hadoop_jar_step"))
    out: Json = {"Jar": scope.value(jar.get("jar"))}
    out |= _said("Args", _listed(jar.get("args"), "args", scope))
    out |= _said("MainClass", scope.value(jar.get("main_class")))
    properties = scope.value(jar.get("properties"))
    if isinstance(properties, dict):
        out |= _said("Properties", [{"Key": key, "Value": value} for key, value in properties.items()])
    action = scope.value(block.get("action_on_failure"))
    return {"Name": scope.value(block.get("name")), **_said("ActionOnFailure", action), "HadoopJarStep": out}


def _fold(params: Json, part: _Resource, scope: Scope) -> None:
    """Puts a resource of its own into the request of its cluster."""
    if part.kind == "aws_emr_managed_scaling_policy":
        limits = _members(_block(part.body.get("compute_limits")), scope, "")
        params |= fitted({"ManagedScalingPolicy": {"ComputeLimits": limits}}, input_shape())
    else:
        fleet = part.kind == "aws_emr_instance_fleet"
        member = "InstanceFleets" if fleet else "InstanceGroups"
        made = (_fleet if fleet else _group)(part.body, "TASK", scope)
        shape = input_shape().members["Instances"].members[member].member
        params["Instances"].setdefault(member, []).append(fitted(made, shape))
    scope.notes.append(f"{part.kind}.{part.name} is part of the request: in Terraform it is a resource of its own")
