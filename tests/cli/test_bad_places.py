"""Files that can't be read, homes that can't be written, disks that are full: said plainly, and nothing half done."""

import ctypes
import os
import shutil
import subprocess
import sys

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="takes rights away and mounts file systems as Linux does")

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def bound_by_file_modes():
    """In a child about to exec: root, too, is bound by file modes (capabilities(7)); others are anyway."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            assert libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


def flowspec(*argv, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", "flowspec", *argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@linux
def test_unreadable_input(wordcount, tmp_path):
    (wordcount / "input/market.txt").chmod(0)
    done = flowspec("apply", "wordcount/job.yaml", cwd=tmp_path, preexec_fn=bound_by_file_modes)
    assert done.returncode == 4
    assert f"java.io.FileNotFoundException: {wordcount}/input/market.txt (Permission denied)" in done.stderr
    assert "try: change its owner or mode" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((wordcount / "counts").glob("part-*"))


def test_an_output_in_a_folder_that_is_not_there(wordcount, tmp_path):
    done = flowspec("plan", "wordcount/job.yaml", "-o", "new folder/plan.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: new folder/plan.json: its folder is not there\n  make it: mkdir -p 'new folder'" in done.stderr


@linux
def test_an_unreadable_spec(wordcount, tmp_path):
    (wordcount / "job.yaml").chmod(0)
    done = flowspec("validate", "wordcount/job.yaml", cwd=tmp_path, preexec_fn=bound_by_file_modes)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[FS001]: wordcount/job.yaml: permission denied\n")


@linux
def test_a_home_that_is_read_only(job, tmp_path, own_home):
    job("  - {name: one, type: command, args: ['true']}")
    own_home.chmod(0o555)
    done = flowspec("apply", "job.yaml", cwd=tmp_path, preexec_fn=bound_by_file_modes)
    own_home.chmod(0o755)
    assert done.returncode == 1
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith(f"error: FLOWSPEC_HOME is not writable: {own_home}")
    assert error.count("\n") == 2, "a sentence and its remedy"


def in_a_small_world(folder, size, *argv, cwd):
    """Runs a command in a mount namespace of its own, where `folder` is a disk of `size` bytes; gives its result."""
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && cp -r "$1"/. "$0" && shift && exec "$@"; exit 99'
    content = cwd / "content"
    shutil.copytree(folder, content)
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, folder, content, *argv]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@linux
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)")
def test_a_disk_that_is_full(wordcount, tmp_path):
    """The output's disk is small; the job's state is elsewhere. No half part file is left, and the reason is told."""
    (wordcount / "mapper.py").write_text("#!/bin/sh\nseq 1 600000\n")
    (wordcount / "reducer.py").write_text("#!/bin/sh\ncat\n")
    look = 'python="$0"; "$python" -m flowspec apply wordcount/job.yaml; code=$?; ls -A wordcount/counts; exit $code'
    done = in_a_small_world(wordcount, "4m", "sh", "-c", look, sys.executable, cwd=tmp_path)
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip(f"no mount namespace of one's own here: {done.stderr.strip()}")
    assert done.returncode == 4, done.stderr
    assert "No space left on device" in done.stderr
    assert "cause: A disk was full. [disk-full]" in done.stderr
    listed = done.stdout.splitlines()
    assert not [name for name in listed if name.startswith(("part-", "_"))], listed
