"""The home of a test ends with all that runs in it."""

import tempfile

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state.store import Store
from flowspec.emulator.temporary import temporary_home

INSTANCES = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
REQUEST = {
    "Name": "x",
    "ReleaseLabel": "emr-7.5.0",
    "ServiceRole": "EMR_DefaultRole",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "Steps": [{"Name": "one", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["sleep", "300"]}}],
}


@pytest.mark.parametrize(
    ("region", "faults"), [("eu-west-1", ""), ("us-east-1", "lost-answer@SetTerminationProtection=1")]
)
def test_clusters_of_any_region_and_with_faults_are_ended(tmp_path, monkeypatch, region, faults):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_home(keep=lambda: True) as home:
        tags = [{"Key": "flowspec:inject", "Value": faults}]
        request = {**REQUEST, "Instances": {**INSTANCES, "TerminationProtected": True}, "Tags": tags}
        made = Service(home, region=region).call("RunJobFlow", request)
    with Store(home) as store:
        cluster = store.get("cluster", made["JobFlowId"])
    assert (cluster.state, cluster.doc["reason"]["Code"]) == ("TERMINATED", "USER_REQUEST")
