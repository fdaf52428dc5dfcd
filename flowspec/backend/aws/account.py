"""Reads an AWS account: whose credentials these are, and which roles and buckets exist. Changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flowspec.backend.aws.call_errors import translated
from flowspec.backend.aws.client import Endpoint, call_service, client_config, service_client, session_of
from flowspec.errors import ServiceError

# Of an instance's firmware: "Identify EC2 instances", EC2 User Guide. Both files can be read without privileges.
_VENDOR, _XEN = Path("/sys/devices/virtual/dmi/id/sys_vendor"), Path("/sys/hypervisor/uuid")
_METADATA = "AWS_EC2_METADATA_SERVICE_ENDPOINT"

_ABSENT = frozenset({"NoSuchEntity", "404", "NoSuchBucket"})


class Account:
    """An account. `method` is where the credentials come from in botocore's words; `region` None where none is set."""

    def __init__(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Looks for credentials; each call waits `timeout` seconds for a connection, and for the answer.

        The instance metadata service is asked on EC2 only: elsewhere nothing is sent without credentials. Raises
        FlowspecError when there are none, or no such profile.
        """
        import boto3

        with translated("connect"):
            outer = boto3.session.Session(region_name=endpoint.region, profile_name=endpoint.profile)
        if not (_is_on_ec2() or os.environ.get(_METADATA)):
            outer._session.get_component("credential_provider").remove("iam-role")
        self._inner = session_of(endpoint, outer)
        self._timeout = timeout
        self.method = str(self._inner.get_credentials().method)
        self.region: str | None = endpoint.region or outer.region_name

    def caller(self) -> str:
        """Returns the ARN of the caller. Raises FlowspecError."""
        return str(self._call("sts", "GetCallerIdentity")["Arn"])

    def has_role(self, name: str) -> bool:
        """Returns True if there is a role of this name. Raises FlowspecError when that is not answered."""
        return self._exists("iam", "GetRole", RoleName=name)

    def has_instance_profile(self, name: str) -> bool:
        """Returns True if there is an instance profile of this name. Raises FlowspecError when that is not answered."""
        return self._exists("iam", "GetInstanceProfile", InstanceProfileName=name)

    def has_bucket(self, name: str) -> bool:
        """Returns True if there is a bucket of this name. Raises FlowspecError when that is not answered."""
        return self._exists("s3", "HeadBucket", Bucket=name)

    def _exists(self, service: str, operation: str, **params: str) -> bool:
        try:
            self._call(service, operation, **params)
        except ServiceError as error:
            if error.code in _ABSENT:
                return False
            raise
        return True

    def _call(self, service: str, operation: str, **params: str) -> dict[str, Any]:
        with translated(operation):
            # IAM and STS have an endpoint for all regions; botocore wants a region's name nevertheless.
            config = client_config(1, connect_timeout=self._timeout, read_timeout=self._timeout)
            client = service_client(self._inner, service, self.region or "us-east-1", config=config)
        return call_service(client, operation, params)


def _is_on_ec2() -> bool:
    return _read(_VENDOR).startswith("Amazon EC2") or _read(_XEN).startswith("ec2")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
