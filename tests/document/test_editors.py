"""An editor's view of the schema: a second, independent validator gives the same verdict as the tool."""

import copy
from contextlib import suppress

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from flowspec.document import schema as schemas
from flowspec.document.checking.fits import fits
from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.dump import dump
from flowspec.document.text.parse import load
from flowspec.document.text.tree import plain
from flowspec.errors import SpecError
from flowspec.facts import releases
from tests.document.test_coverage import written
from tests.document.test_documents import DOCUMENTS, cases
from tests.document.test_fuzz import places
from tests.document.test_schema import properties

EDITOR = jsonschema_rs.Draft202012Validator(schemas.loose())
OTHER = Draft202012Validator(schemas.loose())
HEAD = {"flowspec": "v1", "name": "x"}


def is_accepted(data):
    """The verdict of an editor: two validators have to agree on it."""
    verdict = EDITOR.is_valid(data)
    assert OTHER.is_valid(data) == verdict, data
    return verdict


def test_it_is_valid_draft_2020_12_for_both():
    assert schemas.loose()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for schema in (schemas.loose(), schemas.strict()):
        assert jsonschema_rs.meta.is_valid(schema)
        Draft202012Validator.check_schema(schema)
        jsonschema_rs.Draft202012Validator(schema)


def test_an_unknown_keyword_would_be_noticed():
    """Both ignore words they don't know; so what is no word of draft 2020-12 must be one of ours."""
    words = set(Draft202012Validator.VALIDATORS) | {
        "$schema", "$defs", "$comment", "description", "examples", "then", "else", "default",
        "x-emr", "x-shape", "x-tool", "x-also", "x-unit", "x-sensitive", "x-text",
    }  # fmt: skip
    used = set()

    def walk(schema):
        if isinstance(schema, dict):
            used.update(schema)
            for word in ("properties", "$defs"):
                for one in schema.get(word, {}).values():
                    walk(one)
            for word in ("items", "additionalProperties", "propertyNames", "if", "then", "else"):
                walk(schema.get(word))
            for word in ("anyOf", "allOf", "oneOf"):
                for one in schema.get(word, ()):
                    walk(one)

    walk(schemas.loose())
    assert used - words == set()


def test_the_quick_check_knows_every_word_that_the_schema_uses():
    """`fits` says no to words that it does not know: then every valid spec would go to jsonschema."""
    for spec, way, _ in written():
        assert fits(spec, schemas.loose(), schemas.loose()), way
        assert fits(spec, schemas.strict(), schemas.strict()), way


def test_any_scalar_may_be_a_template():
    for spec, way, _ in written():
        assert is_accepted(spec), way
        templated = copy.deepcopy(spec)
        owner = templated
        for step in way[:-1]:
            owner = owner[step]
        owner[way[-1]] = "{{ x }}"
        assert is_accepted(templated), way
        assert is_accepted({**HEAD, "targets": {"t": {way[0]: templated[way[0]]}}}), way


@cases("good")
def test_what_the_tool_accepts_an_editor_accepts(case):
    assert is_accepted(plain(load(case / "job.yaml").root))


# An override that fits nothing is an item of its own, and is found wanting only then.
MERGED = {"ambiguous-override"}


def bad_cases():
    """Yields the bad documents that an editor reads as the tool does: less those that are none, or are merged."""
    for case in sorted(path for path in (DOCUMENTS / "bad").iterdir() if path.is_dir() and path.name not in MERGED):
        with suppress(SpecError):
            if not any(found.severity.value == "error" for found in load(case / "job.yaml").diagnostics):
                yield case


@pytest.mark.parametrize("case", list(bad_cases()), ids=lambda path: path.name)
def test_what_the_tool_refuses_for_the_schema_an_editor_refuses(case):
    told = (case / "errors.txt").read_text()
    schematic = any(f"error[FS10{digit}]" in told for digit in "12345678")
    data = plain(load(case / "job.yaml").root)
    assert is_accepted(data) is not schematic or "{{" in str(data)


def reached(schema):
    """Yields the schemas in which an editor looks for the values to offer at a key: all alternatives, nested ones too."""
    yield schema
    if "$ref" in schema:
        yield from reached(schemas.resolve_reference(schema["$ref"], schemas.loose()))
    for word in ("anyOf", "allOf", "oneOf"):
        for one in schema.get(word, ()):
            yield from reached(one)


def offered(schema):
    """The values that yaml-language-server offers: examples and enums, and both booleans where one is a type."""
    for one in reached(schema):
        yield from (value for value in one.get("examples", ()) if not isinstance(value, list | dict))
        yield from one.get("enum", ())
        if "enum" not in one and "boolean" in schemas.types_of(one):
            yield from (True, False)


INSTANCE_TYPES = {"m5.xlarge", "c7gn.16xlarge", "i3en.xlarge"}
OFFERS = {
    "properties/release_label": releases.labels(),
    "$defs/target/properties/release_label": releases.labels(),
    "$defs/application/properties/name": releases.names(),
    "properties/master_instance_type": INSTANCE_TYPES,
    "properties/slave_instance_type": INSTANCE_TYPES,
    "$defs/instance_group/properties/type": INSTANCE_TYPES,
    "$defs/instance_type_config/properties/type": INSTANCE_TYPES,
}


@pytest.mark.parametrize("place", OFFERS)
def test_editors_offer_the_names_that_are_known_and_take_others(place):
    schema = schemas.resolve_reference(place, schemas.loose())
    assert set(OFFERS[place]) <= set(offered(schema))
    for value in (*OFFERS[place], "newer-than-this", "{{ x }}", 5):
        assert OTHER.evolve(schema=schema).is_valid(value), value


def test_editors_offer_the_applications_of_the_list():
    items = schemas.loose()["properties"]["applications"]["anyOf"][0]["items"]
    assert set(releases.names()) <= set(offered(items))


def test_editors_offer_no_boolean_where_text_is_meant():
    texts = 0
    for path, one in properties(schemas.loose()):
        if any(part.get("x-text") for part in reached(one)):
            texts += 1
            assert not any(value is True for value in offered(one)), path
    assert texts > 150


def test_a_hover_shows_the_description_of_the_key_whatever_its_value_is():
    """yaml-language-server shows the description and the enum of the alternative that the value fits, if there is one."""
    for name, one in schemas.loose()["$defs"].items():
        if name in ("template", "text") or name.startswith("known_"):
            assert not {"title", "description"} & set(one)
        if name.startswith("known_"):
            assert not any(OTHER.evolve(schema=one).is_valid(value) for value in one["enum"])


ODD = (None, True, -1, 2.5, "odd", "", [], {}, ["odd"], {"odd": 1})
PLAIN = [
    path.parent
    for path in sorted((DOCUMENTS / "good").glob("*/job.yaml"))
    if "{{" not in path.read_text() and "targets:" not in path.read_text()
]


@pytest.mark.parametrize("case", PLAIN, ids=lambda path: path.name)
def test_both_refuse_the_same(case, tmp_path):
    """Every value of every document, replaced by what may not fit: one verdict."""
    path = tmp_path / "job.yaml"
    whole = plain(load(case / "job.yaml").root)
    for index, place in enumerate(places(whole)):
        odd = ODD[index % len(ODD)]
        data = copy.deepcopy(whole)
        owner = data
        for step in place[:-1]:
            owner = owner[step]
        if not place:
            continue
        owner[place[-1]] = odd
        path.write_text(dump(data))
        refused = {one.id for one in refusals(path)}
        by_schema = {one for one in refused if one.startswith("FS10") and one != "FS109"}
        if not is_accepted(data):
            assert refused, (place, odd)
        else:
            assert not by_schema, (place, odd, refused)


def refusals(path):
    try:
        validate(render(load(path), environ={}), emr_rules=False)
    except SpecError as error:
        return [one for one in error.diagnostics if one.severity.value == "error"]
    return []
