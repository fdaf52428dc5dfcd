"""Clusters whose S3 is elsewhere (moto's server): what they read comes from there, what they write goes there."""

import gzip
import json
import os
import signal
import subprocess
import sys

import boto3
import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.worker import processes
from flowspec.emulator.worker.s3_sync import TreeSync
from flowspec.emulator.worker.s3_sync_wrapper import uris_in
from flowspec.errors import FlowspecError
from tests.emulator.conftest import Emr, bash, emulator, program, request
from tests.engines.streaming.run.test_robustness import without_roots_rights
from tests.waiting import wait_until


@pytest.fixture
def emr(home, moto, s3):
    """An EMR whose S3 is moto's."""
    running = Emr(Service(home, s3_url=moto, run_bootstrap=True))
    yield running
    running.end_all()


@pytest.fixture
def mirror(tmp_path, moto, s3):
    return TreeSync(tmp_path / "tree", moto, "us-east-1")


def upload(s3, **objects):
    for key, text in objects.items():
        s3.put_object(Bucket="acme", Key=key.replace("__", "/"), Body=text.encode())


def keys(s3):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="acme").get("Contents", ())]


def text(s3, key):
    return s3.get_object(Bucket="acme", Key=key)["Body"].read().decode()


def test_a_client_uploads_first_and_reads_results_last(home, moto, s3):
    upload(s3, code__map="#!/bin/sh\ntr ' ' '\\n'\n", code__count="#!/bin/sh\nuniq -c | sed 's/^ *//'\n")
    upload(s3, texts__day1__a="b a\n", texts__day1__b="a\n", texts__day2__a="no\n")
    step = program(
        "hadoop-streaming",
        *("-files", "s3://acme/code/map#m,s3://acme/code/count"),
        *("-mapper", "m", "-reducer", "count", "-input", "s3://acme/texts/*1/", "-output", "s3://acme/out"),
    )
    with emulator(home, "--s3", moto) as url:
        emr = boto3.client("emr", region_name="us-east-1", endpoint_url=url)
        flow = request(step, LogUri="s3n://acme/logs/")
        cluster_id = emr.run_job_flow(**flow)["JobFlowId"]
        emr.get_waiter("cluster_terminated").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 0.3, "MaxAttempts": 99})
        ran = emr.list_steps(ClusterId=cluster_id)["Steps"][0]
    assert ran["Status"]["State"] == "COMPLETED", ran
    outputs = [key for key in keys(s3) if key.startswith("out/")]
    assert (outputs[0], outputs[1]) == ("out/_SUCCESS", "out/part-00000")
    assert "".join(text(s3, key) for key in outputs) == "2 a\t\n1 b\t\n"
    log = s3.get_object(Bucket="acme", Key=f"logs/{cluster_id}/steps/{ran['Id']}/controller.gz")["Body"].read()
    assert b"INFO Step succeeded with exitCode 0" in gzip.decompress(log)
    assert f"logs/{cluster_id}/steps/{ran['Id']}/syslog.gz" in keys(s3)


def test_what_a_step_wrote_is_there_for_the_next_and_what_it_removed_is_gone(emr, s3):
    upload(s3, old__a="x")
    remove = bash('rm "$FLOWSPEC_S3_ROOT/acme/old/a"; echo "$1 $2"; true # s3')
    remove["HadoopJarStep"]["Args"] += ["-", "path=s3a://acme/old"]
    write = bash('mkdir -p "$FLOWSPEC_S3_ROOT/acme/new" && echo hello > "$FLOWSPEC_S3_ROOT/acme/new/b"')
    cluster_id = emr.until_ended(emr.run(remove, write))
    assert emr.step_states(cluster_id) == ["COMPLETED", "COMPLETED"]
    assert keys(s3) == ["new/b"]


def test_scripts_of_steps_and_bootstrap_actions_come_from_there(emr, s3):
    upload(s3, s__boot="echo booted $1 > /dev/stderr", s__step="echo stepped; aws=$AWS_ENDPOINT_URL_S3; echo $aws")
    step = {"Jar": "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar", "Args": ["s3://acme/s/step"]}
    action = {"Name": "boot", "ScriptBootstrapAction": {"Path": "s3://acme/s/boot", "Args": ["x"]}}
    cluster_id = emr.run(
        {"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": step},
        BootstrapActions=[action],
        LogUri="s3://acme/logs",
    )
    assert emr.step_states(emr.until_ended(cluster_id)) == ["COMPLETED"], emr.reason(cluster_id)
    assert (emr.logs(cluster_id) / "stdout").read_text().startswith("stepped\nhttp://127.0.0.1:")
    assert any("/bootstrap-actions/1/stderr.gz" in key for key in keys(s3))


def test_a_script_from_there_is_run_by_the_interpreter_of_its_first_line(emr, s3):
    upload(s3, s__step="#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:])\n")
    step = {"Jar": "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"}
    step["Args"] = ["s3://acme/s/step", "--script", "--"]
    cluster_id = emr.run({"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": step})
    assert emr.step_states(emr.until_ended(cluster_id)) == ["COMPLETED"], emr.reason(cluster_id)
    assert (emr.logs(cluster_id) / "stdout").read_text() == "['--script', '--']\n"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [("s3://acme/absent", "Input path does not exist: s3://acme/absent"), ("s3://nobody/in", "s3://nobody/in")],
)
def test_an_input_that_is_not_there_fails_the_step_in_hadoops_words(emr, uri, reason):
    step = program("hadoop-streaming", "-mapper", "cat", "-input", uri, "-output", "s3://acme/out")
    cluster_id = emr.until_ended(emr.run(step))
    failure = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert failure["Reason"] == "Input path does not exist."
    assert reason in failure["Message"]
    assert f"INFO There is nothing at {uri}" in (emr.logs(cluster_id) / "controller").read_text()


def test_an_output_that_is_there_already_is_refused(emr, s3):
    upload(s3, **{"in": "a\n"}, out__old="x")
    step = program("hadoop-streaming", "-mapper", "cat", "-input", "s3://acme/in", "-output", "s3://acme/out")
    cluster_id = emr.until_ended(emr.run(step))
    assert emr.steps(cluster_id)[0]["Status"]["FailureDetails"]["Reason"] == "Output directory already exists."
    assert keys(s3) == ["in", "out/old"]


def test_a_job_runs_again_when_its_output_was_deleted_there(emr, s3):
    upload(s3, **{"in": "a\n"})
    step = program("hadoop-streaming", "-mapper", "cat", "-input", "s3://acme/in", "-output", "s3://acme/out/")
    cluster_id = emr.run(step, keep_alive=True)
    emr.until_steps(cluster_id, "COMPLETED")
    for key in ("out/part-00000", "out/_SUCCESS"):
        s3.delete_object(Bucket="acme", Key=key)
    emr.add(cluster_id, step)
    emr.until_steps(cluster_id, "COMPLETED", "COMPLETED")
    assert keys(s3) == ["in", "out/_SUCCESS", "out/part-00000"]


def test_an_output_bucket_that_is_not_there_fails_the_step(emr, s3):
    upload(s3, **{"in": "a\n"})
    step = program("hadoop-streaming", "-mapper", "cat", "-input", "s3://acme/in", "-output", "s3://nobody/out")
    cluster_id = emr.until_ended(emr.run(step, bash("exit 0"), LogUri="s3://nobody/logs"))
    assert emr.step_states(cluster_id) == ["FAILED", "COMPLETED"]
    failure = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert "The step's outputs could not be uploaded: s3://nobody/out/" in failure["Message"]
    assert "NoSuchBucket" in failure["Message"]
    assert "NoSuchBucket" in (emr.logs(cluster_id) / "controller").read_text()


def test_an_endpoint_that_is_down_fails_the_step_and_not_the_cluster(home, credentials):
    emr = Emr(Service(home, s3_url="http://127.0.0.1:9"))
    try:
        cluster_id = emr.run(bash("true # s3://acme/x"), keep_alive=True, LogUri="s3://acme/logs")
        emr.until_steps(cluster_id, "FAILED")
        failure = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
        assert "The step's inputs could not be downloaded: s3://acme/x" in failure["Message"]
        assert failure["Message"].endswith("; check the URL given by --s3, and the bucket")
        emr.until(cluster_id, "WAITING")
    finally:
        emr.end_all()


def test_a_cancelled_step_ends_at_once_and_what_it_wrote_is_put(emr, s3):
    write = 'mkdir "$FLOWSPEC_S3_ROOT/acme"; echo x > "$FLOWSPEC_S3_ROOT/acme/x"; echo "$$" > pid; exec sleep 600'
    cluster_id = emr.run(bash(write), keep_alive=True)
    emr.until_file(emr.logs(cluster_id).parent / "work/pid")
    emr.call("CancelSteps", ClusterId=cluster_id, StepIds=[emr.steps(cluster_id)[0]["Id"]])
    emr.until_steps(cluster_id, "CANCELLED")
    assert keys(s3) == ["x"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the reaper ends what a killed worker left")
def test_a_step_ends_with_its_worker(emr):
    cluster_id = emr.run(bash('echo "$$" > pid; exec sleep 600'))
    pid = int(emr.until_file(emr.logs(cluster_id).parent / "work/pid"))
    worker = int((emr.home / "clusters" / cluster_id / "worker.log").read_text().split("pid ")[1].split()[0])
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: processes.identity(pid) is None, lambda: f"{pid} lives")


def test_a_program_that_is_not_there_is_the_steps_failure(emr):
    cluster_id = emr.until_ended(emr.run(program("/no/such/program")))
    assert "The step could not be started" in emr.steps(cluster_id)[0]["Status"]["FailureDetails"]["Message"]


def test_nothing_travels_twice(faulty_s3, s3, tmp_path):
    way = faulty_s3(None)
    mirror = TreeSync(tmp_path / "tree", way.url, "us-east-1")

    def fetched():
        """The objects that were read since it was asked last."""
        seen, way.seen[:] = list(way.seen), []
        return [request.partition("?")[0] for request in seen if request.startswith("GET /acme/")]

    upload(s3, d__a="1", d__b="2")
    assert mirror.pull(["s3://acme/d/", "s3://acme/none"]) == ["s3://acme/none"]
    assert sorted(fetched()) == ["GET /acme/d/a", "GET /acme/d/b"]
    mirror.pull(["s3://acme/d"])
    mirror.push()
    assert fetched() == []
    upload(s3, d__b="3")
    s3.delete_object(Bucket="acme", Key="d/a")
    mirror.pull(["s3://acme/d"])
    assert fetched() == ["GET /acme/d/b"]
    assert sorted(path.name for path in (tmp_path / "tree/acme/d").iterdir()) == ["b"]


def test_what_could_not_be_put_is_never_deleted_there(mirror, s3, tmp_path):
    mine = tmp_path / "tree/acme/k"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    s3.delete_bucket(Bucket="acme")
    with pytest.raises(FlowspecError, match="NoSuchBucket"):
        mirror.push()
    s3.create_bucket(Bucket="acme")
    upload(s3, k="a client's")
    mine.unlink()
    mirror.push()
    assert text(s3, "k") == "a client's"


def test_what_is_in_a_folder_that_can_not_be_read_is_not_deleted_there(mirror, s3, moto, tmp_path):
    upload(s3, d__a="1")
    mirror.pull(["s3://acme/d"])
    (tmp_path / "tree/acme/d").chmod(0)
    push = f"TreeSync(Path({str(tmp_path / 'tree')!r}), {moto!r}, 'us-east-1').push()"
    code = f"from pathlib import Path\nfrom flowspec.emulator.worker.s3_sync import TreeSync\n{push}"
    done = subprocess.run(
        [*without_roots_rights(), sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"Permission denied: '{tmp_path}/tree/acme/d'" in done.stderr
    assert keys(s3) == ["d/a"]


def test_files_of_killed_downloads_are_removed(mirror, s3, tmp_path):
    upload(s3, here="1")
    (tmp_path / "tree.incoming").mkdir()
    (tmp_path / "tree.incoming" / "tmpkilled").write_text("half")
    mirror.pull(["s3://acme/here"])
    assert not [*(tmp_path / "tree.incoming").iterdir()]


def test_large_files_travel_in_parts(mirror, s3, tmp_path):
    s3.put_object(Bucket="acme", Key="in", Body=bytes(range(256)) * (20 << 12))
    mirror.pull(["s3://acme/in"])
    (tmp_path / "tree/acme/in").rename(tmp_path / "tree/acme/out")
    mirror.push()
    copy = s3.get_object(Bucket="acme", Key="out")
    assert copy["ETag"].strip('"').endswith("-3")
    assert copy["Body"].read() == bytes(range(256)) * (20 << 12)
    assert keys(s3) == ["out"]


def test_what_is_unfinished_or_of_the_local_file_system_stays_here(mirror, s3, tmp_path):
    folder = tmp_path / "tree/acme/out"
    (folder / "_temporary/0").mkdir(parents=True)
    for name in ("_temporary/0/part-0", ".part-0.crc", "part-0", "_SUCCESS"):
        (folder / name).write_text("")
    mirror.push()
    assert keys(s3) == ["out/_SUCCESS", "out/part-0"]


@pytest.mark.parametrize("key", ["a/../../escape", "a//b", "./a", "a" * 256])
def test_a_key_that_can_be_no_file_here_is_refused(mirror, s3, tmp_path, key):
    s3.put_object(Bucket="acme", Key=key, Body=b"")
    with pytest.raises(FlowspecError, match="can't be stored as a file on this machine"):
        mirror.pull(["s3://acme/"])
    assert not (tmp_path / "escape").exists()


def test_a_file_whose_name_can_be_no_key_is_told(mirror, tmp_path):
    (tmp_path / "tree/acme").mkdir(parents=True)
    (tmp_path / "tree/acme" / os.fsdecode(b"caf\xe9")).write_text("x")
    with pytest.raises(FlowspecError, match=r"acme/caf\\udce9' can't be an object of S3: its name is not UTF-8"):
        mirror.push()
    mirror.push()


def test_objects_below_an_object_are_told_apart_or_refused(mirror, s3):
    upload(s3, **{"k": "1", "k/x": "2"})
    with pytest.raises(FlowspecError, match="another object's key is its folder"):
        mirror.pull(["s3://acme/"])


def test_a_bucket_and_a_folder_marker_exist_as_directories(mirror, s3, tmp_path):
    assert mirror.pull(["s3://acme/", "s3://acme/out"]) == ["s3://acme/out"]
    assert (tmp_path / "tree/acme").is_dir()
    assert not (tmp_path / "tree/acme/out").exists()
    s3.put_object(Bucket="acme", Key="out/", Body=b"")
    assert mirror.pull(["s3://acme/out"]) == []
    assert (tmp_path / "tree/acme/out").is_dir()
    s3.delete_object(Bucket="acme", Key="out/")
    assert mirror.pull(["s3://acme/out", "s3://nobody/"]) == ["s3://acme/out", "s3://nobody/"]
    assert not (tmp_path / "tree/acme/out").exists()


def test_a_note_that_tells_of_both_sides_is_kept(mirror, s3, tmp_path):
    upload(s3, a="12345")
    mirror.pull(["s3://acme/a"])
    noted = json.loads((tmp_path / "tree.json").read_text())
    assert noted["acme/a"][0] == noted["acme/a"][2] == 5


@pytest.mark.parametrize(
    ("argument", "uris"),
    [
        ("s3://b/k", ["s3://b/k"]),
        ("--conf=s3n://b/k", ["s3n://b/k"]),
        ("a,s3://b/k#name,s3a://c/{x,y}/z", ["s3://b/k", "s3a://c/{x,y}/z"]),
        ('{"path": "s3://b/a file"}', ["s3://b/a file"]),
        ("s3://b//k/./x/", ["s3://b/k/x"]),
        ("s3://b/x && cd ../../..", []),
        ("hdfs:///s3", []),
    ],
)
def test_uris_are_found_in_arguments(argument, uris):
    assert list(uris_in(argument)) == uris
