"""IAM: the roles and the instance profile of a plan, who may assume them, and whether its caller may pass them on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.preflight.ahead import Ahead
from flowspec.backend.aws.preflight.refusals import reason
from flowspec.backend.preflight.threads import Threads
from flowspec.errors import FlowspecError, ServiceError
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding, Level, Path

_Passed: TypeAlias = "dict[str, list[str]]"
"""The ARNs of the roles that are passed on, by the service that they are passed to."""

_ABSENT = "NoSuchEntity"
_EMR, _EC2 = "elasticmapreduce.amazonaws.com", "ec2.amazonaws.com"
# The AWS managed policy for the service role, which allows EMR only what has its tag (Management Guide, "Using the
# default IAM roles").
_MANAGED_POLICY = "AmazonEMRServicePolicy_v2"
MANAGED_POLICY_TAG = ("for-use-with-amazon-emr-managed-policies", "true")
_ASSUMED = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<name>[^/]+)/")
# The member of RunJobFlow, the spec's word for it, and the service that has to assume the role.
_ROLES = (
    ("ServiceRole", "service_role", "elasticmapreduce."),
    ("AutoScalingRole", "auto_scaling_role", "application-autoscaling."),
    ("StepExecutionRoleArn", "step_execution_role_arn", ""),
)


def role_findings(emr: Emr, plan: Plan) -> list[Finding]:
    """Checks the roles that a new cluster gets."""
    with Threads() as pool:
        caller = pool.submit(_caller, emr)
        ask = Ahead(emr.ask("iam"), pool)
        _begin(ask, plan.request)
        return _findings(ask, plan.request, caller.result())


def _begin(ask: Ahead, params: Mapping[str, Any]) -> None:
    """Sends the calls that do not depend on who the caller is."""
    for role in {params[member] for member, _, _ in _ROLES if params.get(member)}:
        if not role.startswith("arn:"):
            ask.begin("GetRole", RoleName=_name(role))
    profile = params.get("JobFlowRole", "arn:")
    if not profile.startswith("arn:"):
        ask.begin("GetInstanceProfile", InstanceProfileName=_name(profile))
    if params.get("ServiceRole") and not _has_tag(params):
        ask.begin("ListAttachedRolePolicies", RoleName=_name(params["ServiceRole"]))


def _findings(ask: Ahead, params: Mapping[str, Any], caller: str) -> list[Finding]:
    found: list[Finding] = []
    passed: _Passed = {}
    for member, word, service in _ROLES:
        if name := params.get(member):
            found += _role_findings(ask, name, (member,), f"{word} {_name(name)}", service, caller, passed)
    if params.get("JobFlowRole"):
        found += _profile_findings(ask, params["JobFlowRole"], caller, passed)
    if params.get("ServiceRole"):
        found += _tag_findings(ask, params)
    return [*found, *_allowed_findings(ask, caller, passed)]


def _caller(emr: Emr) -> str:
    """Returns the ARN of who asks, "" when that is not told."""
    try:
        return str(emr.ask("sts")("GetCallerIdentity")["Arn"])
    except FlowspecError:
        return ""


def _name(role: str) -> str:
    """Returns the name of a role or instance profile that is given by name or ARN."""
    return role.rpartition("/")[2]


def _is_elsewhere(role: str, caller: str) -> bool:
    """Returns True if an ARN is of another account, or it is not known of which the caller is."""
    return role.startswith("arn:") and role.split(":")[4] != (caller.split(":") + [""] * 5)[4]


def _role_findings(  # noqa: PLR0917 - one role, and what is known of the caller
    ask: Ahead, role: str, path: Path, subject: str, service: str, caller: str, passed: _Passed
) -> Iterator[Finding]:
    """Yields what is found of a role; its ARN is added to `passed`."""
    if _is_elsewhere(role, caller):
        yield Finding(Level.UNCHECKED, subject, "is of another account")
        return
    try:
        found = ask("GetRole", RoleName=_name(role))["Role"]
    except FlowspecError as error:
        yield _unanswered(error, subject, path, role, "aws emr create-default-roles makes EMR's default roles")
        return
    passed.setdefault(_EMR, []).append(found["Arn"])
    yield _trust_finding(found, subject, path, role, service)


def _unanswered(error: FlowspecError, subject: str, path: Path, value: str, remedy: str) -> Finding:
    if isinstance(error, ServiceError) and error.code == _ABSENT:
        return Finding(Level.WRONG, subject, "does not exist", remedy, path, value)
    return Finding(Level.UNCHECKED, subject, reason(error))


def _trust_finding(role: Mapping[str, Any], subject: str, path: Path, value: str, service: str) -> Finding:
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


def _profile_findings(ask: Ahead, profile: str, caller: str, passed: _Passed) -> Iterator[Finding]:
    subject, path = f"job_flow_role {_name(profile)}", ("JobFlowRole",)
    if _is_elsewhere(profile, caller):
        yield Finding(Level.UNCHECKED, subject, "is of another account")
        return
    try:
        roles = ask("GetInstanceProfile", InstanceProfileName=_name(profile))["InstanceProfile"].get("Roles", ())
    except FlowspecError as error:
        remedy = "it is the name of an instance profile, not of a role: aws iam create-instance-profile makes one"
        yield _unanswered(error, subject, path, profile, remedy)
        return
    if not roles:
        remedy = "aws iam add-role-to-instance-profile adds one"
        yield Finding(Level.WRONG, subject, "is an instance profile without a role", remedy, path, profile)
    for role in roles:
        passed.setdefault(_EC2, []).append(role["Arn"])
        yield _trust_finding(role, subject, path, profile, "ec2.")


def _has_tag(params: Mapping[str, Any]) -> bool:
    return any((tag["Key"], tag.get("Value")) == MANAGED_POLICY_TAG for tag in params.get("Tags", ()))


def _tag_findings(ask: Ahead, params: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields a finding when the service role has the managed policy, and the request lacks the tag that it asks for."""
    key, value = MANAGED_POLICY_TAG
    if _has_tag(params):
        return
    try:
        answer = ask("ListAttachedRolePolicies", RoleName=_name(params["ServiceRole"]))
    except ServiceError as error:
        if error.code != _ABSENT:
            yield Finding(Level.UNCHECKED, f"tag {key}", reason(error))
        return
    except FlowspecError as error:
        yield Finding(Level.UNCHECKED, f"tag {key}", reason(error))
        return
    if any(one["PolicyName"] == _MANAGED_POLICY for one in answer.get("AttachedPolicies", ())):
        message = f"is missing: service_role has {_MANAGED_POLICY}, which lets EMR use only what has the tag"
        yield Finding(Level.WRONG, f"tag {key}", message, f"tags: {{{key}: {value!r}}}", ("Tags",))


def _allowed_findings(ask: Ahead, caller: str, passed: _Passed) -> Iterator[Finding]:
    """Yields whether the caller may submit and pass the roles on, by simulation of its policies."""
    principal = _principal(caller)
    if not passed or not principal:
        return
    questions = [("elasticmapreduce:RunJobFlow", ["*"], "")]
    questions += [("iam:PassRole", arns, service) for service, arns in passed.items()]
    asked = [(action, service, _simulation(principal, action, arns, service)) for action, arns, service in questions]
    for _, _, params in asked:
        ask.begin("SimulatePrincipalPolicy", **params)
    for action, service, params in asked:
        try:
            answer = ask("SimulatePrincipalPolicy", **params)
        except FlowspecError as error:
            yield Finding(Level.UNCHECKED, f"{action} to {service}" if service else action, reason(error))
            continue
        yield from (_decision(one, action, _name(principal)) for one in answer.get("EvaluationResults", ()))


def _simulation(principal: str, action: str, resources: list[str], service: str) -> dict[str, Any]:
    # Policies allow PassRole by the service that the role is passed to (IAM User Guide, iam:PassedToService).
    to = {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [service], "ContextKeyType": "string"}
    params = {"PolicySourceArn": principal, "ActionNames": [action], "ResourceArns": resources}
    return {**params, "ContextEntries": [to]} if service else params


def _decision(result: Mapping[str, Any], action: str, caller: str) -> Finding:
    resource = result.get("EvalResourceName", "*")
    subject = action if resource == "*" else f"{action} of {_name(resource)}"
    if result["EvalDecision"] == "allowed":
        return Finding(Level.OK, subject)
    if result.get("MissingContextValues"):
        asked = ", ".join(result["MissingContextValues"])
        return Finding(Level.UNCHECKED, subject, f"depends on {asked}, which a simulation does not know")
    remedy = f"allow {caller} {action}; `flowspec iam` prints a policy of all that the spec needs"
    return Finding(Level.WRONG, subject, f"is not allowed to {caller} ({result['EvalDecision']})", remedy)


def _principal(caller: str) -> str:
    """Returns the ARN whose policies count: of an assumed role the role's; "" for the root user, whom none limit."""
    found = _ASSUMED.match(caller)
    if found:
        return f"arn:{found['partition']}:iam::{found['account']}:role/{found['name']}"
    return "" if caller.endswith(":root") else caller
