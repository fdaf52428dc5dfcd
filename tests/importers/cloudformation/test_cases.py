"""Whole templates: the request, variables and notes of each are in requests.json, which were checked by reading.

FLOWSPEC_REWRITE=1 writes them anew, to be read in a review. A variable or a note has to be there for all that the
template alone does not determine.
"""

import json
import os
from pathlib import Path

import pytest

from tests.importers.common import cases, compiled, wanted
from tests.importers.terraform.canonical import canonical

HERE = Path(__file__).parent
RECORDED = HERE / "requests.json"
REWRITE = bool(os.environ.get("FLOWSPEC_REWRITE"))
_REST = """ReleaseLabel: emr-6.15.0
      JobFlowRole: P
      ServiceRole: R
      VisibleToAllUsers: true
      Instances:
        KeepJobFlowAliveWhenNoSteps: true
        MasterInstanceGroup: {InstanceCount: 1, InstanceType: m5.xlarge}"""
VALUES = {"given-values": {"var_files": ["values.json"], "settings": ["Env=prod", "Apps=Hive,Pig"]}}


CASES = {
    name: {file: text.replace("REST\n", f"{_REST}\n") for file, text in files.items()}
    for name, files in cases(HERE / "cases.cfn.txt").items()
}


@pytest.mark.parametrize("name", CASES)
def test_a_template(name, tmp_path):
    folder = tmp_path / "t"
    for file, text in CASES[name].items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    first, text = next(iter(CASES[name].items()))
    more = VALUES.get(name, {})
    given = {"var_files": [folder / one for one in more.get("var_files", ())], "settings": more.get("settings", ())}
    source = wanted(text, name=first, folder=folder, **given)
    made = {
        "request": canonical(compiled(source, tmp_path)),
        "variables": {key: one.declared for key, one in source.variables.items()},
        "notes": list(source.notes),
    }
    if REWRITE:
        known = json.loads(RECORDED.read_text("utf-8")) if RECORDED.exists() else {}
        text = json.dumps({**known, name: made}, indent=1, ensure_ascii=False, sort_keys=True)
        RECORDED.write_text(f"{text}\n", encoding="utf-8")
    assert json.loads(json.dumps(made)) == json.loads(RECORDED.read_text("utf-8"))[name]
