"""Converts arguments of boto 2's methods into parameters of EMR's query API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import Any, TypeAlias

from flowspec.boto_emr.bootstrap_action import BootstrapAction
from flowspec.boto_emr.handler import ISO8601
from flowspec.boto_emr.instance_group import InstanceGroup
from flowspec.boto_emr.params import Flat
from flowspec.boto_emr.step import Step

Several: TypeAlias = "str | Iterable[str] | None"

# The attributes that a script's own object must have to be used as a step, group or action.
_STEP = ("name", "action_on_failure", "jar", "args", "main_class")
_GROUP = ("name", "num_instances", "role", "type", "market")
_ACTION = ("name", "path", "args")


def page_params(cluster_id: str, marker: str | None) -> Flat:
    """Returns the parameters of a page of a cluster's list."""
    return {"ClusterId": cluster_id, **({"Marker": marker} if marker else {})}


def add_time_range(params: Flat, after: datetime | None, before: datetime | None) -> None:
    """Puts the times between which something was created into `params`."""
    for name, moment in (("CreatedAfter", after), ("CreatedBefore", before)):
        if moment:
            params[name] = _iso8601(name, moment)


def _iso8601(name: str, moment: date) -> str:
    if not isinstance(moment, date):
        raise TypeError(f"{name} is a datetime, not {moment!r}")
    if isinstance(moment, datetime) and moment.tzinfo:
        moment = moment.astimezone(timezone.utc)
    return moment.strftime(ISO8601)


def as_list(value: Any, needed: Iterable[str] = ()) -> list[Any]:
    """Returns the items of an iterable, or a list of a single value, as boto 2 took one.

    Raises TypeError for an item that has not all of the attributes `needed`.
    """
    several = isinstance(value, Iterable) and not isinstance(value, str)
    items = list(value) if several else [] if value is None else [value]
    for item in items:
        lacking = [name for name in needed if not hasattr(item, name)]
        if lacking:
            raise TypeError(f"{item!r} is not valid here: it has no attribute {lacking[0]}")
    return items


def boolean_word(value: Any) -> str:
    """Returns True and False as texts of the query API; any other value unchanged, which EMR then refuses."""
    return str(value).lower()


def group_configs(groups: InstanceGroup | Iterable[InstanceGroup]) -> list[dict[str, Any]]:
    """Returns the InstanceGroupConfigs of instance groups, or of one."""
    return [
        {
            "InstanceCount": group.num_instances,
            "InstanceRole": group.role,
            "InstanceType": group.type,
            "Name": group.name,
            "Market": group.market,
            "BidPrice": group.bidprice if group.market == "SPOT" else None,
        }
        for group in as_list(groups, _GROUP)
    ]


def action_configs(actions: BootstrapAction | Iterable[BootstrapAction]) -> list[dict[str, Any]]:
    """Returns the BootstrapActionConfigs of bootstrap actions, or of one."""
    return [
        {"Name": action.name, "ScriptBootstrapAction": {"Path": action.path, "Args": action.args()}}
        for action in as_list(actions, _ACTION)
    ]


def as_steps(steps: Step | Iterable[Step] | None) -> list[Any]:
    """Returns the items of an iterable of steps, or a list of one step. Raises TypeError for other objects."""
    return as_list(steps, _STEP)
