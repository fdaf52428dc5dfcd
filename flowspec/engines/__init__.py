"""Runs a step on this machine.

A HadoopJarStep names a jar, perhaps a main class, and arguments. `command_for` gives the one process that
does the same here; `unsupported` says why there is none, before anything is started. Both go by the same
table, so what a plan accepts is what a worker can start.

    command-runner.jar hadoop-streaming ...     flowspec.engines.streaming
    command-runner.jar spark-submit ...         flowspec.engines.spark, by an installed Spark (its examples, too)
    command-runner.jar hadoop jar|fs ...        flowspec.engines.hadoop, by a Hadoop or the one in Spark
    command-runner.jar s3-dist-cp ...           flowspec.engines.distcp
    command-runner.jar PROGRAM ...              that program
    script-runner.jar SCRIPT ...                that script
    hadoop-streaming*.jar ...                   flowspec.engines.streaming
    emr-s3distcp*.jar ...                       flowspec.engines.distcp
    any other jar                               flowspec.engines.hadoop

The shapes of the steps are those of the Release Guide ("Run commands and scripts on a cluster") and,
before release 4, of the AMIs. Every process finds in its environment FLOWSPEC_S3_ROOT and
FLOWSPEC_HDFS_ROOT (folders that stand for s3:// and hdfs:///), FLOWSPEC_SYSLOG (the file to log to) and
FLOWSPEC_CONFIGURATIONS (JSON of the cluster's configurations, as far as they count here).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

from flowspec.engines.paths import FileSystems, split_uri
from flowspec.engines.registry import ELSEWHERE, ENGINES, DataPaths, by_jar, by_program
from flowspec.errors import FlowspecError

HONOURED = ("core-site", "hdfs-site", "mapred-site", "spark-defaults")
"""The classifications of a cluster's configurations that count here, for Spark and Hadoop's own programs."""

_COMMAND_RUNNER = "command-runner.jar"
_SCRIPT_RUNNER = "script-runner.jar"
_AMI_STREAMING = "/home/hadoop/contrib/streaming/"
_COMMAND_IN_S3 = re.compile(r"(s3[an]?://\S+)(.*)", re.DOTALL)
_STATE_PUSHER = "state-pusher-script"
_NOTHING_TO_PUSH = "Hadoop debugging was discontinued by AWS in 2023: this step does nothing here"

# Programs of EMR's nodes that this machine does not have, with the reason for the user.
_ABSENT = {
    **dict.fromkeys(("spark-shell", "pyspark"), "it waits for someone to type"),
    **dict.fromkeys(("hive-script", "hive", "beeline"), "there is no Hive on this machine's embedded EMR"),
    **dict.fromkeys(("pig-script", "pig"), "there is no Pig on this machine's embedded EMR"),
    **dict.fromkeys(("presto", "presto-cli", "trino", "trino-cli"), "there is no Presto or Trino here"),
    **dict.fromkeys(("impala-shell", "setup-impala"), "there is no Impala here"),
    **dict.fromkeys(("hbase", "sqoop", "oozie", "flink", "flink-yarn-session", "hadoop-lzo"), "it is not available"),
    **dict.fromkeys(("yarn", "mapred"), "there is no YARN here"),
}


class Command(NamedTuple):
    """One process: its arguments, and the additions to the worker's environment.

    `is_script` is true where `argv[0]` is a file to be run `with_interpreter`; it may not be there yet.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = MappingProxyType({})
    is_script: bool = False


def command_for(
    jar: str,
    main_class: str | None,
    args: Sequence[str],
    *,
    s3_root: Path,
    hdfs_root: Path,
    syslog: Path,
    properties: Mapping[str, str] | None = None,
    configurations: Sequence[Mapping[str, Any]] = (),
) -> Command:
    """Returns the process that runs a HadoopJarStep on this machine.

    `properties` are the step's Java properties, `configurations` those of the cluster (RunJobFlow's Configurations).
    Raises FlowspecError if `unsupported` gives a reason.
    """
    environment = {
        "FLOWSPEC_S3_ROOT": str(s3_root),
        "FLOWSPEC_HDFS_ROOT": str(hdfs_root),
        "FLOWSPEC_SYSLOG": str(syslog),
    }
    if properties:
        defines = (shlex.quote(f"-D{key}={value}") for key, value in properties.items())
        environment["HADOOP_CLIENT_OPTS"] = " ".join(filter(None, (os.environ.get("HADOOP_CLIENT_OPTS"), *defines)))
    if honoured := _honoured_configurations(configurations):
        environment["FLOWSPEC_CONFIGURATIONS"] = json.dumps(honoured)
    systems = FileSystems(Path("/"), s3_root, hdfs_root)
    work = _choose_work(jar, main_class, args, lambda uri: local_file(uri, systems))
    return Command(work.argv, environment, is_script=work.engine == "script")


def _honoured_configurations(configurations: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
    return {
        one["Classification"]: one["Properties"]
        for one in configurations
        if one.get("Classification") in HONOURED and one.get("Properties")
    }


def engine_of(jar: str, main_class: str | None, args: Sequence[str]) -> str:
    """Returns the engine of a step: streaming, spark, hadoop, s3-dist-cp, script or command; "" if there is none."""
    try:
        return _choose_work(jar, main_class, args, lambda uri: uri).engine
    except FlowspecError:
        return ""


def data_paths(jar: str, main_class: str | None, args: Sequence[str]) -> DataPaths | None:
    """Returns the paths that a step reads and writes; None if its arguments don't distinguish them."""
    try:
        work = _choose_work(jar, main_class, args, lambda uri: uri)
        return ENGINES[work.engine].data_paths(work.args) if work.engine in ENGINES else None
    except FlowspecError:
        return None


def unsupported(jar: str, main_class: str | None, args: Sequence[str]) -> str | None:
    """Says why a HadoopJarStep can't run on this machine, with a remedy; None when it can."""
    try:
        work = _choose_work(jar, main_class, args, lambda uri: uri)
        if work.engine in ENGINES:
            ENGINES[work.engine].preflight(work.program, work.args)
    except FlowspecError as error:
        return error.sentence
    return None


def python_module(name: str, *args: str) -> tuple[str, ...]:
    """Returns the arguments that run a module of flowspec as a process, from whatever directory."""
    return (sys.executable, str(Path(__file__).resolve().with_name("launch.py")), name, *args)


def work_of(argv: Sequence[str]) -> Callable[[], int] | None:
    """Returns the function that runs the command line of a streaming job in this process; None for other programs.

    It is for a fork of this process: a new interpreter takes 100 ms until it has imported as much.
    """
    module = python_module("flowspec.engines.streaming")
    if tuple(argv[: len(module)]) != module:
        return None
    from flowspec.engines.streaming.run.client import main

    return partial(main, argv[len(module) :])


def local_file(uri: str, systems: FileSystems) -> str:
    """Returns the path of a program or jar; a relative one is left to the process, whose working directory it is in.

    Raises FlowspecError for a file system that this machine does not have.
    """
    scheme, _, path = split_uri(uri)
    return str(systems.locate(uri)) if scheme or path.startswith("/") else uri


_Locate = Callable[[str], str]


class _Work(NamedTuple):
    """An engine and its command; also name and arguments of the program that the engine stands for."""

    engine: str
    argv: tuple[str, ...]
    program: str = ""
    args: Sequence[str] = ()


def _choose_work(jar: str, main_class: str | None, args: Sequence[str], locate: _Locate) -> _Work:
    name = PurePosixPath(jar).name
    if name == _COMMAND_RUNNER:
        # It leaves out empty arguments (Yelp/mrjob#2070), of which awswrangler and the EMR CLI make some.
        return _runner_work([word for word in args if word], locate)
    if name == _SCRIPT_RUNNER:
        return _script_work(args, locate)
    if engine := by_jar(name):
        return _engine_work(engine, "", _ship_commands_in_s3(args) if jar.startswith(_AMI_STREAMING) else args)
    _require_hadoop(f"'{jar}'")
    return _hadoop_work("jar", locate(jar), *([main_class] if main_class else []), *args)


def _runner_work(args: Sequence[str], locate: _Locate) -> _Work:
    if not args:
        raise FlowspecError("command-runner.jar was given nothing to run", remedy="name the program in `args`")
    program, rest = args[0], list(args[1:])
    name = PurePosixPath(program).name
    if engine := by_program(name):
        return _engine_work(engine, name, rest)
    if name in ("hadoop", "hdfs"):
        return _hadoop_program_work(name, rest, locate)
    if name == _STATE_PUSHER:
        return _state_pusher_work()
    _refuse_absent(name)
    # A bootstrap action or an earlier step may still create a path; a name is looked up now.
    if "/" not in program and shutil.which(program) is None:
        words = program.split()
        as_items = f"make each word an item of `args`: {', '.join(words)}" if len(words) > 1 else ""
        remedy = as_items or f"install it, or {ELSEWHERE}"
        raise FlowspecError(f"there is no program '{program}' on PATH", remedy=remedy)
    return _Work("command", tuple(args))


def _refuse_absent(name: str) -> None:
    if name in _ABSENT:
        raise FlowspecError(f"{name}: {_ABSENT[name]}", remedy=ELSEWHERE)


def _hadoop_program_work(name: str, args: Sequence[str], locate: _Locate) -> _Work:
    """Returns the work of `hadoop jar` or of the file system's shell, under its three names."""
    verb = args[0] if args else ""
    if name == "hadoop" and verb == "jar" and len(args) > 1:
        return _choose_work(args[1], None, args[2:], locate)
    if verb not in (("fs", "dfs") if name == "hadoop" else ("dfs",)):
        raise FlowspecError(f"{' '.join((name, verb)).strip()}: it is not available", remedy=ELSEWHERE)
    _require_hadoop(f"'{name} {verb}'")
    return _hadoop_work("fs", *args[1:])


def _require_hadoop(what: str) -> None:
    from flowspec.engines import hadoop

    hadoop.require(what)


def _hadoop_work(*words: str) -> _Work:
    return _engine_work("hadoop", "", words)


def _script_work(args: Sequence[str], locate: _Locate) -> _Work:
    if not args:
        raise FlowspecError("script-runner.jar was given no script", remedy="name the script in `args`")
    name = PurePosixPath(args[0]).name
    # On AMIs, spark-submit is not on PATH, so steps ran it with script-runner.jar; this applies to no other engine.
    if by_program(name) == "spark":
        return _engine_work("spark", name, args[1:])
    if "/libs/state-pusher/" in args[0]:  # before release 4.0.0 it was a script of the region's bucket
        return _state_pusher_work()
    _refuse_absent(name)
    return _Work("script", (locate(args[0]), *args[1:]))


def _state_pusher_work() -> _Work:
    """Returns the step of `enable_debugging`. It reported the job to a service of AWS; old scripts still contain it."""
    return _Work("", ("sh", "-c", 'echo "$0" >&2', _NOTHING_TO_PUSH))


def _engine_work(name: str, program: str, args: Sequence[str]) -> _Work:
    engine = ENGINES[name]
    engine.require(program, args)
    argv = python_module(engine.module, *((program,) if engine.takes_name else ()), *args)
    return _Work(name, argv, program, args)


def _ship_commands_in_s3(args: Sequence[str]) -> list[str]:
    """Returns the arguments of the AMIs' streaming jar, with -files for commands in S3.

    On AMIs, that jar itself fetched such commands.
    """
    words, fetched = list(args), dict[str, str]()
    for at, flag in enumerate(args[:-1]):
        command = _COMMAND_IN_S3.fullmatch(args[at + 1])
        if flag in ("-mapper", "-combiner", "-reducer") and command:
            uri, rest = command.groups()
            name = PurePosixPath(uri).name
            fetched.setdefault(uri, f"{len(fetched)}-{name}" if name in fetched.values() else name)
            words[at + 1] = fetched[uri] + rest
    shipped = [f"{uri}#{name}" for uri, name in fetched.items()]
    if shipped and "-files" in words[:-1]:
        at = words.index("-files") + 1
        words[at] = ",".join([*shipped, words[at]])
        return words
    return ["-files", ",".join(shipped), *words] if shipped else words
