"""Steps of a cluster that lives on: each is appended once, told apart by its name and what it runs."""

from dataclasses import replace

import pytest

from flowspec.backend.aws.submission.apply import apply
from flowspec.errors import FlowspecError, NothingFound
from flowspec.facts.limits import MAX_STEPS, MAX_STEPS_LISTED
from flowspec.plan.changes import Action
from flowspec.plan.cluster import DIGEST_TAG, STEPS_TAG, Step
from flowspec.plan.compare import make_plan
from flowspec.plan.runs.supervision import read_policies
from flowspec.request.compile import Request
from flowspec.request.selection import select_steps
from tests.plan.conftest import GROUPS, STEP, changed, job_flow, observed, planned, running

TWO = {**STEP, "Name": "two"}


def test_a_new_step_is_appended_once(emr):
    cluster_id = running(emr, GROUPS)
    wanted = changed(GROUPS, ("Steps", 1), TWO)
    plan = planned(wanted, observed(emr, cluster_id))
    assert [(one.action, one.address) for one in plan.changes] == [(Action.SUBMIT, "step two")]
    assert len(apply(plan, emr, sleep=lambda _: None).steps) == 2, "the first is not over yet"
    assert planned(wanted, observed(emr, cluster_id)).changes == ()
    assert [one.name for one in observed(emr, cluster_id).steps] == ["one", "two"]


def test_a_run_of_another_digest_is_joined_if_it_has_the_same_fields_and_steps(emr):
    params = changed(GROUPS, ("Instances", "KeepJobFlowAliveWhenNoSteps"), False)
    there = observed(emr, running(emr, params))
    unknown = replace(there, tags={**there.tags, DIGEST_TAG: "of another request"})
    assert (planned(params, unknown).joins, planned(params, unknown).blocked) == (there.id, "")
    other = planned(changed(params, ("Steps", 0, "Name"), "two"), unknown, replace=True)
    assert (other.joins, other.replaces) == (None, there.id)
    assert (other.changes[0].address, other.changes[0].action) == (f"cluster {there.id}: steps", Action.REPLACE)
    unread = planned(params, replace(unknown, live=None), replace=True)
    assert (unread.joins, unread.changes[0].address) == (None, f"cluster {there.id}: request")


@pytest.mark.parametrize(
    ("before", "after", "action", "blocked"),
    [
        (3, None, "CANCEL_AND_WAIT", True),
        (3, 1, "CANCEL_AND_WAIT", False),
        (1, 3, "CANCEL_AND_WAIT", True),
        (1, None, "CANCEL_AND_WAIT", False),
        (3, None, "CONTINUE", False),
    ],
)
def test_a_step_that_emr_would_refuse_is_known_before_anything_is_changed(emr, before, after, action, blocked):
    there = changed(GROUPS, ("StepConcurrencyLevel",), before)
    cluster_id = running(emr, there)
    wanted = changed(changed(there, ("StepConcurrencyLevel",), after), ("Tags", 0, "Value"), "other")
    wanted = changed(wanted, ("Steps", 1), {**TWO, "ActionOnFailure": action})
    plan = planned(wanted, observed(emr, cluster_id))
    if not blocked:
        assert len(apply(plan, emr, sleep=lambda _: None).steps) == 2
        return
    told = f"cluster {cluster_id} runs 3 steps at once, and EMR adds none to it that would not let the others continue"
    with pytest.raises(FlowspecError, match=told) as refused:
        apply(plan, emr, sleep=lambda _: None)
    assert refused.value.message.endswith(" after a failure: 'two'")
    assert refused.value.remedy == "on_failure: CONTINUE for these steps, or apply step_concurrency_level: 1"
    assert observed(emr, cluster_id).tags["team"] == "search"


def test_a_step_with_other_arguments_is_another(emr):
    cluster_id = running(emr, GROUPS)
    other = {**STEP, "HadoopJarStep": {**STEP["HadoopJarStep"], "Args": ["other"]}}
    plan = planned(changed(GROUPS, ("Steps", 0), other), observed(emr, cluster_id))
    assert [(one.action, one.address) for one in plan.changes] == [(Action.SUBMIT, "step one")]


@pytest.mark.parametrize("role", [None, "arn:aws:iam::123456789012:role/steps"])
def test_steps_are_added_with_the_role_of_the_spec(emr, role):
    params = {**GROUPS, "StepExecutionRoleArn": role} if role else GROUPS
    plan = planned(changed(params, ("Steps", 1), TWO), observed(emr, running(emr, params)))
    assert [one.params.get("ExecutionRoleArn") for one in plan.calls if one.operation == "AddJobFlowSteps"] == [role]


def test_equal_steps_are_as_many_as_are_asked_for(emr):
    cluster_id = running(emr, changed(GROUPS, ("Steps",), []))
    wanted = changed(GROUPS, ("Steps",), [STEP, STEP])
    assert len(apply(planned(wanted, observed(emr, cluster_id)), emr, sleep=lambda _: None).steps) == 2
    assert planned(wanted, observed(emr, cluster_id)).changes == ()
    assert len(observed(emr, cluster_id).steps) == 2


@pytest.mark.parametrize(("rerun", "number"), [((), 0), (("failed",), 1), (("one",), 1)])
def test_a_failed_step_runs_again_only_when_asked(emr, rerun, number):
    cluster_id = running(emr, GROUPS)
    (step,) = observed(emr, cluster_id).steps
    emr.put_step_in_state(step.id, "FAILED")
    plan = planned(GROUPS, observed(emr, cluster_id), rerun=rerun)
    assert [one.action for one in plan.changes] == [Action.SUBMIT] * number
    assert bool(plan.notes) == (not number)


def test_a_removed_step_is_cancelled_only_when_asked(emr):
    cluster_id = running(emr, GROUPS)
    less = changed(GROUPS, ("Steps",), [])
    left = planned(less, observed(emr, cluster_id))
    assert left.changes == ()
    assert "is PENDING and not in the spec: --cancel-removed" in left.notes[0]
    plan = planned(less, observed(emr, cluster_id), cancel_removed=True)
    assert [call.operation for call in plan.calls if call.operation != "AddTags"] == ["CancelSteps"]


def test_a_removed_step_that_emr_does_not_cancel_is_named(emr):
    """Of releases before 5.28.0 EMR cancels pending steps only, and answers so with status 200."""
    cluster_id, told, warned = running(emr, changed(GROUPS, ("ReleaseLabel",), "emr-5.20.0")), [], []
    (step,) = observed(emr, cluster_id).steps
    emr.put_step_in_state(step.id, "RUNNING")
    less = changed(changed(GROUPS, ("ReleaseLabel",), "emr-5.20.0"), ("Steps",), [])
    plan = planned(less, observed(emr, cluster_id), cancel_removed=True)
    apply(plan, emr, notify=told.append, warn=warned.append, sleep=lambda _: None)
    assert warned == [f"step {step.id} one is not cancelled: Cannot cancel a step that is RUNNING."]
    assert not {*told} & {*warned}


def test_a_name_to_run_again_that_no_step_has():
    with pytest.raises(NothingFound, match="no step 'tow' to run again") as refused:
        planned(GROUPS, rerun=["tow"])
    assert refused.value.remedy == "there are: 'one'"


def test_steps_that_are_named_run_again_and_the_others_are_left_as_they_are(emr):
    cluster_id = running(emr, changed(GROUPS, ("Steps",), [STEP, TWO]))
    whole = changed(GROUPS, ("Steps",), [STEP, TWO, {**STEP, "Name": "three"}])

    def chosen(**steps):
        request = select_steps(Request((), whole), **steps)
        return make_plan(job_flow(), request, observed(emr, cluster_id), cancel_removed=True)

    one, two = observed(emr, cluster_id).steps
    # A step that is under way is waited for, and one that is left out is not taken for removed.
    made = chosen(only=["two"])
    assert (made.changes, made.joins, made.awaits) == ((), cluster_id, (two.id,))
    assert [step.under_way for step in made.omitted] == [True, False]
    for step in (one, two):
        emr.put_step_in_state(step.id, "COMPLETED")
    made = chosen(first="two")
    assert [one.address for one in made.changes] == ["step two", "step three"]
    before = observed(emr, cluster_id).tags[STEPS_TAG]
    apply(chosen(only=["two"]), emr, sleep=lambda _: None)
    assert observed(emr, cluster_id).tags[STEPS_TAG] == before, "nobody has submitted all of them"
    assert [one.address for one in planned(whole, observed(emr, cluster_id)).changes] == ["step three"]


def test_the_settings_of_steps_that_are_left_out_stay_in_the_tags(emr):
    timed = [{"name": "one", "timeout": 60}, {"name": "two", "timeout": 120}]
    whole = changed(GROUPS, ("Steps",), [STEP, TWO])
    flow = job_flow(steps=timed)
    cluster_id = apply(make_plan(flow, Request((), whole)), emr, sleep=lambda _: None).cluster_id
    emr.put_in_state(cluster_id, "WAITING")
    for step in observed(emr, cluster_id).steps:
        emr.put_step_in_state(step.id, "COMPLETED")
    before = read_policies(observed(emr, cluster_id).tags)
    assert len(before) == 2
    made = make_plan(flow, select_steps(Request((), whole), only=["two"]), observed(emr, cluster_id))
    assert [one.address for one in made.changes] == ["step two"]
    apply(made, emr, sleep=lambda _: None)
    assert read_policies(observed(emr, cluster_id).tags) == before


def test_the_policies_of_a_step_come_with_it(emr):
    cluster_id = running(emr, GROUPS)
    flow = job_flow(steps=[{"name": "one"}, {"name": "two", "timeout": 60}])
    wanted = Request((), changed(GROUPS, ("Steps", 1), TWO))
    made = make_plan(flow, wanted, observed(emr, cluster_id))
    assert [one.address for one in made.changes] == ["step two"]
    apply(made, emr, sleep=lambda _: None)
    assert [one.timeout for one in read_policies(observed(emr, cluster_id).tags).values()] == [60]
    assert make_plan(flow, wanted, observed(emr, cluster_id)).changes == ()


def test_more_steps_than_one_call_takes_are_added_by_two(emr):
    many = [{**STEP, "Name": f"step {number}"} for number in range(MAX_STEPS + 1)]
    plan = planned(changed(GROUPS, ("Steps",), many), observed(emr, running(emr, changed(GROUPS, ("Steps",), []))))
    assert [len(call.params["Steps"]) for call in plan.calls if call.operation == "AddJobFlowSteps"] == [MAX_STEPS, 1]


def test_a_step_before_the_history_that_emr_shows_has_run_if_an_apply_submitted_it(emr):
    there = observed(emr, running(emr, GROUPS))
    history = tuple(Step(f"s-{number}", "two", "COMPLETED") for number in range(MAX_STEPS_LISTED))
    live = replace(there.live, params={**there.live.params, "Steps": [TWO] * MAX_STEPS_LISTED})
    later = replace(there, steps=history, live=live)
    assert (planned(GROUPS, later).changes, planned(GROUPS, later).blocked) == ((), "")
    unknown = planned(changed(GROUPS, ("Steps", 1), {**STEP, "Name": "three"}), later)
    assert unknown.blocked.endswith("whether 'one', 'three' ran before can't be known")
    assert unknown.remedy == "name the steps to run (again) with --rerun NAME"
