"""Rules about instance groups and fleets together: which there are, their roles, numbers and markets.

EMR's words are quoted from the answers that mrjob's tests recorded (tests/mock_boto3/emr.py), from issues
of the Terraform provider and from boto 2 where they are known there; the others state the documented rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.errors import shorten
from flowspec.facts.api_model import SHORT_FORM, TARGETS
from flowspec.facts.limits import BID_PRICE, MASTER_COUNTS, MAX_INSTANCES, MAX_TASK_GROUPS
from flowspec.facts.rules.common import (
    COLLECTIONS,
    Breach,
    Params,
    doubtful,
    first_given,
    has_three_masters,
    integer,
    is_master_fleet,
    machines,
    mapping,
    mappings,
    refused,
    scaling_policies,
    text,
)

_ONE_OF_THREE = (
    "Please configure instances using one and only one of the following: "
    "instance groups; instance fleets; instance count, master and slave instance type."
)


@refused("FS201", "botocore, RunJobFlow; mrjob")
def groups_or_fleets(params: Params) -> Iterator[Breach]:
    """A cluster has instance groups or instance fleets."""
    if params.instances.get("InstanceGroups") and params.instances.get("InstanceFleets"):
        yield Breach(("Instances", "InstanceFleets"), _ONE_OF_THREE)


@refused("FS202", "botocore, RunJobFlow; mrjob")
def short_form_or_groups(params: Params) -> Iterator[Breach]:
    """The three members of the short form exclude instance groups and fleets."""
    given = params.instances
    for other, _, noun in COLLECTIONS:
        for name in SHORT_FORM if given.get(other) else ():
            if name in given:
                yield Breach(("Instances", name), _ONE_OF_THREE, values={"other": f"instance_{noun}s"})


@refused("FS224", "mrjob; botocore, JobFlowInstancesConfig", aws_only=True)
def any_instances(params: Params) -> Iterator[Breach]:
    """A cluster has at least a master: a group, a fleet, or MasterInstanceType."""
    given = params.instances
    if any(given.get(name) for name in ("InstanceGroups", "InstanceFleets", "MasterInstanceType")):
        return
    # boto3 leaves the check to the service; these are its words for a null member.
    short = next((name for name in SHORT_FORM if name in given), None)
    words = "Instance groups, instance fleets, or MasterInstanceType with InstanceCount must be specified."
    empty = first_given(params, (("Instances", "InstanceGroups"), ("Instances", "InstanceFleets")))
    yield Breach(("Instances", short) if short else empty, words, "short" if short else "")


@doubtful("FS266", "botocore, JobFlowInstancesConfig", aws_only=True)
def short_form_has_worker_type(params: Params) -> Iterator[Breach]:
    """The short form names the type of its workers."""
    given = params.instances
    count = integer(given.get("InstanceCount")) or 0
    if count > 1 and "SlaveInstanceType" not in given and not any(given.get(name) for name, _, _ in COLLECTIONS):
        yield Breach(("Instances", "InstanceCount"), values={"count": count})


@refused("FS203", "EMR Management Guide, node types; mrjob")
def one_master(params: Params) -> Iterator[Breach]:
    """A cluster has exactly one MASTER group or fleet."""
    for name, role, noun in COLLECTIONS:
        listed = mappings(params.instances, name)
        if not listed or any(role not in item for _, item in listed):
            continue
        found = [index for index, item in listed if item[role] == "MASTER"]
        if not found:
            words = f"Zero master instance {noun}s supplied, you must specify exactly one master instance {noun}"
            yield Breach(("Instances", name), words, "none", {"noun": noun})
        for index in found[1:]:
            yield Breach(("Instances", name, index, role), _multiple_groups_message("master"), values={"noun": noun})


def _multiple_groups_message(role: str) -> str:
    return f"Multiple {role} instance groups supplied, you must specify exactly one {role} instance group"


@refused("FS229", "EMR Management Guide, high availability; mrjob")
def master_group_count(params: Params) -> Iterator[Breach]:
    """The MASTER group has one instance, or three."""
    for path, group in params.groups:
        count = integer(group.get("InstanceCount"))
        if group.get("InstanceRole") == "MASTER" and count is not None and count not in MASTER_COUNTS:
            words = (
                "An instance group must have at least one instance"
                if count < 1
                else "A master instance group must specify a single instance, or three for high availability"
            )
            yield Breach((*path, "InstanceCount"), words, values={"count": count})


@refused("FS205", "EMR Management Guide, node types; mrjob")
def one_core(params: Params) -> Iterator[Breach]:
    """A cluster has at most one CORE group or fleet."""
    for name, role, noun in COLLECTIONS:
        cores = [index for index, item in mappings(params.instances, name) if item.get(role) == "CORE"]
        for index in cores[1:]:
            yield Breach(("Instances", name, index, role), _multiple_groups_message("core"), values={"noun": noun})


@refused("FS245", "mrjob; azavea/terraform-aws-emr-cluster#6")
def groups_have_instances(params: Params) -> Iterator[Breach]:
    """A CORE group has an instance; no group has fewer than none."""
    for path, group in params.groups:
        count, role = integer(group.get("InstanceCount")), group.get("InstanceRole")
        if count is not None and role in ("CORE", "TASK") and count < (1 if role == "CORE" else 0):
            words = "An instance group must have at least one instance"
            yield Breach((*path, "InstanceCount"), words, values={"role": role, "count": count})
    short = integer(params.instances.get("InstanceCount"))
    if short is not None and short < 1:
        words = "Instance count must be greater than 0."
        yield Breach(("Instances", "InstanceCount"), words, "short", {"count": short})


@refused("FS228", "EMR Management Guide, node types; mrjob")
def task_needs_core(params: Params) -> Iterator[Breach]:
    """TASK instances need CORE instances, which hold HDFS."""
    for name, role, noun in COLLECTIONS:
        listed = mappings(params.instances, name)
        roles = [item.get(role) for _, item in listed]
        if "TASK" in roles and "CORE" not in roles and None not in roles:
            words = (
                "Clusters with task nodes must also define core nodes."
                if noun == "group"
                else "Clusters with task instance fleets must also define core instance fleets."
            )
            path = ("Instances", name, listed[roles.index("TASK")][0], role)
            yield Breach(path, words, values={"noun": noun})


@refused("FS230", "botocore, InstanceFleetConfig; mrjob")
def one_task_fleet(params: Params) -> Iterator[Breach]:
    """A cluster has at most one TASK fleet."""
    tasks = [path for path, fleet in params.fleets if fleet.get("InstanceFleetType") == "TASK"]
    yield from (Breach((*path, "InstanceFleetType"), _multiple_groups_message("task")) for path in tasks[1:])


@refused("FS231", "EMR Management Guide, resizing a cluster")
def task_group_count(params: Params) -> Iterator[Breach]:
    """A cluster has a limited number of TASK groups."""
    tasks = [path for path, group in params.groups if group.get("InstanceRole") == "TASK"]
    words = f"The number of task instance groups must not exceed {MAX_TASK_GROUPS}."
    for path in tasks[MAX_TASK_GROUPS:]:
        yield Breach((*path, "InstanceRole"), words, values={"most": MAX_TASK_GROUPS})


@refused("FS277", "Service Quotas, instances per instance group")
def group_size(params: Params) -> Iterator[Breach]:
    """A group or fleet has a limited number of instances."""
    counts = [((*path, "InstanceCount"), integer(group.get("InstanceCount"))) for path, group in params.groups]
    short = integer(params.instances.get("InstanceCount"))
    # One of the short form's instances is the master.
    counts.append((("Instances", "InstanceCount"), short - 1 if short is not None else None))
    for path, fleet in params.fleets:
        targets = [integer(fleet.get(name)) or 0 for name in TARGETS]
        first = next((config for _, config in mappings(fleet, "InstanceTypeConfigs")), {})
        # Capacity is counted in weighted units; the first type's weight says how many instances they are.
        weight = integer(first.get("WeightedCapacity")) or 1
        counts.append(((*path, TARGETS[targets[1] > targets[0]]), sum(targets) // max(weight, 1)))
    for path, policy, _ in scaling_policies(params):
        counts.append(
            ((*path, "Constraints", "MaxCapacity"), integer(mapping(policy, "Constraints").get("MaxCapacity")))
        )
    words = f"The number of instances must not exceed {MAX_INSTANCES}."
    for place, count in counts:
        if count is not None and count > MAX_INSTANCES:
            yield Breach(place, words, values={"count": count, "most": MAX_INSTANCES})


@refused("FS204", "botocore, InstanceGroupConfig; mrjob")
def bid_for_on_demand(params: Params) -> Iterator[Breach]:
    """A bid price is for the spot market."""
    for path, group in params.groups:
        if group.get("BidPrice") and group.get("Market") == "ON_DEMAND":
            yield Breach((*path, "BidPrice"), "Attempted to set bid price for on demand instance group.")


@refused("FS267", "botocore, InstanceGroupConfig: US dollars, as text; mrjob")
def bids_are_amounts(params: Params) -> Iterator[Breach]:
    """A bid price is a positive amount in US dollars."""
    for path, machine in machines(params):
        price = text(machine.get("BidPrice"))
        kind = "group" if path[1] == "InstanceGroups" else "fleet"
        if price and not BID_PRICE.fullmatch(price):
            words = f"The bid price supplied for an instance {kind} is invalid"
            yield Breach((*path, "BidPrice"), words, values={"price": shorten(price, 40)})
        elif price and float(price) == 0:
            yield Breach(
                (*path, "BidPrice"), "The bid price is negative or zero.", values={"price": shorten(price, 40)}
            )


@doubtful("FS235", "EMR Management Guide, spot instances: a reclaimed primary node ends the cluster", aws_only=True)
def spot_master(params: Params) -> Iterator[Breach]:
    """The MASTER is not on the spot market."""
    for path, group in params.groups:
        if group.get("InstanceRole") == "MASTER" and group.get("Market") == "SPOT":
            yield Breach((*path, "Market"))
    for path, fleet in params.fleets:
        if is_master_fleet(fleet) and fleet.get("TargetSpotCapacity"):
            yield Breach((*path, "TargetSpotCapacity"), case="fleet")


@doubtful("FS236", "EMR Management Guide, high availability: three primary nodes need a subnet", aws_only=True)
def masters_need_subnet(params: Params) -> Iterator[Breach]:
    """A cluster with three masters is launched into a subnet."""
    given = params.instances
    if has_three_masters(params) and not given.get("Ec2SubnetId") and not given.get("Ec2SubnetIds"):
        name = "InstanceGroups" if given.get("InstanceGroups") else "InstanceFleets"
        yield Breach(("Instances", name))
