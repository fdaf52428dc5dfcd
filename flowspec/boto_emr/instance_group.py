"""boto 2's class for instance groups."""

from __future__ import annotations

from decimal import Decimal


class InstanceGroup:
    """A group of instances to ask for. Raises ValueError for market SPOT without a bid price."""

    def __init__(
        self,
        num_instances: int,
        role: str,
        type: str,
        market: str,
        name: str,
        bidprice: str | float | Decimal | None = None,
    ) -> None:
        self.num_instances = num_instances
        self.role = role
        self.type = type
        self.market = market
        self.name = name
        if market == "SPOT":
            if not bidprice:
                raise ValueError("bidprice must be specified if market == SPOT")
            self.bidprice = str(bidprice)

    def __repr__(self) -> str:
        bid = f", bidprice = {self.bidprice!r}" if self.market == "SPOT" else ""
        values = [f"{key}={getattr(self, key)!r}" for key in ("name", "num_instances", "role", "type")]
        return f"{type(self).__module__}.{type(self).__name__}({', '.join(values)}, market = {self.market!r}{bid})"
