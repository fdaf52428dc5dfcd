"""Costs as text and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from flowspec.document.escaping import visible

if TYPE_CHECKING:
    from flowspec.cost.actual import ActualCost
    from flowspec.cost.amounts import Range
    from flowspec.cost.estimate import Estimate

_OLD = timedelta(days=365)


def cost_lines(cost: Estimate, today: date | None = None) -> Iterator[str]:
    """`Cost: 0.79 to 3.02 USD an hour in us-east-1, by prices of 2025-01-31`, and a line on what is not known."""
    if cost.hourly is None:
        yield visible(f"Cost: not known: {', '.join(cost.unknown) or 'no instances'}")
        return
    least = "at least " if cost.unknown else ""
    yield f"Cost: {least}{cost.hourly} USD an hour in {cost.region}, by prices of {prices_of(cost.dates)}"
    if is_old(cost.dates, today):
        yield "  these prices are more than a year old"
    if cost.unknown:
        yield visible(f"  not in it: {', '.join(cost.unknown)}")


def prices_of(dates: tuple[str, ...]) -> str:
    """The date of the oldest price used."""
    return min(dates)


def is_old(dates: tuple[str, ...], today: date | None = None) -> bool:
    """True if a price is more than a year old."""
    today = today or datetime.now(timezone.utc).date()
    return bool(dates) and today - date.fromisoformat(prices_of(dates)) > _OLD


def cost_change(before: Estimate | None, after: Estimate | None) -> str:
    """`0.50 → 1.25 USD an hour` of two revisions; "" when nothing is known of either, or they cost the same."""
    texts = [_brief(one) for one in (before, after)]
    return f"{' → '.join(texts)} USD an hour" if texts[0] != texts[1] else ""


def _brief(cost: Estimate | None) -> str:
    if cost is None:
        return "0.00"
    if cost.hourly is None:
        return "not known"
    return f"{'at least ' if cost.unknown else ''}{cost.hourly}"


def cost_document(cost: Estimate | None) -> dict[str, Any] | None:
    """An estimate for programs; amounts in USD an hour, null where they are not known."""
    if cost is None:
        return None
    return {
        "currency": "USD",
        "region": cost.region,
        "hourly": range_document(cost.hourly),
        "parts": [{"name": one.name, "size": one.size, "hourly": range_document(one.hourly)} for one in cost.parts],
        "unknown": list(cost.unknown),
        "prices_of": list(cost.dates),
    }


def range_document(amount: Range | None) -> dict[str, float] | None:
    """A range for programs, to a hundredth of a cent."""
    return {"low": round(amount.low, 4), "high": round(amount.high, 4)} if amount else None


def actual_line(cost: ActualCost) -> str:
    """`cost: 0.42 USD for 3 instances, 1.75 hours of instances in all, by prices of 2025-01-31`."""
    hours = f"{cost.instances} instance{'s' if cost.instances != 1 else ''}, {cost.hours:.2f} instance hours"
    if cost.amount is None:
        return visible(f"cost: not known of {hours}: {', '.join(cost.unknown) or 'there was none'}")
    least = "at least " if cost.unknown else ""
    rest = f"; not in it: {', '.join(cost.unknown)}" if cost.unknown else ""
    return visible(f"cost: {least}{cost.amount} USD for {hours}, by prices of {prices_of(cost.dates)}{rest}")


def actual_document(cost: ActualCost) -> dict[str, Any]:
    """An actual cost for programs; the amount in USD, null when it is not known."""
    return {
        "currency": "USD",
        "region": cost.region,
        "amount": range_document(cost.amount),
        "instances": cost.instances,
        "instance_hours": round(cost.hours, 4),
        "unknown": list(cost.unknown),
        "prices_of": list(cost.dates),
    }
