"""The laws of the house, read off the imports: one library behind one door, and no stage reaches back."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "flowspec"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Where each library may be imported; a folder stands for all that is in it.
DOORS = {
    "yaml": ["document/parse.py"],
    "jinja2": ["document/templates.py"],
    "jsonschema": ["document/validate.py"],
    "boto3": ["backend/aws/", "emulator/worker/s3_sync.py"],
    "botocore": [
        "facts/api_model.py",
        "backend/aws/",
        "importers/migrate/",
        "emulator/in_process.py",
        "emulator/worker/s3_sync.py",
    ],
    "click": ["cli/"],
    "rich": ["cli/", "report/"],
    "sqlite3": ["emulator/state/store.py"],
    "hcl2": ["importers/terraform/hcl.py"],
    "numpy": ["engines/streaming/data/arrays.py"],
}

# Which rooms a room may look into. The pipeline runs from the top down; engines and the emulator stand beside it.
ROOMS = {
    "errors": set(),
    "facts": {"errors"},
    "engines": {"errors", "facts"},
    "emulator": {"errors", "facts", "engines"},
    "document": {"errors", "facts"},
    "request": {"errors", "facts", "document"},
    "plan": {"errors", "facts", "document", "request", "engines"},
    "backend": {"errors", "facts", "document", "request", "plan", "engines", "emulator"},
    "importers": {"errors", "facts", "document", "request"},
    "boto_emr": {"errors", "facts", "request", "plan", "backend"},
    "report": {"errors", "facts", "document", "request", "plan", "backend"},
    "cli": {
        "errors",
        "facts",
        "document",
        "request",
        "plan",
        "backend",
        "report",
        "engines",
        "emulator",
        "importers",
    },
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
