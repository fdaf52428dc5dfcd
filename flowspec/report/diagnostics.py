"""Diagnostics -> text for people, JSON for programs, annotations for GitHub, SARIF for code scanning.

Everything returns a string; nothing prints.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flowspec.document.catalog import CATALOG
from flowspec.document.escaping import visible_line, visible_values
from flowspec.errors import Diagnostic, Location, Severity, number_of
from flowspec.report import json_text
from flowspec.report.colors import painted
from flowspec.report.columns import cells
from flowspec.version import installed_version

MAX_SHOWN = 50
_WIDEST = 120
_TARGET = "target "  # begins the note that `diagnostics_to_show` adds
# SARIF requires an absolute URI (2.1.0, 3.49.12). The project has no site yet, so it names the command that shows the
# page.
_HELP = "urn:flowspec:explain:"

_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def as_text(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """Returns the diagnostics as a compiler would show them, with source line and carets.

    At most 50 are shown; if there are more, errors come before warnings, and the rest is counted. "" when there are
    none.
    """
    found = list(diagnostics)
    shown = [replace(visible_values(one), source=one.source) for one in _most_severe(found)]
    blocks = [_block(one, color) for one in shown]
    if len(found) > len(shown):
        blocks.append(f"… and {_count_severities(found, minus=shown)} more\n")
    return "\n".join(blocks)


def _most_severe(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    if len(found) <= MAX_SHOWN:
        return list(found)
    chosen = sorted(range(len(found)), key=lambda at: (found[at].severity is not Severity.ERROR, at))[:MAX_SHOWN]
    return [found[at] for at in sorted(chosen)]


def _count_severities(found: Sequence[Diagnostic], minus: Sequence[Diagnostic] = ()) -> str:
    counts = Counter(one.severity for one in found)
    counts.subtract(one.severity for one in minus)
    parts = [number_of(counts[kind], kind.value) for kind in Severity if counts[kind]]
    return " and ".join(parts)


def _block(found: Diagnostic, color: bool) -> str:
    paint = partial(painted, code=f"1;{_COLORS[found.severity]}", color=color)
    lines = [paint(f"{found.severity.value}[{found.id}]") + painted(f": {found.message}", "1", color=color)]
    place = found.location
    margin = " " * len(str(place.line)) if place else " "
    if place:
        lines.append(f"{margin}--> {place if found.source else place.file if place.line == 1 else place}")
    if place and found.source:
        lines += _excerpt(found, place, margin, paint)
    elif found.hint:
        lines.append(f"{margin} = {found.hint}")
    lines += [f"{margin} = {note}" for note in _notes(found)]
    return "\n".join(lines) + "\n"


def _notes(found: Diagnostic) -> list[str]:
    """Returns the notes; the last one names the command that explains the finding."""
    if found.id not in CATALOG:
        return list(found.notes)
    more = f"flowspec explain {found.id}"
    *notes, last = found.notes or ("",)
    return [*notes, f"{last}; {more}"] if last.startswith((_TARGET, "targets ")) else [*found.notes, more]


def merge_targets(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Merges the findings of one spec at several targets, by place.

    A common finding is listed once, with the names of all targets in its note.
    """
    alike: dict[Diagnostic, list[str]] = {}
    for found, name in map(_split_target, diagnostics):
        alike.setdefault(found, []).append(name)
    return tuple(sorted((_with_target_note(one, names) for one, names in alike.items()), key=lambda one: one.sort_key))


def without_targets(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns findings without their targets, to compare the findings of several targets."""
    return tuple(_split_target(one)[0] for one in diagnostics)


def _split_target(found: Diagnostic) -> tuple[Diagnostic, str]:
    """Returns a finding without the note that names its target, which is the last one, and the target; "" for none."""
    *notes, last = found.notes or ("",)
    return (replace(found, notes=tuple(notes)), last[len(_TARGET) :]) if last.startswith(_TARGET) else (found, "")


def _with_target_note(found: Diagnostic, names: Sequence[str]) -> Diagnostic:
    if not names[0]:
        return found
    return replace(found, notes=(*found.notes, f"target{'s' if len(names) > 1 else ''} {', '.join(names)}"))


def _excerpt(found: Diagnostic, place: Location, margin: str, paint: Callable[[str], str]) -> list[str]:
    source, start = _clip_line(found.source, place.column - 1)
    end = start + max(place.width, 1)
    before, marked, after = (visible_line(part) for part in (source[:start], source[start:end], source[end:]))
    source = before + marked + after
    carets = "^" * max(cells(marked), 1)
    pointer = paint(f"{carets} {found.hint}".rstrip())
    return [f"{margin} |", f"{place.line} | {source}", f"{margin} | {_spaces_as_wide(before)}{pointer}"]


def _clip_line(source: str, start: int) -> tuple[str, int]:
    """Cuts a long line to the part around the place; returns this part, and where the place begins in it."""
    source = source.rstrip()
    if len(source) <= _WIDEST:
        return source, start
    first = max(0, min(start - _WIDEST // 3, len(source) - _WIDEST))
    last = first + _WIDEST
    head, tail = "…" if first else "", "…" if last < len(source) else ""
    return head + source[first:last] + tail, start - first + len(head)


def _spaces_as_wide(text: str) -> str:
    """Returns spaces, as wide as the text on a terminal."""
    return "".join("\t" if one == "\t" else " " * cells(one) for one in text)


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Returns the diagnostics as a JSON list of objects."""
    return json_text.as_json([as_plain(one) for one in diagnostics])


def as_plain(found: Diagnostic) -> dict[str, Any]:
    """Returns one diagnostic as plain data; lines and columns count from 1."""
    out: dict[str, Any] = {"id": found.id, "severity": found.severity.value, "message": found.message}
    if found.location:
        out |= {**json_text.location_document(found.location), "width": found.location.width}
    if found.hint:
        out["hint"] = found.hint
    if found.notes:
        out["notes"] = list(found.notes)
    return out


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Returns the diagnostics as workflow commands, which GitHub shows at their lines in a pull request."""
    return "".join(f"{_annotation(one)}\n" for one in diagnostics)


def _annotation(found: Diagnostic) -> str:
    kind = "notice" if found.severity is Severity.INFO else found.severity.value
    properties = []
    if found.location:
        place = found.location
        properties += [f"file={_escaped(place.file)}", f"line={place.line}", f"col={place.column}"]
        if place.width:
            properties.append(f"endColumn={place.column + place.width - 1}")
    properties.append(f"title={found.id}")
    message = "\n".join(part for part in (found.message, found.hint, *found.notes) if part)
    return f"::{kind} {','.join(properties)}::{_escaped(message, value=True)}"


def _escaped(text: str, *, value: bool = False) -> str:
    for plain, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(plain, escape)
    return text if value else text.replace(":", "%3A").replace(",", "%2C")


def as_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """Returns the diagnostics as a SARIF 2.1.0 log with stable rule ids."""
    found = list(diagnostics)
    ids = sorted({one.id for one in found})
    driver = {"name": "flowspec", "version": installed_version(), "rules": [_rule(id_) for id_ in ids]}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [
                    {**_result(one, ids), "partialFingerprints": {"flowspec/v1": fingerprint}}
                    for one, fingerprint in zip(found, _fingerprints(found), strict=True)
                ],
            }
        ],
    }
    return json_text.as_json(log)


def _rule(id_: str) -> dict[str, Any]:
    """Returns a rule with its page, which GitHub shows beside the finding."""
    if id_ not in CATALOG:
        return {"id": id_, "shortDescription": {"text": id_}}
    from flowspec.document.pages import page

    text = page(id_)
    return {
        "id": id_,
        "shortDescription": {"text": CATALOG[id_].title},
        "help": {"text": text, "markdown": text},
        "helpUri": f"{_HELP}{id_}",
    }


def _fingerprints(found: Sequence[Diagnostic]) -> Iterator[str]:
    """Identifies each finding while lines move: its id, file and line's text, counted where they are equal."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for one in found:
        known = (one.id, one.location.file if one.location else "", one.source.strip() or one.message)
        seen[known] += 1
        yield hashlib.sha256("\0".join((*known, str(seen[known]))).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _result(found: Diagnostic, ids: Sequence[str]) -> dict[str, Any]:
    level = "note" if found.severity is Severity.INFO else found.severity.value
    text = "; ".join(part for part in (found.message, found.hint, *found.notes) if part)
    out: dict[str, Any] = {
        "ruleId": found.id,
        "ruleIndex": ids.index(found.id),
        "level": level,
        "message": {"text": text},
    }
    if found.location:
        out["locations"] = [{"physicalLocation": _physical_location(found.location)}]
    return out


def _physical_location(place: Location) -> dict[str, Any]:
    from urllib.parse import quote

    region = {"startLine": place.line, "startColumn": place.column, "endColumn": place.column + max(place.width, 1)}
    return {"artifactLocation": {"uri": quote(place.file.encode("utf-8", "surrogateescape"))}, "region": region}
