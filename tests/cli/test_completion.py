"""Shell completion: the candidates, that they come fast and quietly, and real shells that complete with them."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from flowspec.cli import COMMANDS, root
from flowspec.cli.completion import SHELLS, answer
from flowspec.emulator.state.store import Record, Store

JOB = """
flowspec: v1
name: tiny
variables:
  day: {type: string}
  token: {type: string, sensitive: true, env: FLOW_TOKEN}
targets: {laptop: {default: true, backend: local}, prod: {backend: emr}}
release_label: emr-7.5.0
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
  - {name: count words, type: command, args: ['true']}
  - {name: "publish {{ item }}", for_each: [us, eu], type: command, args: ['true']}
  - {name: "with {{ token }}", type: command, args: ['true']}
  - {name: "odd\\u001b]0;name", type: command, args: ['true']}
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / ".home"))
    monkeypatch.setenv("FLOW_TOKEN", "hunter2-hunter2")
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "more jobs").mkdir()
    (tmp_path / "more jobs/other.yml").touch()


@pytest.fixture
def candidates(monkeypatch):
    def call(*words, shell="fish"):
        monkeypatch.setenv("COMP_WORDS", " ".join(f"'{word}'" for word in ("flowspec", *words) if word))
        monkeypatch.setenv("COMP_CWORD", f"'{words[-1]}'" if words[-1] else "")
        lines = answer(root, f"{shell}_complete").splitlines()
        return [line.partition(",")[2].partition("\t")[0] for line in lines]

    return call


def test_commands_with_their_summaries(candidates, monkeypatch):
    assert candidates("") == list(COMMANDS)
    assert candidates("un") == ["unprotect", "unlock"]
    assert candidates("emulator", "pr") == ["prune"]
    assert {"--help", "--version"} <= set(candidates("--"))


@pytest.mark.parametrize("command", ["validate", "plan", "status", "logs", "test", "fmt", "doctor"])
def test_specs_are_yaml_files_and_folders(candidates, command):
    assert candidates(command, "") == ["job.yaml", "more jobs/"]
    assert candidates(command, "more jobs/") == ["more jobs/other.yml"]
    assert candidates(command, "nowhere/") == []


def test_what_a_spec_has(candidates):
    assert candidates("plan", "job.yaml", "--target", "") == ["laptop", "prod"]
    assert candidates("plan", "-t", "prod", "job.yaml", "--var", "") == ["day=", "token="]
    assert candidates("render", "job.yaml", "--vs", "p") == ["prod"]
    assert candidates("plan", "--target", "") == [], "no spec is given"
    assert candidates("plan", "--var-file", "job.yaml", "--target", "") == []


def test_steps_as_they_are_rendered_without_secrets_and_control_characters(candidates):
    assert candidates("cancel", "job.yaml", "--var", "day=1", "") == ["count words", "publish us", "publish eu"]
    assert candidates("logs", "job.yaml", "--var", "day=1", "--step", "c") == ["count words"]
    for command, option in (("apply", "--from"), ("apply", "--only"), ("diagnose", "--step")):
        assert candidates(command, "job.yaml", option, "p") == ["publish us", "publish eu"]
    assert candidates("apply", "job.yaml", "--rerun", "") == ["failed", "count words", "publish us", "publish eu"]


def test_a_spec_that_cannot_be_read_gives_nothing(candidates, tmp_path):
    (tmp_path / "job.yaml").write_text("a: [\n")
    assert candidates("plan", "job.yaml", "--target", "") == []
    assert candidates("cancel", "job.yaml", "") == []


def test_clusters_of_the_home(candidates, tmp_path):
    with Store(tmp_path / ".home") as store:
        for number, (name, tags) in enumerate((("etl", []), ("hush", [{"Key": "flowspec:sensitive", "Value": "x"}]))):
            cluster = f"j-{number}"
            request = {"Name": name, "Tags": tags}
            store.add(Record("cluster", cluster, cluster, "us-east-1", "WAITING", number, {"request": request}))
            step = {"request": {"Name": f"step of {name}"}}
            store.add(Record("step", f"s-{number}", cluster, "us-east-1", "PENDING", number, step))
    assert candidates("status", "") == ["job.yaml", "more jobs/", "j-1", "etl", "j-0"]
    assert candidates("adopt", "j") == ["j-1", "j-0"]
    assert candidates("cancel", "etl", "") == ["s-0", "step of etl"]
    assert candidates("cancel", "j-1", "") == ["s-1"]


def test_a_home_that_is_not_there_is_not_made(candidates, tmp_path):
    assert candidates("status", "") == ["job.yaml", "more jobs/"]
    assert not (tmp_path / ".home").exists()


def test_words_to_explain(candidates):
    assert candidates("explain", "FS20")[:2] == ["FS200", "FS201"]
    assert "templates" in candidates("explain", "te")
    assert candidates("explain", "steps.streaming.mapp") == ["steps.streaming.mapper"]
    assert candidates("explain", "nothing.such.") == []


def test_no_candidate_takes_boto3_or_a_second_command(tmp_path):
    code = (
        "import sys\nfrom flowspec.cli import root\nfrom flowspec.cli.completion import answer\n"
        "answer(root, 'fish_complete')\n"
        "print([name for name in sys.modules if name.startswith(('boto', 'flowspec.cli.commands.'))])"
    )
    for words, incomplete, expected in (
        ("flowspec ", "", []),
        ("flowspec apply job.yaml -t ", "", ["flowspec.cli.commands.apply"]),
        ("flowspec status ", "", ["flowspec.cli.commands.status"]),
    ):
        environment = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": incomplete}
        done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == str(expected)


def test_a_wrong_instruction_prints_nothing(tmp_path):
    environment = {**os.environ, "_FLOWSPEC_COMPLETE": "tcsh_complete"}
    done = subprocess.run([sys.executable, "-m", "flowspec"], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_the_shell(flowspec, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = flowspec("completion", shell)
    assert script.code == 0
    checked = subprocess.run([shell, "-n"], input=script.out, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(flowspec completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -u -D; eval "$(flowspec completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "flowspec completion fish | source"),
}
LINES = {
    "flowspec appl\tjob.yaml --tar\tpr\t": "apply|job.yaml|--target|prod",
    "flowspec cancel job.yaml cou\t": "cancel|job.yaml|count words",
    "flowspec cancel job.yaml 'cou\t": "cancel|job.yaml|count words",
    "flowspec plan job.yaml --var da\t7": "plan|job.yaml|--var|day=7",
    "flowspec validate mor\to\t": "validate|more jobs/other.yml",
    "flowspec plan job.yaml --target=pr\t": "plan|job.yaml|--target=prod",
}


# fish is interactive only where the terminal is the one that controls its session.
WITH_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("shell", STARTS)
def test_a_shell_completes(shell, tmp_path):
    """Types lines with tabs; in place of flowspec, once all is completed, a script that shows what it was given."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "bin/flowspec"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ -n "$_FLOWSPEC_COMPLETE" ] || [ "$1" = completion ]; then exec {sys.executable} -m flowspec "$@"; fi\n'
        "IFS='|'\necho \"given<$*>\"\n"
    )
    program.chmod(0o755)
    argv, setup = STARTS[shell]
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "HOME": str(tmp_path),
    }
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL, *argv],
        cwd=tmp_path,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        type_in(ours, f"{setup}; echo rea''dy\n", "ready")
        for line, given in LINES.items():
            type_in(ours, f"{line}\n", f"given<{given}>")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def type_in(terminal, text, awaited):
    os.write(terminal, text.encode())
    shown, end = "", time.monotonic() + 60
    while awaited not in shown:
        assert select.select([terminal], [], [], max(0, end - time.monotonic()))[0], f"{text!r}: {shown}"
        shown += os.read(terminal, 65536).decode(errors="replace")
