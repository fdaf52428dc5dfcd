"""Notes the settings of a spec that no other tool's definition has: flowspec itself applies them to its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.document.job_flow import JobFlow
from flowspec.plan.runs.supervision import policy_of
from flowspec.plan.runs.unattended import settings_texts

# The part of flowspec that applies a key of the spec.
_CARRIED_OUT_BY = {
    "timeout": "the watcher of a run cancels the step",
    "retry": "the watcher of a run adds the step again",
    "skip_on_exit": "the watcher of a run treats the step as completed",
    "needs": "flowspec checks it; the steps keep their order",
    "fallback": "flowspec launches the cluster again",
    "launch_retries": "flowspec launches the cluster again",
    "budget": "flowspec checks it at each plan",
}
_BY_WATCHER = "the watcher of a run runs it"
_EVENTS_HINT = "EventBridge has EMR's events"


def note_left_out(flow: JobFlow, title: str, instead: Mapping[str, str]) -> Iterator[str]:
    """Yields a note for each key of a spec that the tool `title` does not get; `instead` names its own feature."""
    for key, value in {**_step_policies(flow), **settings_texts(flow)}.items():
        substitute = _CARRIED_OUT_BY.get(key.partition(".")[0], _BY_WATCHER)
        hint = instead.get(key) or (_EVENTS_HINT if key.startswith("hooks.") else "")
        yield f"{key} is left out of {title} ({value}): {substitute}{f'; {hint}' if hint else ''}"


def _step_policies(flow: JobFlow) -> dict[str, str]:
    """Returns the policies of the steps by their keys, each with the steps that have it."""
    found: dict[str, list[str]] = {}
    for step in flow.fields.get("steps", ()):
        needs: dict[str, Any] = {"needs": ", ".join(step["needs"])} if step.get("needs") else {}
        for key, value in {**policy_of(step).parts, **needs}.items():
            found.setdefault(key, []).append(f"step {step['name']}: {value}")
    return {key: "; ".join(value) for key, value in found.items()}
