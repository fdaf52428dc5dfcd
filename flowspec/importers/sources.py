"""A source file -> the request that it means, with placeholders where it leaves values open.

    request         the parameters of RunJobFlow, as JSON
    aws-cli         a script with `aws emr create-cluster …`
    cloudformation  a template with an AWS::EMR::Cluster, YAML or JSON
    terraform       a module with an aws_emr_cluster: HCL or JSON, or the output of `terraform show -json`
    airflow         a module with EMR's operators, or its JOB_FLOW_OVERRIDES and SPARK_STEPS
    dataflow-runner a cluster of Snowplow's dataflow-runner
    mrjob           mrjob.conf

Each reader knows one of them. What a source says is imported, or becomes a variable, or is named in a note
with its place; nothing is guessed or dropped silently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from flowspec.document.rendering.patterns import PatternWork
from flowspec.document.text.tree import Source
from flowspec.facts.api_model import input_shape
from flowspec.importers import dataflow_runner, mrjob
from flowspec.importers.airflow import dag as airflow
from flowspec.importers.awscli import script as awscli
from flowspec.importers.cloudformation import template as cloudformation
from flowspec.importers.decompile.request_file import check, decode_source
from flowspec.importers.decompile.request_file import read as read_request
from flowspec.importers.placeholders import (
    MARKS,
    PLACEHOLDER,
    Wanted,
    drop_unprovable_rules,
)
from flowspec.importers.recognize import recognize_kind, refuse_structured
from flowspec.importers.refusal import refuse
from flowspec.importers.shapes import fit_variables
from flowspec.importers.terraform import module as terraform
from flowspec.plugins import IMPORTERS, ImporterPlugin, failing, plugins

_READERS: Mapping[str, Callable[..., Wanted]] = {
    "aws-cli": awscli.read,
    "airflow": airflow.read,
    "dataflow-runner": dataflow_runner.read,
    "mrjob": mrjob.read,
    "cloudformation": cloudformation.read,
    "terraform": terraform.read,
}
# The readers that take values for variables.
_WITH_VALUES = ("cloudformation", "terraform")


def read(
    name: str,
    data: bytes,
    *,
    kind: str = "",
    folder: Path = Path(),
    cluster: str = "",
    var_files: Sequence[Path] = (),
    settings: Sequence[str] = (),
) -> Wanted:
    """Returns the request that a source means. `name` is its name in messages, `folder` the folder that it is in.

    `kind` is one of those above, or "" to recognize it; `cluster` chooses one where it has several. `var_files` and
    `settings` (NAME=VALUE) are values for Terraform's variables or CloudFormation's parameters.
    Raises `SpecError` with what is wrong.
    """
    source = decode_source(name, data)
    if MARKS.search(source.text):
        _refuse_marks(source)
    importers = _plugin_importers()
    kind = kind or _recognize_by_plugin(source, importers)
    if kind not in ("", "request", *importers):
        refuse_structured(source)
    kind = kind or ("terraform" if Path(name).is_dir() else recognize_kind(source))
    if (var_files or settings) and kind not in _WITH_VALUES:
        refuse(source, "--var and --var-file are for Terraform and CloudFormation")
    if kind in importers:
        return _check_wanted(_read_by_plugin(kind, importers[kind], source, folder), source)
    if kind == "request":
        return Wanted(read_request(name, data))
    try:
        values = {"var_files": var_files, "settings": settings} if kind in _WITH_VALUES else {}
        return _check_wanted(_READERS[kind](source, folder, cluster, **values), source)
    except RecursionError:
        refuse(source, "nested too deeply")
    except MemoryError:
        refuse(source, "its values grow too large")


def _plugin_importers() -> Mapping[str, ImporterPlugin]:
    """Returns the importers of plugins by their names. Raises FlowspecError for one that is called like ours."""
    importers: Mapping[str, ImporterPlugin] = plugins(IMPORTERS)
    for name in {"request", *_READERS} & importers.keys():
        with failing(IMPORTERS, name):
            raise ValueError("an importer of this name is flowspec's own")
    return importers


def _recognize_by_plugin(source: Source, importers: Mapping[str, ImporterPlugin]) -> str:
    """Returns the plugin that recognizes a source; "" where none does.

    Before ours: a plugin knows its format better.
    """
    for name, importer in importers.items():
        with failing(IMPORTERS, name):
            if importer.recognizes(source.file, source.text):
                return name
    return ""


def _read_by_plugin(name: str, importer: ImporterPlugin, source: Source, folder: Path) -> Wanted:
    with failing(IMPORTERS, name):
        try:
            return Wanted(dict(importer.read(source.text, folder)))
        except ValueError as error:
            refuse(source, str(error))


def importer_names() -> list[str]:
    """Returns the kinds of sources that `read` takes, those of plugins, too."""
    return ["request", *_READERS, *_plugin_importers()]


def _check_wanted(wanted: Wanted, source: Source) -> Wanted:
    # An escape (\ue0f5) in the source would make a placeholder of its own.
    shown = json.dumps(wanted.params, ensure_ascii=False)
    if MARKS.search(PLACEHOLDER.sub("", shown)) or not set(PLACEHOLDER.findall(shown)) <= wanted.variables.keys():
        _refuse_marks(source)
    work = PatternWork()
    fitted = fit_variables(wanted.variables, wanted.params, input_shape())
    wanted = replace(wanted, variables={name: drop_unprovable_rules(one, work) for name, one in fitted.items()})
    check(wanted.request, source)
    return wanted


def _refuse_marks(source: Source) -> NoReturn:
    """Refuses a source with the characters around a placeholder, which would be taken for one."""
    refuse(source, "a character of Unicode's private use (U+E0F5, U+E0F6) is in it", "remove it")
