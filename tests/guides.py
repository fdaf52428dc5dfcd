"""Guides whose commands run: each ```console block of a README.md is a session of `$ ` commands with their output."""

import os
import re
import shutil
import subprocess
import sys
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
    """Runs a guide's commands in a copy of its folder, and compares what they print."""
    # All of them: a guide may use the files of another one.
    shutil.copytree(page.parent.parent, folder / "examples")
    work = folder / "examples" / page.parent.name
    programs = Path(sys.executable).parent
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "FLOWSPEC_"))}
    environment = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "COLUMNS": "120"}
    for command in commands(page):
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{command.text}"],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.\n", _settled(command.output), flags=re.MULTILINE)]
        wanted = r"(?:.*\n)*?".join(pieces)
        assert re.fullmatch(wanted, _settled(done.stdout)), f"{page}:{command.line}: $ {command.text}\n{done.stdout}"


def _settled(output: str) -> str:
    """The output without seconds, and the cases that pass by name: they end in any order."""
    text = re.sub(r"\b\d+\.\d s\b", "T s", output)
    return re.sub(
        r"(?:^passed .*\n)+", lambda run: "".join(sorted(run[0].splitlines(keepends=True))), text, flags=re.MULTILINE
    )
