"""The cluster as a whole: release, network, roles, tags, logs, scaling, how it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.document.messages import Finding
from flowspec.document.rules.common import Path, Rule, Spec, given, items, mapping, on_emr

MAX_TAGS = 50

_NETWORK = ("ec2_subnet_id", "ec2_subnet_ids", "availability_zone", "availability_zones")
_MANAGED_TAG = "for-use-with-amazon-emr-managed-policies"
_EMR_ALARM = {"namespace": "AWS/ElasticMapReduce", "period": 300}
_IDLE_UNAWARE = ("presto", "trino", "prestosql", "hbase")


def release_or_ami(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: AMI versions are for 2.x and 3.x, release labels for 4.0 and later."""
    if "release_label" in spec and "ami_version" in spec:
        message = "release_label (4.0.0 and later) and ami_version (before) exclude each other"
        yield Finding("FS206", ("ami_version",), message, "keep one", key=True)


def only_with_a_release(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: applications and configurations apply to 4.0 and later."""
    if "ami_version" not in spec or "release_label" in spec:
        return
    for key in given(spec, ("applications", "configurations")):
        hint = "release_label instead of ami_version, or bootstrap actions"
        yield Finding("FS232", (key,), f"'{key}' is for releases, this is an AMI version", hint, key=True)


def only_with_an_ami_version(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: the two lists of products are for AMI versions 2.x and 3.x."""
    if "release_label" not in spec:
        return
    for key in given(spec, ("supported_products", "new_supported_products")):
        message = f"'{key}' is for AMI versions before release 4.0.0"
        yield Finding("FS233", (key,), message, "list applications", key=True)
    if "hadoop_version" in spec:
        message = "EMR heeds hadoop_version only before release 4.0.0"
        yield Finding("FS214", ("hadoop_version",), message, "leave it out", key=True)


def applications_are_names(spec: Spec) -> Iterator[Finding]:
    """Botocore's Application: since 4.0 only the name is heeded; the rest was for third-party applications."""
    if "release_label" not in spec:
        return
    for index, one in items(spec, "applications"):
        for key in given(one, ("version", "args", "additional_info")):
            message = f"a release comes with its applications; EMR does not heed their '{key}'"
            yield Finding("FS234", ("applications", index, key), message, "give the name alone", key=True)


def any_release(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: without one the service falls back to an AMI of its own."""
    if on_emr(spec) and not given(spec, ("release_label", "ami_version", "api_params")):
        message = "no release: EMR falls back to an AMI that it no longer offers"
        yield Finding("FS225", (), message, "such as release_label: emr-7.5.0")


def one_network(spec: Spec) -> Iterator[Finding]:
    """Botocore's Placement and Ec2SubnetId: a subnet implies its zone, and one or several is a choice."""
    found = given(spec, _NETWORK)
    for key in found[1:]:
        yield Finding("FS207", (key,), f"'{key}' and '{found[0]}' exclude each other", "keep one", key=True)


def many_subnets(spec: Spec) -> Iterator[Finding]:
    """Botocore's Ec2SubnetIds: EMR chooses among several for instance fleets."""
    for key, one in (("ec2_subnet_ids", "ec2_subnet_id"), ("availability_zones", "availability_zone")):
        if len(spec.get(key) or ()) > 1 and "instance_fleets" not in spec and on_emr(spec):
            message = f"EMR chooses among {key} for instance fleets only"
            yield Finding("FS223", (key,), message, f"use instance_fleets, or {one}", key=True)


def tags(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide, tag restrictions, and EC2's: 50 tags, and none that begins with aws:."""
    found = spec.get("tags") or {}
    if len(found) > MAX_TAGS:
        yield Finding("FS210", ("tags",), f"{len(found)} tags; AWS takes up to {MAX_TAGS}", key=True)
    for key in found:
        if key.lower().startswith("aws:"):
            yield Finding("FS210", ("tags", key), "tags that begin with aws: belong to AWS", "another name", key=True)
        if key.lower().startswith("flowspec:"):
            message = "tags that begin with flowspec: are written by flowspec"
            yield Finding("FS211", ("tags", key), message, "another name", key=True)


def managed_tag(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide on AmazonEMRServicePolicy_v2: the role acts only on what carries the tag."""
    role = str(spec.get("service_role", "")).rsplit("/", 1)[-1]
    if role == "EMR_DefaultRole_V2" and _MANAGED_TAG not in (spec.get("tags") or {}) and on_emr(spec):
        message = f"this role acts only on clusters with the tag {_MANAGED_TAG}"
        yield Finding("FS247", ("service_role",), message, f"tags: {{{_MANAGED_TAG}: true}}")


def roles(spec: Spec) -> Iterator[Finding]:
    """Botocore's RunJobFlow: JobFlowRole is an instance profile, the other roles are roles."""
    for key, wrong, right in (
        ("job_flow_role", ":role/", "an instance profile"),
        ("service_role", ":instance-profile/", "a role"),
        ("auto_scaling_role", ":instance-profile/", "a role"),
    ):
        if wrong in str(spec.get(key, "")):
            other = "a role" if wrong == ":role/" else "an instance profile"
            message = f"'{key}' is {right}; this is the ARN of {other}"
            yield Finding("FS268", (key,), message, f"the name or ARN of {right}")


def name(spec: Spec) -> Iterator[Finding]:
    """The EMR API, Cluster: these five characters are refused."""
    odd = re.search(r"[<>$|`]", spec.get("name", ""))
    if odd:
        yield Finding("FS212", ("name",), f"EMR refuses the character {odd[0]} in a name", "leave it out")


def upgrade_needs_ami(spec: Spec) -> Iterator[Finding]:
    """Botocore's RepoUpgradeOnBoot: only with a custom AMI."""
    if "repo_upgrade_on_boot" in spec and "custom_ami_id" not in spec:
        message = "repo_upgrade_on_boot is only for clusters with a custom_ami_id"
        yield Finding("FS217", ("repo_upgrade_on_boot",), message, "give one, or leave it out", key=True)


def security_groups(spec: Spec) -> Iterator[Finding]:
    """AWS CloudFormation's JobFlowInstancesConfig: both managed security groups, or neither."""
    both = ("emr_managed_master_security_group", "emr_managed_slave_security_group")
    found = given(spec, both)
    if len(found) == 1:
        other = both[1 - both.index(found[0])]
        message = f"'{found[0]}' needs '{other}' beside it"
        yield Finding("FS218", (found[0],), message, "give both, or neither", key=True)


def security_configuration(spec: Spec) -> Iterator[Finding]:
    """AWS CloudFormation's KerberosAttributes and the Management Guide on runtime roles: both need one."""
    if "security_configuration" in spec or "api_params" in spec or not on_emr(spec):
        return
    for key in given(spec, ("kerberos_attributes", "step_execution_role_arn")):
        message = f"'{key}' works only with a security configuration that turns it on"
        yield Finding("FS248", (key,), message, "give security_configuration", key=True)


def scaled_groups(spec: Spec) -> list[tuple[int, Mapping[str, Any]]]:
    """The groups with a scaling policy of their own, with their indexes."""
    return [(index, group) for index, group in items(spec, "instance_groups") if "auto_scaling_policy" in group]


def scaling_of_master(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: automatic scaling is for core and task groups."""
    for index, group in scaled_groups(spec):
        if group.get("role") == "MASTER":
            path = ("instance_groups", index, "auto_scaling_policy")
            yield Finding("FS219", path, "the MASTER group can't scale", "leave the policy out", key=True)


def scaling_role(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: a role acts for automatic scaling, and can be given only at creation."""
    scaled = scaled_groups(spec)
    if scaled and "auto_scaling_role" not in spec:
        path = ("instance_groups", scaled[0][0], "auto_scaling_policy")
        hint = "auto_scaling_role: EMR_AutoScaling_DefaultRole"
        yield Finding("FS220", path, "automatic scaling needs an auto_scaling_role", hint, key=True)


def two_scalings(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: a custom policy or managed scaling."""
    if scaled_groups(spec) and "managed_scaling_policy" in spec:
        message = "EMR scales by managed_scaling_policy or by the groups' auto_scaling_policy, not by both"
        yield Finding("FS221", ("managed_scaling_policy",), message, "keep one", key=True)


def scaling_limits(spec: Spec) -> Iterator[Finding]:
    """Botocore's ComputeLimits and ScalingConstraints: the least is not above the most."""
    managed = mapping(mapping(spec, "managed_scaling_policy"), "compute_limits")
    path: Path = ("managed_scaling_policy", "compute_limits")
    yield from _crossed(managed, path, "minimum_capacity_units", "maximum_capacity_units")
    for index, group in scaled_groups(spec):
        path = ("instance_groups", index, "auto_scaling_policy", "constraints")
        bounds = mapping(mapping(group, "auto_scaling_policy"), "constraints")
        yield from _crossed(bounds, path, "min_capacity", "max_capacity")


def _crossed(bounds: Mapping[str, Any], path: Path, least: str, most: str) -> Iterator[Finding]:
    low, high = bounds.get(least), bounds.get(most)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield Finding("FS250", (*path, least), f"{least} is {low}, {most} only {high}", f"up to {high}")


def scaling_units(spec: Spec) -> Iterator[Finding]:
    """Botocore's ComputeLimits: InstanceFleetUnits for fleets; Instances or VCPU for groups."""
    unit = mapping(mapping(spec, "managed_scaling_policy"), "compute_limits").get("unit_type")
    path = ("managed_scaling_policy", "compute_limits", "unit_type")
    if unit == "InstanceFleetUnits" and "instance_groups" in spec:
        yield Finding("FS251", path, "InstanceFleetUnits are for instance fleets", "Instances or VCPU")
    if unit in ("Instances", "VCPU") and "instance_fleets" in spec:
        yield Finding("FS251", path, f"{unit} are for instance groups", "InstanceFleetUnits")


def scaling_strategy(spec: Spec) -> Iterator[Finding]:
    """Botocore's ManagedScalingPolicy: the index goes with the strategy ADVANCED, and has five values."""
    policy = mapping(spec, "managed_scaling_policy")
    index = policy.get("utilization_performance_index")
    path = ("managed_scaling_policy", "utilization_performance_index")
    if index is None:
        return
    if policy.get("scaling_strategy") != "ADVANCED":
        message = "utilization_performance_index needs the scaling strategy ADVANCED"
        yield Finding("FS252", path, message, "scaling_strategy: ADVANCED", key=True)
    elif index not in (1, 25, 50, 75, 100):
        yield Finding("FS252", path, f"{index} is no step of the index", "1, 25, 50, 75 or 100")


def scaling_rules(spec: Spec) -> Iterator[Finding]:
    """Botocore's ScalingRule: its name is unique; CloudWatchAlarmDefinition: EMR's metrics come every 300 seconds."""
    for index, group in scaled_groups(spec):
        here = ("instance_groups", index, "auto_scaling_policy", "rules")
        seen: set[Any] = set()
        for at, rule in items(mapping(group, "auto_scaling_policy"), "rules"):
            if rule.get("name") in seen:
                yield Finding("FS253", (*here, at, "name"), f"a second rule '{rule['name']}'", "another name")
            seen.add(rule.get("name"))
            alarm = {**_EMR_ALARM, **mapping(mapping(rule, "trigger"), "cloud_watch_alarm_definition")}
            if alarm["namespace"] == _EMR_ALARM["namespace"] and alarm["period"] not in (300, None):
                path = (*here, at, "trigger", "cloud_watch_alarm_definition", "period")
                yield Finding("FS254", path, "EMR reports its metrics every 300 seconds", "period: 300")


def idle(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: a cluster that stays is billed until it is terminated."""
    if spec.get("keep_alive") is True and "auto_termination_policy" not in spec and on_emr(spec):
        message = "this cluster stays, and costs, until someone ends it"
        yield Finding("FS222", ("keep_alive",), message, "auto_termination_policy: {idle_timeout: 3600}", key=True)


def idle_but_busy(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide, auto-termination: not for clusters with Presto, Trino or HBase."""
    if "auto_termination_policy" not in spec:
        return
    for index, one in enumerate(spec.get("applications") or ()):
        word = one.get("name") if isinstance(one, dict) else one
        if isinstance(word, str) and word.lower() in _IDLE_UNAWARE:
            message = f"auto-termination does not see what {word} does, and ends the cluster under it"
            yield Finding("FS255", ("applications", index), message, "leave auto_termination_policy out")


def placement_groups(spec: Spec) -> Iterator[Finding]:
    """Botocore's PlacementGroupConfig: EMR supports MASTER, with SPREAD."""
    for index, one in items(spec, "placement_group_configs"):
        path = ("placement_group_configs", index)
        if one.get("instance_role") in ("CORE", "TASK"):
            yield Finding("FS257", (*path, "instance_role"), "EMR places only MASTER instances so", "MASTER")
        if one.get("placement_strategy") in ("PARTITION", "CLUSTER"):
            yield Finding("FS257", (*path, "placement_strategy"), "EMR supports only SPREAD", "SPREAD")


def debugging(spec: Spec) -> Iterator[Finding]:
    """The EMR Management Guide: debugging reads the logs that EMR archives."""
    if spec.get("enable_debugging") is True and not spec.get("log_uri"):
        yield Finding("FS227", ("enable_debugging",), "debugging needs the logs in S3", "give a log_uri", key=True)


def logs_without_a_place(spec: Spec) -> Iterator[Finding]:
    """Botocore's LogEncryptionKmsKeyId encrypts what goes to LogUri; the AWS CLI's checks of S3LoggingConfiguration."""
    logged = spec.get("log_uri") or "api_params" in spec
    if "log_encryption_kms_key_id" in spec and not logged:
        message = "a key for the logs, and no place for them"
        yield Finding("FS256", ("log_encryption_kms_key_id",), message, "give a log_uri", key=True)
    here = ("monitoring_configuration", "s3_logging_configuration", "log_type_upload_policy")
    uploads = mapping(mapping(mapping(spec, here[0]), here[1]), here[2])
    if uploads.get("persistent-ui-logs") == "on-customer-s3only":
        message = "the logs behind EMR's own web pages can't be kept in your bucket alone"
        yield Finding("FS256", (*here, "persistent-ui-logs"), message, "emr-managed or disabled")
    for kind, wanted in uploads.items():
        if wanted == "on-customer-s3only" and kind != "persistent-ui-logs" and not logged:
            yield Finding("FS256", (*here, kind), "logs for your bucket, and no place in it", "give a log_uri")


RULES: tuple[Rule, ...] = (
    release_or_ami,
    only_with_a_release,
    only_with_an_ami_version,
    applications_are_names,
    any_release,
    one_network,
    many_subnets,
    tags,
    managed_tag,
    roles,
    name,
    upgrade_needs_ami,
    security_groups,
    security_configuration,
    scaling_of_master,
    scaling_role,
    two_scalings,
    scaling_limits,
    scaling_units,
    scaling_strategy,
    scaling_rules,
    idle,
    idle_but_busy,
    placement_groups,
    debugging,
    logs_without_a_place,
)
