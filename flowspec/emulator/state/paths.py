"""The layout of the embedded EMR's home folder.

<home>/emulator.db, emulator.lock       the store, and the lock for creating its schema
<home>/identity.json                    the id that distinguishes a home from its copies (see `identity`)
<home>/submission.lock                  locked while a flow is submitted
<home>/s3/<bucket>/<key>                the objects of s3://
<home>/tmp/<step>/                      temporary files of a step, while it runs
<home>/clusters/<cluster>/              worker.lock, worker.log, wake, reserve, hdfs/
    s3/, s3.json, s3.lock, s3.incoming/ with an S3 endpoint: its tree and index (see `worker.s3_sync`)
    bootstrap/<n>/                      work/, process and logs of the n-th bootstrap action
    steps/<step>/work/                  the step's working directory
    steps/<step>/logs/                  controller, syslog, stdout, stderr: live, plain text
    steps/<step>/logs/conf/             configuration of a Java program (see `flowspec.engines.jvm`)
    steps/<step>/process                pid file of the step's process
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)


class NotWritable(FlowspecError):
    """A home can't be written to: its disk is full, or it belongs to another user."""


def prepare(folder: Path) -> None:
    """Creates the home if it is missing. Raises FlowspecError."""
    try:
        # 0700: steps' arguments and logs may contain secrets.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for inner in ("clusters", "s3", "tmp"):
            (folder / inner).mkdir(mode=0o700, exist_ok=True)
        for file in (database(folder), layout_lock(folder), submission_lock_file(folder)):
            if not file.exists():
                file.touch(mode=0o600)
    except OSError as error:
        raise os_error_to_user_error(folder, error) from error


def os_error_to_user_error(folder: Path, error: OSError) -> FlowspecError:
    """Turns an OSError in the home into a FlowspecError with a remedy."""
    if error.errno in _NOT_WRITABLE:
        inner = f" ({error.filename})" if error.filename and Path(error.filename) != folder else ""
        return not_writable(folder, f"{error.strerror or error}{inner}")
    return FlowspecError(f"the embedded EMR in {folder}: {error}", remedy="set FLOWSPEC_HOME to another folder")


def not_writable(folder: Path, why: str) -> NotWritable:
    """Returns the error for a home that is not writable."""
    return NotWritable(
        f"FLOWSPEC_HOME is not writable: {folder}: {why}",
        remedy="set FLOWSPEC_HOME to a folder you own, on a disk with space left",
    )


# Joined paths that every call needs are kept: joining them took a tenth of the time of DescribeCluster.
@lru_cache(maxsize=16)
def database(folder: Path) -> Path:
    """Returns the SQLite file of the store."""
    return folder / "emulator.db"


def layout_lock(folder: Path) -> Path:
    """Returns the lock file for creating the store's schema."""
    return folder / "emulator.lock"


def identity_file(folder: Path) -> Path:
    """Returns the file with the id of this home (see `identity`)."""
    return folder / "identity.json"


def submission_lock_file(folder: Path) -> Path:
    """Returns the lock file that serializes submissions (see `submissions`)."""
    return folder / "submission.lock"


def s3_root(folder: Path) -> Path:
    """Returns the folder of s3://, s3n:// and s3a://; its subfolders are the buckets."""
    return folder / "s3"


def resolve_uri(s3_root: Path, uri: str) -> Path:
    """Returns the path of an s3:// URI, a file: URI or an absolute path. Raises FlowspecError for any other."""
    return FileSystems(Path("/"), s3=s3_root).locate(uri)


@lru_cache(maxsize=16)
def clusters(folder: Path) -> Path:
    """Returns the folder of the clusters' folders."""
    return folder / "clusters"


def cluster_folder(folder: Path, cluster_id: str) -> Path:
    """Returns the folder of one cluster: its lock, its worker's log, its HDFS, its steps."""
    return clusters(folder) / cluster_id


def hdfs_root(folder: Path, cluster_id: str) -> Path:
    """Returns the folder of the cluster's hdfs:///."""
    return cluster_folder(folder, cluster_id) / "hdfs"


def cluster_s3(folder: Path, cluster_id: str) -> Path:
    """Returns the folder of s3:// in a cluster that uses an S3 endpoint."""
    return cluster_folder(folder, cluster_id) / "s3"


@lru_cache(maxsize=1024)
def worker_lock(folder: Path, cluster_id: str) -> Path:
    """Returns the file that the cluster's worker keeps locked while it lives."""
    return cluster_folder(folder, cluster_id) / "worker.lock"


def worker_log(folder: Path, cluster_id: str) -> Path:
    """Returns the log of the cluster's worker itself."""
    return cluster_folder(folder, cluster_id) / "worker.log"


def wake_pipe(folder: Path, cluster_id: str) -> Path:
    """Returns the named pipe through which a call wakes the worker."""
    return cluster_folder(folder, cluster_id) / "wake"


def reserve(folder: Path, cluster_id: str) -> Path:
    """Returns the file whose disk space the worker reserves, to store the cluster's end when the disk is full."""
    return cluster_folder(folder, cluster_id) / "reserve"


def step_folder(folder: Path, cluster_id: str, step_id: str) -> Path:
    """Returns the folder of one step."""
    return cluster_folder(folder, cluster_id) / "steps" / step_id


def scratch(folder: Path, step_id: str) -> Path:
    """Returns the folder of a step's temporary files.

    Its path is short because socket paths are limited to 108 bytes.
    """
    return folder / "tmp" / step_id


def remove_scratch(folder: Path, step_id: str) -> None:
    """Removes the temporary files of a step."""
    top = scratch(folder, step_id)
    restore_permissions(top)
    shutil.rmtree(top, ignore_errors=True)


def restore_permissions(top: Path) -> None:
    """Restores the permissions needed to remove a folder tree; a step may have revoked them."""
    with suppress(OSError):
        top.chmod(stat.S_IRWXU)
        for path, folders, _ in os.walk(top):
            for inner in (Path(path, name) for name in folders):
                # A link may point outside of the home.
                if not inner.is_symlink():
                    inner.chmod(stat.S_IRWXU)


def step_logs(folder: Path, cluster_id: str, step_id: str) -> Path:
    """Returns the folder of a step's live logs: controller, syslog, stdout, stderr, as plain text."""
    return step_folder(folder, cluster_id, step_id) / "logs"


def bootstrap_folder(folder: Path, cluster_id: str, number: int) -> Path:
    """Returns the folder of the bootstrap action `number` (from 1)."""
    return cluster_folder(folder, cluster_id) / "bootstrap" / str(number)
