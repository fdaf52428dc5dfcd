"""No user sees a traceback: a message, a log file for whoever mends it, exit code 1."""

import re
import stat
from pathlib import Path

import pytest


@pytest.fixture
def failing(monkeypatch, flowspec, tmp_path):
    """Makes a command fail by an unexpected exception."""
    (tmp_path / "job.yaml").write_text("flowspec: v1\nname: x\n")

    def call(error):
        def load(_):
            raise error

        monkeypatch.setattr("flowspec.document.text.parse.load", load)
        return flowspec("validate", "job.yaml")

    return call


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("hunter2"), "KeyError at cli/specs.py:"),
        (ValueError("hunter2"), "ValueError at cli/specs.py:"),
        (MemoryError("hunter2"), "there is not enough memory at cli/specs.py:"),
        (RecursionError("hunter2"), "something is nested too deeply at cli/specs.py:"),
    ],
)
def test_a_message_and_a_log(failing, own_home, error, words):
    done = failing(error)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: internal error: {words}")
    assert "Traceback" not in done.err
    assert "hunter2" not in done.err, "the text of an exception may be a secret"
    log = Path(re.search(r"details are in (\S+);", done.err)[1])
    assert log.parent == own_home
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "Traceback (most recent call last)" in log.read_text()
    assert "hunter2" in log.read_text()


def test_without_a_state_directory_the_log_is_a_temporary_file(failing, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "never-made"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = failing(KeyError("x"))
    assert Path(re.search(r"details are in (\S+);", done.err)[1]).parent == tmp_path
    assert not (tmp_path / "never-made").exists()


def test_a_user_without_a_home_directory_is_told_to_name_one(failing, flowspec, monkeypatch, tmp_path):
    """Runs as a user without an entry in /etc/passwd, as containers may."""

    def unknown(_):
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("HOME", "FLOWSPEC_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = flowspec("list")
    assert (done.code, "no home directory" in done.err, "FLOWSPEC_HOME" in done.err) == (1, True, True), done.err
    done = failing(KeyError("x"))
    assert Path(re.search(r"details are in (\S+);", done.err)[1]).parent == tmp_path


def test_a_log_that_can_not_be_written(failing, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "never-made"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    done = failing(KeyError("x"))
    assert done.code == 1
    assert "could be written neither" in done.err
