from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state.paths import prepare, step_logs
from flowspec.emulator.state.store import Store
from flowspec.errors import FlowspecError
from flowspec.facts.folders import state_folder


def test_flowspec_home_comes_first(monkeypatch):
    monkeypatch.setenv("FLOWSPEC_HOME", "/some/where")
    assert state_folder() == Path("/some/where")


def test_a_relative_home_is_made_absolute_since_workers_have_other_directories(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWSPEC_HOME", "state")
    assert state_folder() == tmp_path / "state"


def test_without_it_the_state_directory_of_xdg_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("FLOWSPEC_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "flowspec"


@pytest.mark.parametrize("state_home", ["", "relative/path"])
def test_without_a_valid_one_the_default_of_xdg_is_used(monkeypatch, tmp_path, state_home):
    monkeypatch.delenv("FLOWSPEC_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", state_home)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "flowspec"


def test_step_logs_lie_with_the_cluster():
    assert step_logs(Path("/h"), "j-1", "s-1") == Path("/h/clusters/j-1/steps/s-1/logs")


def test_a_home_is_for_its_owner_only(tmp_path):
    prepare(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_what_in_the_home_stands_in_the_way_is_named(tmp_path):
    (tmp_path / "clusters").write_text("")
    with pytest.raises(FlowspecError) as caught:
        Service(tmp_path).call("TerminateJobFlows", {"JobFlowIds": ["j-1"]})
    assert caught.value.message == f"FLOWSPEC_HOME is not writable: {tmp_path}: File exists ({tmp_path}/clusters)"


def test_a_file_in_the_place_of_the_home_is_told_with_a_remedy(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(FlowspecError) as caught:
        Service(tmp_path / "home").call("TerminateJobFlows", {"JobFlowIds": ["j-1"]})
    assert caught.value.message == f"FLOWSPEC_HOME is not writable: {tmp_path / 'home'}: File exists"
    assert caught.value.remedy.startswith("set FLOWSPEC_HOME to a folder you own")


# Root may write everywhere, so it becomes somebody else, once it has read the modules.
CALL = """
import os, sys
from pathlib import Path
from flowspec.emulator.api.service import Service
from flowspec.errors import FlowspecError
if os.getuid() == 0:
    os.setuid(65534)
try:
    Service(Path(sys.argv[1])).call("TerminateJobFlows", {"JobFlowIds": ["j-1"]})
except FlowspecError as error:
    print(error.message, "|", error.remedy)
"""


@pytest.mark.parametrize("made_before", [False, True], ids=["new", "with a store"])
def test_a_read_only_home_is_told_with_a_remedy(tmp_path, made_before):
    folder = tmp_path / "home"
    folder.mkdir()
    if made_before:
        Store(folder).close()
        for path in folder.iterdir():
            path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        if parent.owner() == Path(tmp_path).owner():
            parent.chmod(0o755)
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", CALL, str(folder)],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    folder.chmod(0o755)
    assert done.stdout.startswith(f"FLOWSPEC_HOME is not writable: {folder}: "), done
    assert "set FLOWSPEC_HOME to a folder you own" in done.stdout
