"""Severities from `flowspec.toml` and `pyproject.toml`, and the rules of security that they turn on."""

import pytest

from flowspec import SpecError, load, render, validate
from flowspec.document.checking.rules.security import secrets_are_variables

SPEC = """\
flowspec: v1
name: a
backend: emr
region: us-east-1
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
keep_alive: true
master_instance_type: m5.xlarge
"""


@pytest.fixture
def found(tmp_path):
    """The findings of a spec in a repository, with the settings in files."""
    (tmp_path / ".git").mkdir()

    def validated(settings, spec=SPEC):
        for name, text in settings.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "jobs").mkdir(exist_ok=True)
        (tmp_path / "jobs/job.yaml").write_text(spec)
        try:
            found = validate(render(load(tmp_path / "jobs/job.yaml"))).warnings
        except SpecError as error:
            found = error.diagnostics
        return {one.id: one.severity.value for one in found}

    return validated


def test_noisy_rules_are_off_by_themselves(found):
    assert found({}) == {"FS222": "warning"}


def test_all_rules_of_security_at_once_but_one(found):
    settings = '[severity]\nFS613 = "off"\nsecurity = "warning"\n'
    assert found({"flowspec.toml": settings}) == {"FS222": "warning", "FS611": "warning", "FS612": "warning"}


def test_a_severity_of_its_own(found):
    assert found({"flowspec.toml": '[severity]\nFS222 = "error"\n'}) == {"FS222": "error"}
    assert found({"flowspec.toml": '[severity]\nFS222 = "off"\n'}) == {}


def test_the_table_of_pyproject(found):
    assert found({"pyproject.toml": '[tool.flowspec.severity]\nFS222 = "off"\n[tool.other]\na = 1\n'}) == {}
    assert found({"pyproject.toml": "[tool.other]\na = 1\n"}) == {"FS222": "warning"}


def test_the_nearest_file_counts(found):
    settings = {"flowspec.toml": '[severity]\nFS222 = "off"\n', "jobs/flowspec.toml": '[severity]\nFS222 = "info"\n'}
    assert found(settings) == {"FS222": "info"}


def test_what_emr_refuses_stays_an_error(found):
    spec = SPEC.replace("master_instance_type: m5.xlarge\n", "")
    assert found({"flowspec.toml": '[severity]\nFS224 = "off"\n'}, spec)["FS224"] == "error"


@pytest.mark.parametrize(
    "text", ["[severity", '[severity]\nFS999 = "off"\n', '[severity]\nFS222 = "fatal"\n', "[other]\n", "severity = 1\n"]
)
def test_settings_that_are_wrong(found, text):
    assert found({"flowspec.toml": text}) == {"FS603": "error"}


@pytest.mark.parametrize(
    ("args", "is_one"),
    [
        (["--password", "hunter22"], True),
        (["--db-password=hunter22"], True),
        (["-Dfs.secret.key=abcdefgh"], True),
        (["DB_PASSWORD=hunter22"], True),
        (["--password", "{{resolve:secretsmanager:db}}"], False),
        (["--secret", "arn:aws:secretsmanager:us-east-1:1:secret:db"], False),
        (["--password", "$DB_PASSWORD"], False),
        (["--password-file", "s3://acme/password"], False),
        (["--password", "--user"], False),
        (["--input", "s3://acme/in/"], False),
        (["--max-tokens", "100000"], False),
        ([3, None], False),
    ],
)
def test_secrets_in_arguments(args, is_one):
    assert bool(list(secrets_are_variables({"steps": [{"args": args}]}))) == is_one


def test_secrets_in_configurations():
    hive = {"hive-site": {"javax.jdo.option.ConnectionPassword": "hunter22", "a": "b"}}
    (found,) = secrets_are_variables({"configurations": hive})
    assert found.path == ("configurations", "hive-site", "javax.jdo.option.ConnectionPassword")


@pytest.mark.parametrize(
    "path",
    [
        ("instance_groups", 0, "configurations", "hive-site", "ConnectionPassword"),
        ("instance_fleets", 0, "instance_type_configs", 0, "configurations", "hive-site", "ConnectionPassword"),
        ("kerberos_attributes", "kdc_admin_password"),
        ("steps", 0, "conf", "spark.my.secret"),
        ("steps", 0, "hiveconf", "password"),
        ("tags", "password"),
    ],
    ids=lambda path: path[0] + "." + path[-1],
)
def test_secrets_wherever_a_key_names_one(path):
    spec = "hunter22"
    for key in reversed(path):
        spec = {key: spec} if isinstance(key, str) else [spec]
    (found,) = secrets_are_variables(spec)
    assert found.path == path


def test_a_sensitive_variable_is_no_secret_of_the_spec(found):
    more = 'variables: {p: {type: string, sensitive: true, default: hunter22}}\nconfigurations: {a: {password: "{{ p }}"}}\n'
    assert "FS614" not in found({}, SPEC + more)
    assert "FS614" in found({}, SPEC + "configurations: {a: {password: hunter22}}\n")


def test_a_merge_conflict_is_named_at_its_marker(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "job.yaml").write_text(SPEC)
    side = 'FS222 = "off"\n'
    (tmp_path / "flowspec.toml").write_text(f"[severity]\n<<<<<<< HEAD\n{side}=======\n{side}>>>>>>> branch\n")
    with pytest.raises(SpecError, match="a merge conflict is not resolved") as raised:
        validate(render(load(tmp_path / "job.yaml")))
    assert (raised.value.diagnostics[0].id, raised.value.diagnostics[0].location.line) == ("FS603", 2)


def test_settings_are_looked_for_no_higher_than_the_folder_of_a_linked_spec(tmp_path):
    (tmp_path / "flowspec.toml").write_text('[severity]\nFS222 = "off"\n')
    (tmp_path / "jobs/shared").mkdir(parents=True)
    (tmp_path / "jobs/shared/job.yaml").write_text(SPEC)
    (tmp_path / "jobs/job.yaml").symlink_to("shared/job.yaml")
    assert [one.id for one in validate(render(load(tmp_path / "jobs/job.yaml"))).warnings] == ["FS222"]
