from __future__ import annotations

import pytest

from flowspec.emulator.api import calls
from flowspec.emulator.api.service import EmrError, Service
from flowspec.emulator.state import clock
from flowspec.emulator.state.store import Store
from tests.emulator.conftest import CORE, MASTER, Emr, bash, request


def refused(emr, operation, **params):
    with pytest.raises(EmrError) as caught:
        emr.call(operation, **params)
    return caught.value.code, caught.value.message


def test_run_job_flow_answers_with_the_id_and_the_arn_alone(still):
    answer = still.call("RunJobFlow", **request(bash("true")))
    cluster_id = answer["JobFlowId"]
    assert cluster_id.startswith("j-")
    assert len(cluster_id) == len("j-2AXXXXXXGAPLF")
    arn = f"arn:aws:elasticmapreduce:us-east-1:000000000000:cluster/{cluster_id}"
    assert answer == {"JobFlowId": cluster_id, "ClusterArn": arn}


@pytest.mark.parametrize(
    ("region", "partition", "dns"),
    [
        ("us-east-1", "aws", ".compute-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", ".cn-north-1.compute.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", ".us-gov-west-1.compute.amazonaws.com"),
        ("eu-west-1", "aws", ".eu-west-1.compute.amazonaws.com"),
    ],
)
def test_arns_and_names_are_those_of_the_region(still, region, partition, dns):
    service = Service(still.home, region=region, start_worker=still.service.start_worker)
    answer = service.call("RunJobFlow", request())
    assert answer["ClusterArn"].startswith(f"arn:{partition}:elasticmapreduce:{region}:")
    cluster = service.call("DescribeCluster", {"ClusterId": answer["JobFlowId"]})["Cluster"]
    assert cluster["MasterPublicDnsName"].endswith(dns)
    assert cluster["Ec2InstanceAttributes"]["Ec2AvailabilityZone"] == f"{region}a"


def test_nodes_in_a_subnet_have_private_names_only(still):
    cluster_id = still.run(instances={"Ec2SubnetId": "subnet-1"})
    assert still.cluster(cluster_id)["MasterPublicDnsName"].endswith(".ec2.internal")
    for instance in still.call("ListInstances", ClusterId=cluster_id)["Instances"]:
        assert (instance["PublicDnsName"], "PublicIpAddress" in instance) == ("", False)


def test_a_cluster_is_not_seen_from_another_region(still):
    cluster_id = still.run()
    elsewhere = Service(still.home, region="eu-west-1")
    assert elsewhere.call("ListClusters", {}) == {"Clusters": []}
    with pytest.raises(EmrError, match=r"Cluster id 'j-\w+' is not valid\."):
        elsewhere.call("DescribeCluster", {"ClusterId": cluster_id})


def test_what_a_bare_request_reads_back_as(still):
    before = clock.now()
    cluster = still.cluster(still.run())
    assert cluster.pop("Id").startswith("j-")
    assert cluster.pop("ClusterArn")
    assert cluster.pop("MasterPublicDnsName").startswith("ec2-198-1")
    assert before <= cluster["Status"]["Timeline"].pop("CreationDateTime") <= clock.now()
    assert cluster == {
        "Name": "flow",
        "Status": {"State": "STARTING", "StateChangeReason": {}, "Timeline": {}},
        "Ec2InstanceAttributes": {
            "RequestedEc2SubnetIds": [],
            "RequestedEc2AvailabilityZones": [],
            "Ec2AvailabilityZone": "us-east-1a",
            "IamInstanceProfile": "EMR_EC2_DefaultRole",
        },
        "ServiceRole": "EMR_DefaultRole",
        "InstanceCollectionType": "INSTANCE_GROUP",
        "ReleaseLabel": "emr-7.5.0",
        "AutoTerminate": True,
        "TerminationProtected": False,
        "UnhealthyNodeReplacement": True,
        "VisibleToAllUsers": True,
        "Applications": [{"Name": "Hadoop", "Version": "3.4.0"}],
        "Tags": [],
        "NormalizedInstanceHours": 0,
        "Configurations": [],
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "KerberosAttributes": {},
        "StepConcurrencyLevel": 1,
        "PlacementGroups": [],
        "OSReleaseLabel": "2023.6.20241121.0",
    }


def test_a_cluster_of_the_ami_days_has_no_release(still):
    params = request(AmiVersion="3.11.0")
    del params["ReleaseLabel"]
    cluster = still.cluster(still.call("RunJobFlow", **params)["JobFlowId"])
    assert (cluster["RequestedAmiVersion"], cluster["RunningAmiVersion"]) == ("3.11.0", "3.11.0")
    assert not {"ReleaseLabel", "OSReleaseLabel", "EbsRootVolumeSize"} & cluster.keys()
    assert cluster["Applications"] == []


def test_passwords_are_neither_kept_nor_given_back(still):
    kerberos = {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "hunter2"}
    assert still.cluster(still.run(KerberosAttributes=kerberos))["KerberosAttributes"] == {"Realm": "EC2.INTERNAL"}
    with Store(still.home) as store:
        assert "hunter2" not in str(store.find("cluster"))


def groups(*roles, **members):
    return [{**MASTER, "InstanceRole": role, **members} for role in roles]


FLEET = {
    "InstanceFleetType": "MASTER",
    "TargetOnDemandCapacity": 1,
    "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
}


@pytest.mark.parametrize(
    "members",
    [
        {"groups": [{**MASTER, "InstanceCount": 3}, CORE]},
        {"groups": [], "instances": {"InstanceFleets": [{**FLEET, "TargetOnDemandCapacity": 3}]}},
    ],
    ids=["group", "fleet"],
)
def test_three_masters_mean_protection_and_no_end_after_the_steps(still, members):
    cluster = still.cluster(still.run(**members))
    assert cluster["TerminationProtected"] is True
    assert cluster["AutoTerminate"] is False


@pytest.mark.parametrize(
    ("label", "protected", "groups", "replaced"),
    [
        ("emr-7.0.0", True, [MASTER], False),
        ("emr-7.0.0", False, [MASTER], True),
        ("emr-7.0.0", True, [MASTER, CORE], True),
        ("emr-7.0.0", False, [{**MASTER, "InstanceCount": 3}, CORE], False),
        ("emr-7.1.0", True, [MASTER], True),
        ("emr-7.1.0", True, [{**MASTER, "InstanceCount": 3}, CORE], True),
    ],
)
def test_the_default_of_the_replacement_of_unhealthy_nodes(still, label, protected, groups, replaced):
    made = still.run(groups=groups, ReleaseLabel=label, instances={"TerminationProtected": protected})
    assert still.cluster(made)["UnhealthyNodeReplacement"] is replaced
    stated = {"TerminationProtected": protected, "UnhealthyNodeReplacement": not replaced}
    made = still.run(groups=groups, ReleaseLabel=label, instances=stated)
    assert still.cluster(made)["UnhealthyNodeReplacement"] is not replaced


BAD_REQUESTS = {
    "characters of the name": ({"Name": "a|b"}, "The cluster name may not contain"),
    "release and AMI": ({"AmiVersion": "3.1"}, "Only one AMI version and release label may be specified."),
    "no release": ({"ReleaseLabel": "7.5"}, "The supplied release label is invalid: 7.5."),
    "Hadoop with a release": (
        {"instances": {"HadoopVersion": "2.4.0"}},
        "release label, AMI version, or Hadoop version",
    ),
    "no log uri": ({"LogUri": "logs/here"}, "is neither an s3:// URI nor an absolute path"),
    "log uri that climbs": ({"LogUri": "s3://b/../../x"}, "leads out of its root"),
    "log uri of a step": (
        {"Steps": [{**bash("true"), "StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": "x"}}}]},
        "is neither an s3:// URI nor an absolute path",
    ),
    "groups and fleets": ({"instances": {"InstanceFleets": [FLEET]}}, "one and only one of the following"),
    "groups and shorthand": ({"instances": {"InstanceCount": 2}}, "one and only one of the following"),
    "nothing at all": ({"groups": []}, "must be specified"),
    "no instance": ({"groups": [], "instances": {"MasterInstanceType": "m", "InstanceCount": 0}}, "greater than 0"),
    "two masters": ({"groups": groups("MASTER", "MASTER")}, "must specify exactly one master instance group"),
    "no master": ({"groups": groups("CORE")}, "must specify exactly one master instance group"),
    "two cores": ({"groups": groups("MASTER", "CORE", "CORE")}, "Multiple core instance groups supplied"),
    "task without core": (
        {"groups": groups("MASTER", "TASK")},
        "Clusters with task nodes must also define core nodes.",
    ),
    "49 task groups": ({"groups": groups("MASTER", "CORE", *["TASK"] * 49)}, "must not exceed 48"),
    "a master group of two": (
        {"groups": groups("MASTER", InstanceCount=2)},
        "A master instance group must specify a single instance",
    ),
    "an empty core group": ({"groups": [MASTER, {**CORE, "InstanceCount": 0}]}, "at least one instance"),
    "a bid on demand": (
        {"groups": groups("MASTER", Market="ON_DEMAND", BidPrice="1")},
        "Attempted to set bid price for on demand instance group.",
    ),
    "a scaled master": (
        {"groups": groups("MASTER", AutoScalingPolicy={"Rules": []})},
        "automatic scaling policy may not",
    ),
    "two core fleets": (
        {"groups": [], "instances": {"InstanceFleets": [FLEET, *[{**FLEET, "InstanceFleetType": "CORE"}] * 2]}},
        "Multiple core instance groups supplied",
    ),
    "an empty fleet": (
        {"groups": [], "instances": {"InstanceFleets": [{**FLEET, "TargetOnDemandCapacity": 0}]}},
        "should have a value of one or greater",
    ),
    "a big master fleet": (
        {"groups": [], "instances": {"InstanceFleets": [{**FLEET, "TargetOnDemandCapacity": 2}]}},
        "can only have a target capacity of 1",
    ),
    "two prices": (
        {
            "groups": [],
            "instances": {
                "InstanceFleets": [
                    {
                        **FLEET,
                        "InstanceTypeConfigs": [
                            {"InstanceType": "m", "BidPrice": "1", "BidPriceAsPercentageOfOnDemandPrice": 50.0}
                        ],
                    }
                ]
            },
        },
        "at most one of bidPrice or bidPriceAsPercentageOfOnDemandPrice",
    ),
    "subnet and zone": (
        {"instances": {"Ec2SubnetId": "s", "Placement": {"AvailabilityZone": "z"}}},
        "a subnet implies an availability zone",
    ),
    "subnet and subnets": ({"instances": {"Ec2SubnetId": "s", "Ec2SubnetIds": ["s"]}}, "are mutually exclusive"),
    "subnets without fleets": ({"instances": {"Ec2SubnetIds": ["s", "t"]}}, "Only one subnet may be specified"),
    "one security group": ({"instances": {"EmrManagedMasterSecurityGroup": "sg"}}, "both master and slave"),
    "upgrade without image": ({"RepoUpgradeOnBoot": "NONE"}, "together with CustomAmiId"),
    "two images": ({"CustomAmiId": "a", "groups": groups("MASTER", CustomAmiId="b")}, "but not for both"),
    "two images, with a fleet": (
        {
            "CustomAmiId": "a",
            "groups": [],
            "instances": {
                "InstanceFleets": [
                    {**FLEET, "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", "CustomAmiId": "b"}]},
                ]
            },
        },
        "but not for both",
    ),
    "257 steps": ({"Steps": [bash("true")] * 257}, "Maximum number of active steps"),
    "a long step": ({"Steps": [bash("x" * 10240)]}, "may not exceed 10240"),
    "17 bootstrap actions": (
        {"BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "/b"}}] * 17},
        "must not exceed 16",
    ),
    "concurrency of 257": ({"StepConcurrencyLevel": 257}, "between 1 and 256"),
    "concurrency too early": ({"StepConcurrencyLevel": 2, "ReleaseLabel": "emr-5.27.0"}, "emr-5.28.0 and later"),
    "too short a timeout": ({"AutoTerminationPolicy": {"IdleTimeout": 59}}, "between 60 and 604800"),
    "fleet units": (
        {
            "ManagedScalingPolicy": {
                "ComputeLimits": {
                    "UnitType": "InstanceFleetUnits",
                    "MinimumCapacityUnits": 1,
                    "MaximumCapacityUnits": 2,
                }
            }
        },
        "must be Instances or VCPU",
    ),
}


@pytest.mark.parametrize(("members", "message"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_what_emr_refuses_leaves_no_cluster(still, members, message):
    code, said = refused(still, "RunJobFlow", **request(**members))
    assert code == "ValidationException"
    assert message in said
    assert still.call("ListClusters") == {"Clusters": []}
    assert list((still.home / "clusters").iterdir()) == []


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ({"Key": ""}, "Tag keys must be between 1 and 128 characters in length."),
        ({"Key": "k" * 129}, "Tag keys must be between 1 and 128 characters in length."),
        ({"Key": "k", "Value": "v" * 257}, "Tag values must not exceed 256 characters in length."),
        ({"Key": "aws:mine"}, "Tag keys may not start with 'aws:'."),
    ],
)
def test_the_limits_of_tags(still, tag, message):
    for operation, params in (
        ("RunJobFlow", request(Tags=[tag])),
        ("AddTags", {"ResourceId": still.run(), "Tags": [tag]}),
    ):
        code, said = refused(still, operation, **params)
        assert code == "InvalidRequestException"
        assert said.endswith(message)


def test_a_cluster_has_fifty_tags_at_most(still):
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    cluster_id = still.run(Tags=tags)
    still.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": "k0", "Value": "new"}])
    code, message = refused(still, "AddTags", ResourceId=cluster_id, Tags=[{"Key": "k50", "Value": "v"}])
    assert (code, message) == ("InvalidRequestException", "A cluster may not have more than 50 tags.")


def test_tags_are_added_over_equal_keys_and_removed(still):
    cluster_id = still.run(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    assert still.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c"}]) == {}
    assert still.call("RemoveTags", ResourceId=cluster_id, TagKeys=["a", "nothing"]) == {}
    assert still.cluster(cluster_id)["Tags"] == [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}]


def test_tags_of_an_ended_cluster_stay(still):
    cluster_id = still.run()
    still.put_in_state(cluster_id, "TERMINATED")
    said = ("InvalidRequestException", "Tags cannot be modified on terminated clusters.")
    assert refused(still, "AddTags", ResourceId=cluster_id, Tags=[{"Key": "a"}]) == said
    assert refused(still, "RemoveTags", ResourceId=cluster_id, TagKeys=["a"]) == said


NOT_FOUND_AS_CLUSTER = ("InvalidRequestException", "Cluster id 'j-NONE' is not valid.")
NOT_FOUND_AS_JOB_FLOW = ("ValidationException", "Specified job flow ID not valid.")


@pytest.mark.parametrize(
    ("operation", "params", "error"),
    [
        ("DescribeCluster", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("DescribeStep", {"ClusterId": "j-NONE", "StepId": "s-1"}, NOT_FOUND_AS_CLUSTER),
        ("ListSteps", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("CancelSteps", {"ClusterId": "j-NONE", "StepIds": ["s-1"]}, NOT_FOUND_AS_CLUSTER),
        ("ModifyCluster", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("ListInstanceGroups", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("ListInstances", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("ModifyInstanceGroups", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("ListBootstrapActions", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("AddTags", {"ResourceId": "j-NONE", "Tags": []}, NOT_FOUND_AS_CLUSTER),
        ("GetManagedScalingPolicy", {"ClusterId": "j-NONE"}, NOT_FOUND_AS_CLUSTER),
        ("AddJobFlowSteps", {"JobFlowId": "j-NONE", "Steps": []}, NOT_FOUND_AS_JOB_FLOW),
        ("AddInstanceGroups", {"JobFlowId": "j-NONE", "InstanceGroups": []}, NOT_FOUND_AS_JOB_FLOW),
        ("TerminateJobFlows", {"JobFlowIds": ["j-NONE"]}, NOT_FOUND_AS_JOB_FLOW),
        ("SetTerminationProtection", {"JobFlowIds": ["j-NONE"], "TerminationProtected": True}, NOT_FOUND_AS_JOB_FLOW),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_there(still, operation, params, error):
    assert refused(still, operation, **params) == error


SHUT_DOWN = (
    "ValidationException",
    "A job flow that is shutting down, terminated, or finished may not be modified.",
)


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_is_not_modified(still, state):
    cluster_id = still.run()
    still.put_in_state(cluster_id, state)
    one = {"JobFlowIds": [cluster_id]}
    for operation, params in [
        ("AddJobFlowSteps", {"JobFlowId": cluster_id, "Steps": [bash("true")]}),
        ("AddInstanceGroups", {"JobFlowId": cluster_id, "InstanceGroups": []}),
        ("CancelSteps", {"ClusterId": cluster_id, "StepIds": []}),
        ("ModifyCluster", {"ClusterId": cluster_id, "StepConcurrencyLevel": 2}),
        ("SetTerminationProtection", {**one, "TerminationProtected": True}),
        ("SetKeepJobFlowAliveWhenNoSteps", {**one, "KeepJobFlowAliveWhenNoSteps": True}),
        ("PutAutoTerminationPolicy", {"ClusterId": cluster_id}),
        ("RemoveManagedScalingPolicy", {"ClusterId": cluster_id}),
    ]:
        assert refused(still, operation, **params) == SHUT_DOWN, operation


@pytest.mark.parametrize(
    ("operation", "member", "read"),
    [
        ("SetTerminationProtection", "TerminationProtected", "TerminationProtected"),
        ("SetUnhealthyNodeReplacement", "UnhealthyNodeReplacement", "UnhealthyNodeReplacement"),
        ("SetVisibleToAllUsers", "VisibleToAllUsers", "VisibleToAllUsers"),
    ],
)
def test_switches(still, operation, member, read):
    cluster_ids = [still.run(), still.run()]
    for value in (True, False):
        assert still.call(operation, JobFlowIds=cluster_ids, **{member: value}) == {}
        assert [still.cluster(cluster_id)[read] for cluster_id in cluster_ids] == [value, value]


def test_keep_alive_is_read_back_as_its_inverse(still):
    cluster_id = still.run()
    still.call("SetKeepJobFlowAliveWhenNoSteps", JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=True)
    assert still.cluster(cluster_id)["AutoTerminate"] is False


def test_the_concurrency_level_is_changed_and_echoed(still):
    cluster_id = still.run()
    assert still.call("ModifyCluster", ClusterId=cluster_id, StepConcurrencyLevel=5) == {"StepConcurrencyLevel": 5}
    assert still.cluster(cluster_id)["StepConcurrencyLevel"] == 5
    code, message = refused(still, "ModifyCluster", ClusterId=cluster_id, StepConcurrencyLevel=0)
    assert (code, message) == ("ValidationException", "StepConcurrencyLevel must be between 1 and 256.")


def test_a_protected_cluster_is_not_terminated_nor_are_those_beside_it(still):
    free, protected = still.run(), still.run(instances={"TerminationProtected": True})
    code, message = refused(still, "TerminateJobFlows", JobFlowIds=[free, protected])
    assert code == "ValidationException"
    assert message == "Could not shut down one or more job flows since they are termination protected."
    assert still.state(free) == "STARTING"
    still.call("SetTerminationProtection", JobFlowIds=[protected], TerminationProtected=False)
    assert still.call("TerminateJobFlows", JobFlowIds=[free, protected]) == {}
    assert still.state(free) == still.state(protected) == "TERMINATING"


def test_termination_cancels_pending_steps_and_can_be_asked_for_twice(still):
    cluster_id = still.run(bash("true"), bash("true"))
    still.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    still.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    assert still.step_states(cluster_id) == ["CANCELLED", "CANCELLED"]
    assert still.reason(cluster_id) == ("USER_REQUEST", "Terminated by user request")


def test_ten_clusters_at_most_are_terminated_at_once(still):
    code, _ = refused(still, "TerminateJobFlows", JobFlowIds=[f"j-{number}" for number in range(11)])
    assert code == "ValidationException"
    assert refused(still, "TerminateJobFlows", JobFlowIds=[])[1] == "The JobFlowId list cannot be empty."
    twice = [still.run()] * 2
    said = ("ValidationException", "Specified job flow ID does not exist.")
    assert refused(still, "TerminateJobFlows", JobFlowIds=twice) == said


def test_clusters_are_listed_newest_first_fifty_on_a_page(still):
    made = [still.run() for _ in range(53)]
    first = still.call("ListClusters")
    assert [summary["Id"] for summary in first["Clusters"]] == made[:2:-1]
    # What comes in between two pages shifts nothing.
    still.run()
    second = still.call("ListClusters", Marker=first["Marker"])
    assert [summary["Id"] for summary in second["Clusters"]] == made[2::-1]
    assert "Marker" not in second


def test_clusters_are_listed_by_state_and_time(still):
    first, second = still.run(), still.run()
    still.put_in_state(first, "TERMINATED")

    def listed(**conditions):
        return [summary["Id"] for summary in still.call("ListClusters", **conditions)["Clusters"]]

    assert listed(ClusterStates=["TERMINATED", "TERMINATED_WITH_ERRORS"]) == [first]
    assert listed(ClusterStates=["STARTING"]) == [second]
    now = clock.now()
    assert listed(CreatedAfter=now - 60) == [second, first]
    assert listed(CreatedAfter=now + 60) == []
    assert listed(CreatedBefore=now - 60) == []


@pytest.mark.parametrize("marker", ["!", calls.marker(1 << 63), calls.marker(-1)])
def test_a_marker_that_is_none_is_refused(still, marker):
    assert refused(still, "ListClusters", Marker=marker) == (
        "InvalidRequestException",
        f"Marker '{marker}' is not valid.",
    )


def test_a_summary_tells_less_than_a_description(still):
    cluster_id = still.run(Tags=[{"Key": "a"}])
    summary = still.call("ListClusters")["Clusters"][0]
    assert set(summary) == {"Id", "Name", "Status", "NormalizedInstanceHours", "ClusterArn"}
    assert summary["Id"] == cluster_id


def test_bootstrap_actions_are_listed_in_order(still):
    actions = [
        {"Name": "one", "ScriptBootstrapAction": {"Path": "s3://b/one.sh", "Args": ["--x", "1"]}},
        {"Name": "two", "ScriptBootstrapAction": {"Path": "two.sh"}},
    ]
    assert still.call("ListBootstrapActions", ClusterId=still.run(BootstrapActions=actions)) == {
        "BootstrapActions": [
            {"Name": "one", "ScriptPath": "s3://b/one.sh", "Args": ["--x", "1"]},
            {"Name": "two", "ScriptPath": "two.sh", "Args": []},
        ]
    }


LIMITS = {"ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 5}}


@pytest.mark.parametrize(
    ("name", "policy", "read"),
    [
        ("ManagedScalingPolicy", LIMITS, LIMITS),
        ("AutoTerminationPolicy", {"IdleTimeout": 90}, {"IdleTimeout": 90}),
        ("AutoTerminationPolicy", {}, {"IdleTimeout": 3600}),
    ],
)
def test_policies_are_put_got_and_removed(still, name, policy, read):
    at_start = still.run(**{name: policy})
    assert still.call(f"Get{name}", ClusterId=at_start) == {name: read}
    cluster_id = still.run()
    assert still.call(f"Get{name}", ClusterId=cluster_id) == {}
    assert still.call(f"Put{name}", ClusterId=cluster_id, **{name: policy}) == {}
    assert still.call(f"Get{name}", ClusterId=cluster_id) == {name: read}
    assert still.call(f"Remove{name}", ClusterId=cluster_id) == {}
    assert still.call(f"Get{name}", ClusterId=cluster_id) == {}


def test_a_policy_that_is_not_valid_is_not_put(still):
    cluster_id = still.run()
    wrong = {"ComputeLimits": {**LIMITS["ComputeLimits"], "MaximumCoreCapacityUnits": 6}}
    code, message = refused(still, "PutManagedScalingPolicy", ClusterId=cluster_id, ManagedScalingPolicy=wrong)
    assert (code, message) == (
        "ValidationException",
        "MaximumCoreCapacityUnits must be at most MaximumCapacityUnits.",
    )
    assert still.call("GetManagedScalingPolicy", ClusterId=cluster_id) == {}


def test_an_operation_that_is_not_there_says_so(still):
    assert refused(still, "StartNotebookExecution") == (
        "UnknownOperationException",
        "StartNotebookExecution is not implemented by the embedded EMR: it has no notebook executions",
    )
    assert refused(still, "Fly") == ("UnknownOperationException", "Fly is not implemented by the embedded EMR")


def test_a_worker_that_cannot_be_started_is_told_by_the_cluster(still):
    def fail(*_):
        raise OSError("Cannot allocate memory")

    cluster_id = Emr(Service(still.home, start_worker=fail)).run(bash("true"))
    assert still.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    code, message = still.reason(cluster_id)
    assert code == "INTERNAL_ERROR"
    assert "Cannot allocate memory" in message
    assert still.step_states(cluster_id) == ["CANCELLED"]
