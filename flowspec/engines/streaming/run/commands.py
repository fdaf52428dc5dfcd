"""Runs a command of a job: splits it into words, finds it, feeds its pipes, and reads its standard error.

Sources: org.apache.hadoop.streaming.PipeMapRed (splitArgs, configure, MRErrorThread, mapRedFinished),
PathFinder, and Java's ProcessBuilder (a file without `#!` is run by /bin/sh).
"""

from __future__ import annotations

import errno
import math
import os
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from flowspec.engines.exit_status import as_in_shell
from flowspec.engines.streaming.data import processes
from flowspec.engines.streaming.data.lines import BLOCK, split_lines
from flowspec.engines.streaming.hadoop.failure import NOT_CONFIGURED, TaskFailure
from flowspec.engines.streaming.hadoop.javalang import BLANKS, parse_number

# Bytes that a command may leave unread without harm: PipeMapRed.BUFFER_SIZE, and what a pipe of Linux holds.
INPUT_BUFFER, _PIPE = 131072, 65536
_PATIENCE = 10  # seconds without output, after which it is checked whether the command still runs
_HELD_OPEN = (
    "the command has ended, but a process that it started in the background has its standard output or error open: the "
    "task waits for that; redirect both of it (`program > /dev/null 2>&1 &`)"
)


def split_words(command: str) -> list[str]:
    """Returns the words of a command: cut at blanks, grouped by quotes; a quote ends the word before it.

    No escapes, no variables, no globs; empty words vanish, and an open quote runs to the end.
    """
    words: list[str] = []
    at, end = 0, len(command)
    while at < end:
        character = command[at]
        if character == " ":
            at += 1
        elif character in "\"'":
            close = command.find(character, at + 1)
            close = end if close < 0 else close
            words.append(command[at + 1 : close])
            at = close + 1
        else:
            stop = at
            while stop < end and command[stop] not in " \"'":
                stop += 1
            words.append(command[at:stop])
            at = stop
    return [word for word in words if word]


def find_program(name: str, working: Path, path: str) -> str:
    """Finds a program: in the working directory first, then along PATH; its own name if nowhere.

    A regular readable file is enough. Of one in the working directory all are made executable first.
    """
    if name.startswith("/"):
        return name
    here = working / name
    with suppress(OSError):  # Hadoop tries this, and ignores the result
        here.chmod(stat.S_IMODE(here.stat().st_mode) | 0o111)
    for folder in [str(working), *path.split(":")]:
        candidate = Path(folder.strip() or ".", name)
        if candidate.is_file() and os.access(candidate, os.R_OK):
            return str(candidate)
    return name


def start(command: str, environment: Mapping[str, str], working: Path) -> processes.Process:
    """Starts a command with three pipes. Raises `TaskFailure` as Java does when it can't be started."""
    if not command:  # an empty property is dropped, so the command is not set
        raise TaskFailure(
            NOT_CONFIGURED,
            'java.lang.NullPointerException: Cannot invoke "String.toCharArray()" because "args" is null',
        )
    words = split_words(command)
    if not words:
        raise TaskFailure(
            *_NOT_CONFIGURED, "java.lang.ArrayIndexOutOfBoundsException: Index 0 out of bounds for length 0"
        )
    words[0] = find_program(words[0], working, environment.get("PATH", ""))
    try:
        return processes.Process(words, environment)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            return processes.Process(["/bin/sh", *words], environment)
        reason = f"error={error.errno}, {os.strerror(error.errno or 0)}"
        raise TaskFailure(
            *_NOT_CONFIGURED,
            f'java.io.IOException: Cannot run program "{words[0]}": {reason}',
            f"java.io.IOException: {reason}",
        ) from error


_NOT_CONFIGURED = (NOT_CONFIGURED, "java.lang.RuntimeException: configuration exception")


class CommandInput:
    """Standard input of a command, behind a buffer like Hadoop's.

    What is still in the buffer when the input ends may go unread; a write before that which fails is
    an error (`broken`): then what follows is dropped.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pipe = processes.PipeWriter(descriptor)
        self._held = b""
        self.broken = False

    def write(self, data: bytes) -> None:
        """Takes the next piece; what goes beyond a full buffer is written."""
        if self.broken:
            return
        held, self._held = self._held, b""
        ready = (len(held) + len(data) - 1) // INPUT_BUFFER * INPUT_BUFFER
        if ready <= 0:
            self._held = held + data
            return
        try:
            for piece in (held, memoryview(data)[: ready - len(held)]):
                self._pipe.write(memoryview(piece))
        except BrokenPipeError:
            self.broken = True
        self._held = data[ready - len(held) :]

    def close(self) -> None:
        """Writes the remaining data, even if nobody reads it, and closes the pipe."""
        try:
            self._wait_for_reader()
            if not self.broken:
                with suppress(BrokenPipeError):
                    self._pipe.write(memoryview(self._held))
        finally:
            os.close(self._descriptor)

    def _wait_for_reader(self) -> None:
        """Waits until the pipe holds no more than one of Hadoop's: what is beyond that must be read."""
        if not self.broken:
            try:
                self._pipe.wait_for_reader(_PIPE)
            except BrokenPipeError:
                self.broken = True


Feed = Callable[[CommandInput], None]


class RunningCommand:
    """A running command, to whose input data is written, and whose standard error is read.

    The caller reads `output` to its end and then calls `finish`. Threads are only started if they are needed, because
    they take a third of the time of a small map task. One thread writes the input if it (at most `longest` bytes, None
    if that is not known) may not fit into the pipe. Another reads standard error if the command writes to it.

    A process that the command left running may keep its output open. `patience` returns, by the command's exit status,
    the seconds to wait for such processes. After that, all of them are killed.
    """

    def __init__(
        self,
        process: processes.Process,
        feed: Feed,
        listen: Callable[[int], None],
        longest: int | None = None,
        warn: Callable[[str], None] = lambda _: None,
        *,
        patience: Callable[[int], float] = lambda _: math.inf,
    ) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._listen = listen
        self._warn = warn
        self._warned = False
        self._patience = patience
        self._deadline: float | None = None  # known when the command has ended
        self._output, self._stderr = process.stdout.fileno(), process.stderr.fileno()
        self._end = process.open_end()
        processes.enlarge_pipe(self._output)
        self._pace = processes.Pace(self._output)
        self._poll = select.poll()
        for descriptor in (self._output, self._stderr, self._end):
            if descriptor >= 0:
                self._poll.register(descriptor, select.POLLIN)
        self._silent = True
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        stdin = os.dup(process.stdin.fileno())
        process.stdin.close()
        fits = longest is not None and longest <= processes.pipe_capacity(stdin)
        if not fits:
            processes.enlarge_pipe(stdin)
        self._input = CommandInput(stdin)
        if fits:
            self._feed_now(feed)
        else:
            self._in_thread(partial(self._feed, feed))

    @property
    def broken(self) -> bool:
        """True if the command stopped reading before its input was written."""
        return self._input.broken

    def output(self) -> Iterator[bytes]:
        """Returns the chunks of standard output."""
        return processes.join_pieces(self._read)

    def finish(self) -> int:
        """Waits for the end; returns the exit status, 128 + N for death by signal N. Raises what a thread met."""
        self._poll.unregister(self._output)
        while self._silent:
            self._await_output()
        code = self._process.wait()
        self._look_at_process()
        for thread in self._threads:
            while thread.is_alive():
                wait = self._longest_wait()
                thread.join(wait)
                if thread.is_alive():
                    self._look_at_process(silent_for=wait)
        self._close()
        if self._errors:
            raise self._errors[0]
        return as_in_shell(code)

    def kill(self) -> None:
        """Kills the command, and waits until its threads have ended."""
        self._process.kill_all()
        for thread in self._threads:
            thread.join(timeout=1)
        self._close()

    def _read(self) -> bytes:
        while self._output not in self._await_output():
            pass
        piece = os.read(self._output, BLOCK)
        self._pace.pause_after(len(piece))
        return piece

    def _await_output(self) -> Mapping[int, int]:
        """Waits until the command has written something or closed a pipe; returns the descriptors that are ready."""
        wait = self._longest_wait()
        ready = dict(self._poll.poll(wait * 1000))
        if self._end in ready:
            self._poll.unregister(self._end)
        if not ready or self._end in ready or self._deadline is not None:
            self._look_at_process(silent_for=0 if ready else wait)
        if self._stderr in ready:
            self._silent = False
            self._poll.unregister(self._stderr)
            if ready[self._stderr] & select.POLLIN:
                self._in_thread(self._listen_to_end)
        return ready

    def _longest_wait(self) -> float:
        """Returns the seconds after which the command is checked."""
        left = _PATIENCE if self._deadline is None else self._deadline - time.monotonic()
        return min(left, _PATIENCE) if left > 0 else _PATIENCE

    def _look_at_process(self, silent_for: float = 0) -> None:
        """Kills the processes that an ended command left running, after a time; warns once before.

        Hadoop waits silently. On a cluster, YARN kills all processes of a task when the task has ended.
        """
        code = self._process.poll()
        if code is None:
            return
        if self._deadline is None:
            self._deadline = time.monotonic() + self._patience(as_in_shell(code))
        if time.monotonic() >= self._deadline:
            self._process.kill_all()
        if silent_for >= _PATIENCE and not self._warned:
            self._warned = True
            self._warn(_HELD_OPEN)

    def _close(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe and not pipe.closed:
                pipe.close()

    def _listen_to_end(self) -> None:
        try:
            self._listen(self._stderr)
        finally:
            # After an error, too (MRErrorThread): a command that writes more must not wait for a reader.
            assert self._process.stderr
            self._process.stderr.close()

    def _feed(self, feed: Feed) -> None:
        try:
            feed(self._input)
        finally:
            self._input.close()

    def _feed_now(self, feed: Feed) -> None:
        try:
            self._feed(feed)
        except Exception as error:  # noqa: BLE001 - as from a thread; a signal's SystemExit must not wait
            self._errors.append(error)

    def _in_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run_and_keep_error, args=(work,), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # "can't start new thread": there is no memory for its stack
            raise MemoryError from error
        self._threads.append(thread)

    def _run_and_keep_error(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by finish, in the thread that asked
            self._errors.append(error)


class Reporter:
    """Reads a command's standard error: counters and status go to the task, all other lines are passed on."""

    def __init__(
        self,
        prefix: str,
        *,
        count: Callable[[str, str, int], None],
        status: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._prefix = prefix
        self._count = count
        self._status = status
        self._warn = warn

    def listen(self, descriptor: int) -> None:
        """Reads standard error to its end."""
        for block in processes.read_lines(descriptor):
            if self._prefix.encode() not in block:
                _pass_on(block)
                continue
            for line in split_lines(block):
                self._handle_line(line + b"\n")

    def _handle_line(self, line: bytes) -> None:
        text = line[:-1].decode("utf-8", "replace")
        if not text.startswith(self._prefix):
            _pass_on(line)
            return
        rest = text[len(self._prefix) :]
        if rest.startswith("counter:"):
            self._count_reported(text, rest[len("counter:") :].strip(BLANKS))
        elif rest.startswith("status:"):
            self._status(rest[len("status:") :].strip(BLANKS))
        else:
            self._warn(f"Cannot parse reporter line: {text}")

    def _count_reported(self, line: str, text: str) -> None:
        columns = text.split(",")
        while len(columns) > 1 and not columns[-1]:
            columns.pop()
        if len(columns) != 3:
            self._warn(f"Cannot parse counter line: {line}")
            return
        group, name, text = columns
        try:
            amount = parse_number(text, bits=64)
        except ValueError:
            self._warn(f"Cannot parse counter increment '{text}' from line: {line}")
            return
        self._count(group, name, amount)


def _pass_on(said: bytes) -> None:
    """Writes to standard error as far as that can be written: no error of Java's System.err fails a task either."""
    with suppress(OSError):
        processes.write_all(2, memoryview(said))
