"""An organisation's own rules: a JSON Schema over the compiled request, its violations shown in the spec.

A policy is a JSON Schema (draft 2020-12 unless its `$schema` says another) in a YAML or JSON file. The parameters of
RunJobFlow are checked against it, with the API's own names, so it does not depend on the form of specs. The
`description` (or `title`) of the part that is violated is shown with the error. Nothing is fetched: a `$ref` leads
within the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flowspec.document.checking.messages import missing_key
from flowspec.document.checking.validate import dangling_references, schema_fault, schema_violations
from flowspec.document.job_flow import JobFlow
from flowspec.document.text.parse import compose
from flowspec.document.text.parse import read as read_text
from flowspec.document.text.tree import Place, Source, diagnostics_to_show, plain
from flowspec.errors import Diagnostic, SpecError, shorten
from flowspec.facts.api_model import KeyPath, path_text
from flowspec.request.compile import Request
from flowspec.request.origins import locate

_MAX_SHOWN = 60


class Policy(NamedTuple):
    """A policy file: its path as the user gave it, and the JSON Schema in it."""

    file: str
    schema: dict[str, Any]


def read(path: str | os.PathLike[str]) -> Policy:
    """Reads a policy file. Raises `SpecError` if it can't be read, or is not a self-contained JSON Schema."""
    source = read_text(path, "FS602")
    schema = _json(source) if source.file.endswith(".json") else _yaml(source)
    if not isinstance(schema, dict):
        raise _policy_error(source, "a policy is a JSON Schema: a mapping")
    if "flowspec" in schema:
        # JSON Schema ignores unknown words, so that a spec would refuse nothing.
        raise _policy_error(source, "this is a spec, not a policy")
    try:
        if fault := schema_fault(schema):
            raise _policy_error(source, f"this is not a JSON Schema: {fault}")
        if dangling := [_dangling_finding(source, one) for one in dict.fromkeys(dangling_references(schema))]:
            raise SpecError(dangling)
        return Policy(source.file, _replace_false_members(schema))
    except RecursionError:
        raise _policy_error(source, "this is nested too deeply") from None


def _dangling_finding(source: Source, reference: str) -> Diagnostic:
    """Returns a finding at the first place of a file where the reference is written."""
    places = ((number, line.find(reference) + 1) for number, line in enumerate(source.lines, 1))
    line, column = next(((number, column) for number, column in places if column), (1, 1))
    at = Place(source, line, column, len(reference))
    message = f"the reference '{reference}' leads to nothing in the file"
    return source.diagnostic("FS602", message, at, hint="put the definition into `$defs`: flowspec fetches nothing")


def _replace_false_members(schema: Any) -> Any:
    """Returns the schema with `{"not": {}}` for a member's `false`, for which jsonschema does not report the member."""
    if isinstance(schema, list):
        return [_replace_false_members(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _replace_false_members(value) for key, value in schema.items()}
    for word in ("properties", "patternProperties"):
        if isinstance(out.get(word), dict):
            out[word] = {name: {"not": {}} if one is False else one for name, one in out[word].items()}
    return out


def _json(source: Source) -> Any:
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        at = Place(source, error.lineno, error.colno)
        raise SpecError([source.diagnostic("FS602", f"this is not JSON: {error.msg}", at)]) from None
    except (RecursionError, ValueError):
        raise _policy_error(source, "this is nested too deeply, or has too long a number") from None


def _yaml(source: Source) -> Any:
    root, found = compose(source)
    if found:
        raise SpecError(found)
    return plain(root) if root else None


def _policy_error(source: Source, message: str) -> SpecError:
    return SpecError([source.diagnostic("FS602", message)])


def violations(policy: Policy, jobflow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """Returns the violations of a policy by a job flow's request, each at its place in the spec."""
    try:
        found = [_diagnostic(one, policy, jobflow, request) for one in schema_violations(request.params, policy.schema)]
    except RecursionError:
        raise _policy_error(Source(policy.file), "the policy refers to itself without end") from None
    return diagnostics_to_show(found, jobflow.target, jobflow.secrets)


def _diagnostic(error: Any, policy: Policy, jobflow: JobFlow, request: Request) -> Diagnostic:
    path = (*error.absolute_path, *_refused_member(error))
    message, hint = _explain(error)
    value = error.instance if isinstance(error.instance, str) else None
    place = locate(jobflow, request.origins, path, value)
    title = error.schema.get("description") or error.schema.get("title") if isinstance(error.schema, dict) else ""
    notes = [f"{policy.file}: {title}" if title else f"{policy.file}: {'/'.join(map(str, error.absolute_schema_path))}"]
    is_key = path[-1:] in (("Key",), ("Classification",)) and place[-1:] != path[-1:]
    text = f"{path_text(path) or 'the request'}: {message}"
    return jobflow.document.diagnostic("FS601", place, text, hint=hint, notes=notes, key=is_key)


def _refused_member(error: Any) -> KeyPath:
    """Returns the path step of a forbidden member, for `additionalProperties`."""
    if error.validator != "additionalProperties" or not isinstance(error.instance, Mapping):
        return ()
    known = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    extra = (name for name in error.instance if name not in known and not any(re.search(p, name) for p in patterns))
    return (next(extra),)


def _value_text(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), _MAX_SHOWN)


_MESSAGES = {
    "contains": "no item matches the policy's `contains`",
    "additionalProperties": "the policy does not allow this",
    "not": "{} is forbidden by the policy",
}
# The words before a bound, and before a pattern.
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "up to",
    "exclusiveMaximum": "less than",
    "pattern": "must match",
}
_SIZES = re.compile("(min|max)(Items|Length|Properties)")


def _explain(error: Any) -> tuple[str, str]:
    """Returns the problem, and what the policy requires ("" if that is clear or too long to show)."""
    # A schema that is `false` has no keyword.
    keyword, wanted, value = error.validator or "", error.validator_value, _value_text(error.instance)
    if keyword == "required":
        return f"{missing_key(error)} is missing", ""
    if keyword in _MESSAGES:
        return _MESSAGES[keyword].format(value), ""
    if size := _SIZES.fullmatch(keyword):
        what = "characters" if isinstance(error.instance, str) else "items"
        return f"{len(error.instance)} {what}", f"{'at least' if size[1] == 'min' else 'up to'} {wanted}"
    if keyword == "enum":
        allowed = ", ".join(map(_value_text, wanted))
        hint = allowed if len(allowed) <= 2 * _MAX_SHOWN else ""
    elif keyword == "const":
        hint = _value_text(wanted)
    elif keyword == "type":
        hint = f"of type {' or '.join(wanted) if isinstance(wanted, list) else wanted}"
    elif keyword in _BOUNDS:
        hint = f"{_BOUNDS[keyword]} {wanted}"
    else:
        return f"{value} is not allowed here", ""
    return f"{value} is not allowed", hint
