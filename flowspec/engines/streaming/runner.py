"""A whole job on this machine: checked, cut into tasks, run on all cores, committed.

Sources: org.apache.hadoop.mapreduce.JobSubmitter (checks and their order), LocalJobRunner (all maps run,
then all reduces; no retries), org.apache.hadoop.mapreduce.Job.monitorAndPrintJob (what is logged).
"""

from __future__ import annotations

import itertools
import mmap
import os
import shutil
import struct
import tempfile
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from flowspec.engines.counters import Counters, format_counters
from flowspec.engines.paths import UnknownScheme
from flowspec.engines.streaming import inputs
from flowspec.engines.streaming.arguments import ClientError
from flowspec.engines.streaming.cache import localize
from flowspec.engines.streaming.classes import NLINE_INPUT, NULL_OUTPUT
from flowspec.engines.streaming.committer import Committer
from flowspec.engines.streaming.crew import Crew, Member
from flowspec.engines.streaming.failure import TaskFailure, from_os_error
from flowspec.engines.streaming.joblog import JobLog
from flowspec.engines.streaming.jobspec import Job
from flowspec.engines.streaming.shuffle import Merge
from flowspec.engines.streaming.tasks import (
    BYTES_READ,
    BYTES_WRITTEN,
    FRAMEWORK,
    FRAMEWORK_ORDER,
    MAP_OUTPUT_BYTES,
)
from flowspec.engines.streaming.worker import MapWorker, Outcome, Site, run_reduce, tell_crash

_PROGRESS_INTERVAL = 0.3  # seconds between two looks at the progress


def run(job: Job, syslog: JobLog) -> bool:
    """Run a job; whether it succeeded. Raises `ClientError` when it is refused before it starts."""
    splits = _checked_splits(job)
    try:
        scratch = Path(tempfile.mkdtemp(prefix="flowspec-streaming-"))
    except OSError as error:
        raise _launch_error(f"no place for temporary files: {error.strerror or error}") from error
    links: list[Path] = []
    try:
        links = _localized(job, scratch, syslog)
        return _Runner(job, syslog, scratch, splits).run()
    finally:
        for link in links:
            link.unlink(missing_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)


def _localized(job: Job, scratch: Path, syslog: JobLog) -> list[Path]:
    try:
        return localize(job.shipments, scratch / "cache", job.files.working, syslog)
    except (OSError, shutil.Error) as error:
        raise _launch_error(str(error)) from error


def _checked_splits(job: Job) -> tuple[inputs.Split, ...]:
    """The splits in task order, after Hadoop's checks: first the output, then the input."""
    try:
        if job.output_format != NULL_OUTPUT and job.output_path.exists():
            raise _launch_error(f"Output directory {job.output} already exists")
        found = inputs.list_files(job.inputs, job.files, job.configuration)
        if job.input_format == NLINE_INPUT:
            lines = job.configuration.integer("mapreduce.input.lineinputformat.linespermap", 1)
            splits = inputs.split_lines_of(found, max(1, lines))
        else:
            splits = inputs.split_files(found, job.configuration)
    except (inputs.InvalidInput, UnknownScheme) as error:
        raise _launch_error(str(error)) from error
    except OSError as error:
        raise _launch_error(f"{error.filename}: {error.strerror}") from error
    return tuple(inputs.in_task_order(splits))


def _launch_error(message: str) -> ClientError:
    return ClientError(logged=f"Error Launching job : {message}", status=5)


class Board:
    """Numbers that many processes write, each its own, and the client reads."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, max(8 * places, mmap.PAGESIZE))
        self._places = places

    def put(self, place: int, number: int) -> None:
        """Write a number to a place."""
        struct.pack_into("=q", self._memory, 8 * place, number)

    def total(self) -> int:
        """The sum of all."""
        return sum(struct.unpack_from(f"={self._places}q", self._memory))


class _Runner:
    def __init__(self, job: Job, syslog: JobLog, scratch: Path, splits: tuple[inputs.Split, ...]) -> None:
        self._job = job
        self._log = syslog
        conf = job.configuration
        committer = Committer(
            job.output_path,
            version=conf.integer("mapreduce.fileoutputcommitter.algorithm.version", 2),
            mark=conf.boolean("mapreduce.fileoutputcommitter.marksuccessfuljobs", default=True),
        )
        self._site = Site(job, syslog, scratch, committer, splits)
        self._crew = Crew(partial(tell_crash, syslog))
        self._counters: Counters = {}
        self._failed = False
        self._percent = (-1, -1)
        self._runs: dict[int, list[Path]] = {}
        self._keyed = False
        self._bare = True

    def run(self) -> bool:
        """Run the tasks; whether the job succeeded."""
        self._log.info("Job", f"Running job: {self._job.id}")
        done = False
        try:
            self._site.committer.setup()
            self._work()
            if not self._failed:
                self._site.committer.commit_job()
                done = True
        except OSError as error:
            failure = from_os_error(error)
            self._log.warn("LocalJobRunner", self._job.id)
            self._log.plain(failure.trace())
        finally:
            self._crew.end()
            if not done:
                self._site.committer.abort_job()
        self._conclude(done)
        return done

    def _conclude(self, done: bool) -> None:
        job = self._job
        if done:
            self._show(100, 100 if job.reduces else 0)
            self._log.info("Job", f"Job {job.id} completed successfully")
        else:
            self._log.info("Job", f"Job {job.id} failed with state FAILED due to: NA")
        self._log.info("Job", format_counters(_in_order(self._counters)))

    def _work(self) -> None:
        self._show(0, 0)
        workers = min(self._job.parallel, len(self._site.splits))
        direct = self._job.reduces == 1 and not self._job.combiner
        pipes = [os.pipe() for _ in range(2 * workers)] if direct else []
        mapping = self._map_phase(workers, pipes)
        if not self._failed and self._job.reduces:
            self._reduce_phase(mapping, pipes)

    def _map_phase(self, workers: int, pipes: list[tuple[int, int]]) -> list[Member]:
        """Run all map tasks; the workers are returned, some with a sort that waits to be read."""
        splits = self._site.splits
        board = Board(workers)
        total = sum(split.length for split in splits)
        mapping = [
            self._crew.start(partial(self._map_worker, number, workers, pipes, board)) for number in range(workers)
        ]
        for _, write_end in pipes:
            os.close(write_end)
        todo = iter(range(len(splits)))
        for member in mapping:
            member.channel.send(next(todo, None))
        idle = partial(self._show_share, board, total, (0, 0), (100, 0))
        for member, outcome in self._crew.messages(mapping, idle, _PROGRESS_INTERVAL):
            self._take(outcome)
            if outcome and outcome.number >= 0:
                member.channel.send(next(todo, None))
            else:
                member.awaited = False
        return mapping

    def _map_worker(
        self, number: int, workers: int, pipes: list[tuple[int, int]], board: Board, channel: Connection
    ) -> None:
        for at, (read_end, write_end) in enumerate(pipes):
            os.close(read_end)
            if at // 2 != number:
                os.close(write_end)
        outputs = (pipes[2 * number][1], pipes[2 * number + 1][1]) if pipes else None
        MapWorker(self._site, number, outputs, partial(board.put, number), workers).serve(channel)

    def _reduce_phase(self, mapping: list[Member], pipes: list[tuple[int, int]]) -> None:
        reduces = self._job.reduces
        board = Board(reduces)
        sorting = mapping if pipes else []
        for member in sorting:
            member.awaited = True
        sources: list[Path | int] = [ends[0] for at, ends in enumerate(pipes) if self._keyed or at % 2 == 0]
        todo = iter(range(reduces))
        starting = (self._start_reduce(number, sources, board) for number in todo)
        members = [*sorting, *itertools.islice(starting, min(self._job.parallel, reduces))]
        for read_end, _ in pipes:
            os.close(read_end)
        idle = partial(self._show_share, board, self._shuffled(), (100, 0), (100, 100))
        for member, outcome in self._crew.messages(members, idle, _PROGRESS_INTERVAL):
            member.awaited = False
            self._take(outcome)
            if member in sorting:
                self._permit(sorting, members)
            else:
                members.extend(itertools.islice(starting, 1))
            if self._failed and sorting:
                break

    def _permit(self, sorting: list[Member], members: list[Member]) -> None:
        """The reducer that is fed by pipes may commit when the sorts behind them have ended well."""
        if not self._failed and not any(member.awaited for member in sorting):
            for member in members[len(sorting) :]:
                member.channel.send(True)

    def _start_reduce(self, number: int, pipes: list[Path | int], board: Board) -> Member:
        sources = pipes or list(self._runs.get(number, []))

        def work(channel: Connection) -> None:
            done = 0

            def progress(size: int) -> None:
                nonlocal done
                done += size
                board.put(number, done)

            permission = channel.recv if pipes else _granted
            settings = self._site.sort_settings(min(self._job.parallel, self._job.reduces))
            merge = Merge(sources, settings, keyed=self._keyed)
            channel.send(run_reduce(self._site, number, merge, progress, permission, bare=self._bare))

        return self._crew.start(work)

    def _take(self, outcome: Outcome | None) -> None:
        """Account for what a process told; None: it died without a word."""
        if outcome is None:
            self._failed = True
            self._log.warn("LocalJobRunner", self._job.id)
            self._log.plain(TaskFailure("java.io.IOException: a task's process ended unexpectedly").trace())
            return
        for group, counters in outcome.counters.items():
            totals = self._counters.setdefault(group, {})
            for name, amount in counters.items():
                totals[name] = totals.get(name, 0) + amount
        for partition, path in (outcome.runs or {}).items():
            self._runs.setdefault(partition, []).append(path)
        self._keyed = self._keyed or outcome.keyed
        self._bare = self._bare and outcome.bare
        self._failed = self._failed or bool(outcome.causes)

    def _shuffled(self) -> int:
        """About how many bytes the reducers will read."""
        paths = [path for runs in self._runs.values() for path in runs]
        if paths:
            return sum(path.stat().st_size for path in paths)
        return self._counters.get(FRAMEWORK, {}).get(MAP_OUTPUT_BYTES, 0)

    def _show_share(self, board: Board, total: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        share = min(1.0, board.total() / total) if total else 0.0
        maps, reduces = (int(low + (high - low) * share) for low, high in zip(start, end, strict=True))
        self._show(maps, reduces)

    def _show(self, maps: int, reduces: int) -> None:
        if (maps, reduces) != self._percent:
            self._percent = (maps, reduces)
            self._log.info("Job", f" map {maps}% reduce {reduces}%")


def _granted() -> None:
    """Nothing stands in the way of committing a task that was fed from files."""


def _in_order(counters: Counters) -> Counters:
    """The framework's group, those of the commands by name, then the bytes read and written."""
    last = (BYTES_READ[0], BYTES_WRITTEN[0])
    own = sorted(name for name in counters if name not in (FRAMEWORK, *last))
    framework = counters.get(FRAMEWORK, {})
    ordered = {name: framework[name] for name in FRAMEWORK_ORDER if name in framework}
    rest = {name: dict(sorted(counters[name].items())) for name in [*own, *last] if name in counters}
    return {FRAMEWORK: ordered, **rest} if ordered else rest
