"""The graph of steps and data, and steps that are out of order."""

import itertools
import json
from collections import defaultdict
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import flowspec
from flowspec.cli import root
from flowspec.plan.compare import make_plan
from flowspec.report import graphs
from flowspec.request.graph import Graph, Link, find_misordered_steps, graph_of
from tests.work import counted_calls

SVG = "{http://www.w3.org/2000/svg}"
HEAD = """flowspec: v1
name: x
region: us-east-1
release_label: emr-7.5.0
log_uri: s3://logs/x/
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def compiled(*steps):
        (tmp_path / "job.yaml").write_text(HEAD + "".join(f"  - {one}\n" for one in steps))
        flow = flowspec.validate(flowspec.render(flowspec.load("job.yaml")))
        return flow, flowspec.compile(flow)

    return compiled


def streaming(name, source, target):
    return f"{{name: {name}, type: streaming, mapper: /bin/cat, reducer: none, input: {source}, output: {target}}}"


CLEAN, COUNT = streaming("clean", "s3://a/raw", "s3://a/clean"), streaming("count", "s3://a/clean/day=1", "s3://a/out")


def test_what_each_step_reads_writes_and_names(made):
    jar = "{name: publish, type: jar, jar: s3://a/p.jar, args: [--from, s3://a/out]}"
    _, request = made(CLEAN, COUNT, jar)
    assert graphs.as_text(graph_of(request.params)).splitlines() == [
        "1. clean",
        "   reads  s3://a/raw",
        "   writes s3://a/clean",
        "2. count",
        "   reads  s3://a/clean/day=1  (from 1. clean)",
        "   writes s3://a/out",
        "3. publish",
        "   uses   s3://a/p.jar",
        "   names  s3://a/out  (from 2. count)",
    ]


def test_a_page_draws_a_folder_in_another_steps_output_as_coming_from_there(made):
    _, request = made(CLEAN, COUNT)
    drawn = graphs.as_mermaid(graph_of(request.params)).splitlines()
    assert drawn[0] == "flowchart LR"
    assert "  s0 -.-> s1" in drawn
    assert '  d1[("s3://a/clean")]' in drawn


SCRIPT = "{name: count, type: spark, application: s3://a/code/app.py, files: [s3://a/clean/list.txt]}"


def test_what_a_step_runs_is_used_and_not_drawn_unless_an_earlier_step_writes_it(made):
    _, request = made(CLEAN, SCRIPT)
    graph = graph_of(request.params)
    assert graphs.as_text(graph).splitlines()[-2:] == [
        "   uses   s3://a/code/app.py",
        "   uses   s3://a/clean/list.txt  (from 1. clean)",
    ]
    for drawn in (graphs.as_mermaid(graph), str(labels(graph))):
        assert "s3://a/clean/list.txt" in drawn
        assert "app.py" not in drawn


def svg(graph):
    return ElementTree.fromstring(graphs.as_svg(graph))


def labels(graph):
    return [one.text for one in svg(graph).iter(f"{SVG}text")]


def test_an_svg_needs_nothing_else_and_says_the_same_in_words(made):
    _, request = made(CLEAN, COUNT)
    graph = graph_of(request.params)
    root = svg(graph)
    words = {one.get("id"): one.text for one in root if one.get("id")}
    assert root.get("role") == "img"
    assert words[root.get("aria-labelledby")] == "The steps of x, and the data that they read and write"
    assert words[root.get("aria-describedby")] == graphs.as_text(graph)
    assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text
    assert not {"href", "src"} & {name.rpartition("}")[2] for one in root.iter() for name in one.attrib}
    assert labels(graph) == [
        "1. clean",
        "2. count",
        *(f"s3://a/{one}" for one in ("raw", "clean", "clean/day=1", "out")),
    ]
    assert [one.get("class") for one in root.findall(f"{SVG}path")] == ["reads", "writes", "within", "reads", "writes"]
    assert graphs.as_svg(graph) == graphs.as_svg(graph_of(request.params))


def test_a_cluster_without_steps_has_a_drawing_without_boxes():
    root = svg(graph_of({"Name": "idle", "ReleaseLabel": "emr-7.5.0"}))
    assert list(root.iter(f"{SVG}text")) == []
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_a_long_name_is_cut_and_whole_in_its_tooltip():
    name, folder = f"first {'x' * 300} last", f"s3://a/{'y' * 300}/part"
    args = [
        "hadoop-streaming",
        "-mapper",
        "cat",
        "-reducer",
        "cat",
        "-input",
        folder,
        "-output",
        "s3://b/漢字" + "漢" * 99,
    ]
    graph = graph_of(
        {
            "ReleaseLabel": "emr-7.5.0",
            "Steps": [{"Name": name, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": args}}],
        }
    )
    root = svg(graph)
    assert all(len(one) <= 48 for one in labels(graph))
    assert [one.text for one in root.iter(f"{SVG}title")][1:] == [f"1. {name}", folder, args[-1]]
    assert int(root.get("width")) < 1200


def test_lines_of_a_thousand_steps_do_not_lie_on_each_other():
    uses = [
        (index, verb, f"s3://a/{at}")
        for index in range(1000)
        for verb, at in (("reads", index // 7 * 5), ("writes", index + 1))
    ]
    graph = Graph("many", tuple(f"step {index}" for index in range(1000)), tuple(Link(*one) for one in uses))
    with counted_calls() as work:
        root = svg(graph)
    paths = [one.get("d")[1:].split("L") for one in root.findall(f"{SVG}path")]
    middle = int(root.find(f"{SVG}g[@class='step']/{SVG}rect").get("x"))
    assert work.calls < 1_000_000
    assert len(paths) >= 2000
    lanes = defaultdict(set)
    for points in paths:
        (first, last) = sorted((tuple(map(int, one.split())) for one in (points[0], points[-1])), key=lambda at: at[0])
        for x, top, bottom in _verticals(points):
            # The lines of the same data meet in one lane; others have no point of it in common.
            at_data = last if x > middle else first
            lanes[x].add((at_data, top, bottom))
    for spans in lanes.values():
        bounds = defaultdict(list)
        for data, top, bottom in spans:
            bounds[data] += [top, bottom]
        ordered = sorted((min(one), max(one)) for one in bounds.values())
        assert all(before[1] < after[0] for before, after in itertools.pairwise(ordered))


def _verticals(points):
    places = [tuple(map(int, one.split())) for one in points]
    for (x, top), (other, bottom) in itertools.pairwise(places):
        if x == other:
            yield x, min(top, bottom), max(top, bottom)


def test_names_from_strangers_stay_labels():
    name = 'a"]; click s0 "javascript:x" <b>`\n'
    step = {"Name": name, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    graph = graph_of({"ReleaseLabel": "emr-7.5.0", "Steps": [step]})
    _, label = graphs.as_mermaid(graph).splitlines()
    assert label.count('"') == 2
    assert not {"<", "`"} & set(label)
    assert json.loads(graphs.as_json(graph))["steps"] == [name]
    assert graphs.as_text(graph).splitlines()[1] == "   names no data"
    (shown,) = labels(graph)
    assert shown.startswith('1. a"]; click s0')
    assert shown.endswith("<b>`\\n")


def test_a_flow_without_steps_is_said_to_have_none():
    graph = graph_of({"ReleaseLabel": "emr-7.5.0", "Steps": []})
    assert graphs.as_text(graph) == "no steps"
    assert ">no steps</desc>" in graphs.as_svg(graph)


def test_secrets_are_masked_in_all_forms(made):
    flow, request = made("{name: s3cr3t-name, type: jar, jar: s3://a/p.jar, args: [s3://a/s3cr3t-name/x]}")
    graph = graph_of(request.params, flow.region)
    for show in (graphs.as_text, graphs.as_mermaid, graphs.as_svg, graphs.as_json):
        assert "s3cr3t-name" in show(graph)
        assert "s3cr3t-name" not in show(graph, ["s3cr3t-name"])


def test_a_step_that_reads_what_a_later_one_writes_is_an_error_of_validate_and_plan(made):
    flow, request = made(COUNT, CLEAN)
    (found,) = find_misordered_steps(flow, request)
    assert (found.id, found.location.line) == ("FS281", 10)
    assert found.message == (
        "step count reads s3://a/clean/day=1, which no step before it writes; step clean, after it, does"
    )
    with pytest.raises(flowspec.SpecError):
        make_plan(flow, request)
    done = CliRunner().invoke(root, ["validate", "job.yaml"], standalone_mode=False)
    assert done.return_value == 2
    assert "FS281" in done.stderr


@pytest.mark.parametrize(
    "steps",
    [
        [CLEAN, COUNT],
        [streaming("only", "s3://elsewhere/in", "s3://a/out")],
        # The program before may write it, and then the later output is where the fault is.
        ["{name: any, type: jar, jar: s3://a/p.jar, args: [s3://a/clean]}", COUNT, CLEAN],
        # The folder that is written later is inside of the one that is read: the rest may be there.
        [streaming("all", "s3://a", "s3://b/all"), CLEAN],
        # S3DistCp writes into a folder that may be there from an earlier run.
        [COUNT, "{name: copy, type: s3_dist_cp, src: s3://b/x, dest: s3://a/clean/day=1}"],
        # A name that merely begins alike.
        [COUNT, streaming("other", "s3://a/raw", "s3://a/cle")],
    ],
)
def test_what_may_be_right_is_not_reported(made, steps):
    assert find_misordered_steps(*made(*steps)) == ()


def test_the_command_shows_the_graph_and_the_finding(made):
    made(COUNT, CLEAN)
    done = CliRunner().invoke(root, ["graph", "job.yaml"], standalone_mode=False)
    assert done.return_value == 0
    assert "2. clean" in done.stdout
    assert "FS281" in done.stderr
