"""`flowspec.testing.emr()`: every EMR client of the process has the embedded EMR, and afterwards has it no more."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.hooks import HierarchicalEmitter
from moto import mock_aws

from flowspec.errors import FlowspecError
from flowspec.testing import emr as embed
from tests.emulator.test_worker import gone
from tests.waiting import wait_until

ROLES = {"JobFlowRole": "EMR_EC2_DefaultRole", "ServiceRole": "EMR_DefaultRole"}
STREAMING = ["hadoop-streaming", "-input", "s3://texts/in/", "-output", "s3://texts/out/", "-mapper", "cat"]


@pytest.fixture
def elsewhere():
    """An EMR client of before the block, whose own endpoint nobody listens on."""
    return client(endpoint_url="http://127.0.0.1:9", region_name="eu-west-1")


def client(**settings):
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    return boto3.client("emr", **{"region_name": "us-east-1", **keys, **settings})


def run(emr, *argv, keep=False):
    step = {"Name": "one", "ActionOnFailure": "TERMINATE_CLUSTER"}
    step["HadoopJarStep"] = {"Jar": "command-runner.jar", "Args": list(argv)}
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": keep}
    answer = emr.run_job_flow(
        Name="nightly", ReleaseLabel="emr-7.5.0", Instances=instances, Steps=[step] if argv else [], **ROLES
    )
    return answer["JobFlowId"]


def wait(emr, cluster_id, *states):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        if state in states:
            return state
        time.sleep(0.05)
    raise AssertionError(state)


def test_steps_really_run():
    with embed() as embedded:
        (embedded.s3 / "texts/in").mkdir(parents=True)
        (embedded.s3 / "texts/in/a.txt").write_text("b\na\n")
        emr = client()
        cluster_id = run(emr, *STREAMING)
        assert wait(emr, cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS") == "TERMINATED"
        assert (embedded.s3 / "texts/out/part-00000").read_text() == "a\t\nb\t\n"
        (step,) = emr.list_steps(ClusterId=cluster_id)["Steps"]
        assert "Counters:" in (embedded.logs(cluster_id, step["Id"]) / "syslog").read_text()
    assert not embedded.home.exists()


def test_clients_of_before_and_after_and_of_any_endpoint(elsewhere):
    with embed():
        cluster_id = run(elsewhere, keep=True)
        assert [one["Id"] for one in client(region_name="eu-west-1").list_clusters()["Clusters"]] == [cluster_id]
        # Another region has other clusters.
        assert client(region_name="us-west-2").list_clusters()["Clusters"] == []
    with pytest.raises(EndpointConnectionError):
        elsewhere.list_clusters()


def test_nothing_is_left_behind(elsewhere):
    before = dict(os.environ), vars(HierarchicalEmitter)["emit"], vars(HierarchicalEmitter)["emit_until_response"]
    with pytest.raises(ZeroDivisionError), embed():
        os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_ACCESS_KEY_ID"][1 // 0]
    after = dict(os.environ), vars(HierarchicalEmitter)["emit"], vars(HierarchicalEmitter)["emit_until_response"]
    assert after == before


def test_credentials_and_region_are_not_needed():
    emr = boto3.client("emr", region_name="us-east-1")  # made without any
    with embed():
        assert emr.list_clusters()["Clusters"] == []
        assert boto3.client("emr").meta.region_name == "us-east-1"


def test_those_of_the_environment_stay(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    with embed():
        assert os.environ["AWS_DEFAULT_REGION"] == "eu-north-1"
        assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert os.environ["AWS_PROFILE"] == "mine"


def test_blocks_may_end_in_any_order():
    first, second = embed(instant=True), embed(instant=True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    try:
        assert boto3.client("emr").list_clusters()["Clusters"] == []
    finally:
        second.__exit__(None, None, None)
    assert "AWS_DEFAULT_REGION" not in os.environ


def test_refusals_are_emrs():
    with embed(), pytest.raises(ClientError, match="Cluster id 'j-NONE' is not valid"):
        client().describe_cluster(ClusterId="j-NONE")


def test_an_inner_block_answers_until_it_ends():
    emr = client()
    with embed():
        outer = run(emr, keep=True)
        with embed(instant=True):
            assert emr.list_clusters()["Clusters"] == []
            run(emr, keep=True)
        assert [one["Id"] for one in emr.list_clusters()["Clusters"]] == [outer]


def test_threads_share_the_block():
    def look(_):
        return [one["Id"] for one in boto3.session.Session().client("emr").list_clusters()["Clusters"]]

    with embed(instant=True), ThreadPoolExecutor() as pool:
        cluster_id = run(client(), keep=True)
        assert list(pool.map(look, range(4))) == [[cluster_id]] * 4


def test_instant_mode_runs_nothing():
    with embed(instant=True):
        emr = client()
        cluster_id = run(emr, "false", keep=True)
        assert emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "WAITING"
        assert emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Status"]["State"] == "COMPLETED"


def test_injected_throttling_is_waited_out_by_botocore():
    with embed(instant=True, inject="throttle@ListClusters=1"), pytest.raises(ClientError, match="ThrottlingException"):
        client().list_clusters()
    with pytest.raises(FlowspecError, match="time scale"), embed(time_scale=0):
        pass


def test_workers_and_steps_end_with_the_block(tmp_path):
    script = tmp_path / "stubborn.sh"
    script.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid\nwhile :; do sleep 0.1; done\n")
    script.chmod(0o755)
    with embed() as embedded:
        emr = client()
        cluster_id = run(emr, str(script))
        emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    assert not embedded.home.exists()
    assert gone(int((tmp_path / "pid").read_text()))


def test_beside_motos_s3():
    """moto mocks EMR, too, and would make a cluster of its own."""
    with mock_aws(), embed(instant=True):
        boto3.client("s3", "us-east-1").create_bucket(Bucket="texts")
        run(client(), keep=True)
        assert [one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]] == ["texts"]
        assert len(client().list_clusters()["Clusters"]) == 1
    with embed(instant=True), mock_aws():
        assert client().list_clusters()["Clusters"] == []
        boto3.client("s3", "us-east-1").create_bucket(Bucket="texts")


def test_motos_emr_is_as_before_after_the_block():
    with mock_aws():
        with embed(instant=True):
            run(client(), keep=True)
        assert client().list_clusters()["Clusters"] == []


def test_steps_on_the_objects_of_motos_server(moto, monkeypatch):
    s3 = boto3.client("s3", "us-east-1", endpoint_url=moto)
    s3.create_bucket(Bucket="texts")
    s3.put_object(Bucket="texts", Key="in/a.txt", Body=b"b\na\n")
    with embed(s3_url=moto):
        emr = client()
        assert wait(emr, run(emr, *STREAMING), "TERMINATED", "TERMINATED_WITH_ERRORS") == "TERMINATED"
    assert s3.get_object(Bucket="texts", Key="out/part-00000")["Body"].read() == b"a\t\nb\t\n"


def test_flowspecs_own_local_runs_keep_their_home(own_home):
    from flowspec.backend.aws.client import Endpoint, connect

    local = connect(Endpoint("local"))
    with embed(instant=True):
        run(client(), keep=True)
        assert list(local.pages("ListClusters", "Clusters")) == []


def test_the_fixture_costs_nobody_anything(tmp_path):
    """pytest loads the plugin at each start: of flowspec it may import nothing but the package and the fixture."""
    code = (
        "import pytest, sys; before = set(sys.modules); import flowspec.testing.fixture; "
        "print(sorted(one for one in set(sys.modules) - before if 'boto' in one or 'flowspec' in one))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['flowspec', 'flowspec.testing', 'flowspec.testing.fixture']"


TEST = """\
import boto3

def test_it(emr):
    client = boto3.client("emr")
    assert client.list_clusters()["Clusters"] == []
    assert emr.s3.is_dir()
"""


def test_the_fixture_of_the_plugin(tmp_path):
    (tmp_path / "test_it.py").write_text(TEST)
    # Registered by its entry point where flowspec is installed, and only there: pytest refuses a plugin given twice.
    installed = entry_points(group="pytest11", name="flowspec")
    plugin = [] if installed else ["-p", "flowspec.testing.fixture"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:xdist", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_awswrangler_is_served():
    awswrangler = pytest.importorskip("awswrangler", reason="large, and not needed: pip install awswrangler")
    with embed() as embedded:
        (embedded.s3 / "texts/in").mkdir(parents=True)
        (embedded.s3 / "texts/in/a.txt").write_text("b\na\n")
        emr = client()
        cluster_id = run(emr, keep=True)
        step_id = awswrangler.emr.submit_step(cluster_id=cluster_id, command=" ".join(STREAMING))
        wait_until(lambda: awswrangler.emr.get_step_state(cluster_id, step_id) not in {"PENDING", "RUNNING"})
        assert awswrangler.emr.get_step_state(cluster_id, step_id) == "COMPLETED"
        awswrangler.emr.terminate_cluster(cluster_id=cluster_id)
        assert (embedded.s3 / "texts/out/part-00000").exists()
