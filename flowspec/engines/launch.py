"""Runs a module of flowspec as a process: `python .../flowspec/engines/launch.py MODULE ARGS...`.

It works like `python -m MODULE`, with two differences: the directory in which the process starts, where any
file may lie, is not searched for modules; and the package need not be installed (a bare checkout).
"""

from __future__ import annotations

import sys


def _search_the_package_and_not_this_folder() -> None:
    root = __file__.rsplit("/", 3)[0]
    sys.path[:1] = [] if root in sys.path[1:] else [root]


if __name__ == "__main__":
    # Before anything else is imported: this folder's modules must not stand in for those of Python.
    _search_the_package_and_not_this_folder()

    import runpy

    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
