"""The laws of the house, read off the imports: one library behind one door, and no stage reaches back."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "flowspec"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Where each library may be imported; a folder stands for all that is in it.
DOORS = {
    "yaml": ["spec/load.py"],
    "jinja2": ["spec/jinja/"],
    "jsonschema": ["spec/validate.py"],
    "referencing": ["spec/validate.py"],
    "re2": ["spec/patterns.py"],
    "pathspec": ["request/archives.py"],
    "boto3": ["emr/", "emulator/mirror.py"],
    "botocore": ["emr/", "migrate/", "emulator/transport.py", "emulator/wire.py", "emulator/mirror.py"],
    "click": ["cli/"],
    "rich": ["cli/", "report/"],
    "sqlite3": ["emulator/store.py"],
    "hcl2": ["request/sources/hcl.py"],
    "numpy": ["engines/streaming/arrays.py"],
}

# Which rooms a room may look into. The pipeline runs from the top down; engines and the emulator stand beside it.
ROOMS = {
    "errors": set(),
    "releases": set(),
    "engines": {"errors"},
    "emulator": {"errors", "releases", "engines", "emr.shapes"},
    "spec": {"errors", "releases"},
    "request": {"errors", "spec", "emr.shapes"},
    "plan": {"errors", "releases", "spec", "request", "engines"},
    "emr": {"errors", "request", "plan", "engines", "emulator"},
    "boto_emr": {"errors", "request", "plan", "emr"},
    "report": {"errors", "spec", "request", "plan", "emr"},
    "migrate": {"errors", "request"},
    "cli": {"errors", "spec", "request", "plan", "emr", "report", "engines", "emulator", "migrate"},
}


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, wherever in it, with the line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.append((node.module or "", node.lineno))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_one_library_one_door(path):
    here = path.relative_to(PACKAGE).as_posix()
    for module, line in imports(path):
        library = module.partition(".")[0]
        doors = DOORS.get(library, ["" if library in sys.stdlib_module_names or library == "flowspec" else "nowhere"])
        assert any(here == door or ((door.endswith("/") or not door) and here.startswith(door)) for door in doors), (
            f"{here}:{line} imports {module}, whose door is {doors}"
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_room_reaches_back(path):
    here = path.relative_to(PACKAGE)
    room = here.parts[0].removesuffix(".py")
    if room in {"__init__", "__main__"}:
        return
    for module, line in imports(path):
        top, _, inner = module.partition(".")
        other = inner.partition(".")[0]
        if top == "flowspec" and other != room:
            assert other in ROOMS[room] or inner in ROOMS[room], f"{here}:{line}: {room} reaches into {inner}"


def test_every_room_has_its_law():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms - {"__init__", "__main__"} == set(ROOMS)


def test_every_module_says_what_it_is_for():
    mute = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert mute == []
