"""The Spark example, as a user applies it: what the plan says, the run, its truth, and a failure's cause."""

import json
import shutil

import pytest

from ..engines.steps import needs_spark
from .conftest import EXAMPLES

FAILING = """
  - name: fail
    type: spark
    application: fail.py
"""


@pytest.fixture
def example(tmp_path):
    return shutil.copytree(EXAMPLES / "spark", tmp_path / "spark") / "job.yaml"


def test_the_request_it_becomes(flowspec, example):
    request = json.loads(flowspec("compile", example, "--target", "prod").out)
    (step,) = request["Steps"]
    head, deploy, mode, executors, two, files, shipped, application, output = step["HadoopJarStep"]["Args"]
    assert (head, deploy, mode, executors, two) == ("spark-submit", "--deploy-mode", "cluster", "--num-executors", "2")
    assert (files, output) == ("--files", "s3://acme-shops/takings/")
    for uri, name in ((shipped, "sales.csv"), (application, "sums.py")):
        assert uri.startswith("s3://acme-artifacts/flowspec/")
        assert uri.endswith(name)


@needs_spark
def test_a_run_and_what_was_true_of_it(flowspec, example, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    example.write_text(
        example.read_text().replace("CLUSTER", "CLUSTER" + FAILING).replace("TERMINATE_CLUSTER", "CONTINUE")
    )
    (example.parent / "fail.py").write_text("print('on', 'stdout')\nraise ValueError('no such day')\n")
    done = flowspec("apply", example, "--format", "json")
    assert done.code == 4, done.err
    (part,) = (tmp_path / "home/s3/acme-shops/takings").glob("part-*.csv")
    assert part.read_text() == "Leith,1325\nMorningside,2500\nPortobello,990\n"

    document = json.loads(done.out)
    here = document["local_run"]
    assert (here["steps"], here["instances"], here["roles"]) == ({"spark": 2}, 3, True)
    (version,) = here["versions"]
    assert (version["application"], version["release"]) == ("Spark", "3.5.2")
    assert f"  local run: emr-7.5.0 has Spark 3.5.2; this machine has {version['local']}\n" in done.err

    failed = document["cluster"]["steps"][1]
    assert (failed["state"], failed["message"]) == ("FAILED", "ValueError: no such day")
    assert document["diagnosis"]["excerpts"]["stdout"][-1] == "ValueError: no such day"

    told = flowspec("wait", document["cluster"]["id"])
    assert told.err.splitlines()[-1].startswith("  more: ")
    line = next(line for line in told.err.splitlines() if line.startswith("local run: "))
    assert line == (
        "local run: steps executed (spark 2); 3 instances and IAM roles simulated; "
        f"Spark {version['local']} for emr-7.5.0's 3.5.2"
    )
