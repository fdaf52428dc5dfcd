"""Files in memory for the sorted lines between map and reduce tasks."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from flowspec.engines.streaming.data import arrays, collect, runs
from flowspec.engines.streaming.data.collect import Collector, Shuffle
from flowspec.engines.streaming.data.layout import Layout
from flowspec.engines.streaming.data.merge import Merge
from flowspec.engines.streaming.data.runs import MemoryFiles
from flowspec.engines.streaming.hadoop.classes import TEXT
from flowspec.engines.streaming.hadoop.partition import hash_partitioner
from tests.engines.streaming.data.test_shuffle import different

MEBIBYTE = 1 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memfd_create(2) is Linux's")


@pytest.fixture
def memory():
    """Makes files in memory for a job of a size, and closes them at the end."""
    made = []

    def make(size, reduces=1, workers=2):
        made.append(MemoryFiles(size, reduces, workers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def files(made, workers=2):
    return [len(made.of_worker(number)) for number in range(workers)]


def test_each_worker_has_files_for_its_share(memory):
    # 16 MiB each, in chunks of 2 MiB, and one for the TABs
    assert files(memory(32 * MEBIBYTE)) == [9, 9]
    assert files(memory(32 * MEBIBYTE, reduces=3)) == [27, 27]


@pytest.mark.parametrize(
    ("size", "reduces"),
    [
        pytest.param(513 * MEBIBYTE, 1, id="too large"),
        pytest.param(128 * MEBIBYTE, 100, id="too many descriptors"),
        pytest.param(0, 1, id="nothing to sort"),
        pytest.param(MEBIBYTE, 0, id="map only"),
        pytest.param(MEBIBYTE, -1, id="refused later"),
    ],
)
def test_no_files(memory, size, reduces):
    assert not memory(size, reduces)


def test_no_files_where_memory_is_short(memory, monkeypatch):
    monkeypatch.setattr(runs, "usable_memory", lambda: 16 * 8 * MEBIBYTE)
    assert memory(8 * MEBIBYTE)
    assert not memory(8 * MEBIBYTE + 1)


def test_the_last_descriptors_are_left_to_the_job(memory, monkeypatch):
    made = [os.memfd_create("a"), os.memfd_create("b")]
    left = [*made]

    def create(name):
        if not left:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return left.pop()

    monkeypatch.setattr(os, "memfd_create", create)
    assert not memory(64 * MEBIBYTE)
    assert not any(Path(f"/proc/self/fd/{descriptor}").exists() for descriptor in made)


def test_no_files_where_few_can_be_open(memory):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        assert memory(32 * MEBIBYTE, reduces=7)
        assert not memory(32 * MEBIBYTE, reduces=8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_other_processes_read_and_write_them_until_they_are_closed(memory):
    made = memory(MEBIBYTE)
    path, _ = made.of_worker(1)
    subprocess.run(["sh", "-c", 'printf "a\\t1\\n" > "$0"', path], check=True)
    assert subprocess.run(["sort", "-m", path], check=True, capture_output=True).stdout == b"a\t1\n"
    made.close()
    assert not path.exists()


def test_discard(memory, tmp_path):
    path, _ = memory(MEBIBYTE).of_worker(0)
    path.write_bytes(b"a\t1\n")
    on_disk = tmp_path / "run"
    on_disk.write_bytes(b"a\t1\n")
    runs.discard(path)
    runs.discard(on_disk)
    assert path.read_bytes() == b""
    assert not on_disk.exists()


@pytest.mark.parametrize("reduces", [1, 3])
def test_chunks_go_to_memory_and_then_to_the_folder(memory, tmp_path, monkeypatch, reduces):
    arrays.load_numpy()
    monkeypatch.setattr(collect, "_SMALLEST_CHUNK", 1 << 13)
    monkeypatch.setattr(collect, "_DECIDED_AFTER", 1)
    monkeypatch.setattr(collect, "_COUNTED_TOGETHER", 1)
    lines = different(5000)
    partition = hash_partitioner(reduces) if reduces > 1 else None
    shuffle = Shuffle(Layout(plain=True, key_class=TEXT, value_class=TEXT), tmp_path, reduces, partition, hashed=True)
    in_memory = memory(2 << 14, reduces, workers=1).of_worker(0)
    collector = Collector(shuffle, "worker-0", in_memory)
    for begin in range(0, len(lines), 100):
        collector.add(b"".join(line + b"\n" for line in lines[begin : begin + 100]))
    output = collector.close()
    used = [run for partition_runs in output.runs.values() for run in partition_runs]
    assert set(in_memory) < set(used)
    assert any(run.is_relative_to(tmp_path) for run in used)
    found = []
    for number in range(reduces):
        merge = Merge(shuffle, [output], number, keyed=output.keyed)
        merged = b"".join(block.text for block in merge.blocks()).splitlines()
        assert merged == sorted(merged)
        found += merged
        merge.close()
    assert sorted(found) == sorted(line if b"\t" in line else line + b"\t" for line in lines)
    assert not any(path.stat().st_size for path in in_memory)
    assert not any(Path(tmp_path).iterdir())
