from __future__ import annotations

import gzip
import os
import re
import signal

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import logs
from flowspec.engines.jvm import Spark
from tests.emulator.conftest import Emr, bash
from tests.emulator.test_worker import worker_pid
from tests.waiting import wait_until

NAMES = ["controller", "stderr", "stdout", "syslog"]


def unpacked(path):
    return gzip.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://bucket/some/logs", "home/s3/bucket/some/logs"),
        ("s3n://bucket/some/logs/", "home/s3/bucket/some/logs"),
        ("{tmp}/plain", "plain"),
        ("file://{tmp}/url/", "url"),
    ],
)
def test_logs_are_published_in_emrs_layout(emr, tmp_path, uri, place):
    uri = uri.format(tmp=tmp_path)
    cluster_id = emr.until_ended(emr.run(bash("echo out; echo err >&2; exit 3"), LogUri=uri))
    step = emr.steps(cluster_id)[0]
    folder = tmp_path / place / cluster_id / "steps" / step["Id"]
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.gz" for name in NAMES]
    assert unpacked(folder / "stdout.gz") == "out\n"
    assert unpacked(folder / "stderr.gz") == "err\n"
    assert "with exitCode 3" in unpacked(folder / "controller.gz")
    assert step["Status"]["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "err",
        "LogFile": f"{uri.rstrip('/')}/{cluster_id}/steps/{step['Id']}/stderr.gz",
    }


def test_a_step_may_have_a_log_uri_of_its_own(emr, tmp_path):
    own = {"StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": f"{tmp_path}/own"}}}
    cluster_id = emr.until_ended(emr.run({**bash("true"), **own}, LogUri=f"{tmp_path}/shared"))
    assert (tmp_path / "own" / cluster_id / "steps").is_dir()
    assert not (tmp_path / "shared").exists()


def test_without_a_log_uri_the_live_logs_are_what_there_is(emr):
    cluster_id = emr.until_ended(emr.run(bash("exit 1")))
    folder = emr.logs(cluster_id)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    details = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert details["LogFile"] == str(folder / "stderr")
    assert details["Message"] == "The process ended with exit status 1 and wrote no error"


def test_logs_can_be_followed_while_the_step_runs(emr):
    cluster_id = emr.run(bash("echo started; sleep 300"))
    emr.until_steps(cluster_id, "RUNNING")
    assert emr.until_file(emr.logs(cluster_id) / "stdout") == "started\n"
    assert sorted(path.name for path in emr.logs(cluster_id).iterdir()) == NAMES


def test_logs_that_cannot_be_published_do_not_fail_the_step(emr, tmp_path):
    (tmp_path / "file").write_text("")
    cluster_id = emr.until_ended(emr.run(bash("true"), LogUri=f"{tmp_path}/file/logs"))
    assert emr.step_states(cluster_id) == ["COMPLETED"]
    worker_log = (emr.home / "clusters" / cluster_id / "worker.log").read_text()
    assert "logs were not published at" in worker_log


def test_the_path_of_the_home_need_not_be_utf8(tmp_path):
    emr = Emr(Service(tmp_path / os.fsdecode(b"caf\xe9")))
    cluster_id = emr.until_ended(emr.run(bash("true")))
    emr.end_all()
    assert emr.step_states(cluster_id) == ["COMPLETED"]
    assert b"/caf\xe9/clusters/" in (emr.logs(cluster_id) / "controller").read_bytes()


def test_the_controller_log_is_as_emrs(emr):
    cluster_id = emr.until_ended(emr.run(bash("exit 5"), bash("true")))
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    folder = emr.logs(cluster_id)
    assert re.fullmatch(
        rf"""{stamp} INFO Ensure step jar file command-runner\.jar
INFO startExec 'command-runner\.jar bash -c 'exit 5''
INFO redirectOutput to {folder}/stdout
INFO redirectError to {folder}/stderr
INFO Working dir {folder.parent}/work
{stamp} INFO startRun\(\) called\. Child Pid: \d+
INFO waitProcessCompletion ended with exit code 5 : command-runner\.jar bash -c 'exit 5'
INFO total process run time: \d+ seconds
{stamp} WARN Step failed with exitCode 5 and took \d+ seconds
""",
        (folder / "controller").read_text(),
    )
    assert "INFO Step succeeded with exitCode 0" in (emr.logs(cluster_id, 1) / "controller").read_text()


BASH = {"Jar": "command-runner.jar", "Args": ["bash"]}
CAUSES = {
    "the last cause in the syslog": (
        "2026-11-22 17:00:00,123 WARN Job: x\n"
        "java.lang.Exception: java.lang.RuntimeException: outer\n"
        "\tat a.b.C.d(C.java:1)\n"
        "Caused by: java.lang.RuntimeException: subprocess failed with code 3\n"
        "2026-11-22 17:00:00,125 INFO Job: Job job_local1_0001 failed with state FAILED due to: NA\n"
        "2026-11-22 17:00:00,126 ERROR StreamJob: Job not successful!\n",
        "Traceback\nValueError: x\n",
        ("syslog", "Unknown Error.", "Caused by: java.lang.RuntimeException: subprocess failed with code 3"),
    ),
    "an error line": (
        "2026-11-22 17:00:00,123 ERROR StreamJob: Error Launching job : Output directory s3://b/o already exists\n"
        "2026-11-22 17:00:00,124 INFO StreamJob: bye\n",
        "",
        (
            "syslog",
            "Output directory already exists.",
            "Error Launching job : Output directory s3://b/o already exists",
        ),
    ),
    "an error line of a cluster": (
        "2026-11-22 17:00:00,123 ERROR org.apache.hadoop.streaming.StreamJob (main): Input path does not exist: s3://b/i\n",
        "",
        ("syslog", "Input path does not exist.", "Input path does not exist: s3://b/i"),
    ),
    "nothing telling in the syslog": (
        "2026-11-22 17:00:00,123 INFO Job: x\n2026-11-22 17:00:00,126 ERROR StreamJob: Job not successful!\n",
        "first\ncat: write error: No space left on device\n\n",
        ("stderr", "No space left on device.", "cat: write error: No space left on device"),
    ),
    "a usage error": (
        "-inputformat : class not found : x\nTry -help for more information\nStreaming Command Failed!\n",
        "-inputformat : class not found : x\nTry -help for more information\nStreaming Command Failed!\n",
        ("stderr", "Unknown Error.", "-inputformat : class not found : x"),
    ),
    "no log at all": (
        "",
        "",
        ("stderr", "Unknown Error.", "The process ended with exit status 9 and wrote no error"),
    ),
    "a log of many megabytes": (
        "",
        "x" * 3_000_000 + "\nthe end\n",
        ("stderr", "Unknown Error.", "the end"),
    ),
}


@pytest.mark.parametrize(("syslog", "stderr", "cause"), CAUSES.values(), ids=CAUSES.keys())
def test_the_cause_is_cut_from_the_logs(tmp_path, syslog, stderr, cause):
    cluster = Record("cluster", "j-1", "j-1", "us-east-1", "RUNNING", 1.0, {"request": {"LogUri": "s3://l/"}})
    step = Record("step", "s-1", "j-1", "us-east-1", "RUNNING", 1.0, {"log_uri": None, "jar": BASH})
    folder = tmp_path / "clusters" / "j-1" / "steps" / "s-1" / "logs"
    folder.mkdir(parents=True)
    (folder / "syslog").write_text(syslog)
    (folder / "stderr").write_text(stderr)
    name, reason, message = cause
    assert logs.failure_details(tmp_path, cluster, step, 9) == {
        "Reason": reason,
        "Message": message,
        "LogFile": f"s3://l/j-1/steps/s-1/{name}.gz",
    }


SPARK = {"Jar": "command-runner.jar", "Args": ["spark-submit", "x.py"]}
HADOOP = {"Jar": "command-runner.jar", "Args": ["hadoop", "fs", "-ls"]}
JAVA_TRACE = 'Exception in thread "main" java.lang.IllegalStateException: no day\n\tat a.B.main(B.java:1)\n'
LAST_WORDS = {
    "python in spark": (
        SPARK,
        {
            "syslog": "2026-11-22 17:00:00,123 WARN a.b (main): handled\njava.io.IOException: handled\n\tat a.b\n",
            "stdout": "Traceback (most recent call last):\n  File x\nValueError: no day\n",
            "stderr": "flowspec: without effect on this machine: --queue q\n",
        },
        ("stdout", "ValueError: no day"),
    ),
    "java in spark": (SPARK, {"stderr": JAVA_TRACE}, ("stderr", JAVA_TRACE.splitlines()[0])),
    "a task in spark": (
        SPARK,
        {
            "stdout": "py4j.protocol.Py4JJavaError: An error occurred while calling o42.save.\n"
            ": org.apache.spark.SparkException: Job aborted.\n\tat a.b.C\n"
            "Caused by: java.lang.ArithmeticException: / by zero\n\tat a.b.D\nCaused by: java.io.IOException\n",
        },
        ("stdout", "Caused by: java.lang.ArithmeticException: / by zero"),
    ),
    "spark without a word": (
        SPARK,
        {"stderr": "WARNING: Using incubator modules: jdk.incubator.vector\n"},
        ("stderr", "The process ended with exit status 9 and wrote no error"),
    ),
    "a job that hadoop's client refuses": (
        HADOOP,
        {"syslog": "2026-11-22 17:00:00,123 INFO a.b (main): x\n", "stderr": JAVA_TRACE},
        ("stderr", JAVA_TRACE.splitlines()[0]),
    ),
}


@pytest.mark.parametrize(("jar", "written", "cause"), LAST_WORDS.values(), ids=LAST_WORDS.keys())
def test_what_a_java_program_dies_of(tmp_path, monkeypatch, jar, written, cause):
    monkeypatch.setattr("flowspec.engines.jvm.find_spark", lambda: Spark(tmp_path))
    monkeypatch.setattr("flowspec.engines.jvm.find_java", lambda: "java")
    cluster = Record("cluster", "j-1", "j-1", "us-east-1", "RUNNING", 1.0, {"request": {}})
    step = Record("step", "s-1", "j-1", "us-east-1", "RUNNING", 1.0, {"log_uri": None, "jar": jar})
    folder = tmp_path / "clusters" / "j-1" / "steps" / "s-1" / "logs"
    folder.mkdir(parents=True)
    for name, text in written.items():
        (folder / name).write_text(text)
    failure = logs.failure_details(tmp_path, cluster, step, 9)
    assert (failure["LogFile"], failure["Message"]) == (str(folder / cause[0]), cause[1])


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    endless, log, published = tmp_path / "endless", tmp_path / "log", tmp_path / "published"
    os.mkfifo(endless)
    log.write_text("text")
    published.mkdir()
    writer = os.fork()
    if not writer:
        logs._compress(endless, published / "stdout.gz")
        os._exit(0)
    with endless.open("w"):
        wait_until(lambda: [*published.iterdir()])
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    logs._compress(log, published / "stdout.gz")
    assert [one.name for one in published.iterdir()] == ["stdout.gz"]


def test_the_logs_of_a_step_are_there_when_a_terminated_worker_has_ended_its_cluster(emr, home):
    script = "head -c 30000000 /dev/urandom; touch written; sleep 600"
    cluster_id = emr.run(bash(script), LogUri="s3://bucket/logs")
    emr.until(cluster_id, "RUNNING")
    (step,) = emr.steps(cluster_id)
    wait_until((paths.step_folder(home, cluster_id, step["Id"]) / "work" / "written").exists)
    os.kill(worker_pid(emr, cluster_id), signal.SIGTERM)
    emr.until(cluster_id, "TERMINATED_WITH_ERRORS")
    assert (home / "s3" / "bucket" / "logs" / cluster_id / "steps" / step["Id"] / "stdout.gz").exists()
