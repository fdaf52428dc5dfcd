"""`flowspec staging` on moto's S3, with the embedded EMR that runs the clusters."""

import hashlib
import json
import threading
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from moto.s3.models import s3_backends

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.manage.staged import delete_staged, hashes_in_use, staged_files
from flowspec.backend.aws.submission.staging import stage
from flowspec.cli import run
from flowspec.emulator.state.store import Store
from flowspec.errors import ServiceError
from flowspec.request.assets import Asset
from tests.endpoints import NIGHTLY, way_to_embedded

BUCKET = "artifacts"
STAGING = f"s3://{BUCKET}/flows/"
SPEC = NIGHTLY + "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\nsteps:\n"
NOW = datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    with way_to_embedded(tmp_path_factory.mktemp("home")) as way:
        yield way


class Folder:
    """A staging folder in moto's S3, and an embedded EMR."""

    def __init__(self, way, emr):
        self.way, self.emr = way, emr
        self.s3 = self.emr.s3()
        self.s3.create_bucket(Bucket=BUCKET)

    def put(self, content, name="job.py", days=40, key=None):
        """Puts an object that an apply staged so many days ago; returns its URI."""
        key = key or f"flows/{hashlib.sha256(content.encode()).hexdigest()}/{name}"
        # Without HTTP, which takes 10 ms for each.
        s3_backends["123456789012"]["aws"].put_object(BUCKET, key, content.encode())
        self.set_age(key, days)
        return f"s3://{BUCKET}/{key}"

    def set_age(self, key, days):
        stored = s3_backends["123456789012"]["aws"].buckets[BUCKET].keys[key]
        stored.last_modified = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=days)

    def uris(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {f"s3://{BUCKET}/{one['Key']}" for page in pages for one in page.get("Contents", ())}


@pytest.fixture(scope="module")
def connection(embedded):
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    return connect(Endpoint("emr", "us-east-1", endpoint_url=embedded.url), session)


@pytest.fixture
def folder(moto, embedded, connection, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    made = Folder(embedded, connection)
    yield made
    made.s3.close()


@pytest.fixture
def command(folder, capsys, monkeypatch):
    # A connection takes a quarter of a second.
    connections = {folder.emr.endpoint: folder.emr}
    monkeypatch.setattr("flowspec.backend.aws.client.connect", connections.__getitem__)

    def call(*words):
        capsys.readouterr()
        place = ["--region", "us-east-1", "--endpoint-url", folder.way.url]
        code = int(run(["staging", *map(str, words), *place]))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def launch(folder, text, script="s3://other/setup.sh"):
    """Starts a cluster that lives on, with a bootstrap action and a step, which is completed at once."""
    args = {"Jar": "command-runner.jar", "Args": ["spark-submit", "--py-files", f"{text},s3://other/x"]}
    actions = [{"Name": "setup", "ScriptBootstrapAction": {"Path": script}}]
    steps = [{"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": args}]
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    roles = {"ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}
    request = {"Name": "x", "ReleaseLabel": "emr-7.5.0", "Instances": instances, "Steps": steps, **roles}
    return folder.emr.create("RunJobFlow", BootstrapActions=actions, **request)["JobFlowId"]


def end_steps(folder, cluster, state):
    with Store(folder.way.service.home) as store, store.writing():
        for step in store.find("step", cluster_id=cluster):
            step.state = state
            store.save(step)


def test_old_files_that_nothing_uses_go(folder, command, tmp_path):
    script = tmp_path / "mine.sh"
    script.write_text("mine")
    (tmp_path / "job.yaml").write_text(f"{SPEC}  - {{name: one, type: script, script: mine.sh}}\nstaging: {STAGING}\n")
    unused, young, mine = folder.put("unused"), folder.put("young", days=20), folder.put("mine", "mine.sh")
    used = folder.put("used")
    others = {
        folder.put("x", key=f"flows/{'a' * 64}"),
        folder.put("x", key=f"flows/{'a' * 64}/folder/x"),
        folder.put("x", key=f"flows/{'A' * 64}/x"),
        folder.put("x", key="flows/notes.txt"),
        folder.put("x", key=f"other/{'a' * 64}/x"),
        folder.put("x", key=f"flows-too/{'a' * 64}/x"),
    }
    script = folder.put("script", "setup.sh")
    cluster = launch(folder, used.replace("s3://", "s3a://"), script)
    assert hashes_in_use(folder.emr).keys() == {script.split("/")[-2]}
    end_steps(folder, cluster, "FAILED")
    code, out, _ = command("list", tmp_path / "job.yaml", "--format", "json")
    users = {one["uri"]: one["used_by"] for one in json.loads(out)}
    assert (code, users) == (
        0,
        {unused: None, young: None, mine: str(tmp_path / "job.yaml"), used: cluster, script: cluster},
    )
    code, out, _ = command("prune", tmp_path / "job.yaml", "--dry-run")
    assert (code, unused in out, out.count("s3://")) == (0, True, 2)
    assert out.splitlines()[-1] == f"would delete 1 file, 6 bytes, of 5 files, 25 bytes below {STAGING}"
    code, _, err = command("prune", tmp_path / "job.yaml")
    assert (code, "give --yes" in err, unused in folder.uris()) == (2, True, True)
    code, out, _ = command("prune", tmp_path / "job.yaml", "--yes", "--format", "json")
    done = json.loads(out)
    assert (code, [one["uri"] for one in done["deleted"]], done["bytes"]) == (0, [unused], 6)
    assert folder.uris() == {young, mine, used, script, *others}
    # When its cluster has ended, and without the spec, the others go, too.
    folder.emr.call("TerminateJobFlows", JobFlowIds=[cluster])
    code, out, _ = command("prune", "--staging", STAGING.rstrip("/"), "--yes", "--older-than", "15d")
    assert (code, out) == (0, f"deleted 4 files, 19 bytes, of 4 files, 19 bytes below {STAGING.rstrip('/')}\n")
    assert folder.uris() == others
    assert command("prune", "--staging", STAGING, "--yes")[:2] == (
        0,
        f"deleted 0 files, 0 bytes, of 0 files, 0 bytes below {STAGING}\n",
    )


def test_thousands_by_two_at_once(folder):
    uris = {folder.put(str(number)) for number in range(1100)}
    files = list(staged_files(folder.emr, STAGING))
    assert {one.uri for one in files} == uris
    done = []

    def delete():
        done.append(list(delete_staged(folder.emr, STAGING, files, before=NOW - timedelta(days=30))))

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert folder.uris() == set()
    assert {one.uri for pages in done for page in pages for one in page.deleted} == uris
    assert [page.refused for pages in done for page in pages if page.refused] == []


def test_an_apply_keeps_a_file_from_being_deleted(folder, tmp_path):
    """It uploads again what is old; what it does so after prune has looked is spared."""
    (tmp_path / "job.py").write_text("job")
    uri, digest = folder.put("job"), hashlib.sha256(b"job").hexdigest()
    asset = Asset(tmp_path / "job.py", digest, 3, uri)
    (file,) = staged_files(folder.emr, STAGING)
    assert list(stage(folder.emr, [asset])) == [(asset, True)]
    assert list(stage(folder.emr, [asset])) == [(asset, False)]
    (page,) = delete_staged(folder.emr, STAGING, [file], before=NOW - timedelta(days=30))
    assert ([one.uri for one in page.spared], page.deleted) == ([uri], ())
    # Younger than that it is left as it is, and too young to be deleted.
    folder.set_age(uri.removeprefix(f"s3://{BUCKET}/"), 6)
    assert list(stage(folder.emr, [asset])) == [(asset, False)]


def test_who_may_not_write_uses_what_is_there(folder, tmp_path, monkeypatch):
    (tmp_path / "job.py").write_text("job")
    asset = Asset(tmp_path / "job.py", hashlib.sha256(b"job").hexdigest(), 3, folder.put("job"))

    def refuse(*_):
        raise ServiceError("PutObject", "AccessDenied", "no")

    monkeypatch.setattr("flowspec.backend.aws.submission.staging._upload", refuse)
    assert list(stage(folder.emr, [asset])) == [(asset, False)]


def test_what_is_refused_is_said(folder, command, faulty_s3):
    uri = folder.put("x")
    assert command("prune", "--staging", STAGING, "--older-than", "7d")[0] == 2
    assert command("prune", "--staging", STAGING, "--older-than", "999999999d")[0] == 2
    assert command("prune")[0] == 2
    assert command("prune", "--staging", "artifacts")[0] == 2
    code, _, err = command("prune", "--staging", "s3://not-there/flows/", "--yes")
    assert (code, "s3://not-there/flows/: The specified bucket does not exist" in err) == (1, True)
    assert "check that bucket not-there exists and that you may list below it" in err
    # Unless it is known what is in use, nothing is deleted.
    launch(folder, uri)
    folder.way.faults["ListSteps"] = [(400, "AccessDeniedException")]
    code, _, err = command("prune", "--staging", STAGING, "--yes")
    assert (code, "none was deleted" in err, uri in folder.uris()) == (1, True, True)
    faulty_s3((403, "AccessDenied"))
    code, _, err = command("prune", "--staging", STAGING, "--yes")
    assert (code, "AccessDenied" in err, "list below it" in err) == (1, True, True)


def test_files_that_s3_keeps_are_named(folder, command):
    uris = [folder.put(name) for name in "ab"]
    for cluster in hashes_in_use(folder.emr).values():
        folder.emr.call("TerminateJobFlows", JobFlowIds=[cluster])
    kept = f"arn:aws:s3:::{uris[0].removeprefix('s3://')}"
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": kept}
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    folder.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    code, out, err = command("prune", "--staging", STAGING, "--yes")
    assert (code, f"{uris[0]}: not deleted: AccessDenied: Access Denied" in err) == (1, True)
    assert out.startswith("deleted 1 file, 1 byte, of 2 files")
    assert folder.uris() == {uris[0]}


def test_an_interrupt_says_what_is_gone(folder, command, monkeypatch):
    folder.put("x")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("flowspec.backend.aws.manage.staged._delete", interrupt)
    code, _, err = command("prune", "--staging", STAGING, "--yes")
    assert (code, "stopped; deleted by then: 0 files, 0 bytes" in err) == (130, True)


def test_on_this_machine_nothing_is_staged(tmp_path, capsys):
    (tmp_path / "job.yaml").write_text(SPEC + "  - {name: one, type: command, args: ['true']}\nbackend: local\n")
    assert run(["staging", "list", str(tmp_path / "job.yaml")]) == 1
    assert "`flowspec emulator prune`" in capsys.readouterr().err
