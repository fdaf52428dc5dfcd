"""The laws of the house, read off the imports: one library behind one door, and no stage reaches back."""

import ast
import graphlib
import importlib
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from flowspec.facts.backends import BACKENDS

PACKAGE = Path(__file__).parent.parent / "flowspec"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Where each library may be imported; a folder stands for all that is in it.
DOORS = {
    "yaml": ["document/text/parse.py"],
    # Templates of others run in a sandbox; those of flowspec's own pages escape what they show.
    "jinja2": ["document/rendering/jinja/", "report/page/html.py"],
    "jsonschema": ["document/checking/validate.py"],
    "referencing": ["document/checking/validate.py"],
    "re2": ["document/rendering/patterns.py"],
    "packaging": ["document/text/requires.py", "request/requirements.py"],
    "tomllib": ["document/settings.py"],
    "tomli": ["document/settings.py"],
    "pathspec": ["request/archives.py"],
    "boto3": ["backend/aws/", "emulator/worker/s3_sync.py"],
    "botocore": [
        "facts/api_model.py",
        "backend/aws/",
        "importers/migrate/",
        "emulator/in_process.py",
        "emulator/worker/s3_sync.py",
        "testing/embedding.py",
    ],
    "click": ["cli/"],
    "rich": ["cli/", "report/"],
    "sqlite3": ["emulator/state/store.py", "emulator/state/snapshot.py"],
    "hcl2": ["importers/terraform/hcl.py"],
    "numpy": ["engines/streaming/data/arrays.py"],
    "pytest": ["testing/fixture.py"],
}

# The packages and top-level modules, from the ground floor up, and what each may import: nothing above itself.
ROOMS = {
    "errors": set(),
    "interrupts": set(),
    "version": set(),
    "plugins": {"errors"},
    "scaffold": set(),
    "facts": {"errors"},
    "engines": {"errors", "interrupts", "facts"},
    "emulator": {"errors", "interrupts", "facts", "engines"},
    "testing": {"emulator"},
    "document": {"errors", "facts", "version", "plugins"},
    "request": {"errors", "facts", "document", "plugins"},
    "cost": {"errors", "facts", "document", "request"},
    "plan": {"errors", "facts", "document", "request", "cost"},
    "backend": {"errors", "facts", "document", "request", "cost", "plan", "engines", "emulator"},
    "doctor": {"errors", "version", "facts", "engines", "emulator", "document", "request", "backend"},
    "review": {"errors", "facts", "document", "request", "cost", "plan"},
    "inspection": {"errors", "facts", "document", "plan", "backend", "engines", "review"},
    "cases": {"errors", "facts", "document", "request", "plan", "backend", "engines", "emulator", "review"},
    "importers": {"errors", "facts", "document", "request", "emulator", "plugins"},
    "exporters": {"errors", "facts", "document", "request", "plan", "importers"},
    "boto_emr": {"errors", "facts", "request", "plan", "backend"},
    "report": {
        "errors",
        "version",
        "facts",
        "document",
        "request",
        "cost",
        "plan",
        "backend",
        "doctor",
        "review",
        "inspection",
        "cases",
    },
    "pipeline": {"errors", "facts", "document", "request", "plan", "backend", "importers", "inspection", "report"},
    "fleet": {"errors", "facts", "document", "request", "plan", "backend", "pipeline"},
    "site": {"errors", "facts", "document", "plan", "backend", "emulator", "inspection", "report"},
    "cli": {
        "errors",
        "interrupts",
        "version",
        "facts",
        "document",
        "request",
        "cost",
        "plan",
        "backend",
        "pipeline",
        "fleet",
        "site",
        "report",
        "review",
        "engines",
        "emulator",
        "importers",
        "cases",
        "exporters",
        "scaffold",
        "doctor",
    },
}


def test_the_contributing_guide_lists_the_packages_in_this_order():
    page = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    listed = re.search(
        r"Each package imports only from packages above it in this list:.*?\n\n(.*?)\n\n", page, re.DOTALL
    )[1]
    assert re.findall(r"^    (\w+) ", listed, re.MULTILINE) == list(ROOMS)


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
            assert other in ROOMS[room], f"{here}:{line}: {room} reaches into {inner}"


def backends_asked_for(path: Path) -> Iterator[int]:
    """Yields the lines that compare a backend with a name of one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            is_named = any(isinstance(side, ast.Constant) and side.value in BACKENDS for side in sides)
            if is_named and any("backend" in ast.unparse(side) for side in sides):
                yield node.lineno


def test_nothing_asks_which_backend_a_flow_has():
    """The differences are properties: `Traits` in facts/backends.py, `Backend` in backend/protocol.py."""
    found = [f"{path.relative_to(PACKAGE)}:{line}" for path in MODULES for line in backends_asked_for(path)]
    assert not found


# A connection knows its backend, and a backend opens connections: two types that name each other. Only type checkers
# follow the import of protocol.
MUTUAL = {("flowspec.backend.aws.client", "flowspec.backend.protocol")}


def imported_modules(path: Path, modules: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yields the modules of flowspec that a file imports, wherever in it and for whatever reason, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (
                (name, node.lineno) for name in sorted({one if one in modules else node.module for one in names})
            )


def fork(one: str, other: str) -> tuple[str, str]:
    """Returns the neighbours in one package that hold two modules: themselves, or the packages around them."""
    ours, theirs = one.split("."), other.split(".")
    same = next(index for index, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]) + 1
    return ".".join(ours[:same]), ".".join(theirs[:same])


def is_within(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def test_no_two_modules_or_packages_import_each_other():
    modules = {dotted(path).removesuffix(".__init__"): path for path in MODULES}
    found: dict[tuple[str, str], str] = {}
    for module, path in modules.items():
        for other, line in imported_modules(path, modules):
            if other in modules and not is_within(module, other) and tuple(sorted((module, other))) not in MUTUAL:
                found.setdefault(fork(module, other), f"{path.relative_to(PACKAGE)}:{line} imports {other}")
    circles = [
        f"{found[one, other]}; {found[other, one]}" for one, other in found if one < other and (other, one) in found
    ]
    assert not circles, "these import each other; move what both need to a module below them:\n" + "\n".join(circles)


def test_every_room_has_its_law():
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms - {"__init__", "__main__"} == set(ROOMS)


def test_no_law_lets_a_room_look_up():
    floors = list(ROOMS)
    for room, allowed in ROOMS.items():
        assert allowed <= set(floors[: floors.index(room)]), room


def test_no_modules_import_each_other_in_a_circle():
    """Imports for type checking alone are left out."""
    names = {dotted(path): path for path in MODULES}
    graph = {name: needed(path) & names.keys() - {name} for name, path in names.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def needed(path):
    """Returns the dotted names of what a module imports when it runs: modules, and members of modules."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        for name in (node.module, f"{node.module}.{alias.name}")
    }


PACKAGES = sorted(path.parent for path in MODULES if path.name == "__init__.py")


def dotted(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_no_dotted_name_is_a_module_and_something_else(folder):
    package = importlib.import_module(dotted(folder))
    modules = [one.stem for one in folder.iterdir() if one.suffix == ".py" or (one / "__init__.py").exists()]
    for name in set(modules) & {*dir(package), *getattr(package, "__all__", ())}:
        assert isinstance(getattr(package, name), ModuleType), f"{dotted(folder)}.{name} is a module and a value"


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_no_package_is_called_like_a_public_function_in_it(folder):
    for path in folder.rglob("*.py"):
        defined = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert folder.name not in defined, f"{path}: {folder.name}()"


def test_every_module_says_what_it_is_for():
    mute = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert mute == []


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_a_package_lists_all_of_its_modules_or_none(folder):
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    modules = {one.stem for one in folder.iterdir() if one.suffix == ".py" or (one / "__init__.py").exists()}
    listed = re.findall(r"^ *((?:\w+/?,? )*\w+/?)  +\S", text, re.MULTILINE)
    if len(modules & set(re.findall(r"\w+", " ".join(listed)))) > 1:
        assert modules - {"__init__"} <= set(re.findall(r"\w+", text))


# A docstring says what the thing does or is; these begin a question or a figure of speech.
_QUESTIONS = {"What", "Whether", "How", "Who", "Whoever", "Where", "Which", "When", "Has", "Tells", "Lets"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_docstring_begins_as_a_question():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.get_docstring(node) if isinstance(node, _DOCUMENTED) else None
            assert not text or text.split()[0] not in _QUESTIONS, f"{path}: {text.splitlines()[0]}"
