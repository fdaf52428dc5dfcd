"""`flowspec validate --policy`, as a person meets it."""

import json

import pytest
from click.testing import CliRunner

from flowspec.cli import root, run
from flowspec.cli.exits import Exit

SPEC = """\
flowspec: v1
name: {name}
release_label: emr-7.5.0
master_instance_type: {type}
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
"""
TYPES = (
    "properties: {Instances: {properties: {MasterInstanceType: {pattern: '^m5[.]', description: We pay for m5.}}}}\n"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(SPEC.format(name="good", type="m5.xlarge"))
    (tmp_path / "bad.yaml").write_text(SPEC.format(name="bad", type="p4d.24xlarge"))
    (tmp_path / "types.yaml").write_text(TYPES)
    (tmp_path / "tagged.json").write_text('{"required": ["Tags"]}')
    return tmp_path


def test_the_line_that_breaks_a_policy_is_shown(here, capsys):
    assert run(["validate", "good.yaml", "bad.yaml", "--policy", "types.yaml"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == "good.yaml: valid\n"
    assert err == (
        'error[FS601]: Instances.MasterInstanceType: "p4d.24xlarge" is not allowed\n'
        " --> bad.yaml:4:23\n"
        "  |\n"
        "4 | master_instance_type: p4d.24xlarge\n"
        "  |                       ^^^^^^^^^^^^ must match ^m5[.]\n"
        "  = types.yaml: We pay for m5.\n"
        "  = flowspec explain FS601\n\n"
    )


def test_several_policies_hold_together(here):
    done = CliRunner().invoke(
        root, ["validate", "bad.yaml", "--policy", "types.yaml", "--policy", "tagged.json", "--format", "json"]
    )
    assert [(one["line"], one["notes"][0]) for one in json.loads(done.output)] == [
        (1, "tagged.json: required"),
        (4, "types.yaml: We pay for m5."),
    ]


def test_a_policy_is_not_asked_of_a_spec_that_is_invalid(here, capsys):
    (here / "bad.yaml").write_text(SPEC.format(name="bad", type="[a]"))
    assert run(["validate", "bad.yaml", "--policy", "tagged.json"]) == Exit.USAGE
    assert "FS601" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a", "a policy is a JSON Schema: a mapping"), ("type: 4", "this is not a JSON Schema"), (None, "no such file")],
)
def test_a_bad_policy_file_is_a_clear_error_and_nothing_is_called_valid(here, capsys, text, message):
    if text is not None:
        (here / "policy.yaml").write_text(text)
    assert run(["validate", "good.yaml", "--policy", "policy.yaml"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[FS602]: " in err
    assert message in err
    assert " --> policy.yaml" in err


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_plan_keeps_to_policies(here, own_home, capsys, command):
    local = (here / "bad.yaml").read_text() + "targets: {here: {backend: local}}\n"
    (here / "bad.yaml").write_text(local)
    assert run([command, "bad.yaml", "--policy", "types.yaml"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[FS601]: Instances.MasterInstanceType" in err
    assert run([command, "bad.yaml"]) == Exit.OK


def test_a_saved_plan_is_held_against_policies_again(here, own_home, capsys):
    (here / "bad.yaml").write_text((here / "bad.yaml").read_text() + "targets: {here: {backend: local}}\n")
    assert run(["plan", "bad.yaml", "-o", "p.json"]) == Exit.OK
    assert run(["apply", "p.json", "--policy", "types.yaml"]) == Exit.USAGE
    assert "FS601" in capsys.readouterr().err


def test_a_folder_of_policies(flowspec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "job.yaml").write_text("flowspec: v1\nname: a\nbackend: local\ntags: {team: x}\n")
    assert flowspec("validate", "job.yaml", "--policy", "rules").code == 2
    (tmp_path / "rules/a.yaml").write_text("required: [LogUri]\n")
    (tmp_path / "rules/b.json").write_text('{"required": ["Applications"]}')
    (tmp_path / "rules/notes.md").write_text("no policy")
    done = flowspec("validate", "job.yaml", "--policy", "rules")
    assert done.code == 2
    assert done.err.count("error[FS601]") == 2
