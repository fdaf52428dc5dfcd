"""`flowspec doctor`: what it finds on this machine and in an account (moto's), and that it stays quiet and quick."""

import json
import socket
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from flowspec.backend.aws import account
from flowspec.cli import run
from flowspec.doctor import machine
from flowspec.doctor.check import Check, State, run_checks
from flowspec.doctor.needs import Needs
from flowspec.document.text import requires
from tests.endpoints import Responding, credentials, moto, moto_port, serving  # noqa: F401 - fixtures

SPEC = """
flowspec: v1
name: tiny
targets:
  here: {default: true, backend: local}
  prod: {backend: emr, region: us-east-1, staging: "s3://our-files/x/", log_uri: "s3://our-logs/x/"}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps: [{name: count, type: streaming, mapper: mapper.py, input: s3://data/a, output: s3://data/b}]
"""


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No credentials or settings of the user's; a spec and a home in an empty folder."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(SPEC)
    (tmp_path / "mapper.py").write_text("#!/bin/sh\ncat\n")


@pytest.fixture
def doctor(capsys):
    def call(*argv):
        code = run(["doctor", *argv, "--format", "json"])
        document = json.loads(capsys.readouterr().out)
        assert document["ok"] == (code == 0)
        return code, {one["name"]: one for one in document["checks"]}

    return call


def test_this_machine(doctor):
    code, found = doctor("job.yaml")
    assert code == 0
    assert {name: found[name]["state"] for name in ("python", "packages", "home", "disk")} == dict.fromkeys(
        ("python", "packages", "home", "disk"), "ok"
    )
    assert "credentials" not in found, "a local target needs none"


def test_a_file_in_the_place_of_the_home(doctor, tmp_path):
    (tmp_path / "home").write_text("")
    code, found = doctor("job.yaml")
    assert code == 1
    assert found["home"]["state"] == "missing"
    assert "FLOWSPEC_HOME" in found["home"]["remedy"]
    assert doctor()[0] == 0, "without a spec nothing is needed"


def test_a_full_disk(doctor, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(5 << 20))
    code, found = doctor("job.yaml")
    assert code == 1
    assert found["disk"]["found"].startswith("only 0.0 GiB free")


def test_programs_that_are_not_there(doctor, tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_text(
        SPEC.replace("[{name: count,", "[{name: list, type: command, args: [hadoop, fs, -ls, /]}, {name: count,")
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(machine.jvm, "find_spark", lambda: None)
    code, found = doctor("job.yaml")
    assert code == 1
    states = {name: found[name]["state"] for name in ("git", "java", "spark", "hadoop", "step list")}
    assert states == {
        "git": "optional",
        "java": "optional",
        "spark": "optional",
        "hadoop": "optional",
        "step list": "missing",
    }
    assert "pip install pyspark" in found["step list"]["remedy"]


@pytest.mark.parametrize(("version", "state"), [("11.0.2", "missing"), ("1.8.0_392", "missing"), ("17.0.9", "ok")])
def test_java_is_new_enough_for_spark(tmp_path, monkeypatch, version, state):
    java = tmp_path / "jdk/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    (tmp_path / "spark/jars").mkdir(parents=True)
    (tmp_path / "spark/jars/spark-core_2.13-4.0.1.jar").touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "spark"))
    assert machine._java(needed=True).state.value == state


def test_a_version_that_is_no_text(tmp_path, monkeypatch):
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_bytes(b"#!/bin/sh\nprintf 'version \"17\\377\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert machine._java(needed=True).found.startswith("17\N{REPLACEMENT CHARACTER} ")


@pytest.mark.parametrize(("name", "state"), [("git", "optional"), ("java", "missing"), ("hadoop", "missing")])
def test_a_program_that_fails_is_not_there(tmp_path, monkeypatch, name, state):
    program = tmp_path / name
    program.write_text("#!/bin/sh\necho Unable to locate a Java Runtime >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    needs = Needs(on_aws=False, engines=frozenset({"spark", "hadoop"}))
    check = dict(machine.machine_checks(needs))[name]()
    assert (check.state.value, check.found) == (state, f"{program} fails")


def test_a_package_that_is_too_old(monkeypatch):
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["click>=999", "pyyaml>=1", "tomli; extra == 'no'"])
    assert requires.unmet_requirements() == ["click>=999"]
    assert machine._packages().remedy == "pip install 'click>=999'"


def test_without_credentials_nothing_is_sent(doctor, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setattr(account, "_VENDOR", Path("/nowhere"))
    monkeypatch.setattr(account, "_XEN", Path("/nowhere"))
    sent = []

    def connect(_, address):
        sent.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    code, found = doctor("job.yaml", "--target", "prod")
    assert code == 1
    assert found["credentials"]["state"] == "missing"
    assert "aws configure" in found["credentials"]["remedy"]
    assert found["role EMR_DefaultRole"]["state"] == "not checked"
    assert not sent
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    doctor("job.yaml", "--target", "prod")
    assert sent[0] == ("127.0.0.1", 9), "this test sees what is sent"


def test_an_account(doctor, moto, monkeypatch, capsys):  # noqa: F811 - fixtures
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-indeed")
    session = boto3.Session(region_name="us-east-1")
    session.client("iam").create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    session.client("s3").create_bucket(Bucket="our-files")
    code, found = doctor("job.yaml", "--target", "prod")
    assert code == 1
    states = {name: one["state"] for name, one in found.items() if name.split()[0] in ("role", "profile", "bucket")}
    assert states == {
        "role EMR_DefaultRole": "missing",
        "profile EMR_EC2_DefaultRole": "ok",
        "bucket our-files": "ok",
        "bucket our-logs": "missing",
    }
    assert "aws emr create-default-roles" in found["role EMR_DefaultRole"]["remedy"]
    assert found["account"]["found"].startswith("arn:aws:")
    session.client("iam").create_role(RoleName="EMR_DefaultRole", AssumeRolePolicyDocument="{}")
    session.client("s3").create_bucket(Bucket="our-logs")
    assert run(["doctor", "job.yaml", "--target", "prod"]) == 0
    shown = capsys.readouterr()
    assert "very-secret" not in shown.out + shown.err


@pytest.fixture
def refusing(request):
    """An endpoint that answers all calls alike: with a status, a type of content and a body."""
    status, kind, body = request.param

    class Refusing(Responding, BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.respond(body, status, kind)

        do_POST = do_GET = do_HEAD = answer  # noqa: N815 - http.server's names

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Refusing)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"


@pytest.mark.parametrize(
    ("refusing", "told"),
    [
        ((403, "text/xml", DENIED), "these credentials do not allow this check"),
        ((200, "text/html", b"<html><body>hello</body></html>"), "the endpoint has no "),
    ],
    indirect=["refusing"],
    ids=["denied", "a page of a proxy"],
)
def test_what_one_may_not_ask_is_not_checked(doctor, refusing, told, credentials, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing)
    _, found = doctor("job.yaml", "--target", "prod")
    for name in ("role EMR_DefaultRole", "profile EMR_EC2_DefaultRole", "bucket our-files"):
        assert found[name]["state"] == "not checked"
        assert found[name]["found"].startswith(told)


def test_a_region_that_is_none(doctor, monkeypatch, credentials):  # noqa: F811 - a fixture
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    _, found = doctor("job.yaml", "--target", "prod", "--region", "us-esat-1")
    assert found["region"]["state"] == "missing"
    assert found["role EMR_DefaultRole"]["state"] == "not checked"


def test_a_check_that_hangs_is_left_behind():
    release = threading.Event()
    done = Check("quick", State.OK, "")

    def works():
        before = set(threading.enumerate())
        yield "quick", lambda: done
        for thread in set(threading.enumerate()) - before:
            thread.join()
        yield "slow", lambda: done if release.wait() else None

    late = Check("slow", State.UNCHECKED, "no answer within 0.1 s")
    assert run_checks(works(), seconds=0.1) == [done, late]
    release.set()


def test_a_check_with_a_fault_of_its_own_is_an_internal_error(capfd):
    """Not the traceback that a thread prints, with no check made and exit code 0."""

    def fail():
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        run_checks([("broken", fail), ("quick", lambda: Check("quick", State.OK, "here"))], seconds=60)
    assert capfd.readouterr().err == ""


def test_an_invalid_spec_is_a_usage_error(tmp_path):
    (tmp_path / "job.yaml").write_text(SPEC.replace("MASTER", "MISTER"))
    assert run(["doctor", "job.yaml"]) == 2
