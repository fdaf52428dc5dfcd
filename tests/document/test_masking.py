"""Nothing secret is shown."""

import pytest

from flowspec.document.masking import mask


@pytest.mark.parametrize(
    ("value", "secrets", "shown"),
    [
        ("user:hunter2@host", {"hunter2"}, "user:(sensitive)@host"),
        (
            {"password": "hunter2", "hunter2": [1, "x hunter2"]},
            {"hunter2"},
            {"password": "(sensitive)", "(sensitive)": [1, "x (sensitive)"]},
        ),
        (4711, {"4711"}, "(sensitive)"),
        (True, {"4711"}, True),
        ("plain", set(), "plain"),
        ("plain", {""}, "plain"),
        # One secret is a part of another: the longer goes first, or its end would be left standing.
        ("abcdef", {"abc", "abcdef"}, "(sensitive)"),
        (None, {"x"}, None),
    ],
)
def test_mask(value, secrets, shown):
    assert mask(value, secrets) == shown
