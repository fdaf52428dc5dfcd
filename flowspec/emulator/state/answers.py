"""The parts of answers that records of several kinds have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.emulator.state.store import Record

Answer = dict[str, Any]


def status(state: str, reason: Mapping[str, Any], **times: float | None) -> Answer:
    """Returns the Status of a cluster, step, group or instance; its Timeline has the `times` that are not None."""
    timeline = {name: time for name, time in times.items() if time is not None}
    return {"State": state, "StateChangeReason": reason, "Timeline": timeline}


def properties(step: Record) -> dict[str, str]:
    """Returns a step's Java properties as a mapping (RunJobFlow takes a list of pairs, DescribeStep returns a map)."""
    pairs = step.doc["jar"].get("Properties", ())
    return {pair.get("Key", ""): pair.get("Value", "") for pair in pairs}
