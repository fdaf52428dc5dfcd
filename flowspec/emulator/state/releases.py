"""Release labels: telling them apart, and what a release fills in that a request left open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LABEL = re.compile(r"emr-(\d+)\.(\d+)\.(\d+)(-.+)?")


def parse(label: str) -> tuple[int, int, int] | None:
    """The numbers of a release label ("emr-7.5.0"), None for a text that is none."""
    found = _LABEL.fullmatch(label)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def at_least(label: str | None, *version: int) -> bool:
    """Whether a release is this version or later. A cluster of the AMI days is earlier than all."""
    numbers = parse(label) if label else None
    return numbers is not None and numbers >= version


def os_release(request: Mapping[str, Any]) -> str | None:
    """The Amazon Linux release of the nodes: the one asked for, else one that the release runs on."""
    if "OSReleaseLabel" in request:
        return str(request["OSReleaseLabel"])
    label = request.get("ReleaseLabel")
    if at_least(label, 7):
        return "2023.6.20241121.0"
    return "2.0.20241113.1" if at_least(label, 5, 30) else None
