"""Points in time and durations as people read them."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_text(at: datetime | None, precision: str = "seconds") -> str:
    """Returns `2026-11-28 09:00:00` in UTC, up to the given part of the time; "" for none.

    EMR's clients return times in the zone of the machine.
    """
    return at.astimezone(timezone.utc).replace(tzinfo=None).isoformat(" ", precision) if at else ""


def duration_text(seconds: float) -> str:
    """Returns `1.2 s`, `12 min 05 s`, `3 h 07 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
