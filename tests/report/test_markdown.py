"""Texts of specs, logs and services in Markdown: no markup of theirs, and no secret behind the escapes."""

from dataclasses import replace

import pytest

import flowspec
from flowspec.backend.aws.diagnosis.diagnose import Cause, Diagnosis
from flowspec.plan.cluster import Cluster
from flowspec.plan.compare import make_plan
from flowspec.plan.findings import Finding, Level
from flowspec.report import failures, fleets, plans, reviews
from flowspec.report.markdown import escaped, with_code
from flowspec.review.review import CHANGED, FlowReview, Review

SECRET = "s3cr-et_1*"
MARKUP = "<img src=x> & [x](http://x)"


@pytest.fixture(scope="module")
def plan():
    flow = flowspec.validate(flowspec.render(flowspec.load("examples/wordcount/job.yaml")))
    return make_plan(flow, flowspec.compile(flow))


def test_an_entity_stays_as_it_is_written():
    assert escaped("&lt;") == "\\&lt;"


def test_code_of_a_sentence_stays_code():
    assert with_code("`flowspec iam` [x] s3cret", ["s3cret"]) == r"`flowspec iam` \[x\] \(sensitive\)"
    assert with_code("one ` alone") == r"one \` alone"


@pytest.mark.parametrize(
    "changes",
    [
        {"flow": SECRET},
        {"notes": (f"note {SECRET}",)},
        {"preflight": (Finding(Level.WRONG, SECRET, "is not there"),)},
        {"blocked": f"{SECRET} runs", "remedy": SECRET},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_escapes_do_not_hide_a_secret_of_a_plan_from_the_mask(plan, changes):
    shown = plans.as_markdown(replace(plan, secrets=frozenset({SECRET}), **changes))
    assert SECRET not in shown.replace("\\", "")
    assert "(sensitive)" in shown.replace("\\", "")


def test_escapes_do_not_hide_a_secret_of_a_review_from_the_mask():
    secrets = frozenset({SECRET, "a&b"})
    flow = FlowReview("a&b.yaml", "prod", "etl", CHANGED, notes=(f"note {SECRET}",), secrets=secrets)
    shown = reviews.as_markdown(Review("0" * 40, "1" * 40, (flow,), 1))
    assert "<summary>(sensitive).yaml on target prod</summary>" in shown
    assert "- note \\(sensitive\\)" in shown


def test_the_name_of_a_flow_is_text_above_its_folded_plan(plan):
    shown = fleets.as_markdown([fleets.Row("a.yaml", f"a-b {MARKUP}", "prod", "ok", 0, plan=plan)], "plan")
    assert "<summary>a-b &lt;img src=x&gt; &amp; [x](http://x)</summary>" in shown
    assert "<img" not in shown.replace("\\<", "")


def test_a_name_after_an_at_sign_notifies_nobody():
    assert escaped("@team and a@b, @_x, @ and @") == "@&#8203;team and a@&#8203;b, @&#8203;\\_x, @ and @"
    flow = FlowReview("<b>@team.yaml", "prod", "etl", CHANGED, notes=("note of @team",))
    shown = reviews.as_markdown(Review("0" * 40, "1" * 40, (flow,), 1))
    assert "<summary>&lt;b&gt;@&#8203;team.yaml on target prod</summary>" in shown
    assert "- note of @&#8203;team" in shown


def test_a_secret_is_masked_before_its_characters_are_escaped():
    secret = "s3cr&t'<x>"
    cause = Cause("unknown", f"no {secret}", "look", f"logs/{secret}", 1, 1, (f"said {secret}",))
    found = Diagnosis(
        "FAILED", (f"step 'load {secret}' is FAILED",), cause, advice=(f"try {secret}",), logs=f"in {secret}"
    )
    shown = failures.as_markdown(Cluster("j-1", f"etl {secret}", "TERMINATED"), found, {secret})
    assert "s3cr" not in shown
    assert shown.count("sensitive") == 7


def test_words_of_a_log_in_the_summary_of_a_cause_are_text():
    cause = Cause("python-module-missing", f"The Python module {MARKUP} is not installed.", "install it")
    shown = failures.as_markdown(Cluster("j-1", "etl", "TERMINATED"), Diagnosis("FAILED", (), cause))
    assert "<img" not in shown.replace("\\<", "")
    assert "[x](" not in shown
