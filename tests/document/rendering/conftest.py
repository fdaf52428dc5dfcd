"""A spec of a few lines, rendered."""

from functools import partial

import pytest

from tests import specs


@pytest.fixture
def rendered(tmp_path):
    return partial(specs.rendered, tmp_path)
