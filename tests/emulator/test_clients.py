"""Clients as people have them, against `flowspec emulator`: boto3, the AWS CLI, Airflow's EmrHook, flowspec itself."""

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from flowspec.emulator.api.service import Service
from tests.emulator.conftest import Emr, bash, emulator, request

QUICK = {"Delay": 0.2, "MaxAttempts": 100}
# Read here, since the tests run without the variables that begin with FLOWSPEC_.
AIRFLOW = os.environ.get("FLOWSPEC_TEST_AIRFLOW")


@pytest.fixture
def url(home, credentials):
    with emulator(home) as where:
        yield where
        Emr(Service(home)).end_all()


@pytest.fixture
def emr(url):
    return boto3.client("emr", region_name="us-east-1", endpoint_url=url)


# -- boto3


def test_boto3_and_its_waiters(emr):
    made = emr.run_job_flow(**request(bash("exit 0", name="first"), keep_alive=True))
    cluster = {"ClusterId": made["JobFlowId"]}
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert made["ResponseMetadata"]["RequestId"]
    emr.get_waiter("cluster_running").wait(**cluster, WaiterConfig=QUICK)
    added = emr.add_job_flow_steps(JobFlowId=made["JobFlowId"], Steps=[bash("exit 0"), bash("exit 3")])["StepIds"]
    emr.get_waiter("step_complete").wait(**cluster, StepId=added[0], WaiterConfig=QUICK)
    with pytest.raises(WaiterError, match="terminal failure state"):
        emr.get_waiter("step_complete").wait(**cluster, StepId=added[1], WaiterConfig=QUICK)
    pages = emr.get_paginator("list_steps").paginate(**cluster, StepStates=["COMPLETED"])
    assert [step["Name"] for page in pages for step in page["Steps"]] == ["first", "a step"]
    emr.terminate_job_flows(JobFlowIds=[made["JobFlowId"]])
    emr.get_waiter("cluster_terminated").wait(**cluster, WaiterConfig=QUICK)


def test_the_region_is_that_of_the_signature(emr, url):
    made = emr.run_job_flow(**request(keep_alive=True))
    assert made["ClusterArn"].startswith("arn:aws:elasticmapreduce:us-east-1:")
    elsewhere = boto3.client("emr", region_name="cn-north-1", endpoint_url=url)
    assert elsewhere.list_clusters()["Clusters"] == []
    with pytest.raises(ClientError, match=r"InvalidRequestException.*is not valid"):
        elsewhere.describe_cluster(ClusterId=made["JobFlowId"])


def test_what_the_client_does_not_check_the_endpoint_does(url):
    emr = boto3.client("emr", region_name="us-east-1", endpoint_url=url, config=Config(parameter_validation=False))
    with pytest.raises(ClientError, match="Value null at 'name' failed to satisfy constraint: Member must not be null"):
        emr.run_job_flow(Instances={})
    wrong = {"InstanceRole": "BOSS", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    with pytest.raises(ClientError, match=r"'BOSS' at 'instances\.instanceGroups\.1\.member\.instanceRole'"):
        emr.run_job_flow(**request(groups=[wrong]))


# -- the AWS CLI


@pytest.fixture
def aws(url, monkeypatch, capsys):
    """Runs the AWS CLI in this process: each of the 13 commands would take 0.7 s to import it."""
    from awscli import clidriver

    # The CLI sets it when it is first imported, which may have been in another test.
    monkeypatch.setenv("AWS_DATA_PATH", str(Path(clidriver.__file__).with_name("data")))
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_PAGER", "")
    # `aws emr wait` looks again after 30 s.
    monkeypatch.setattr("botocore.waiter.time", SimpleNamespace(sleep=lambda _: time.sleep(QUICK["Delay"])))

    def run(*args):
        code = clidriver.create_clidriver().main(["emr", *args])
        answer = capsys.readouterr()
        assert code == 0, answer.err
        return json.loads(answer.out) if answer.out.strip() else None

    return run


def test_the_aws_cli_takes_a_cluster_through_its_life(aws):
    cluster_id = aws(
        *("create-cluster", "--name", "from the cli", "--release-label", "emr-7.5.0", "--instance-type", "m5.xlarge"),
        *("--instance-count", "3", "--applications", "Name=Spark", "--tags", "team=search", "--use-default-roles"),
        *("--steps", "Type=CUSTOM_JAR,Name=hi,Jar=command-runner.jar,Args=[echo,hi]", "--no-auto-terminate"),
    )["ClusterId"]
    aws("wait", "cluster-running", "--cluster-id", cluster_id)
    added = aws(
        *("add-steps", "--cluster-id", cluster_id, "--steps"),
        "Type=CUSTOM_JAR,Name=two,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[bash,-c,exit 0]",
    )["StepIds"]
    aws("wait", "step-complete", "--cluster-id", cluster_id, "--step-id", added[0])
    assert [step["Name"] for step in aws("list-steps", "--cluster-id", cluster_id)["Steps"]] == ["two", "hi"]
    aws("add-tags", "--resource-id", cluster_id, "--tags", "env=dev")
    aws("modify-cluster-attributes", "--cluster-id", cluster_id, "--termination-protected")
    cluster = aws("describe-cluster", "--cluster-id", cluster_id)["Cluster"]
    assert cluster["TerminationProtected"] is True
    assert {tag["Key"]: tag["Value"] for tag in cluster["Tags"]} == {"team": "search", "env": "dev"}
    assert [group["RequestedInstanceCount"] for group in cluster["InstanceGroups"]] == [1, 2]
    aws("modify-cluster-attributes", "--cluster-id", cluster_id, "--no-termination-protected")
    assert [one["Id"] for one in aws("list-clusters", "--active")["Clusters"]] == [cluster_id]
    aws("terminate-clusters", "--cluster-ids", cluster_id)
    aws("wait", "cluster-terminated", "--cluster-id", cluster_id)


# -- Airflow

WITH_AIRFLOWS_HOOK = """
import json, sys
from airflow.providers.amazon.aws.hooks.emr import EmrHook

job_flow, step, quick = json.load(sys.stdin)
hook = EmrHook(aws_conn_id="aws_default", emr_conn_id=None)
cluster_id = hook.create_job_flow(job_flow)["JobFlowId"]
hook.add_job_flow_steps(cluster_id, steps=[step], wait_for_completion=True, waiter_delay=1, waiter_max_attempts=30)
hook.conn.terminate_job_flows(JobFlowIds=[cluster_id])
hook.get_waiter("job_flow_terminated").wait(ClusterId=cluster_id, WaiterConfig=quick)
print("ended", cluster_id)
"""


@pytest.fixture
def python_with_airflow():
    """The Python of a virtual environment that has Airflow; it is made if it isn't there."""
    if not AIRFLOW:
        pytest.skip("Airflow is a large installation: FLOWSPEC_TEST_AIRFLOW=FOLDER makes a virtual environment for it")
    python = Path(AIRFLOW).absolute() / "bin" / "python"
    if not python.exists():
        venv.create(AIRFLOW, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "apache-airflow-providers-amazon"], check=True)
    return python


def test_airflows_hook(url, python_with_airflow, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    connection = {"conn_type": "aws", "extra": {"region_name": "us-east-1", "endpoint_url": url}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    done = subprocess.run(
        [python_with_airflow, "-c", WITH_AIRFLOWS_HOOK],
        input=json.dumps([request(keep_alive=True), bash("exit 0"), QUICK]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("ended j-")


# -- flowspec


def test_flowspec_applies_a_spec_to_the_endpoint_as_to_aws(home, moto, s3, tmp_path, monkeypatch):
    s3.put_object(Bucket="acme", Key="in/a", Body=b"b\na\nb\n")
    (tmp_path / "map.sh").write_text("#!/bin/sh\nsed 's/$/ was mapped/'\n")
    spec = tmp_path / "job.yaml"
    spec.write_text(
        "flowspec: v1\nname: here\nservice_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nrelease_label: emr-7.5.0\nregion: us-east-1\nstaging: s3://acme/staged/\n"
        "log_uri: s3://acme/logs/\ninstance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
        "steps: [{name: s, type: streaming, mapper: map.sh, input: s3://acme/in/, output: s3://acme/out/}]\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    with emulator(home, "--s3", moto) as url:
        command = [sys.executable, "-m", "flowspec", "apply", str(spec), "--endpoint-url", url, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        Emr(Service(home)).end_all()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "succeeded"
    assert s3.get_object(Bucket="acme", Key="out/part-00000")["Body"].read().count(b" was mapped") == 3
