"""Takes over what a script does to the cluster that it created: the `aws emr` commands after create-cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.awscli.command import Call, name_of_command, read_call
from flowspec.importers.awscli.instances import convert_fleet, fleet_shape, read_groups
from flowspec.importers.awscli.parsed import Command, Script, follow_names
from flowspec.importers.awscli.software import read_steps
from flowspec.importers.later_calls import fold
from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.shapes import convert_scalars

# These only ask, wait or look for logs.
_HARMLESS = re.compile(r"(describe|list|get)-[a-z-]+|wait|ls|help")
_OWNERS = ("cluster-id", "resource-id", "cluster-ids")
_SWITCHES: Mapping[str, tuple[str, str, bool]] = {
    "visible-to-all-users": ("SetVisibleToAllUsers", "VisibleToAllUsers", True),
    "termination-protected": ("SetTerminationProtection", "TerminationProtected", True),
    "auto-terminate": ("SetKeepJobFlowAliveWhenNoSteps", "KeepJobFlowAliveWhenNoSteps", False),
    "unhealthy-node-replacement": ("SetUnhealthyNodeReplacement", "UnhealthyNodeReplacement", True),
}
"""By option of modify-cluster-attributes: operation, member, and the value that the option gives it."""


def take_over(script: Script, creating: Command, created: Sequence[Command], params: Json, call: Call) -> None:
    """Changes the request of `creating`, one of the commands `created`, by the commands on its cluster after it."""
    begun = next(index for index, command in enumerate(script.commands) if command is creating)
    for command in script.commands[begun + 1 :]:
        name = name_of_command(command.words)
        if not name or name == "create-cluster" or _HARMLESS.fullmatch(name):
            continue
        line = command.words[0].at.line
        if name not in _CALLS:
            call.notes.append(f"line {line}: `aws emr {name}` is not imported")
            continue
        later = read_call(command, call.source, call.folder, script, call)
        reason = _foreign_cluster_reason(script, _cluster_of(later), creating, created)
        if reason is None:
            _apply_command(later, params, call, line)
        elif reason:
            call.notes.append(f"line {line}: `aws emr {name}` is not imported: {reason}")


def _foreign_cluster_reason(script: Script, owner: str, creating: Command, created: Sequence[Command]) -> str | None:
    """Returns the reason that a cluster is not that of `creating`; None if it is, "" if another command made it."""
    if not PLACEHOLDER.search(owner):
        return f"the script did not create {owner or 'its cluster'}"
    makers = [one for one in _commands_producing(script, owner) if any(one is other for other in created)]
    if any(one is creating for one in makers) or (not makers and len(created) == 1):
        return None
    return "" if makers else "its cluster is not known before the script runs"


def _apply_command(later: Call, params: Json, call: Call, line: int) -> None:
    if later.conditional:
        place = "is in a branch or a loop"
        if later.command != "add-steps":
            call.notes.append(f"line {line}: `aws emr {later.command}` {place}, and is not imported")
            return
        call.notes.append(f"line {line}: `aws emr add-steps` {place}; its steps are imported once")
    operations = list(_CALLS[later.command](later))
    for operation, given in operations:
        note = fold(params, operation, given)
        if note:
            call.notes.append(f"line {line}: {note}")
    if later.command == "add-steps" and operations:
        note = "the steps that `aws emr add-steps` adds in the script are imported, too"
        call.notes += [] if note in call.notes else [note]
    call.notes += later.notes


def _cluster_of(later: Call) -> str:
    return next((later.options[name].words[0].text for name in _OWNERS if later.has(name)), "")


def _commands_producing(script: Script, text: str) -> list[Command]:
    """Returns the commands whose output a text is made of, directly or through other variables."""

    def names_in_value(name: str) -> list[str]:
        words = [word.text for command in script.outputs.get(name, ()) for word in command.words]
        return PLACEHOLDER.findall(" ".join([script.texts.get(name, ""), *words]))

    names = follow_names(PLACEHOLDER.findall(text), names_in_value)
    return [command for name in names for command in script.outputs.get(name, ())]


# --- the commands, as the operations that they call ---

_Operations = Iterator[tuple[str, Json]]


def _steps(later: Call) -> _Operations:
    if later.has("steps"):
        role = later.text("execution-role-arn")
        yield "AddJobFlowSteps", {"Steps": read_steps(later), "ExecutionRoleArn": role}


def _groups(later: Call) -> _Operations:
    if later.has("instance-groups"):
        yield "AddInstanceGroups", {"InstanceGroups": read_groups(later)}


def _fleet(later: Call) -> _Operations:
    if later.has("instance-fleet"):
        fleet = later.object("instance-fleet", fleet_shape())
        yield "AddInstanceFleet", {"InstanceFleet": convert_fleet(later, fleet)}


def _tags(later: Call) -> _Operations:
    yield "AddTags", {"Tags": later.tags()}


def _untags(later: Call) -> _Operations:
    if later.has("tag-keys"):
        yield "RemoveTags", {"TagKeys": [word.text for word in later.options["tag-keys"].words]}


def _cluster(later: Call) -> _Operations:
    if later.has("step-concurrency-level"):
        shape = input_shape().members["StepConcurrencyLevel"]
        yield "ModifyCluster", {"StepConcurrencyLevel": convert_scalars(later.text("step-concurrency-level"), shape)}
    if later.has("extended-support") or later.has("no-extended-support"):
        yield "ModifyCluster", {"ExtendedSupport": later.choice("extended-support")}


def _attributes(later: Call) -> _Operations:
    for option, (operation, member, value) in _SWITCHES.items():
        if later.has(option) or later.has(f"no-{option}"):
            yield operation, {member: later.choice(option) == value}


def _policy(option: str, operation: str, member: str) -> Callable[[Call], _Operations]:
    def operations(later: Call) -> _Operations:
        if later.has(option):
            yield operation, {member: later.object(option, input_shape().members[member])}

    return operations


def _operation_only(operation: str) -> Callable[[Call], _Operations]:
    return lambda later: iter([(operation, {})])  # noqa: ARG005 - commands are read alike


_CALLS: Mapping[str, Callable[[Call], _Operations]] = {
    "add-steps": _steps,
    "add-instance-groups": _groups,
    "add-instance-fleet": _fleet,
    "add-tags": _tags,
    "remove-tags": _untags,
    "modify-cluster": _cluster,
    "modify-cluster-attributes": _attributes,
    "put-managed-scaling-policy": _policy("managed-scaling-policy", "PutManagedScalingPolicy", "ManagedScalingPolicy"),
    "put-auto-termination-policy": _policy(
        "auto-termination-policy", "PutAutoTerminationPolicy", "AutoTerminationPolicy"
    ),
    "remove-managed-scaling-policy": _operation_only("RemoveManagedScalingPolicy"),
    "remove-auto-termination-policy": _operation_only("RemoveAutoTerminationPolicy"),
    "terminate-clusters": _operation_only("TerminateJobFlows"),
}
