"""Lists the Python versions of EMR's releases, and the wheels that their operating systems can load.

Sources: the row "Python" of "Application versions in Amazon EMR 7.x releases" (Release Guide); for 5.x and 6.x, "How do
I upgrade my Python version on Amazon EMR" (AWS re:Post) and the Python of the Amazon Linux that the Management Guide
("Using the default Amazon Linux AMI") names: Amazon Linux before 5.30.0, 2 up to 6.x, 2023 from 7.0.0 on. Releases
before 5.20.0 have Python 3.4, for which there are no wheels any more. The glibc is that of the Amazon Linux, and a
wheel's tag names the oldest one that it can be loaded with (PEP 600).
"""

from __future__ import annotations

from typing import NamedTuple

from flowspec.facts.instance_types import fact_of
from flowspec.facts.releases import Version, parse

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""The architectures as a spec names them (EMR Serverless: X86_64, ARM64), and their names in the tags of wheels."""

_OF_EC2 = {"X86_64": "x86_64", "AARCH64": "aarch64"}
# PEP 599: manylinux2014 stands for glibc 2.17, and pip takes it for the older names, too.
_OLDEST_GLIBC = 17


class ReleasePython(NamedTuple):
    """The Python of a release: `versions` as 3.9, `python3` first; `pyspark` is the default of PySpark.

    `glibc` is the minor version of its C library.
    """

    versions: tuple[str, ...]
    pyspark: str
    glibc: int


_SINCE: dict[Version, ReleasePython] = {
    (5, 20, 0): ReleasePython(("3.6",), "2.7", 17),
    (5, 30, 0): ReleasePython(("3.7",), "3.7", 26),
    (7, 0, 0): ReleasePython(("3.9",), "3.9", 34),
    (7, 1, 0): ReleasePython(("3.9", "3.11"), "3.9", 34),
}
# A later major release may have another Python version; flowspec does not guess it.
_UNKNOWN_FROM = (8, 0, 0)


def python_of(label: str | None) -> ReleasePython | None:
    """Returns the Python of a release; None where it is not known, and for AMI versions."""
    version = parse(label)
    if version is None or version >= _UNKNOWN_FROM:
        return None
    return next((python for since, python in reversed(_SINCE.items()) if version >= since), None)


def glibc_of(label: str | None) -> int:
    """Returns the minor version of a release's glibc; of the newest or oldest known where the release is not known."""
    known, version = python_of(label), parse(label)
    if known:
        return known.glibc
    return max(one.glibc for one in _SINCE.values()) if version and version >= _UNKNOWN_FROM else _OLDEST_GLIBC


def wheel_platforms(glibc: int, architecture: str) -> tuple[str, ...]:
    """Returns the platform tags of wheels for a glibc and an architecture ("x86_64", "aarch64"), newest first."""
    newer = [f"manylinux_2_{minor}_{architecture}" for minor in range(glibc, _OLDEST_GLIBC - 1, -1)]
    return (*newer, f"manylinux2014_{architecture}", f"linux_{architecture}")


def architecture_of(instance_type: str) -> str:
    """Returns the architecture of an EC2 instance type, as wheels name it; "" for a type that is not known."""
    return _OF_EC2.get(str(fact_of(instance_type, "Architecture")), "")
