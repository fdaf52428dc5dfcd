"""The instances of a request in one form: groups, and the market of each; whether they stay after its steps."""

from __future__ import annotations

from flowspec.facts.api_model import SHORT_FORM, JsonView


def expand_shorthand(wanted: JsonView) -> JsonView:
    """Returns the request with MasterInstanceType, SlaveInstanceType and InstanceCount as groups, as EMR makes them.

    If there are also groups, the three are ignored, as in the emulator; EMR refuses such a request.
    """
    instances = wanted.get("Instances", {})
    if "MasterInstanceType" not in instances:
        return wanted
    kept = {key: value for key, value in instances.items() if key not in SHORT_FORM}
    if instances.get("InstanceGroups"):
        return {**wanted, "Instances": kept}
    master, count = instances["MasterInstanceType"], instances.get("InstanceCount", 1)
    groups = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        worker = instances.get("SlaveInstanceType", master)
        groups.append({"InstanceRole": "CORE", "InstanceType": worker, "InstanceCount": count - 1})
    return {**wanted, "Instances": {**kept, "InstanceGroups": groups}}


def lives_on(params: JsonView) -> bool:
    """Returns True if the cluster of a request keeps running after its steps."""
    return bool(params.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps"))


def market_of(group: JsonView) -> str:
    """Returns the market of a group: spot with a bid, on demand without either (API: InstanceGroupConfig)."""
    return str(group.get("Market") or ("SPOT" if group.get("BidPrice") else "ON_DEMAND"))


def group_address(group: JsonView) -> str:
    """Returns `instance group CORE`; a task group has its name beside it, since there may be many."""
    role = group.get("InstanceRole", "")
    named = role == "TASK" and group.get("Name")
    return f"instance group {role} {group['Name']}" if named else f"instance group {role}"
