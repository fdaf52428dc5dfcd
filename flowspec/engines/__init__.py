"""What really runs a step on this machine.

A HadoopJarStep names a jar, perhaps a main class, and arguments. `command_for` gives the one process that
does the same here; `unsupported` says why there is none, before anything is started. Both go by the same
table, so what a plan accepts is what a worker can start.

    command-runner.jar hadoop-streaming ...     flowspec.engines.streaming
    command-runner.jar PROGRAM ...              that program
    script-runner.jar SCRIPT ...                that script
    hadoop-streaming*.jar ...                   flowspec.engines.streaming
    any other jar                               `hadoop jar`, where there is a Hadoop

The shapes of the steps are those of the Release Guide ("Run commands and scripts on a cluster") and,
before release 4, of the AMIs. Every process finds in its environment FLOWSPEC_S3_ROOT and
FLOWSPEC_HDFS_ROOT (folders that stand for s3:// and hdfs:///) and FLOWSPEC_SYSLOG (the file to log to).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flowspec.engines.paths import FileSystems, split_uri
from flowspec.errors import FlowspecError

_COMMAND_RUNNER = "command-runner.jar"
_SCRIPT_RUNNER = "script-runner.jar"
_STREAMING_JAR = re.compile(r"hadoop-streaming[^/]*\.jar")

# What EMR's machines have and this one is not asked to have; the reason is for the user's eyes.
_ABSENT = {
    **dict.fromkeys(
        ("spark-submit", "spark-sql", "spark-shell", "pyspark", "spark-example"), "Spark steps do not run here yet"
    ),
    **dict.fromkeys(("s3-dist-cp", "s3distcp"), "S3DistCp does not run here yet"),
    **dict.fromkeys(("hive-script", "hive", "beeline"), "there is no Hive on this machine's embedded EMR"),
    **dict.fromkeys(("pig-script", "pig"), "there is no Pig on this machine's embedded EMR"),
    **dict.fromkeys(("presto", "presto-cli", "trino", "trino-cli"), "there is no Presto or Trino here"),
    **dict.fromkeys(("impala-shell", "setup-impala"), "there is no Impala here"),
    **dict.fromkeys(("hbase", "sqoop", "oozie", "flink", "flink-yarn-session", "hadoop-lzo"), "it is not here"),
    "state-pusher-script": "Hadoop debugging was discontinued by AWS in 2023",
}
_ELSEWHERE = "leave the step out of this target with `when`, or run it on EMR"


@dataclass(frozen=True)
class Command:
    """One process: its arguments, and what its environment has beyond that of the worker."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def command_for(
    jar: str,
    main_class: str | None,
    args: Sequence[str],
    *,
    s3_root: Path,
    hdfs_root: Path,
    syslog: Path,
    properties: Mapping[str, str] | None = None,
) -> Command:
    """The process that does here what a HadoopJarStep does on EMR.

    `properties` are the step's Java properties. Raises FlowspecError where `unsupported` gives a reason.
    """
    environment = {
        "FLOWSPEC_S3_ROOT": str(s3_root),
        "FLOWSPEC_HDFS_ROOT": str(hdfs_root),
        "FLOWSPEC_SYSLOG": str(syslog),
    }
    if properties:
        inherited = os.environ.get("HADOOP_CLIENT_OPTS", "").split()
        defines = (f"-D{key}={value}" for key, value in properties.items())
        environment["HADOOP_CLIENT_OPTS"] = " ".join((*inherited, *defines))
    systems = FileSystems(Path("/"), s3_root, hdfs_root)
    return Command(_argv(jar, main_class, args, lambda uri: local_file(uri, systems)), environment)


def unsupported(jar: str, main_class: str | None, args: Sequence[str]) -> str | None:
    """Why a HadoopJarStep can't run on this machine, with a remedy; None when it can."""
    try:
        _argv(jar, main_class, args, lambda uri: uri)
    except FlowspecError as error:
        return f"{error.message}; {error.remedy}"
    return None


def python_module(name: str, *args: str) -> tuple[str, ...]:
    """The arguments that run a module of flowspec as a process, from whatever directory."""
    return (sys.executable, str(Path(__file__).resolve().with_name("launch.py")), name, *args)


def local_file(uri: str, systems: FileSystems) -> str:
    """The path of a program or jar; a relative one is left to the process, whose working directory it is in.

    Raises FlowspecError for a file system that is not here.
    """
    scheme, _, path = split_uri(uri)
    return str(systems.locate(uri)) if scheme or path.startswith("/") else uri


_Locate = Callable[[str], str]


def _argv(jar: str, main_class: str | None, args: Sequence[str], locate: _Locate) -> tuple[str, ...]:
    name = PurePosixPath(jar).name
    if name == _COMMAND_RUNNER:
        return _command(args, locate)
    if name == _SCRIPT_RUNNER:
        return _script(args, locate)
    if _STREAMING_JAR.fullmatch(name):
        return _streaming(args)
    return _hadoop_jar(jar, main_class, args, locate)


def _command(args: Sequence[str], locate: _Locate) -> tuple[str, ...]:
    if not args:
        raise FlowspecError("command-runner.jar was given nothing to run", remedy="name the program in `args`")
    program, rest = args[0], list(args[1:])
    name = PurePosixPath(program).name
    if name == "hadoop-streaming":
        return _streaming(rest)
    if name == "hadoop" and rest[:1] == ["jar"] and len(rest) > 1:
        return _argv(rest[1], None, rest[2:], locate)
    if name in _ABSENT:
        raise FlowspecError(f"'{name}' can't run: {_ABSENT[name]}", remedy=_ELSEWHERE)
    # A path may still be made, by a bootstrap action or an earlier step; a name is looked up now.
    if "/" not in program and shutil.which(program) is None:
        raise FlowspecError(f"there is no program '{program}' on PATH", remedy=f"install it, or {_ELSEWHERE}")
    return tuple(args)


def _script(args: Sequence[str], locate: _Locate) -> tuple[str, ...]:
    if not args:
        raise FlowspecError("script-runner.jar was given no script", remedy="name the script in `args`")
    name = PurePosixPath(args[0]).name
    if name in _ABSENT:
        raise FlowspecError(f"'{name}' can't run: {_ABSENT[name]}", remedy=_ELSEWHERE)
    return script_argv(locate(args[0]), args[1:])


def script_argv(path: str, args: Sequence[str]) -> tuple[str, ...]:
    """Runs a script as its first line says, or by bash where it has no right to be executed (as from S3)."""
    return (path, *args) if os.access(path, os.X_OK) else ("bash", path, *args)


def _streaming(args: Sequence[str]) -> tuple[str, ...]:
    return python_module("flowspec.engines.streaming", *args)


def _hadoop_jar(jar: str, main_class: str | None, args: Sequence[str], locate: _Locate) -> tuple[str, ...]:
    hadoop = shutil.which("hadoop")
    if hadoop is None:
        raise FlowspecError(
            f"'{jar}' needs a Hadoop, and there is no `hadoop` on PATH", remedy=f"install Hadoop, or {_ELSEWHERE}"
        )
    return (hadoop, "jar", locate(jar), *([main_class] if main_class else []), *args)
