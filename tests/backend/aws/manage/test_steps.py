"""Steps are added once, by what they are; cancelled with EMR's answer on each; long histories stay cheap."""

from contextlib import closing

import pytest

from flowspec import FlowspecError, add_steps, cancel
from flowspec.backend.aws.logs import logs_of
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.runs.settle import ExitCodes, tag_of_marks
from flowspec.backend.aws.runs.supervise import Supervisor
from flowspec.backend.aws.shared import SharedWatch
from flowspec.backend.aws.submission.cancellation import cancel_steps
from flowspec.backend.aws.submission.lock import locked
from flowspec.backend.aws.verdict import Outcome
from flowspec.backend.aws.watch import watch
from flowspec.cli.commands import logs
from flowspec.cli.follow import follow
from flowspec.cli.locate import Chosen, read_settled_cluster, steps_called
from flowspec.emulator.state.lifecycle import finish_step
from flowspec.emulator.state.store import Store
from flowspec.errors import Locked, NothingFound, SpecError
from flowspec.plan.cluster import TIMED_OUT_TAG
from flowspec.plan.runs.supervision import StepPolicy, policy_tags, token_of
from tests.backend.aws.manage.conftest import no_sleep, spec, step
from tests.plan.test_converge import GROUPS


def names(emr, cluster_id):
    return [(one.name, one.state) for one in describe(emr, cluster_id).steps]


def added(emr, cluster_id, flow_of, steps, **options):
    flow, request = flow_of(spec(name="more", steps=steps), "more.yaml")
    return add_steps(emr, cluster_id, flow, request, sleep=no_sleep, **options)


def test_steps_are_added_once(emr, started, flow_of):
    cluster_id = started(steps=[step("one")])
    first = added(emr, cluster_id, flow_of, [step("one"), step("two"), step("three", "echo")])
    assert len(first.added) == 2
    assert [name for name, _ in names(emr, cluster_id)] == ["one", "two", "three"]
    again = added(emr, cluster_id, flow_of, [step("one"), step("two"), step("three", "echo")])
    assert again.added == ()
    assert len(added(emr, cluster_id, flow_of, [step("three", "echo", "2")]).added) == 1, "it runs something else"
    assert emr.seen.count("AddJobFlowSteps") == 2


def test_steps_that_are_not_over_are_waited_for(paused, flow_of):
    cluster_id, *_ = queue(paused)
    first = added(paused, cluster_id, flow_of, [step("slow")])
    again = added(paused, cluster_id, flow_of, [step("slow")])
    assert (again.added, again.awaits) == ((), first.added)


def test_a_failed_step_is_named_and_run_again_only_when_asked(emr, started, flow_of):
    cluster_id = started()
    first = added(emr, cluster_id, flow_of, [step("bad")])
    emr.put_step_in_state(first.added[0], "FAILED")
    found = added(emr, cluster_id, flow_of, [step("bad")])
    assert found.added == ()
    assert [one.id for one in found.failed] == list(first.added)
    assert len(added(emr, cluster_id, flow_of, [step("bad")], rerun=["failed"]).added) == 1
    assert len(added(emr, cluster_id, flow_of, [step("bad")], rerun=["bad"]).added) == 1
    with pytest.raises(NothingFound, match="no step 'bda' to run again") as refused:
        added(emr, cluster_id, flow_of, [step("bad")], rerun=["bda"])
    assert refused.value.remedy == "did you mean bad?"


def test_as_many_steps_as_emr_takes_go_in_one_call(emr, started, flow_of):
    cluster_id = started()
    assert len(added(emr, cluster_id, flow_of, [step(f"s{n}") for n in range(256)]).added) == 256
    assert emr.seen.count("AddJobFlowSteps") == 1


def test_an_ended_cluster_takes_none(emr, started, flow_of):
    cluster_id = started()
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    with pytest.raises(FlowspecError, match=r"TERMINAT\w+: it takes no more steps") as ended:
        added(emr, cluster_id, flow_of, [step("late")])
    assert ended.value.remedy == "start a new run with them: flowspec apply SPEC"


def test_the_lock_is_held(emr, started, flow_of):
    cluster_id = started()
    with locked(emr, cluster_id, sleep=no_sleep), pytest.raises(Locked):
        added(emr, cluster_id, flow_of, [step("one")])
    assert names(emr, cluster_id) == []


def test_steps_for_another_backend_are_refused(emr, started, flow_of):
    cluster_id = started()
    flow, request = flow_of(spec(name="more", backend="emr", region="us-east-1", steps=[step("one")]), "more.yaml")
    with pytest.raises(FlowspecError, match=r"made for backend emr, cluster j-.* is on local"):
        add_steps(emr, cluster_id, flow, request, sleep=no_sleep)


def test_what_can_not_run_here_is_refused_before_anything_is_sent(emr, started, flow_of):
    cluster_id = started()
    with pytest.raises(SpecError, match="can't run here"):
        added(emr, cluster_id, flow_of, [step("ok"), {"name": "q", "type": "hive", "script": "s3://b/q.sql"}])
    assert "AddJobFlowSteps" not in emr.seen


def test_what_emr_does_not_add_to_several_steps_at_once_is_refused_before_anything_is_sent(emr, started, flow_of):
    cluster_id = started()
    emr.call("ModifyCluster", ClusterId=cluster_id, StepConcurrencyLevel=3)
    with pytest.raises(FlowspecError, match=f"{cluster_id} runs 3 steps at once, .* after a failure: 'one'$"):
        added(emr, cluster_id, flow_of, [{**step("one"), "on_failure": "CANCEL_AND_WAIT"}])
    assert "AddJobFlowSteps" not in emr.seen
    assert len(added(emr, cluster_id, flow_of, [step("one")]).added) == 1


def queue(paused, *names, **params):
    """A cluster with steps that are pending; returns its id, and theirs."""
    run = {"Jar": "command-runner.jar", "Args": ["true"]}
    steps = [{"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": run} for name in names]
    cluster_id = paused.create("RunJobFlow", **{**GROUPS, "Steps": steps, **params})["JobFlowId"]
    paused.put_in_state(cluster_id, "RUNNING")
    return cluster_id, *(one.id for one in describe(paused, cluster_id).steps)


def test_a_step_is_cancelled_by_id_and_by_name(paused):
    cluster_id, _, two, three = queue(paused, "one", "two", "three")
    assert [(x.id, x.accepted) for x in cancel(paused, cluster_id, two)] == [(two, True)]
    assert [(x.id, x.accepted) for x in cancel(paused, cluster_id, "three")] == [(three, True)]
    assert names(paused, cluster_id) == [("one", "PENDING"), ("two", "CANCELLED"), ("three", "CANCELLED")]


def test_the_whole_queue_is_cancelled_and_what_runs_goes_on(paused):
    cluster_id, one, two, three = queue(paused, "one", "two", "three")
    paused.put_step_in_state(one, "RUNNING")
    assert [x.id for x in cancel(paused, cluster_id)] == [two, three]
    assert names(paused, cluster_id)[0] == ("one", "RUNNING")
    assert cancel(paused, cluster_id) == ()


def test_a_running_step_is_cancelled_when_it_is_named(paused):
    cluster_id, one = queue(paused, "one")
    paused.put_step_in_state(one, "RUNNING")
    assert cancel(paused, cluster_id, "one", force=True)[0].accepted
    assert names(paused, cluster_id) == [("one", "CANCEL_PENDING")]


def test_what_emr_refuses_is_told_with_its_reason(emr, started, flow_of):
    cluster_id = started(steps=[step("done")])
    (step_,) = describe(emr, cluster_id).steps
    (answer,) = cancel(emr, cluster_id, step_.id)
    assert (answer.accepted, answer.reason) == (False, "Cannot cancel a step that is COMPLETED.")


def test_an_interrupt_that_cancels_tells_what_emr_refuses(paused, capsys):
    cluster_id, one, _ = queue(paused, "one", "two", ReleaseLabel="emr-5.20.0")
    paused.put_step_in_state(one, "RUNNING")

    def watch(*_, **__):
        raise KeyboardInterrupt

    options = {"timeout": None, "on_interrupt": "cancel", "format_": "text", "watch": watch}
    assert follow(Chosen(paused, cluster_id), **options) == 130
    told = capsys.readouterr().err
    assert f"cancelled 1 step of cluster {cluster_id}" in told
    assert f"step {one} one is not cancelled: Cannot cancel a step that is RUNNING." in told


def test_an_interrupt_cancels_no_step_that_others_have_added(paused, capsys):
    cluster_id, ours, *_ = queue(paused, "ours", "theirs", "ours")

    def watch(*_, **__):
        raise KeyboardInterrupt

    chosen = Chosen(paused, cluster_id, steps=(ours,))
    assert follow(chosen, timeout=None, on_interrupt="cancel", format_="text", watch=watch) == 130
    assert f"cancelled 2 steps of cluster {cluster_id}" in capsys.readouterr().err
    assert names(paused, cluster_id) == [("ours", "CANCELLED"), ("theirs", "PENDING"), ("ours", "CANCELLED")]


@pytest.mark.parametrize("choice", ["cancel", "terminate"])
def test_an_interrupt_whose_choice_fails_says_how_to_come_back(paused, capsys, monkeypatch, choice):
    cluster_id, _ = queue(paused, "one")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def call(operation, **params):
        raise FlowspecError(f"{operation}: no connection")

    monkeypatch.setattr(paused, "call", call)
    options = {"timeout": None, "on_interrupt": choice, "format_": "text", "watch": interrupted}
    with pytest.raises(FlowspecError, match="no connection"):
        follow(Chosen(paused, cluster_id), **options)
    told = capsys.readouterr().err
    assert f"cluster {cluster_id} may be running still; re-attach with: flowspec wait {cluster_id}" in told


def test_a_repeated_call_whose_first_answer_was_lost_is_no_refusal(paused):
    cluster_id, one = queue(paused, "one")
    steps = describe(paused, cluster_id).steps
    paused.call("CancelSteps", ClusterId=cluster_id, StepIds=[one])
    assert [one.accepted for one in cancel_steps(paused, cluster_id, steps)] == [True]


@pytest.mark.parametrize("name", ["s-load", "s-2"])
def test_a_name_may_look_like_an_id(paused, name):
    cluster_id, one, _ = queue(paused, name, "two")
    assert [(x.id, x.accepted) for x in cancel(paused, cluster_id, name)] == [(one, True)]


@pytest.mark.parametrize("what", ["none", "s-none", "s-NONE"])
def test_there_is_no_such_step(emr, started, flow_of, what):
    cluster_id = started(steps=[step("one")])
    with pytest.raises(NothingFound, match=f"there is no step '{what}' in cluster j-"):
        cancel(emr, cluster_id, what)


def test_a_name_of_two_steps_is_not_guessed(paused):
    cluster_id, *ids = queue(paused, "same", "same")
    with pytest.raises(FlowspecError, match="2 steps are called 'same'") as refused:
        cancel(paused, cluster_id, "same")
    assert all(one in refused.value.message for one in ids)


def test_ten_thousand_steps_in_the_history(emr, started, flow_of):
    cluster_id = started()
    config = {"HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}, "ActionOnFailure": "CONTINUE"}
    for start in range(0, 10_000, 250):
        steps = [{"Name": f"old {number}", **config} for number in range(start, start + 250)]
        emr.service.call("AddJobFlowSteps", {"JobFlowId": cluster_id, "Steps": steps})
    emr.seen.clear()
    assert len(describe(emr, cluster_id).steps) == 1000
    assert len(emr.seen) <= 1 + 20 + 1, "a status: the cluster, its latest steps, and earlier ones that are active"

    with pytest.raises(FlowspecError, match="only the latest 1000 steps") as refused:
        added(emr, cluster_id, flow_of, [step("new")])
    assert "--rerun NAME" in refused.value.remedy
    emr.seen.clear()
    assert len(added(emr, cluster_id, flow_of, [step("new")], rerun=["new"]).added) == 1
    # 20 pages of the history, one of the active steps, one before the send, and what the lock takes.
    assert emr.seen.count("ListSteps") <= 22
    assert len(emr.seen) <= 30
    emr.seen.clear()
    assert cancel(emr, cluster_id) == ()
    assert emr.seen == ["ListSteps"]


def watch_alone(emr, cluster_id, steps):
    return list(watch(emr, cluster_id, steps=steps))


def watch_with_others(emr, cluster_id, steps):
    with SharedWatch() as shared:
        return list(shared.watch(emr, cluster_id, steps=steps))


@pytest.fixture
def hidden(paused):
    """Returns a cluster, and its first step, which EMR no longer lists: it lists only the newest thousand."""
    cluster_id, _ = queue(paused, "long")
    (long,) = describe(paused, cluster_id).steps
    config = {"Name": "short", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    for _ in range(4):
        added = paused.create("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[config] * 250)
        # Only 256 steps may be unfinished.
        paused.put_steps_in_state(added["StepIds"], "COMPLETED")
    assert long.id not in [one["Id"] for one in paused.pages("ListSteps", "Steps", ClusterId=cluster_id)]
    return cluster_id, long


@pytest.mark.parametrize("watched", [watch_alone, watch_with_others])
def test_a_step_that_is_waited_for_is_judged_when_emr_lists_it_no_more(paused, hidden, watched):
    cluster_id, long = hidden
    paused.put_step_in_state(long.id, "FAILED")
    assert watched(paused, cluster_id, [long.id])[-1].verdict.step.id == long.id


def test_the_logs_of_one_step_are_followed_without_reading_the_others(paused):
    cluster_id, _ = queue(paused, "one")
    (one,) = describe(paused, cluster_id).steps
    paused.put_step_in_state(one.id, "COMPLETED")
    reader = logs_of(paused, describe(paused, cluster_id))
    paused.seen.clear()
    logs._follow(Chosen(paused, cluster_id), one, reader, ("stdout",))
    assert "ListSteps" not in paused.seen


def test_the_logs_of_a_step_that_emr_lists_no_more_are_found_by_its_id(paused, hidden):
    cluster_id, long = hidden
    paused.put_step_in_state(long.id, "COMPLETED")
    chosen = Chosen(paused, cluster_id)
    assert long.id not in [one.id for one in read_settled_cluster(chosen).steps]
    assert [one.id for one in steps_called(read_settled_cluster(chosen, long.id), long.id)] == [long.id]


@pytest.mark.parametrize("watched", [watch_alone, watch_with_others])
def test_an_active_step_that_emr_lists_no_more_counts_among_all_steps(paused, hidden, monkeypatch, watched):
    cluster_id, long = hidden
    config = {"Name": "last", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    (last,) = paused.create("AddJobFlowSteps", JobFlowId=cluster_id, Steps=[config])["StepIds"]
    changes = iter([None, (long.id, "FAILED"), (last, "COMPLETED")])
    call = paused.call

    def change_before_each_look(operation, **params):
        if operation == "DescribeCluster" and (change := next(changes)):
            paused.put_step_in_state(*change)
        return call(operation, **params)

    monkeypatch.setattr(paused, "call", change_before_each_look)
    *_, ended = watched(paused, cluster_id, None)
    assert (ended.verdict.outcome, ended.verdict.step.id) == (Outcome.STEP_FAILED, long.id)


def test_a_failed_step_that_emr_lists_no_more_is_repeated(paused, hidden):
    cluster_id, long = hidden
    with Store(paused.service.home) as store, store.writing():
        record = store.get("step", long.id)
        record.doc["started"] = 0.0
        finish_step(store, record, "CANCELLED")
    policy = policy_tags({token_of(long): StepPolicy(attempts=2, causes=("timeout",))})
    tags = [{"Key": key, "Value": value} for key, value in policy.items()]
    paused.call("AddTags", ResourceId=cluster_id, Tags=[*tags, tag_of_marks(long, {}, TIMED_OUT_TAG)])
    cluster = describe(paused, cluster_id, awaited=[long.id])
    codes = ExitCodes(cluster, logs_of(paused, cluster))
    supervisor = Supervisor(paused, cluster_id, [long.id], sleep=no_sleep)
    with closing(supervisor):
        assert supervisor.waits_for(cluster, codes)
        assert [one.text for one in supervisor.act(cluster, codes)] == ["step long: attempt 2 of 2"]
    repeated = describe(paused, cluster_id, awaited=[long.id])
    assert not supervisor.waits_for(repeated, codes)
    assert (repeated.steps[-1].name, repeated.steps[-1].args) == (long.name, long.args)


@pytest.mark.parametrize("by_id", [True, False])
def test_an_interrupt_cancels_a_step_that_emr_lists_no_more(paused, hidden, capsys, by_id):
    cluster_id, long = hidden

    def watch(*_, **__):
        raise KeyboardInterrupt

    chosen = Chosen(paused, cluster_id, steps=(long.id,) if by_id else None)
    assert follow(chosen, timeout=None, on_interrupt="cancel", format_="text", watch=watch) == 130
    assert f"cancelled 1 step of cluster {cluster_id}" in capsys.readouterr().err


class Endless:
    """An EMR that, unlike AWS, lists every step there ever was."""

    def __init__(self, emr):
        self._emr, self.pages_read = emr, 0

    def call(self, operation, **params):
        return self._emr.call(operation, **params)

    def pages(self, operation, member, **params):
        for number in range(0 if "StepStates" in params else 10_000):
            self.pages_read += number % 50 == 0
            config = {"Jar": "x", "Args": []}
            yield {"Id": f"s-{number}", "Name": "x", "Status": {"State": "COMPLETED"}, "Config": config}


def test_an_endpoint_that_lists_all_is_read_no_further_than_emr_lists(emr, started):
    endless = Endless(emr)
    assert len(describe(endless, started()).steps) == 1000
    assert endless.pages_read <= 21
