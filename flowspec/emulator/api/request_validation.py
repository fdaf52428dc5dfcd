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

from flowspec.emulator.api.errors import invalid_request, validation
from flowspec.emulator.state import releases
from flowspec.emulator.state.paths import resolve_uri
from flowspec.errors import FlowspecError

MAX_STEPS = 256
MAX_TAGS = 50
_MAX_BOOTSTRAP_ACTIONS = 16
_MAX_TASK_GROUPS = 48
MAX_INSTANCES = 2000
"""Of one group or fleet (Service Quotas, instances per instance group)."""

_MAX_VOLUMES = 25
"""Of one instance (Management Guide, EMR storage)."""

_MAX_FLEET_TYPES, _MAX_FLEET_TYPES_BY_STRATEGY = 5, 30
_LAUNCH_TIMEOUT, _RESIZE_TIMEOUT = (5, 1440), (5, 10080)
"""Minutes (API reference, SpotProvisioningSpecification, SpotResizingSpecification)."""

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
    _check_instances(params["Instances"], params.get("ReleaseLabel"))
    _check_network(params["Instances"])
    _check_machine_image(params)
    check_steps(params.get("Steps", ()))
    if len(params.get("BootstrapActions", ())) > _MAX_BOOTSTRAP_ACTIONS:
        raise validation(f"The number of bootstrap actions must not exceed {_MAX_BOOTSTRAP_ACTIONS}.")
    check_concurrency(params.get("StepConcurrencyLevel", 1), params.get("ReleaseLabel"))
    check_tags(params.get("Tags", ()))
    if "AutoTerminationPolicy" in params:
        check_auto_termination(params["AutoTerminationPolicy"], params.get("ReleaseLabel"))
    if "ManagedScalingPolicy" in params:
        fleets = bool(params["Instances"].get("InstanceFleets"))
        check_managed_scaling(params["ManagedScalingPolicy"], params.get("ReleaseLabel"), fleets=fleets)


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
        resolve_uri(Path("/"), uri)
    except FlowspecError as error:
        raise validation(f"The log URI '{uri}' is not valid: {error.message}") from error


def _has_fleets(label: str | None) -> bool:
    return releases.at_least(label, 4, 8) and not (releases.at_least(label, 5) and not releases.at_least(label, 5, 1))


def _check_instances(instances: Mapping[str, Any], label: str | None) -> None:
    groups, fleets = instances.get("InstanceGroups"), instances.get("InstanceFleets")
    shorthand = [name for name in _SHORTHAND if name in instances]
    if fleets and not _has_fleets(label):
        raise validation("Instance fleets are only supported by emr-4.8.0 and later, except emr-5.0.x.")
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
    count = instances.get("InstanceCount", 1)
    if count < 1:
        raise validation("Instance count must be greater than 0.")
    _check_size(count - 1)


def _check_groups(groups: Sequence[Mapping[str, Any]]) -> None:
    roles = [group["InstanceRole"] for group in groups]
    if roles.count("MASTER") != 1:
        raise validation("Exactly one master instance group must be specified.")
    if roles.count("CORE") > 1:
        raise validation("At most one core instance group may be specified.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("Task instance groups need a core instance group.")
    _check_task_groups(roles)
    for group in groups:
        _check_group(group)


def _check_task_groups(roles: Sequence[str]) -> None:
    if roles.count("TASK") > _MAX_TASK_GROUPS:
        raise validation(f"The number of task instance groups must not exceed {_MAX_TASK_GROUPS}.")


def _check_group(group: Mapping[str, Any]) -> None:
    role, count = group["InstanceRole"], group["InstanceCount"]
    if role == "MASTER" and count not in (1, 3):
        raise validation("The master instance group must have an instance count of 1, or of 3 for high availability.")
    if count < (0 if role == "TASK" else 1):
        raise validation("An instance group must have at least one instance.")
    _check_size(count)
    if group.get("BidPrice") and group.get("Market", "SPOT") == "ON_DEMAND":
        raise validation("A bid price may not be specified for the ON_DEMAND market.")
    _check_volumes(group)
    if "AutoScalingPolicy" in group:
        check_scaling_policy(group["AutoScalingPolicy"], role)


def _check_volumes(machine: Mapping[str, Any]) -> None:
    configs = machine.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", ())
    counts = [config.get("VolumesPerInstance", 1) for config in configs]
    if any(count < 1 for count in counts) or sum(counts) > _MAX_VOLUMES:
        raise validation(f"An instance may have 1 to {_MAX_VOLUMES} EBS volumes.")
    if any(config["VolumeSpecification"]["SizeInGB"] < 1 for config in configs):
        raise validation("The size of an EBS volume must be at least 1 GiB.")


def _check_size(count: int) -> None:
    if count > MAX_INSTANCES:
        raise validation(f"The number of instances must not exceed {MAX_INSTANCES}.")


def check_added_groups(groups: Sequence[Mapping[str, Any]], present: Sequence[str]) -> None:
    """The rules about groups to add to a cluster whose groups have the roles `present`."""
    for group in groups:
        if group["InstanceRole"] != "TASK":
            raise validation("Only task instance groups may be added to a running job flow.")
        _check_group(group)
    if "CORE" not in present:
        raise validation("Task instance groups need a core instance group.")
    _check_task_groups([*present, *("TASK" for _ in groups)])


def check_new_count(role: str, count: int, present: int) -> None:
    """The rules about the size that a group of `present` instances is to have."""
    if role == "MASTER" and count != present:
        raise validation("The instance count of the master instance group may not be changed.")
    if count < (0 if role == "TASK" else 1):
        raise validation("Instance count must be greater than 0.")
    _check_size(count)


def check_scaling_policy(policy: Mapping[str, Any], role: str) -> None:
    """The rules about an automatic scaling policy for a group of this role."""
    if role == "MASTER":
        raise validation("An automatic scaling policy may not be attached to the master instance group.")
    least, most = policy["Constraints"]["MinCapacity"], policy["Constraints"]["MaxCapacity"]
    if not (0 if role == "TASK" else 1) <= least <= most:
        raise validation(f"MinCapacity {least} is too small for the group, or larger than MaxCapacity {most}.")
    _check_size(most)
    names = [rule["Name"] for rule in policy["Rules"]]
    if len(set(names)) < len(names):
        raise validation("The names of the rules of an automatic scaling policy must be unique.")


def _check_fleets(fleets: Sequence[Mapping[str, Any]]) -> None:
    roles = [fleet["InstanceFleetType"] for fleet in fleets]
    if roles.count("MASTER") != 1:
        raise validation("Exactly one master instance fleet must be specified.")
    for role in ("CORE", "TASK"):
        if roles.count(role) > 1:
            raise validation(f"At most one {role.lower()} instance fleet may be specified.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("A task instance fleet needs a core instance fleet.")
    for fleet in fleets:
        _check_fleet(fleet)


def _check_fleet(fleet: Mapping[str, Any]) -> None:
    targets = _checked_targets(fleet)
    if not any(targets):
        raise validation("At least one of the target capacities of an instance fleet must be greater than 0.")
    if fleet["InstanceFleetType"] == "MASTER":
        if sorted(targets) not in ([0, 1], [0, 3]):
            raise validation("The master instance fleet must have exactly one target capacity of 1.")
        if any(kind.get("WeightedCapacity", 1) != 1 for kind in fleet.get("InstanceTypeConfigs", ())):
            raise validation("The weighted capacity of the instance types of a master instance fleet must be 1.")
    _check_fleet_types(fleet)
    spot = fleet.get("LaunchSpecifications", {}).get("SpotSpecification", {})
    _check_timeout(spot.get("TimeoutDurationMinutes"), _LAUNCH_TIMEOUT)
    _check_resize_timeouts(fleet)


def _checked_targets(fleet: Mapping[str, Any]) -> tuple[int, int]:
    targets = (fleet.get("TargetOnDemandCapacity", 0), fleet.get("TargetSpotCapacity", 0))
    if min(targets) < 0:
        raise validation("The target capacities of an instance fleet must not be less than 0.")
    weight = next((kind.get("WeightedCapacity") or 1 for kind in fleet.get("InstanceTypeConfigs", ())), 1)
    _check_size(sum(targets) // weight)
    return targets


def _check_fleet_types(fleet: Mapping[str, Any]) -> None:
    kinds = fleet.get("InstanceTypeConfigs", ())
    for kind in kinds:
        if "BidPrice" in kind and "BidPriceAsPercentageOfOnDemandPrice" in kind:
            raise validation("BidPrice and BidPriceAsPercentageOfOnDemandPrice are mutually exclusive.")
        _check_volumes(kind)
    launch = fleet.get("LaunchSpecifications", {}).values()
    by_strategy = any("AllocationStrategy" in specification for specification in launch)
    most = _MAX_FLEET_TYPES_BY_STRATEGY if by_strategy else _MAX_FLEET_TYPES
    if len(kinds) > most:
        raise validation(f"The number of instance types of an instance fleet must not exceed {most}.")


def _check_timeout(minutes: int | None, bounds: tuple[int, int]) -> None:
    if minutes is not None and not bounds[0] <= minutes <= bounds[1]:
        raise validation(f"TimeoutDurationMinutes must be between {bounds[0]} and {bounds[1]}.")


def _check_resize_timeouts(fleet: Mapping[str, Any]) -> None:
    for specification in fleet.get("ResizeSpecifications", {}).values():
        _check_timeout(specification.get("TimeoutDurationMinutes"), _RESIZE_TIMEOUT)


def check_added_fleet(fleet: Mapping[str, Any], present: Sequence[str]) -> None:
    """The rules about a fleet to add to a cluster whose fleets have the roles `present`."""
    if fleet["InstanceFleetType"] != "TASK":
        raise invalid_request("Only a task instance fleet may be added to a running cluster.")
    if "TASK" in present:
        raise invalid_request("At most one task instance fleet may be specified.")
    if "CORE" not in present:
        raise invalid_request("A task instance fleet needs a core instance fleet.")
    _check_fleet(fleet)


def check_fleet_change(change: Mapping[str, Any], role: str, present: Mapping[str, Any]) -> None:
    """The rules about a change of a fleet that was asked for as `present`."""
    old = (present.get("TargetOnDemandCapacity", 0), present.get("TargetSpotCapacity", 0))
    new = _checked_targets({**present, **change})
    if role == "MASTER" and new != old:
        raise invalid_request("The target capacities of the master instance fleet may not be changed.")
    if role == "CORE" and not any(new):
        raise invalid_request("At least one of the target capacities of a core instance fleet must be greater than 0.")
    _check_resize_timeouts(change)
    kinds = {kind["InstanceType"] for kind in present.get("InstanceTypeConfigs", ())}
    if "InstanceTypeConfigs" in change and {kind["InstanceType"] for kind in change["InstanceTypeConfigs"]} != kinds:
        raise invalid_request("InstanceTypeConfigs must list every instance type of the instance fleet, and no other.")


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
    if not params.get("CustomAmiId"):
        return
    instances = params["Instances"]
    kinds = [kind for fleet in instances.get("InstanceFleets", ()) for kind in fleet.get("InstanceTypeConfigs", ())]
    if any(machine.get("CustomAmiId") for machine in (*instances.get("InstanceGroups", ()), *kinds)):
        raise validation(
            "A custom AMI may be specified for the cluster, or for instance groups or types, but not for both."
        )


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


def _since_5_30(label: str | None) -> bool:
    """Whether a release has what came with emr-5.30.0 and with emr-6.1.0."""
    return releases.at_least(label, 5, 30) and not (releases.at_least(label, 6) and not releases.at_least(label, 6, 1))


def check_auto_termination(policy: Mapping[str, Any], label: str | None) -> None:
    """IdleTimeout: one minute to seven days, from releases 5.30.0 and 6.1.0 on."""
    if not _since_5_30(label):
        raise validation("Auto-termination is not available for this account when using this release of EMR.")
    if not 60 <= policy.get("IdleTimeout", 60) <= 604800:
        raise validation("The idle timeout of an auto-termination policy must be between 60 and 604800 seconds.")


def check_managed_scaling(policy: Mapping[str, Any], label: str | None, *, fleets: bool) -> None:
    """The limits of a managed scaling policy must fit each other and the kind of cluster; as releases go, see above."""
    if not _since_5_30(label):
        raise validation("Managed scaling is only supported by emr-5.30.0 and later, except emr-6.0.0.")
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
