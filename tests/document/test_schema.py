"""The schema file itself, and the two ways of checking against it."""

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowspec.document import schema as schemas
from flowspec.document.checking.fits import fits
from flowspec.document.checking.validate import _validator_class, validate
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.facts.api_model import input_shape

DEFS = schemas.loose()["$defs"]


SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_it_is_what_its_source_gives():
    generated = runpy.run_path(str(SCHEMAS / "generate.py"))["generated"]()
    assert (SCHEMAS / "flowspec-v1.schema.json").read_text("utf-8") == generated, (
        "stale: run python schemas/generate.py"
    )


def properties(schema, path=()):
    """Every property that the schema defines anywhere, with its path."""
    if isinstance(schema, dict):
        for name, one in (
            schema.get("properties", {}).items() if "then" not in path[-1:] and "if" not in path[-1:] else ()
        ):
            yield (*path, name), one
            yield from properties(one, (*path, name))
        for word in ("items", "additionalProperties"):
            yield from properties(schema.get(word), (*path, word))
        for one in schema.get("anyOf", ()):
            yield from properties(one, (*path, "anyOf"))
        for name, one in schema.get("$defs", {}).items():
            yield from properties(one, ("$defs", name))


def followed(schema):
    return (
        {**DEFS[schema["$ref"].rsplit("/")[-1]], **schema} if schema.get("$ref", "").startswith("#/$defs/") else schema
    )


def test_it_is_valid_and_stands_where_it_is_looked_for():
    Draft202012Validator.check_schema(schemas.loose())
    Draft202012Validator.check_schema(schemas.strict())
    assert json.loads(schemas.path().read_text()) == schemas.loose()


def test_every_property_is_described_and_has_an_example_that_fits():
    seen = list(properties(schemas.loose()))
    assert len(seen) > 200
    validator = Draft202012Validator(schemas.loose())
    for path, found in seen:
        one = found
        if one.get("anyOf", [{}])[0].get("$ref", "").startswith("#/properties/"):
            one = {**schemas.loose()["properties"][path[-1]], **one}  # a target's key has the example of the spec's own
        assert one.get("description", "").endswith("."), path
        assert one.get("examples"), path
        for example in one["examples"]:
            assert validator.evolve(schema=one).is_valid(example), (path, example)


def test_any_value_may_be_a_template_for_editors_and_none_is_after_rendering():
    spec = {"flowspec": "v1", "name": "x"}
    loose, strict = Draft202012Validator(schemas.loose()), Draft202012Validator(schemas.strict())
    typed = 0
    for key, one in schemas.loose()["properties"].items():
        if key in ("flowspec", "requires", "extends", "variables", "targets"):
            continue
        assert loose.is_valid({**spec, key: "{{ x }}"}), key
        if "x-text" not in schemas.strict()["properties"][key]:
            typed += 1
            assert not strict.is_valid({**spec, key: "{{ x }}"}), key
        assert one
    assert typed > 25


def test_required_members_are_the_models():
    groups = DEFS["instance_group"]["required"]
    assert {"role", "type"} == set(groups)
    for name, shape_name in (("scaling_rule", ("Instances", "InstanceGroups", "AutoScalingPolicy", "Rules")),):
        shape = input_shape()
        for member in shape_name:
            shape = shape.members[member]
            shape = shape.member if shape.type_name == "list" else shape
        assert [schemas.camel_case(key) for key in DEFS[name]["required"]] == shape.required_members


WORDS = st.sampled_from([
    "name", "type", "role", "count", "market", "instance_groups", "steps", "args", "mapper", "input", "output", "tags", "keep_alive",
    "configurations", "Classification", "Properties", "streaming", "jar", "command", "MASTER", "CORE", "SPOT", "{{ x }}", "", "v1", "flowspec",
    "monitoring_configuration", "auto_termination_policy", "idle_timeout", "applications", "description", "on_failure", "api_params",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.sampled_from([0.5, 2.0, 70.0]) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(
    VALUES,
    st.sampled_from(
        ["step", "instance_group", "instance_fleet", "variable", "target", "bootstrap_action", "configuration_list"]
    ),
)
def test_the_quick_check_never_accepts_what_jsonschema_refuses(value, name):
    for schema in (schemas.loose(), schemas.strict()):
        judge = _validator_class()(schema)
        for data, part in (({"flowspec": "v1", "name": "x", "steps": value}, schema), (value, schema["$defs"][name])):
            assert fits(data, part, schema) == judge.evolve(schema=part).is_valid(data)


@pytest.mark.parametrize("word", ["not", "oneOf", "unevaluatedProperties", "$dynamicRef"])
def test_the_quick_check_leaves_words_it_does_not_know_to_jsonschema(word):
    assert not fits({}, {word: {}}, {})


TINY = """
flowspec: v1
name: x
region: us-east-1
release_label: emr-7.5.0
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
service_role: a
job_flow_role: b
targets:
  prod: {default: true, %s}
"""


@pytest.mark.parametrize(
    "key", ["description", "backend", "region", "profile", "endpoint_url", "staging", "allow_secrets_in"]
)
def test_null_removes_keys_about_the_tool_at_a_target_like_any_other(key, tmp_path):
    (tmp_path / "job.yaml").write_text(TINY % f"{key}: null")
    assert key not in validate(load(tmp_path / "job.yaml")).fields


def test_a_template_may_be_longer_than_the_text_it_gives(tmp_path):
    """EMR's names have up to 256 characters; at targets that are not chosen, nothing is rendered."""
    long = "{% if target.name == 'x' %}" + "x" * 300 + "{% endif %}"
    (tmp_path / "job.yaml").write_text(TINY % "region: us-east-1" + f'  other: {{name: "{long}"}}\n')
    assert validate(load(tmp_path / "job.yaml")).name == "x"
    (tmp_path / "job.yaml").write_text(TINY % "region: us-east-1" + f"  other: {{name: {'x' * 300}}}\n")
    with pytest.raises(SpecError, match="300 characters"):
        validate(load(tmp_path / "job.yaml"))


@pytest.mark.parametrize(
    ("value", "schema", "told"),
    [
        (3, {"type": "integer", "enum": [0, 4]}, "3 is not a x"),
        (None, {"type": ["string", "null"], "enum": ["a"]}, "null is not a x"),
        (False, {"enum": [True]}, "false is not a x"),
        ([1], {"enum": [[2]]}, "[1] is not a x"),
    ],
)
def test_a_value_that_is_none_of_those_allowed_is_told_whatever_its_type(value, schema, told):
    """Only texts were: a number that is none of an enum's passed."""
    from jsonschema import Draft202012Validator

    from flowspec.document.checking.messages import explain_error

    (error,) = Draft202012Validator({"properties": {"x": schema}}).iter_errors({"x": value})
    assert [one.message for one in explain_error(error)] == [told]
