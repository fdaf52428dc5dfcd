"""Costs as text and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from flowspec.cost.amounts import hours_text, unknown_text
from flowspec.document.escaping import visible
from flowspec.errors import number_of

if TYPE_CHECKING:
    from flowspec.cost.actual import ActualCost
    from flowspec.cost.amounts import Range
    from flowspec.cost.estimate import Estimate
    from flowspec.facts.price_table import Origin

_LONGEST_VALID = timedelta(days=365)


def cost_lines(cost: Estimate, today: date | None = None) -> Iterator[str]:
    """Yields `Cost: 0.79 to 3.02 USD an hour in us-east-1, by prices of 2025-01-31`, and a line on unknown prices."""
    if cost.hourly is None:
        unknown = unknown_text(cost.unknown, cost.region) if cost.unknown else "no instances"
        yield visible(f"Cost: not known: {unknown}")
        return
    least = lower_bound_words(cost)
    yield f"Cost: {least}{cost.hourly} USD an hour in {cost.region}, by {prices_of(cost.origins)}"
    if cost.run:
        yield f"  a run of {hours_text(cost.hours or 0)}: {least}{cost.run} USD"
    if is_old(cost.origins, today):
        yield "  these prices are more than a year old; `flowspec prices update` gets today's prices"
    if cost.unknown:
        yield visible(f"  not in it: {unknown_text(cost.unknown, cost.region)}")


def prices_of(origins: Sequence[Origin]) -> str:
    """Returns `prices of 2025-01-31`: the oldest price's date of each table, and whether that is the user's own."""
    tables = {own: [one.date for one in origins if one.own is own] for own in (False, True)}
    texts = [f"{min(dates)}{' (your table)' * own}" for own, dates in tables.items() if dates]
    return f"prices of {' and '.join(texts)}"


def aged_prices_of(origins: Sequence[Origin], today: date | None = None) -> str:
    """Returns the text of `prices_of`, and a warning if a price is more than a year old."""
    return f"{prices_of(origins)}{', which are more than a year old' if is_old(origins, today) else ''}"


def is_old(origins: Sequence[Origin], today: date | None = None) -> bool:
    """Returns True if a price is more than a year old."""
    today = today or datetime.now(timezone.utc).date()
    return any(today - date.fromisoformat(one.date) > _LONGEST_VALID for one in origins)


def cost_change(before: Estimate | None, after: Estimate | None) -> str:
    """Returns `0.50 → 1.25 USD an hour, 1.00 → 2.50 USD a run` of two revisions.

    "" if they cost the same, or if both costs are unknown.
    """
    hourly = [_amount_text(one, one.hourly if one else None) for one in (before, after)]
    runs = [_amount_text(one, one.run if one else None) for one in (before, after)]
    are_known = any(one and one.run for one in (before, after))
    changes = [_change_text("USD an hour", *hourly)] * (hourly[0] != hourly[1])
    changes += [_change_text("USD a run", *runs)] * (are_known and runs[0] != runs[1])
    if not (after and after.unknown and changes):
        return ", ".join(changes)
    lacks = "; not in it" if after.hourly else ""
    return f"{', '.join(changes)}{lacks}: {unknown_text(after.unknown, after.region)}"


_NOT_KNOWN = "not known"


def _change_text(unit: str, before: str, after: str) -> str:
    return f"{before} {unit} → {after}" if after == _NOT_KNOWN else f"{before} → {after} {unit}"


def _amount_text(cost: Estimate | None, amount: Range | None) -> str:
    if cost is None:
        return "0.00"
    return f"{lower_bound_words(cost)}{amount}" if amount else _NOT_KNOWN


def lower_bound_words(cost: Estimate | ActualCost) -> str:
    """Returns the words before an amount without the unknown parts of a cost; "" if nothing is unknown."""
    return "at least " if cost.unknown else ""


def cost_document(cost: Estimate | None) -> dict[str, Any] | None:
    """Returns an estimate for programs; amounts in USD per hour, null if they are not known."""
    if cost is None:
        return None
    return {
        "currency": "USD",
        "region": cost.region,
        "hourly": range_document(cost.hourly),
        "expected_hours": cost.hours,
        "run": range_document(cost.run),
        "parts": [{"name": one.name, "size": one.size, "hourly": range_document(one.hourly)} for one in cost.parts],
        "unknown": list(cost.unknown),
        **_origins_document(cost.origins),
    }


def _origins_document(origins: Sequence[Origin]) -> dict[str, Any]:
    """Returns the dates of the prices, the oldest first, and whose tables they are of: flowspec's, the user's, both."""
    return {
        "prices_of": list(dict.fromkeys(one.date for one in origins)),
        "tables": sorted({table_of(one) for one in origins}),
    }


def table_of(origin: Origin) -> str:
    """Returns the word for the table of a price: the user's own, or the one that comes with flowspec."""
    return "own" if origin.own else "packaged"


def range_document(amount: Range | None) -> dict[str, float] | None:
    """Returns a range for programs, to a hundredth of a cent."""
    return {"low": round(amount.low, 4), "high": round(amount.high, 4)} if amount else None


def actual_line(cost: ActualCost, today: date | None = None) -> str:
    """Returns `cost: 0.42 USD for 3 instances, 1.75 hours of instances in all, by prices of 2025-01-31`."""
    hours = f"{number_of(cost.instances, 'instance')}, {cost.hours:.2f} instance hours"
    if cost.amount is None:
        unknown = unknown_text(cost.unknown, cost.region) if cost.unknown else "EMR lists none"
        return visible(f"cost of {hours}: not known: {unknown}")
    rest = f"; not in it: {unknown_text(cost.unknown, cost.region)}" if cost.unknown else ""
    return visible(
        f"cost: {lower_bound_words(cost)}{cost.amount} USD for {hours}, by {aged_prices_of(cost.origins, today)}{rest}"
    )


def actual_document(cost: ActualCost) -> dict[str, Any]:
    """Returns an actual cost for programs; the amount in USD, null when it is not known."""
    return {
        "currency": "USD",
        "region": cost.region,
        "amount": range_document(cost.amount),
        "instances": cost.instances,
        "instance_hours": round(cost.hours, 4),
        "hourly": range_document(cost.hourly),
        "unknown": list(cost.unknown),
        **_origins_document(cost.origins),
    }


def idle_amounts(cost: ActualCost | None, idle: Range | None) -> tuple[str, str, str]:
    """Returns the cost of an idle cluster: per hour, while it was idle, and in total."""
    least = lower_bound_words(cost) if cost else ""
    amounts = (cost.hourly, idle, cost.amount) if cost else (None, None, None)
    hourly, while_idle, in_all = (f"{least}{one}" if one else "not known" for one in amounts)
    return hourly, while_idle, in_all


def idle_notes(costs: Sequence[ActualCost]) -> Iterator[str]:
    """Yields lines on the prices used for the costs of idle clusters, and on the parts that are not included."""
    origins = sorted({origin for cost in costs for origin in cost.origins})
    unknown = dict.fromkeys(what for cost in costs for what in cost.unknown)
    if origins:
        yield f"by {aged_prices_of(origins)}"
    if unknown:
        yield visible(f"not in it: {unknown_text([*unknown], costs[0].region)}")
