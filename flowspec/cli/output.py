"""Prints results to stdout, progress and errors to stderr, with secrets masked.

A reader of our output may go away at any time (`flowspec logs | head`), and there may be no stderr at all
(daemons): neither changes what a command does or the code it exits with.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from flowspec.errors import Diagnostic


def print_result(text: str, *, secrets: Collection[str] = (), newline: bool = True) -> None:
    """Prints the result of a command on stdout, with `secrets` masked."""
    _print(sys.stdout, text, secrets, newline)


def eprint(text: str, *, secrets: Collection[str] = ()) -> None:
    """Prints progress or an error on stderr; nothing if `text` is empty."""
    if text:
        _print(sys.stderr, text, secrets, newline=True)


def print_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    """Prints the warnings of a valid spec on stderr."""
    from flowspec.report.diagnostics import as_text

    if diagnostics:
        eprint(as_text(diagnostics, color=wants_color()))


def masked_json(value: Any, secrets: Collection[str]) -> str:
    """Returns plain data as indented JSON, with `secrets` masked."""
    import json

    from flowspec.document.masking import mask

    return json.dumps(mask(value, secrets), indent=2, ensure_ascii=False)


def print_bytes(content: bytes) -> None:
    """Prints a piece of a log as it is. Raises BrokenPipeError when nobody reads on, so that no more is fetched."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        raise


def wait_for_more(seconds: float) -> None:
    """Waits before the next piece of a log. Raises BrokenPipeError as soon as nobody reads on."""
    try:
        watched = select.poll()
        # No event is asked for: a pipe without a reader (POLLERR) and a closed terminal (POLLHUP) are always told.
        watched.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):
        # There is no stdout, or none that is a file.
        time.sleep(seconds)
        return
    if watched.poll(seconds * 1000):
        _silence(sys.stdout)
        raise BrokenPipeError


def on_terminal() -> bool:
    """True if stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def wants_color(stream: TextIO | None = None) -> bool:
    """True if `stream` (default: stderr) is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stderr
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")


def _print(stream: TextIO | None, text: str, secrets: Collection[str], newline: bool) -> None:
    if stream is None:
        return
    if secrets:
        from flowspec.document.masking import mask

        text = str(mask(text, secrets))
    _guarded(stream, lambda: click.echo(text, file=stream, nl=newline))


def _guarded(stream: TextIO, write: Callable[[], object]) -> None:
    try:
        write()
    except BrokenPipeError:
        _silence(stream)


def _silence(stream: TextIO) -> None:
    # Nobody reads on. What is still in the buffer would fail again when Python flushes it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
