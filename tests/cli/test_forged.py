"""A spec of a stranger writes no line of its own into the output, and drives no terminal, whichever command shows it."""

import json
import re
import subprocess
import sys

import pytest

from tests.cli.test_terminal import on_a_terminal

EVIL = "a\r\n::error::forged\n\u001b]0;owned\u0007\u001b[31m\u202e##[error]forged"
SPEC = {
    "flowspec": "v1",
    "name": EVIL,
    "backend": "local",
    "release_label": "emr-7.5.0",
    "keep_alive": False,
    "tags": {EVIL: EVIL},
    "instance_groups": [{"role": "MASTER", "type": "m5.xlarge"}],
    "steps": [
        {"name": EVIL, "type": "command", "args": ["bash", "-c", 'printf "%s\\n" "$0" >&2; exit 3', EVIL]},
    ],
}


def assert_harmless(*texts):
    for text in texts:
        assert not re.search(r"^\s*::", text, re.MULTILINE), text
        assert not re.search("[^\n\t\x20-\uffff]|[\x7f-\x9f\u202e\r]", text), text
        assert "##[" not in text
        assert not re.search("^forged", text, re.MULTILINE)


def written(folder, **changes):
    path = folder / "job.yaml"
    path.write_text(json.dumps({**SPEC, **changes}))
    return path


@pytest.mark.parametrize(
    "argv",
    [
        ("validate",),
        ("validate", "--format", "json"),
        ("validate", "--format", "sarif"),
        ("render",),
        ("render", "--explain"),
        ("render", "--format", "json"),
        ("compile",),
        ("plan",),
        ("plan", "--format", "json"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {EVIL: 1},
        {"release_label": EVIL},
        {"steps": [{"name": EVIL, "type": EVIL}]},
        {"variables": {"v": {"type": EVIL, "description": EVIL}}},
        {"name": f"{{{{ nothing('{EVIL}') }}}}"},
        {"extends": EVIL},
        {"instance_groups": [{"role": EVIL, EVIL: 2}]},
    ],
    ids=range(8),
)
def test_no_command_shows_it_as_it_is(flowspec, own_home, tmp_path, argv, changes):
    done = flowspec(argv[0], written(tmp_path, **changes), *argv[1:])
    assert "Traceback" not in done.err
    assert_harmless(done.out, done.err)


def test_nor_does_the_name_of_a_target(flowspec, tmp_path):
    spec = written(tmp_path, name="x", tags={}, targets={"a\nforged": {"tags": {"a": "b"}}, "b": {}})
    done = flowspec("render", spec, "--target", "a\nforged", "--vs", "b")
    assert done.out.splitlines() == ["tags.a", '  a\\nforged  "b"', "  b          (absent)"]
    assert_harmless(done.out, flowspec("validate", spec, "--all-targets").out)


def test_nor_does_a_file_name(flowspec, tmp_path):
    (tmp_path / "a\n::error::b\x1b[2J.yaml").write_text("flowspec: v1\nname: x\n")
    for argv in [("validate",), ("validate", "--format", "github"), ("render",), ("plan",), ("status",), ("import",)]:
        done = flowspec(argv[0], tmp_path / "a\n::error::b\x1b[2J.yaml", *argv[1:])
        assert not re.search(r"^\s*::error::b", done.out + done.err, re.MULTILINE)
        assert "\x1b" not in done.out + done.err


def test_nor_does_a_run_and_what_its_step_says(flowspec, own_home, tmp_path):
    # EMR takes line breaks and direction marks in names and arguments, but no escape sequences.
    taken = re.sub("[\x1b\x07]", "", EVIL)
    says = "printf '\\033]0;owned\\007\\n::error::forged\\r\\n' >&2; exit 3"
    step = {"name": taken, "type": "command", "args": ["bash", "-c", says, taken]}
    spec = written(tmp_path, name=taken, tags={"k": taken}, steps=[step])
    done = flowspec("apply", spec)
    assert done.code != 0
    assert "\\u001b]0;owned" in done.err
    assert_harmless(done.out, done.err)
    for argv in [("status",), ("status", "--format", "json"), ("wait",), ("destroy",)]:
        again = flowspec(argv[0], spec, *argv[1:])
        assert_harmless(again.out, again.err)
    listed = flowspec("list", "--all")
    assert "\\n::error::forged" in listed.out
    assert_harmless(listed.out, listed.err)


def test_annotations_are_meant(flowspec, tmp_path):
    done = flowspec("validate", "--format", "github", written(tmp_path, release_label=EVIL))
    assert re.match("::error file=", done.out)
    assert all(line.startswith(("::error file=", "::warning file=")) for line in done.out.splitlines())
    assert "\x1b" not in done.out


def test_options_are_not_shown_as_they_are(flowspec, tmp_path):
    done = flowspec("validate", written(tmp_path), f"--{EVIL}")
    assert "\x1b" not in done.err
    assert not re.search(r"^\s*::", done.err, re.MULTILINE)


def test_logs_are_copied_into_a_pipe_and_harmless_on_a_terminal(flowspec, own_home, job, tmp_path):
    job("""  - {name: odd, type: command, args: [bash, -c, "printf '\\\\033]0;owned\\\\007é\\\\r\\\\n'"]}""")
    flowspec("apply", "job.yaml")
    argv = [sys.executable, "-m", "flowspec", "logs", "job.yaml", "--log", "stdout"]
    piped = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True)
    assert piped.stdout == "\x1b]0;owned\x07é\r\n".encode()
    _, seen = on_a_terminal(argv, tmp_path, stream="stdout")
    assert "\\u001b]0;owned\\u0007é" in seen
    assert "\x1b" not in seen
