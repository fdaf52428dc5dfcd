"""`flowspec fmt`: files, folders and globs; what is checked, printed or written; its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TIDY = "flowspec: v1\nname: a\n"
UNTIDY = "name: 'a'\nflowspec: v1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "jobs/a.yaml": UNTIDY,
        "jobs/below/b.yml": TIDY,
        "jobs/.hidden/c.yaml": UNTIDY,
        "jobs/variables.yaml": "b: 1\na:   2\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_check_lists_what_would_change_and_changes_nothing(flowspec, folder):
    done = flowspec("fmt", "--check", "jobs")
    assert (done.code, done.out, done.err) == (3, "jobs/a.yaml\n", "1 to format\n")
    assert (folder / "jobs/a.yaml").read_text() == UNTIDY


def test_a_file_that_can_not_be_written_stops_no_other(folder):
    large = folder / "jobs/a-large.yaml"
    large.write_text(f"{UNTIDY}description: {'x' * 4000}\n")
    code = """
import resource, sys
from flowspec.cli import main

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
main()
"""
    command = [sys.executable, "-c", code, "fmt", "jobs", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: jobs/a-large.yaml: File too large\n")
    assert json.loads(done.stdout) == {"changed": [{"file": "jobs/a.yaml"}]}
    assert (folder / "jobs/a.yaml").read_text() == TIDY
    assert large.read_text().startswith(UNTIDY)


def test_files_are_written_once(flowspec, folder):
    (folder / "jobs/a.yaml").chmod(0o640)
    assert flowspec("fmt", "jobs").out == "formatted jobs/a.yaml\n"
    assert (folder / "jobs/a.yaml").read_text() == TIDY
    assert (folder / "jobs/a.yaml").stat().st_mode & 0o777 == 0o640
    assert flowspec("fmt", "jobs/*.yaml").out == "", "a glob, too, takes specs only"
    assert flowspec("fmt", "jobs/variables.yaml").out == "formatted jobs/variables.yaml\n", "a file is taken as it is"


def test_what_changed_as_json(flowspec, folder):
    checked = flowspec("fmt", "--diff", "--format", "json", "jobs")
    (change,) = json.loads(checked.out)["changed"]
    assert (checked.code, change["file"], "+name: a" in change["diff"]) == (3, "jobs/a.yaml", True)
    done = flowspec("fmt", "--format", "json", "jobs")
    assert (done.code, json.loads(done.out)) == (0, {"changed": [{"file": "jobs/a.yaml"}]})
    assert json.loads(flowspec("fmt", "--format", "json", "jobs").out) == {"changed": []}
    assert (folder / "jobs/a.yaml").read_text() == TIDY


def test_diff_shows_the_lines(flowspec, folder):
    done = flowspec("fmt", "--diff", "jobs/a.yaml")
    assert done.code == 3
    assert done.out.splitlines()[2:] == ["@@ -1,2 +1,2 @@", "-name: 'a'", " flowspec: v1", "+name: a"]


def test_a_broken_file_does_not_stop_the_others(flowspec, folder):
    (folder / "jobs/0.yaml").write_text("flowspec: v1\nname: {{ a }}\n")
    done = flowspec("fmt", "jobs")
    assert done.code == 2
    assert "jobs/0.yaml:2:7" in done.err
    assert (folder / "jobs/a.yaml").read_text() == TIDY


def test_a_link_stays_a_link(flowspec, folder):
    (folder / "jobs/link.yaml").symlink_to("a.yaml")
    flowspec("fmt", "jobs/link.yaml")
    assert (folder / "jobs/link.yaml").is_symlink()
    assert (folder / "jobs/a.yaml").read_text() == TIDY


def test_a_folder_without_specs_is_an_error(flowspec, folder):
    (folder / "empty").mkdir()
    done = flowspec("fmt", "empty")
    assert done.code == 2
    assert "empty: no spec there" in done.err


def test_the_specs_of_this_repository_have_the_form(flowspec, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert flowspec("fmt", "--check", "examples").out == ""
