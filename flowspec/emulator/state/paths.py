"""Where the embedded EMR lives on disk.

<home>/emulator.db, emulator.lock       the store, and what is locked while it is laid out
<home>/s3/<bucket>/<key>                what s3:// means here
<home>/tmp/<step>/                      temporary files of a step, while it runs
<home>/clusters/<cluster>/              worker.lock, worker.log, wake, reserve, hdfs/
    s3/, s3.json, s3.lock, s3.incoming/ if its S3 is elsewhere: its mirror (see `mirror`)
    bootstrap/<n>/                      work/, process and logs of the n-th bootstrap action
    steps/<step>/work/                  the step's working directory
    steps/<step>/logs/                  controller, syslog, stdout, stderr: live, plain text
    steps/<step>/logs/conf/             configuration of a Java program (see `flowspec.engines.jvm`)
    steps/<step>/process                which process runs it
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)


def home() -> Path:
    """The folder that holds all state: FLOWSPEC_HOME, else `flowspec` in the user's XDG state directory."""
    chosen = os.environ.get("FLOWSPEC_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "flowspec"


def prepare(folder: Path) -> None:
    """Makes the home where it is missing. Raises FlowspecError when that can't be done."""
    try:
        # Steps' arguments and logs may hold what is nobody else's business.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for inner in ("clusters", "s3", "tmp"):
            (folder / inner).mkdir(mode=0o700, exist_ok=True)
        for file in (database(folder), layout_lock(folder)):
            if not file.exists():
                file.touch(mode=0o600)
    except OSError as error:
        raise trouble(folder, error) from error


def trouble(folder: Path, error: OSError) -> FlowspecError:
    """What an error of the file system in the home comes to, in words a user can act on."""
    if error.errno in _NOT_WRITABLE:
        inner = f" ({error.filename})" if error.filename and Path(error.filename) != folder else ""
        return not_writable(folder, f"{error.strerror or error}{inner}")
    return FlowspecError(f"the embedded EMR in {folder}: {error}", remedy="set FLOWSPEC_HOME to another folder")


def not_writable(folder: Path, why: str) -> FlowspecError:
    """The error for a home in which nothing can be written."""
    return FlowspecError(
        f"FLOWSPEC_HOME is not writable: {folder}: {why}",
        remedy="set FLOWSPEC_HOME to a folder you own, on a disk with space left",
    )


def database(folder: Path) -> Path:
    """The SQLite file of the store."""
    return folder / "emulator.db"


def layout_lock(folder: Path) -> Path:
    """The file that is locked while the store is laid out."""
    return folder / "emulator.lock"


def s3_root(folder: Path) -> Path:
    """The folder that stands for s3://, s3n:// and s3a://; its folders are the buckets."""
    return folder / "s3"


def located(s3_root: Path, uri: str) -> Path:
    """Where an s3:// URI, a file: URI or an absolute path lies. Raises FlowspecError for any other."""
    return FileSystems(Path("/"), s3=s3_root).locate(uri)


def cluster_folder(folder: Path, cluster_id: str) -> Path:
    """What belongs to one cluster: its lock, its worker's log, its HDFS, its steps."""
    return folder / "clusters" / cluster_id


def hdfs_root(folder: Path, cluster_id: str) -> Path:
    """The folder that stands for the cluster's hdfs:///."""
    return cluster_folder(folder, cluster_id) / "hdfs"


def cluster_s3(folder: Path, cluster_id: str) -> Path:
    """The folder that stands for s3:// in a cluster whose S3 is elsewhere."""
    return cluster_folder(folder, cluster_id) / "s3"


def worker_lock(folder: Path, cluster_id: str) -> Path:
    """The file whose lock says that the cluster's worker lives."""
    return cluster_folder(folder, cluster_id) / "worker.lock"


def worker_log(folder: Path, cluster_id: str) -> Path:
    """What the cluster's worker has to say about itself."""
    return cluster_folder(folder, cluster_id) / "worker.log"


def wake_pipe(folder: Path, cluster_id: str) -> Path:
    """The named pipe by which a call tells the worker to look into the store."""
    return cluster_folder(folder, cluster_id) / "wake"


def reserve(folder: Path, cluster_id: str) -> Path:
    """Space that the worker keeps for the day the disk is full, so that it can store how the cluster ended."""
    return cluster_folder(folder, cluster_id) / "reserve"


def step_folder(folder: Path, cluster_id: str, step_id: str) -> Path:
    """What belongs to one step."""
    return cluster_folder(folder, cluster_id) / "steps" / step_id


def scratch(folder: Path, step_id: str) -> Path:
    """The folder for a step's temporary files. A short path: sockets are made there, whose names are bounded."""
    return folder / "tmp" / step_id


def remove_scratch(folder: Path, step_id: str) -> None:
    """Removes the temporary files of a step that is over."""
    top = scratch(folder, step_id)
    open_up(top)
    shutil.rmtree(top, ignore_errors=True)


def open_up(top: Path) -> None:
    """Gives back the rights to remove a folder and all that is in it; a step may have taken them away."""
    with suppress(OSError):
        top.chmod(stat.S_IRWXU)
        for path, folders, _ in os.walk(top):
            for inner in (Path(path, name) for name in folders):
                # A link may lead to what is not ours to change.
                if not inner.is_symlink():
                    inner.chmod(stat.S_IRWXU)


def step_logs(folder: Path, cluster_id: str, step_id: str) -> Path:
    """The folder of a step's live logs: controller, syslog, stdout, stderr, as plain text."""
    return step_folder(folder, cluster_id, step_id) / "logs"


def bootstrap_folder(folder: Path, cluster_id: str, number: int) -> Path:
    """What belongs to the bootstrap action `number` (from 1)."""
    return cluster_folder(folder, cluster_id) / "bootstrap" / str(number)
