"""A plan against a living cluster: nothing differs right after submission, and each difference is converged."""

import dataclasses
import json
import random

import pytest

from flowspec import ServiceError, compile, load, render, validate
from flowspec.backend.aws.apply import apply
from flowspec.backend.aws.client import Emr, Endpoint
from flowspec.backend.aws.observe import observe, read_back
from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import embedded_client
from flowspec.errors import Locked, StalePlan
from flowspec.plan.changes import Action
from flowspec.plan.cluster import DIGEST_TAG, LOCK_TAG
from flowspec.plan.compare import make_plan
from flowspec.report import plans

BASE = {
    "flowspec": "v1",
    "name": "live",
    "backend": "local",
    "release_label": "emr-7.5.0",
    "service_role": "EMR_DefaultRole",
    "job_flow_role": "EMR_EC2_DefaultRole",
    "keep_alive": True,
}
GROUPS = [
    {"role": "MASTER", "type": "m5.xlarge", "count": 1},
    {"role": "CORE", "type": "m5.xlarge", "count": 2},
    {"role": "TASK", "name": "spot", "type": "m5.2xlarge", "count": 1, "market": "SPOT", "bid_price": "0.20"},
]
TYPE = {"type": "m5.xlarge", "weighted_capacity": 1}
FLEETS = [
    {"type": "MASTER", "target_on_demand_capacity": 1, "instance_type_configs": [TYPE]},
    {
        "type": "CORE",
        "target_on_demand_capacity": 2,
        "instance_type_configs": [TYPE, {**TYPE, "type": "m5.2xlarge"}],
    },
    {"type": "TASK", "target_spot_capacity": 2, "instance_type_configs": [TYPE]},
]


@pytest.fixture
def emr(tmp_path, monkeypatch):
    """A connection to an embedded EMR that runs nothing: clusters are WAITING at once."""
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    client, inner = embedded_client(Service(tmp_path / "home", instant=True, account_rules=False))
    return Emr(Endpoint("local"), client, client, inner)


@pytest.fixture
def flow_of(tmp_path):
    def made(spec):
        path = tmp_path / "job.yaml"
        path.write_text(json.dumps(spec))
        flow = validate(render(load(path)))
        return flow, compile(flow)

    return made


def planned(emr, flow_of, spec, **options):
    flow, request = flow_of(spec)
    return make_plan(flow, request, observe(emr, flow), **options)


def applied(emr, flow_of, spec, **options):
    return apply(planned(emr, flow_of, spec, **options), emr, sleep=lambda _: None)


# -- nothing differs right after submission

OPTIONS = {
    "applications": [["Spark", "Hive"], ["hadoop"], ["Hadoop", "spark", "Hive"]],
    "log_uri": ["s3://b/logs", "s3://b/logs/", "s3n://b/x"],
    "tags": [{"team": "search"}, {"a": "", "b": "x y"}, {}],
    "termination_protected": [True, False],
    "unhealthy_node_replacement": [True, False],
    "step_concurrency_level": [1, 3],
    "scale_down_behavior": ["TERMINATE_AT_TASK_COMPLETION"],
    "ebs_root_volume_size": [20],
    "auto_termination_policy": [{}, {"idle_timeout": 600}],
    "ec2_keyname": ["key"],
    "ec2_subnet_id": ["subnet-1"],
    "availability_zone": ["us-east-1b"],
    "additional_master_security_groups": [["sg-2", "sg-1"]],
    "service_role": ["arn:aws:iam::123456789012:role/EMR_DefaultRole"],
    "job_flow_role": ["arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole"],
    "configurations": [
        {"spark-defaults": {"spark.executor.memory": "4g"}, "hadoop-env": {"configurations": {"export": {"A": "1"}}}},
    ],
    "bootstrap_actions": [[{"name": "a", "path": "s3://b/a.sh", "args": ["--x", "y"]}, {"name": "b", "path": "s3://b/b.sh"}]],
    "managed_scaling_policy": [
        {"compute_limits": {"unit_type": "Instances", "minimum_capacity_units": 2, "maximum_capacity_units": 9}}
    ],
    "additional_info": ['{"x": 1}'],
    "steps": [
        [{"name": "a", "type": "command", "args": ["true"], "on_failure": "CONTINUE"}] * 2,
        [{"name": "j", "type": "jar", "jar": "s3://b/x.jar", "main_class": "X", "args": ["1"], "properties": {"k": "v"},
          "on_failure": "CONTINUE"}],
    ],
}  # fmt: skip
VOLUMES = {
    "ebs_optimized": True,
    "ebs_block_device_configs": [
        {"volume_specification": {"volume_type": "gp3", "size_in_gb": 64}, "volumes_per_instance": 2},
        {"volume_specification": {"volume_type": "gp2", "size_in_gb": 32}},
    ],
}
RULE = {
    "name": "out",
    "action": {"simple_scaling_policy_configuration": {"scaling_adjustment": 1}},
    "trigger": {
        "cloud_watch_alarm_definition": {
            "comparison_operator": "GREATER_THAN", "metric_name": "YARNMemoryAvailablePercentage", "period": 300, "threshold": 15,
        }
    },
}  # fmt: skip
POLICY = {"constraints": {"min_capacity": 1, "max_capacity": 4}, "rules": [RULE]}


def random_spec(seed):
    """A spec with a random choice of what RunJobFlow offers; the same for the same seed."""
    draw = random.Random(seed)
    names = [name for name in OPTIONS if draw.random() < 0.35]
    spec = {**BASE, **{name: draw.choice(OPTIONS[name]) for name in names}}
    if "ec2_subnet_id" in spec:
        spec.pop("availability_zone", None)
    shape = draw.choice(["groups", "fleets", "short"])
    if shape == "short":
        spec |= {
            "master_instance_type": "m5.xlarge",
            "slave_instance_type": "m5.2xlarge",
            "num_instances": draw.randint(1, 4),
        }
    elif shape == "fleets":
        spec["instance_fleets"] = FLEETS[: draw.choice([2, 3])]
        if "managed_scaling_policy" in spec:
            limits = {**spec["managed_scaling_policy"]["compute_limits"], "unit_type": "InstanceFleetUnits"}
            spec["managed_scaling_policy"] = {"compute_limits": limits}
    else:
        groups = [dict(group) for group in GROUPS[: draw.choice([1, 2, 3])]]
        draw.shuffle(groups)
        for group in groups:
            if draw.random() < 0.3:
                group["ebs_configuration"] = VOLUMES
            if draw.random() < 0.3:
                group["configurations"] = {"yarn-site": {"a": "1"}}
            if group["role"] != "MASTER" and "managed_scaling_policy" not in spec and draw.random() < 0.3:
                group["auto_scaling_policy"] = POLICY
                spec["auto_scaling_role"] = "EMR_AutoScaling_DefaultRole"
        spec["instance_groups"] = groups
    if "managed_scaling_policy" in spec and shape == "short" and spec["num_instances"] == 1:
        del spec["managed_scaling_policy"]
    return spec


def differences_after_submission(emr, flow_of, spec):
    """The changes that a plan has right after submission, though it does not look at the digest of the whole."""
    flow, request = flow_of(spec)
    done = apply(make_plan(flow, request, None), emr, sleep=lambda _: None)
    cluster = read_back(emr, done.cluster_id)
    tags = {key: value for key, value in cluster.tags.items() if key != DIGEST_TAG}
    plan = make_plan(flow, request, dataclasses.replace(cluster, tags=tags))
    emr.call("SetTerminationProtection", JobFlowIds=[cluster.id], TerminationProtected=False)
    emr.call("TerminateJobFlows", JobFlowIds=[cluster.id])
    return plan.changes


@pytest.mark.parametrize("block", range(10))
def test_no_phantom_differences(emr, flow_of, block):
    refused = 0
    for seed in range(block * 50, block * 50 + 50):
        spec = random_spec(seed)
        try:
            found = differences_after_submission(emr, flow_of, spec)
        except ServiceError:
            refused += 1
            continue
        assert found == (), (seed, spec)
    assert refused < 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"applications": ["Spark", "Hive"]}, {"applications": ["hive", "spark"]}),
        ({"log_uri": "s3://b/logs"}, {"log_uri": "s3://b/logs/"}),
        ({"tags": {"a": "1", "b": "2"}}, {"tags": {"b": "2", "a": "1"}}),
        ({}, {"termination_protected": False}),
        ({}, {"step_concurrency_level": 1}),
        ({"service_role": "R"}, {"service_role": "arn:aws:iam::123456789012:role/R"}),
    ],
)
def test_another_spelling_is_no_change(emr, flow_of, before, after):
    spec = {**BASE, "instance_groups": GROUPS}
    first = applied(emr, flow_of, spec | before)
    plan = planned(emr, flow_of, spec | after)
    assert (plan.changes, plan.joins) == ((), first.cluster_id)


# -- differences are converged

SMALLER = [GROUPS[0], {**GROUPS[1], "count": 5}, {**GROUPS[2], "count": 3}]
IN_PLACE = [
    ({"tags": {"team": "a"}}, {"tags": {"team": "b", "new": "x"}}, {"AddTags"}),
    ({"tags": {"team": "a"}}, {"tags": {}}, {"RemoveTags"}),
    ({}, {"step_concurrency_level": 4}, {"ModifyCluster"}),
    ({}, {"termination_protected": True}, {"SetTerminationProtection"}),
    ({"termination_protected": True}, {"termination_protected": False}, {"SetTerminationProtection"}),
    ({}, {"unhealthy_node_replacement": False}, {"SetUnhealthyNodeReplacement"}),
    ({}, {"auto_termination_policy": {"idle_timeout": 900}}, {"PutAutoTerminationPolicy"}),
    ({"auto_termination_policy": {"idle_timeout": 900}}, {}, {"RemoveAutoTerminationPolicy"}),
    ({}, {"managed_scaling_policy": OPTIONS["managed_scaling_policy"][0]}, {"PutManagedScalingPolicy"}),
    ({"managed_scaling_policy": OPTIONS["managed_scaling_policy"][0]}, {}, {"RemoveManagedScalingPolicy"}),
    ({}, {"instance_groups": SMALLER}, {"ModifyInstanceGroups"}),
    ({}, {"instance_groups": GROUPS[:2]}, {"ModifyInstanceGroups"}),
    ({}, {"instance_groups": [*GROUPS, {**GROUPS[2], "name": "more"}]}, {"AddInstanceGroups"}),
    ({}, {"instance_groups": [*GROUPS[:2], {**GROUPS[2], "type": "m5.4xlarge"}]}, {"AddInstanceGroups", "ModifyInstanceGroups"}),
    ({}, {"instance_groups": [*GROUPS[:2], {**GROUPS[2], "configurations": {"yarn-site": {"a": "1"}}}]}, {"ModifyInstanceGroups"}),
    (
        {"instance_groups": [*GROUPS[:2], {**GROUPS[2], "configurations": {"yarn-site": {"a": "1"}}}]},
        {"instance_groups": GROUPS},
        {"ModifyInstanceGroups"},
    ),
    (
        {"auto_scaling_role": "R"},
        {"auto_scaling_role": "R", "instance_groups": [*GROUPS[:2], {**GROUPS[2], "auto_scaling_policy": POLICY}]},
        {"PutAutoScalingPolicy"},
    ),
    ({"steps": []}, {"steps": OPTIONS["steps"][0]}, {"AddJobFlowSteps"}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "operations"), IN_PLACE)
def test_a_difference_is_converged_in_place(emr, flow_of, before, after, operations):
    spec = {**BASE, "instance_groups": GROUPS}
    first = applied(emr, flow_of, spec | before)
    plan = planned(emr, flow_of, spec | after)
    assert {call.operation for call in plan.calls} - {"AddTags"} == operations - {"AddTags"}, plan.changes
    assert plan.blocked == ""
    assert applied(emr, flow_of, spec | after).cluster_id == first.cluster_id
    assert planned(emr, flow_of, spec | after).changes == ()


FLEET_CHANGES = [
    ([FLEETS[0], {**FLEETS[1], "target_on_demand_capacity": 5}, FLEETS[2]], {"ModifyInstanceFleet"}),
    (FLEETS[:2], {"ModifyInstanceFleet"}),
]


@pytest.mark.parametrize(("fleets", "operations"), FLEET_CHANGES)
def test_fleets_are_converged_in_place(emr, flow_of, fleets, operations):
    applied(emr, flow_of, {**BASE, "instance_fleets": FLEETS})
    plan = planned(emr, flow_of, {**BASE, "instance_fleets": fleets})
    assert {call.operation for call in plan.calls} - {"AddTags"} == operations
    applied(emr, flow_of, {**BASE, "instance_fleets": fleets})
    assert planned(emr, flow_of, {**BASE, "instance_fleets": fleets}).changes == ()


REPLACING = [
    {"release_label": "emr-7.4.0"},
    {"applications": ["Spark"]},
    {"log_uri": "s3://other/"},
    {"configurations": {"core-site": {"a": "1"}}},
    {"bootstrap_actions": [{"name": "a", "path": "s3://b/a.sh"}]},
    {"service_role": "Other"},
    {"ec2_keyname": "key"},
    {"additional_info": '{"x": 2}'},
    {"instance_groups": [{**GROUPS[0], "type": "m5.2xlarge"}, *GROUPS[1:]]},
    {"instance_groups": [GROUPS[0]]},
]


@pytest.mark.parametrize("change", REPLACING)
def test_what_is_fixed_forces_a_replacement(emr, flow_of, change):
    spec = {**BASE, "instance_groups": GROUPS, "additional_info": '{"x": 1}', "applications": ["Hadoop"]}
    first = applied(emr, flow_of, spec)
    plan = planned(emr, flow_of, spec | change)
    assert (plan.replaces, bool(plan.blocked)) == (first.cluster_id, True)
    assert "forces replacement" in plans.as_text(plan)
    allowed = planned(emr, flow_of, spec | change, replace=True)
    assert [call.operation for call in allowed.calls] == ["TerminateJobFlows", "RunJobFlow"]


def test_tags_of_others_are_left_alone(emr, flow_of):
    spec = {**BASE, "instance_groups": GROUPS, "tags": {"team": "a"}}
    first = applied(emr, flow_of, spec)
    emr.call("AddTags", ResourceId=first.cluster_id, Tags=[{"Key": "cost-centre", "Value": "7"}])
    assert planned(emr, flow_of, spec).changes == ()
    applied(emr, flow_of, {**spec, "tags": {}})
    assert "cost-centre" in read_back(emr, first.cluster_id).tags
    assert "team" not in read_back(emr, first.cluster_id).tags


def test_sizes_that_managed_scaling_moves_are_left_alone(emr, flow_of):
    spec = {**BASE, "instance_groups": GROUPS, "managed_scaling_policy": OPTIONS["managed_scaling_policy"][0]}
    first = applied(emr, flow_of, spec)
    core = read_back(emr, first.cluster_id).live.ids[1]
    emr.call(
        "ModifyInstanceGroups",
        ClusterId=first.cluster_id,
        InstanceGroups=[{"InstanceGroupId": core, "InstanceCount": 4}],
    )
    plan = planned(emr, flow_of, spec)
    assert plan.changes == ()
    assert plan.notes == ("instance group CORE has 4 instances where the spec says 2: managed scaling moves it",)


def test_a_cluster_that_changed_meanwhile_makes_a_plan_stale(emr, flow_of):
    spec = {**BASE, "instance_groups": GROUPS, "tags": {"team": "a"}}
    first = applied(emr, flow_of, spec)
    plan = planned(emr, flow_of, {**spec, "instance_groups": SMALLER})
    emr.call("AddTags", ResourceId=first.cluster_id, Tags=[{"Key": "team", "Value": "z"}])
    with pytest.raises(StalePlan, match="has changed since"):
        apply(plan, emr, sleep=lambda _: None)
    assert LOCK_TAG not in read_back(emr, first.cluster_id).tags


def test_another_apply_holds_the_lock(emr, flow_of):
    spec = {**BASE, "instance_groups": GROUPS}
    first = applied(emr, flow_of, spec)
    held = "ann@host until 2999-01-01T00:00:00Z 0a1b2c3d"
    emr.call("AddTags", ResourceId=first.cluster_id, Tags=[{"Key": LOCK_TAG, "Value": held}])
    plan = planned(emr, flow_of, {**spec, "instance_groups": SMALLER})
    with pytest.raises(Locked, match="ann@host"):
        apply(plan, emr, sleep=lambda _: None)
    expired = held.replace("2999", "2001")
    emr.call("AddTags", ResourceId=first.cluster_id, Tags=[{"Key": LOCK_TAG, "Value": expired}])
    said = []
    apply(plan, emr, notify=said.append, sleep=lambda _: None)
    assert f"taking over a lock that has expired: {expired}" in said
    assert LOCK_TAG not in read_back(emr, first.cluster_id).tags


def test_steps_are_appended_once(emr, flow_of):
    step = {"name": "a", "type": "command", "args": ["true"], "on_failure": "CONTINUE"}
    spec = {**BASE, "instance_groups": GROUPS, "steps": [step]}
    first = applied(emr, flow_of, spec)
    more = {**spec, "steps": [step, {**step, "args": ["other"]}]}
    plan = planned(emr, flow_of, more)
    assert [(change.action, change.address) for change in plan.changes] == [(Action.SUBMIT, "step a")]
    assert len(applied(emr, flow_of, more).steps) == 1
    assert planned(emr, flow_of, more).changes == ()
    again = planned(emr, flow_of, more, rerun=("a",))
    assert [change.action for change in again.changes] == [Action.SUBMIT, Action.SUBMIT]
    assert len(read_back(emr, first.cluster_id).steps) == 2
