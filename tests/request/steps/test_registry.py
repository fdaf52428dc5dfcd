"""The schema and the modules of the kinds of steps agree, and each kind recognizes what it compiles."""

import pytest

from flowspec.document import schema as schemas
from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import Document, Mapping, Place, Source
from flowspec.request.assets import Files
from flowspec.request.steps import hive, pig, s3_dist_cp, spark, streaming
from flowspec.request.steps.registry import KINDS, compile_step
from flowspec.request.steps.target import StepTarget

# Keys that are read by name: those of all kinds of steps, and those of one that are no options of its program.
COMMON = {"name", "type", "on_failure", "stage", "step_monitoring_configuration", "when", "for_each", "args"}
# Keys that a watcher keeps, not the request.
COMMON |= {"timeout", "retry", "skip_on_exit", "needs"}
# Becomes other options.
COMMON |= {"python"}
TABLES = {
    "streaming": ({**streaming.GENERIC, **streaming.OPTIONS}, {"jar", "generic_args"}),
    "spark": (spark.OPTIONS, {"application", "spark_args"}),
    "hive": (hive.OPTIONS, set()),
    "pig": (pig.OPTIONS, set()),
    "s3_dist_cp": (s3_dist_cp.OPTIONS, set()),
}
TARGETS = [StepTarget(pre_emr4=False), StepTarget(pre_emr4=True, region="eu-west-1")]


def definition(kind):
    return schemas.strict()["$defs"][f"{kind}_step"]["properties"]


def test_each_type_of_the_schema_is_a_kind():
    step = schemas.strict()["$defs"]["step"]
    assert set(step["properties"]["type"]["enum"]) == set(KINDS)
    assert {one["if"]["properties"]["type"]["const"] for one in step["allOf"]} == set(KINDS)


def test_the_most_general_kinds_come_last():
    assert list(KINDS)[-2:] == ["command", "jar"]


@pytest.mark.parametrize("kind", TABLES)
def test_each_key_of_the_schema_is_an_option_and_each_option_a_key(kind):
    table, by_name = TABLES[kind]
    assert set(definition(kind)) - COMMON - by_name == set(table)


def samples():
    """A step of each kind with all of its options, in the schema's order."""
    for kind, (table, _) in TABLES.items():
        values = {key: sample(table[key].form) for key in definition(kind) if key in table}
        yield kind, {**values, **({"application": "s3://b/app.py"} if kind == "spark" else {}), "args": ["last", "-x"]}
    yield "streaming", {"mapper": "m", "input": ["a", "b"], "output": "c", "generic_args": ["-conf", "s3://c"]}
    yield "streaming", {"jar": "s3://b/hadoop-streaming-2.jar", "mapper": "m", "reducer": "none"}
    yield "spark", {"application": "s3://b/app.jar", "master": "yarn", "spark_args": ["--master", "local"]}
    yield "script", {"script": "s3://b/x.sh", "args": ["a"]}
    yield "command", {"args": ["program", "a"]}
    yield "jar", {"jar": "s3://b/x.jar", "main_class": "a.B", "args": ["c"], "properties": {"k": "v", "empty": None}}


def sample(form):
    forms = {"value": "text", "number": 3, "switch": True, "pairs": {"k": "v", "l": "w=x"}}
    return forms.get(form, "one" if form == "one_or_each" else ["s3://b/one#one", "s3://b/two#two"])


@pytest.mark.parametrize("target", TARGETS, ids=["release", "ami"])
@pytest.mark.parametrize(("kind", "fields"), list(samples()))
def test_a_kind_recognizes_what_it_compiles(kind, fields, target, tmp_path):
    made = compile_step({"type": kind, **fields, "stage": False}, (), target, no_files(tmp_path))
    assert KINDS[kind].recognize(made, target) == fields


@pytest.mark.parametrize("target", TARGETS, ids=["release", "ami"])
def test_no_other_kind_is_taken_for_a_program_of_its_own(target, tmp_path):
    """A step is recognized by the kind that compiled it before any other but the general ones."""
    for kind, fields in samples():
        made = compile_step({"type": kind, **fields, "stage": False}, (), target, no_files(tmp_path))
        taken = [name for name, one in KINDS.items() if one.recognize(made, target) is not None]
        assert taken[0] == kind


def no_files(folder):
    source = Source("")
    document = Document(folder / "job.yaml", source, Mapping({}, Place(source, 1, 1)))
    return Files(JobFlow("", "", "emr", None, None, None, None, document.path, {}, document))
