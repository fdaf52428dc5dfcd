"""Checks S3: buckets, and the objects in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowspec.backend.aws.client import Ask, Emr
from flowspec.backend.aws.preflight.refusals import not_checked, unchecked
from flowspec.backend.preflight_data import (
    NotChecked,
    data_findings,
    finding,
    used_data,
    uses_submitted,
)
from flowspec.backend.threads import Threads
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.uris import is_s3, split_s3
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Finding, Level
from flowspec.request.data import GLOB, DataUse
from flowspec.request.steps.access import Use

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
# EMR's own programs are in a public bucket of each region.
_OF_EMR = re.compile(r"[a-z0-9-]+\.elasticmapreduce")
# Pages of 1000 keys that are read for one glob, or for a prefix that many keys have.
_PAGES = 5


class S3Store:
    """The objects of S3 as a `Store`."""

    def __init__(self, ask: Ask, absent: frozenset[str] = frozenset()) -> None:
        self._ask = ask
        self._absent = absent

    def has(self, uri: str) -> bool:
        """Returns True for S3 URIs, except those in EMR's own buckets, and in missing buckets, which have findings."""
        return _is_checkable(uri) and split_s3(uri)[0] not in self._absent

    def object_exists(self, uri: str) -> bool:
        """Sends HeadObject, for which GetObject suffices as a permission."""
        bucket, key = split_s3(uri)
        try:
            self._ask("HeadObject", Bucket=bucket, Key=key)
        except ServiceError as error:
            if error.code in _MISSING:
                return False
            raise not_checked(error) from error
        except FlowspecError as error:
            raise not_checked(error) from error
        return True

    def path_exists(self, uri: str) -> bool:
        """Lists the keys that begin like the path, in one call unless they are more than a thousand."""
        bucket, key = split_s3(uri)
        if not key.strip("/"):
            return any(True for _ in self._names(bucket, ""))
        # Imported only if something is in S3: the import for globs takes 4 ms.
        from flowspec.engines.streaming.hadoop.globs import BadPattern, expand_braces

        try:
            patterns = [_Pattern(one) for one in expand_braces(key.strip("/"))]
            return any(one.matches(name) for one in patterns for name in self._names(bucket, one.fixed, one.deep))
        except BadPattern as error:
            raise NotChecked(f"is not a glob that Hadoop can read: {error}") from error

    def _names(self, bucket: str, prefix: str, deep: bool = False) -> Iterator[str]:
        """Yields the keys, and unless `deep` the folders, that begin with a prefix."""
        params: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, **({} if deep else {"Delimiter": "/"})}
        for _ in range(_PAGES):
            try:
                answer = self._ask("ListObjectsV2", **params)
            except FlowspecError as error:
                raise not_checked(error) from error
            yield from (one["Key"] for one in answer.get("Contents", ()))
            yield from (one["Prefix"] for one in answer.get("CommonPrefixes", ()))
            if not answer.get("IsTruncated"):
                return
            params["ContinuationToken"] = answer["NextContinuationToken"]
        raise NotChecked(f"more than {_PAGES * 1000} keys begin with {prefix}")


def _is_checkable(uri: str) -> bool:
    """Returns True for S3 URIs, but for those in EMR's own buckets."""
    return is_s3(uri) and not _OF_EMR.fullmatch(split_s3(uri)[0])


class _Pattern:
    """A key, perhaps with wildcards. Names must begin with `fixed`; `deep` if they may be in subfolders."""

    def __init__(self, key: str) -> None:
        from flowspec.engines.streaming.hadoop.globs import component_pattern

        wild = GLOB.search(key)
        self.fixed = key[: wild.start()] if wild else key
        self.deep = "/" in key[len(self.fixed) :]
        self._components = [component_pattern(one) or _literal(one) for one in key.split("/")]

    def matches(self, name: str) -> bool:
        """Returns True if a key, or a folder above it, is what the pattern means."""
        # Hadoop's S3 file systems keep an empty folder as an object of the name `folder_$folder$`.
        parts = name.removesuffix("_$folder$").rstrip("/").split("/")
        if len(parts) < len(self._components):
            return False
        return all(one.fullmatch(part) for one, part in zip(self._components, parts, strict=False))


def _literal(component: str) -> re.Pattern[str]:
    return re.compile(re.escape(re.sub(r"\\(.)", r"\1", component)))


def storage_findings(emr: Emr, plan: Plan) -> list[Finding]:
    """Checks the buckets that a plan uses, and the data that its steps read and write."""
    uses = used_data(plan, emr.region)
    wanted = uses_submitted(plan, uses)
    of_s3 = [one for one in wanted if _is_checkable(one.uri)]
    staging = [DataUse(asset.uri, Use.TARGET, "staging", ()) for asset in plan.uploads[:1]]
    buckets = {split_s3(one.uri)[0]: one for one in reversed([*of_s3, *staging])}
    # A client of S3 takes 40 ms to make.
    ask = emr.ask("s3") if buckets else _refuse_call
    with Threads() as pool:
        found = list(pool.map(lambda one: _bucket_finding(ask, one, buckets[one], emr.region), reversed(buckets)))
    absent = {name for (name, _), one in zip(reversed(buckets.items()), found, strict=True) if one.level is Level.WRONG}
    return [*found, *data_findings(plan, uses, wanted, S3Store(ask, frozenset(absent)), emr.region)]


def _refuse_call(operation: str, **_: Any) -> dict[str, Any]:
    raise NotChecked(f"{operation} is not called, since nothing is in S3")


def _bucket_finding(ask: Ask, bucket: str, use: DataUse, region: str) -> Finding:
    subject = f"bucket {bucket}"
    about = finding(Level.OK, use)
    try:
        headers = ask("HeadBucket", Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except ServiceError as error:
        if error.code in _MISSING:
            message, remedy = f"does not exist; {use.part} names it", f"aws s3 mb s3://{bucket} creates it"
            return Finding(Level.WRONG, subject, message, remedy, about.path, about.value)
        if error.code != "301":
            return unchecked(subject, error)
        return Finding(Level.WARNING, subject, f"is not in {region}", _ELSEWHERE, about.path, about.value)
    except FlowspecError as error:
        return unchecked(subject, error)
    there = headers.get("x-amz-bucket-region", region)
    if there != region:
        return Finding(Level.WARNING, subject, f"is in {there}, not in {region}", _ELSEWHERE, about.path, about.value)
    return Finding(Level.OK, subject)


_ELSEWHERE = "data crosses regions, which is slower and costs money"
