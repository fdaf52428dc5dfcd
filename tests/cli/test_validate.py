"""`flowspec validate` at all targets, without secrets, and of specs with hundreds of mistakes."""

import json
import re

import pytest
import yaml

from flowspec.cli.exits import Exit
from tests.cli.conftest import EXAMPLES
from tests.work import counted_calls

HOOKS = yaml.safe_load((EXAMPLES.parent / ".pre-commit-hooks.yaml").read_text())

SPEC = """\
flowspec: v1
name: two
variables:
  token: {type: string, sensitive: true, pattern: '^[0-9a-f]{40}$'}
  slots: {type: integer, sensitive: true, minimum: 3}
  group: {type: string, sensitive: true, enum: [blue, green]}
  idle: {type: string, sensitive: true}
targets:
  laptop: {default: true, backend: local}
  prod: {backend: emr, region: us-east-1, log_uri: s3://acme/logs/%s}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
tags: {token: "{{ token }}", group: "{{ group }}"}
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
  - {name: use it, type: command, args: [echo, "{{ token }}", "--slots={{ slots }}", "{{ idle }}"]}
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(SPEC % "")
    return path


def test_ci_without_secrets_can_validate(flowspec, spec):
    for argv in [("validate",), ("validate", "--strict"), ("render",), ("compile",), ("validate", "--all-targets")]:
        done = flowspec(argv[0], spec, *argv[1:])
        assert done.code == Exit.OK, done.err
        assert "info[FS302]: the sensitive variable 'token' has no value here; a placeholder is used" in done.err
    sent = json.loads(flowspec("compile", spec).out)
    assert {"Key": "token", "Value": "(sensitive)"} in sent["Tags"]
    assert {"Key": "group", "Value": "blue"} in sent["Tags"]
    assert sent["Steps"][0]["HadoopJarStep"]["Args"] == ["echo", "(sensitive)", "--slots=3", "(sensitive)"]


WRONG = """\
flowspec: v1
name: wrong
targets: {prod: {default: true, backend: emr, staging: s3://acme/staging/}}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
bootstrap_actions: [{name: no file, path: boot.sh}, {path: boot2.sh}]
api_params: {Instances: {TerminationProtcted: true}}
steps:
  - {name: wrong key, type: streaming, maper: no-1.py, input: s3://acme/in/, output: s3://acme/out/1/}
  - {name: no file, type: streaming, mapper: no-2.py, input: s3://acme/in/, output: s3://acme/out/2/}
"""


def findings(flowspec, path):
    shown = json.loads(flowspec("validate", path, "--format", "json").out)
    return [(one["id"], one["line"]) for one in shown]


def test_missing_files_are_found_beside_what_schema_and_rules_find(flowspec, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(WRONG)
    found = [("FS401", 8), ("FS102", 8), ("FS109", 9), ("FS101", 11), ("FS401", 12)]
    assert findings(flowspec, path) == found

    path.write_text(
        WRONG.replace("maper", "mapper").replace("{path: b", "{name: b, path: b").replace("count: 1", "count: 2")
    )
    assert findings(flowspec, path) == [
        ("FS229", 7),
        ("FS401", 8),
        ("FS401", 8),
        ("FS109", 9),
        ("FS401", 11),
        ("FS401", 12),
    ]


@pytest.mark.parametrize(
    "wrong", ["stagin: s3://acme/staging/", "staging: [s3://acme/]", "backend: emt", "backnd: local"]
)
def test_what_may_only_follow_from_another_finding_is_not_reported(flowspec, tmp_path, wrong):
    (tmp_path / "map.py").write_text("")
    path = tmp_path / "job.yaml"
    text = WRONG.replace("backend: emr, staging: s3://acme/staging/", wrong).replace("no-2", "map")
    path.write_text(
        "".join(line for line in text.splitlines(keepends=True) if "boot" not in line and "api" not in line)
    )
    assert {id_ for id_, _ in findings(flowspec, path)} <= {"FS101", "FS103", "FS104"}


def test_a_placeholder_need_not_be_what_the_schema_wants(flowspec, spec):
    hook = 'hooks: {on_end: [{webhook: "{{ idle }}"}]}\n'
    spec.write_text(SPEC % "" + hook)
    assert flowspec("validate", spec).code == Exit.OK
    done = flowspec("validate", spec, "--var", "idle=no-url")
    assert (done.code, "FS105" in done.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("argv", [("plan",), ("apply",), ("compile", "--reveal")], ids=" ".join)
def test_what_is_sent_needs_its_secrets(flowspec, own_home, spec, argv):
    done = flowspec(argv[0], spec, *argv[1:])
    assert done.code == Exit.USAGE
    assert "error[FS302]: the variable 'token' has no value" in done.err


def test_a_secret_that_is_given_is_checked(flowspec, spec):
    done = flowspec("validate", spec, "--var", "token=hunter2")
    assert "FS304" in done.err
    assert "hunter2" not in done.err


def test_all_targets_are_checked(flowspec, spec):
    spec.write_text(SPEC.replace("s3://acme/logs/%s", '"s3://acme/{{ folder }}/"'))
    assert flowspec("validate", spec).code == Exit.OK, "the default target is fine"
    done = flowspec("validate", spec, "--all-targets", "--format", "json")
    assert done.code == Exit.USAGE
    found = json.loads(done.out)
    assert [one["id"] for one in found if one["severity"] == "error"] == ["FS321"]
    assert [one["notes"][-1] for one in found if one["severity"] == "error"] == ["target prod"]


def test_what_targets_share_is_said_once(flowspec, spec):
    spec.write_text(SPEC.replace("m5.xlarge", "m5.xlarge, markt: SPOT") % "")
    done = flowspec("validate", spec, "--all-targets")
    assert done.err.count("error[FS101]") == 1
    assert "target" in done.err
    assert "targets laptop, prod; flowspec explain FS101" in done.err


def test_all_targets_and_one(flowspec, spec):
    done = flowspec("validate", spec, "--all-targets", "--target", "prod")
    assert done.code == Exit.USAGE
    assert "exclude each other" in done.err


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_the_hooks_of_pre_commit_run(flowspec, spec, hook):
    command, *argv = hook["entry"].split()
    assert command == "flowspec"
    assert flowspec(*argv, spec).code == Exit.OK


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (["jobs/base.yaml", "jobs/two.yaml", "jobs/named.yaml"], ["jobs/two.yaml", "jobs/named.yaml"]),
        (["jobs"], ["jobs/named.yaml", "jobs/two.yaml"]),
        # Of a commit that changes only these, the hook names no other file.
        (["jobs/base.yaml"], ["jobs/two.yaml", "other/deep.yaml"]),
        (["common/root.yaml"], ["jobs/two.yaml", "other/deep.yaml"]),
        (["jobs/base.yaml", "other/deep.yaml"], ["other/deep.yaml"]),
        (["jobs/named.yaml", "jobs/named.yaml"], ["jobs/named.yaml"]),
    ],
    ids=" ".join,
)
def test_a_base_file_is_checked_with_the_flows_that_build_on_it(flowspec, tmp_path, monkeypatch, given, checked):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "common/root.yaml": "flowspec: v1\nrelease_label: emr-7.5.0\n",
        "jobs/base.yaml": (SPEC % "").replace("name: two\n", "extends: ../common/root.yaml\n"),
        "jobs/two.yaml": "flowspec: v1\nname: two\nextends: base.yaml\n",
        "other/deep.yaml": "flowspec: v1\nname: deep\nextends: ../jobs/base.yaml\n",
        "jobs/named.yaml": (SPEC % "").replace("two", "named"),
        ".git/HEAD": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = flowspec("validate", *given)
    assert (done.code, done.out.splitlines()) == (Exit.OK, [f"{name}: valid" for name in checked])
    (tmp_path / "common/root.yaml").write_text("flowspec: v1\nrelease: emr-7.5.0\n")
    assert flowspec("validate", "common/root.yaml").code == Exit.USAGE


@pytest.mark.parametrize("format_", ["text", "github", "json", "sarif"])
def test_a_mistake_in_a_base_file_is_shown_once_for_all_flows(flowspec, tmp_path, format_):
    (tmp_path / "base.yaml").write_text(
        SPEC.replace("m5.xlarge", "m5.xlarge, markt: SPOT").replace("name: two\n", "") % ""
    )
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.yaml").write_text(f"flowspec: v1\nname: {name}\nextends: base.yaml\n")
    checked = flowspec("validate", ".", "--format", format_)
    assert (checked.code, (checked.out + checked.err).count("unknown key 'markt'")) == (2, 1)


def test_a_file_without_a_name_that_nothing_extends_is_no_flow(flowspec, spec):
    spec.write_text((SPEC % "").replace("name: two\n", ""))
    assert "the key 'name' is missing" in flowspec("validate", spec).err


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_the_hooks_of_pre_commit_get_no_test_cases(hook):
    repo = EXAMPLES / "gitops"
    files = [str(path.relative_to(repo)) for path in repo.rglob("*.yaml")]
    given = [name for name in files if re.search("^jobs/", name) and not re.search(hook["exclude"], name)]
    assert sorted(given) == ["jobs/daily.yaml", "jobs/weekly.yaml"]


@pytest.mark.parametrize(
    "wrong",
    [
        "".join(f"wrong_{number}: 1\n" for number in range(30_000)),
        "steps:\n" + "".join(f"  - {{name: a, type: jar, jarr: {number}}}\n" for number in range(10_000)),
        "tags:\n" + "".join(f"  k{number}: [1]\n" for number in range(30_000)),
    ],
    ids=["keys", "keys of steps", "values"],
)
def test_thousands_of_mistakes_end_soon_and_say_so(flowspec, tmp_path, wrong):
    (tmp_path / "few.yaml").write_text("flowspec: v1\nname: x\nwrong: 1\n")
    (tmp_path / "many.yaml").write_text(f"flowspec: v1\nname: x\n{wrong}")
    flowspec("validate", tmp_path / "few.yaml")
    with counted_calls() as work:
        done = flowspec("validate", tmp_path / "many.yaml")
    assert done.code == Exit.USAGE
    told = re.match(r"error\[FS100\]: there are more than (\d+) findings; the rest was not checked", done.err)
    # A fifth to a fifteenth of the mistakes is too many as well.
    (tmp_path / "many.yaml").write_text("flowspec: v1\nname: x\n" + "".join(wrong.splitlines(True)[:2_000]))
    with counted_calls() as less:
        listed = json.loads(flowspec("validate", tmp_path / "many.yaml", "--format", "json").out)
    assert work.calls < 3 * wrong.count("\n") / 2_000 * less.calls
    assert 100 <= len(listed) - 1 == int(told[1]) <= 300


@pytest.mark.parametrize("key", ["name", "num_instances", "tags", "steps", "release_label"])
@pytest.mark.parametrize("digits", ["9" * 5_000, "0x" + "f" * 5_000, "-" + "1" * 5_000])
def test_an_integer_of_thousands_of_digits_is_text(flowspec, tmp_path, key, digits):
    (tmp_path / "x.yaml").write_text(f"flowspec: v1\nname: x\n{'' if key == 'name' else f'{key}: {digits}'}\n")
    done = flowspec("validate", tmp_path / "x.yaml")
    assert "internal error" not in done.err
    assert max(map(len, done.err.splitlines())) < 400


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("managed_scaling_policy: {minimum: 2}", "did you mean compute_limits?"),
        ("managed_scaling_policy: {compute_limits: {min: 2}}", "did you mean minimum_capacity_units?"),
        ("steps: [{name: a, type: command, command: [ls]}]", "did you mean args?"),
        ("steps: [{name: a, type: streaming, reducers: 2}]", "did you mean num_reduce_tasks?"),
        ("bootstrap_actions: [{name: a, path: s3://b/x, xyzzy: 2}]", "known here: name, path, "),
        ("logs: s3://b/l/", "did you mean log_uri?"),
        ("version: emr-7.5.0", "did you mean release_label?"),
        ("steps: [{name: a, type: command, args: [ls], for_each: {i: [1]}}]", "`item` is each of its values"),
    ],
)
def test_the_words_that_people_try(flowspec, tmp_path, wrong, hint):
    (tmp_path / "x.yaml").write_text(f"flowspec: v1\nname: x\n{wrong}\n")
    assert hint in flowspec("validate", tmp_path / "x.yaml").err


@pytest.mark.parametrize(
    "wrong",
    [
        "xyzzy: 2",
        "steps: [{name: a, type: jar, jar: s3://b/x.jar, xyzzy: 2}]",
        "targets: {a.b: {xyzzy: 2}}",
        "targets: {a.b: {steps: [{name: a, type: hive, xyzzy: 2}]}}",
    ],
)
def test_of_many_keys_the_command_is_named_that_lists_them(flowspec, tmp_path, wrong):
    (tmp_path / "x.yaml").write_text(f"flowspec: v1\nname: x\n{wrong}\n")
    err = flowspec("validate", tmp_path / "x.yaml").err
    assert "known here: " not in err
    named, number = re.search(r"`flowspec (explain.*)` lists the (\d+) keys known here", err).groups()
    fields = re.split("The fields of a spec|## Fields", flowspec(*named.split()).out)[1]
    assert len(re.findall(r"^(?:  |- `)(?!steps\.)\w+", fields, re.MULTILINE)) == int(number)
