"""The outcome of a run alone decides the exit code: logs that can't be read are a note."""

import json

import pytest

from flowspec.emulator.api.service import Service
from tests.emulator.conftest import Emr, emulator
from tests.endpoints import make_account

FAULTS = ["refused", (403, "AccessDenied"), (405, "MethodNotAllowed"), (500, "InternalError"), "cut"]


@pytest.fixture
def endpoint(own_home, moto, s3):
    """`flowspec emulator`, whose clusters have their s3:// at moto, and its clusters."""
    with emulator(own_home, "--s3", moto) as url:
        clusters = Emr(Service(own_home))
        yield url, clusters
        clusters.end_all()


@pytest.fixture
def ended(flowspec, endpoint, tmp_path):
    """Runs a step on the endpoint to its end; gives what waits for the cluster."""
    url, clusters = endpoint

    def run(script):
        spec = tmp_path / "job.yaml"
        words = json.dumps(["bash", "-c", script])
        spec.write_text(
            "flowspec: v1\nname: there\nbackend: emr\nrelease_label: emr-7.5.0\nregion: us-east-1\n"
            "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
            "log_uri: s3://acme/logs/\nkeep_alive: false\n"
            "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
            f"steps: [{{name: s, type: command, on_failure: TERMINATE_CLUSTER, args: {words}}}]\n"
        )
        done = flowspec("apply", spec, "--endpoint-url", url, "--detach")
        assert done.code == 0, done.err
        cluster_id = clusters.until_ended(done.out.strip())
        return lambda *more: flowspec("wait", cluster_id, "--region", "us-east-1", "--endpoint-url", url, *more)

    return run


def test_a_run_that_succeeded(ended, faulty_s3):
    wait = ended("echo done")
    faulty_s3(None)
    fine = wait()
    assert (fine.code, "note:" in fine.err) == (0, False)
    for fault in FAULTS:
        faulty_s3(fault)
        done = wait()
        assert (done.code, done.out) == (0, fine.out), fault
        assert "note: the steps' counters could not be read: GetObject: " in done.err, fault
        assert "s3://acme/logs/" in done.err, fault
        listed = wait("--format", "json")
        assert (listed.code, json.loads(listed.out)["outcome"]) == (0, "succeeded"), fault


def test_a_run_that_failed(ended, faulty_s3):
    wait = ended("echo no such thing >&2; exit 3")
    faulty_s3(None)
    fine = wait()
    assert fine.code == 4
    assert "    | no such thing\n" in fine.err
    for fault in FAULTS:
        faulty_s3(fault)
        done = wait()
        assert (done.code, done.out) == (4, fine.out), fault
        assert "step 's'" in done.err, fault
        assert "they could not be read: GetObject: " in done.err, fault
        listed = wait("--format", "json")
        assert listed.code == 4
        assert json.loads(listed.out)["diagnosis"]["unread"].startswith("GetObject: "), fault


def test_an_endpoint_that_has_no_s3(ended):
    # The emulator's own endpoint is asked for the logs, since AWS_ENDPOINT_URL_S3 is not set.
    done = ended("echo done")()
    assert done.code == 0
    assert "the endpoint is not an S3: set AWS_ENDPOINT_URL_S3" in done.err


def test_logs_that_cannot_be_read_are_what_logs_fails_for(flowspec, ended, faulty_s3, endpoint):
    ended("echo done")
    faulty_s3("refused")
    url, clusters = endpoint
    (cluster,) = clusters.call("ListClusters")["Clusters"]
    refused = flowspec("logs", cluster["Id"], "--region", "us-east-1", "--endpoint-url", url)
    assert refused.code == 1
    assert refused.err.startswith("error: GetObject: EndpointConnectionError: s3://acme/logs/")
    assert refused.err.endswith("  check the network, the region, and AWS_ENDPOINT_URL_S3 if it is set\n")


def test_apply_with_an_s3_out_of_reach(flowspec, wordcount, moto, faulty_s3):
    make_account(moto)
    faulty_s3("refused")
    refused = flowspec("apply", wordcount / "job.yaml", "--target", "prod", "--endpoint-url", moto, "--detach")
    assert refused.code == 1
    assert "error: HeadObject: EndpointConnectionError: s3://acme-artifacts/flowspec/" in refused.err
