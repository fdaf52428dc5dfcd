"""The same spec on an EMR endpoint: moto's server stands for AWS and witnesses what is sent."""

import json
import re
import shlex
from hashlib import sha256

import boto3
import pytest

from flowspec.facts.api_model import problems
from tests.endpoints import make_account


@pytest.fixture
def aws(moto):
    """boto3 clients of our own for the endpoint, and the bucket that the example stages to."""
    options = {"region_name": "us-east-1", "endpoint_url": moto}
    make_account(moto)
    s3 = boto3.client("s3", **options)
    yield boto3.client("emr", **options), s3
    s3.close()


def staged(s3):
    return {found["Key"]: found for found in s3.list_objects_v2(Bucket="acme-artifacts").get("Contents", ())}


def test_one_submission(prod, aws, wordcount):
    emr, s3 = aws
    done = prod("apply", "--detach", "--date", "2026-11-22")
    assert done.code == 0, done.err
    cluster_id = done.out.strip()

    keys = {
        f"flowspec/{sha256((wordcount / name).read_bytes()).hexdigest()}/{name}" for name in ("mapper.py", "reducer.py")
    }
    assert set(staged(s3)) == keys

    (cluster,) = emr.list_clusters()["Clusters"]
    assert cluster["Id"] == cluster_id
    (step,) = emr.list_steps(ClusterId=cluster_id)["Steps"]
    args = step["Config"]["Args"]
    assert args[:3] == ["hadoop-streaming", "-D", "mapreduce.job.reduces=2"]
    assert set(args[args.index("-files") + 1].split(",")) == {f"s3://acme-artifacts/{key}" for key in keys}
    assert args[args.index("-output") + 1] == "s3://acme-texts/counts/2026-11-22/"
    tags = {tag["Key"]: tag["Value"] for tag in emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Tags"]}
    assert {
        "team",
        "flowspec:flow",
        "flowspec:target",
        "flowspec:digest",
        "flowspec:submission",
        "flowspec:source",
        "flowspec:managed",
        "flowspec:steps",
    } == set(tags)
    assert (tags["flowspec:flow"], tags["flowspec:target"]) == ("wordcount", "prod")


def test_the_commands_of_advice_work_when_they_are_copied(flowspec, aws, moto, tmp_path):
    spec = tmp_path / "a job.yaml"
    spec.write_text(
        "flowspec: v1\nname: nightly\nrelease_label: emr-7.5.0\nkeep_alive: true\n"
        "targets: {here: {default: true, backend: local}, prod: {service_role: EMR_DefaultRole}}\n"
        "job_flow_role: EMR_EC2_DefaultRole\nvariables: {day: {}, key: {sensitive: true, default: hunter2hunter2}}\n"
        "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
        "steps: [{type: command, name: one, args: [echo, '{{ day }}', '{{ key }}']}]\n"
    )
    at_moto = ("--target", "prod", "--endpoint-url", moto, "--region", "us-east-1", "--var", "key=hunter2hunter2")

    def advised(done, verb):
        assert "hunter2" not in done.err + done.out
        return shlex.split(re.search(rf"flowspec ({verb} [^`)]+)", done.err + done.out)[1])

    before = flowspec("status", spec, *at_moto, "--var", "day=2026 11 30")
    started = flowspec(*advised(before, "apply"), "--detach")
    assert started.code == 0, started.err
    spec.write_text(spec.read_text().replace("emr-7.5.0", "emr-7.4.0"))
    refused = flowspec("apply", spec, *at_moto, "--var", "day=2026 11 30")
    assert (refused.code, "made from another request" in refused.err) == (1, True)
    ended = flowspec(*advised(refused, "destroy"))
    assert ended.out.startswith(f"cluster {started.out.strip()}: TERMINATED\n")


def test_a_second_apply_submits_nothing(prod, aws):
    emr, s3 = aws
    first = prod("apply", "--detach").out
    before = staged(s3)
    second = prod("apply", "--detach")
    assert (second.code, second.out) == (0, first)
    assert "nothing to do" in second.err
    assert len(emr.list_clusters()["Clusters"]) == 1
    assert staged(s3) == before, "nothing was uploaded again, either"


def test_files_are_uploaded_once_for_all_runs(prod, aws):
    emr, s3 = aws
    prod("apply", "--detach")
    before = staged(s3)
    emr.terminate_job_flows(JobFlowIds=[emr.list_clusters()["Clusters"][0]["Id"]])
    again = prod("apply", "--detach")
    assert again.err.count("already there: s3://acme-artifacts/") == 2
    assert {key: one["LastModified"] for key, one in staged(s3).items()} == {
        k: o["LastModified"] for k, o in before.items()
    }


def test_a_changed_script_is_a_changed_request(prod, aws, wordcount):
    prod("apply", "--detach")
    with (wordcount / "mapper.py").open("a") as script:
        script.write("# changed\n")
    refused = prod("apply", "--detach")
    assert refused.code == 1
    assert "made from another request" in refused.err


def test_the_request_is_one_that_botocore_accepts(prod):
    planned = prod("plan", "--format", "json")
    (call,) = json.loads(planned.out)["calls"]
    assert call["operation"] == "RunJobFlow"
    assert problems(call["params"]) == []


def test_plan_says_what_would_be_uploaded_and_changes_nothing(prod, aws):
    emr, s3 = aws
    planned = prod("plan", "--exit-code")
    assert planned.code == 3
    assert planned.out.splitlines()[-1] == "Plan: 3 to create, 1 step to submit, 2 files to upload."
    assert staged(s3) == {}
    assert emr.list_clusters()["Clusters"] == []


def test_status_and_destroy_find_it_by_its_spec(prod, aws):
    cluster_id = prod("apply", "--detach").out.strip()
    assert cluster_id in prod("status").out
    assert "\ncost: " in prod("status", "--cost").out
    assert "instance_hours" in json.loads(prod("status", "--cost", "--format", "json").out)["cost"]
    first, *left = prod("destroy").out.splitlines()
    assert first == f"cluster {cluster_id}: TERMINATED"
    staged = [one.rpartition("/")[2] for one in left if one.startswith("  stays: staged file s3://")]
    assert sorted(staged) == ["mapper.py", "reducer.py"]


def test_a_watch_that_fails_tells_how_to_re_attach(flowspec, prod, aws, faulty):
    cluster_id = prod("apply", "--detach").out.strip()
    faulty.way.faults["ListSteps"] = [(400, "AccessDeniedException")]
    done = flowspec("wait", cluster_id, "--region", "us-east-1", "--endpoint-url", faulty.way.url)
    assert (done.code, "AccessDeniedException" in done.err) == (1, True)
    assert f"cluster {cluster_id} may be running still; re-attach with: flowspec wait {cluster_id}" in done.err


def test_no_bucket_to_stage_to(prod, moto):
    refused = prod("apply", "--detach")
    assert refused.code == 1
    assert "bucket acme-artifacts does not exist; staging names it" in refused.err
    refused = prod("apply", "--detach", "--skip-preflight")
    assert refused.code == 1
    assert "NoSuchBucket" in refused.err
    assert "staging:" in refused.err


def test_no_credentials(flowspec, wordcount):
    refused = flowspec("apply", wordcount / "job.yaml", "--target", "prod", "--detach")
    assert refused.code == 1
    assert refused.err == (
        "error: no AWS credentials were found\n"
        "  run `aws configure` or `aws sso login`, name a profile with --profile, "
        "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n"
    )
