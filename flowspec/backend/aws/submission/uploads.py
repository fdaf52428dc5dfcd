"""Puts local files where the steps of a run read them, as its backend requires."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowspec.backend.aws.client import Emr
from flowspec.request.assets import Asset


def upload(assets: Sequence[Asset], emr: Emr, notify: Callable[[str], None]) -> int:
    """Stages files, with a line for each; returns how many were sent. Raises as `Backend.stage` does."""
    if not assets:
        return 0
    uploaded = 0
    for asset, sent in emr.backend.stage(emr, assets, notify):
        uploaded += sent
        notify(f"{'uploaded' if sent else 'already there'}: {asset.uri}")
    return uploaded
