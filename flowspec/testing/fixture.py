"""The pytest plugin: a fixture `emr`.

pytest loads it at its start (entry point `pytest11`), so it imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flowspec.testing.embedding import Embedded


@pytest.fixture
def emr() -> Iterator[Embedded]:
    """Yields the embedded EMR for all boto3 EMR clients of the test; steps really run, in a home of the test's own."""
    from flowspec.testing.embedding import emr as embedding

    with embedding() as embedded:
        yield embedded
