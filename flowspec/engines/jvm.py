"""Java programs on this machine: finds Java, Spark and Hadoop, and configures what s3:// and hdfs:// mean for them.

The Spark is that of SPARK_HOME, else the installed pyspark, else the one on PATH; its jars include Hadoop's client.
A program finds its configuration (`configure`) in the folder `conf` beside the step's logs. In it every
scheme of a cluster is a folder of this machine, by way of `java/flowspec/FolderFileSystem.java`; plain
paths follow the rule of `flowspec.engines.paths`: absolute ones are this machine's own, relative ones belong to
the home of the user hadoop in HDFS.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

from flowspec.engines.paths import HDFS_HOME, FileSystems
from flowspec.errors import FlowspecError
from flowspec.facts.uris import S3_SCHEMES

CLASSES = Path(__file__).with_name("java")
"""The folder of our own classes, for a class path."""

# A separate scheme for plain paths: Hadoop's own `file` can't distinguish absolute from relative paths.
_PLAIN = "here"
_FILE_SYSTEM = "flowspec.FolderFileSystem"
JAVA_REMEDY = "install Java 17, and have `java` on PATH or JAVA_HOME set"

# An application that sets master("yarn") in its code fails at once, with a host name that explains the reason.
_NO_YARN = {
    "yarn.resourcemanager.address": "leave-the-master-out-of-the-code.there-is-no-yarn-here.invalid:8032",
    "yarn.resourcemanager.connect.max-wait.ms": "100",
    "yarn.resourcemanager.connect.retry-interval.ms": "100",
}

# Both generations of log4j: Spark and Hadoop 3.5 read the second, a Hadoop on PATH may read the first.
_LOG_PATTERN = "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %c (%t): %m%n"
_LOG4J2 = f"""\
rootLogger.level = info
rootLogger.appenderRef.syslog.ref = syslog
appender.syslog.type = File
appender.syslog.name = syslog
appender.syslog.fileName = ${{env:FLOWSPEC_SYSLOG}}
appender.syslog.layout.type = PatternLayout
appender.syslog.layout.pattern = {_LOG_PATTERN}%ex
"""
_LOG4J1 = """\
log4j.rootLogger = INFO, syslog
log4j.appender.syslog = org.apache.log4j.FileAppender
log4j.appender.syslog.file = {syslog}
log4j.appender.syslog.layout = org.apache.log4j.PatternLayout
log4j.appender.syslog.layout.conversionPattern = {pattern}
"""


class Spark(NamedTuple):
    """An installed Spark; `jars` are its libraries, Hadoop's client among them."""

    home: Path

    @property
    def jars(self) -> Path:
        """The folder of the jars."""
        return self.home / "jars"

    def version(self, library: str) -> str:
        """Returns the version in the name of a jar of it, such as "spark-core" or "hadoop-client-api"; "" for none."""
        names = (re.fullmatch(rf"{library}(?:_[\d.]+)?-(\d[\d.]*)\.jar", jar.name) for jar in self.jars.iterdir())
        return next((found[1] for found in names if found), "")


def find_spark() -> Spark | None:
    """Returns the Spark of this machine. Nothing is imported and nothing run."""
    return next((Spark(home) for home in _spark_homes() if (home / "jars").is_dir()), None)


def _spark_homes() -> Iterable[Path]:
    if home := os.environ.get("SPARK_HOME"):
        yield Path(home)
    found = importlib.util.find_spec("pyspark")
    if found and found.origin:
        yield Path(found.origin).parent
    if program := shutil.which("spark-submit"):
        yield Path(program).resolve().parent.parent


def find_java() -> str | None:
    """Returns the `java` of JAVA_HOME, else of PATH."""
    home = os.environ.get("JAVA_HOME")
    return (home and shutil.which(str(Path(home, "bin", "java")))) or shutil.which("java")


def require_spark(what: str, of: str = "Spark") -> Spark:
    """Returns the Spark that `what` needs, for itself or `of` its own.

    Raises FlowspecError where Spark or Java is missing.
    """
    spark = find_spark()
    if spark is None:
        raise FlowspecError(f"{what} needs {of}, and none is installed", remedy="pip install pyspark")
    require_java(what)
    return spark


def require_java(what: str) -> str:
    """Returns the `java` that `what` needs. Raises FlowspecError where there is none."""
    java = find_java()
    if java is None:
        raise FlowspecError(f"{what} needs Java, and there is none", remedy=JAVA_REMEDY)
    return java


def folder(environ: Mapping[str, str]) -> Path:
    """Returns the folder of the step's logs, beside which a program's configuration and Spark's event log are kept."""
    return Path(environ["FLOWSPEC_SYSLOG"]).parent


def configurations(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Returns the cluster's configurations that are honoured here: classification -> properties."""
    found: dict[str, dict[str, str]] = json.loads(environ.get("FLOWSPEC_CONFIGURATIONS", "{}"))
    return found


def configure(environ: Mapping[str, str], spark_defaults: Mapping[str, str] | None = None) -> dict[str, str]:
    """Writes a program's configuration for Hadoop's and Spark's classes; returns the environment variables it needs."""
    place = folder(environ) / "conf"
    place.mkdir(exist_ok=True)
    given = configurations(environ)
    files = FileSystems.from_environment(environ, Path.cwd())
    # flowspec's properties come last, and so override others: a cluster's own fs.s3.impl does not work here.
    _write_xml(place / "core-site.xml", {**given.get("core-site", {}), **dict(_file_systems(files))})
    _write_xml(place / "hdfs-site.xml", given.get("hdfs-site", {}))
    _write_xml(place / "mapred-site.xml", {**given.get("mapred-site", {}), **_local_jobs()})
    _write_xml(place / "yarn-site.xml", _NO_YARN)
    _write_properties(place / "spark-defaults.conf", spark_defaults or {})
    (place / "log4j2.properties").write_text(_LOG4J2)
    (place / "log4j.properties").write_text(_LOG4J1.format(syslog=environ["FLOWSPEC_SYSLOG"], pattern=_LOG_PATTERN))
    return {"HADOOP_CONF_DIR": str(place), "SPARK_CONF_DIR": str(place), "HADOOP_USER_NAME": "hadoop"}


def _file_systems(files: FileSystems) -> Iterable[tuple[str, str]]:
    folders = {**dict.fromkeys(S3_SCHEMES, files.s3), "hdfs": files.hdfs, _PLAIN: Path("/")}
    for scheme, root in folders.items():
        yield f"fs.{scheme}.impl", _FILE_SYSTEM
        yield f"flowspec.folder.{scheme}", str(root)
    yield "flowspec.authority.hdfs", "false"
    yield f"flowspec.home.{_PLAIN}", f"{files.hdfs}{HDFS_HOME}"
    yield "fs.defaultFS", f"{_PLAIN}:///"
    # Beside the step's files, so that files of a killed program are removed with them.
    yield "hadoop.tmp.dir", str(files.working / "tmp")


def _local_jobs() -> dict[str, str]:
    cores = str(os.cpu_count() or 1)
    return {
        "mapreduce.framework.name": "local",
        "mapreduce.local.map.tasks.maximum": cores,
        "mapreduce.local.reduce.tasks.maximum": cores,
        # Hadoop's default for s3a is a class of the S3 client, which is not used here.
        "mapreduce.outputcommitter.factory.scheme.s3a": (
            "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
        ),
    }


def _write_xml(path: Path, properties: Mapping[str, str]) -> None:
    entries = (
        f"<property><name>{escape(name, quote=False)}</name><value>{escape(value, quote=False)}</value></property>\n"
        for name, value in properties.items()
    )
    path.write_text(f"<configuration>\n{''.join(entries)}</configuration>\n", encoding="utf-8")


def _write_properties(path: Path, properties: Mapping[str, str]) -> None:
    """Writes a file as java.util.Properties reads it."""
    lines = (f"{_escape(name, ' :=#!')}={_escape(value, '')}\n" for name, value in properties.items())
    path.write_text("".join(lines), encoding="utf-8")


def _escape(text: str, special: str) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(f"\\{char}" if char in special else char for char in text)
