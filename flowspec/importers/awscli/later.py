"""Takes over what a script does to the cluster that it created: the `aws emr` commands after create-cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

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
        owner = next((later.options[one].words[0].text for one in _OWNERS if later.has(one)), "")
        reason = _foreign_cluster_reason(script, owner, creating, created)
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
    if later.command.conditional:
        place = "is in a branch or a loop"
        if later.at.text != "add-steps":
            call.notes.append(f"line {line}: `aws emr {later.at.text}` {place}, and is not imported")
            return
        call.notes.append(f"line {line}: `aws emr add-steps` {place}; its steps are imported once")
    given = [one for one in _CALLS[later.at.text] if not one.option or later.gives(one.option)]
    for operation in given:
        note = fold(params, operation.name, operation.read(later))
        if note:
            call.notes.append(f"line {line}: {note}")
    if later.at.text == "add-steps" and given:
        note = "the steps that `aws emr add-steps` adds in the script are imported, too"
        call.notes += [] if note in call.notes else [note]
    call.notes += later.notes


def _commands_producing(script: Script, text: str) -> list[Command]:
    """Returns the commands whose output a text is made of, directly or through other variables."""

    def names_in_value(name: str) -> list[str]:
        words = [word.text for command in script.outputs.get(name, ()) for word in command.words]
        return PLACEHOLDER.findall(" ".join([script.texts.get(name, ""), *words]))

    names = follow_names(PLACEHOLDER.findall(text), names_in_value)
    return [command for name in names for command in script.outputs.get(name, ())]


# --- the commands, as the operations that they call ---


class _Operation(NamedTuple):
    """An operation that is called where its option is given ("": always), with the parameters that `read` returns."""

    name: str
    option: str = ""
    read: Callable[[Call], Json] = lambda _: {}


def _switch(name: str, option: str, member: str, *, value: bool = True) -> _Operation:
    """Returns the operation that gives a member `value` for --OPTION, and its opposite for --no-OPTION."""
    return _Operation(name, option, lambda later: {member: later.choice(option) == value})


def _policy(name: str, option: str, member: str) -> _Operation:
    return _Operation(name, option, lambda later: {member: later.object(option, input_shape().members[member])})


def _read_steps(later: Call) -> Json:
    return {"Steps": read_steps(later), "ExecutionRoleArn": later.text("execution-role-arn")}


def _read_concurrency(later: Call) -> Json:
    member = "StepConcurrencyLevel"
    return {member: convert_scalars(later.text("step-concurrency-level"), input_shape().members[member])}


def _read_fleet(later: Call) -> Json:
    return {"InstanceFleet": convert_fleet(later, later.object("instance-fleet", fleet_shape()))}


_CALLS: Mapping[str, tuple[_Operation, ...]] = {
    "add-steps": (_Operation("AddJobFlowSteps", "steps", _read_steps),),
    "add-instance-groups": (
        _Operation("AddInstanceGroups", "instance-groups", lambda later: {"InstanceGroups": read_groups(later)}),
    ),
    "add-instance-fleet": (_Operation("AddInstanceFleet", "instance-fleet", _read_fleet),),
    "add-tags": (_Operation("AddTags", "", lambda later: {"Tags": later.tags()}),),
    "remove-tags": (
        _Operation(
            "RemoveTags", "tag-keys", lambda later: {"TagKeys": [one.text for one in later.options["tag-keys"].words]}
        ),
    ),
    "modify-cluster": (
        _Operation("ModifyCluster", "step-concurrency-level", _read_concurrency),
        _switch("ModifyCluster", "extended-support", "ExtendedSupport"),
    ),
    "modify-cluster-attributes": (
        _switch("SetVisibleToAllUsers", "visible-to-all-users", "VisibleToAllUsers"),
        _switch("SetTerminationProtection", "termination-protected", "TerminationProtected"),
        _switch("SetKeepJobFlowAliveWhenNoSteps", "auto-terminate", "KeepJobFlowAliveWhenNoSteps", value=False),
        _switch("SetUnhealthyNodeReplacement", "unhealthy-node-replacement", "UnhealthyNodeReplacement"),
    ),
    "put-managed-scaling-policy": (
        _policy("PutManagedScalingPolicy", "managed-scaling-policy", "ManagedScalingPolicy"),
    ),
    "put-auto-termination-policy": (
        _policy("PutAutoTerminationPolicy", "auto-termination-policy", "AutoTerminationPolicy"),
    ),
    "remove-managed-scaling-policy": (_Operation("RemoveManagedScalingPolicy"),),
    "remove-auto-termination-policy": (_Operation("RemoveAutoTerminationPolicy"),),
    "terminate-clusters": (_Operation("TerminateJobFlows"),),
}
