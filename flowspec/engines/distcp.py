"""S3DistCp: copies files between the trees that stand for S3 and HDFS, chosen, joined and compressed as asked.

    python -m flowspec.engines.distcp --src=URI --dest=URI OPTIONS...

Patterns are Java's, and match the whole URI of a file; with --groupBy, files whose groups are the same
become one, and those that do not match are left out. A file appears at its place whole or not at all.
Source: the Release Guide, "S3DistCp (s3-dist-cp)".
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import signal
import sys
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from flowspec.engines.joblog import JobLog
from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError, sentence_of
from flowspec.facts.files import refuse_unreadable
from flowspec.facts.machine import is_running

_LOGGER = "com.amazon.elasticmapreduce.s3distcp.S3DistCp"
# They control how S3 is written, and do not change what is written.
_VALUES_WITHOUT_EFFECT = frozenset({"--multipartUploadChunkSize", "--s3Endpoint", "--storageClass"})
_SWITCHES_WITHOUT_EFFECT = frozenset({"--disableMultipartUpload", "--s3ServerSideEncryption"})
_VALUES = _VALUES_WITHOUT_EFFECT | {
    *("--src", "--dest", "--srcPattern", "--groupBy", "--targetSize", "--outputCodec", "--srcPrefixesFile")
}
_SWITCHES = _SWITCHES_WITHOUT_EFFECT | {"--deleteOnSuccess"}
_CODECS = ("gz", "gzip", "none", "keep")
_BLOCK = 1 << 20
_JAVA_NAMED_GROUP = re.compile(r"(?<!\\)\(\?<(?=[A-Za-z])")
# The name of a file that is being copied from another disk, with the pid of the process. It does not contain the file's
# own name, because the result might be too long.
_UNFINISHED = ".s3-dist-cp."


class Copy(NamedTuple):
    """The options of a run: `target_size` in bytes, None for no bound; `codec` one of gzip, none, keep.

    `without_effect` are the given options that concern only S3.
    """

    src: str
    dest: str
    pattern: re.Pattern[str] | None = None
    group_by: re.Pattern[str] | None = None
    target_size: int | None = None
    codec: str = "keep"
    prefixes_file: str | None = None
    delete_on_success: bool = False
    without_effect: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Copy:
    """Parses the arguments. Raises FlowspecError for missing, wrong or unsupported ones."""
    options = dict(_options(words))
    for name in ("--src", "--dest"):
        if not options.get(name):
            raise FlowspecError(f"s3-dist-cp: {name} is missing", remedy="give both --src and --dest")
    codec = options.get("--outputCodec", "keep")
    if codec not in _CODECS:
        raise _unsupported_error(f"--outputCodec={codec}")
    return Copy(
        src=options["--src"],
        dest=options["--dest"],
        pattern=_pattern(options, "--srcPattern"),
        group_by=_pattern(options, "--groupBy"),
        target_size=_size(options.get("--targetSize")),
        codec="gzip" if codec == "gz" else codec,
        prefixes_file=options.get("--srcPrefixesFile"),
        delete_on_success="--deleteOnSuccess" in options,
        without_effect=tuple(name for name in options if name in _VALUES_WITHOUT_EFFECT | _SWITCHES_WITHOUT_EFFECT),
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields each option and its value, which stands behind a `=` or is the next word."""
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name in _SWITCHES:
            if equals:  # `--deleteOnSuccess=false` must not delete
                raise FlowspecError(
                    f"s3-dist-cp: {word}: {name} takes no value", remedy="give it alone, or leave it out"
                )
            yield name, ""
        elif name in _VALUES:
            value = value if equals else next(left, "")
            if not value:
                raise FlowspecError(f"s3-dist-cp: {name} has no value", remedy="give it a value, or leave it out")
            yield name, value
        else:
            raise _unsupported_error(name)


def _unsupported_error(option: str) -> FlowspecError:
    return FlowspecError(f"s3-dist-cp: {option} is not supported here", remedy="leave it out, or run the step on EMR")


def _pattern(options: Mapping[str, str], name: str) -> re.Pattern[str] | None:
    if name not in options:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # sets within sets, which only Java has
            found = re.compile(_JAVA_NAMED_GROUP.sub("(?P<", options[name]), re.ASCII)
    except (re.error, FutureWarning) as error:
        message = f"s3-dist-cp: {name}={options[name]}: {error}"
        remedy = (
            "it has to be a regular expression, without the parts that only Java has (`\\Q`, `\\p{..}`, `[a&&[b]]`)"
        )
        raise FlowspecError(message, remedy=remedy) from error
    if name == "--groupBy" and not found.groups:
        raise FlowspecError(f"s3-dist-cp: {name} has no group", remedy="put what files share in parentheses")
    return found


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,9}", text):
        raise FlowspecError(f"s3-dist-cp: --targetSize={text} is not a number", remedy="give a number of mebibytes")
    return int(text) << 20


class _File(NamedTuple):
    """A file to copy: its place, its path below --src, and its URI."""

    path: Path
    relative: str
    uri: str


def main(words: Sequence[str]) -> int:
    """Copies the files; returns the exit status, 0 if all files are in their places."""
    # So that files that are not finished are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    syslog = JobLog.from_environment()
    try:
        return _run(parse(words), FileSystems.from_environment(os.environ, Path.cwd()), syslog)
    except (FlowspecError, OSError) as error:
        said = sentence_of(error)
        syslog.error(_LOGGER, said)
        sys.stderr.write(f"{said}\n")
        return 1
    finally:
        syslog.close()


def _run(copy: Copy, systems: FileSystems, syslog: JobLog) -> int:
    source, target = systems.locate(copy.src), systems.locate(copy.dest)
    if not source.exists():
        raise FlowspecError(f"Input path does not exist: {copy.src}")
    if copy.without_effect:
        syslog.info(_LOGGER, f"without effect on this machine: {', '.join(copy.without_effect)}")
    files = [file for file in _find_files(copy, source, systems) if _matches(copy, file)]
    outputs = _name_outputs(copy, files)
    syslog.info(_LOGGER, f"Copying {len(files)} files of {copy.src} to {len(outputs)} files of {copy.dest}")
    for number, (name, parts) in enumerate(outputs.items(), 1):
        _write(target / name, parts, copy.codec)
        syslog.info(_LOGGER, f"{number}/{len(outputs)}: {copy.dest.rstrip('/')}/{name}, of {len(parts)} files")
    if copy.delete_on_success:
        written = {target / name for name in outputs}
        for file in files:
            if file.path not in written:
                file.path.unlink()
    return 0


def _find_files(copy: Copy, source: Path, systems: FileSystems) -> Iterator[_File]:
    """Yields all files at or below --src, or of those below only what the prefixes file lists, in order."""
    base = copy.src.rstrip("/")
    if source.is_file():
        yield _File(source, source.name, base)
        return
    prefixes = None
    if copy.prefixes_file:
        lines = systems.locate(copy.prefixes_file).read_text("utf-8", "surrogateescape").split("\n")
        prefixes = tuple(line.strip() for line in lines if line.strip())  # a prefix may contain blanks
    below = os.walk(source, onerror=refuse_unreadable)
    for path in sorted(Path(folder, name) for folder, _, names in below for name in names):
        relative = path.relative_to(source).as_posix()
        uri = f"{base}/{relative}"
        if path.is_file() and (prefixes is None or uri.startswith(prefixes)):
            yield _File(path, relative, uri)


def _matches(copy: Copy, file: _File) -> bool:
    return all(pattern is None or pattern.fullmatch(file.uri) for pattern in (copy.pattern, copy.group_by))


def _name_outputs(copy: Copy, files: Sequence[_File]) -> dict[str, list[_File]]:
    """Returns the files to write, each with those it is made of. Raises FlowspecError if two have one name."""
    outputs: dict[str, list[_File]] = {}
    for name, parts in _plan_outputs(copy, files):
        if name in outputs:
            raise FlowspecError(
                f"s3-dist-cp: {outputs[name][0].uri} and {parts[0].uri} would both become {name}, and one be lost",
                remedy="choose others with --srcPattern, --groupBy or --outputCodec",
            )
        outputs[name] = parts
    return outputs


def _plan_outputs(copy: Copy, files: Sequence[_File]) -> Iterator[tuple[str, list[_File]]]:
    """Yields the files to write, each with those it is made of."""
    if copy.group_by is None:
        for file in files:
            yield _with_codec_suffix(file.relative, copy.codec), [file]
        return
    groups: dict[str, list[_File]] = {}
    for file in files:
        found = copy.group_by.fullmatch(file.uri)
        assert found is not None, "those that do not match were left out"
        groups.setdefault("".join(part or "" for part in found.groups()), []).append(file)
    for group, members in groups.items():
        for number, parts in enumerate(_split_by_size(members, copy.target_size)):
            yield _group_name(group, number, parts[0], copy.codec), parts


def _split_by_size(files: Sequence[_File], size: int | None) -> Iterator[list[_File]]:
    """Yields groups of files with at least `size` bytes each; a file is never split."""
    run: list[_File] = []
    length = 0
    for file in files:
        run.append(file)
        length += file.path.stat().st_size
        if size is not None and length >= size:
            yield run
            run, length = [], 0
    if run:
        yield run


def _group_name(group: str, number: int, first: _File, codec: str) -> str:
    """Names an output of a group: the first has the group's name, those after it a number as well."""
    folder = first.relative.rpartition("/")[0]
    suffix = Path(first.relative).suffix if codec == "keep" and first.relative.endswith(".gz") else ""
    name = f"{group}{number or ''}".strip("/") or "part"
    suffix = "" if name.endswith(suffix) else suffix
    return _with_codec_suffix(f"{folder}/{name}{suffix}".lstrip("/"), codec)


def _with_codec_suffix(name: str, codec: str) -> str:
    plain = name.removesuffix(".gz")
    return {"gzip": f"{plain}.gz", "none": plain, "keep": name}[codec]


def _write(target: Path, parts: Sequence[_File], codec: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The step's own folder for temporary files, which is removed in any case when the step ends.
    with tempfile.TemporaryDirectory(prefix="flowspec-distcp-") as folder:
        made = Path(folder, "made")
        with gzip.open(made, "wb") if codec == "gzip" else made.open("wb") as out:
            for part in parts:
                _append(part, out, plain=codec != "keep")
        _move(made, target)


def _move(made: Path, target: Path) -> None:
    try:
        made.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_to_other_disk(made, target)


def _copy_to_other_disk(made: Path, target: Path) -> None:
    _remove_unfinished(target.parent)
    unfinished = target.with_name(f"{_UNFINISHED}{os.getpid()}")
    try:
        shutil.copyfile(made, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


@cache
def _remove_unfinished(folder: Path) -> None:
    """Removes the unfinished files of processes that were killed while they copied to this folder."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        pid = path.name.removeprefix(_UNFINISHED)
        if pid.isdecimal() and not is_running(int(pid)):
            path.unlink(missing_ok=True)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


def _append(part: _File, out: _Sink, *, plain: bool) -> None:
    opener = gzip.open if plain and part.path.suffix == ".gz" else open
    try:
        with opener(part.path, "rb") as source:
            shutil.copyfileobj(source, out, _BLOCK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FlowspecError(
            f"s3-dist-cp: {part.uri} is damaged, or not a gzip file: {error}",
            remedy="replace it, or leave it out with --srcPattern",
        ) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
