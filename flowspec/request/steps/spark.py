"""`type: spark`: an application that spark-submit runs.

Sources: org.apache.spark.deploy.SparkSubmitArguments and org.apache.spark.launcher.SparkSubmitOptionParser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.facts.pythons import python_of
from flowspec.request.packages import LINK
from flowspec.request.steps.access import Access, arguments, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.options import Option, Table, read
from flowspec.request.steps.packages import has_packages, packages_uri, wanted_version
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
_DEPLOY_MODE = "spark.submit.deployMode"
# Spark's own properties for the interpreter: each would replace the interpreter that finds the packages.
_INTERPRETERS = ("spark.yarn.appMasterEnv.PYSPARK_PYTHON", "spark.executorEnv.PYSPARK_PYTHON")
_OTHER_INTERPRETERS = ("spark.pyspark.python", "spark.pyspark.driver.python")
_FILES = ("py_files", "jars", "files", "archives", "properties_file")


def invocation(target: StepTarget) -> Invocation:
    """Returns the program that runs spark-submit; the AMIs have it outside of PATH."""
    return target.program("/home/hadoop/spark/bin/spark-submit" if target.pre_emr4 else "spark-submit")


def compile(step: SpecStep) -> dict[str, Any]:
    """Compiles a step to spark-submit with its options, `spark_args`, the application and its `args`."""
    step = _with_packages(step)
    options = step.words(OPTIONS, "spark_args", _FILES)
    return invocation(step.target).step([*options, step.file("application"), *step.fields.get("args", ())])


def _with_packages(step: SpecStep) -> SpecStep:
    """Returns the step with its Python packages, if its application is a Python file or it asks for them itself."""
    is_python = "python" in step.fields or step.fields["application"].endswith(".py")
    if not is_python or not has_packages(step):
        return step
    return _in_cluster_mode(step) if _deploy_mode(step) == "cluster" else _in_client_mode(step)


def _in_cluster_mode(step: SpecStep) -> SpecStep:
    """Returns the step in cluster mode: containers of YARN unpack the archive, and its bin/python finds the packages.

    It is the form of Spark's "Python Package Management". PYTHONPATH would do from Spark 3 on; before, spark-submit
    replaces it (org.apache.spark.deploy.yarn.Client).
    """
    uri = packages_uri(step)
    if uri is None:
        return step
    conf = step.fields.get("conf", {})
    for key in (*_INTERPRETERS, *_OTHER_INTERPRETERS):
        if key in conf:
            message = f"{key} is set by `python`, to the interpreter that finds the packages"
            step.files.report("FS284", (*step.at, "conf", key), message, hint="leave it out")
    archives = [*step.fields.get("archives", ()), f"{uri}#{LINK}"]
    interpreter = dict.fromkeys(_INTERPRETERS, f"./{LINK}/bin/python")
    return step._replace(fields={**step.fields, "archives": archives, "conf": {**conf, **interpreter}})


def _in_client_mode(step: SpecStep) -> SpecStep:
    """Adds packages for a driver on the master node, where YARN unpacks nothing: a zip of --py-files is imported as is.

    Python imports no compiled code from a zip, so that only packages without it can be used.
    """
    uri = packages_uri(step, pure=True)
    if uri is None:
        return step
    conf = dict(step.fields.get("conf", {}))
    release = python_of(step.files.jobflow.fields.get("release_label"))
    version = wanted_version(step)
    if step.files.jobflow.traits.on_aws and release and release.pyspark != version:
        conf.setdefault("spark.pyspark.python", f"python{version}")
    return step._replace(fields={**step.fields, "py_files": [*step.fields.get("py_files", ()), uri], "conf": conf})


def _deploy_mode(step: SpecStep) -> str:
    """Returns where the driver runs: by the step, else by spark-defaults of the cluster, else on the master node."""
    fields, raw = step.fields, list(step.fields.get("spark_args", ()))
    for at, word in enumerate(raw):
        if word.startswith("--deploy-mode"):
            return str(word.partition("=")[2] or "".join(raw[at + 1 : at + 2]))
    if str(fields.get("master", "")).startswith("local"):
        return "client"
    given = fields.get("deploy_mode") or fields.get("conf", {}).get(_DEPLOY_MODE)
    return str(given or _defaults(step.files.jobflow.fields.get("configurations", ())).get(_DEPLOY_MODE, "client"))


def _defaults(configurations: Any) -> Mapping[str, Any]:
    """Returns the properties of spark-defaults in the cluster's configurations, a mapping or the list of the API."""
    found: Mapping[str, Any] = {}
    if isinstance(configurations, Mapping):
        found = configurations.get("spark-defaults", {})
    else:
        named = (one.get("Properties", {}) for one in configurations if one.get("Classification") == "spark-defaults")
        found = next(named, found)
    return found


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """Returns the step of a spark-submit; options that a mapping can't express become `spark_args`."""
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
    """Yields the application, the files that are shipped with it, and the URIs in its arguments."""
    yield from file_fields(fields, "application", *_FILES)
    yield from arguments(fields.get("args", ()))
