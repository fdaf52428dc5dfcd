"""Parts of answers that several resources have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = dict[str, Any]


def status(state: str, reason: Mapping[str, Any], **times: float | None) -> Answer:
    """Returns the Status of a cluster, step, group or instance; its Timeline has the `times` that are not None."""
    timeline = {name: time for name, time in times.items() if time is not None}
    return {"State": state, "StateChangeReason": reason, "Timeline": timeline}
