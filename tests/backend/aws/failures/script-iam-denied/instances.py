#!/usr/bin/env python3
import os

from moto import mock_aws

os.environ['INITIAL_NO_AUTH_ACTION_COUNT'] = '3'
import boto3
from moto.core import set_initial_no_auth_action_count


@set_initial_no_auth_action_count(3)
@mock_aws
def main():
    iam = boto3.client('iam', region_name='us-east-1')
    iam.create_user(UserName='etl')
    key = iam.create_access_key(UserName='etl')['AccessKey']
    boto3.client('ec2', region_name='us-east-1', aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey']).describe_instances()
    boto3.client('ec2', region_name='us-east-1', aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey']).describe_instances()


main()
