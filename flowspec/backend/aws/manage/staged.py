"""Manages the files that `apply` staged in S3: lists them, finds those that active clusters use, and deletes old ones.

`apply` does not upload a file that is staged already. So that no file is deleted before the cluster that uses it is
active, `staging.stage` uploads files that are older than REFRESH_AFTER again, and only files older than LEAST_AGE, one
day more, are deleted. One risk remains: a file may be staged again between its last check and its deletion. S3 has no
conditional deletion that depends on when an object was written (`IfMatch` compares its content).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.s3 import s3_errors
from flowspec.backend.aws.submission.staging import REFRESH_AFTER
from flowspec.errors import FlowspecError
from flowspec.facts.states import ACTIVE_STEPS, ENDED_STEPS, OPEN
from flowspec.facts.uris import split_s3

LEAST_AGE = REFRESH_AFTER + timedelta(days=1)
"""Younger files are never deleted: an apply may be about to use them."""

# <staging>/<sha256>/<name>: see flowspec.request.assets.
_KEY = re.compile(r"([0-9a-f]{64})/[^/]+")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class StagedFile:
    """An object that an apply staged: its `uri`, the sha256 (hex) in it, size in bytes, and when it was written."""

    uri: str
    sha256: str
    size: int
    modified: datetime


class Refusal(NamedTuple):
    """A file that S3 did not delete: its error's code and message."""

    uri: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """The result for one page of files: those `deleted`, `spared` since they were written again, and `refused`."""

    deleted: tuple[StagedFile, ...]
    spared: tuple[StagedFile, ...]
    refused: tuple[Refusal, ...]


def staged_files(emr: Emr, staging: str) -> Iterator[StagedFile]:
    """Yields the files below a staging folder (an S3 URI) whose names have the form that an apply gives them.

    Sends ListObjectsV2 once for 1000 objects. Raises ServiceError when S3 refuses.
    """
    for page in _pages(emr.s3(), staging):
        yield from page


def _pages(s3: Any, staging: str) -> Iterator[list[StagedFile]]:
    """Yields the staged files of each answer of ListObjectsV2, which has up to 1000 objects."""
    bucket, folder = split_s3(staging)
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    params = {"Bucket": bucket, "Prefix": prefix}
    while True:
        with s3_errors("ListObjectsV2", staging, access="list below it"):
            answer = s3.list_objects_v2(**params)
        yield list(_staged_files(bucket, prefix, answer.get("Contents", ())))
        if not answer.get("IsTruncated"):
            return
        params["ContinuationToken"] = answer["NextContinuationToken"]


def _staged_files(bucket: str, prefix: str, objects: Sequence[Mapping[str, Any]]) -> Iterator[StagedFile]:
    for one in objects:
        found = _KEY.fullmatch(one["Key"].removeprefix(prefix))
        if found:
            yield StagedFile(f"s3://{bucket}/{one['Key']}", found[1], one["Size"], one["LastModified"])


def hashes_in_use(emr: Emr) -> dict[str, str]:
    """Returns the hashes that active clusters of the account and region name, each with the id of such a cluster.

    Searches the description, the bootstrap actions (nodes that are added later run them, too) and the steps of each
    cluster, whoever made it, for anything that looks like a hash. Completed steps are left out: a long-running cluster
    may list steps that are a year old. Sends DescribeCluster, ListBootstrapActions and ListSteps for each. Raises
    FlowspecError when one can't be read.
    """
    found: dict[str, str] = {}
    try:
        for cluster in emr.pages("ListClusters", "Clusters", ClusterStates=list(OPEN)):
            for text in _read_cluster_texts(emr, cluster["Id"]):
                found |= dict.fromkeys(_HASH.findall(text), cluster["Id"])
    except FlowspecError as error:
        raise FlowspecError(
            f"which staged files are in use is not known, and none was deleted: {error.message}", remedy=error.remedy
        ) from error
    return found


def _read_cluster_texts(emr: Emr, cluster_id: str) -> Iterator[str]:
    yield json.dumps(emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"], default=str)
    yield json.dumps(list(emr.pages("ListBootstrapActions", "BootstrapActions", ClusterId=cluster_id)), default=str)
    steps = emr.pages("ListSteps", "Steps", ClusterId=cluster_id, StepStates=_NOT_DONE)
    yield json.dumps(list(steps), default=str)


# A watcher adds a failed step again, with the values that EMR returns for it.
_NOT_DONE = [one for one in (*ACTIVE_STEPS, *ENDED_STEPS) if one != "COMPLETED"]


def delete_staged(emr: Emr, staging: str, files: Collection[StagedFile], *, before: datetime) -> Iterator[Deletion]:
    """Deletes those of `files` that are still there and were written before a time; yields after each page.

    The folder is listed again for that, so that there is only one call between the check of a file and its deletion.
    Sends ListObjectsV2 and DeleteObjects for 1000 objects. Raises ServiceError when S3 refuses a call as a whole.
    """
    s3, chosen = emr.s3(), {one.uri for one in files}
    for page in _pages(s3, staging):
        named = [one for one in page if one.uri in chosen]
        doomed = [one for one in named if one.modified < before]
        refused = tuple(_delete(s3, staging, doomed)) if doomed else ()
        kept = {one.uri for one in refused}
        yield Deletion(
            tuple(one for one in doomed if one.uri not in kept),
            tuple(one for one in named if one.modified >= before),
            refused,
        )


def _delete(s3: Any, staging: str, files: Sequence[StagedFile]) -> Iterator[Refusal]:
    """Deletes up to 1000 files of one bucket; yields the refusals of those that S3 did not delete."""
    bucket, _ = split_s3(staging)
    objects = [{"Key": split_s3(one.uri)[1]} for one in files]
    with s3_errors("DeleteObjects", staging, access="delete below it"):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    for one in answer.get("Errors", ()):
        yield Refusal(f"s3://{bucket}/{one.get('Key', '')}", one.get("Code", ""), one.get("Message", ""))
