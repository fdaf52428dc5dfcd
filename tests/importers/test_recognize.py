"""Files that people try with `flowspec import`: what each is, and the command that takes it."""

import json

import pytest

from tests.importers.common import refusal, wanted

MACHINE = {"StartAt": "Make", "States": {"Make": {"Resource": "arn:aws:states:::elasticmapreduce:createCluster.sync"}}}


@pytest.mark.parametrize(
    ("name", "text", "told", "hint"),
    [
        ("launch.py", "import boto3\n", "this is a Python script", "flowspec migrate launch.py"),
        ("launch", "#!/usr/bin/env python3\n", "this is a Python script", "flowspec migrate launch"),
        ("dag.py", "from x import y\nEmrAddStepsOperator(steps=[])\n", "this Airflow module adds steps to a cluster that exists; what is missing is an EmrCreateJobFlowOperator", "flowspec import ID"),
        ("dag.py", "from x import y\nEmrServerlessStartJobOperator(x=1)\n", "this Airflow module uses EMR Serverless or EMR on EKS, and makes no cluster of EMR on EC2", "EmrCreateJobFlowOperator"),
        ("steps.sh", "aws emr add-steps --cluster-id j-1 --steps Type=Spark", "this script adds steps to a cluster that exists; what is missing is `aws emr create-cluster`", "create-cluster command"),
        ("end.sh", "aws emr terminate-clusters --cluster-ids j-1", "this script has no `aws emr create-cluster` in it", "the command that makes a cluster"),
        ("run.sh", "hadoop jar /usr/lib/hadoop/hadoop-streaming.jar -mapper m.py", "this is a script that runs Hadoop on a cluster, without the cluster itself", "steps:"),
        ("run.sh", "spark-submit s3://a/b.py", "this is a script that runs spark-submit on a cluster, without the cluster itself", "type: spark"),
        ("x.sh", "#!/bin/bash\necho", "this is a shell script without `aws emr create-cluster`", "the script that makes the cluster"),
        ("x.js", 'const AWS = require("aws-sdk")', "this is a program that uses the AWS SDK", "as JSON"),
        ("prod.tfvars", 'nodes = 4\nkind = "x"\n', "this looks like values for Terraform's variables", "--var-file prod.tfvars"),
        ("steps.json", '[{"Name": "s", "HadoopJarStep": {"Jar": "x"}}]', "this is a list of steps, as `aws emr add-steps --steps file://` takes it; the cluster is missing", "--steps"),
        ("conf.json", '[{"Classification": "s"}]', "this is a list of configurations; the cluster is missing", "--configurations"),
        ("machine.json", json.dumps(MACHINE), "this is a state machine of Step Functions, not a request", '.States."Make".Parameters'),
        ("machine.yaml", "StartAt: A\nStates:\n  A: {}\n", "this is a state machine of Step Functions", "createCluster"),
        ("serverless.yml", "service: x\nprovider: {name: aws}\nresources:\n  Resources:\n    C: {Type: AWS::EMR::Cluster}\n", "this is a serverless.yml of the Serverless Framework", "serverless package"),
        ("job.yaml", "flowspec: v1\nname: x\n", "this is a spec already", "flowspec validate"),
        ("play.yml", "- hosts: all\n  tasks: []\n", "this is an Ansible playbook", "CloudFormation"),
        ("notes.txt", "hello", "nothing in this file says what it is", "--from KIND"),
        ("k.yaml", "apiVersion: v1\nkind: Pod\n", "this is a Kubernetes manifest", "CloudFormation"),
    ],
)  # fmt: skip
def test_another_kind(name, text, told, hint):
    found = refusal(text, name=name)
    assert found.message == told
    assert hint in "".join(found.notes)


def test_a_kind_that_is_named_is_looked_at_as_well():
    text = "service: x\nprovider: {name: aws}\nresources:\n  Resources: {C: {Type: AWS::EMR::Cluster}}\n"
    assert refusal(text, "cloudformation").message == "this is a serverless.yml of the Serverless Framework"


def test_a_page_with_python_and_the_command_is_still_the_command():
    text = "import boto3\n\naws emr create-cluster --name x --release-label emr-6.9.0 --instance-type m5.xlarge\n"
    assert wanted(text, name="README.md").params["Name"] == "x"


def test_values_are_only_for_terraform_and_cloudformation():
    text = "aws emr create-cluster --name x --release-label emr-6.9.0 --instance-type m5.xlarge"
    assert refusal(text, settings=["a=1"]).message == "--var and --var-file are for Terraform and CloudFormation"


def test_a_command_of_a_hint_names_no_file_for_standard_input():
    state = {"Resource": "arn:aws:states:::elasticmapreduce:createCluster", "Parameters": {}}
    machine = json.dumps({"StartAt": "a", "States": {"a": state}})
    (note,) = refusal(machine, name="<stdin>").notes
    assert note.startswith("`jq '.States.\"a\".Parameters' FILE | flowspec import --request -`")
