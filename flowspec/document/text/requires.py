"""Checks `requires`, the versions of flowspec that may use a spec, against the installed version."""

from __future__ import annotations

from flowspec.document.text.tree import Mapping, Scalar
from flowspec.errors import SpecError
from flowspec.version import installed_version

# Python reads no numbers of more than 4,300 digits.
_MAX_LENGTH = 1_000


def check_requires(root: Mapping) -> None:
    """Raises SpecError when the spec `requires` another version of flowspec, or when that is no version specifier.

    Then nothing else is checked: keys that this version does not know may be valid in the other version.
    """
    wanted = root.get("requires")
    if not isinstance(wanted, Scalar) or not isinstance(wanted.value, str):
        # Absent, or of a type that the schema reports.
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    def refuse(message: str, hint: str) -> SpecError:
        return SpecError([wanted.at.source.diagnostic("FS015", message, wanted.at, hint=hint)])

    if len(wanted.text) > _MAX_LENGTH:
        raise refuse(f"a set of versions has up to {_MAX_LENGTH:,} characters", 'write it as pip does: ">=0.3,<1"')
    try:
        versions = SpecifierSet(wanted.text)
    except InvalidSpecifier:
        raise refuse(f"'{wanted.text}' is not a set of versions", 'write it as pip does: ">=0.3,<1"') from None
    version = installed_version()
    if not versions.contains(version, prereleases=True):
        message = f"this spec requires flowspec {versions}, and this is {version}"
        raise refuse(message, f"install flowspec {versions}, or change `requires`")


def unmet_requirements() -> list[str] | None:
    """Returns the requirements of flowspec that no installed package meets; None where flowspec is not installed."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    def met(wanted: Requirement) -> bool:
        try:
            return wanted.specifier.contains(version(wanted.name), prereleases=True)
        except PackageNotFoundError:
            return False

    try:
        wanted = [Requirement(one) for one in requires("flowspec") or ()]
    except PackageNotFoundError:
        return None
    counting = (one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""}))
    return [f"{one.name}{one.specifier}" for one in counting if not met(one)]
