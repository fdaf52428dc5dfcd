import os
import threading
from types import SimpleNamespace

import pytest

from flowspec.engines.streaming.data import processes
from flowspec.engines.streaming.run import commands
from flowspec.engines.streaming.run.commands import Reporter, RunningCommand, find_program, split_words, start


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat", ["cat"]),
        ("a  b\tc ", ["a", "b\tc"]),
        ("a'b c'd", ["a", "b c", "d"]),
        ("--x='1 2'", ["--x=", "1 2"]),
        ('m \'\' "" "it\'s" \'say "hi"\'', ["m", "it's", 'say "hi"']),
        ("echo 'open to the end", ["echo", "open to the end"]),
        ("echo $HOME *.txt a\\ b | wc", ["echo", "$HOME", "*.txt", "a\\", "b", "|", "wc"]),
        ("   ", []),
    ],
)
def test_words_of_a_command(command, words):
    assert split_words(command) == words


def test_a_program_is_looked_for_here_first_and_made_executable(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in (tmp_path / "tool", folder / "tool", folder / "other"):
        place.write_text("x")
    assert find_program("tool", tmp_path, str(folder)) == str(tmp_path / "tool")
    assert os.access(tmp_path / "tool", os.X_OK)
    assert find_program("other", tmp_path, str(folder)) == str(folder / "other")
    assert find_program("nowhere", tmp_path, str(folder)) == "nowhere"
    assert find_program("/abs/olute", tmp_path, str(folder)) == "/abs/olute"


def heard(text, prefix="reporter:"):
    counts, states, warnings = [], [], []
    reporter = Reporter(
        prefix, count=lambda *counter: counts.append(counter), status=states.append, warn=warnings.append
    )
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    reporter.listen(reading)
    os.close(reading)
    return counts, states, warnings


def test_what_a_command_reports():
    counts, states, warnings = heard(
        b"reporter:counter:G,ok,5\r\nreporter:counter: G , spaced ,7 \nreporter:counter:G,,+3\n"
        b"reporter:status: half way \rreporter:counter:G,down,-2"
    )
    assert counts == [("G", "ok", 5), ("G ", " spaced ", 7), ("G", "", 3), ("G", "down", -2)]
    assert states == ["half way"]
    assert warnings == []


def test_what_a_command_reports_badly():
    counts, _, warnings = heard(
        b"@@counter:G,two\n@@counter:G,a,b,1\n@@counter:G,x,1.5\n@@counter:G,x,\n@@other:1\n@@counter:G,x,9223372036854775808\n",
        "@@",
    )
    assert counts == []
    assert warnings == [
        "Cannot parse counter line: @@counter:G,two",
        "Cannot parse counter line: @@counter:G,a,b,1",
        "Cannot parse counter increment '1.5' from line: @@counter:G,x,1.5",
        "Cannot parse counter line: @@counter:G,x,",
        "Cannot parse reporter line: @@other:1",
        "Cannot parse counter increment '9223372036854775808' from line: @@counter:G,x,9223372036854775808",
    ]


def test_other_lines_are_passed_on(capfd):
    heard(b"an ordinary line\n reporter:counter:G,indented,1\n")
    assert capfd.readouterr().err == "an ordinary line\n reporter:counter:G,indented,1\n"


def running(command, folder, data=b"", longest=None):
    """The command while it runs, and what it has written to standard error so far."""
    said = []

    def listen(descriptor):
        while piece := os.read(descriptor, 1 << 16):
            said.append(piece)

    return RunningCommand(start(command, os.environ, folder), lambda sink: sink.write(data), listen, longest), said


def test_a_command_is_started_without_a_fork_of_this_process(tmp_path):
    forks = []
    os.register_at_fork(before=lambda: forks.append(1))
    command, _ = running("cat", tmp_path, b"x\n")
    assert (b"".join(command.output()), command.finish(), forks) == (b"x\n", 0, [])


@pytest.mark.parametrize("longest", [2, None])
def test_a_command_may_write_much_before_it_reads(tmp_path, longest):
    (tmp_path / "noisy").write_text(
        "#!/bin/sh\nyes error | head -c 300000 >&2; yes output | head -c 3000000; cat; echo end >&2\n"
    )
    command, said = running("noisy", tmp_path, b"x\n", longest)
    assert b"".join(command.output()) == (b"output\n" * 500_000)[:3_000_000] + b"x\n"
    assert command.finish() == 0
    assert b"".join(said) == b"error\n" * 50_000 + b"end\n"


def test_what_a_command_says_after_it_has_closed_its_output_is_heard(tmp_path):
    (tmp_path / "late").write_text("#!/bin/sh\nexec >&-\nsleep 0.1\necho late >&2\nexit 3\n")
    command, said = running("late", tmp_path)
    assert (list(command.output()), command.finish(), said) == ([], 3, [b"late\n"])


def test_a_command_with_a_small_input_and_nothing_to_say_needs_no_thread(tmp_path):
    before = threading.active_count()
    command, _ = running("cat", tmp_path, b"x\n", longest=2)
    assert threading.active_count() == before
    assert (b"".join(command.output()), command.finish()) == (b"x\n", 0)


BUFFER, PIPE, MIB = 128 << 10, 64 << 10, 1 << 20


@pytest.mark.parametrize(("unread", "broken"), [(PIPE, False), (PIPE + 1, True), (8 * PIPE, True)])
def test_what_is_unread_beyond_a_buffer_and_a_pipe_of_hadoop_is_an_error(tmp_path, unread, broken):
    """The pipe that is really there holds more, and all of it can be written before the command ends."""
    written = 8 * BUFFER
    command, _ = running(f"head -c {written - unread}", tmp_path, b"x" * (written + 10))
    assert len(b"".join(command.output())) == written - unread
    assert (command.finish(), command.broken) == (0, broken)


def test_input_and_output_in_small_pieces_are_complete(tmp_path):
    (tmp_path / "small").write_text("#!/bin/sh\ndd bs=512 2>/dev/null\n")
    data = bytes(range(256)) * 12_000
    command, _ = running("small", tmp_path, data)
    assert b"".join(command.output()) == data
    assert (command.finish(), command.broken) == (0, False)


@pytest.mark.parametrize(
    ("size", "moved", "rests"), [(MIB, 4 << 10, 9), (MIB, MIB // 4, 0), (PIPE, 16 << 10, 0), (PIPE, 4096, 9)]
)
def test_a_pace_rests_between_pieces_that_are_small_for_the_pipe(monkeypatch, size, moved, rests):
    rested = []
    monkeypatch.setattr(processes.time, "sleep", rested.append)
    monkeypatch.setattr(processes, "pipe_capacity", lambda _: size)
    pace = processes.Pace(0)
    for _ in range(12):
        pace.pause_after(moved)
    assert len(rested) == rests
    assert rested == sorted(rested)
    assert all(seconds <= 0.002 for seconds in rested)


def test_a_command_that_reads_nothing_for_long_is_seldom_looked_at(monkeypatch):
    waits = []

    class PollThatPasses:
        """Each wait passes at once; after half a second the other end is closed."""

        def register(self, *_):
            pass

        def poll(self, milliseconds):
            waits.append(milliseconds)
            return sum(waits) >= 500

    monkeypatch.setattr(processes.PipeWriter, "_unread", lambda _: 2 * PIPE)
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: sum(waits) / 1000))
    reader, writer = os.pipe()
    processes.enlarge_pipe(writer)  # one of Hadoop's size is not waited for
    feeder = processes.PipeWriter(writer)
    monkeypatch.setattr(processes.select, "poll", PollThatPasses)
    with pytest.raises(BrokenPipeError):
        feeder.wait_for_reader(PIPE)
    os.close(reader)
    os.close(writer)
    # From 1 ms on, each an eighth longer; of 2 ms each they were 220.
    assert (waits[0], len(waits)) == (1, 36)


def test_a_command_that_reads_enough_and_ends_while_it_is_waited_for_is_no_error(monkeypatch):
    left = [2 * PIPE, PIPE]
    monkeypatch.setattr(processes.PipeWriter, "_unread", lambda _: left.pop(0) if len(left) > 1 else left[0])
    reader, writer = os.pipe()
    processes.enlarge_pipe(writer)
    os.close(reader)
    processes.PipeWriter(writer).wait_for_reader(PIPE)
    os.close(writer)


@pytest.mark.parametrize("longest", [2, None])
def test_an_error_while_a_command_is_fed_is_raised_at_its_end(tmp_path, longest):
    def feed(sink):
        sink.write(b"x\n")
        raise OSError("the disk is gone")

    command = RunningCommand(start("cat", os.environ, tmp_path), feed, lambda _: None, longest)
    assert b"".join(command.output()) == b"x\n"
    with pytest.raises(OSError, match="the disk is gone"):
        command.finish()


@pytest.mark.parametrize(
    "script", ["remain &", "remain >/dev/null &", "remain 2>/dev/null &", "echo warned >&2; remain &"]
)
def test_what_a_command_leaves_behind_with_its_output_open_is_told_once(tmp_path, monkeypatch, script):
    monkeypatch.setattr(commands, "_PATIENCE", 0.05)
    waiting = f"for i in $(seq 3000); do test -e {tmp_path}/told && break; sleep 0.02; done"
    (tmp_path / "m.sh").write_text(f"remain() {{ {waiting}; sleep 0.3; }}\n{script}\n")
    told = []

    def tell(text):
        """Keeps a warning, and lets the background process end 0.3 s later: in six times the patience no second comes."""
        told.append(text)
        (tmp_path / "told").touch()

    process = start(f"sh {tmp_path}/m.sh", os.environ, tmp_path)
    command = RunningCommand(process, lambda _: None, _drain, 0, tell)
    assert list(command.output()) == []
    assert command.finish() == 0
    assert [text.partition(", but")[0] for text in told] == ["the command has ended"]


def _drain(descriptor):
    for _ in processes.read_chunks(descriptor):
        pass


def test_a_slow_command_is_not_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "_PATIENCE", 0.05)
    told = []
    slow = RunningCommand(start("sleep 0.3", os.environ, tmp_path), lambda _: None, lambda _: None, 0, told.append)
    assert list(slow.output()) == []
    assert slow.finish() == 0
    assert told == []


def test_a_command_whose_standard_error_is_read_to_its_end_is_not_told_of(tmp_path):
    def listen(descriptor):
        _drain(descriptor)
        process.wait()

    told = []
    process = start("sh -c 'echo reporter:status:done >&2'", os.environ, tmp_path)
    command = RunningCommand(process, lambda _: None, listen, 0, told.append)
    assert list(command.output()) == []
    assert command.finish() == 0
    assert told == []
