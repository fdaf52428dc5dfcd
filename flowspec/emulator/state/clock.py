"""The emulator's clock. Every moment and every delay of the embedded EMR passes through here.

It is the one place where time is scaled: nothing else in this package asks for the time of day, or
waits for a span that EMR prescribes, on its own. A scale of 60 makes an hour of EMR's a minute here.
Scaled are the spans that EMR prescribes or that its machines take (idle timeouts, resizes, slow starts);
what steps really do takes as long as it takes, and timelines show the real time.
"""

from __future__ import annotations

import math
import time

from flowspec.errors import FlowspecError


def now() -> float:
    """The time of day in seconds since 1970, to the millisecond, as EMR's timelines show it."""
    return round(time.time(), 3)


def span(seconds: float, scale: float) -> float:
    """How long it takes here, in seconds, what takes `seconds` on EMR, for a cluster of this time scale."""
    return seconds / scale


def checked_scale(scale: float) -> float:
    """The time scale, if it is one: a finite number above 0. Raises FlowspecError."""
    if not (math.isfinite(scale) and scale > 0):
        raise FlowspecError(
            f"the time scale {scale} is not a number above 0",
            remedy="60 makes an hour of EMR's a minute here, 1 leaves it an hour",
        )
    return scale
