"""Cluster and playbook files of dataflow-runner; the expected requests follow what its 0.7 sends."""

import json

import pytest

from flowspec.importers.placeholders import placeholder
from tests.importers.common import compiled, refusal, wanted

CLUSTER = {
    "schema": "iglu:com.snowplowanalytics.dataflowrunner/ClusterConfig/avro/1-1-0",
    "data": {
        "name": 'shred {{systemEnv "STAGE"}}',
        "region": "eu-west-1",
        "logUri": "s3://acme/logs/",
        "credentials": {"accessKeyId": "env", "secretAccessKey": "env"},
        "roles": {"jobflow": "EMR_EC2_DefaultRole", "service": "EMR_DefaultRole"},
        "ec2": {
            "amiVersion": "6.10.0",
            "keyName": "ops",
            "location": {"vpc": {"subnetId": "subnet-1"}},
            "instances": {
                "master": {"type": "m4.large"},
                "core": {
                    "type": "r5.xlarge",
                    "count": 2,
                    "ebsConfiguration": {
                        "ebsOptimized": True,
                        "ebsBlockDeviceConfigs": [
                            {"volumesPerInstance": 1, "volumeSpecification": {"sizeInGB": 100, "volumeType": "gp2"}}
                        ],
                    },
                },
                "task": {"type": "m4.large", "count": 3, "bid": "0.015"},
            },
        },
        "tags": [{"key": "client", "value": "acme"}],
        "bootstrapActionConfigs": [{"name": "b", "scriptBootstrapAction": {"path": "s3://acme/b.sh", "args": ["1.5"]}}],
        "configurations": [{"classification": "core-site", "properties": {"io.file.buffer.size": "65536"}}],
        "applications": ["Hadoop", "Spark"],
    },
}
PLAYBOOK = {
    "schema": "iglu:com.snowplowanalytics.dataflowrunner/PlaybookConfig/avro/1-0-1",
    "data": {
        "region": "eu-west-1",
        "credentials": {"accessKeyId": "env", "secretAccessKey": "env"},
        "steps": [
            {
                "type": "CUSTOM_JAR",
                "name": "copy",
                "actionOnFailure": "CANCEL_AND_WAIT",
                "jar": "/usr/share/aws/emr/s3-dist-cp/lib/s3-dist-cp.jar",
                "arguments": ["--src", "s3://acme/in/", "--dest", 'hdfs:///{{nowWithFormat "2006-01-02"}}/'],
            }
        ],
        "tags": [],
    },
}


def test_a_playbook_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "playbook.json").write_bytes(b"\xff\xfe{}")
    assert refusal(json.dumps(CLUSTER), name="cluster.json", folder=tmp_path).message == "byte 0xff is not UTF-8 text"


def test_a_cluster_with_its_playbook(tmp_path):
    (tmp_path / "playbook.json").write_text(json.dumps(PLAYBOOK))
    source = wanted(json.dumps(CLUSTER), name="cluster.json", folder=tmp_path)
    made = compiled(source, tmp_path, stage="prod", value="2024-01-01")
    assert (source.region, source.params["Name"]) == ("eu-west-1", f"shred {placeholder('stage')}")
    assert source.variables["value"].rules == {"description": 'in dataflow-runner: {{nowWithFormat "2006-01-02"}}'}
    assert made == {
        "Name": "shred prod",
        "ReleaseLabel": "emr-6.10.0",
        "LogUri": "s3://acme/logs/",
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
        "VisibleToAllUsers": True,
        "Instances": {
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceType": "m4.large", "InstanceCount": 1},
                {
                    "InstanceRole": "CORE",
                    "InstanceType": "r5.xlarge",
                    "InstanceCount": 2,
                    "EbsConfiguration": {
                        "EbsOptimized": True,
                        "EbsBlockDeviceConfigs": [
                            {"VolumesPerInstance": 1, "VolumeSpecification": {"SizeInGB": 100, "VolumeType": "gp2"}}
                        ],
                    },
                },
                {
                    "InstanceRole": "TASK",
                    "InstanceType": "m4.large",
                    "InstanceCount": 3,
                    "Market": "SPOT",
                    "BidPrice": "0.015",
                },
            ],
            "KeepJobFlowAliveWhenNoSteps": True,
            "Ec2KeyName": "ops",
            "Ec2SubnetId": "subnet-1",
        },
        "Tags": [{"Key": "client", "Value": "acme"}],
        "BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "s3://acme/b.sh", "Args": ["1.5"]}}],
        "Configurations": [{"Classification": "core-site", "Properties": {"io.file.buffer.size": "65536"}}],
        "Applications": [{"Name": "Hadoop"}, {"Name": "Spark"}],
        "Steps": [
            {
                "Name": "copy",
                "ActionOnFailure": "CANCEL_AND_WAIT",
                "HadoopJarStep": {
                    "Jar": "/usr/share/aws/emr/s3-dist-cp/lib/s3-dist-cp.jar",
                    "Args": ["--src", "s3://acme/in/", "--dest", "hdfs:///2024-01-01/"],
                },
            }
        ],
    }
    assert source.notes == (
        "dataflow-runner ends the cluster itself (run-transient, down): keep_alive: false ends it with its last step",
        "playbook.json: tags is not imported",
        "the steps are those of playbook.json",
    )


def test_an_ami_without_workers_in_a_zone(tmp_path):
    given = json.loads(json.dumps(CLUSTER))
    ec2 = given["data"]["ec2"]
    ec2 |= {"amiVersion": "3.6.0", "location": {"classic": {"availabilityZone": "eu-west-1a"}}}
    ec2["instances"] |= {"core": {"type": "m4.large", "count": 0}, "task": {"type": "m4.large", "count": 0}}
    given["data"]["credentials"]["accessKeyId"] = "AKIAEXAMPLE"
    source = wanted(json.dumps(given), name="c.json", folder=tmp_path)
    made = compiled(source, tmp_path)
    assert made["AmiVersion"] == "3.6.0"
    assert made["Instances"]["Placement"] == {"AvailabilityZone": "eu-west-1a"}
    assert [one["InstanceRole"] for one in made["Instances"]["InstanceGroups"]] == ["MASTER"]
    assert any(one.startswith("the keys in credentials are not imported") for one in source.notes)
    assert "AKIAEXAMPLE" not in (tmp_path / "job.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        (json.dumps(PLAYBOOK), "", "this is a playbook of dataflow-runner: it has steps, and no cluster"),
        ('{"schema": {{x}}}', "dataflow-runner", "this is not JSON"),
        ('{"a": 1}', "dataflow-runner", "a file of dataflow-runner has schema and data"),
    ],
)
def test_other_files_are_refused(text, kind, told):
    assert told in refusal(text, kind, name="x.json").message


def test_keys_that_are_not_known_are_noted_wherever_they_are(tmp_path):
    given = json.loads(json.dumps(CLUSTER))
    data = given["data"]
    data |= {"odd": 1, "roles": None}
    data["ec2"]["instances"]["master"]["count"] = 3
    data["ec2"]["location"]["region"] = "eu-west-1"
    data["bootstrapActionConfigs"][0]["scriptBootstrapAction"]["runIf"] = "x"
    playbook = json.loads(json.dumps(PLAYBOOK))
    playbook["data"]["steps"][0]["mainClass"] = "a.B"
    (tmp_path / "playbook.json").write_text(json.dumps(playbook))
    notes = wanted(json.dumps(given), name="cluster.json", folder=tmp_path).notes
    found = [one.partition(" is not imported")[0] for one in notes if " is not imported" in one]
    assert found == [
        "ec2.location.region",
        "ec2.instances.master.count",
        "bootstrapActionConfigs[0].scriptBootstrapAction.runIf",
        "odd",
        "playbook.json: steps[0].mainClass",
        "playbook.json: tags",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ec2": "m5.xlarge"}, "ec2 has to be an object"),
        ({"applications": "Hadoop"}, "applications has to be a list"),
        ({"tags": ["a"]}, "tags[0] has to be an object"),
        ({"configurations": [{"configurations": ["a"]}]}, "configurations[0].configurations[0] has to be an object"),
    ],
)
def test_a_key_of_another_form_is_refused(change, message):
    assert refusal(json.dumps({**CLUSTER, "data": CLUSTER["data"] | change}), "dataflow-runner").message == message
