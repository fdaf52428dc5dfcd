"""The home of a test ends with all that runs in it."""

import os
import subprocess
import sys
import tempfile

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state.store import Store
from flowspec.emulator.temporary import temporary_home
from tests.emulator.test_worker import gone, gone_now
from tests.waiting import wait_until

INSTANCES = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
REQUEST = {
    "Name": "x",
    "ReleaseLabel": "emr-7.5.0",
    "ServiceRole": "EMR_DefaultRole",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "Steps": [{"Name": "one", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["sleep", "300"]}}],
}


@pytest.mark.parametrize(
    ("region", "faults"), [("eu-west-1", ""), ("us-east-1", "lost-answer@SetTerminationProtection=1")]
)
def test_clusters_of_any_region_and_with_faults_are_ended(tmp_path, monkeypatch, region, faults):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_home(keep=lambda: True) as home:
        tags = [{"Key": "flowspec:inject", "Value": faults}]
        request = {**REQUEST, "Instances": {**INSTANCES, "TerminationProtected": True}, "Tags": tags}
        made = Service(home, region=region).call("RunJobFlow", request)
    with Store(home) as store:
        cluster = store.get("cluster", made["JobFlowId"])
    assert (cluster.state, cluster.doc["reason"]["Code"]) == ("TERMINATED", "USER_REQUEST")


STARTING = """\
import sys, time, boto3
from flowspec.testing import emr
with emr() as embedded:
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "echo $$ > " + sys.argv[1] + "; sleep 300"]}
    boto3.client("emr").run_job_flow(
        Name="x", ReleaseLabel="emr-7.5.0", ServiceRole="a", JobFlowRole="b", Instances=instances,
        Steps=[{"Name": "one", "HadoopJarStep": jar}],
    )
    time.sleep(300)
"""


def test_what_a_killed_process_left_is_ended_by_the_next(tmp_path, monkeypatch):
    (tmp_path / "homes").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "homes"))
    pid_file = tmp_path / "pid"
    command = [sys.executable, "-c", STARTING, str(pid_file)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path / "homes")}) as process:
        try:
            wait_until(lambda: pid_file.exists() and pid_file.read_text().strip())
            (left,) = (tmp_path / "homes").iterdir()
            os.utime(left / "owner.lock", (0, 0))
            with temporary_home():
                assert left.exists(), "its process lives"
        finally:
            process.kill()
    step = int(pid_file.read_text())
    assert not gone_now(step)
    with temporary_home(keep=lambda: True) as kept:
        assert not left.exists()
    assert gone(step)
    with temporary_home():
        assert kept.exists()


def test_a_broken_home_of_a_killed_process_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "flowspec-left"
    (left / "clusters" / "j-1").mkdir(parents=True)
    (left / "emulator.db").write_text("no database")
    (left / "owner.lock").touch()
    os.utime(left / "owner.lock", (0, 0))
    with temporary_home():
        assert not left.exists()


def test_the_end_of_a_fork_leaves_the_home():
    code = (
        "import os, sys\n"
        "from flowspec.emulator.temporary import temporary_home\n"
        "with temporary_home() as home:\n"
        "    child = os.fork() or sys.exit()\n"
        "    os.waitpid(child, 0)\n"
        "    print(home.exists())\n"
        "print(home.exists())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
