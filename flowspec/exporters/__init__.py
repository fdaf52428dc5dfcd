"""A compiled request -> the definitions of other tools, for those who leave or who need both.

exported         `export`: writes a request in one format, and compares what it reads back with the request
job              the request as the formats see it: references in the place of secrets
left_out         notes the settings of runs that no format has
aws_cli          a script with `aws emr create-cluster`
cloudformation   a template with an AWS::EMR::Cluster, as YAML
terraform        a module with an aws_emr_cluster, as HCL
stepfunctions    a state machine that creates the cluster, runs its steps and ends it, as JSON
airflow          a DAG with an EmrCreateJobFlowOperator

What a format can't say, or says otherwise, is a note. Secrets are never written: each is a reference to what the
format has for them.
"""
