"""Checks of AWS: credentials, region, roles and buckets. Without credentials nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from flowspec.doctor.check import Check, State, Work, absent_check
from flowspec.doctor.needs import Needs
from flowspec.errors import FlowspecError, ServiceError

if TYPE_CHECKING:
    from flowspec.backend.aws.account import Account
    from flowspec.backend.aws.client import Endpoint


def credentials_check(endpoint: Endpoint, *, needed: bool, timeout: float, keep: Callable[[Account], None]) -> Work:
    """Returns the check that looks for credentials, and hands the account that they give to `keep`."""

    def look() -> Check:
        from flowspec.backend.aws.account import Account

        try:
            account = Account(endpoint, timeout=timeout)
        except FlowspecError as error:
            return absent_check("credentials", error.message, error.remedy, needed=needed)
        keep(account)
        return Check("credentials", State.OK, f"from {account.method}")

    return "credentials", look


def account_checks(endpoint: Endpoint, account: Account | None, needs: Needs) -> Iterator[Work]:
    """Yields the checks that ask AWS; without an account, and at another endpoint, they are not made."""
    yield "region", partial(_region, endpoint, account, needed=bool(needs.on_aws))
    if account is None or endpoint.endpoint_url:
        reason = "checked only on AWS itself" if account else "needs credentials"
        for name in _names(needs):
            yield name, partial(Check, name, State.UNCHECKED, reason)
        return
    yield "account", partial(_caller, account, needed=bool(needs.on_aws))
    remedy = (
        "create it in IAM (`aws emr create-default-roles` creates EMR's default roles), or name another in the spec"
    )
    for name in needs.roles:
        yield f"role {name}", partial(_existence_check, f"role {name}", account.has_role, name, remedy)
    for name in needs.profiles:
        yield (
            f"profile {name}",
            partial(_existence_check, f"profile {name}", account.has_instance_profile, name, remedy),
        )
    for name in needs.buckets:
        make = f"`aws s3 mb s3://{name}` creates it, or name another in the spec"
        yield f"bucket {name}", partial(_existence_check, f"bucket {name}", account.has_bucket, name, make)


def _names(needs: Needs) -> list[str]:
    kinds = {"role": needs.roles, "profile": needs.profiles, "bucket": needs.buckets}
    return [f"{kind} {name}" for kind, names in kinds.items() for name in names]


def _region(endpoint: Endpoint, account: Account | None, *, needed: bool) -> Check:
    from flowspec.backend.aws.call_errors import missing_region_error
    from flowspec.backend.aws.client import regions

    region = account.region if account else endpoint.region
    if region is None:
        error = missing_region_error()
        return absent_check("region", error.message, error.remedy, needed=needed and account is not None)
    if region not in regions() and not endpoint.endpoint_url:
        remedy = "check its name; `pip install --upgrade boto3` brings newer regions"
        return absent_check("region", f"{region} has no EMR, by the installed boto3", remedy, needed=needed)
    return Check("region", State.OK, region)


def _caller(account: Account, *, needed: bool) -> Check:
    try:
        return Check("account", State.OK, account.caller())
    except ServiceError as error:
        remedy = error.remedy or "renew the credentials: `aws sso login`, `aws configure`, or new AWS_… variables"
        return absent_check("account", f"AWS refuses the credentials: {error.code}", remedy, needed=needed)


def _existence_check(what: str, exists: Callable[[str], bool], name: str, remedy: str) -> Check:
    from flowspec.backend.aws.call_errors import is_denied

    try:
        found = exists(name)
    except FlowspecError as error:
        if not is_denied(error):
            raise
        return Check(what, State.UNCHECKED, "these credentials do not allow this check")
    return Check(what, State.OK, "is there") if found else absent_check(what, "is not there", remedy, needed=True)
