"""botocore's model of EMR as a judge of requests: offline, without a session or credentials.

The only place that reads the service model. It answers one question: what would the AWS SDK installed
here say to these parameters? botocore's own validator checks members, types and lengths; it does not
check enums, so those are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Path = tuple[str | int, ...]

# botocore.validate.ValidationErrors writes "... in Instances.InstanceGroups[0]: ..." or "... for parameter X, ...".
_PLACE = re.compile(r"(?:for parameter|in) (?P<name>[\w.\[\]\-:]+?)(?:,|: |$)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing the model says about a request: where (`("Instances", "InstanceGroups", 0)`) and what."""

    path: Path
    message: str


@cache
def _model() -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("emr", "service-2"), "emr")


def input_shape(operation: str = "RunJobFlow") -> Any:
    """The botocore `Shape` of what `operation` takes."""
    return _model().operation_model(operation).input_shape


def problems(params: Mapping[str, Any], operation: str = "RunJobFlow") -> list[Problem]:
    """Everything the installed botocore has against `params` as the parameters of `operation`; [] if nothing."""
    from botocore.validate import ParamValidator

    shape = input_shape(operation)
    report = ParamValidator().validate(params, shape).generate_report()
    found = [Problem(_place(line), line) for line in report.splitlines()]
    return found + list(_enum_problems(params, shape, ()))


def _place(line: str) -> Path:
    match = _PLACE.search(line)
    if not match or match["name"] == "input":
        return ()
    parts = re.findall(r"[^.\[\]]+", match["name"])
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _enum_problems(value: Any, shape: Any, path: Path) -> Iterator[Problem]:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if name in value:
                yield from _enum_problems(value[name], member, (*path, name))
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _enum_problems(item, shape.member, (*path, index))
    elif shape.type_name == "map" and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _enum_problems(key, shape.key, (*path, key))
            yield from _enum_problems(item, shape.value, (*path, key))
    elif shape.type_name == "string" and shape.enum and isinstance(value, str) and value not in shape.enum:
        where = ".".join(map(str, path))
        yield Problem(path, f"Invalid value for parameter {where}: {value!r} is none of {', '.join(shape.enum)}")
