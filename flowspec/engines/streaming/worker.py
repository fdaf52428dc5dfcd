"""The processes of a job: map workers that take one split after the other, and reduce tasks.

Each is a fork of the client and tells it what became of its tasks as `Outcome`s.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from flowspec.engines.counters import Counters
from flowspec.engines.streaming import classes, keyfields
from flowspec.engines.streaming.committer import Committer
from flowspec.engines.streaming.failure import TaskFailure, from_os_error
from flowspec.engines.streaming.inputs import Split
from flowspec.engines.streaming.joblog import JobLog
from flowspec.engines.streaming.jobspec import Job
from flowspec.engines.streaming.maptask import ShuffleOutput, run_map
from flowspec.engines.streaming.partition import Partitioner, hash_partitioner, key_field_partitioner
from flowspec.engines.streaming.reducetask import RunOutput, combination, final_reduction, run_reduction
from flowspec.engines.streaming.shuffle import (
    Layout,
    Merge,
    PartitionFiles,
    Sorter,
    SortSettings,
    cut_by_partition,
)
from flowspec.engines.streaming.tasks import (
    BYTES_READ,
    COMBINE_INPUT_RECORDS,
    COMBINE_OUTPUT_RECORDS,
    MAP_OUTPUT_RECORDS,
    REDUCE_OUTPUT_RECORDS,
    Task,
    open_output,
)

SEALED = -1


@dataclass(frozen=True)
class Outcome:
    """What became of a task, or (`number` SEALED) of a worker's sorted output.

    `runs` are the run files by partition; `keyed`: they must be merged by key alone, as what a
    combiner wrote always is; `bare`: none of its pairs has a value.
    """

    number: int
    counters: Counters
    causes: tuple[str, ...] = ()
    runs: dict[int, Path] | None = None
    keyed: bool = False
    bare: bool = True


@dataclass(frozen=True)
class Site:
    """What every process of a job knows."""

    job: Job
    syslog: JobLog
    scratch: Path
    committer: Committer
    splits: tuple[Split, ...]

    def sort_settings(self, sorters: int) -> SortSettings:
        """Settings for each of `sorters` that run at once."""
        return SortSettings(self.scratch, max(1, self.job.parallel // sorters))


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
    sides = [job.map_separators] if job.combiner is None else [job.map_separators, job.reduce_separators]
    simple = all(side.output == b"\t" and side.fields == 1 for side in sides)
    words = ["stream.map.output"] if job.combiner is None else ["stream.map.output", "stream.reduce.output"]
    simple = simple and all(job.configuration.get(word, "text") == "text" for word in words)
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


class MapWorker:
    """Runs map tasks one after the other. Without a combiner they share a sort, as nothing tells them apart.

    `outputs` are pipes that lead straight to the only reducer; else run files are written at the end.
    """

    def __init__(
        self,
        site: Site,
        number: int,
        outputs: tuple[int, int] | None,
        progress: Callable[[int], None],
        sorters: int,
    ) -> None:
        self._site = site
        self._number = number
        self._outputs = outputs
        self._progress = progress
        self._done = 0
        self._layout = layout_of(site.job)
        self._partitioner = partitioner_of(site.job)
        self._settings = site.sort_settings(sorters)
        self._sorter = Sorter(self._layout, self._settings, outputs)

    def serve(self, channel: Connection) -> None:
        """Take split numbers until None comes; then finish the sort."""
        job = self._site.job
        failed = False
        try:
            while (number := channel.recv()) is not None:
                outcome = self._run(number)
                failed = failed or bool(outcome.causes)
                channel.send(outcome)
            if job.reduces and not job.combiner and not failed:
                self._finish(channel)
            else:
                channel.send(Outcome(SEALED, {}))
        finally:
            self._sorter.kill()

    def _run(self, number: int) -> Outcome:
        site, split = self._site, self._site.splits[number]
        task = Task(
            site.job,
            number,
            len(site.splits),
            is_map=True,
            syslog=site.syslog,
            progress=partial(self._report, split),
        )
        group, name = BYTES_READ
        task.counters[group] = {name: split.length}
        runs: dict[int, Path] = {}
        if not site.job.reduces:
            outcome = attempt(task, partial(self._map_only, task, split))
        elif site.job.combiner:
            outcome = attempt(task, lambda: runs.update(self._map_and_combine(task, split)))
        else:
            outcome = attempt(task, partial(self._map, task, split, self._sorter))
        self._done += split.length
        self._progress(self._done)
        combined = site.job.combiner is not None
        bare = self._sorter.bare and not combined
        return Outcome(number, outcome.counters, outcome.causes, runs, keyed=combined, bare=bare)

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

    def _map(self, task: Task, split: Split, sorter: Sorter) -> None:
        output = ShuffleOutput(task, self._layout, sorter)
        run_map(task, split, output)
        output.flush()
        for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
            task.count(name, 0)

    def _map_and_combine(self, task: Task, split: Split) -> dict[int, Path]:
        """Sort this task's pairs alone, and run the combiner once for each partition that has any."""
        sorter = Sorter(self._layout, self._settings)
        try:
            self._map(task, split, sorter)
            sorter.close()
            parts = self._cut(sorter, f"map-{task.number}")
            return {partition: self._combine(task, path) for partition, path in parts.items()}
        finally:
            sorter.kill()

    def _cut(self, sorter: Sorter, prefix: str) -> dict[int, Path]:
        merge = Merge(sorter.streams(), self._settings, keyed=sorter.keyed)
        try:
            files = PartitionFiles(self._site.scratch, prefix)
            found = cut_by_partition(merge.blocks(), self._layout, self._partitioner, files)
        finally:
            merge.close()
        sorter.check()
        return found

    def _combine(self, task: Task, run: Path) -> Path:
        program = self._site.job.combiner
        assert program
        combined = run.with_suffix(".combined")
        merge = Merge([run], self._settings, keyed=False)
        try:
            with combined.open("wb") as file:
                output = RunOutput(task, self._layout, lambda block: _ignore(file.write(block)))
                run_reduction(task, combination(program, self._layout), merge.blocks(), output)
        finally:
            merge.close()
            run.unlink()
        return combined

    def _finish(self, channel: Connection) -> None:
        """Hand over the sorted pairs of all tasks: through the pipes, or as run files."""
        self._sorter.close()
        keyed = self._sorter.keyed or not self._layout.plain
        try:
            if self._outputs:
                for descriptor in self._outputs:
                    os.close(descriptor)
                channel.send(Outcome(SEALED, {}, keyed=keyed))
                self._sorter.check()
                channel.send(Outcome(SEALED, {}))
            else:
                runs = self._cut(self._sorter, f"worker-{self._number}")
                channel.send(Outcome(SEALED, {}, runs=runs, keyed=keyed))
        except TaskFailure as failure:
            channel.send(self._sealed_badly(failure))
        except OSError as error:
            channel.send(self._sealed_badly(from_os_error(error)))

    def _sealed_badly(self, failure: TaskFailure) -> Outcome:
        _tell(self._site.syslog, self._site.job, failure)
        return Outcome(SEALED, {}, failure.causes)


def _ignore(_written: int) -> None:
    """The number of bytes that a buffered file took is all of them."""


def run_reduce(
    site: Site,
    number: int,
    merge: Merge,
    progress: Callable[[int], None],
    permission: Callable[[], object],
    *,
    bare: bool,
) -> Outcome:
    """Run one reduce task over its merged runs; when `permission` has returned, commit its part file."""
    task = Task(site.job, number, len(site.splits), is_map=False, syslog=site.syslog, progress=progress)
    for name in (COMBINE_INPUT_RECORDS, COMBINE_OUTPUT_RECORDS):
        task.count(name, 0)
    return attempt(task, lambda: _reduce(site, task, merge, permission, bare=bare))


def _reduce(site: Site, task: Task, merge: Merge, permission: Callable[[], object], *, bare: bool) -> None:
    output = open_output(task, REDUCE_OUTPUT_RECORDS, site.committer)
    try:
        run_reduction(task, final_reduction(site.job, layout_of(site.job), bare=bare), merge.blocks(), output)
        output.close()
        permission()
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
