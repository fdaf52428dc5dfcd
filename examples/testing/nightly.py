"""Code of yours that uses EMR by boto3: it starts a cluster that sorts the words of a day, and waits for it."""

import time

import boto3


def sort_words(day):
    emr = boto3.client("emr", region_name="us-east-1")
    step = {
        "Name": "sort",
        "ActionOnFailure": "TERMINATE_CLUSTER",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": [
                "hadoop-streaming",
                *("-mapper", "cat"),
                *("-input", f"s3://acme-words/{day}/"),
                *("-output", f"s3://acme-words/{day}-sorted/"),
            ],
        },
    }
    cluster_id = emr.run_job_flow(
        Name=f"words of {day}",
        ReleaseLabel="emr-7.5.0",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        Instances={"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
        Steps=[step],
    )["JobFlowId"]
    while True:
        state = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        if state.startswith("TERMINATED"):
            return state
        time.sleep(0.1)
