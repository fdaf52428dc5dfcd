"""`aws emr create-cluster` commands. The judge is the real AWS CLI: what it sends for the same words."""

import io
import json
import os
import subprocess
import threading
from contextlib import redirect_stderr, redirect_stdout, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.importers.awscli.shorthand import ShorthandError
from flowspec.importers.awscli.shorthand import parse as parse_shorthand
from flowspec.importers.decompile.placeholders import placeholder
from tests.importers.common import compiled, refusal, wanted

COMMANDS = {
    "least": "aws emr create-cluster --release-label emr-5.30.0 --instance-type m5.xlarge",
    "most": """
        aws emr create-cluster --name "A b" --release-label emr-5.30.0 --instance-type m5.xlarge --instance-count 3 \\
          --use-default-roles --auto-terminate --log-uri s3://b/l/ --enable-debugging \\
          --applications Name=Spark Name=Hive Name=Pig \\
          --steps Type=Spark,Name="my step",Args=[--deploy-mode,cluster,--class,org.x.Y,s3://b/x.jar,10] \\
            Type=HIVE,ActionOnFailure=CANCEL_AND_WAIT,Args=[-f,s3://b/x.q,-d,INPUT=s3://x] \\
            'Type=STREAMING,Args=[-files,"s3://a/b.py,s3://a/c.py",-mapper,b.py]' \\
            Type=Pig,Args=[-f,s3://b/x.pig] Type=CUSTOM_JAR,Jar=command-runner.jar,Args=[bash,-c,"ls -l"] \\
            'Jar=s3://b/j.jar,MainClass=a.B,Properties="k1=v1,k2",LogUri=s3://b/m/'
    """,
    "an AMI": """
        aws emr create-cluster --ami-version 3.11.0 --log-uri s3://x --enable-debugging \\
          --instance-groups InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m1.large \\
            InstanceGroupType=core,InstanceCount=2,InstanceType=m1.large,BidPrice=0.1 \\
            Name=t,InstanceGroupType=TASK,InstanceCount=2,InstanceType=m1.large,BidPrice=OnDemandPrice \\
          --applications Name=Hive,Args=[--hive-site=s3://b/x.xml] Name=Pig Name=Ganglia Name=HBase \\
            Name=Impala,Args=[a,b] Name=MapR,Args=--edition,m3 \\
          --steps Type=Pig,Args=[-f,s3://x.pig] Type=Impala,Args=[--x] Type=Streaming,Args=[-a,b] Type=spark,Args=[x] \\
          --emrfs Consistent=true,RetryCount=3,RetryPeriod=4,Args=[a=b,c] --tags a=b c "d=e=f" \\
          --restore-from-hbase-backup Dir=s3://x,BackupVersion=3 \\
          --bootstrap-actions Path=s3://a/b,Name=x,Args=[a,b] Path=s3://c
    """,
    "an older AMI": """
        aws emr create-cluster --ami-version 2.4 --instance-type m1.large --applications Name=HBase \\
          --emrfs Encryption=ClientSide,ProviderType=Custom,CustomProviderLocation=s3://x,CustomProviderClass=a.B \\
          --ec2-attributes AvailabilityZone=us-east-1a
    """,
    "JSON": """
        aws emr create-cluster --release-label=emr-5.30.0 --name= --service-role r --instance-groups \\
        '[{"InstanceGroupType":"MASTER","InstanceCount":1,"InstanceType":"m5.xlarge","EbsConfiguration":
          {"EbsBlockDeviceConfigs":[{"VolumeSpecification":{"VolumeType":"gp2","SizeInGB":32}}]}}]' \\
        --configurations '[{"Classification":"spark","Properties":{"a":"b"}}]' --emrfs SSE=true,Args=[x=y] \\
        --ec2-attributes KeyName=k,SubnetIds=subnet-1,subnet-2,InstanceProfile=p,AdditionalMasterSecurityGroups=sg-1 \\
        --steps '[{"Type":"Spark","Args":["a","b, c"],"ActionOnFailure":"TERMINATE_CLUSTER"}]' \\
        --applications '[{"Name":"Spark"}]' --additional-info '{"a":1}' --tags '["a=b"]'
    """,
    "fleets": """
        aws emr create-cluster --release-label emr-6.9.0 --instance-fleets \\
          InstanceFleetType=MASTER,TargetOnDemandCapacity=1,InstanceTypeConfigs=['{InstanceType=m5.xlarge}'] \\
          InstanceFleetType=CORE,TargetSpotCapacity=11,InstanceTypeConfigs=['{InstanceType=m5.xlarge,BidPrice=0.5,'\\
'WeightedCapacity=3}','{InstanceType=m4.2xlarge,BidPriceAsPercentageOfOnDemandPrice=80,WeightedCapacity=5}'],\\
LaunchSpecifications={SpotSpecification='{TimeoutDurationMinutes=120,TimeoutAction=SWITCH_TO_ON_DEMAND}'} \\
          --ec2-attributes AvailabilityZones=us-east-1a,us-east-1b --no-auto-terminate --termination-protected \\
          --no-visible-to-all-users --scale-down-behavior TERMINATE_AT_TASK_COMPLETION --step-concurrency-level 5
    """,
    "the rest": """
        aws emr create-cluster --release-label emr-6.9.0 --instance-type m5.xlarge --instance-count 4 \\
          --ebs-root-volume-size 20 --custom-ami-id ami-1 --repo-upgrade-on-boot NONE --security-configuration s \\
          --kerberos-attributes Realm=EC2.INTERNAL,KdcAdminPassword=correct-horse --os-release-label 2.0.1 \\
          --managed-scaling-policy ComputeLimits='{MinimumCapacityUnits=2,MaximumCapacityUnits=4,UnitType=Instances}' \\
          --placement-group-configs InstanceRole=MASTER --auto-termination-policy IdleTimeout=3600 \\
          --unhealthy-node-replacement --ebs-root-volume-iops 3000 --ebs-root-volume-throughput 125 \\
          --no-extended-support --emrfs Encryption=ClientSide,ProviderType=KMS,KMSKeyId=abc \\
          --monitoring-configuration '{"CloudWatchLogConfiguration":{"Enabled":true}}' --log-uri s3://x/ \\
          --log-encryption-kms-key-id k --auto-scaling-role a --step-execution-role-arn arn:aws:iam::123456789012:role/x
    """,
}


class _Ears(ThreadingHTTPServer):
    """Takes requests of RunJobFlow, and keeps them."""

    daemon_threads = True

    def __init__(self):
        self.heard = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))
        answer = b'{"JobFlowId": "j-1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args): ...


@pytest.fixture(scope="module")
def ears():
    server = _Ears()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def words_of(command):
    """The words that the shell hands to `aws`."""
    script = f"aws() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1]


@pytest.fixture
def sent(ears, credentials, monkeypatch, tmp_path):
    """What the AWS CLI sends for a command; None and its words where it refuses."""
    import awscli
    from awscli.clidriver import create_clidriver

    monkeypatch.setenv("AWS_DATA_PATH", f"{awscli.__path__[0]}/data")

    def call(command):
        monkeypatch.chdir(tmp_path)
        ears.heard.clear()
        words = words_of(command)
        where = ["--endpoint-url", f"http://127.0.0.1:{ears.server_port}", "--region", "us-east-1"]
        errors = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(errors), suppress(SystemExit):
            create_clidriver().main([*words, *where])
        return ears.heard[0] if ears.heard else errors.getvalue()

    return call


@pytest.mark.parametrize("name", COMMANDS)
def test_the_spec_compiles_to_what_the_aws_cli_sends(name, sent, tmp_path):
    request = sent(COMMANDS[name])
    assert isinstance(request, dict), request
    source = wanted(COMMANDS[name])
    assert source.request == request
    made = compiled(source, tmp_path)
    made["Tags"] = request["Tags"] and sorted(made["Tags"], key=lambda tag: tag["Key"])
    assert made == request


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("--release-label emr-6.9.0", "no instances are named"),
        ("--instance-type m5.xlarge", "neither --release-label nor --ami-version is given"),
        ("--release-label emr-6.9.0 --ami-version 3.1 --instance-type x", "--release-label and --ami-version exclude"),
        ("--release-label emr-6.9.0 --instance-type x --use-default-roles --service-role x", "exclude each other"),
        ("--release-label emr-6.9.0 --instance-type x --steps Type=Hive,Args=[a]", "a hive step needs its application"),
        (
            "--release-label emr-6.9.0 --instance-type x --steps Type=PROGRAM,Args=[a]",
            "there is no step of type PROGRAM",
        ),
        ("--release-label emr-6.9.0 --instance-type x --steps Type=Spark", "a spark step lacks Args"),
        ("--release-label emr-6.9.0 --instance-type x --steps Jar=a,Properties=a=b,c", "Properties is one text"),
        ("--release-label emr-6.9.0 --instance-type x --steps Jar", "neither JSON nor shorthand: '=' is wanted"),
        ("--release-label emr-6.9.0 --instance-type x --enable-debugging", "--enable-debugging needs --log-uri"),
        ("--release-label emr-6.9.0 --instance-type x --auto-terminate --no-auto-terminate", "exclude each other"),
        ("--release-label emr-6.9.0 --instance-typo x", "--instance-typo is no option of create-cluster"),
        ("--release-label emr-6.9.0 --instance-type x stray", "'stray' belongs to no option"),
        ("--release-label emr-6.9.0 --instance-type x --tags", "--tags wants a value"),
        ("--release-label emr-6.9.0 --instance-type x --configurations file://nope.json", "nope.json can't be read"),
    ],
)
def test_what_the_aws_cli_refuses_is_refused_at_its_place(command, told, sent):
    assert isinstance(sent(f"aws emr create-cluster {command}"), str)
    found = refusal(f"#!/bin/sh\naws emr create-cluster {command}\n")
    assert (told in found.message, found.location.line) == (True, 2)


def test_what_the_cli_drops_silently_is_told():
    source = wanted(
        "aws emr create-cluster --release-label emr-6.9.0 "
        "--instance-groups InstanceGroupType=MASTER,InstanceCount=1,InstanceType=x,Market=SPOT"
    )
    assert source.notes == (
        "Market in --instance-groups is left out, as the AWS CLI leaves it out: it knows no such member",
    )


SCRIPT = """\
#!/bin/bash
set -e
BUCKET=my-bucket   # where things are
export REGION=eu-west-1
NAME="${1:-etl}"
if true; then
  CLUSTER=$(aws --region $REGION emr create-cluster --name "$NAME-daily" \\
   --release-label "${RELEASE:-emr-6.9.0}" --log-uri s3://$BUCKET/logs/ $MORE \\
   --instance-groups InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m5.xlarge \\
     InstanceGroupType=CORE,InstanceCount=$N,InstanceType=$TYPE \\
   --configurations "[{\\"Classification\\": \\"x\\", \\"Properties\\": {\\"k\\": \\"$TYPE\\"}}]" \\
   --applications Name=Spark --kerberos-attributes Realm=X,KdcAdminPassword=$PW \\
   --steps "Type=Spark,Name=$NAME,Args=[--class,a.B,s3://$BUCKET/x.jar,$(date +%F),'$literal']" \\
   --use-default-roles --query ClusterId --output text > id.txt 2>&1)
fi
cat <<EOF | tee x
aws emr create-cluster --release-label nothing
EOF
aws emr add-steps --cluster-id $CLUSTER --steps Type=CUSTOM_JAR,Jar=s3://$BUCKET/y.jar
"""


def test_a_script_with_variables(tmp_path):
    source = wanted(SCRIPT)
    assert source.region == placeholder("REGION")
    declared = {name: (one.type, one.default) for name, one in source.variables.items()}
    assert declared == {
        "REGION": ("string", "eu-west-1"),
        "NAME": ("string", "etl"),
        "RELEASE": ("string", "emr-6.9.0"),
        "BUCKET": ("string", "my-bucket"),
        "N": ("integer", None),
        "TYPE": ("string", None),
        "PW": ("string", None),
        "output": ("string", None),
        "literal": ("string", None),
    }
    assert source.variables["output"].rules == {"description": "the output of `date +%F`"}
    made = compiled(source, tmp_path, N=7, TYPE="m5.4xlarge", BUCKET="other", output="2024-01-01")
    assert made["Name"] == "etl-daily"
    assert made["LogUri"] == "s3://other/logs/"
    assert made["Instances"]["InstanceGroups"][1]["InstanceCount"] == 7
    assert made["Configurations"][0]["Properties"] == {"k": "m5.4xlarge"}
    assert [step["HadoopJarStep"]["Jar"] for step in made["Steps"]] == ["command-runner.jar", "s3://other/y.jar"]
    assert made["Steps"][0]["HadoopJarStep"]["Args"][3:] == ["s3://other/x.jar", "2024-01-01", "sample"]
    assert source.notes == (
        "$MORE stands among the options in line 8: what it adds is not imported",
        "the steps that `aws emr add-steps` adds in the script are among the steps",
    )
    assert "PW: {type: string, sensitive: true}" in (tmp_path / "job.yaml").read_text()


def test_files_are_read_only_from_below_the_script(tmp_path, sent):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "x.json").write_text('[{"Classification": "a", "Properties": {"b": "c"}}]')
    command = "aws emr create-cluster --release-label emr-6.9.0 --instance-type x --configurations file://{}"
    name = "./conf/x.json"
    assert wanted(command.format(name), folder=tmp_path).request == sent(command.format(name))
    found = refusal(command.format("../x.json"), folder=tmp_path / "conf")
    assert found.message == "../x.json is not below the folder of the script"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(command.format("pipe"), folder=tmp_path).message == "pipe is no file"
    found = refusal(command.format("/etc/passwd"), folder=tmp_path)
    assert found.message == "/etc/passwd is not below the folder of the script"
    found = refusal(
        "aws emr create-cluster --configurations https://example.com/x.json --release-label emr-6.9.0 --instance-type x"
    )
    assert (found.message, found.hint) == (
        "https://example.com/x.json is not fetched",
        "download it, and name it as file://NAME",
    )


def test_one_of_several_commands_is_chosen():
    one = "aws emr create-cluster --release-label emr-6.9.0 --instance-type x --name {}\n"
    text = one.format("first") + one.format("second")
    found = refusal(text)
    assert found.message == "2 clusters are in it"
    assert found.notes == ("choose one with --cluster, by name or number (1: first, 2: second)",)
    assert wanted(text, cluster="second").params["Name"] == wanted(text, cluster="2").params["Name"] == "second"
    assert refusal(text, cluster="third").message == "there is no one cluster 'third'"


def test_no_command_at_all():
    assert refusal("echo hello", kind="aws-cli").message == "no `aws emr create-cluster` stands in it"
    assert refusal("", kind="aws-cli").message == "no `aws emr create-cluster` stands in it"


@given(
    st.lists(st.sampled_from([*"ab,=[]{}'\"\\ .~^|é\n", "k=v", "s3://b/k", "\\,", "'x y'"]), max_size=10).map("".join)
)
def test_shorthand_is_read_as_the_aws_cli_reads_it(text):
    from awscli.shorthand import ShorthandParseError, ShorthandParser

    try:
        theirs = ShorthandParser().parse(f"K={text}")
    except (ShorthandParseError, TypeError):
        # They stumble over blanks at an end of brackets; we don't.
        return
    try:
        assert parse_shorthand(f"K={text}") == theirs
    except ShorthandError as error:
        raise AssertionError(f"{text!r}: {error}") from None
