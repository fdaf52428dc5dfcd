"""Operations on steps: add, describe, list and cancel. The worker runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowspec.emulator.api import request_validation
from flowspec.emulator.api.calls import Call, Operation, Params, page, require_open
from flowspec.emulator.errors import invalid_request, not_found
from flowspec.emulator.state import ids, lifecycle
from flowspec.emulator.state.answers import Answer, properties, status
from flowspec.emulator.state.store import Record
from flowspec.facts import releases, states
from flowspec.facts.limits import MAX_STEP_IDS_LISTED, MAX_STEPS, MAX_STEPS_LISTED

_DEFAULT_ACTION = "TERMINATE_CLUSTER"
"""The ActionOnFailure of a step that gives none. AWS documents no default; this is the one of moto."""


def add(call: Call, cluster: Record, configs: Sequence[Mapping[str, Any]], role: str | None) -> list[str]:
    """Creates steps from StepConfigs, to run in this order; returns their ids."""
    made = [_new_step(call, cluster, config, role) for config in configs]
    for step in made:
        call.store.add(step)
    return [step.id for step in made]


def _new_step(call: Call, cluster: Record, config: Mapping[str, Any], role: str | None) -> Record:
    s3 = config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    action = config.get("ActionOnFailure", _DEFAULT_ACTION)
    doc = {
        "name": config["Name"],
        "jar": config["HadoopJarStep"],
        "action": "TERMINATE_CLUSTER" if action == "TERMINATE_JOB_FLOW" else action,
        "role": role,
        "log_uri": s3.get("LogUri"),
        "log_key": s3.get("EncryptionKeyArn"),
        "started": None,
        "ended": None,
        "failure": {},
        "cancel": "SEND_INTERRUPT",
    }
    return Record("step", ids.new_id("s"), cluster.id, cluster.region, "PENDING", call.now, doc)


def add_job_flow_steps(call: Call, params: Params) -> Answer:
    """Answers AddJobFlowSteps."""
    cluster = require_open(call.job_flow(params["JobFlowId"]))
    active = call.store.find("step", cluster_id=cluster.id, states=states.ACTIVE_STEPS)
    request_validation.check_steps(
        params["Steps"], active=len(active), concurrency=cluster.doc["concurrency"], aws=call.settings.account_rules
    )
    added = add(call, cluster, params["Steps"], params.get("ExecutionRoleArn"))
    call.wake(cluster)
    return {"StepIds": added}


def describe_step(call: Call, params: Params) -> Answer:
    """Answers DescribeStep."""
    cluster = call.cluster(params["ClusterId"])
    step = _step(call, cluster, params["StepId"])
    role = {"ExecutionRoleArn": step.doc["role"]} if step.doc["role"] else {}
    return {"Step": {**_summary(step), **role}}


def _step(call: Call, cluster: Record, step_id: str) -> Record:
    step = call.store.get("step", step_id)
    if step is None or step.cluster_id != cluster.id:
        raise not_found(f"Step id '{step_id}' is not valid.")
    return step


def _summary(step: Record) -> Answer:
    jar = step.doc["jar"]
    config = {"Jar": jar["Jar"], "Properties": properties(step), "Args": jar.get("Args", [])}
    if jar.get("MainClass"):
        config["MainClass"] = jar["MainClass"]
    logs = {"LogUri": step.doc["log_uri"], "EncryptionKeyArn": step.doc["log_key"]}
    return {
        "Id": step.id,
        "Name": step.doc["name"],
        "Config": config,
        "ActionOnFailure": step.doc["action"],
        "Status": _status(step),
        **{name: text for name, text in logs.items() if text},
    }


def _status(step: Record) -> Answer:
    now = status(
        step.state,
        {},
        CreationDateTime=step.created,
        StartDateTime=step.doc["started"],
        EndDateTime=step.doc["ended"],
    )
    if step.doc["failure"]:
        now["FailureDetails"] = step.doc["failure"]
    return now


def list_steps(call: Call, params: Params) -> Answer:
    """Answers ListSteps: newest first; those with given ids as they are given, those in given states in order."""
    cluster = call.cluster(params["ClusterId"])
    if "StepIds" in params and "StepStates" in params:
        # Even if one of them is empty (mrjob).
        raise invalid_request("Cannot specify both StepIds and StepStates.")
    if params.get("StepIds"):
        return {"Steps": [_summary(step) for step in _find_steps(call, cluster, params["StepIds"])]}
    states_wanted = params.get("StepStates") or None
    latest = call.store.find(
        "step", cluster_id=cluster.id, states=states_wanted, newest_first=True, limit=MAX_STEPS_LISTED
    )
    found = latest[::-1] if states_wanted else latest
    shown, more = page([(step.seq, step) for step in found], params, falling=not states_wanted)
    return {"Steps": [_summary(step) for step in shown], **more}


def _find_steps(call: Call, cluster: Record, ids: Sequence[str]) -> list[Record]:
    if len(ids) > MAX_STEP_IDS_LISTED:
        raise invalid_request(f"At most {MAX_STEP_IDS_LISTED} step ids may be given.")
    return [_step(call, cluster, step_id) for step_id in ids]


def cancel_steps(call: Call, params: Params) -> Answer:
    """Answers CancelSteps: cancels pending steps at once, running steps by a signal to their process."""
    cluster = require_open(call.cluster(params["ClusterId"]))
    if len(params["StepIds"]) > MAX_STEPS:
        raise invalid_request(f"At most {MAX_STEPS} steps may be cancelled at once.")
    label = cluster.doc["request"].get("ReleaseLabel")
    if not releases.at_least(label, 4, 8) or label == "emr-5.0.0":
        raise invalid_request("Cancelling steps is only supported by emr-4.8.0 and later, except emr-5.0.0.")
    option = params.get("StepCancellationOption", "SEND_INTERRUPT")
    running_too = releases.at_least(label, 5, 28)
    results = [
        _cancel(call, _step(call, cluster, step_id), option, running_too=running_too) for step_id in params["StepIds"]
    ]
    call.wake(cluster)
    return {"CancelStepsInfoList": results}


def _cancel(call: Call, step: Record, option: str, *, running_too: bool) -> Answer:
    # Of releases before 5.28.0 only pending steps can be cancelled (API reference, CancelSteps).
    if step.state not in (states.ACTIVE_STEPS if running_too else ("PENDING",)):
        reason = f"Cannot cancel a step that is {step.state}."
        return {"StepId": step.id, "Status": "FAILED", "Reason": reason}
    if step.state == "PENDING":
        lifecycle.finish_step(call.store, step, "CANCELLED")
    else:
        step.state = "CANCEL_PENDING"
        step.doc["cancel"] = option
        call.store.save(step)
    return {"StepId": step.id, "Status": "SUBMITTED"}


OPERATIONS: dict[str, Operation] = {
    "AddJobFlowSteps": add_job_flow_steps,
    "CancelSteps": cancel_steps,
    "DescribeStep": describe_step,
    "ListSteps": list_steps,
}
