"""Hooks, policies of steps, further launches and the budget of a living cluster: shown, written to its tags, and kept."""

import dataclasses

import pytest

from flowspec.backend.aws.observe import read_back
from flowspec.backend.aws.submission.apply import apply
from flowspec.errors import StalePlan
from flowspec.plan.changes import Action
from flowspec.plan.cluster import DIGEST_TAG, WATCH_TAG
from flowspec.plan.compare import make_plan
from flowspec.plan.runs.unattended import SETTINGS_TAG, known_settings, mark_text, read_settings, settings_tags
from flowspec.report import plans
from tests.plan.conftest import emr, flow_of, job_flow  # noqa: F401 - fixtures

pytestmark = pytest.mark.usefixtures("lock_at_once")

STEP = {"name": "one", "type": "command", "args": ["true"], "on_failure": "CONTINUE"}
SPEC = {
    "flowspec": "v1",
    "name": "nightly",
    "backend": "local",
    "release_label": "emr-7.5.0",
    "keep_alive": True,
    "instance_groups": [{"role": "MASTER", "type": "m5.xlarge", "count": 1}],
}
HOOK = {"webhook": "https://hooks.example.com/T0KEN/path"}
BOTH = {"sns": "arn:aws:sns:us-east-1:123456789012:etl"}, {"command": ["./tell.sh", "now"]}
NEXT = "from the next watched run on"
COMMAND = f"{NEXT}; runs on the machine that watches, with --allow-commands"
LAUNCH = "from the next launch on"


def spec(*, keep_alive=True, step=None, **fields):
    return {**SPEC, "keep_alive": keep_alive, "steps": [{**STEP, **(step or {})}], **fields}


def alternative(**changes):
    return {"instance_types": {"m5.xlarge": "m5a.xlarge"}, **changes}


@pytest.fixture
def living(emr, flow_of):  # noqa: F811
    """Starts a cluster of a spec; returns how to plan another spec against it."""

    def start(before):
        applied = apply(make_plan(*flow_of(before)), emr)
        emr.put_in_state(applied.cluster_id, "WAITING")

        def plan(after=before):
            return make_plan(*flow_of(after), read_back(emr, applied.cluster_id))

        return plan

    return start


# What changes, from and to, and its line of a plan.
CHANGES = {
    "a timeout": (
        spec(step={"timeout": 60}),
        spec(step={"timeout": 90}),
        [f"~ step one: timeout 60 s → 90 s  ({NEXT})"],
    ),
    "a retry that is new": (
        spec(),
        spec(step={"retry": {"attempts": 3, "delay": 5, "on": ["throttled", 75]}}),
        [f"+ step one: retry 3 attempts (after exit 75, throttled; delay 5 s)  ({NEXT})"],
    ),
    "exit codes that are gone": (
        spec(step={"skip_on_exit": [3, 4], "timeout": 60}),
        spec(step={"timeout": 60}),
        [f"- step one: skip_on_exit 3 or 4  ({NEXT})"],
    ),
    "hooks that are new": (
        spec(),
        spec(hooks={"on_failure": [HOOK], "on_end": [*BOTH]}),
        [
            f"+ hooks.on_end: sns arn:aws:sns:us-east-1:123456789012:etl, command ./tell.sh now  ({COMMAND})",
            f"+ hooks.on_failure: webhook to hooks.example.com  ({NEXT})",
        ],
    ),
    "a hook of the same kind and host": (
        spec(hooks={"on_failure": [HOOK]}),
        spec(hooks={"on_failure": [{"webhook": "https://hooks.example.com/another"}]}),
        [f"~ hooks.on_failure: webhook → webhook to hooks.example.com  ({NEXT})"],
    ),
    "hooks that are gone": (
        spec(hooks={"on_end": [*BOTH, BOTH[1]]}),
        spec(),
        [f"- hooks.on_end: 2 commands, sns  ({NEXT})"],
    ),
    "alternatives": (
        spec(fallback=[alternative()]),
        spec(fallback=[alternative(), alternative(market="ON_DEMAND")]),
        [
            "~ fallback: 1 alternative → instance_types m5.xlarge → m5a.xlarge; "
            f"instance_types m5.xlarge → m5a.xlarge, market ON_DEMAND  ({LAUNCH})"
        ],
    ),
    "further launches": (
        spec(launch_retries=1),
        spec(launch_retries=3),
        [f"~ launch_retries: 1 → 3  ({LAUNCH})"],
    ),
    "a budget": (
        spec(budget={"hourly": 20}),
        spec(budget={"hourly": 2.5}),
        ["~ budget.hourly: 20 USD an hour → 2.5 USD an hour  (from the next plan on)"],
    ),
}


# A run is joined: how its tags are written does not depend on what they say.
@pytest.mark.parametrize(
    ("case", "keep_alive"), [*((case, True) for case in CHANGES), ("a timeout", False), ("hooks that are gone", False)]
)
def test_each_change_is_shown_once_and_is_made(emr, living, case, keep_alive):  # noqa: F811
    before, after, expected = CHANGES[case]
    before, after = ({**one, "keep_alive": keep_alive} for one in (before, after))
    plan = living(before)
    assert not plan().has_changes
    made = plan(after)
    shown = [line.strip().partition("  job.yaml")[0] for line in plans.as_text(made).splitlines()[2:]]
    found = [line.partition("  /")[0] for line in shown if line[:2] in {"+ ", "~ ", "- "}]
    assert found == expected
    assert (made.joins, made.has_changes) == (None, True)
    applied = apply(made, emr)
    assert (applied.cluster_id, applied.joined) == (made.converges, True)
    again = plan(after)
    assert (again.changes, again.calls, again.joins) == ((), (), applied.cluster_id)
    # Of a run all steps are its own, as before.
    assert applied.steps == again.awaits


def test_a_secret_of_a_hook_is_in_no_plan_and_in_no_tag(emr, living):  # noqa: F811
    variables = {"token": {"type": "string", "sensitive": True, "default": "hunter22"}}
    hook = {"webhook": "https://hooks.example.com/{{ token }}", "secret": "{{ token }}"}
    plan = living(spec())
    made = plan(spec(variables=variables, hooks={"on_end": [hook, {"command": ["tell", "{{ token }}"]}]}))
    apply(made, emr)
    tags = read_back(emr, made.converges).tags
    assert tags[SETTINGS_TAG].startswith("hooks.on_end=command+webhook@")
    for text in (plans.as_text(made), plans.as_json(made), repr(tags)):
        assert "hunter22" not in text
    assert "webhook to hooks.example.com, signed, command tell (sensitive)" in plans.as_text(made)


def test_settings_that_do_not_fit_into_a_tag_are_digests_alone():
    hooks = {event: [*BOTH, HOOK] * 1000 for event in ("on_end", "on_failure", "on_success")}

    def tag(last):
        budget = {"hourly": 12345678.123456789, "run": 12345678.123456789, "expected_hours": last}
        flow = job_flow(hooks=hooks, fallback=[{"market": "ON_DEMAND"}], launch_retries=5, budget=budget)
        return settings_tags(flow)[SETTINGS_TAG]

    assert len(tag(1.5)) <= 256
    assert tag(1.5) == tag(1.5) != tag(2)
    marks = read_settings({SETTINGS_TAG: tag(1.5)})
    assert [mark_text(*pair) for pair in marks.items()] == ["(another value)"] * 8
    assert known_settings({SETTINGS_TAG: tag(1.5)}) == {}


def test_a_new_step_brings_its_policy_and_one_that_is_over_is_no_change(emr, living):  # noqa: F811
    plan = living(spec(step={"timeout": 60}))
    (step,) = read_back(emr, plan().joins).steps
    added = plan(spec(step={"args": ["echo"], "timeout": 60}))
    assert [one.address for one in added.changes] == ["step one", "step one: timeout"]
    emr.put_step_in_state(step.id, "COMPLETED")
    assert [one.address for one in plan(spec(step={"args": ["echo"], "timeout": 60})).changes] == ["step one"]
    # The word about it stays until something changes.
    assert not plan({**spec(), "steps": []}).has_changes


def test_tags_of_watchers_are_those_of_the_plan_that_is_applied(emr, living):  # noqa: F811
    """Another apply came in between: what was planned before it is not written over what it wrote."""
    plan = living(spec(step={"timeout": 60}))
    old = plan(spec(step={"timeout": 90}))
    apply(plan(spec(step={"timeout": 120})), emr)
    with pytest.raises(StalePlan, match="has changed since this plan was made"):
        apply(old, emr)
    assert read_back(emr, old.converges).tags[WATCH_TAG].endswith(":t120")
    told = []
    apply(old, emr, replan=lambda: plan(spec(step={"timeout": 300})), notify=told.append)
    assert read_back(emr, old.converges).tags[WATCH_TAG].endswith(":t300")
    assert told[0] == f"cluster {old.converges} has changed meanwhile: the plan was made again"


def test_a_changed_setting_brings_the_tags_of_the_request_up_to_date(emr, living):  # noqa: F811
    plan = living(spec())
    cluster_id = plan().joins
    emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": DIGEST_TAG, "Value": "of an equal request"}])
    assert plan().joins == cluster_id
    made = plan(spec(step={"timeout": 90}))
    apply(made, emr)
    assert read_back(emr, cluster_id).tags[DIGEST_TAG] == made.digest


def test_nothing_is_tagged_while_another_apply_changes_the_cluster(emr, living):  # noqa: F811
    plan = living(spec())
    made = plan(spec(step={"timeout": 90}))
    blocked = dataclasses.replace(made, observed="another")
    with pytest.raises(StalePlan):
        apply(blocked, emr)
    assert WATCH_TAG not in read_back(emr, made.converges).tags


def test_the_place_in_the_spec_is_shown(living):
    made = living(spec())(spec(step={"timeout": 90}, launch_retries=2))
    assert [(one.action, one.location and one.location.line) for one in made.changes] == [(Action.CREATE, 1)] * 2


def test_policies_are_no_notes_of_a_plan_that_runs_no_step(emr, flow_of):  # noqa: F811
    before = spec(step={"timeout": 60})
    applied = apply(make_plan(*flow_of(before)), emr)
    emr.put_in_state(applied.cluster_id, "WAITING")
    (step,) = read_back(emr, applied.cluster_id).steps
    emr.put_step_in_state(step.id, "COMPLETED")
    made = make_plan(*flow_of({**before, "tags": {"team": "search"}}), read_back(emr, applied.cluster_id))
    assert made.has_changes
    assert made.notes == ()


def test_whether_hooks_are_run_is_noted(emr, living):  # noqa: F811
    hooks = {"on_end": [BOTH[1]]}
    run = "its hooks are run by the `apply` or `flowspec wait SPEC` that sees the end"
    not_run = "its hooks are not run, because no step is submitted or waited for"
    command = "a hook runs a command on the machine that watches, if --allow-commands is given: ./tell.sh now"
    plan = living(spec(hooks=hooks))
    (step,) = read_back(emr, plan().joins).steps
    assert plan().notes == (run, command)
    emr.put_step_in_state(step.id, "COMPLETED")
    assert plan().notes == (not_run, command)
    assert plan(spec(step={"args": ["echo"]}, hooks=hooks)).notes == (run, command)
