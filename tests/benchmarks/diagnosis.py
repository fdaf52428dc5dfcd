"""Prints precision and recall of the diagnosis over the recorded and written failures.

    python -m tests.benchmarks.diagnosis [-v]

Each is diagnosed as a failed run, successes too, once by its logs alone and once with EMR's own words. Right is the
cause expected, with the line expected in its quotation. Precision: of the causes that were named, those that were
right. Recall: of the failures that have a known cause, those whose cause was named right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tests.backend.aws.failures.cases import ALL, Case


def figures(cases: Iterable[Case], *, told: bool) -> dict[str, float]:
    named = right = failures = 0
    for case in cases:
        found = case.diagnosed(told=told)
        known = case.kind == "failure"
        failures += known
        named += found.cause.id != "unknown"
        right += known and case.is_right(found)
    return {
        "right": right,
        "named": named,
        "failures": failures,
        "precision": right / named if named else 1.0,
        "recall": right / failures if failures else 1.0,
    }


def main(verbose: bool) -> None:
    for origin in ("recorded", "written"):
        for split in ("tuning", "held-out", "second held-out"):
            cases = [case for case in ALL if (case.expected["origin"], case.expected["split"]) == (origin, split)]
            for told in (False, True):
                found = figures(cases, told=told)
                print(
                    f"{origin:8} {split:15} {'logs and EMR' if told else 'logs only':12} "
                    f"precision {found['right']}/{found['named']} = {found['precision']:.2f}   "
                    f"recall {found['right']}/{found['failures']} = {found['recall']:.2f}   "
                    f"negatives {sum(case.kind != 'failure' for case in cases)}"
                )
                if verbose:
                    print_wrong(cases, told=told)


def print_wrong(cases: Iterable[Case], *, told: bool) -> None:
    for case in cases:
        found = case.diagnosed(told=told)
        if not case.is_right(found):
            print(f"    {case.name}: expected {case.expected['cause'] or 'unknown'}, found {found.cause.id}")
            print("".join(f"      | {line}\n" for line in found.cause.quote[-3:]), end="")


if __name__ == "__main__":
    main("-v" in sys.argv)
