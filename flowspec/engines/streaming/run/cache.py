"""Files and archives shipped with a job: they appear in the working directory while it runs.

Sources: GenericOptionsParser.validateFiles (-files, -archives), StreamJob (-file, -cacheFile,
-cacheArchive), org.apache.hadoop.mapred.LocalDistributedCacheManager (links in the working directory,
an existing name is left and used), org.apache.hadoop.yarn.util.FSDownload (copies that can be executed).
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from flowspec.engines.joblog import JobLog
from flowspec.engines.paths import FileSystems
from flowspec.engines.streaming.hadoop.arguments import Arguments, ClientError, refused, uncaught
from flowspec.interrupts import interrupts_held_back


class Shipment(NamedTuple):
    """A file or directory (`archive`: to be unpacked) and the name it gets in the working directory."""

    source: Path
    name: str
    archive: bool = False


def shipments(arguments: Arguments, files: FileSystems) -> list[Shipment]:
    """Returns all that is to be shipped, also several of one name. Raises `ClientError` for what is missing."""
    return [
        *_files_shipments(arguments.generic.get("files", [])[:1], files, archive=False),
        *_files_shipments(arguments.generic.get("archives", [])[:1], files, archive=True),
        *(shipment for text in arguments.all("file") for shipment in _jar_shipments(text, files)),
        *_cache_shipments(arguments.all("cacheFile"), files, archive=False),
        *_cache_shipments(arguments.all("cacheArchive"), files, archive=True),
    ]


def _files_shipments(values: list[str], files: FileSystems, *, archive: bool) -> Iterator[Shipment]:
    for text in (part for value in values for part in value.split(",")):
        if not text:
            raise uncaught("java.lang.IllegalArgumentException: File name can't be empty string")
        path, _, name = text.partition("#")
        source = files.locate(path)
        if not source.exists():
            raise uncaught(f"java.io.FileNotFoundException: File {text} does not exist")
        yield Shipment(source, name or source.name, archive)


def _cache_shipments(values: list[str], files: FileSystems, *, archive: bool) -> Iterator[Shipment]:
    for text in (part for value in values for part in value.split(",")):
        path, _, name = text.partition("#")
        if not name:
            raise refused(
                "You need to specify the uris as scheme://path#linkname,"
                "Please specify a different link name for all of your caching URIs"
            )
        source = files.locate(path)
        if not source.exists():
            raise ClientError(logged=f"Error launching job , bad input path : File {text} does not exist", status=2)
        yield Shipment(source, name, archive)


def _jar_shipments(text: str, files: FileSystems) -> Iterator[Shipment]:
    """Yields a `-file` under its own name, and what is in it: the job's jar holds the content of a directory."""
    source = files.locate(text)
    if not source.exists():
        raise refused(f"File: {files.qualify(text)} does not exist.")
    yield Shipment(source, source.name)
    if source.is_dir():
        yield from (Shipment(path, path.name) for path in sorted(source.iterdir()))


def shorten_shipped_program(command: str, arguments: Arguments) -> str:
    """Replaces the path of a `-file` as a command's first word by its name: it is run in the working directory."""
    program, blank, rest = command.partition(" ")
    shipped = {Path(text).resolve() for text in arguments.all("file") if Path(text).is_file()}
    if program and Path(program).resolve() in shipped:
        return Path(program).name + blank + rest
    return command


def name_shipped_files(command: str, wanted: Iterable[Shipment]) -> str:
    """Replaces the names of shipped files in a command with their paths, so that it runs in any folder.

    If the program is a file that is not executable, its interpreter is put before it: a job makes only its copy in the
    working directory executable.
    """
    sources = {one.name: one.source for one in reversed([*wanted]) if one.source.is_file() and not one.archive}
    words = [shlex.quote(str(sources[word])) if word in sources else word for word in command.split(" ")]
    program = sources.get(command.partition(" ")[0])
    if program and not os.access(program, os.X_OK):
        words.insert(0, _interpreter(program))
    return " ".join(words)


def _interpreter(program: Path) -> str:
    """Returns the interpreter that the first line of a program names; without such a line, the shell."""
    with program.open("rb") as file:
        first = file.readline(256).decode("utf-8", "replace")
    return (first[2:].strip() if first.startswith("#!") else "") or "sh"


def localize(wanted: tuple[Shipment, ...], scratch: Path, working: Path, syslog: JobLog, links: list[Path]) -> None:
    """Copies and unpacks below `scratch`, and links from the working directory; adds the links made to `links`.

    Raises `OSError`, also for an archive that can't be read.
    """
    for number, shipment in enumerate(wanted):
        link = working / shipment.name
        if link.is_symlink() or link.exists():
            syslog.warn(
                "LocalDistributedCacheManager",
                f"Failed to create symlink: {link} exists and is used as it is",
            )
            continue
        place = scratch / str(number) / shipment.source.name
        place.parent.mkdir(parents=True)
        try:
            _copy(shipment, place)
        except OSError as error:
            raise OSError(f"{shipment.source} can't be copied to {place}: {_reason(error)}") from error
        with interrupts_held_back():
            link.symlink_to(place)
            links.append(link)


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # of a directory: a list of what could not be copied
        return "; ".join(str(reason) for _, _, reason in error.args[0])
    if error.errno == errno.ENOSPC:
        return f"{error.strerror}; TMPDIR names the folder for temporary files"
    return error.strerror or str(error)


def _copy(shipment: Shipment, place: Path) -> None:
    if shipment.archive and shipment.source.is_file():
        # Few jobs ship archives, and the libraries for them take 5 ms to import.
        from flowspec.engines.streaming.run.archives import unpack

        unpack(shipment.source, place)
    elif shipment.source.is_dir():
        shutil.copytree(shipment.source, place, ignore=_dangling_links)
    else:
        shutil.copyfile(shipment.source, place)
        place.chmod(shipment.source.stat().st_mode & 0o777 | 0o555)


def _dangling_links(folder: str, names: list[str]) -> list[str]:
    """Returns the links that lead nowhere: RawLocalFileSystem.listStatus leaves them out."""
    return [name for name in names if not Path(folder, name).exists()]
