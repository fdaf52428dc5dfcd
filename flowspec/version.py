"""The installed version of flowspec."""

from __future__ import annotations


def installed_version() -> str:
    """Returns the version of the installed package (PEP 440); "0+unknown" when there is only its source."""
    # Takes 20 ms, which the start of a command need not pay.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flowspec")
    except PackageNotFoundError:
        return "0+unknown"
