"""The EC2 instance types that EMR offers (`instance_types.json`, with its source), and the volumes of an instance."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from flowspec.facts.api_model import JsonView
from flowspec.facts.limits import MAX_VOLUMES


@cache
def instance_types() -> dict[str, Any]:
    """Returns the table of instance types.

    `members` names the facts of a type, in order; `types` groups types by the releases that have them.
    """
    table: dict[str, Any] = json.loads(Path(__file__).with_name("instance_types.json").read_text("utf-8"))
    return table


@cache
def known_types() -> dict[str, None]:
    """Returns the names of all instance types, in the table's order: a hint drawn from them is the same in each run."""
    return {name: None for group in instance_types()["types"] for name in group["types"]}


def is_known_type(name: str) -> bool:
    """Returns True if the table has an instance type of this name."""
    return name in known_types()


def fact_of(name: str, member: str) -> Any:
    """Returns a fact of an instance type, by its name in `members`; None of a type that the table does not have."""
    index = instance_types()["members"].index(member)
    rows = (group["types"][name] for group in instance_types()["types"] if name in group["types"])
    return next((row[index] for row in rows), None)


def requested_volumes(ebs: JsonView) -> list[JsonView]:
    """Returns the VolumeSpecifications of an EbsConfiguration, one for each volume, as many as an instance can have."""
    each = (
        config["VolumeSpecification"]
        for config in ebs.get("EbsBlockDeviceConfigs", ())
        for _ in range(config.get("VolumesPerInstance", 1))
    )
    return list(islice(each, MAX_VOLUMES))


def default_volumes(name: str) -> tuple[int, int]:
    """Returns how many EBS volumes EMR adds to an instance of a type that has no disks of its own, and the GiB of each.

    16 GiB for each of the 4 virtual CPUs of an xlarge, in four volumes at most; 32 GiB for smaller types and metal
    (Management Guide, default EBS storage; from 5.22.0 on). No volumes for a type that the table does not have.
    """
    if not fact_of(name, "EbsStorageOnly"):
        return 0, 0
    size = re.fullmatch(r".*\.(\d*)xlarge", name)
    if not size:
        return 1, 32
    times = int(size[1] or 1)
    count = min(2 * times, 4)
    return count, 64 * times // count
