"""Values that a configuration alone does not determine are variables or notes with a place; the rest is imported."""

import itertools
import json

import pytest

from flowspec.importers.placeholders import placeholder
from tests.importers.common import compiled, refusal, wanted
from tests.work import counted_calls

CLUSTER = """resource "aws_emr_cluster" "c" {
  name          = "x"
  release_label = "emr-6.15.0"
  service_role  = "R"
  ec2_attributes {
    instance_profile = "P"
  }
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  %s
}
"""


def module(tmp_path, inside="", more="", **files):
    folder = tmp_path / "m"
    folder.mkdir(exist_ok=True)
    (folder / "main.tf").write_text(CLUSTER % inside + more)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return wanted("", folder=folder, name=str(folder))


@pytest.mark.parametrize(
    ("inside", "more", "note"),
    [
        ("tags = var.t", 'variable "t" { type = map(string) }', "main.tf:11: tags are not imported: only Terraform knows var.t"),
        ("configurations_json = var.c", 'variable "c" {}', "main.tf:11: configurations_json is not imported: only Terraform knows var.c"),
        ("configurations = \"https://x/y.json\"", "", "main.tf:11: configurations is not imported: the provider reads it from https://x/y.json"),
        ("configurations = \"nope.json\"", "", "main.tf:11: configurations is not imported: 'nope.json' is not a JSON file of the configuration"),
        ("master_instance_type = \"m5.xlarge\"\n core_instance_count = \"few\"", "", "main.tf:12: core_instance_count is not imported: it is not known here"),
        ("step = var.s", 'variable "s" { type = list(any) }', "main.tf:11: step is not imported: only Terraform knows var.s"),
        ("core_instance_group = [data.x.y.z]", "", "main.tf:11: core_instance_group is not imported: only Terraform knows data.x.y.z"),
        ("ec2_attributes = data.x.y.z", "", "main.tf:11: ec2_attributes is not imported: only Terraform knows data.x.y.z"),
        ("applications = data.x.y.z", "", "main.tf:11: applications is not imported: only Terraform knows data.x.y.z"),
        ("dynamic \"step\" {\n for_each = data.x.y.z\n content {}\n }", "", "main.tf:11: dynamic block step is not imported: data.x.y.z is not known here"),
        ("count = data.x.y.z", "", "main.tf:11: count of aws_emr_cluster.c can't be decided (data.x.y.z): taken as one"),
        ("colour = \"blue\"", "", "main.tf:11: colour is not imported: it is not a known argument of the AWS provider"),
        ("lifecycle {\n ignore_changes = [step]\n }", "", "main.tf:11: Terraform ignores changes of step; flowspec compares them"),
        ("lifecycle {\n ignore_changes = all\n }", "", "main.tf:11: Terraform ignores changes of all; flowspec compares them"),
        ("provisioner \"local-exec\" {\n command = \"x\"\n }", "", "main.tf:11: the provisioner is not imported: it runs where Terraform runs"),
        ("log_uri = var.n == 4 ? \"s3://a/\" : \"s3://b/\"", 'variable "n" { default = 4 }', "main.tf:11: log_uri is computed with the value of var.n"),
        ("", 'module "m" {\n  source = "terraform-aws-modules/emr/aws"\n}', "main.tf:13: module.m is not imported: its source \"terraform-aws-modules/emr/aws\" is not on this machine; `terraform init` fetches it"),
        ("", 'resource "aws_emr_instance_group" "t" {\n  cluster_id = var.c\n  instance_type = "m5.xlarge"\n}', "aws_emr_instance_group.t is not imported: it is for another cluster, as far as can be known here"),
        ("", 'resource "aws_emr_instance_group" "t" {\n  count = data.x.y.z\n  cluster_id = aws_emr_cluster.c.id\n  instance_type = "m5.xlarge"\n}', "main.tf:14: count of aws_emr_instance_group.t can't be decided (data.x.y.z): it is not imported"),
        ("log_uri = var.l", 'variable "l" { default = "" }', "main.tf:11: log_uri is not set: var.l is \"\", which the provider does not send"),
        ("core_instance_group {\n instance_type = \"m5.xlarge\"\n autoscaling_policy = \"{\"\n }", "", "main.tf:13: autoscaling_policy is not imported: it is not JSON"),
    ],
)  # fmt: skip
def test_a_note(inside, more, note, tmp_path):
    source = module(tmp_path, inside, more)
    assert any(one.startswith(note) for one in source.notes), source.notes
    made = compiled(source, tmp_path)
    assert (made["Name"], made["Instances"]["InstanceGroups"][0]["InstanceType"]) == ("x", "m5.xlarge")


@pytest.mark.parametrize(
    ("inside", "more", "declared"),
    [
        ("log_uri = data.x.y.z", "", {"x_y_z": (None, {"description": "in Terraform: data.x.y.z"})}),
        ("log_uri = upper(var.secret)", 'variable "secret" {\n sensitive = true\n default = "abc"\n}', {"upper_var_secret": (None, {"sensitive": True, "description": "in Terraform: upper(var.secret)"})}),
        ("security_configuration = var.secret", 'variable "secret" {\n sensitive = true\n default = "abc"\n}', {"secret": (None, {"sensitive": True})}),
        ("scale_down_behavior = var.s", 'variable "s" {}', {"s": (None, {"enum": ["TERMINATE_AT_INSTANCE_HOUR", "TERMINATE_AT_TASK_COMPLETION"]})}),
        ("log_uri = \"s3://${aws_s3_bucket.b.id}/x\"", 'resource "aws_s3_bucket" "b" {\n bucket = "${var.p}-logs"\n}\nvariable "p" { default = "a" }', {"p": ("a", {})}),
    ],
)  # fmt: skip
def test_a_variable(inside, more, declared, tmp_path):
    source = module(tmp_path, inside, more)
    assert {name: (one.default, dict(one.rules)) for name, one in source.variables.items()} == declared
    assert compiled(source, tmp_path) == source.request


def test_a_file_that_cannot_be_read_does_not_refuse_the_rest(tmp_path):
    source = module(
        tmp_path,
        "log_uri = var.l",
        latin__tf='variable "x" { default = "\xe9" }'.encode("latin-1"),
        broken__tf='variable "l" { default = "s3://a/" }\nresource "x" "y" {\n  a = = 1\n}\nvariable "k" {}\n',
        lost__tfvars="",
    )
    assert source.params["LogUri"] == placeholder("l")
    assert source.notes[0].startswith("broken.tf:3: this block is not imported, since it is not Terraform's language: ")
    assert source.notes[1] == "latin.tf: the file is not imported, since its byte 26 is not UTF-8; save it in UTF-8"


def test_the_region_of_the_provider(tmp_path):
    providers = 'provider "aws" { region = var.r }\nprovider "aws" {\n  alias = "west"\n  region = "us-west-2"\n}\n'
    source = module(tmp_path, "", providers + 'variable "r" { default = "eu-west-1" }')
    assert (source.region, source.variables["r"].default) == (placeholder("r"), "eu-west-1")
    assert module(tmp_path, "provider = aws.west", providers).region == "us-west-2"


def test_profile_tags_and_unsupported_settings_of_the_provider(tmp_path):
    provider = """provider "aws" {
  profile = "prod"
  assume_role { role_arn = "arn:aws:iam::123456789012:role/x" }
  default_tags { tags = merge(var.tags, { a = "b" }) }
}
variable "tags" { type = map(string) }
"""
    source = module(tmp_path, 'tags = { own = "1" }', provider)
    assert (source.profile, source.params["Tags"]) == ("prod", [{"Key": "own", "Value": "1"}])
    assert [one.partition(": ")[2] for one in source.notes] == [
        'tags are not imported: only Terraform knows merge(var.tags, { a = "b" })',
        "assume_role of the provider is not imported: give the spec a `profile:` or `endpoint_url:`",
    ]


def test_variables_whose_values_would_decide_more_are_named(tmp_path):
    declared = 'variable "env" {}\nvariable "never" {}\n'
    inside = 'log_uri = var.env == "prod" ? "s3://a/" : "s3://b/"\nadditional_info = var.never'
    hint = "more can be computed with the values of variables that have no default: --var env=VALUE"
    assert module(tmp_path, inside, declared).notes == (hint,)
    assert module(tmp_path, "log_uri = var.env", declared).notes == ()


def test_the_tags_of_the_provider_in_a_plan(tmp_path):
    values = {"name": "x", "release_label": "emr-7.5.0", "tags": {"a": "1"}, "tags_all": {"a": "1", "owner": "data"}}
    cluster = {"address": "aws_emr_cluster.c", "type": "aws_emr_cluster", "name": "c", "values": values}
    plan = json.dumps({"planned_values": {"root_module": {"resources": [cluster]}}})
    tags = wanted(plan, folder=tmp_path, name="plan.json").params["Tags"]
    assert {one["Key"]: one["Value"] for one in tags} == {"a": "1", "owner": "data"}


def test_a_module_that_terraform_has_installed(tmp_path):
    folder = tmp_path / "m"
    (folder / ".terraform" / "modules" / "emr").mkdir(parents=True)
    listed = {"Modules": [{"Key": "", "Dir": "."}, {"Key": "emr", "Dir": ".terraform/modules/emr"}]}
    (folder / ".terraform" / "modules" / "modules.json").write_text(json.dumps(listed))
    (folder / ".terraform" / "modules" / "emr" / "main.tf").write_text(CLUSTER % "" + 'variable "n" {}\n')
    (folder / "main.tf").write_text('module "emr" {\n  source = "acme/emr/aws"\n  n = 1\n}\n')
    assert wanted("", folder=folder, name=str(folder)).params["Name"] == "x"


def test_locals_that_have_each_other_thrice_are_evaluated_once(tmp_path):
    names = "abcdefghijklmnop"
    local = "".join(
        f"  {one} = local.{next_} == local.{next_} ? local.{next_} : local.{next_}\n"
        for one, next_ in itertools.pairwise(names)
    )
    with counted_calls() as work:
        source = module(tmp_path, "log_uri = local.a", f'locals {{\n{local}  p = "s3://a/"\n}}\n')
    assert source.params["LogUri"] == "s3://a/"
    assert work.calls < 2_000_000


@pytest.mark.parametrize("shape", ["[%s, %s, %s]", '"${%s}${%s}${%s}"', "concat([1], %s, %s, %s)"])
def test_locals_that_grow_are_refused(shape, tmp_path):
    names = "abcdefghijklmnopqrstuvwxyz"
    local = "".join(f"  {one} = {shape.replace('%s', f'local.{next_}')}\n" for one, next_ in itertools.pairwise(names))
    last = '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"' if '"' in shape else "[1]"
    text = CLUSTER % "log_uri = jsonencode(local.a)" + f"locals {{\n{local}  z = {last}\n}}\n"
    with counted_calls() as work:
        assert refusal(text, "terraform", folder=tmp_path).message == "its expressions take too much work"
    assert work.calls < 10_000_000


def test_marks_of_placeholders_cannot_be_smuggled_in(tmp_path):
    text = CLUSTER.replace('"x"', '"\\ue0f5x\\ue0f6"') % ""
    assert "private use" in refusal(text, "terraform", folder=tmp_path).message


# --- plans and states ---


def plan(tmp_path):
    cluster = {
        "address": "module.emr.aws_emr_cluster.c[0]", "mode": "managed", "type": "aws_emr_cluster", "name": "c",
        "values": {"name": "x", "release_label": "emr-6.15.0", "ec2_attributes": [{"subnet_id": "subnet-1"}],
                   "master_instance_group": [{"instance_type": "m5.xlarge", "instance_count": 1}], "tags": None},
    }  # fmt: skip
    part = {
        "address": "module.emr.aws_emr_managed_scaling_policy.p", "mode": "managed",
        "type": "aws_emr_managed_scaling_policy", "name": "p",
        "values": {"compute_limits": [{"unit_type": "Instances", "minimum_capacity_units": 1, "maximum_capacity_units": 2,
                                       "maximum_core_capacity_units": 0, "maximum_ondemand_capacity_units": 0}]},
    }  # fmt: skip
    unknown = {
        "service_role": True,
        "id": True,
        "ec2_attributes": [{"instance_profile": True, "service_access_security_group": True}],
    }
    expressions = {
        "service_role": {"references": ["aws_iam_role.r.arn", "aws_iam_role.r"]},
        "ec2_attributes": [
            {"instance_profile": {"references": ["var.p"]}, "subnet_id": {"constant_value": "subnet-1"}}
        ],
    }
    owner = {"cluster_id": {"references": ["aws_emr_cluster.c[0].id", "aws_emr_cluster.c[0]", "aws_emr_cluster.c"]}}
    return {
        "format_version": "1.2", "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"child_modules": [{"address": "module.emr", "resources": [cluster, part]}]}},
        "resource_changes": [{"address": cluster["address"], "change": {"after_unknown": unknown}}],
        "configuration": {"root_module": {"module_calls": {"emr": {"module": {"resources": [
            {"address": "aws_emr_cluster.c", "expressions": expressions},
            {"address": "aws_emr_managed_scaling_policy.p", "expressions": owner},
        ]}}}}},
    }  # fmt: skip


def test_what_a_plan_does_not_know_is_a_variable(tmp_path):
    source = wanted(json.dumps(plan(tmp_path)), name="plan.json")
    assert {one.rules["description"] for one in source.variables.values()} == {
        "in Terraform: module.emr.aws_emr_cluster.c[0].service_role (aws_iam_role.r.arn)",
        "in Terraform: module.emr.aws_emr_cluster.c[0].ec2_attributes[0].instance_profile (var.p)",
    }
    made = compiled(source, tmp_path)
    assert (made["ServiceRole"], made["JobFlowRole"], made["Instances"]["Ec2SubnetId"]) == (
        "sample",
        "sample",
        "subnet-1",
    )
    assert "ServiceAccessSecurityGroup" not in made["Instances"]
    assert made["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"] == 2


def test_a_state_file(tmp_path):
    values = {
        "id": "j-1", "name": "x", "release_label": "emr-6.15.0", "service_role": "R", "ebs_root_volume_size": 0,
        "ec2_attributes": [{"instance_profile": "P", "subnet_id": "subnet-1", "subnet_ids": ["subnet-1"], "key_name": ""}],
        "master_instance_group": [{"instance_type": "m5.xlarge", "instance_count": 1, "bid_price": "", "name": ""}],
    }  # fmt: skip
    resources = [
        {
            "mode": "managed",
            "type": "aws_emr_cluster",
            "name": "c",
            "instances": [{"index_key": 0, "attributes": values}],
        }
    ]
    source = wanted(
        json.dumps({"version": 4, "terraform_version": "1.11.4", "resources": resources}), name="terraform.tfstate"
    )
    made = compiled(source, tmp_path)
    assert made["Instances"]["Ec2SubnetId"] == "subnet-1"
    assert not {"Ec2SubnetIds", "Ec2KeyName"} & made["Instances"].keys()
    assert "EbsRootVolumeSize" not in made


@pytest.mark.parametrize(
    ("argument", "member"),
    [("applications = [{ a = 1 }]", "Applications[0].Name"), ('applications = [["a"], ["a"]]', "Applications[0].Name")],
)
def test_elements_of_another_type_are_refused_with_their_place(argument, member, tmp_path):
    (tmp_path / "main.tf").write_text(CLUSTER % argument)
    assert refusal("", folder=tmp_path, name=str(tmp_path)).message.startswith(member)


_PER_KEY = """locals {
  tables = { a = "m5.large", b = "m5.xlarge" }
}
resource "aws_emr_cluster" "c" {
  for_each      = local.tables
  name          = each.key
  release_label = "emr-6.15.0"
  service_role  = "R"
  master_instance_group {
    instance_type = "m5.xlarge"
  }
}
resource "aws_emr_instance_group" "t" {
  for_each      = local.tables
  cluster_id    = aws_emr_cluster.c[each.key].id
  instance_type = each.value
}
resource "aws_emr_managed_scaling_policy" "s" {
  cluster_id = aws_emr_cluster.c["b"].id
  compute_limits {
    unit_type              = "Instances"
    minimum_capacity_units = 2
    maximum_capacity_units = 10
  }
}
resource "aws_emr_instance_group" "lost" {
  cluster_id    = var.elsewhere
  instance_type = "m5.xlarge"
}
"""


@pytest.mark.parametrize(("cluster", "scaled"), [("a", False), ("b", True)])
def test_what_belongs_to_a_cluster_by_its_key_is_part_of_it_and_nothing_is_left_out_silently(tmp_path, cluster, scaled):
    found = wanted(_PER_KEY, cluster=f'c["{cluster}"]', folder=tmp_path, name="main.tf")
    task = [one["InstanceType"] for one in found.params["Instances"]["InstanceGroups"] if one["InstanceRole"] == "TASK"]
    assert task == [{"a": "m5.large", "b": "m5.xlarge"}[cluster]]
    assert ("ManagedScalingPolicy" in found.params) is scaled
    lost = "aws_emr_instance_group.lost is not imported: it is for another cluster, as far as can be known here"
    assert lost in found.notes
