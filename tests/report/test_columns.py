"""Tables whose cells hold letters of East Asia, emoji and accents stay in columns."""

import pytest

from flowspec.doctor.check import Check, State
from flowspec.plan.cluster import Cluster
from flowspec.report import checks, clusters, rendering
from flowspec.report.columns import aligned, cells
from flowspec.report.fleets import Row, as_text
from tests.specs import rendered

# Each, and the cells that a terminal gives it.
WIDTHS = {"nightly": 7, "日次集計": 8, "한국": 4, "e\u0301te\u0301": 3, "🚀go": 4, "ｶﾅ": 2, "ﾊﾟ": 2, "": 0}


@pytest.mark.parametrize("text", WIDTHS)
def test_width_on_a_terminal(text):
    assert cells(text) == WIDTHS[text]
    assert [cells(line) for line in aligned([(text, "|"), ("a" * 12, "|")])] == [15, 15]


def test_numbers_end_below_each_other():
    assert aligned([("BYTES", "FILE"), ("1,234", "a"), ("5", "b")], numbers={0}) == [
        "BYTES  FILE",
        "1,234  a",
        "    5  b",
    ]


def starts(text, mark):
    """The columns at which a mark begins, in each line that has it."""
    return {cells(line.partition(mark)[0]) for line in text.splitlines() if mark in line}


def test_a_table_of_flows():
    rows = [Row("a.yaml", name, "prod", "RESULT", 0) for name in WIDTHS]
    assert len(starts(as_text(rows), "RESULT")) == 1


def test_a_table_of_clusters():
    tags = {"flowspec:source": "SPEC"}
    shown = clusters.table([Cluster("j-1", name, "WAITING", tags={**tags, "flowspec:flow": name}) for name in WIDTHS])
    assert len(starts(shown, "SPEC")) == 1


def test_checks():
    listed = [Check(name, State.OK, "FOUND") for name in WIDTHS]
    assert len(starts(checks.checks_text(listed, color=False), "FOUND")) == 1


def test_origins_and_differences_of_a_rendered_spec(tmp_path):
    document = rendered(tmp_path, "flowspec: v1\nname: 日次集計\ndescription: nightly\nrelease_label: emr-7.5.0\n")
    assert len(starts(rendering.annotated_yaml(document), "# ")) == 1
    found = (rendering.Difference("name", "VALUE", "VALUE"),)
    assert len(starts(rendering.differences_as_text(found, "本番", "dev"), '"VALUE"')) == 1
