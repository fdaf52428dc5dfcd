"""Prints results to stdout, progress and errors to stderr, with secrets masked.

All text is printed by `_print`, which escapes what would control the terminal or a CI runner: see `document.escaping`.
The one exception is a log that goes to a file or a pipe (`log_printer`): it is copied byte for byte.

The reader of the output may close it at any time (`flowspec logs | head`), and stderr may be missing (daemons) or on a
full disk: none of this changes what a command does, or its exit code.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from flowspec.errors import Diagnostic


class _BlockingFile(io.FileIO):
    """A file that waits for its reader where it was set to non-blocking."""

    def write(self, data: Any, /) -> int:
        while (written := super().write(data)) is None:
            ready = select.poll()
            ready.register(self, select.POLLOUT)
            ready.poll()
        return written


class _FileForBars(_BlockingFile):
    """A terminal that may be closed while it is written to."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            _silence(self.fileno())
            return len(data)


def open_for_bars() -> TextIO:
    """Opens stderr for the bars of rich, which would end the command when the terminal is closed."""
    file = io.BufferedWriter(_FileForBars(sys.stderr.fileno(), "w", closefd=False))
    return io.TextIOWrapper(file, encoding=sys.stderr.encoding, errors=sys.stderr.errors)


def escape_unencodable() -> None:
    """Makes a terminal get JSON's escape for what its encoding lacks, as that of LANG=de_DE.ISO-8859-1 does.

    What is said stays readable: to raise, as Python does, would end a command with it. A file or a program gets UTF-8
    unless PYTHONIOENCODING says another: a document in a locale's encoding, or with escapes, is read as another one.
    """
    codecs.register_error("json", _json_escape)
    wanted = os.environ.get("PYTHONIOENCODING")
    if not wanted and isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json")


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    # Imported here: it takes 3 ms, and nearly every encoding has all letters.
    import json

    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def wait_for_readers() -> None:
    """Makes stdout and stderr wait for a slow reader where they do not block.

    Not to block is a flag of the pipe or terminal, which any process that shares it may set; Node.js does. Of 219 KiB,
    more than a pipe takes, Python wrote 4, and ended with 0.
    """
    sys.stdout, sys.stderr = map(_make_blocking, (sys.stdout, sys.stderr))


def _make_blocking(stream: TextIO) -> TextIO:
    # None: it was closed before this process began. A file that blocks is left to Python's own writer: in ours, an
    # interrupt between the write and its return makes the buffer be written twice.
    if not isinstance(stream, io.TextIOWrapper) or os.get_blocking(stream.fileno()):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_BlockingFile(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


_LABEL: ContextVar[str] = ContextVar("label", default="")


@contextmanager
def label_lines(label: str) -> Iterator[None]:
    """Makes all that this thread prints lines of progress on stderr, each with `label` before it.

    For one flow among many, whose lines come between those of others: there is no bar and no result of its own.
    """
    from flowspec.document.escaping import visible

    token = _LABEL.set(visible(label))
    try:
        yield
    finally:
        _LABEL.reset(token)


def print_result(text: str, *, secrets: Collection[str] = (), newline: bool = True, ci_commands: bool = False) -> None:
    """Prints the result of a command on stdout, with `secrets` masked. `ci_commands`: it consists of such commands.

    Of one flow among many it is progress, since the result is the table.
    """
    if _LABEL.get() and not is_shown(Level.PROGRESS):
        return
    _print(sys.stdout, text, secrets, newline, ci_commands)


def print_json(value: Any, secrets: Collection[str] = ()) -> None:
    """Prints plain data as JSON, the result of a command for programs, with `secrets` masked."""
    from flowspec.report.json_text import as_json

    print_result(as_json(value, secrets))


class Level(IntEnum):
    """The kind of a message on stderr: `-q` leaves out the first, `-qq` the second, too."""

    PROGRESS = 0
    WARNING = 1
    ERROR = 2


_least = Level.PROGRESS
_secrets: frozenset[str] = frozenset()


def set_least_level(level: Level) -> None:
    """Sets the level below which nothing is printed on stderr from now on."""
    global _least  # noqa: PLW0603 - of the one command line that a process runs
    _least = level


def mask_from_now_on(secrets: Collection[str]) -> None:
    """Masks these secrets in all that is printed later, also in errors; none of them masks no more."""
    global _secrets  # noqa: PLW0603 - of the one command line that a process runs
    _secrets = _secrets | frozenset(secrets) if secrets else frozenset()


def is_shown(level: Level) -> bool:
    """Returns True if messages of this level are printed."""
    return level >= _least


def eprint(line: str, *, level: Level = Level.PROGRESS, secrets: Collection[str] = ()) -> None:
    """Prints one line on stderr, its line breaks escaped; nothing if it is empty."""
    if line and is_shown(level):
        from flowspec.document.escaping import visible

        # Masked before it is escaped: a secret may hold what is escaped.
        _print(sys.stderr, visible(_masked(line, secrets)), ())


def ewarn(line: str, *, secrets: Collection[str] = ()) -> None:
    """Prints one line of warning on stderr, as `eprint`."""
    eprint(line, level=Level.WARNING, secrets=secrets)


def eprint_report(text: str, *, level: Level = Level.ERROR, secrets: Collection[str] = ()) -> None:
    """Prints the lines of a report on stderr, in which the texts of others are `visible`; nothing if it is empty."""
    if text and is_shown(level):
        _print(sys.stderr, text, secrets)


def print_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    """Prints the warnings of a spec on stderr, once it has been compiled: an error of `compile` shows them itself."""
    from flowspec.report.diagnostics import as_text

    if diagnostics:
        eprint_report(as_text(diagnostics, color=wants_color()), level=Level.WARNING)


def log_printer() -> Callable[[bytes], None]:
    """Returns what prints a log piece by piece: unchanged, but on a terminal without control sequences (as `less`).

    Printing raises BrokenPipeError when nobody reads on, so that no more is fetched.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return _print_bytes
    from flowspec.document.escaping import harmless

    # A piece may end within a character.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(content: bytes) -> None:
        _print_bytes(harmless(decoder.decode(content).replace("\r\n", "\n")).encode())

    return show


def _print_bytes(content: bytes) -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _silence(sys.stdout.fileno())
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
        _silence(sys.stdout.fileno())
        raise BrokenPipeError


def on_terminal() -> bool:
    """Returns True if stderr is a terminal, and not shared by the lines of many flows."""
    return not _LABEL.get() and sys.stderr is not None and sys.stderr.isatty()


def wants_color(stream: TextIO | None = None) -> bool:
    """Returns True if `stream` (default: stderr) is a terminal that can show colours, and NO_COLOR is not set."""
    stream = stream or sys.stderr
    # Editors' shells and logs of CI call themselves dumb: they show escape sequences as they are.
    can_show = stream is not None and stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    return can_show and not os.environ.get("NO_COLOR")


def _print(
    stream: TextIO | None, text: str, secrets: Collection[str], newline: bool = True, ci_commands: bool = False
) -> None:
    if label := _LABEL.get():
        stream, newline = sys.stderr, True
        text = "\n".join(f"{label}: {line}" for line in _masked(text, secrets).splitlines() if line.strip())
    if stream is None:
        return
    from flowspec.document.escaping import harmless

    shown = harmless(_masked(text, secrets), commands=ci_commands)
    try:
        click.echo(shown, file=stream, nl=newline)
    except OSError as error:
        # A lost result is reported on stderr; what is lost on stderr can't be reported.
        if stream is not sys.stderr and not _is_closed_by_reader(stream, error):
            raise
        _silence(stream.fileno())


def _is_closed_by_reader(stream: TextIO, error: OSError) -> bool:
    """Returns True for the error of a pipe whose reader has gone, or of a terminal that was closed."""
    is_device = stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    return isinstance(error, BrokenPipeError) or (error.errno == errno.EIO and is_device)


def _masked(text: str, secrets: Collection[str]) -> str:
    if not (secrets or _secrets):
        return text
    from flowspec.document.masking import mask

    return str(mask(text, _secrets.union(secrets)))


def _silence(descriptor: int) -> None:
    # Nobody reads on. What is still in a buffer would fail again when Python flushes it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
