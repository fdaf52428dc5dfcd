"""CloudFormation templates: what one means as a request, and as a spec with its parameters for variables."""

import json
from pathlib import Path

import pytest

from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.placeholders import placeholder, substitute
from tests.importers.common import compiled, refusal, wanted

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "requests"

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  FlowName: {Type: String, Default: my, Description: its name}
  CoreCount: {Type: Number, Default: 2, MinValue: 1}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>"}
  Password: {Type: String, NoEcho: true, AllowedPattern: "[a-z]{8}"}
  Env: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Keep: {Type: String, AllowedValues: ["true", "false"], Default: "true"}
Mappings:
  Sizes: {dev: {type: m5.xlarge}, prod: {type: m5.4xlarge}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsDev: !Not [Condition: IsProd]
Resources:
  Role: {Type: AWS::IAM::Role}
  Second:
    Type: AWS::EMR::Step
    DependsOn: First
    Properties:
      ActionOnFailure: CONTINUE
      JobFlowId: !Ref Cluster
      Name: second
      HadoopJarStep: {Jar: "s3://b/x.jar", StepProperties: [{Key: a, Value: b}]}
  First:
    Type: AWS::EMR::Step
    Condition: IsDev
    Properties:
      ActionOnFailure: CONTINUE
      JobFlowId: !Ref Cluster
      Name: first
      HadoopJarStep: {Jar: command-runner.jar, Args: [spark-submit, s3://x/y.py, "{{resolve:ssm:/a/b}}", 7]}
  Prod:
    Type: AWS::EMR::Step
    Condition: IsProd
    Properties: {JobFlowId: !Ref Cluster, Name: never, ActionOnFailure: CONTINUE, HadoopJarStep: {Jar: x}}
  Task:
    Type: AWS::EMR::InstanceGroupConfig
    Properties: {JobFlowId: !Ref Cluster, InstanceRole: TASK, InstanceCount: 2, InstanceType: m5.xlarge, Market: SPOT}
  Cluster:
    Type: AWS::EMR::Cluster
    Properties:
      Name: !Sub "${FlowName}-${Env}-${!literal}"
      ReleaseLabel: emr-6.9.0
      LogUri: !Join ["", ["s3://", !Ref "AWS::AccountId", "/logs/"]]
      ServiceRole: !GetAtt Role.Arn
      JobFlowRole: !Select [1, !Split [",", "a,profile"]]
      Applications: [{Name: Spark}, !If [IsProd, {Name: Hive}, !Ref "AWS::NoValue"]]
      KerberosAttributes: {Realm: X, KdcAdminPassword: !Ref Password}
      Instances:
        Ec2SubnetIds: !Ref Subnets
        Ec2KeyName: !ImportValue the-key
        KeepJobFlowAliveWhenNoSteps: !Ref Keep
        MasterInstanceGroup: {InstanceCount: 1, InstanceType: !FindInMap [Sizes, !Ref Env, type], Name: Master}
        CoreInstanceGroup: {InstanceCount: !Ref CoreCount, InstanceType: m5.xlarge, BidPrice: 0.10, Market: SPOT}
      Configurations:
        - Classification: spark
          ConfigurationProperties: {maximizeResourceAllocation: true, x: 0.10}
          Configurations: [{Classification: export, ConfigurationProperties: {Properties: "1"}}]
      Tags: [{Key: team, Value: !Ref FlowName}]
"""


def test_a_template_with_everything(tmp_path):
    source = wanted(TEMPLATE)
    declared = {name: (one.type, one.default, dict(one.rules)) for name, one in source.variables.items()}
    assert declared == {
        "FlowName": ("string", "my", {"description": "its name"}),
        "Env": ("string", "dev", {"enum": ["dev", "prod"]}),
        "aws_account_id": ("string", None, {"description": "AWS::AccountId"}),
        "Role_Arn": ("string", None, {"description": "Arn of Role, AWS::IAM::Role"}),
        "Password": ("string", None, {"sensitive": True, "description": "(pattern: ^(?:[a-z]{8})$)"}),
        "Subnets": ("list", None, {}),
        "the_key": ("string", None, {"description": "Fn::ImportValue the-key"}),
        "Keep": ("boolean", True, {}),
        "Sizes_type": ("string", "m5.xlarge", {"description": 'Fn::FindInMap ["Sizes", {"Ref": "Env"}, "type"]'}),
        "CoreCount": ("integer", 2, {"minimum": 1}),
        "a_b": ("string", None, {"description": "resolve:ssm:/a/b"}),
    }
    made = compiled(source, tmp_path, CoreCount=5, Env="prod", Subnets=["subnet-1", "subnet-2"], a_b="word")
    assert made == {
        "Name": "my-prod-${literal}",
        "ReleaseLabel": "emr-6.9.0",
        "LogUri": "s3://sample/logs/",
        "ServiceRole": "sample",
        "JobFlowRole": "profile",
        "Applications": [{"Name": "Spark"}],
        "KerberosAttributes": {"Realm": "X", "KdcAdminPassword": "sample"},
        "Instances": {
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge", "Name": "Master"},
                {
                    "InstanceRole": "CORE", "InstanceCount": 5, "InstanceType": "m5.xlarge",
                    "BidPrice": "0.10", "Market": "SPOT",
                },
                {"InstanceRole": "TASK", "InstanceCount": 2, "InstanceType": "m5.xlarge", "Market": "SPOT"},
            ],
            "Ec2SubnetIds": ["subnet-1", "subnet-2"],
            "Ec2KeyName": "sample",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        "Configurations": [
            {
                "Classification": "spark",
                "Properties": {"maximizeResourceAllocation": "true", "x": "0.10"},
                "Configurations": [{"Classification": "export", "Properties": {"Properties": "1"}}],
            }
        ],
        "Tags": [{"Key": "team", "Value": "my"}],
        "Steps": [
            {
                "ActionOnFailure": "CONTINUE",
                "Name": "first",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://x/y.py", "word", "7"]},
            },
            {
                "ActionOnFailure": "CONTINUE",
                "Name": "second",
                "HadoopJarStep": {"Jar": "s3://b/x.jar", "Properties": [{"Key": "a", "Value": "b"}]},
            },
        ],
    }  # fmt: skip
    assert source.notes == (
        "the condition IsProd is false by the parameters' values, and imported accordingly",
        "First is imported, since IsDev is true by the parameters' values",
        "First (AWS::EMR::Step) is part of the request: in the template it is a resource of its own",
        "Second (AWS::EMR::Step) is part of the request: in the template it is a resource of its own",
        "Prod is left out: its condition IsProd is false by the parameters' values",
        "Task (AWS::EMR::InstanceGroupConfig) is part of the request: in the template it is a resource of its own",
        "VisibleToAllUsers is not set: its default in CloudFormation is false (EMR shows the cluster all the same)",
    )


LEAST = {
    "Type": "AWS::EMR::Cluster",
    "Properties": {
        "Name": "x",
        "Instances": {"MasterInstanceGroup": {"InstanceCount": "1", "InstanceType": "m5.xlarge"}},
    },
}


def test_json_and_what_is_left_unsaid():
    source = wanted(json.dumps({"Resources": {"C": LEAST}}, indent="\t"))
    assert source.request["Instances"]["InstanceGroups"][0]["InstanceCount"] == 1
    assert [note.partition(" ")[0] for note in source.notes] == ["VisibleToAllUsers", "KeepJobFlowAliveWhenNoSteps"]


def test_several_clusters():
    text = json.dumps({"Resources": {"One": LEAST, "Two": LEAST}})
    assert refusal(text).notes == ("choose one with --cluster, by name or number (1: One, 2: Two)",)
    assert wanted(text, cluster="Two").params["Name"] == "x"


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ("{{resolve:ssm:/a/b:1}}", {"type": "string", "description": "resolve:ssm:/a/b:1"}),
        ("{{resolve:ssm-secure:a}}", {"type": "string", "description": "resolve:ssm-secure:a", "sensitive": True}),
        (
            "{{resolve:secretsmanager:a}}",
            {"type": "string", "description": "resolve:secretsmanager:a", "sensitive": True},
        ),
        (
            {"Fn::FindInMap": ["M", {"Ref": "P"}, "numbers"]},
            {"type": "string", "description": 'Fn::FindInMap ["M", {"Ref": "P"}, "numbers"]'},
        ),
        (
            {"Fn::FindInMap": ["M", {"Ref": "P"}, "text"]},
            {"type": "string", "default": "t", "description": 'Fn::FindInMap ["M", {"Ref": "P"}, "text"]'},
        ),
    ],
)
def test_the_variable_of_a_value_that_is_not_in_the_template(value, declared):
    template = {
        "Parameters": {"P": {"Type": "String", "Default": "p"}},
        "Mappings": {"M": {"p": {"numbers": [1, 2], "text": "t"}}},
        "Resources": {"C": {**LEAST, "Properties": {**LEAST["Properties"], "ServiceRole": value}}},
    }
    (variable,) = wanted(json.dumps(template)).variables.values()
    assert variable.declared == declared


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Fn::Sub": ["${a}-${C}", {"a": "b"}]}, f"b-{placeholder('C')}"),
        ({"Fn::Join": [",", {"Ref": "Subnets"}]}, placeholder("Join")),
        ({"Fn::Base64": "x"}, "eA=="),
        ({"Fn::Select": [-1, ["a", "b"]]}, placeholder("Select")),
        ({"Fn::FindInMap": ["Nope", "a", "b"]}, placeholder("Nope_b")),
        ({"Fn::If": ["Nope", "yes", "no"]}, placeholder("if_Nope")),
        ({"Fn::GetAtt": ["C", "MasterPublicDNS"]}, placeholder("C_MasterPublicDNS")),
        ({"Ref": "AWS::Partition"}, placeholder("aws_partition")),
        ({"Ref": "item"}, placeholder("var_item")),
        ("{{resolve:secretsmanager:x}}", placeholder("x")),
        ("{{ jinja }}", "{{ jinja }}"),
        ({"Fn::Sub": "a${ item }"}, f"a{placeholder('var_item')}"),
        ({"Fn::Sub": "a{{resolve:ssm:y}}"}, f"a{placeholder('y')}"),
        ({"Fn::Sub": "a${Subnets}"}, placeholder("a_Subnets")),
        ({"Fn::FindInMap": ["N", 1, "b"]}, "v"),
        ({"Fn::FindInMap": ["N", "a", "b", {"DefaultValue": {"Ref": "item"}}]}, placeholder("var_item")),
        ({"Fn::ToJsonString": {"a": {"Ref": "Subnets"}}}, placeholder("ToJsonString")),
        ({"Fn::Base64": {"Ref": "item"}}, placeholder("Base64")),
    ],
)
def test_functions(value, found, tmp_path):
    cluster = {**LEAST, "Properties": {**LEAST["Properties"], "ServiceRole": value}}
    parameters = {"Subnets": {"Type": "CommaDelimitedList", "Default": "a, b"}, "item": {"Type": "String"}}
    mappings = {"N": {"1": {"b": "v"}}}
    source = wanted(json.dumps({"Parameters": parameters, "Mappings": mappings, "Resources": {"C": cluster}}))
    assert source.params["ServiceRole"] == found
    assert compiled(source, tmp_path)["ServiceRole"] == source.request["ServiceRole"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Resources: {}", "there is no AWS::EMR::Cluster in it"),
        ("Resources: [1]", "there is no AWS::EMR::Cluster in it"),
        ("Resources: {C: {Type: AWS::EMR::Cluster, Properties: {Name: x, Instances: {MasterInstanceGroup: {InstanceCount: x}}}}}", "InstanceGroups[0]: InstanceType is missing"),
        ("Resources:\n  a: !Sub 'x'\n  a: 1", "the key 'a' is given twice"),
        ("AWSTemplateFormatVersion: 1\nResources: !Nope", "there is no AWS::EMR::Cluster in it"),
        ('{"Resources": ', "this is not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_template(text, told):
    from flowspec.errors import SpecError

    with pytest.raises(SpecError) as caught:
        wanted(text, "cloudformation")
    assert any(told in found.message for found in caught.value.diagnostics), caught.value.diagnostics


def as_template(request):
    """A request as a template would have it."""
    properties = json.loads(json.dumps(request), object_hook=_renamed)
    instances = properties["Instances"]
    for word, known in (
        (
            "InstanceGroups",
            {"MASTER": "MasterInstanceGroup", "CORE": "CoreInstanceGroup", "TASK": "TaskInstanceGroups"},
        ),
        (
            "InstanceFleets",
            {"MASTER": "MasterInstanceFleet", "CORE": "CoreInstanceFleet", "TASK": "TaskInstanceFleets"},
        ),
    ):
        for one in instances.pop(word, []):
            role = one.pop("InstanceRole", None) or one.pop("InstanceFleetType")
            if role == "TASK":
                instances.setdefault(known[role], []).append(one)
            else:
                instances[known[role]] = one
    return {"Resources": {"C": {"Type": "AWS::EMR::Cluster", "Properties": properties}}}


def _renamed(value):
    if "Classification" in value and "Properties" in value:
        return {("ConfigurationProperties" if key == "Properties" else key): item for key, item in value.items()}
    if "Jar" in value and "Properties" in value:
        return {("StepProperties" if key == "Properties" else key): item for key, item in value.items()}
    return value


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real definitions is not here")
def test_the_corpus_written_as_templates():
    paths = sorted(CORPUS.glob("*cloudformation*"))
    for path in paths:
        request = json.loads(path.read_text("utf-8"))["request"]
        source = wanted(json.dumps(as_template(request)), "cloudformation")
        assert source.request == request, path
        assert write_spec(source).text
    assert paths


@pytest.mark.parametrize(
    ("parameter", "declared"),
    [
        ('AllowedPattern: "[0-9]+"', {"type": "integer"}),
        ('AllowedPattern: "[0-9]+", Default: "15"', {"type": "integer", "default": 15}),
        ('AllowedValues: ["15", auto], Default: "15"', {"type": "integer", "default": 15, "enum": [15]}),
        ('AllowedValues: ["15", "30"]', {"type": "integer", "enum": [15, 30]}),
    ],
)
def test_the_rules_of_a_text_become_those_of_the_number_that_it_is(parameter, declared, tmp_path):
    text = f"""\
Parameters:
  Size: {{Type: String, {parameter}}}
Resources:
  C:
    Type: AWS::EMR::Cluster
    Properties: {{Name: n, ReleaseLabel: emr-6.15.0, EbsRootVolumeSize: !Ref Size, Instances: {{MasterInstanceType: m5.xlarge}}}}
"""
    source = wanted(text)
    assert source.variables["Size"].declared == declared
    assert compiled(source, tmp_path)["EbsRootVolumeSize"] == source.request["EbsRootVolumeSize"]


def test_conditions_that_use_each_other_thrice_are_evaluated_once():
    conditions = {f"C{n}": {"Fn::And": [{"Condition": f"C{n + 1}"}] * 3} for n in range(40)}
    conditions["C40"] = {"Fn::Equals": ["a", "a"]}
    cluster = {**LEAST, "Properties": {**LEAST["Properties"], "LogUri": {"Fn::If": ["C0", "s3://a/", "s3://b/"]}}}
    source = wanted(json.dumps({"Conditions": conditions, "Resources": {"C": cluster}}))
    assert source.params["LogUri"] == "s3://a/"


def test_stacks_that_have_each_other_thrice_are_bounded(tmp_path):
    inner = {f"S{n}": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "t.json"}} for n in range(3)}
    text = json.dumps({"Resources": {"C": LEAST, **inner}})
    (tmp_path / "t.json").write_text(json.dumps({"Resources": inner}))
    source = wanted(text, folder=tmp_path)
    assert any("is not imported: its template t.json is not here" in note for note in source.notes)


def test_equal_names_in_nested_stacks_are_variables_of_their_own(tmp_path):
    properties = {"Name": {"Fn::Sub": "${A}-${B}"}, "ServiceRole": {"Ref": "R"}, "Instances": {}}
    inner = {
        "Parameters": {"A": {"Type": "String", "Default": "inner"}, "B": {"Type": "String"}},
        "Resources": {"C": {"Type": "AWS::EMR::Cluster", "Properties": properties}, "R": {"Type": "AWS::IAM::Role"}},
    }
    (tmp_path / "inner.json").write_text(json.dumps(inner))
    given = {"TemplateURL": "inner.json", "Parameters": {"B": {"Fn::Sub": "${A}-${R}"}}}
    outer = {
        "Parameters": {"A": {"Type": "String", "Default": "outer"}},
        "Resources": {
            "N": {"Type": "AWS::CloudFormation::Stack", "Properties": given},
            "R": {"Type": "AWS::IAM::Role"},
        },
    }
    source = wanted(json.dumps(outer), "cloudformation", folder=tmp_path)
    values = {"R": "role", "R_2": "role of the outer"}
    assert {name for name, one in source.variables.items() if one.default is None} == values.keys()
    assert substitute(
        source.params["Name"], {name: one.default for name, one in source.variables.items()} | values
    ) in (
        "inner-outer-role",
        "inner-outer-role of the outer",
    )
    assert source.params["ServiceRole"] not in source.params["Name"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [("x", "'x' is not of the form NAME=VALUE"), ("x=1", "the template has no parameter x")],
)
def test_values_that_are_none(setting, told):
    assert refusal(json.dumps({"Resources": {"C": LEAST}}), settings=[setting]).message == told


def test_marks_of_placeholders_cannot_be_smuggled_in():
    text = json.dumps({"Resources": {"C": {**LEAST, "Properties": {**LEAST["Properties"], "Name": "\ue0f5x\ue0f6"}}}})
    assert "private use" in refusal(text).message


def test_a_value_that_nested_stacks_would_multiply_is_not_computed(tmp_path):
    """Twenty stacks, each with a text ten times as long as the one around it; CloudFormation's own limit is 4 KB."""
    longer = {"Fn::Join": ["", [{"Ref": "P"}] * 10]}
    inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "t.json", "Parameters": {"P": longer}}}
    cluster = {**LEAST, "Properties": {**LEAST["Properties"], "LogUri": {"Ref": "P"}}}
    text = json.dumps({"Parameters": {"P": {"Default": "x"}}, "Resources": {"N": inner, "C": cluster}})
    (tmp_path / "t.json").write_text(text)
    source = wanted(text, "cloudformation", tmp_path, cluster="N." * 20 + "C")
    assert source.params["LogUri"].startswith(placeholder("P"))


def test_json_of_what_parameters_hold():
    """A list within the quotes of a text, or a quote within them, would be no JSON."""
    parameters = {
        "L": {"Type": "CommaDelimitedList", "Default": "a,b"},
        "Q": {"Default": 'say "x"'},
        "P": {"Default": "x"},
    }
    for name, made in (("L", '{"a":["a","b"]}'), ("Q", '{"a":"say \\"x\\""}'), ("P", '{"a":"x"}')):
        info = {"Fn::ToJsonString": {"a": {"Ref": name}}}
        cluster = {**LEAST, "Properties": {**LEAST["Properties"], "AdditionalInfo": info}}
        source = wanted(json.dumps({"Parameters": parameters, "Resources": {"C": cluster}}))
        assert source.request["AdditionalInfo"] == made


def test_a_type_that_is_no_text_is_no_resource():
    assert (
        wanted(json.dumps({"Resources": {"C": LEAST, "U": {"Type": ["x"]}, "V": {"Type": {}}}})).params["Name"] == "x"
    )


@pytest.mark.parametrize(
    ("instances", "member"),
    [
        ("!FindInMap [Sizes, !Ref AWS::Region, all]", "Instances"),
        ("{MasterInstanceGroup: !FindInMap [Sizes, !Ref AWS::Region, group]}", "Instances.MasterInstanceGroup"),
        ("{TaskInstanceFleets: [!FindInMap [Sizes, !Ref AWS::Region, fleet]]}", "Instances.TaskInstanceFleets"),
    ],
)
def test_instances_that_are_not_known_are_noted(instances, member):
    text = f"Resources:\n  C:\n    Type: AWS::EMR::Cluster\n    Properties:\n      Instances: {instances}\n"
    source = wanted(text)
    assert source.params["Instances"] == {}
    assert f"{member} is not imported: its value is not known here" in source.notes


def test_instances_that_are_no_object_take_the_groups_of_other_resources():
    group = {"JobFlowId": {"Ref": "C"}, "InstanceRole": "TASK", "InstanceCount": 1, "InstanceType": "m5.xlarge"}
    resources = {
        "C": {"Type": "AWS::EMR::Cluster", "Properties": {"Name": "n", "Instances": [1]}},
        "G": {"Type": "AWS::EMR::InstanceGroupConfig", "Properties": group},
    }
    assert len(wanted(json.dumps({"Resources": resources})).params["Instances"]["InstanceGroups"]) == 1


def test_null_is_refused_as_cloudformation_refuses_it():
    text = "Resources:\n  C:\n    Type: AWS::EMR::Cluster\n    Properties:\n      Name: n\n      LogUri:\n"
    assert refusal(text).message == "LogUri must be a string, this is null"


def test_a_part_of_a_cluster_whose_member_is_no_list_is_refused():
    step = {"JobFlowId": {"Ref": "C"}, "Name": "s", "HadoopJarStep": {"Jar": "s3://b/x.jar"}}
    resources = {
        "C": {"Type": "AWS::EMR::Cluster", "Properties": {"Instances": {}, "Steps": {"Name": "t"}}},
        "S": {"Type": "AWS::EMR::Step", "Properties": step},
    }
    assert refusal(json.dumps({"Resources": resources})).message.startswith("Steps[0]")
