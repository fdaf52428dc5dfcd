"""The messages of each rule for users: what is wrong in terms of a spec, and a remedy.

A rule of `flowspec.facts.rules` yields the `case` in which it was broken and the values; the sentences are
here. `about_key`: the finding points at the key, not at its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flowspec.document.nearest import nearest
from flowspec.facts import releases
from flowspec.facts.instance_types import known_types


class Wording(NamedTuple):
    """Message and hint as format strings over a breach's values."""

    message: str
    hint: str = ""
    about_key: bool = False


_KEEP_ONE = "keep one"
_CORE_OR_TASK = "a cluster's other nodes are CORE or TASK"
_NOTHING_ELSE = "leave it out"

# By "id" or, for a case, "id.case".
WORDINGS: dict[str, Wording] = {
    "FS201": Wording("a cluster has instance groups or instance fleets, not both", _KEEP_ONE, True),
    "FS202": Wording("'{key}' is the short form of instances; it excludes {other}", "keep one of the two", True),
    "FS203": Wording("a second MASTER {noun}; a cluster has exactly one", _CORE_OR_TASK),
    "FS203.none": Wording("no MASTER {noun}; a cluster has exactly one", "add one", True),
    "FS204": Wording("EMR refuses a bid price for ON_DEMAND instances", "market: SPOT, or no bid_price", True),
    "FS205": Wording("a second CORE {noun}; a cluster has at most one", "use TASK for further workers"),
    "FS206": Wording("release_label (4.0.0 and later) and ami_version (before) exclude each other", _KEEP_ONE, True),
    "FS207": Wording("'{key}' and '{other}' exclude each other", _KEEP_ONE, True),
    "FS208": Wording(
        "{count} steps; EMR takes up to {most}", "let one step do the work of several, or make several flows", True
    ),
    "FS209": Wording(
        "{count} bootstrap actions; EMR takes up to {most}", "let one script do the work of several", True
    ),
    "FS210": Wording("{count} tags; AWS takes up to {most}", "remove some", True),
    "FS210.key": Wording("a tag's key is {length} characters long; AWS takes 1 to 128", "use another key", True),
    "FS210.value": Wording("a tag's value is {length} characters long; AWS takes up to 256", "shorten it"),
    "FS210.aws": Wording("tags that begin with aws: belong to AWS", "use another key", True),
    "FS212": Wording("EMR refuses the character {character} in a name", _NOTHING_ELSE),
    "FS214": Wording("EMR takes hadoop_version only before release 4.0.0", _NOTHING_ELSE, True),
    "FS215": Wording("a bid price and a percentage exclude each other", _KEEP_ONE, True),
    "FS216": Wording(
        "a custom AMI here and for the cluster exclude each other", "keep custom_ami_id in one of the two places", True
    ),
    "FS217": Wording(
        "repo_upgrade_on_boot is only for clusters with a custom_ami_id", "give one, or leave it out", True
    ),
    "FS218": Wording("'{key}' needs '{other}' beside it", "give both, or neither", True),
    "FS219": Wording("the MASTER group can't scale", "leave the policy out", True),
    "FS220": Wording(
        "automatic scaling needs an auto_scaling_role", "auto_scaling_role: EMR_AutoScaling_DefaultRole", True
    ),
    "FS221": Wording(
        "EMR scales by managed_scaling_policy or by the groups' auto_scaling_policy, not by both", _KEEP_ONE, True
    ),
    "FS222": Wording(
        "this cluster runs, and costs, until someone terminates it",
        "auto_termination_policy: {{idle_timeout: 3600}}",
        True,
    ),
    "FS223": Wording("EMR chooses among {key} for instance fleets only", "use instance_fleets, or {one}", True),
    "FS224": Wording(
        "no instances: EMR refuses a cluster without them",
        "give instance_groups, instance_fleets, or master_instance_type and num_instances",
    ),
    "FS224.short": Wording(
        "the short form has no master_instance_type: EMR refuses a cluster without it", "give it", True
    ),
    "FS225": Wording("no release: EMR refuses a cluster without one", "such as release_label: emr-7.5.0"),
    "FS226": Wording("EMR has no release '{label}'"),
    "FS226.form": Wording("'{label}' is not a release label"),
    "FS228": Wording("TASK instances need CORE instances in the cluster", "add a CORE {noun}"),
    "FS229": Wording("the MASTER group has {count} instances", "1, or 3 for high availability"),
    "FS230": Wording("a second TASK fleet; a cluster has at most one", "put all instance types into one fleet"),
    "FS231": Wording("EMR takes up to {most} TASK groups", "make fewer, larger groups"),
    "FS232": Wording(
        "'{key}' is for releases, this is an AMI version",
        "release_label instead of ami_version, or bootstrap actions",
        True,
    ),
    "FS233": Wording("'{key}' is for AMI versions before release 4.0.0", "list applications", True),
    "FS234": Wording("with a release label EMR ignores '{key}' of an application", "give only the name", True),
    "FS235": Wording(
        "when EC2 reclaims this MASTER, the cluster and all its steps end", "market: ON_DEMAND for the MASTER"
    ),
    "FS235.fleet": Wording(
        "when EC2 reclaims this MASTER, the cluster and all its steps end",
        "target_on_demand_capacity: 1 for the MASTER",
    ),
    "FS236": Wording("a cluster with three masters needs a subnet, and none is given", "give ec2_subnet_id", True),
    "FS237": Wording(
        "the MASTER fleet has targets of {on_demand} on-demand and {spot} spot units",
        "1 in one of the two, or 3 on-demand for high availability",
        True,
    ),
    "FS239": Wording(
        "the {fleet} has no target capacity", "target_on_demand_capacity or target_spot_capacity: 1 or more"
    ),
    "FS240": Wording("the weight of an instance type in a {kind} fleet is {weight}", "1 or more"),
    "FS240.master": Wording("the weight of an instance type in a {kind} fleet is {weight}", "1"),
    "FS241": Wording("{count} instance types in a fleet; EMR takes up to {most}", "", True),
    "FS241.few": Wording(
        "{count} instance types in a fleet; EMR takes up to {most}", "an allocation_strategy raises it to 30", True
    ),
    "FS242": Wording("{name} is {value}; EMR takes {least} to {most} {unit}"),
    "FS243": Wording("{name} is {value}; EMR takes {least} to {most} {unit}"),
    "FS243.iops": Wording(
        "{iops} IOPS for {size} GiB; EBS gives up to {per} for each GiB", "up to {most}, or a larger volume"
    ),
    "FS243.throughput": Wording(
        "{speed} MiB/s for {iops} IOPS; EBS gives up to a quarter", "up to {most}, or more IOPS"
    ),
    "FS244": Wording("a timeout of {minutes} minutes; EMR takes {least} to {most}"),
    "FS245": Wording("the {role} group has {count} instances", "1 or more, or no CORE group"),
    "FS245.short": Wording("num_instances is {count}", "1 or more"),
    "FS246": Wording(
        "this cluster is protected and keeps running: a failed step will not terminate it",
        "termination_protected: false, or another action on failure",
    ),
    "FS247": Wording("this role acts only on clusters with the tag {tag}", "tags: {{{tag}: true}}"),
    "FS248": Wording(
        "'{key}' works only with a security configuration that turns it on", "give security_configuration", True
    ),
    "FS249": Wording(
        "with {level} steps at once, EMR takes only CONTINUE as action on failure",
        "CONTINUE, or step_concurrency_level: 1",
    ),
    "FS250": Wording("{key} is {low}, but the maximum is {high}", "{high} or less"),
    "FS251": Wording("{unit} is for instance fleets", "Instances or VCPU"),
    "FS251.fleets": Wording("{unit} is for instance groups", "InstanceFleetUnits"),
    "FS252": Wording(
        "utilization_performance_index needs the scaling strategy ADVANCED", "scaling_strategy: ADVANCED", True
    ),
    "FS252.value": Wording("EMR does not know the utilization index {index}", "1, 25, 50, 75 or 100"),
    "FS253": Wording("a second rule '{name}'", "another name"),
    "FS254": Wording("EMR reports its metrics every {period} seconds", "period: {period}"),
    "FS255": Wording(
        "auto-termination does not see the work of {name}, and terminates the cluster while it runs",
        "leave auto_termination_policy out",
    ),
    "FS256.key": Wording("an encryption key for logs, but no log_uri", "give a log_uri", True),
    "FS256.ui": Wording("EMR can't keep the logs of its own web pages only in your bucket", "emr-managed or disabled"),
    "FS256.bucket": Wording("logs are sent to your bucket, but there is no log_uri", "give a log_uri"),
    "FS257": Wording("EMR supports only SPREAD", "SPREAD"),
    "FS257.role": Wording("EMR supports placement groups only for MASTER", "MASTER"),
    "FS258": Wording(
        "'{bucket}' is not a valid name of an S3 bucket",
        "3 to 63 lowercase letters, digits, dots and hyphens; not an IP address",
    ),
    "FS260": Wording(
        "the step is {length:,} characters long; EMR takes up to {most:,}",
        "put long arguments into a file in S3, and give its URI",
    ),
    "FS261": Wording("{feature} came with release {since}{without}; this is {label}", "a later release"),
    "FS262": Wording("the release '{label}' is not known"),
    "FS263": Wording("the application '{name}' is not known"),
    "FS264": Wording("{label} does not have {name}", "{remedy}"),
    "FS265": Wording("{first} and {second} can't run on one cluster", _KEEP_ONE),
    "FS266": Wording(
        "{count} instances, but no type for those other than the master", "give slave_instance_type", True
    ),
    "FS267": Wording(
        "'{price}' is not an amount of money",
        "US dollars for an hour, such as 0.20; without one the on-demand price is the limit",
    ),
    "FS268": Wording("'{key}' is {right}; this is the ARN of {other}", "the name or ARN of {right}"),
    "FS269": Wording("{count} EBS volumes for an instance; EMR takes 1 to {most}"),
    "FS269.size": Wording("an EBS volume of {size} GiB", "1 or more"),
    "FS270": Wording("'{key}' is {value}; EMR takes {least} or more", "{least} or more"),
    "FS271": Wording("{feature} came with release {since}{without}; EMR refuses it for {label}", "a later release"),
    "FS272": Wording("'{uri}' is not an S3 URI", "such as s3://bucket/logs/"),
    "FS274": Wording(
        "no {absent}: EMR refuses a cluster without it", "such as {absent}: {default}, or defaults: recommended"
    ),
    "FS275": Wording("EMR is not known to offer the instance type '{type}'"),
    "FS277": Wording("{count} instances in one group; EMR takes up to {most}", "{most} or less, or larger instances"),
    "FS278": Wording("the instance type {type} is in the fleet twice", "give each type once"),
    "FS279": Wording("{name} is {value}; EMR takes {least} to {most}"),
    "FS280": Wording("EMR archives logs to S3 only; '{uri}' is a path", "such as s3://bucket/logs/"),
}


def _similar(name: str, known: Any) -> str:
    # Sorted, so that among equally similar names, every run suggests the same one.
    found = nearest(name, sorted(known))
    return f"did you mean {found}?" if found else ""


def _release_hint(values: Mapping[str, Any]) -> str:
    label = str(values["label"])
    if not label.startswith("emr-") and releases.parse(f"emr-{label}"):
        return f"write emr-{label}"
    return _similar(label, releases.labels()) or "release labels look like emr-7.5.0"


# Hints that are looked up.
HINTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "FS226": _release_hint,
    "FS226.form": _release_hint,
    "FS262": lambda values: _similar(str(values["label"]), releases.labels()),
    "FS263": lambda values: _similar(str(values["name"]), releases.names()),
    "FS275": lambda values: _similar(str(values["type"]), known_types()),
}

_FROM_TABLE = ("FS226", "FS261", "FS262", "FS263", "FS264", "FS271")


def notes(rule_id: str) -> tuple[str, ...]:
    """Returns a note for a rule's findings: the date of the table that it uses."""
    return (f"date of flowspec's table of releases: {releases.date()}",) if rule_id in _FROM_TABLE else ()
