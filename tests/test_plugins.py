"""Plugins: the example package, found as an installed one, and packages that do something wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from flowspec import plugins

EXAMPLE = Path(__file__).parent.parent / "examples/plugin"
POINTS = """
[flowspec.steps]
sqoop = acme_flowspec.sqoop
[flowspec.rules]
owner = acme_flowspec.owner:check
[flowspec.importers]
ini = acme_flowspec.ini
"""


def install(site, points, **modules):
    """Makes a folder for PYTHONPATH with a package as pip would install it."""
    info = site / "acme_flowspec-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-flowspec\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)


@pytest.fixture
def flowspec(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)

    def call(*argv):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "FLOWSPEC_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-m", "flowspec", *argv]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def example(flowspec, tmp_path):
    install(tmp_path / "site", POINTS)
    shutil.copytree(EXAMPLE / "acme_flowspec", tmp_path / "site/acme_flowspec")
    return flowspec


def test_the_entry_points_are_those_of_the_example():
    declared = (EXAMPLE / "pyproject.toml").read_text()
    for line in POINTS.split("\n"):
        name, _, value = line.partition(" = ")
        assert (f'{name} = "{value}"' if value else f'."{line[1:-1]}"' if line else "") in declared


def test_a_kind_of_step(example, tmp_path):
    done = example("compile", "job.yaml")
    jar = json.loads(done.stdout)["Steps"][0]["HadoopJarStep"]
    assert jar["Args"][:3] == ["sqoop", "import", "--connect"]
    assert jar["Args"][-2:] == ["--num-mappers", "4"]
    (tmp_path / "request.json").write_text(done.stdout)
    assert "type: sqoop" in example("import", "request.json").stdout


def test_its_keys_are_checked_and_may_be_templates_in_a_target(example, tmp_path):
    text = (tmp_path / "job.yaml").read_text()
    (tmp_path / "job.yaml").write_text(text.replace("mappers: 4", "mapers: 4"))
    done = example("validate", "job.yaml")
    assert done.returncode == 2
    assert "did you mean mappers?" in done.stderr
    target = (
        "{default: true, backend: local, variables: {n: 3}, steps: [{name: orders, type: sqoop, mappers: '{{ n }}'}]}"
    )
    text = text.replace("{default: true, backend: local}", target) + "variables: {n: {type: integer}}\n"
    (tmp_path / "job.yaml").write_text(text)
    assert '"3"' in example("compile", "job.yaml").stdout


def test_editors_and_explain_know_it(example, tmp_path):
    printed = json.loads(example("schema").stdout)
    spec = yaml.safe_load((tmp_path / "job.yaml").read_text())
    assert "sqoop" in printed["$defs"]["step"]["properties"]["type"]["anyOf"][0]["enum"]
    assert list(jsonschema.Draft202012Validator(printed).iter_errors(spec)) == []
    spec["steps"][0]["mapers"] = 4
    assert list(jsonschema.Draft202012Validator(printed).iter_errors(spec)) != []
    explained = example("explain", "steps.sqoop", "steps.sqoop.mappers").stdout
    assert "- `connect`: " in explained
    assert "# steps.sqoop.mappers" in explained


def test_a_rule(example, tmp_path):
    done = example("validate", "job.yaml")
    assert done.returncode == 0
    assert "warning[FS616]: nobody owns this flow (owner)\n --> job.yaml:7:7" in done.stderr
    (tmp_path / "flowspec.toml").write_text('[severity]\nFS616 = "error"\n')
    assert example("validate", "job.yaml").returncode == 2
    text = (tmp_path / "job.yaml").read_text()
    (tmp_path / "job.yaml").write_text(text.replace("{team: search}", "{owner: search}"))
    done = example("validate", "job.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_importer(example, tmp_path):
    assert "name: nightly\n" in example("import", "nightly.ini").stdout
    (tmp_path / "other.txt").write_text("[cluster]\nname = x\nrelease = emr-7.5.0\n")
    done = example("import", "--from", "ini", "other.txt")
    assert done.returncode == 2
    assert "error[FS703]: 'type' is missing" in done.stderr
    done = example("import", "--from", "xml", "other.txt")
    assert done.returncode == 2
    assert "mrjob" in done.stderr
    assert "ini" in done.stderr


STEPS = "[flowspec.steps]\nodd = odd\n"
RULES = "[flowspec.rules]\nodd = odd:check\n"
IMPORTERS = "[flowspec.importers]\nodd = odd\n"
KIND = "SCHEMA = {'properties': {}}\ndef recognize(step, target): return None\n"
ODD = {"targets": {"here": {"default": True, "backend": "local"}}, "release_label": "emr-7.5.0", "keep_alive": False}
WRONG = {
    "import": (RULES, "import no_such_module", ["validate"], "ModuleNotFoundError: No module named 'no_such_module'"),
    "syntax": (STEPS, "def (", ["validate"], "SyntaxError"),
    "exit": (RULES, "raise RuntimeError('not today')", ["validate"], "RuntimeError: not today"),
    "missing": (STEPS, "SCHEMA = {}", ["validate"], "odd has no compile, recognize"),
    "no function": (RULES, "check = 3", ["validate"], "it is not a function"),
    "no attribute": (RULES, "", ["validate"], "AttributeError"),
    "finding": (RULES + "[flowspec.importers]\n", "def check(spec): yield 1", ["validate"], "TypeError"),
    "own": ("[flowspec.steps]\nspark = odd\n", KIND + "compile = recognize", ["validate"], "flowspec's own"),
    "schema": (STEPS, KIND.replace("{'properties': {}}", "3") + "compile = recognize", ["validate"], "plugin odd"),
    "compile": (STEPS, KIND + "def compile(step): return 1 / 0", ["compile"], "ZeroDivisionError"),
    "no JSON": (STEPS, KIND + "def compile(step): return {'Jar': {1}}", ["compile"], "TypeError: Object of type set"),
    "check": (RULES, "def check(spec): raise KeyError('x')", ["validate"], "KeyError: 'x'"),
    "importer": (IMPORTERS, "read = None\ndef recognizes(name, text): return 1 / 0", ["import"], "ZeroDivisionError"),
}


def write_odd(folder, *, uses_plugin):
    step = {"type": "odd"} if uses_plugin else {"type": "command", "args": ["true"]}
    group = [{"role": "MASTER", "type": "m5.xlarge", "count": 1}]
    spec = {"flowspec": "v1", "name": "odd", **ODD, "instance_groups": group, "steps": [{"name": "one", **step}]}
    (folder / "odd.yaml").write_text(json.dumps(spec))


def test_a_kind_of_step_may_give_tuples_and_enumerations(flowspec, tmp_path):
    text = "import enum\nclass Jars(str, enum.Enum):\n    OURS = 'x.jar'\n"
    made = "def compile(step): return {'Jar': Jars.OURS, 'Args': ('a',)}"
    install(tmp_path / "site", STEPS, odd=text + KIND + made)
    write_odd(tmp_path, uses_plugin=True)
    done = flowspec("compile", "odd.yaml")
    assert json.loads(done.stdout)["Steps"][0]["HadoopJarStep"] == {"Jar": "x.jar", "Args": ["a"]}


@pytest.mark.parametrize("case", WRONG)
def test_a_plugin_that_fails_is_named(flowspec, tmp_path, case):
    points, text, command, says = WRONG[case]
    install(tmp_path / "site", points, odd=text)
    write_odd(tmp_path, uses_plugin=command == ["compile"])
    done = flowspec(*command, "odd.yaml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("error: plugin "), done.stderr
    assert says in done.stderr
    assert "uninstall its package" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_plugins_importlib_metadata_is_not_imported(tmp_path):
    code = (
        "import sys\nfrom flowspec.cli import run\nrun(['validate', sys.argv[1]])\n"
        "print('importlib.metadata' in sys.modules)"
    )
    spec = EXAMPLE.parent / "wordcount/job.yaml"
    done = subprocess.run([sys.executable, "-c", code, spec], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("content", [None, "[console_scripts]\nx = y\n", "[flowspec.rules]\nx = y\n"])
def test_only_packages_with_entry_points_of_ours_count(tmp_path, content):
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    (tmp_path / "old.egg-info").touch()
    if content:
        (info / "entry_points.txt").write_text(content)
    assert plugins._has_entry_point(tmp_path) == bool(content and "flowspec" in content)
    assert not plugins._has_entry_point(tmp_path / "nothing")
