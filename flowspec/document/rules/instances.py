"""Groups and fleets: what a cluster is made of, and what EMR takes for each part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flowspec.document.messages import Finding
from flowspec.document.rules.common import (
    COLLECTIONS,
    Path,
    Rule,
    Spec,
    given,
    hardware,
    items,
    mapping,
    masters,
    on_emr,
    type_configs,
)

MAX_TASK_GROUPS = 48
MAX_VOLUMES = 25

_SHORT_FORM = ("master_instance_type", "slave_instance_type", "num_instances")
_TARGETS = ("target_on_demand_capacity", "target_spot_capacity")


def groups_or_fleets(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: a cluster is of instance groups or of instance fleets."""
    if spec.get("instance_groups") and spec.get("instance_fleets"):
        message = "a cluster has instance groups or instance fleets, not both"
        yield Finding("FS201", ("instance_fleets",), message, "keep one", key=True)


def short_form_or_groups(spec: Spec) -> Iterator[Finding]:
    """The EMR service: "instance count, master and slave instance type or instance groups but not both"."""
    for other in given(spec, ("instance_groups", "instance_fleets")):
        for key in given(spec, _SHORT_FORM):
            message = f"'{key}' is the short form of instances; it excludes {other}"
            yield Finding("FS202", (key,), message, "keep one of the two", key=True)


def whole_short_form(spec: Spec) -> Iterator[Finding]:
    """Botocore's JobFlowInstancesConfig: the three members of the short form make up one cluster."""
    if given(spec, ("instance_groups", "instance_fleets", "api_params")) or not on_emr(spec):
        return
    found = given(spec, _SHORT_FORM)
    if found and "master_instance_type" not in spec:
        yield Finding("FS266", (found[0],), "the short form has no master_instance_type", "give it", key=True)
    if isinstance(spec.get("num_instances"), int) and spec["num_instances"] > 1 and "slave_instance_type" not in spec:
        message = f"{spec['num_instances']} instances, and no type for those beside the master"
        yield Finding("FS266", ("num_instances",), message, "give slave_instance_type", key=True)


def one_master(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: each cluster has one primary group or fleet."""
    for key, role, noun in COLLECTIONS:
        listed = items(spec, key)
        if not listed or any(role not in item for _, item in listed):
            continue
        found = [index for index, item in listed if item[role] == "MASTER"]
        if not found:
            yield Finding("FS203", (key,), f"no {noun} is MASTER; exactly one is", "add one", key=True)
        for index in found[1:]:
            message = f"a second MASTER {noun}; there is exactly one"
            yield Finding("FS203", (key, index, role), message, "a cluster's other nodes are CORE or TASK")


def master_count(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide, high availability: one primary node, or three."""
    for index, group in items(spec, "instance_groups"):
        count = group.get("count", 1)
        if group.get("role") == "MASTER" and count not in (1, 3):
            hint = "1, or 3 for high availability"
            path = ("instance_groups", index, "count")
            yield Finding("FS229", path, f"the MASTER group has {count} instances", hint)


def one_core(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: up to one core group or fleet."""
    for key, role, _ in COLLECTIONS:
        cores = [index for index, item in items(spec, key) if item.get(role) == "CORE"]
        for index in cores[1:]:
            message = "a second CORE; there is at most one"
            yield Finding("FS205", (key, index, role), message, "further workers are TASK")


def core_has_nodes(spec: Spec) -> Iterator[Finding]:
    """The EMR service: "An instance group must have at least one instance."."""
    for index, group in items(spec, "instance_groups"):
        if group.get("role") == "CORE" and group.get("count") == 0 and on_emr(spec):
            path = ("instance_groups", index, "count")
            yield Finding("FS245", path, "the CORE group has no instance", "1 or more, or no CORE group")


def task_needs_core(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: a task group needs a primary and a core group."""
    for key, role, _ in COLLECTIONS:
        listed = items(spec, key)
        roles = [item.get(role) for _, item in listed]
        if "TASK" in roles and "CORE" not in roles and None not in roles:
            index = listed[roles.index("TASK")][0]
            message = "TASK instances need CORE instances beside them"
            yield Finding("FS228", (key, index, role), message, "add a CORE one")


def not_too_many_tasks(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceFleetConfig: one fleet for a role; the Management Guide: up to 48 task groups."""
    for key, role, noun in COLLECTIONS:
        tasks = [index for index, item in items(spec, key) if item.get(role) == "TASK"]
        limit, id_ = (1, "FS230") if noun == "fleet" else (MAX_TASK_GROUPS, "FS231")
        for index in tasks[limit:]:
            told = "a second TASK fleet; there is at most one" if limit == 1 else f"EMR takes up to {limit} TASK groups"
            yield Finding(id_, (key, index, role), told, "put its instance types into one" if limit == 1 else "")


def bid_for_on_demand(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceGroupConfig: a bid price is for the spot market."""
    for index, group in items(spec, "instance_groups"):
        if "bid_price" in group and group.get("market") == "ON_DEMAND":
            message = "a bid price means nothing for ON_DEMAND instances"
            path = ("instance_groups", index, "bid_price")
            yield Finding("FS204", path, message, "market: SPOT, or no bid_price", key=True)


def bids_are_amounts(spec: Spec) -> Iterator[Finding]:
    """Botocore's model: the maximum price in US dollars, as text; no word stands for a price."""
    for path, item in hardware(spec):
        price = item.get("bid_price")
        if isinstance(price, str) and not re.fullmatch(r"\d*\.?\d+", price):
            hint = "US dollars for an hour, such as 0.20; without one the on-demand price is the limit"
            yield Finding("FS267", (*path, "bid_price"), f"'{price[:40]}' is not an amount of money", hint)


def one_bid(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceTypeConfig: a price or a percentage of the on-demand price."""
    percent = "bid_price_as_percentage_of_on_demand_price"
    for path, config in type_configs(spec):
        if "bid_price" in config and percent in config:
            yield Finding(
                "FS215", (*path, percent), "a bid price and a percentage exclude each other", "keep one", key=True
            )


def spot_master(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide on spot instances: when the primary node is reclaimed the cluster ends."""
    message = "when this MASTER is reclaimed, the cluster and all its steps end"
    for index, group in items(spec, "instance_groups"):
        if group.get("role") == "MASTER" and group.get("market") == "SPOT" and on_emr(spec):
            yield Finding("FS235", ("instance_groups", index, "market"), message, "market: ON_DEMAND for the MASTER")
    for index, fleet in items(spec, "instance_fleets"):
        if fleet.get("type") == "MASTER" and fleet.get("target_spot_capacity") and on_emr(spec):
            path = ("instance_fleets", index, "target_spot_capacity")
            yield Finding("FS235", path, message, "target_on_demand_capacity: 1 for the MASTER")


def master_fleet(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceFleetConfig: of a master's two targets one is given, and it is 1 (3 with three masters)."""
    for index, fleet in items(spec, "instance_fleets"):
        on_demand, spot = (fleet.get(key) or 0 for key in _TARGETS)
        if fleet.get("type") == "MASTER" and (on_demand, spot) not in ((1, 0), (0, 1), (3, 0), (0, 0)):
            path = ("instance_fleets", index, _TARGETS[1] if spot else _TARGETS[0])
            message = f"the MASTER fleet is to have {on_demand} on-demand and {spot} spot units"
            hint = "1 in one of the two, or 3 on-demand for high availability"
            yield Finding("FS237", path, message, hint, key=True)


def fleet_targets(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceFleetConfig: at least one of the two targets is greater than 0."""
    for index, fleet in items(spec, "instance_fleets"):
        if on_emr(spec) and not any(fleet.get(key) for key in _TARGETS):
            message = f"the {fleet.get('type', '')} fleet has no target capacity".replace("  ", " ")
            hint = "target_on_demand_capacity or target_spot_capacity: 1 or more"
            yield Finding("FS239", ("instance_fleets", index), message, hint)


def fleet_weights(spec: Spec) -> Iterator[Finding]:
    """Botocore's InstanceTypeConfig: a weight is 1 in a master fleet, 1 or more in the others."""
    for path, config in type_configs(spec):
        weight = config.get("weighted_capacity", 1)
        is_master = spec["instance_fleets"][path[1]].get("type") == "MASTER"
        if not isinstance(weight, int) or (weight == 1 if is_master else weight >= 1):
            continue
        message = f"the weight of an instance type in a {'MASTER' if is_master else 'CORE or TASK'} fleet is {weight}"
        yield Finding("FS240", (*path, "weighted_capacity"), message, "1" if is_master else "1 or more")


def fleet_types(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: 5 instance types for a fleet, 30 with an allocation strategy."""
    for index, fleet in items(spec, "instance_fleets"):
        limit = 30 if "allocation_strategy" in str(fleet.get("launch_specifications", "")) else 5
        count = len(fleet.get("instance_type_configs") or ())
        if count > limit:
            message = f"{count} instance types in a fleet; EMR takes up to {limit}"
            hint = "" if limit == 30 else "an allocation_strategy raises it to 30"
            yield Finding("FS241", ("instance_fleets", index, "instance_type_configs"), message, hint, key=True)


_TIMEOUTS = (
    ("launch_specifications", "spot_specification", 5, 1440),
    ("resize_specifications", "spot_resize_specification", 5, 10080),
    ("resize_specifications", "on_demand_resize_specification", 5, 10080),
)


def fleet_timeouts(spec: Spec) -> Iterator[Finding]:
    """Botocore's Spot- and OnDemandProvisioningSpecification: minutes, within bounds."""
    for index, fleet in items(spec, "instance_fleets"):
        for outer, inner, least, most in _TIMEOUTS:
            minutes = mapping(mapping(fleet, outer), inner).get("timeout_duration_minutes")
            if isinstance(minutes, int) and not least <= minutes <= most:
                path = ("instance_fleets", index, outer, inner, "timeout_duration_minutes")
                message = f"a timeout of {minutes} minutes; EMR takes {least} to {most}"
                yield Finding("FS244", path, message)


def volumes(spec: Spec) -> Iterator[Finding]:
    """Botocore's VolumeSpecification and the EMR Management Guide: sizes and speeds of EBS volumes."""
    for path, holder in hardware(spec):
        ebs = mapping(holder, "ebs_configuration")
        for at, device in items(ebs, "ebs_block_device_configs"):
            here = (*path, "ebs_configuration", "ebs_block_device_configs", at)
            volume = mapping(device, "volume_specification")
            least = 10 if ebs.get("ebs_optimized") is True else 1
            inner = (*here, "volume_specification")
            bounds = _Bounds("FS242", least, 1024, "GiB"), _Bounds("FS242", 125, 1000, "MiB/s")
            yield from _outside(volume.get("size_in_gb"), (*inner, "size_in_gb"), bounds[0])
            yield from _outside(volume.get("throughput"), (*inner, "throughput"), bounds[1])
            count = device.get("volumes_per_instance")
            yield from _outside(count, (*here, "volumes_per_instance"), _Bounds("FS242", 1, MAX_VOLUMES, "volumes"))


class _Bounds(NamedTuple):
    id: str
    least: int
    most: int
    unit: str


def _outside(value: Any, path: Path, bounds: _Bounds) -> Iterator[Finding]:
    if isinstance(value, int) and not bounds.least <= value <= bounds.most:
        message = f"{path[-1]} is {value}; EMR takes {bounds.least} to {bounds.most} {bounds.unit}"
        yield Finding(bounds.id, path, message)


def root_volume(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide, root volumes: 500 IOPS for a GiB, 0.25 MiB/s for an IOPS, at most."""
    size, iops, speed = (spec.get(f"ebs_root_volume_{name}") for name in ("size", "iops", "throughput"))
    yield from _outside(size, ("ebs_root_volume_size",), _Bounds("FS243", 1, 100, "GiB"))
    yield from _outside(iops, ("ebs_root_volume_iops",), _Bounds("FS243", 3000, 16000, "IOPS"))
    yield from _outside(speed, ("ebs_root_volume_throughput",), _Bounds("FS243", 125, 1000, "MiB/s"))
    if isinstance(size, int) and isinstance(iops, int) and 0 < 500 * size < iops:
        message = f"{iops} IOPS for {size} GiB; EBS gives up to 500 for each GiB"
        yield Finding("FS243", ("ebs_root_volume_iops",), message, f"up to {500 * size}, or a larger volume")
    if isinstance(speed, int) and isinstance(iops, int) and 0 < iops < 4 * speed:
        message = f"{speed} MiB/s for {iops} IOPS; EBS gives up to a quarter"
        yield Finding("FS243", ("ebs_root_volume_throughput",), message, f"up to {iops // 4}, or more IOPS")


def one_ami(spec: Spec) -> Iterator[Finding]:
    """Botocore's CustomAmiId: for the cluster, or for its groups and instance types; both make the launch fail."""
    if "custom_ami_id" not in spec:
        return
    for path, item in hardware(spec):
        if "custom_ami_id" in item:
            message = "the cluster has a custom AMI already"
            yield Finding("FS216", (*path, "custom_ami_id"), message, "give it in one of the places", key=True)


def any_instances(spec: Spec) -> Iterator[Finding]:
    """The EMR service refuses a cluster without instances."""
    if on_emr(spec) and not given(spec, ("instance_groups", "instance_fleets", *_SHORT_FORM, "api_params")):
        hint = "give instance_groups, instance_fleets, or master_instance_type and num_instances"
        yield Finding("FS224", (), "no instances: EMR refuses a cluster without them", hint)


def masters_need_subnet(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: a cluster with three primary nodes is launched into a subnet."""
    if masters(spec) == 3 and on_emr(spec) and not given(spec, ("ec2_subnet_id", "ec2_subnet_ids", "api_params")):
        key = "instance_groups" if "instance_groups" in spec else "instance_fleets"
        message = "a cluster with three masters is launched into a subnet, and there is none"
        yield Finding("FS236", (key,), message, "give ec2_subnet_id", key=True)


RULES: tuple[Rule, ...] = (
    groups_or_fleets,
    short_form_or_groups,
    whole_short_form,
    one_master,
    master_count,
    one_core,
    core_has_nodes,
    task_needs_core,
    not_too_many_tasks,
    bid_for_on_demand,
    bids_are_amounts,
    one_bid,
    spot_master,
    master_fleet,
    fleet_targets,
    fleet_weights,
    fleet_types,
    fleet_timeouts,
    volumes,
    root_volume,
    one_ami,
    any_instances,
    masters_need_subnet,
)
