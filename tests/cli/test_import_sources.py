"""`flowspec import FILE`: what kind of source it is, is seen by itself."""

import json
import subprocess
import sys

import pytest

CLI = "aws emr create-cluster --release-label emr-6.9.0 --instance-type m5.xlarge --name x"
TEMPLATE = "Resources: {C: {Type: AWS::EMR::Cluster, Properties: {Name: x, Instances: {MasterInstanceGroup: {InstanceCount: 1, InstanceType: m5.xlarge}}}}}"
MODULE = 'resource "aws_emr_cluster" "c" {\n  name = "x"\n  release_label = "emr-6.9.0"\n  master_instance_group {\n    instance_type = "m5.xlarge"\n  }\n}\n'
REQUEST = '{"Name": "x", "Instances": {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("create.sh", CLI),
        ("README.md", f"Run this:\n\n```\n$ {CLI}\n```\n"),
        ("template.yaml", TEMPLATE),
        ("template.json", json.dumps({"Resources": {"C": {"Type": "AWS::EMR::Cluster", "Properties": {"Name": "x", "Instances": {"MasterInstanceGroup": {"InstanceCount": 1, "InstanceType": "m5.xlarge"}}}}}})),
        ("main.tf", MODULE),
        ("main.txt", MODULE),
        ("main.tf.json", '{"resource": {"aws_emr_cluster": {"c": {"name": "x", "release_label": "emr-6.9.0"}}}}'),
        ("request.json", REQUEST),
    ],
)  # fmt: skip
def test_the_kind_is_recognised(flowspec, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    made = flowspec("import", name)
    assert (made.code, "\nname: x\n" in made.out) == (0, True), made.err
    assert made.out.startswith(f"# Imported from {name} by `flowspec import`.\n")
    (tmp_path / "job.yaml").write_text(made.out)
    # What the source lacks of what EMR requires (roles, a release) is reported; here it does not matter.
    (tmp_path / "job.yaml").write_text(made.out + "backend: local\n")
    assert json.loads(flowspec("compile", "job.yaml").out)["Name"] == "x"


def test_a_folder_of_terraform_and_one_of_nothing(flowspec, tmp_path):
    (tmp_path / "module").mkdir()
    made = flowspec("import", "module")
    assert (made.code, "module is a directory, not a file" in made.err) == (2, True)
    (tmp_path / "module" / "main.tf").write_text(MODULE)
    assert flowspec("import", "module").out.startswith("# Imported from module by")


def test_standard_input(tmp_path):
    command = [sys.executable, "-m", "flowspec", "import", "-"]
    done = subprocess.run(command, input=CLI, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "\nname: x\n" in done.stdout) == (0, True)


def test_one_cluster_of_several_and_what_is_left_out(flowspec, tmp_path):
    (tmp_path / "create.sh").write_text(f"{CLI}\n{CLI.replace('name x', 'name y')} $MORE\n")
    made = flowspec("import", "create.sh")
    assert (made.code, "choose one with --cluster, by name or number (1: x, 2: y)" in made.err) == (2, True)
    made = flowspec("import", "create.sh", "--cluster", "y", "-o", "y.yaml")
    note = "$MORE stands among the options in line 2: what it adds is not imported"
    assert (made.code, made.err) == (0, f"warning: {note}\n")
    assert f"# Note: {note}\n" in (tmp_path / "y.yaml").read_text()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "name one FILE to import"),
        (["create.sh", "--request", "create.sh"], "name one FILE to import"),
        (["--request", "create.sh", "--from", "aws-cli"], "--request and --from aws-cli exclude each other"),
        (["nope.sh"], "there is no file nope.sh"),
        (["create.sh", "--from", "cloudformation"], "error[FS703]: a template is a mapping with Resources"),
        (["create.sh", "--from", "request"], "error[FS701]: this is not JSON"),
    ],
)
def test_wrong_words(flowspec, tmp_path, argv, told):
    (tmp_path / "create.sh").write_text(CLI)
    made = flowspec("import", *argv)
    assert (made.code, made.out) == (2, "")
    assert told in made.err


def test_values_for_the_variables_of_terraform(flowspec, tmp_path):
    (tmp_path / "main.tf").write_text(MODULE.replace('"m5.xlarge"', "var.kind") + 'variable "kind" {}\n')
    (tmp_path / "prod.tfvars").write_text('kind = "r5.xlarge"\n')
    made = flowspec("import", "main.tf", "--var-file", "prod.tfvars")
    assert (made.code, "kind: {type: string, default: r5.xlarge}" in made.out) == (0, True), made.err
    made = flowspec("import", ".", "--var-file", "prod.tfvars", "--var", "kind=m5.large")
    assert "kind: {type: string, default: m5.large}" in made.out
    made = flowspec("import", "main.tf", "--var", "kind")
    assert (made.code, "'kind' is not of the form NAME=VALUE" in made.err) == (2, True)
    made = flowspec("import", "main.tf", "--var-file", "nope.tfvars")
    assert (made.code, "nope.tfvars" in made.err) == (2, True)
