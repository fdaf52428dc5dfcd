"""The branches of rules that the pages of `flowspec explain` do not show, and specs that rules accept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.document.checking.rules import check_rules
from flowspec.document.checking.rules.wording import WORDINGS
from flowspec.facts.rules import RULES

ROLES = {"service_role": "EMR_DefaultRole", "job_flow_role": "EMR_EC2_DefaultRole"}
GROUPS = [{"role": "MASTER", "type": "m5.xlarge"}, {"role": "CORE", "type": "m5.xlarge", "count": 2}]
MASTER = {"type": "MASTER", "target_on_demand_capacity": 1}
# Names of members at all depths, so that patches of random shape reach into the rules.
MEMBERS = ["Instances", "InstanceGroups", "InstanceFleets", "InstanceRole", "InstanceCount", "InstanceTypeConfigs"]
MEMBERS += ["ManagedScalingPolicy", "ComputeLimits", "UnitType", "AutoScalingPolicy", "Rules", "Tags", "Key", "Steps"]
MEMBERS += ["HadoopJarStep", "Args", "ReleaseLabel", "AmiVersion", "Applications", "Name", "LogUri", "EbsConfiguration"]
MEMBERS += ["LaunchSpecifications", "MonitoringConfiguration", "Placement", "AvailabilityZone", "StepConcurrencyLevel"]

RULE = {"name": "out", "trigger": {"cloud_watch_alarm_definition": {"period": 60}}}
EBS = {
    "ebs_block_device_configs": [
        {"volume_specification": {"size_in_gb": 5, "throughput": 5}, "volumes_per_instance": 30}
    ]
}


def found(**spec):
    """(id, path) of everything that the rules have against a spec that is whole otherwise."""
    instances = {} if {"instance_groups", "instance_fleets"} & set(spec) else {"instance_groups": GROUPS}
    release = {} if "ami_version" in spec else {"release_label": "emr-7.5.0"}
    return [(one.id, one.path) for one in check_rules({"name": "x", **ROLES, **instances, **release, **spec})]


def at(*path):
    return tuple(path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"region": "us-esat-1"}, [("FS200", at("region"))]),
        ({"region": "us-esat-1", "endpoint_url": "http://127.0.0.1:4566"}, []),
        ({"region": "us-esat-1", "backend": "local"}, []),
        ({}, []),
        ({"instance_groups": [*GROUPS, {"role": "MASTER"}]}, [("FS203", at("instance_groups", 2, "role"))]),
        ({"instance_groups": [{"role": "MASTER", "count": 0}]}, [("FS229", at("instance_groups", 0, "count"))]),
        (
            {"instance_fleets": [MASTER, {**MASTER, "type": "CORE"}, {**MASTER, "type": "CORE"}]},
            [("FS205", at("instance_fleets", 2, "type"))],
        ),
        (
            {"instance_fleets": [{"type": "MASTER", "target_spot_capacity": 1}]},
            [("FS235", at("instance_fleets", 0, "target_spot_capacity"))],
        ),
        (
            {"instance_fleets": [{"type": "MASTER", "target_on_demand_capacity": 1, "target_spot_capacity": 1}]},
            [
                ("FS235", at("instance_fleets", 0, "target_spot_capacity")),
                ("FS237", at("instance_fleets", 0, "target_spot_capacity")),
            ],
        ),
        (
            {"instance_fleets": [{"type": "MASTER", "target_on_demand_capacity": 3}]},
            [("FS236", at("instance_fleets"))],
        ),
        (
            {"instance_fleets": [{**MASTER, "instance_type_configs": [{"bid_price": "x", "ebs_configuration": EBS}]}]},
            [
                ("FS267", at("instance_fleets", 0, "instance_type_configs", 0, "bid_price")),
                (
                    "FS269",
                    at(
                        "instance_fleets", 0, "instance_type_configs", 0, "ebs_configuration",
                        "ebs_block_device_configs", 0, "volumes_per_instance",
                    ),
                ),
                (
                    "FS242",
                    at(
                        "instance_fleets", 0, "instance_type_configs", 0, "ebs_configuration",
                        "ebs_block_device_configs", 0, "volume_specification", "throughput",
                    ),
                ),

            ],
        ),
        (
            {"instance_fleets": [{**MASTER, "resize_specifications": {"on_demand_resize_specification": {"timeout_duration_minutes": 4}}}]},
            [("FS244", at("instance_fleets", 0, "resize_specifications", "on_demand_resize_specification", "timeout_duration_minutes"))],
        ),
        (
            {"instance_fleets": [MASTER, {**MASTER, "type": "CORE", "instance_type_configs": [{"weighted_capacity": 0}]}]},
            [("FS240", at("instance_fleets", 1, "instance_type_configs", 0, "weighted_capacity"))],
        ),
        ({"ebs_root_volume_size": 200}, [("FS243", at("ebs_root_volume_size"))]),
        ({"ebs_root_volume_iops": 100}, [("FS243", at("ebs_root_volume_iops"))]),
        (
            {"ebs_root_volume_iops": 3000, "ebs_root_volume_throughput": 1000},
            [("FS243", at("ebs_root_volume_throughput"))],
        ),
        ({"ami_version": "3.8", "configurations": {"hive-site": {}}}, [("FS232", at("configurations"))]),
        ({"new_supported_products": [{"name": "mapr"}]}, [("FS233", at("new_supported_products"))]),
        ({"availability_zones": ["a", "b"]}, [("FS223", at("availability_zones"))]),
        ({"service_role": "arn:aws:iam::1:role/service-role/EMR_DefaultRole_V2"}, [("FS247", at("service_role"))]),
        ({"service_role": "arn:aws:iam::1:instance-profile/x"}, [("FS268", at("service_role"))]),
        *(
            ({"steps": [{"type": "streaming", **step}]}, [("FS290", at("steps", 0, key)) for key in found])
            for step, found in [
                ({"mapper": "python3 m.py", "reducer": "/usr/bin/env python3 -u 'r.py' x"}, ["mapper", "reducer"]),
                ({"mapper": "awk -f lib/m.awk", "combiner": "sh c.sh"}, ["mapper", "combiner"]),
                ({"mapper": "python3 m.py", "reducer": "perl r.pl", "files": ["m.py", "x/y.pl#r.pl"]}, []),
                ({"mapper": "python3 lib/m.py", "archives": ["code.zip#lib"]}, []),
                ({"mapper": "python3 m.py", "args": ["-file", "m.py"]}, []),
                ({"mapper": "python3 m.py", "generic_args": ["-files", "m.py"]}, []),
                ({"mapper": "python3 /opt/m.py", "reducer": "python3 -m tool"}, []),
                ({"mapper": "m.py", "reducer": "grep r.py"}, []),
                (
                    {"mapper": "env X=1 Y=2 python3 -W ignore m.py", "reducer": "awk -F , -v n=1 -f r.awk"},
                    ["mapper", "reducer"],
                ),
                ({"mapper": "python3 m.py", "properties": {"mapreduce.job.cache.files": "s3://a/m.py#m.py"}}, []),
                ({"mapper": "m.py", "combiner": "./c.sh x", "reducer": "'bin/r.rb'", "stage": False}, ["mapper", "combiner", "reducer"]),
                ({"mapper": "m.py x", "reducer": "lib/r.sh", "files": ["s3://a/m.py"], "archives": ["s3://a/l.zip#lib"], "stage": False}, []),
                ({"mapper": "/opt/m.py", "combiner": "s3://a/c.py", "reducer": "com.acme.py.Reducer", "stage": False}, []),
            ]
        ),
        *(
            ({"steps": [{"type": "streaming", "mapper": "m.py", "stage": False}], **prepared}, [])
            for prepared in [
                {"bootstrap_actions": [{"name": "tools", "path": "s3://a/b.sh"}]},
                {"custom_ami_id": "ami-12345678"},
                {"instance_groups": [{**GROUPS[0], "custom_ami_id": "ami-12345678"}, GROUPS[1]]},
            ]
        ),
        ({"kerberos_attributes": {}}, [("FS248", at("kerberos_attributes"))]),
        (
            {"action_on_failure": "CANCEL_AND_WAIT", "step_concurrency_level": 2, "steps": [{}, {}]},
            [("FS249", at("action_on_failure"))],
        ),
        ({"on_failure": "CANCEL_AND_WAIT", "step_concurrency_level": 1}, []),
        (
            {
                "action_on_failure": "TERMINATE_JOB_FLOW",
                "steps": [{}, {}],
                "keep_alive": True,
                "auto_termination_policy": {},
                "ec2_subnet_id": "s",
                "instance_groups": [{"role": "MASTER", "count": 3}, GROUPS[1]],
            },
            [("FS246", at("action_on_failure"))],
        ),
        (
            {"managed_scaling_policy": {"scaling_strategy": "ADVANCED", "utilization_performance_index": 30}},
            [("FS252", at("managed_scaling_policy", "utilization_performance_index"))],
        ),
        (
            {
                "managed_scaling_policy": {"compute_limits": {"unit_type": "VCPU"}},
                "instance_fleets": [MASTER],
            },
            [("FS251", at("managed_scaling_policy", "compute_limits", "unit_type"))],
        ),
        (
            {
                "auto_scaling_role": "r",
                "instance_groups": [
                    GROUPS[0],
                    {**GROUPS[1], "auto_scaling_policy": {"constraints": {"min_capacity": 2, "max_capacity": 1}, "rules": [RULE]}},
                ],
            },
            [
                ("FS250", at("instance_groups", 1, "auto_scaling_policy", "constraints", "min_capacity")),
                ("FS254", at("instance_groups", 1, "auto_scaling_policy", "rules", 0, "trigger", "cloud_watch_alarm_definition", "period")),
            ],
        ),
        (
            {"placement_group_configs": [{"instance_role": "MASTER", "placement_strategy": "CLUSTER"}]},
            [("FS257", at("placement_group_configs", 0, "placement_strategy"))],
        ),
        (
            {
                "monitoring_configuration": {
                    "s3_logging_configuration": {
                        "log_type_upload_policy": {
                            "system-logs": "on-customer-s3only",
                            "persistent-ui-logs": "on-customer-s3only",
                        }
                    }
                }
            },
            [
                ("FS256", at("monitoring_configuration", "s3_logging_configuration", "log_type_upload_policy", name))
                for name in ("system-logs", "persistent-ui-logs")
            ],
        ),
        ({"tags": {f"t{n}": "x" for n in range(51)}}, [("FS210", at("tags"))]),
    ],
)  # fmt: skip
def test_rules(spec, expected):
    assert found(**spec) == expected


@pytest.mark.parametrize(
    "spec",
    [
        {"keep_alive": True},
        {"step_execution_role_arn": "arn:aws:iam::123456789012:role/x"},
        {"service_role": "EMR_DefaultRole_V2"},
        {"instance_groups": [{"role": "MASTER", "market": "SPOT"}]},
        {"ec2_subnet_ids": ["a", "b"]},
    ],
)
def test_what_matters_only_on_aws_is_not_said_of_a_run_on_this_machine(spec):
    assert found(**spec) != []
    assert found(backend="local", **spec) == []


def test_api_params_supply_what_the_spec_lacks():
    assert [one.id for one in check_rules({"name": "x"})] == ["FS224", "FS225"]
    supplied = {"ReleaseLabel": "emr-7.5.0", "ServiceRole": "r", "JobFlowRole": "p"}
    groups = [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]
    assert list(check_rules({"name": "x", "api_params": {**supplied, "Instances": {"InstanceGroups": groups}}})) == []


@pytest.mark.parametrize(
    ("spec", "patch", "expected"),
    [
        (
            {},
            {"Instances": {"InstanceGroups": [{"InstanceRole": "MASTER"}, {"InstanceRole": "MASTER"}]}},
            [("FS276", at("api_params", "Instances", "InstanceGroups", 1, "InstanceRole"), "(FS203)")],
        ),
        (
            {},
            {"ManagedScalingPolicy": {"ComputeLimits": {"MinimumCapacityUnits": 3, "MaximumCapacityUnits": 2}}},
            [("FS276", at("api_params", "ManagedScalingPolicy", "ComputeLimits", "MinimumCapacityUnits"), "(FS250)")],
        ),
        # The member that excludes another one is the spec's, but only api_params make them clash.
        ({"ec2_subnet_id": "s"}, {"Instances": {"Ec2SubnetIds": ["t"]}}, [("FS276", at("api_params", "Instances", "Ec2SubnetIds"), "(FS207)")]),
        ({"custom_ami_id": "ami"}, {"ReleaseLabel": "emr-5.6.0"}, [("FS276", at("api_params"), "(FS271)")]),
        ({"instance_groups": [], "instance_fleets": [MASTER]}, {"Instances": {"InstanceFleets": [{"InstanceFleetType": "MASTER"}]}}, [("FS276", at("api_params", "Instances", "InstanceFleets", 0), "(FS239)")]),
        # What the spec breaks by itself stays an error; what api_params mend is not reported.
        ({"name": "a<b"}, {"VisibleToAllUsers": True}, [("FS212", at("name"), "")]),
        ({"name": "a<b"}, {"Name": "ab"}, []),
        # A warning stays the warning that it is.
        ({}, {"Instances": {"KeepJobFlowAliveWhenNoSteps": True}}, [("FS222", at("api_params", "Instances", "KeepJobFlowAliveWhenNoSteps"), "")]),
    ],
)  # fmt: skip
def test_what_api_params_bring_in_is_warned_about(spec, patch, expected):
    found = list(
        check_rules(
            {"name": "x", **ROLES, "release_label": "emr-7.5.0", "instance_groups": GROUPS, **spec, "api_params": patch}
        )
    )
    assert [(one.id, one.path) for one in found] == [(id_, path) for id_, path, _ in expected]
    assert all(one.message.endswith(end) for one, (_, _, end) in zip(found, expected, strict=True))


BUCKETS = ["a.b", "1acme", "acme-2", "acme.logs.example.com", "a" * 63, "1.2.3.4.5", "acme-s3alias", "arn:aws:s3:us-east-1:111122223333:accesspoint"]  # fmt: skip
NO_BUCKETS = ["Acme", "acme_logs", "ac", "a" * 64, "10.0.0.1", "-acme", "acme.", "acme..logs", "acme logs"]
OF_A_STEP = ("steps", 0, "step_monitoring_configuration", "s3_monitoring_configuration", "log_uri")


@pytest.mark.parametrize(
    ("keys", "properties", "expected"),
    [
        ({"num_reduce_tasks": 2}, {"mapreduce.job.reduces": "4"}, [("properties", "mapreduce.job.reduces")]),
        ({"num_reduce_tasks": 2}, {"mapred.reduce.tasks": "4"}, [("properties", "mapred.reduce.tasks")]),
        ({"num_reduce_tasks": 2}, {"mapreduce.job.reduces": "2"}, []),
        ({"reducer": "none"}, {"mapreduce.job.reduces": "2"}, [("properties", "mapreduce.job.reduces")]),
        ({"reducer": "none"}, {"mapreduce.job.reduces": "0"}, []),
        ({"reducer": "none", "num_reduce_tasks": 4}, {}, [("num_reduce_tasks",)]),
        ({"reducer": "none", "num_reduce_tasks": 0}, {}, []),
        ({"reducer": "cat"}, {"mapreduce.job.reduces": "2"}, []),
        ({"partitioner": "a.B"}, {"mapred.partitioner.class": "c.D"}, [("properties", "mapred.partitioner.class")]),
        ({"output": "s3://b/x"}, {"mapred.output.dir": "s3://b/y"}, [("properties", "mapred.output.dir")]),
        ({"input": "s3://b/x"}, {"mapred.input.dir": "s3://b/y"}, []),  # Hadoop reads both
    ],
)
def test_a_property_that_an_option_overrides(keys, properties, expected):
    step = {"name": "s", "type": "streaming", "mapper": "cat", **keys, "properties": properties}
    assert found(steps=[step]) == [("FS259", at("steps", 0, *path)) for path in expected]
    assert found(steps=[{**step, "type": "jar"}]) == []


def logging_to(uri):
    """A step with logs of its own."""
    return {
        "name": "s",
        "type": "jar",
        "step_monitoring_configuration": {"s3_monitoring_configuration": {"log_uri": uri}},
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"log_uri": "logs/"}, [("FS272", at("log_uri"))]),
        ({"log_uri": "https://s3.amazonaws.com/b/logs"}, [("FS272", at("log_uri"))]),
        ({"log_uri": "/var/log"}, [("FS280", at("log_uri"))]),
        ({"steps": [logging_to("logs/")]}, [("FS272", at(*OF_A_STEP))]),
        ({"steps": [logging_to("/var/log")]}, [("FS280", at(*OF_A_STEP))]),
        ({"log_uri": "s3a://acme/logs"}, []),
        *(({"log_uri": f"s3://{name}/logs"}, []) for name in BUCKETS),
        *(({"log_uri": f"s3n://{name}/logs"}, [("FS258", at("log_uri"))]) for name in NO_BUCKETS),
        ({"steps": [logging_to("s3://Acme/logs/")]}, [("FS258", at(*OF_A_STEP))]),
        ({"steps": [logging_to("s3://acme/logs/")]}, []),
        ({"log_uri": "s3://acme/s3://b/logs"}, [("FS273", at("log_uri"))]),
        ({"bootstrap_actions": [{"path": "s3://b/s3n://c/x.sh"}]}, [("FS273", at("bootstrap_actions", 0, "path"))]),
        ({"bootstrap_actions": [{"path": "S3://b/x.sh"}]}, [("FS273", at("bootstrap_actions", 0, "path"))]),
        ({"steps": [{"name": "s", "type": "jar", "args": ["--out=s3://b/s3://c"]}]}, [("FS273", at("steps", 0, "args", 0))]),
        # Several URIs in one argument are a list, not one in another.
        ({"steps": [{"name": "s", "type": "jar", "args": ["s3://b/x,s3://c/y", "s3://b/x s3://c/y", "s3://b/x:s3://c"]}]}, []),
        *(
            ({"steps": [{"name": "s", "type": "jar", "args": ["s3://b/x", uri]}]}, [("FS273", at("steps", 0, "args", 1))])
            for uri in ("s3:/b/x", "s3:///b/x", "s3//b/x", "S3://b/x", "S3n://b/x", "s3a:/b")
        ),
        ({"steps": [{"name": "s", "type": "jar", "args": ["s3:GetObject", "s3", "s3/b", "s3n://b/x", "s3://"]}]}, []),
        ({"api_params": {"LogUri": "s3://acme/s3://c"}}, [("FS273", at("api_params", "LogUri"))]),
        ({"release_label": "emr-7.5.0", "service_role": ""}, [("FS274", at("service_role"))]),
        ({"release_label": "emr-7.5.0", "job_flow_role": ""}, [("FS274", at("job_flow_role"))]),
        ({"release_label": "", **ROLES}, [("FS225", at("release_label"))]),
        ({"ami_version": ""}, [("FS225", at("ami_version"))]),
        ({"instance_groups": []}, [("FS224", at("instance_groups"))]),
        ({"instance_fleets": []}, [("FS224", at("instance_fleets"))]),
        ({"master_instance_type": "m5.xlarg", "instance_groups": []}, [("FS275", at("master_instance_type"))]),
    ],
)  # fmt: skip
def test_uris_roles_and_types(spec, expected):
    assert found(**spec) == expected
    if not {id_ for id_, _ in expected} & {"FS273", "FS275"}:
        assert found(backend="local", **spec) == []


def test_a_key_that_the_schema_refused_is_not_reported_as_absent():
    spec = {"name": "x", "release_label": "emr-7.5.0", "service_role": "r"}
    assert [one.id for one in check_rules(spec)] == ["FS224", "FS274"]
    assert list(check_rules(spec, [("job_flow_role",), ("instance_groups", 0)])) == []


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4), max_leaves=20))  # fmt: skip
def test_no_rule_fails_on_a_patch_of_any_shape(patch):
    if isinstance(patch, dict):
        list(check_rules({"name": "x", "instance_groups": GROUPS, "api_params": patch}))


def test_each_rule_names_its_source_and_has_words_for_users():
    assert [rule.id for rule in RULES if len(rule.source) < 5 or not rule.check.__doc__] == []
    assert {rule.id for rule in RULES} <= {name.partition(".")[0] for name in WORDINGS}
    assert len({rule.check for rule in RULES}) == len(RULES)


# --- releases ---


@pytest.mark.parametrize(
    ("release", "feature", "too_new"),
    [
        ("emr-4.7.0", {"instance_fleets": [MASTER]}, True),
        ("emr-4.8.0", {"instance_fleets": [MASTER]}, False),
        ("emr-5.0.3", {"instance_fleets": [MASTER]}, True),
        ("emr-5.1.0", {"instance_fleets": [MASTER]}, False),
        ("emr-5.27.1", {"step_concurrency_level": 2}, True),
        ("emr-5.27.1", {"step_concurrency_level": 1}, False),
        ("emr-5.28.0", {"step_concurrency_level": 2}, False),
        ("emr-6.0.0", {"managed_scaling_policy": {}}, True),
        ("emr-6.1.0", {"managed_scaling_policy": {}}, False),
        ("emr-6.0.1", {"auto_termination_policy": {}}, True),
        ("emr-5.30.0", {"auto_termination_policy": {}}, False),
        ("emr-5.29.0", {"log_encryption_kms_key_id": "k", "log_uri": "s3://logs"}, True),
        ("emr-4.0.0", {"scale_down_behavior": "TERMINATE_AT_TASK_COMPLETION"}, True),
        ("emr-4.1.0", {"scale_down_behavior": "TERMINATE_AT_TASK_COMPLETION"}, False),
        ("emr-4.9.6", {"scale_down_behavior": "TERMINATE_AT_INSTANCE_HOUR"}, True),
        ("emr-6.14.0", {"ebs_root_volume_iops": 3000}, True),
        ("emr-6.15.0", {"ebs_root_volume_iops": 3000}, False),
        ("emr-5.22.0", {"instance_groups": [{"role": "MASTER", "count": 3}], "ec2_subnet_id": "s"}, True),
        ("emr-5.22.0", {"placement_group_configs": [{}]}, True),
        ("emr-6.8.0", {"instance_fleets": [{**MASTER, "target_on_demand_capacity": 3}], "ec2_subnet_id": "s"}, True),
        ("emr-6.8.1", {"instance_fleets": [{**MASTER, "target_on_demand_capacity": 3}], "ec2_subnet_id": "s"}, False),
        ("emr-5.6.0", {"instance_groups": [{"role": "MASTER", "custom_ami_id": "ami"}]}, True),
        ("emr-5.12.0", {"instance_fleets": [{**MASTER, "launch_specifications": {"on_demand_specification": {"allocation_strategy": "lowest-price"}}}]}, True),
        ("emr-spark-8.0.0", {"managed_scaling_policy": {}}, False),
    ],
)  # fmt: skip
def test_a_feature_that_came_later(release, feature, too_new):
    ids = [
        one.id
        for one in check_rules({"name": "x", **ROLES, "instance_groups": GROUPS, "release_label": release, **feature})
    ]
    of_features = {"FS261", "FS271"}
    assert set(ids) - of_features <= {"FS201", "FS239"}
    assert bool(of_features & set(ids)) == too_new


@pytest.mark.parametrize(
    ("release", "application", "told"),
    [
        ("emr-7.5.0", "spark", None),
        ("emr-7.5.0", {"name": "HIVE"}, None),
        ("emr-7.5.0", "Ganglia", "emr-7.5.0 does not have Ganglia; it was in earlier releases"),
        ("emr-5.30.0", "Trino", "emr-5.30.0 does not have Trino; since emr-6.4.0"),
        ("emr-6.5.0", "PrestoSQL", "emr-6.5.0 does not have PrestoSQL; it is called Trino there"),
        ("emr-4.9.6", "Presto", "emr-4.9.6 does not have Presto; it is called Presto-Sandbox there"),
        ("emr-5.0.0", "Zeppelin-Sandbox", "emr-5.0.0 does not have Zeppelin-Sandbox; it is called Zeppelin there"),
        ("emr-7.3.0", "MXNet", "emr-7.3.0 does not have MXNet; it was in earlier releases"),
        ("emr-7.2.0", "MXNet", None),
        ("emr-7.5.0", "Sqoop", None),
        ("emr-7.14.0", "Ganglia", None),
        ("emr-spark-8.0.0", "Hive", None),
        ("emr-7.5.0", "Sparkk", "the application 'Sparkk' is not known; did you mean Spark?"),
        ("emr-7.5.0", {"name": "MyOwn"}, "the application 'MyOwn' is not known; "),
    ],
)
def test_applications_of_a_release(release, application, told):
    findings = list(
        check_rules(
            {"name": "x", **ROLES, "instance_groups": GROUPS, "release_label": release, "applications": [application]}
        )
    )
    assert [f"{one.message}; {one.hint}" for one in findings] == ([told] if told else [])
    assert all(one.notes == ("date of flowspec's table of releases: 2026-08",) for one in findings)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("emr-7.5.0", None),
        ("emr-4.0.0", None),
        ("emr-spark-8.0.0", None),
        ("emr-6.0.0-beta2", None),
        ("emr-7.99.0", "FS262: did you mean emr-7.9.0?"),
        ("emr-70.5.0", "FS262: did you mean emr-7.5.0?"),
        ("emr-123.456.789", "FS262: "),
        ("emr-7.14.1", "FS262: did you mean emr-7.14.0?"),
        ("emr-spark-9.0.0", "FS262: did you mean emr-spark-8.0.0?"),
        # Skipped numbers: EMR has later releases and patches of that version.
        ("emr-5.2.9", "FS262: did you mean emr-5.2.3?"),
        ("emr-4.7.3", "FS226: did you mean emr-4.9.3?"),
        ("emr-3.11.0", "FS226: did you mean emr-7.11.0?"),
        ("7.5.0", "FS226: write emr-7.5.0"),
        ("EMR 7", "FS226: release labels look like emr-7.5.0"),
    ],
)
def test_labels(label, told):
    findings = check_rules({"name": "x", **ROLES, "instance_groups": GROUPS, "release_label": label})
    assert [f"{one.id}: {one.hint}" for one in findings] == ([told] if told else [])
