"""The common part of map and reduce tasks: identity, environment, counters, and when a command has failed.

Sources: org.apache.hadoop.mapred.MapTask and ReduceTask (localizeConfiguration), PipeMapRed
(environment, waitOutputThreads), org.apache.hadoop.mapreduce.counters.Limits and AbstractCounters (getGroup: a group of
the framework is found by the name of its class alone, so that a command's "Map-Reduce Framework" is another one).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from flowspec.engines.counters import Counters
from flowspec.engines.joblog import JobLog
from flowspec.engines.streaming.data.committer import Committer, PartFile, task_id
from flowspec.engines.streaming.data.inputs import TaskInput
from flowspec.engines.streaming.data.lines import split_lines, tabbed, unify, whole_lines
from flowspec.engines.streaming.hadoop.classes import NULL_OUTPUT
from flowspec.engines.streaming.hadoop.configuration import OLD_NAMES, variable_name
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.records import Cut, Writable, cutter, output_joiner, whole_key
from flowspec.engines.streaming.run import commands
from flowspec.engines.streaming.run.jobspec import Job

FRAMEWORK = "org.apache.hadoop.mapreduce.TaskCounter"
_OLD_FRAMEWORK = "org.apache.hadoop.mapred.Task$Counter"
MAP_INPUT_RECORDS = "Map input records"
MAP_OUTPUT_RECORDS = "Map output records"
MAP_OUTPUT_BYTES = "Map output bytes"
COMBINE_INPUT_RECORDS = "Combine input records"
COMBINE_OUTPUT_RECORDS = "Combine output records"
REDUCE_INPUT_GROUPS = "Reduce input groups"
REDUCE_INPUT_RECORDS = "Reduce input records"
REDUCE_OUTPUT_RECORDS = "Reduce output records"
FRAMEWORK_ORDER = (
    MAP_INPUT_RECORDS,
    MAP_OUTPUT_RECORDS,
    MAP_OUTPUT_BYTES,
    COMBINE_INPUT_RECORDS,
    COMBINE_OUTPUT_RECORDS,
    REDUCE_INPUT_GROUPS,
    REDUCE_INPUT_RECORDS,
    REDUCE_OUTPUT_RECORDS,
)
BYTES_READ = ("org.apache.hadoop.mapreduce.lib.input.FileInputFormatCounter", "Bytes Read")
BYTES_WRITTEN = ("org.apache.hadoop.mapreduce.lib.output.FileOutputFormatCounter", "Bytes Written")
GROUP_HEADINGS = {
    FRAMEWORK: "Map-Reduce Framework",
    BYTES_READ[0]: "File Input Format Counters ",
    BYTES_WRITTEN[0]: "File Output Format Counters ",
}

PAIRS_AT_ONCE = 1 << 12  # pairs that come one by one are handed on together

_LIMIT_EXCEEDED = "org.apache.hadoop.mapreduce.counters.LimitExceededException"
_MAX_GROUPS = 50  # mapreduce.job.counters.groups.max
_MAX_GROUP_NAME, _MAX_NAME = 128, 64


@dataclass
class Task:
    """One attempt at a task. `progress` is called with the number of bytes read so far.

    `split` is what a map task reads; its combiner gets it, too.
    """

    job: Job
    number: int
    maps: int
    is_map: bool
    syslog: JobLog
    progress: Callable[[int], None]
    split: TaskInput | None = None
    counters: Counters = field(default_factory=dict)

    @property
    def attempt(self) -> str:
        """The id of the attempt: `attempt_local123_0001_m_000000_0`."""
        kind = "m" if self.is_map else "r"
        return f"attempt_{self.job.id.removeprefix('job_')}_{kind}_{self.number:06d}_0"

    def count(self, name: str, amount: int) -> None:
        """Adds to one of the framework's counters; 0 makes it appear."""
        group = self.counters.setdefault(FRAMEWORK, {})
        group[name] = group.get(name, 0) + amount

    def count_own(self, group: str, name: str, amount: int) -> None:
        """Adds to a counter of a command. Raises `TaskFailure` when there are too many (Limits)."""
        if group in (FRAMEWORK, _OLD_FRAMEWORK):
            # The framework's group has no counter for another name (FrameworkCounterGroup.findCounter).
            shown = name.replace("_", " ").capitalize()
            if shown in FRAMEWORK_ORDER:
                self.count(shown, amount)
            return
        group = group if len(group) <= _MAX_GROUP_NAME else group[: _MAX_GROUP_NAME - 1]
        name = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1]
        own = self.counters.get(group, {})
        if name not in own:
            self._check_limits(group)
        self.counters.setdefault(group, {})[name] = own.get(name, 0) + amount

    def _check_limits(self, group: str) -> None:
        limit = self.job.configuration.integer("mapreduce.job.counters.max", 120)
        groups = [name for name in self.counters if name != FRAMEWORK]
        later = 0 if self.is_map and self.job.reduces else 1 if self.is_map else 7  # bytes written, shuffle errors
        total = sum(len(self.counters[name]) for name in groups) + later
        if total >= limit:
            raise _limit_exceeded(f"Too many counters: {total + 1} max={limit}")
        if group not in groups and len(groups) >= _MAX_GROUPS:
            raise _limit_exceeded(f"Too many counter groups: {len(groups) + 1} max={_MAX_GROUPS}", depth=2)

    def environment(self) -> dict[str, str]:
        """Returns the environment of the task's commands: ours, every property, and what `-cmdenv` says."""
        job = self.job
        own = {variable_name(name): job.truncate(value) for name, value in self._own_properties()}
        tmpdir = "/tmp"  # noqa: S108 - java.io.tmpdir on Linux, whatever -cmdenv says
        return {**job.environment, **own, **job.given_environment, "TMPDIR": tmpdir}

    def _own_properties(self) -> list[tuple[str, str]]:
        """Returns the properties that the task sets at run time: under the new name and the old one."""
        job = self.job
        output = f"{job.output}/_temporary/0/_temporary/{self.attempt}"
        own = {
            "mapreduce.job.id": job.id,
            "mapreduce.task.id": task_id(self.attempt),
            "mapreduce.task.attempt.id": self.attempt,
            "mapreduce.task.partition": str(self.number),
            "mapreduce.task.ismap": "true" if self.is_map else "false",
            "mapreduce.task.output.dir": output,
            "mapreduce.cluster.local.dir": str(job.files.working),
            "mapreduce.job.skiprecords": "false",
            "mapreduce.job.user.name": job.configuration.get("mapreduce.job.user.name"),
        }
        if self.split:
            first = self.split.parts[0]  # a map task starts its command before it opens the next part
            own["mapreduce.map.input.file"] = first.file.uri
            own["mapreduce.map.input.start"] = str(first.start)
            own["mapreduce.map.input.length"] = str(first.length)
        if not self.is_map:
            own["mapreduce.job.maps"] = str(self.maps)
            own["mapreduce.jobtracker.address"] = "local"
        old = {OLD_NAMES[name]: value for name, value in own.items() if name in OLD_NAMES}
        return [("mapreduce.job.maps", str(self.maps)), *own.items(), *old.items()]

    def reporter(self, *, report: bool = True) -> commands.Reporter:
        """Returns the reader of a command's standard error; its counters and status count if `report`."""
        return commands.Reporter(
            self.job.configuration.get("stream.stderr.reporter.prefix", "reporter:"),
            count=self.count_own if report else _discard,
            status=(lambda text: self.syslog.info("LocalJobRunner", text)) if report else _discard,
            warn=lambda text: self.syslog.warn("PipeMapRed", text),
        )

    def run_command(
        self, command: str, feed: commands.Feed, *, report: bool = True, longest: int | None = None
    ) -> commands.RunningCommand:
        """Starts a command of this task, whose input has `longest` bytes at most. Raises `TaskFailure`."""
        process = commands.start(command, self.environment(), self.job.files.working)
        warn = partial(self.syslog.warn, "PipeMapRed")
        listen = self.reporter(report=report).listen
        return commands.RunningCommand(process, feed, listen, longest, warn, patience=self._output_patience)

    def _output_patience(self, code: int) -> float:
        """Returns how many seconds to wait for output after a command's end, if another process has it open."""
        if self._is_failure(code):
            return 0
        return self.job.configuration.integer("stream.joindelay.milli", 0, bits=64) / 1000 or math.inf

    def _is_failure(self, code: int) -> bool:
        return bool(code) and self.job.configuration.boolean("stream.non.zero.exit.is.failure", default=True)

    def check_status(self, code: int) -> None:
        """Raises `TaskFailure` for an exit status other than 0, unless the job tolerates it."""
        if self._is_failure(code):
            raise TaskFailure(
                f"java.lang.RuntimeException: PipeMapRed.waitOutputThreads(): subprocess failed with code {code}"
            )
        if code:
            self.syslog.info("PipeMapRed", f"PipeMapRed.waitOutputThreads(): subprocess exited with code {code}")


def _limit_exceeded(message: str, depth: int = 1) -> TaskFailure:
    causes = [f"{_LIMIT_EXCEEDED}: " * level + message for level in range(depth, 0, -1)]
    return TaskFailure(f"java.lang.RuntimeException: {causes[0]}", *causes)


def _discard(*_said: object) -> None:
    """Discards, as Hadoop's Reporter.NULL."""


class Output(Protocol):
    """Receives a command's pairs, block by block or one by one."""

    def lines(self, block: bytes) -> None:
        """Takes a block of whole lines, each a key up to its first TAB, and a value."""

    def pair(self, key: Writable, value: Writable) -> None:
        """Takes one pair."""


class TextOutput:
    """The output of a reducer, or of a mapper without one, in Hadoop's TextOutputFormat."""

    def __init__(self, task: Task, counter: str, part: PartFile | None) -> None:
        self._task = task
        self._counter = counter
        self._part = part
        self._separator = task.job.output_separator
        self._join = output_joiner(self._separator)
        self._pending: list[bytes] = []
        task.count(counter, 0)

    def lines(self, block: bytes) -> None:
        """Writes a block of lines."""
        known = tabbed(block)
        self._task.count(self._counter, known.records)
        if not self._part:
            return
        if self._separator == b"\t":
            self._part.write(known.block)
        else:
            lines = split_lines(known.block)
            self._part.write(b"".join(line.replace(b"\t", self._separator, 1) + b"\n" for line in lines))

    def pair(self, key: Writable, value: Writable) -> None:
        """Writes one pair."""
        self._task.count(self._counter, 1)
        self._pending.append(self._join(key, value))
        if len(self._pending) >= PAIRS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes the pairs that were held back."""
        data, self._pending = b"".join(self._pending), []
        if data and self._part:
            self._part.write(data)

    def close(self) -> None:
        """Finishes the part file. Raises `OSError`."""
        self.flush()
        if self._part:
            self._part.close()
            group, name = BYTES_WRITTEN
            self._task.counters.setdefault(group, {})[name] = self._part.size

    def abandon(self) -> None:
        """Closes the part file as it is."""
        if self._part:
            self._part.abandon()


def open_output(task: Task, counter: str, committer: Committer) -> TextOutput:
    """Opens the task's part file below its work path. Raises `OSError`."""
    job = task.job
    work = committer.make_work_path(task.attempt)
    if job.output_format == NULL_OUTPUT:
        return TextOutput(task, counter, None)
    return TextOutput(task, counter, PartFile(work, task.number, codec=job.codec, lazy=job.lazy_output))


def output_cutter(job: Job, side: str) -> Cut | None:
    """Chooses how the lines of a command (`map` or `reduce`) are cut; None: at the first TAB, block by block."""
    if job.configuration.get(f"stream.{side}.output", "text") == "keyonlytext":
        return whole_key
    separators = job.map_separators if side == "map" else job.reduce_separators
    if separators.output == b"\t" and separators.fields == 1:
        return None
    return cutter(separators.output, separators.fields)


def write_command_output(chunks: Iterator[bytes], cut: Cut | None, output: Output) -> None:
    """Cuts what a command writes into pairs, and passes them on."""
    for block in whole_lines(unify(chunks)):
        if cut is None:
            output.lines(block)
        else:
            for line in split_lines(block):
                output.pair(*cut(line))
