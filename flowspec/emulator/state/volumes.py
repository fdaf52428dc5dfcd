"""Derives the EBS volumes of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record
from flowspec.facts import releases
from flowspec.facts.instance_types import default_volumes


def volumes_answer(request: Mapping[str, Any], cluster: Record) -> Answer:
    """Returns EbsBlockDevices, one entry for each volume of an instance, and EbsOptimized if requested.

    Like EMR's answers it has no VolumesPerInstance, and includes default volumes.
    """
    asked = request.get("EbsConfiguration", {})
    optimized = {name: asked[name] for name in ("EbsOptimized",) if name in asked}
    return {"EbsBlockDevices": block_devices(request, cluster), **optimized}


def block_devices(request: Mapping[str, Any], cluster: Record) -> list[Answer]:
    """Returns the volumes of an instance of a group (or a type of a fleet), with their devices."""
    configs = request.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs")
    if configs is None:
        configs = _default_volumes(request["InstanceType"], cluster)
    volumes = [config["VolumeSpecification"] for config in configs for _ in range(config.get("VolumesPerInstance", 1))]
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{chr(ord('b') + index)}"}
        for index, volume in enumerate(volumes)
    ]


def _default_volumes(kind: str, cluster: Record) -> Sequence[Mapping[str, Any]]:
    label = cluster.doc["request"].get("ReleaseLabel")
    count, size = default_volumes(kind)
    if not count or not releases.at_least(label, 5, 22):
        return ()
    volume = "gp3" if releases.at_least(label, 6, 15) else "gp2"
    return ({"VolumeSpecification": {"VolumeType": volume, "SizeInGB": size}, "VolumesPerInstance": count},)
