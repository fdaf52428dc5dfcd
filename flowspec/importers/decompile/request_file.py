"""A file of JSON -> the parameters of RunJobFlow, or an error with everything that is wrong with it.

The request is validated against botocore's model of the operation, with messages that name the place in the
file; enums, which botocore leaves to the service, are checked as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from flowspec.document.nearest import did_you_mean
from flowspec.document.text.parse import compose
from flowspec.document.text.tree import Document, Place, Source, diagnostics_to_show
from flowspec.document.text.tree import Mapping as MappingNode
from flowspec.errors import Diagnostic, SpecError
from flowspec.facts.api_model import Mismatch, input_shape, mismatches, path_text
from flowspec.importers.decompile.redact import Redactor

_REMEDY = "a request is what boto3's run_job_flow(**request) takes: json.dump(request, file) writes it down"
_ANSWERS = {
    "Cluster": "the answer of DescribeCluster",
    "Clusters": "the answer of ListClusters",
    "JobFlows": "the answer of DescribeJobFlows",
    "JobFlowId": "the answer of RunJobFlow",
    "StepIds": "the answer of AddJobFlowSteps",
    "Resources": "a CloudFormation template",
    "requestParameters": "an event of CloudTrail",
    "Records": "a file of CloudTrail events",
}
# RunJobFlow nests 11 levels deep; Configurations, which are recursive, are the only way to go deeper.
_DEEPEST = 80
_CLUSTER = {"Id", "Status", "Ec2InstanceAttributes", "ClusterArn"}

# Members that people put elsewhere, or that other tools call so.
_ELSEWHERE = {
    "InstanceProfile": "it is JobFlowRole, beside Instances",
    "InstanceRole": "a fleet has InstanceFleetType",
    "UseDefaultRoles": "give ServiceRole and JobFlowRole",
    "AutoTerminate": "it is KeepJobFlowAliveWhenNoSteps in Instances, with the opposite value",
}


class _Problem(NamedTuple):
    """An error and its path; `key`: the member itself is wrong, not its value."""

    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    key: bool = False


def read(name: str, data: bytes) -> dict[str, Any]:
    """Reads the request in a file. `name` is the file's name in messages. Raises `SpecError` with all errors."""
    source = decode_source(name, data)
    request = _parse(source)
    _refuse_answers(request, source)
    check(request, source)
    return dict(request)


def check(request: Any, source: Source) -> None:
    """Validates a request against the model. Raises `SpecError` with all errors, at their places in the source."""
    found = mismatches(request, input_shape())
    # As the SDK does, maxima, the size of integers and patterns are left to the service.
    wrong = [_problem(one) for one in found if one.kind not in ("overflow", "max", "pattern")]
    if wrong:
        raise SpecError(diagnostics_to_show(list(_diagnostics(wrong, source)), "", _secrets(request)))


def _secrets(request: Any) -> list[str]:
    """Returns the secrets of an invalid request, not to be shown; a password may be invalid because it is a number."""
    redactor = Redactor()
    redactor.redact(_as_texts(request))
    return list(redactor.variables.values())


def _as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    return [_as_texts(item) for item in value] if isinstance(value, list) else str(value)


def decode_source(name: str, data: bytes) -> Source:
    """Decodes the text of a file. Raises `SpecError` when it is not UTF-8."""
    try:
        return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        _refuse(Source(name), f"byte 0x{data[error.start]:02x} is not UTF-8 text", "save it in UTF-8")


def _refuse(source: Source, message: str, hint: str = _REMEDY, at: Place | None = None) -> NoReturn:
    raise SpecError([source.diagnostic("FS701", message, at, notes=(hint,) if hint else ())])


def _parse(source: Source) -> Any:
    if not source.text.strip():
        _refuse(source, "the file is empty")
    try:
        value = _parse_strict_json(source)
    except json.JSONDecodeError as error:
        at = Place(source, error.lineno, error.colno, 1)
        _refuse(source, f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", at=at)
    except (RecursionError, ValueError):
        _refuse(source, "nested too deeply, or a number too long")
    if _is_deep(value):
        _refuse(source, f"nested deeper than {_DEEPEST} levels")
    if re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)):
        _refuse(source, "half of a surrogate pair (\\ud800 … \\udfff) is not text", "")
    return value


def _parse_strict_json(source: Source) -> Any:
    """Parses JSON by RFC 8259: json.loads also accepts NaN, Infinity, and a member given twice."""

    def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [key for key, _ in pairs]
        duplicate = next((key for key in names if names.count(key) > 1), None) if len(set(names)) < len(names) else None
        if duplicate is not None:
            _refuse(source, f"the member '{duplicate}' is given twice", "keep one")
        return dict(pairs)

    def refuse_constant(word: str) -> NoReturn:
        _refuse(source, f"{word} is not JSON", "")

    def parse_finite(digits: str) -> float:
        if float(digits) in (float("inf"), float("-inf")):
            _refuse(source, f"{digits[:40]} is too large a number", "")
        return float(digits)

    return json.loads(
        source.text, object_pairs_hook=refuse_duplicates, parse_constant=refuse_constant, parse_float=parse_finite
    )


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _refuse_answers(value: Any, source: Source) -> None:
    one = value[0] if isinstance(value, list) and value else value
    several = "a list, beginning with " if isinstance(value, list) else ""
    if isinstance(one, Mapping):
        # The answers of `aws emr describe-cluster` and `list-clusters`, and of boto3.
        described = {**_ANSWERS, **dict.fromkeys(_CLUSTER, "a cluster of DescribeCluster")}
        what = next((described[key] for key in described if key in one), None)
        if what and "Instances" not in one:
            _refuse(
                source, f"this is {several}{what}, not a request of RunJobFlow", f"{_answer_explanation(what)}{_REMEDY}"
            )
    if isinstance(one, Mapping) and isinstance(one.get("request"), Mapping) and "Instances" not in one:
        hint = f"`jq .request {source.argument} | flowspec import --request -` takes it out"
        _refuse(source, "the request is under the key `request` here", hint)
    if isinstance(value, list):
        _refuse(source, "this is a list, a request is an object", "give one request at a time")
    if not isinstance(value, Mapping):
        _refuse(source, "this is a single value, a request is an object")


def _answer_explanation(what: str) -> str:
    return "the description of a cluster lacks much of the request that started it; " if "Cluster" in what else ""


# --- the model ---

_WANTED = {
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "string": "a string",
    "integer": "an integer",
    "long": "an integer",
    "boolean": "true or false",
    "double": "a number",
    "float": "a number",
}


def _problem(one: Mismatch) -> _Problem:
    """Returns a mismatch with the model in words for the author of the request."""
    owner = _shown_path(one.path[:-1])
    if one.kind == "missing":
        return _Problem(one.path[:-1], f"{owner}: {one.expected} is missing")
    if one.kind == "unknown":
        where = f"of {owner}" if one.path[:-1] else "of a request"
        name = str(one.path[-1])
        hint = _suggest_member(name, one.shape, one.path[:-1])
        return _Problem(one.path, f"'{name}' is not a member {where}", hint, key=True)
    if one.kind == "type":
        wanted = _WANTED[one.shape.type_name]
        message = f"{_shown_path(one.path)} must be {wanted}, this is {_describe_type(one.value)}"
        return _Problem(one.path, message, _type_hint(one.value, wanted))
    if one.kind == "enum":
        hint = did_you_mean(one.value, one.expected) or f"there are {', '.join(one.expected)}"
        return _Problem(
            one.path, f"{_shown_path(one.path)} has a value that EMR does not know: '{one.value[:60]}'", hint
        )
    unit = " long" if isinstance(one.value, str) else " items" if isinstance(one.value, list) else ""
    size = len(one.value) if unit else one.value
    return _Problem(one.path, f"{_shown_path(one.path)} is {size}{unit}, EMR takes {one.expected} or more")


def _suggest_member(name: str, shape: Any, path: tuple[str | int, ...]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    folded = {one.lower(): one for one in shape.members}
    hint = f"did you mean {folded[name.lower()]}?" if name.lower() in folded else did_you_mean(name, shape.members)
    if hint:
        return hint
    owners = [owner for owner, inner in shape.members.items() if name in getattr(inner, "members", ())]
    if owners:
        return f"it is a member of {owners[0]}"
    if path and name in input_shape().members:
        return f"it belongs at the top level, not in {_shown_path(path)}"
    return "" if path else "a newer boto3 may know it"


def _shown_path(path: tuple[str | int, ...]) -> str:
    return path_text(path) or "the request"


def _describe_type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    words = {str: "a string", int: "an integer", float: "a number", list: "a list", dict: "an object"}
    return words[type(value)]


def _type_hint(value: Any, wanted: str) -> str:
    if value is None:
        return "leave it out: a request can't contain null"
    if isinstance(value, str) and wanted in ("an integer", "a number", "true or false"):
        return "drop the quotes"
    if wanted == "a string" and not isinstance(value, list | dict):
        return "put it in quotes"
    return "put it in brackets" if wanted == "a list" else ""


# --- diagnostics ---


def _diagnostics(found: list[_Problem], source: Source) -> Iterator[Diagnostic]:
    """Yields the problems as diagnostics. Nearly all JSON is YAML too, whose parser gives the lines."""
    try:
        root, _ = compose(source)
    except SpecError:
        root = None
    document = Document(Path(source.file), source, root) if isinstance(root, MappingNode) else None
    for one in found:
        if document is None:
            yield source.diagnostic("FS702", one.message, hint=one.hint)
        else:
            yield document.diagnostic("FS702", one.path, one.message, hint=one.hint, key=one.key)
