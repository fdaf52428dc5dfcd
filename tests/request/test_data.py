"""What is known of the data that a request reads and writes."""

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.request.compile import compile
from flowspec.request.data import data_uses, earlier_uses, overlaps

HEAD = """flowspec: v1
name: x
region: eu-west-1
release_label: emr-7.5.0
log_uri: s3://logs/x/
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
"""


@pytest.fixture
def uses_of(tmp_path):
    def read(steps, head=HEAD):
        (tmp_path / "job.yaml").write_text(f"{head}steps:\n{steps}")
        flow = validate(load(tmp_path / "job.yaml"), emr_rules=False)
        return data_uses(compile(flow).params, flow.region)

    return read


@pytest.fixture
def seen(uses_of):
    return lambda *args: {(one.use.value, one.uri) for one in uses_of(*args) if one.step is not None}


STEPS = {
    "streaming": (
        "{mapper: s3://b/map.py --x, reducer: none, input: ['s3://b/in/*/', 's3://b/a,s3://b/{c,d}'],"
        " output: s3://b/out, files: ['s3://b/lib.txt#l'], libjars: [s3://b/x.jar]}",
        {
            ("file", "s3://b/map.py"),
            ("file", "s3://b/lib.txt"),
            ("file", "s3://b/x.jar"),
            ("input", "s3://b/in/*/"),
            ("input", "s3://b/a"),
            ("input", "s3://b/{c,d}"),
            ("output", "s3://b/out"),
        },
    ),
    "spark": (
        "{application: s3://b/app.py, jars: [s3://b/x.jar], conf: {spark.a: s3://b/no},"
        " args: [--in, s3://b/in/, '--out=s3a://b/o', 's3://b/p,s3://b/q,r']}",
        {
            ("file", "s3://b/app.py"),
            ("file", "s3://b/x.jar"),
            ("argument", "s3://b/in/"),
            ("argument", "s3a://b/o"),
            ("argument", "s3://b/p"),
            ("argument", "s3://b/q,r"),
        },
    ),
    "hive": (
        "{script: s3://b/q.hql, defines: {INPUT: s3://b/in, DAY: '1'}}",
        {("file", "s3://b/q.hql"), ("argument", "s3://b/in")},
    ),
    "pig": (
        "{script: s3://b/q.pig, params: {OUT: s3://b/out}}",
        {("file", "s3://b/q.pig"), ("argument", "s3://b/out")},
    ),
    "s3_dist_cp": (
        "{src: s3://b/in, dest: 'hdfs:///d', previous_manifest: s3://b/m.gz}",
        {("input", "s3://b/in"), ("target", "hdfs:///d"), ("file", "s3://b/m.gz")},
    ),
    "script": (
        "{script: s3://b/run.sh, args: [s3://b/x]}",
        {("file", "s3://b/run.sh"), ("argument", "s3://b/x")},
    ),
    "command": (
        "{args: [bash, -c, 'aws s3 cp s3://b/x \"s3://b/y\"; true']}",
        {("argument", "s3://b/x"), ("argument", "s3://b/y")},
    ),
    "jar": (
        "{jar: s3://b/x.jar, main_class: A, args: [s3://b/in]}",
        {("file", "s3://b/x.jar"), ("argument", "s3://b/in")},
    ),
}


@pytest.mark.parametrize("kind", STEPS)
def test_every_kind_names_its_data(seen, kind):
    fields, expected = STEPS[kind]
    assert seen(f"  - {{name: s, type: {kind}, {fields[1:]}") == expected


def test_an_output_of_another_format_may_be_there(seen):
    step = "  - {name: s, type: streaming, mapper: cat, reducer: none, input: /i, output: /o, output_format: a.B}"
    assert ("target", "/o") in seen(step)


def test_a_step_on_an_ami_is_read_by_its_own_form(seen):
    head = HEAD.replace("release_label: emr-7.5.0", "ami_version: 3.11.0")
    step = "  - {name: s, type: streaming, mapper: s3://b/m.py, reducer: none, input: s3://b/i, output: s3://b/o}"
    assert seen(step, head) == {("file", "s3://b/m.py"), ("input", "s3://b/i"), ("output", "s3://b/o")}


def test_bootstrap_actions_and_logs_count_too(uses_of):
    more = "bootstrap_actions: [{name: tools, path: s3://b/t.sh, args: [s3://b/conf]}]\n"
    found = uses_of("  - {name: s, type: command, args: ['true']}", HEAD + more)
    assert [(one.use.value, one.uri, one.part) for one in found] == [
        ("target", "s3://logs/x/", "log_uri"),
        ("file", "s3://b/t.sh", "bootstrap action tools"),
        ("argument", "s3://b/conf", "bootstrap action tools"),
    ]


def test_what_an_earlier_step_may_write_is_known(uses_of):
    found = uses_of(
        "  - {name: a, type: spark, application: s3://b/a.py, args: [s3://b/mid]}\n"
        "  - {name: b, type: streaming, mapper: cat, reducer: none, input: 's3n://b/mid/part-*', output: s3://b/out}\n"
        "  - {name: c, type: streaming, mapper: cat, reducer: none, input: s3://b/other, output: s3://b/end}\n"
    )
    inputs = {one.uri: [by.part for by in earlier_uses(one, found)] for one in found if one.use.value == "input"}
    assert inputs == {"s3n://b/mid/part-*": ["step a"], "s3://b/other": []}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("s3://b/a", "s3a://b/a/", True),
        ("s3://b/a", "s3://b/ab", False),
        ("s3://b/a/x*", "s3://b/a/y", True),
        ("s3://b", "s3://b/a", True),
        ("s3://b/", "hdfs:///b", False),
        ("/a", "/a/b", True),
    ],
)
def test_overlapping(one, other, expected):
    assert overlaps(one, other) is expected
    assert overlaps(other, one) is expected
