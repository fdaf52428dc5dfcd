"""pytest test_nightly.py: the fixture `emr` comes with flowspec."""

import pytest
from nightly import sort_words


def test_the_words_are_sorted(emr):
    (emr.s3 / "acme-words/monday").mkdir(parents=True)
    (emr.s3 / "acme-words/monday/words.txt").write_text("two\none\n")
    assert sort_words("monday") == "TERMINATED"
    assert (emr.s3 / "acme-words/monday-sorted/part-00000").read_text() == "one\t\ntwo\t\n"


@pytest.mark.usefixtures("emr")
def test_words_that_are_not_there():
    assert sort_words("tuesday") == "TERMINATED_WITH_ERRORS"
