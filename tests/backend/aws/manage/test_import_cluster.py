"""The spec of a cluster plans to no change on it: for any request, for typed steps, for secrets."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from flowspec import FlowspecError, ServiceError, compile, import_cluster, load, make_plan, render, validate
from flowspec.backend.aws.observe import read_back
from flowspec.plan.cluster import DIGEST_TAG
from tests.backend.aws.manage.conftest import FLEETS, GROUPS, step
from tests.plan.conftest import GROUPS as REQUEST
from tests.plan.conftest import SCALING, changed, group
from tests.plan.random_requests import Requests

# FLOWSPEC_IMPORT_COUNT=1000 is the slow run.
COUNT = int(os.environ.get("FLOWSPEC_IMPORT_COUNT", "40"))


def planned(emr, cluster_id, tmp_path, variables=None, **options):
    """The plan of the imported spec against the cluster, field by field: without what its digest would say."""
    made = import_cluster(emr, cluster_id, folder=tmp_path)
    path = tmp_path / "imported.yaml"
    path.write_text(made.text)
    hidden = {"kdc_admin_password": "x"} if "kdc_admin_password:" in made.text else {}
    document = render(load(path), variables={**made.secrets, **hidden, **(variables or {})})
    flow = validate(document, emr_rules=False)
    cluster = read_back(emr, cluster_id)
    cluster = replace(cluster, tags={**cluster.tags, DIGEST_TAG: "of another request"})
    return made, flow, make_plan(flow, compile(flow), cluster, **options)


def assert_no_change(plan):
    assert [(one.address, one.before, one.after) for one in plan.changes] == []
    assert plan.calls == ()


@pytest.mark.parametrize("part", range(2))
def test_of_any_request(paused, tmp_path, part):
    requests, seen = Requests(1000 + part), Counter()
    while seen["made"] < COUNT // 2:
        params = requests.draw()
        try:
            cluster_id = paused.call("RunJobFlow", **params)["JobFlowId"]
        except ServiceError as refused:
            seen[refused.message] += 1
            continue
        seen["made"] += 1
        assert_no_change(planned(paused, cluster_id, tmp_path)[2])
        paused.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=False)
        paused.call("TerminateJobFlows", JobFlowIds=[cluster_id])


STEPS = [
    {"name": "count", "type": "streaming", "mapper": "cat", "reducer": "wc", "input": "s3://in/", "output": "s3://o/"},
    {"name": "spark", "type": "spark", "application": "s3://code/job.py", "args": ["--day", "x"]},
    {"name": "run", "type": "command", "args": ["true"]},
    {"name": "jar", "type": "jar", "jar": "s3://code/job.jar", "main_class": "a.B", "args": ["1"]},
]


@pytest.mark.parametrize(
    "machines", [{"instance_groups": GROUPS}, {"instance_fleets": FLEETS}], ids=["groups", "fleets"]
)
def test_of_our_own_cluster_with_its_name_and_target(paused, flow_of, tmp_path, machines):
    from flowspec import apply
    from tests.backend.aws.manage.conftest import spec

    fields = {
        **spec(**machines),
        "targets": {"prod": {"default": True, "backend": "local"}},
        "tags": {"team": "search"},
        "log_uri": "s3://logs/emr/",
        "applications": ["Hadoop", "Spark"],
        "configurations": {"spark-defaults": {"spark.executor.memory": "4g"}},
        "auto_termination_policy": {"idle_timeout": 3600},
        "termination_protected": True,
        "bootstrap_actions": [{"name": "tools", "path": "s3://code/install.sh", "args": ["--fast"]}],
        "steps": STEPS,
    }
    del fields["backend"]
    flow, request = flow_of(fields)
    cluster_id = apply(make_plan(flow, request, None), paused).cluster_id
    made, again, plan = planned(paused, cluster_id, tmp_path)
    assert_no_change(plan)
    assert (again.name, again.target, again.backend) == ("live", "prod", "local")
    assert [one["type"] for one in again.fields["steps"]] == ["streaming", "spark", "command", "jar"]
    assert "flowspec:" not in made.text.partition("flowspec: v1")[2], "no tag of ours"
    assert made.leftover == {}


WATCHED = [
    {"name": "a", "type": "command", "args": ["a"], "on_failure": "CONTINUE", "timeout": 60, "skip_on_exit": [3, 4]},
    {"name": "b", "type": "command", "args": ["b"], "on_failure": "CONTINUE", "retry": {"attempts": 2}},
    {"name": "c", "type": "command", "args": ["c"], "on_failure": "CONTINUE"},
    {"name": "d", "type": "command", "args": ["d"], "on_failure": "CONTINUE",
     "retry": {"attempts": 3, "delay": 60, "on": [75, "throttled"]}},
]  # fmt: skip


def launched(emr, flow_of, **fields):
    """A cluster of a spec with a log folder, so that enable_debugging's step is before the others."""
    from flowspec import apply
    from tests.backend.aws.manage.conftest import spec

    log = {"log_uri": "s3://logs/emr/", "enable_debugging": True}
    flow, request = flow_of(spec(steps=fields.pop("steps", WATCHED), **log, **fields))
    return apply(make_plan(flow, request, None), emr).cluster_id


def test_of_what_only_the_tags_say(paused, flow_of, tmp_path):
    cluster_id = launched(paused, flow_of, launch_retries=2, budget={"hourly": 2.5})
    made, again, plan = planned(paused, cluster_id, tmp_path)
    assert_no_change(plan)
    asked = ("timeout", "retry", "skip_on_exit")
    assert [{key: one[key] for key in asked if key in one} for one in again.fields["steps"]] == [
        {key: one[key] for key in asked if key in one} for one in WATCHED
    ]
    assert (again.fields["launch_retries"], again.fields["budget"]) == (2, {"hourly": 2.5})
    assert "Note: " not in made.text


def test_of_what_the_tags_do_not_say_whole(paused, flow_of, tmp_path):
    hooks = {"on_end": [{"command": ["./tell.sh"]}, {"sns": "arn:aws:sns:us-east-1:123456789012:etl"}]}
    cluster_id = launched(paused, flow_of, hooks=hooks, fallback=[{"market": "ON_DEMAND"}])
    paused.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": "flowspec:watch-3", "Value": "3f2a1b:z9"}])
    text = import_cluster(paused, cluster_id, folder=tmp_path).text
    for told in ("hooks.on_end (command, sns)", "fallback (1 alternative)"):
        assert (
            f"Note: its spec had {told}, which the tags do not contain in full: add it, or the next apply removes it"
            in text
        )
    assert "its tags have policies of steps that this version of flowspec can't read: 3f2a1b:z9" in text


def test_a_policy_that_the_cluster_does_not_allow_any_more_is_a_comment(paused, flow_of, tmp_path):
    cluster_id = launched(paused, flow_of)
    paused.call("SetKeepJobFlowAliveWhenNoSteps", JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False)
    _, again, _ = planned(paused, cluster_id, tmp_path)
    assert [one["type"] for one in again.fields["steps"]] == ["command"] * 4
    assert [[*{"timeout", "retry"} & one.keys()] for one in again.fields["steps"]] == [["timeout"], [], [], []]
    assert "# its timeout and retry are left out: " in import_cluster(paused, cluster_id, folder=tmp_path).text


def test_of_an_ended_cluster(emr, started, tmp_path):
    cluster_id = started(steps=[step("one")])
    before = planned(emr, cluster_id, tmp_path)[0]
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    after = planned(emr, cluster_id, tmp_path)[0]
    assert after.text == before.text


def test_failed_attempts_that_were_repeated_are_one_step(paused, tmp_path):
    run = {"Jar": "command-runner.jar", "Args": ["true"]}
    one = {"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}
    cluster_id = paused.create("RunJobFlow", **{**REQUEST, "Steps": [one, {**one, "Name": "two"}, one, one]})[
        "JobFlowId"
    ]
    first = read_back(paused, cluster_id).steps[0].id
    paused.put_step_in_state(first, "FAILED")
    made, _, plan = planned(paused, cluster_id, tmp_path)
    assert_no_change(plan)
    assert made.text.count("name: one") == 2


def test_a_group_that_was_taken_away_is_not_in_it(emr, started, tmp_path):
    cluster_id = started()
    group = read_back(emr, cluster_id).live.ids[2]
    emr.call(
        "ModifyInstanceGroups", ClusterId=cluster_id, InstanceGroups=[{"InstanceGroupId": group, "InstanceCount": 0}]
    )
    made, _, plan = planned(emr, cluster_id, tmp_path)
    assert "role: TASK" not in made.text
    assert_no_change(plan)


def test_a_group_whose_policy_has_given_it_no_instances_yet_is_in_it(paused, tmp_path):
    params = changed(changed(REQUEST, group(2, "InstanceCount"), 0), group(2, "AutoScalingPolicy"), SCALING)
    cluster_id = paused.call("RunJobFlow", **params)["JobFlowId"]
    made, _, plan = planned(paused, cluster_id, tmp_path)
    assert "role: TASK" in made.text
    assert_no_change(plan)


def test_secrets_become_variables(emr, tmp_path, flow_of):
    from flowspec import apply
    from tests.backend.aws.manage.conftest import BASE

    fields = {
        **BASE,
        "variables": {"word": {"type": "string", "sensitive": True}},
        "tags": {"team": "search", "odd": "{{ word }}"},
        "configurations": {"hive-site": {"javax.jdo.option.ConnectionPassword": "hunter2-hunter2"}},
        "steps": [{"name": "use", "type": "command", "args": ["use", "{{ word }}", "--key={{ word }}"]}],
    }
    flow, request = flow_of(fields, word="correct horse")
    cluster_id = apply(make_plan(flow, request, None), emr, sleep=lambda _: None).cluster_id
    made, _, plan = planned(emr, cluster_id, tmp_path, {"secret_1": "correct horse"})
    assert_no_change(plan)
    assert "correct horse" not in made.text
    assert "hunter2" not in made.text
    assert "secret_1: {type: string, sensitive: true}" in made.text


def test_a_password_of_kerberos_is_a_variable_too(emr, tmp_path):
    kerberos = {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "hunter2-hunter2"}
    cluster_id = emr.create("RunJobFlow", **{**REQUEST, "KerberosAttributes": kerberos})["JobFlowId"]
    made, flow, plan = planned(emr, cluster_id, tmp_path)
    assert_no_change(plan)
    assert "sensitive: true" in made.text
    assert flow.fields["kerberos_attributes"]["realm"] == "EC2.INTERNAL"


def test_the_role_of_its_steps(paused, tmp_path):
    run = {"Jar": "command-runner.jar", "Args": ["true"]}
    one = {"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}
    role = "arn:aws:iam::123456789012:role/steps"
    params = {**REQUEST, "Steps": [one], "StepExecutionRoleArn": role}
    cluster_id = paused.create("RunJobFlow", **params)["JobFlowId"]
    assert f"step_execution_role_arn: {role}" in import_cluster(paused, cluster_id).text
    paused.create("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[{**one, "Name": "two"}])
    made = import_cluster(paused, cluster_id)
    assert "different roles" in made.text
    assert "step_execution_role_arn:" not in made.text


def test_what_can_not_be_known_is_said(emr):
    cluster_id = emr.create("RunJobFlow", **{**REQUEST, "AdditionalInfo": "{}"})["JobFlowId"]
    assert "# Note: EMR never shows AdditionalInfo" in import_cluster(emr, cluster_id).text


def test_another_name_than_its_flows(paused, flow_of, tmp_path):
    from flowspec import apply
    from tests.backend.aws.manage.conftest import BASE

    flow, request = flow_of({**BASE, "api_params": {"Name": "Live (prod)"}})
    cluster_id = apply(make_plan(flow, request, None), paused).cluster_id
    _, again, plan = planned(paused, cluster_id, tmp_path)
    assert_no_change(plan)
    assert (again.name, again.cluster_name) == ("live", "Live (prod)")


def test_there_is_no_such_cluster(emr):
    with pytest.raises(FlowspecError, match="there is no cluster j-NONE"):
        import_cluster(emr, "j-NONE")
