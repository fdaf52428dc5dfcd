"""What `flowspec init` writes: each template is valid, in the formatter's form, and passes its own test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowspec import run_tests
from flowspec.cli import run
from flowspec.scaffold.starters import STARTERS

TEMPLATES = sorted(STARTERS)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Writes a template into a folder and goes there."""

    def start(template, *more):
        assert run(["init", str(tmp_path / "first"), "--template", template, *more]) == 0
        monkeypatch.chdir(tmp_path / "first")
        return STARTERS[template].specs

    return start


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_specs_are_valid_at_all_targets_and_formatted(template, started, capsys):
    specs = started(template)
    assert run(["validate", "--strict", "--all-targets", *specs]) == 0
    assert run(["fmt", "--check", *specs]) == 0, capsys.readouterr().out
    for spec in specs:
        for target in ("here", "prod"):
            capsys.readouterr()
            assert run(["compile", spec, "--target", target]) == 0
            assert "@" not in capsys.readouterr().out


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_case_passes(template, started):
    started(template)
    results = run_tests(["."])
    assert {one.outcome.value for one in results} == {"passed"}
    assert len(results) == len(STARTERS[template].specs)


def test_streaming_runs_here(started, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    (spec,) = started("streaming")
    assert run(["apply", spec]) == 0, capsys.readouterr().err
    words = {line for part in (tmp_path / "first/counts").glob("part-*") for line in part.read_text().splitlines()}
    assert words == {"is\t1", "long\t1", "sea\t1", "shore\t2", "the\t3"}


def test_names_and_places_are_those_that_were_given(started, capsys):
    (spec,) = started("spark", "--name", "takings", "--region", "eu-west-1", "--bucket", "our-bucket")
    capsys.readouterr()
    run(["compile", spec, "--target", "prod"])
    request = json.loads(capsys.readouterr().out)
    assert request["Name"] == "takings"
    assert request["LogUri"] == "s3://our-bucket/logs/"
    assert not list(Path.cwd().rglob("*.in"))


def test_what_could_not_be_written_whole_is_not_left_behind(tmp_path):
    init = [sys.executable, "-m", "flowspec", "init", "--template", "spark", "first"]
    # No file of this process may have a byte.
    failing = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *init]
    done = subprocess.run(failing, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: first: File too large")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    subprocess.run(init, cwd=tmp_path, capture_output=True, check=True)
