"""Rendered document -> JobFlow: schema and rules, every finding in one pass. The only module that uses jsonschema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from flowspec.document import schema as schemas
from flowspec.document.checking.fits import fits
from flowspec.document.checking.messages import Violation, explain_error
from flowspec.document.checking.rules import check_plugins, check_rules
from flowspec.document.checking.rules.security import check_security
from flowspec.document.job_flow import InvalidJobFlow, JobFlow
from flowspec.document.masking import MASK
from flowspec.document.rendering.render import render
from flowspec.document.rendering.variables import PLACEHOLDER
from flowspec.document.settings import settings_for
from flowspec.document.text.reading import Reading
from flowspec.document.text.tree import (
    MAX_FINDINGS,
    Document,
    Scalar,
    diagnostics_to_show,
    plain,
    too_many_findings,
)
from flowspec.errors import Diagnostic, Severity, SpecError, shorten
from flowspec.facts.backends import DEFAULT_BACKEND
from flowspec.facts.rules import refused_by_id

_TOOL_KEYS = ("flowspec", "requires", "name", "description", "backend", "region", "profile", "endpoint_url", "staging")
_KEYS_OUTSIDE_REQUEST = tuple(key for key in _TOOL_KEYS if key != "name")


def validate(document: Document, *, emr_rules: bool = True) -> JobFlow:
    """Checks a document, which is rendered first if necessary (with defaults), and returns its job flow.

    Without `emr_rules`, a spec is accepted even if EMR would refuse its request. Importers need this, because their
    sources may break the rules (most often, roles are missing).

    If there is an error, raises `SpecError` with all findings since the file was read, including warnings. It is an
    `InvalidJobFlow`, unless there are more findings than are shown.
    """
    document = render(document)
    found = list(document.diagnostics)
    reading = Reading()
    data = reading.value(document.root, schemas.strict(), ())
    violations = (
        one
        for one in _find_violations(schemas.strict(), data)
        if not _is_of_failed_template(document, one) and not _is_of_placeholder(document, one)
    )
    findings = _drop_consequences(list(islice(violations, MAX_FINDINGS)))
    found += [_diagnostic_of(document, one) for one in findings]
    if document.declared is not None:
        found += _check_declarations(document)
    secrets = document.secrets | reading.secrets
    if next(violations, None):
        # The rules need data that the schema has found valid, and how much of it is valid is not known here.
        found.insert(0, too_many_findings(document.source, len(findings)))
        raise SpecError(diagnostics_to_show(found, document.target, secrets))
    if data.get("backend") == MASK:
        # The rules and the request need a backend; a placeholder names none.
        data["backend"] = DEFAULT_BACKEND
    rejected = [*reading.failed, *(one.path for one in findings if one.whole)]
    valid_data = _remove_paths(data, rejected)
    # A key that is probably only misspelt is not reported as missing.
    given = [*map(tuple, rejected), *((one.about,) for one in findings if one.id == "FS101")]
    rule_violations = (one for one in check_rules(valid_data, given) if not _is_of_placeholder(document, one))
    found += [_diagnostic_of(document, one) for one in rule_violations if emr_rules or one.id not in refused_by_id()]
    settings = settings_for(document.path)
    found += [_diagnostic_of(document, one) for one in check_security(valid_data, secrets) if settings.reports(one.id)]
    for violation, is_error in check_plugins(valid_data):
        placed = _diagnostic_of(document, violation)
        found.append(replace(placed, severity=Severity.ERROR) if is_error else placed)
    found = list(settings.applied(found))
    shown = diagnostics_to_show(found, document.target, secrets)
    if any(one.severity is Severity.ERROR for one in shown):
        valid_part = _valid_part(data, [*given, *(one.path for one in findings)])
        raise InvalidJobFlow(shown, _job_flow(document, valid_part, secrets, shown))
    return _job_flow(document, data, secrets, shown)


# Placeholders for invalid values: items keep their indexes, and local files have a staging folder.
_STAND_IN_ITEMS: dict[str, Any] = {
    "steps": {"name": "a step", "type": "command", "args": ["true"]},
    "bootstrap_actions": {"name": "an action", "path": "s3://a-bucket/a-script"},
}
_STAND_INS = {"name": "a-name", "staging": "s3://a-bucket/"}


def _valid_part(data: dict[str, Any], wrong: Iterable[Sequence[str | int]]) -> dict[str, Any]:
    """Returns the keys that are valid as a whole, and the valid ones of the steps and bootstrap actions.

    Without a valid backend, none are returned: the backend decides how local files are used.
    """
    out: dict[Any, Any] = {"name": _STAND_INS["name"], **data}
    for key, *below in filter(None, wrong):
        if key == "backend":
            return {"name": _STAND_INS["name"]}
        if below and isinstance(out.get(key), list) and key in _STAND_IN_ITEMS:
            out[key] = [_STAND_IN_ITEMS[key] if index == below[0] else item for index, item in enumerate(out[key])]
        elif key in _STAND_INS:
            out[key] = _STAND_INS[key]
        else:
            out.pop(key, None)
    return out


def _job_flow(
    document: Document, data: dict[str, Any], secrets: frozenset[str], found: tuple[Diagnostic, ...]
) -> JobFlow:
    return JobFlow(
        name=data["name"],
        target=document.target,
        backend=data.get("backend", DEFAULT_BACKEND),
        region=data.get("region"),
        profile=data.get("profile"),
        endpoint_url=data.get("endpoint_url"),
        staging=data.get("staging"),
        path=document.path,
        fields={key: value for key, value in data.items() if key not in _KEYS_OUTSIDE_REQUEST},
        document=document,
        secrets=secrets,
        warnings=found,
    )


def check_against(document: Document, schema: schemas.Schema) -> dict[str, Any]:
    """Checks a document that is no spec (a test's case.yaml) against a schema without references; returns its data.

    Raises `SpecError` with all that was found since the file was read.
    """
    data = Reading().value(document.root, schema)
    found = [
        *document.diagnostics,
        *(_diagnostic_of(document, one) for one in _drop_consequences(list(_find_violations(schema, data)))),
    ]
    if found:
        raise SpecError(diagnostics_to_show(found, ""))
    return data  # type: ignore[no-any-return]  # a document's root is a mapping


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # In JSON Schema, 2.0 is an integer; in botocore it is not.
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]


def _find_violations(schema: schemas.Schema, data: Any) -> Iterator[Violation]:
    if fits(data, schema, schema):
        return
    validator = _validator_class()(schema)
    for key in [key for key, value in data.items() if isinstance(value, list) and key in schema["properties"]]:
        items = schemas.resolve_schema(schema["properties"][key], "array").get("items")
        # If one of a thousand steps is wrong, jsonschema does not have to check all of them.
        for index in [at for at, item in enumerate(data[key]) if items and not fits(item, items, schema)]:
            for error in validator.evolve(schema=items).iter_errors(data[key][index]):
                yield from explain_error(error, (key, index))
        data = {**data, key: []} if items else data
    for error in validator.iter_errors(data):
        yield from explain_error(error)


def _drop_consequences(findings: list[Violation]) -> list[Violation]:
    """Drops findings that follow from others: a missing key for which an unknown key probably stands."""
    meant = {(one.path[:-1], one.about) for one in findings if one.id == "FS101"}
    return [one for one in findings if one.id != "FS102" or (one.path, one.about) not in meant]


def _is_of_failed_template(document: Document, finding: Violation) -> bool:
    """Returns True if a finding is about a value whose template failed, since that is already reported."""
    node = document.find_key(finding.path) if finding.key else document.find(finding.path)
    return isinstance(node, Scalar) and node.failed


def _is_of_placeholder(document: Document, finding: Violation) -> bool:
    """Returns True if a finding is about the placeholder of a sensitive variable, whose value is not known here."""
    node = document.find(finding.path)
    is_taken = isinstance(node, Scalar) and node.value == MASK and node.origin.endswith(f"({PLACEHOLDER})")
    return is_taken and not finding.key


def _diagnostic_of(document: Document, finding: Violation) -> Diagnostic:
    node = document.find(finding.path)
    hint = finding.hint
    if finding.id == "FS103" and isinstance(node, Scalar) and "drop the quotes" in hint and node.origin:
        hint = "its template gives text: declare the variable with that type, or use the int filter"
    return document.diagnostic(
        finding.id, finding.path, finding.message, hint=hint, notes=finding.notes, key=finding.key
    )


def _check_declarations(document: Document) -> list[Diagnostic]:
    """Returns the errors in blocks that are not rendered: the variables and all targets."""
    assert document.declared is not None
    data = plain(document.declared)
    stand_in = {"flowspec": "v1", "name": "x", **data}
    declared = Document(document.path, document.source, document.declared)
    violations = (
        one for one in _find_violations(schemas.loose(), stand_in) if one.path[:1] in (("variables",), ("targets",))
    )
    found = list(islice(violations, MAX_FINDINGS))
    # Invalid names of variables were reported when the variables were resolved.
    found = [one for one in found if not (one.id == "FS105" and one.path[:1] == ("variables",) and one.key)]
    return [_diagnostic_of(declared, one) for one in found if not _is_of_failed_template(declared, one)]


def _remove_paths(data: Any, paths: Sequence[Sequence[str | int]]) -> Any:
    """Returns the data without the values at these paths, so that no rule has to handle invalid ones."""
    if not paths:
        return data
    out = _copy_containers(data)
    for path in paths:
        owner = out
        for step in path[:-1]:
            owner = owner[step] if _has_child(owner, step) else None
        if not path or not _has_child(owner, path[-1]):
            continue
        if isinstance(owner, dict):
            del owner[path[-1]]
        else:
            owner[path[-1]] = None
    return out


def _has_child(owner: Any, step: Any) -> bool:
    if isinstance(owner, dict):
        return step in owner
    return isinstance(owner, list) and isinstance(step, int) and step < len(owner)


def _copy_containers(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy_containers(value) for key, value in data.items()}
    return [_copy_containers(item) for item in data] if isinstance(data, list) else data


def schema_fault(schema: schemas.Schema) -> str:
    """Returns the reason why a mapping is no JSON Schema (2020-12 unless its `$schema` says another), or ""."""
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    if not isinstance(schema.get("$schema", ""), str):
        return "$schema: the URI of a JSON Schema is wanted"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        message = shorten(error.message, 200)
        return f"{where}: {message}" if where else message
    return ""


def dangling_references(schema: schemas.Schema) -> Iterator[str]:
    """Yields the references in a JSON Schema that lead to no schema in it; nothing is fetched to find out."""
    from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY, specification_with

    dialect = specification_with(schema.get("$schema", ""), default=DRAFT202012)
    root = dialect.create_resource(schema)
    yield from _find_dangling(root, EMPTY_REGISTRY.resolver_with_root(root), dialect, set())


def _find_dangling(resource: Any, resolver: Any, dialect: Any, seen: set[int]) -> Iterator[str]:
    contents = resource.contents
    if id(contents) in seen:
        return
    seen.add(id(contents))
    for word in _REFERENCES if isinstance(contents, dict) else ():
        if isinstance(contents.get(word), str):
            found = _resolve_reference(resolver, contents[word])
            if found is None:
                yield contents[word]
            else:
                # The target of a reference may be anywhere in the schema: `#/x-ours/bid`.
                part = dialect.create_resource(found.contents)
                yield from _find_dangling(part, found.resolver, dialect, seen)
    for part in resource.subresources():
        yield from _find_dangling(part, resolver.in_subresource(part), dialect, seen)


_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def _resolve_reference(resolver: Any, reference: str) -> Any:
    from referencing.exceptions import Unresolvable

    try:
        found = resolver.lookup(reference)
    except (Unresolvable, TypeError, ValueError):  # TypeError for pointers into values that are not containers
        return None
    return found if isinstance(found.contents, dict | bool) else None


def schema_violations(data: Any, schema: schemas.Schema) -> Iterator[Any]:
    """Validates data against another schema than ours; yields jsonschema's `ValidationError`s, in the data's order.

    References lead within the schema; nothing is fetched. One that
    leads to nothing (see `dangling_references`) raises referencing's `Unresolvable`.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    # The default registry of jsonschema fetches unknown schemas.
    validator = validator_for(schema, default=Draft202012Validator)(schema, registry=EMPTY_REGISTRY)
    yield from sorted(validator.iter_errors(data), key=lambda error: [str(step) for step in error.absolute_path])
