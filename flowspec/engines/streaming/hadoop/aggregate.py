"""`-reducer aggregate`: keys are `TYPE:id`, and the type decides how the values are combined.

Source: org.apache.hadoop.mapred.lib.aggregate (ValueAggregatorReducer, ValueAggregatorCombiner and the
aggregators).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from flowspec.engines.streaming.hadoop import javalang
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.javadouble import java_double
from flowspec.engines.streaming.hadoop.records import Pair, Writable, as_bytes

_NO_AGGREGATOR = (
    'java.lang.NullPointerException: Cannot invoke "org.apache.hadoop.mapred.lib.aggregate.ValueAggregator'
    '.addNextValue(Object)" because "aggregator" is null'
)

Aggregator = Callable[[Iterable[str]], list[str]]


def reduce(key: Writable, values: Iterator[Writable]) -> Iterator[Pair]:
    """Yields the id of the key and the result of all values. Raises `TaskFailure` as Hadoop's classes do."""
    kind, name = _split_key(key)
    yield name.encode(), _REPORTS[kind](_texts(values))[0].encode()


def combine(key: Writable, values: Iterator[Writable]) -> Iterator[Pair]:
    """Yields the key as it is, with partial results: a sum so far, the distinct values, or their counts."""
    kind, _ = _split_key(key)
    for text in _PARTIALS.get(kind, _REPORTS[kind])(_texts(values)):
        yield key, text.encode()


def _split_key(key: Writable) -> tuple[str, str]:
    text = as_bytes(key).decode("utf-8", "replace")
    kind, colon, name = text.partition(":")
    if not colon:
        raise TaskFailure(f"java.lang.StringIndexOutOfBoundsException: begin 0, end -1, length {_utf16_length(text)}")
    if kind.lower() not in _REPORTS:
        raise TaskFailure(_NO_AGGREGATOR)
    return kind.lower(), name


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def _texts(values: Iterable[Writable]) -> Iterator[str]:
    return (as_bytes(value).decode("utf-8", "replace") for value in values)


def _long(text: str) -> int:
    try:
        return javalang.parse_number(text, bits=64)
    except ValueError as error:
        raise TaskFailure(f"java.lang.NumberFormatException: {error}") from error


def _double(text: str) -> float:
    try:
        return javalang.parse_double(text)
    except ValueError as error:
        raise TaskFailure(f"java.lang.NumberFormatException: {error}") from error


def _long_sum(values: Iterable[str]) -> list[str]:
    return [str(javalang.wrapped(sum(map(_long, values))))]


def _double_sum(values: Iterable[str]) -> list[str]:
    total = 0.0
    for value in values:  # one by one, as Java adds: sum() may carry more digits
        total += _double(value)
    return [java_double(total)]


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values), key=_utf16)


def _histogram(values: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in values:
        value, tab, count = text.rpartition("\t")
        value, amount = (value, _long(count)) if tab else (text, 1)
        counts[value] = counts.get(value, 0) + amount
    return counts


def _partial_histogram(values: Iterable[str]) -> list[str]:
    counts = _histogram(values)
    return [f"{value}\t{counts[value]}" for value in sorted(counts, key=_utf16)]


def _histogram_report(values: Iterable[str]) -> list[str]:
    """Returns how many values are distinct; least, median and greatest count; mean and standard deviation."""
    counts = sorted(_histogram(values).values())
    mean = sum(counts) * 1.0 / len(counts)
    squares = 0.0
    for count in counts:
        squares += (count - mean) * (count - mean)
    numbers = (len(counts), counts[0], counts[len(counts) // 2], counts[-1])
    return ["\t".join([*map(str, numbers), java_double(mean), java_double(math.sqrt(squares / len(counts)))])]


_REPORTS: dict[str, Aggregator] = {
    "longvaluesum": _long_sum,
    "longvaluemax": lambda values: [str(max(map(_long, values)))],
    "longvaluemin": lambda values: [str(min(map(_long, values)))],
    "doublevaluesum": _double_sum,
    "stringvaluemax": lambda values: [max(values, key=_utf16)],
    "stringvaluemin": lambda values: [min(values, key=_utf16)],
    "uniqvaluecount": lambda values: [str(len(_distinct(values)))],
    "valuehistogram": _histogram_report,
}
_PARTIALS: dict[str, Aggregator] = {"uniqvaluecount": _distinct, "valuehistogram": _partial_histogram}
