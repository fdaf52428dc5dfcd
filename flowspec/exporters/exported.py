"""Writes a request in the format of another tool, and notes what that format expresses differently."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.job_flow import JobFlow
from flowspec.document.masking import mask
from flowspec.errors import FlowspecError, SpecError, shorten
from flowspec.exporters import airflow, aws_cli, cloudformation, stepfunctions, terraform
from flowspec.exporters.job import Job, References
from flowspec.exporters.left_out import note_left_out
from flowspec.importers.placeholders import substitute
from flowspec.importers.sources import read
from flowspec.request.compile import Request, compile
from flowspec.request.instances import expand_shorthand

# The order of these does not matter to EMR.
_SETS = {"Applications", "Tags", "Ec2SubnetIds", "InstanceGroups", "InstanceFleets", "Properties"}


class Exported(NamedTuple):
    """A definition in another tool's format; `notes` name its differences from the spec."""

    text: str
    notes: tuple[str, ...]


class _Format(NamedTuple):
    """A format: its name for people, its writer, and how import reads it: the kind, and the name of the file.

    `instead` names, for keys of a spec that are left out, the feature of the tool that replaces them.
    """

    title: str
    write: Callable[[Job], str]
    kind: str = ""
    file: str = ""
    notes: Callable[[Job], list[str]] | None = None
    instead: Mapping[str, str] = {}


FORMATS: Mapping[str, _Format] = {
    "aws-cli": _Format("the AWS CLI", aws_cli.write, "aws-cli", "create-cluster.sh"),
    "cloudformation": _Format(
        "CloudFormation", cloudformation.write, "cloudformation", "template.yaml", cloudformation.notes
    ),
    "terraform": _Format("Terraform", terraform.write, "terraform", "main.tf", terraform.notes),
    "stepfunctions": _Format(
        "Step Functions", stepfunctions.write, notes=stepfunctions.notes, instead=stepfunctions.INSTEAD
    ),
    "airflow": _Format("Airflow", airflow.write, "airflow", "dag.py", instead=airflow.INSTEAD),
}


def export(flow: JobFlow, to: str, request: Request | None = None) -> Exported:
    """Writes a job flow in the format `to`, one of `FORMATS`; `request` is its request if it is compiled already.

    What is written is read back as `import` does and compared with the request: each difference is a note, and so is a
    library that only import needs, where it is not installed. Raises `SpecError` when the flow does not compile,
    `FlowspecError` when a secret can't be replaced.
    """
    request = request or compile(flow)
    references = References(request.secrets)
    params = references.replace_secrets(request.params)
    # Before secrets are replaced: a secret count can't be divided among groups afterwards.
    with_groups = references.replace_secrets(dict(expand_shorthand(request.params)))
    job = Job(flow.name, params, with_groups, references.values, flow.region or "", flow.profile or "")
    format_ = FORMATS[to]
    text = format_.write(job)
    if mask(text, request.secrets) != text:
        raise FlowspecError("a secret would be readable in it", remedy="write it in one piece, as the whole value")
    notes = [
        f"{one.name} has to be at {one.uri}: `flowspec apply` {'packs and ' if one.packages else ''}uploads it"
        for one in request.assets
    ]
    notes += _note_on_date(flow, request)
    notes += [mask(note, request.secrets) for note in note_left_out(flow, format_.title, format_.instead)]
    notes += format_.notes(job) if format_.notes else []
    notes += _differences(format_, text, job, request) if format_.kind else []
    return Exported(text, tuple(dict.fromkeys(notes)))


def _note_on_date(flow: JobFlow, request: Request) -> Iterator[str]:
    """Yields a note if the request contains the date of rendering: in another tool it stays the same in each run."""
    day, moment, params = flow.document.day, flow.document.moment, str(request.params)
    if moment and (day in params or moment in params):
        yield f"the date {day} stands in place of `ds` and `ts`: all later runs have the same"


def _differences(format_: _Format, text: str, job: Job, request: Request) -> Iterator[str]:
    try:
        # Terraform reads all files of a folder: here there is no other.
        with tempfile.TemporaryDirectory(prefix="flowspec-export-") as folder:
            wanted = read(format_.file, text.encode(), kind=format_.kind, folder=Path(folder))
    except SpecError as error:
        yield f"{format_.title} refuses it: {error.diagnostics[0].message}"
        return
    except FlowspecError as error:
        # Only import needs python-hcl2, an extra; the written text does not depend on it.
        yield f"it was not compared with the spec, so more settings may be left out: {error.sentence}"
        return
    values = {name.replace("_", "").lower(): value for name, value in job.secrets.items()}
    given = {name: values.get(name.replace("_", "").lower(), one.default) for name, one in wanted.variables.items()}
    back = substitute(wanted.params, given)
    for note in _find_differences(mask(request.params, request.secrets), mask(back, request.secrets), ""):
        yield note.replace("TOOL", format_.title)


def _find_differences(wanted: Any, back: Any, path: str) -> Iterator[str]:
    """Yields a note for each difference of the request that is read back."""
    if isinstance(wanted, dict) and isinstance(back, dict):
        for key in {**wanted, **back}:
            inner = f"{path}.{key}".removeprefix(".")
            if key not in back:
                if wanted[key] not in ("", [], {}):
                    yield f"{inner} is left out: TOOL has no field for it ({_shorten(wanted[key])})"
            elif key not in wanted:
                if back[key] not in ("", [], {}):
                    yield f"TOOL adds {inner}: {_shorten(back[key])}"
            else:
                yield from _find_differences(_sorted(wanted[key], key), _sorted(back[key], key), inner)
    elif isinstance(wanted, list) and isinstance(back, list) and len(wanted) == len(back):
        for index, pair in enumerate(zip(wanted, back, strict=True)):
            role = pair[0].get("InstanceRole", pair[0].get("InstanceFleetType")) if isinstance(pair[0], dict) else None
            yield from _find_differences(*pair, f"{path}[{role or index}]")
    elif wanted != back:
        yield f"{path} is {_shorten(back)} for TOOL, and {_shorten(wanted)} here"


def _sorted(value: Any, key: str) -> Any:
    if key not in _SETS or not isinstance(value, list):
        return value
    order = ("InstanceRole", "InstanceFleetType", "Key", "Name")
    return sorted(
        value, key=lambda one: [str(one.get(word)) for word in order] if isinstance(one, dict) else [str(one)]
    )


def _shorten(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False))
