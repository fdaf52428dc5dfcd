"""Exports are judged by the tools themselves, and by coming back through import."""

import ast
import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2.sandbox import SandboxedEnvironment

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.extends import target_names
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import FlowspecError, SpecError
from flowspec.exporters.exported import FORMATS, export
from flowspec.exporters.job import References
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.placeholders import substitute
from flowspec.request.compile import compile
from tests.importers.awscli import judge as awscli
from tests.importers.common import wanted
from tests.importers.terraform import judge as terraform
from tests.importers.terraform.canonical import canonical, folded
from tests.specs import rendered

IMPORTS = sorted(Path(__file__).parent.parent.joinpath("importers", "imports").glob("*/request.json"))
SECRET = "s3cr3t-word"
SPEC = """\
flowspec: v1
name: nightly "etl"
backend: emr
region: eu-west-1
variables: {pw: {type: string, sensitive: true}}
release_label: emr-7.5.0
log_uri: s3://acme/logs/
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
ec2_subnet_ids: [subnet-0a1b2c3d]
applications: [Hadoop, Spark]
keep_alive: false
visible_to_all_users: true
tags: {team: search, empty: ""}
instance_groups:
  - {role: MASTER, type: m5.xlarge, market: ON_DEMAND}
  - {role: CORE, type: m5.2xlarge, count: 4}
  - {role: TASK, type: m5.2xlarge, count: 4, market: SPOT, bid_price: "0.20"}
bootstrap_actions: [{name: install, path: s3://acme/install.sh, args: [--fast, "a,b"]}]
configurations: {hive-site: {javax.jdo.option.ConnectionPassword: "{{ pw }}", url: "x={{ pw }}&${y}%{z}"}}
managed_scaling_policy: {compute_limits: {unit_type: Instances, minimum_capacity_units: 1, maximum_capacity_units: 5}}
steps:
  - {name: a, type: spark, application: s3://acme/a.py, args: ["{{ pw }}", $x, "it's {% raw %}{{ and {% no {% endraw %}"]}
  - {name: b, type: jar, jar: s3://acme/b.jar, main_class: x.Y, on_failure: TERMINATE_CLUSTER}
"""


# Texts that each format has to write so that they are not its own syntax, also beside a secret.
ODD = (
    SPEC[: SPEC.index("configurations:")]
    + r"""
configurations:
  core-site:
    "{% raw %}k{{x}}{% endraw %}": s3://acme/conf.json
    end: "line\n"
    two: "line\n\n"
    windows: "a\r\nb"
    odd: "\b\f\x7f$$$${a}%%%{b}\\n"
    brace: "{% raw %}{{% endraw %}{{ pw }}.json"
    dollar: "$${{ pw }}$"
    others: "\\{{ pw }}%{{ pw }}!{{ pw }}\n"
steps:
  - {name: a.json, type: command, args: ["x${{ pw }}", "\n", "\r", "{", "{\r", "{\n", "{.json", "\x85\u2028\uFEFF", .json, "a.json\n", '\n\r', "#{{ pw }}"]}
"""
)


KEPT = SPEC.replace("keep_alive: false", "keep_alive: true")
STEPS = SPEC[SPEC.index("steps:") :]
WATCHED = KEPT.replace(
    "on_failure: TERMINATE_CLUSTER}",
    "on_failure: CONTINUE, timeout: 600, retry: {attempts: 2}, skip_on_exit: [3], needs: [a]}\n"
    "  - {name: c, type: jar, jar: s3://acme/c.jar, on_failure: CONTINUE, timeout: 90}",
) + (
    "hooks: {on_failure: [{webhook: 'https://hooks.example.com/T0KEN'}, {command: [tell, '{{ pw }}']}]}\n"
    "fallback: [{market: ON_DEMAND}]\nlaunch_retries: 1\nbudget: {hourly: 20}\n"
)


def flow_of(text, folder, variables):
    return validate(rendered(folder, text, variables=variables), emr_rules=False)


def exported(to, folder, text=SPEC, variables=None):
    flow = flow_of(text, folder, {"pw": SECRET} if variables is None else variables)
    return export(flow, to), compile(flow).params


def exported_request(to, folder, path):
    """A request of the importers' tests, as a spec and exported; each of its secrets is a word."""
    made = write_spec(json.loads(path.read_text("utf-8")))
    return exported(to, folder, made.text, dict.fromkeys(made.secrets, SECRET))


def sent_by_the_aws_cli(text, folder):
    (folder / "run").mkdir()
    (folder / "run" / "create.sh").write_text(text)
    found = re.findall(r'^: "\$\{(\w+):', text, re.MULTILINE)
    for name in found:
        text = f"{name}={SECRET}\n{text}"
    (folder / "run" / "create.sh").write_text(text)
    return awscli.folded(awscli.sent(folder / "run", "create.sh"))


@pytest.mark.parametrize("to", FORMATS)
def test_no_secret_is_written_and_every_difference_is_a_note(to, tmp_path):
    made, _ = exported(to, tmp_path)
    assert SECRET not in made.text
    assert not [one for one in made.notes if SECRET in one or "password" in one.lower()]
    assert "left out" not in " ".join(made.notes)


@pytest.mark.parametrize("to", FORMATS)
def test_odd_texts_come_back_as_they_were(to, tmp_path):
    made, _ = exported(to, tmp_path, ODD)
    assert not [one for one in made.notes if "Configurations" in one or "Args" in one or "refuses" in one]


def test_odd_texts_of_an_import_are_a_spec(tmp_path):
    made, params = exported("airflow", tmp_path, ODD)
    back = write_spec(wanted(made.text, name="dag.py", folder=tmp_path))
    flow = flow_of(back.text, tmp_path, dict.fromkeys(re.findall(r"var\.value\.(\w+)", made.text), SECRET))
    assert compile(flow).params == params


def test_the_aws_cli_takes_a_text_that_begins_with_a_hyphen(tmp_path):
    made, _ = exported("aws-cli", tmp_path, SPEC.replace('name: nightly "etl"', "name: --nightly"))
    assert sent_by_the_aws_cli(made.text, tmp_path)["Name"] == "--nightly"
    assert not [note for note in made.notes if "refuses" in note]


def test_the_aws_cli_sends_the_request_with_what_the_notes_say(tmp_path):
    made, params = exported("aws-cli", tmp_path)
    sent = sent_by_the_aws_cli(made.text, tmp_path)
    assert made.notes == (
        'the AWS CLI adds Instances.InstanceGroups[CORE].Name: "CORE"',
        'the AWS CLI adds Instances.InstanceGroups[CORE].Market: "ON_DEMAND"',
        'the AWS CLI adds Instances.InstanceGroups[MASTER].Name: "MASTER"',
        'the AWS CLI adds Instances.InstanceGroups[TASK].Name: "TASK"',
        "the AWS CLI adds Instances.TerminationProtected: false",
        'the AWS CLI adds Steps[0].ActionOnFailure: "CONTINUE"',
    )
    sent["Instances"].pop("TerminationProtected")
    assert sent["Steps"][0].pop("ActionOnFailure") == "CONTINUE"
    for one in sent["Instances"]["InstanceGroups"]:
        one.pop("Name")
    assert sent["Instances"]["InstanceGroups"][1].pop("Market") == "ON_DEMAND"
    params["Tags"] = sorted(params["Tags"], key=lambda tag: tag["Key"])
    assert sent == params


@pytest.mark.parametrize("path", IMPORTS, ids=lambda path: path.parent.name)
def test_the_aws_cli_sends_what_import_reads(path, tmp_path):
    made, _ = exported_request("aws-cli", tmp_path, path)
    if any(one.startswith("the AWS CLI refuses it: ") for one in made.notes):
        with pytest.raises(ValueError, match="not enough values"):
            sent_by_the_aws_cli(made.text, tmp_path)
        return
    source = wanted(made.text, name="create.sh", folder=tmp_path)
    back = substitute(source.params, dict.fromkeys(source.variables, SECRET))
    back["Tags"] = sorted(back["Tags"], key=lambda tag: tag["Key"])
    assert sent_by_the_aws_cli(made.text, tmp_path) == back


# The members that a format has no field for.
_SHORT = {f"Instances.{name}" for name in ("MasterInstanceType", "SlaveInstanceType", "InstanceCount", "HadoopVersion")}
_FLEETS = "Instances.InstanceFleets[]"
LEFT_OUT = {
    "aws-cli": _SHORT,
    "cloudformation": {
        *_SHORT,
        *("AmiVersion", "NewSupportedProducts", "MonitoringConfiguration", "RepoUpgradeOnBoot"),
        "Steps[].StepMonitoringConfiguration",
    },
    "terraform": {
        *_SHORT,
        *("AmiVersion", "NewSupportedProducts", "MonitoringConfiguration", "RepoUpgradeOnBoot"),
        *("EbsRootVolumeIops", "EbsRootVolumeThroughput", "Instances.Placement", "Applications[].Version"),
        *("Steps[].StepMonitoringConfiguration", "Instances.InstanceGroups[].Configurations"),
        # One whose values are empty.
        "Steps[].HadoopJarStep.Properties",
        # Without volumes there is no block that could say it.
        "Instances.InstanceGroups[].EbsConfiguration",
        "Instances.InstanceGroups[].EbsConfiguration.EbsOptimized",
        f"{_FLEETS}.InstanceTypeConfigs[].EbsConfiguration.EbsOptimized",
        f"{_FLEETS}.InstanceTypeConfigs[].EbsConfiguration.EbsBlockDeviceConfigs[].VolumeSpecification.Throughput",
        f"{_FLEETS}.InstanceTypeConfigs[].Priority",
        f"{_FLEETS}.ResizeSpecifications",
        f"{_FLEETS}.LaunchSpecifications.OnDemandSpecification.CapacityReservationOptions",
    },
    "stepfunctions": set(),
    "airflow": set(),
}
# The members that a format has another value for: a set of what is there twice, a bid that is what makes it SPOT.
OTHERWISE = {
    "aws-cli": {"Instances.InstanceGroups[].Market"},
    "terraform": {
        *("Instances.InstanceGroups[].Market", "Instances.Ec2SubnetIds", "Tags", "Steps[].HadoopJarStep.Properties"),
        *("Name", "Applications[].Name", "Steps[].HadoopJarStep.Args"),
    },
}
EXAMPLES = Path(__file__).parents[2] / "examples"
CORPUS = Path(__file__).parents[3] / "shared/corpus/requests"


def jobs(folder):
    """The job flows of the importers' tests, of the corpus where it is here, and of the examples at each target."""
    for path in (*IMPORTS, *sorted(CORPUS.glob("*.json"))):
        request = json.loads(path.read_text("utf-8"))
        made = write_spec(request.get("request", request))
        yield flow_of(made.text, folder, dict.fromkeys(made.secrets, SECRET))
    for path in sorted(EXAMPLES.glob("*/job.yaml")):
        for target in target_names(path):
            with contextlib.suppress(
                SpecError
            ):  # a plugin's kind of step, a target of a policy's guide that it refuses
                yield validate(render(load(path), target=target, placeholders=True, environ={}))


def _with_one_secret(request):
    text = json.dumps(request.params)
    for one in request.secrets:
        text = text.replace(json.dumps(one)[1:-1], SECRET)
    return json.loads(text)


def unindexed(member):
    return re.sub(r"\[[^]]*\]", "[]", member)


@pytest.mark.parametrize("to", FORMATS)
def test_every_job_flow_comes_back_as_it_was_but_for_what_the_format_has_no_word_for(to, tmp_path):
    count = 0
    for flow in jobs(tmp_path):
        request = compile(flow)
        made = export(flow, to, request)
        for note in made.notes:
            if found := re.match(r"(\S+) is left out: ", note):
                assert unindexed(found[1]) in LEFT_OUT[to], note
            elif found := re.match(r"(\S+) is .* for .*, and .* here$", note):
                assert unindexed(found[1]) in OTHERWISE[to], note
            else:
                # Settings of a watcher, files and dates: Airflow has a word for all that a request has.
                assert to != "airflow" or re.search(r" is left out of Airflow| has to be at |^the date ", note), note
        if to == "stepfunctions":
            # What the service takes for granted.
            params = {"Steps": [], **_with_one_secret(request)}
            params["Instances"] = {"KeepJobFlowAliveWhenNoSteps": False, **params["Instances"]}
            assert _run(json.loads(made.text)) == params
        count += 1
    assert count > len(IMPORTS) + 10


def sent_by_terraform(made, folder):
    """The request that Terraform sends for an exported module, and that which import reads of it."""
    if terraform.provider() is None:
        pytest.skip("Terraform and its AWS provider are not installed here")
    path = folder / "m"
    path.mkdir()
    (path / "main.tf").write_text(re.sub(r'provider "aws" \{[^}]*\}\n', "", made.text))
    settings = [f"{name}={SECRET}" for name in re.findall(r'^variable "(\w+)"', made.text, re.MULTILINE)]
    calls = terraform.sent(path, *(f"-var={one}" for one in settings))
    back = wanted(made.text, name="main.tf", folder=folder, settings=settings)
    return folded(calls)[0], substitute(back.params, dict.fromkeys(back.variables, SECRET))


def test_terraform_takes_the_module_and_sends_the_request(tmp_path):
    sent, back = sent_by_terraform(exported("terraform", tmp_path)[0], tmp_path)
    assert canonical(sent) == canonical(back)


def test_terraform_sends_odd_texts_as_they_are_and_no_percentage_beside_a_bid_price(tmp_path):
    text = re.sub(r"instance_groups:\n(  - .*\n)+", "", ODD).replace(
        "bootstrap_actions",
        "instance_fleets:\n"
        "  - {type: MASTER, target_on_demand_capacity: 1, instance_type_configs: [{type: m5.xlarge}]}\n"
        "  - type: CORE\n    target_spot_capacity: 1\n"
        '    instance_type_configs: [{type: m5.xlarge, bid_price: "0.20"}]\n'
        "bootstrap_actions",
    )
    made, params = exported("terraform", tmp_path, text)
    assert not [one for one in made.notes if "Fleets[CORE]" in one and "Percentage" in one]
    sent, back = sent_by_terraform(made, tmp_path)
    assert canonical(sent) == canonical(back)
    assert sent["Configurations"] == params["Configurations"]
    assert sent["Steps"][0]["HadoopJarStep"]["Args"] == params["Steps"][0]["HadoopJarStep"]["Args"]
    (core,) = [one for one in sent["Instances"]["InstanceFleets"] if one["InstanceFleetType"] == "CORE"]
    assert core["InstanceTypeConfigs"] == [{"InstanceType": "m5.xlarge", "BidPrice": "0.20", "WeightedCapacity": 1}]


def found_by_cfn_lint(made, folder):
    (folder / "t.yaml").write_text(made.text)
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [program, "-r", "eu-west-1", "--", folder / "t.yaml"], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_cfn_lint_finds_nothing(tmp_path):
    made, _ = exported("cloudformation", tmp_path)
    assert found_by_cfn_lint(made, tmp_path) == (0, "")


def test_what_cfn_lint_finds_in_other_requests_is_a_note(tmp_path):
    notes = {}
    for path in IMPORTS:
        made, _ = exported_request("cloudformation", tmp_path, path)
        (tmp_path / f"{path.parent.name}.yaml").write_text(made.text)
        notes[path.parent.name] = " ".join(made.notes)
    program = Path(sys.executable).with_name("cfn-lint")
    files = [tmp_path / f"{name}.yaml" for name in notes]
    done = subprocess.run(
        [program, "-f", "json", "-r", "eu-west-1", "--", *files], capture_output=True, text=True, check=False
    )
    found = [one for one in json.loads(done.stdout) if one["Level"] == "Error"]
    assert found
    for one in found:
        told = notes[Path(one["Filename"]).stem]
        required = re.fullmatch(r"'(\w+)' is a required property", one["Message"])
        twice = one["Rule"]["Id"] == "E3037"
        assert (required and f"CloudFormation requires {required[1]}" in told) or (twice and "differ" in told), one


@pytest.mark.parametrize("text", [SPEC, ODD], ids=["plain", "odd"])
def test_the_dag_is_python_whose_templates_are_the_request(text, tmp_path):
    made, params = exported("airflow", tmp_path, text)
    tree = ast.parse(made.text)
    (value,) = [one.value for one in tree.body if isinstance(one, ast.Assign)]
    values = dict.fromkeys(re.findall(r"var\.value\.(\w+)", made.text), SECRET)
    environment = SandboxedEnvironment()

    def rendered(one):
        # As Airflow 2.11 does (Templater.render_template, EmrCreateJobFlowOperator.template_ext).
        if isinstance(one, dict):
            return {key: rendered(item) for key, item in one.items()}
        if isinstance(one, list):
            return [rendered(item) for item in one]
        assert not (isinstance(one, str) and one.endswith(".json")), "a file to Airflow"
        return environment.from_string(one).render(var={"value": values}) if isinstance(one, str) else one

    assert values
    assert rendered(ast.literal_eval(value)) == params
    assert made.notes == ()


def _run(machine):
    """Follows a state machine to its end; the request that it sends, piece by piece."""
    states, name, made = machine["States"], machine["StartAt"], {}
    while name:
        state = states[name]
        parameters = _evaluated(state.get("Parameters", {}))
        resource = state.get("Resource", "").rpartition(":")[2]
        if resource == "createCluster.sync":
            made = {**parameters, "Steps": []}
        elif resource == "addStep.sync":
            made["Steps"].append(parameters["Step"])
        elif resource == "terminateCluster.sync":
            made["Instances"]["KeepJobFlowAliveWhenNoSteps"] = False
        assert all(one["Next"] in states for one in state.get("Catch", []) + state.get("Choices", []))
        name = state.get("Next") or state.get("Default")
    return made


def _evaluated(value):
    if isinstance(value, list):
        return [_evaluated(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key.removesuffix(".$"): _intrinsic(item)[0] if key.endswith(".$") else _evaluated(item)
        for key, item in value.items()
    }


def _intrinsic(text):
    """An expression of the Amazon States Language at the beginning of a text -> its value and the rest."""
    if text.startswith("$."):
        path = re.match(r"[$.\w]+", text)[0]
        return (SECRET if path.startswith("$.secrets.") else path), text[len(path) :]
    if text.startswith("'"):
        literal = re.match(r"'((?:\\.|[^'\\])*)'", text)
        return literal[1], text[literal.end() :]
    name, text = re.match(r"States\.(\w+)\(", text)[1], text[text.index("(") + 1 :]
    args = []
    while not text.startswith(")"):
        value, text = _intrinsic(text)
        args.append(value)
        text = text.removeprefix(", ")
    plain = [re.sub(r"\\(.)", r"\1", one) for one in args]
    if name == "Array":
        return plain, text[1:]
    pieces = re.split(r"(?<!\\)\{\}", args[0])
    assert len(pieces) == len(args)
    made = "".join(piece + value for piece, value in zip(pieces, [*args[1:], ""], strict=True))
    return re.sub(r"\\(.)", r"\1", made), text[1:]


def test_the_state_machine_makes_the_cluster_and_its_steps(tmp_path):
    made, params = exported("stepfunctions", tmp_path)
    assert _run(json.loads(made.text)) == params
    kept, params = exported("stepfunctions", tmp_path, KEPT)
    assert _run(json.loads(kept.text)) == params


@pytest.mark.parametrize("keep_alive", ["true", "false"])
@pytest.mark.parametrize("action", ["CONTINUE", "TERMINATE_CLUSTER"])
def test_each_state_of_the_machine_is_reached(tmp_path, keep_alive, action):
    text = SPEC.replace("keep_alive: false", f"keep_alive: {keep_alive}").replace("TERMINATE_CLUSTER", action)
    machine = json.loads(exported("stepfunctions", tmp_path, text)[0].text)
    named = set(re.findall(r'"(?:StartAt|Next|Default)": "(.*?)"', json.dumps(machine)))
    assert named == machine["States"].keys()


def test_a_failed_step_ends_the_cluster_and_the_input_of_each_state_stays(tmp_path):
    task = "arn:aws:states:::elasticmapreduce:"
    states = json.loads(exported("stepfunctions", tmp_path)[0].text)["States"]
    for name in ("Create the cluster", "1 a", "2 b"):
        states[name].pop("Parameters")
    everything = {"ErrorEquals": ["States.ALL"]}
    step = {"Type": "Task", "Resource": f"{task}addStep.sync", "ResultPath": None}
    goes_on = {**everything, "ResultPath": "$.continued", "Next": "2 b"}
    ends = {**everything, "ResultPath": "$.error", "Next": "End the cluster"}
    failed = {"Variable": "$.error", "IsPresent": True, "Next": "Failed"}
    assert states == {
        "Create the cluster": {
            "Type": "Task",
            "Resource": f"{task}createCluster.sync",
            "ResultPath": "$.cluster",
            "Next": "1 a",
        },
        "1 a": {**step, "Catch": [goes_on], "Next": "2 b"},
        "2 b": {**step, "Catch": [ends], "Next": "End the cluster"},
        "End the cluster": {
            "Type": "Task",
            "Resource": f"{task}terminateCluster.sync",
            "Parameters": {"ClusterId.$": "$.cluster.ClusterId"},
            "ResultPath": None,
            "Next": "Did a step fail?",
        },
        "Did a step fail?": {"Type": "Choice", "Choices": [failed], "Default": "Done"},
        "Failed": {"Type": "Fail", "Error": "StepFailed"},
        "Done": {"Type": "Succeed"},
    }


@pytest.mark.parametrize(("keep_alive", "waits"), [("true", True), ("false", False)])
def test_a_dag_waits_for_the_state_that_its_cluster_comes_to(tmp_path, keep_alive, waits):
    made, _ = exported("airflow", tmp_path, SPEC.replace("keep_alive: false", f"keep_alive: {keep_alive}"))
    assert ('target_states=["WAITING"]' in made.text) == waits


def test_what_a_format_has_no_word_for_is_a_note(tmp_path):
    text = SPEC.replace("visible_to_all_users: true", "os_release_label: 2023.1.20240101.0\nebs_root_volume_iops: 3000")
    made, _ = exported("terraform", tmp_path, text)
    assert "EbsRootVolumeIops is left out: Terraform has no field for it (3000)" in made.notes
    made, _ = exported(
        "cloudformation", tmp_path, f"{SPEC}api_params: {{StepExecutionRoleArn: 'arn:aws:iam::1:role/x'}}\n"
    )
    assert any(one.startswith("StepExecutionRoleArn is left out: CloudFormation") for one in made.notes)


@pytest.mark.parametrize(
    ("to", "text", "old", "new", "note"),
    [
        ("cloudformation", SPEC, "$x, ", "$x, $x, ", "Steps[0] has an argument twice: "),
        ("cloudformation", SPEC, "steps:", "api_params: {Tags: [{Key: a}, {Key: a}]}\nsteps:", "CloudFormation requires that the keys"),
        ("cloudformation", SPEC, "job_flow_role: EMR_EC2_DefaultRole\n", "", "CloudFormation requires JobFlowRole"),
        ("stepfunctions", KEPT, "keep_alive: true", "keep_alive: false", "the cluster is kept alive, and its last state ends it"),
        ("stepfunctions", SPEC, "steps:", "step_concurrency_level: 2\nsteps:", "StepConcurrencyLevel has no effect"),
        ("stepfunctions", SPEC.replace(STEPS, "steps: []"), "steps: []", STEPS, "each step is a state: "),
    ],
)  # fmt: skip
def test_a_note_is_there_only_for_what_it_is_about(tmp_path, to, text, old, new, note):
    found = [exported(to, tmp_path, one)[0].notes for one in (text, text.replace(old, new))]
    assert [sum(one.startswith(note) for one in notes) for notes in found] == [0, 1]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"Tags": [{"Key": "dbPass", "Value": SECRET}]}, "db_pass"),
        ({"Properties": {"dbPass": f"x={SECRET}"}}, "db_pass"),
        ({"Args": [SECRET]}, "secret"),
    ],
)
def test_a_secret_is_named_like_what_holds_it(value, name):
    references = References([SECRET])
    references.replace_secrets(value)
    assert references.values == {name: SECRET}


# Secrets at keys that are no names for them, or are one name without their underscores.
NAMED = """\
flowspec: v1
name: named
backend: emr
region: eu-west-1
variables: {a: &secret {type: string, sensitive: true}, b: *secret, c: *secret, d: *secret}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
instance_groups: [{role: MASTER, type: m5.xlarge}]
configurations: {x: {source: "{{ a }}", cluster: "{{ b }}", p1: "{{ c }}", p_1: "{{ d }}"}}
"""
NAMED_SECRETS = {name: f"{name}-s3cr3t" for name in "abcd"}


def test_cloudformation_takes_the_name_of_each_secret(tmp_path):
    made, _ = exported("cloudformation", tmp_path, NAMED, NAMED_SECRETS)
    assert len(set(re.findall(r"Ref: (.*)", made.text))) == len(NAMED_SECRETS)
    assert found_by_cfn_lint(made, tmp_path) == (0, "")


def test_terraform_takes_the_name_of_each_secret(tmp_path):
    terraform_validates(exported("terraform", tmp_path, NAMED, NAMED_SECRETS)[0], tmp_path)


def terraform_validates(made, folder):
    if terraform.provider() is None:
        pytest.skip("Terraform and its AWS provider are not installed here")
    (folder / "m").mkdir()
    (folder / "m" / "main.tf").write_text(made.text)
    assert "The configuration is valid" in terraform.terraform(folder / "m", "validate", "-no-color")


FLEETS = """\
flowspec: v1
name: fleets
backend: emr
region: eu-west-1
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
instance_fleets:
  - {type: MASTER, target_on_demand_capacity: 1, instance_type_configs: [{type: m5.xlarge}]}
  - type: CORE
    target_spot_capacity: 1
    launch_specifications: {spot_specification: {timeout_duration_minutes: 9, timeout_action: TERMINATE_CLUSTER}}
    instance_type_configs:
      - type: m5.xlarge
        ebs_configuration:
          ebs_block_device_configs: [{volume_specification: {volume_type: gp3, size_in_gb: 9, throughput: 125}}]
steps: [{name: a, type: jar, jar: s3://acme/a.jar, args: ["", x], properties: {a: "", b: c}}]
"""


def test_what_the_provider_of_terraform_takes_otherwise_is_a_note(tmp_path):
    made, _ = exported("terraform", tmp_path, FLEETS, {})
    for ending in (
        "Terraform requires the AllocationStrategy of the spot instances of Instances.InstanceFleets[CORE]",
        "VolumeSpecification.Throughput is left out: Terraform has no field for it (125)",
        'Args is ["x"] for Terraform, and ["", "x"] here',
        'Properties is [{"Key": "b", "Value": "c"}] for Terraform, and [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "c"}] here',
    ):
        assert any(note.endswith(ending) for note in made.notes), ending
    given = FLEETS.replace("timeout_action", "allocation_strategy: lowest-price, timeout_action")
    terraform_validates(exported("terraform", tmp_path, given, {})[0], tmp_path)


@pytest.mark.parametrize("to", [name for name, one in FORMATS.items() if one.kind])
def test_configurations_of_the_types_of_a_fleet_come_back(tmp_path, to):
    configured = "[{type: m5.xlarge, configurations: {core-site: {a: b}}}]"
    made, _ = exported(to, tmp_path, FLEETS.replace("[{type: m5.xlarge}]", configured), {})
    # import takes the name of the API as well, CloudFormation does not.
    assert ("ConfigurationProperties" in made.text, "core-site" in made.text) == (to == "cloudformation", True)
    assert not [note for note in made.notes if "Configurations" in note or "refuses" in note]


def test_terraform_is_written_without_the_library_that_reads_it(tmp_path, monkeypatch):
    made, _ = exported("terraform", tmp_path)
    monkeypatch.setitem(sys.modules, "hcl2", None)
    plain, _ = exported("terraform", tmp_path)
    assert plain.text == made.text
    assert plain.notes[-1] == (
        "it was not compared with the spec, so more settings may be left out: "
        "reading Terraform's language needs python-hcl2; pip install python-hcl2"
    )


def test_files_that_flowspec_uploads_are_noted(tmp_path):
    (tmp_path / "a.py").write_text("print()")
    made, _ = exported(
        "aws-cli", tmp_path, SPEC.replace("s3://acme/a.py", "a.py").replace("region:", "staging: s3://s/\nregion:")
    )
    assert [one for one in made.notes if one.startswith("a.py has to be at s3://s/")]


@pytest.mark.parametrize("template", ["{{ ds }}", "{{ ts }}"])
def test_a_date_that_later_runs_have_too_is_noted(template, tmp_path):
    dated, _ = exported("airflow", tmp_path, SPEC.replace("s3://acme/a.py", f'"s3://acme/{template}/a.py"'))
    (note,) = set(dated.notes) - set(exported("airflow", tmp_path)[0].notes)
    assert re.fullmatch(
        r"the date \d{4}-\d\d-\d\d stands in place of `ds` and `ts`: all later runs have the same", note
    )


def test_a_secret_in_a_name_is_refused(tmp_path):
    with pytest.raises(FlowspecError, match="a secret is part of a name in Properties"):
        exported("aws-cli", tmp_path, SPEC.replace("url:", '"{{ pw }}":'))


def test_hcl_is_formatted_so_that_terraform_reads_it(tmp_path):
    if not shutil.which("terraform"):
        pytest.skip("Terraform is not installed here")
    made, _ = exported("terraform", tmp_path)
    done = subprocess.run(["terraform", "fmt", "-"], input=made.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("to", FORMATS)
def test_what_flowspec_does_itself_is_said_to_be_left_out(tmp_path, to):
    made = export(flow_of(WATCHED, tmp_path, {"pw": SECRET}), to)
    title = FORMATS[to].title
    notes = {note.partition(" is left out of ")[0]: note for note in made.notes if f" is left out of {title} (" in note}
    assert [*notes] == [
        *(
            "timeout",
            "retry",
            "skip_on_exit",
            "needs",
            "hooks.on_failure",
            "fallback",
            "launch_retries",
            "budget.hourly",
        ),
    ]
    timeout = f"timeout is left out of {title} (step b: 600 s; step c: 90 s): the watcher of a run cancels the step"
    assert notes["timeout"].partition("; TimeoutSeconds")[0] == timeout
    assert ("TimeoutSeconds" in notes["timeout"]) == (to == "stepfunctions")
    assert ("on_failure_callback" in notes["hooks.on_failure"]) == (to == "airflow")
    assert "(webhook to hooks.example.com, command tell (sensitive))" in notes["hooks.on_failure"]
    assert not any(secret in f"{made.text}{made.notes}" for secret in (SECRET, "T0KEN"))


def test_nothing_is_said_to_be_left_out_of_a_spec_without_it(tmp_path):
    made = export(flow_of(SPEC, tmp_path, {"pw": SECRET}), "airflow")
    assert not [note for note in made.notes if "left out of" in note]


@pytest.mark.parametrize("to", FORMATS)
def test_numbers_may_be_secret(to, tmp_path):
    text = (
        "flowspec: v1\nname: a\nregion: us-east-1\nvariables: {n: {type: integer, sensitive: true}}\n"
        "release_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\n"
        'num_instances: "{{ n }}"\nstep_concurrency_level: "{{ n }}"\n'
    )
    made, _ = exported(to, tmp_path, text, {"n": 217})
    assert "217" not in made.text
