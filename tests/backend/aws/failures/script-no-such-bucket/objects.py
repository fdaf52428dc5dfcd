#!/usr/bin/env python3
import boto3
from moto import mock_aws

with mock_aws():
    boto3.client('s3', region_name='us-east-1').list_objects_v2(Bucket='acme-logs-2026')
