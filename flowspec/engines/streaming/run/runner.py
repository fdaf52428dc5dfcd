"""Runs a whole job on this machine: checks it, cuts it into tasks, runs them on all cores, commits their output.

Sources: org.apache.hadoop.mapreduce.JobSubmitter (checks and their order), LocalJobRunner (all maps run,
then all reduces; no retries), org.apache.hadoop.mapreduce.Job.monitorAndPrintJob (what is logged).
"""

from __future__ import annotations

import mmap
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from flowspec.engines.counters import Counters, format_counters
from flowspec.engines.joblog import JobLog
from flowspec.engines.paths import UnknownScheme
from flowspec.engines.streaming.data import arrays, inputs
from flowspec.engines.streaming.data.collect import MapOutput
from flowspec.engines.streaming.data.committer import Committer
from flowspec.engines.streaming.data.runs import MemoryFiles
from flowspec.engines.streaming.hadoop.arguments import ClientError, file_error, launch_error, uncaught
from flowspec.engines.streaming.hadoop.classes import COMBINE_INPUT, NLINE_INPUT, NULL_OUTPUT
from flowspec.engines.streaming.hadoop.failure import FAILURES, TaskFailure, as_task_failure
from flowspec.engines.streaming.hadoop.javalang import wrapped
from flowspec.engines.streaming.run.cache import localize
from flowspec.engines.streaming.run.jobspec import Job
from flowspec.engines.streaming.run.tasks import FRAMEWORK, FRAMEWORK_ORDER, GROUP_HEADINGS, MAP_OUTPUT_BYTES
from flowspec.engines.streaming.run.worker import (
    ALL_TASKS,
    JobContext,
    MapWorker,
    TaskResult,
    log_crash,
    run_reduce,
    shuffle_of,
)
from flowspec.engines.streaming.run.worker_pool import PoolProcess, WorkerPool
from flowspec.interrupts import interrupts_held_back

_PROGRESS_INTERVAL = 0.3  # seconds between two reads of the progress
_MOST_AT_ONCE = 32  # tasks that a process is given together
# A process gets at most an eighth of its share of the remaining tasks, so that all processes end at the same time.
_SHARE = 8
_LOG_SPACE_FROM = 256 << 20  # bytes


def run_job(job: Job, syslog: JobLog) -> bool:
    """Runs a job; returns whether it succeeded. Raises `ClientError` when it is refused before it starts."""
    splits = _checked_splits(job)
    _check_properties(job)
    try:
        scratch = Path(tempfile.mkdtemp(prefix="flowspec-streaming-"))
    except OSError as error:
        raise launch_error(f"no place for temporary files: {error.strerror or error}") from error
    links: list[Path] = []
    try:
        _localize_files(job, scratch, syslog, links)
        return _Runner(job, syslog, scratch, splits).run()
    finally:
        with interrupts_held_back():
            for link in links:
                link.unlink(missing_ok=True)
            shutil.rmtree(scratch, ignore_errors=True)


def _localize_files(job: Job, scratch: Path, syslog: JobLog, links: list[Path]) -> None:
    try:
        localize(job.shipments, scratch / "cache", job.files.working, syslog, links)
    except OSError as error:
        raise launch_error(str(error)) from error


def _checked_splits(job: Job) -> tuple[inputs.TaskInput, ...]:
    """Returns the splits in task order, after Hadoop's checks: first the output, then the input."""
    try:
        if job.output_format != NULL_OUTPUT:
            _check_output(job)
        splits = _splits(job)
    except (inputs.InvalidInput, UnknownScheme) as error:
        raise launch_error(str(error)) from error
    except OSError as error:
        raise file_error(error) from error
    return tuple(inputs.in_task_order(splits))


def _splits(job: Job) -> Sequence[inputs.TaskInput]:
    conf = job.configuration
    if job.input_format == COMBINE_INPUT:
        sizes = inputs.combined_sizes(conf)
        return inputs.combine_files(inputs.list_files(job.inputs, job.files, conf, ignore_directories=True), sizes)
    found = inputs.list_files(job.inputs, job.files, conf)
    if job.input_format == NLINE_INPUT:
        return inputs.split_lines_of(found, inputs.lines_per_map(conf))
    return inputs.split_files(found, conf, _wanted_maps(job))


def _check_output(job: Job) -> None:
    if job.output_path.exists():
        raise _output_exists(job)
    above = next(folder for folder in job.output_path.parents if folder.exists())
    if not above.is_dir():
        # Hadoop's local file system throws ParentNotDirectoryException. In S3 a key may be below another one.
        raise launch_error(f"Parent path is not a directory: {above} is a file, and {job.output} would be below it")


def _wanted_maps(job: Job) -> int:
    """Returns the number of map tasks that are to share the input: one for each core, or `mapreduce.job.maps` if given.

    Where the number shows in the result, it is LocalJobRunner's 1: in the part files of a map-only job, and in the
    order of keys that a comparator finds equal.
    """
    name = "mapreduce.job.maps"
    try:
        given = job.configuration.integer(name, 1)
    except ValueError as error:
        raise uncaught(f"java.lang.NumberFormatException: {error}") from error
    if not job.reduces or job.sort_fields:
        return 1
    return max(1, given) if job.configuration.is_given(name) else job.parallel


def _check_properties(job: Job) -> None:
    if character := job.configuration.illegal_character():
        said = f"Illegal character entity: expansion character (code 0x{ord(character):x}"
        raise uncaught(f"java.lang.RuntimeException: com.ctc.wstx.exc.WstxParsingException: {said}")


def _committer_version(job: Job) -> int:
    """Returns the algorithm of FileOutputCommitter; if it is not a number, Hadoop's client waits for ever."""
    name = "mapreduce.fileoutputcommitter.algorithm.version"
    try:
        return job.configuration.integer(name, 2)
    except ValueError as error:
        raise launch_error(f"{name}: {error}") from error


def _output_exists(job: Job) -> ClientError:
    return launch_error(f"Output directory {job.output} already exists")


def _send_some(member: PoolProcess, todo: range, members: int) -> range:
    """Sends a process the numbers of its next tasks; returns the rest."""
    some = max(1, min(_MOST_AT_ONCE, len(todo) // (_SHARE * members)))
    with suppress(OSError):  # the process has died, which is detected when its messages are read
        member.channel.send(todo[:some])
    return todo[some:]


class SharedProgress:
    """The bytes that the processes of a phase have read: each writes its own number, and the client reads all."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, max(8 * places, mmap.PAGESIZE))
        self._places = places

    def put(self, place: int, number: int) -> None:
        """Writes a number to a place."""
        struct.pack_into("=q", self._memory, 8 * place, number)

    def total(self) -> int:
        """Returns the sum of all."""
        return sum(struct.unpack_from(f"={self._places}q", self._memory))


class _Runner:
    def __init__(self, job: Job, syslog: JobLog, scratch: Path, splits: tuple[inputs.TaskInput, ...]) -> None:
        self._job = job
        self._log = syslog
        conf = job.configuration
        self._version = _committer_version(job)
        committer = Committer(
            job.output_path,
            version=self._version,
            mark=conf.boolean("mapreduce.fileoutputcommitter.marksuccessfuljobs", default=True),
        )
        self._context = JobContext(job, syslog, scratch, committer, splits)
        self._pool = WorkerPool(partial(log_crash, syslog))
        self._counters: Counters = {}
        self._failed = False
        self._percent = (-1, -1)
        self._map_outputs: list[MapOutput] = []
        self._mappers = min(job.parallel, len(splits))  # the map workers
        self._memory = MemoryFiles(self._context.size, job.reduces, self._mappers)

    def run(self) -> bool:
        """Runs the tasks; returns whether the job succeeded."""
        self._log.info("Job", f"Running job: {self._job.id}")
        done = False
        try:
            self._setup()
            self._run_phases()
            if not self._failed:
                self._context.committer.commit_job()
                done = True
        except FAILURES as error:
            self._log.warn("LocalJobRunner", self._job.id)
            self._log.plain(as_task_failure(error).trace())
        finally:
            with interrupts_held_back():
                self._pool.end()
                self._memory.close()
                if not done:
                    self._context.committer.abort_job()
        self._conclude(done)
        return done

    def _conclude(self, done: bool) -> None:
        job = self._job
        if done:
            self._log_progress(100, 100 if job.reduces else 0)
            self._log.info("Job", f"Job {job.id} completed successfully")
        else:
            self._log.info("Job", f"Job {job.id} failed with state FAILED due to: NA")
        self._log.info("Job", format_counters(list(_order_counters(self._counters))))

    def _setup(self) -> None:
        """Sets the job up as LocalJobRunner.Job.run does, with the same failures."""
        if self._version not in (1, 2):
            raise TaskFailure("java.io.IOException: Only 1 or 2 algorithm version is supported")
        new = self._job.output_format != NULL_OUTPUT
        try:
            self._context.committer.setup(new=new)
        except FileExistsError as error:
            if not new:
                raise
            # Another job has created the folder since the check of the output: shipped files were copied in between.
            raise _output_exists(self._job) from error
        if self._job.reduces < 0:
            raise TaskFailure(f"java.lang.NegativeArraySizeException: {self._job.reduces}")

    def _run_phases(self) -> None:
        self._log_progress(0, 0)
        self._log_space()
        self._map_phase()
        if self._failed:
            # Pairs are weighed where they are sorted, which a failed map phase leaves out.
            self._counters.get(FRAMEWORK, {}).pop(MAP_OUTPUT_BYTES, None)
        elif self._job.reduces:
            self._reduce_phase()

    def _log_space(self) -> None:
        """Logs how much space a large shuffle takes, and where; the exact output of the mappers is not known yet."""
        size, scratch = self._context.size, self._context.scratch
        if not self._job.reduces or size < _LOG_SPACE_FROM:
            return
        if self._memory:
            self._log.info("LocalJobRunner", f"{size} bytes of input are sorted in memory")
            return
        free = shutil.disk_usage(scratch).free
        tell = self._log.info if size < free else self._log.warn
        tell("LocalJobRunner", f"{size} bytes of input are sorted by way of {scratch}, where {free} bytes are free")

    def _map_phase(self) -> None:
        arrays.load_numpy_before_fork(self._context.size)
        shared = SharedProgress(self._mappers)
        works = [partial(self._map_worker, number, shared) for number in range(self._mappers)]
        idle = partial(self._show_share, shared, self._context.size, (0, 0), (100, 0))
        self._run_tasks(works, len(self._context.splits), idle)

    def _run_tasks(self, works: Sequence[Callable[[Connection], None]], tasks: int, idle: Callable[[], None]) -> None:
        """Forks a process for each of `works`, and gives them task numbers until each has answered to none.

        They get several at once while many are left: a message for each took a tenth of the time of tiny tasks.
        """
        members = [self._pool.start(work) for work in works]
        todo = range(tasks)
        for member in members:
            todo = _send_some(member, todo, len(members))
        for member, results in self._pool.messages(members, idle, _PROGRESS_INTERVAL):
            for result in results:
                self._record(result)
            if results[-1].number != ALL_TASKS:
                todo = _send_some(member, todo, len(members))
            else:
                member.awaited = False

    def _map_worker(self, number: int, shared: SharedProgress, channel: Connection) -> None:
        in_memory = self._memory.of_worker(number)
        MapWorker(self._context, f"worker-{number}", in_memory, partial(shared.put, number)).serve(channel)

    def _reduce_phase(self) -> None:
        workers = min(self._job.parallel, self._job.reduces)
        shared = SharedProgress(workers)
        shuffled = self._counters.get(FRAMEWORK, {}).get(MAP_OUTPUT_BYTES, 0)
        works = [partial(self._reduce_worker, number, shared) for number in range(workers)]
        self._run_tasks(works, self._job.reduces, partial(self._show_share, shared, shuffled, (100, 0), (100, 100)))

    def _reduce_worker(self, place: int, shared: SharedProgress, channel: Connection) -> None:
        """Runs reduce tasks one after the other. A process for each took 10 ms of CPU instead of 2.5."""
        done = 0

        def progress(size: int) -> None:
            nonlocal done
            done += size
            shared.put(place, done)

        shuffle = shuffle_of(self._context)
        while numbers := channel.recv():
            channel.send([run_reduce(self._context, one, shuffle, self._map_outputs, progress) for one in numbers])
        channel.send([TaskResult(ALL_TASKS, {})])

    def _record(self, result: TaskResult) -> None:
        """Adds the results that a process reported."""
        for group, counters in result.counters.items():
            totals = self._counters.setdefault(group, {})
            for name, amount in counters.items():
                totals[name] = wrapped(totals.get(name, 0) + amount)
        if result.map_output:
            self._map_outputs.append(result.map_output)
        self._failed = self._failed or bool(result.causes)

    def _show_share(self, shared: SharedProgress, total: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        share = min(1.0, shared.total() / total) if total else 0.0
        maps, reduces = (int(low + (high - low) * share) for low, high in zip(start, end, strict=True))
        self._log_progress(maps, reduces)

    def _log_progress(self, maps: int, reduces: int) -> None:
        if (maps, reduces) != self._percent:
            self._percent = (maps, reduces)
            self._log.info("Job", f" map {maps}% reduce {reduces}%")


def _order_counters(counters: Counters) -> Iterator[tuple[str, dict[str, int]]]:
    """Yields the headings of the groups with their counters: the framework's first, the others by their names."""
    framework = counters.get(FRAMEWORK)
    if framework:
        yield (
            GROUP_HEADINGS[FRAMEWORK],
            {name: framework[name] for name in (*FRAMEWORK_ORDER, *sorted(framework)) if name in framework},
        )
    for group in sorted(counters.keys() - {FRAMEWORK}):
        yield GROUP_HEADINGS.get(group, group), dict(sorted(counters[group].items()))
