import hashlib
import json
from pathlib import Path

import pytest

from flowspec.document.rendering.merge_patch import merge_patch
from flowspec.errors import SpecError
from flowspec.request.compile import digest
from tests.specs import compiled


@pytest.fixture
def request_of(tmp_path):
    def make(text, files=(), **options):
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"this is {name}\n")
        return compiled(tmp_path, "flowspec: v1\nname: x\nmaster_instance_type: m5.xlarge\n" + text, **options)

    return make


def step_of(request, index=0):
    return request.params["Steps"][index]["HadoopJarStep"]


STREAMING = "steps: [{name: a, type: streaming, mapper: %s, input: in, output: out}]\n"
LOCAL = "backend: local\n"
EMR = "staging: s3://acme/staging\nrelease_label: emr-7.5.0\n"


def test_an_asset_is_named_by_its_content(request_of, tmp_path):
    request = request_of(EMR + STREAMING % "m.py", ["m.py"])
    (asset,) = request.assets
    sha = hashlib.sha256(b"this is m.py\n").hexdigest()
    assert (asset.path, asset.sha256, asset.size, asset.name) == (tmp_path / "m.py", sha, 13, "m.py")
    assert asset.uri == f"s3://acme/staging/{sha}/m.py"


def test_on_this_machine_an_asset_is_used_in_place(request_of, tmp_path):
    request = request_of(LOCAL + STREAMING % "m.py", ["m.py"])
    assert request.assets[0].uri == str(tmp_path / "m.py")
    assert step_of(request)["Args"] == [
        "hadoop-streaming", "-files", f"{tmp_path}/m.py", "-mapper", "m.py", "-input", f"{tmp_path}/in", "-output", f"{tmp_path}/out",
    ]  # fmt: skip


def test_the_digest_is_the_same_for_the_same_and_another_for_anything_else(request_of, tmp_path):
    text = LOCAL + STREAMING % "m.py"
    first = request_of(text, ["m.py"])
    assert request_of(text).digest == first.digest
    assert request_of(text + "keep_alive: false\n").digest != first.digest
    (tmp_path / "m.py").write_text("changed\n")
    changed = request_of(text)
    assert (changed.params, changed.digest == first.digest) == (first.params, False)


def test_the_digest_is_of_canonical_json():
    assert digest({"b": 1, "a": [True, "é"]}, ()) == digest({"a": [True, "é"], "b": 1}, ())
    content = json.dumps({"assets": [], "params": {"a": "é"}, "secrets": []}, ensure_ascii=False, separators=(",", ":"))
    assert digest({"a": "é"}, ()) == hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize(
    ("command", "shipped", "run"),
    [
        ("m.py", "m.py", "m.py"),
        ("m.py -x  'a b'", "m.py", "m.py -x  'a b'"),
        ("./d/m.py", "d/m.py", "m.py"),
        ("'d/m.py' x", "d/m.py", "m.py x"),
        ('"d/m.py" x', "d/m.py", "m.py x"),
        ("program", "program", "program"),
        ("d/../m.py", "m.py", "m.py"),
    ],
)
def test_a_local_first_word_is_shipped_and_run_by_name(request_of, tmp_path, command, shipped, run):
    request = request_of(LOCAL + STREAMING % json.dumps(command), ["m.py", "d/m.py", "program"])
    args = step_of(request)["Args"]
    assert args[1:5] == ["-files", str(tmp_path / shipped), "-mapper", run]


@pytest.mark.parametrize(
    "command",
    [
        "cat",
        "/usr/bin/env python3",
        "awk '{print $1}'",
        "org.apache.hadoop.mapred.lib.IdentityMapper",
        "python3 m.py",
        "hdfs:///m.py",
        "' '",
    ],
)
def test_any_other_command_is_left_alone(request_of, command):
    request = request_of(LOCAL + STREAMING % json.dumps(command), ["m.py"])
    assert request.assets == ()
    assert step_of(request)["Args"][1:3] == ["-mapper", command]


def test_an_s3_first_word_is_shipped_too(request_of):
    request = request_of(EMR + STREAMING % "'s3://b/x/m.py#n -v'")
    assert step_of(request)["Args"][1:5] == ["-files", "s3://b/x/m.py#n", "-mapper", "n -v"]


@pytest.mark.parametrize("word", ["none", "NONE", "None", "~", ""])
def test_map_only(request_of, word):
    request = request_of(
        EMR + f"steps: [{{name: a, type: streaming, mapper: cat, reducer: {word}, input: in, output: out}}]"
    )
    assert step_of(request)["Args"][-6:-4] == ["-reducer", "NONE"]


def test_relative_data_starts_at_the_spec_wherever_the_command_runs(request_of, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = "log_uri: logs\nsteps: [{name: a, type: streaming, mapper: cat, input: [../in/, 'a,{b,c}*,/d', 's3://b/k'], output: file:///o}]"
    args = step_of(request_of(LOCAL + text))["Args"]
    parent = tmp_path.parent
    assert args[3:] == [
        "-input", f"{parent}/in/", "-input", f"{tmp_path}/a,{tmp_path}/{{b,c}}*,/d", "-input", "s3://b/k", "-output", "file:///o",
    ]  # fmt: skip
    assert request_of(LOCAL + text).params["LogUri"] == f"{tmp_path}/logs"
    on_emr = EMR + text.replace("log_uri: logs", "log_uri: s3://l/logs")
    assert request_of(on_emr).params["LogUri"] == "s3://l/logs"
    assert step_of(request_of(on_emr))["Args"][3:5] == ["-input", "../in/"]


def spec_in(folder):
    folder.mkdir()
    (folder / "m.py").write_text("x")
    return compiled(folder, "flowspec: v1\nname: x\nbackend: local\n" + STREAMING % "m.py")


def test_a_folder_with_a_blank_in_its_name(tmp_path):
    args = step_of(spec_in(tmp_path / "my jobs"))["Args"]
    assert args[1:5] == ["-files", f"{tmp_path}/my jobs/m.py", "-mapper", "m.py"]
    assert args[6] == f"{tmp_path}/my jobs/in"


@pytest.mark.parametrize("name", ["a,b", "a#b"])
def test_a_folder_that_would_break_a_list_of_uris(tmp_path, name):
    with pytest.raises(SpecError, match="can't ship a file whose path has"):
        spec_in(tmp_path / name)


def test_a_jar_may_be_local_in_s3_or_on_the_master(request_of, tmp_path):
    text = (
        "steps:\n- {name: a, type: jar, jar: a.jar}\n- {name: b, type: jar, jar: s3://b/a.jar}\n"
        "- {name: c, type: jar, jar: command-runner.jar, args: [x]}\n- {name: d, type: jar, jar: /usr/lib/x.jar}\n"
    )
    jars = [step["HadoopJarStep"]["Jar"] for step in request_of(LOCAL + text, ["a.jar"]).params["Steps"]]
    assert jars == [f"{tmp_path}/a.jar", "s3://b/a.jar", "command-runner.jar", "/usr/lib/x.jar"]


def test_nothing_is_added_that_was_not_asked_for(request_of):
    request = request_of("release_label: emr-7.5.0\nsteps: [{name: a, type: jar, jar: s3://a}]")
    assert request.params == {
        "Name": "x",
        "ReleaseLabel": "emr-7.5.0",
        "Instances": {"MasterInstanceType": "m5.xlarge"},
        "Steps": [{"Name": "a", "HadoopJarStep": {"Jar": "s3://a"}}],
    }


def test_debugging_comes_first(request_of):
    request = request_of(
        "release_label: emr-7.5.0\nlog_uri: s3://l\nenable_debugging: true\nsteps: [{name: a, type: command, args: [x]}]"
    )
    assert [step["Name"] for step in request.params["Steps"]] == ["Setup Hadoop Debugging", "a"]
    assert step_of(request) == {"Jar": "command-runner.jar", "Args": ["state-pusher-script"]}


def test_step_logs_are_carried_over(request_of):
    text = (
        "release_label: emr-7.5.0\nsteps: [{name: a, type: command, args: [x], "
        "step_monitoring_configuration: {s3_monitoring_configuration: {log_uri: s3://l, encryption_key_arn: k}}}]"
    )
    assert request_of(text).params["Steps"][0]["StepMonitoringConfiguration"] == {
        "S3MonitoringConfiguration": {"LogUri": "s3://l", "EncryptionKeyArn": "k"}
    }


def test_a_merge_patch_is_rfc_7396s():
    cases = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}), ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}), ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}), ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]), ({"a": "b"}, ["c"], ["c"]), ({"a": "foo"}, None, None), ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}), ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]  # fmt: skip
    for target, patch, result in cases:
        assert merge_patch(target, patch) == result


def test_only_one_file_is_blamed_for_a_staging_that_is_missing(request_of):
    with pytest.raises(SpecError) as caught:
        request_of(
            "release_label: emr-7.5.0\n" + STREAMING % "m.sh" + "bootstrap_actions: [{name: b, path: b.sh}]",
            ["m.sh", "b.sh"],
        )
    assert [found.id for found in caught.value.diagnostics] == ["FS404"]


def test_a_file_that_can_not_be_read_is_said_so(request_of, tmp_path, monkeypatch):
    """The refusal is played for everyone: no permission stops root."""
    (tmp_path / "m.py").write_text("x")
    opened = Path.open

    def refuse(self, *args, **kwargs):
        if self.name == "m.py":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SpecError, match=r"'m\.py' can't be read: permission denied") as caught:
        request_of(LOCAL + STREAMING % "m.py")
    assert caught.value.diagnostics[0].id == "FS403"


def test_a_pipe_is_no_file(request_of, tmp_path):
    import os

    os.mkfifo(tmp_path / "m.py")
    with pytest.raises(SpecError, match=r"'m\.py' is not a regular file"):
        request_of(LOCAL + STREAMING % "m.py")
