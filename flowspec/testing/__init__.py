"""For tests of boto3 code: `emr()` answers EMR calls with the embedded EMR, which runs the steps.

    import boto3
    from flowspec.testing import emr

    def test_nightly():
        with emr() as embedded:
            run_nightly(boto3.client("emr", "us-east-1"))   # any client of the process, made before or after
            assert (embedded.s3 / "acme-texts/counts/part-00000").exists()

In pytest, the fixture `emr` is the same (`fixture`). boto3 is imported when a block is entered, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowspec.testing.embedding import Embedded, emr

__all__ = ["Embedded", "emr"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flowspec.testing import embedding

    return getattr(embedding, name)
