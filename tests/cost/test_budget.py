"""The budget of a spec: what fails a plan, what does not, and that the request never has it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import flowspec
from flowspec.cli import root
from flowspec.plan.compare import make_plan
from flowspec.report.plans import as_text
from tests.specs import rendered

SPEC = """\
flowspec: v1
name: nightly
backend: {backend}
{region}
budget: {budget}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
ec2_subnet_ids: [subnet-0a]
log_uri: s3://acme/logs/
instance_groups:
  - {{role: MASTER, type: m5.xlarge}}
  - {{role: CORE, type: {type}, count: 4, market: SPOT}}
steps:
  - {{name: one, type: command, args: ["true"]}}
"""
GIVEN = {"backend": "emr", "region": "region: us-east-1", "budget": "{hourly: 20}", "type": "m5.4xlarge"}


def compiled(folder, **values):
    flow = flowspec.validate(rendered(folder, SPEC.format(**GIVEN | values)))
    return flow, flowspec.compile(flow)


def test_the_most_that_a_cluster_may_cost_is_held_against_the_budget(tmp_path):
    with pytest.raises(flowspec.SpecError) as refused:
        make_plan(*compiled(tmp_path, budget="{hourly: 4.05}"))
    (found,) = [one for one in refused.value.diagnostics if one.id == "FS620"]
    assert found.message == "the cluster may cost up to 4.24 USD an hour; the budget is 4.05"
    assert found.hint == "most of it is instance group CORE: 4 x m5.4xlarge"
    assert (found.location.line, found.location.column) == (5, 18)
    assert make_plan(*compiled(tmp_path, budget="{hourly: 4.25}")).cost.hourly.high == pytest.approx(4.24, abs=0.01)


def test_a_run_of_the_expected_length_is_held_against_its_budget(tmp_path):
    with pytest.raises(flowspec.SpecError) as refused:
        make_plan(*compiled(tmp_path, budget="{hourly: 5, run: 10, expected_hours: 2.5}"))
    (found,) = [one for one in refused.value.diagnostics if one.id == "FS620"]
    assert found.message == "a run of 2.5 hours may cost up to 10.60 USD; the budget is 10.00"
    assert (found.location.line, found.location.column) == (5, 26)
    made = make_plan(*compiled(tmp_path, budget="{run: 10.61, expected_hours: 2.5}"))
    assert made.cost.run.high == pytest.approx(10.6, abs=0.01)
    assert made.notes == ()
    text = as_text(made)
    assert f"  a run of 2.5 hours: {made.cost.run} USD\n" in text


def test_both_budgets_may_be_broken_at_once(tmp_path):
    with pytest.raises(flowspec.SpecError) as refused:
        make_plan(*compiled(tmp_path, budget="{hourly: 1, run: 1, expected_hours: 1}"))
    assert [one.message.partition(" may")[0] for one in refused.value.diagnostics if one.id == "FS620"] == [
        "the cluster",
        "a run of 1 hour",
    ]


def test_without_its_length_a_plan_says_how_long_the_budget_of_a_run_lasts(tmp_path):
    made = make_plan(*compiled(tmp_path, budget="{run: 8.5}"))
    assert made.notes == (
        "the budget of a run, 8.50 USD, lasts for 2.0 hours of the cluster; "
        "a plan checks it if budget.expected_hours says how long a run takes",
    )
    unknown = make_plan(*compiled(tmp_path, budget="{run: 50}", type="x9.mega"))
    assert "lasts for less than " in unknown.notes[1]


@pytest.mark.parametrize("budget", ["{}", "{run: 0}", "{run: -1}", "{expected_hours: 0}", "{daily: 5}", "20"])
def test_a_budget_of_another_form_is_refused(tmp_path, budget):
    with pytest.raises(flowspec.SpecError):
        compiled(tmp_path, budget=budget)


def test_a_region_from_outside_the_spec_counts(tmp_path):
    flow, request = compiled(tmp_path, region="", budget="{hourly: 1}")
    with pytest.raises(flowspec.SpecError):
        make_plan(flow, request, region="us-east-1")
    made = make_plan(flow, request)
    assert made.notes == ("the budget was not checked: all prices, because `region` is not set",)


def test_what_is_not_known_is_said_beside_a_budget(tmp_path):
    made = make_plan(*compiled(tmp_path, type="u-6tb1.metal"))
    assert made.notes == (
        "the budget was checked without what has no price: the price of u-6tb1.metal, not among the instance types known "
        "(instance group CORE); `flowspec prices update --region us-east-1` reads prices from AWS",
    )


def test_this_machine_costs_nothing(tmp_path):
    made = make_plan(*compiled(tmp_path, backend="local", budget="{hourly: 0.01, run: 0.01, expected_hours: 9}"))
    assert (made.cost, made.notes) == (None, ())


def test_the_request_and_its_digest_do_not_have_it(tmp_path):
    (_, one), (_, other) = compiled(tmp_path), compiled(tmp_path, budget="{hourly: 30}")
    assert one.digest == other.digest
    assert "udget" not in json.dumps(one.params)


def test_a_plan_on_the_command_line_fails_with_the_exit_code_of_an_invalid_spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compiled(tmp_path, budget="{hourly: 1}")
    done = CliRunner().invoke(root, ["plan", "job.yaml", "--offline"])
    assert done.exit_code != 0
    assert isinstance(done.exception, flowspec.SpecError)
    compiled(tmp_path)
    done = CliRunner().invoke(root, ["plan", "job.yaml", "--offline"])
    assert " to 4.24 USD an hour in us-east-1, by prices of " in done.output, Path("job.yaml").read_text()


def test_an_alternative_of_fallback_counts_too(tmp_path):
    more = "region: us-east-1\nfallback: [{instance_types: {m5.4xlarge: m5.24xlarge}}]"
    with pytest.raises(flowspec.SpecError) as refused:
        make_plan(*compiled(tmp_path, region=more))
    (found,) = [one for one in refused.value.diagnostics if one.id == "FS620"]
    assert found.message.startswith("this alternative may cost up to")
    assert found.location.line == 5
