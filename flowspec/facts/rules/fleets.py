"""Rules about instance fleets: their targets, and their instance types.

EMR's words are quoted as in `instances`.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.facts.api_model import TARGETS
from flowspec.facts.limits import (
    LAUNCH_TIMEOUT,
    MAX_FLEET_TYPES,
    MAX_FLEET_TYPES_BY_STRATEGY,
    RESIZE_TIMEOUT,
)
from flowspec.facts.rules.common import (
    Breach,
    Params,
    integer,
    is_master_fleet,
    mapping,
    mappings,
    refused,
    text,
    type_configs,
)

_PERCENT = "BidPriceAsPercentageOfOnDemandPrice"


@refused("FS215", "botocore, InstanceTypeConfig; mrjob")
def one_bid(params: Params) -> Iterator[Breach]:
    """An instance type of a fleet has a bid price or a percentage of the on-demand price."""
    for path, config, fleet in type_configs(params):
        if "BidPrice" in config and _PERCENT in config:
            name = text(fleet.get("Name")) or "null"
            words = (
                "Specify at most one of bidPrice or bidPriceAsPercentageOfOnDemandPrice value "
                f"for the Spot Instance fleet : {name} request."
            )
            yield Breach((*path, _PERCENT), words)


@refused("FS237", "botocore, InstanceFleetConfig; mrjob")
def master_fleet_targets(params: Params) -> Iterator[Breach]:
    """A MASTER fleet has one target of 1, or 3 on-demand for high availability."""
    for path, fleet in params.fleets:
        on_demand, spot = (integer(fleet.get(name)) or 0 for name in TARGETS)
        if is_master_fleet(fleet) and (on_demand, spot) not in ((1, 0), (0, 1), (3, 0), (0, 0)):
            words = (
                "A master instance fleet can only have a target capacity of 1. Revise the configuration and resubmit."
            )
            values = {"on_demand": on_demand, "spot": spot}
            yield Breach((*path, TARGETS[1] if spot else TARGETS[0]), words, values=values)


@refused("FS239", "botocore, InstanceFleetConfig; mrjob")
def fleet_targets(params: Params) -> Iterator[Breach]:
    """A fleet has a target capacity when it is created."""
    for path, fleet in params.fleets:
        if not any((integer(fleet.get(name)) or 0) > 0 for name in TARGETS):
            words = (
                f"The instance fleet ({text(fleet.get('Name')) or 'null'}) should have a value of one or greater "
                "for either targetOnDemandCapacity or targetSpotCapacity."
            )
            role = text(fleet.get("InstanceFleetType"))
            yield Breach(path, words, values={"fleet": f"{role} fleet".strip()})


@refused("FS240", "botocore, InstanceTypeConfig; mrjob")
def fleet_weights(params: Params) -> Iterator[Breach]:
    """The weight of an instance type is 1 in a MASTER fleet, 1 or more in the others."""
    for path, config, fleet in type_configs(params):
        weight = integer(config.get("WeightedCapacity", 1))
        is_master = is_master_fleet(fleet)
        if weight is None or (weight == 1 if is_master else weight >= 1):
            continue
        words = (
            "All instance types in the master instance fleet must have weighted capacity as 1."
            if is_master
            else "Weighted capacity cannot be zero."
        )
        values = {"weight": weight, "kind": "MASTER" if is_master else "CORE or TASK"}
        place = (*path, "WeightedCapacity")
        yield Breach(place, f"{words} Revise the configuration and resubmit.", "master" if is_master else "", values)


@refused("FS241", "EMR Management Guide, instance fleets")
def fleet_type_count(params: Params) -> Iterator[Breach]:
    """A fleet has up to 5 instance types, 30 with an allocation strategy."""
    for path, fleet in params.fleets:
        launch = mapping(fleet, "LaunchSpecifications")
        by_strategy = any("AllocationStrategy" in mapping(launch, kind) for kind in launch)
        most = MAX_FLEET_TYPES_BY_STRATEGY if by_strategy else MAX_FLEET_TYPES
        count = len(mappings(fleet, "InstanceTypeConfigs"))
        if count > most:
            words = f"The number of instance types of an instance fleet must not exceed {most}."
            values = {"count": count, "most": most}
            yield Breach((*path, "InstanceTypeConfigs"), words, "" if by_strategy else "few", values)


@refused("FS278", "mrjob")
def fleet_types_differ(params: Params) -> Iterator[Breach]:
    """An instance type is in a fleet once."""
    for path, fleet in params.fleets:
        seen: set[str] = set()
        for at, config in mappings(fleet, "InstanceTypeConfigs"):
            kind = text(config.get("InstanceType"))
            if kind and kind in seen:
                words = (
                    f"The instance fleet: {text(fleet.get('Name')) or 'null'} contains duplicate instance types "
                    f"[{kind}]. Revise the configuration and resubmit."
                )
                yield Breach((*path, "InstanceTypeConfigs", at, "InstanceType"), words, values={"type": kind})
            seen.add(kind)


_TIMEOUTS = (
    ("LaunchSpecifications", "SpotSpecification", LAUNCH_TIMEOUT),
    ("ResizeSpecifications", "SpotResizeSpecification", RESIZE_TIMEOUT),
    ("ResizeSpecifications", "OnDemandResizeSpecification", RESIZE_TIMEOUT),
)


@refused("FS244", "botocore, SpotProvisioningSpecification, Spot- and OnDemandResizingSpecification")
def fleet_timeouts(params: Params) -> Iterator[Breach]:
    """The timeouts of a fleet, in minutes, are within their limits."""
    for path, fleet in params.fleets:
        for outer, inner, limit in _TIMEOUTS:
            minutes = integer(mapping(fleet, outer, inner).get("TimeoutDurationMinutes"))
            if minutes is not None and not limit.admits(minutes):
                words = f"TimeoutDurationMinutes must be between {limit.least} and {limit.most}."
                values = {"minutes": minutes, "least": limit.least, "most": limit.most}
                yield Breach((*path, outer, inner, "TimeoutDurationMinutes"), words, values=values)
