"""The plans of `--rerun failed` and `--if-changed` for a flow whose cluster ends with its steps."""

import pytest

from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.runs import resume
from flowspec.backend.aws.submission.apply import apply
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.emulator.state.paths import step_logs
from flowspec.errors import FlowspecError, ServiceError
from flowspec.pipeline import plan_on, preflight_on, refuse_wrong
from flowspec.plan.cluster import CHOSEN, PART_TAG
from flowspec.request.compile import compile
from flowspec.request.selection import select_steps

HEAD = """flowspec: v1
name: nightly
backend: local
release_label: emr-7.5.0
enable_debugging: true
log_uri: s3://acme/logs/
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
"""
COUNT, SORT, MAIL = (
    f"  - {{name: {name}, type: command, args: [echo, {name}]}}\n" for name in ("count", "sort", "mail")
)


class Flow:
    """A flow on an embedded EMR that runs nothing: the test says how its steps end."""

    def __init__(self, emr, path):
        self.emr, self.path = emr, path

    def planned(self, steps, rerun=("failed",), *, if_changed=False, **chosen):
        self.path.write_text(HEAD + steps)
        self.flow = validate(load(self.path))
        self.request = select_steps(compile(self.flow), **chosen)
        return plan_on(self.emr, self.flow, self.request, rerun=rerun, if_changed=if_changed)

    def if_changed(self, steps, **chosen):
        """Returns the run that `--if-changed` leaves it at; else why it did not."""
        made = self.planned(steps, (), if_changed=True, **chosen)
        assert bool(made.skipped) is not made.has_changes
        return made.joins if made.skipped else made.notes[-1].removeprefix("not skipped by --if-changed: ")

    def names(self, steps):
        return [one["Name"] for one in self.planned(steps).request["Steps"]][1:]

    def run(self, steps, *states, rerun=(), end="TERMINATED", **chosen):
        """Applies, and lets its steps, without the one that sets up debugging, end in these states."""
        cluster_id = apply(self.planned(steps, rerun, **chosen), self.emr).cluster_id
        setup, *own = describe(self.emr, cluster_id).steps
        for step, state in zip([setup, *own], ["COMPLETED", *states], strict=True):
            self.emr.put_step_in_state(step.id, state)
        self.emr.put_in_state(cluster_id, end)
        return cluster_id


def write_exit_code(flow, cluster, code):
    """Writes the log of the cluster's failed step."""
    failed = next(one for one in describe(flow.emr, cluster).steps if one.state == "FAILED")
    log = step_logs(flow.emr.service.home, cluster, failed.id) / "controller"
    log.parent.mkdir(parents=True)
    log.write_text(f"WARN Step failed with exitCode {code} and took 1 seconds\n")


@pytest.fixture
def flow(emr, tmp_path):
    return Flow(emr, tmp_path / "job.yaml")


def test_what_did_not_complete_is_run(flow):
    first = flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", "CANCELLED")
    made = flow.planned(COUNT + SORT + MAIL)
    assert [one["Name"] for one in made.request["Steps"]] == ["Setup Hadoop Debugging", "sort", "mail"]
    assert f"done in {first}, and not run again: count" in made.notes
    # What ran after a failure that stopped nothing is done.
    flow.run(COUNT + SORT + MAIL, "FAILED", "COMPLETED", "COMPLETED")
    assert flow.names(COUNT + SORT + MAIL) == ["count"]


def test_runs_that_go_on_from_each_other(flow):
    first = flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", "CANCELLED")
    second = flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", rerun=["failed"])
    assert describe(flow.emr, second).tags[PART_TAG] == first
    assert flow.names(COUNT + SORT + MAIL) == ["mail"]
    # One that failed before a step ran has left what it had.
    flow.run(COUNT + SORT + MAIL, "CANCELLED", rerun=["failed"], end="TERMINATED_WITH_ERRORS")
    assert flow.names(COUNT + SORT + MAIL) == ["mail"]
    last = flow.run(COUNT + SORT + MAIL, "COMPLETED", rerun=["failed"])
    made = flow.planned(COUNT + SORT + MAIL)
    assert (made.joins, made.has_changes) == (last, False)


def test_what_failed_and_stopped_nothing_is_left_over_all_runs(flow):
    first = flow.run(COUNT + SORT + MAIL, "FAILED", "COMPLETED", "FAILED")
    second = flow.run(COUNT + SORT + MAIL, "FAILED", "COMPLETED", rerun=["failed"])
    made = flow.planned(COUNT + SORT + MAIL)
    assert [one["Name"] for one in made.request["Steps"]][1:] == ["count"]
    assert {f"done in {first}, and not run again: sort", f"done in {second}, and not run again: mail"} <= {*made.notes}


def test_of_more_runs_than_are_looked_at_is_not_guessed(flow, monkeypatch):
    monkeypatch.setattr(resume, "_MOST_RUNS", 2)
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    flow.run(COUNT + SORT, "FAILED", rerun=["failed"])
    assert flow.names(COUNT + SORT) == ["sort"]
    flow.run(COUNT + SORT, "FAILED", rerun=["failed"])
    with pytest.raises(FlowspecError, match="continues more than 2 runs, the limit") as refused:
        flow.planned(COUNT + SORT)
    assert "--from STEP" in refused.value.remedy


def test_two_at_once_are_one(flow):
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    plans = [flow.planned(COUNT + SORT) for _ in range(2)]
    started = apply(plans[0], flow.emr)
    assert apply(plans[1], flow.emr) == type(started)(started.cluster_id, joined=True)
    # So is one that is made while the new run is active: it is compared with the run that the active one continues.
    assert flow.planned(COUNT + SORT).joins == started.cluster_id


@pytest.mark.parametrize(
    ("states", "left"), [(["FAILED", "CANCELLED"], ["sort", "mail"]), (["COMPLETED", "FAILED"], ["mail"])]
)
def test_a_run_of_chosen_steps_leaves_none_of_the_others(flow, states, left):
    cluster = flow.run(COUNT + SORT + MAIL, *states, first="sort")
    assert describe(flow.emr, cluster).tags[PART_TAG] == CHOSEN
    assert flow.names(COUNT + SORT + MAIL) == left
    assert any("step count was not in" in note for note in flow.planned(COUNT + SORT + MAIL).notes)


def test_an_active_run_is_joined_or_in_the_way(flow):
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    whole = apply(flow.planned(COUNT + SORT, ()), flow.emr).cluster_id
    assert flow.planned(COUNT + SORT).joins == whole
    assert "made from another request" in flow.planned(COUNT + SORT + MAIL).blocked
    flow.emr.put_in_state(whole, "TERMINATING")
    with pytest.raises(FlowspecError, match="is TERMINATING"):
        flow.planned(COUNT + SORT)


CHANGED = {
    "renamed": (COUNT.replace("name: count", "name: counts") + SORT, "'count' completed"),
    "other work": (COUNT.replace("echo, count", "echo, '2'") + SORT, "'count' then, '2' now"),
    "before one that is done": (MAIL + COUNT + SORT, "it is not known whether it should run"),
}


@pytest.mark.parametrize(("steps", "told"), CHANGED.values(), ids=list(CHANGED))
def test_a_spec_that_has_changed_so_that_nobody_knows(flow, steps, told):
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    with pytest.raises(FlowspecError, match=told) as refused:
        flow.planned(steps)
    assert "job.yaml:9: step" in refused.value.message
    assert "--from STEP" in refused.value.remedy


def test_a_spec_that_has_changed_in_what_is_left(flow):
    cluster = flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", "CANCELLED")
    made = flow.planned(COUNT + SORT.replace("echo", "printf") + SORT.replace("sort", "send"))
    assert [one["Name"] for one in made.request["Steps"]][1:] == ["sort", "send"]
    assert f"step sort is FAILED in {cluster}: it has changed since" in made.notes
    assert f"step send is new since {cluster}" in made.notes
    assert f"step mail of {cluster} (CANCELLED) is not in the spec any more" in made.notes


def test_steps_of_one_name_are_told_apart_by_their_order(flow):
    flow.run(COUNT + COUNT + SORT, "COMPLETED", "FAILED", "CANCELLED")
    assert flow.names(COUNT + COUNT + SORT) == ["count", "sort"]
    flow.run(COUNT + COUNT + SORT, "COMPLETED", "FAILED", rerun=["failed"])
    assert flow.names(COUNT + COUNT + SORT) == ["sort"]


def test_what_can_not_be_asked_for(flow):
    with pytest.raises(FlowspecError, match="no run that ended in the last 60 days"):
        flow.planned(COUNT)
    with pytest.raises(FlowspecError, match="ends with its steps") as refused:
        flow.planned(COUNT + SORT, ["failed", "sort"])
    assert "--only sort" in refused.value.remedy


def test_a_skipped_exit_is_done(flow):
    steps = COUNT + SORT.replace("}", ", skip_on_exit: [3], on_failure: TERMINATE_CLUSTER}") + MAIL
    cluster = flow.run(steps, "COMPLETED", "FAILED", "CANCELLED", end="TERMINATED_WITH_ERRORS")
    # Without its log it is failed, and a note says so.
    made = flow.planned(steps)
    assert [one["Name"] for one in made.request["Steps"]][1:] == ["sort", "mail"]
    assert any("skip_on_exit can't be applied" in note for note in made.notes)
    write_exit_code(flow, cluster, 3)
    assert flow.planned(steps).joins == cluster


def test_data_of_earlier_steps_must_be_there(flow, tmp_path):
    """Of a streaming job for sure, of a program perhaps; HDFS is gone with its cluster."""
    mid, temp, other = tmp_path / "mid", "hdfs:///tmp/words", "hdfs://other:8020/words"
    (tmp_path / "in").mkdir()
    job = "type: streaming, mapper: /bin/cat, reducer: none"
    steps = (
        f"  - {{name: one, {job}, input: {tmp_path}/in, output: {mid}}}\n"
        f"  - {{name: two, {job}, input: {tmp_path}/in, output: '{temp}'}}\n"
        f"  - {{name: more, {job}, input: {tmp_path}/in, output: '{other}'}}\n"
        f"  - {{name: three, type: command, args: [echo, 's3://acme/mid/x']}}\n"
        f"  - {{name: four, {job}, input: [{mid}, '{temp}', '{other}'], output: {tmp_path}/out}}\n"
        f"  - {{name: five, type: command, args: [echo, 's3://acme/mid']}}\n"
    )
    flow.run(steps, *["COMPLETED"] * 4, "FAILED", "CANCELLED")

    def found(**chosen):
        made = flow.planned(steps, () if chosen else ("failed",), **chosen)
        made = preflight_on(flow.emr, flow.flow, flow.request, made)
        return made, {(one.level.value, one.value, one.location.line): one.message for one in made.preflight}

    made, told = found()
    assert told == found(first="four")[1]
    assert told["wrong", str(mid), 13] == "does not exist; step one, which is left out, writes it"
    assert "it was in the HDFS of a cluster that is gone" in told["wrong", temp, 13]
    assert told["not checked", other, 13] == "step more, which is left out, writes it"
    assert told["not checked", "s3://acme/mid", 14] == "does not exist; step three, which is left out, may write it"
    with pytest.raises(FlowspecError, match="step one, which is left out, writes it") as refused:
        refuse_wrong(made)
    assert "--skip-preflight" in refused.value.remedy
    mid.mkdir()
    (tmp_path / "out").mkdir()
    told = found()[1]
    assert ("ok", str(mid), 13) in told
    assert "exists already" in told["wrong", str(tmp_path / "out"), 13]


def test_data_of_steps_that_are_left_out_on_a_cluster_that_goes_on(flow, tmp_path):
    """Its HDFS is there, and a step that is under way may still write what is missing."""
    (tmp_path / "in").mkdir()
    job = "type: streaming, mapper: /bin/cat, reducer: none"
    steps = (
        f"  - {{name: one, {job}, input: {tmp_path}/in, output: {tmp_path}/mid}}\n"
        f"  - {{name: two, {job}, input: {tmp_path}/in, output: 'hdfs:///tmp/words'}}\n"
        f"  - {{name: three, {job}, input: [{tmp_path}/mid, 'hdfs:///tmp/words'], output: {tmp_path}/out}}\n"
        "keep_alive: true\n"
    )
    cluster_id = apply(flow.planned(steps, ()), flow.emr).cluster_id
    flow.emr.put_in_state(cluster_id, "RUNNING")
    setup, one, *others = describe(flow.emr, cluster_id).steps
    for step in (setup, *others):
        flow.emr.put_step_in_state(step.id, "COMPLETED")

    def told():
        made = flow.planned(steps, (), only=["three"])
        return {one.value: one.message for one in preflight_on(flow.emr, flow.flow, flow.request, made).preflight}

    mid = str(tmp_path / "mid")
    assert told()[mid] == "does not exist yet; step one, which is under way, may write it"
    assert told()["hdfs:///tmp/words"] == "step two, which is left out, writes it"
    flow.emr.put_step_in_state(one.id, "FAILED")
    assert told()[mid] == "does not exist; step one, which is left out, writes it"


def test_a_request_that_succeeded_last_is_not_run_again(flow):
    assert flow.if_changed(COUNT + SORT) == "no run of it ended in the last 60 days"
    first = flow.run(COUNT + SORT, "COMPLETED", "COMPLETED")
    made = flow.planned(COUNT + SORT, (), if_changed=True)
    assert (made.joins, made.has_changes, made.uploads, made.awaits) == (first, False, (), ())
    assert made.skipped.startswith(f"run {first} of the same request succeeded and ")
    assert flow.planned(COUNT + SORT, ()).has_changes, "only if it is asked for"
    assert flow.if_changed(COUNT + MAIL) == f"the last run, {first}, was of another request"
    # The one before the last one does not count.
    other = flow.run(COUNT + MAIL, "COMPLETED", "COMPLETED")
    assert flow.if_changed(COUNT + SORT) == f"the last run, {other}, was of another request"


@pytest.mark.parametrize(
    ("states", "end", "outcome"),
    [
        (["COMPLETED", "FAILED"], "TERMINATED", "step failed"),
        (["FAILED", "COMPLETED"], "TERMINATED", "step failed"),
        (["COMPLETED", "CANCELLED"], "TERMINATED", "cancelled"),
        (["COMPLETED", "COMPLETED"], "TERMINATED_WITH_ERRORS", "cluster failed"),
    ],
)
def test_a_request_that_did_not_succeed_is_run_again(flow, states, end, outcome):
    flow.run(COUNT + SORT, "COMPLETED", "COMPLETED")
    last = flow.run(COUNT + SORT, *states, end=end)
    assert flow.if_changed(COUNT + SORT) == f"the last run, {last}: {outcome}"


def test_a_run_of_some_steps_is_none_of_all_steps(flow):
    some = flow.run(COUNT + SORT, "COMPLETED", first="sort")
    assert flow.if_changed(COUNT + SORT) == f"the last run, {some}, was of another request"
    assert flow.if_changed(COUNT + SORT, first="sort") == some
    whole = flow.run(COUNT + SORT, "COMPLETED", "COMPLETED")
    assert flow.if_changed(COUNT + SORT, first="sort") == f"the last run, {whole}, was of another request"


def test_runs_that_continue_each_other_did_it_together(flow):
    flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", "CANCELLED")
    flow.run(COUNT + SORT + MAIL, "COMPLETED", "FAILED", rerun=["failed"])
    last = flow.run(COUNT + SORT + MAIL, "COMPLETED", rerun=["failed"])
    assert flow.if_changed(COUNT + SORT + MAIL) == last
    # One that went on with another request is not of this one, though its last step is the same.
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    new = SORT.replace("echo", "printf")
    other = flow.run(COUNT + new, "COMPLETED", rerun=["failed"])
    assert flow.if_changed(COUNT + new) == f"the last run, {other}, was of another request"


def test_a_run_whose_beginning_is_not_known_is_not_relied_on(flow, monkeypatch):
    monkeypatch.setattr(resume, "_MOST_RUNS", 1)
    flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    last = flow.run(COUNT + SORT, "COMPLETED", rerun=["failed"])
    told = f"run {last} continues more than 1 runs, the limit: which steps are left is not known"
    assert flow.if_changed(COUNT + SORT) == told


def test_a_run_that_continues_one_of_another_flow(flow):
    group = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    of_others = {"Name": "weekly", "ReleaseLabel": "emr-7.5.0", "Instances": {"InstanceGroups": [group]}}
    other = flow.emr.call("RunJobFlow", **of_others)["JobFlowId"]
    last = apply(flow.planned(COUNT, ()), flow.emr).cluster_id
    flow.emr.call("AddTags", ResourceId=last, Tags=[{"Key": PART_TAG, "Value": other}])
    flow.emr.put_in_state(last, "TERMINATED")
    with pytest.raises(FlowspecError, match=f"{last} continues {other}, which is a run of another flow") as refused:
        flow.planned(COUNT)
    assert "--from STEP" in refused.value.remedy


def test_a_run_that_can_not_be_read(flow, monkeypatch):
    first = flow.run(COUNT + SORT, "COMPLETED", "FAILED")
    last = flow.run(COUNT + SORT, "COMPLETED", rerun=["failed"])
    read = resume.read_steps

    def refuse(refused):
        def answer(emr, cluster_id):
            if cluster_id == refused:
                raise ServiceError("ListSteps", "AccessDenied", "not allowed")
            return read(emr, cluster_id)

        monkeypatch.setattr(resume, "read_steps", answer)

    refuse(first)
    told = f"run {last} continues {first}, which can't be read: ListSteps: AccessDenied: not allowed"
    assert flow.if_changed(COUNT + SORT) == told
    refuse(last)
    for options in ({"rerun": ["failed"]}, {"rerun": (), "if_changed": True}):
        with pytest.raises(ServiceError, match="not allowed"):
            flow.planned(COUNT + SORT, **options)


def test_a_run_that_is_ending_with_all_steps_completed_is_enough(flow):
    last = flow.run(COUNT, "COMPLETED", end="TERMINATING")
    made = flow.planned(COUNT, (), if_changed=True)
    assert (made.joins, made.skipped) == (last, f"run {last} of the same request succeeded and is TERMINATING")
    failed = flow.run(COUNT, "FAILED", end="TERMINATING")
    assert flow.if_changed(COUNT) == f"the last run, {failed}: step failed"


def test_if_changed_leaves_an_active_run_as_it_is(flow):
    flow.run(COUNT, "COMPLETED")
    active = apply(flow.planned(COUNT, ()), flow.emr).cluster_id
    made = flow.planned(COUNT, (), if_changed=True)
    assert (made.joins, made.skipped, made.awaits) == (active, "", None)
    assert "made from another request" in flow.planned(SORT, (), if_changed=True).blocked


def test_a_cluster_that_lives_on_starts_again_whatever_ended(flow):
    steps = COUNT.rstrip() + "\nkeep_alive: true\n"
    flow.run(steps, "COMPLETED")
    made = flow.planned(steps, (), if_changed=True)
    assert (made.has_changes, made.notes) == (True, flow.planned(steps, ()).notes)


def test_a_skipped_exit_whose_log_is_not_there_is_no_success(flow):
    steps = SORT.replace("}", ", skip_on_exit: [3], on_failure: TERMINATE_CLUSTER}")
    cluster = flow.run(steps, "FAILED", end="TERMINATED_WITH_ERRORS")
    made = flow.planned(steps, (), if_changed=True)
    assert (made.has_changes, "skip_on_exit can't be applied" in made.notes[-2]) == (True, True)
    assert made.notes[-1] == f"not skipped by --if-changed: the last run, {cluster}: step failed"


def test_of_the_runs_of_a_flow_one_is_read(flow, monkeypatch):
    for _ in range(3):
        last = flow.run(COUNT, "COMPLETED")
    asked, call = [], flow.emr.call
    monkeypatch.setattr(flow.emr, "call", lambda name, **params: asked.append((name, params)) or call(name, **params))
    assert flow.if_changed(COUNT) == last
    assert {params["ClusterId"] for name, params in asked if name == "DescribeCluster"} == {last}
