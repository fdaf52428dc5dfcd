"""What EMR refuses about a RunJobFlow (and what it takes for steps and tags, wherever they come from).

Types, required members and unknown ones are the client's model's business; these are the rules between
members. Each function raises `EmrError` or returns. Sources: the API reference of RunJobFlow and
AddJobFlowSteps, the Management Guide, and for texts what users of the service have quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowspec.emulator import releases
from flowspec.emulator.errors import invalid_request, validation
from flowspec.emulator.home import located
from flowspec.errors import FlowspecError

MAX_STEPS = 256
MAX_TAGS = 50
_MAX_BOOTSTRAP_ACTIONS = 16
_MAX_TASK_GROUPS = 48
_MAX_STEP_CHARACTERS = 10240
_SHORTHAND = ("MasterInstanceType", "SlaveInstanceType", "InstanceCount")
_TOO_MANY_STEPS = (
    "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
)


def check_job_flow(params: Mapping[str, Any]) -> None:
    """All rules about a RunJobFlow request."""
    _check_name(params["Name"])
    _check_release(params)
    check_log_uri(params.get("LogUri"))
    _check_instances(params["Instances"])
    _check_network(params["Instances"])
    _check_machine_image(params)
    check_steps(params.get("Steps", ()))
    if len(params.get("BootstrapActions", ())) > _MAX_BOOTSTRAP_ACTIONS:
        raise validation(f"The number of bootstrap actions must not exceed {_MAX_BOOTSTRAP_ACTIONS}.")
    check_concurrency(params.get("StepConcurrencyLevel", 1), params.get("ReleaseLabel"))
    check_tags(params.get("Tags", ()))
    if "AutoTerminationPolicy" in params:
        check_auto_termination(params["AutoTerminationPolicy"])
    if "ManagedScalingPolicy" in params:
        check_managed_scaling(params["ManagedScalingPolicy"], fleets=bool(params["Instances"].get("InstanceFleets")))


def _check_name(name: str) -> None:
    if re.search(r"[<>$|`]", name):
        raise validation("The cluster name may not contain any of the characters < > $ | `.")


def _check_release(params: Mapping[str, Any]) -> None:
    label = params.get("ReleaseLabel")
    if label and params.get("AmiVersion"):
        raise validation("Only one AMI version and release label may be specified.")
    if label and releases.parse(label) is None:
        raise validation(f"The supplied release label is invalid: {label}.")
    if label and params["Instances"].get("HadoopVersion"):
        raise validation("HadoopVersion may not be specified with a release label.")


def check_log_uri(uri: str | None) -> None:
    """A log URI must say where: in S3, or (here) in a folder with an absolute path."""
    if not uri:
        return
    if not re.match(r"(s3|s3n|s3a)://[^/]|/|file:/", uri):
        raise validation(f"The log URI '{uri}' is neither an s3:// URI nor an absolute path.")
    try:
        located(Path("/"), uri)
    except FlowspecError as error:
        raise validation(f"The log URI '{uri}' is not valid: {error.message}") from error


def _check_instances(instances: Mapping[str, Any]) -> None:
    groups, fleets = instances.get("InstanceGroups"), instances.get("InstanceFleets")
    shorthand = [name for name in _SHORTHAND if name in instances]
    if groups and fleets:
        raise validation("Instance groups and instance fleets are mutually exclusive. Specify only one of them.")
    if (groups or fleets) and shorthand:
        # The words that boto 2 records.
        raise validation(
            "Please configure instances either using instance count, master and slave instance type "
            "or instance groups but not both."
        )
    if groups:
        _check_groups(groups)
    elif fleets:
        _check_fleets(fleets)
    else:
        _check_shorthand(instances)


def _check_shorthand(instances: Mapping[str, Any]) -> None:
    if "MasterInstanceType" not in instances:
        raise validation(
            "Instance groups, instance fleets, or MasterInstanceType with InstanceCount must be specified."
        )
    if instances.get("InstanceCount", 1) < 1:
        raise validation("Instance count must be greater than 0.")


def _check_groups(groups: Sequence[Mapping[str, Any]]) -> None:
    roles = [group["InstanceRole"] for group in groups]
    if roles.count("MASTER") != 1:
        raise validation("Exactly one master instance group must be specified.")
    if roles.count("CORE") > 1:
        raise validation("At most one core instance group may be specified.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("Task instance groups need a core instance group.")
    if roles.count("TASK") > _MAX_TASK_GROUPS:
        raise validation(f"The number of task instance groups must not exceed {_MAX_TASK_GROUPS}.")
    for group in groups:
        check_group(group)


def check_group(group: Mapping[str, Any]) -> None:
    """The rules about one instance group, new or added."""
    role, count = group["InstanceRole"], group["InstanceCount"]
    if role == "MASTER" and count not in (1, 3):
        raise validation("The master instance group must have an instance count of 1, or of 3 for high availability.")
    if count < (0 if role == "TASK" else 1):
        raise validation("An instance group must have at least one instance.")
    if group.get("BidPrice") and group.get("Market", "SPOT") == "ON_DEMAND":
        raise validation("A bid price may not be specified for the ON_DEMAND market.")
    if role == "MASTER" and group.get("AutoScalingPolicy"):
        raise validation("An automatic scaling policy may not be attached to the master instance group.")


def _check_fleets(fleets: Sequence[Mapping[str, Any]]) -> None:
    roles = [fleet["InstanceFleetType"] for fleet in fleets]
    if roles.count("MASTER") != 1:
        raise validation("Exactly one master instance fleet must be specified.")
    for role in ("CORE", "TASK"):
        if roles.count(role) > 1:
            raise validation(f"At most one {role.lower()} instance fleet may be specified.")
    for fleet in fleets:
        targets = (fleet.get("TargetOnDemandCapacity", 0), fleet.get("TargetSpotCapacity", 0))
        if not any(targets):
            raise validation("At least one of the target capacities of an instance fleet must be greater than 0.")
        if fleet["InstanceFleetType"] == "MASTER" and sorted(targets) not in ([0, 1], [0, 3]):
            raise validation("The master instance fleet must have exactly one target capacity of 1.")
        for kind in fleet.get("InstanceTypeConfigs", ()):
            if "BidPrice" in kind and "BidPriceAsPercentageOfOnDemandPrice" in kind:
                raise validation("BidPrice and BidPriceAsPercentageOfOnDemandPrice are mutually exclusive.")


def _check_network(instances: Mapping[str, Any]) -> None:
    placement = instances.get("Placement", {})
    many = bool(instances.get("InstanceFleets"))
    if placement and (instances.get("Ec2SubnetId") or instances.get("Ec2SubnetIds")):
        raise validation("A subnet and a placement may not both be specified: a subnet implies an availability zone.")
    if instances.get("Ec2SubnetId") and instances.get("Ec2SubnetIds"):
        raise validation("Ec2SubnetId and Ec2SubnetIds are mutually exclusive.")
    if "AvailabilityZone" in placement and "AvailabilityZones" in placement:
        raise validation("AvailabilityZone and AvailabilityZones are mutually exclusive.")
    if (len(instances.get("Ec2SubnetIds", ())) > 1 or len(placement.get("AvailabilityZones", ())) > 1) and not many:
        raise validation("Several subnets or availability zones may only be specified with instance fleets.")
    if bool(instances.get("EmrManagedMasterSecurityGroup")) != bool(instances.get("EmrManagedSlaveSecurityGroup")):
        raise validation("EMR managed security groups must be specified for both master and slave, or for neither.")


def _check_machine_image(params: Mapping[str, Any]) -> None:
    if params.get("RepoUpgradeOnBoot") and not params.get("CustomAmiId"):
        raise validation("RepoUpgradeOnBoot may only be specified together with CustomAmiId.")
    groups = params["Instances"].get("InstanceGroups", ())
    if params.get("CustomAmiId") and any(group.get("CustomAmiId") for group in groups):
        raise validation("A custom AMI may be specified for the cluster or for instance groups, but not for both.")


def check_steps(steps: Sequence[Mapping[str, Any]], *, active: int = 0) -> None:
    """The rules about steps to add to a cluster that has `active` unfinished ones."""
    if len(steps) + active > MAX_STEPS:
        raise validation(_TOO_MANY_STEPS)
    for step in steps:
        jar = step["HadoopJarStep"]
        texts = [jar["Jar"], jar.get("MainClass", ""), *jar.get("Args", ())]
        texts += [text for pair in jar.get("Properties", ()) for text in (pair.get("Key", ""), pair.get("Value", ""))]
        if sum(map(len, texts)) > _MAX_STEP_CHARACTERS:
            raise validation(f"The total number of characters in a step may not exceed {_MAX_STEP_CHARACTERS}.")
        s3 = step.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
        check_log_uri(s3.get("LogUri"))


def check_concurrency(level: int, label: str | None) -> None:
    """StepConcurrencyLevel: 1 to 256, from release 5.28.0 on."""
    if not 1 <= level <= MAX_STEPS:
        raise validation(f"StepConcurrencyLevel must be between 1 and {MAX_STEPS}.")
    if level > 1 and not releases.at_least(label, 5, 28):
        raise validation("StepConcurrencyLevel greater than 1 is only supported by emr-5.28.0 and later.")


def check_tags(tags: Sequence[Mapping[str, Any]], *, present: Sequence[str] = ()) -> None:
    """Keys of 1 to 128 characters and values of up to 256, no `aws:` prefix, 50 at most (AddTags; EC2's rules)."""
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 1 <= len(key) <= 128:
            raise invalid_request(
                f"Invalid tag key: '{key or 'null'}'. Tag keys must be between 1 and 128 characters in length."
            )
        if len(value) > 256:
            raise invalid_request(f"Invalid tag value: '{value}'. Tag values must not exceed 256 characters in length.")
        if key.lower().startswith("aws:"):
            raise invalid_request(f"Invalid tag key: '{key}'. Tag keys may not start with 'aws:'.")
    if len({*present, *(tag.get("Key", "") for tag in tags)}) > MAX_TAGS:
        raise invalid_request(f"A cluster may not have more than {MAX_TAGS} tags.")


def check_auto_termination(policy: Mapping[str, Any]) -> None:
    """IdleTimeout: one minute to seven days."""
    if not 60 <= policy.get("IdleTimeout", 60) <= 604800:
        raise validation("The idle timeout of an auto-termination policy must be between 60 and 604800 seconds.")


def check_managed_scaling(policy: Mapping[str, Any], *, fleets: bool) -> None:
    """The limits of a managed scaling policy must fit each other and the kind of cluster."""
    limits = policy.get("ComputeLimits")
    if limits is None:
        return
    if (limits["UnitType"] == "InstanceFleetUnits") != fleets:
        wanted = "InstanceFleetUnits" if fleets else "Instances or VCPU"
        raise validation(f"The UnitType of the managed scaling policy must be {wanted} for this cluster.")
    least, most = limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
    if not 1 <= least <= most:
        raise validation("MinimumCapacityUnits must be at least 1 and at most MaximumCapacityUnits.")
    for name in ("MaximumOnDemandCapacityUnits", "MaximumCoreCapacityUnits"):
        if limits.get(name, 0) > most:
            raise validation(f"{name} must be at most MaximumCapacityUnits.")
