"""The processes of a job: map workers that take one split after the other, and reduce tasks.

Each is a fork of the client and sends it the results of its tasks as `TaskResult`s.
"""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from flowspec.engines.counters import Counters
from flowspec.engines.joblog import JobLog
from flowspec.engines.streaming.data import arrays
from flowspec.engines.streaming.data.collect import Collector, MapOutput, Shuffle
from flowspec.engines.streaming.data.committer import Committer
from flowspec.engines.streaming.data.inputs import Split, TaskInput
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.merge import Merge
from flowspec.engines.streaming.hadoop import classes, keyfields
from flowspec.engines.streaming.hadoop.failure import FAILURES, TaskFailure, as_task_failure
from flowspec.engines.streaming.hadoop.partition import Partitioner, hash_partitioner, key_field_partitioner
from flowspec.engines.streaming.run.cache import name_shipped_files
from flowspec.engines.streaming.run.jobspec import Job
from flowspec.engines.streaming.run.maptask import ShuffleOutput, run_map
from flowspec.engines.streaming.run.reducetask import Reduction, RunOutput, combination, final_reduction, run_reduction
from flowspec.engines.streaming.run.tasks import (
    BYTES_READ,
    COMBINE_INPUT_RECORDS,
    COMBINE_OUTPUT_RECORDS,
    FRAMEWORK,
    MAP_OUTPUT_BYTES,
    MAP_OUTPUT_RECORDS,
    REDUCE_OUTPUT_RECORDS,
    Task,
    open_output,
    output_cutter,
)

ALL_TASKS = -1


class TaskResult(NamedTuple):
    """The result of one task or, with `number` ALL_TASKS, what a worker collected over all of its tasks."""

    number: int
    counters: Counters
    causes: tuple[str, ...] = ()
    map_output: MapOutput | None = None


class JobContext(NamedTuple):
    """The data that every process of a job has."""

    job: Job
    syslog: JobLog
    scratch: Path
    committer: Committer
    splits: tuple[TaskInput, ...]

    @property
    def size(self) -> int:
        """The bytes of all splits."""
        return sum(split.length for split in self.splits)


def attempt(task: Task, work: Callable[[], None]) -> TaskResult:
    """Runs a task; returns its result. A failure is logged as Hadoop logs it."""
    try:
        work()
    except FAILURES as error:
        failure = as_task_failure(error)
        _log_failure(task.syslog, task.job, failure)
        for line in _failure_context(task):
            task.syslog.error("LocalJobRunner", line)
        return TaskResult(task.number, task.counters, failure.causes)
    return TaskResult(task.number, task.counters)


def _failure_context(task: Task) -> Iterator[str]:
    """Yields the task, its input file and a command line that repeats it, which Hadoop's own trace does not contain."""
    split, job = task.split, task.job
    if split is None:
        yield f"reduce task {task.number} failed (reducer: {job.reducer.command or job.reducer.java})"
        return
    if not isinstance(split, Split):
        first = split.parts[0].file.uri
        yield f"map task {task.number} failed on {len(split.parts)} parts of files, the first of {first}"
        return
    part = "" if split.length >= split.file.size else f", bytes {split.start} to {split.end}"
    yield f"map task {task.number} failed on {split.file.uri}{part} (mapper: {job.mapper.command or job.mapper.java})"
    if job.mapper.command:
        command = name_shipped_files(job.mapper.command, job.shipments)
        yield f"to run the mapper alone: {repeat_command(command, split)}"


def repeat_command(command: str, split: Split) -> str:
    """Returns a shell command that gives the bytes of a split (all of a compressed file) to a command."""
    path = shlex.quote(str(split.file.path))
    if unpack := {".gz": "gzip -dc", ".bz2": "bzip2 -dc"}.get(split.file.path.suffix.lower()):
        return f"{unpack} {path} | {command}"
    if split.length >= split.file.size:
        return f"{command} < {path}"
    return f"tail -c +{split.start + 1} {path} | head -c {split.length} | {command}"


def _log_failure(syslog: JobLog, job: Job, failure: TaskFailure) -> None:
    syslog.warn("LocalJobRunner", job.id)
    syslog.plain(line for text in failure.trace() for line in text.splitlines())


def layout_of(job: Job) -> Layout:
    """Returns plain where keys are text that ends at the first TAB, and are ordered by their bytes."""
    text = job.map_key_class == job.map_value_class == classes.TEXT
    sides = ["map"] if job.combiner is None else ["map", "reduce"]
    simple = all(output_cutter(job, side) is None for side in sides)
    order = keyfields.order_key(job.sort_fields, job.field_separator) if job.sort_fields else None
    return Layout(
        plain=text and simple and bool(job.mapper.command) and not order,
        key_class=job.map_key_class,
        value_class=job.map_value_class,
        order=order,
    )


def partitioner_of(job: Job) -> Partitioner | None:
    """Returns the job's partitioner; None with a single reducer: then Hadoop asks none."""
    if job.reduces == 1:
        return None
    if job.partitioner == classes.KEY_FIELD_PARTITIONER:
        return key_field_partitioner(job.reduces, job.partition_fields, job.field_separator)
    return hash_partitioner(job.reduces)


def shuffle_of(context: JobContext) -> Shuffle:
    """Decides how the pairs of a job go to its reducers."""
    job = context.job
    return Shuffle(
        layout_of(job),
        context.scratch,
        job.reduces,
        partitioner_of(job),
        hashed=job.partitioner != classes.KEY_FIELD_PARTITIONER,
    )


class MapWorker:
    """Runs map tasks one after the other. Without a combiner one collector takes the pairs of all."""

    def __init__(self, context: JobContext, name: str, in_memory: list[Path], progress: Callable[[int], None]) -> None:
        self._context = context
        self._progress = progress
        self._done = 0
        self._shuffle = shuffle_of(context)
        self._in_memory = in_memory
        self._collector = Collector(self._shuffle, name, in_memory)

    def serve(self, channel: Connection) -> None:
        """Receives split numbers until there are no more; then finishes the collected output."""
        arrays.load_numpy(self._context.size)  # did nothing before the fork on macOS
        failed = False
        while numbers := channel.recv():
            results = [self._run(number) for number in numbers]
            failed = failed or any(result.causes for result in results)
            channel.send(results)
        channel.send([TaskResult(ALL_TASKS, {}) if failed else self._close_collector()])

    def _run(self, number: int) -> TaskResult:
        context, split = self._context, self._context.splits[number]
        task = Task(
            context.job,
            number,
            len(context.splits),
            is_map=True,
            syslog=context.syslog,
            progress=self._report_progress,
            split=split,
        )
        group, name = BYTES_READ
        task.counters[group] = {name: split.length if isinstance(split, Split) else 0}  # as MapTask.getFsStatistics
        map_output = MapOutput(keyed=True) if context.job.combiner else None
        if not context.job.reduces:
            result = attempt(task, partial(self._map_only, task, split))
        elif map_output:
            result = attempt(task, partial(self._map_and_combine, task, split, map_output))
        else:
            result = attempt(task, partial(self._map, task, split, self._collector))
        self._done += split.length
        self._progress(self._done)
        return result._replace(map_output=map_output)

    def _report_progress(self, done: int) -> None:
        self._progress(self._done + done)

    def _map_only(self, task: Task, split: TaskInput) -> None:
        output = open_output(task, MAP_OUTPUT_RECORDS, self._context.committer)
        try:
            run_map(task, split, output)
            output.close()
            self._context.committer.commit_task(task.attempt)
        except BaseException:
            output.abandon()
            self._context.committer.abort_task(task.attempt)
            raise

    def _map(self, task: Task, split: TaskInput, collector: Collector) -> None:
        output = ShuffleOutput(task, self._shuffle.layout, collector)
        run_map(task, split, output)
        output.flush()
        for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
            task.count(name, 0)

    def _map_and_combine(self, task: Task, split: TaskInput, combined: MapOutput) -> None:
        """Sorts this task's pairs alone, and runs the combiner once for each partition that has any."""
        # The files in memory are empty again: the task before has merged its own.
        collector = Collector(self._shuffle, f"map-{task.number}", self._in_memory)
        self._map(task, split, collector)
        map_output = collector.close()
        task.count(MAP_OUTPUT_BYTES, map_output.weight)
        for partition in map_output.partitions:
            merge = Merge(self._shuffle, [map_output], partition, keyed=map_output.keyed)
            combined.runs[partition] = [self._combine(task, partition, merge)]

    def _combine(self, task: Task, partition: int, merge: Merge) -> Path:
        program = self._context.job.combiner
        assert program
        layout, combined = self._shuffle.layout, self._shuffle.scratch / f"combined-{task.number}-{partition}"
        try:
            with combined.open("wb") as file:
                output = RunOutput(task, layout, file.write)
                run_reduction(task, combination(program, layout), merge.blocks(), output)
        finally:
            merge.close()
        return combined

    def _close_collector(self) -> TaskResult:
        """Hands over the sorted pairs of all tasks."""
        try:
            map_output = self._collector.close()
        except FAILURES as error:
            failure = as_task_failure(error)
            _log_failure(self._context.syslog, self._context.job, failure)
            return TaskResult(ALL_TASKS, {}, failure.causes)
        weighed: Counters = {FRAMEWORK: {MAP_OUTPUT_BYTES: map_output.weight}} if map_output.weight else {}
        return TaskResult(ALL_TASKS, weighed, map_output=map_output)


def run_reduce(
    context: JobContext,
    number: int,
    shuffle: Shuffle,
    outputs: Sequence[MapOutput],
    progress: Callable[[int], None],
) -> TaskResult:
    """Runs one reduce task over the output of the map tasks for it."""
    task = Task(context.job, number, len(context.splits), is_map=False, syslog=context.syslog, progress=progress)
    for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
        task.count(name, 0)
    merge = Merge(shuffle, outputs, number, keyed=any(one.keyed for one in outputs))
    return attempt(task, partial(_reduce, context, task, merge, final_reduction(context.job, shuffle.layout)))


def _reduce(context: JobContext, task: Task, merge: Merge, what: Reduction) -> None:
    output = open_output(task, REDUCE_OUTPUT_RECORDS, context.committer)
    try:
        run_reduction(task, what, merge.blocks(), output)
        output.close()
        context.committer.commit_task(task.attempt)
    except BaseException:
        output.abandon()
        context.committer.abort_task(task.attempt)
        raise
    finally:
        merge.close()


def log_crash(syslog: JobLog) -> None:
    """Logs the traceback of an error in this engine itself."""
    syslog.plain(traceback.format_exc().splitlines())
