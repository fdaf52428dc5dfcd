"""From the mappers' pairs to the reducers': sorted runs, cut by partition, merged.

Pairs travel as lines, and `sort` orders them. There are two layouts:

- *plain*: `key TAB value`, for text keys that end at the first TAB. Whole lines are sorted, which is
  the order of the keys because TAB is below every byte of a key; blocks with bytes below TAB go to a
  second sort that compares keys alone.
- *coded*: `order TAB key TAB value`, each with its control characters escaped, for everything else
  (comparators, numbers as keys, keys with a TAB in them). `order` is bytes whose plain order is wanted.

The order of the values of one key is not promised by Hadoop; here it is that of the lines.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from flowspec.engines.streaming import processes
from flowspec.engines.streaming.classes import LONG, NULL
from flowspec.engines.streaming.failure import TaskFailure
from flowspec.engines.streaming.lines import runs, split_lines, whole_lines
from flowspec.engines.streaming.partition import Partitioner
from flowspec.engines.streaming.records import Pair, Writable, as_bytes

_CONTROL = re.compile(rb"[\x00-\x0a]")
_ESCAPED = re.compile(rb"\x01(.)", re.DOTALL)
_LONG_OFFSET = 1 << 63
_SORT_MEMORY = 12 << 10  # KiB for each sort: more than the caches hold makes it slower, not faster
_RUNS_AT_ONCE = 128
_KEYED = ("-t", "\t", "-k1,1", "-s")
_BUFFERED = 1 << 17  # bytes of a partition that wait to be written together
_WORTH_LEAPING = 12  # lines in a run, from where leaping over it beats looking at each


def escape(text: bytes) -> bytes:
    """Text without control characters up to LF, in the same order as before."""
    if not _CONTROL.search(text):
        return text
    return _CONTROL.sub(lambda found: bytes((1, found[0][0] + 32)), text)


def unescape(text: bytes) -> bytes:
    """The text that `escape` was given."""
    if b"\x01" not in text:
        return text
    return _ESCAPED.sub(lambda found: bytes((found[1][0] - 32,)), text)


@dataclass(frozen=True)
class Layout:
    """How pairs are written as lines. `order` gives the bytes a text key is ordered by (None: its own)."""

    plain: bool
    key_class: str
    value_class: str
    order: Callable[[bytes], bytes] | None = None

    def encode(self, key: Writable, value: Writable) -> bytes:
        """The line of a pair, LF included."""
        if self.plain:
            return b"%b\t%b\n" % (as_bytes(key), as_bytes(value))
        return b"%b\t%b\t%b\n" % (self._ordered(key), escape(as_bytes(key)), escape(as_bytes(value)))

    def decode(self, line: bytes) -> Pair:
        """The pair of a line without its LF."""
        if self.plain:
            key, _, value = line.partition(b"\t")
            return key, value
        _, raw_key, raw_value = line.split(b"\t")
        return _typed(unescape(raw_key), self.key_class), _typed(unescape(raw_value), self.value_class)

    def pairs(self, stream: Iterator[bytes]) -> Iterator[Pair]:
        """The pairs of a stream of blocks."""
        return (self.decode(line) for block in stream for line in split_lines(block))

    def _ordered(self, key: Writable) -> bytes:
        if isinstance(key, int):
            return b"%020d" % (key + _LONG_OFFSET)
        text = as_bytes(key)
        return escape(self.order(text) if self.order else text)


def _typed(text: bytes, name: str) -> Writable:
    if name == NULL:
        return None
    return int(text) if name == LONG else text


@dataclass(frozen=True, slots=True)
class SortSettings:
    """Where `sort` puts what does not fit in memory, and how many threads each may use."""

    scratch: Path
    threads: int

    def command(self, *options: str) -> list[str]:
        """The words of a `sort` with these settings."""
        return [
            "sort",
            *options,
            f"--buffer-size={_SORT_MEMORY}K",
            f"--batch-size={_RUNS_AT_ONCE}",
            f"--parallel={self.threads}",
            f"--temporary-directory={self.scratch}",
        ]


def _start_sort(command: list[str], **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}
    return processes.start(command, env=environment, stderr=subprocess.PIPE, **options)


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """Wait for a sort; the last line that it said, with its status if it said nothing."""
    assert process.stderr
    said = process.stderr.read().decode("utf-8", "replace").splitlines()
    process.stderr.close()
    status = process.wait()
    return said[-1] if said else f"sort ended with status {status}"


def _check(process: subprocess.Popen[bytes]) -> None:
    """Wait for a sort. Raises `TaskFailure` with what it said if it failed."""
    said = _last_words(process)
    if process.returncode:
        raise TaskFailure(f"java.io.IOException: {said}")


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe and not pipe.closed:
            pipe.close()


class Sorter:
    """Sorts blocks of lines. The sorts start when there is something for them to do.

    `outputs` are descriptors for the sorted lines, one for plain blocks and one for those sorted by key
    alone; where None, pipes are made, to be read from `streams`. `bare`: all lines were keys alone so far.
    """

    def __init__(self, layout: Layout, settings: SortSettings, outputs: tuple[int, int] | None = None) -> None:
        self._layout = layout
        self._settings = settings
        self._outputs = outputs
        self._sorts: dict[bool, subprocess.Popen[bytes]] = {}
        self._failure: TaskFailure | None = None
        self.bare = layout.plain

    @property
    def keyed(self) -> bool:
        """Whether some of the lines were sorted by key alone: then all must be merged so."""
        return True in self._sorts

    def add(self, block: bytes, *, low: bool = False, bare: bool = False) -> None:
        """Take a block of lines, `low` and `bare` as in `Tabbed`. Raises `TaskFailure` if the sort has failed."""
        if self._failure:
            raise self._failure
        self.bare = self.bare and bare
        keyed = low or not self._layout.plain
        sort = self._sorts.get(keyed) or self._start(keyed)
        assert sort.stdin
        try:
            processes.write_all(sort.stdin.fileno(), memoryview(block))
        except BrokenPipeError:
            self._failure = TaskFailure(f"java.io.IOException: {_last_words(sort)}")
            raise self._failure from None

    def close(self) -> None:
        """No more lines will come."""
        for sort in self._sorts.values():
            assert sort.stdin
            sort.stdin.close()

    def streams(self) -> list[int]:
        """The descriptors to read the sorted lines from."""
        return [sort.stdout.fileno() for sort in self._sorts.values() if sort.stdout]

    def check(self) -> None:
        """Wait for the sorts; all they write must have been read. Raises `TaskFailure`."""
        for sort in self._sorts.values():
            _check(sort)
            if sort.stdout:
                sort.stdout.close()

    def kill(self) -> None:
        """End the sorts at once."""
        for sort in self._sorts.values():
            sort.kill()
            sort.wait()
            _close_pipes(sort)

    def _start(self, keyed: bool) -> subprocess.Popen[bytes]:
        output = self._outputs[keyed] if self._outputs else subprocess.PIPE
        sort = _start_sort(self._settings.command(*(_KEYED if keyed else ())), stdin=subprocess.PIPE, stdout=output)
        assert sort.stdin
        processes.widen(sort.stdin.fileno())
        if sort.stdout:
            processes.widen(sort.stdout.fileno())
        self._sorts[keyed] = sort
        return sort


class Merge:
    """One stream out of sorted runs: blocks of lines, in the order of their keys.

    A run is a file or a descriptor. A single run is read as it is; a run that a combiner left unsorted
    is not put in order, as in Hadoop.
    """

    def __init__(self, sources: Sequence[Path | int], settings: SortSettings, *, keyed: bool) -> None:
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        if len(sources) > 1:
            self._process = self._merge(sources, settings, keyed)
            assert self._process.stdout
            self._descriptor = self._process.stdout.fileno()
            processes.widen(self._descriptor)
        else:
            self._descriptor = self._single(sources[0]) if sources else -1

    def blocks(self) -> Iterator[bytes]:
        """The lines, to the end. Raises `TaskFailure` if the merge fails."""
        if self._descriptor < 0:
            return
        yield from whole_lines(processes.read_chunks(self._descriptor))
        if self._process:
            _check(self._process)

    def close(self) -> None:
        """Let go of everything, also before the end."""
        if self._process:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            _close_pipes(self._process)
        self._stack.close()

    def _single(self, source: Path | int) -> int:
        if isinstance(source, int):
            return source
        descriptor = os.open(source, os.O_RDONLY)
        self._stack.callback(os.close, descriptor)
        return descriptor

    def _merge(self, sources: Sequence[Path | int], settings: SortSettings, keyed: bool) -> subprocess.Popen[bytes]:
        names = [f"/dev/fd/{source}" if isinstance(source, int) else str(source) for source in sources]
        width = [f"--batch-size={min(len(names), 256)}"] if len(names) > 16 else []
        command = settings.command("-m", *(_KEYED if keyed else ()), *width)
        descriptors = [source for source in sources if isinstance(source, int)]
        return _start_sort([*command, "--", *names], stdout=subprocess.PIPE, pass_fds=descriptors)


class PartitionFiles:
    """Run files, one for each partition that gets a line; named `PREFIX-PARTITION` in a folder.

    A file is open only while it is written to: there may be more partitions than descriptors.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._waiting: dict[int, list[bytes]] = {}
        self._sizes: dict[int, int] = {}

    def add(self, partition: int, lines: bytes) -> None:
        """Append lines to a partition's run. Raises `OSError`."""
        waiting = self._waiting.setdefault(partition, [])
        waiting.append(lines)
        size = self._sizes.get(partition, 0) + len(lines)
        if size >= _BUFFERED:
            self._flush(partition)
            size = 0
        self._sizes[partition] = size

    def close(self) -> dict[int, Path]:
        """Write what is left; the files by partition. Raises `OSError`."""
        for partition in self._waiting:
            self._flush(partition)
        return {partition: self._path(partition) for partition in sorted(self._waiting)}

    def _path(self, partition: int) -> Path:
        return self._folder / f"{self._prefix}-{partition}"

    def _flush(self, partition: int) -> None:
        waiting = self._waiting[partition]
        with self._path(partition).open("ab", buffering=0) as file:
            processes.write_all(file.fileno(), memoryview(b"".join(waiting)))
        waiting.clear()


def cut_by_partition(
    stream: Iterator[bytes], layout: Layout, partition: Partitioner | None, files: PartitionFiles
) -> dict[int, Path]:
    """Write a sorted stream to the run files of its partitions (None: all is partition 0)."""
    if partition is None:
        for block in stream:
            files.add(0, block)
    elif layout.plain:
        _cut_plain(stream, partition, files)
    else:
        for block in stream:
            for line in split_lines(block):
                files.add(partition(layout.decode(line)[0]), line + b"\n")
    return files.close()


def _cut_plain(stream: Iterator[bytes], partition: Partitioner, files: PartitionFiles) -> None:
    """Equal keys stand together: the partitioner is asked once for each run of them, long or short."""
    long_runs = True
    for block in stream:
        number = _cut_runs(block, partition, files) if long_runs else _cut_lines(block, partition, files)
        long_runs = block.count(b"\n") >= _WORTH_LEAPING * number


def _cut_runs(block: bytes, partition: Partitioner, files: PartitionFiles) -> int:
    number = 0
    for start, end in runs(block):
        files.add(partition(block[start : block.find(b"\t", start)]), block[start:end])
        number += 1
    return number


def _cut_lines(block: bytes, partition: Partitioner, files: PartitionFiles) -> int:
    number = 0
    parts: dict[int, list[bytes]] = {}
    last, lines = b"", []
    for line in split_lines(block):
        key = line[: line.find(b"\t") + 1]
        if key != last:
            last = key
            number += 1
            lines = parts.setdefault(partition(key[:-1]), [])
        lines.append(line)
    for part, lines in parts.items():
        lines.append(b"")
        files.add(part, b"\n".join(lines))
    return number
