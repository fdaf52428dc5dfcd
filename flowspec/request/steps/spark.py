"""`type: spark`: an application that spark-submit runs.

Sources: org.apache.spark.deploy.SparkSubmitArguments and org.apache.spark.launcher.SparkSubmitOptionParser.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.request.steps.access import Access, arguments, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.options import Option, Table, read
from flowspec.request.steps.target import HadoopJarStep, Invocation, StepTarget

OPTIONS: Table = {
    "main_class": Option("--class"),
    "app_name": Option("--name"),
    "master": Option("--master"),
    "deploy_mode": Option("--deploy-mode"),
    "conf": Option("--conf", "pairs"),
    "properties_file": Option("--properties-file"),
    "py_files": Option("--py-files", "commas"),
    "jars": Option("--jars", "commas"),
    "files": Option("--files", "commas"),
    "archives": Option("--archives", "commas"),
    "packages": Option("--packages", "commas"),
    "exclude_packages": Option("--exclude-packages", "commas"),
    "repositories": Option("--repositories", "commas"),
    "driver_memory": Option("--driver-memory"),
    "driver_cores": Option("--driver-cores"),
    "driver_class_path": Option("--driver-class-path"),
    "driver_library_path": Option("--driver-library-path"),
    "driver_java_options": Option("--driver-java-options"),
    "executor_memory": Option("--executor-memory"),
    "executor_cores": Option("--executor-cores"),
    "num_executors": Option("--num-executors"),
    "total_executor_cores": Option("--total-executor-cores"),
    "queue": Option("--queue"),
    "proxy_user": Option("--proxy-user"),
    "principal": Option("--principal"),
    "keytab": Option("--keytab"),
    "verbose": Option("--verbose", "switch"),
    "supervise": Option("--supervise", "switch"),
}
_FILES = ("py_files", "jars", "files", "archives", "properties_file")


def invocation(target: StepTarget) -> Invocation:
    """Returns the program that runs spark-submit; the AMIs have it outside of PATH."""
    return target.program("/home/hadoop/spark/bin/spark-submit" if target.pre_emr4 else "spark-submit")


def compile(step: SpecStep) -> dict[str, Any]:
    """spark-submit with the step's options, `spark_args`, the application and its `args`."""
    options = step.words(OPTIONS, "spark_args", _FILES)
    return invocation(step.target).step([*options, step.file("application"), *step.fields.get("args", ())])


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """The step of a spark-submit; options that a mapping can't express become `spark_args`."""
    words = invocation(target).args_of(step)
    if words is None:
        return None
    found, rest = read(words, OPTIONS)
    repeated: list[str] = []
    sizes = {option.flag: 1 if option.form == "switch" else 2 for option in OPTIONS.values()}
    while rest and rest[0] in sizes:
        size = sizes[rest[0]]
        repeated, rest = repeated + rest[:size], rest[size:]
    if not rest or rest[0].startswith("-"):
        return None
    return {"application": rest[0], **found, **without_empty(spark_args=repeated, args=rest[1:])}


def accesses(fields: Fields) -> Iterator[Access]:
    """The application, the files that are shipped with it, and the URIs in its arguments."""
    yield from file_fields(fields, "application", *_FILES)
    yield from arguments(fields.get("args", ()))
