"""Asks questions on a terminal, first of all before something is done that can't be undone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from flowspec.cli.output import eprint, on_terminal


def can_ask() -> bool:
    """Returns True if there is somebody at a terminal who sees a question and can answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and on_terminal()


@contextmanager
def end_line_when_interrupted() -> Iterator[None]:
    """Ends the line of a question that Ctrl-C or Ctrl-D answers: otherwise the shell's prompt would follow on it."""
    try:
        yield
    except click.Abort:
        click.echo(err=True)
        raise


def is_answered_yes(question: str) -> bool:
    """Asks a question on a terminal. Raises click.Abort when it is interrupted."""
    with end_line_when_interrupted():
        return click.confirm(question, err=True)


def confirm(question: str, *, yes: bool, unasked: bool = True) -> None:
    """Asks on a terminal, unless `yes`. Raises click.Abort when the answer is no.

    Where nobody can be asked (CI, a pipe) it is done, or with `unasked=False` refused as a wrong usage: for what acts
    on more than was named.
    """
    if yes:
        return
    if can_ask():
        if not is_answered_yes(question):
            eprint("nothing was done")
            raise click.Abort
    elif not unasked:
        raise click.UsageError(f"{question} There is no terminal to ask on: give --yes")
