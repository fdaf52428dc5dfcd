"""The folder of the embedded EMR's state."""

from __future__ import annotations

from pathlib import Path

from flowspec.backend.aws.client import Endpoint


def home_of(endpoint: Endpoint) -> Path:
    """Returns the folder of the state of an endpoint's embedded EMR."""
    from flowspec.emulator.state.paths import home

    return endpoint.home or home()
