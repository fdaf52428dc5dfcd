"""The commands for what runs already, as a user meets them: on clusters that really run."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from flowspec import Endpoint, connect
from flowspec.backend.aws.submission.lock import locked
from flowspec.cli.exits import Exit
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_launches")

CORE = "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}, {role: CORE, type: m5.xlarge, count: 2}]"
QUICK = "  - {name: quick, type: command, args: ['true'], on_failure: CONTINUE}"


@pytest.fixture
def living(flowspec, own_home, tmp_path):
    """A cluster that lives on, made by job.yaml; returns its id."""
    started = []

    def start(name="tiny", steps=QUICK, more="tags: {team: search}", file="job.yaml"):
        (tmp_path / file).write_text(
            f"flowspec: v1\nname: {name}\ntargets: {{here: {{default: true, backend: local}}}}\n"
            f"release_label: emr-7.5.0\nkeep_alive: true\n{more}\n{CORE}\nsteps:\n{steps}\n"
        )
        done = flowspec("apply", file)
        assert done.code == 0, done.err
        started.append(re.findall(r"j-\w+", done.err)[0])
        return started[-1]

    yield start
    for one in started:
        flowspec("destroy", one, "--unprotect", "--detach")


def test_an_apply_on_a_cluster_whose_steps_failed_before_is_no_success(flowspec, living, tmp_path):
    """A second apply, as of a job of CI that is started again, ran nothing and said `succeeded`."""
    flag = tmp_path / "flag"
    steps = (
        f"  - {{name: fails, type: command, args: [test, -f, {flag}], on_failure: CANCEL_AND_WAIT}}\n"
        "  - {name: later, type: command, args: ['true'], on_failure: CONTINUE}"
    )
    hooks = "hooks: {on_end: [{command: [sh, -c, 'echo told >> told']}]}"
    flag.touch()
    living(steps=steps, more=hooks)
    assert flowspec("apply", "job.yaml").code == Exit.OK
    flag.unlink()
    job = tmp_path / "job.yaml"
    job.write_text(job.read_text().replace("[test, -f", "[test, -e"))
    assert flowspec("apply", "job.yaml", "--allow-commands").code == Exit.STEP_FAILED
    told = (tmp_path / "told").read_text()
    again = flowspec("apply", "job.yaml", "--allow-commands")
    assert again.code == Exit.STEP_FAILED
    assert "step 'fails'" in again.err
    assert "--rerun failed runs it again" in again.err
    assert (tmp_path / "told").read_text() == told, "a run that had ended before is told once"
    job.write_text(job.read_text().replace("count: 2", "count: 3"))
    resized = flowspec("apply", "job.yaml")
    assert (resized.code, "ModifyInstanceGroups" in resized.err) == (Exit.STEP_FAILED, True)
    flag.touch()
    assert flowspec("apply", "job.yaml", "--rerun", "failed").code == Exit.OK
    assert flowspec("apply", "job.yaml").code == Exit.OK


@pytest.fixture
def theirs():
    """Makes a cluster as someone else would: without our tags."""

    def make(name="tiny", **instances):
        emr = connect(Endpoint("local"))
        groups = [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
        ]
        members = {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True, **instances}
        id_ = emr.create("RunJobFlow", Name=name, ReleaseLabel="emr-7.5.0", Instances=members)["JobFlowId"]
        made.append((emr, id_))
        wait_until(lambda: emr.call("DescribeCluster", ClusterId=id_)["Cluster"]["Status"]["State"] == "WAITING")
        return id_

    made = []
    yield make
    for emr, id_ in made:
        emr.call("TerminateJobFlows", JobFlowIds=[id_])


def answer(done):
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_resize_by_spec_by_name_and_by_id(flowspec, living):
    id_ = living()
    done = flowspec("resize", "job.yaml", "CORE=4")
    assert (done.code, re.sub(r"ig-\w+", "ig", done.out)) == (0, "CORE (ig): size 2 -> 4\n")
    assert "CORE" in done.err
    assert "4 already" in flowspec("resize", "tiny", "CORE=4").out
    shown = answer(flowspec("resize", id_, "CORE=3", "--format", "json"))
    assert [(one["before"], one["after"], one["running"], one["reached"]) for one in shown["sizes"]] == [
        (4, 3, 3, True)
    ]
    plan = flowspec("plan", "job.yaml", "--exit-code")
    assert (plan.code, "count 3" in plan.out) == (Exit.CHANGES, True)


@pytest.mark.parametrize(
    ("sizes", "code", "message"),
    [
        (["CORE"], 2, "'CORE' is not a size"),
        (["CORE=many"], 2, "not a size"),
        (["CORE=-1"], 2, "not a size"),
        (["CORE=1", "CORE=2"], 2, "given twice"),
        ([], 2, "ROLE"),
        (["TASK=1"], 2, "TASK means no instance groups"),
        (["COR=1"], 2, "names no instance group or fleet\n  did you mean CORE?"),
        (["task:spot=1"], 2, "names no instance group or fleet\n  did you mean TASK:spot?"),
        (["NODES=1"], 2, "names no instance group or fleet\n  write CORE, TASK"),
        (["MASTER=3"], 1, "number of masters"),
    ],
)
def test_sizes_that_mean_nothing(flowspec, living, sizes, code, message):
    living()
    done = flowspec("resize", "job.yaml", *sizes)
    assert done.code == code
    assert message in done.err


def test_a_change_under_way_is_exit_8(flowspec, living):
    id_ = living()
    with locked(connect(Endpoint("local")), id_):
        for argv in (["resize", id_, "CORE=3"], ["steps", "add", id_, "job.yaml"]):
            done = flowspec(*argv)
            assert (done.code, "flowspec unlock" in done.err) == (Exit.LOCKED, True)


def test_protect_and_destroy(flowspec, living):
    id_ = living(more="log_uri: s3://logs/emr/")
    assert "protected against termination" in flowspec("protect", "job.yaml").out
    assert answer(flowspec("protect", id_, "--format", "json"))["changed"] is False
    done = flowspec("destroy", "job.yaml")
    assert (done.code, "--unprotect" in done.err) == (1, True)
    assert "  did you mean tiny? `flowspec list --all` shows" in flowspec("unprotect", "tinny").err
    assert "not protected" in flowspec("unprotect", "tiny").out
    done = flowspec("destroy", "job.yaml")
    assert done.out == f"cluster {id_}: TERMINATED\n  stays: logs s3://logs/emr/{id_}/\n"
    shown = answer(flowspec("destroy", id_, "--format", "json"))
    assert shown["leftovers"] == [{"kind": "logs", "name": f"s3://logs/emr/{id_}/"}]
    assert "nothing to protect" in flowspec("protect", id_).err


def test_destroy_that_does_not_wait_shows_the_state_after_the_request(flowspec, living):
    id_ = living()
    state = answer(flowspec("destroy", id_, "--detach", "--format", "json"))["state"]
    assert state in {"TERMINATING", "TERMINATED"}


def test_destroy_has_nothing_to_do_for_a_flow_that_never_ran(flowspec, own_home, job):
    job(QUICK)
    done = flowspec("destroy", "job.yaml")
    assert (done.code, "is not running" in done.out) == (0, True)
    assert answer(flowspec("destroy", "job.yaml", "--format", "json")) is None
    assert flowspec("destroy", ".").code == 0
    for command in ("status", "wait", "protect"):
        assert flowspec(command, "job.yaml").code == 1


MORE = """\
- {name: count, type: command, args: [bash, -c, "echo $0", "{{ day }}"], on_failure: CONTINUE}
- {name: fail, type: command, args: [bash, -c, "exit 3"], on_failure: CONTINUE}
"""


def test_a_list_of_steps_is_added_once_and_watched(flowspec, living, tmp_path):
    id_ = living()
    (tmp_path / "more.yaml").write_text(MORE)
    done = flowspec("steps", "add", id_, "more.yaml", "--var", "day=2026-11-28")
    assert done.code == Exit.STEP_FAILED, done.err
    assert "added 2 of 2 steps" in done.err
    assert "fail: FAILED" in done.err
    assert "2026-11-28" in flowspec("logs", id_, "--step", "count").out
    done = flowspec("steps", "add", "tiny", "more.yaml", "--var", "day=2026-11-28", "--format", "json")
    assert done.code == Exit.STEP_FAILED
    again = json.loads(done.out)
    assert (again["added"], len(again["failed"])) == ([], 1)
    other = answer(
        flowspec("steps", "add", id_, "more.yaml", "--var", "day=2026-11-29", "--detach", "--format", "json")
    )
    assert len(other["added"]) == 1, "the other day is another step, the failed one waits for --rerun"


def test_steps_that_are_added_twice_at_once_are_added_once(flowspec, living, start, tmp_path):
    id_ = living()
    (tmp_path / "more.yaml").write_text("- {name: more, type: command, args: ['true'], on_failure: CONTINUE}\n")
    argv = ("steps", "add", id_, "more.yaml", "--detach", "--lock-timeout", "60", "--format", "json")
    both = [start(*argv), start(*argv)]
    shown = [json.loads(one.communicate(timeout=100)[0]) for one in both]
    assert sorted(len(one["added"]) for one in shown) == [0, 1]
    names = [one["name"] for one in answer(flowspec("status", id_, "--format", "json"))["steps"]]
    assert names == ["quick", "more"]


def test_an_apply_that_holds_the_lock_can_be_unlocked(flowspec, living):
    id_ = living()
    with locked(connect(Endpoint("local")), id_):
        assert "@" in answer(flowspec("unlock", id_, "--format", "json"))["removed"]
    assert answer(flowspec("unlock", "tiny", "--format", "json"))["removed"] == ""


def test_a_list_beside_a_spec_has_its_variables(flowspec, living, tmp_path):
    variables = "{day: {type: string, default: '2026-01-01'}, of_other_steps: {type: string, default: x}}"
    living(more=f"variables: {variables}\ntags: {{day: '{{{{ day }}}}'}}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "hello.sh").write_text("#!/bin/sh\necho hello from here\n")
    (tmp_path / "sub" / "more.yaml").write_text(
        "- {name: hello, type: script, script: hello.sh, args: ['{{ day }}']}\n"
    )
    done = flowspec("steps", "add", "job.yaml", "sub/more.yaml")
    assert (done.code, "of_other_steps" in done.err) == (0, False), done.err
    assert "hello from here" in flowspec("logs", "job.yaml", "--step", "hello").out


def test_the_steps_of_another_spec(flowspec, living, tmp_path):
    id_ = living()
    (tmp_path / "other.yaml").write_text((tmp_path / "job.yaml").read_text().replace("quick", "slow"))
    assert flowspec("steps", "add", id_, "other.yaml").code == 0
    names = [one["name"] for one in answer(flowspec("status", id_, "--format", "json"))["steps"]]
    assert names == ["quick", "slow"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words\n", "neither a spec nor a list of steps"),
        ("steps:\n  - {name: x, type: command, args: [a]}\n", "leave out `steps:`, the file is the list itself"),
        ("- {name: x, type: sprak}\n", "sprak"),
        ("- {name: x, type: command, args: ['{{ day }}']}\n", "day"),
        ("- {name: x", "not YAML"),
    ],
)
def test_a_file_without_steps_is_told_with_its_place(flowspec, living, tmp_path, text, message):
    id_ = living()
    (tmp_path / "more.yaml").write_text(text)
    done = flowspec("steps", "add", id_, "more.yaml")
    assert done.code == 2
    assert message in done.err
    assert "more.yaml:1" in done.err


def test_a_spec_for_another_backend_is_refused(flowspec, living, tmp_path, credentials):
    id_ = living()
    text = (
        (tmp_path / "job.yaml")
        .read_text()
        .replace(
            "backend: local",
            "backend: emr, region: us-east-1, service_role: EMR_DefaultRole, job_flow_role: EMR_EC2_DefaultRole",
        )
    )
    (tmp_path / "aws.yaml").write_text(text)
    done = flowspec("steps", "add", id_, "aws.yaml", "--backend", "local")
    assert (done.code, "is on local" in done.err) == (1, True), done.err


SLOW = "\n".join(f"  - {{name: s{n}, type: command, args: [sleep, '600'], on_failure: CONTINUE}}" for n in range(3))


@pytest.fixture
def queue(flowspec, own_home, tmp_path):
    (tmp_path / "job.yaml").write_text(
        "flowspec: v1\nname: queue\ntargets: {here: {default: true, backend: local}}\nrelease_label: emr-7.5.0\n"
        f"keep_alive: true\n{CORE}\nsteps:\n{SLOW}\n"
    )
    id_ = flowspec("apply", "job.yaml", "--detach").out.strip()
    wait_until(lambda: "s0: RUNNING" in flowspec("status", id_).out)
    yield id_
    flowspec("destroy", id_, "--detach")


def test_cancel(flowspec, queue):
    done = flowspec("cancel", "job.yaml")
    assert (done.code, "There is no terminal to ask on: give --yes" in done.err) == (2, True)
    done = flowspec("cancel", "job.yaml", "--yes")
    assert (done.code, done.out.count(": cancellation requested")) == (0, 2)
    assert "no step is pending" in flowspec("cancel", queue, "--yes").out
    done = answer(flowspec("cancel", "queue", "s0", "--force", "--format", "json"))
    assert [(one["name"], one["accepted"]) for one in done["steps"]] == [("s0", True)]
    wait_until(lambda: "s0: CANCELLED" in flowspec("status", queue).out)
    assert "Nothing failed" in flowspec("diagnose", queue, "--step", "s0").out
    done = flowspec("steps", "add", queue, "job.yaml", "--detach")
    assert (done.err.count(" is CANCELLED: --rerun failed"), "has all these steps" in done.err) == (3, False)
    done = flowspec("cancel", queue, re.search(r"s-\w+", flowspec("status", queue).out)[0])
    assert (done.code, "is not cancelled: Cannot cancel" in done.out) == (1, True)
    # A step that is over is known by its name as by its id; a name or an id of no step is a wrong argument.
    done = flowspec("cancel", queue, "s0")
    assert (done.code, "is not cancelled: Cannot cancel" in done.out) == (1, True)
    for wrong, remedy in (("S0", "did you mean s0?"), ("s-NONE", "there are: 's0'")):
        done = flowspec("cancel", queue, wrong)
        assert (done.code, remedy in done.err) == (2, True), done.err
    assert flowspec("destroy", queue).code == 0
    assert flowspec("status", queue).err.endswith("says why it ended\n")


def test_list_shows_flow_target_and_spec_and_filters(flowspec, living, theirs):
    ours, other = living(), theirs("etl-nightly")
    (line,) = [one for one in flowspec("list").out.splitlines() if one.startswith(ours)]
    assert re.search(r"WAITING +\S+ \S+ +tiny +here +\S*job.yaml\S* +tiny$", line)
    shown = answer(flowspec("list", "--format", "json"))
    assert [(one["id"], one["flow"], one["target"]) for one in shown] == [(ours, "tiny", "here"), (other, None, None)]
    for argv, found in (
        (["--name", "etl-*"], [other]),
        (["--tag", "team=search"], [ours]),
        (["--tag", "team"], [ours]),
        (["--tag", "team=ads"], []),
        (["--state", "WAITING", "--since", "1h", "--until", "2099-01-01"], [ours, other]),
        (["--created-after", "2099-01-01T00:00:00Z"], []),
        (["--created-before", "2001-01-01"], []),
    ):
        assert [one["id"] for one in answer(flowspec("list", *argv, "--format", "json"))] == found, argv
    done = flowspec("list", "--limit", "1")
    assert (other in done.out, ours in done.out, "1 older cluster not looked at" in done.err) == (True, False, True)
    assert flowspec("list", "--since", "yesterday").code == 2
    flowspec("destroy", ours)
    assert ours in flowspec("list", "--state", "TERMINATED").out
    assert ours not in flowspec("list").out


def test_idle(flowspec, living, theirs):
    ours, _ = living(), theirs("other")
    shown = answer(flowspec("idle", "--format", "json"))
    assert [(one["id"], one["instances"], one["done"]) for one in shown] == [(ours, {"m5.xlarge": 3}, "")]
    assert re.search(rf"{ours} +\S+ \S+ +0 min +3 m5.xlarge +0.0 +tiny +tiny", flowspec("idle").out)
    none = flowspec("idle", "--at-least", "1h")
    assert ours not in none.out
    here = "in the embedded EMR (give --region to look on AWS)"
    assert none.err == f"note: no cluster is idle for so long {here}\n"
    assert flowspec("list", "--all", "--name", "nothing").err == f"note: there is no such cluster {here}\n"
    active = f"note: no such cluster is active {here}; --all shows those that have ended, too\n"
    assert flowspec("list", "--name", "nothing").err == active
    hint = "note: the value of a tag follows an equals sign: --tag team=search\n"
    assert flowspec("list", "--tag", "team:search").err == active + hint
    assert flowspec("idle", "--terminate").code == 2, "nobody can be asked here"
    flowspec("protect", ours)
    done = flowspec("idle", "--terminate", "--yes")
    assert (done.code, "is protected" in done.err) == (1, True)
    done = flowspec("idle", "--terminate", "--yes", "--unprotect", "--format", "json")
    assert [one["done"] for one in answer(done)] == ["terminated"]
    assert flowspec("wait", ours).code in {0, 7}
    assert answer(flowspec("idle", "--format", "json")) == []


def test_import_and_adopt(flowspec, theirs, tmp_path):
    id_ = theirs("etl")
    assert flowspec("import", id_, "-o", "etl.yaml").code == 0
    assert flowspec("validate", "etl.yaml").code == 0
    plan = flowspec("plan", "etl.yaml")
    assert f"cluster {id_} (WAITING) is called etl, but does not have the tags of this flow" in plan.out
    assert f"flowspec adopt {id_}" in plan.out
    status = flowspec("status", "etl.yaml")
    assert (status.code, f"`flowspec adopt {id_} etl.yaml` takes it over" in status.err) == (1, True), status.err
    done = flowspec("adopt", id_, "etl.yaml")
    assert (done.code, done.out) == (0, f"cluster {id_} now belongs to flow etl\n"), done.err
    assert flowspec("plan", "etl.yaml", "--exit-code").code == 0
    assert "already" in flowspec("adopt", id_, "etl.yaml").out
    assert answer(flowspec("adopt", id_, "etl.yaml", "--format", "json"))["joins"] == id_
    text = (tmp_path / "etl.yaml").read_text()
    (tmp_path / "etl.yaml").write_text(text.replace("count: 2", "count: 5"))
    assert flowspec("plan", "etl.yaml", "--exit-code").code == Exit.CHANGES


def test_adopting_what_only_a_new_cluster_could_be(flowspec, theirs, tmp_path):
    id_ = theirs("etl")
    flowspec("import", id_, "-o", "etl.yaml")
    text = (tmp_path / "etl.yaml").read_text()
    (tmp_path / "etl.yaml").write_text(text.replace("emr-7.5.0", "emr-7.1.0"))
    done = flowspec("adopt", id_, "etl.yaml")
    assert done.code == 1
    assert "release_label emr-7.5.0 -> emr-7.1.0" in done.err.replace("→", "->")
    assert f"flowspec import {id_}" in done.err
    assert flowspec("adopt", "etl", "etl.yaml").code == 2


@pytest.mark.parametrize("what", ["typo", "j-TYPO"])
@pytest.mark.parametrize(
    "argv",
    [
        ["status"],
        ["logs"],
        ["wait"],
        ["diagnose"],
        ["report"],
        ["cancel"],
        ["destroy"],
        ["protect"],
        ["unlock"],
        ["resize", "CORE=2"],
        ["steps add", "job.yaml"],
    ],
    ids=lambda argv: argv[0],
)
def test_a_name_or_id_of_no_cluster_is_a_wrong_usage(flowspec, own_home, job, argv, what):
    job(QUICK)
    command, *rest = argv
    done = flowspec(*command.split(), what, *rest)
    assert done.code == 2
    assert what in done.err


# -- whose cluster it is


def test_a_cluster_with_the_name_and_without_the_tags_is_named_and_not_touched(flowspec, own_home, theirs, job):
    id_ = theirs("tiny")
    job(QUICK, keep_alive="true")
    (job_yaml, more) = ("job.yaml", "job.yaml")
    for what in ("tiny", job_yaml):
        for argv in (
            ["destroy", what],
            ["resize", what, "CORE=9"],
            ["protect", what],
            ["unprotect", what],
            ["cancel", what, "--yes"],
            ["steps", "add", what, more],
        ):
            done = flowspec(*argv)
            assert done.code == 1, argv
            assert f"{id_} (WAITING)" in done.err, argv
            assert "not touched" in done.err
    done = flowspec("destroy", ".")
    assert (done.code, f"{id_} (WAITING)" in done.err, "not touched" in done.err) == (1, True, True)
    status = answer(flowspec("status", id_, "--format", "json"))
    assert (status["state"], status["termination_protected"], status["steps"]) == ("WAITING", False, [])
    assert flowspec("resize", id_, "CORE=3").code == 0, "named by its id, it is meant"


def test_the_cluster_of_another_target_is_no_failure_of_destroy(flowspec, own_home, theirs, job):
    id_ = theirs("tiny")
    tags = [{"Key": "flowspec:flow", "Value": "tiny"}, {"Key": "flowspec:target", "Value": "there"}]
    connect(Endpoint("local")).call("AddTags", ResourceId=id_, Tags=tags)
    job(QUICK)
    done = flowspec("destroy", "job.yaml")
    assert (done.code, f"{id_} (WAITING)" in done.out, flowspec("destroy", ".").code) == (0, True, 0)


def test_two_clusters_with_our_tags(flowspec, living, theirs):
    first = living()
    second = theirs("tiny")
    emr = connect(Endpoint("local"))
    tags = answer(flowspec("status", first, "--format", "json"))["tags"]
    emr.call("AddTags", ResourceId=second, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    plan = flowspec("plan", "job.yaml")
    assert f"{second} has the tags of this flow, too" in plan.out + plan.err
    assert f"{second} has the tags of this flow, too" in flowspec("status", "job.yaml").err
    for argv in (["resize", "job.yaml", "CORE=9"], ["cancel", "job.yaml"], ["protect", "job.yaml"]):
        done = flowspec(*argv)
        assert done.code == 1
        assert first in done.err
        assert second in done.err
        assert "by its id" in done.err
    flowspec("protect", second)
    done = flowspec("destroy", "job.yaml")
    assert (done.code, f"cluster {second} is protected" in done.err) == (1, True)
    assert [one["state"] for one in answer(flowspec("list", "--format", "json"))] == ["WAITING"] * 2
    flowspec("unprotect", second)
    done = flowspec("destroy", "job.yaml")
    assert (done.code, done.out) == (0, f"cluster {first}: TERMINATED\ncluster {second}: TERMINATED\n")


def test_tags_edited_by_hand_do_no_harm(flowspec, living):
    id_ = living()
    emr = connect(Endpoint("local"))
    edited = ("digest", "managed", "steps", "hidden", "lock", "sensitive", "submission", "source")
    value = "what, a 'value' \u202e é?"
    emr.call("AddTags", ResourceId=id_, Tags=[{"Key": f"flowspec:{tag}", "Value": value} for tag in edited])
    for argv in (["status", id_], ["list"], ["idle"], ["plan", "job.yaml"], ["resize", "job.yaml", "CORE=3"]):
        done = flowspec(*argv)
        assert done.code == 0, (argv, done.err)
        assert "\u202e" not in done.out + done.err
    assert flowspec("apply", "job.yaml").code == 0
    assert flowspec("plan", "job.yaml", "--exit-code").code == 0


def test_a_tag_of_identity_taken_away_by_hand_makes_it_a_strangers(flowspec, living):
    id_ = living()
    connect(Endpoint("local")).call("RemoveTags", ResourceId=id_, TagKeys=["flowspec:target"])
    done = flowspec("destroy", "job.yaml")
    assert (done.code, id_ in done.err) == (1, True)
    assert f"cluster {id_} (WAITING) is called tiny" in flowspec("plan", "job.yaml").out


# -- a terminal


def on_a_terminal(argv, typed, cwd):
    """Runs a command with a terminal at hand, types an answer; returns its exit code and what the terminal showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowspec", *argv], cwd=cwd, stdin=slave, stdout=slave, stderr=slave, close_fds=True
    )
    os.close(slave)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(master, 4096)
    os.write(master, typed)
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:
        pass  # Linux says EIO when the other end is closed
    os.close(master)
    return process.wait(60), shown.decode()


def test_destroy_asks_on_a_terminal(flowspec, living, tmp_path):
    id_ = living()
    code, shown = on_a_terminal(["destroy", "job.yaml"], b"n\n", tmp_path)
    assert (code, f"Cluster {id_} (tiny) is WAITING. Terminate?" in shown) == (Exit.INTERRUPTED, True), shown
    assert "nothing was done" in shown
    assert answer(flowspec("status", id_, "--format", "json"))["state"] == "WAITING"
    code, shown = on_a_terminal(["destroy", "job.yaml"], b"y\n", tmp_path)
    assert (code, f"cluster {id_}: TERMINATED" in shown) == (0, True), shown
