#!/usr/bin/env python3
import boto3
from moto import mock_aws

with mock_aws():
    s3 = boto3.client('s3', region_name='us-east-1')
    s3.create_bucket(Bucket='acme')
    s3.download_file('acme', 'rates.csv', 'rates.csv')
