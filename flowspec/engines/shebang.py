"""Finds the interpreter of a script that is not executable, such as every script from S3.

EMR's script-runner.jar, and EMR itself for a bootstrap action, downloads a script, makes it executable and executes
it. Here the user's file stays as it is, so its first line is read as the kernel does (`fs/binfmt_script.c`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# The kernel reads 256 bytes of the line (BINPRM_BUF_SIZE).
_READ = 256
# What runs a text without `#!`: the JDK and shells hand it to `sh`, which is bash on the machines of EMR.
_SHELL = "bash"


def with_interpreter(argv: Sequence[str]) -> tuple[str, ...]:
    """Returns the command that runs a script, `argv[0]`, by the interpreter of its first line, or bash without one.

    A binary program is returned as it is.
    """
    words = _interpreter(argv[0])
    return (*words, *argv)


def _interpreter(path: str) -> tuple[str, ...]:
    """Returns the interpreter and its argument, if any: the rest of the line is one, blanks included."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_READ)
    except OSError:
        return (_SHELL,)  # which says why it can't read the file
    line = head.partition(b"\n")[0]
    if not line.startswith(b"#!"):
        return () if b"\0" in line else (_SHELL,)
    program, _, argument = line[2:].strip(b" \t").replace(b"\t", b" ", 1).partition(b" ")
    if not program:
        return (_SHELL,)
    name = program.decode("utf-8", "surrogateescape")
    found = name if "/" in name else f"./{name}"  # the kernel does not look into PATH
    rest = argument.strip(b" \t").decode("utf-8", "surrogateescape")
    return (found, rest) if rest else (found,)
