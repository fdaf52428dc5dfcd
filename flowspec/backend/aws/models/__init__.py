"""Loads the service models of clients faster: botocore's own, and extracts of the largest.

`ec2/` and `iam/` hold only the operations that flowspec calls; `python -m flowspec.backend.aws.models.extract` writes
them. A client from botocore's whole model of EC2 takes 125 ms, twice as long as the rest of a preflight.
"""
