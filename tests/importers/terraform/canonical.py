"""Requests made comparable: the provider sends empty members and puts sets in an order of its own."""

import json

# The provider keeps these as sets, or the API has no order for them.
_UNORDERED = {"Applications", "EbsBlockDeviceConfigs", "Ec2SubnetIds", "InstanceTypeConfigs", "Properties", "Tags"}


def canonical(request):
    """A request without its empty members, numbers as one type, and sets in one order."""
    made = _plain(request)
    groups = made.get("Instances", {})
    for member in ("InstanceGroups", "InstanceFleets"):
        if member in groups:
            groups[member] = sorted(groups[member], key=lambda one: json.dumps(one, sort_keys=True))
    return made


def _plain(value, member=""):
    if isinstance(value, dict):
        made = {key: _plain(item, key) for key, item in value.items()}
        return {key: item for key, item in made.items() if item not in ("", [], {}, [""])}
    if isinstance(value, list):
        items = [_plain(one) for one in value]
        return sorted(items, key=lambda one: json.dumps(one, sort_keys=True)) if member in _UNORDERED else items
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def folded(calls):
    """The RunJobFlow bodies among calls, with the groups, fleets and policies that were added afterwards in them."""
    made = []
    for operation, body in calls:
        if operation == "RunJobFlow":
            made.append(json.loads(json.dumps(body)))
        elif operation in _FOLDS:
            owner = made[int(str(body.get("ClusterId") or body.get("JobFlowId")).removeprefix("j-")) - 1]
            _FOLDS[operation](owner, body)
    return made


def _add_groups(owner, body):
    owner["Instances"].setdefault("InstanceGroups", []).extend(body["InstanceGroups"])


def _add_fleet(owner, body):
    owner["Instances"].setdefault("InstanceFleets", []).append(body["InstanceFleet"])


def _put_scaling(owner, body):
    owner["ManagedScalingPolicy"] = body["ManagedScalingPolicy"]


def _put_autoscaling(owner, body):
    owner["Instances"]["InstanceGroups"][-1]["AutoScalingPolicy"] = body["AutoScalingPolicy"]


_FOLDS = {
    "AddInstanceGroups": _add_groups,
    "AddInstanceFleet": _add_fleet,
    "PutManagedScalingPolicy": _put_scaling,
    "PutAutoScalingPolicy": _put_autoscaling,
}
