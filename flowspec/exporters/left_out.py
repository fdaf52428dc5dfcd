"""Notes the settings of a spec that no other tool's definition has: flowspec itself applies them to its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.document.job_flow import JobFlow
from flowspec.plan.runs.supervision import policy_of
from flowspec.plan.runs.unattended import settings_texts

# Who does it, by the key of the spec.
_DOES = {
    "timeout": "the watcher of a run cancels the step",
    "retry": "the watcher of a run adds the step again",
    "skip_on_exit": "the watcher of a run takes the step for completed",
    "needs": "flowspec checks it; the steps keep their order",
    "fallback": "flowspec launches the cluster again",
    "launch_retries": "flowspec launches the cluster again",
    "budget": "flowspec checks it at each plan",
}
_HOOK = "the watcher of a run runs it"
_EVENTS = "EventBridge has EMR's events"


def left_out(flow: JobFlow, title: str, instead: Mapping[str, str]) -> Iterator[str]:
    """Yields a note on each key of a spec that a tool called `title` gets nothing of; `instead` says what it has."""
    for key, told in {**_of_steps(flow), **settings_texts(flow)}.items():
        does = _DOES.get(key.partition(".")[0], _HOOK)
        hint = instead.get(key) or (_EVENTS if key.startswith("hooks.") else "")
        yield f"{key} is left out of {title} ({told}): {does}{f'; {hint}' if hint else ''}"


def _of_steps(flow: JobFlow) -> dict[str, str]:
    """Returns the policies of the steps by their keys, each with the steps that have it."""
    found: dict[str, list[str]] = {}
    for step in flow.fields.get("steps", ()):
        needs: dict[str, Any] = {"needs": ", ".join(step["needs"])} if step.get("needs") else {}
        for key, told in {**policy_of(step).parts, **needs}.items():
            found.setdefault(key, []).append(f"step {step['name']}: {told}")
    return {key: "; ".join(told) for key, told in found.items()}
