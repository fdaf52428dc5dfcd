"""Tests the suggestions for missing files."""

import pytest

from flowspec.document.nearest import similar_file


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        ("jobs.yaml", "did you mean job.yaml?"),
        ("job.yml", "did you mean job.yaml?"),
        ("job", "did you mean job.yaml?"),
        ("maper.py", "did you mean mapper.py?"),
        ("job.json", ""),
        # Their suffixes alone make these alike.
        ("a.py", ""),
        ("flows/job.yaml", "there is no folder flows"),
    ],
)
def test_a_missing_file(tmp_path, missing, hint):
    for name in ("b.py", "job.yaml", "mapper.py"):
        (tmp_path / name).touch()
    assert similar_file(tmp_path / missing) == hint
