"""The memory that programs can take on this machine, and the limits of containers."""

import sys

import pytest

from flowspec.facts import machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

MEBIBYTE = 1 << 20


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """The folder that stands for that of the control groups, at first without any."""
    monkeypatch.setattr(machine, "_CONTROL_GROUPS", tmp_path)
    return tmp_path


def test_what_the_kernel_says_is_available(groups):
    assert 64 * MEBIBYTE < machine.usable_memory() < 1 << 50


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_the_limit_of_a_container(groups, name):
    groups.joinpath(name).parent.mkdir(exist_ok=True)
    groups.joinpath(name).write_text(f"{5 * MEBIBYTE}\n")
    assert machine.usable_memory() == 5 * MEBIBYTE


def test_a_group_without_a_limit(groups):
    unlimited = machine.usable_memory()
    groups.joinpath("memory.max").write_text("max\n")
    assert machine.usable_memory() > unlimited / 2
