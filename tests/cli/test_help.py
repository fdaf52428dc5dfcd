"""The text of `flowspec --help`, and that it starts fast."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import flowspec.cli.commands
from flowspec.cli import COMMANDS, root
from flowspec.cli.run_options import Converging, Following, Selecting
from flowspec.cli.selection import Fleet
from flowspec.cli.specs import Connection, Rendering


def test_no_summary_is_cut_or_wrapped_at_80_columns(flowspec, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = flowspec("--help").out.splitlines()
    assert max(map(len, lines)) <= 80
    width = max(map(len, COMMANDS))
    for name, summary in COMMANDS.items():
        assert f"  {name:<{width}}  {summary}" in lines


@pytest.mark.parametrize("name", ["prices", "staging", "emulator", "steps"])
def test_no_summary_of_a_command_in_a_group_is_cut_at_80_columns(flowspec, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    commands = flowspec(name, "--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert commands.endswith(".")
    assert "..." not in commands


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


def test_no_help_has_the_names_of_the_code():
    texts = [text for command in _commands(root, click.Context(root)) for text in _help_texts(command)]
    words = {word for text in texts for word in re.findall(r"\b[a-z]+_[a-z_]+\b", text)}
    assert len(texts) > 200
    assert words == {"run_job_flow", "instance_groups"}


@pytest.mark.parametrize("command", [["list"], ["idle"], ["import"], ["prices", "update"]])
def test_no_default_of_a_command_without_a_spec_is_that_of_a_target(flowspec, command):
    assert "spec's target" not in " ".join(flowspec(*command, "--help").out.split())


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("apply", [Rendering, Connection, Converging, Selecting, Following, Fleet]),
        ("status", [Rendering, Connection]),
    ],
)
def test_each_field_of_a_record_has_an_option_of_its_name(name, records):
    """Without one the field would keep its default, whatever is given."""
    options = {one.name for one in root.get_command(None, name).params}
    assert {field for record in records for field in record._fields} <= options


def _commands(command, context):
    yield command
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        below = command.get_command(context, name)
        yield from _commands(below, click.Context(below, parent=context))


def _help_texts(command):
    return [command.help or "", *(getattr(one, "help", None) or "" for one in command.params)]


def test_an_unknown_command_is_a_usage_error(flowspec):
    done = flowspec("aply")
    assert done.code == 2
    assert "No such command 'aply'" in done.err


def test_a_misspelt_command(flowspec):
    done = flowspec("aply", "job.yaml")
    assert done.code == 2
    assert "No such command 'aply': did you mean apply?" in done.err
    assert "No such command 'xyzzy'." in flowspec("xyzzy").err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["export", "--to", "terrafrom", "job.yaml"], "'stepfunctions', 'airflow'. Did you mean 'terraform'?\n"),
        (["export", "--to", "clii", "job.yaml"], "Did you mean 'aws-cli'?\n"),
        (["export", "--to", "emr", "job.yaml"], "'stepfunctions', 'airflow'.\n"),
        (["list", "--state", "waiting"], "Did you mean 'WAITING'?\n"),
        (["apply", "job.yaml", "--on-interrupt", "detatch"], "Did you mean 'detach'?\n"),
        (["import", "--from", "airfow", "dag.py"], "'airfow' is not a kind of file: did you mean airflow?\n"),
        (["import", "--from", "xyz", "dag.py"], "the kinds are request, aws-cli, airflow, "),
    ],
)
def test_a_word_that_is_no_choice_is_refused_with_the_nearest(flowspec, argv, told):
    done = flowspec(*argv)
    assert (done.code, told in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    "argv",
    [
        ["destroy", "", "--yes"],
        ["destroy", "job.yaml", "", "--yes"],
        ["cancel", "tiny", "", "--yes"],
        ["status", ""],
        ["apply", ""],
        ["drift", ""],
        ["init", ""],
        ["import", ""],
        ["review", ""],
        ["migrate", ""],
        ["plan", "job.yaml", "-o", ""],
        ["plan", "job.yaml", "--policy", ""],
        ["emulator", "--home", "", "prune"],
        ["logs", "job.yaml", "--step", ""],
        ["list", "--region", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_neither_the_working_folder_nor_left_out(flowspec, job, argv):
    """Passes an empty argument, as `destroy "$CLUSTER" --yes` does if the variable is not set."""
    job("  - {name: one, type: command, args: ['true']}")
    done = flowspec(*argv)
    assert (done.code, "it is empty: has a variable of the shell no value?" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["list", "--tag", "team=a", "--tag", "team=b"], "--tag: a key is given twice"),
        (["logs", "tiny", "--follow", "--format", "json"], "--follow and --format json exclude each other"),
    ],
)
def test_options_of_which_one_would_have_no_effect_are_refused(flowspec, own_home, argv, told):
    done = flowspec(*argv)
    assert (done.code, told in done.err) == (2, True), done.err


PACKAGE = Path(flowspec.__file__).parent
# The README and CONTRIBUTING are not installed with the package.
POINTER = re.compile(r"\b(README|CONTRIBUTING)\b|(?:`|Example: )flowspec ([^`\n]+)")


def _pointers():
    """Yields what the strings of the package and its pages point to: the file, and a match of `POINTER`."""
    for path in sorted(PACKAGE.rglob("*.md")):
        yield from ((path, one) for one in POINTER.finditer(path.read_text()))
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if POINTER.search(source) else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from ((path, one) for one in POINTER.finditer(node.value))


def _unknown_words(line):
    """Returns the command or the options of a command line that do not exist."""
    words, command = line.split(" -- ")[0].split(), root
    while words and isinstance(command, click.Group) and words[0] in command.list_commands(None):
        command = command.get_command(None, words.pop(0))
    if command is root and words and words[0].isidentifier():
        return words[:1]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts, "--help", "--version")}
    return [one for one in re.findall(r"(?<!\S)--?[a-z][a-z0-9-]*", " ".join(words)) if one not in options]


def test_messages_and_pages_send_nobody_to_what_does_not_exist():
    found = list(_pointers())
    assert len(found) > 100
    for path, pointer in found:
        assert pointer[2], f"{path}: {pointer[0]}"
        assert _unknown_words(pointer[2]) == [], f"{path}: {pointer[0]}"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_that_names_a_file_to_write_says_whether_it_is_replaced(name):
    options = {name: one for one in root.get_command(None, name).params for name in one.opts}
    for written in options.keys() & {"--out", "--output", "--junit"}:
        assert "--force" in options or "replace" in options[written].help
