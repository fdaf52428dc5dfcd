"""boto 2's class for regions (`boto.regioninfo`)."""

from __future__ import annotations

import re
from typing import Any

_AWS_HOST = re.compile(r"(elasticmapreduce\.[a-z0-9-]+|([a-z0-9-]+\.)?elasticmapreduce)\.amazonaws\.com(\.cn)?")


class RegionInfo:
    """A region: its `name` and the host name of its EMR (`endpoint`)."""

    def __init__(
        self,
        connection: Any = None,
        name: str | None = None,
        endpoint: str | None = None,
        connection_cls: Any = None,
    ) -> None:
        self.connection = connection
        self.name = name
        self.endpoint = endpoint
        self.connection_cls = connection_cls

    def __repr__(self) -> str:
        return f"RegionInfo:{self.name}"

    def connect(self, **kw_params: Any) -> Any:
        """Returns a connection to this region's EMR; None for a region that was made without a connection class."""
        return self.connection_cls(region=self, **kw_params) if self.connection_cls else None


def is_aws(host: str | None) -> bool:
    """Returns True if a host is AWS's public one, which today's SDK finds by the region's name."""
    return not host or bool(_AWS_HOST.fullmatch(host))
