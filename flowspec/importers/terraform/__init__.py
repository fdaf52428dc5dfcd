"""Terraform modules: HCL and its expressions -> the request of its aws_emr_cluster."""
