"""Operations on the tags of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowspec.emulator.api import request_validation
from flowspec.emulator.api.calls import Call, Operation, Params
from flowspec.emulator.errors import invalid_request
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record
from flowspec.facts import states


def merged(present: Mapping[str, str], new: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Merges `new` tags over `present` ones; the default of a value is the empty string."""
    return {**present, **{tag["Key"]: tag.get("Value") or "" for tag in new}}


def add_tags(call: Call, params: Params) -> Answer:
    """Answers AddTags: overwrites tags with equal keys."""
    cluster = _taggable(call, params)
    request_validation.check_tags(params["Tags"], present=list(cluster.doc["tags"]))
    cluster.doc["tags"] = merged(cluster.doc["tags"], params["Tags"])
    call.store.save(cluster)
    return {}


def remove_tags(call: Call, params: Params) -> Answer:
    """Answers RemoveTags: ignores keys that the cluster does not have."""
    cluster = _taggable(call, params)
    gone = set(params["TagKeys"])
    cluster.doc["tags"] = {key: value for key, value in cluster.doc["tags"].items() if key not in gone}
    call.store.save(cluster)
    return {}


def _taggable(call: Call, params: Params) -> Record:
    cluster = call.cluster(params["ResourceId"])
    if cluster.state in states.ENDED:
        raise invalid_request("Tags cannot be modified on terminated clusters.")
    return cluster


OPERATIONS: dict[str, Operation] = {"AddTags": add_tags, "RemoveTags": remove_tags}
