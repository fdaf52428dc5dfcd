"""A compiled request -> the definitions of other tools, for users who leave flowspec or use both.

exported         `export`: writes a request in one format, reads it back and compares it with the request
job              the request as the formats see it: references in the place of secrets
left_out         notes the settings of runs that no format has
aws_cli          a script with `aws emr create-cluster`
cloudformation   a template with an AWS::EMR::Cluster, as YAML
terraform        a module with an aws_emr_cluster, as HCL
stepfunctions    a state machine that creates the cluster, runs its steps and ends it, as JSON
airflow          a DAG with an EmrCreateJobFlowOperator

A note names what a format can't express, or expresses differently. Secrets are never written: each becomes a
reference to what the format has for secrets.
"""
