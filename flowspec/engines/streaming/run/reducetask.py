"""Runs a reduce task: reads a sorted stream group by group, runs the reducer, and writes its pairs to a part file.

A combiner is run in the same way within a map task, over one partition of its sorted output.

Sources: org.apache.hadoop.mapred.ReduceTask (groups), org.apache.hadoop.streaming.PipeReducer and
PipeCombiner, org.apache.hadoop.mapred.Task.OldCombinerRunner.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flowspec.engines.streaming.data.arrays import count_lines
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.lines import GroupCounter, SortedBlock, split_lines, tabbed
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.records import Join, Pair, Writable, class_of, join_key, joiner
from flowspec.engines.streaming.run.commands import CommandInput, Feed, RunningCommand
from flowspec.engines.streaming.run.jobspec import Job, Program
from flowspec.engines.streaming.run.tasks import (
    COMBINE_INPUT_RECORDS,
    COMBINE_OUTPUT_RECORDS,
    REDUCE_INPUT_GROUPS,
    REDUCE_INPUT_RECORDS,
    Output,
    Task,
    output_cutter,
    write_command_output,
)


class Reduction(NamedTuple):
    """A program that reads groups, how its input is laid out, and under which names it is counted.

    `together`: equal keys are adjacent in the stream. Without a `groups` name they are not counted.
    """

    program: Program
    layout: Layout
    records: str
    groups: str = ""
    together: bool = True


def combination(program: Program, layout: Layout) -> Reduction:
    """Returns the reduction that a combiner is."""
    return Reduction(program, layout, COMBINE_INPUT_RECORDS)


def final_reduction(job: Job, layout: Layout) -> Reduction:
    """Returns the reduction of a reduce task; behind a combiner the keys need not be in order."""
    together = job.combiner is None
    return Reduction(job.reducer, layout, REDUCE_INPUT_RECORDS, REDUCE_INPUT_GROUPS, together=together)


def run_reduction(task: Task, what: Reduction, stream: Iterator[SortedBlock], output: Output) -> None:
    """Runs a reducer or combiner over a stream of blocks. Raises `TaskFailure` or `OSError`."""
    for name in filter(None, (what.records, what.groups)):
        task.count(name, 0)
    if what.program.java:
        _run_java(task, what, stream, output)
        return
    if task.job.reduce_failure:
        raise TaskFailure(*task.job.reduce_failure)
    head = list(itertools.islice(stream, 2))
    feed, longest = _choose_feed(task, what, head, stream)
    # PipeMapRed.waitOutputThreads: without a record, a command's status and counters go to Reporter.NULL
    command = task.run_command(what.program.command, feed, report=bool(head), longest=longest)
    try:
        if not head:
            for _ in command.output():
                pass  # the output of a reducer that got no record is lost
        else:
            write_command_output(command.output(), output_cutter(task.job, "reduce"), output)
        code = command.finish()
    except BaseException:
        command.kill()
        raise
    _check_command(task, command, code)


def _check_command(task: Task, command: RunningCommand, code: int) -> None:
    task.check_status(code)
    if command.broken:
        said = f"subprocess exited with error code {code}" if code else "subprocess exited successfully"
        raise TaskFailure(f"java.io.IOException: {said}\nBroken pipe")


def _run_java(task: Task, what: Reduction, stream: Iterator[SortedBlock], output: Output) -> None:
    from flowspec.engines.streaming.hadoop.javaclasses import groups, reducer

    def counted() -> Iterator[Pair]:
        for block in stream:
            pairs = list(map(what.layout.decode, split_lines(block.text)))
            task.count(what.records, len(pairs))
            yield from pairs
            task.progress(len(block.text))

    reduce = reducer(what.program.java)
    for key, values in groups(counted()):
        if what.groups:
            task.count(what.groups, 1)
        for pair in reduce(key, values):
            output.pair(*pair)


def _choose_feed(
    task: Task, what: Reduction, head: list[SortedBlock], stream: Iterator[SortedBlock]
) -> tuple[Feed, int | None]:
    """Returns what feeds the command with two blocks at most and those behind them, and the bytes if they are known."""
    side = task.job.reduce_separators
    only_key = task.job.configuration.get("stream.reduce.input") == "keyonlytext"
    join = join_key if only_key else joiner(side.input)
    blocks = itertools.chain(head, stream)
    if what.layout.plain and side.input == b"\t" and not only_key:
        longest = sum(len(block.text) for block in head) if len(head) <= 1 else None
        return lambda sink: _feed_blocks(task, what, blocks, sink), longest
    return lambda sink: _feed_pairs(task, what, blocks, join, sink), None if head else 0


def _feed_blocks(task: Task, what: Reduction, blocks: Iterator[SortedBlock], sink: CommandInput) -> None:
    counter = GroupCounter(together=what.together)
    for block in blocks:
        sink.write(block.text)
        records = counter.add(block.distinct) if what.groups else count_lines(block.distinct)
        task.count(what.records, records + block.repeated)
        task.progress(len(block.text))
    if what.groups:
        task.count(what.groups, counter.groups)


def _feed_pairs(task: Task, what: Reduction, blocks: Iterator[SortedBlock], join: Join, sink: CommandInput) -> None:
    last: object = blocks  # equal to no key
    for block in blocks:
        pairs = [what.layout.decode(line) for line in split_lines(block.text)]
        sink.write(b"".join(itertools.starmap(join, pairs)))
        task.count(what.records, len(pairs))
        task.progress(len(block.text))
        if what.groups:
            for key, _ in pairs:
                if key != last:
                    task.count(what.groups, 1)
                    last = key


class RunOutput:
    """The pairs of a combiner on their way to a run file: neither sorted nor partitioned again."""

    def __init__(self, task: Task, layout: Layout, write: Callable[[bytes], object]) -> None:
        self._task = task
        self._layout = layout
        self._write = write
        task.count(COMBINE_OUTPUT_RECORDS, 0)

    def lines(self, block: bytes) -> None:
        """Takes a block of lines."""
        if self._layout.plain:
            known = tabbed(block)
            self._task.count(COMBINE_OUTPUT_RECORDS, known.records)
            self._write(known.block)
            return
        for line in split_lines(block):
            key, _, value = line.partition(b"\t")
            self.pair(key, value)

    def pair(self, key: Writable, value: Writable) -> None:
        """Takes one pair. Raises `TaskFailure` for one of other classes than the map output's (IFile.Writer)."""
        for part, expected, item in (
            ("key", self._layout.key_class, key),
            ("value", self._layout.value_class, value),
        ):
            if class_of(item) != expected:
                raise TaskFailure(
                    f"java.io.IOException: wrong {part} class: class {class_of(item)} is not class {expected}"
                )
        self._task.count(COMBINE_OUTPUT_RECORDS, 1)
        self._write(self._layout.encode(key, value))
