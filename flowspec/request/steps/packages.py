"""The Python packages that a step asks for (`python`), as an archive among its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowspec.document.job_flow import JobFlow
from flowspec.document.text.tree import NodePath
from flowspec.facts.pythons import ARCHITECTURES, architecture_of, glibc_of, python_of, wheel_platforms
from flowspec.request.assets import Asset, Files
from flowspec.request.packages import LOCAL_STAGING, Packages, packages_here
from flowspec.request.steps.kind import SpecStep

if TYPE_CHECKING:
    from flowspec.request.requirements import Requirements

# So many requirements are named in a finding.
_MAX_NAMED = 3


def packages_uri(step: SpecStep, *, pure: bool = False) -> str | None:
    """Adds the archive of a step's Python packages to its files; returns its URI, None where it has none.

    `pure`: only packages without compiled code. Findings go to the step's files, and then there is none.
    """
    given = _python_settings(step)
    if given is None:
        return None
    fields, at = given
    # The packages of the flow are read and hashed only once for all steps.
    made = step.files.packages
    if (at, pure) not in made:
        made[at, pure] = _create_archive(fields, at, step.files, pure)
    return made[at, pure]


def _create_archive(fields: Mapping[str, Any], at: NodePath, files: Files, pure: bool) -> str | None:
    at_file = (*at, "requirements")
    try:
        wanted = _requirements(fields["requirements"], at_file, files)
        on_aws = files.jobflow.traits.on_aws
        packages = wanted and (
            _packages_for_emr(wanted, fields, at, files, pure) if on_aws else packages_here(wanted, pure)
        )
        return _add_archive(packages, at, files) if packages else None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        looked = (f"looked at {error.filename}",) if error.filename else ()
        files.report("FS403", at_file, f"'{fields['requirements']}' can't be read: {reason}", notes=looked)
        return None


def _add_archive(packages: Packages, at: NodePath, files: Files) -> str | None:
    staging = files.staging(at) if files.jobflow.traits.stages_files else LOCAL_STAGING
    if staging is None:
        return None
    key = packages.key
    uri = f"{staging.rstrip('/')}/{key}/{packages.name}"
    files.add(Asset(packages.requirements.path, key, 0, uri, packages=packages))
    return uri


def wanted_version(step: SpecStep) -> str:
    """Returns the version of Python that a step requires, or that its release has; "" if neither is known."""
    fields = (_python_settings(step) or ({}, ()))[0]
    release = python_of(step.files.jobflow.fields.get("release_label"))
    return str(fields.get("version") or (release.versions[0] if release else ""))


def _python_settings(step: SpecStep) -> tuple[Mapping[str, Any], NodePath] | None:
    """Returns the `python` of a step, or of the flow for steps that say nothing, with its place."""
    if "python" in step.fields:
        own = step.fields["python"]
        return None if own is None else (own, (*step.at, "python"))
    default = step.files.default_packages
    return (default, ("python",)) if default else None


def has_packages(step: SpecStep) -> bool:
    """Returns True if Python packages are asked for, by the step or by the flow."""
    return _python_settings(step) is not None


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
        files.report("FS282", at, f"'{text}' does not name a package", hint="leave `python` out")
    elif not wanted.problems:
        _warn_of_unpinned(wanted, at, files)
    return None if wanted.problems or not wanted.entries else wanted


def _warn_of_unpinned(wanted: Requirements, at: NodePath, files: Files) -> None:
    unpinned = wanted.unpinned
    if unpinned:
        shown = ", ".join(f"{one.text} ({one.place})" for one in unpinned[:_MAX_NAMED])
        more = f" and {len(unpinned) - _MAX_NAMED} more" if len(unpinned) > _MAX_NAMED else ""
        message = f"not pinned to one version: {shown}{more}"
        hint = f"pip-compile --generate-hashes, or uv pip compile --generate-hashes {wanted.path.name}"
        files.report("FS617", at, message, hint=hint)


def _packages_for_emr(
    wanted: Requirements, fields: Mapping[str, Any], at: NodePath, files: Files, pure: bool
) -> Packages | None:
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
    why = (
        f"the instance types are of several architectures: {named}"
        if known
        else f"the architecture of {named} is not known"
    )
    files.report("FS283", at, why, hint=f"architecture: {' or '.join(ARCHITECTURES)}")
    return None


def _instance_types(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yields the instance types that a flow may run on, those of its fallbacks included."""
    yield from (fields[key] for key in ("master_instance_type", "slave_instance_type") if key in fields)
    yield from (one["type"] for one in fields.get("instance_groups", ()) if "type" in one)
    for fleet in fields.get("instance_fleets", ()):
        yield from (one["type"] for one in fleet.get("instance_type_configs", ()) if "type" in one)
    for other in fields.get("fallback", ()):
        yield from other.get("instance_types", {}).values()
