"""Ctrl-C and SIGTERM while RunJobFlow has no answer yet: a cluster may run, and it is said how to find it."""

import re
import signal

import pytest

from tests.endpoints import NIGHTLY

SPEC = (
    NIGHTLY
    + """\
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps: [{name: one, type: command, args: ["true"]}]
"""
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_cluster_can_be_found(start, faulty, tmp_path, number):
    (tmp_path / "job.yaml").write_text(SPEC)
    faulty.way.faults["RunJobFlow"] = ["slow"]
    process = start("apply", "job.yaml", "--skip-preflight", "--endpoint-url", faulty.way.url)
    assert faulty.way.waiting.wait(60)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    (summary,) = faulty.pages("ListClusters", "Clusters")
    tags = faulty.call("DescribeCluster", ClusterId=summary["Id"])["Cluster"]["Tags"]
    submission = next(tag["Value"] for tag in tags if tag["Key"] == "flowspec:submission")
    assert f"its tag is flowspec:submission={submission}" in err.lower()
    assert re.search(r"flowspec status .*job\.yaml", err)
    assert "Traceback" not in err
