"""Rules about the cluster as a whole: software, network, roles, tags, logs, scaling, termination."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.errors import shorten
from flowspec.facts.api_model import KeyPath
from flowspec.facts.limits import IDLE_TIMEOUT, MAX_TAGS, METRICS_PERIOD, TAG_KEY, TAG_VALUE, UTILIZATION_INDEXES
from flowspec.facts.recommended import DEFAULT_ROLES
from flowspec.facts.rules.common import (
    Breach,
    Params,
    doubtful,
    first_given,
    integer,
    items,
    mapping,
    mappings,
    refused,
    scaling_policies,
    text,
)
from flowspec.facts.uris import BUCKET_NAME, is_log_uri, is_s3, split_s3

_NAME = re.compile(r"[<>$|`]")
MANAGED_POLICY_TAG = "for-use-with-amazon-emr-managed-policies"
_EMR_METRICS = "AWS/ElasticMapReduce"
_IDLE_UNAWARE = ("presto", "trino", "prestosql", "hbase")


@refused("FS206", "botocore, RunJobFlow; mrjob")
def release_or_ami(params: Params) -> Iterator[Breach]:
    """A cluster has a release label (4.0.0 and later) or an AMI version (before)."""
    label, ami = params.get("ReleaseLabel"), params.get("AmiVersion")
    if label and ami:
        words = f"Only one AMI version and release label may be specified. Provided AMI: {ami}, release label: {label}."
        yield Breach(("AmiVersion",), words)


@refused("FS232", "botocore, RunJobFlow; mrjob")
def software_of_releases(params: Params) -> Iterator[Breach]:
    """Applications and configurations are for releases 4.0.0 and later."""
    if not params.get("AmiVersion") or params.get("ReleaseLabel"):
        return
    for name, more in (
        ("Applications", " Specify supported products or new supported products instead."),
        ("Configurations", ""),
    ):
        if params.get(name):
            words = f"Cannot specify {name.lower()} when AMI version is used.{more}"
            yield Breach((name,), words, values={"key": name.lower()})


@refused("FS233", "botocore, RunJobFlow; mrjob")
def products_of_amis(params: Params) -> Iterator[Breach]:
    """The two lists of supported products are for AMI versions 2.x and 3.x."""
    if not params.get("ReleaseLabel"):
        return
    for name, key in (("SupportedProducts", "supported_products"), ("NewSupportedProducts", "new_supported_products")):
        if params.get(name):
            words = "Cannot specify supported products when release label is used. Specify applications instead."
            yield Breach((name,), words, values={"key": key})


_ONE_OF_THREE = "Must specify exactly one of the following: release label, AMI version, or Hadoop version."


@refused("FS214", "botocore, JobFlowInstancesConfig; mrjob")
def hadoop_version_without_release(params: Params) -> Iterator[Breach]:
    """A Hadoop version is chosen only before release 4.0.0."""
    if params.get("ReleaseLabel") and params.instances.get("HadoopVersion"):
        yield Breach(("Instances", "HadoopVersion"), _ONE_OF_THREE)


@doubtful("FS234", "botocore, Application: from 4.0.0 on EMR reads the name alone")
def applications_are_names(params: Params) -> Iterator[Breach]:
    """Of an application of a release, only the name has an effect."""
    if not params.get("ReleaseLabel"):
        return
    for index, one in mappings(params, "Applications"):
        for name, key in (("Version", "version"), ("Args", "args"), ("AdditionalInfo", "additional_info")):
            if name in one:
                yield Breach(("Applications", index, name), values={"key": key})


@refused("FS225", "mrjob", aws_only=True)
def any_release(params: Params) -> Iterator[Breach]:
    """A cluster has a release label, an AMI version or a Hadoop version."""
    if not any((params.get("ReleaseLabel"), params.get("AmiVersion"), params.instances.get("HadoopVersion"))):
        places = (("ReleaseLabel",), ("AmiVersion",), ("Instances", "HadoopVersion"))
        yield Breach(first_given(params, places), _ONE_OF_THREE)


_NETWORK = {
    ("Instances", "Ec2SubnetId"): "ec2_subnet_id",
    ("Instances", "Ec2SubnetIds"): "ec2_subnet_ids",
    ("Instances", "Placement", "AvailabilityZone"): "availability_zone",
    ("Instances", "Placement", "AvailabilityZones"): "availability_zones",
}


@refused("FS207", "botocore, Placement and JobFlowInstancesConfig; AWS CLI, exceptions")
def one_network(params: Params) -> Iterator[Breach]:
    """The network is chosen in only one way: a subnet implies its zone, and one subnet excludes several."""
    # Terraform's provider always sends both subnet members, the one that is not configured empty; EMR accepts it.
    found = [path for path in _NETWORK if mapping(params, *path[:-1]).get(path[-1])]
    for path in found[1:]:
        placement = "Placement" in path and "Placement" not in found[0]
        words = (
            "A subnet and a placement may not both be specified: a subnet implies an availability zone."
            if placement
            else f"{found[0][-1]} and {path[-1]} are mutually exclusive."
        )
        yield Breach(path, words, values={"key": _NETWORK[path], "other": _NETWORK[found[0]]})


@refused("FS223", "botocore, JobFlowInstancesConfig: Ec2SubnetIds; mrjob", aws_only=True)
def several_subnets_need_fleets(params: Params) -> Iterator[Breach]:
    """EMR chooses among several subnets or zones for instance fleets only."""
    if params.instances.get("InstanceFleets"):
        return
    for path, one, noun in (
        (("Instances", "Ec2SubnetIds"), "ec2_subnet_id", "subnet"),
        (("Instances", "Placement", "AvailabilityZones"), "availability_zone", "availability zone"),
    ):
        if len(items(mapping(params, *path[:-1]), path[-1])) > 1:
            words = (
                f"Only one {noun} may be specified for clusters configured with instance groups or instance count, "
                "master and slave instance type. Revise the configuration and resubmit."
            )
            yield Breach(path, words, values={"key": f"{one}s", "one": one})


@refused("FS210", "botocore, AddTags; EC2 tag restrictions; mrjob", code="InvalidRequestException")
def tags(params: Params) -> Iterator[Breach]:
    """Tags: up to 50, keys of 1 to 128 characters, values of up to 256, no key that begins with aws:."""
    listed = mappings(params, "Tags")
    for index, tag in listed:
        key, value = text(tag.get("Key")), text(tag.get("Value"))
        shown = f"Invalid tag key: '{key or 'null'}'."
        if not TAG_KEY.admits(len(key)):
            words = f"{shown} Tag keys must be between 1 and 128 characters in length."
            yield Breach(("Tags", index, "Key"), words, "key", {"length": len(key)})
        if not TAG_VALUE.admits(len(value)):
            words = f"Invalid tag value: '{value}'. Tag values must not exceed 256 characters in length."
            yield Breach(("Tags", index, "Value"), words, "value", {"length": len(value)})
        if key.lower().startswith("aws:"):
            yield Breach(("Tags", index, "Key"), f"{shown} Tag keys may not start with 'aws:'.", "aws")
    count = len({text(tag.get("Key")) for _, tag in listed})
    if count > MAX_TAGS:
        words = f"A cluster may not have more than {MAX_TAGS} tags."
        yield Breach(("Tags",), words, values={"count": count, "most": MAX_TAGS})


@doubtful("FS247", "EMR Management Guide, AmazonEMRServicePolicy_v2", aws_only=True)
def managed_tag(params: Params) -> Iterator[Breach]:
    """The role EMR_DefaultRole_V2 acts only on clusters that carry its tag."""
    role = text(params.get("ServiceRole")).rsplit("/", 1)[-1]
    tags = {text(tag.get("Key")) for _, tag in mappings(params, "Tags")}
    if role == "EMR_DefaultRole_V2" and MANAGED_POLICY_TAG not in tags:
        yield Breach(("ServiceRole",), values={"tag": MANAGED_POLICY_TAG})


@refused("FS274", "mrjob; rslifka/elasticity#84", aws_only=True)
def roles_are_given(params: Params) -> Iterator[Breach]:
    """A cluster of a release has a service role and an instance profile."""
    if not params.get("ReleaseLabel"):
        return
    for name, key, words in (
        ("ServiceRole", "service_role", "ServiceRole is required for creating cluster."),
        ("JobFlowRole", "job_flow_role", "InstanceProfile is required for creating cluster."),
    ):
        if not params.get(name):
            yield Breach((name,), words, values={"absent": key, "default": DEFAULT_ROLES[key]})


@doubtful("FS268", "botocore, RunJobFlow: JobFlowRole is an instance profile, the other roles are roles")
def kinds_of_roles(params: Params) -> Iterator[Breach]:
    """A role is given as a role, and an instance profile as an instance profile."""
    for name, key, wrong in (
        ("JobFlowRole", "job_flow_role", ":role/"),
        ("ServiceRole", "service_role", ":instance-profile/"),
        ("AutoScalingRole", "auto_scaling_role", ":instance-profile/"),
    ):
        if wrong in text(params.get(name)):
            kinds = ("an instance profile", "a role")
            right, other = kinds if wrong == ":role/" else kinds[::-1]
            yield Breach((name,), values={"key": key, "right": right, "other": other})


@refused("FS212", "EMR API reference, Cluster")
def name_characters(params: Params) -> Iterator[Breach]:
    """Five characters are not allowed in a cluster's name."""
    odd = _NAME.search(text(params.get("Name")))
    if odd:
        words = "The cluster name may not contain any of the characters < > $ | `."
        yield Breach(("Name",), words, values={"character": odd[0]})


@refused("FS217", "botocore, RunJobFlow: RepoUpgradeOnBoot")
def upgrade_needs_ami(params: Params) -> Iterator[Breach]:
    """RepoUpgradeOnBoot needs a custom AMI."""
    if params.get("RepoUpgradeOnBoot") and not params.get("CustomAmiId"):
        yield Breach(("RepoUpgradeOnBoot",), "RepoUpgradeOnBoot may only be specified together with CustomAmiId.")


@refused("FS218", "AWS CloudFormation, JobFlowInstancesConfig")
def both_security_groups(params: Params) -> Iterator[Breach]:
    """Both EMR-managed security groups are given, or neither."""
    both = {
        "EmrManagedMasterSecurityGroup": "emr_managed_master_security_group",
        "EmrManagedSlaveSecurityGroup": "emr_managed_slave_security_group",
    }
    found = [name for name in both if params.instances.get(name)]
    if len(found) == 1:
        words = "EMR managed security groups must be specified for both master and slave, or for neither."
        (other,) = (key for name, key in both.items() if name not in found)
        yield Breach(("Instances", found[0]), words, values={"key": both[found[0]], "other": other})


@doubtful("FS248", "AWS CloudFormation, KerberosAttributes; EMR Management Guide, runtime roles", aws_only=True)
def security_configuration(params: Params) -> Iterator[Breach]:
    """Kerberos and runtime roles are turned on by a security configuration."""
    if params.get("SecurityConfiguration"):
        return
    for name, key in (
        ("KerberosAttributes", "kerberos_attributes"),
        ("StepExecutionRoleArn", "step_execution_role_arn"),
    ):
        if name in params:
            yield Breach((name,), values={"key": key})


# -- scaling


MASTER_DOES_NOT_SCALE = "An automatic scaling policy may not be attached to the master instance group."


@refused("FS219", "EMR Management Guide, automatic scaling: for core and task groups")
def master_does_not_scale(params: Params) -> Iterator[Breach]:
    """The MASTER group has no automatic scaling policy."""
    for path, _, group in scaling_policies(params):
        if group.get("InstanceRole") == "MASTER":
            yield Breach(path, MASTER_DOES_NOT_SCALE)


@doubtful("FS220", "EMR Management Guide, automatic scaling; AWS CLI")
def scaling_role(params: Params) -> Iterator[Breach]:
    """Automatic scaling acts by a role, which can be given only at creation."""
    for path, _, _ in scaling_policies(params):
        if not params.get("AutoScalingRole"):
            yield Breach(path)
        return


@doubtful("FS221", "EMR Management Guide, scaling: a custom policy or managed scaling")
def one_kind_of_scaling(params: Params) -> Iterator[Breach]:
    """A cluster scales by its groups' policies or by managed scaling."""
    if "ManagedScalingPolicy" in params and any(scaling_policies(params)):
        yield Breach(("ManagedScalingPolicy",))


_LIMITS = ("ManagedScalingPolicy", "ComputeLimits")


@refused("FS250", "botocore, ComputeLimits and ScalingConstraints")
def scaling_bounds(params: Params) -> Iterator[Breach]:
    """The minimum of a scaling policy, and its other limits, are not greater than its maximum."""
    limits = mapping(params, *_LIMITS)
    yield from _crossed(limits, _LIMITS, "MinimumCapacityUnits", "MaximumCapacityUnits")
    for name in ("MaximumOnDemandCapacityUnits", "MaximumCoreCapacityUnits"):
        yield from _crossed(limits, _LIMITS, name, "MaximumCapacityUnits")
    for path, policy, _ in scaling_policies(params):
        bounds = mapping(policy, "Constraints")
        yield from _crossed(bounds, (*path, "Constraints"), "MinCapacity", "MaxCapacity")


def _crossed(bounds: Mapping[str, Any], path: KeyPath, lower: str, upper: str) -> Iterator[Breach]:
    low, high = integer(bounds.get(lower)), integer(bounds.get(upper))
    if low is not None and high is not None and low > high:
        words = f"{lower} must be at most {upper}."
        yield Breach((*path, lower), words, values={"low": low, "high": high})


@refused("FS270", "EMR Management Guide, managed scaling and automatic scaling")
def scaling_minimum(params: Params) -> Iterator[Breach]:
    """The minimum of a scaling policy is one unit, one instance of a CORE group, or none of a TASK group."""
    units = integer(mapping(params, *_LIMITS).get("MinimumCapacityUnits"))
    if units is not None and units < 1:
        words = "MinimumCapacityUnits must be at least 1."
        yield Breach((*_LIMITS, "MinimumCapacityUnits"), words, values={"value": units, "least": 1})
    for path, policy, group in scaling_policies(params):
        count = integer(mapping(policy, "Constraints").get("MinCapacity"))
        least = 0 if group.get("InstanceRole") == "TASK" else 1
        if count is not None and count < least:
            words = f"MinCapacity must be at least {least}."
            yield Breach((*path, "Constraints", "MinCapacity"), words, values={"value": count, "least": least})


@refused("FS251", "botocore, ComputeLimits: InstanceFleetUnits for fleets, Instances or VCPU for groups")
def scaling_units(params: Params) -> Iterator[Breach]:
    """The unit of managed scaling matches the kind of instances."""
    unit = text(mapping(params, *_LIMITS).get("UnitType"))
    fleets = bool(params.instances.get("InstanceFleets"))
    if unit and (unit == "InstanceFleetUnits") != fleets:
        right = "InstanceFleetUnits" if fleets else "Instances or VCPU"
        words = f"The UnitType of the managed scaling policy must be {right} for this cluster."
        yield Breach((*_LIMITS, "UnitType"), words, "fleets" if fleets else "", {"unit": unit})


@doubtful("FS252", "botocore, ManagedScalingPolicy")
def utilization_index(params: Params) -> Iterator[Breach]:
    """The utilization index needs the strategy ADVANCED, and has five allowed values."""
    policy = mapping(params, "ManagedScalingPolicy")
    index = policy.get("UtilizationPerformanceIndex")
    path = ("ManagedScalingPolicy", "UtilizationPerformanceIndex")
    if index is None:
        return
    if policy.get("ScalingStrategy") != "ADVANCED":
        yield Breach(path)
    elif index not in UTILIZATION_INDEXES:
        yield Breach(path, case="value", values={"index": index})


@refused("FS253", "botocore, ScalingRule: its name is unique in the policy")
def scaling_rule_names(params: Params) -> Iterator[Breach]:
    """The rules of an automatic scaling policy have different names."""
    for path, policy, _ in scaling_policies(params):
        seen: set[str] = set()
        for at, rule in mappings(policy, "Rules"):
            name = text(rule.get("Name"))
            if name and name in seen:
                words = "The names of the rules of an automatic scaling policy must be unique."
                yield Breach((*path, "Rules", at, "Name"), words, values={"name": name})
            seen.add(name)


@doubtful("FS254", "botocore, CloudWatchAlarmDefinition")
def metrics_period(params: Params) -> Iterator[Breach]:
    """An alarm on EMR's own metrics has the period in which they are reported."""
    for path, policy, _ in scaling_policies(params):
        for at, rule in mappings(policy, "Rules"):
            alarm = mapping(rule, "Trigger", "CloudWatchAlarmDefinition")
            of_emr = alarm.get("Namespace", _EMR_METRICS) == _EMR_METRICS
            if of_emr and alarm.get("Period", METRICS_PERIOD) not in (METRICS_PERIOD, None):
                here = (*path, "Rules", at, "Trigger", "CloudWatchAlarmDefinition", "Period")
                yield Breach(here, values={"period": METRICS_PERIOD})


# -- termination


@refused("FS279", "botocore, AutoTerminationPolicy")
def idle_timeout(params: Params) -> Iterator[Breach]:
    """The idle timeout is one minute to seven days."""
    seconds = integer(mapping(params, "AutoTerminationPolicy").get("IdleTimeout"))
    if seconds is not None and not IDLE_TIMEOUT.admits(seconds):
        least, most = IDLE_TIMEOUT.least, IDLE_TIMEOUT.most
        words = f"The idle timeout of an auto-termination policy must be between {least} and {most} seconds."
        values = {"name": "idle_timeout", "value": seconds, "least": least, "most": most}
        yield Breach(("AutoTerminationPolicy", "IdleTimeout"), words, values=values)


@doubtful("FS222", "EMR Management Guide: a cluster is billed until it is terminated", aws_only=True)
def idle_cluster(params: Params) -> Iterator[Breach]:
    """A long-running cluster has an auto-termination policy."""
    if params.instances.get("KeepJobFlowAliveWhenNoSteps") is True and "AutoTerminationPolicy" not in params:
        yield Breach(("Instances", "KeepJobFlowAliveWhenNoSteps"))


@doubtful("FS255", "EMR Management Guide, auto-termination: not for clusters with Presto, Trino or HBase")
def idle_applications(params: Params) -> Iterator[Breach]:
    """Auto-termination does not detect the work of some applications."""
    if "AutoTerminationPolicy" not in params:
        return
    for index, one in mappings(params, "Applications"):
        name = text(one.get("Name"))
        if name.lower() in _IDLE_UNAWARE:
            yield Breach(("Applications", index), values={"name": name})


@doubtful("FS257", "botocore, PlacementGroupConfig")
def placement_groups(params: Params) -> Iterator[Breach]:
    """EMR supports placement groups for MASTER, with SPREAD."""
    for index, one in mappings(params, "PlacementGroupConfigs"):
        if one.get("InstanceRole") in ("CORE", "TASK"):
            yield Breach(("PlacementGroupConfigs", index, "InstanceRole"), case="role")
        if one.get("PlacementStrategy") in ("PARTITION", "CLUSTER"):
            yield Breach(("PlacementGroupConfigs", index, "PlacementStrategy"))


# -- logs


def _log_uris(params: Params) -> Iterator[tuple[KeyPath, str]]:
    """Yields the LogUri of the cluster and those of steps, with their paths."""
    if uri := text(params.get("LogUri")):
        yield ("LogUri",), uri
    here = ("StepMonitoringConfiguration", "S3MonitoringConfiguration")
    for index, step in mappings(params, "Steps"):
        if uri := text(mapping(step, *here).get("LogUri")):
            yield ("Steps", index, *here, "LogUri"), uri


@refused("FS272", "EMR Management Guide, cluster logging: archived to S3", aws_only=True)
def log_uri_is_usable(params: Params) -> Iterator[Breach]:
    """LogUri is an S3 URI or, for the embedded EMR, an absolute path."""
    for path, uri in _log_uris(params):
        if not is_log_uri(uri):
            words = f"The log URI '{uri}' is neither an s3:// URI nor an absolute path."
            yield Breach(path, words, values={"uri": shorten(uri)})


@doubtful("FS280", "EMR Management Guide, cluster logging: archived to S3", aws_only=True)
def log_uri_is_in_s3(params: Params) -> Iterator[Breach]:
    """LogUri is in S3: only the embedded EMR supports a path."""
    for path, uri in _log_uris(params):
        if is_log_uri(uri) and not is_s3(uri):
            yield Breach(path, values={"uri": shorten(uri)})


@doubtful("FS258", "S3 User Guide, general purpose bucket naming rules", aws_only=True)
def log_bucket_can_exist(params: Params) -> Iterator[Breach]:
    """The bucket of LogUri has a name that S3 allows; before March 2018, it allowed other names in us-east-1."""
    for path, uri in _log_uris(params):
        bucket = split_s3(uri)[0] if is_s3(uri) else ""
        # An ARN names an access point, and another program fills in ${...}.
        if bucket and not BUCKET_NAME.fullmatch(bucket) and not bucket.startswith(("arn:", "$")):
            yield Breach(path, values={"bucket": shorten(bucket, 80)})


@doubtful("FS256", "botocore, RunJobFlow: LogEncryptionKmsKeyId; AWS CLI, checks of S3LoggingConfiguration")
def logs_have_a_place(params: Params) -> Iterator[Breach]:
    """Settings about logs in a bucket need a LogUri."""
    logged = params.get("LogUri")
    if "LogEncryptionKmsKeyId" in params and not logged:
        yield Breach(("LogEncryptionKmsKeyId",), case="key")
    here = ("MonitoringConfiguration", "S3LoggingConfiguration", "LogTypeUploadPolicy")
    for kind, wanted in mapping(params, *here).items():
        if wanted != "on-customer-s3only":
            continue
        if kind == "persistent-ui-logs":
            yield Breach((*here, kind), case="ui")
        elif not logged:
            yield Breach((*here, kind), case="bucket")
