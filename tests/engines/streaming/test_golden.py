"""Jobs recorded from real Apache Hadoop 3.4.1: files, exit status, counters and error lines must be the same."""

from pathlib import Path

import pytest

from tests.engines.streaming.golden import REPOSITORY, differences

RECORDED = REPOSITORY.parent / "shared" / "golden" / "streaming"
CASES = sorted(path.parent for path in RECORDED.glob("*/case.json")) if RECORDED.is_dir() else []


@pytest.mark.skipif(not CASES, reason="the recorded jobs of ../shared/golden/streaming are not here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recorded_job(case: Path, tmp_path: Path):
    assert differences(case, tmp_path) == []
