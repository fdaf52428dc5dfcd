"""The instances of a create-cluster command: groups, fleets, the network and the roles."""

from __future__ import annotations

import re
from typing import Any

from flowspec.facts.api_model import Json, input_shape
from flowspec.facts.recommended import DEFAULT_ROLES
from flowspec.importers.awscli.command import Call, Members
from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.shapes import members_that_are_set

EC2 = {
    member.removeprefix("Ec2"): member
    for member in (
        *("Ec2KeyName", "Ec2SubnetId", "Ec2SubnetIds", "EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup"),
        *("ServiceAccessSecurityGroup", "AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups"),
    )
}
"""The members of --ec2-attributes that are members of Instances, under their names there."""
_ZONES = ("AvailabilityZone", "AvailabilityZones")


def read_instances(call: Call) -> Json:
    """Returns the Instances of the request."""
    out: Json = {}
    if call.has("instance-fleets"):
        out["InstanceFleets"] = [convert_fleet(call, one) for one in call.objects("instance-fleets", fleet_shape())]
        for name in filter(call.has, ("instance-type", "instance-count")):
            call.notes.append(f"--{name} is left out, as the AWS CLI leaves it out beside --instance-fleets")
    elif call.has("instance-groups"):
        out["InstanceGroups"] = read_groups(call)
    elif call.has("instance-type"):
        out |= _make_uniform_groups(call)
    out["KeepJobFlowAliveWhenNoSteps"] = not call.choice("auto-terminate")
    out["TerminationProtected"] = call.choice("termination-protected")
    if call.gives("unhealthy-node-replacement"):
        out["UnhealthyNodeReplacement"] = call.choice("unhealthy-node-replacement")
    if call.has("ec2-attributes"):
        out |= _ec2_members(_ec2_attributes(call))
    return out


def _make_uniform_groups(call: Call) -> Json:
    """Makes groups of --instance-type and --instance-count: one master, and the others are core nodes.

    The CLI subtracts the master, which only EMR can do for a variable: it makes the same groups of these members.
    """
    count, kind = call.text("instance-count") or "1", call.text("instance-type")
    if PLACEHOLDER.search(count):
        call.notes.append("--instance-count is a variable: EMR makes the groups, and names them itself")
        return {"MasterInstanceType": kind, "SlaveInstanceType": kind, "InstanceCount": count}
    if not re.fullmatch(r"-?[0-9]+", count):
        call.refuse(f"--instance-count must be a number, this is '{count[:40]}'", "", call.options["instance-count"].at)
    groups = [("MASTER", 1)]
    if int(count) > 1:
        groups.append(("CORE", int(count) - 1))
    made = [
        {"InstanceType": kind, "InstanceCount": number, "InstanceRole": role, "Name": role, "Market": "ON_DEMAND"}
        for role, number in groups
    ]
    return {"InstanceGroups": made}


def read_groups(call: Call) -> list[Json]:
    """Returns the instance groups of --instance-groups, as the request has them."""
    shape = input_shape().members["Instances"].members["InstanceGroups"].member
    return [_convert_group(call, one) for one in call.objects("instance-groups", shape)]


def _convert_group(call: Call, given: Json) -> Json:
    role = call.required(given, "InstanceGroupType", "an instance group")
    out = {
        "Name": given.get("Name", role),
        "InstanceType": call.required(given, "InstanceType", "an instance group"),
        "InstanceCount": call.required(given, "InstanceCount", "an instance group"),
        "InstanceRole": role if PLACEHOLDER.search(role) else role.upper(),
        "Market": "SPOT" if "BidPrice" in given else "ON_DEMAND",
    }
    if given.get("BidPrice", "OnDemandPrice") != "OnDemandPrice":
        out["BidPrice"] = given["BidPrice"]
    more = ("EbsConfiguration", "AutoScalingPolicy", "Configurations", "CustomAmiId")
    out |= {key: given[key] for key in more if key in given}
    call.note_unread(given, {*out, "InstanceGroupType", "BidPrice"} - {"Market"}, "--instance-groups")
    return out


def fleet_shape() -> Any:
    """Returns botocore's shape of an instance fleet."""
    return input_shape().members["Instances"].members["InstanceFleets"].member


def convert_fleet(call: Call, given: Json) -> Json:
    """Returns an instance fleet of the command as the request has it."""
    role = call.required(given, "InstanceFleetType", "an instance fleet")
    out = {"Name": role, **{key: value for key, value in given.items() if key in fleet_shape().members}}
    call.note_unread(given, set(out), "--instance-fleets")
    return out


def _ec2_attributes(call: Call) -> Json:
    shapes = input_shape().members["Instances"].members
    own = {key: shapes[member] for key, member in EC2.items()}
    return call.object("ec2-attributes", Members({**own, **shapes["Placement"].members}))


def _ec2_members(given: Json) -> Json:
    out = members_that_are_set(**{member: given.get(key) for key, member in EC2.items()})
    for key in _ZONES:
        if key in given:
            out["Placement"] = members_that_are_set(**{key: given[key]})
    return out


def read_roles(call: Call) -> Json:
    """Returns the roles of the request that --ec2-attributes and --use-default-roles say."""
    given = _ec2_attributes(call) if call.has("ec2-attributes") else {}
    call.note_unread(given, {*EC2, *_ZONES, "InstanceProfile"}, "--ec2-attributes")
    for one, other in (("SubnetId", "SubnetIds"), _ZONES):
        if one in given and other in given:
            call.refuse(f"{one} and {other} exclude each other", "keep one", call.options["ec2-attributes"].at)
    if not call.has("use-default-roles"):
        return members_that_are_set(JobFlowRole=given.get("InstanceProfile"))
    if "InstanceProfile" in given:
        message = "--use-default-roles and InstanceProfile exclude each other"
        call.refuse(message, "keep one", call.options["ec2-attributes"].at)
    return {"ServiceRole": DEFAULT_ROLES["service_role"], "JobFlowRole": DEFAULT_ROLES["job_flow_role"]}
