"""An AWS Lambda function: starts a cluster for each file that is uploaded to a bucket."""

import boto3


def lambda_handler(event, _context):
    uploaded = event["Records"][0]["s3"]
    source = f"s3://{uploaded['bucket']['name']}/{uploaded['object']['key']}"
    emr = boto3.client("emr", region_name="eu-west-1")
    return emr.run_job_flow(
        Name="index",
        ReleaseLabel="emr-7.5.0",
        Applications=[{"Name": "Spark"}],
        ServiceRole="EMR_DefaultRole",
        JobFlowRole="EMR_EC2_DefaultRole",
        Instances={"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
        Steps=[
            {
                "Name": "index",
                "ActionOnFailure": "TERMINATE_CLUSTER",
                "HadoopJarStep": {
                    "Jar": "command-runner.jar",
                    "Args": ["spark-submit", "s3://acme-clicks/code/index.py", source],
                },
            }
        ],
    )["JobFlowId"]
