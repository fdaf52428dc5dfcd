"""The table of the engines: programs of flowspec that stand in for programs of EMR's nodes.

An engine's module is run as a process of its own, so this table imports none of them: only a check imports the
one that it concerns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError
from flowspec.facts.uris import split_at_commas

ELSEWHERE = "leave the step out of this target with `when`, or run it on EMR"

Check: TypeAlias = "Callable[[str, Sequence[str]], None]"
"""Gets the program's name and its arguments. Raises FlowspecError for what can't run on this machine."""


class DataPaths(NamedTuple):
    """The paths (or globs) that a step reads, files that it ships included, and those that it writes."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]


def _check_nothing(_program: str, _args: Sequence[str]) -> None:
    """Checks nothing: the process reports every error in the step's logs."""


class Engine(NamedTuple):
    """An engine.

    `module`: what is run as a process. `programs`: the names by which command-runner.jar starts it; with
    `takes_name` the process gets the name as its first argument. `jar`: a pattern for the file names of jars
    that it stands in for. `require` is checked by a plan and before a step is started, `preflight` by a plan only.
    `error_logs`: logs in which the program prints the exception that ends it, searched before syslog.
    `data_paths` tells from the arguments which paths it reads and writes; None where they do not say.
    """

    module: str
    programs: tuple[str, ...] = ()
    takes_name: bool = False
    jar: str = ""
    require: Check = _check_nothing
    preflight: Check = _check_nothing
    error_logs: tuple[str, ...] = ()
    data_paths: Callable[[Sequence[str]], DataPaths | None] = lambda _: None


def _require_spark(program: str, args: Sequence[str]) -> None:
    from flowspec.engines import spark

    spark.require(program, args)


def _require_dist_cp(_program: str, args: Sequence[str]) -> None:
    from flowspec.engines import distcp

    distcp.parse(args)


def _dist_cp_paths(args: Sequence[str]) -> DataPaths:
    from flowspec.engines import distcp

    copy = distcp.parse(args)
    return DataPaths((copy.src,), (copy.dest,))


def _streaming_paths(args: Sequence[str]) -> DataPaths | None:
    from flowspec.engines.streaming.hadoop.arguments import ClientError, parse

    try:
        given = parse(args)
    except ClientError:
        return None
    inputs = [path for value in given.all("input") for path in split_at_commas(value)]
    shipped = [path for name in _SHIPPED for value in given.generic.get(name, ()) for path in value.split(",")]
    shipped += [path for name in _SHIPPED for path in given.all(name)]
    output = given.first("output")
    return DataPaths((*inputs, *(path.partition("#")[0] for path in shipped)), (output,) if output else ())


# Options of Hadoop Streaming that name files for the tasks.
_SHIPPED = ("files", "archives", "libjars", "file", "cacheFile", "cacheArchive")
# Options of Hadoop Streaming whose files it reads before the job starts.
_READ_FIRST = ("conf", "files", "archives", "file", "cacheFile", "cacheArchive")


def _refuse_streaming_options(_program: str, args: Sequence[str]) -> None:
    """Raises FlowspecError for an option of Hadoop Streaming that the engine does not support.

    What Hadoop itself refuses is not checked here: the step fails with Hadoop's error.
    """
    from flowspec.engines.streaming.hadoop.arguments import Arguments, ClientError, Unsupported, parse
    from flowspec.engines.streaming.run.jobspec import build

    try:
        given = parse(args)
        # An earlier step may still make these files.
        generic = {name: values for name, values in given.generic.items() if name not in _READ_FIRST}
        options = {name: values for name, values in given.streaming.items() if name not in _READ_FIRST}
        build(Arguments(generic, options), {}, FileSystems(Path("/"), Path("/"), Path("/")))
    except Unsupported as error:
        raise FlowspecError(error.printed[0], remedy=ELSEWHERE) from error
    except (ClientError, FlowspecError):
        return


ENGINES: Mapping[str, Engine] = {
    "streaming": Engine(
        "flowspec.engines.streaming",
        programs=("hadoop-streaming",),
        jar=r"hadoop-streaming[^/]*\.jar",
        preflight=_refuse_streaming_options,
        data_paths=_streaming_paths,
    ),
    "spark": Engine(
        "flowspec.engines.spark",
        programs=("spark-submit", "spark-sql", "spark-example"),
        takes_name=True,
        require=_require_spark,
        # An exception of Python is printed on stdout by PySpark's runner.
        error_logs=("stderr", "stdout"),
    ),
    "s3-dist-cp": Engine(
        "flowspec.engines.distcp",
        programs=("s3-dist-cp", "s3distcp"),
        jar=r"(emr-)?s3-?dist-?cp[^/]*\.jar",
        require=_require_dist_cp,
        data_paths=_dist_cp_paths,
    ),
    # Runs every other jar, and the file system's shell: see `engines._hadoop_program_work`.
    "hadoop": Engine("flowspec.engines.hadoop", error_logs=("stderr",)),
}


def by_program(name: str) -> str | None:
    """Returns the engine that command-runner.jar's program of this name is; None when it is no engine's."""
    return next((engine for engine, one in ENGINES.items() if name in one.programs), None)


def by_jar(name: str) -> str | None:
    """Returns the engine that stands in for a jar with this file name; None when there is none of its own."""
    return next((engine for engine, one in ENGINES.items() if one.jar and re.fullmatch(one.jar, name)), None)
