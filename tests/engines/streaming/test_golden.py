"""Jobs recorded from real Apache Hadoop 3.4.1: files, exit status, counters and error lines must be the same."""

import re
from pathlib import Path

import pytest

from tests.engines.streaming.golden import CASES, RECORDED, differences


def test_every_recorded_job_is_here():
    # pytest skips a parametrized test that has no cases: a lost folder must fail instead.
    listed = (RECORDED / "README.md").read_text().partition("## The cases")[2]
    assert sorted(re.findall(r"`([^`]+)`", listed)) == [case.name for case in CASES]
    assert len(CASES) == 148


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recorded_job(case: Path, tmp_path: Path):
    assert differences(case, tmp_path) == []
