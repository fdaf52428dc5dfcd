"""Ids and names in EMR's and EC2's formats: random, or derived by hashing so that they need not be stored."""

from __future__ import annotations

import hashlib
import secrets
import string

from flowspec.facts.regions import partition_of

ACCOUNT = "000000000000"

_ALPHABET = string.ascii_uppercase + string.digits
_LENGTHS = {"s": 19}
_USUAL_LENGTH = 13


def new_id(prefix: str) -> str:
    """Returns a new random id with a prefix: `j` cluster, `s` step, `ig` instance group, `if` instance fleet."""
    length = _LENGTHS.get(prefix, _USUAL_LENGTH)
    return f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def cluster_arn(region: str, cluster_id: str) -> str:
    """Returns the cluster's ARN, in the partition that its region belongs to."""
    return f"arn:{partition_of(region)}:elasticmapreduce:{region}:{ACCOUNT}:cluster/{cluster_id}"


def instance_id(group_id: str, number: int) -> str:
    """Returns EMR's own id of the `number`-th instance of a group or fleet: ci- and 13 characters."""
    digest = hashlib.sha256(f"{group_id}:{number}".encode()).digest()
    return "ci-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_USUAL_LENGTH])


def ec2_instance_id(group_id: str, number: int) -> str:
    """Returns EC2's id of the same instance: i- and 17 hexadecimal digits."""
    return "i-" + _hex(f"ec2:{group_id}:{number}")


def volume_id(group_id: str, number: int, device: str) -> str:
    """Returns the id of the EBS volume at `device` of that instance."""
    return "vol-" + _hex(f"{device}:{group_id}:{number}")


def private_address(group_id: str, number: int) -> str:
    """Returns a private IPv4 address for that instance, in 10.0.0.0/8."""
    digest = hashlib.sha256(f"ip:{group_id}:{number}".encode()).digest()
    return f"10.{digest[0]}.{digest[1]}.{digest[2] % 254 + 1}"


def private_dns_name(address: str, region: str) -> str:
    """Returns EC2's private DNS name of an address."""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


def public_address(group_id: str, number: int) -> str:
    """Returns a public IPv4 address for that instance.

    It is from 198.18.0.0/15, which is reserved for benchmarks (RFC 2544): no client reaches a real host by it.
    """
    digest = hashlib.sha256(f"public:{group_id}:{number}".encode()).digest()
    return f"198.{18 + digest[0] % 2}.{digest[1]}.{digest[2]}"


def public_dns_name(address: str, region: str) -> str:
    """Returns EC2's public DNS name of an address."""
    domain = "compute-1.amazonaws.com" if region == "us-east-1" else f"{region}.compute.amazonaws.com"
    suffix = ".cn" if partition_of(region) == "aws-cn" else ""
    return f"ec2-{address.replace('.', '-')}.{domain}{suffix}"


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:17]
