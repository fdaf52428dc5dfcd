"""Rules about instance groups and instance fleets.

EMR's words are quoted from the answers that mrjob's tests recorded (tests/mock_boto3/emr.py), from issues
of the Terraform provider and from boto 2 where they are known there; the others state the documented rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.facts.instance_types import is_known_type, known_types
from flowspec.facts.limits import (
    LAUNCH_TIMEOUT,
    MASTER_COUNTS,
    MAX_FLEET_TYPES,
    MAX_FLEET_TYPES_BY_STRATEGY,
    MAX_INSTANCES,
    MAX_TASK_GROUPS,
    MAX_VOLUMES,
    OPTIMIZED_VOLUME_SIZE,
    RESIZE_TIMEOUT,
    ROOT_VOLUME_IOPS,
    ROOT_VOLUME_IOPS_PER_GIB,
    ROOT_VOLUME_IOPS_PER_MIB,
    ROOT_VOLUME_SIZE,
    ROOT_VOLUME_THROUGHPUT,
    VOLUME_SIZE,
    VOLUME_THROUGHPUT,
    Limit,
)
from flowspec.facts.rules.common import (
    COLLECTIONS,
    SHORT_FORM,
    Breach,
    Params,
    Path,
    doubtful,
    fleets,
    groups,
    instances,
    integer,
    is_master_fleet,
    machines,
    mapping,
    mappings,
    master_count,
    refused,
    scaling_policies,
    text,
    type_configs,
)

_ONE_OF_THREE = (
    "Please configure instances using one and only one of the following: "
    "instance groups; instance fleets; instance count, master and slave instance type."
)
_TARGETS = ("TargetOnDemandCapacity", "TargetSpotCapacity")
_PERCENT = "BidPriceAsPercentageOfOnDemandPrice"


@refused("FS201", "botocore, RunJobFlow; mrjob")
def groups_or_fleets(params: Params) -> Iterator[Breach]:
    """A cluster has instance groups or instance fleets."""
    if instances(params).get("InstanceGroups") and instances(params).get("InstanceFleets"):
        yield Breach(("Instances", "InstanceFleets"), _ONE_OF_THREE)


@refused("FS202", "botocore, RunJobFlow; mrjob")
def short_form_or_groups(params: Params) -> Iterator[Breach]:
    """The three members of the short form exclude instance groups and fleets."""
    given = instances(params)
    for other, _, noun in COLLECTIONS:
        for name in SHORT_FORM if given.get(other) else ():
            if name in given:
                yield Breach(("Instances", name), _ONE_OF_THREE, values={"other": f"instance_{noun}s"})


@refused("FS224", "mrjob; botocore, JobFlowInstancesConfig", aws_only=True)
def any_instances(params: Params) -> Iterator[Breach]:
    """A cluster has at least a master: a group, a fleet, or MasterInstanceType."""
    given = instances(params)
    if any(given.get(name) for name in ("InstanceGroups", "InstanceFleets", "MasterInstanceType")):
        return
    # boto3 leaves the check to the service; these are its words for a null member.
    short = next((name for name in SHORT_FORM if name in given), None)
    words = "Instance groups, instance fleets, or MasterInstanceType with InstanceCount must be specified."
    yield Breach(("Instances", short) if short else (), words, "short" if short else "")


@doubtful("FS266", "botocore, JobFlowInstancesConfig", aws_only=True)
def short_form_has_worker_type(params: Params) -> Iterator[Breach]:
    """The short form names the type of its workers."""
    given = instances(params)
    count = integer(given.get("InstanceCount")) or 0
    if count > 1 and "SlaveInstanceType" not in given and not any(given.get(name) for name, _, _ in COLLECTIONS):
        yield Breach(("Instances", "InstanceCount"), values={"count": count})


@refused("FS203", "EMR Management Guide, node types; mrjob")
def one_master(params: Params) -> Iterator[Breach]:
    """A cluster has exactly one MASTER group or fleet."""
    for name, role, noun in COLLECTIONS:
        listed = mappings(instances(params), name)
        if not listed or any(role not in item for _, item in listed):
            continue
        found = [index for index, item in listed if item[role] == "MASTER"]
        if not found:
            words = f"Zero master instance {noun}s supplied, you must specify exactly one master instance {noun}"
            yield Breach(("Instances", name), words, "none", {"noun": noun})
        for index in found[1:]:
            yield Breach(("Instances", name, index, role), _several("master"), values={"noun": noun})


def _several(role: str) -> str:
    return f"Multiple {role} instance groups supplied, you must specify exactly one {role} instance group"


@refused("FS229", "EMR Management Guide, high availability; mrjob")
def master_group_count(params: Params) -> Iterator[Breach]:
    """The MASTER group has one instance, or three."""
    for path, group in groups(params):
        count = integer(group.get("InstanceCount"))
        if group.get("InstanceRole") == "MASTER" and count is not None and count not in MASTER_COUNTS:
            words = (
                "An instance group must have at least one instance"
                if count < 1
                else "A master instance group must specify a single instance, or three for high availability"
            )
            yield Breach((*path, "InstanceCount"), words, values={"count": count})


@refused("FS205", "EMR Management Guide, node types; mrjob")
def one_core(params: Params) -> Iterator[Breach]:
    """A cluster has at most one CORE group or fleet."""
    for name, role, _ in COLLECTIONS:
        cores = [index for index, item in mappings(instances(params), name) if item.get(role) == "CORE"]
        for index in cores[1:]:
            yield Breach(("Instances", name, index, role), _several("core"))


@refused("FS245", "mrjob; azavea/terraform-aws-emr-cluster#6")
def groups_have_instances(params: Params) -> Iterator[Breach]:
    """A CORE group has an instance; no group has fewer than none."""
    for path, group in groups(params):
        count, role = integer(group.get("InstanceCount")), group.get("InstanceRole")
        if count is not None and role in ("CORE", "TASK") and count < (1 if role == "CORE" else 0):
            words = "An instance group must have at least one instance"
            yield Breach((*path, "InstanceCount"), words, values={"role": role, "count": count})
    short = integer(instances(params).get("InstanceCount"))
    if short is not None and short < 1:
        words = "Instance count must be greater than 0."
        yield Breach(("Instances", "InstanceCount"), words, "short", {"count": short})


@refused("FS228", "EMR Management Guide, node types; mrjob")
def task_needs_core(params: Params) -> Iterator[Breach]:
    """TASK instances need CORE instances, which hold HDFS."""
    for name, role, noun in COLLECTIONS:
        listed = mappings(instances(params), name)
        roles = [item.get(role) for _, item in listed]
        if "TASK" in roles and "CORE" not in roles and None not in roles:
            words = (
                "Clusters with task nodes must also define core nodes."
                if noun == "group"
                else "Clusters with task instance fleets must also define core instance fleets."
            )
            yield Breach(("Instances", name, listed[roles.index("TASK")][0], role), words)


@refused("FS230", "botocore, InstanceFleetConfig; mrjob")
def one_task_fleet(params: Params) -> Iterator[Breach]:
    """A cluster has at most one TASK fleet."""
    tasks = [path for path, fleet in fleets(params) if fleet.get("InstanceFleetType") == "TASK"]
    yield from (Breach((*path, "InstanceFleetType"), _several("task")) for path in tasks[1:])


@refused("FS231", "EMR Management Guide, resizing a cluster")
def task_group_count(params: Params) -> Iterator[Breach]:
    """A cluster has a limited number of TASK groups."""
    tasks = [path for path, group in groups(params) if group.get("InstanceRole") == "TASK"]
    words = f"The number of task instance groups must not exceed {MAX_TASK_GROUPS}."
    for path in tasks[MAX_TASK_GROUPS:]:
        yield Breach((*path, "InstanceRole"), words, values={"most": MAX_TASK_GROUPS})


@refused("FS277", "Service Quotas, instances per instance group")
def group_size(params: Params) -> Iterator[Breach]:
    """A group or fleet has a limited number of instances."""
    counts = [((*path, "InstanceCount"), integer(group.get("InstanceCount"))) for path, group in groups(params)]
    short = integer(instances(params).get("InstanceCount"))
    # One of the short form's instances is the master.
    counts.append((("Instances", "InstanceCount"), short - 1 if short is not None else None))
    for path, fleet in fleets(params):
        targets = [integer(fleet.get(name)) or 0 for name in _TARGETS]
        first = next((config for _, config in mappings(fleet, "InstanceTypeConfigs")), {})
        # Capacity is counted in weighted units; the first type's weight says how many instances they are.
        weight = integer(first.get("WeightedCapacity")) or 1
        counts.append(((*path, _TARGETS[targets[1] > targets[0]]), sum(targets) // max(weight, 1)))
    for path, policy, _ in scaling_policies(params):
        counts.append(
            ((*path, "Constraints", "MaxCapacity"), integer(mapping(policy, "Constraints").get("MaxCapacity")))
        )
    words = f"The number of instances must not exceed {MAX_INSTANCES}."
    for place, count in counts:
        if count is not None and count > MAX_INSTANCES:
            yield Breach(place, words, values={"count": count, "most": MAX_INSTANCES})


@refused("FS204", "botocore, InstanceGroupConfig; mrjob")
def bid_for_on_demand(params: Params) -> Iterator[Breach]:
    """A bid price is for the spot market."""
    for path, group in groups(params):
        if group.get("BidPrice") and group.get("Market") == "ON_DEMAND":
            yield Breach((*path, "BidPrice"), "Attempted to set bid price for on demand instance group.")


@refused("FS267", "botocore, InstanceGroupConfig: US dollars, as text; mrjob")
def bids_are_amounts(params: Params) -> Iterator[Breach]:
    """A bid price is a positive amount in US dollars."""
    for path, machine in machines(params):
        price = text(machine.get("BidPrice"))
        kind = "group" if path[1] == "InstanceGroups" else "fleet"
        if price and not re.fullmatch(r"\d*\.?\d+|\d+\.", price):
            words = f"The bid price supplied for an instance {kind} is invalid"
            yield Breach((*path, "BidPrice"), words, values={"price": price[:40]})
        elif price and float(price) == 0:
            yield Breach((*path, "BidPrice"), "The bid price is negative or zero.", values={"price": price[:40]})


@refused("FS215", "botocore, InstanceTypeConfig; mrjob")
def one_bid(params: Params) -> Iterator[Breach]:
    """An instance type of a fleet has a bid price or a percentage of the on-demand price."""
    for path, config, fleet in type_configs(params):
        if "BidPrice" in config and _PERCENT in config:
            name = text(fleet.get("Name")) or "null"
            words = (
                "Specify at most one of bidPrice or bidPriceAsPercentageOfOnDemandPrice value "
                f"for the Spot Instance fleet : {name} request."
            )
            yield Breach((*path, _PERCENT), words)


@doubtful("FS235", "EMR Management Guide, spot instances: a reclaimed primary node ends the cluster", aws_only=True)
def spot_master(params: Params) -> Iterator[Breach]:
    """The MASTER is not on the spot market."""
    for path, group in groups(params):
        if group.get("InstanceRole") == "MASTER" and group.get("Market") == "SPOT":
            yield Breach((*path, "Market"))
    for path, fleet in fleets(params):
        if is_master_fleet(fleet) and fleet.get("TargetSpotCapacity"):
            yield Breach((*path, "TargetSpotCapacity"), case="fleet")


@refused("FS237", "botocore, InstanceFleetConfig; mrjob")
def master_fleet_targets(params: Params) -> Iterator[Breach]:
    """A MASTER fleet has one target of 1, or 3 on-demand for high availability."""
    for path, fleet in fleets(params):
        on_demand, spot = (integer(fleet.get(name)) or 0 for name in _TARGETS)
        if is_master_fleet(fleet) and (on_demand, spot) not in ((1, 0), (0, 1), (3, 0), (0, 0)):
            words = (
                "A master instance fleet can only have a target capacity of 1. Revise the configuration and resubmit."
            )
            values = {"on_demand": on_demand, "spot": spot}
            yield Breach((*path, _TARGETS[1] if spot else _TARGETS[0]), words, values=values)


@refused("FS239", "botocore, InstanceFleetConfig; mrjob")
def fleet_targets(params: Params) -> Iterator[Breach]:
    """A fleet has a target capacity when it is created."""
    for path, fleet in fleets(params):
        if not any((integer(fleet.get(name)) or 0) > 0 for name in _TARGETS):
            words = (
                f"The instance fleet ({text(fleet.get('Name')) or 'null'}) should have a value of one or greater "
                "for either targetOnDemandCapacity or targetSpotCapacity."
            )
            role = text(fleet.get("InstanceFleetType"))
            yield Breach(path, words, values={"fleet": f"{role} fleet".strip()})


@refused("FS240", "botocore, InstanceTypeConfig; mrjob")
def fleet_weights(params: Params) -> Iterator[Breach]:
    """The weight of an instance type is 1 in a MASTER fleet, 1 or more in the others."""
    for path, config, fleet in type_configs(params):
        weight = integer(config.get("WeightedCapacity", 1))
        is_master = is_master_fleet(fleet)
        if weight is None or (weight == 1 if is_master else weight >= 1):
            continue
        words = (
            "All instance types in the master instance fleet must have weighted capacity as 1."
            if is_master
            else "Weighted capacity cannot be zero."
        )
        values = {"weight": weight, "kind": "MASTER" if is_master else "CORE or TASK"}
        place = (*path, "WeightedCapacity")
        yield Breach(place, f"{words} Revise the configuration and resubmit.", "master" if is_master else "", values)


@refused("FS241", "EMR Management Guide, instance fleets")
def fleet_type_count(params: Params) -> Iterator[Breach]:
    """A fleet has up to 5 instance types, 30 with an allocation strategy."""
    for path, fleet in fleets(params):
        launch = mapping(fleet, "LaunchSpecifications")
        by_strategy = any("AllocationStrategy" in mapping(launch, kind) for kind in launch)
        most = MAX_FLEET_TYPES_BY_STRATEGY if by_strategy else MAX_FLEET_TYPES
        count = len(mappings(fleet, "InstanceTypeConfigs"))
        if count > most:
            words = f"The number of instance types of an instance fleet must not exceed {most}."
            values = {"count": count, "most": most}
            yield Breach((*path, "InstanceTypeConfigs"), words, "" if by_strategy else "few", values)


@refused("FS278", "mrjob")
def fleet_types_differ(params: Params) -> Iterator[Breach]:
    """An instance type is in a fleet once."""
    for path, fleet in fleets(params):
        seen: set[str] = set()
        for at, config in mappings(fleet, "InstanceTypeConfigs"):
            kind = text(config.get("InstanceType"))
            if kind and kind in seen:
                words = (
                    f"The instance fleet: {text(fleet.get('Name')) or 'null'} contains duplicate instance types "
                    f"[{kind}]. Revise the configuration and resubmit."
                )
                yield Breach((*path, "InstanceTypeConfigs", at, "InstanceType"), words, values={"type": kind})
            seen.add(kind)


_TIMEOUTS = (
    ("LaunchSpecifications", "SpotSpecification", LAUNCH_TIMEOUT),
    ("ResizeSpecifications", "SpotResizeSpecification", RESIZE_TIMEOUT),
    ("ResizeSpecifications", "OnDemandResizeSpecification", RESIZE_TIMEOUT),
)


@refused("FS244", "botocore, SpotProvisioningSpecification, Spot- and OnDemandResizingSpecification")
def fleet_timeouts(params: Params) -> Iterator[Breach]:
    """The timeouts of a fleet, in minutes, are within their limits."""
    for path, fleet in fleets(params):
        for outer, inner, limit in _TIMEOUTS:
            minutes = integer(mapping(fleet, outer, inner).get("TimeoutDurationMinutes"))
            if minutes is not None and not limit.admits(minutes):
                words = f"TimeoutDurationMinutes must be between {limit.least} and {limit.most}."
                values = {"minutes": minutes, "least": limit.least, "most": limit.most}
                yield Breach((*path, outer, inner, "TimeoutDurationMinutes"), words, values=values)


@refused("FS269", "EMR Management Guide, instance storage; botocore, VolumeSpecification")
def volume_count(params: Params) -> Iterator[Breach]:
    """An instance has 1 to 25 EBS volumes of at least 1 GiB where it has an EBS configuration."""
    for path, machine in machines(params):
        total = 0
        for at, device in mappings(mapping(machine, "EbsConfiguration"), "EbsBlockDeviceConfigs"):
            here = (*path, "EbsConfiguration", "EbsBlockDeviceConfigs", at)
            count = integer(device.get("VolumesPerInstance", 1))
            total += count or 0
            if count is not None and (count < 1 or total > MAX_VOLUMES):
                words = f"An instance may have 1 to {MAX_VOLUMES} EBS volumes."
                yield Breach((*here, "VolumesPerInstance"), words, values={"count": max(total, 0), "most": MAX_VOLUMES})
                break
            size = integer(mapping(device, "VolumeSpecification").get("SizeInGB"))
            if size is not None and size < 1:
                words = "The size of an EBS volume must be at least 1 GiB."
                yield Breach((*here, "VolumeSpecification", "SizeInGB"), words, "size", {"size": size})


@doubtful("FS242", "botocore, VolumeSpecification; EMR Management Guide, instance storage")
def volumes(params: Params) -> Iterator[Breach]:
    """The size and throughput of an EBS volume are within EMR's documented limits."""
    for path, machine in machines(params):
        ebs = mapping(machine, "EbsConfiguration")
        sizes = OPTIMIZED_VOLUME_SIZE if ebs.get("EbsOptimized") is True else VOLUME_SIZE
        for at, device in mappings(ebs, "EbsBlockDeviceConfigs"):
            here = (*path, "EbsConfiguration", "EbsBlockDeviceConfigs", at, "VolumeSpecification")
            volume = mapping(device, "VolumeSpecification")
            size = integer(volume.get("SizeInGB"))
            # A size below 1 GiB is refused: FS269.
            if size is not None and size >= 1:
                yield from _outside(size, (*here, "SizeInGB"), "size_in_gb", sizes)
            yield from _outside(volume.get("Throughput"), (*here, "Throughput"), "throughput", VOLUME_THROUGHPUT)


def _outside(value: Any, path: Path, name: str, limit: Limit) -> Iterator[Breach]:
    if integer(value) is not None and not limit.admits(value):
        values = {"name": name, "value": value, "least": limit.least, "most": limit.most, "unit": limit.unit}
        yield Breach(path, values=values)


@doubtful("FS243", "EMR Management Guide, root volumes")
def root_volume(params: Params) -> Iterator[Breach]:
    """The root volume's size, IOPS and throughput are within EMR's documented limits and fit each other."""
    size, iops, speed = (params.get(f"EbsRootVolume{name}") for name in ("Size", "Iops", "Throughput"))
    yield from _outside(size, ("EbsRootVolumeSize",), "ebs_root_volume_size", ROOT_VOLUME_SIZE)
    yield from _outside(iops, ("EbsRootVolumeIops",), "ebs_root_volume_iops", ROOT_VOLUME_IOPS)
    yield from _outside(speed, ("EbsRootVolumeThroughput",), "ebs_root_volume_throughput", ROOT_VOLUME_THROUGHPUT)
    size, iops, speed = integer(size), integer(iops), integer(speed)
    if size is not None and iops is not None and 0 < ROOT_VOLUME_IOPS_PER_GIB * size < iops:
        values = {"iops": iops, "size": size, "per": ROOT_VOLUME_IOPS_PER_GIB, "most": ROOT_VOLUME_IOPS_PER_GIB * size}
        yield Breach(("EbsRootVolumeIops",), case="iops", values=values)
    if speed is not None and iops is not None and 0 < iops < ROOT_VOLUME_IOPS_PER_MIB * speed:
        values = {"iops": iops, "speed": speed, "most": iops // ROOT_VOLUME_IOPS_PER_MIB}
        yield Breach(("EbsRootVolumeThroughput",), case="throughput", values=values)


@refused("FS216", "botocore, RunJobFlow: CustomAmiId")
def one_custom_ami(params: Params) -> Iterator[Breach]:
    """A custom AMI is given for the cluster, or for groups and instance types."""
    if not params.get("CustomAmiId"):
        return
    words = "A custom AMI may be specified for the cluster, or for instance groups or types, but not for both."
    for path, machine in machines(params):
        if machine.get("CustomAmiId"):
            yield Breach((*path, "CustomAmiId"), words)


@doubtful("FS236", "EMR Management Guide, high availability: three primary nodes need a subnet", aws_only=True)
def masters_need_subnet(params: Params) -> Iterator[Breach]:
    """A cluster with three masters is launched into a subnet."""
    given = instances(params)
    if master_count(params) == 3 and not given.get("Ec2SubnetId") and not given.get("Ec2SubnetIds"):
        name = "InstanceGroups" if given.get("InstanceGroups") else "InstanceFleets"
        yield Breach(("Instances", name))


@doubtful("FS275", "EMR's ListSupportedInstanceTypes")
def instance_types(params: Params) -> Iterator[Breach]:
    """An instance type is in the table of types. The table ages, so EMR may know a newer one."""
    short: list[tuple[Path, Mapping[str, Any], str]] = [
        (("Instances",), instances(params), name) for name in ("MasterInstanceType", "SlaveInstanceType")
    ]
    listed = [(path, machine, "InstanceType") for path, machine in machines(params)]
    for path, machine, name in (*short, *listed):
        kind = text(machine.get(name))
        if kind and not is_known_type(kind):
            yield Breach((*path, name), values={"type": kind[:60], "known": known_types()})


RULES = (
    groups_or_fleets,
    short_form_or_groups,
    any_instances,
    short_form_has_worker_type,
    one_master,
    master_group_count,
    one_core,
    groups_have_instances,
    task_needs_core,
    one_task_fleet,
    task_group_count,
    group_size,
    bid_for_on_demand,
    bids_are_amounts,
    one_bid,
    spot_master,
    master_fleet_targets,
    fleet_targets,
    fleet_weights,
    fleet_type_count,
    fleet_types_differ,
    fleet_timeouts,
    volume_count,
    volumes,
    root_volume,
    one_custom_ami,
    masters_need_subnet,
    instance_types,
)
