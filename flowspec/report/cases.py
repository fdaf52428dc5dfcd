"""Results of `flowspec test` as text, plain data and JUnit XML."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from os.path import normpath
from typing import Any
from xml.etree import ElementTree

from flowspec.cases.running import CaseOutcome, CaseResult
from flowspec.document.escaping import visible
from flowspec.errors import number_of
from flowspec.report.colors import painted
from flowspec.report.diagnostics import as_plain, as_text
from flowspec.report.times import duration_text

_COLORS = {"passed": "32", "updated": "33", "failed": "31", "invalid": "31"}
# XML 1.0 has no way to write these characters (production 2, Char).
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def result_text(result: CaseResult, *, color: bool) -> str:
    """Returns a case's result in one line, with the unexpected results below it."""
    word = painted(f"{result.outcome.value:<7}", _COLORS[result.outcome.value], color=color)
    lines = [f"{word} {visible(result.name)} ({duration_text(result.seconds)})"]
    lines += [f"  {line}" for problem in result.problems for line in problem.split("\n")]
    lines += [f"  wrote {visible(normpath(path))}" for path in result.updated]
    if result.home:
        lines.append(f"  kept: FLOWSPEC_HOME={shlex.quote(str(result.home))} flowspec list --backend local --all")
    if result.diagnostics:
        lines.append(as_text(result.diagnostics, color=color).rstrip("\n"))
    return "\n".join(lines)


def summary_text(results: Sequence[CaseResult], seconds: float) -> str:
    """Returns the number of cases, in total and by outcome."""
    counts = Counter(one.outcome for one in results)
    parts = [f"{counts[outcome]} {outcome.value}" for outcome in CaseOutcome if counts[outcome]]
    return f"{number_of(len(results), 'case')}: {', '.join(parts)} in {duration_text(seconds)}"


def as_document(results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    """Returns the results for programs: plain data."""
    return [
        {
            "name": one.name,
            "path": str(one.path),
            "outcome": one.outcome.value,
            "seconds": round(one.seconds, 3),
            "problems": list(one.problems),
            "diagnostics": [as_plain(found) for found in one.diagnostics],
            "updated": [str(path) for path in one.updated],
            "home": str(one.home) if one.home else None,
        }
        for one in results
    ]


def as_junit(results: Sequence[CaseResult]) -> bytes:
    """Returns the results as JUnit XML, as CI systems read it: FAILED is a failure, INVALID an error."""
    kinds = {CaseOutcome.FAILED: "failure", CaseOutcome.INVALID: "error"}
    counts = Counter(kinds.get(one.outcome, "") for one in results)
    totals = {
        "tests": str(len(results)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": "0",
        "time": f"{sum(one.seconds for one in results):.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "flowspec test", **totals})
    for one in results:
        folder, _, name = one.name.rpartition("/")
        attributes = {
            "classname": _text(folder),
            "name": _text(name),
            "time": f"{one.seconds:.3f}",
            "file": _text(str(one.path)),
        }
        case = ElementTree.SubElement(suite, "testcase", attributes)
        if one.outcome in kinds:
            shown_problems = "\n".join([*one.problems, *([as_text(one.diagnostics)] if one.diagnostics else [])])
            message = _text(shown_problems.split("\n", 1)[0])
            ElementTree.SubElement(case, kinds[one.outcome], {"message": message}).text = _text(shown_problems)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: repr(found[0])[1:-1], text)
