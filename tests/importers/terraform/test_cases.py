"""Whole configurations: the imported request is the one that Terraform and its provider send.

`requests.json` has what they sent. Where Terraform is installed and FLOWSPEC_JUDGE=1, they are asked again, all cases
in one run (the provider waits half a minute for a cluster); FLOWSPEC_REWRITE=1 writes the file anew.
"""

import json
import os
from pathlib import Path

import pytest

from tests.importers.common import compiled, wanted
from tests.importers.terraform import judge
from tests.importers.terraform.canonical import canonical, folded
from tests.importers.terraform.cases import CASES, HERE, SETTINGS, VAR_FILES, written

RECORDED = HERE / "requests.json"
REWRITE = bool(os.environ.get("FLOWSPEC_REWRITE"))


def imported(name, folder, **more):
    return wanted(
        "",
        folder=folder,
        name=str(folder),
        var_files=[folder / one for one in VAR_FILES.get(name, ())],
        settings=SETTINGS.get(name, ()),
        **more,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_request_is_terraforms(name, tmp_path):
    folder = written(CASES[name], tmp_path / "m")
    source = imported(name, folder, cluster='c["several-clusters"]' if name == "several-clusters" else "")
    assert canonical(compiled(source, tmp_path)) == json.loads(RECORDED.read_text("utf-8"))[name]


@pytest.mark.skipif(judge.provider() is None, reason="Terraform and its AWS provider are not installed here")
@pytest.mark.skipif(not os.environ.get("FLOWSPEC_JUDGE"), reason="takes minutes: set FLOWSPEC_JUDGE=1")
def test_the_recorded_requests_are_terraforms(tmp_path):
    calls = []
    together = tmp_path / "together"
    together.mkdir()
    modules = []
    for name, files in CASES.items():
        if name.startswith("root-"):
            folder = written(files, tmp_path / name)
            argv = [f"-var-file={one}" for one in VAR_FILES.get(name, ())]
            argv += [f"-var={one}" for one in SETTINGS.get(name, ())]
            calls.append(judge.sent(folder, *argv))
        else:
            written(files, together / name)
            modules.append(f'module "{name}" {{\n  source = "./{name}"\n}}\n')
    (together / "main.tf").write_text("".join(modules))
    calls.append(judge.sent(together, "-parallelism=60"))
    made = {one["Name"]: canonical(one) for each in calls for one in folded(each)}
    made = {name: made[name] for name in CASES}
    if REWRITE:
        RECORDED.write_text(json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    assert made == json.loads(RECORDED.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[4].joinpath("shared", "field").glob("*-tf-*/ref.jsonl")))
def test_a_case_of_the_field(path, tmp_path):
    calls = [(one["op"], one["body"]) for one in map(json.loads, path.read_text("utf-8").splitlines())]
    source = wanted("", folder=path.parent, name=str(path.parent))
    assert canonical(compiled(source, tmp_path)) == canonical(folded(calls)[0])
