"""Hadoop's own mappers and reducers, as far as streaming jobs use them.

Sources: org.apache.hadoop.mapred.lib (IdentityMapper, InverseMapper, TokenCountMapper,
IdentityReducer, LongSumReducer).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter

from flowspec.engines.streaming.hadoop import aggregate, classes
from flowspec.engines.streaming.hadoop.failure import TaskFailure
from flowspec.engines.streaming.hadoop.javalang import wrapped
from flowspec.engines.streaming.hadoop.records import Pair, Writable, as_bytes, class_of

_TOKEN = re.compile(r"[^ \t\n\r\f]+")  # java.util.StringTokenizer


def map_pairs(name: str, pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Applies a Java mapper to the records."""
    if name == classes.INVERSE_MAPPER:
        return ((value, key) for key, value in pairs)
    if name == classes.TOKEN_COUNT_MAPPER:
        return (
            (token.encode(), 1)
            for _, value in pairs
            for token in _TOKEN.findall(as_bytes(value).decode("utf-8", "replace"))
        )
    return iter(pairs)


Group = tuple[Writable, Iterator[Writable]]
Reducer = Callable[[Writable, Iterator[Writable]], Iterator[Pair]]


def groups(pairs: Iterable[Pair]) -> Iterator[Group]:
    """Returns the values of each run of equal keys."""
    return ((key, (value for _, value in run)) for key, run in itertools.groupby(pairs, itemgetter(0)))


def reducer(name: str) -> Reducer:
    """Returns the reduce function of a Java class."""
    return {
        classes.LONG_SUM_REDUCER: _long_sum,
        classes.AGGREGATE_REDUCER: aggregate.reduce,
        classes.AGGREGATE_COMBINER: aggregate.combine,
    }.get(name, _identity)


def _identity(key: Writable, values: Iterator[Writable]) -> Iterator[Pair]:
    return ((key, value) for value in values)


def _long_sum(key: Writable, values: Iterator[Writable]) -> Iterator[Pair]:
    total = 0
    for value in values:
        if not isinstance(value, int):
            name = class_of(value)
            raise TaskFailure(
                f"java.lang.ClassCastException: class {name} cannot be cast to class {classes.LONG} "
                f"({name} and {classes.LONG} are in unnamed module of loader 'app')"
            )
        total += value
    yield key, wrapped(total)
