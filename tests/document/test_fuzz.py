"""Random changes of a valid spec give a diagnostic with a place inside the file, never a traceback."""

import copy
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.dump import dump
from flowspec.document.text.parse import load
from flowspec.document.text.tree import plain
from flowspec.errors import SpecError
from flowspec.report.diagnostics import as_github, as_json, as_sarif, as_text
from flowspec.request.compile import compile
from tests.specs import places

DOCUMENTS = Path(__file__).parent / "documents"
SPECS = [
    DOCUMENTS / "good" / name / "job.yaml"
    for name in ("design-laptop", "loops-and-conditions", "fleets", "streaming-options", "target-merge")
]
ODD = st.sampled_from([
    None, True, 0, -1, 10**30, 1.5, "", "x", "{{ x }}", "{{ item }}", "{{ ds", "{% for %}", [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, "a" * 300,
    {"name": "x"}, [{"name": "x", "type": "jar"}], "{{ range(9) }}", "{{ [1, {'a': 2}] }}", {"type": "streaming"}, "s3://", "../..", "/", "#", "-D",
])  # fmt: skip


def mutated(data, draw):
    spots = list(places(data))[1:]
    if not spots:
        return copy.deepcopy(draw(ODD))
    path = draw(st.sampled_from(spots))
    owner = data
    for step in path[:-1]:
        owner = owner[step]
    kind = draw(st.sampled_from(["drop", "replace", "nest", "rename", "copy"]))
    if kind == "drop":
        del owner[path[-1]]
    elif kind == "replace":
        owner[path[-1]] = copy.deepcopy(draw(ODD))
    elif kind == "nest":
        owner[path[-1]] = draw(st.sampled_from([[owner[path[-1]]], {"a": owner[path[-1]]}]))
    elif kind == "copy":
        other = draw(st.sampled_from(spots))
        value = data
        for step in other:
            value = (
                value[step]
                if isinstance(value, list | dict)
                and (isinstance(value, dict) or isinstance(step, int))
                and (step in value if isinstance(value, dict) else step < len(value))
                else None
            )
        owner[path[-1]] = copy.deepcopy(value)
    elif isinstance(owner, dict):
        owner[
            draw(st.sampled_from(["nmae", "type", "steps", "when", "for_each", "targets", "variables", "{{ x }}", ""]))
        ] = owner.pop(path[-1])
    return data


def outcome(path):
    try:
        return compile(validate(render(load(path), environ={}))), ()
    except SpecError as error:
        return None, error.diagnostics


def run(path, lines):
    """The whole pipeline: a result, or diagnostics that every report can show."""
    request, found = outcome(path)
    assert request or found
    for one in found:
        assert one.location.file == str(path)
        assert 1 <= one.location.line <= lines + 1
    for report in (as_text, as_json, as_github, as_sarif):
        assert report(found) or request


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data(), st.sampled_from(SPECS))
def test_mutated_structures(tmp_path, data, spec):
    value = plain(load(spec).root)
    for _ in range(data.draw(st.integers(1, 4))):
        if isinstance(value, dict | list):
            value = mutated(value, data.draw)
    path = tmp_path / "job.yaml"
    text = dump(value)
    path.write_text(text)
    run(path, text.count("\n"))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data(), st.sampled_from(SPECS))
def test_mutated_texts(tmp_path, data, spec):
    text = spec.read_text()
    for _ in range(data.draw(st.integers(1, 5))):
        at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 6))
        piece = data.draw(
            st.sampled_from(
                [
                    "",
                    "{",
                    "}",
                    "[",
                    "]",
                    ":",
                    ": ",
                    "- ",
                    "\n",
                    "\n  ",
                    "{{",
                    "}}",
                    "{%",
                    "%}",
                    "'",
                    '"',
                    "#",
                    "&a ",
                    "*a",
                    "!t ",
                    "|",
                    "\t",
                    "é",
                    "?",
                ]
            )
        )
        text = text[:at] + piece + text[at + length :]
    path = tmp_path / "job.yaml"
    path.write_text(text)
    run(path, text.count("\n"))
