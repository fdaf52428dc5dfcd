#!/usr/bin/env python3
import boto3
from moto import mock_aws

with mock_aws():
    boto3.client('glue', region_name='us-east-1').get_table(DatabaseName='shops', Name='takings')
