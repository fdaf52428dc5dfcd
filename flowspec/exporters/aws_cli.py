"""A request -> a shell script with `aws emr create-cluster`."""

from __future__ import annotations

import json
import shlex
from typing import Any

from flowspec.exporters.job import Job, without, write_placeholders
from flowspec.facts.api_model import Json
from flowspec.importers.awscli.command import OBJECTS, SCALARS, SWITCHES
from flowspec.importers.awscli.instances import EC2

# JSON that is longer is written in lines.
_WIDTH = 80
_INSTANCE_SWITCHES = {
    "TerminationProtected": "termination-protected",
    "UnhealthyNodeReplacement": "unhealthy-node-replacement",
}


def write(job: Job) -> str:
    """Returns the script. It sends the request when it is run, with the AWS CLI 1 or 2."""
    needed = [f': "${{{name}:?give its value in the environment}}"\n' for name in job.secrets]
    comment = "# Within JSON: quotes and backslashes of a secret have to be escaped.\n" if needed else ""
    options = " \\\n  ".join(_options(job))
    return f"#!/bin/sh\nset -eu\n{comment}{''.join(needed)}\naws emr create-cluster \\\n  {options}\n"


def _options(job: Job) -> list[str]:
    params = job.with_groups
    instances = params["Instances"]
    out = [_option("region", job.region), _option("profile", job.profile), _option("name", params.get("Name"))]
    out += [_option("release-label", params.get("ReleaseLabel")), _option("ami-version", params.get("AmiVersion"))]
    out += [_option(name, params.get(member)) for name, member in (SCALARS | OBJECTS).items()]
    # With an AMI version, the AWS CLI turns applications into NewSupportedProducts, except those that it has steps for.
    out.append(_option("applications", params.get("Applications") or params.get("NewSupportedProducts")))
    out.append(_option("configurations", params.get("Configurations")))
    out.append(_option("placement-group-configs", params.get("PlacementGroupConfigs")))
    out.append(_tags(params.get("Tags", [])))
    out.append(_instances(instances))
    out.append(_option("ec2-attributes", _ec2(params, instances)))
    out.append(_option("bootstrap-actions", [_action(one) for one in params.get("BootstrapActions", [])]))
    out.append(_option("steps", [_step(one) for one in params.get("Steps", [])]))
    out += [_switch(name, params.get(member)) for name, member in SWITCHES.items()]
    out.append(_switch("visible-to-all-users", params.get("VisibleToAllUsers")))
    out += [_switch(name, instances.get(member)) for member, name in _INSTANCE_SWITCHES.items()]
    out.append("--no-auto-terminate" if instances.get("KeepJobFlowAliveWhenNoSteps") else "--auto-terminate")
    return [one for one in out if one]


def _option(name: str, value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    # The AWS CLI takes a separate word that begins with a hyphen for another option.
    return f"--{name}{'=' if str(value).startswith('-') else ' '}{_word(value)}"


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str) and len(text) > _WIDTH:
        text = json.dumps(value, ensure_ascii=False, indent=1)
    return write_placeholders(text, lambda part: shlex.quote(part) if part else "", lambda name: f'"${{{name}}}"')


def _switch(name: str, value: bool | None) -> str:
    return "" if value is None else f"--{'' if value else 'no-'}{name}"


def _tags(tags: list[Json]) -> str:
    words = [_word(f"{tag['Key']}={tag['Value']}" if tag.get("Value") else tag["Key"]) for tag in tags]
    return f"--tags {' '.join(words)}" if words else ""


def _instances(instances: Json) -> str:
    if "InstanceFleets" in instances:
        return _option("instance-fleets", instances["InstanceFleets"])
    return _option("instance-groups", [_group(one) for one in instances.get("InstanceGroups", [])])


def _group(one: Json) -> Json:
    out = {"InstanceGroupType": one["InstanceRole"], **without(one, "InstanceRole", "Market")}
    # The AWS CLI has no Market: a bid price means SPOT, and this word means a bid at the on-demand price.
    return {"BidPrice": "OnDemandPrice", **out} if one.get("Market") == "SPOT" else out


def _ec2(params: Json, instances: Json) -> Json:
    out = {key: instances[member] for key, member in EC2.items() if instances.get(member)}
    out |= {key: value for key, value in instances.get("Placement", {}).items() if key.startswith("AvailabilityZone")}
    return out | ({"InstanceProfile": params["JobFlowRole"]} if params.get("JobFlowRole") else {})


def _action(one: Json) -> Json:
    return {"Name": one.get("Name", ""), **one["ScriptBootstrapAction"]}


def _step(one: Json) -> Json:
    jar = one["HadoopJarStep"]
    logs = one.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    own = without(one, "HadoopJarStep", "StepMonitoringConfiguration")
    out = {"Type": "CUSTOM_JAR", **own, **without(jar, "Properties"), **logs}
    properties = [f"{pair.get('Key', '')}={pair.get('Value', '')}" for pair in jar.get("Properties", [])]
    return {**out, "Properties": ",".join(properties)} if properties else out
