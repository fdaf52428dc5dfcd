"""The names, parameters and defaults of boto 2.49.0, written down from it by `inspect.signature`."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from flowspec import boto_emr

# boto's mutable defaults, which are empty lists here as there, but can't be changed by anybody.
MENDED = {"bootstrap_actions=()": "bootstrap_actions=[]", "pig_args=()": "pig_args=[]"}

SIGNATURES = {
    "connection.EmrConnection": (
        "aws_access_key_id=None, aws_secret_access_key=None, is_secure=True, port=None, proxy=None, "
        "proxy_port=None, proxy_user=None, proxy_pass=None, debug=0, https_connection_factory=None, "
        "region=None, path='/', security_token=None, validate_certs=True, profile_name=None"
    ),
    "connection.EmrConnection.describe_cluster": "cluster_id",
    "connection.EmrConnection.describe_jobflow": "jobflow_id",
    "connection.EmrConnection.describe_jobflows": (
        "states=None, jobflow_ids=None, created_after=None, created_before=None"
    ),
    "connection.EmrConnection.describe_step": "cluster_id, step_id",
    "connection.EmrConnection.list_bootstrap_actions": "cluster_id, marker=None",
    "connection.EmrConnection.list_clusters": (
        "created_after=None, created_before=None, cluster_states=None, marker=None"
    ),
    "connection.EmrConnection.list_instance_groups": "cluster_id, marker=None",
    "connection.EmrConnection.list_instances": (
        "cluster_id, instance_group_id=None, instance_group_types=None, marker=None"
    ),
    "connection.EmrConnection.list_steps": "cluster_id, step_states=None, marker=None",
    "connection.EmrConnection.add_tags": "resource_id, tags",
    "connection.EmrConnection.remove_tags": "resource_id, tags",
    "connection.EmrConnection.terminate_jobflow": "jobflow_id",
    "connection.EmrConnection.terminate_jobflows": "jobflow_ids",
    "connection.EmrConnection.add_jobflow_steps": "jobflow_id, steps",
    "connection.EmrConnection.add_instance_groups": "jobflow_id, instance_groups",
    "connection.EmrConnection.modify_instance_groups": "instance_group_ids, new_sizes",
    "connection.EmrConnection.run_jobflow": (
        "name, log_uri=None, ec2_keyname=None, availability_zone=None, master_instance_type='m1.small', "
        "slave_instance_type='m1.small', num_instances=1, action_on_failure='TERMINATE_JOB_FLOW', "
        "keep_alive=False, enable_debugging=False, hadoop_version=None, steps=None, bootstrap_actions=[], "
        "instance_groups=None, additional_info=None, ami_version=None, api_params=None, "
        "visible_to_all_users=None, job_flow_role=None, service_role=None"
    ),
    "connection.EmrConnection.set_termination_protection": "jobflow_id, termination_protection_status",
    "connection.EmrConnection.set_visible_to_all_users": "jobflow_id, visibility",
    "step.Step": "",
    "step.Step.jar": "",
    "step.Step.args": "",
    "step.Step.main_class": "",
    "step.JarStep": "name, jar, main_class=None, action_on_failure='TERMINATE_JOB_FLOW', step_args=None",
    "step.JarStep.jar": "",
    "step.JarStep.args": "",
    "step.JarStep.main_class": "",
    "step.StreamingStep": (
        "name, mapper, reducer=None, combiner=None, action_on_failure='TERMINATE_JOB_FLOW', cache_files=None,"
        " cache_archives=None, step_args=None, input=None, output=None, "
        "jar='/home/hadoop/contrib/streaming/hadoop-streaming.jar'"
    ),
    "step.StreamingStep.jar": "",
    "step.StreamingStep.main_class": "",
    "step.StreamingStep.args": "",
    "step.ScriptRunnerStep": "name, **kw",
    "step.PigBase": "name, **kw",
    "step.InstallPigStep": "pig_versions='latest'",
    "step.PigStep": "name, pig_file, pig_versions='latest', pig_args=[]",
    "step.HiveBase": "name, **kw",
    "step.InstallHiveStep": "hive_versions='latest', hive_site=None",
    "step.HiveStep": "name, hive_file, hive_versions='latest', hive_args=None",
    "bootstrap_action.BootstrapAction": "name, path, bootstrap_action_args",
    "bootstrap_action.BootstrapAction.args": "",
    "instance_group.InstanceGroup": "num_instances, role, type, market, name, bidprice=None",
    "emrobject.ClusterSummary": "connection",
    "emrobject.ClusterSummaryList": "connection",
    "emrobject.EmrObject.startElement": "name, attrs, connection",
    "emrobject.EmrObject.endElement": "name, value, connection",
    "connect_emr": "aws_access_key_id=None, aws_secret_access_key=None, **kwargs",
    "regions": "",
    "connect_to_region": "region_name, **kw_params",
    "exception.EmrResponseError": "status, reason, body=None, *args",
    "regioninfo.RegionInfo": "connection=None, name=None, endpoint=None, connection_cls=None",
}
FIELDS = {
    "RunJobFlowResponse": ("JobFlowId"),
    "AddInstanceGroupsResponse": ("InstanceGroupIds JobFlowId"),
    "ModifyInstanceGroupsResponse": ("RequestId"),
    "BootstrapAction": ("Args Name Path ScriptPath"),
    "KeyValue": ("Key Value"),
    "Step": (
        "ActionOnFailure CreationDateTime EndDateTime Jar LastStateChangeReason MainClass Name StartDateTime State"
    ),
    "InstanceGroup": (
        "BidPrice CreationDateTime EndDateTime InstanceGroupId InstanceRequestCount InstanceRole "
        "InstanceRunningCount InstanceType LastStateChangeReason LaunchGroup Market Name ReadyDateTime "
        "StartDateTime State"
    ),
    "JobFlow": (
        "AmiVersion AvailabilityZone CreationDateTime Ec2KeyName EndDateTime HadoopVersion Id InstanceCount "
        "JobFlowId KeepJobFlowAliveWhenNoSteps LastStateChangeReason LogUri MasterInstanceId "
        "MasterInstanceType MasterPublicDnsName Name NormalizedInstanceHours ReadyDateTime RequestId "
        "SlaveInstanceType StartDateTime State TerminationProtected Type Value VisibleToAllUsers"
    ),
    "ClusterTimeline": ("CreationDateTime EndDateTime ReadyDateTime"),
    "ClusterStateChangeReason": ("Code Message"),
    "ClusterStatus": ("State StateChangeReason Timeline"),
    "Ec2InstanceAttributes": ("Ec2AvailabilityZone Ec2KeyName Ec2SubnetId IamInstanceProfile"),
    "Application": ("AdditionalInfo Args Name Version"),
    "Cluster": (
        "AutoTerminate Id LogUri MasterPublicDnsName Name NormalizedInstanceHours RequestedAmiVersion "
        "RunningAmiVersion ServiceRole TerminationProtected VisibleToAllUsers"
    ),
    "ClusterSummary": ("Id Name NormalizedInstanceHours"),
    "ClusterSummaryList": ("Marker"),
    "StepConfig": ("Jar MainClass"),
    "HadoopStep": ("ActionOnFailure Id Name"),
    "InstanceGroupInfo": (
        "BidPrice Id InstanceGroupType InstanceType Market Name RequestedInstanceCount RunningInstanceCount"
    ),
    "InstanceGroupList": ("Marker"),
    "InstanceInfo": ("Ec2InstanceId Id PrivateDnsName PrivateIpAddress PublicDnsName PublicIpAddress"),
    "InstanceList": ("Marker"),
    "StepSummary": ("Id Name"),
    "StepSummaryList": ("Marker"),
    "BootstrapActionList": ("Marker"),
}
_WITHOUT_FIELDS = ("EmrObject", "Arg", "StepId", "SupportedProduct", "JobFlowStepList")
SIGNATURES = {**{f"emrobject.{name}": "connection=None" for name in (*_WITHOUT_FIELDS, *FIELDS)}, **SIGNATURES}
CONSTANTS = {
    "connection.EmrConnection.APIVersion": "2009-03-31",
    "connection.EmrConnection.DefaultRegionName": "us-east-1",
    "connection.EmrConnection.DefaultRegionEndpoint": "elasticmapreduce.us-east-1.amazonaws.com",
    "connection.EmrConnection.DebuggingJar": "s3://{region_name}.elasticmapreduce/libs/script-runner/script-runner.jar",
    "connection.EmrConnection.DebuggingArgs": "s3://{region_name}.elasticmapreduce/libs/state-pusher/0.1/fetch",
    "step.ScriptRunnerStep.ScriptRunnerJar": "s3n://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar",
    "step.PigBase.BaseArgs": [
        "s3n://us-east-1.elasticmapreduce/libs/pig/pig-script",
        "--base-path",
        "s3n://us-east-1.elasticmapreduce/libs/pig/",
    ],
    "step.HiveBase.BaseArgs": [
        "s3n://us-east-1.elasticmapreduce/libs/hive/hive-script",
        "--base-path",
        "s3n://us-east-1.elasticmapreduce/libs/hive/",
    ],
    "step.InstallPigStep.InstallPigName": "Install Pig",
    "step.InstallHiveStep.InstallHiveName": "Install Hive",
}


def found(dotted):
    """The object with this name in the package; its first parts may name modules."""
    here = boto_emr
    for part in dotted.split("."):
        here = getattr(here, part, None) or import_module(f"{here.__name__}.{part}")
    return here


def written(callable_):
    """The parameters as the table has them; what is behind boto's own is by keyword only."""
    out = []
    for parameter in inspect.signature(callable_).parameters.values():
        if parameter.name == "self" or parameter.kind is parameter.KEYWORD_ONLY:
            continue
        mark = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        out.append(MENDED.get(f"{mark}{parameter.name}{default}", f"{mark}{parameter.name}{default}"))
    return ", ".join(out)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    assert written(found(name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name):
    assert sorted(found(f"emrobject.{name}").Fields) == FIELDS[name].split()


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(name):
    assert found(name) == CONSTANTS[name]


def test_what_is_new_is_by_keyword():
    def keywords(name):
        parameters = inspect.signature(found(name)).parameters.values()
        return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]

    assert keywords("EmrConnection") == ["region_name", "endpoint_url", "session", "backend"]
    for step in ("HiveStep", "InstallHiveStep", "PigStep", "InstallPigStep"):
        assert keywords(step) == ["action_on_failure"]


def test_the_names_of_the_package():
    # Two of boto's modules have classes of one name: the package has those that scripts make.
    modules = {"BootstrapAction": "bootstrap_action", "InstanceGroup": "instance_group", "Step": "step"}
    for name in boto_emr.__all__:
        assert getattr(boto_emr, name).__module__.startswith("flowspec.boto_emr"), name
    for name, module in modules.items():
        assert getattr(boto_emr, name) is found(f"{module}.{name}")
    classes = {name.split(".")[1] for name in SIGNATURES if name.count(".") == 1}
    assert classes <= set(boto_emr.__all__)


def test_an_error_is_what_boto_s_was():
    assert boto_emr.EmrConnection.ResponseError is boto_emr.EmrResponseError
    assert issubclass(boto_emr.EmrResponseError, boto_emr.BotoServerError)


def test_importing_it_does_not_import_boto3():
    code = "import flowspec.boto_emr, sys; print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
