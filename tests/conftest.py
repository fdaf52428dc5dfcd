"""Fixtures of all tests: a home of its own for the embedded EMR, and no AWS settings of the user."""

import os
import signal
import subprocess

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.endpoints"]

# Time limits of Hypothesis are of the clock, 200 ms for an example: on a loaded machine the tests of others decide.
settings.register_profile("flowspec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowspec")

# Where SIGINT is ignored, as below nohup and in the background of a script, it is for all that is started there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The programs of Spark and Hadoop are over before the second compiler of the JVM pays: without it
# tests/engines/test_spark.py takes 40 s of CPU in place of 76 s. Set here, as fixtures of modules come before own_home.
for name in ("SPARK_SUBMIT_OPTS", "HADOOP_CLIENT_OPTS"):
    os.environ.setdefault(name, "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


def pytest_xdist_auto_num_workers() -> int:
    """Runs two workers for each core: most tests wait for a process that they started."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """FLOWSPEC_HOME in a fresh folder; no variable, profile or region leaks in from outside."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "FLOWSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FLOWSPEC_HOME", str(home))
    yield home
    # The workers of clusters that live on end without their locks; else they would live until pytest removes the home.
    for lock in home.glob("clusters/*/worker.lock"):
        lock.unlink(missing_ok=True)


@pytest.fixture
def no_worker():
    """For `start_worker` of a Service: in place of each worker this process holds its lock, which `held` has."""

    def hold(_home, _cluster_id, lock):
        hold.held.append(os.dup(lock))

    hold.held = []
    yield hold
    for lock in hold.held:
        os.close(lock)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    # Lazily: a process in its last moments may still have files of it open.
    subprocess.run(["umount", "-l", str(folder)], check=True)
