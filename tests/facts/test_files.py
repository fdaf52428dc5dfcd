"""Files that are replaced as a whole."""

import os
import signal
import subprocess
import sys
import time

from flowspec.facts.files import replace_file

KILLED = """
import os, signal, sys
from pathlib import Path
from flowspec.facts.files import replace_file
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
replace_file(Path(sys.argv[1]), b"new")
"""


def test_a_killed_writer_leaves_the_old_file_and_a_later_one_removes_its_temporary_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    (left,) = set(tmp_path.iterdir()) - {file}
    others = [tmp_path / name for name in (".flowspec.yaml", ".flowspec.0123456789abcdef.md")]
    for one in others:
        one.touch()
    yesterday = time.time() - 86400
    for one in (left, *others):
        os.utime(one, (yesterday, yesterday))
    replace_file(file, b"new")
    assert file.read_text() == "new"
    assert set(tmp_path.iterdir()) == {file, *others}


def test_the_temporary_file_of_another_writer_is_left_to_it(tmp_path):
    other = tmp_path / ".flowspec.0123456789abcdef"
    other.touch()
    replace_file(tmp_path / "file", b"new")
    assert other.exists()
