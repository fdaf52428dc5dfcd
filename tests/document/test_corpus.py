"""Each mistake that people really made has a document here, whose outcome test_documents holds."""

import json
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).parent / "documents"
CORPUS = Path(__file__).parents[3] / "shared/corpus/invalid"

# What is said of each, where: (line of job.yaml, id, hint). No hint stands for a form that a spec allows.
SAID = {
    "01-instance-profile-in-instances": [(13, "FS101", "did you mean job_flow_role?")],
    "06-core-group-without-master": [
        (9, "FS202", "keep one of the two"),
        (10, "FS202", "keep one of the two"),
        (11, "FS202", "keep one of the two"),
        (12, "FS203", "add one"),
    ],
    "09-numbers-in-properties": [],
    "14-custom-ami-too-early": [(4, "FS271", "a later release")],
    "18-no-name-no-type": [(1, "FS102", "such as name: wordcount"), (4, "FS102", "such as type: m5.xlarge")],
    "23-count-as-string": [(11, "FS103", "drop the quotes")],
    "26-misspelled-keep-alive": [(12, "FS101", "did you mean keep_alive?")],
    "33-step-without-jar": [(12, "FS102", "such as type: streaming"), (13, "FS102", "such as jar: s3://acme/publish.jar")],
    "35-fleet-with-instance-role": [(14, "FS101", "did you mean type?")],
    "36-flat-bootstrap-action": [],
}  # fmt: skip


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real definitions is not here")
def test_every_mistake_of_the_corpus_has_its_document():
    assert {path.stem for path in CORPUS.glob("*.json")} == set(SAID)
    assert all(json.loads(path.read_text())["good_error"] for path in CORPUS.glob("*.json"))


@pytest.mark.parametrize("name", SAID)
def test_it_is_said_at_the_right_place_with_the_right_remedy(name, monkeypatch):
    from flowspec.document.checking.validate import validate
    from flowspec.document.text.parse import load
    from flowspec.errors import Severity, SpecError

    (folder,) = DOCUMENTS.glob(f"*/corpus-{name}")
    monkeypatch.chdir(folder)
    try:
        found = validate(load("job.yaml")).warnings
    except SpecError as error:
        found = error.diagnostics
    told = [
        (one.location.line, one.id, one.hint) for one in found if one.severity is Severity.ERROR or one.id == "FS261"
    ]
    assert told == SAID[name]
    assert (folder.parent.name == "bad") == any(one.severity is Severity.ERROR for one in found)
