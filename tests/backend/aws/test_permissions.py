"""The least IAM policies: they allow each call that flowspec makes, and what the request names, and no more."""

import json
from fnmatch import fnmatchcase

import pytest
from click.testing import CliRunner

from flowspec.backend.aws.observe import describe, observe
from flowspec.backend.aws.permissions import permissions_of
from flowspec.backend.aws.spending import spent
from flowspec.backend.aws.submission.apply import apply
from flowspec.cli import root
from flowspec.plan.compare import make_plan
from tests.backend.aws.manage.conftest import emr, flow_of, no_sleep, spec, step  # noqa: F401 - fixtures

ACCOUNT = "111122223333"
POLICY = {"compute_limits": {"unit_type": "Instances", "minimum_capacity_units": 1, "maximum_capacity_units": 9}}


def actions(policy, service):
    """The actions that a policy allows for a service."""
    allowed = [action for one in policy["Statement"] for action in one["Action"]]
    return {action.partition(":")[2] for action in allowed if action.startswith(f"{service}:")}


def allows(policy, action, resource):
    """True if a policy allows an action on a resource, by IAM's rules for wildcards (conditions are left out)."""
    return any(
        action in one["Action"] and any(fnmatchcase(resource, pattern) for pattern in one["Resource"])
        for one in policy["Statement"]
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"tags": {"team": "ads"}},
        {"termination_protected": True},
        {"step_concurrency_level": 3},
        {"managed_scaling_policy": POLICY},
        {"auto_termination_policy": {"idle_timeout": 600}},
        {"steps": [step("one"), step("two")]},
        {
            "instance_groups": [
                {"role": "MASTER", "type": "m5.xlarge"},
                {"role": "CORE", "type": "m5.xlarge", "count": 7},
            ]
        },
        {"keep_alive": False},
        {"release_label": "emr-7.5.0"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_call_of_applying_and_changing_is_allowed(emr, flow_of, changed):  # noqa: F811
    before, after = spec(steps=[step("one")]), spec(steps=[step("one")]) | changed
    for wanted in (before, after, before):
        flow, request = flow_of(wanted)
        plan = make_plan(flow, request, observe(emr, flow), replace=True)
        # The earlier of two states is what a change is made from: its policy is the one in force.
        allowed = actions(permissions_of(*flow_of(before)).apply, "elasticmapreduce")
        cluster = apply(plan, emr, sleep=no_sleep).cluster_id
        describe(emr, cluster)
        spent(emr, cluster)
    assert len(set(emr.seen)) > 5
    assert set(emr.seen) - allowed == set()


def test_a_run_may_do_less_than_a_cluster_that_lives_on(flow_of):  # noqa: F811
    once, lasting = (
        actions(permissions_of(*flow_of(spec(keep_alive=kept, steps=[step("one")]))).apply, "elasticmapreduce")
        for kept in (False, True)
    )
    assert once < lasting
    assert "ModifyInstanceGroups" not in once
    assert {"RunJobFlow", "TerminateJobFlows", "ListClusters"} <= once


def test_only_the_clusters_of_the_flow_may_be_changed(flow_of):  # noqa: F811
    flow, request = flow_of(spec(name="nightly", steps=[step("one")]))
    made = permissions_of(flow, request).apply["Statement"]
    (changing,) = (one for one in made if "elasticmapreduce:TerminateJobFlows" in one["Action"])
    assert changing["Condition"] == {"StringEquals": {"elasticmapreduce:ResourceTag/flowspec:flow": "nightly"}}


def test_roles_are_passed_to_their_services_only(flow_of):  # noqa: F811
    given = "arn:aws:iam::999988887777:role/path/Auto"
    flow, request = flow_of(spec(auto_scaling_role=given, steps=[step("one")]))
    made = permissions_of(flow, request, ACCOUNT).apply["Statement"]
    passed = {one["Sid"]: one for one in made if one["Action"] == ["iam:PassRole"]}
    assert {sid: one["Resource"] for sid, one in passed.items()} == {
        "PassServiceRole": [f"arn:aws:iam::{ACCOUNT}:role/EMR_DefaultRole"],
        "PassJobFlowRole": [f"arn:aws:iam::{ACCOUNT}:role/EMR_EC2_DefaultRole"],
        "PassAutoScalingRole": [given],
    }
    service = passed["PassJobFlowRole"]["Condition"]["StringLike"]["iam:PassedToService"]
    assert fnmatchcase("ec2.amazonaws.com", service)
    assert not fnmatchcase("elasticmapreduce.amazonaws.com", service)


JOB = {
    "name": "count",
    "type": "streaming",
    "mapper": "map.py",
    "reducer": "none",
    "input": ["s3://raw/in/", "s3://glob/day=*/x"],
    "output": "s3://out/counts",
}


@pytest.fixture
def made(flow_of, tmp_path):  # noqa: F811
    (tmp_path / "map.py").write_text("print(1)\n")
    jar = {"name": "publish", "type": "jar", "jar": "s3://code/p.jar", "args": ["--to", "s3://named/x"]}
    more = {"log_uri": "s3://logs/emr/", "region": "us-gov-west-1", "backend": "emr", "staging": "s3://stage/flows/"}
    flow, request = flow_of({**spec(steps=[JOB, jar]), **more})
    return permissions_of(flow, request, ACCOUNT), request


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:GetObject", "raw/in/part-0", True),
        ("s3:GetObject", "raw/other", False),
        ("s3:PutObject", "raw/in/part-0", False),
        ("s3:ListBucket", "raw", True),
        ("s3:GetObject", "glob/day=1/x", True),
        ("s3:GetObject", "glob/night/x", False),
        ("s3:PutObject", "out/counts/part-0", True),
        ("s3:PutObject", "out/counts_$folder$", True),
        ("s3:PutObject", "out/countsmore/part-0", False),
        ("s3:GetObject", "code/p.jar", True),
        ("s3:PutObject", "code/p.jar", False),
        ("s3:PutObject", "named/x/y", True),
        ("s3:PutObject", "logs/emr/j-1/steps/x", True),
    ],
)
def test_the_instances_may_read_and_write_what_the_request_names(made, action, resource, allowed):
    assert allows(made[0].instances, action, f"arn:aws-us-gov:s3:::{resource}") is allowed


def test_files_are_staged_by_who_applies_and_read_by_the_instances(made):
    policies, request = made
    (asset,) = request.assets
    resource = f"arn:aws-us-gov:s3:::{asset.uri.removeprefix('s3://')}"
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert allows(policies.apply, action, resource)
    assert allows(policies.instances, "s3:GetObject", resource)
    assert not allows(policies.instances, "s3:PutObject", resource)
    assert not allows(policies.apply, "s3:PutObject", "arn:aws-us-gov:s3:::out/counts/part-0")
    assert allows(policies.apply, "s3:ListBucket", "arn:aws-us-gov:s3:::stage")
    assert allows(policies.apply, "s3:GetObject", "arn:aws-us-gov:s3:::logs/emr/j-1/steps/s-1/stderr.gz")


def test_the_instances_may_assume_the_role_of_the_steps(flow_of):  # noqa: F811
    role = f"arn:aws:iam::{ACCOUNT}:role/etl"
    made = permissions_of(*flow_of(spec(steps=[step("one")], step_execution_role_arn=role)))
    assert all(allows(made.instances, action, role) for action in ("sts:AssumeRole", "sts:TagSession"))
    assert any(role in note for note in made.notes)
    assert not actions(permissions_of(*flow_of(spec(steps=[step("one")]))).instances, "sts")


def test_logs_on_this_machine_need_no_permission(flow_of):  # noqa: F811
    made = permissions_of(*flow_of(spec(steps=[step("one")], log_uri="logs/")))
    assert not actions(made.apply, "s3")


def test_a_run_is_reported_to_the_topics_of_its_hooks_only(flow_of):  # noqa: F811
    topics = [f"arn:aws:sns:eu-west-1:{ACCOUNT}:{name}" for name in ("bad", "end")]
    hooks = {"on_failure": [{"sns": topics[0]}], "on_end": [{"sns": topics[1]}, {"webhook": "https://a.example/x"}]}
    flow, request = flow_of(spec(steps=[step("one")], hooks=hooks))
    (publish,) = (one for one in permissions_of(flow, request).apply["Statement"] if "sns:Publish" in one["Action"])
    assert publish["Resource"] == topics
    assert not actions(permissions_of(*flow_of(spec(steps=[step("one")]))).apply, "sns")


def test_what_the_policies_do_not_have_is_said(made):
    assert any("NamedInArguments" in note for note in made[0].notes)
    assert not any("account" in note for note in made[0].notes)
    assert any("`flowspec staging prune` also needs s3:DeleteObject" in note for note in made[0].notes)


def test_the_command_prints_one_or_both(flow_of, tmp_path, monkeypatch):  # noqa: F811
    flow_of(spec(steps=[step("one")]))
    monkeypatch.chdir(tmp_path)
    run = lambda *args: CliRunner().invoke(root, ["iam", "job.yaml", *args], standalone_mode=False)  # noqa: E731
    both = json.loads(run().stdout)
    assert json.loads(run("--for", "apply").stdout) == both["apply"]
    assert "arn:aws:iam::111122223333:role" in run("--account", ACCOUNT).stdout
    assert "12 digits" in str(run("--account", "1").exception)
