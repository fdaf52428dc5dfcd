"""`spark-submit`, `spark-sql` and `spark-example` as on a cluster, run by the Spark of this machine on all its cores.

    python -m flowspec.engines.spark spark-submit OPTIONS APPLICATION ARGS...

Options that need a cluster are translated, or left out and named once on stderr: the master becomes
`local[*]`, cluster mode becomes client mode; executors are threads of the driver, which gets the requested memory as
up to what this machine has. Files shipped with the application are in its working directory, as in YARN's
containers. Source of the options: org.apache.spark.launcher.SparkSubmitOptionParser.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from flowspec.engines import jvm
from flowspec.engines.exit_status import as_in_shell
from flowspec.engines.joblog import JobLog
from flowspec.engines.paths import FileSystems, split_uri
from flowspec.engines.spark_examples import JAR, PACKAGE, announcement, locate
from flowspec.engines.streaming.run.cache import Shipment, localize
from flowspec.errors import FlowspecError, sentence_of
from flowspec.facts.uris import S3_SCHEMES

_SQL = ("--class", "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver")
# Options of the SQL program that take the next word; options of Spark may be between them.
_SQL_OPTIONS = frozenset({"-d", "-e", "-f", "-i", "--database", "--define", "--hiveconf", "--hivevar"})

_SWITCHES = frozenset({"--verbose", "-v", "--supervise", "--usage-error", "--version", "--help", "-h"})
# Options and properties about a cluster's machines, queues and identities.
_WITHOUT_EFFECT = frozenset(
    {
        *("--num-executors", "--executor-cores", "--total-executor-cores", "--driver-cores", "--queue"),
        *("--supervise", "--proxy-user", "--principal", "--keytab"),
    }
)
_CLUSTER_PROPERTY = re.compile(
    r"spark\.(yarn\.|dynamicAllocation\.|shuffle\.service\.|executor\.(instances|cores)$|cores\.max$|driver\.cores$"
    r"|master$|submit\.deployMode$)"
)
_APPLICATION_ENVIRONMENT = "spark.yarn.appMasterEnv."
_CONTROL = frozenset({"--kill", "--status"})
_UNITS = {"": 20, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@dataclass
class Submission:
    """A command line of spark-submit: options but `--conf` as (name, value; None for a switch), in their order."""

    options: list[tuple[str, str | None]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    application: tuple[str, ...] = ()

    def last(self, name: str) -> str | None:
        """Returns the effective value of an option that is given more than once."""
        return next((value for option, value in reversed(self.options) if option == name), None)


def parse(program: str, words: Sequence[str]) -> Submission:
    """Parses a command line. Raises FlowspecError if it can't run as a step."""
    found = Submission()
    at = 0
    own_words: list[str] = []
    while at < len(words):
        if program == "spark-sql" and not _is_spark_option(words[at]):
            start, at = at, at + (2 if words[at] in _SQL_OPTIONS else 1)
            own_words += words[start:at]
            continue
        if not words[at].startswith("-"):
            break
        name, equals, value = words[at].partition("=")
        at += 1
        if name in _CONTROL:
            raise FlowspecError(f"{name} needs a cluster manager", remedy="run it on EMR")
        if name in _SWITCHES:
            found.options.append((name, None))
            continue
        if not equals:
            if at == len(words):
                raise FlowspecError(f"{program}: {name} has no value", remedy=f"give it one: {name} VALUE")
            value = words[at]
            at += 1
        _add_option(found, name, value)
    found.application = (*own_words, *words[at:])
    if program == "spark-submit" and not found.application:
        raise FlowspecError("spark-submit was given no application", remedy="name the script or jar after its options")
    return _submission_of_example(found) if program == "spark-example" else found


def _submission_of_example(given: Submission) -> Submission:
    """Returns the submission for `spark-example OPTIONS CLASS ARGS...`, where the package may be left out."""
    if not given.application:
        raise FlowspecError("spark-example was given no example", remedy="name its class, such as SparkPi")
    main_class = PACKAGE + given.application[0].removeprefix(PACKAGE)
    return replace(given, options=[*given.options, ("--class", main_class)], application=(JAR, *given.application[1:]))


def _replace_node_paths(given: Submission, spark: jvm.Spark) -> Submission:
    """Replaces files that only nodes of EMR have by files of this machine. Raises FlowspecError if there are none."""
    if not given.application:
        return given
    before = given.last("--class") or ""
    application, main_class = locate(given.application[0], before, spark)
    others = [(name, value) for name, value in given.options if name != "--class"]
    options = given.options if main_class == before else [*others, ("--class", main_class)]
    return replace(given, options=options, application=(application, *given.application[1:]))


def _is_spark_option(word: str) -> bool:
    """Returns True if a word of spark-sql's is an option for Spark, and not for the SQL program."""
    return word == "-c" or (word.startswith("--") and word.partition("=")[0] not in {*_SQL_OPTIONS, "--silent"})


def _add_option(found: Submission, name: str, value: str) -> None:
    if name not in ("--conf", "-c"):
        found.options.append((name, value))
        return
    key, equals, text = value.partition("=")
    if not equals:
        raise FlowspecError(f"spark-submit: --conf {value} is not KEY=VALUE", remedy="write --conf key=value")
    found.properties[key.strip()] = text


def require(program: str, words: Sequence[str]) -> None:
    """Raises FlowspecError for a command line that can't run on this machine."""
    spark = jvm.require_spark(f"'{program}'")
    _replace_node_paths(parse(program, words), spark)


def main(program: str, words: Sequence[str]) -> int:
    """Runs the program; returns its exit status. Raises SystemExit where it can't run."""
    try:
        spark = jvm.require_spark(program)
        given = _replace_node_paths(parse(program, words), spark)
        files = FileSystems.from_environment(os.environ, Path.cwd())
        defaults = jvm.configurations(os.environ).get("spark-defaults", {})
        argv = [str(spark.home / "bin" / "spark-submit"), *_local_command_line(program, given, defaults, files)]
        _ship(given, files)
        environment = {**os.environ, **jvm.configure(os.environ, _defaults(defaults)), **_environment(given, spark)}
        _report_without_effect(given, defaults)
        return _run(argv, environment)
    except (FlowspecError, OSError) as error:
        sys.exit(sentence_of(error))


def _run(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs Spark to its end, and ends all its processes on SIGTERM: a Python application would outlive its JVM."""

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        os.killpg(0, number)

    signal.signal(signal.SIGTERM, end)
    code = subprocess.Popen(argv, env=environment).wait()
    return as_in_shell(code)


def _local_command_line(
    program: str, given: Submission, defaults: Mapping[str, str], files: FileSystems
) -> Iterator[str]:
    """Yields the command line for this machine."""
    master = given.last("--master") or ""
    yield from ("--master", master if master.startswith("local") else "local[*]", "--deploy-mode", "client")
    yield from ("--driver-class-path", os.pathsep.join(filter(None, [str(jvm.CLASSES), _class_path(given, defaults)])))
    if memory := _memory(given, defaults):
        yield from ("--driver-memory", memory)
    ours = {"--master", "--deploy-mode", "--driver-class-path", "--driver-memory", "--executor-memory"}
    for name, value in given.options:
        if name not in ours | _WITHOUT_EFFECT:
            yield name
            if value is not None:
                yield _LOCATED[name](value, files) if name in _LOCATED else value
    for key, value in given.properties.items():
        if not _CLUSTER_PROPERTY.match(key):
            yield from ("--conf", f"{key}={value}")
    if program == "spark-sql":
        yield from (*_SQL, "spark-internal", *_sql_words(given.application, files))
    else:
        yield from (_application(given.application[0], files), *given.application[1:])


def _class_path(given: Submission, defaults: Mapping[str, str]) -> str:
    key = "spark.driver.extraClassPath"
    return given.last("--driver-class-path") or given.properties.get(key) or defaults.get(key, "")


def _sql_words(words: Sequence[str], files: FileSystems) -> Iterator[str]:
    for before, word in zip(["", *words], words, strict=False):
        yield _locate_paths(word, files) if before in ("-f", "-i") else word


def _application(text: str, files: FileSystems) -> str:
    path = _locate_paths(text, files)
    scheme, _, plain = split_uri(path)
    if not scheme and plain.endswith((".py", ".jar")) and not Path(plain).exists():
        raise FlowspecError(f"{text}: there is no such file ({path})", remedy="check the step's `application`")
    return path


def _locate_paths(text: str, files: FileSystems) -> str:
    """Returns a list of paths, those of a cluster's file systems as paths of this machine; a `#name` is kept."""
    return ",".join(_locate_path(part, files) for part in text.split(","))


def _locate_path(text: str, files: FileSystems) -> str:
    path, mark, name = text.partition("#")
    scheme, _, _ = split_uri(path)
    return f"{files.locate(path)}{mark}{name}" if scheme in (*S3_SCHEMES, "hdfs", "file") else text


def _locate_renamed(text: str, files: FileSystems) -> str:
    """Ships `path#name` in a list of files as the file `name`: Spark supports this form only on YARN."""
    return ",".join(
        str(files.working / one.partition("#")[2]) if "#" in one else one
        for one in _locate_paths(text, files).split(",")
    )


_LOCATED = {
    "--files": _locate_renamed,
    **dict.fromkeys(("--py-files", "--archives", "--jars", "--properties-file"), _locate_paths),
}


def _shipments(given: Submission, files: FileSystems) -> Iterator[Shipment]:
    """Yields the files and archives of the application that are on this machine, with their names."""
    for option, archive in (("--files", False), ("--archives", True)):
        for text in filter(None, (given.last(option) or "").split(",")):
            path, _, name = _locate_path(text, files).partition("#")
            if not split_uri(path)[0]:
                yield Shipment(files.working / path, name or Path(path).name, archive)


def _ship(given: Submission, files: FileSystems) -> None:
    """Puts the files and archives of the application into the working directory, under their names."""
    syslog = JobLog.from_environment()
    try:
        localize(tuple(_shipments(given, files)), files.working / "tmp" / "shipped", files.working, syslog, [])
    finally:
        syslog.close()


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the content of spark-defaults.conf: the cluster's own properties, on top of those of this machine."""
    logs = jvm.folder(os.environ) / "spark-events"
    logs.mkdir(exist_ok=True)
    ours = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{logs}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # The path on EMR.
        "spark.sql.warehouse.dir": "hdfs:///user/spark/warehouse",
    }
    return {**ours, **{key: value for key, value in given.items() if not _CLUSTER_PROPERTY.match(key)}}


def _environment(given: Submission, spark: jvm.Spark) -> dict[str, str]:
    asked = {
        key.removeprefix(_APPLICATION_ENVIRONMENT): value
        for key, value in given.properties.items()
        if key.startswith(_APPLICATION_ENVIRONMENT)
    }
    scratch = Path.cwd() / "tmp"
    pythons = {"PYSPARK_PYTHON": sys.executable, **os.environ, **asked}
    python = pythons.get("PYSPARK_DRIVER_PYTHON", pythons["PYSPARK_PYTHON"])
    ours = {
        "PYSPARK_DRIVER_PYTHON": _driver_python(python, scratch),
        "SPARK_HOME": str(spark.home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(scratch),
    }
    return {"PYSPARK_PYTHON": pythons["PYSPARK_PYTHON"], **asked, **ours}


def _driver_python(python: str, folder: Path) -> str:
    """Returns a command for this Python whose output, errors too, goes to the stdout of this process.

    Spark copies the output of a Python application in a daemon thread that nobody waits for at the end
    (org.apache.spark.deploy.PythonRunner), so its last lines, the error among them, are lost at times.
    """
    stdout = Path(f"/proc/{os.getpid()}/fd/1")
    if not stdout.exists() or stdout.is_socket():  # without /proc, as on macOS; a socket can't be opened by its path
        return python
    folder.mkdir(exist_ok=True)
    script = folder / "driver-python"
    script.write_text(
        f'#!/bin/sh\nunset PYSPARK_DRIVER_PYTHON\nexec {shlex.quote(python)} "$@" >>{stdout} 2>&1\n', encoding="utf-8"
    )
    script.chmod(0o700)
    return str(script)


def _memory(given: Submission, defaults: Mapping[str, str]) -> str:
    """Returns the memory of the one process: the most asked for driver or executors, bounded by the machine."""
    texts = [
        given.last(f"--{role}-memory")
        or given.properties.get(f"spark.{role}.memory")
        or defaults.get(f"spark.{role}.memory")
        for role in ("driver", "executor")
    ]
    asked = max((_bytes(text) for text in texts if text), default=0)
    return f"{min(asked, _memory_limit()) >> 20}m" if asked else ""


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([bkmgt]?)b?", text.strip().lower())
    if not found:
        raise FlowspecError(f"'{text}' is not a size of memory", remedy="write it like 4g or 512m")
    return int(found[1]) << _UNITS[found[2]]


def _memory_limit() -> int:
    """Returns the bytes that a program may have here: three quarters of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4


def _report_without_effect(given: Submission, defaults: Mapping[str, str]) -> None:
    """Writes to stderr what of the command line and the cluster's spark-defaults has no effect here."""
    said = [
        *(name if value is None else f"{name} {value}" for name, value in given.options if name in _WITHOUT_EFFECT),
        *(f"{name} {value}" for name, value in given.options if name in ("--master", "--deploy-mode")),
        *(
            f"{key}={value}"
            for key, value in {**defaults, **given.properties}.items()
            if _CLUSTER_PROPERTY.match(key) and not key.startswith(_APPLICATION_ENVIRONMENT)
        ),
    ]
    memory = _memory(given, defaults)
    lines = [f"flowspec: without effect on this machine: {', '.join(said)}\n"] if said else []
    lines += [f"flowspec: the driver, and all executors in it, have {memory} of memory\n"] if memory else []
    example = announcement(given.last("--class") or "")
    lines += [f"flowspec: {example}\n"] if example else []
    sys.stderr.write("".join(lines))
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
