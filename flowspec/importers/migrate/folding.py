"""The calls of a script -> what each job flow asks for, with what was done to it later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from flowspec.facts.api_model import Json
from flowspec.importers.later_calls import fold
from flowspec.importers.placeholders import Variable, Wanted, placeholder

_DATES = {"date": "%Y-%m-%d", "date_digits": "%Y%m%d", "date_path": "%Y/%m/%d"}
# The days that launch scripts take from the clock, with the filter that makes each of `ds`.
_DAYS = {"": (0, ""), "_yesterday": (-1, " | days(-1)")}

# What only asks.
_HARMLESS = ("Describe", "List", "Get")


@dataclass
class _JobFlow:
    params: Json
    region: str
    notes: list[str] = field(default_factory=list)


def job_flows(calls: Iterable[Mapping[str, Any]]) -> tuple[Wanted, ...]:
    """Returns the job flows that calls made, in order; the notes of each tell what a request can't say."""
    calls = list(calls)
    flows: dict[str, _JobFlow] = {}
    rest: list[str] = []
    uploads: dict[str, str] = {}
    for call in calls:
        operation, params = call["operation"], call["params"]
        if operation == "Upload" and params["To"].startswith("s3://"):
            uploads[params["To"]] = params["File"]
        elif operation == "Upload":
            rest.append(f"the script uploads {params['File']} to {params['To']}: nothing else does it for the spec")
        elif call["service"] != "emr":
            continue
        elif operation == "RunJobFlow":
            refused = [f"EMR refuses this request: {call['refused']}"] if "refused" in call else []
            flows[call["id"] or f"refused {len(flows)}"] = _JobFlow(params, call["region"], refused)
        elif "refused" in call and not operation.startswith(_HARMLESS):
            note = f"{operation} is not imported: EMR refuses it ({call['refused']})"
            owners = [flows[one].notes for one in _clusters_of(call) if one in flows]
            for notes in owners or [rest]:
                notes.append(note)
        elif not operation.startswith(_HARMLESS):
            _fold(flows, call, rest)
    if sampled := _sampled_operations(calls):
        note = "the answers to these calls were made up; check values such as sample-… and subnet-0123456789abcdef0"
        rest.append(f"{note}: {sampled}")
    return tuple(
        replace(
            _with_dates(flow.params),
            region=flow.region,
            notes=tuple(dict.fromkeys((*flow.notes, *_notes_on_written_objects(flow, calls), *rest))),
            uploads=uploads,
        )
        for flow in flows.values()
    )


def _notes_on_written_objects(flow: _JobFlow, calls: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yields a note on each object of S3 that a script writes itself, and that its request names."""
    text = json.dumps(flow.params, ensure_ascii=False)
    for call in calls:
        uri = call["params"]["To"] if call["operation"] == "PutObject" else ""
        # Requests also name objects as s3n:// and s3a://.
        named = re.escape(json.dumps(uri[5:], ensure_ascii=False)[1:-1])
        if uri and re.search(rf"(?<![\w.-]){named}(?![\w.-])", text):
            yield f"the script writes {uri}, which the request names: nothing else does it for the spec"


def _with_dates(params: Json) -> Wanted:
    """Returns a request with variables for the dates of the script's run.

    The default is the same day of the spec's run.
    """
    text = json.dumps(params, ensure_ascii=False)
    variables = {}
    now = datetime.now(timezone.utc)
    for suffix, (days, shift) in _DAYS.items():
        for name, form in _DATES.items():
            # A script may ask for the local day or for that of UTC, as `ds` is.
            dates = {(one + timedelta(days=days)).strftime(form) for one in (now, now.astimezone())}
            found = re.compile(rf"(?<!\d)({'|'.join(sorted(dates))})(?!\d)")
            if found.search(text):
                text = found.sub(placeholder(f"{name}{suffix}"), text)
                turned = "" if form == "%Y-%m-%d" else f" | strftime('{form}')"
                described = {
                    "description": f"the script took the date of {'yesterday' if days else 'its run'}, as {form}"
                }
                variables[f"{name}{suffix}"] = Variable(rules=described, template=f"{{{{ ds{shift}{turned} }}}}")
    return Wanted(json.loads(text), variables)


def reasons(calls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yields why a script may have launched no job flow, each with the remedy."""
    calls = list(calls)
    for call in calls:
        operation, params = call["operation"], call["params"]
        if operation == "MissingModule":
            yield f"the module {params['Name']} is missing", "install it beside flowspec, or migrate the script itself"
        elif operation == "Python2":
            remedy = (
                "make it Python 3 first: `2to3 -w SCRIPT`, which Python has up to 3.12, or the package fissix does it"
            )
            yield "it is Python 2", remedy
        elif operation == "Connection":
            remedy = "nothing is sent: put what the script asks for into a file beside it"
            yield f"a connection to {params['To']} was refused", remedy
    if sampled := _sampled_operations(calls):
        yield f"{sampled} answered with samples", "give their content with --answer FILE"
    yield from _steps_on_existing_clusters(calls)


def _sampled_operations(calls: Iterable[Mapping[str, Any]]) -> str:
    """Returns the operations, each once, whose answers were samples; "" for none."""
    found = [one for one in calls if one["service"] not in ("", "emr") and one["operation"] != "Upload"]
    return ", ".join(dict.fromkeys(f"{one['service']}.{one['operation']}" for one in found if not one.get("known")))


def _steps_on_existing_clusters(calls: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    added = [call for call in calls if call["operation"] == "AddJobFlowSteps" and "refused" not in call]
    if added and not any(call["operation"] == "RunJobFlow" for call in calls):
        names = ", ".join(dict.fromkeys(str(call["params"]["JobFlowId"]) for call in added))
        yield (
            f"it adds steps to {names}, which exists already",
            "import the cluster's own request, and put the steps into its spec",
        )


def _clusters_of(call: Mapping[str, Any]) -> list[str]:
    """Returns the ids of the clusters that a call is about."""
    params = call["params"]
    owner = params.get("JobFlowId") or params.get("ClusterId") or params.get("ResourceId") or call["id"]
    return [str(one) for one in params.get("JobFlowIds") or [owner] if one]


def _fold(flows: Mapping[str, _JobFlow], call: Mapping[str, Any], rest: list[str]) -> None:
    operation, params = call["operation"], call["params"]
    named = _clusters_of(call)
    if not named:
        rest.append(f"{operation} is not imported: it is about no cluster, and `flowspec apply` does not do it")
        return
    for name in named:
        flow = flows.get(name)
        if flow is None:
            rest.append(f"{operation} on {name}, which the script did not make, is not imported")
        else:
            note = fold(flow.params, operation, params)
            flow.notes += [note] if note else []
