"""Runs a map task: reads a split, runs the mapper, and writes its pairs or hands them to the shuffle.

Sources: org.apache.hadoop.mapred.MapTask (runOldMapper, collect), org.apache.hadoop.streaming.PipeMapper.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.engines.streaming.data.arrays import count_lines
from flowspec.engines.streaming.data.collect import Collector
from flowspec.engines.streaming.data.inputs import TaskInput
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.lines import split_lines, tabbed, whole_lines
from flowspec.engines.streaming.data.readers import CombinedReader, SplitReader, open_split
from flowspec.engines.streaming.hadoop.classes import KEY_VALUE_INPUT, TEXT_INPUT
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.records import Join, Writable, class_of, join_key, join_value, joiner, size_of
from flowspec.engines.streaming.run.commands import CommandInput, Feed
from flowspec.engines.streaming.run.jobspec import Job
from flowspec.engines.streaming.run.tasks import (
    FRAMEWORK,
    MAP_INPUT_RECORDS,
    MAP_OUTPUT_BYTES,
    MAP_OUTPUT_RECORDS,
    PAIRS_AT_ONCE,
    Output,
    Task,
    output_cutter,
    write_command_output,
)

_BATCH = 1 << 16  # bytes of records that are written to the mapper together
_NEVER = (1 << 63) - 1  # Long.MAX_VALUE, where stream.minRecWrittenToEnableSkip_ is not given

Reader = SplitReader | CombinedReader


def run_map(task: Task, split: TaskInput, output: Output) -> None:
    """Runs the mapper over a split. Raises `TaskFailure` or `OSError`."""
    task.count(MAP_INPUT_RECORDS, 0)
    if task.job.map_failure:
        raise TaskFailure(*task.job.map_failure)
    reader = open_split(split, task.job.configuration, task.job.input_format)
    try:
        if task.job.mapper.java:
            _run_java(task, reader, output)
        else:
            _run_command(task, reader, output)
    finally:
        reader.close()


def _run_java(task: Task, reader: Reader, output: Output) -> None:
    from flowspec.engines.streaming.hadoop.javaclasses import map_pairs

    def records() -> Iterator[tuple[Writable, Writable]]:
        for pair in reader.records():
            task.count(MAP_INPUT_RECORDS, 1)
            yield pair

    for key, value in map_pairs(task.job.mapper.java, records()):
        output.pair(key, value)
    task.progress(reader.done)


def _run_command(task: Task, reader: Reader, output: Output) -> None:
    feed, longest = _choose_feed(task, reader)
    command = task.run_command(task.job.mapper.command, feed, longest=longest)
    try:
        write_command_output(command.output(), output_cutter(task.job, "map"), output)
        code = command.finish()
    except BaseException:
        command.kill()
        raise
    task.check_status(code)
    if command.broken and not _tolerates_unread_input(task):
        raise TaskFailure("java.io.IOException: Broken pipe")


def _tolerates_unread_input(task: Task) -> bool:
    least = task.job.configuration.integer("stream.minRecWrittenToEnableSkip_", _NEVER, bits=64)
    return least <= task.counters[FRAMEWORK].get(MAP_OUTPUT_RECORDS, 0)


def _choose_feed(task: Task, reader: Reader) -> tuple[Feed, int | None]:
    """Returns what feeds the mapper, and how many bytes that are at most (None: not known)."""
    job = task.job
    join = _input_join(job)
    if reader.is_plain_text and job.input_format != KEY_VALUE_INPUT and join is join_value:
        return lambda sink: _feed_text(task, reader, sink), reader.longest
    if reader.is_plain_text and _is_tabbed_as_it_is(job, join):
        return lambda sink: _feed_tabbed(task, reader, sink), None
    return lambda sink: _feed_records(task, reader, join, sink), None


def _input_join(job: Job) -> Join:
    if job.configuration.get("stream.map.input") == "keyonlytext":
        return join_key
    ignore_key = job.configuration.boolean("stream.map.input.ignoreKey", default=job.input_format == TEXT_INPUT)
    return join_value if ignore_key else joiner(job.map_separators.input)


def _is_tabbed_as_it_is(job: Job, join: Join) -> bool:
    """Returns whether KeyValueTextInputFormat with TABs on both sides changes nothing but lines without a TAB."""
    separator = job.configuration.get("mapreduce.input.keyvaluelinerecordreader.key.value.separator", "\t")
    return (
        job.input_format == KEY_VALUE_INPUT
        and join not in (join_key, join_value)
        and separator.startswith("\t")
        and job.map_separators.input == b"\t"
    )


def _feed_text(task: Task, reader: Reader, sink: CommandInput) -> None:
    for chunk in reader.text_chunks():
        task.count(MAP_INPUT_RECORDS, count_lines(chunk))
        sink.write(chunk)
        task.progress(reader.done)


def _feed_tabbed(task: Task, reader: Reader, sink: CommandInput) -> None:
    for block in whole_lines(reader.text_chunks()):
        lines = tabbed(block)
        task.count(MAP_INPUT_RECORDS, lines.records)
        sink.write(lines.block)
        task.progress(reader.done)


def _feed_records(task: Task, reader: Reader, join: Join, sink: CommandInput) -> None:
    waiting: list[bytes] = []
    size = 0
    for key, value in reader.records():
        task.count(MAP_INPUT_RECORDS, 1)
        line = join(key, value)
        waiting.append(line)
        size += len(line)
        if size >= _BATCH:
            sink.write(b"".join(waiting))
            task.progress(reader.done)
            waiting.clear()
            size = 0
    sink.write(b"".join(waiting))
    task.progress(reader.done)


class ShuffleOutput:
    """The pairs of a mapper on their way to the reducers. Those that come in blocks are weighed by the collector."""

    def __init__(self, task: Task, layout: Layout, collector: Collector) -> None:
        self._task = task
        self._layout = layout
        self._collector = collector
        self._waiting: list[bytes] = []
        for name in (MAP_OUTPUT_RECORDS, MAP_OUTPUT_BYTES):
            task.count(name, 0)

    def lines(self, block: bytes) -> None:
        """Takes a block of lines."""
        if self._layout.plain:
            self._task.count(MAP_OUTPUT_RECORDS, count_lines(block))
            self._collector.add(block)
            return
        for line in split_lines(block):
            key, _, value = line.partition(b"\t")
            self.pair(key, value)

    def pair(self, key: Writable, value: Writable) -> None:
        """Takes one pair. Raises `TaskFailure` for one of other classes than the job says (MapTask.collect)."""
        self._check_class("key", self._layout.key_class, key)
        self._check_class("value", self._layout.value_class, value)
        self._task.count(MAP_OUTPUT_RECORDS, 1)
        if not self._layout.plain:
            self._task.count(MAP_OUTPUT_BYTES, size_of(key) + size_of(value))
        self._waiting.append(self._layout.encode(key, value))
        if len(self._waiting) >= PAIRS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Hands on the pairs that were held back."""
        if self._waiting:
            self._collector.add(b"".join(self._waiting))
            self._waiting.clear()

    def _check_class(self, part: str, expected: str, value: Writable) -> None:
        if class_of(value) != expected:
            raise TaskFailure(
                f"java.io.IOException: Type mismatch in {part} from map: "
                f"expected {expected}, received {class_of(value)}"
            )
