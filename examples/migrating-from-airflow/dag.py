"""A nightly DAG, as it was before."""

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrTerminateJobFlowOperator,
)

CODE = "s3://acme-code/v12"

SPARK_STEPS = [
    {
        "Name": "sums of {{ ds }}",
        "ActionOnFailure": "TERMINATE_CLUSTER",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": ["spark-submit", f"{CODE}/sums.py", "--day", "{{ ds }}"],
        },
    }
]

JOB_FLOW_OVERRIDES = {
    "Name": "nightly sums",
    "ReleaseLabel": "emr-7.5.0",
    "Applications": [{"Name": "Spark"}],
    "LogUri": "s3://acme-logs/emr/",
    "Instances": {
        "InstanceGroups": [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": "m5.2xlarge", "InstanceCount": 2},
        ],
        "Ec2SubnetId": Variable.get("emr_subnet"),
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
}

with DAG("nightly_sums", schedule="@daily") as dag:
    create = EmrCreateJobFlowOperator(
        task_id="create", job_flow_overrides=JOB_FLOW_OVERRIDES, emr_conn_id=None, region_name="eu-west-1"
    )
    add = EmrAddStepsOperator(task_id="add", job_flow_id=create.output, steps=SPARK_STEPS)
    end = EmrTerminateJobFlowOperator(task_id="end", job_flow_id=create.output)
    create >> add >> end
