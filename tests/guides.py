"""Guides whose commands run: each ```console block of a README.md is a session of `$ ` commands with their output."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A command of a guide: its line in the file, its text, and what it prints on stdout and stderr together."""

    line: int
    text: str
    output: str


def commands(page: Path) -> list[Command]:
    """The commands of a guide, in order. A line that is `...` stands for any lines of output."""
    found = []
    text = page.read_text("utf-8")
    for block in _BLOCK.finditer(text):
        parts = re.split(r"^\$ ", block[1], flags=re.MULTILINE)
        line = text.count("\n", 0, block.start(1)) + 1
        assert not parts[0], f"{page}:{line}: a session begins with a command"
        for part in parts[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command += f"\n{more}"
            found.append(Command(line, command, output))
            line += part.count("\n")
    return found


def run(page: Path, folder: Path) -> None:
    """Runs a guide's commands, one after the other in one shell, in a copy of its folder; compares what they print.

    A folder with workflows is a whole repository: its copy is one, with all files in a commit of branch main.
    """
    # All of them: a guide may use the files of another one.
    shutil.copytree(page.parent.parent, folder / "examples")
    wanted = commands(page)
    shown = _run_in_one_shell([one.text for one in wanted], folder / "examples" / page.parent.name, home=folder)
    for command, output in zip(wanted, shown, strict=True):
        pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.\n", _settled(command.output), flags=re.MULTILINE)]
        pattern = r"(?:.*\n)*?".join(pieces)
        assert re.fullmatch(pattern, _settled(output)), f"{page}:{command.line}: $ {command.text}\n{output}"


_END_OF_OUTPUT = "\x1e"
_REPOSITORY = "git init -q -b main && git add -A && git commit -q -m 'The example'"


def _run_in_one_shell(texts: list[str], work: Path, *, home: Path) -> list[str]:
    """Runs commands of bash and returns what each prints. What they start in the background ends with the shell."""
    programs = Path(sys.executable).parent
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "FLOWSPEC_", "GIT_"))}
    author = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    place = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "COLUMNS": "120"}
    # Where flowspec is only on the path of imports, its plugin has no entry point; named twice it would be an error.
    installed = entry_points(group="pytest11", name="flowspec")
    plugin = {} if installed else {"PYTEST_PLUGINS": "flowspec.testing.fixture"}
    environment = {**kept, **author, **place, **plugin}
    if (work / ".github").is_dir():
        subprocess.run(["bash", "-c", _REPOSITORY], cwd=work, env=environment, check=True)
    lines = ["exec 2>&1", "trap 'kill $(jobs -p) 2> /dev/null' EXIT"]
    for text in texts:
        lines += [text, f"printf '{_END_OF_OUTPUT}'"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout.split(_END_OF_OUTPUT)[:-1]


# What differs between two runs of a guide, and what stands for it when they are compared.
_VARYING = (
    (re.compile(r"\b(?:\d+\.\d s|\d+ min \d+ s)\b"), "T s"),
    (re.compile(r"\bup \d+ (?:s|min)\b"), "up T"),
    (re.compile(r"\b(j|s|ig|if|i)-[0-9A-Z]{10,}\b"), r"\1-ID"),
    (re.compile(r"\bsince [0-9a-f]{12}\b"), "since COMMIT"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?\b"), "TIME"),
)


def _settled(output: str) -> str:
    """The output without seconds, ids, commits and moments; cases that pass are sorted, since they end in any order."""
    for pattern, replacement in _VARYING:
        output = pattern.sub(replacement, output)
    return re.sub(
        r"(?:^passed .*\n)+", lambda run: "".join(sorted(run[0].splitlines(keepends=True))), output, flags=re.MULTILINE
    )
