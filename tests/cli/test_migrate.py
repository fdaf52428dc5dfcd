"""`flowspec migrate`: scripts are really run, each in a process of its own, and nothing of them reaches AWS."""

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time

import pytest

HEAD = """
import boto3
emr = boto3.client("emr")
least = {"ReleaseLabel": "emr-6.9.0", "Instances": {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}}
"""


@pytest.fixture
def script(tmp_path):
    """Writes launch.py."""

    def write(text, head=HEAD):
        path = tmp_path / "launch.py"
        path.write_text(head + textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def capsys(capfd):
    """What `flowspec` captures: what the processes of scripts print as well."""
    return capfd


@pytest.fixture
def migrate(flowspec, start):
    """Runs the command without a terminal, in this process if nothing is fed; returns its code, stdout and stderr."""

    def call(*argv, feed=""):
        if not feed:
            done = flowspec("migrate", *argv)
            return done.code, done.out, done.err
        process = start("migrate", *argv, stdin=subprocess.PIPE)
        out, err = process.communicate(feed, timeout=60)
        return process.returncode, out, err

    return call


EVERYTHING = """
import argparse, time

options = argparse.ArgumentParser()
options.add_argument("--day", required=True)
day = options.parse_args().day
session = boto3.session.Session(profile_name="production")
assert session.client("sts").get_caller_identity()["Account"] == "123456789012"
subnet = next(iter(session.resource("ec2").subnets.all())).id
session.client("s3").upload_file(__file__, "bucket", "code/launch.py")
session.client("ec2").get_waiter("instance_running").wait(InstanceIds=["i-1"])
emr = session.client("emr", region_name="eu-west-1")
made = emr.run_job_flow(
    Name="count " + day,
    ReleaseLabel="emr-6.9.0",
    ServiceRole="EMR_DefaultRole",
    JobFlowRole="EMR_EC2_DefaultRole",
    LogUri="s3://bucket/logs/",
    Instances={"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.2xlarge", "InstanceCount": 3, "Ec2SubnetId": subnet},
    Steps=[{"Name": "one", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["x", "--password", "correct-horse"]}}],
    Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
)
flow = made["JobFlowId"]
emr.add_job_flow_steps(JobFlowId=flow, Steps=[{"Name": "two", "HadoopJarStep": {"Jar": "s3://bucket/two.jar"}}])
task = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2}
emr.add_instance_groups(JobFlowId=flow, InstanceGroups=[task])
emr.add_tags(ResourceId=flow, Tags=[{"Key": "b", "Value": "3"}])
emr.remove_tags(ResourceId=flow, TagKeys=["a"])
emr.set_termination_protection(JobFlowIds=[flow], TerminationProtected=True)
limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
emr.put_managed_scaling_policy(ClusterId=flow, ManagedScalingPolicy={"ComputeLimits": limits})
emr.put_auto_termination_policy(ClusterId=flow, AutoTerminationPolicy={"IdleTimeout": 600})
emr.modify_instance_groups(ClusterId=flow, InstanceGroups=[{"InstanceGroupId": emr.list_instance_groups(ClusterId=flow)["InstanceGroups"][1]["Id"], "InstanceCount": 2}])
emr.add_job_flow_steps(JobFlowId="j-ANOTHER", Steps=[])
emr.create_security_configuration(Name="at rest", SecurityConfiguration="{}")
emr.get_waiter("cluster_running").wait(ClusterId=flow)
while emr.describe_cluster(ClusterId=flow)["Cluster"]["Status"]["State"] != "TERMINATED":
    time.sleep(60)
emr.get_waiter("cluster_terminated").wait(ClusterId=flow)
steps = [step for page in emr.get_paginator("list_steps").paginate(ClusterId=flow) for step in page["Steps"]]
assert [(step["Name"], step["Status"]["State"]) for step in steps] == [("two", "COMPLETED"), ("one", "COMPLETED")]
assert emr.describe_job_flows(JobFlowIds=[flow])["JobFlows"][0]["ExecutionStatusDetail"]["State"] == "COMPLETED"
print("the end")
"""


def test_a_script_becomes_a_spec(migrate, script, flowspec, tmp_path):
    code, out, err = migrate(script(EVERYTHING), "-o", "jobs", "--yes", "--", "--day", "2024-01-01")
    assert (code, out) == (0, "jobs/count-2024-01-01.yaml\n"), err
    assert err.startswith(f"{tmp_path}/launch.py is executed, with all it does;")
    assert "the end\n" in err
    text = (tmp_path / "jobs" / "count-2024-01-01.yaml").read_text()
    assert text.startswith("# Imported from launch.py by `flowspec migrate`.\n")
    assert f"# Note: the script uploads {tmp_path}/launch.py to s3://bucket/code/launch.py" in text
    assert "# Note: ModifyInstanceGroups came later, and is not imported" in text
    assert "# Note: CreateSecurityConfiguration is not imported: it is about no cluster" in text
    assert "# Note: AddJobFlowSteps on j-ANOTHER, which the script did not make, is not imported" in text
    assert "ec2.DescribeSubnets" in text
    assert "\nregion: eu-west-1\n" in text
    assert "correct-horse" not in text + err
    made = flowspec("compile", "jobs/count-2024-01-01.yaml", "--var", "password=correct-horse", "--reveal")
    assert json.loads(made.out) == {
        "Name": "count 2024-01-01",
        "ReleaseLabel": "emr-6.9.0",
        "ServiceRole": "EMR_DefaultRole",
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "LogUri": "s3://bucket/logs/",
        "Instances": {
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                {"InstanceRole": "CORE", "InstanceType": "m5.2xlarge", "InstanceCount": 2},
                {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2},
            ],
            "Ec2SubnetId": "subnet-0123456789abcdef0",
            "TerminationProtected": True,
        },
        "Steps": [
            {
                "Name": "one",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["x", "--password", "correct-horse"]},
            },
            {"Name": "two", "HadoopJarStep": {"Jar": "s3://bucket/two.jar"}},
        ],
        "Tags": [{"Key": "b", "Value": "3"}],
        "ManagedScalingPolicy": {
            "ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
        },
        "AutoTerminationPolicy": {"IdleTimeout": 600},
    }


BOTO_2 = """
import boto, boto.emr, time
from boto.emr.step import JarStep, StreamingStep
from boto.emr.bootstrap_action import BootstrapAction
from boto.s3.key import Key

bucket = boto.connect_s3("key", "secret").get_bucket("bucket")
key = Key(bucket)
key.key = "mapper.py"
key.set_contents_from_filename("mapper.py")
key.key = "day.txt"
key.set_contents_from_string("today")
connection = boto.emr.connect_to_region("eu-west-1")
step = StreamingStep(name="count", mapper="s3://bucket/mapper.py", reducer="aggregate", input="s3://bucket/in", output="s3://bucket/out")
flow = connection.run_jobflow(
    name="old", log_uri="s3://bucket/logs", ami_version="2.4.2", num_instances=3, keep_alive=True, steps=[step], enable_debugging=True,
    bootstrap_actions=[BootstrapAction("install", "s3://bucket/install.sh", ["now"])],
)
connection.add_jobflow_steps(flow, [JarStep(name="jar", jar="s3://bucket/x.jar")])
connection.add_tags(flow, {"a": "b"})
while connection.describe_jobflow(flow).state not in ("WAITING", "COMPLETED", "FAILED", "TERMINATED"):
    time.sleep(30)
boto.connect_emr().terminate_jobflow(flow)
"""


def test_a_script_of_boto_2(migrate, script, flowspec, tmp_path):
    code, out, err = migrate(script(BOTO_2, head=""), "--yes")
    assert (code, out) == (0, "old.yaml\n"), err
    assert "warning: the script terminates the cluster itself: here keep_alive is false, so that it ends" in err
    for uploaded in ("mapper.py to S3 as mapper.py", "a text to S3 as day.txt"):
        assert f"warning: the script uploads {uploaded}: nothing else does it for the spec\n" in err
    made = json.loads(flowspec("compile", "old.yaml").out)
    assert [step["Name"] for step in made["Steps"]] == ["Setup Hadoop Debugging", "count", "jar"]
    assert made["Instances"]["InstanceCount"] == 3
    assert (made["AmiVersion"], made["Tags"]) == ("2.4.2", [{"Key": "a", "Value": "b"}])
    action = {"Path": "s3://bucket/install.sh", "Args": ["now"]}
    assert made["BootstrapActions"] == [{"Name": "install", "ScriptBootstrapAction": action}]


def test_without_a_terminal_it_has_to_be_allowed(migrate, script, tmp_path):
    code, out, err = migrate(script("open('it ran', 'w').close()"))
    assert (code, out) == (2, "")
    assert "launch.py has to be allowed: add --yes" in err
    assert "is executed" not in err
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 130)])
def test_on_a_terminal_it_asks(answer, code, script, tmp_path):
    script("open('it ran', 'w').close(); emr.run_job_flow(Name='x', **least)")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flowspec", "migrate", "launch.py"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.close(theirs)
    os.write(ours, answer)
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == code, out
    assert (b"Run it? [y/N]" in out, (tmp_path / "it ran").exists()) == (True, code == 0)


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("raise ValueError('of the script')", 1, "ValueError: of the script\n"),
        ("raise SystemExit('good bye')", 1, "good bye\n"),
        ("raise SystemExit(3)", 1, "launch.py ended with 3; what it asked for up to there is written\n"),
        ("raise SystemExit(0)", 0, ""),
        ("import os; os._exit(0)", 0, ""),
        ("import os; os.kill(os.getpid(), 9)", 1, "launch.py ended with -9;"),
        ("emr.run_job_flow(Name=7)", 1, "botocore.exceptions.ParamValidationError"),
        (
            "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
            1,
            "flowspec migrate opens no connection",
        ),
    ],
)
def test_however_it_ends_what_was_recorded_is_written(migrate, script, tmp_path, end, code, told):
    done = migrate(script(f"emr.run_job_flow(Name='before', **least)\n{end}\n"), "--yes")
    assert (done[0], done[1]) == (code, "before.yaml\n"), done
    assert told in done[2]
    assert (tmp_path / "before.yaml").exists()


def test_a_script_without_a_job_flow(migrate, script):
    code, out, err = migrate(script("print('nothing')"), "--yes")
    assert (code, out) == (1, "")
    assert "launch.py launched no job flow\n" in err
    assert "\n  is it an AWS Lambda function?" in err
    code, out, err = migrate(script("raise SystemExit(2)"), "--yes")
    assert (code, out) == (1, "")
    assert "launch.py launched no job flow and ended with 2\n" in err
    assert "is written" not in err


HANDLER = """
import os

def lambda_handler(event, context):
    assert __name__ == "launch" and context.get_remaining_time_in_millis() > 0
    return emr.run_job_flow(Name=f"of {event['client']}", **least)["JobFlowId"]

if __name__ == "__main__":
    raise SystemExit("a Lambda function is imported")
"""


def test_a_lambda_function_is_called_with_its_event(migrate, script, tmp_path):
    event = tmp_path / "event.json"
    event.write_text('{"client": "acme"}')
    path = script(HANDLER)
    assert migrate(path, "--yes", "--handler", "lambda_handler", "--event", event)[:2] == (0, "of-acme.yaml\n")
    code, _, err = migrate(path, "--yes", "--handler", "launch.lambda_handler")
    assert (code, "KeyError: 'client'" in err) == (1, True), err
    assert f"migrate {path} --handler launch.lambda_handler --event event.json\n" in err
    assert "is it an AWS Lambda function?" not in err
    code, _, err = migrate(path, "--yes", "--handler", "main")
    assert (code, "launch.py defines no function main; it defines: lambda_handler\n" in err) == (1, True), err


def test_a_file_of_another_kind_is_for_import(migrate, tmp_path):
    (tmp_path / "create.sh").write_text("aws emr create-cluster\n")
    code, _, err = migrate(tmp_path / "create.sh", "--yes")
    assert (code, f"`flowspec import {tmp_path / 'create.sh'}` reads such files" in err) == (2, True), err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--event", "event.json"], "--event needs --handler"),
        (["--handler", "main", "--event", "bad.json"], "--event bad.json: Expecting"),
        (["--handler", "main", "--", "2024-01-01"], "leave out -m and the arguments"),
        (["--handler", "main", "-m"], "leave out -m and the arguments"),
    ],
)
def test_options_of_lambda_functions_that_make_no_sense(migrate, script, tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "event.json").write_text("{}")
    (tmp_path / "bad.json").write_text("no JSON")
    code, _, err = migrate(script(HANDLER), "--yes", *options)
    assert (code, told in err) == (2, True), err


def test_names_become_files_that_are_safe_and_new(migrate, script, tmp_path):
    (tmp_path / "same.yaml").write_text("mine")
    path = script("""
        for name in ("../../Ünsafe/x", "same", "same", "***"):
            emr.run_job_flow(Name=name, **least)
    """)
    code, out, err = migrate(path, "--yes")
    assert (code, out.split()) == (0, ["nsafe-x.yaml", "same-2.yaml", "same-3.yaml", "job-flow.yaml"]), err
    assert (tmp_path / "same.yaml").read_text() == "mine"


def test_a_script_that_forks_and_asks_and_prints_a_lot(migrate, script):
    path = script("""
        import multiprocessing, sys

        def launch(name):
            emr.run_job_flow(Name=name, **least)

        if __name__ == "__main__":
            print("x" * 1_000_000)
            names = [input(), input()]
            workers = [multiprocessing.get_context("fork").Process(target=launch, args=(name,)) for name in names]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            with multiprocessing.get_context("fork").Manager() as manager:
                assert list(manager.list([1])) == [1]
    """)
    code, out, err = migrate(path, "--yes", feed="one\ntwo\n")
    assert (code, sorted(out.split())) == (0, ["one.yaml", "two.yaml"]), err[-1000:]


@pytest.mark.parametrize("whom", ["all", "flowspec"])
def test_an_interrupt(start, script, tmp_path, whom):
    path = script("""
        import threading
        emr.run_job_flow(Name="before", **least)
        open("ready", "w").close()
        threading.Event().wait()
    """)
    process = start("migrate", path, "--yes", start_new_session=True)
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.05)
    if whom == "all":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "before.yaml\n"), err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_script_that_is_not_there(flowspec):
    made = flowspec("migrate", "nope.py", "--yes")
    assert (made.code, "nope.py" in made.err) == (2, True)


def test_a_region_that_the_script_chooses_is_kept(migrate, script, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    text = """
        chosen = boto3.client("emr", region_name="us-east-1"), boto3.Session(region_name="us-east-1").client("emr"), emr
        for name, client in zip(("call", "session", "none"), chosen):
            client.run_job_flow(Name=name, **least)
    """
    code, out, err = migrate(script(text), "--yes")
    assert (code, out.split()) == (0, ["call.yaml", "session.yaml", "none.yaml"]), err
    assert ["\nregion: us-east-1\n" in (tmp_path / name).read_text() for name in out.split()] == [True, True, False]


def test_the_traceback_begins_with_the_script(migrate, script, tmp_path):
    _, _, err = migrate(script("def broken():\n    raise KeyError('DAY')\nbroken()\n"), "--yes")
    lines = err[err.index("Traceback") :].splitlines()
    assert lines[1] == f'  File "{tmp_path}/launch.py", line 7, in <module>'
    assert "launcher.py" not in err
    assert "runpy" not in err


def test_groups_that_boto_2_resizes_belong_to_their_job_flow(migrate, script):
    text = """
from boto.emr.connection import EmrConnection
connection = EmrConnection()
job_flow = connection.run_jobflow("grows", keep_alive=True, num_instances=2)
groups = connection.list_instance_groups(job_flow).instancegroups
connection.modify_instance_groups([groups[1].id], [3])
"""
    code, _, err = migrate(script(text), "--yes")
    assert (code, "ModifyInstanceGroups came later, and is not imported" in err) == (0, True), err


def test_what_emr_refuses_is_refused_and_written_nevertheless(migrate, script):
    path = script("""
        from botocore.exceptions import ClientError
        try:
            emr.run_job_flow(Name="crowded", **least, Steps=[{"Name": "s", "HadoopJarStep": {"Jar": "x.jar"}}] * 257)
        except ClientError as error:
            print("refused:", error)
        flow = emr.run_job_flow(Name="kept", **{**least, "SecurityConfiguration": "theirs"})["JobFlowId"]
        try:
            emr.put_auto_scaling_policy(ClusterId=flow, InstanceGroupId="ig-NONE", AutoScalingPolicy={
                "Constraints": {"MinCapacity": 1, "MaxCapacity": 2}, "Rules": []})
        except ClientError as error:
            print("refused:", error)
        assert emr.describe_cluster(ClusterId="j-THEIRS")["Cluster"]["Id"] == "j-THEIRS"
    """)
    code, out, err = migrate(path, "--yes")
    assert (code, out) == (0, "crowded.yaml\nkept.yaml\n"), err
    assert "warning: EMR refuses this request: Maximum number of active steps" in err, err
    assert "warning: PutAutoScalingPolicy is not imported: EMR refuses it (" in err, err
    assert err.count("refused: ") == 2, err
    assert "PutAutoScalingPolicy" not in path.with_name("crowded.yaml").read_text()


HIVE = """
import json
password = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId="hive")["SecretString"])["pw"]
release = boto3.client("ssm").get_parameter(Name="/emr/release")["Parameter"]["Value"]
pages = boto3.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/emr/")
assert [one["Value"] for page in pages for one in page["Parameters"]] == [release]
name = boto3.client("s3").get_object(Bucket="b", Key="k/name")["Body"].read().decode()
emr.run_job_flow(Name=name, ReleaseLabel=release, Instances=least["Instances"], SecurityConfiguration="it-is-there")
"""


def test_answers_of_the_user_are_what_the_script_gets(migrate, script, tmp_path):
    path = script(HIVE)
    (tmp_path / "answers.json").write_text('{"hive": {"pw": "x"}, "/emr/release": "emr-6.9.0", "s3://b/k/name": "etl"}')
    code, out, err = migrate(path, "--yes", "--answer", "answers.json")
    assert (code, out, "made up" in err, "refuses" in err) == (0, "etl.yaml\n", False, False), err
    (tmp_path / "answers.json").write_text("[]")
    code, _, err = migrate(path, "--yes", "--answer", "answers.json")
    assert (code, "an object is wanted" in err) == (2, True), err


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HIVE, "secretsmanager.GetSecretValue answered with samples: give their content with --answer FILE"),
        ("print 'hello'", "it is Python 2: make it Python 3 first: `2to3 -w SCRIPT`"),
        ("import urllib2", "it is Python 2"),
        ("import no_such_module", "the module no_such_module is missing: install it"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "a connection to ('127.0.0.1', 9) was refused"),
        ("emr.add_job_flow_steps(JobFlowId='j-X', Steps=[{'Name': 's', 'HadoopJarStep': {'Jar': 'x'}}])",
         "it adds steps to j-X, which exists already"),
    ],
)  # fmt: skip
def test_the_hint_names_the_reason(migrate, script, text, hint):
    code, _, err = migrate(script(text), "--yes")
    assert code == 1
    assert hint in err
    assert "does it need arguments?" not in err


def test_a_module_is_run_as_python_runs_it(migrate, script, tmp_path):
    path = script("import sys; from . import name; emr.run_job_flow(Name=name + sys.argv[1], **least)")
    (tmp_path / "jobs").mkdir()
    path.rename(tmp_path / "jobs" / "__main__.py")
    (tmp_path / "jobs" / "__init__.py").write_text("name = 'of-a-module-'")
    code, out, err = migrate("--yes", "-m", "jobs", "--", "1")
    assert (code, out) == (0, "of-a-module-1.yaml\n"), err


def test_no_token_of_the_user_reaches_the_script(migrate, script, monkeypatch):
    for name in ("GITHUB_TOKEN", "PIP_API_KEY", "AWS_SESSION_TOKEN", "DB_PASSWORD"):
        monkeypatch.setenv(name, "correct-horse")
    path = script("import os; print([name for name, text in os.environ.items() if text == 'correct-horse'])")
    assert "[]\n" in migrate(path, "--yes")[2]


def test_programs_of_the_script_have_no_network(migrate, script):
    from flowspec.importers.migrate.running import isolated

    path = script("""
        import subprocess, sys
        send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
        print("child:", subprocess.run([sys.executable, "-c", send], stderr=subprocess.DEVNULL).returncode)
    """)
    err = migrate(path, "--yes")[2]
    if isolated():
        assert "and it has no network\n" in err
        assert "child: 1\n" in err
    else:
        assert "those of others are not\n" in err


REGIONS = """
from boto.ec2.regioninfo import RegionInfo
from boto.emr.connection import EmrConnection
from boto.emr.step import JarStep
connection = EmrConnection(region=RegionInfo(None, "eu-west-1", "eu-west-1.elasticmapreduce.amazonaws.com"))
connection.run_jobflow("etl", steps=[JarStep("s", "s3n://b/x.jar")], num_instances=2, keep_alive=True)
connection.close()
"""


def test_the_regions_of_ec2_are_those_of_emr(migrate, script, tmp_path):
    code, out, err = migrate(script(REGIONS, head=""), "--yes")
    assert (code, out) == (0, "etl.yaml\n"), err
    assert "\nregion: eu-west-1\n" in (tmp_path / "etl.yaml").read_text()


def test_today_is_a_variable(migrate, script, flowspec):
    path = script("""
        import datetime
        day = datetime.datetime.now(datetime.timezone.utc)
        emr.run_job_flow(Name=f"etl-{day:%Y-%m-%d}", LogUri=f"s3://b/{day:%Y/%m/%d}/", **least,
            ServiceRole="EMR_DefaultRole", JobFlowRole="EMR_EC2_DefaultRole")
    """)
    code, out, err = migrate(path, "--yes", "-o", "jobs")
    assert code == 0, err
    made = flowspec("compile", out.strip(), "--var", "date=2020-01-02", "--var", "date_path=2020/01/02")
    assert (json.loads(made.out)["Name"], json.loads(made.out)["LogUri"]) == ("etl-2020-01-02", "s3://b/2020/01/02/")


def test_a_date_of_the_run_is_that_of_the_specs_run(migrate, script, flowspec):
    path = script("""
        import datetime
        day = datetime.datetime.now(datetime.timezone.utc)
        before = day - datetime.timedelta(days=1)
        emr.run_job_flow(Name=f"etl-{day:%Y%m%d}", LogUri=f"s3://b/{before:%Y/%m/%d}/{before:%Y-%m-%d}/", **least,
            ServiceRole="EMR_DefaultRole", JobFlowRole="EMR_EC2_DefaultRole")
    """)
    code, out, err = migrate(path, "--yes", "-o", "jobs")
    assert code == 0, err
    made = json.loads(flowspec("compile", out.strip(), "--date", "2020-03-01").out)
    assert (made["Name"], made["LogUri"]) == ("etl-20200301", "s3://b/2020/02/29/2020-02-29/")


UPLOADS = """
    s3 = boto3.client("s3")
    s3.upload_file("boot.sh", "bucket", "code/boot.sh")
    s3.put_object(Bucket="bucket", Key="code/job.py", Body=open("job.py", "rb"))
    s3.upload_file("elsewhere.txt", "bucket", "in/elsewhere.txt")
    emr.run_job_flow(Name="up", ServiceRole="EMR_DefaultRole", JobFlowRole="EMR_EC2_DefaultRole", **least,
        BootstrapActions=[{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://bucket/code/boot.sh"}}],
        Steps=[{"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar",
                "Args": ["spark-submit", "s3://bucket/code/job.py", "s3://bucket/in/elsewhere.txt"]}}])
"""


def test_an_object_that_the_script_writes_is_noted_where_the_request_names_it(migrate, script):
    path = script("""
        for name in ("conf/day.txt", "conf/day", "other.txt"):
            boto3.client("s3").put_object(Bucket="bucket", Key=name, Body=b"today")
        emr.run_job_flow(Name="written", **least, BootstrapActions=[
            {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://bucket/b.sh", "Args": ["s3n://bucket/conf/day.txt", "s3://my-bucket/other.txt"]}}])
    """)
    code, _, err = migrate(path, "--yes")
    told = "the script writes s3://bucket/conf/day.txt, which the request names: nothing else does it"
    assert (code, err.count(told), err.count("the script writes")) == (0, 1, 1), err


def test_what_the_script_uploads_is_uploaded_by_apply(migrate, script, flowspec, tmp_path):
    for name in ("boot.sh", "job.py", "elsewhere.txt"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    code, out, err = migrate(script(UPLOADS), "--yes")
    assert (code, out, "s3.Upload" in err) == (0, "up.yaml\n", False), err
    text = (tmp_path / "up.yaml").read_text()
    assert "path: boot.sh" in text
    assert "application: job.py" in text
    assert "staging: s3://bucket/code/" in text
    assert "boot.sh, which the script uploads, is uploaded by apply, below s3://bucket/code/" in err
    assert "the script uploads elsewhere.txt to s3://bucket/in/elsewhere.txt: nothing else does it" in err
    made = json.loads(flowspec("compile", "up.yaml").out)
    action = made["BootstrapActions"][0]["ScriptBootstrapAction"]["Path"]
    args = made["Steps"][0]["HadoopJarStep"]["Args"]
    assert (action[:17], action[-8:]) == ("s3://bucket/code/", "/boot.sh")
    assert (args[1][:17], args[1][-7:], args[2]) == ("s3://bucket/code/", "/job.py", "s3://bucket/in/elsewhere.txt")


def test_a_module_that_is_not_there_is_named(migrate):
    code, _, err = migrate("--yes", "-m", "some.package")
    assert (code, "the module some is missing" in err) == (1, True), err


def test_a_script_that_terminates_its_cluster_has_keep_alive_false(migrate, script, tmp_path):
    kept = 'Instances={"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}'
    path = script(f"""
        flow = emr.run_job_flow(Name="ends", ServiceRole="EMR_DefaultRole", JobFlowRole="EMR_EC2_DefaultRole",
            ReleaseLabel="emr-6.9.0", {kept})["JobFlowId"]
        emr.terminate_job_flows(JobFlowIds=[flow])
    """)
    code, _, err = migrate(path, "--yes")
    assert code == 0, err
    assert "\nkeep_alive: false\n" in (tmp_path / "ends.yaml").read_text()
    assert "the script terminates the cluster itself: here keep_alive is false" in err
