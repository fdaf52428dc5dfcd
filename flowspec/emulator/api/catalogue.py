"""Operations on EMR's catalogue: release labels, their applications, and instance types.

The data is in `flowspec.facts.releases` and `flowspec.facts.instance_types`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from flowspec.emulator.api.calls import Call, Operation, Params, page
from flowspec.emulator.errors import invalid_request
from flowspec.emulator.state.answers import Answer
from flowspec.facts.instance_types import instance_types
from flowspec.facts.releases import UNKNOWN, Numbers, amazon_linux, applications, labels, newest, numbers

_LARGEST_PAGE = 100
"""MaxResults of ListReleaseLabels and DescribeReleaseLabel (API reference: 1 to 100)."""


@cache
def _offers() -> tuple[tuple[tuple[Numbers, ...], Answer], ...]:
    """Returns each instance type as in ListSupportedInstanceTypes, with the releases since which it is supported."""
    table = instance_types()
    return tuple(
        (tuple(map(numbers, group["since"])), {"Type": name, **dict(zip(table["members"], facts, strict=True))})
        for group in table["types"]
        for name, facts in group["types"].items()
    )


def list_supported_instance_types(_: Call, params: Params) -> Answer:
    """Answers ListSupportedInstanceTypes, sorted by name."""
    label = _known_label(params["ReleaseLabel"])
    found = sorted(_types_of(numbers(label)), key=lambda facts: str(facts["Type"]))
    shown, more = page(list(enumerate(found)), params)
    return {"SupportedInstanceTypes": shown, **more}


def _types_of(release: Numbers) -> Iterator[Answer]:
    # For a major version that the table lacks (emr-spark-8.0.0), use the latest one.
    major = min(release[0], max(first[0] for since, _ in _offers() for first in since))
    for since, facts in _offers():
        if any(first[0] == major and first <= release for first in since):
            yield facts


def _known_label(label: str | None) -> str:
    if label not in labels():
        raise invalid_request(f"The supplied release label is invalid: {label}.")
    return label


def list_release_labels(_: Call, params: Params) -> Answer:
    """Answers ListReleaseLabels, newest first.

    Filters: a label prefix, and an application as "Spark" or "spark@3.5.2".
    """
    filters = params.get("Filters", {})
    prefix, application = filters.get("Prefix", ""), filters.get("Application", "")
    found = [label for label in reversed(labels()) if label.startswith(prefix) and _release_has(label, application)]
    return _token_page("ReleaseLabels", found, params)


def _release_has(label: str, application: str) -> bool:
    if not application:
        return True
    name, _, version = application.lower().partition("@")
    there = versions_of(label)
    return name in there and version in ("", there[name])


@lru_cache(maxsize=64)
def versions_of(label: str) -> Mapping[str, str]:
    """Returns the versions of a release's applications by name in small letters."""
    return {name.lower(): version for name, version in applications_of(label).items()}


def applications_of(label: str) -> Mapping[str, str]:
    """Returns the applications known to be in the release: name -> version, "" if the version is not known."""
    listed = applications(label) or {}
    return {name: version for name, version in listed.items() if version != UNKNOWN}


def describe_release_label(_: Call, params: Params) -> Answer:
    """Answers DescribeReleaseLabel: applications and Amazon Linux release. Without a label, the newest one."""
    label = _known_label(params.get("ReleaseLabel") or newest())
    found = [
        {"Name": name, **({"Version": version} if version else {})} for name, version in applications_of(label).items()
    ]
    system = amazon_linux(label)
    systems = {"AvailableOSReleases": [{"Label": system}]} if system else {}
    return {"ReleaseLabel": label, **_token_page("Applications", found, params), **systems}


def _token_page(member: str, items: list[Any], params: Params) -> Answer:
    """Returns a page of a list that is paginated by NextToken and MaxResults."""
    size = params.get("MaxResults") or _LARGEST_PAGE
    if not 1 <= size <= _LARGEST_PAGE:
        raise invalid_request(f"MaxResults must be between 1 and {_LARGEST_PAGE}.")
    shown, more = page(list(enumerate(items)), {"Marker": params.get("NextToken")}, size=size)
    return {member: shown, **({"NextToken": more["Marker"]} if more else {})}


OPERATIONS: dict[str, Operation] = {
    "DescribeReleaseLabel": describe_release_label,
    "ListReleaseLabels": list_release_labels,
    "ListSupportedInstanceTypes": list_supported_instance_types,
}
