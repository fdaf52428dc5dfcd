"""Limits the rate of calls to a share of EMR's published limits: a call that would exceed it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.facts.rates import ALL, Rate

# The part of an account's rate that one process may use: people, schedulers and other tools share it.
_SHARE = 0.5


class RationedEmr(Emr):
    """A connection whose calls wait until the rates of its backend allow them. For one thread only."""

    def __init__(
        self,
        emr: Emr,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(emr.endpoint, emr._clients)
        self._emr = emr
        self._clock = clock
        self._sleep = sleep
        self._buckets = {name: _Bucket(rate, clock()) for name, rate in _share(emr.backend.rates).items()}

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that may safely be repeated, as soon as it may be called."""
        buckets = [self._buckets[name] for name in (operation, ALL) if name in self._buckets]
        while wait := max((one.seconds_to_wait(self._clock()) for one in buckets), default=0.0):
            self._sleep(wait)
        for one in buckets:
            one.take()
        return self._emr.call(operation, **params)


def _share(rates: Mapping[str, Rate]) -> dict[str, Rate]:
    return {name: Rate(rate.burst * _SHARE, rate.per_second * _SHARE) for name, rate in rates.items()}


class _Bucket:
    """A token bucket: tokens that are refilled at a fixed rate."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._filled = now

    def seconds_to_wait(self, now: float) -> float:
        """Returns the seconds until it has a token; 0.0 when it has one."""
        self._tokens = min(self._rate.burst, self._tokens + (now - self._filled) * self._rate.per_second)
        self._filled = now
        # After a wait that is too short by a rounding error, a wait of zero seconds would follow.
        return 0.0 if self._tokens > 1 - 1e-9 else (1 - self._tokens) / self._rate.per_second

    def take(self) -> None:
        """Takes a token."""
        self._tokens -= 1
