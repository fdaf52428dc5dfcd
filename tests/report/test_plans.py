"""A plan as people, pull requests and programs see it."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import flowspec
from flowspec.backend.aws.submission.apply import apply
from flowspec.plan.compare import make_plan
from flowspec.report import plans
from tests.plan.conftest import emr, observed  # noqa: F401 - a fixture

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/flowspec-plan-v1.schema.json").read_text())
SPEC = """\
flowspec: v1
name: nightly
variables: {{password: {{type: string, sensitive: true, default: {password}}}}}
targets: {{prod: {{default: true, backend: emr, region: us-east-1}}}}
release_label: {release}
keep_alive: true
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
tags: {{team: {team}}}
configurations: {{hive-site: {{javax.jdo.option.ConnectionPassword: "{{{{ password }}}}"}}}}
instance_groups:
  - {{role: MASTER, type: m5.xlarge, count: 1}}
  - role: CORE
    type: m5.xlarge
    count: {count}
bootstrap_actions: [{{name: tools, path: s3://b/tools.sh, args: [{args}]}}]
steps:
  - {{name: one, type: command, args: ["true"]}}
"""
VALUES = {"password": "hunter22", "release": "emr-7.1.0", "team": "search", "count": 4, "args": "a, b, c, d, e, f"}


@pytest.fixture
def plan(emr, tmp_path, monkeypatch):  # noqa: F811
    """The plan of a spec whose cluster was made from other values."""
    monkeypatch.chdir(tmp_path)

    def make(then=None, **now):
        def compiled(values):
            Path("job.yaml").write_text(SPEC.format(**VALUES | values))
            flow = flowspec.validate(flowspec.render(flowspec.load("job.yaml")))
            return flow, flowspec.compile(flow)

        applied = apply(make_plan(*compiled(then or {})), emr, sleep=lambda _: None)
        emr.put_in_state(applied.cluster_id, "RUNNING")
        (step,) = emr.pages("ListSteps", "Steps", ClusterId=applied.cluster_id)
        emr.put_step_in_state(step["Id"], "RUNNING")
        later = datetime.now(timezone.utc) + timedelta(hours=14, minutes=1)
        return make_plan(*compiled(now), observed(emr, applied.cluster_id), now=later)

    return make


def lines(made):
    shown = plans.as_text(made).partition("\nCost: ")[0]
    return [line.strip() for line in shown.splitlines() if line.startswith("  ")]


def test_what_is_changed_in_place(plan):
    made = plan(count=10, team="ads")
    assert lines(made) == [
        "~ tags.team: search → ads  (AddTags)  job.yaml:9",
        "~ instance group CORE: count 4 → 10  (ModifyInstanceGroups)  job.yaml:15",
    ]
    assert plans.as_text(made).splitlines()[-1] == "Plan: 2 to change."


def test_what_forces_a_replacement(plan):
    made = plan(release="emr-7.5.0", args="a, b, x, d, e, f")
    cluster = made.replaces
    assert lines(made)[:2] == [
        f"-/+ cluster {cluster}: release_label emr-7.1.0 → emr-7.5.0 "
        "forces replacement: 1 step running (one), up 14 h, HDFS is lost  job.yaml:5",
        f"-/+ cluster {cluster}: bootstrap_actions.tools.script_bootstrap_action.args a b c … → a b x … "
        "forces replacement  job.yaml:16",
    ]
    assert plans.as_text(made).splitlines()[-3].startswith("Plan: 1 cluster to replace, 4 to create, 1 step to submit")


def test_applications_are_told_by_their_names(plan):
    made = plan(
        then={"release": "emr-7.1.0\napplications: [Hadoop, Hive, Spark]"},
        release="emr-7.1.0\napplications: [Hadoop, Flink]",
    )
    assert ": applications Hadoop Hive Spark → Hadoop Flink forces" in lines(made)[0]


def test_neither_the_new_nor_the_earlier_secret_is_shown(plan):
    made = plan(password="correct-horse")
    for shown in (plans.as_text(made), plans.as_json(made), plans.as_markdown(made)):
        assert "hunter22" not in shown
        assert "correct-horse" not in shown
    assert "ConnectionPassword" in plans.as_text(made)


@pytest.mark.parametrize("values", [{}, {"count": 10}, {"release": "emr-7.5.0"}])
def test_json_is_as_its_schema_says(plan, values):
    document = json.loads(plans.as_json(plan(**values)))
    Draft202012Validator(SCHEMA).validate(document)
    assert set(document) == set(SCHEMA["properties"])


def test_a_plan_of_nothing_there_is_as_the_schema_says():
    flow = flowspec.validate(flowspec.render(flowspec.load("examples/wordcount/job.yaml")))
    Draft202012Validator(SCHEMA).validate(json.loads(plans.as_json(make_plan(flow, flowspec.compile(flow)))))


def test_markdown_for_a_pull_request(plan):
    assert plans.as_markdown(plan(count=10)).splitlines()[:7] == [
        "### nightly on target prod",
        "",
        "**Plan: 1 to change.**",
        "",
        "```diff",
        "! ~ instance group CORE: count 4 → 10  (ModifyInstanceGroups)  job.yaml:15",
        "```",
    ]


def test_the_cost_of_the_wanted_cluster_is_in_all_forms(plan):
    made = plan(count=10)
    cost = "Cost: 2.76 USD an hour in us-east-1, by prices of 2025-01-31"
    assert cost in plans.as_text(made)
    assert "- Cost: 2.76 USD an hour in us\\-east\\-1" in plans.as_markdown(made)
    assert json.loads(plans.as_json(made))["cost"]["hourly"] == {"low": 2.759, "high": 2.759}


def test_a_name_can_not_leave_the_block_or_forge_a_line(plan):
    shown = plans.as_markdown(plan(team='"```\\n### Approved <b>"'))
    assert shown.splitlines()[4] == "````diff"
    assert [line for line in shown.splitlines() if line.startswith("###")] == ["### nightly on target prod"]
