import gc

import pytest

from flowspec.document.catalog import CATALOG
from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.dump import dump
from flowspec.document.text.parse import load
from flowspec.errors import Severity, SpecError
from flowspec.request.compile import compile
from tests.specs import rendered

ROLES = "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
HEAD = "flowspec: v1\nname: x\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\n" + ROLES


@pytest.fixture
def spec(tmp_path):
    def make(text, **options):
        return validate(rendered(tmp_path, text, **options))

    return make


def errors(spec, text, **options):
    with pytest.raises(SpecError) as caught:
        spec(text, **options)
    return caught.value.diagnostics


def test_a_job_flow_knows_where_it_runs(spec, tmp_path):
    flow = spec(
        "flowspec: v1\nname: x\ndescription: d\nregion: eu-west-1\nmaster_instance_type: m5.xlarge\n"
        "ami_version: 3.11.0\n"
        "targets: {t: {backend: emr, profile: p, endpoint_url: http://127.0.0.1:1, staging: s3://b/c, keep_alive: false}}"
    )
    assert (flow.name, flow.target, flow.backend, flow.region, flow.profile) == ("x", "t", "emr", "eu-west-1", "p")
    assert (flow.endpoint_url, flow.staging, flow.path) == ("http://127.0.0.1:1", "s3://b/c", tmp_path / "job.yaml")
    assert dict(flow.fields) == {
        "name": "x", "master_instance_type": "m5.xlarge", "ami_version": "3.11.0", "keep_alive": False,
    }  # fmt: skip


def test_without_a_target_it_runs_on_emr(spec):
    flow = spec(HEAD)
    assert (flow.target, flow.backend, flow.region, flow.staging, flow.warnings) == ("", "emr", None, None, ())


def test_a_backend_that_is_a_placeholder_is_taken_for_the_default(spec):
    variables = "variables: {where: {sensitive: true}}\nbackend: '{{ where }}'\n"
    flow = spec(HEAD + variables + "steps: [{name: a, type: command, args: [ls]}]\n", placeholders=True)
    assert (flow.backend, compile(flow).params["Name"]) == ("emr", "x")


def test_a_document_that_is_not_rendered_is_rendered_first(tmp_path):
    (tmp_path / "job.yaml").write_text(HEAD + "log_uri: 's3://l/{{ target }}'")
    assert validate(load(tmp_path / "job.yaml")).fields["log_uri"] == "s3://l/"


def test_a_warning_can_be_silenced_on_its_line_an_error_can_not(spec):
    assert [one.id for one in spec(HEAD + "keep_alive: true").warnings] == ["FS222"]
    assert spec(HEAD + "keep_alive: true  # flowspec: ignore=FS222").warnings == ()
    assert spec(HEAD + "keep_alive: true  # flowspec: ignore=FS204, FS222").warnings == ()
    assert [one.id for one in spec(HEAD + "keep_alive: true  # flowspec: ignore=FS22").warnings] == ["FS222"]
    assert [one.id for one in errors(spec, HEAD + "keepalive: true  # flowspec: ignore=FS101")] == ["FS101"]


def test_findings_are_sorted_by_place_and_all_there(spec):
    found = errors(spec, HEAD + "xyzzy: 1\nkeep_alive: 1\ntags: {a: [b]}\nlog_uri: '{{ nope }}'\nsteps: [{}]")
    assert [(one.location.line, one.id) for one in found] == [
        (7, "FS101"), (8, "FS103"), (9, "FS103"), (10, "FS321"), (11, "FS102"), (11, "FS102"),
    ]  # fmt: skip


def test_an_error_raised_holds_warnings_too(spec):
    found = errors(spec, HEAD + "keep_alive: true\nxyzzy: 1")
    assert [(one.id, one.severity) for one in found] == [("FS222", Severity.WARNING), ("FS101", Severity.ERROR)]


def test_rules_do_not_stumble_over_what_the_schema_refused(spec):
    found = errors(
        spec,
        "flowspec: v1\nname: [x]\ntags: 4\nsteps: x\ninstance_groups: [a, {role: [], count: {}}, {role: MASTER}]\n"
        "instance_fleets: [null, {type: MASTER, instance_type_configs: 4}]\nbootstrap_actions: {a: b}\nrelease_label: [a]\n"
        "ec2_subnet_ids: 4\nauto_scaling_role: null\nkeep_alive: []\nenable_debugging: 1\n",
    )
    assert {one.id for one in found if one.severity is Severity.ERROR} == {"FS102", "FS103", "FS201"}


def test_a_template_that_failed_hides_nothing_else(spec):
    found = errors(
        spec,
        HEAD
        + "num_instances: '{{ nope }}'\nsteps: [{name: '{{ nope }}', type: '{{ nope }}', xyz: 1}]\ntags: {'{{ nope }}': 1}",
    )
    assert [one.id for one in found] == ["FS321"] * 4


def test_secrets_stay_secret(spec, tmp_path):
    text = (
        HEAD
        + "variables: {token: {sensitive: true, env: TOKEN}, port: {type: integer, sensitive: true, default: 5439}}\n"
        "kerberos_attributes: {realm: r, kdc_admin_password: pass1234}\n"
        "tags: {t: 'Bearer {{ token }}', p: '{{ port }}'}\n"
    )
    flow = spec(text, environ={"TOKEN": "hunter2"})
    assert flow.secrets == {"hunter2", "5439", "pass1234"}
    assert compile(flow).secrets == flow.secrets
    assert compile(flow).params["Tags"] == [{"Key": "t", "Value": "Bearer hunter2"}, {"Key": "p", "Value": "5439"}]
    shown = dump(flow.document) + repr(compile(flow))
    assert "Bearer (sensitive)" in shown
    assert "(sensitive)" in dump(flow.document).split("kdc_admin_password:")[1]
    assert not any(secret in dump(flow.document) for secret in flow.secrets)


def test_secrets_stay_out_of_errors(spec):
    text = (
        HEAD
        + "variables: {t: {sensitive: true, default: hunter2}}\nscale_down_behavior: '{{ t }}'\nkeep_alive: 'hunter2'\n'{{ t }}': 1"
    )
    for found in errors(spec, text):
        assert "hunter2" not in repr(found)


def test_the_table_of_ids_holds_every_id_in_the_code():
    import re
    from pathlib import Path

    import flowspec.document

    root = Path(flowspec.document.__file__).parents[1]
    used = {id_ for path in root.rglob("*.py") for id_ in re.findall(r'"(FS\d{3})"', path.read_text())}
    assert used == set(CATALOG)


@pytest.mark.parametrize("word", ["yes", "on", "no", "off", "True ", "1"])
def test_what_is_no_boolean_is_said_to_be_none(spec, word):
    assert [one.id for one in errors(spec, HEAD + f"termination_protected: '{word}'")] == ["FS103"]


def test_a_number_with_its_unit_is_told_the_unit_that_is_meant(spec):
    (found,) = errors(spec, HEAD + "auto_termination_policy: {idle_timeout: 2 weeks}")
    assert (found.id, found.notes) == ("FS103", ("Seconds of idleness: 60 to 604800",))


@pytest.mark.parametrize("value", ["61.5", "true", "one"])
def test_what_is_no_integer_is_told_the_meaning_of_the_number(spec, value):
    (found,) = errors(spec, HEAD + f"auto_termination_policy: {{idle_timeout: {value}}}")
    assert (found.id, found.notes) == ("FS103", ("Seconds of idleness: 60 to 604800",))


@pytest.mark.parametrize("text", ["Name: a\nInstances: {}", "Name: a\nReleaseLabel: emr-7.5.0", "Resources: {}"])
def test_a_request_or_template_is_told_how_to_convert_it(spec, text):
    (found,) = (one for one in errors(spec, text) if "'flowspec'" in one.message)
    assert (found.id, "`flowspec import FILE` converts it" in found.hint) == ("FS102", True)


def test_a_role_of_the_console_is_told_that_of_the_api(spec):
    found = errors(spec, HEAD + "instance_fleets: [{type: PRIMARY, instance_type_configs: [{type: m5.xlarge}]}]")
    assert [one.hint for one in found if one.id == "FS104"] == ["did you mean MASTER?"]


def test_the_keys_of_a_small_mapping_are_listed_beside_a_guess(spec):
    (found,) = errors(spec, HEAD + "budget: {per_hour: 5}")
    assert (found.hint, found.notes) == ("did you mean expected_hours?", ("known here: hourly, run, expected_hours",))


def test_a_list_in_the_place_of_a_mapping_is_told_what_one_looks_like(spec):
    (found,) = errors(spec, HEAD + "tags: [team=search]")
    assert (found.id, found.hint) == ("FS103", "such as {team: search}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("placement: {availability_zone: us-east-1a}", "did you mean availability_zone?"),
        ("apiVersion: v1", "leave it out: `flowspec: v1` is the version"),
        ("auto_terminate: true", "write its opposite: `keep_alive: false` ends the cluster after its steps"),
        ("bootstrap_actions: [{name: a, script: s3://bkt/a.sh}]", "did you mean path?"),
        ("bootstrap_actions: [{name: a, script_bootstrap_action: {path: s3://bkt/a.sh}}]", "did you mean path?"),
        ("steps: [{name: a, type: hive, file: s3://bkt/a.q}]", "did you mean script?"),
        ("steps: [{name: a, type: pig, path: s3://bkt/a.pig}]", "did you mean script?"),
        ("steps: [{name: a, type: spark, file: a.py}]", "did you mean application?"),
        ("steps: [{name: a, type: jar, hadoop_jar_step: {jar: s3://bkt/a.jar}}]", "did you mean jar?"),
        ("no-auto-terminate: true", "write `keep_alive: true`"),
        ("Instances: {}", "write the members of Instances here, without `Instances`"),
        ("targets: {a: {default: true, Instances: {}}}", "write the members of Instances here, without `Instances`"),
        ("ec2_attributes: {}", "write its members here: ec2_keyname, ec2_subnet_id, job_flow_role, …"),
        ("master_instance_group: {}", "write an item of instance_groups with role: MASTER"),
        ("core_instance_fleet: {}", "write an item of instance_fleets with type: CORE"),
        ("steps: [{name: a, type: command, args: [a], mapper: b}]", "it is a key of steps with type: streaming"),
        (
            "steps: [{name: a, type: command, args: [a], properties: {}}]",
            "it is a key of steps with type: streaming or jar",
        ),
        ("steps: [{name: a, type: command, args: [a], depends_on: b}]", "did you mean needs?"),
        ("steps: [{name: a, type: streaming, mapper: a, input: b, output: c, retries: 3}]", "did you mean retry?"),
    ],
)
def test_a_word_of_the_api_or_of_other_tools_is_told_the_key(spec, text, hint):
    assert [(one.id, one.hint) for one in errors(spec, HEAD + text) if one.id == "FS101"] == [("FS101", hint)]


@pytest.mark.parametrize("version", ["1", "'1'", "v1", "1.0", "v2"])
def test_a_version_of_the_format_is_told_its_key(spec, version):
    found = errors(
        spec, f"version: {version}\nname: tiny\nsteps: [{{type: streaming, input: a, output: b, mapper: cat}}]"
    )
    assert [(one.id, one.message, one.hint) for one in found if one.id in {"FS101", "FS102"}] == [
        ("FS101", "unknown key 'version'", "did you mean flowspec: v1?"),
        ("FS102", "the key 'name' is missing", "such as name: count words"),
    ]
    (again,) = errors(spec, f"{HEAD}version: {version}")
    assert again.hint == "leave it out: `flowspec: v1` is the version"


@pytest.mark.parametrize("version", ["emr-7.5.0", "7.5.0", "'7.5'", "7", "2.4.11"])
def test_a_version_of_emr_is_told_the_key_of_releases(spec, version):
    found = errors(spec, f"version: {version}\nname: tiny")
    assert [(one.id, one.hint) for one in found if one.id in {"FS101", "FS102"}] == [
        ("FS101", "did you mean release_label?"),
        ("FS102", "such as flowspec: v1"),
    ]


@pytest.mark.parametrize(
    ("text", "id_", "told"),
    [
        ("steps: [{name: a, type: command}]", "FS102", "such as args: [bash, -c, echo hello]"),
        ("steps: [{name: a, type: command, args: []}]", "FS107", "such as args: [bash, -c, echo hello]"),
        ("configurations: {hadoop-env: {export: {A: b}}}", "FS103", "below the key `configurations`"),
        ("defaults: all", "FS104", "'all' is not a set of defaults"),
        ("steps: |\n  - {name: a}", "FS103", "write the items below the key, without quotes, | or >"),
        ("steps:\n   \u2022 a\n   \u2022 b", "FS103", "begin each item with an ordinary hyphen, in place of U+2022"),
        ("steps: [{name: a, type: command, args: [null]}]", "FS103", "give it one, or leave it out"),
        ("steps: [{name: a, type: CUSTOM_JAR, jar: s3://bkt/a.jar}]", "FS104", "did you mean jar?"),
        ("requires: 5", "FS103", 'such as ">=0.1,<1"'),
        ("steps: [{name: a, type: command, args: [a], retry: 3}]", "FS103", "such as {attempts: 3}"),
        ("backend: aws", "FS104", "did you mean emr?"),
        ("bootstrap_actions: [s3://bkt/a.sh]", "FS103", "such as {name: install tools, path: bootstrap/install.sh}"),
        ("num_instances: 010", "FS103", "'010' write 10"),
        ("num_instances: 1_000", "FS103", "'1_000' write 1000"),
        ("num_instances: 1,000", "FS103", "'1,000' write 1000"),
        ("num_instances: '10'", "FS103", "'10' drop the quotes"),
        (f"steps: [{{name: {'x' * 300}, type: command, args: [a]}}]", "FS107", "at most 256 are allowed"),
    ],
)
def test_the_remedy_of_a_wrong_value(spec, text, id_, told):
    (found,) = errors(spec, HEAD + text)
    assert (found.id, told in f"{found.message} {found.hint}") == (id_, True), found


def test_digits_with_a_comma_elsewhere_than_before_a_thousand_may_be_a_fraction(spec):
    (found,) = errors(spec, f"{HEAD}num_instances: 1,5")
    assert (found.id, found.hint) == ("FS103", "")


def test_a_word_of_another_tool_stands_for_nothing_where_its_counterpart_is_not_allowed(spec):
    found = errors(spec, f"{HEAD}repo_upgrade_on_boot: shell")
    assert [one.hint for one in found if one.id == "FS104"] == [""]


def test_a_spec_that_is_done_with_is_freed_at_once(tmp_path):
    """Trees in cycles wait for the garbage collector, which took 80 ms of each 500 specs."""
    (tmp_path / "job.yaml").write_text(
        HEAD + "num_instances: '{{ n + 1 }}'\nvariables: {n: {type: integer, default: 2}}"
    )

    def check():
        return compile(validate(render(load(tmp_path / "job.yaml"), environ={}))).params["Instances"]["InstanceCount"]

    assert check() == 3
    gc.collect()
    gc.disable()
    try:
        check()
        assert gc.collect() == 0
    finally:
        gc.enable()
