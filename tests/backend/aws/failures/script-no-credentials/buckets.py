#!/usr/bin/env python3
import boto3

boto3.client('s3', region_name='us-east-1').list_buckets()
