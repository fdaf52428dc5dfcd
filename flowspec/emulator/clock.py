"""The emulator's clock. Every moment and every delay of the embedded EMR passes through here.

It is the one place where time can be scaled: nothing else in this package asks for the time of day, or
waits for a span that EMR prescribes, on its own.
"""

from __future__ import annotations

import time


def now() -> float:
    """The time of day in seconds since 1970, to the millisecond, as EMR's timelines show it."""
    return round(time.time(), 3)


def span(seconds: float) -> float:
    """How long to wait here, in seconds, for what takes `seconds` on EMR (idle timeouts, for instance)."""
    return seconds
