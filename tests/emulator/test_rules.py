"""For each rule of EMR, the findings of `validate` agree with the embedded EMR's answer to the same request.

An error is refused, a warning accepted. Each case is a spec that breaks one rule.
"""

import json

import pytest

from flowspec.document.checking.validate import validate
from flowspec.emulator.errors import EmrError
from flowspec.errors import Severity, SpecError
from flowspec.facts.rules import RULES, Params
from flowspec.request.compile import compile
from tests.specs import rendered

RELEASE = {"release_label": "emr-7.5.0", "service_role": "EMR_DefaultRole", "job_flow_role": "EMR_EC2_DefaultRole"}
MASTER = {"role": "MASTER", "type": "m5.xlarge"}
CORE = {"role": "CORE", "type": "m5.xlarge", "count": 1}
TASK = {"role": "TASK", "type": "m5.xlarge", "count": 1}
MASTER_FLEET = {"type": "MASTER", "target_on_demand_capacity": 1, "instance_type_configs": [{"type": "m5.xlarge"}]}
CORE_FLEET = {**MASTER_FLEET, "type": "CORE"}
TASK_FLEET = {**MASTER_FLEET, "type": "TASK"}
STEP = {"name": "s", "type": "command", "args": ["true"]}
ALARM = {"comparison_operator": "GREATER_THAN", "metric_name": "m", "period": 300, "threshold": 1}
SCALING_RULE = {
    "name": "out",
    "action": {"simple_scaling_policy_configuration": {"scaling_adjustment": 1}},
    "trigger": {"cloud_watch_alarm_definition": ALARM},
}


def logs_of_step(uri):
    return {"step_monitoring_configuration": {"s3_monitoring_configuration": {"log_uri": uri}}}


def groups(*more, **of_core):
    return {"instance_groups": [MASTER, {**CORE, **of_core}, *more]}


def fleets(*more, **of_core):
    return {"instance_fleets": [MASTER_FLEET, {**CORE_FLEET, **of_core}, *more]}


def policy(least, most, *rules):
    return {"constraints": {"min_capacity": least, "max_capacity": most}, "rules": list(rules) or [SCALING_RULE]}


def limits(unit="Instances", **members):
    bounds = {"minimum_capacity_units": 1, "maximum_capacity_units": 2, **members}
    return {"managed_scaling_policy": {"compute_limits": {"unit_type": unit, **bounds}}}


def volumes(count, size=10):
    volume = {"volume_specification": {"volume_type": "gp3", "size_in_gb": size}, "volumes_per_instance": count}
    return {"ebs_configuration": {"ebs_block_device_configs": [volume]}}


LONG_STEP = {"Name": "s", "HadoopJarStep": {"Jar": "j", "Args": ["x" * 10_240]}}
SPOT = {"spot_specification": {"timeout_duration_minutes": 1, "timeout_action": "TERMINATE_CLUSTER"}}
TYPES = [{"type": f"m{number}.xlarge"} for number in range(6)]
S3_LOGS = {"log_type_upload_policy": {"system-logs": "on-customer-s3only"}}

# By rule; `None` removes a key of RELEASE.
CASES = {
    "FS201": [{**groups(), **fleets()}],
    "FS202": [{**groups(), "num_instances": 2}],
    "FS203": [{"instance_groups": [CORE]}, groups(MASTER), {"instance_fleets": [CORE_FLEET]}],
    "FS204": [groups(market="ON_DEMAND", bid_price="0.1")],
    "FS205": [groups(CORE), fleets(CORE_FLEET)],
    "FS206": [{**groups(), "ami_version": "3.11.0"}],
    "FS207": [
        {**groups(), "ec2_subnet_id": "s", "availability_zone": "z"},
        {**fleets(), "ec2_subnet_id": "s", "ec2_subnet_ids": ["s"]},
        {**fleets(), "availability_zone": "z", "availability_zones": ["z"]},
    ],
    "FS208": [{**groups(), "steps": [STEP] * 257}],
    "FS209": [{**groups(), "bootstrap_actions": [{"name": "b", "path": "s3://b/x.sh"}] * 17}],
    "FS210": [{**groups(), "tags": {f"k{n}": "v" for n in range(51)}}, {**groups(), "tags": {"aws:x": "y"}}],
    "FS212": [{**groups(), "name": "a|b"}],
    "FS214": [{**groups(), "hadoop_version": "2.4.0"}],
    "FS215": [
        fleets(
            instance_type_configs=[
                {"type": "m5.xlarge", "bid_price": "1", "bid_price_as_percentage_of_on_demand_price": 50}
            ]
        )
    ],
    "FS216": [{**groups(custom_ami_id="ami-1"), "custom_ami_id": "ami-2"}],
    "FS217": [{**groups(), "repo_upgrade_on_boot": "NONE"}],
    "FS218": [{**groups(), "emr_managed_master_security_group": "sg-1"}],
    "FS219": [
        {
            "instance_groups": [{**MASTER, "auto_scaling_policy": policy(1, 1)}],
            "auto_scaling_role": "EMR_AutoScaling_DefaultRole",
        }
    ],
    "FS220": [groups(auto_scaling_policy=policy(1, 2))],
    "FS221": [{**groups(auto_scaling_policy=policy(1, 2)), "auto_scaling_role": "r", **limits()}],
    "FS222": [{**groups(), "keep_alive": True}],
    "FS223": [{**groups(), "ec2_subnet_ids": ["a", "b"]}, {**groups(), "availability_zones": ["a", "b"]}],
    "FS224": [{}, {"num_instances": 3, "slave_instance_type": "m5.xlarge"}],
    "FS225": [{**groups(), "release_label": None}],
    "FS226": [{**groups(), "release_label": "emr-7.5"}, {**groups(), "release_label": "emr-5.9.0.1"}],
    "FS228": [{"instance_groups": [MASTER, TASK]}, {"instance_fleets": [MASTER_FLEET, TASK_FLEET]}],
    "FS229": [{"instance_groups": [{**MASTER, "count": 2}]}],
    "FS230": [fleets(TASK_FLEET, TASK_FLEET)],
    "FS231": [groups(*([TASK] * 49))],
    "FS232": [
        {**groups(), "release_label": None, "ami_version": "3.11.0", "applications": ["Hive"]},
        {**groups(), "release_label": None, "ami_version": "3.11.0", "configurations": {"hive-site": {"a": "b"}}},
    ],
    "FS233": [{**groups(), "supported_products": ["mapr-m3"]}, {**groups(), "new_supported_products": [{"name": "x"}]}],
    "FS234": [{**groups(), "applications": [{"name": "Hive", "version": "1"}]}],
    "FS235": [{"instance_groups": [{**MASTER, "market": "SPOT"}]}],
    "FS236": [{"instance_groups": [{**MASTER, "count": 3}, CORE]}],
    "FS237": [{"instance_fleets": [{**MASTER_FLEET, "target_on_demand_capacity": 2}]}],
    "FS239": [fleets(target_on_demand_capacity=0)],
    "FS240": [
        {
            "instance_fleets": [
                {**MASTER_FLEET, "instance_type_configs": [{"type": "m5.xlarge", "weighted_capacity": 2}]}
            ]
        },
        fleets(instance_type_configs=[{"type": "m5.xlarge", "weighted_capacity": 0}]),
    ],
    "FS241": [fleets(instance_type_configs=TYPES)],
    "FS242": [groups(**volumes(1, size=1025))],
    "FS243": [{**groups(), "ebs_root_volume_size": 101}],
    "FS244": [fleets(launch_specifications=SPOT)],
    "FS245": [groups(count=0)],
    "FS246": [
        {
            **groups(),
            "keep_alive": True,
            "termination_protected": True,
            "steps": [{**STEP, "on_failure": "TERMINATE_CLUSTER"}],
        }
    ],
    "FS247": [{**groups(), "service_role": "EMR_DefaultRole_V2"}],
    "FS248": [{**groups(), "step_execution_role_arn": "arn:aws:iam::123456789012:role/x"}],
    "FS249": [{**groups(), "step_concurrency_level": 2, "steps": [{**STEP, "on_failure": "CANCEL_AND_WAIT"}]}],
    "FS250": [
        {**groups(), **limits(minimum_capacity_units=3)},
        {**groups(), **limits(maximum_core_capacity_units=3)},
        groups(auto_scaling_policy=policy(3, 2)),
    ],
    "FS251": [{**groups(), **limits("InstanceFleetUnits")}, {**fleets(), **limits("VCPU")}],
    "FS252": [
        {
            **groups(),
            "managed_scaling_policy": {
                **limits()["managed_scaling_policy"],
                "scaling_strategy": "DEFAULT",
                "utilization_performance_index": 50,
            },
        }
    ],
    "FS253": [groups(auto_scaling_policy=policy(1, 2, SCALING_RULE, SCALING_RULE))],
    "FS254": [
        groups(
            auto_scaling_policy=policy(
                1, 2, {**SCALING_RULE, "trigger": {"cloud_watch_alarm_definition": {**ALARM, "period": 60}}}
            )
        )
    ],
    "FS255": [{**groups(), "applications": ["HBase"], "auto_termination_policy": {"idle_timeout": 60}}],
    "FS256": [
        {**groups(), "log_encryption_kms_key_id": "arn:aws:kms:us-east-1:111122223333:key/1"},
        {**groups(), "monitoring_configuration": {"s3_logging_configuration": S3_LOGS}},
    ],
    "FS257": [{**groups(), "placement_group_configs": [{"instance_role": "CORE"}]}],
    "FS258": [
        {**groups(), "log_uri": "s3://Acme_Logs/emr/"},
        {**groups(), "steps": [{**STEP, **logs_of_step("s3://ab/")}]},
    ],
    "FS260": [{**groups(), "api_params": {"Steps": [LONG_STEP]}}],
    "FS261": [{**groups(), "release_label": "emr-6.14.0", "ebs_root_volume_iops": 3000}],
    "FS262": [{**groups(), "release_label": "emr-7.99.0"}],
    "FS263": [{**groups(), "applications": ["Sparkk"]}],
    "FS264": [{**groups(), "applications": ["Ganglia"]}],
    "FS265": [{**groups(), "applications": ["Presto", "Trino"]}],
    "FS266": [{"master_instance_type": "m5.xlarge", "num_instances": 3}],
    "FS267": [groups(market="SPOT", bid_price="OnDemandPrice"), groups(market="SPOT", bid_price="0")],
    "FS268": [{**groups(), "job_flow_role": "arn:aws:iam::123456789012:role/x"}],
    "FS269": [groups(**volumes(26)), groups(**volumes(1, size=0))],
    "FS270": [{**groups(), **limits(minimum_capacity_units=0)}, groups(auto_scaling_policy=policy(0, 2))],
    "FS271": [
        {**fleets(), "release_label": "emr-4.7.2"},
        {**groups(), "release_label": "emr-5.6.0", "custom_ami_id": "ami-1"},
        {**groups(), "release_label": "emr-5.27.0", "step_concurrency_level": 2},
        {**groups(), "release_label": "emr-6.0.0", **limits()},
        {**groups(), "release_label": "emr-5.29.0", "auto_termination_policy": {"idle_timeout": 60}},
        {**groups(), "release_label": None, "ami_version": "3.11.0", "custom_ami_id": "ami-1"},
    ],
    "FS272": [
        {**groups(), "log_uri": "logs/"},
        {**groups(), "log_uri": "gs://bucket/logs"},
        {**groups(), "steps": [{**STEP, **logs_of_step("logs/")}]},
    ],
    "FS274": [{**groups(), "service_role": None}, {**groups(), "job_flow_role": None}],
    "FS275": [groups(type="m5.xlarg")],
    "FS277": [groups(count=2001), groups(auto_scaling_policy=policy(1, 2001))],
    "FS278": [fleets(instance_type_configs=[{"type": "m5.xlarge"}, {"type": "m5.xlarge"}])],
    "FS279": [
        {**groups(), "api_params": {"AutoTerminationPolicy": {"IdleTimeout": 59}}},
        {**groups(), "api_params": {"StepConcurrencyLevel": 257}},
    ],
    "FS280": [
        {**groups(), "log_uri": "/var/log/emr"},
        {**groups(), "steps": [{**STEP, **logs_of_step("/var/log/emr")}]},
    ],
}


def test_each_rule_has_a_case():
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """Returns the findings of `validate` as {id: severity}, and the request that the spec compiles to despite them."""

    def call(spec):
        whole = {"flowspec": "v1", "name": "x", "region": "us-east-1", **RELEASE, **spec}
        document = rendered(tmp_path, json.dumps({key: value for key, value in whole.items() if value is not None}))
        try:
            found = validate(document).warnings
        except SpecError as error:
            found = error.diagnostics
        with monkeypatch.context() as patched:
            patched.setattr("flowspec.document.checking.validate.check_rules", lambda *_: iter(()))
            jobflow = validate(document)
        return {one.id: one.severity for one in found}, compile(jobflow).params

    return call


def answer(still, params):
    """The message of a refusal, "" when the request is accepted."""
    try:
        still.call("RunJobFlow", **params)
    except EmrError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("rule_id", "spec"),
    [pytest.param(rule_id, spec, id=f"{rule_id}-{n}") for rule_id, specs in CASES.items() for n, spec in enumerate(specs)],
)  # fmt: skip
def test_validate_and_the_embedded_emr_agree(still, reported, rule_id, spec):
    found, params = reported(spec)
    refusal = answer(still, params)
    by_api_params = "api_params" in spec
    # By api_params, what EMR refuses is warned about: they are the way around the checks.
    assert ("FS276" if by_api_params else rule_id) in found
    assert bool(refusal) == (Severity.ERROR in found.values() or by_api_params), refusal
    words = [breach.words for rule in RULES if rule.id == rule_id for breach in rule.check(Params(params))]
    assert refusal in words if refusal else not any(words)


def test_a_spec_that_breaks_no_rule_is_accepted(still, reported):
    found, params = reported(groups(TASK))
    assert (found, answer(still, params)) == ({}, "")


def test_a_security_configuration_that_does_not_exist_is_refused(still, reported):
    _, params = reported({**groups(), "security_configuration": "kerberos"})
    assert answer(still, params) == "Security configuration with name 'kerberos' does not exist."
    still.call("CreateSecurityConfiguration", Name="kerberos", SecurityConfiguration="{}")
    assert answer(still, params) == ""


def test_the_rules_of_an_account_do_not_hold_for_a_local_run(still):
    still.service.account_rules = False
    assert answer(still, {"Name": "x", "Instances": {}, "SecurityConfiguration": "any"}) == ""
    assert answer(still, {"Name": "x", "Instances": {"InstanceGroups": []}, "ReleaseLabel": "emr-7.5.0"}) == ""
    assert answer(still, {"Name": "a|b", "Instances": {}}) != ""
