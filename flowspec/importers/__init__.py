"""Existing definitions -> a spec: request files, AWS CLI scripts, CloudFormation, Terraform, scripts that use an SDK.

sources      recognises what kind of source a file is and reads it as the parameters of RunJobFlow
decompile    the parameters of RunJobFlow -> the text of a spec that compiles to exactly these parameters
migrate      runs a script with the AWS SDK answered on this machine, and records what it asks EMR for
"""
