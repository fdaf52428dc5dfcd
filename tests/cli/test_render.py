"""`flowspec render`: as it is for a target, with origins, and what differs between two targets."""

import json

import pytest
import yaml

BASE = "flowspec: v1\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\nservice_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\ntags: {team: search, cost: 1}\n"
SPEC = """extends: base.yaml
name: etl
variables:
  day: {default: '{{ ds }}'}
  size: {type: integer, default: 2}
  token: {sensitive: true, env: TOKEN, default: none-yet}
  deep: {default: '{{ day }}'}
targets:
  laptop: {default: true, backend: local, steps: {two: null}}
  prod: {backend: emr, region: us-east-1, variables: {size: 8}, tags: {team: null}, steps: [{name: one, args: [p, q]}]}
num_instances: '{{ size }}'
additional_info: '{{ token }}{{ deep }}'
steps:
  - {name: one, type: command, args: ['{{ day }}']}
  - {name: two, type: command, args: [b]}
  - {name: 'to {{ item }}', type: command, args: ['{{ index }}'], for_each: [x, y]}
"""


@pytest.fixture
def run(tmp_path, monkeypatch, flowspec):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "job.yaml").write_text(SPEC)
    (tmp_path / "vars.yaml").write_text("\nday: 2026-01-01\n")

    def call(*args, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return flowspec("render", "job.yaml", "--date", "2026-11-22", *args)

    return call


def comments(text):
    """The comment of each line, by what is before it."""
    return {line.partition("  # ")[0].strip(): line.partition("  # ")[2] for line in text.splitlines()}


def test_every_value_says_where_it_comes_from(run):
    done = run("--explain", "--target", "prod")
    assert done.code == 0, done.err
    said = comments(done.out)
    assert said["release_label: emr-7.5.0"] == "base.yaml:2, base file"
    assert said["name: etl"] == "job.yaml:2"
    assert said["region: us-east-1"] == "job.yaml:10, target prod"
    assert said["num_instances: 8"] == "job.yaml:11, variable size (the target, job.yaml:10)"
    assert said["- p"] == "job.yaml:10, target prod"
    assert said["- name: to x"] == "job.yaml:16, item (for_each, job.yaml:16)"
    assert said['- "0"'] == "job.yaml:16, index (for_each, job.yaml:16)"


def test_the_explained_spec_is_the_spec(run):
    assert yaml.safe_load(run("--explain").out) == yaml.safe_load(run().out)


@pytest.mark.parametrize(
    ("args", "environ", "origin"),
    [
        ([], {}, "its default, job.yaml:4"),
        (["--var-file", "vars.yaml"], {}, "vars.yaml:2"),
        (["--var-file", "vars.yaml"], {"FLOWSPEC_VAR_day": "x"}, "FLOWSPEC_VAR_day"),
        (["--var", "day=y"], {"FLOWSPEC_VAR_day": "x"}, "--var day"),
    ],
)
def test_a_variable_says_who_gave_it(run, args, environ, origin):
    shown = json.loads(run("--explain", "--format", "json", *args, **environ).out)
    assert {one["origin"] for one in shown if one["path"] == "steps[0].args[0]"} == {f"variable day ({origin})"}


def test_origins_for_programs_without_secrets(run):
    done = run("--explain", "--format", "json", TOKEN="hunter2")
    shown = {one["path"]: one for one in json.loads(done.out)}
    assert shown["tags.team"] == {
        "path": "tags.team", "value": "search", "file": "base.yaml", "line": 6, "origin": "base file",
    }  # fmt: skip
    info = shown["additional_info"]
    assert info["value"] == "(sensitive)2026-11-22"
    assert info["origin"] == (
        "variable deep (its default, job.yaml:7), variable token (the environment variable TOKEN)"
    )
    assert "hunter2" not in done.out + done.err + run("--explain", TOKEN="hunter2").out


def test_what_differs_between_two_targets(run):
    done = run("--vs", "prod", "--format", "json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["a"], found["b"]) == ("laptop", "prod")
    two = {"name": "two", "type": "command", "args": ["b"]}
    assert found["differences"] == [
        {"path": "tags.team", "a": "search"},
        {"path": "num_instances", "a": 2, "b": 8},
        {"path": "steps.one.args", "a": ["2026-11-22"], "b": ["p", "q"]},
        {"path": "steps.two", "b": two},
        {"path": "backend", "a": "local", "b": "emr"},
        {"path": "region", "b": "us-east-1"},
    ]


def test_differences_as_text(run):
    lines = run("--target", "prod", "--vs", "laptop").out.splitlines()
    assert lines[:3] == ["tags.team", "  prod    (absent)", '  laptop  "search"']
    assert run("--vs", "laptop").out == "laptop and laptop do not differ\n"


def test_lists_differ_item_by_item_when_they_have_names(run, tmp_path):
    (tmp_path / "job.yaml").write_text(
        BASE + "name: x\ntargets:\n  a: {default: true}\n"
        "  b: {additional_master_security_groups: [x], steps: {s: {when: false}}, applications: [Spark, Hadoop]}\n"
        "additional_master_security_groups: [x, y]\napplications: [Hadoop, Spark]\n"
        "steps: [{name: t, type: command, args: [a]}, {name: t, type: command, args: [b]}, {name: s, type: command, args: [a]}]\n"
    )
    found = json.loads(run("--vs", "b", "--format", "json").out)["differences"]
    assert [one["path"] for one in found] == ["additional_master_security_groups", "applications (order)", "steps.s"]


def test_a_secret_that_differs_is_not_shown(run, tmp_path):
    (tmp_path / "job.yaml").write_text(
        BASE + "name: x\nvariables: {t: {sensitive: true}}\nadditional_info: '{{ t }}'\n"
        "targets: {a: {default: true, variables: {t: hunter2}}, b: {variables: {t: swordfish}}}\n"
    )
    done = run("--vs", "b")
    assert "additional_info" in done.out
    assert "hunter2" not in done.out
    assert "swordfish" not in done.out


def test_questions_that_make_no_sense(run):
    assert run("--explain", "--vs", "prod").code == 2
    unknown = run("--vs", "prd")
    assert unknown.code == 2
    assert "did you mean prod?" in unknown.err


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_REGION", "GITHUB_TOKEN", "db_password", "MY_SECRET", "API_KEY"]
)
def test_a_credential_of_the_environment_is_read_only_by_a_sensitive_variable(flowspec, tmp_path, monkeypatch, name):
    spec = tmp_path / "job.yaml"
    monkeypatch.setenv(name, "hunter2")
    text = (
        BASE.replace("{", "{{").replace("}", "}}")
        + "name: x\nvariables: {{v: {{env: {}{}}}}}\nadditional_info: '{{{{ v }}}}'\n"
    )
    spec.write_text(text.format(name, ""))
    refused = flowspec("render", spec)
    assert (refused.code, "error[FS317]" in refused.err) == (2, True)
    assert "hunter2" not in refused.out + refused.err
    spec.write_text(text.format(name, ", sensitive: true"))
    shown = flowspec("render", spec)
    assert (shown.code, "(sensitive)" in shown.out, "hunter2" in shown.out) == (0, True, False)


def test_other_variables_of_the_environment_are_read(flowspec, tmp_path, monkeypatch):
    spec = tmp_path / "job.yaml"
    monkeypatch.setenv("BUILD_NUMBER", "17")
    spec.write_text(BASE + "name: x\nvariables: {v: {env: BUILD_NUMBER}}\nadditional_info: '{{ v }}'\n")
    shown = flowspec("render", spec)
    assert 'additional_info: "17"\n' in shown.out
