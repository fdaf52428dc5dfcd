"""Hadoop's own programs: `hadoop jar` for MapReduce and plain Java, `hadoop fs` for files.

    python -m flowspec.engines.hadoop jar JAR [MAIN_CLASS] ARGS...
    python -m flowspec.engines.hadoop fs ARGS...

The Hadoop on PATH runs them, if there is one. Otherwise, Hadoop's client among the jars of Spark runs them: jobs run in
its LocalJobRunner, with parallel map tasks. HADOOP_CLIENT_OPTS holds options of Java, HADOOP_CLASSPATH more classes, as
with Hadoop's own script.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence

from flowspec.engines import jvm
from flowspec.errors import FlowspecError, sentence_of

_CLASSES = {"jar": "org.apache.hadoop.util.RunJar", "fs": "org.apache.hadoop.fs.FsShell"}


def require(what: str) -> None:
    """Raises FlowspecError if nothing on this machine can run `what`."""
    if shutil.which("hadoop") is None:
        jvm.require_spark(what, of="a `hadoop` on PATH, or the one in Spark")


def main(words: Sequence[str]) -> None:
    """Replaces this process by the Java program. Raises SystemExit if the program can't be run."""
    if words[0] == "fs":
        # As on a cluster: `-rm -r /data` must never mean a folder of this machine.
        words = ["fs", "-D", "fs.defaultFS=hdfs:///", *words[1:]]
    try:
        argv, environment = _command_and_environment(words)
    except (FlowspecError, OSError) as error:
        sys.exit(sentence_of(error))
    os.execve(argv[0], argv, environment)  # noqa: S606 - words need no shell


def _command_and_environment(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Returns the Java program's command line and its environment."""
    environment = {**os.environ, **jvm.configure(os.environ)}
    environment["HADOOP_CLASSPATH"] = os.pathsep.join(
        filter(None, [str(jvm.CLASSES), os.environ.get("HADOOP_CLASSPATH")])
    )
    if hadoop := shutil.which("hadoop"):
        return [hadoop, *words], environment
    return _java_command(words, environment), environment


def _java_command(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    spark, java = jvm.require_spark("it", of="Hadoop"), jvm.require_java("Hadoop")
    class_path = os.pathsep.join(
        [environment["HADOOP_CONF_DIR"], environment["HADOOP_CLASSPATH"], str(spark.jars / "*")]
    )
    options = environment.get("HADOOP_CLIENT_OPTS", "")
    try:
        return [java, *shlex.split(options), "-cp", class_path, _CLASSES[words[0]], *words[1:]]
    except ValueError as error:
        message = f"HADOOP_CLIENT_OPTS={options}: {error}"
        raise FlowspecError(message, remedy="quote it as for a shell, or unset it") from error


if __name__ == "__main__":
    main(sys.argv[1:])
