"""A request -> a CloudFormation template with an AWS::EMR::Cluster, as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from flowspec.document.text.dump import WORDS, quoted_text
from flowspec.exporters.job import Job, without, write_placeholders
from flowspec.facts.api_model import Json
from flowspec.importers.placeholders import PLACEHOLDER, map_texts, placeholder_name

# The properties of AWS::EMR::Cluster and of its JobFlowInstancesConfig (CloudFormation's resource specification).
PROPERTIES = {
    *("AdditionalInfo", "Applications", "AutoScalingRole", "AutoTerminationPolicy", "BootstrapActions"),
    *("Configurations", "CustomAmiId", "EbsRootVolumeIops", "EbsRootVolumeSize", "EbsRootVolumeThroughput"),
    *("JobFlowRole", "KerberosAttributes", "LogEncryptionKmsKeyId", "LogUri", "ManagedScalingPolicy", "Name"),
    *("OSReleaseLabel", "PlacementGroupConfigs", "ReleaseLabel", "ScaleDownBehavior", "SecurityConfiguration"),
    *("ServiceRole", "StepConcurrencyLevel", "Steps", "Tags", "VisibleToAllUsers"),
}
INSTANCES = {
    *("AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups", "Ec2KeyName", "Ec2SubnetId", "Ec2SubnetIds"),
    *("EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup", "HadoopVersion", "KeepJobFlowAliveWhenNoSteps"),
    *("Placement", "ServiceAccessSecurityGroup", "TerminationProtected", "UnhealthyNodeReplacement"),
}
_STEP = ("Name", "ActionOnFailure", "HadoopJarStep")
_GROUP = {
    *("AutoScalingPolicy", "BidPrice", "Configurations", "CustomAmiId", "EbsConfiguration", "InstanceCount"),
    *("InstanceType", "Market", "Name", "InstanceRole"),
}
_ROLES = {"MASTER": "MasterInstance", "CORE": "CoreInstance"}


def write(job: Job) -> str:
    """Returns the template. Secrets are parameters with NoEcho."""
    template: Json = {"AWSTemplateFormatVersion": "2010-09-09", "Description": f"The job flow {job.name}"}
    if job.secrets:
        template["Parameters"] = {_identifier(name): {"Type": "String", "NoEcho": True} for name in job.secrets}
    template["Resources"] = {
        "Cluster": {
            "Type": "AWS::EMR::Cluster",
            "Properties": map_texts(_properties(job.with_groups), _replace_placeholders),
        }
    }
    return "\n".join(_yaml(template)) + "\n"


def notes(job: Job) -> list[str]:
    """Returns notes on members of the request that CloudFormation refuses (its schema of AWS::EMR::Cluster)."""
    out = [
        f"CloudFormation requires {name}" for name in ("JobFlowRole", "ServiceRole", "Name") if not job.params.get(name)
    ]
    for index, step in enumerate(job.params.get("Steps", [])):
        args = step["HadoopJarStep"].get("Args", [])
        if len(set(args)) < len(args):
            reason = (
                "the schema of AWS::EMR::Cluster requires that the arguments of a step differ; "
                "an AWS::EMR::Step may repeat them"
            )
            out.append(f"Steps[{index}] has an argument twice: {reason}")
    keys = [tag.get("Key") for tag in job.params.get("Tags", [])]
    return [*out, "CloudFormation requires that the keys of tags differ"] if len(set(keys)) < len(keys) else out


def _properties(params: Json) -> Json:
    out = {key: value for key, value in params.items() if key in PROPERTIES}
    if "Configurations" in out:
        out["Configurations"] = _configurations(out["Configurations"])
    if "Steps" in out:
        steps = [{key: one[key] for key in _STEP if key in one} for one in out["Steps"]]
        jars = [_with_properties_as("StepProperties", one["HadoopJarStep"]) for one in steps]
        out["Steps"] = [{**one, "HadoopJarStep": jar} for one, jar in zip(steps, jars, strict=True)]
    if "Tags" in out:
        out["Tags"] = [{"Value": "", **tag} for tag in out["Tags"]]
    out["Instances"] = _instances(params["Instances"])
    return out


def _instances(given: Json) -> Json:
    out: Json = {}
    for one in given.get("InstanceGroups", []):
        known = {key: value for key, value in one.items() if key in _GROUP}
        _add_instances(out, _with_configurations(known), "InstanceRole", "Group")
    for one in given.get("InstanceFleets", []):
        types = [_with_configurations(each) for each in one.get("InstanceTypeConfigs", [])]
        _add_instances(out, {**one, "InstanceTypeConfigs": types} if types else one, "InstanceFleetType", "Fleet")
    out |= {key: value for key, value in given.items() if key in INSTANCES}
    if "AvailabilityZone" not in out.get("Placement", {"AvailabilityZone": ""}):
        del out["Placement"]
    return out


def _add_instances(out: Json, one: Json, word: str, kind: str) -> None:
    role = one[word]
    if role in _ROLES:
        out[f"{_ROLES[role]}{kind}"] = without(one, word)
    else:
        out.setdefault(f"TaskInstance{kind}s", []).append(without(one, word))


def _with_configurations(one: Json) -> Json:
    return {**one, "Configurations": _configurations(one["Configurations"])} if "Configurations" in one else one


def _configurations(given: list[Json]) -> list[Json]:
    return [_with_configurations(_with_properties_as("ConfigurationProperties", one)) for one in given]


def _with_properties_as(name: str, given: Json) -> Json:
    return {(name if key == "Properties" else key): value for key, value in given.items()}


# --- references and YAML ---


def _identifier(name: str) -> str:
    """Returns a name of a parameter: letters and digits only."""
    return "".join(part.capitalize() for part in name.split("_"))


def _replace_placeholders(text: str) -> Any:
    if not PLACEHOLDER.search(text):
        return text
    name = placeholder_name(text)
    if name:
        return {"Ref": _identifier(name)}
    return {
        "Fn::Sub": write_placeholders(
            text, lambda part: part.replace("${", "${!"), lambda one: f"${{{_identifier(one)}}}"
        )
    }


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Yields lines of YAML; each text is in quotes, since YAML 1.1 reads many words as something else."""
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in items:
        mark = f"{indent}- " if key is None else f"{indent}{_key(key)}: "
        if isinstance(item, dict | list) and item:
            inner = list(_yaml(item, f"{indent}  "))
            if key is None:
                yield f"{indent}- {inner[0].lstrip()}"
                yield from inner[1:]
            else:
                yield mark.rstrip()
                yield from inner
        else:
            yield f"{mark}{quoted_text(item) if isinstance(item, str) else json.dumps(item)}"


def _key(key: str) -> str:
    plain = re.fullmatch(r"[A-Za-z]\w*", key, re.ASCII) and key.lower() not in WORDS
    return key if plain else quoted_text(key)
