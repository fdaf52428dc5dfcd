"""Every method of EmrConnection, on the embedded EMR and on moto's server; where they differ, who is right."""

from datetime import datetime, timedelta, timezone

import pytest

from flowspec.boto_emr import (
    BootstrapAction,
    EmrConnection,
    EmrResponseError,
    HiveStep,
    InstanceGroup,
    JarStep,
    StreamingStep,
    emrobject,
)
from tests.boto_emr.conftest import GROUPS, RELEASE

JAR = JarStep("a jar", "s3://b/x.jar", "com.acme.Main", "CONTINUE", ["one", "zwei ü"])


def run(connection, **more):
    given = {"instance_groups": GROUPS, "keep_alive": True, "api_params": RELEASE, **more}
    return connection.run_jobflow("Zählung", **given)


# --- run_jobflow ---


def test_run_jobflow_sends_what_boto_sent(sent):
    EmrConnection(backend="local").run_jobflow(
        "flow",
        "s3n://b/logs/",
        "key",
        "us-east-1b",
        "m1.large",
        "m1.xlarge",
        4,
        "CANCEL_AND_WAIT",
        True,
        True,
        "1.0.3",
        [JAR],
        [BootstrapAction("b", "s3://b/b.sh", "one"), BootstrapAction("c", "s3://b/c.sh", None)],
        additional_info='{"a": 1}',
        ami_version="2.4.2",
        visible_to_all_users=True,
        job_flow_role="EMR_EC2_DefaultRole",
        service_role="EMR_DefaultRole",
    )
    libraries = "s3://us-east-1.elasticmapreduce/libs"
    assert sent[-1] == {
        "Name": "flow",
        "LogUri": "s3n://b/logs/",
        "AmiVersion": "2.4.2",
        "AdditionalInfo": '{"a": 1}',
        "Instances": {
            "KeepJobFlowAliveWhenNoSteps": True,
            "HadoopVersion": "1.0.3",
            "Ec2KeyName": "key",
            "Placement": {"AvailabilityZone": "us-east-1b"},
            "MasterInstanceType": "m1.large",
            "SlaveInstanceType": "m1.xlarge",
            "InstanceCount": 4,
        },
        "Steps": [
            {
                "Name": "Setup Hadoop Debugging",
                "ActionOnFailure": "TERMINATE_JOB_FLOW",
                "HadoopJarStep": {
                    "Jar": f"{libraries}/script-runner/script-runner.jar",
                    "Args": [f"{libraries}/state-pusher/0.1/fetch"],
                },
            },
            {
                "Name": "a jar",
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": "s3://b/x.jar", "MainClass": "com.acme.Main", "Args": ["one", "zwei ü"]},
            },
        ],
        "BootstrapActions": [
            {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/b.sh", "Args": ["one"]}},
            {"Name": "c", "ScriptBootstrapAction": {"Path": "s3://b/c.sh"}},
        ],
        "VisibleToAllUsers": True,
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
    }


def test_the_defaults_are_boto_s(sent):
    EmrConnection(backend="local").run_jobflow("flow")
    instances = {"MasterInstanceType": "m1.small", "SlaveInstanceType": "m1.small", "InstanceCount": 1}
    instances["KeepJobFlowAliveWhenNoSteps"] = False
    assert sent[-1] == {"Name": "flow", "Instances": instances}


def test_debugging_is_in_the_connection_s_region_and_in_the_release_s_form(sent):
    connection = EmrConnection(backend="local", region_name="eu-west-1")
    connection.run_jobflow("flow", enable_debugging=True)
    assert sent[-1]["Steps"][0]["HadoopJarStep"]["Args"] == [
        "s3://eu-west-1.elasticmapreduce/libs/state-pusher/0.1/fetch"
    ]
    run(connection, enable_debugging=True)
    assert sent[-1]["Steps"][0]["HadoopJarStep"] == {"Jar": "command-runner.jar", "Args": ["state-pusher-script"]}


def test_the_list_of_steps_stays_the_caller_s(sent):
    """boto 2 put its debugging step into it, and the next job flow had two."""
    steps = [JAR]
    connection = EmrConnection(backend="local")
    for _ in range(2):
        connection.run_jobflow("flow", enable_debugging=True, steps=steps)
    assert steps == [JAR]
    assert len(sent[-1]["Steps"]) == 2


def test_api_params_flat_nested_and_none(sent):
    EmrConnection(backend="local").run_jobflow(
        "flow",
        "s3://b/logs/",
        steps=[JAR, JAR],
        instance_groups=GROUPS,
        ami_version="2.4.2",
        job_flow_role="role of the argument",
        api_params={
            "ReleaseLabel": "emr-7.5.0",
            "AmiVersion": None,
            "LogUri": None,
            "JobFlowRole": "role of the parameter",
            "Instances.Ec2SubnetId": "subnet-1",
            "Instances": {"TerminationProtected": False},
            "Applications.member.1.Name": "Hadoop",
            "Tags": [{"Key": "team", "Value": "search"}],
            "Steps.member.2.ActionOnFailure": "CANCEL_AND_WAIT",
            "Configurations": [{"Classification": "core-site", "Properties": {"io.file.buffer.size": 4096}}],
        },
    )
    (request,) = sent
    assert {"AmiVersion", "LogUri"}.isdisjoint(request)
    assert (request["ReleaseLabel"], request["JobFlowRole"]) == ("emr-7.5.0", "role of the argument")
    assert (request["Instances"]["Ec2SubnetId"], request["Instances"]["TerminationProtected"]) == ("subnet-1", False)
    assert [group["InstanceRole"] for group in request["Instances"]["InstanceGroups"]] == ["MASTER", "CORE"]
    assert (request["Applications"], request["Tags"]) == ([{"Name": "Hadoop"}], [{"Key": "team", "Value": "search"}])
    assert [step["ActionOnFailure"] for step in request["Steps"]] == ["CONTINUE", "CANCEL_AND_WAIT"]
    assert request["Configurations"] == [{"Classification": "core-site", "Properties": {"io.file.buffer.size": "4096"}}]


def test_a_release_label_decides_the_form_of_steps(sent):
    connection = EmrConnection(backend="local")
    step = StreamingStep("s", "s3://b/m.py", "cat")
    for more, jar in (({}, "/home/hadoop/contrib/streaming/hadoop-streaming.jar"), (RELEASE, "command-runner.jar")):
        connection.run_jobflow("flow", steps=[step], api_params=more)
        assert sent[-1]["Steps"][0]["HadoopJarStep"]["Jar"] == jar


# --- what is there ---


def test_describe_jobflow(connection):
    made = run(
        connection, log_uri="s3n://b/logs/", steps=[JAR], bootstrap_actions=[BootstrapAction("b", "s3://b/x", ["1"])]
    )
    flow = connection.describe_jobflow(made)
    assert isinstance(flow, emrobject.JobFlow)
    assert (flow.jobflowid, flow.name) == (made, "Zählung")
    # moto starts a cluster that is kept alive in WAITING; EMR, and the embedded one, with STARTING (emr-facts §3.1).
    assert flow.state in {"STARTING", "WAITING"}
    assert flow.loguri == "s3n://b/logs/"
    assert datetime.strptime(flow.creationdatetime, "%Y-%m-%dT%H:%M:%SZ")
    assert (flow.instancecount, flow.keepjobflowalivewhennosteps, flow.terminationprotected) == ("3", "true", "false")
    assert (flow.masterinstancetype, flow.slaveinstancetype) == ("m5.xlarge", "m5.2xlarge")
    (step,) = flow.steps
    assert (step.name, step.jar, step.actiononfailure) == ("a jar", "s3://b/x.jar", "CONTINUE")
    assert [arg.value for arg in step.args] == ["one", "zwei ü"]
    master, core = sorted(flow.instancegroups, key=lambda group: group.instancerole, reverse=True)
    assert (master.instancerole, core.instancerole, core.market, core.bidprice) == ("MASTER", "CORE", "SPOT", "0.20")
    assert (core.name, core.instancerequestcount) == ("core", "2")
    (action,) = flow.bootstrapactions
    assert (action.name, action.path, [arg.value for arg in action.args]) == ("b", "s3://b/x", ["1"])


def test_describe_jobflows_by_id_state_and_time(connection):
    first, second = run(connection), run(connection)
    assert {flow.jobflowid for flow in connection.describe_jobflows(jobflow_ids=[first, second])} == {first, second}
    assert {flow.jobflowid for flow in connection.describe_jobflows()} == {first, second}
    assert connection.describe_jobflows(states=["FAILED", "SHUTTING_DOWN"]) == []
    now = datetime.now(timezone.utc)
    assert len(connection.describe_jobflows(created_after=now - timedelta(hours=1))) == 2
    assert connection.describe_jobflows(created_before=now - timedelta(hours=1)) == []


def test_describe_cluster(connection):
    made = run(
        connection,
        log_uri="s3n://b/logs/",
        ec2_keyname="key",
        service_role="EMR_DefaultRole",
        api_params={
            **RELEASE,
            "Tags.member.1.Key": "k",
            "Tags.member.1.Value": "v",
            "Applications": [{"Name": "Hadoop"}],
        },
    )
    cluster = connection.describe_cluster(made)
    assert isinstance(cluster, emrobject.Cluster)
    assert (cluster.id, cluster.name, cluster.servicerole) == (made, "Zählung", "EMR_DefaultRole")
    assert (cluster.autoterminate, cluster.terminationprotected) == ("false", "false")
    assert cluster.status.timeline.creationdatetime.endswith("Z")
    assert cluster.ec2instanceattributes.ec2keyname == "key"
    assert [(tag.key, tag.value) for tag in cluster.tags] == [("k", "v")]
    assert [application.name for application in cluster.applications] == ["Hadoop"]


def test_lists(connection):
    made = run(connection, steps=[JAR, JAR], bootstrap_actions=[BootstrapAction("b", "s3://b/x", ["1"])])
    (summary,) = connection.list_clusters().clusters
    assert (summary.id, summary.name) == (made, "Zählung")
    assert connection.list_clusters(cluster_states=["TERMINATED"]).clusters == []
    steps = connection.list_steps(made).steps
    assert [step.name for step in steps] == ["a jar", "a jar"]
    assert [arg.value for arg in steps[0].config.args] == ["one", "zwei ü"]
    assert connection.list_steps(made, step_states=["FAILED"]).steps == []
    step = connection.describe_step(made, steps[0].id)
    assert isinstance(step, emrobject.HadoopStep)
    assert (step.id, step.config.jar, step.actiononfailure) == (steps[0].id, "s3://b/x.jar", "CONTINUE")
    groups = connection.list_instance_groups(made).instancegroups
    assert {(one.instancegrouptype, one.requestedinstancecount) for one in groups} == {("MASTER", "1"), ("CORE", "2")}
    assert len(connection.list_instances(made, instance_group_types=["CORE"]).instances) == 2
    (group,) = [one.id for one in groups if one.instancegrouptype == "MASTER"]
    (instance,) = connection.list_instances(made, group).instances
    assert instance.ec2instanceid.startswith("i-")
    (action,) = connection.list_bootstrap_actions(made).actions
    assert (action.name, action.scriptpath, [arg.value for arg in action.args]) == ("b", "s3://b/x", ["1"])


def test_the_properties_of_a_step(connection):
    pair = {"Steps.member.1.HadoopJarStep.Properties.member.1": {"Key": "append", "Value": "x"}}
    made = run(connection, steps=[JAR], api_params={**RELEASE, **pair})
    (listed,) = connection.list_steps(made).steps
    (told,) = connection.describe_jobflow(made).steps
    for properties in (connection.describe_step(made, listed.id).config.properties, told.properties):
        assert [(one.key, one.value) for one in properties] == [("append", "x")]


def test_pages_are_turned_by_their_marker(connection):
    made = run(connection, steps=[JAR] * 60)
    first = connection.list_steps(made)
    rest = connection.list_steps(made, marker=first.marker)
    assert (len(first.steps), len(rest.steps), hasattr(rest, "marker")) == (50, 10, False)


# --- changing what is there ---


def test_add_jobflow_steps(connection):
    made = run(connection)
    added = connection.add_jobflow_steps(made, [JAR, StreamingStep("s", "s3://b/m.py", "cat")])
    assert isinstance(added, emrobject.JobFlowStepList)
    assert len(added.stepids) == 2
    one = connection.add_jobflow_steps(made, HiveStep("h", "s3://b/q.hql"))
    assert len(one.stepids) == 1
    streaming = connection.describe_step(made, added.stepids[1].value)
    # The cluster says that it is of a release: the step takes its form.
    assert streaming.config.jar == "command-runner.jar"
    assert [arg.value for arg in streaming.config.args][:3] == ["hadoop-streaming", "-files", "s3://b/m.py"]


def test_steps_for_a_cluster_of_an_ami_are_sent_as_boto_sent_them(connection):
    made = connection.run_jobflow("flow", instance_groups=GROUPS, keep_alive=True, ami_version="3.11.0")
    added = connection.add_jobflow_steps(made, StreamingStep("s", "s3://b/m.py", "cat"))
    step = connection.describe_step(made, added.stepids[0].value)
    assert step.config.jar == "/home/hadoop/contrib/streaming/hadoop-streaming.jar"


def test_tags(connection):
    made = run(connection)
    assert connection.add_tags(made, {"team": "search", "größe": "xl"}) is True
    assert connection.remove_tags(made, ["größe"]) is True
    assert [(tag.key, tag.value) for tag in connection.describe_cluster(made).tags] == [("team", "search")]
    with pytest.raises(AssertionError):
        connection.add_tags(made, [])
    with pytest.raises(AssertionError):
        connection.add_tags(5, {})


def test_a_tag_without_a_value(still):
    """Not on moto, which answers KeyError: wrong, for a tag's Value is optional (botocore, Tag; emr-facts §8.2)."""
    connection = EmrConnection(backend="local")
    made = run(connection)
    assert connection.add_tags(made, {"mark": None, "other": ""}) is True
    assert sorted(tag.key for tag in connection.describe_cluster(made).tags) == ["mark", "other"]


def test_protection_and_termination(connection):
    made = run(connection)
    assert connection.set_termination_protection(made, True) is True
    assert connection.describe_jobflow(made).terminationprotected == "true"
    with pytest.raises(EmrResponseError) as refused:
        connection.terminate_jobflow(made)
    error = refused.value
    assert (error.status, error.reason, error.error_code) == (400, "Bad Request", "ValidationException")
    assert error.error_message == "Could not shut down one or more job flows since they are termination protected."
    assert error.request_id
    assert error.error_message in str(error)
    assert connection.set_termination_protection([made], False) is True
    assert connection.terminate_jobflow(made) is None
    assert connection.describe_jobflow(made).state in {"SHUTTING_DOWN", "TERMINATED"}


def test_terminate_jobflows(connection):
    made = [run(connection), run(connection)]
    assert connection.terminate_jobflows(made) is True
    states = {connection.describe_cluster(one).status.state for one in made}
    assert states <= {"TERMINATING", "TERMINATED"}


def test_visibility(connection):
    made = run(connection, visible_to_all_users=True)
    assert connection.set_visible_to_all_users(made, False) is True
    assert connection.describe_cluster(made).visibletoallusers == "false"
    with pytest.raises(AssertionError):
        connection.set_visible_to_all_users(made, "no")


def test_instance_groups_are_added_and_resized(still):
    """Of moto only that it takes them: it answers AddInstanceGroups without ids (emr-facts §8.2), which the API has."""
    connection = EmrConnection(backend="local")
    made = run(connection)
    still.put_in_state(made, "WAITING")
    added = connection.add_instance_groups(made, [InstanceGroup(3, "TASK", "m5.xlarge", "SPOT", "task", 0.05)])
    assert added.jobflowid == made
    assert connection.modify_instance_groups([added.instancegroupids], [5]).requestid
    groups = {one.id: one for one in connection.list_instance_groups(made).instancegroups}
    assert groups[added.instancegroupids].requestedinstancecount == "5"
    assert (groups[added.instancegroupids].bidprice, groups[added.instancegroupids].market) == ("0.05", "SPOT")


def test_moto_takes_instance_groups(there):
    made = run(there)
    there.add_instance_groups(made, InstanceGroup(3, "TASK", "m5.xlarge", "ON_DEMAND", "task"))
    (task,) = [one for one in there.list_instance_groups(made).instancegroups if one.instancegrouptype == "TASK"]
    assert there.modify_instance_groups(task.id, 5).requestid


# --- what is refused ---


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda c: c.describe_cluster("j-1"), "InvalidRequestException", "Cluster id 'j-1' is not valid."),
        (lambda c: c.describe_jobflow("j-1"), "ValidationException", "Specified job flow ID not valid."),
        (lambda c: c.terminate_jobflow("j-1"), "ValidationException", "Specified job flow ID not valid."),
        (lambda c: c.add_jobflow_steps("j-1", JAR), "ValidationException", "Specified job flow ID not valid."),
        (lambda c: c.terminate_jobflows([]), "ValidationException", 'Missing required parameter in input: "JobFlowIds"'),
        (lambda c: c.add_jobflow_steps("j-1", []), "ValidationException", 'Missing required parameter in input: "Steps"'),
        (lambda c: c.run_jobflow(None), "ValidationException", 'Missing required parameter in input: "Name"'),
        (lambda c: c.run_jobflow("x", num_instances="three"), "ValidationException", "InstanceCount, value: three"),
        (lambda c: c.run_jobflow("x", keep_alive="maybe"), "ValidationException", "KeepJobFlowAliveWhenNoSteps"),
        (lambda c: c.run_jobflow("x", api_params={"Nowhere": 1}), "ValidationException", 'Unknown parameter in input: "Nowhere"'),
        (
            lambda c: c.run_jobflow("x", instance_groups=InstanceGroup(1, "MASTER", "m5.xlarge", "SPOTT", "m")),
            "ValidationException",
            "'SPOTT' is none of ON_DEMAND, SPOT",
        ),
        (
            lambda c: run(c, ami_version="2.4.2"),
            "ValidationException",
            "Only one AMI version and release label may be specified.",
        ),
    ],
)  # fmt: skip
def test_refusals(still, call, code, message):
    with pytest.raises(EmrResponseError) as refused:
        call(EmrConnection(backend="local"))
    assert (refused.value.status, refused.value.error_code) == (400, code)
    assert message in refused.value.error_message


def test_a_cluster_that_has_ended_is_not_changed(still):
    """Not on moto, which adds steps to a terminated cluster and starts it again: wrong (emr-facts §8.2)."""
    connection = EmrConnection(backend="local")
    made = run(connection)
    still.put_in_state(made, "TERMINATED")
    for call in (
        lambda: connection.add_jobflow_steps(made, JAR),
        lambda: connection.add_instance_groups(made, InstanceGroup(1, "TASK", "m5.xlarge", "ON_DEMAND", "t")),
        lambda: connection.set_termination_protection(made, True),
    ):
        with pytest.raises(EmrResponseError, match="shutting down, terminated, or finished may not be modified"):
            call()


def test_as_many_sizes_as_groups():
    with pytest.raises(ValueError, match="2 groups, 1 size"):
        EmrConnection(backend="local").modify_instance_groups(["ig-1", "ig-2"], [3])


@pytest.mark.parametrize("moment", ["2014-01-01", 5])
def test_a_time_is_a_datetime(moment):
    with pytest.raises(TypeError, match="CreatedAfter is a datetime"):
        EmrConnection(backend="local").list_clusters(created_after=moment)


def test_times_without_a_zone_are_utc(connection):
    run(connection)
    now = datetime.now(timezone.utc)
    tokyo = timezone(timedelta(hours=9))
    for after, found in ((now - timedelta(minutes=1), 1), (now + timedelta(minutes=1), 0)):
        for moment in (after, after.astimezone(tokyo), after.replace(tzinfo=None)):
            assert len(connection.list_clusters(created_after=moment).clusters) == found


def test_an_empty_list_is_no_filter(connection):
    made = run(connection, steps=[], bootstrap_actions=[])
    assert connection.list_steps(made, step_states=[]).steps == []
    assert len(connection.list_clusters(cluster_states=[]).clusters) == 1
    assert len(connection.describe_jobflows(jobflow_ids=[], states=[])) == 1


def test_none_among_arguments_is_told():
    with pytest.raises(TypeError, match="Args has None as its item 2"):
        EmrConnection(backend="local").run_jobflow("x", steps=[JarStep("a", "a.jar", step_args=["-input", None])])
