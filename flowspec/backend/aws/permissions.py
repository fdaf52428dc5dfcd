"""Computes the least-privilege IAM policies of a flow, offline: for who applies it, and for its instances.

Sources: the Service Authorization Reference of EMR, S3 and IAM (actions, resource types, condition keys), and the
Management Guide on `iam:PassRole`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from flowspec.facts.ids import role_name
from flowspec.facts.mutability import operations
from flowspec.facts.regions import partition_of
from flowspec.facts.uris import is_s3, split_s3
from flowspec.request.data import DataUse, data_uses
from flowspec.request.instances import lives_on
from flowspec.request.steps.access import Use

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request

Policy: TypeAlias = "dict[str, Any]"
Statement: TypeAlias = "dict[str, Any]"

# These actions have no resource type: they are allowed for all clusters, or for none.
_OF_THE_ACCOUNT = ("ListClusters", "RunJobFlow")
_READS = (
    "DescribeCluster",
    "DescribeStep",
    "GetAutoTerminationPolicy",
    "GetManagedScalingPolicy",
    "ListBootstrapActions",
    "ListInstanceFleets",
    "ListInstanceGroups",
    "ListInstances",
    "ListSteps",
)
# What `apply`, `destroy` and `cancel` do to any flow's cluster.
_CHANGES = ("AddTags", "CancelSteps", "RemoveTags", "SetTerminationProtection", "TerminateJobFlows")
_OF_LASTING = ("AddInstanceFleet", "AddInstanceGroups", "AddJobFlowSteps", "SetKeepJobFlowAliveWhenNoSteps")
# The member that names a role, and the service that the role is passed to (Management Guide, "Allow users and groups
# to pass roles").
_PASSED = (
    ("ServiceRole", "elasticmapreduce.amazonaws.com*"),
    ("JobFlowRole", "ec2.amazonaws.com*"),
    ("AutoScalingRole", "application-autoscaling.amazonaws.com*"),
)
_CHECKED_ROLES = ("ServiceRole", "AutoScalingRole", "StepExecutionRoleArn")
# EC2 knows no resource for them (Service Authorization Reference of EC2).
_DESCRIBED_BY_EC2 = (
    "DescribeInstanceTypeOfferings",
    "DescribeKeyPairs",
    "DescribeSecurityGroups",
    "DescribeSubnets",
)
_READ_OBJECT = ("s3:GetObject",)
_WRITE_OBJECT = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")


class Permissions(NamedTuple):
    """Two IAM policies as data: for the principal that applies a flow, and for the role of its instance profile.

    `notes` say what is not in them, or may have to be changed by hand.
    """

    apply: Policy
    instances: Policy
    notes: tuple[str, ...]


def permissions_of(jobflow: JobFlow, request: Request, account: str = "") -> Permissions:
    """Returns the policies that a job flow needs.

    `account` is the 12 digits of the AWS account; any if it is left out.
    """
    params = request.params
    place = _Place.of(jobflow.region, account)
    uses = [one for one in data_uses(params, jobflow.region) if is_s3(one.uri)]
    staged = [asset.uri for asset in request.assets if is_s3(asset.uri)] if jobflow.traits.stages_files else []
    apply = [
        *_emr(jobflow, params, place),
        *_pass_role(params, place),
        # A file that changes while it is sent in parts is deleted (`submission.staging`).
        *_objects("StageFiles", _WRITE_OBJECT, staged, place),
        *_objects("ReadLogs", _READ_OBJECT, [one.uri for one in uses if one.path == ("LogUri",)], place),
        *_hooks(jobflow),
        *_preflight(params, uses, staged, place),
    ]
    # Staged files are among the uses: the request names them.
    instances = [
        *_objects("Read", _READ_OBJECT, _uris(uses, Use.FILE, Use.INPUT), place),
        *_objects("Write", _WRITE_OBJECT, _uris(uses, Use.OUTPUT, Use.TARGET), place),
        *_objects("NamedInArguments", _WRITE_OBJECT, _uris(uses, Use.ARGUMENT), place),
        *_runtime_role(params),
    ]
    return Permissions(_policy(apply), _policy(instances), tuple(_notes(jobflow, params, uses, account)))


class _Place(NamedTuple):
    """The common parts of ARNs: the partition, the region and the account; `*` for an unknown part."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, region: str | None, account: str) -> _Place:
        return cls(partition_of(region or ""), region or "*", account or "*")

    def arn(self, service: str, resource: str) -> str:
        """Returns the ARN of a resource. ARNs of S3 and IAM have no region, and those of S3 no account."""
        region = self.region if service == "elasticmapreduce" else ""
        account = "" if service == "s3" else self.account
        return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"

    def role(self, given: str) -> str:
        """Returns the ARN of a role that is given by its name or ARN, or by its instance profile.

        The role of an instance profile usually has the profile's name; offline nothing else is known.
        """
        return given if ":role/" in given else self.arn("iam", f"role/{role_name(given)}")


def _emr(jobflow: JobFlow, params: Mapping[str, Any], place: _Place) -> Iterator[Statement]:
    clusters = [place.arn("elasticmapreduce", "cluster/*")]
    lasting = lives_on(params)
    changes = {*_CHANGES, *(operations() if lasting else ()), *(_OF_LASTING if lasting else ())}
    # A cluster gets its tags in RunJobFlow, so clusters without these tags can't be changed. (`adopt` tags such a
    # cluster.)
    own = {"StringEquals": {"elasticmapreduce:ResourceTag/flowspec:flow": jobflow.name}}
    new = {"StringEquals": {"aws:RequestTag/flowspec:flow": jobflow.name}}
    yield _statement("FindAndSubmit", _emr_actions(_OF_THE_ACCOUNT), ["*"])
    yield _statement("ReadClusters", _emr_actions(_READS), clusters)
    yield {**_statement("TagOnSubmission", _emr_actions(("AddTags",)), clusters), "Condition": new}
    yield {**_statement("ChangeClustersOfTheFlow", _emr_actions(changes), clusters), "Condition": own}


def _emr_actions(names: Iterable[str]) -> list[str]:
    return [f"elasticmapreduce:{name}" for name in names]


def _pass_role(params: Mapping[str, Any], place: _Place) -> Iterator[Statement]:
    for member, service in _PASSED:
        if role := params.get(member):
            condition = {"StringLike": {"iam:PassedToService": service}}
            yield {**_statement(f"Pass{member}", ["iam:PassRole"], [place.role(role)]), "Condition": condition}


def _runtime_role(params: Mapping[str, Any]) -> Iterator[Statement]:
    """Yields what lets the instances run steps with a role (Management Guide, "Runtime roles for Amazon EMR steps")."""
    if role := params.get("StepExecutionRoleArn"):
        yield _statement("AssumeRuntimeRole", ["sts:AssumeRole", "sts:TagSession"], [role])


def _hooks(jobflow: JobFlow) -> Iterator[Statement]:
    hooks = chain.from_iterable(jobflow.fields.get("hooks", {}).values())
    if topics := sorted({one["sns"] for one in hooks if "sns" in one}):
        yield _statement("PublishToTopics", ["sns:Publish"], topics)


def _preflight(
    params: Mapping[str, Any], uses: Iterable[DataUse], staged: Iterable[str], place: _Place
) -> Iterator[Statement]:
    """Yields what the checks before a submission read (`backend.aws.preflight`). Each of them is left out if denied."""
    roles = sorted({place.role(params[member]) for member in _CHECKED_ROLES if params.get(member)})
    if roles:
        yield _statement("PreflightRoles", ["iam:GetRole", "iam:ListAttachedRolePolicies"], roles)
    if profile := params.get("JobFlowRole"):
        arn = profile if ":instance-profile/" in profile else place.arn("iam", f"instance-profile/{role_name(profile)}")
        yield _statement("PreflightInstanceProfile", ["iam:GetInstanceProfile"], [arn])
    # The policies of the caller are simulated, and the caller is not known here.
    principals = [place.arn("iam", "role/*"), place.arn("iam", "user/*")]
    yield _statement("PreflightSimulation", ["iam:SimulatePrincipalPolicy"], principals)
    yield _statement("PreflightNetwork", [f"ec2:{name}" for name in _DESCRIBED_BY_EC2], ["*"])
    files = {place.arn("s3", "/".join(split_s3(one.uri))) for one in uses if one.use is Use.FILE}
    if files := files - {place.arn("s3", "/".join(split_s3(uri))) for uri in staged}:
        yield _statement("PreflightFiles", _READ_OBJECT, sorted(files))
    if buckets := sorted({place.arn("s3", split_s3(uri)[0]) for uri in (*(one.uri for one in uses), *staged)}):
        # HeadBucket needs this permission as well.
        yield _statement("PreflightBuckets", ["s3:ListBucket"], buckets)


def _objects(sid: str, actions: Iterable[str], uris: Iterable[str], place: _Place) -> Iterator[Statement]:
    """Yields a statement on objects, and one that lists their buckets.

    Without the second, S3 answers "denied" for missing objects.
    """
    resources = sorted({one for uri in uris for one in _keys(uri, place, writes="s3:PutObject" in actions)})
    if resources:
        buckets = sorted({place.arn("s3", split_s3(uri)[0]) for uri in uris})
        yield _statement(f"{sid}Objects", actions, resources)
        yield _statement(f"{sid}Buckets", ["s3:GetBucketLocation", "s3:ListBucket"], buckets)


def _keys(uri: str, place: _Place, *, writes: bool) -> Iterator[str]:
    """Yields the resources of a URI: an object, and all below a folder; for a glob, all keys with its fixed prefix."""
    bucket, key = split_s3(uri)
    wild = min((key.index(one) for one in "*?[{" if one in key), default=-1)
    if wild >= 0:
        yield place.arn("s3", f"{bucket}/{key[:wild]}*")
        return
    folder = key.rstrip("/")
    if folder and not key.endswith("/"):
        yield place.arn("s3", f"{bucket}/{folder}")
    if folder and writes:
        # EMRFS marks a folder with an object of this name.
        yield place.arn("s3", f"{bucket}/{folder}_$folder$")
    yield place.arn("s3", f"{bucket}/{folder}/*" if folder else f"{bucket}/*")


def _uris(uses: Iterable[DataUse], *kinds: Use) -> list[str]:
    return [one.uri for one in uses if one.use in kinds]


def _statement(sid: str, actions: Iterable[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources}


def _policy(statements: Iterable[Statement]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _notes(jobflow: JobFlow, params: Mapping[str, Any], uses: list[DataUse], account: str) -> Iterator[str]:
    if not jobflow.traits.on_aws:
        yield "this target runs on this machine, which needs no permissions: choose a target on EMR with --target"
    if not account:
        yield "the account id is not known, so ARNs contain * in its place: give --account"
    if params.get("JobFlowRole") and ":role/" not in params["JobFlowRole"]:
        yield "the role of the instance profile is assumed to have the same name as the profile"
    if any(one.use is Use.ARGUMENT for one in uses):
        yield "programs get URIs as arguments, and may read or write them: see NamedInArguments"
    if list(chain(params.get("Steps", ()), params.get("BootstrapActions", ()))):
        yield "the policy of the instances lacks what programs use without naming it in their arguments"
    if jobflow.traits.stages_files and jobflow.staging:
        yield f"`flowspec staging prune` also needs s3:DeleteObject for the other files below {jobflow.staging}"
    if role := params.get("StepExecutionRoleArn"):
        yield f"the steps run as {role}, which needs the instances' statements on S3, too"
    if params.get("LogEncryptionKmsKeyId"):
        yield f"the instances also need kms:Encrypt and kms:GenerateDataKey for {params['LogEncryptionKmsKeyId']}"
    yield "statements named Preflight… are optional: without them, `apply` reports its checks as not checked"
