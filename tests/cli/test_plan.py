"""`flowspec plan`: without credentials, and what it looks up where there are some."""

import json
import socket
import subprocess
import sys

import boto3
import pytest

from flowspec.backend.aws.submission import staging
from tests.endpoints import make_account

SECRET = "variables: {word: {type: string, sensitive: true}}"
STEP = "  - {name: one, type: command, args: [echo, '{{ word }}']}"


def on_aws(path):
    roles = "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
    path.write_text(path.read_text().replace("backend: local", "backend: emr, region: us-east-1") + roles)
    return path


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a plan with --offline opens no socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("place", ["local", "emr"])
def test_offline_needs_no_credentials_and_no_secrets(flowspec, job, no_network, place):
    path = job(STEP, SECRET)
    if place == "emr":
        on_aws(path)
    made = flowspec("plan", "job.yaml", "--offline", "--exit-code")
    assert (made.code, "> step one: command-runner.jar echo" in made.out) == (3, True), made.err
    assert "note: made offline: not compared with what runs" in made.out
    assert "the sensitive variable 'word' has no value here" in made.err
    online = flowspec("plan", "job.yaml")
    assert (online.code, "word" in online.err) == (2, True)


def test_offline_masks_a_secret_that_is_given(flowspec, job):
    on_aws(job(STEP, SECRET))
    for format_ in ("text", "json", "markdown"):
        made = flowspec("plan", "job.yaml", "--offline", "--var", "word=hunter2", "--format", format_)
        assert (made.code, "hunter2" in made.out + made.err) == (0, False)


def test_offline_imports_no_boto3(job, tmp_path):
    on_aws(job(STEP, SECRET))
    program = (
        "import sys; from flowspec.cli import run; code = run(['plan', 'job.yaml', '--offline']);"
        "sys.exit(int(code) or any(name.startswith(('boto3', 'botocore.client')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "option", [["--replace"], ["--if-changed"], ["--rerun", "failed"], ["--cancel-removed"], ["-o", "p.json"]]
)
def test_offline_takes_no_option_about_what_runs(flowspec, job, tmp_path, option):
    job(STEP, SECRET)
    refused = flowspec("plan", "job.yaml", "--offline", *option)
    assert (refused.code, "--offline" in refused.err) == (2, True)
    assert not (tmp_path / "p.json").exists()


# -- files that are staged already


@pytest.fixture
def prod(prod, moto):
    """With the buckets, input and roles that the target names."""
    make_account(moto)
    return prod


def test_a_file_that_is_staged_is_not_to_upload(prod, wordcount):
    assert "2 files to upload" in prod("plan").out
    prod("apply", "--detach")
    prod("destroy")
    again = prod("plan")
    assert "to upload" not in again.out
    assert "note: 2 local files are staged already" in again.out
    assert json.loads(prod("plan", "--format", "json").out)["uploads"] == []
    with (wordcount / "mapper.py").open("a") as script:
        script.write("# changed\n")
    third = prod("plan")
    assert third.out.splitlines()[-1].endswith("1 file to upload.")
    assert "note: 1 local file is staged already" in third.out


def test_where_s3_refuses_a_look_the_plan_says_so(prod, faulty_s3):
    faulty_s3((403, "AccessDenied"))
    made = prod("plan")
    assert made.code == 0
    assert "whether the local files are staged already was not checked: access denied" in made.out
    assert "2 files to upload" in made.out


def test_the_number_of_looks_is_bounded(prod, faulty_s3, monkeypatch):
    monkeypatch.setattr(staging, "_LOOKED_AT", 1)
    way = faulty_s3(None)
    made = prod("plan")
    assert [one.split()[0] for one in way.seen] == ["HEAD"]
    assert "only 1 of 2 local files were looked up" in made.out


def test_a_saved_plan_does_not_go_stale_by_what_another_has_staged(prod, flowspec, tmp_path):
    assert prod("plan", "-o", "plan.json").code == 0
    prod("apply", "--detach")
    prod("destroy")
    done = flowspec("apply", "plan.json", "--detach")
    assert (done.code, done.err.count("already there")) == (0, 2), done.err


# -- preflight


def test_a_preflight_of_an_account_where_all_is_there(prod):
    made = prod("plan", "--preflight")
    assert made.code == 0, made.err
    # moto does not simulate policies.
    (count,) = [line for line in made.out.splitlines() if line.startswith("Preflight")]
    assert count == "Preflight: 9 checked, 3 not checked"
    assert "not checked: elasticmapreduce:RunJobFlow, iam:PassRole to elasticmapreduce.amazonaws.com" in made.out


def test_a_preflight_tells_all_that_is_wrong_and_nothing_is_sent(prod, moto, s3):
    s3.delete_object(Bucket="acme-texts", Key="stories/a.txt")
    made = prod("plan", "--preflight")
    assert made.code == 1
    line = next(line for line in made.out.splitlines() if "wrong: " in line)
    # The value comes from the target, whose line is told.
    assert line.startswith("  wrong: step count words: s3://acme-texts/stories/ does not exist")
    assert "job.yaml:" in line
    document = json.loads(prod("plan", "--preflight", "--format", "json").out)
    assert [one["subject"] for one in document["preflight"] if one["level"] == "wrong"] == [
        "step count words: s3://acme-texts/stories/"
    ]
    assert json.loads(prod("plan", "--format", "json").out)["preflight"] is None
    assert "wrong: step count words" in prod("plan", "--preflight", "--format", "markdown").out

    refused = prod("apply", "--detach")
    assert refused.code == 1
    assert "wrong: step count words: s3://acme-texts/stories/ does not exist" in refused.err
    assert "nothing was submitted" in refused.err
    assert "--skip-preflight" in refused.err
    emr = boto3.client("emr", region_name="us-east-1", endpoint_url=moto)
    assert emr.list_clusters()["Clusters"] == []
    assert prod("apply", "--detach", "--skip-preflight").code == 0
    assert len(emr.list_clusters()["Clusters"]) == 1
    emr.close()


def test_a_saved_plan_is_looked_at_when_it_is_applied(prod, flowspec, s3):
    assert prod("plan", "-o", "plan.json").code == 0
    s3.delete_object(Bucket="acme-texts", Key="stories/a.txt")
    assert flowspec("apply", "plan.json", "--detach").code == 1
    assert flowspec("apply", "plan.json", "--detach", "--skip-preflight").code == 0


def test_a_preflight_needs_a_connection(prod):
    refused = prod("plan", "--preflight", "--offline")
    assert (refused.code, "--preflight and --offline exclude each other" in refused.err) == (2, True)
