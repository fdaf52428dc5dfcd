"""The service models that clients are made from: botocore's own, read faster, and parts of the largest.

`ec2/` and `iam/` here hold the operations that are called, as `python -m flowspec.backend.aws.models.extract` writes
them: botocore's whole model of EC2 takes 125 ms to become a client, twice as long as the rest of a preflight.
"""
