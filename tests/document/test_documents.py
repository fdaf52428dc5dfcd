"""Each folder under documents/ is a test: job.yaml, and exactly what comes of it.

    good/<case>/   job.yaml, any files it names, args.json (see `Arguments`)   ->  request.json, warnings.txt
    bad/<case>/    the same                                                    ->  errors.txt

Dropping a folder in adds a case. FLOWSPEC_REWRITE=1 writes the outputs anew, to be read in a review.
"""

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.facts.api_model import input_shape, problems
from flowspec.report.diagnostics import as_text
from flowspec.request.compile import compile

DOCUMENTS = Path(__file__).parent / "documents"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
REWRITE = bool(os.environ.get("FLOWSPEC_REWRITE"))


def judged_by_a_newer_botocore(messages):
    """Skips a case that speaks of members which the installed botocore, an old one, does not know yet."""
    old = "MonitoringConfiguration" not in input_shape().members
    if old and any("Unknown parameter" in one or "has no member" in one for one in messages):
        pytest.skip("this botocore does not know all members yet, and says so")


def cases(kind):
    found = sorted(path for path in (DOCUMENTS / kind).iterdir() if path.is_dir())
    return pytest.mark.parametrize("case", found, ids=lambda path: path.name)


def outcome(case, monkeypatch):
    """The request and the warnings of a case, or its errors: run from its folder, as a user would."""
    monkeypatch.chdir(case)
    arguments = json.loads((case / "args.json").read_text()) if (case / "args.json").exists() else {}
    try:
        document = render(
            load(arguments.get("file", "job.yaml")),
            target=arguments.get("target"),
            variables=arguments.get("variables", {}),
            variable_files=arguments.get("variable_files", []),
            environ=arguments.get("environ", {}),
            now=NOON,
        )
        jobflow = validate(document)
        return compile(jobflow), jobflow.warnings
    except SpecError as error:
        return None, error.diagnostics


def expect(path, text, case):
    text = text.replace(str(case), "<case>")
    if REWRITE:
        path.write_text(text) if text else path.unlink(missing_ok=True)
    assert text == (path.read_text() if path.exists() else "")


@cases("good")
def test_good_document(case, monkeypatch):
    request, found = outcome(case, monkeypatch)
    judged_by_a_newer_botocore(one.message for one in (found if request is None else problems(request.params)))
    assert request is not None, as_text(found)
    expect(case / "request.json", json.dumps(request.params, indent=2, ensure_ascii=False) + "\n", case)
    expect(case / "warnings.txt", as_text(found), case)
    assert problems(request.params) == []


@cases("bad")
def test_bad_document(case, monkeypatch):
    request, found = outcome(case, monkeypatch)
    assert request is None
    judged_by_a_newer_botocore(one.message for one in found)
    expect(case / "errors.txt", as_text(found), case)


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_without_libyaml_the_same_is_said(kind, monkeypatch):
    for case in sorted((DOCUMENTS / kind).iterdir()):
        expected = outcome(case, monkeypatch)
        with monkeypatch.context() as patch:
            patch.setattr("yaml.__with_libyaml__", False)
            assert outcome(case, monkeypatch) == expected, case.name
