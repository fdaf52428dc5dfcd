"""Operations on settings of an account and region: security configurations, block public access.

They are only stored: the emulator neither encrypts nor opens ports.
"""

from __future__ import annotations

import json
from typing import Any

from flowspec.emulator.api.calls import Call, Operation, Params, page
from flowspec.emulator.errors import invalid_request, not_found
from flowspec.emulator.state import ids
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record
from flowspec.facts.regions import partition_of

_KIND = "security_configuration"
_LONGEST_NAME = 10280
"""Characters (botocore's XmlString)."""

# The default of an account: only SSH may be public (Management Guide, block public access).
_DEFAULT_BLOCK = {
    "BlockPublicSecurityGroupRules": True,
    "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
}
_HIGHEST_PORT = 65535


def create_security_configuration(call: Call, params: Params) -> Answer:
    """Answers CreateSecurityConfiguration: stores the JSON text unchanged."""
    name, text = params["Name"], params["SecurityConfiguration"]
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise invalid_request(f"The name of a security configuration must have 1 to {_LONGEST_NAME} characters.")
    _check_json(text)
    if _find(call, name):
        raise invalid_request(f"SecurityConfiguration with name {name} already exists")
    made = Record(_KIND, _id(call, name), "", call.settings.region, "", call.now, {"name": name, "text": text})
    call.store.add(made)
    return {"Name": name, "CreationDateTime": made.created}


def _check_json(text: str) -> None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid_request("The security configuration is not a valid JSON object.")


def _id(call: Call, name: str) -> str:
    return f"{_KIND}:{call.settings.region}:{name}"


def _find(call: Call, name: str) -> Record | None:
    return call.store.get(_KIND, _id(call, name))


def _require_existing(call: Call, name: str) -> Record:
    found = _find(call, name)
    if found is None:
        raise not_found(f"Security configuration with name '{name}' does not exist.")
    return found


def require(call: Call, name: str | None) -> None:
    """Checks that a security configuration that a RunJobFlow names exists in the region. Raises EmrError."""
    if name and call.settings.account_rules:
        _require_existing(call, name)


def describe_security_configuration(call: Call, params: Params) -> Answer:
    """Answers DescribeSecurityConfiguration."""
    found = _require_existing(call, params["Name"])
    return {**_summary(found), "SecurityConfiguration": found.doc["text"]}


def _summary(found: Record) -> Answer:
    return {"Name": found.doc["name"], "CreationDateTime": found.created}


def delete_security_configuration(call: Call, params: Params) -> Answer:
    """Answers DeleteSecurityConfiguration."""
    call.store.delete(_require_existing(call, params["Name"]))
    return {}


def list_security_configurations(call: Call, params: Params) -> Answer:
    """Answers ListSecurityConfigurations, in order of creation, 50 on a page."""
    found = call.store.find(_KIND, region=call.settings.region)
    shown, more = page([(one.seq, _summary(one)) for one in found], params)
    return {"SecurityConfigurations": shown, **more}


def _block_record(call: Call) -> Record:
    name = f"block_public_access:{call.settings.region}"
    kept = call.store.get("account", name)
    return kept or Record(
        "account", name, "", call.settings.region, "", call.now, {"block": _DEFAULT_BLOCK, "at": call.now}
    )


def get_block_public_access(call: Call, _: Params) -> Answer:
    """Answers GetBlockPublicAccessConfiguration."""
    block = _block_record(call)
    by = f"arn:{partition_of(call.settings.region)}:iam::{ids.ACCOUNT}:root"
    return {
        "BlockPublicAccessConfiguration": block.doc["block"],
        "BlockPublicAccessConfigurationMetadata": {"CreationDateTime": block.doc["at"], "CreatedByArn": by},
    }


def put_block_public_access(call: Call, params: Params) -> Answer:
    """Answers PutBlockPublicAccessConfiguration. MaxRange defaults to MinRange."""
    wanted = params["BlockPublicAccessConfiguration"]
    ranges = [_checked_range(one) for one in wanted.get("PermittedPublicSecurityGroupRuleRanges", ())]
    block = _block_record(call)
    block.doc = {"block": {**wanted, "PermittedPublicSecurityGroupRuleRanges": ranges}, "at": call.now}
    if block.seq:
        call.store.save(block)
    else:
        call.store.add(block)
    return {}


def _checked_range(given: dict[str, Any]) -> dict[str, int]:
    least, most = given["MinRange"], given.get("MaxRange", given["MinRange"])
    if not 0 <= least <= most <= _HIGHEST_PORT:
        raise invalid_request(f"The port range {least}-{most} is not within 0-{_HIGHEST_PORT}.")
    return {"MinRange": least, "MaxRange": most}


OPERATIONS: dict[str, Operation] = {
    "CreateSecurityConfiguration": create_security_configuration,
    "DeleteSecurityConfiguration": delete_security_configuration,
    "DescribeSecurityConfiguration": describe_security_configuration,
    "GetBlockPublicAccessConfiguration": get_block_public_access,
    "ListSecurityConfigurations": list_security_configurations,
    "PutBlockPublicAccessConfiguration": put_block_public_access,
}
