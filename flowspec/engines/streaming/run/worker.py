"""The processes of a job: map workers that take one split after the other, and reduce tasks.

Each is a fork of the client and tells it what became of its tasks as `Outcome`s.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from flowspec.engines.counters import Counters
from flowspec.engines.streaming.data.collect import Collector, Shuffle, Spool
from flowspec.engines.streaming.data.committer import Committer
from flowspec.engines.streaming.data.inputs import Split
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.merge import Merge
from flowspec.engines.streaming.hadoop import classes, keyfields
from flowspec.engines.streaming.hadoop.jobspec import Job
from flowspec.engines.streaming.hadoop.partition import Partitioner, hash_partitioner, key_field_partitioner
from flowspec.engines.streaming.run.failure import TaskFailure, from_os_error
from flowspec.engines.streaming.run.joblog import JobLog
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

SEALED = -1


@dataclass(frozen=True)
class Outcome:
    """What became of a task, or (`number` SEALED) of all that a worker has collected; `spool` is for the reducers."""

    number: int
    counters: Counters
    causes: tuple[str, ...] = ()
    spool: Spool | None = None


@dataclass(frozen=True)
class Site:
    """What every process of a job knows."""

    job: Job
    syslog: JobLog
    scratch: Path
    committer: Committer
    splits: tuple[Split, ...]

    @property
    def size(self) -> int:
        """The bytes of all splits."""
        return sum(split.length for split in self.splits)


def attempt(task: Task, work: Callable[[], None]) -> Outcome:
    """Run a task; a failure is logged as Hadoop logs it, and told."""
    try:
        work()
    except TaskFailure as failure:
        return _failed(task, failure)
    except OSError as error:
        return _failed(task, from_os_error(error))
    return Outcome(task.number, task.counters)


def _failed(task: Task, failure: TaskFailure) -> Outcome:
    _tell(task.syslog, task.job, failure)
    return Outcome(task.number, task.counters, failure.causes)


def _tell(syslog: JobLog, job: Job, failure: TaskFailure) -> None:
    syslog.warn("LocalJobRunner", job.id)
    syslog.plain(line for text in failure.trace() for line in text.splitlines())


def layout_of(job: Job) -> Layout:
    """Plain where keys are text that ends at the first TAB, and are ordered by their bytes."""
    text = job.map_key_class == job.map_value_class == classes.TEXT
    sides = ["map"] if job.combiner is None else ["map", "reduce"]
    simple = all(output_cutter(job, side) is None for side in sides)
    order = None
    if job.sort_fields:
        order = keyfields.order_key(list(job.sort_fields), job.field_separator)
    return Layout(
        plain=text and simple and bool(job.mapper.command) and not order,
        key_class=job.map_key_class,
        value_class=job.map_value_class,
        order=order,
    )


def partitioner_of(job: Job) -> Partitioner | None:
    """The job's partitioner; None with a single reducer: then Hadoop asks none."""
    if job.reduces == 1:
        return None
    if job.partitioner == classes.KEY_FIELD_PARTITIONER:
        return key_field_partitioner(job.reduces, list(job.partition_fields), job.field_separator)
    return hash_partitioner(job.reduces)


def shuffle_of(site: Site, workers: int) -> Shuffle:
    """How the pairs of a job go to its reducers, when so many workers share the map tasks."""
    job = site.job
    return Shuffle(
        layout_of(job),
        site.scratch,
        job.reduces,
        partitioner_of(job),
        hashed=job.partitioner != classes.KEY_FIELD_PARTITIONER,
        size=site.size // workers,
    )


class MapWorker:
    """Runs map tasks one after the other. Without a combiner one collector takes the pairs of all."""

    def __init__(self, site: Site, number: int, workers: int, progress: Callable[[int], None]) -> None:
        self._site = site
        self._progress = progress
        self._done = 0
        self._shuffle = shuffle_of(site, workers)
        self._collector = Collector(self._shuffle, f"worker-{number}")

    def serve(self, channel: Connection) -> None:
        """Take split numbers until None comes; then seal what was collected."""
        failed = False
        while (number := channel.recv()) is not None:
            outcome = self._run(number)
            failed = failed or bool(outcome.causes)
            channel.send(outcome)
        channel.send(Outcome(SEALED, {}) if failed else self._seal())

    def _run(self, number: int) -> Outcome:
        site, split = self._site, self._site.splits[number]
        task = Task(
            site.job,
            number,
            len(site.splits),
            is_map=True,
            syslog=site.syslog,
            progress=partial(self._report, split),
            split=split,
        )
        group, name = BYTES_READ
        task.counters[group] = {name: split.length}
        spool = Spool(keyed=True, bare=False) if site.job.combiner else None
        if not site.job.reduces:
            outcome = attempt(task, partial(self._map_only, task, split))
        elif spool:
            outcome = attempt(task, partial(self._map_and_combine, task, split, spool))
        else:
            outcome = attempt(task, partial(self._map, task, split, self._collector))
        self._done += split.length
        self._progress(self._done)
        return replace(outcome, spool=spool)

    def _report(self, split: Split, position: int) -> None:
        self._progress(self._done + min(split.length, position - split.start))

    def _map_only(self, task: Task, split: Split) -> None:
        output = open_output(task, MAP_OUTPUT_RECORDS, self._site.committer)
        try:
            run_map(task, split, output)
            output.close()
            self._site.committer.commit_task(task.attempt)
        except BaseException:
            output.abandon()
            self._site.committer.abort_task(task.attempt)
            raise

    def _map(self, task: Task, split: Split, collector: Collector) -> None:
        output = ShuffleOutput(task, self._shuffle.layout, collector)
        run_map(task, split, output)
        output.flush()
        for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
            task.count(name, 0)

    def _map_and_combine(self, task: Task, split: Split, combined: Spool) -> None:
        """Sort this task's pairs alone, and run the combiner once for each partition that has any."""
        collector = Collector(self._shuffle, f"map-{task.number}")
        self._map(task, split, collector)
        spool = collector.close()
        task.count(MAP_OUTPUT_BYTES, spool.weight)
        for partition in spool.partitions:
            merge = Merge(self._shuffle, [spool], partition, keyed=spool.keyed)
            combined.runs[partition] = [self._combine(task, partition, merge)]

    def _combine(self, task: Task, partition: int, merge: Merge) -> Path:
        program = self._site.job.combiner
        assert program
        layout, combined = self._shuffle.layout, self._shuffle.scratch / f"combined-{task.number}-{partition}"
        try:
            with combined.open("wb") as file:
                output = RunOutput(task, layout, lambda block: _ignore(file.write(block)))
                run_reduction(task, combination(program, layout), merge.blocks(), output)
        finally:
            merge.close()
        return combined

    def _seal(self) -> Outcome:
        """Hand over the sorted pairs of all tasks."""
        try:
            spool = self._collector.close()
        except TaskFailure as failure:
            return self._sealed_badly(failure)
        except OSError as error:
            return self._sealed_badly(from_os_error(error))
        weighed: Counters = {FRAMEWORK: {MAP_OUTPUT_BYTES: spool.weight}} if spool.weight else {}
        return Outcome(SEALED, weighed, spool=spool)

    def _sealed_badly(self, failure: TaskFailure) -> Outcome:
        _tell(self._site.syslog, self._site.job, failure)
        return Outcome(SEALED, {}, failure.causes)


def _ignore(_written: int) -> None:
    """The number of bytes that a buffered file took is all of them."""


def run_reduce(
    site: Site, number: int, shuffle: Shuffle, spools: Sequence[Spool], progress: Callable[[int], None]
) -> Outcome:
    """Run one reduce task over what the map tasks have left for it."""
    task = Task(site.job, number, len(site.splits), is_map=False, syslog=site.syslog, progress=progress)
    for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
        task.count(name, 0)
    merge = Merge(shuffle, spools, number, keyed=any(spool.keyed for spool in spools))
    bare = all(spool.bare for spool in spools)
    return attempt(task, partial(_reduce, site, task, merge, final_reduction(site.job, shuffle.layout, bare=bare)))


def _reduce(site: Site, task: Task, merge: Merge, what: Reduction) -> None:
    output = open_output(task, REDUCE_OUTPUT_RECORDS, site.committer)
    try:
        run_reduction(task, what, merge.blocks(), output)
        output.close()
        site.committer.commit_task(task.attempt)
    except BaseException:
        output.abandon()
        site.committer.abort_task(task.attempt)
        raise
    finally:
        merge.close()


def tell_crash(syslog: JobLog) -> None:
    """Log the traceback of an error in this engine itself."""
    syslog.plain(traceback.format_exc().splitlines())
