"""Preflight on AWS: asks S3, IAM and EC2 whether what a plan names is there, before anything is submitted.

Few calls, side by side, none of which changes anything. What may not be asked, or gives no answer, is not checked.
"""
