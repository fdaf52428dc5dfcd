"""botocore's model of EMR, offline and without a session: the one place that reads the service model.

`mismatches` walks a value along a shape of the model and yields what does not fit. Its three users word this
differently: `problems` here (as the AWS SDK does), the importer of request files (with hints for people)
and the wire protocol of the embedded EMR (as AWS's front end does).
"""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""The way to a part of a request, or of a spec: names and indexes, as in `("Instances", "InstanceGroups", 0)`."""
Json: TypeAlias = "dict[str, Any]"
"""A JSON object that is made or changed: a structure of the API, a file of another tool."""
JsonView: TypeAlias = "Mapping[str, Any]"
"""A JSON object that is only read."""
Kind: TypeAlias = "Literal['type', 'missing', 'unknown', 'enum', 'min', 'max', 'overflow', 'pattern']"

# The Python types of a value for each type of the model, as botocore's client takes them.
CLIENT_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float, str, datetime),
    "blob": (bytes, bytearray, str),
}
# The roles of instance groups, and the types of fleets.
ROLES = ("MASTER", "CORE", "TASK")
# The members of JobFlowInstancesConfig that form the short form of instances.
SHORT_FORM = ("MasterInstanceType", "SlaveInstanceType", "InstanceCount")
# The members of a fleet with its target capacity in each market.
TARGETS = ("TargetOnDemandCapacity", "TargetSpotCapacity")
# Members of JobFlowInstancesConfig that DescribeCluster returns as they were given, in Ec2InstanceAttributes.
RETURNED_OF_INSTANCES = (
    "Ec2KeyName",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
)
# Members of answers that EMR sometimes leaves out, or that older endpoints do not know: markers on the last page,
# policies that are not set, ARNs (added to the API in 2019), and members that depend on the release. All others are
# always sent.
_SOMETIMES_ANSWERED = frozenset(
    {
        "Marker",
        "NextToken",
        "ClusterArn",
        "AutoTerminationPolicy",
        "ManagedScalingPolicy",
        "StepConcurrencyLevel",
        "ExtendedSupport",
        "AvailableOSReleases",
        "RuntimeRoleEnabledCluster",
        "CreationDateTime",
        "PresignedURL",
    }
)
_FRACTIONS = ("double", "float", "timestamp")
_INTEGER_BITS = {"integer": 32, "long": 64, "timestamp": 64}
# What the model's patterns for strings (XmlString, UriString) leave out. They are written for Java: the
# pairs of surrogates in them are the characters beyond 16 bits, which Python's `re` can't read. A pattern with a range
# up to U+10FFFF takes 5 ms to compile, so this one names the few characters that are not in them.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class MapKey(str):
    """A step of a path that is the key of a map, not a member of a structure."""

    __slots__ = ()


class Mismatch(NamedTuple):
    """A place of a value that does not fit its shape.

    `kind`: a wrong `type`, a required member that is `missing`, a member `unknown` to the model (the path
    ends with both), a value outside the `enum`, a number or length below `min` or above `max`, an integer
    with too many bits (`overflow`), or characters outside the `pattern`. `shape` is that of the value (of
    the owner for `missing` and `unknown`), `expected` the bound, the names or the pattern.
    """

    path: KeyPath
    kind: Kind
    value: Any
    shape: Any
    expected: Any


class Problem(NamedTuple):
    """A problem of a request: its place (`("Instances", "InstanceGroups", 0)`) and a message.

    For an unknown member, `known` are the existing members.
    """

    path: KeyPath
    message: str
    known: tuple[str, ...] = ()


class Shape:
    """A shape of the model, with the names of botocore's `Shape` for what is used of it.

    botocore.model and botocore.loaders import its HTTP client with them, 60 ms: as long as the rest of `compile`.
    """

    def __init__(self, name: str, definitions: Mapping[str, Any], traits: Mapping[str, Any]) -> None:
        self.name = name
        self.metadata: Mapping[str, Any] = {**definitions[name], **traits}
        self.type_name: str = self.metadata["type"]
        self.enum: list[str] = self.metadata.get("enum", [])
        self.required_members: list[str] = self.metadata.get("required", [])
        self._definitions = definitions

    @cached_property
    def members(self) -> dict[str, Shape]:
        """The members of a structure."""
        return {name: self._shape(one) for name, one in self.metadata.get("members", {}).items()}

    @cached_property
    def member(self) -> Shape:
        """The items of a list."""
        return self._part("member")

    @cached_property
    def key(self) -> Shape:
        """The keys of a map."""
        return self._part("key")

    @cached_property
    def value(self) -> Shape:
        """The values of a map."""
        return self._part("value")

    def _part(self, name: str) -> Shape:
        """Returns the shape of a part. Raises AttributeError, as botocore's shapes do, where a shape has none."""
        if name not in self.metadata:
            raise AttributeError(f"{self.type_name} {self.name} has no {name}")
        return self._shape(self.metadata[name])

    def _shape(self, reference: Mapping[str, Any]) -> Shape:
        return Shape(reference["shape"], self._definitions, reference)


@cache
def service_model() -> Mapping[str, Any]:
    """Returns botocore's newest service model of EMR, or the user's own (~/.aws/models, as for the AWS CLI)."""
    package = find_spec("botocore")
    versions = sorted(Path((package.submodule_search_locations or [""])[0], "data/emr").iterdir()) if package else []
    file = versions[-1] / "service-2.json.gz" if versions else Path()
    # Not by Path.expanduser, which raises where a user has no home, as in a container.
    if not file.is_file() or os.path.isdir(os.path.expanduser("~/.aws/models/emr")):  # noqa: PTH111, PTH112
        from botocore.loaders import Loader

        found: Mapping[str, Any] = Loader().load_service_model("emr", "service-2")
        return found
    model: Mapping[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return model


def operations() -> Mapping[str, Any]:
    """Returns the operations of the model by their names."""
    found: Mapping[str, Any] = service_model()["operations"]
    return found


@cache
def shape_for(name: str) -> Shape:
    """Returns the shape of this name. Raises KeyError."""
    return Shape(name, service_model()["shapes"], {})


def input_shape(operation: str = "RunJobFlow") -> Shape:
    """Returns the shape of the parameters of `operation`. Raises KeyError."""
    return shape_for(operations()[operation]["input"]["shape"])


def find_input_shape(operation: str) -> Shape | None:
    """Returns what `input_shape` does, but None for an operation that the model does not have."""
    return input_shape(operation) if operation in operations() else None


@cache
def output_shape(operation: str) -> Shape | None:
    """Returns the shape of the answer to `operation`, None if the answer is empty. Raises KeyError."""
    output = operations()[operation].get("output")
    return shape_for(output["shape"]) if output else None


@cache
def output_members(operation: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Returns the members of the answer to `operation`, and those of them that EMR always sends, in the model's order.

    Both are empty for an operation whose answer is empty. Raises KeyError.
    """
    shape = output_shape(operation)
    members = tuple(shape.members) if shape else ()
    return frozenset(members), tuple(name for name in members if name not in _SOMETIMES_ANSWERED)


def mismatches(
    value: Any, shape: Any, path: KeyPath = (), types: Mapping[str, tuple[type, ...]] = CLIENT_TYPES
) -> Iterator[Mismatch]:
    """Yields every place at which a value does not fit a shape, in the order of the value.

    `types` are the Python types that are accepted for each type of the model. Values inside a value of a wrong type are
    not checked.
    """
    name = shape.type_name
    if not _is_of_types(value, types[name]) or (name in _FRACTIONS and not _is_finite(value)):
        yield Mismatch(path, "type", value, shape, types[name])
    elif name == "structure":
        yield from _structure_mismatches(value, shape, path, types)
    elif name == "list":
        yield from _bound_mismatches(value, len(value), shape, path)
        for index, item in enumerate(value):
            yield from mismatches(item, shape.member, (*path, index), types)
    elif name == "map":
        for key, item in value.items():
            yield from mismatches(key, shape.key, (*path, MapKey(key)), types)
            yield from mismatches(item, shape.value, (*path, MapKey(key)), types)
    elif name == "string":
        yield from _string_mismatches(value, shape, path)
    elif name in _INTEGER_BITS and isinstance(value, int):
        yield from _integer_mismatches(value, shape, path)
    elif name in ("double", "float"):
        yield from _bound_mismatches(value, value, shape, path)


def _structure_mismatches(
    value: Mapping[str, Any], shape: Any, path: KeyPath, types: Mapping[str, tuple[type, ...]]
) -> Iterator[Mismatch]:
    for name in shape.required_members:
        if name not in value:
            yield Mismatch((*path, name), "missing", None, shape, name)
    for name, item in value.items():
        if name in shape.members:
            yield from mismatches(item, shape.members[name], (*path, name), types)
        else:
            yield Mismatch((*path, name), "unknown", item, shape, list(shape.members))


def _string_mismatches(value: str, shape: Any, path: KeyPath) -> Iterator[Mismatch]:
    if shape.enum and value not in shape.enum:
        yield Mismatch(path, "enum", value, shape, shape.enum)
    yield from _bound_mismatches(value, len(value), shape, path)
    pattern = shape.metadata.get("pattern", "")
    if pattern and not _matches(value, pattern):
        yield Mismatch(path, "pattern", value, shape, pattern)


def _integer_mismatches(value: int, shape: Any, path: KeyPath) -> Iterator[Mismatch]:
    bits = _INTEGER_BITS[shape.type_name]
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        yield Mismatch(path, "overflow", value, shape, bits)
    yield from _bound_mismatches(value, value, shape, path)


def _bound_mismatches(value: Any, size: float, shape: Any, path: KeyPath) -> Iterator[Mismatch]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Mismatch(path, "min", value, shape, least)
    if most is not None and size > most:
        yield Mismatch(path, "max", value, shape, most)


def _is_of_types(value: Any, types: tuple[type, ...]) -> bool:
    # To Python a boolean is an integer, to the model it is not.
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _is_finite(value: Any) -> bool:
    if not isinstance(value, int | float):
        return True
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a double
        return False


def _matches(value: str, pattern: str) -> bool:
    return not _NOT_XML.search(value) if r"\uD7FF" in pattern else bool(re.fullmatch(pattern, value))


# -- in the words of the SDK


def problems(params: Mapping[str, Any], operation: str = "RunJobFlow", *, enums: bool = True) -> list[Problem]:
    """Returns all problems for which the AWS SDK refuses `params` of `operation`; with `enums`, also wrong enum values.

    Like the SDK it leaves maxima, the size of integers and patterns to the service.
    """
    ignored_kinds = ("overflow", "max", "pattern") if enums else ("overflow", "max", "pattern", "enum")
    return [_problem_of(one) for one in mismatches(params, input_shape(operation)) if one.kind not in ignored_kinds]


def path_text(path: Sequence[str | int]) -> str:
    """Returns a path as the SDK writes it: `Instances.InstanceGroups[0].Market`; "" for the request itself."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _problem_of(one: Mismatch) -> Problem:
    owner = path_text(one.path[:-1]) or "input"
    if one.kind == "missing":
        return Problem(one.path[:-1], f'Missing required parameter in {owner}: "{one.path[-1]}"')
    if one.kind == "unknown":
        known = tuple(one.expected)
        message = f'Unknown parameter in {owner}: "{one.path[-1]}", must be one of: {", ".join(known)}'
        return Problem(one.path, message, known)
    return Problem(one.path, _value_message(one, f"parameter {path_text(one.path) or 'input'}"))


def _value_message(one: Mismatch, name: str) -> str:
    if one.kind == "type":
        valid = ", ".join(map(str, one.expected))
        return f"Invalid type for {name}, value: {one.value}, type: {type(one.value)}, valid types: {valid}"
    if one.kind == "enum":
        return f"Invalid value for {name}: {one.value!r} is none of {', '.join(one.expected)}"
    if isinstance(one.value, str | list | tuple):
        return f"Invalid length for {name}, value: {len(one.value)}, valid min length: {one.expected}"
    return f"Invalid value for {name}, value: {one.value}, valid min value: {one.expected}"
