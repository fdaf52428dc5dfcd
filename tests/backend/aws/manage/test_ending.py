"""Protection against termination, and what stays when a cluster has ended."""

import pytest

from flowspec import FlowspecError, ServiceError, describe, destroy, leftovers, protect, unprotect
from tests.plan.test_converge import GROUPS

STAGED = "s3://artifacts/flowspec/" + "a" * 64 + "/job.py"


def test_protection_keeps_a_cluster_and_can_be_lifted(emr, started):
    cluster_id = started()
    assert (protect(emr, cluster_id), protect(emr, cluster_id)) == (True, False)
    with pytest.raises(ServiceError, match="termination protected"):
        emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    with pytest.raises(FlowspecError, match="is protected") as refused:
        destroy(emr, describe(emr, cluster_id))
    assert "--unprotect" in refused.value.remedy
    assert (unprotect(emr, cluster_id), unprotect(emr, cluster_id)) == (True, False)
    destroy(emr, describe(emr, cluster_id))
    with pytest.raises(FlowspecError, match="nothing to protect"):
        protect(emr, cluster_id)


def test_there_is_no_such_cluster(emr):
    with pytest.raises(FlowspecError, match="there is no cluster j-NONE"):
        protect(emr, "j-NONE")


def test_what_stays(emr):
    run = {"Jar": "command-runner.jar", "Args": ["spark-submit", "--py-files", f"{STAGED},{STAGED}#x", "s3://in/put"]}
    emr.call("CreateSecurityConfiguration", Name="sealed", SecurityConfiguration='{"EncryptionConfiguration": {}}')
    monitoring = {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": "/emr/live"}}
    params = {
        **GROUPS,
        "LogUri": "s3://logs/emr/",
        "SecurityConfiguration": "sealed",
        "MonitoringConfiguration": monitoring,
        "Steps": [{"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": run}],
        "BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": STAGED.replace("job.py", "install.sh")}}],
    }
    cluster_id = emr.create("RunJobFlow", **params)["JobFlowId"]
    destroy(emr, describe(emr, cluster_id))
    assert [(one.kind, one.name) for one in leftovers(emr, describe(emr, cluster_id))] == [
        ("logs", f"s3://logs/emr/{cluster_id}/"),
        ("log group of CloudWatch", "/emr/live"),
        ("staged file", STAGED),
        ("staged file", STAGED.replace("job.py", "install.sh")),
        ("security configuration", "sealed"),
    ]


def test_nothing_stays(emr):
    cluster_id = emr.create("RunJobFlow", **GROUPS)["JobFlowId"]
    assert leftovers(emr, describe(emr, cluster_id)) == ()
