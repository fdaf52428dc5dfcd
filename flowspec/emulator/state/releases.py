"""The values that a release fills in where a request left them open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.facts.releases import at_least


def os_release(request: Mapping[str, Any]) -> str | None:
    """Returns the Amazon Linux release of the nodes: the one asked for, else one that the release runs on."""
    if "OSReleaseLabel" in request:
        return str(request["OSReleaseLabel"])
    label = request.get("ReleaseLabel")
    if at_least(label, 7):
        return "2023.6.20241121.0"
    return "2.0.20241113.1" if at_least(label, 5, 30) else None
