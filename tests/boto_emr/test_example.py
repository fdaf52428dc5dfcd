"""The example: the script and the spec that it became do the same."""

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples/boto-emr"


def output(folder, *command):
    """Runs a command beside a copy of the example; gives the report and the counts."""
    made = shutil.ignore_patterns("counts", "report", "emr-logs")
    shutil.copytree(EXAMPLE, folder, ignore=made)
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(part.read_text() for kind in ("counts", "report") for part in (folder / kind).glob("part-*"))


def test_the_script_and_the_spec_give_the_same_output(tmp_path):
    by_script = output(tmp_path / "script", "job.py", str(tmp_path / "script"), "local")
    by_spec = output(tmp_path / "spec", "-m", "flowspec", "apply", "job.yaml")
    assert by_script == by_spec
    assert "200\t3\n304\t1\n404\t2\n500\t1\n" in by_script
