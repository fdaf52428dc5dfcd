"""Rules about what an instance has: its volumes, its image and its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.errors import shorten
from flowspec.facts.api_model import KeyPath
from flowspec.facts.instance_types import is_known_type, known_types
from flowspec.facts.limits import (
    MAX_VOLUMES,
    OPTIMIZED_VOLUME_SIZE,
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
    Breach,
    Params,
    doubtful,
    integer,
    machines,
    mapping,
    mappings,
    refused,
    text,
)


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


def _outside(value: Any, path: KeyPath, name: str, limit: Limit) -> Iterator[Breach]:
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


@doubtful("FS275", "EMR's ListSupportedInstanceTypes")
def instance_types(params: Params) -> Iterator[Breach]:
    """An instance type is in the table of types. The table ages, so EMR may know a newer one."""
    short: list[tuple[KeyPath, Mapping[str, Any], str]] = [
        (("Instances",), params.instances, name) for name in ("MasterInstanceType", "SlaveInstanceType")
    ]
    listed = [(path, machine, "InstanceType") for path, machine in machines(params)]
    for path, machine, name in (*short, *listed):
        kind = text(machine.get(name))
        if kind and not is_known_type(kind):
            yield Breach((*path, name), values={"type": shorten(kind), "known": known_types()})
