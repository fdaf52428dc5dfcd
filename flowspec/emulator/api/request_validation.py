"""Refuses RunJobFlow requests, and later changes of clusters, that EMR refuses.

Types, required members and unknown ones are checked against the API's model (`wire`). The rules between
members are those of `flowspec.facts.rules`, which `validate` applies to specs: a change is checked as the
request that the cluster would come from afterwards. Only rules about the state of a cluster are here.
Each function raises `EmrError` or returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowspec.emulator.errors import EmrError, invalid_request, validation
from flowspec.emulator.state.instances import targets
from flowspec.emulator.state.paths import resolve_uri
from flowspec.errors import FlowspecError
from flowspec.facts.limits import MAX_STEPS
from flowspec.facts.rules import breaches
from flowspec.facts.rules.cluster import (
    idle_timeout,
    master_does_not_scale,
    scaling_bounds,
    scaling_minimum,
    scaling_rule_names,
    scaling_units,
    tags,
)
from flowspec.facts.rules.common import Params, Rule
from flowspec.facts.rules.fleets import (
    fleet_targets,
    fleet_timeouts,
    fleet_type_count,
    fleet_types_differ,
    fleet_weights,
    one_bid,
)
from flowspec.facts.rules.hardware import volume_count
from flowspec.facts.rules.instances import (
    bid_for_on_demand,
    bids_are_amounts,
    group_size,
    groups_have_instances,
    one_task_fleet,
    task_group_count,
    task_needs_core,
)
from flowspec.facts.rules.releases import features_that_emr_refuses
from flowspec.facts.rules.steps import TOO_MANY_STEPS, concurrency_level, concurrent_steps_continue, step_length
from flowspec.facts.uris import is_log_uri

_GROUP_RULES = (
    groups_have_instances,
    task_needs_core,
    task_group_count,
    group_size,
    bid_for_on_demand,
    bids_are_amounts,
    volume_count,
    master_does_not_scale,
    scaling_bounds,
    scaling_minimum,
    scaling_rule_names,
)
_FLEET_RULES = (
    task_needs_core,
    one_task_fleet,
    fleet_targets,
    fleet_weights,
    fleet_type_count,
    fleet_types_differ,
    fleet_timeouts,
    group_size,
    one_bid,
    bids_are_amounts,
    volume_count,
)


def check_job_flow(params: Mapping[str, Any], *, aws: bool) -> None:
    """Checks a RunJobFlow request; without the rules that concern an AWS account if not `aws`."""
    check_log_uri(params.get("LogUri"))
    for step in params.get("Steps", ()):
        _check_step_logs(step)
    for rule, breach in breaches(params, aws=aws):
        if rule.refused:
            raise EmrError(rule.code, breach.words)


def _refuse(request: Mapping[str, Any], rules: Sequence[Rule], code: str | None = None) -> None:
    """Raises EMR's answer for the first rule that is broken, with the rule's error code or the one given."""
    params = Params(request)
    for rule in rules:
        for breach in rule.check(params):
            raise EmrError(code or rule.code, breach.words)


def check_log_uri(uri: str | None) -> None:
    """Checks that logs can be written to a URI: in S3, or below an absolute path of this machine."""
    if not uri:
        return
    if not is_log_uri(uri):
        raise validation(f"The log URI '{uri}' is neither an s3:// URI nor an absolute path.")
    try:
        resolve_uri(Path("/"), uri)
    except FlowspecError as error:
        raise validation(f"The log URI '{uri}' is not valid: {error.message}") from error


def _check_step_logs(step: Mapping[str, Any]) -> None:
    s3 = step.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    check_log_uri(s3.get("LogUri"))


def check_steps(steps: Sequence[Mapping[str, Any]], *, active: int, concurrency: int, aws: bool) -> None:
    """Checks steps to add to a cluster that has `active` unfinished ones and runs `concurrency` at a time."""
    if len(steps) + active > MAX_STEPS:
        raise validation(TOO_MANY_STEPS)
    for step in steps:
        _check_step_logs(step)
    if aws:
        _refuse({"Steps": steps}, [step_length])
    if any(concurrent_steps_continue.check(Params({"StepConcurrencyLevel": concurrency, "Steps": steps}))):
        raise validation(
            "The ActionOnFailure setting is not valid: "
            "it must be CONTINUE while StepConcurrencyLevel is greater than 1."
        )


def check_added_groups(added: Sequence[Mapping[str, Any]], present: Sequence[str]) -> None:
    """Checks groups to add to a cluster whose groups have the roles `present`."""
    if any(group["InstanceRole"] != "TASK" for group in added):
        raise validation("Only task instance groups may be added to a running job flow.")
    _refuse({"Instances": {"InstanceGroups": [*({"InstanceRole": role} for role in present), *added]}}, _GROUP_RULES)


def check_new_count(role: str, count: int, present: int) -> None:
    """Checks the new size of a group of `present` instances."""
    if role == "MASTER" and count != present:
        raise validation("The instance count of the master instance group may not be changed.")
    if count < (0 if role == "TASK" else 1):
        # ModifyInstanceGroups answers in other words than RunJobFlow (hashicorp/terraform#9683).
        raise validation("Instance count must be greater than 0.")
    _refuse({"Instances": {"InstanceGroups": [{"InstanceCount": count}]}}, [group_size])


def check_scaling_policy(policy: Mapping[str, Any], role: str) -> None:
    """Checks an automatic scaling policy for a group of this role."""
    group = {"InstanceRole": role, "AutoScalingPolicy": policy}
    rules = (master_does_not_scale, scaling_minimum, scaling_bounds, scaling_rule_names, group_size)
    _refuse({"Instances": {"InstanceGroups": [group]}}, rules)


def check_added_fleet(fleet: Mapping[str, Any], present: Sequence[str]) -> None:
    """Checks a fleet to add to a cluster whose fleets have the roles `present`."""
    if fleet["InstanceFleetType"] != "TASK":
        raise invalid_request("Only a task instance fleet may be added to a running cluster.")
    others = [{"InstanceFleetType": role, "TargetOnDemandCapacity": 1} for role in present]
    _refuse({"Instances": {"InstanceFleets": [*others, fleet]}}, _FLEET_RULES, "InvalidRequestException")


def check_fleet_change(change: Mapping[str, Any], role: str, present: Mapping[str, Any]) -> None:
    """Checks a change of a fleet that was requested as `present`."""
    changed = {**present, **change}
    old, new = targets(present), targets(changed)
    if min(new.values()) < 0:
        raise validation("The target capacities of an instance fleet must not be less than 0.")
    _refuse({"Instances": {"InstanceFleets": [changed]}}, [group_size])
    if role == "MASTER" and new != old:
        raise invalid_request("The target capacities of the master instance fleet may not be changed.")
    if role == "CORE" and not any(new.values()):
        raise invalid_request("At least one of the target capacities of a core instance fleet must be greater than 0.")
    _refuse({"Instances": {"InstanceFleets": [change]}}, [fleet_timeouts])
    types = {kind["InstanceType"] for kind in present.get("InstanceTypeConfigs", ())}
    if "InstanceTypeConfigs" in change and {kind["InstanceType"] for kind in change["InstanceTypeConfigs"]} != types:
        raise invalid_request("InstanceTypeConfigs must list every instance type of the instance fleet, and no other.")


def check_concurrency(level: int, request: Mapping[str, Any]) -> None:
    """Checks a StepConcurrencyLevel for a cluster that `request` made."""
    _refuse({**_release(request), "StepConcurrencyLevel": level}, [concurrency_level, features_that_emr_refuses])


def _release(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in ("ReleaseLabel", "AmiVersion") if name in request}


def check_tags(added: Sequence[Mapping[str, Any]], *, present: Sequence[str]) -> None:
    """Checks tags to add to a cluster that has tags with the keys `present`."""
    # The new ones come first, so that messages name them; the present keys have been checked.
    _refuse({"Tags": [*added, *({"Key": key} for key in present)]}, [tags])


def check_auto_termination(policy: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Checks an auto-termination policy for a cluster that `request` made."""
    _refuse({**_release(request), "AutoTerminationPolicy": policy}, [features_that_emr_refuses, idle_timeout])


def check_managed_scaling(policy: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Checks a managed scaling policy for a cluster that `request` made."""
    instances = {name: one for name, one in request["Instances"].items() if name == "InstanceFleets"}
    params = {**_release(request), "Instances": instances, "ManagedScalingPolicy": policy}
    rules = [scaling_units, scaling_minimum, scaling_bounds]
    # Fleets were checked when the cluster was made.
    _refuse({**params, "Instances": {}}, [features_that_emr_refuses])
    _refuse(params, rules)
