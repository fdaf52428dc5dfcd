"""Derives the EBS volumes of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record
from flowspec.facts import releases
from flowspec.facts.instance_types import default_volumes, requested_volumes


def volumes_answer(request: Mapping[str, Any], cluster: Record) -> Answer:
    """Returns EbsBlockDevices, one entry for each volume of an instance, and EbsOptimized if requested.

    Like EMR's answers it has no VolumesPerInstance, and includes default volumes.
    """
    asked = request.get("EbsConfiguration", {})
    optimized = {name: asked[name] for name in ("EbsOptimized",) if name in asked}
    return {"EbsBlockDevices": block_devices(request, cluster), **optimized}


def block_devices(request: Mapping[str, Any], cluster: Record) -> list[Answer]:
    """Returns the volumes of an instance of a group (or a type of a fleet), with their devices."""
    asked = request.get("EbsConfiguration", {})
    given = asked.get("EbsBlockDeviceConfigs") is not None
    volumes = requested_volumes(asked) if given else _default_volumes(request["InstanceType"], cluster)
    return [
        {"VolumeSpecification": volume, "Device": f"/dev/sd{chr(ord('b') + index)}"}
        for index, volume in enumerate(volumes)
    ]


def _default_volumes(kind: str, cluster: Record) -> list[Mapping[str, Any]]:
    label = cluster.doc["request"].get("ReleaseLabel")
    count, size = default_volumes(kind)
    if not releases.at_least(label, 5, 22):
        return []
    return [{"VolumeType": "gp3" if releases.at_least(label, 6, 15) else "gp2", "SizeInGB": size}] * count
