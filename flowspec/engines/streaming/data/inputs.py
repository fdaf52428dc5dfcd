"""Lists the files of a job's input and cuts them into splits.

Sources: org.apache.hadoop.mapred.FileInputFormat (listing, splits),
org.apache.hadoop.mapred.lib.NLineInputFormat, org.apache.hadoop.mapreduce.lib.input.CombineFileInputFormat,
JobSubmitter.writeOldSplits (order).
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from flowspec.engines.paths import FileSystems
from flowspec.engines.streaming.data.lines import BLOCK, text_lines
from flowspec.engines.streaming.hadoop.arguments import ClientError, uncaught
from flowspec.engines.streaming.hadoop.configuration import Configuration
from flowspec.engines.streaming.hadoop.globs import BadPattern, glob

_SLOP = 1.1  # FileInputFormat.SPLIT_SLOP
_BLOCK_SIZE = 32 * 1024 * 1024  # fs.local.block.size
_CLUSTER_BLOCK_SIZE = 128 << 20  # dfs.blocksize of HDFS (hdfs-default.xml)
_SMALLEST_SPLIT = 4 << 20  # bytes: a task costs about 20 ms
_SPLIT_SIZES = ("fs.local.block.size", "mapreduce.input.fileinputformat.split.minsize")
_UNSPLITTABLE = (".gz", ".deflate", ".snappy", ".lz4", ".zst")


class InvalidInput(Exception):
    """The input can't be used; the text is Hadoop's, one line for each bad path."""


class InputFile(NamedTuple):
    """A file to be read: its place, its full URI, its size in bytes."""

    path: Path
    uri: str
    size: int


class Split(NamedTuple):
    """A stretch of a file in bytes: what one map task reads, but for the lines cut by its borders."""

    file: InputFile
    start: int
    length: int

    @property
    def end(self) -> int:
        """The offset of the first byte behind the split."""
        return self.start + self.length

    @property
    def parts(self) -> tuple[Split, ...]:
        """The split itself, its only part."""
        return (self,)


class CombinedSplit(NamedTuple):
    """Stretches of several files, one at least: what one map task reads one after the other (CombineFileSplit)."""

    parts: tuple[Split, ...]

    @property
    def length(self) -> int:
        """The bytes of all parts."""
        return sum(part.length for part in self.parts)


TaskInput = Split | CombinedSplit


def list_files(
    uris: tuple[str, ...], files: FileSystems, conf: Configuration, *, ignore_directories: bool = False
) -> list[InputFile]:
    """Returns all files that the input paths stand for, in the order they were given. Raises `InvalidInput`."""
    prefix = "mapreduce.input.fileinputformat.input.dir."
    lister = _Lister(
        files,
        recursive=conf.boolean(prefix + "recursive"),
        ignore_directories=ignore_directories or conf.boolean(prefix + "nonrecursive.ignore.subdirs"),
    )
    errors: list[str] = []
    found: list[InputFile] = []
    for uri in uris:
        try:
            found += lister.list_path(uri)
        except _BadPath as error:
            errors.append(str(error))
    if errors:
        raise InvalidInput("\n".join(errors))
    return found


class _BadPath(Exception):
    """One input path that does not exist or matches nothing; all of a job are reported together."""


class _Lister:
    def __init__(self, files: FileSystems, *, recursive: bool, ignore_directories: bool) -> None:
        self._files = files
        self._recursive = recursive
        self._ignore_directories = ignore_directories

    def list_path(self, uri: str) -> Iterator[InputFile]:
        """Yields the files that a path or glob stands for; a directory stands for the files in it."""
        self._files.locate(uri)  # an unknown scheme is reported before any other error
        try:
            matches = glob(uri, self._files)
        except BadPattern as error:
            raise _BadPath(str(error)) from error
        if matches is None or (_is_hidden(uri) and matches == [uri]):
            raise _BadPath(f"Input path does not exist: {uri}")
        matches = [match for match in matches if not _is_hidden(match)]
        if not matches:
            raise _BadPath(f"Input Pattern {uri} matches 0 files")
        for match in matches:
            path = self._files.locate(match)
            if path.is_dir():
                yield from self._directory(match, path)
            else:
                yield _input_file(path, match, path.stat())

    def _directory(self, uri: str, directory: Path) -> Iterator[InputFile]:
        with os.scandir(directory) as entries:
            ordered = sorted(entries, key=attrgetter("name"))
        for entry in ordered:
            child = f"{uri}/{entry.name}"
            if _is_hidden(child):
                continue
            path = directory / entry.name
            if not entry.is_dir():
                try:
                    status = entry.stat()
                except FileNotFoundError:  # a link to nowhere: RawLocalFileSystem.listStatus leaves it out
                    continue
                yield _input_file(path, child, status)
            elif self._recursive:
                yield from self._directory(child, path)
            elif not self._ignore_directories:
                raise InvalidInput(f"Not a file: {child}")


def _input_file(path: Path, uri: str, status: os.stat_result) -> InputFile:
    """Returns the file at a path. Raises `InvalidInput` for a FIFO or socket: opening one would wait for a writer."""
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        raise InvalidInput(f"Not a file: {uri}")
    return InputFile(path, uri, status.st_size)


def _is_hidden(uri: str) -> bool:
    return uri.rpartition("/")[2].startswith(("_", "."))


def split_files(found: list[InputFile], conf: Configuration, maps: int = 1) -> list[Split]:
    """Cuts the files as FileInputFormat.getSplits does in local mode, where one map is the goal.

    With more `maps`, the files are cut as on a cluster, so that as many map tasks have work to the end
    (`_even_size`). Properties of split sizes that the user set are never overridden.
    """
    try:
        block = conf.integer("fs.local.block.size", _BLOCK_SIZE, bits=64)
    except ValueError as error:  # an IllegalArgumentException while the job is set up: Hadoop's client says nothing
        raise ClientError(logged=f"Error in the job's options : fs.local.block.size: {error}", status=1) from error
    try:
        minimum = max(1, conf.integer("mapreduce.input.fileinputformat.split.minsize", 1, bits=64))
    except ValueError as error:
        raise uncaught(f"java.lang.NumberFormatException: {error}") from error
    goal = sum(file.size for file in found)
    if maps > 1 and not any(map(conf.is_given, _SPLIT_SIZES)):
        block = _even_size(goal, maps)
    size = max(minimum, min(goal, block))
    return [split for file in found for split in _split_file(file, size)]


def _even_size(total: int, maps: int) -> int:
    """Returns the size of the fewest splits that `maps` tasks at a time share evenly, none above a block of HDFS.

    A split may be larger than a block by the tenth that Hadoop does not cut off either: otherwise a file that is one
    line longer than two blocks would be four splits. Each split starts the mapper: eight Python mappers for 254 MiB
    took 0.5 s more than two.
    """
    rounds = max(1, math.ceil(total / (maps * _CLUSTER_BLOCK_SIZE * _SLOP)))
    return max(_SMALLEST_SPLIT, -(-total // (maps * rounds)))


def _split_file(file: InputFile, size: int) -> Iterator[Split]:
    if file.size == 0 or _is_unsplittable(file):
        yield Split(file, 0, file.size)
        return
    rest = file.size
    while rest / size > _SLOP:
        yield Split(file, file.size - rest, size)
        rest -= size
    yield Split(file, file.size - rest, rest)


def _is_unsplittable(file: InputFile) -> bool:
    return file.path.name.lower().endswith(_UNSPLITTABLE)


def split_lines_of(found: list[InputFile], lines: int) -> list[Split]:
    """Cuts the files after every `lines` lines, with the odd borders of NLineInputFormat.createFileSplit."""
    return [split for file in found for split in _cut_lines(file, lines)]


def lines_per_map(conf: Configuration) -> int:
    """Returns the N of NLineInputFormat; below 1 files are not cut. Raises `ClientError`."""
    name = "mapreduce.input.lineinputformat.linespermap"
    try:
        if conf.is_blank(name):
            raise ValueError('For input string: ""')
        return conf.integer(name, 1)
    except ValueError as error:
        cause = f"java.lang.NumberFormatException: {error}"
        raise uncaught(f"java.lang.RuntimeException: Error in configuring object\nCaused by: {cause}") from error


def _cut_lines(file: InputFile, lines: int) -> Iterator[Split]:
    begin = 0
    with file.path.open("rb") as source:
        for number, (offset, _line, size) in enumerate(text_lines(iter(lambda: source.read(BLOCK), b"")), 1):
            end = offset + size
            if (lines > 0 and number % lines == 0) or end == file.size:
                yield Split(file, max(0, begin - 1), end - begin - (1 if begin == 0 else 0))
                begin = end


class CombinedSizes(NamedTuple):
    """The sizes of combined splits in bytes: `most` from which on one is full (0: never), the `least` of a node."""

    most: int
    least: int


def combined_sizes(conf: Configuration) -> CombinedSizes:
    """Returns the sizes that CombineFileInputFormat is given. Raises `InvalidInput` or `ClientError`."""
    prefix = "mapreduce.input.fileinputformat.split."
    try:
        names = ("maxsize", "minsize.per.node", "minsize.per.rack")
        most, node, rack = (conf.integer(prefix + name, 0, bits=64) for name in names)
    except ValueError as error:
        raise uncaught(f"java.lang.NumberFormatException: {error}") from error
    for least, place in ((node, "node"), (rack, " rack")):
        if least and most and least > most:
            raise InvalidInput(f"Minimum split size per{place} {least} cannot be larger than maximum split size {most}")
    if rack and node > rack:
        raise InvalidInput(
            f"Minimum split size per node {node} cannot be larger than minimum split size per rack {rack}"
        )
    if most < 0:
        raise InvalidInput(f"{prefix}maxsize is {most}: with a negative size Hadoop cuts files without end")
    return CombinedSizes(most, node)


def combine_files(found: list[InputFile], sizes: CombinedSizes) -> list[CombinedSplit]:
    """Combines files as CombineFileInputFormat.createSplits does where all blocks are on one node.

    A file on a local file system is one block. An empty file has no block and no node: it joins the remaining files.
    """
    parts = [part for file in found for part in _blocks(file, sizes.most)]
    splits: list[CombinedSplit] = []
    begin = size = 0
    for end, part in enumerate(parts, 1):
        size += part.length
        if 0 < sizes.most <= size:
            splits.append(_combine_parts(parts[begin:end]))
            begin, size = end, 0
    if not splits and 0 < sizes.least <= size:
        splits.append(_combine_parts(parts))
        begin = len(parts)
    left = tuple(part for at, part in enumerate(parts) if at >= begin or not part.length)
    return [*splits, CombinedSplit(left)] if left else splits


def _combine_parts(parts: list[Split]) -> CombinedSplit:
    return CombinedSplit(tuple(part for part in parts if part.length))


def _blocks(file: InputFile, most: int) -> Iterator[Split]:
    """Cuts a file into pieces of `most` bytes, the last two of equal size (CombineFileInputFormat.OneFileInfo)."""
    start, left = 0, file.size
    while most and left > most and not _is_unsplittable(file):
        size = left // 2 if left < 2 * most else most
        yield Split(file, start, size)
        start, left = start + size, left - size
    if left or not file.size:
        yield Split(file, start, left)


def in_task_order(splits: Sequence[TaskInput]) -> list[TaskInput]:
    """Orders splits as map tasks are numbered: by size, largest first; equal ones keep their order."""
    return sorted(splits, key=lambda split: -split.length)
