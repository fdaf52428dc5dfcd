"""The published rate limits of EMR's operations, per account and region.

A bucket of `burst` tokens is refilled by `per_second`; a call on an empty one is refused with ThrottlingException
(EMR Management Guide, service limits). The numbers are those of Service Quotas for `elasticmapreduce`. All users and
tools of an account, its console included, share these limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """The number of calls that may be made at once, and the sustained number per second."""

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
"""The rates of the operations that watch clusters (Service Quotas: all are adjustable)."""

FLOWS_AT_A_TIME = 8
"""The default number of flows that are processed at the same time: EMR allows ten DescribeCluster or ListSteps at once,
and a plan of a living cluster sends seven calls, one after another."""
