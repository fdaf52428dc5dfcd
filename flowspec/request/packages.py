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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import NodePath
from flowspec.facts.pythons import ARCHITECTURES, architecture_of, glibc_of, python_of, wheel_platforms
from flowspec.request.archives import hash_of
from flowspec.request.assets import Asset, Files
from flowspec.request.steps.kind import SpecStep

if TYPE_CHECKING:
    from flowspec.request.requirements import Requirements

LINK = "python_env"
"""The folder in a task's working directory that the archive is unpacked to."""

LOCAL_STAGING = "s3://flowspec-python-packages"
"""Where the archives are on the embedded EMR, whose S3 is a folder of its home."""

# Part of the hash: increase it when the content for the same requirements changes.
_FORMAT = 1
_SHOWN = 3


@dataclass(frozen=True)
class Packages:
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
        """True if only packages without compiled code may be in it: they are imported from the zip as it is."""
        return self.architecture == "any"

    @property
    def told(self) -> str:
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
            # EMR updates the patch release with its operating system; nothing is known to depend on it.
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
    """Returns the same packages for the Python of this machine: those for EMR's may not run here."""
    return _local(packages.requirements, packages.is_pure)


def python_here() -> str:
    """The version ("3.11") of the `python3` on PATH, which runs the scripts of steps here. Runs nothing.

    Its file is called python3.11, behind the links. Where it is not (pyenv has a script there), it is taken for the
    version that runs flowspec.
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


# --- the packages of a step ---


def packages_uri(step: SpecStep, *, pure: bool = False) -> str | None:
    """The URI of the archive of a step's Python packages, which becomes one of its files; None where it has none.

    `pure`: only packages without compiled code. Findings go to the step's files, and then there is none.
    """
    given = _given(step)
    if given is None:
        return None
    fields, at = given
    # Those of the flow are read and hashed once, however many steps have them.
    made = step.files.packages
    if (at, pure) not in made:
        made[at, pure] = _make(fields, at, step.files, pure)
    return made[at, pure]


def _make(fields: Mapping[str, Any], at: NodePath, files: Files, pure: bool) -> str | None:
    at_file = (*at, "requirements")
    try:
        wanted = _requirements(fields["requirements"], at_file, files)
        packages = _packages(wanted, fields, at, files, pure) if wanted else None
        return _add(packages, at, files) if packages else None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        looked = (f"looked at {error.filename}",) if error.filename else ()
        files.report("FS403", at_file, f"'{fields['requirements']}' can't be read: {reason}", notes=looked)
        return None


def _packages(
    wanted: Requirements, fields: Mapping[str, Any], at: NodePath, files: Files, pure: bool
) -> Packages | None:
    return _local(wanted, pure) if files.jobflow.backend == "local" else _on_emr(wanted, fields, at, files, pure)


def _add(packages: Packages, at: NodePath, files: Files) -> str | None:
    staging = LOCAL_STAGING if files.jobflow.backend == "local" else files.staging(at)
    if staging is None:
        return None
    key = packages.key
    uri = f"{staging.rstrip('/')}/{key}/{packages.name}"
    files.add(Asset(packages.requirements.path, key, 0, uri, packages=packages))
    return uri


def wanted_version(step: SpecStep) -> str:
    """Returns the version of Python that a step asks for, or that its release has; "" where neither is known."""
    fields = (_given(step) or ({}, ()))[0]
    release = python_of(step.files.jobflow.fields.get("release_label"))
    return str(fields.get("version") or (release.versions[0] if release else ""))


def _given(step: SpecStep) -> tuple[Mapping[str, Any], NodePath] | None:
    """The `python` of a step, or of the flow for steps that say nothing, with its place."""
    if "python" in step.fields:
        own = step.fields["python"]
        return None if own is None else (own, (*step.at, "python"))
    default = step.files.default_packages
    return (default, ("python",)) if default else None


def has_packages(step: SpecStep) -> bool:
    """True if Python packages are asked for, by the step or by the flow."""
    return _given(step) is not None


def _requirements(text: str, at: NodePath, files: Files) -> Requirements | None:
    # Only specs with packages pay for the import of `packaging`.
    from flowspec.request.requirements import read_requirements

    path = files.source(text, at)
    if path is None:
        return None
    wanted = read_requirements(path, files.tree)
    for problem in wanted.problems:
        files.report(problem.id, at, problem.message, hint=problem.hint)
    if not wanted.problems and not wanted.entries:
        files.report("FS282", at, f"'{text}' names no package", hint="leave `python` out")
    elif not wanted.problems:
        _lint(wanted, at, files)
    return None if wanted.problems or not wanted.entries else wanted


def _lint(wanted: Requirements, at: NodePath, files: Files) -> None:
    unpinned = wanted.unpinned
    if unpinned:
        shown = ", ".join(f"{one.text} ({one.place})" for one in unpinned[:_SHOWN])
        more = f" and {len(unpinned) - _SHOWN} more" if len(unpinned) > _SHOWN else ""
        message = f"not pinned to one version: {shown}{more}"
        hint = f"pip-compile --generate-hashes, or uv pip compile --generate-hashes {wanted.path.name}"
        files.report("FS617", at, message, hint=hint)


def _local(wanted: Requirements, pure: bool) -> Packages:
    return Packages(wanted, python_here(), "any" if pure else platform.machine(), (), "python3")


def _on_emr(wanted: Requirements, fields: Mapping[str, Any], at: NodePath, files: Files, pure: bool) -> Packages | None:
    flow = files.jobflow
    release = python_of(flow.fields.get("release_label"))
    version = fields.get("version") or (release.versions[0] if release else None)
    if version is None:
        label = flow.fields.get("release_label") or "an AMI version"
        files.report("FS283", at, f"the Python of {label} is not known here", hint='version: "3.9"')
        return None
    architecture = "any" if pure else _architecture(fields, flow, at, files)
    if architecture is None:
        return None
    platforms = ("any",) if pure else wheel_platforms(glibc_of(flow.fields.get("release_label")), architecture)
    return Packages(wanted, version, architecture, platforms, f"python{version}")


def _architecture(fields: Mapping[str, Any], flow: JobFlow, at: NodePath, files: Files) -> str | None:
    if "architecture" in fields:
        return ARCHITECTURES[fields["architecture"]]
    types = list(dict.fromkeys(_instance_types(flow.fields)))
    found = {one: architecture_of(one) for one in types}
    known = sorted({one for one in found.values() if one})
    if len(known) == 1:
        return known[0]
    named = ", ".join(types) or "no instance type"
    why = f"the instance types are of several architectures: {named}" if known else f"{named} tells no architecture"
    files.report("FS283", at, why, hint=f"architecture: {' or '.join(ARCHITECTURES)}")
    return None


def _instance_types(fields: Mapping[str, Any]) -> Iterator[str]:
    """Returns the instance types that a flow may run on, those of its fallbacks included."""
    yield from (fields[key] for key in ("master_instance_type", "slave_instance_type") if key in fields)
    yield from (one["type"] for one in fields.get("instance_groups", ()) if "type" in one)
    for fleet in fields.get("instance_fleets", ()):
        yield from (one["type"] for one in fleet.get("instance_type_configs", ()) if "type" in one)
    for other in fields.get("fallback", ()):
        yield from other.get("instance_types", {}).values()


def secrets_of(assets: tuple[Asset, ...]) -> frozenset[str]:
    """User and password in the URLs of requirements files: they are not shown."""
    found = [asset.packages.requirements for asset in assets if asset.packages]
    if not found:
        return frozenset()
    from flowspec.request.requirements import credentials

    texts = [text for one in found for text in one.texts]
    return frozenset(secret for text in texts for secret in credentials(text))
