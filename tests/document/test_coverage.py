"""The law of coverage: whatever the installed botocore's RunJobFlow takes can be written in the spec and lands there.

The model is walked, not a list. When botocore grows a member, these tests name it.
"""

from functools import reduce
from operator import getitem

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from flowspec.document import schema as schemas
from flowspec.document.checking.fits import fits
from flowspec.document.job_flow import JobFlow
from flowspec.document.text.dump import dump
from flowspec.document.text.parse import load
from flowspec.facts.api_model import input_shape, problems
from flowspec.request.compile import compile

# Configurations hold configurations, without end.
DEEPEST = 2
# What only a newer botocore knows may stand in the schema already.
AHEAD = {"SessionEnabled"}


def leaves(shape, path=()):
    """Every leaf of a shape: its path of members, with [] for lists and {} for maps."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from leaves(member, (*path, name))
    elif shape.type_name == "list":
        if path.count("Configurations") < DEEPEST:
            yield from leaves(shape.member, (*path, "[]"))
    elif shape.type_name == "map":
        yield (*path, "{}"), shape.value
    else:
        yield path, shape


MODEL = dict(leaves(input_shape()))


def writings(schema, depth=0):
    """All ways to write one leaf of a part of the spec: (the part of the spec, the way to the leaf, its schema).

    What has to stand beside the leaf stands there, too.
    """
    schema = one_shape(schema)
    if schema.get("type") == "array":
        for value, way, leaf in writings(schema["items"], depth):
            yield [value], (0, *way), leaf
    elif schema.get("type") == "object" and "properties" in schema:
        for key, one in schema["properties"].items():
            if one.get("x-tool") or key in ("stage", "api_params") or depth > 12:
                continue
            if key == "configurations" and depth > 6:
                continue
            for value, way, leaf in writings(one, depth + 1):
                yield {**required(schema, key), key: value}, (key, *way), leaf
    elif schema.get("type") == "object":
        key = schema.get("propertyNames", {}).get("enum", ["key"])[0]
        value = minimal(schema.get("additionalProperties") or {})
        yield {key: value}, (key, 0) if isinstance(value, list) else (key,), schema.get("additionalProperties")
    else:
        yield sample(schema), (), schema


def one_shape(schema):
    """A schema with references followed; where the spec has a friendlier shape, the API's own."""
    while "$ref" in schema:
        schema = {
            **schemas.resolve_reference(schema["$ref"], schemas.strict()),
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    if "anyOf" in schema:
        options = [one_shape(one) for one in schema["anyOf"]]
        options.sort(
            key=lambda one: ["array", "object"].index(one["type"]) if one.get("type") in ("array", "object") else 2
        )
        return {**{k: v for k, v in schema.items() if k != "anyOf"}, **options[0]}
    return schema


def required(schema, but):
    return {key: minimal(schema["properties"][key]) for key in schema.get("required", ()) if key != but}


def minimal(schema):
    schema = one_shape(schema)
    if schema.get("type") == "array":
        return [minimal(schema["items"])]
    return required(schema, None) if schema.get("type") == "object" else sample(schema)


def sample(schema):
    schema = one_shape(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    types = schema.get("type", "string")
    kind = types if isinstance(types, str) else types[0]
    if kind == "string":
        examples = [one for one in schema.get("examples", ()) if isinstance(one, str) and "{{" not in one]
        return next((one for one in examples if one.startswith("s3://")), examples[0] if examples else "text")
    return {"integer": max(1, schema.get("minimum", 1)), "number": max(1, schema.get("minimum", 1)), "boolean": True}[
        kind
    ]


def written():
    """A spec for every leaf that the schema knows."""
    head = {"flowspec": "v1", "name": "x"}
    for key, one in schemas.strict()["properties"].items():
        if one.get("x-tool") or key == "api_params":
            continue
        if key == "steps":
            for step, way, leaf in writings(schemas.strict()["$defs"]["jar_step"]):
                if way != ("type",):
                    yield {**head, "steps": [{**step, "type": "jar"}]}, ("steps", 0, *way), leaf
        elif key == "tags":
            yield {**head, "tags": {"key": "value"}}, ("tags", "key"), {}
        else:
            for value, way, leaf in writings(one):
                yield {**head, key: value}, (key, *way), leaf


def compiled(spec, folder):
    path = folder / "job.yaml"
    path.write_text(dump(spec))
    fields = {key: value for key, value in spec.items() if key != "flowspec"}
    return compile(JobFlow("x", "", "emr", None, None, None, None, path, fields, load(path))).params


def landed(value, shape, path=()):
    """The leaves of the model that a request has, with their values."""
    if isinstance(value, dict) and shape.type_name == "structure":
        for name, one in value.items():
            yield from (
                landed(one, shape.members[name], (*path, name)) if name in shape.members else [((*path, name), one)]
            )
    elif isinstance(value, dict):
        for one in value.values():
            yield (*path, "{}"), one
    elif isinstance(value, list):
        for one in value:
            yield from landed(one, shape.member, (*path, "[]"))
    else:
        yield path, value


def scalars(value):
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from scalars(one)
    else:
        yield value


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """For every leaf of the schema: the spec that says it, the request it becomes."""
    folder = tmp_path_factory.mktemp("coverage")
    return [(spec, way, leaf, compiled(spec, folder)) for spec, way, leaf in written()]


def test_what_is_written_here_is_what_the_schema_allows(requests):
    for spec, way, _, _ in requests:
        assert fits(spec, schemas.strict(), schemas.strict()), (way, spec)
        assert fits(spec, schemas.loose(), schemas.loose()), (way, spec)


def test_every_member_that_botocore_knows_can_be_written_and_lands(requests):
    missing = unreachable(input_shape(), requests)
    assert missing == [], f"RunJobFlow takes what no spec can say: {missing}"


def unreachable(shape, requests):
    """The members of the model that none of the requests has."""
    reached = {path for *_, request in requests for path, _ in landed(request, shape)}
    return sorted(".".join(path) for path in set(dict(leaves(shape))) - reached)


def test_what_is_written_lands_unchanged_and_botocore_takes_it(requests):
    newer = set()
    for spec, way, _, request in requests:
        value = reduce(getitem, way, spec)
        values = list(scalars(request))
        assert any(type(one) is type(value) and one == value for one in values) or way == ("tags", "key"), (
            way,
            request,
        )
        newer |= {one.message for one in problems(request)}
    if is_old():
        # Members that it does not know yet are told, by name; and it wants some that EMR does no longer.
        assert all("Unknown parameter" in one or "none of" in one or "Missing required" in one for one in newer), newer
    else:
        assert all(any(name in one for name in AHEAD) for one in newer), newer


def is_old():
    """True if the installed botocore is older than the schema."""
    return "MonitoringConfiguration" not in input_shape().members


KINDS = {
    "string": "string",
    "integer": "integer",
    "long": "integer",
    "boolean": "boolean",
    "double": "number",
    "float": "number",
}


def test_types_enums_and_bounds_are_the_models(requests):
    """The spec never allows what the model's type refuses, and never refuses what the model's bounds allow."""
    looked_at = set()
    for spec, way, leaf, request in requests:
        value = reduce(getitem, way, spec)
        for path, one in landed(request, input_shape()):
            shape = MODEL.get(path)
            if (
                shape is None
                or type(one) is not type(value)
                or one != value
                or path[-1] == "{}"
                or path in looked_at
                or not called(way, path, leaf)
            ):
                continue
            looked_at.add(path)
            bounds(path, shape, one_shape(leaf))
    assert len(looked_at) > 100


def called(way, path, leaf):
    """True if a leaf of the spec has the name of a leaf of the model: two may have the same value."""
    return path[-1] == ("[]" if way[-1] == 0 else schemas.api_name(way[-1], leaf).rpartition(".")[2])


def bounds(path, shape, leaf):
    name = ".".join(path)
    types = leaf["type"] if isinstance(leaf["type"], list) else [leaf["type"]]
    assert types[0] == KINDS[shape.type_name], name
    if shape.type_name == "string":
        known, allowed = set(shape.enum or ()), set(leaf.get("enum", ()))
        assert known <= allowed if is_old() else known == allowed, name
        if shape.metadata.get("max") and not known:
            assert leaf.get("maxLength") == shape.metadata["max"], name
        assert leaf.get("minLength", 0) <= max(shape.metadata.get("min", 0), 1), name
    elif shape.metadata.get("min") is not None:
        assert leaf.get("minimum", float("-inf")) >= shape.metadata["min"], name
    if shape.type_name != "string" and shape.metadata.get("max") is not None:
        assert leaf.get("maximum", float("inf")) <= shape.metadata["max"], name


def test_a_member_that_botocore_grows_is_named(requests):
    """The law has teeth: a model that knows more than the schema is told apart, by name."""
    model = Loader().load_service_model("emr", "service-2")
    model["shapes"]["JobFlowInstancesConfig"]["members"]["BrandNew"] = {"shape": "XmlString"}
    model["shapes"]["RunJobFlowInput"]["members"]["NewerStill"] = {"shape": "JobFlowInstancesConfig"}
    grown = ServiceModel(model, "emr").operation_model("RunJobFlow").input_shape
    missing = unreachable(grown, requests)
    assert "Instances.BrandNew" in missing
    assert "NewerStill.Placement.AvailabilityZone" in missing


def test_what_this_botocore_does_not_know_is_told_and_no_crash():
    told = problems({"Name": "x", "Instances": {"BrandNew": 1}, "NewerStill": True})
    assert len(told) == 2
    assert "BrandNew" in told[0].message + told[1].message
