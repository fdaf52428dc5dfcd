"""`aws emr create-cluster …` in a script -> the request that the AWS CLI sends for it.

What the CLI adds, leaves out and renames is that of aws-cli 1.46, `awscli/customizations/emr/`: it keeps the
cluster alive and visible unless told otherwise, names what has no name, and turns the kinds of steps and the
applications of AMIs into jars and bootstrap actions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowspec.document.tree import Source
from flowspec.facts.api_model import input_shape
from flowspec.importers.awscli.command import NUMBERS, OBJECTS, SWITCHES, TEXTS, Call, Json, find_call, said
from flowspec.importers.awscli.instances import instances, roles
from flowspec.importers.awscli.shell import parse
from flowspec.importers.awscli.software import added_steps, software
from flowspec.importers.decompile.placeholders import PLACEHOLDER, Wanted
from flowspec.importers.refusal import choose, refuse
from flowspec.importers.shapes import fitted


def read(source: Source, folder: Path, cluster: str = "") -> Wanted:
    """What the create-cluster command of a script asks for. `folder`: where its file:// paths begin.

    Of several commands `cluster` names one, by its --name or number. Raises `SpecError`.
    """
    script = parse(source)
    calls = [call for words in script.commands if (call := find_call(words, source, folder))]
    if not calls:
        refuse(source, "no `aws emr create-cluster` stands in it", "give the command, or the script it is in")
    names = [_name_of(call) for call in calls]
    call = calls[choose(source, names, cluster)]
    params = _request(call)
    steps = added_steps(script, source, folder) if len(calls) == 1 else []
    if steps:
        params["Steps"] = [*params.get("Steps", []), *steps]
        call.notes.append("the steps that `aws emr add-steps` adds in the script are among the steps")
    region = call.text("region") or ""
    used = set(PLACEHOLDER.findall(json.dumps([params, region], ensure_ascii=False)))
    variables = {name: one for name, one in script.variables.items() if name in used}
    return Wanted(params, variables, region, tuple(call.notes))


def _name_of(call: Call) -> str:
    name = call.text("name")
    return "Development Cluster" if name is None else name


def _request(call: Call) -> Json:
    _refuse_contradictions(call)
    params: Json = {"Name": _name_of(call)}
    params |= _release(call)
    params |= {member: text for name, member in TEXTS.items() if (text := call.text(name))}
    params["VisibleToAllUsers"] = call.choice("visible-to-all-users") or not call.has("no-visible-to-all-users")
    params["Tags"] = _tags(call)
    params["Instances"] = instances(call)
    params |= roles(call)
    params |= software(call)
    params |= {
        member: fitted(text, input_shape().members[member])
        for name, member in NUMBERS.items()
        if (text := call.text(name))
    }
    for name, member in OBJECTS.items():
        if call.has(name):
            params |= said(member, call.object(name, _shape(member)))
    if call.has("placement-group-configs"):
        params |= said(
            "PlacementGroupConfigs",
            call.objects("placement-group-configs", input_shape().members["PlacementGroupConfigs"].member),
        )
    if call.has("step-concurrency-level"):
        params["StepConcurrencyLevel"] = fitted(
            call.text("step-concurrency-level"), input_shape().members["StepConcurrencyLevel"]
        )
    for name, member in SWITCHES.items():
        if call.has(name) or call.has(f"no-{name}"):
            params[member] = call.choice(name)
    return params


def _shape(member: str) -> Any:
    return input_shape().members.get(member)


def _refuse_contradictions(call: Call) -> None:
    for one, other in (
        ("release-label", "ami-version"),
        ("use-default-roles", "service-role"),
        ("instance-groups", "instance-fleets"),
        ("instance-groups", "instance-type"),
        ("instance-groups", "instance-count"),
    ):
        if call.has(one) and call.has(other):
            call.refuse(f"--{one} and --{other} exclude each other", "keep one", call.options[other].at)
    if not call.has("release-label") and not call.has("ami-version"):
        call.refuse("neither --release-label nor --ami-version is given", "give one of them")
    if not any(map(call.has, ("instance-groups", "instance-fleets", "instance-type"))):
        call.refuse("no instances are named", "give --instance-groups, --instance-fleets or --instance-type")
    if call.choice("enable-debugging") and not call.has("log-uri"):
        call.refuse("--enable-debugging needs --log-uri", "", call.options["enable-debugging"].at)


def _release(call: Call) -> Json:
    if not call.has("release-label"):
        return said("AmiVersion", call.text("ami-version"))
    out: Json = {"ReleaseLabel": call.text("release-label")}
    if call.has("configurations"):
        out["Configurations"] = call.json("configurations")
    return out


def _tags(call: Call) -> list[Json]:
    if not call.has("tags"):
        return []
    words = [call.content(word) for word in call.options["tags"].words]
    if len(words) == 1 and words[0].lstrip()[:1] == "[":
        words = call.json("tags")
    if not all(isinstance(word, str) for word in words):
        call.refuse("--tags takes texts, as in team=search", "", call.options["tags"].at)
    pairs = (word.partition("=") for word in words)
    return [{"Key": key, "Value": value} for key, _, value in pairs]


# --- instances ---
