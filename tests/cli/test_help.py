"""The text of `flowspec --help`, and that it starts fast."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import flowspec.cli.commands
from flowspec.cli import COMMANDS, root


def test_no_summary_is_cut_or_wrapped_at_80_columns(flowspec, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = flowspec("--help").out.splitlines()
    assert max(map(len, lines)) <= 80
    width = max(map(len, COMMANDS))
    for name, summary in COMMANDS.items():
        assert f"  {name:<{width}}  {summary}" in lines


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_one_module_of_its_name(name):
    module = import_module(f"flowspec.cli.commands.{'import_' if name == 'import' else name}")
    assert module.command.name == name
    assert root.get_command(None, name) is module.command


def test_there_is_no_other_module():
    modules = {path.stem.rstrip("_") for path in Path(flowspec.cli.commands.__path__[0]).glob("*.py")}
    assert modules - {""} == set(COMMANDS) | {"__init"}


def test_help_loads_no_command():
    code = (
        "import sys\nfrom flowspec.cli import run\nrun(['--help'])\n"
        "print([name for name in sys.modules if name.startswith('flowspec.cli.commands.')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_an_unknown_command_is_a_usage_error(flowspec):
    done = flowspec("aply")
    assert done.code == 2
    assert "No such command 'aply'" in done.err


def test_a_misspelt_command(flowspec):
    done = flowspec("aply", "job.yaml")
    assert done.code == 2
    assert "No such command 'aply': did you mean apply?" in done.err
    assert "No such command 'xyzzy'." in flowspec("xyzzy").err
