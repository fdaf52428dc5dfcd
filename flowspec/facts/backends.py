"""The backends that a target may name, and the properties of each on which a spec and its request depend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, get_args

BackendName: TypeAlias = Literal["local", "emr"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)

DEFAULT_BACKEND: BackendName = "emr"
"""The default backend of a target."""


class Traits(NamedTuple):
    """The properties of a backend that can be asked without its code; `flowspec.backend.protocol` has the others.

    `on_aws`: its clusters belong to an AWS account and region and have the software of their release; otherwise this
    machine runs the steps with its own. `is_paid`: its instances cost money. `stages_files`: local files are uploaded
    to S3; otherwise they are used where they are. `ships_logs`: logs can be read only after they were shipped to the
    `log_uri`. `longest_poll`: the maximum number of seconds between two polls of a running cluster.
    `connection_settings`: the members of a target, and options, that it takes to reach a cluster by its id.
    """

    on_aws: bool
    is_paid: bool
    stages_files: bool
    ships_logs: bool
    longest_poll: float
    connection_settings: tuple[str, ...]


TRAITS: Mapping[BackendName, Traits] = {
    # A poll costs 6 ms of this process and no quota: about 1 % of one core. A connection without a region sees the
    # clusters of all regions.
    "local": Traits(
        on_aws=False, is_paid=False, stages_files=False, ships_logs=False, longest_poll=0.5, connection_settings=()
    ),
    # EMR allows one DescribeCluster a second for the whole account (Service Quotas), and states change within minutes.
    "emr": Traits(
        on_aws=True,
        is_paid=True,
        stages_files=True,
        ships_logs=True,
        longest_poll=30,
        connection_settings=("region", "profile", "endpoint_url"),
    ),
}
