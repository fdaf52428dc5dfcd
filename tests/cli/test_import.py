"""`flowspec import`, and `flowspec compile --reveal` beside it."""

import json
import os
import subprocess
import sys

import pytest

REQUEST = {
    "Name": "etl",
    "ReleaseLabel": "emr-6.9.0",
    "ServiceRole": "EMR_DefaultRole",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "Instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
    "SecurityConfiguration": "krb",
    "KerberosAttributes": {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "correct-horse"},
    "Steps": [
        {
            "Name": "é {{ x }}",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://acme/x.py"]},
        }
    ],
}


@pytest.fixture
def request_file(tmp_path):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST))
    return path


def test_there_and_back(flowspec, request_file, tmp_path):
    made = flowspec("import", "--request", request_file, "-o", "job.yaml")
    assert (made.code, made.out) == (0, "")
    assert (
        "note: a secret at kerberos_attributes.kdc_admin_password became the variable kdc_admin_password\n" in made.err
    )
    assert "--var kdc_admin_password=" in made.err
    text = (tmp_path / "job.yaml").read_text("utf-8")
    assert text.startswith("# Imported from request.json by `flowspec import`.\nflowspec: v1\nname: etl\n")
    assert "correct-horse" not in text + made.err
    back = flowspec("compile", "job.yaml", "--var", "kdc_admin_password=correct-horse", "--reveal")
    assert (back.code, json.loads(back.out)) == (0, REQUEST)
    masked = flowspec("compile", "job.yaml", "--var", "kdc_admin_password=correct-horse")
    assert "correct-horse" not in masked.out
    missing = flowspec("compile", "job.yaml", "--reveal")
    assert (missing.code, "the variable 'kdc_admin_password' has no value" in missing.err) == (2, True)


def test_kept_secrets_and_standard_output(flowspec, request_file, tmp_path):
    made = flowspec("import", "--request", request_file, "--keep-secrets")
    assert (made.code, made.err) == (0, "")
    assert "kdc_admin_password: correct-horse" in made.out
    (tmp_path / "job.yaml").write_text(made.out)
    assert json.loads(flowspec("compile", "job.yaml", "--reveal").out) == REQUEST


def test_standard_input_and_a_closed_locale(request_file, tmp_path):
    command = [sys.executable, "-m", "flowspec", "import", "--request", "-", "--output", "made.yaml"]
    environ = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        command, check=False, input=request_file.read_bytes(), cwd=tmp_path, capture_output=True, env=environ
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "made.yaml").read_text("utf-8")
    assert text.startswith("# Imported from <stdin> by `flowspec import`.\n")
    assert "name: \"é {{ '{{' }} x }}\"" in text


def test_what_goes_to_api_params_is_told(flowspec, tmp_path):
    request = {**REQUEST, "StepConcurrencyLevel": 500}
    (tmp_path / "r.json").write_text(json.dumps(request))
    made = flowspec("import", "--request", "r.json", "-o", "job.yaml")
    told = "note: StepConcurrencyLevel is in api_params: 'step_concurrency_level' is 500, the greatest allowed is 256\n"
    assert (made.code, told in made.err) == (0, True)
    back = flowspec("compile", "job.yaml", "--var", "kdc_admin_password=correct-horse", "--reveal")
    assert json.loads(back.out) == request


def test_an_old_spec_is_replaced_whole_and_keeps_its_mode(flowspec, request_file, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text("old")
    job.chmod(0o600)
    assert flowspec("import", "--request", request_file, "-o", job, "--force").code == 0
    assert (job.stat().st_mode & 0o777, job.read_text()[:1]) == (0o600, "#")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.yaml", "request.json"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"Cluster": {"Id": "j-1"}}',
            "error[FS701]: this is the answer of DescribeCluster, not a request of RunJobFlow",
        ),
        ("flowspec: v1", "error[FS701]: this is not JSON: expecting value\n --> r.json:1:1\n"),
        ('{"Name": "x", "Instances": {"InstanceCont": 1}}', "^^^^^^^^^^^^^^ did you mean InstanceCount?"),
    ],
)
def test_what_is_no_request_writes_nothing(flowspec, tmp_path, content, told):
    (tmp_path / "r.json").write_text(content)
    made = flowspec("import", "--request", "r.json", "-o", "job.yaml")
    assert (made.code, made.out) == (2, "")
    assert told in made.err
    assert not (tmp_path / "job.yaml").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("nope.json", "there is no file nope.json"), (".", ". is a directory, not a file")]
)
def test_no_file_to_read(flowspec, name, told):
    made = flowspec("import", "--request", name)
    assert (made.code, told in made.err) == (2, True)


def test_nowhere_to_write(flowspec, request_file):
    made = flowspec("import", "--request", request_file, "-o", "no/such/folder/job.yaml")
    assert (made.code, "its folder is not there" in made.err) == (1, True)


def test_an_existing_file_is_replaced_only_by_force(flowspec, request_file, tmp_path):
    spec = tmp_path / "job.yaml"
    spec.write_text("mine\n")
    refused = flowspec("import", "--request", request_file, "-o", "job.yaml")
    assert (refused.code, spec.read_text()) == (2, "mine\n")
    assert "job.yaml exists: write another file with -o, or replace it with --force" in refused.err
    done = flowspec("import", "--request", request_file, "-o", "job.yaml", "--force")
    assert (done.code, "flowspec: v1" in spec.read_text()) == (0, True)
    assert "flowspec: v1" in flowspec("import", "--request", request_file, "-o", "-").out
    assert not (tmp_path / "-").exists()
