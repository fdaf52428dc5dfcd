"""Runs the examples of Spark, with which the tutorials of AWS and Airflow begin.

On EMR they are below /usr/lib/spark. An installed pyspark has the Python ones, but not the examples jar; for the
classes of the jar that tutorials run, `java/flowspec/examples` has programs with the same names and output.
"""

from __future__ import annotations

import re
from pathlib import Path

from flowspec.engines import jvm
from flowspec.errors import FlowspecError

PACKAGE = "org.apache.spark.examples."
JAR = "/usr/lib/spark/examples/jars/spark-examples.jar"

_OURS = "flowspec.examples."
# The application of a class that is on the class path already (org.apache.spark.deploy.SparkSubmit).
_NO_JAR = "spark-internal"
_ON_EMR = re.compile(r"(?:(?:file|local):(?://)?)?(/usr/lib/spark/(.+))")
_EXAMPLES_JAR = re.compile(r"(examples/jars|examples/lib|lib)/spark-examples[^/]*\.jar")


def locate(application: str, main_class: str, spark: jvm.Spark) -> tuple[str, str]:
    """Returns the application and main class to run for those given: another for a file of EMR's /usr/lib/spark.

    Raises FlowspecError for a class of the examples jar that can't run without it.
    """
    found = _ON_EMR.fullmatch(application)
    if not found or Path(found[1]).exists():
        return application, main_class
    here = spark.home / found[2]
    if _EXAMPLES_JAR.fullmatch(found[2]):
        # Its name has the versions of Scala and Spark, except on EMR.
        here = next(iter(sorted(spark.home.glob("examples/jars/spark-examples*.jar"))), here)
        if not here.exists():
            return _NO_JAR, _replacement_class(main_class, spark)
    return (str(here) if here.exists() else application), main_class


def _replacement_class(main_class: str, spark: jvm.Spark) -> str:
    ours = sorted(path.stem for path in (jvm.CLASSES / "flowspec" / "examples").glob("*.java"))
    name = main_class.removeprefix(PACKAGE)
    if name in ours:
        return f"{_OURS}{name}"
    version = spark.version("spark-core")
    raise FlowspecError(
        f"{main_class or 'this step'} needs Spark's examples jar, which pyspark does not have",
        remedy=f"unpack Spark {version} (https://spark.apache.org/downloads.html) and set SPARK_HOME to its folder; "
        f"without it there are {', '.join(ours)}, and Spark's examples in Python",
    )


def announcement(main_class: str) -> str:
    """Returns a note about an example that is not Spark's own program, "" for any other class."""
    if not main_class.startswith(_OURS):
        return ""
    return f"pyspark has no spark-examples.jar: {main_class} runs on its Spark in place of {PACKAGE}"
