"""Output, its stream and the exit code of commands, also when the reader has gone."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "hunt'er2 $x"
STEPS = """\
  - {name: "load with {{ pw }}", type: command, args: [bash, -c, 'echo "$0" >&2; exit 3', "{{ pw }}"]}"""
MORE = """\
variables: {pw: {type: string, sensitive: true, env: MY_PW}}
tags: {made-with: "{{ pw }}", upper: "{{ pw | upper }}", json: "{{ [pw] | tojson }}", cut: "{{ pw[:6] }}"}"""


@pytest.fixture
def secretive(job, monkeypatch):
    monkeypatch.setenv("MY_PW", SECRET)
    return job(STEPS, MORE)


def derived(text):
    return [form for form in (SECRET, SECRET.upper(), json.dumps([SECRET])[1:-1], "hunt'") if form in text]


@pytest.mark.parametrize("command", ["plan", "compile", "render", "plan --format json", "render --explain"])
def test_secrets_and_what_is_made_of_them_are_not_shown(flowspec, secretive, command):
    shown = flowspec(*command.split(), "job.yaml")
    assert shown.code == 0, shown.err
    assert derived(shown.out + shown.err) == []
    assert "(sensitive)" in shown.out


def test_secrets_are_not_shown_by_what_follows_a_run(flowspec, secretive):
    done = flowspec("apply", "job.yaml")
    assert done.code == 4
    assert derived(done.out + done.err) == []
    assert "load with (sensitive)" in done.err
    for command in ("status", "wait", "logs", "status --format json", "wait --format json", "logs --format json"):
        shown = flowspec(*command.split(), "job.yaml")
        assert shown.out, command
        assert derived(shown.out + shown.err) == [], command


def test_the_home_is_for_its_owner_alone(flowspec, secretive, own_home):
    own_home.chmod(0o755)
    flowspec("apply", "job.yaml")
    assert {path.name: path.stat().st_mode & 0o077 for path in own_home.iterdir()} == {
        path.name: 0 for path in own_home.iterdir()
    }


def exit_code(argv, cwd, **options):
    process = subprocess.Popen([sys.executable, "-m", "flowspec", *argv], cwd=cwd, **options)
    return process.wait(timeout=60)


def closed_pipe():
    """The end to write to of a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 4)])
def test_a_reader_that_goes_away_does_not_change_the_exit_code(job, tmp_path, script, code):
    job(f"  - {{name: quick, type: command, args: [bash, -c, '{script}']}}")
    pipe = closed_pipe()
    assert exit_code(["apply", "job.yaml"], tmp_path, stdout=pipe, stderr=subprocess.DEVNULL) == code
    assert exit_code(["wait", "job.yaml"], tmp_path, stdout=pipe, stderr=pipe) == code
    os.close(pipe)


def test_no_stderr_at_all(job, tmp_path):
    job("  - {name: quick, type: command, args: ['true']}")
    command = f"exec {sys.executable} -m flowspec apply job.yaml --format json 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "succeeded"


def test_sigterm_is_an_interrupt(flowspec, start, job):
    job("  - {name: slow, type: command, args: [sleep, '600']}")
    process = start("apply", "job.yaml", "--on-interrupt", "terminate")
    for line in process.stderr:
        if "slow: RUNNING" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert flowspec("wait", "job.yaml").code == 7


def test_an_endpoint_that_is_none(flowspec, wordcount, credentials):
    refused = flowspec("plan", wordcount / "job.yaml", "-t", "prod", "--endpoint-url", "nonsense")
    assert refused.code == 1
    assert refused.err.splitlines()[-2:] == [
        "error: Invalid endpoint: nonsense",
        "  check --endpoint-url: http://HOST:PORT",
    ]


def test_an_endpoint_for_a_target_that_runs_here(flowspec, wordcount):
    refused = flowspec("apply", wordcount / "job.yaml", "--endpoint-url", "http://127.0.0.1:9")
    assert refused.code == 2
    assert "--endpoint-url has no effect on this machine, where target 'laptop' runs" in refused.err


def test_a_spec_without_targets_that_runs_here_is_not_named_by_an_empty_target(flowspec, tmp_path):
    spec = tmp_path / "job.yaml"
    spec.write_text(
        "flowspec: v1\nname: a\nbackend: local\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\n"
    )
    refused = flowspec("apply", spec, "--endpoint-url", "http://127.0.0.1:9")
    assert "--endpoint-url has no effect on this machine, where this spec runs" in refused.err
    assert "job.yaml: the spec runs on this machine" in flowspec("staging", "list", spec).err


def test_names_cannot_forge_lines(flowspec, job):
    job("  - {name: \"a\\nb: COMPLETED\", type: command, args: ['true']}")
    done = flowspec("apply", "job.yaml")
    assert done.code == 0
    assert " a\\nb: COMPLETED: COMPLETED in " in done.err
    shown = flowspec("status", "job.yaml").out
    assert "a\\nb: COMPLETED" in shown
    assert "\nb: COMPLETED" not in done.err + shown


def test_a_name_that_emr_refuses_is_shown_harmless(flowspec, job):
    job("  - {name: \"a\\e]0;title\\a\", type: command, args: ['true']}")
    refused = flowspec("apply", "job.yaml")
    assert refused.code == 1
    assert r"Value 'a\u001b]0;title\u0007' at 'steps.1.member.name' failed" in refused.err
    assert "\x1b" not in refused.err


def test_looking_needs_no_variables(flowspec, job):
    path = job("  - {name: quick, type: command, args: [echo, '{{ word }}']}", "variables: {word: {type: string}}")
    assert flowspec("apply", path, "--var", "word=hello").code == 0
    assert flowspec("logs", path, "--log", "stdout").out == "hello\n"
    assert "COMPLETED" in flowspec("status", path).out


def test_a_name_means_its_latest_run(flowspec, job):
    for _ in range(2):
        job("  - {name: quick, type: command, args: ['true']}")
        assert flowspec("apply", "job.yaml").code == 0
    latest = json.loads(flowspec("list", "--all", "--format", "json").out)[-1]["id"]
    assert latest in flowspec("status", "tiny").out


def test_a_protected_cluster_is_not_replaced(flowspec, job):
    job("  - {name: one, type: command, args: ['true']}", "termination_protected: true", keep_alive="true")
    assert flowspec("apply", "job.yaml").code == 0
    job(
        "  - {name: one, type: command, args: ['true']}",
        "termination_protected: true\ncustom_ami_id: ami-1",
        keep_alive="true",
    )
    refused = flowspec("apply", "job.yaml", "--replace")
    assert refused.code == 1
    advised = r"protected against termination\n  end it first: flowspec (destroy j-\w+ --unprotect)\n"
    assert flowspec("destroy", "job.yaml").code == 1
    assert flowspec(*re.findall(advised, refused.err)[0].split()).code == 0


def test_another_name_for_the_cluster_does_not_lose_it(flowspec, job):
    path = job("  - {name: slow, type: command, args: [sleep, '600']}", "api_params: {Name: other}")
    first = flowspec("apply", path, "--detach").out
    assert flowspec("apply", path, "--detach").out == first
    assert flowspec("destroy", path).code == 0


def test_bootstrap_actions_are_said_not_to_run_here(flowspec, job, tmp_path):
    (tmp_path / "boot.sh").write_text("#!/bin/sh\necho no such package >&2\nexit 3\n")
    job("  - {name: one, type: command, args: ['true']}", "bootstrap_actions: [{name: tools, path: boot.sh}]")
    assert "is run on this machine only with --run-bootstrap" in flowspec("plan", "job.yaml").out
    assert flowspec("apply", "job.yaml").code == 0
    failed = flowspec("apply", "job.yaml", "--run-bootstrap")
    assert failed.code == 5
    assert "    | no such package\n" in failed.err


@pytest.mark.parametrize("command", ["compile", "plan", "apply", "export --to aws-cli"])
def test_a_warning_is_shown_once_beside_an_error_of_compile(flowspec, job, command):
    job("  - {name: one, type: script, script: missing.sh}", "variables: {unused: {type: string, default: x}}")
    refused = flowspec(*command.split(), "job.yaml")
    assert refused.code == 2
    assert refused.err.count("FS401]") == refused.err.count("FS307]") == 1


@pytest.mark.parametrize("command", ["compile", "plan", "plan --offline", "export --to aws-cli", "graph", "iam"])
def test_a_warning_of_a_file_that_the_spec_names(flowspec, job, tmp_path, command):
    (tmp_path / "requirements.txt").write_text("idna\n")
    path = job(
        "  - {name: one, type: streaming, mapper: cat, input: in, output: out}",
        "python: {requirements: requirements.txt}",
    )
    done = flowspec(*command.split(), path)
    assert (done.code, done.err.count("FS617]")) == (0, 1), done.err


def test_a_preflight_that_refuses_shows_no_secret(flowspec, job, monkeypatch):
    monkeypatch.setenv("MY_PW", "hunter2hunter2")
    streaming = "  - {name: one, type: streaming, mapper: /bin/cat, input: '/nowhere/{{ pw }}/x', output: out}"
    job(streaming, "variables: {pw: {type: string, sensitive: true, env: MY_PW}}")
    refused = flowspec("apply", "job.yaml")
    assert refused.code == 1
    assert "nothing was submitted, since it would fail" in refused.err
    assert "hunter2" not in refused.out + refused.err


def test_a_pipe_that_does_not_block_loses_nothing(tmp_path):
    """Node.js makes those of the commands that it starts so."""
    command = [sys.executable, "-m", "flowspec", "schema"]
    whole = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with os.fdopen(ours, "rb") as pipe:
        writing = subprocess.Popen(command, stdout=theirs, cwd=tmp_path)
        os.close(theirs)
        with pytest.raises(subprocess.TimeoutExpired):
            writing.wait(1)
        assert pipe.read() == whole
    assert writing.wait(30) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_under_stderr_does_not_change_what_is_done(job, tmp_path):
    job("  - {name: quick, type: command, args: ['true']}")
    with Path("/dev/full").open("wb") as full:
        assert exit_code(["validate", "gone.yaml"], tmp_path, stderr=full) == 2
        command = [sys.executable, "-m", "flowspec", "apply", "job.yaml", "--format", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, cwd=tmp_path, check=True)
    assert json.loads(done.stdout)["outcome"] == "succeeded"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_letters(job, tmp_path, encoding):
    job("  - {name: schön 日本, type: command, args: ['true']}")
    command = [sys.executable, "-m", "flowspec", "graph", "job.yaml", "--format", "json"]
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True)
    assert json.loads(done.stdout.decode(encoding))["steps"] == ["schön 日本"]
    assert b"\\u65e5" in done.stdout


def test_a_document_for_a_program_is_utf_8_in_any_locale(job, tmp_path):
    job("  - {name: schön 日本, type: command, args: ['true']}")
    command = [sys.executable, "-m", "flowspec", "render", "job.yaml"]
    environ = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environ.pop("PYTHONIOENCODING", None)
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True)
    assert "name: schön 日本" in done.stdout.decode()


@pytest.mark.parametrize("argv", [("import", "-"), ("migrate", "launch.py")])
def test_no_stdin_at_all(tmp_path, argv):
    (tmp_path / "launch.py").touch()
    command = f"exec {sys.executable} -m flowspec {' '.join(argv)} <&-"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "internal error" in done.stderr) == (2, False), done.stderr


@pytest.mark.parametrize("option", ["--timeout", "--lock-timeout"])
@pytest.mark.parametrize(("value", "told"), [("nan", ""), ("10m", ": write 600")])
def test_seconds_are_numbers(flowspec, option, value, told):
    done = flowspec("resize", "j-NONE", "CORE=1", option, value)
    assert done.code == 2
    assert f"Invalid value for '{option}': '{value}' is not a number of seconds{told}\n" in done.err


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (("wait", "j-NONE", "--timeout"), "number of seconds"),
        (("list", "--limit"), "whole number"),
        (("test", "--jobs"), "whole number"),
        (("plan", "job.yaml", "--jobs"), "whole number"),
        (("emulator", "--port"), "whole number"),
    ],
)
def test_what_is_no_number_is_called_so(flowspec, argv, kind):
    done = flowspec(*argv, "many")
    assert done.code == 2
    assert f"'many' is not a valid {kind}." in done.err


@pytest.mark.parametrize("value", ["2026-13-01", "yesterday"])
def test_what_is_no_day_is_called_so(flowspec, value):
    done = flowspec("plan", "job.yaml", "--date", value)
    assert done.code == 2
    assert f"Invalid value for '--date': '{value}' is not a day: write one such as 2026-11-22\n" in done.err


@pytest.mark.parametrize("command", ["compile", "plan", "apply", "staging list"])
def test_a_folder_for_staging_is_refused_where_it_was_given(flowspec, job, command):
    job("  - {name: one, type: command, args: [date]}")
    done = flowspec(*command.split(), "job.yaml", "--staging", "acme/files")
    assert done.code == 2
    assert "Invalid value for '--staging': 'acme/files' is not an S3 folder: write s3://bucket/folder/" in done.err


def test_a_spec_that_stages_elsewhere_than_in_s3_is_named(flowspec, tmp_path):
    (tmp_path / "job.yaml").write_text(
        "flowspec: v1\nname: x\nregion: us-east-1\nrelease_label: emr-7.5.0\nstaging: acme/files\n"
        "defaults: recommended\nmaster_instance_type: m5.xlarge\nnum_instances: 1\n"
    )
    done = flowspec("staging", "list", "job.yaml")
    assert (done.code, "job.yaml: the staging 'acme/files' is not an S3 folder" in done.err) == (1, True), done.err


@pytest.mark.parametrize("argv", [("idle", "--at-least"), ("emulator", "prune", "--older-than")])
def test_a_span_of_more_time_than_there_is(flowspec, argv):
    done = flowspec(*argv, "999999999.99999999d")
    assert done.code == 2
    assert "is too long" in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_under_stdout(tmp_path):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "flowspec", "schema"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device\n  free space on that disk\n"
