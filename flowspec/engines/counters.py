"""Hadoop's counters and progress, as its client prints them, read and written.

    2026-11-22 17:00:00,123 INFO Job:  map 50% reduce 0%
    2026-11-22 17:00:01,002 INFO Job: Counters: 9
    <TAB>Map-Reduce Framework
    <TAB><TAB>Map input records=7

The lines of a real cluster's log (`INFO org.apache.hadoop.mapreduce.Job (main):  map 50% reduce 0%`)
are read as well: only what follows the logger is looked at. The layout is that of Hadoop's
`org.apache.hadoop.mapreduce.counters.AbstractCounters.toString`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Counters = dict[str, dict[str, int]]

_PROGRESS = re.compile(r"(?:^|:)\s+map (\d{1,3})% reduce (\d{1,3})%\s*$")
_HEADING = re.compile(r"(?:^|: )Counters: \d+\s*$")
_VALUE = re.compile(r"(.*)=(-?\d+)", re.DOTALL)


def parse_progress(line: str) -> tuple[int, int] | None:
    """Returns the map and reduce percentages of a progress line; None for any other line."""
    found = _PROGRESS.search(line)
    return (int(found[1]), int(found[2])) if found else None


def parse_counters(text: str) -> Counters:
    """Returns the counters of the last job in a log: group -> name -> value; empty if there are none.

    Names are kept unchanged, with blanks; a name may contain `=`. If several groups have one heading, the first value
    of a name counts: Hadoop writes its own groups before those of commands.
    """
    counters: Counters = {}
    group: dict[str, int] | None = None
    for line in re.split(r"\r?\n", text):
        if _HEADING.search(line):
            counters, group = {}, {}
        elif group is None:
            continue
        elif line.startswith("\t\t"):
            if found := _VALUE.fullmatch(line[2:].rstrip("\r")):
                group.setdefault(found[1], int(found[2]))
        elif line.startswith("\t"):
            group = counters.setdefault(line[1:], {})
        else:
            group = None
    return counters


def format_counters(groups: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Returns the block that Hadoop's client prints, from `Counters: N` on, without a last line end."""
    lines = [f"Counters: {sum(len(group) for _, group in groups)}"]
    for heading, group in groups:
        lines.append(f"\t{heading}")
        lines.extend(f"\t\t{counter}={value}" for counter, value in group.items())
    return "\n".join(lines)
