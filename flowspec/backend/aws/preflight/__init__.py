"""Preflight on AWS: asks S3, IAM and EC2 whether what a plan names exists, before anything is submitted.

It sends a few read-only calls in parallel. What the caller has no permission to read, or what gives no answer, is
reported as not checked.
"""
