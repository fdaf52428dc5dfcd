"""The wheel, the sdist, and what they give a clean environment."""

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCHEMA = "schemas/flowspec-v1.schema.json"
SCHEMAS = [SCHEMA, "schemas/flowspec-case-v1.schema.json", "schemas/flowspec-plan-v1.schema.json"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel built from an sdist built from the checkout: what a user gets is all that they hold."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_holds_the_package_and_the_schema_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
        for schema in SCHEMAS:
            assert json.loads(wheel.read(f"flowspec/{schema}")) == json.loads((ROOT / schema).read_text())
        (points,) = (name for name in names if name.endswith("dist-info/entry_points.txt"))
        assert b"[pytest11]\nflowspec = flowspec.testing.fixture\n" in wheel.read(points)
    files = (
        path for kind in ("py", "md", "json", "html", "css", "js") for path in (ROOT / "flowspec").rglob(f"*.{kind}")
    )
    sources = {path.relative_to(ROOT).as_posix() for path in files}
    assert sources <= set(names)
    starters = {path.relative_to(ROOT).as_posix() for path in (ROOT / "flowspec/scaffold/files").rglob("*.in")}
    assert "flowspec/scaffold/files/gitops/.github/workflows/flowspec.yml.in" in starters
    assert starters <= set(names)
    classes = {path.relative_to(ROOT).as_posix() for path in (ROOT / "flowspec").rglob("*.class")}
    assert "flowspec/engines/java/flowspec/FolderFileSystem.class" in classes
    assert classes <= set(names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"flowspec"}
    # Not what the spec's is generated from.
    assert {name for name in names if "schemas/" in name} == {f"flowspec/{schema}" for schema in SCHEMAS}


def test_the_sdist_holds_what_a_packager_needs(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", SCHEMA} <= names
    assert {"schemas/flowspec-v1.source.yaml", "schemas/generate.py", "examples/wordcount/job.yaml"} <= names
    assert "tests/test_packaging.py" in names


def test_the_wheel_works_in_a_clean_environment(built, tmp_path):
    """Nothing but the wheel is added: the dependencies are borrowed, so that no index is needed."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    site = next((tmp_path / "venv/lib").glob("python*/site-packages"))
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(site)
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    job = tmp_path / "job.yaml"
    job.write_text(
        "flowspec: v1\nname: tiny\nrelease_label: emr-7.5.0\n"
        "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
        "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
    )

    def flowspec(*args):
        done = subprocess.run(
            [python, "-m", "flowspec", *args], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import flowspec; print(flowspec.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert str(site) in where.stdout
    assert flowspec("validate", "job.yaml") == "job.yaml: valid\n"
    assert json.loads(flowspec("schema")) == json.loads((ROOT / SCHEMA).read_text())
    assert json.loads(flowspec("compile", "job.yaml"))["Name"] == "tiny"
    assert flowspec("explain", "FS204").startswith("# FS204: ")
