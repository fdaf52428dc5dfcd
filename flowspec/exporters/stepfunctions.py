"""A request -> a state machine of Step Functions, in the Amazon States Language.

createCluster accepts no Steps and keeps its cluster alive (Developer Guide, "Create and manage Amazon EMR clusters with
Step Functions"). So each step is a separate state, and the last state terminates the cluster.
"""

from __future__ import annotations

import json
from typing import Any

from flowspec.exporters.job import Job, without, write_placeholders
from flowspec.facts.api_model import Json
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name
from flowspec.request.instances import lives_on

_TASK = "arn:aws:states:::elasticmapreduce:"
_CLUSTER = "$.cluster.ClusterId"
# Amazon States Language: fields of a Task state. A Task that times out cancels its step (addStep.sync).
INSTEAD = {"timeout": "TimeoutSeconds of its state can do it", "retry": "a Retry of its state can do it"}
_CREATE, _END, _FAIL, _DONE = "Create the cluster", "End the cluster", "Failed", "Done"


def write(job: Job) -> str:
    """Returns the state machine, as JSON. Secrets are taken from the execution's input, at `$.secrets.NAME`."""
    steps = job.params.get("Steps", [])
    ends = not lives_on(job.params)
    names = [*_names(steps), _END if ends else _DONE]
    states: Json = {_CREATE: {**_create_state(job.params), "Next": names[0]}}
    for index, step in enumerate(steps):
        states[names[index]] = _step(step, names[index + 1], _END if ends else _FAIL)
    if ends:
        states |= _ending_states()
    # Step Functions refuses a state that no other leads to.
    if ends or not all(map(_goes_on, steps)):
        states[_FAIL] = {"Type": "Fail", "Error": "StepFailed"}
    states[_DONE] = {"Type": "Succeed"}
    machine = {"Comment": f"The job flow {job.name}", "StartAt": _CREATE, "States": states}
    return json.dumps(machine, indent=2, ensure_ascii=False) + "\n"


def notes(job: Job) -> list[str]:
    """Returns notes on differences between the state machine and the request."""
    out = []
    if not lives_on(job.params):
        out.append("the cluster is kept alive, and its last state ends it: createCluster requires this")
    if job.params.get("Steps"):
        out.append("each step is a state: Step Functions adds it, and waits for it, one after the other")
    if job.params.get("StepConcurrencyLevel", 1) != 1:
        out.append("StepConcurrencyLevel has no effect on states that follow each other")
    return out


def _names(steps: list[Json]) -> list[str]:
    """Returns a name for each state: those of states are at most 80 characters, and unique."""
    plain = [PLACEHOLDER.sub(r"\1", str(step.get("Name", "step"))) for step in steps]
    return [f"{number} {name}"[:80] for number, name in enumerate(plain, 1)]


def _create_state(params: Json) -> Json:
    instances = {**params["Instances"], "KeepJobFlowAliveWhenNoSteps": True}
    return {
        "Type": "Task",
        "Resource": f"{_TASK}createCluster.sync",
        "Parameters": _replace_placeholders({**without(params, "Steps"), "Instances": instances}),
        "ResultPath": "$.cluster",
    }


def _goes_on(step: Json) -> bool:
    return bool(step.get("ActionOnFailure", "CONTINUE") == "CONTINUE")


def _step(step: Json, following: str, failure: str) -> Json:
    next_, path = (following, "$.continued") if _goes_on(step) else (failure, "$.error")
    return {
        "Type": "Task",
        "Resource": f"{_TASK}addStep.sync",
        "Parameters": {"ClusterId.$": _CLUSTER, "Step": _replace_placeholders(step)},
        "ResultPath": None,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": next_}],
        "Next": following,
    }


def _ending_states() -> Json:
    """Returns the states that end the cluster; the execution fails afterwards if a step did."""
    failed = {"Variable": "$.error", "IsPresent": True, "Next": _FAIL}
    return {
        _END: {
            "Type": "Task",
            "Resource": f"{_TASK}terminateCluster.sync",
            "Parameters": {"ClusterId.$": _CLUSTER},
            "ResultPath": None,
            "Next": "Did a step fail?",
        },
        "Did a step fail?": {"Type": "Choice", "Choices": [failed], "Default": _DONE},
    }


# --- references ---


def _replace_placeholders(value: Any) -> Any:
    """Returns a value with paths into the input for placeholders; a member whose value is a path ends in `.$`."""
    if isinstance(value, list):
        return [_replace_placeholders(one) for one in value]
    if not isinstance(value, dict):
        return value
    out: Json = {}
    for key, item in value.items():
        texts = item if isinstance(item, list) else [item]
        if any(isinstance(one, str) and PLACEHOLDER.search(one) for one in texts):
            out[f"{key}.$"] = _expression(item)
        else:
            out[key] = _replace_placeholders(item)
    return out


def _expression(value: Any) -> str:
    if isinstance(value, list):
        return f"States.Array({', '.join(map(_expression, value))})"
    name = placeholder_name(value)
    if name:
        return f"$.secrets.{name}"
    names = [f"$.secrets.{one}" for one in PLACEHOLDER.findall(value)]
    text = write_placeholders(value, _escape, lambda _: "{}")
    return f"States.Format('{text}'{''.join(f', {one}' for one in names)})" if names else f"'{text}'"


def _escape(text: str) -> str:
    for char in "\\'{}":
        text = text.replace(char, f"\\{char}")
    return text
