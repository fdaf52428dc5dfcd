"""The published rate limits of EMR's operations, per account and region.

A bucket of `burst` tokens is refilled by `per_second`; a call on an empty one is refused with ThrottlingException
(EMR Management Guide, service limits). The numbers are those of Service Quotas for `elasticmapreduce`. An account
shares them: its console, its other tools and its other people call, too.
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
