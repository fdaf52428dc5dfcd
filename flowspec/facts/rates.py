"""The published rate limits of EMR's operations, per account and region.

A bucket of `burst` tokens is refilled by `per_second`; a call on an empty one is refused with ThrottlingException
(EMR Management Guide, service limits). The numbers are those of Service Quotas for `elasticmapreduce`. All users and
tools of an account, its console included, share these limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """The calls that may be made at once, and those a second in the long run."""

    burst: float
    per_second: float


ALL = ""
"""The key of the rate of all operations together."""

RATES: Mapping[str, Rate] = {
    ALL: Rate(25, 5),
    "ListClusters": Rate(20, 0.5),
    "DescribeCluster": Rate(10, 1),
    "ListSteps": Rate(10, 0.5),
}
"""Of the operations by which clusters are watched (Service Quotas: all are adjustable)."""

FLOWS_AT_A_TIME = 8
"""Flows that are worked on at the same time, unless told otherwise: EMR allows ten DescribeCluster or ListSteps at
once, and a plan of a living cluster sends seven calls, one after another."""
