"""What people have today -> the request that it means, with holes where it leaves values open.

    request         the parameters of RunJobFlow, as JSON
    aws-cli         a script with `aws emr create-cluster …`
    cloudformation  a template with an AWS::EMR::Cluster, YAML or JSON
    terraform       a module with an aws_emr_cluster: HCL or JSON, or what `terraform show -json` says

Each reader knows one of them. What it can't say in a request is a note, and never lost silently; what it
does not understand is an error with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from flowspec.emr.shapes import input_shape
from flowspec.request.decompile.holes import MARKS, Wanted, provable, typed
from flowspec.request.decompile.reading import check, decoded
from flowspec.request.decompile.reading import read as read_request
from flowspec.request.sources import awscli, cloudformation, terraform
from flowspec.request.sources.refusal import refuse
from flowspec.spec.document import Source
from flowspec.spec.patterns import PatternWork

_READERS: Mapping[str, Callable[[Source, Path, str], Wanted]] = {
    "aws-cli": awscli.read,
    "cloudformation": cloudformation.read,
    "terraform": terraform.read,
}
_SIGNS = (
    ("cloudformation", re.compile(r"^Resources\s*:|^AWSTemplateFormatVersion\b", re.MULTILINE)),
    (
        "terraform",
        re.compile(r"^\s*(resource|module)\s+\"?aws_emr_|^\s*(resource|variable|locals|provider)\b.*\{", re.MULTILINE),
    ),
    ("aws-cli", re.compile(r"\bemr\s(.*\s)?create-cluster\b", re.DOTALL)),
)


def read(name: str, data: bytes, *, kind: str = "", folder: Path = Path(), cluster: str = "") -> Wanted:
    """What a source asks for. `name` is how messages call it, `folder` where it stands.

    `kind` is one of those above, or "" to recognise it; `cluster` chooses one where it has several.
    Raises `SpecError` with what is wrong.
    """
    source = decoded(name, data)
    if MARKS.search(source.text):
        refuse(source, "a character of Unicode's private use (U+E0F5, U+E0F6) is in it", "take it out")
    kind = kind or ("terraform" if Path(name).is_dir() else recognised(source))
    if kind == "request":
        return Wanted(read_request(name, data))
    try:
        return _checked(_READERS[kind](source, folder, cluster), source)
    except RecursionError:
        refuse(source, "nested too deeply")


def _checked(wanted: Wanted, source: Source) -> Wanted:
    work = PatternWork()
    variables = {name: provable(one, work) for name, one in wanted.variables.items()}
    wanted = replace(wanted, variables=typed(wanted.params, variables, input_shape()))
    check(wanted.request, source)
    return wanted


def recognised(source: Source) -> str:
    """What kind of source a text is; a request when nothing tells."""
    if source.file.endswith((".tf", ".tf.json")):
        return "terraform"
    if source.text.lstrip()[:1] in ("{", "["):
        return _recognised_json(source.text)
    return next((kind for kind, sign in _SIGNS if sign.search(source.text)), "request")


def _recognised_json(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "request"
    members = value.keys() if isinstance(value, dict) else ()
    if "Resources" in members and "Instances" not in members:
        return "cloudformation"
    return "terraform" if {"resource", "planned_values", "terraform_version"} & set(members) else "request"
