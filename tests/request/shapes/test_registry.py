"""The schema and the modules of the friendlier shapes agree, and each shape decompiles what it compiles."""

import pytest

from flowspec.document import schema as schemas
from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import Document, Mapping, Place, Source
from flowspec.importers.decompile.fields import decompile_members
from flowspec.request.compile import compile
from flowspec.request.shapes.registry import SHAPES


def shapes(schema):
    if isinstance(schema, dict):
        if isinstance(schema.get("x-shape"), str):
            yield schema["x-shape"]
        for one in schema.values():
            yield from shapes(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from shapes(one)


def test_each_shape_of_the_schema_has_a_module_and_each_module_is_in_the_schema():
    assert set(shapes(schemas.loose())) == set(SHAPES)


SAMPLES = [
    ("tags", {"team": "search", "empty": None}),
    ("applications", ["Hadoop", {"name": "Spark", "version": "3"}]),
    ("configurations", {"spark-defaults": {"a.b": "c"}, "hadoop-env": {"configurations": {"export": {"K": "v"}}}}),
    ("configurations", [{"Classification": "a"}, {"Classification": "a", "Properties": {"configurations": "x"}}]),
    ("instance_groups", [{"role": "MASTER", "type": "m5.xlarge"}, {"role": "CORE", "type": "m5.xlarge", "count": 2}]),
    (
        "bootstrap_actions",
        [{"name": "b", "path": "s3://b/x.sh", "args": ["a"]}, {"name": "c", "path": "x", "stage": False}],
    ),
]


@pytest.mark.parametrize(("key", "value"), SAMPLES)
def test_a_shape_decompiles_what_it_compiles(key, value, tmp_path):
    source = Source("")
    document = Document(tmp_path / "job.yaml", source, Mapping({}, Place(source, 1, 1)))
    fields = {"name": "x", key: value}
    request = compile(JobFlow("x", "", "emr", None, None, None, None, document.path, fields, document))
    assert decompile_members(request.params, schemas.strict()) == (fields, {})


def test_every_part_of_a_shape_has_its_place_in_the_spec(tmp_path):
    source = Source("")
    document = Document(tmp_path / "job.yaml", source, Mapping({}, Place(source, 1, 1)))
    for key, value in SAMPLES:
        fields = {"name": "x", key: value}
        request = compile(JobFlow("x", "", "emr", None, None, None, None, document.path, fields, document))
        for place in request.origins.values():
            found = fields
            for step in place:
                found = found[step]
