"""Starts the nightly job flow, and waits for it."""

import sys

import boto3

day, bucket = sys.argv[1], "acme-clicks"
emr = boto3.client("emr", region_name="eu-west-1")

cluster = emr.run_job_flow(
    Name=f"clicks-{day}",
    ReleaseLabel="emr-7.5.0",
    LogUri=f"s3://{bucket}/logs/",
    Applications=[{"Name": "Spark"}],
    ServiceRole="EMR_DefaultRole",
    JobFlowRole="EMR_EC2_DefaultRole",
    Instances={
        "MasterInstanceType": "m5.xlarge",
        "SlaveInstanceType": "m5.2xlarge",
        "InstanceCount": 5,
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    Tags=[{"Key": "team", "Value": "search"}],
)["JobFlowId"]

emr.add_job_flow_steps(
    JobFlowId=cluster,
    Steps=[
        {
            "Name": "aggregate",
            "ActionOnFailure": "TERMINATE_CLUSTER",
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": ["spark-submit", "--deploy-mode", "cluster", f"s3://{bucket}/code/aggregate.py", "--day", day],
            },
        }
    ],
)
emr.get_waiter("cluster_running").wait(ClusterId=cluster)
emr.terminate_job_flows(JobFlowIds=[cluster])
