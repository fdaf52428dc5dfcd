"""A request -> a Terraform module with an aws_emr_cluster, as HCL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.exporters.job import Job, write_placeholders
from flowspec.facts.api_model import Json
from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.terraform import request as tables


class _Block(dict[str, Any]):
    """The arguments of a block; a value that is a list of blocks is written as blocks."""


class _Encoded:
    """A value that `jsonencode` makes a text of."""

    def __init__(self, value: Any) -> None:
        self.value = value


def write(job: Job) -> str:
    """Returns the module. Secrets are sensitive variables."""
    parts: list[tuple[str, _Block]] = []
    parts += [(f'variable "{name}"', _Block(type=_Raw("string"), sensitive=True)) for name in job.secrets]
    if job.region:
        parts.append(('provider "aws"', _Block(region=job.region)))
    label = re.sub(r"[^\w]+", "_", job.name, flags=re.ASCII).strip("_") or "cluster"
    label = label if label[0].isalpha() else f"cluster_{label}"
    params = job.with_groups
    parts.append((f'resource "aws_emr_cluster" "{label}"', _cluster(params)))
    parts += _parts(params, label)
    return "\n".join(f"{head} {{\n{''.join(_lines(body, '  '))}}}\n" for head, body in parts)


def notes(job: Job) -> list[str]:
    """Returns notes on arguments that the provider requires and the request lacks."""
    found = []
    for one in job.params["Instances"].get("InstanceFleets", []):
        spot = one.get("LaunchSpecifications", {}).get("SpotSpecification")
        if spot and "AllocationStrategy" not in spot:
            fleet = f"Instances.InstanceFleets[{one['InstanceFleetType']}]"
            found.append(f"Terraform requires the AllocationStrategy of the spot instances of {fleet}")
    return found


class _Raw(str):
    """An expression that is written unchanged."""


def _arguments(given: Mapping[str, Any], table: tables.Table) -> _Block:
    """Returns the arguments of a block by the importer's table; other members are handled separately or left out."""
    return _Block({key: given[member] for key, member in table.items() if member in given})


def _cluster(params: Json) -> _Block:
    instances = params["Instances"]
    out = _Block({**_arguments(params, tables.CLUSTER), **_arguments(instances, tables.INSTANCES)})
    out["keep_job_flow_alive_when_no_steps"] = instances.get("KeepJobFlowAliveWhenNoSteps", False)
    if "Applications" in params:
        out["applications"] = [one.get("Name", "") for one in params["Applications"]]
    if "Tags" in params:
        out["tags"] = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
    if "Configurations" in params:
        out["configurations_json"] = _Encoded(params["Configurations"])
    ec2 = _ec2(params, instances)
    out |= {"ec2_attributes": [ec2]} if ec2 else {}
    out |= _owned_instances(instances)
    for member, (name, table) in _PARTS.items():
        if member in params:
            found = params[member] if isinstance(params[member], list) else [params[member]]
            out[name] = [_arguments(one, table) for one in found]
    out["bootstrap_action"] = [_action(one) for one in params.get("BootstrapActions", [])]
    out["step"] = [_step(one) for one in params.get("Steps", [])]
    return out


_PARTS = {
    "KerberosAttributes": ("kerberos_attributes", tables.KERBEROS),
    "AutoTerminationPolicy": ("auto_termination_policy", tables.AUTO_TERMINATION),
    "PlacementGroupConfigs": ("placement_group_config", tables.PLACEMENT),
}


def _ec2(params: Json, instances: Json) -> _Block:
    out = _arguments(instances, tables.EC2)
    for key in [one for one in out if one.startswith("additional_")]:
        out[key] = ",".join(out[key])
    return _Block({**out, "instance_profile": params["JobFlowRole"]}) if params.get("JobFlowRole") else out


def _owned_instances(instances: Json) -> Json:
    """Returns the first group or fleet of the master and the core nodes; all others are resources of their own."""
    return {
        f"{one[role].lower()}_instance_{kind}": [write_one(one)]
        for kind, member, role, write_one in _INSTANCES
        for one in instances.get(member, [])
        if one[role] != "TASK"
    }


def _parts(params: Json, label: str) -> Iterator[tuple[str, _Block]]:
    """Yields the resources that belong to the cluster."""
    owner = {"cluster_id": _Raw(f"aws_emr_cluster.{label}.id")}
    instances = params["Instances"]
    for kind, member, role, write_one in _INSTANCES:
        for number, one in enumerate((one for one in instances.get(member, []) if one[role] == "TASK"), 1):
            yield f'resource "aws_emr_instance_{kind}" "task_{number}"', _Block({**owner, **write_one(one)})
    if "ManagedScalingPolicy" in params:
        limits = _arguments(params["ManagedScalingPolicy"].get("ComputeLimits", {}), tables.LIMITS)
        yield 'resource "aws_emr_managed_scaling_policy" "scaling"', _Block({**owner, "compute_limits": [limits]})


def _group(one: Json) -> _Block:
    volume = _OTHER_VOLUME if one["InstanceRole"] == "TASK" else tables.VOLUME
    out = _Block({**_arguments(one, tables.GROUP), **_volumes(one.get("EbsConfiguration", {}), volume)})
    for key, member in (("autoscaling_policy", "AutoScalingPolicy"), ("configurations_json", "Configurations")):
        if member in one and (member != "Configurations" or one["InstanceRole"] == "TASK"):
            out[key] = _Encoded(one[member])
    return out


# Those of fleets and of task groups have no throughput (the schema of provider 5.100).
_OTHER_VOLUME = {key: member for key, member in tables.VOLUME.items() if key != "throughput"}


def _volumes(given: Json, table: tables.Table) -> Json:
    volumes = [
        _Block({
            **_arguments(one.get("VolumeSpecification", {}), table),
            "volumes_per_instance": one.get("VolumesPerInstance", 1),
        })
        for one in given.get("EbsBlockDeviceConfigs", [])
    ]  # fmt: skip
    return {"ebs_config": volumes} if volumes else {}


def _fleet(one: Json) -> _Block:
    out = _arguments(one, tables.FLEET)
    out["instance_type_configs"] = [
        _Block({
            # If it is missing, the provider sends 100, which EMR refuses beside a price. 0 means that none is sent.
            **({"bid_price_as_percentage_of_on_demand_price": 0} if "BidPrice" in each else {}),
            **_arguments(each, tables.FLEET_TYPE),
            **_volumes(each.get("EbsConfiguration", {}), _OTHER_VOLUME),
            "configurations": [_arguments(given, tables.CONFIGURATION) for given in each.get("Configurations", [])],
        })
        for each in one.get("InstanceTypeConfigs", [])
    ]  # fmt: skip
    given = one.get("LaunchSpecifications", {})
    launch = {
        name: [_arguments(given[member], table)]
        for name, member, table in (
            ("spot_specification", "SpotSpecification", tables.SPOT),
            ("on_demand_specification", "OnDemandSpecification", tables.ON_DEMAND),
        )
        if member in given
    }
    return _Block({**out, "launch_specifications": [_Block(launch)]}) if launch else out


# The kinds of instances: name in Terraform, member of the request, member for the role, function that writes one.
_INSTANCES = (
    ("group", "InstanceGroups", "InstanceRole", _group),
    ("fleet", "InstanceFleets", "InstanceFleetType", _fleet),
)


def _action(one: Json) -> _Block:
    script = one["ScriptBootstrapAction"]
    return _Block(name=one.get("Name", ""), path=script.get("Path", ""), args=script.get("Args", []))


def _step(one: Json) -> _Block:
    jar = _arguments(one["HadoopJarStep"], tables.JAR)
    if "properties" in jar:
        jar["properties"] = {pair.get("Key", ""): pair.get("Value", "") for pair in jar["properties"]}
    # The provider requires action_on_failure; EMR uses CONTINUE if there is none.
    failure = one.get("ActionOnFailure", "CONTINUE")
    return _Block(name=one.get("Name", ""), action_on_failure=failure, hadoop_jar_step=[jar])


# --- HCL ---


def _lines(body: _Block, indent: str) -> Iterator[str]:
    for key, value in body.items():
        if isinstance(value, list) and (not value or isinstance(value[0], _Block)):
            for one in value:
                yield f"\n{indent}{key} {{\n{''.join(_lines(one, f'{indent}  '))}{indent}}}\n"
        else:
            yield f"{indent}{key} = {_expression(value, indent)}\n"


def _expression(value: Any, indent: str) -> str:
    if isinstance(value, _Raw):
        return value
    if isinstance(value, _Encoded):
        return f"jsonencode({_expression(value.value, indent)})"
    if isinstance(value, str):
        literal = _quote_before_reference if PLACEHOLDER.search(value) else _quoted
        return f'"{write_placeholders(value, literal, lambda name: f"${{var.{name}}}")}"'
    if isinstance(value, dict):
        inner = f"{indent}  "
        items = [f"{inner}{_expression(key, '')} = {_expression(item, inner)}\n" for key, item in value.items()]
        return f"{{\n{''.join(items)}{indent}}}"
    if isinstance(value, list):
        return f"[{', '.join(_expression(one, indent) for one in value)}]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Returns a text within quotes of HCL, where `${` and `%{` begin templates."""
    shown = json.dumps(text, ensure_ascii=False)[1:-1]
    # JSON's two escapes that HCL does not know.
    shown = re.sub(r"\\(.)", lambda found: {"b": r"\u0008", "f": r"\u000c"}.get(found[1], found[0]), shown)
    return shown.replace("${", "$${").replace("%{", "%%{")


def _quote_before_reference(text: str) -> str:
    """Returns a text within quotes that a reference may follow: `$${` would be no reference."""
    return re.sub(r"\$+\Z", lambda found: f'${{"{found[0]}"}}', _quoted(text))
