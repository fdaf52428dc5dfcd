"""Checks IAM: the roles and instance profile of a plan, who may assume them, and whether the caller may pass them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias

from flowspec.backend.aws.client import Ask, Emr
from flowspec.backend.aws.preflight.refusals import unchecked
from flowspec.backend.threads import Threads
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.api_model import KeyPath
from flowspec.facts.ids import role_name
from flowspec.facts.recommended import DEFAULT_ROLES
from flowspec.facts.rules.cluster import MANAGED_POLICY_TAG
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding, Level

_Found: TypeAlias = "tuple[list[Finding], list[str]]"
"""The findings, and the ARNs of the roles that the caller has to pass on."""

_CREATE_DEFAULTS = "aws emr create-default-roles creates EMR's default roles"
_ABSENT = "NoSuchEntity"
_EMR, _EC2 = "elasticmapreduce.amazonaws.com", "ec2.amazonaws.com"
# The AWS managed policy for the service role, which allows EMR only what has its tag (Management Guide, "Using the
# default IAM roles").
_MANAGED_POLICY = "AmazonEMRServicePolicy_v2"
_REQUIRED_TAG = (MANAGED_POLICY_TAG, "true")
_ASSUMED = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<name>[^/]+)/")
# The member of RunJobFlow, the spec's word for it, and the service that has to assume the role.
_ROLES = (
    ("ServiceRole", "service_role", "elasticmapreduce."),
    ("AutoScalingRole", "auto_scaling_role", "application-autoscaling."),
    ("StepExecutionRoleArn", "step_execution_role_arn", ""),
)


def role_findings(emr: Emr, plan: Plan) -> list[Finding]:
    """Checks the roles that a new cluster gets."""
    params = plan.request
    # Fewer than run at the same time, so that checks which wait for the caller don't block its thread.
    with Threads() as pool:
        caller = pool.submit(_caller_arn, emr)
        ask = emr.ask("iam")
        roles = [
            pool.submit(_role_findings, ask, caller, params[member], (member,), word, service)
            for member, word, service in _ROLES
            if params.get(member)
        ]
        profile = pool.submit(_profile_findings, ask, caller, params.get("JobFlowRole", ""))
        tags = pool.submit(_tag_findings, ask, params)
        to_emr = [one.result() for one in roles]
        to_ec2 = profile.result()
        passed = {_EMR: [arn for _, arns in to_emr for arn in arns], _EC2: to_ec2[1]}
        found = [one for findings, _ in (*to_emr, to_ec2) for one in findings]
        return [*found, *tags.result(), *_allowed_findings(ask, pool, _principal(caller.result()), passed)]


def _caller_arn(emr: Emr) -> str:
    """Returns the ARN of the caller, "" if STS does not answer."""
    try:
        return str(emr.ask("sts")("GetCallerIdentity")["Arn"])
    except FlowspecError:
        return ""


def _is_elsewhere(role: str, caller: Future[str]) -> bool:
    """Returns True if an ARN belongs to another account, or if the caller's account is unknown."""
    return role.startswith("arn:") and role.split(":")[4] != (caller.result().split(":") + [""] * 5)[4]


def _role_findings(  # noqa: PLR0917 - one role, and what is known of it
    ask: Ask, caller: Future[str], role: str, path: KeyPath, word: str, service: str
) -> _Found:
    subject = f"{word} {role_name(role)}"
    if _is_elsewhere(role, caller):
        return [Finding(Level.UNCHECKED, subject, "is of another account")], []
    try:
        found = ask("GetRole", RoleName=role_name(role))["Role"]
    except FlowspecError as error:
        return [_failed_call_finding(error, subject, path, role, _CREATE_DEFAULTS)], []
    return [_trust_finding(found, subject, path, role, service)], [found["Arn"]]


def _failed_call_finding(error: FlowspecError, subject: str, path: KeyPath, value: str, remedy: str) -> Finding:
    if isinstance(error, ServiceError) and error.code == _ABSENT:
        return Finding(Level.WRONG, subject, "does not exist", remedy, path, value)
    return unchecked(subject, error)


def _trust_finding(role: Mapping[str, Any], subject: str, path: KeyPath, value: str, service: str) -> Finding:
    if not service or _trusts(role.get("AssumeRolePolicyDocument"), service):
        return Finding(Level.OK, subject)
    message = f"can't be assumed by {service}amazonaws.com: its trust policy does not name it"
    return Finding(Level.WRONG, subject, message, "add it to the trust policy as a Principal", path, value)


def _trusts(document: Any, service: str) -> bool:
    """Returns True if a trust policy names a service (or everyone), or can't be read."""
    if not isinstance(document, Mapping):
        return True
    statements = document.get("Statement", ())
    for one in [statements] if isinstance(statements, Mapping) else statements:
        principal = one.get("Principal", {})
        named = principal.get("Service", ()) if isinstance(principal, Mapping) else (principal,)
        names = [named] if isinstance(named, str) else named
        if one.get("Effect") == "Allow" and any(name == "*" or name.startswith(service) for name in names):
            return True
    return False


def _profile_findings(ask: Ask, caller: Future[str], profile: str) -> _Found:
    subject, path = f"job_flow_role {role_name(profile)}", ("JobFlowRole",)
    if not profile:
        return [], []
    if _is_elsewhere(profile, caller):
        return [Finding(Level.UNCHECKED, subject, "is of another account")], []
    try:
        roles = ask("GetInstanceProfile", InstanceProfileName=role_name(profile))["InstanceProfile"].get("Roles", ())
    except FlowspecError as error:
        remedy = "it is the name of an instance profile, not of a role: aws iam create-instance-profile creates one"
        if role_name(profile) == DEFAULT_ROLES["job_flow_role"]:
            remedy = _CREATE_DEFAULTS
        return [_failed_call_finding(error, subject, path, profile, remedy)], []
    if not roles:
        remedy = "aws iam add-role-to-instance-profile adds one"
        return [Finding(Level.WRONG, subject, "is an instance profile without a role", remedy, path, profile)], []
    found = [_trust_finding(role, subject, path, profile, "ec2.") for role in roles]
    return found, [role["Arn"] for role in roles]


def _has_tag(params: Mapping[str, Any]) -> bool:
    return any((tag["Key"], tag.get("Value")) == _REQUIRED_TAG for tag in params.get("Tags", ()))


def _tag_findings(ask: Ask, params: Mapping[str, Any]) -> list[Finding]:
    """Returns a finding when the service role has the managed policy, and the request lacks the tag it asks for."""
    key, value = _REQUIRED_TAG
    if not params.get("ServiceRole") or _has_tag(params):
        return []
    try:
        answer = ask("ListAttachedRolePolicies", RoleName=role_name(params["ServiceRole"]))
    except FlowspecError as error:
        # A role that does not exist is a finding of its own.
        absent = isinstance(error, ServiceError) and error.code == _ABSENT
        return [] if absent else [unchecked(f"tag {key}", error)]
    if all(one["PolicyName"] != _MANAGED_POLICY for one in answer.get("AttachedPolicies", ())):
        return []
    message = f"is missing: service_role has {_MANAGED_POLICY}, which lets EMR use only what has the tag"
    return [Finding(Level.WRONG, f"tag {key}", message, f"tags: {{{key}: {value!r}}}", ("Tags",))]


def _allowed_findings(ask: Ask, pool: Threads, principal: str, passed: Mapping[str, list[str]]) -> Iterator[Finding]:
    """Yields whether the principal may submit and pass the roles on, by simulation of its policies."""
    passes = [("iam:PassRole", arns, service) for service, arns in passed.items() if arns]
    if not passes or not principal:
        return
    questions = [("elasticmapreduce:RunJobFlow", ["*"], ""), *passes]
    for found in pool.map(lambda one: _simulate_policy(ask, principal, *one), questions):
        yield from found


def _simulate_policy(ask: Ask, principal: str, action: str, resources: list[str], service: str) -> list[Finding]:
    try:
        answer = ask("SimulatePrincipalPolicy", **_simulation_params(principal, action, resources, service))
    except FlowspecError as error:
        return [unchecked(f"{action} to {service}" if service else action, error)]
    return [_decision_finding(one, action, role_name(principal)) for one in answer.get("EvaluationResults", ())]


def _simulation_params(principal: str, action: str, resources: list[str], service: str) -> dict[str, Any]:
    # Policies allow PassRole by the service that the role is passed to (IAM User Guide, iam:PassedToService).
    to = {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [service], "ContextKeyType": "string"}
    params = {"PolicySourceArn": principal, "ActionNames": [action], "ResourceArns": resources}
    return {**params, "ContextEntries": [to]} if service else params


def _decision_finding(result: Mapping[str, Any], action: str, caller: str) -> Finding:
    resource = result.get("EvalResourceName", "*")
    subject = action if resource == "*" else f"{action} of {role_name(resource)}"
    if result["EvalDecision"] == "allowed":
        return Finding(Level.OK, subject)
    if result.get("MissingContextValues"):
        asked = ", ".join(result["MissingContextValues"])
        return Finding(Level.UNCHECKED, subject, f"depends on {asked}, which a simulation does not know")
    remedy = f"allow {caller} {action}; `flowspec iam` prints a policy of all that the spec needs"
    return Finding(Level.WRONG, subject, f"is not allowed to {caller} ({result['EvalDecision']})", remedy)


def _principal(caller: str) -> str:
    """Returns the ARN whose policies apply: of an assumed role, the role's; "" for the root user, who has no limits."""
    found = _ASSUMED.match(caller)
    if found:
        return f"arn:{found['partition']}:iam::{found['account']}:role/{found['name']}"
    return "" if caller.endswith(":root") else caller
