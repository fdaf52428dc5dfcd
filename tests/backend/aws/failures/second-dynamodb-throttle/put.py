#!/usr/bin/env python3
from botocore.exceptions import ClientError

raise ClientError({'Error': {'Code': 'AccessDenied', 'Message': 'Access Denied'}}, 'PutObject')
