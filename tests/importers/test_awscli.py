"""`aws emr create-cluster` commands. The judge is the real AWS CLI: what it sends for the same words."""

import io
import json
import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowspec.importers.awscli.shorthand import ShorthandError
from flowspec.importers.awscli.shorthand import parse as parse_shorthand
from flowspec.importers.placeholders import placeholder
from tests.importers.common import compiled, refusal, wanted
from tests.work import is_linear

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


def words_of(command):
    """The words that the shell hands to `aws`."""
    script = f"aws() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1]


@pytest.fixture
def sent(answering, credentials, monkeypatch, tmp_path):
    """Returns the request that the AWS CLI sends for a command; None and its message where it refuses."""
    import awscli
    from awscli.clidriver import create_clidriver

    answering.body = b'{"JobFlowId": "j-1"}'
    monkeypatch.setenv("AWS_DATA_PATH", f"{awscli.__path__[0]}/data")

    def call(command):
        monkeypatch.chdir(tmp_path)
        answering.seen.clear()
        words = words_of(command)
        where = ["--endpoint-url", f"http://127.0.0.1:{answering.server_port}", "--region", "us-east-1"]
        errors = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(errors), suppress(SystemExit):
            create_clidriver().main([*words, *where])
        return json.loads(answering.seen[0][2]) if answering.seen else errors.getvalue()

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
        ("--release-label emr-6.9.0 --instance-typo x", "--instance-typo is not an option of create-cluster"),
        (
            "--release-label emr-6.9.0 --instance-type x --monitoring-configuration "
            """'{"S3LoggingConfiguration":{"LogTypeUploadPolicy":{"system-logs":"disabled"}}}'""",
            "S3LoggingConfiguration needs --log-uri",
        ),
        ("--release-label emr-6.9.0 --instance-type x stray", "'stray' belongs to no option"),
        ("--release-label emr-6.9.0 --instance-type x --tags", "--tags needs a value"),
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
    assert source.notes == ("Market in --instance-groups is left out: the AWS CLI sends no such member",)


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
        'output is the output of a command, which import does not run: --var output="$(date +%F)"',
        "$MORE stands among the options in line 8: what it adds is not imported",
        "the steps that `aws emr add-steps` adds in the script are imported, too",
    )
    assert "PW: {type: string, sensitive: true}" in (tmp_path / "job.yaml").read_text()


def test_a_here_document_in_an_absolute_path_is_read(tmp_path, sent):
    command = "aws emr create-cluster --release-label emr-6.9.0 --instance-type x --configurations {}"
    content = '[{"Classification": "a", "Properties": {"b": "c"}}]'
    script = f"cat > /tmp/x.json <<EOF\n{content}\nEOF\n{command.format('file:///tmp/x.json')}\n"
    assert wanted(script, folder=tmp_path).request == sent(command.format(f"'{content}'"))
    other = wanted(script.replace("cat >", "jq . >"), folder=tmp_path)
    assert other.notes == (
        "line 4: /tmp/x.json is not read: the script writes it itself; --configurations is imported without it",
    )


def test_files_are_read_only_from_below_the_script(tmp_path, sent):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "x.json").write_text('[{"Classification": "a", "Properties": {"b": "c"}}]')
    command = "aws emr create-cluster --release-label emr-6.9.0 --instance-type x --configurations file://{}"
    name = "./conf/x.json"
    assert wanted(command.format(name), folder=tmp_path).request == sent(command.format(name))
    found = refusal(command.format("../x.json"), folder=tmp_path / "conf")
    assert found.message == "../x.json is not below the folder of the script"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(command.format("pipe"), folder=tmp_path).message == "pipe is not a file"
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
    assert refusal("echo hello", kind="aws-cli").message == "it has no `aws emr create-cluster` command"
    assert refusal("", kind="aws-cli").message == "it has no `aws emr create-cluster` command"


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


# --- scripts, judged by bash and the AWS CLI ---

REST = "--name etl --release-label emr-6.15.0 --instance-type m5.xlarge --instance-count 3"
SPLIT = {
    "words": f"rest='{REST}'\naws emr create-cluster $rest --use-default-roles",
    "words in words": "label='--release-label emr-6.15.0'\nall=\"--name etl $label --instance-type m5.xlarge\"\n"
    "aws emr create-cluster ${all} --auto-terminate",
    "one option": f"ends=--auto-terminate\nnone=\naws emr create-cluster {REST} $ends $none",
    "an array": f"OPTS=({REST})\nOPTS+=(--tags 'a=b c' # it's a comment\n d=e)\naws emr create-cluster \"${{OPTS[@]}}\"",
    "a declared array": f"declare -a OPTS=(\n  {REST}\n)\naws emr create-cluster ${{OPTS[@]}}",
    "appended text": f"o='{REST}'\no=\"$o --log-uri s3://b/\"\no+=' --auto-terminate'\naws emr create-cluster $o",
    "a quoted text stays whole": f"tag='a=b c'\naws emr create-cluster {REST} --tags \"$tag\"",
    "shortened options": "aws emr create-cluster --rel emr-6.15.0 --instance-ty m5.xlarge --instance-c 2 "
    "--bootstrap-action Path=s3://b/x.sh --vis",
    "a function": f"go() {{\n  local label='--log-uri s3://b/'\n  aws emr create-cluster {REST} $label\n}}\ngo",
}


@pytest.mark.parametrize("name", SPLIT)
def test_options_in_variables_are_those_that_the_shell_hands_on(name, sent, tmp_path):
    judged = sent(SPLIT[name])
    assert isinstance(judged, dict), judged
    assert compiled(wanted(SPLIT[name]), tmp_path) == judged


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("N=4\nif true; then N=10; fi", "line 2: a branch or loop sets $N to `10`"),
        ("N=4\nif true\nthen :\nelse\nN=10\nfi", "line 5: a branch or loop sets $N to `10`"),
        ("N=4\nwhile x; do N=$((N+1)); done", "line 2: a branch or loop sets $N"),
        ("N=4\nfor i in $ALL; do N=$((N+1)); done", "line 2: a branch or loop sets $N"),
        ("N=4\nfor i in 1 2; do N=$((N+1)); done", "line 2: $N is assigned for a second time"),
        ("N=4\n[ -n x ] && N=10", "line 2: a branch or loop sets $N to `10`"),
        ("N=4\ncase $1 in prod) N=10;; esac", "line 2: a branch or loop sets $N to `10`"),
        ("N=4\nread N", "line 2: `read` sets $N"),
        ("N=4\nprintf -v N %s 10", "line 2: `printf` sets $N"),
        ("N=4\nlet N=N+6", "line 2: `let` sets $N"),
        ("N=4\n((N++))", "line 2: `((` sets $N"),
        ("N=4\nfor ((N=0; N<10; N++)); do :; done", "line 2: `((` sets $N"),
        ("N=4\nN[0]=10", "line 2: `N[0]` sets $N"),
        ("f() {\nlocal N=4\nread N\n", "line 3: `read` sets $N"),
    ],
)
def test_what_a_branch_assigns_is_a_variable_and_a_note(script, note):
    called = "\n}\nf" if script.startswith("f()") else ""
    command = "aws emr create-cluster --release-label emr-6.15.0 --instance-type m5.xlarge --name $N"
    source = wanted(f"{script}\n{command}{called}")
    assert source.variables["N"].default is None
    assert [one for one in source.notes if note in one], source.notes


def test_what_a_later_line_of_a_loop_assigns_is_not_certain_before_either():
    source = wanted(f"N=a\nwhile read i; do\naws emr create-cluster {REST} --log-uri s3://$N/\nN=b\ndone")
    assert source.variables["N"].default is None


def test_what_a_branch_adds_to_options_is_noted_and_the_rest_imported(tmp_path):
    for added in ('OPTS="$OPTS --log-uri s3://b/"', "OPTS+=' --log-uri s3://b/'"):
        source = wanted(f"OPTS='{REST}'\nif prod; then {added}; fi\naws emr create-cluster $OPTS")
        assert source.notes == ("line 2: a branch or loop adds `--log-uri s3://b/` to $OPTS, which is not imported",)
        assert compiled(source, tmp_path)["Name"] == "etl"
    source = wanted(f'O=({REST})\nprod && O+=(--log-uri s3://b/)\naws emr create-cluster "${{O[@]}}"')
    assert source.notes == ("line 2: a branch or loop adds `--log-uri s3://b/` to $O, which is not imported",)


def test_a_second_assignment_is_noted():
    source = wanted(f"N=a\nN=b\naws emr create-cluster {REST} --log-uri s3://$N/")
    assert (source.variables["N"].default, source.notes) == (
        "b",
        ("line 2: $N is assigned for a second time; check its value",),
    )


@pytest.mark.parametrize("kind", ["m5.xlarge", "$KIND"])
def test_a_variable_counts_all_nodes(kind, tmp_path):
    source = wanted(
        f"N=4\nKIND=m5.xlarge\naws emr create-cluster --release-label emr-6.15.0 --instance-type {kind} --instance-count $N"
    )
    made = compiled(source, tmp_path)["Instances"]
    assert {key: one for key, one in made.items() if "Instance" in key} == {
        "InstanceCount": 4, "MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge"
    }  # fmt: skip
    assert compiled(source, tmp_path, N=1)["Instances"]["InstanceCount"] == 1
    assert source.notes == ("--instance-count is a variable: EMR makes the groups, and names them itself",)


def test_groups_beside_a_variable_that_counts_all_nodes_are_not_imported():
    source = wanted(
        "ID=$(aws emr create-cluster --release-label emr-6.15.0 --instance-type m5.xlarge --instance-count $N)\n"
        "aws emr add-instance-groups --cluster-id $ID --instance-groups InstanceGroupType=TASK,InstanceType=m5.xlarge,InstanceCount=4"
    )
    assert "InstanceGroups" not in source.params["Instances"]
    assert (
        source.notes[1]
        == "line 2: the groups that are added later are not imported: the number of instances is a variable"
    )


def test_what_computed_a_variable_is_told(tmp_path):
    source = wanted(f"DAY=$(date +%F)\naws emr create-cluster {REST} --log-uri s3://$DAY/ --tags at=$(date +%T)")
    assert {name: (one.default, one.rules) for name, one in source.variables.items()} == {
        "DAY": (None, {"description": "the output of `date +%F`"}),
        "output_2": (None, {"description": "the output of `date +%T`"}),
    }
    assert source.notes == (
        'DAY is the output of a command, which import does not run: --var DAY="$(date +%F)"',
        'output_2 is the output of a command, which import does not run: --var output_2="$(date +%T)"',
    )


def test_a_command_that_can_not_be_pasted_is_no_advice():
    source = wanted(f"DAY=$(date \\\n  +%F)\naws emr create-cluster {REST} --log-uri s3://$DAY/$(fetch {'x' * 300})/")
    assert source.notes == ()
    assert sorted(source.variables) == ["DAY", "output_2"]


def test_an_output_that_only_the_shell_knows_is_named():
    source = wanted(f'aws emr create-cluster {REST} --steps "$(jq -c . s.json)"\n', "aws-cli")
    told = "line 1: only the shell knows the output of `jq -c . s.json`; --steps is imported without it"
    assert source.notes == (told,)


def test_a_step_that_only_the_shell_knows_is_named():
    found = refusal(f'aws emr create-cluster {REST} --steps "[$(python make_step.py)]"\n', "aws-cli")
    assert found.message == (
        "an object is wanted, in JSON or shorthand, and only the shell knows the output of `python make_step.py`"
    )


FOLLOW_UPS = f"""
ID=$(aws emr create-cluster {REST} --query ClusterId --output text)
CLUSTER=$(echo "$ID" | tr -d '"')
aws emr wait cluster-running --cluster-id $ID
aws emr put-auto-termination-policy --cluster-id "$ID" --auto-termination-policy IdleTimeout=900
aws emr put-managed-scaling-policy --cluster-id "$ID" \\
  --managed-scaling-policy ComputeLimits='{{MinimumCapacityUnits=2,MaximumCapacityUnits=9,UnitType=Instances}}'
aws emr add-instance-groups --cluster-id "$CLUSTER" --instance-groups InstanceGroupType=TASK,InstanceType=m5.xlarge,InstanceCount=4
aws emr add-tags --resource-id $CLUSTER --tags team=blue cost=1
aws emr remove-tags --resource-id $CLUSTER --tag-keys cost
aws emr modify-cluster --cluster-id $ID --step-concurrency-level 3
aws emr modify-cluster-attributes --cluster-id "$ID" --termination-protected --no-visible-to-all-users
aws emr add-tags --resource-id j-THEIRS --tags a=b
aws emr modify-instance-groups --instance-groups InstanceGroupId=ig-1,InstanceCount=2
if true; then aws emr add-tags --resource-id $ID --tags c=d; fi
"""


def test_what_a_script_does_to_its_cluster_belongs_to_the_spec(tmp_path):
    source = wanted(FOLLOW_UPS)
    made = compiled(source, tmp_path)
    assert made["AutoTerminationPolicy"] == {"IdleTimeout": 900}
    assert made["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"] == 9
    groups = made["Instances"]["InstanceGroups"]
    assert [(group["InstanceRole"], group["InstanceCount"]) for group in groups] == [
        ("MASTER", 1),
        ("CORE", 2),
        ("TASK", 4),
    ]
    assert made["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert (made["StepConcurrencyLevel"], made["VisibleToAllUsers"]) == (3, False)
    assert made["Instances"]["TerminationProtected"] is True
    assert source.notes == (
        "line 13: `aws emr add-tags` is not imported: the script did not create j-THEIRS",
        "line 14: `aws emr modify-instance-groups` is not imported",
        "line 15: `aws emr add-tags` is in a branch or a loop, and is not imported",
    )


def test_steps_that_are_added_to_a_cluster_of_an_ami_are_those_of_amis():
    script = "export AWS_DEFAULT_REGION=eu-west-1\n"
    script += "ID=$(aws emr create-cluster --ami-version 3.11.0 --instance-type m1.large --applications Name=Hive)\n"
    script += "aws emr add-steps --cluster-id $ID --steps Type=Hive,Args=[-f,s3://b/x.q]\n"
    source = wanted(script)
    # The CLI asks EMR for the release of the cluster, and its session for the region (awscli/customizations/emr/addsteps.py).
    libraries = "s3://eu-west-1.elasticmapreduce/libs"
    jars = {step["HadoopJarStep"]["Jar"] for step in source.params["Steps"]}
    assert jars == {f"{libraries}/script-runner/script-runner.jar"}
    assert source.params["Steps"][-1]["HadoopJarStep"]["Args"][0] == f"{libraries}/hive/hive-script"
    assert source.region == "eu-west-1"
    assert source.notes == ("the steps that `aws emr add-steps` adds in the script are imported, too",)


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (
            "add-steps --cluster-id $ID --execution-role-arn arn:aws:iam::1:role/x --steps Jar=s3://b/x.jar",
            "the execution role of steps that are added later is not imported",
        ),
        ("put-managed-scaling-policy --cluster-id $ID --managed-scaling-policy $(policy)", "only the shell knows"),
        ("put-auto-termination-policy --cluster-id $ID --auto-termination-policy file://gone/$X", "is not read"),
        ("add-steps --cluster-id $ID --steps $(steps)", "--steps is imported without it"),
    ],
)
def test_what_a_later_command_says_and_no_request_can_is_noted(command, note):
    notes = wanted(f"ID=$(aws emr create-cluster {REST})\naws emr {command}\n").notes
    assert any(note in one for one in notes)
    assert ("the steps that `aws emr add-steps` adds in the script are imported, too" in notes) == ("Jar=" in command)


def test_a_later_command_without_what_it_needs_changes_nothing():
    create = f"ID=$(aws emr create-cluster {REST})\n"
    assert wanted(f"{create}aws emr remove-tags --resource-id $ID\n").params == wanted(create).params


def test_extended_support_may_be_switched_on_later():
    script = f"ID=$(aws emr create-cluster {REST})\naws emr modify-cluster --cluster-id $ID --extended-support\n"
    assert wanted(script).params["ExtendedSupport"] is True


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (
            "--ami-version 3.11.0 --instance-type m1.large --region us-east-1 --configurations '[]'",
            "--configurations is left out, as the AWS CLI leaves it out beside --ami-version",
        ),
        (
            "--release-label emr-6.9.0 --instance-count 3 --instance-fleets InstanceFleetType=MASTER,"
            "TargetOnDemandCapacity=1,InstanceTypeConfigs=['{InstanceType=m5.xlarge}']",
            "--instance-count is left out, as the AWS CLI leaves it out beside --instance-fleets",
        ),
        (
            "--release-label emr-6.9.0 --instance-type m5.xlarge --emrfs Consistent=true,Consistency=1",
            "Consistency in --emrfs is left out: the AWS CLI sends no such member",
        ),
    ],
)
def test_what_the_cli_leaves_out_is_noted(options, note):
    assert wanted(f"aws emr create-cluster {options}").notes == (note,)


def test_later_commands_belong_to_the_cluster_that_they_name():
    script = f"A=$(aws emr create-cluster {REST})\nB=$(aws emr create-cluster {REST} --log-uri s3://b/)\n"
    script += "aws emr add-tags --resource-id $A --tags of=a\naws emr add-tags --resource-id $B --tags of=b\n"
    script += "aws emr terminate-clusters --cluster-ids $B\naws emr add-tags --resource-id $C --tags of=c\n"
    first, second = wanted(script, cluster="1"), wanted(script, cluster="2")
    assert (first.params["Tags"], second.params["Tags"]) == (
        [{"Key": "of", "Value": "a"}],
        [{"Key": "of", "Value": "b"}],
    )
    kept = [one.params["Instances"]["KeepJobFlowAliveWhenNoSteps"] for one in (first, second)]
    assert kept == [True, False]
    unknown = "line 6: `aws emr add-tags` is not imported: its cluster is not known before the script runs"
    assert unknown in first.notes
    assert unknown in second.notes


@pytest.mark.parametrize(
    ("script", "where"),
    [
        (f"aws --profile p --region eu-west-1 emr create-cluster {REST}", ("eu-west-1", "p")),
        (f"export AWS_DEFAULT_REGION=eu-west-1 AWS_PROFILE=p\naws emr create-cluster {REST}", ("eu-west-1", "p")),
        (f"AWS_REGION=eu-west-1 AWS_PROFILE=p aws emr create-cluster {REST}", ("eu-west-1", "p")),
        (f"env AWS_REGION=eu-west-1 aws emr create-cluster {REST} --profile p", ("eu-west-1", "p")),
        (f"AWS_PROFILE=q true\naws emr create-cluster {REST}", ("", "")),
        (f"export AWS_REGION=us-west-2\naws emr create-cluster {REST} --region eu-west-1", ("eu-west-1", "")),
    ],
)
def test_region_and_profile_of_options_and_environment(script, where):
    source = wanted(script)
    assert (source.region, source.profile) == where


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("x.ps1", f"$env:AWS_REGION = 'eu-west-1'\n$name = \"etl\"\n$o = @('--log-uri', 's3://b/')\n"
         f"aws emr create-cluster `\n  {REST.replace('etl', '$name')} `\n  @o"),
        ("x.bat", f"@echo off\nrem it's a comment\nset AWS_REGION=eu-west-1\nset NAME=etl\n"
         f"aws emr create-cluster ^\n  {REST.replace('etl', '%NAME%')} ^\n  --log-uri s3://b/"),
    ],
)  # fmt: skip
def test_scripts_of_windows(name, script, tmp_path):
    source = wanted(script, name=name)
    made = compiled(source, tmp_path)
    assert (source.region, made["Name"], made["LogUri"]) == ("eu-west-1", "etl", "s3://b/")


def test_a_request_in_a_file_is_imported_as_such():
    found = refusal("aws emr create-cluster --cli-input-json file://cluster.json")
    assert "flowspec import cluster.json" in found.hint


def test_an_ambiguous_option_is_refused():
    found = refusal("aws emr create-cluster --instance m5.xlarge --release-label emr-6.15.0")
    assert "could be --instance-count, --instance-fleets, --instance-groups, --instance-type" in found.message


@pytest.mark.parametrize("text", ["$(", "`", "${", "<<a\n", "a=( ", '"$(', "x y\n", "A%=$(date %)\n"])
def test_reading_costs_no_more_than_its_length(text):
    from flowspec.document.text.tree import Source
    from flowspec.importers.awscli.shell import parse

    def read(size):
        with suppress(RecursionError):
            parse(Source("x.sh", "".join(text.replace("%", str(at)) for at in range(size // len(text)))))

    assert is_linear(read, 12_500)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--configurations file://a\0b", "a file name can't contain NUL"),
        ("--emrfs SSE=true --configurations null", "--configurations is a list of objects"),
        ("--emrfs SSE=true --configurations '[\"a\"]'", "--configurations is a list of objects"),
        (
            """--monitoring-configuration '{"S3LoggingConfiguration": "x"}'""",
            "MonitoringConfiguration.S3LoggingConfiguration must be an object, this is a string",
        ),
    ],
)
def test_json_of_another_form_is_refused(options, message):
    assert refusal(f"aws emr create-cluster {REST} {options}").message == message
