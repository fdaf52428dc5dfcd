"""Existing definitions -> a spec: request files, AWS CLI scripts, CloudFormation, Terraform, scripts that use an SDK.

sources          reads a file as the parameters of RunJobFlow
recognize        recognizes the kind of source that a file is, and refuses other files, with the command that takes each
airflow          a module with EMR's operators
awscli           scripts with `aws emr create-cluster`
cloudformation   templates with an AWS::EMR::Cluster
terraform        modules with an aws_emr_cluster
mrjob            mrjob.conf
dataflow_runner  cluster and playbook files of Snowplow's dataflow-runner
later_calls      folds the calls that follow a RunJobFlow into its request
names            the variables that a source needs
placeholders     the places of a request that a variable fills
shapes           texts of a source -> values in the types of EMR's API
refusal          says that a source can't be imported, and where
decompile        the parameters of RunJobFlow -> the text of a spec that compiles to exactly these parameters
migrate          runs a script with the AWS SDK answered on this machine, and records what it asks EMR for
"""
