"""The emulator's clocks: the current time, a clock for durations, and EMR's delays divided by the time scale.

A scale of 60 turns an hour of EMR into a minute. It applies to the delays that EMR prescribes or that its
machines need (idle timeouts, resizes, starts). Steps run in real time, and timelines show real time.
"""

from __future__ import annotations

import math
import time

from flowspec.errors import FlowspecError


def now() -> float:
    """Returns the time in seconds since 1970, to the millisecond, as in EMR's timelines."""
    return round(time.time(), 3)


def elapsed() -> float:
    """Returns seconds since the machine started, for all processes: setting its date changes `now`, but not this."""
    return time.monotonic()


def span(seconds: float, scale: float) -> float:
    """Returns the scaled duration, in seconds, of something that takes `seconds` on EMR."""
    return seconds / scale


def checked_scale(scale: float) -> float:
    """Returns the time scale if it is a finite number above 0. Raises FlowspecError."""
    if not (math.isfinite(scale) and scale > 0):
        raise FlowspecError(
            f"the time scale {scale} is not a number above 0",
            remedy="give a number such as 60, which turns an hour of EMR into a minute; 1 keeps EMR's own times",
        )
    return scale
