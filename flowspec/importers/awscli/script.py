"""`aws emr create-cluster …` in a script -> the request that the AWS CLI sends for it.

What the CLI adds, leaves out and renames is that of aws-cli 1.46, `awscli/customizations/emr/`: it keeps the
cluster alive and visible unless told otherwise, names what has no name, and turns the kinds of steps and the
applications of AMIs into jars and bootstrap actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from flowspec.document.text.tree import Source
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.awscli.command import (
    OBJECTS,
    SCALARS,
    SWITCHES,
    Call,
    name_of_command,
    read_call,
)
from flowspec.importers.awscli.instances import read_instances, read_roles
from flowspec.importers.awscli.later import take_over
from flowspec.importers.awscli.parsed import PROFILES, Script, follow_names
from flowspec.importers.awscli.shell import parse
from flowspec.importers.awscli.software import read_software
from flowspec.importers.placeholders import PLACEHOLDER, Wanted, placeholder, placeholders_in
from flowspec.importers.refusal import choose, refuse
from flowspec.importers.shapes import convert_scalars, members_that_are_set

_LONGEST_SHOWN = 200  # characters of a command in a note


def read(source: Source, folder: Path, cluster: str = "") -> Wanted:
    """Returns the request of a script's create-cluster command. `folder`: where its file:// paths begin.

    Of several commands `cluster` names one, by its --name or number. Raises `SpecError`.
    """
    script = parse(source)
    created = [one for one in script.commands if name_of_command(one.words) == "create-cluster"]
    calls = [read_call(command, source, folder, script) for command in created]
    _refuse_unclosed(source, script, found=bool(calls))
    if not calls:
        refuse(source, "it has no `aws emr create-cluster` command", "give the command, or the script it is in")
    number = choose(source, [_cluster_name(call) for call in calls], cluster)
    call = calls[number]
    params = _request(call)
    take_over(script, created[number], created, params, call)
    region, profile = call.region, call.setting("profile", PROFILES)
    if call.has("endpoint-url"):
        call.notes.append("--endpoint-url is not imported: a target of the spec may have an endpoint_url")
    used = follow_names(placeholders_in([params, region, profile]), lambda name: _names_in_default(script, name))
    variables = {name: one for name, one in script.variables.items() if name in used}
    stray = [name for word in created[number].words for name in PLACEHOLDER.findall(word.text)]
    notes = [*script.notes_on([*used, *stray]), *_notes_on_outputs(script, variables)]
    return Wanted(params, variables, region, (*notes, *call.notes), profile)


def _notes_on_outputs(script: Script, names: Iterable[str]) -> Iterator[str]:
    """Yields how to give the variables that hold the output of a command, none of which import runs."""
    for name in names:
        aliases = () if name in script.uncertain else script.aliases(placeholder(name))
        command = next((script.substitutions[one] for one in aliases if one in script.substitutions), "").strip()
        if command and "\n" not in command and len(command) <= _LONGEST_SHOWN:
            yield f'{name} is the output of a command, which import does not run: --var {name}="$({command})"'


def _refuse_unclosed(source: Source, script: Script, *, found: bool) -> None:
    """Refuses a quote that is never closed in a command of EMR, or one that may hold the command that was not found."""
    places = [one.unclosed for command in script.commands if name_of_command(command.words) for one in command.words]
    place = next(filter(None, places), None if found else script.unclosed)
    if place:
        refuse(
            source, "this quote is never closed", "close it, or write a backslash before a quote that is text", place
        )


def _names_in_default(script: Script, name: str) -> list[str]:
    known = script.variables.get(name)
    return PLACEHOLDER.findall(known.default or "") if known else []


def _cluster_name(call: Call) -> str:
    name = call.text("name")
    return "Development Cluster" if name is None else name


def _request(call: Call) -> Json:
    _refuse_input_file(call)
    _refuse_contradictions(call)
    params: Json = {"Name": _cluster_name(call)}
    params |= _release(call)
    shapes = input_shape().members
    params |= {
        member: convert_scalars(text, shapes.get(member))
        for name, member in SCALARS.items()
        if (text := call.text(name))
    }
    params["VisibleToAllUsers"] = call.choice("visible-to-all-users") or not call.has("no-visible-to-all-users")
    params["Tags"] = call.tags()
    params["Instances"] = read_instances(call)
    params |= read_roles(call)
    params |= read_software(call)
    objects = {member: call.object(name, shapes.get(member)) for name, member in OBJECTS.items() if call.has(name)}
    params |= members_that_are_set(**objects)
    _refuse_logs_without_place(call, params.get("MonitoringConfiguration", {}))
    if call.has("placement-group-configs"):
        placements = call.objects("placement-group-configs", shapes["PlacementGroupConfigs"].member)
        params |= members_that_are_set(PlacementGroupConfigs=placements)
    for name, member in SWITCHES.items():
        if call.gives(name):
            params[member] = call.choice(name)
    return params


def _refuse_input_file(call: Call) -> None:
    for name in ("cli-input-json", "cli-input-yaml"):
        if call.has(name):
            word = call.options[name].words[0]
            file = word.text.removeprefix("file://")
            hint = f"import that file: flowspec import {file}" if file != word.text else "import it: flowspec import -"
            call.refuse(f"--{name} contains the whole request", hint, word)


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
    instances_options = ("instance-groups", "instance-fleets", "instance-type")
    if not any(map(call.has, instances_options)) and not call.left_out & {*instances_options}:
        call.refuse("no instances are named", "give --instance-groups, --instance-fleets or --instance-type")
    if call.choice("enable-debugging") and not call.has("log-uri"):
        call.refuse("--enable-debugging needs --log-uri", "", call.options["enable-debugging"].at)


def _refuse_logs_without_place(call: Call, monitoring: Json) -> None:
    """Refuses logs without --log-uri, which the CLI wants unless both of these kinds of logs are disabled."""
    logging = monitoring.get("S3LoggingConfiguration")
    policy = logging.get("LogTypeUploadPolicy") if isinstance(logging, dict) else None
    if not isinstance(policy, dict) or placeholders_in(policy):
        return
    if not call.has("log-uri") and any(policy.get(kind) != "disabled" for kind in ("system-logs", "application-logs")):
        call.refuse("S3LoggingConfiguration needs --log-uri", "", call.options["monitoring-configuration"].at)


def _release(call: Call) -> Json:
    if not call.has("release-label"):
        if call.has("configurations"):
            call.notes.append("--configurations is left out, as the AWS CLI leaves it out beside --ami-version")
        return members_that_are_set(AmiVersion=call.text("ami-version"))
    out: Json = {"ReleaseLabel": call.text("release-label")}
    if call.has("configurations"):
        out["Configurations"] = call.json("configurations")
    return out
