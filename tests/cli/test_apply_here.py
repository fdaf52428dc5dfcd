"""apply on the embedded EMR, as a user does it: the run, its end, and what goes wrong."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from flowspec.emulator.state import paths
from tests.waiting import wait_until


def counted_by_tr(folder):
    """Returns the counts of `tr | sort | uniq -c` for a folder of texts."""
    command = f"cat {folder}/* | tr 'A-Z' 'a-z' | tr -cs 'a-z' '\\n' | grep . | LC_ALL=C sort | uniq -c"
    lines = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.split("\n")
    return {word: int(count) for count, word in (line.split() for line in lines if line)}


def counted_by_job(folder):
    lines = [line for part in sorted(folder.glob("part-*")) for line in part.read_text().splitlines()]
    return {word: int(count) for word, count in (line.split("\t") for line in lines)}


def test_wordcount(flowspec, wordcount):
    done = flowspec("apply", wordcount / "job.yaml")
    assert done.code == 0, done.err
    assert (wordcount / "counts/_SUCCESS").exists()
    assert len(list((wordcount / "counts").glob("part-*"))) == 2
    assert counted_by_job(wordcount / "counts") == counted_by_tr(wordcount / "input")
    assert "> step count words: command-runner.jar hadoop-streaming" in done.err
    # STARTING lasts less than a tenth of a second: on a busy machine it is over before the watcher first asks.
    for state in ("RUNNING (Running step)", "TERMINATED (Steps completed)"):
        assert re.search(rf"^cluster j-\w+: {re.escape(state)}", done.err, re.MULTILINE), done.err
    assert re.search(r"^step s-\w+ count words: COMPLETED in [\d.]+ s$", done.err, re.MULTILINE)
    assert f"  output   {wordcount}/counts\n" in done.out
    assert re.search(r"^  logs     \S+", done.out, re.MULTILINE)
    assert re.search(r"^      Reduce output records +\d+$", done.out, re.MULTILINE)
    words = sum(counted_by_tr(wordcount / "input").values())
    assert re.search(rf"^    Word count\n      lines +\d+\n      words +{words}$", done.out, re.MULTILINE)


def test_the_result_for_programs(flowspec, wordcount):
    done = flowspec("apply", wordcount / "job.yaml", "--format", "json")
    document = json.loads(done.out)
    assert (document["outcome"], document["exit_code"]) == ("succeeded", 0)
    assert document["outputs"] == [f"{wordcount}/counts"]
    assert document["cluster"]["steps"][0]["state"] == "COMPLETED"
    assert document["counters"][document["cluster"]["steps"][0]["id"]]["Word count"]["lines"] == 28
    assert document["diagnosis"] is None


def test_logs_in_emrs_layout(flowspec, wordcount, tmp_path):
    job = wordcount / "job.yaml"
    job.write_text(job.read_text().replace("backend: local\n", "backend: local\n    log_uri: logs\n"))
    done = flowspec("apply", job)
    assert done.code == 0, done.err
    (steps,) = (wordcount / "logs").glob("j-*/steps/s-*")
    assert sorted(log.name for log in steps.iterdir()) == [
        "controller.gz",
        "stderr.gz",
        "stdout.gz",
        "syslog.gz",
    ]
    assert f"  logs     {steps.parent.parent}/\n" in done.out


def test_a_command_step_and_its_logs(flowspec, job):
    job("  - {name: hello, type: command, args: [bash, -c, 'echo out; echo err >&2']}")
    assert flowspec("apply", "job.yaml").code == 0
    assert flowspec("logs", "job.yaml", "--log", "stdout").out == "out\n"
    assert flowspec("logs", "job.yaml", "--log", "stderr", "--step", "hello").out == "err\n"
    shown = json.loads(flowspec("logs", "job.yaml", "--format", "json").out)
    assert shown["logs"]["stdout"] == "out\n"


def test_a_mapper_that_exits_with_3(flowspec, wordcount):
    (wordcount / "mapper.py").write_text("#!/bin/sh\ncat >/dev/null\necho 'out of words' >&2\nexit 3\n")
    done = flowspec("apply", wordcount / "job.yaml")
    assert done.code == 4
    assert "step failed" in done.out
    assert "    | out of words\n" in done.err, "the mapper's own words are kept"
    assert "subprocess failed with code 3" in done.err
    assert re.search(r"more: flowspec logs j-\w+ --step s-\w+", done.err)
    assert [part.name for part in (wordcount / "counts").iterdir()] == []


def test_an_output_folder_that_exists(flowspec, wordcount):
    (wordcount / "counts").mkdir()
    (wordcount / "counts/mine.txt").write_text("precious")
    refused = flowspec("apply", wordcount / "job.yaml")
    assert (refused.code, "wordcount" in flowspec("list").out) == (1, False)
    assert f"step count words: {wordcount}/counts exists already" in refused.err
    done = flowspec("apply", wordcount / "job.yaml", "--skip-preflight")
    assert done.code == 4
    assert f"Output directory file:{wordcount}/counts already exists" in done.err
    assert "try: delete it, write to another place" in done.err
    assert [(path.name, path.read_text()) for path in (wordcount / "counts").iterdir()] == [("mine.txt", "precious")]


def test_input_that_does_not_exist(flowspec, wordcount):
    refused = flowspec("apply", wordcount / "job.yaml", "--var", "texts=nowhere")
    assert (refused.code, "wordcount" in flowspec("list").out) == (1, False)
    assert f"step count words: {wordcount}/nowhere does not exist" in refused.err
    done = flowspec("apply", wordcount / "job.yaml", "--var", "texts=nowhere", "--skip-preflight")
    assert done.code == 4
    assert f"Input path does not exist: file:{wordcount}/nowhere" in done.err
    assert not (wordcount / "counts").exists()


def until_told(tmp_path):
    """A step that runs until there is a file called go."""
    return f"  - {{name: patient, type: command, args: [bash, -c, 'until [ -e {tmp_path}/go ]; do sleep 0.05; done']}}"


def test_detach_and_come_back(flowspec, job, tmp_path):
    job(until_told(tmp_path), name="slow")
    done = flowspec("apply", "job.yaml", "--detach")
    assert done.code == 0
    cluster_id = done.out.strip()
    assert f"flowspec wait {cluster_id}" in done.err
    assert flowspec("status", cluster_id).code == 0
    assert cluster_id in flowspec("list").out
    (tmp_path / "go").touch()
    assert flowspec("wait", "job.yaml").code == 0
    assert "COMPLETED" in flowspec("status", "slow").out
    listed = flowspec("list")
    assert (listed.out.count("\n"), "--all shows those that have ended" in listed.err) == (1, True)
    assert cluster_id in flowspec("list", "--all").out


def test_a_second_apply_joins_the_run(flowspec, start, job, tmp_path):
    job(until_told(tmp_path))
    first = flowspec("apply", "job.yaml", "--detach").out
    process = start("apply", "job.yaml")
    await_line(process.stderr, f"joined cluster {first.strip()}")
    (tmp_path / "go").touch()
    assert process.wait(timeout=60) == 0
    assert flowspec("list", "--all").out.count("j-") == 1


def test_another_request_is_not_started_beside_a_running_one(flowspec, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    first = flowspec("apply", "job.yaml", "--detach").out.strip()
    job("  - {name: quick, type: command, args: ['true']}")
    refused = flowspec("apply", "job.yaml")
    assert refused.code == 1
    assert f"cluster {first} of this flow is" in refused.err
    assert "--replace" in refused.err
    planned = flowspec("plan", "job.yaml", "--exit-code")
    assert (planned.code, "Blocked: " in planned.out) == (3, True)
    replaced = flowspec("apply", "job.yaml", "--replace")
    assert replaced.code == 0, replaced.err
    assert flowspec("status", first).out.splitlines()[0].split(": ")[1].startswith("TERMINAT")


def test_destroy_a_running_cluster(flowspec, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    cluster_id = flowspec("apply", "job.yaml", "--detach").out.strip()
    gone = flowspec("destroy", "job.yaml")
    assert (gone.code, gone.out) == (0, f"cluster {cluster_id}: TERMINATED\n")
    again = flowspec("destroy", cluster_id)
    assert (again.code, again.out) == (0, gone.out)
    assert flowspec("wait", cluster_id).code == 7


def test_waiting_has_a_limit(flowspec, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    done = flowspec("apply", "job.yaml", "--timeout", "0.3")
    assert (done.code, "keeps running; re-attach with" in done.err) == (6, True)
    flowspec("destroy", "job.yaml")


def test_a_cluster_that_stays(flowspec, job):
    job("  - {name: one, type: command, args: ['true']}", keep_alive="true")
    assert flowspec("apply", "job.yaml").code == 0
    assert "WAITING" in flowspec("status", "job.yaml").out
    assert "nothing to do" in flowspec("plan", "job.yaml").out
    assert flowspec("destroy", "job.yaml").code == 0


def test_the_end_of_a_run_on_a_cluster_that_stays_is_about_its_own_steps(flowspec, job, tmp_path):
    (tmp_path / "in.txt").write_text("a\n")
    step = "  - {{name: {0}, type: streaming, mapper: cat, reducer: NONE, input: in.txt, output: {0}}}\n"
    job(step.format("one"), keep_alive="true")
    assert "counters of step 'one'" in flowspec("apply", "job.yaml").out
    job(step.format("one") + step.format("two"), keep_alive="true")
    done = flowspec("apply", "job.yaml")
    assert "counters of step 'two'" in done.out
    assert re.search(r"^step s-\w+ two: COMPLETED", done.err, re.MULTILINE)
    for said in (done.out, done.err, flowspec("destroy", "job.yaml").err):
        assert not re.search(r"'one'|/one$| one: ", said, re.MULTILINE), said


def test_kill_9_of_the_command_line_changes_nothing(flowspec, start, job, tmp_path):
    script = f"until test -e {tmp_path}/go; do sleep 0.05; done; echo there > {tmp_path}/proof"
    job(f"  - {{name: slow, type: command, args: [bash, -c, '{script}']}}")
    process = start("apply", "job.yaml")
    await_line(process.stderr, "RUNNING")
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    assert flowspec("wait", "job.yaml").code == 0
    assert (tmp_path / "proof").read_text() == "there\n"


def test_ctrl_c_detaches_and_says_how_to_come_back(flowspec, start, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    process = start("apply", "job.yaml")
    await_line(process.stderr, "slow: RUNNING")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"keeps running; re-attach with: flowspec wait j-\w+", err)
    assert "Traceback" not in err
    assert "RUNNING" in flowspec("status", "job.yaml").out
    flowspec("destroy", "job.yaml")


@pytest.mark.parametrize(("choice", "state"), [("cancel", "CANCELLED"), ("terminate", "TERMINAT")])
def test_ctrl_c_may_end_the_run(flowspec, start, job, choice, state):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    process = start("apply", "job.yaml", "--on-interrupt", choice)
    await_line(process.stderr, "slow: RUNNING")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert flowspec("wait", "job.yaml").code == 7
    assert state in flowspec("status", "job.yaml").out


def test_ctrl_c_cancels_no_step_that_someone_has_added(flowspec, start, job, tmp_path):
    path = job("  - {name: own, type: command, args: [sleep, '600'], on_failure: CONTINUE}", keep_alive="true")
    (tmp_path / "more.yaml").write_text("- {name: added, type: command, args: ['true']}\n")
    process = start("apply", path, "--on-interrupt", "cancel")
    await_line(process.stderr, "own: RUNNING")
    assert flowspec("steps", "add", path, "more.yaml", "--detach").code == 0
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "cancelled 1 step of cluster" in err) == (130, True), err
    assert flowspec("wait", path).code == 7
    assert "added: COMPLETED" in flowspec("status", path).out
    assert flowspec("destroy", path).code == 0


def test_kill_9_of_the_worker_is_told(flowspec, job, own_home):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    cluster_id = flowspec("apply", "job.yaml", "--detach").out.strip()
    wait_until(lambda: "slow: RUNNING" in flowspec("status", cluster_id).out)
    # A worker that was forked has the command line of the tests: its log has its pid.
    (pid,) = re.findall(rf"pid (\d+) runs cluster {cluster_id}", paths.worker_log(own_home, cluster_id).read_text())
    os.kill(int(pid), signal.SIGKILL)
    done = flowspec("wait", cluster_id)
    assert done.code == 5
    assert "INTERNAL_ERROR" in done.err
    assert "worker" in done.err
    assert "TERMINATED_WITH_ERRORS" in flowspec("status", cluster_id).out


def test_what_cannot_run_here_is_said_before_anything_starts(flowspec, job):
    job(
        "  - {name: fine, type: command, args: ['true']}\n"
        "  - {name: hive, type: jar, jar: command-runner.jar, args: [hive-script, --run-hive-script]}"
    )
    for command in ("plan", "apply"):
        refused = flowspec(command, "job.yaml")
        assert refused.code == 2
        assert "error[FS501]: step 'hive' can't run here: hive-script: there is no Hive" in refused.err
        assert "job.yaml:10:" in refused.err
    assert flowspec("list", "--all").out.count("j-") == 0


def test_a_home_that_cannot_be_written(flowspec, job, monkeypatch, tmp_path):
    job("  - {name: one, type: command, args: ['true']}")
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "file/home"))
    refused = flowspec("apply", "job.yaml")
    assert refused.code == 1
    assert "FLOWSPEC_HOME" in refused.err
    assert "Traceback" not in refused.err


def await_line(stream, words):
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"{words!r} never came")


def test_a_detached_run_is_looked_after_by_wait(flowspec, job, tmp_path):
    flaky = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 75; }}"
    more = "on_failure: CONTINUE, retry: {attempts: 2, on: [75]}"
    path = job(f"  - {{name: flaky, type: command, args: [bash, -c, '{flaky}'], {more}}}", keep_alive="true")
    planned = flowspec("plan", path)
    assert "note: step flaky: 2 attempts (after exit 75)" in planned.out
    assert "after --detach, by `flowspec wait`" in planned.out
    cluster_id = flowspec("apply", path, "--detach").out.strip()
    done = flowspec("wait", cluster_id)
    assert done.code == 0, done.err
    assert "step flaky: attempt 2 of 2" in done.err
    assert flowspec("destroy", cluster_id, "--yes").code == 0


def test_from_the_step_that_failed(flowspec, job, tmp_path):
    def step(name, source, result, mapper="/bin/cat"):
        data = f"input: {source}, output: {result}, on_failure: TERMINATE_CLUSTER"
        return f"  - {{name: {name}, type: streaming, mapper: {mapper}, reducer: none, {data}}}\n"

    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("x\n")
    path = job(step("one", "in", "mid") + step("two", "mid", "out", "/bin/false"))
    assert flowspec("apply", path).code == 4
    path = job(step("one", "in", "mid") + step("two", "mid", "end"))
    refused = flowspec("apply", path)
    assert (refused.code, "mid exists already" in refused.err) == (1, True)
    done = flowspec("apply", path, "--from", "two")
    assert done.code == 0, done.err
    assert "1 step to submit" in done.err
    assert (tmp_path / "end/part-00000").read_text() == "x\t\n"
    # What an earlier step should have written is not there.
    shutil.rmtree(tmp_path / "mid")
    refused = flowspec("apply", path, "--only", "two")
    assert (refused.code, "mid does not exist" in refused.err) == (1, True)
    for wrong in (["--from", "tow"], ["--only", "tow"], ["--from", "two", "--only", "one"]):
        refused = flowspec("apply", path, *wrong)
        assert (refused.code, "did you mean two?" in refused.err or "no step is left" in refused.err) == (2, True)
    assert flowspec("plan", path, "--only", "two").code == 0


def test_rerun_what_failed(flowspec, job, tmp_path):
    def steps(mark):
        return (
            "  - {name: one, type: command, args: [touch, done]}\n"
            f"  - {{name: two, type: command, args: [test, -e, {tmp_path}/{mark}], on_failure: TERMINATE_CLUSTER}}\n"
            "  - {name: three, type: command, args: ['true']}\n"
        )

    path = job(steps("absent"))
    chosen = flowspec("apply", path, "--only", "two")
    assert (chosen.code, "with --rerun failed, in place of --from or --only, runs" in chosen.err) == (4, True)
    failed = flowspec("apply", path)
    assert (failed.code, failed.err.endswith("the same command with --rerun failed runs what is left\n")) == (4, True)
    path = job(steps("job.yaml"), "hooks: {on_end: [{command: [touch, told]}]}")
    saved = flowspec("plan", path, "--rerun", "failed", "-o", "plan.json")
    assert (saved.code, "not run again: one" in saved.out, saved.out.count("  > step")) == (0, True, 2)
    assert flowspec("apply", "plan.json").code == 0
    # The saved plan was of what the first run left, and the second one has left nothing.
    assert flowspec("apply", "plan.json").code == 9
    again = flowspec("apply", path, "--rerun", "failed", "--allow-commands")
    assert (again.code, "nothing is left" in again.err, "started" in again.err) == (0, True, False)
    assert not (tmp_path / "told").exists()
    for name in ("two", ""):
        refused = flowspec("plan", path, "--rerun", name)
        assert (refused.code, f"--rerun {name}: the cluster of this flow ends with its steps" in refused.err) == (
            1,
            True,
        )


def test_a_step_that_was_added_and_cancelled_is_nothing_that_a_rerun_of_the_spec_runs(flowspec, start, job, tmp_path):
    until_told = "until [ -e told ]; do sleep 0.1; done"
    path = job(
        f"  - {{name: own, type: command, args: [bash, -c, '{until_told.replace('told', str(tmp_path / 'told'))}']}}"
    )
    (tmp_path / "more.yaml").write_text("- {name: added, type: command, args: ['true']}\n")
    process = start("apply", path)
    said = next(line for line in process.stderr if "step" in line and "RUNNING" in line)
    assert flowspec("steps", "add", path, "more.yaml", "--detach").code == 0, said
    assert flowspec("cancel", path, "added").code == 0
    (tmp_path / "told").touch()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "a step was cancelled" in err, "--rerun failed runs" in err) == (7, True, False), err


def test_some_steps_of_a_cluster_that_lives_on(flowspec, job):
    steps = "".join(f"  - {{name: {name}, type: command, args: ['true']}}\n" for name in ("one", "two", "three"))
    path = job(steps, keep_alive="true")
    first = flowspec("apply", path, "--only", "two")
    assert (first.code, first.err.count("  > step"), "> step two" in first.err) == (0, 1, True), first.err
    again = flowspec("apply", path, "--only", "two")
    assert (again.code, again.err.count("  > step"), "joined" in again.err) == (0, 1, True), again.err
    rest = flowspec("plan", path)
    assert [word in rest.out for word in ("> step one", "> step two", "> step three")] == [True, False, True]
    saved = flowspec("plan", path, "--from", "three", "-o", "plan.json")
    assert (saved.code, saved.out.count("  > step"), "> step three" in saved.out) == (0, 1, True), saved.out
    assert [flowspec("apply", "plan.json").code for _ in range(2)] == [0, 9]
    both = flowspec("plan", path, "--only", "two", "--rerun", "two")
    assert (both.code, "leave out --from and --only, or --rerun" in both.err) == (2, True)
    refused = flowspec("plan", path, "--rerun", "on")
    assert (refused.code, "did you mean one?" in refused.err) == (2, True)


def test_hooks_are_run_by_who_watches_with_the_spec(flowspec, job, tmp_path):
    hooks = "hooks: {on_end: [{command: [bash, -c, 'echo $FLOWSPEC_OUTCOME >> told']}]}"
    path = job("  - {name: one, type: command, args: ['true']}", hooks)
    planned = flowspec("plan", path)
    assert "a hook runs a command on the machine that watches, if --allow-commands is given: bash -c" in planned.out
    done = flowspec("apply", path)
    assert (done.code, "hook command bash: was not run" in done.err) == (0, True)
    assert not (tmp_path / "told").exists()
    assert flowspec("wait", path, "--allow-commands").code == 0
    assert flowspec("apply", path, "--allow-commands").code == 0
    assert (tmp_path / "told").read_text() == "succeeded\n" * 2


def test_hooks_are_run_once_for_each_run_of_a_cluster_that_lives_on(flowspec, job, tmp_path):
    hooks = "hooks: {on_end: [{command: [bash, -c, 'cat >> told; echo >> told']}]}"
    path = job("  - {name: one, type: command, args: ['true']}", hooks, keep_alive="true")
    argv = ("apply", path, "--allow-commands")
    assert flowspec(*argv).code == 0
    # Nothing is submitted, and no run ends.
    again = flowspec(*argv)
    assert (again.code, "note: its hooks are not run, because no step is submitted or waited for" in again.err) == (
        0,
        True,
    )
    assert flowspec(*argv, "--rerun", "one").code == 0
    # A second watcher of that run says the same of it.
    assert flowspec("wait", path, "--allow-commands").code == 0
    first, second, third = (json.loads(line)["id"] for line in (tmp_path / "told").read_text().splitlines())
    assert first != second == third
    flowspec("destroy", path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "job.yaml", "--timeout", "1h30"),
        ("apply", "job.yaml", "--lock-timeout", "90 min"),
        ("diagnose", "job.yaml", "--logs-timeout", "5400s"),
    ],
)
def test_a_span_where_a_number_of_seconds_is_wanted(flowspec, arguments):
    refused = flowspec(*arguments)
    assert refused.code == 2
    assert f"Invalid value for '{arguments[2]}': '{arguments[3]}' is not a number of seconds: write 5400" in refused.err


def test_a_home_that_is_deleted_ends_the_watch_soon(start, job, own_home):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    process = start("apply", "job.yaml")
    assert any("slow: RUNNING" in line for line in process.stderr)
    own_home.rename(own_home.with_suffix(".gone"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search(r"error: there is no cluster j-\w+ in the embedded EMR, where it was seen before\n", err)
