"""Names the archive of a step's Python packages; `apply` packs it only if it is not staged yet.

Its name holds the hash of all that decides its content: the requirements, local wheels, the version of Python, the
platform, and the format of the archive. So a request can be compiled, and a plan be made, without asking an index.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.request.archives import hash_of

if TYPE_CHECKING:
    from flowspec.request.requirements import Requirements

LINK = "python_env"
"""The folder in a task's working directory that the archive is unpacked to."""

LOCAL_STAGING = "s3://flowspec-python-packages"
"""The folder of the archives on the embedded EMR, whose S3 is a folder of its home."""

# Part of the hash: increase it when the content for the same requirements changes.
_FORMAT = 1


class Packages(NamedTuple):
    """An archive of Python packages, as it is to be packed.

    `version` is that of Python ("3.9"), `architecture` the one of the machines ("aarch64"; "any": only packages without
    compiled code), `platforms` the tags of the wheels that fit, none for those of this machine. `interpreter` is the
    program that runs them there.
    """

    requirements: Requirements
    version: str
    architecture: str
    platforms: tuple[str, ...]
    interpreter: str

    @property
    def name(self) -> str:
        """The name of the archive: python3.9-x86_64.zip."""
        return f"python{self.version}-{self.architecture}.zip"

    @property
    def is_pure(self) -> bool:
        """True if it may contain only packages without compiled code, since they are imported directly from the zip."""
        return self.architecture == "any"

    @property
    def description(self) -> str:
        """Returns a description of the archive for people."""
        only = "any platform" if self.is_pure else self.architecture
        return f"{self.requirements.path.name} for Python {self.version} on {only}"

    @property
    def environment(self) -> dict[str, str]:
        """The values of the markers of requirements (PEP 508) where the packages are used."""
        here = {"sys_platform": sys.platform, "platform_system": platform.system(), "platform_machine": self.machine}
        there = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": self.machine}
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_version": self.version,
            # EMR updates the patch version with its operating system; no markers are known to depend on it.
            "python_full_version": f"{self.version}.16",
            "implementation_version": f"{self.version}.16",
            **(there if self.platforms else here),
        }

    @property
    def machine(self) -> str:
        """The marker platform_machine; of packages for any platform the one that most clusters have."""
        if not self.platforms:
            return platform.machine()
        return "x86_64" if self.is_pure else self.architecture

    @property
    def key(self) -> str:
        """sha256, in hex, of all that decides the content."""
        import hashlib

        wanted = self.requirements
        content = {
            "format": _FORMAT,
            "python": [self.version, self.architecture, self.platforms, self.interpreter],
            "options": [(one.name, one.value) for one in wanted.options],
            "requirements": [
                [(one.text, _marker(one.requirement), one.hashes) for one in entries]
                for entries in (wanted.entries, wanted.constraints)
            ],
            "wheels": [(path.name, hash_of(path)) for path in wanted.wheels],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _marker(requirement: Any) -> str:
    return str(requirement.marker or "") if requirement else ""


def for_this_machine(packages: Packages) -> Packages:
    """Returns the same packages for the Python of this machine: packages for EMR's Python may not run here."""
    return packages_here(packages.requirements, packages.is_pure)


def packages_here(requirements: Requirements, pure: bool) -> Packages:
    """Returns packages for the Python of this machine; `pure`: only those without compiled code."""
    return Packages(requirements, python_here(), "any" if pure else platform.machine(), (), "python3")


def python_here() -> str:
    """Returns the version ("3.11") of the `python3` on PATH, which runs the scripts of steps here. Runs nothing.

    Its file is called python3.11, behind the links. If it is another file (pyenv has a script there), the version that
    runs flowspec is assumed.
    """
    own = "{}.{}".format(*sys.version_info)
    program = shutil.which("python3")
    if not program:
        return own
    real = os.path.realpath(program)
    if real == os.path.realpath(sys.executable):
        return own
    named = re.fullmatch(r"python(3\.\d+)", Path(real).name)
    return named[1] if named else own
