import json
import os

from flowspec.errors import Diagnostic, Location, Severity
from flowspec.report.diagnostics import as_github, as_json, as_sarif, as_text

SPOTT = Diagnostic(
    "FS104",
    "'SPOTT' is not a market",
    Location("jobs/etl.yaml", 14, 13, 5),
    "did you mean SPOT?",
    ("ON_DEMAND, SPOT", "target prod"),
    "    market: SPOTT",
)
IDLE = Diagnostic("FS222", "it, costs: 100%\nreally", Location("a b,c.yaml", 3, 1), severity=Severity.WARNING)
PLACELESS = Diagnostic("FS001", "no such file", hint="look again", severity=Severity.INFO)


def test_an_error_is_shown_as_a_compiler_would():
    assert as_text([SPOTT]) == (
        "error[FS104]: 'SPOTT' is not a market\n"
        "  --> jobs/etl.yaml:14:13\n"
        "   |\n"
        "14 |     market: SPOTT\n"
        "   |             ^^^^^ did you mean SPOT?\n"
        "   = ON_DEMAND, SPOT\n"
        "   = target prod; flowspec explain FS104\n"
    )


def test_without_source_or_place_there_is_less_to_show():
    assert as_text([IDLE, PLACELESS]) == (
        "warning[FS222]: it, costs: 100%\\nreally\n --> a b,c.yaml:3:1\n  = flowspec explain FS222\n\n"
        "info[FS001]: no such file\n  = look again\n  = flowspec explain FS001\n"
    )
    assert as_text([]) == ""


def test_color_marks_and_changes_nothing_else():
    import re

    colored = as_text([SPOTT, IDLE], color=True)
    assert "\x1b[1;31merror[FS104]\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == as_text([SPOTT, IDLE])


def test_carets_stand_under_tabs_and_wide_characters():
    found = Diagnostic("FS101", "m", Location("f", 1, 5, 2), source="\t日本 é字x")
    _, source, pointer = as_text([found]).splitlines()[-4:-1]
    assert source == "1 | \t日本 é字x"
    assert pointer == "  | \t     ^^^"


def test_a_long_line_is_cut_around_the_place():
    found = Diagnostic("FS101", "m", Location("f", 1, 5001, 4), source="a" * 5000 + "here" + "b" * 5000)
    *lines, _ = as_text([found]).splitlines()
    assert all(len(line) < 140 for line in lines)
    start = lines[-1].index("^")
    assert lines[-2][start : start + 4] == "here"
    assert lines[-2].startswith("1 | …")
    assert lines[-2].endswith("…")


def test_fifty_are_shown_errors_first_and_the_rest_is_counted():
    warnings = [Diagnostic("FS222", f"w{n}", Location("f", n + 1), severity=Severity.WARNING) for n in range(60)]
    errors = [Diagnostic("FS101", f"e{n}", Location("f", 100 + n)) for n in range(3)]
    text = as_text([*warnings, *errors])
    assert text.count("-->") == 50
    assert all(f"e{n}" in text for n in range(3))
    assert text.endswith("… and 13 warnings more\n")
    assert as_text(errors * 20).endswith("… and 10 errors more\n")


def test_json_says_everything_but_the_source():
    assert json.loads(as_json([SPOTT, PLACELESS])) == [
        {
            "id": "FS104",
            "severity": "error",
            "message": "'SPOTT' is not a market",
            "file": "jobs/etl.yaml",
            "line": 14,
            "column": 13,
            "width": 5,
            "hint": "did you mean SPOT?",
            "notes": ["ON_DEMAND, SPOT", "target prod"],
        },
        {"id": "FS001", "severity": "info", "message": "no such file", "hint": "look again"},
    ]


def test_github_annotations_are_escaped():
    assert as_github([SPOTT, IDLE, PLACELESS]) == (
        "::error file=jobs/etl.yaml,line=14,col=13,endColumn=17,title=FS104::"
        "'SPOTT' is not a market%0Adid you mean SPOT?%0AON_DEMAND, SPOT%0Atarget prod\n"
        "::warning file=a b%2Cc.yaml,line=3,col=1,title=FS222::it, costs: 100%25%0Areally\n"
        "::notice title=FS001::no such file%0Alook again\n"
    )


def test_sarif_has_rules_places_and_levels():
    log = json.loads(as_sarif([SPOTT, IDLE, PLACELESS]))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FS001", "FS104", "FS222"]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in run["results"]] == [
        ("FS104", 1, "error"), ("FS222", 2, "warning"), ("FS001", 0, "note"),
    ]  # fmt: skip
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "jobs/etl.yaml"},
        "region": {"startLine": 14, "startColumn": 13, "endColumn": 18},
    }
    assert run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "a%20b%2Cc.yaml"}
    assert "locations" not in run["results"][2]


def test_sarif_has_the_bytes_of_a_name_that_is_no_text():
    (run,) = json.loads(as_sarif([Diagnostic("FS001", "no such file", Location(os.fsdecode(b"\xff.yaml"), 1, 1))]))[
        "runs"
    ]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "%FF.yaml"}


def test_sarif_says_how_to_read_on_and_knows_a_finding_again():
    from importlib.metadata import version

    moved = Diagnostic("FS104", "x", Location("jobs/etl.yaml", 99, 1), source="  market: SPOTT  ")
    twice = Diagnostic("FS104", "x", Location("jobs/etl.yaml", 100, 1), source="market: SPOTT")
    (run,) = json.loads(as_sarif([SPOTT, moved, twice, IDLE]))["runs"]
    driver = run["tool"]["driver"]
    assert driver["version"] == version("flowspec")
    for rule in driver["rules"]:
        assert rule["helpUri"].endswith(rule["id"])
        assert rule["id"] in rule["help"]["markdown"]
    known = "flowspec/v1"
    marks = [one["partialFingerprints"][known] for one in run["results"]]
    assert len(set(marks)) == 4, "equal lines are counted"
    (alone,) = json.loads(as_sarif([moved]))["runs"][0]["results"]
    assert alone["partialFingerprints"][known] == marks[0], "a line that has moved is the same finding"
