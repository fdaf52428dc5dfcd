"""Packs the Python packages of a step into an archive. Only this module runs pip and uv.

Only wheels are taken (`--only-binary=:all:`), so that packages run no code here. There is one exception: pip builds a
source archive that a wheel requires by URL (PyPI does not accept such wheels, a private index may).

The archive is the same for the same packages on every machine: sorted, without times, bytecode, scripts and the records
of the installation. It is made in a temporary folder and moved to <home>/python/<key>.zip when it is complete;
a process that packs the same packages at the same time waits for it and uses it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email.parser import BytesHeaderParser
from pathlib import Path
from threading import get_ident

from flowspec.emulator.prune import remove_folder
from flowspec.emulator.state.paths import os_error_to_user_error, s3_root
from flowspec.emulator.state.store import Store
from flowspec.errors import FlowspecError
from flowspec.facts.files import locked
from flowspec.facts.folders import state_folder
from flowspec.facts.machine import is_running
from flowspec.facts.states import ALIVE
from flowspec.request.archives import MAX_MEMBERS, Member, PackingError, hash_of, packed
from flowspec.request.assets import Asset
from flowspec.request.packages import LOCAL_STAGING, Packages
from flowspec.request.requirements import (
    Entry,
    Option,
    Package,
    canonical_name,
    missing_packages,
    without_credentials,
)

_LAST_LINES, _LINE_CHARACTERS = 4, 200
# Files that an installer writes about itself, or for the machine that it runs on.
_OF_INSTALLATION = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
_COMPILED = re.compile(r"\.(so|pyd|dylib)(\.\d+)*$")
# pip prints `from versions: none` for a name that the index does not have, or has no wheel of.
_AT_FAULT = re.compile(
    r"(?:No matching distribution found for|satisfies the requirement"
    r"|Because(?: there (?:is no version|are no versions) of)?)\s+(?!there\b)([A-Za-z0-9][\w.-]*)"
)
# Messages of pip and uv for an index that does not answer; pip then also reports that there is no such package.
_NO_ANSWER = re.compile(r"connection broken by|Max retries exceeded|error sending request|Failed to fetch|timed out")
# ENOSPC and EDQUOT as pip (Python) and uv (Rust) print them.
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|os error (?:28|122)\b")
_LAUNCHER = """#!/bin/sh
# The Python of the cluster, which finds the packages of this folder.
here=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH="$here${{PYTHONPATH:+:$PYTHONPATH}}" exec {interpreter} "$@"
"""


def packed_asset(asset: Asset, home: Path | None = None, notify: Callable[[str], None] = lambda _: None) -> Asset:
    """Returns the asset as a file that can be uploaded; packs its Python packages unless they are packed already.

    `home` is the folder of flowspec's state. `notify` gets a line first: an index may take seconds or minutes. Raises
    FlowspecError when they can't be packed: the message has the requirement's file:line, and the end of pip's output.
    """
    if asset.packages is None:
        return asset
    if asset.packages.key != asset.sha256:
        message = f"the wheels for {asset.packages.description} changed since the request was compiled"
        raise FlowspecError(message, remedy="apply again")
    notify(f"packing the Python packages of {asset.packages.description}")
    path = pack(asset.packages, home)
    return asset._replace(path=path, sha256=hash_of(path), size=path.stat().st_size, members=None, packages=None)


def pack(packages: Packages, home: Path | None) -> Path:
    """Packs packages; returns the path of the archive, which may be there already. Raises FlowspecError."""
    folder = (home or state_folder()).absolute() / "python"
    path = folder / f"{packages.key}.zip"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without a timeout: the index that another process reads may be slow.
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                with _scratch(path) as scratch:
                    _build_archive(packages, scratch)
                    (scratch / "made.zip").replace(path)
            _mark_used(path)
    except PackingError as error:
        raise FlowspecError(f"{packages.description}: {error}", remedy="ask for fewer packages") from error
    except OSError as error:
        raise os_error_to_user_error(folder.parent, error) from error
    return path


def put_archive(
    asset: Asset, path: Path, home: Path | None = None, notify: Callable[[str], None] = lambda _: None
) -> bool:
    """Puts the archive of an asset's packages at a path, whole or not at all; False if it is there already."""
    try:
        if _mark_used(path):
            return False
    except OSError as error:
        raise os_error_to_user_error(path.parent, error) from error
    source = packed_asset(asset, home, notify).path
    # Flows are applied by several threads at once.
    part = path.parent / f".{path.name}.{os.getpid()}.{get_ident()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _link_or_copy(source, part)
        part.replace(path)
    except OSError as error:
        raise os_error_to_user_error(path.parent, error) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return True


def _mark_used(path: Path) -> bool:
    """Sets the time of a file to now, so that `prune_packages` knows of this use; returns False if there is no file."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _link_or_copy(source: Path, to: Path) -> None:
    """Makes a hard link to a file, which may have some 100 MB; copies it only if the file system has no links."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)


def prune_packages(home: Path, older_than: float) -> tuple[int, int]:
    """Deletes archives of Python packages in a home that were last used more than `older_than` seconds ago.

    Keeps archives that steps of living clusters name, and those used within the last hour: an apply may be about to use
    or upload them. Also deletes unfinished files of killed processes. Returns the number of deleted archives, and the
    freed disk space in bytes. Raises FlowspecError if the home can't be used.
    """
    latest = time.time() - max(older_than, _IN_HAND)
    packed, copies = home / "python", s3_root(home) / LOCAL_STAGING.removeprefix("s3://")
    keys = {path: path.stem for path in packed.glob("*.zip")} | {
        path: path.parent.name for path in copies.glob("*/*.zip")
    }
    try:
        halves = [size for path in copies.glob("*/.*.zip.*.*") if (size := _delete_partial_copy(path)) is not None]
        halves += [size for path in packed.glob("*-*/") if (size := _delete_scratch(path)) is not None]
        used = _keys_in_use(home) if keys else set()
        sizes = halves + [
            size
            for path, key in keys.items()
            if key not in used and (size := _delete_unused(path, packed / f"{key}.zip", latest)) is not None
        ]
    except OSError as error:
        raise os_error_to_user_error(home, error) from error
    return len(sizes), sum(sizes)


# Seconds: no copy takes that long. Processes of other containers with the same home are not visible here.
_A_DAY = 86400.0


def _delete_partial_copy(path: Path) -> int | None:
    """Deletes a copy that a killed `put_archive` left unfinished; returns the disk space freed in bytes, or None."""
    pid = path.name.split(".")[-2]
    try:
        found = path.lstat()
    except FileNotFoundError:  # it was ended, or another prune was first
        return None
    if not pid.isdecimal() or found.st_mtime > time.time() - _A_DAY or is_running(int(pid)):
        return None
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()
    return _freed_bytes(found)


def _delete_scratch(folder: Path) -> int | None:
    """Deletes the folder that `pack` worked in when it was killed; returns the disk space freed in bytes, or None."""
    key = folder.name.rpartition("-")[0]
    try:
        with locked(folder.with_name(f"{key}.lock"), wait=False):
            return remove_folder(folder) or None
    except BlockingIOError:  # a living process works in it
        return None


# Seconds: the maximum time of an apply between the check for an archive and its upload, or the start of the cluster.
_IN_HAND = 3600.0


def _keys_in_use(home: Path) -> set[str]:
    """Returns the keys of the archives that steps of living clusters of a home name."""
    with Store(home) as store:
        alive = [one.id for one in store.find("cluster", states=ALIVE)]
        steps = [json.dumps(step.doc) for one in alive for step in store.find("step", cluster_id=one)]
    return set(re.findall(rf"{re.escape(LOCAL_STAGING)}/([0-9a-f]{{64}})/", " ".join(steps)))


def _delete_unused(path: Path, packed: Path, latest: float) -> int | None:
    """Deletes an archive that was not used after `latest`; returns the disk space freed in bytes.

    Returns None if it was used, or if another process deletes archives, too, and was first. `packed` is where it was
    packed, by which it is locked.
    """
    packed.parent.mkdir(mode=0o700, exist_ok=True)
    # The lock file is not deleted: a process that waits for it would get a lock that no other process sees.
    with locked(packed.with_suffix(".lock")):
        try:
            found = path.lstat()
        except FileNotFoundError:  # another prune was first
            return None
        # flowspec makes neither links nor folders with such a name.
        if not stat.S_ISREG(found.st_mode) or found.st_mtime > latest:
            return None
        path.unlink()
    if path.parent != packed.parent:
        # The folder is not empty if a process was killed while it copied an archive.
        with suppress(OSError):
            path.parent.rmdir()
    return _freed_bytes(found)


def _freed_bytes(found: os.stat_result) -> int:
    # A file with another name stays on the disk. POSIX: the unit of st_blocks is 512 bytes on Linux and macOS.
    return found.st_blocks * 512 if found.st_nlink == 1 else 0


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Makes a temporary folder beside a path. Removes one that a killed process left, which is safe under the lock."""
    prefix = f"{path.stem}-"
    for left in path.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as scratch:
        yield Path(scratch)


def _build_archive(packages: Packages, scratch: Path) -> None:
    tree = scratch / "tree"
    _install(packages, tree, scratch)
    found = sorted((path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file())
    compiled = next((name for name, _ in found if _COMPILED.search(name)), None)
    if packages.is_pure and compiled:
        raise FlowspecError(
            f"{packages.description}: {compiled} is compiled code, which Python can't import from a zip",
            remedy=_PURE_REMEDY,
        )
    if len(found) > MAX_MEMBERS:
        raise PackingError(f"they have more than {MAX_MEMBERS:,} files")
    with (scratch / "made.zip").open("wb") as file:
        file.writelines(packed(Member(name, path) for name, path in found))
        file.flush()
        os.fsync(file.fileno())


_PURE_REMEDY = "deploy_mode: cluster, where YARN unpacks the packages for the driver, too"


# --- installing ---


def _install(packages: Packages, tree: Path, scratch: Path) -> None:
    """Fills a folder with the packages that are asked for and those that they need, and the launcher."""
    entries = [one for one in packages.requirements.entries if one.applies(packages.environment)]
    roots = [one.root for one in entries]
    further: list[str] = []
    while True:
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        if entries:
            _install_requirements(packages, [*map(_requirement_line, entries), *further], tree, scratch)
        found = {_package(path): path for path in sorted(tree.glob("*.dist-info"))}
        missing, needed = missing_packages(roots, {one.name: one for one in found}, packages.environment)
        if not missing:
            break
        _refuse_more(packages, entries, missing, further)
        further = sorted({*further, *missing})
    for package, path in found.items():
        if package.name not in needed:
            _remove(tree, path)
    _remove_machine_specifics(tree)
    _write_launcher(tree, packages.interpreter)


def _write_launcher(tree: Path, interpreter: str) -> None:
    launcher = tree / "bin" / "python"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER.format(interpreter=interpreter))
    launcher.chmod(0o755)


def _refuse_more(packages: Packages, entries: Sequence[Entry], missing: Sequence[str], further: Sequence[str]) -> None:
    """Raises FlowspecError if another attempt to get the missing packages would not help."""
    if set(missing) <= set(further) or any(one.hashes for one in entries):
        raise FlowspecError(
            f"{packages.description}: {', '.join(missing)} is needed there, and not among the requirements",
            remedy=f"compile them for that Python: uv pip compile --python-version {packages.version}",
        )


def _requirement_line(entry: Entry) -> str:
    text = str(entry.path) if entry.path else entry.text
    return " ".join((text, *(f"--hash={one}" for one in entry.hashes)))


def _package(folder: Path) -> Package:
    """Reads the metadata of an installed package (Core metadata specifications)."""
    with (folder / "METADATA").open("rb") as file:
        found = BytesHeaderParser().parse(file)
    return Package.of(
        str(found["Name"]), str(found["Version"]), [str(one) for one in found.get_all("Requires-Dist", [])]
    )


def _remove(tree: Path, folder: Path) -> None:
    """Removes a package, by its RECORD, that pip installed only for the Python that runs pip."""
    for line in (folder / "RECORD").read_text("utf-8").splitlines():
        path = tree / line.split(",", 1)[0].strip('"')
        if path.resolve().is_relative_to(tree.resolve()):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_machine_specifics(tree: Path) -> None:
    """Removes files that differ from machine to machine: scripts, bytecode, and the installer's records."""
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for path in list(tree.rglob("*")):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.parent.name.endswith(".dist-info") and path.name in _OF_INSTALLATION:
            path.unlink()
    # uv locks the folder that it installs to.
    (tree / ".lock").unlink(missing_ok=True)


# --- pip and uv ---


def _install_requirements(packages: Packages, lines: Sequence[str], tree: Path, scratch: Path) -> None:
    """Fills a folder with what the lines of a requirements file ask for. Raises FlowspecError."""
    file, constraints = scratch / "requirements.txt", scratch / "constraints.txt"
    file.write_text("\n".join([*map(_option_line, packages.requirements.options), *lines, ""]), "utf-8")
    limits = [_requirement_line(one) for one in packages.requirements.constraints if one.applies(packages.environment)]
    constraints.write_text("\n".join([*limits, ""]), "utf-8")
    asked = ["-r", str(file), *(["-c", str(constraints)] if limits else [])]
    if importlib.util.find_spec("pip"):
        _by_pip(packages, asked, tree, scratch)
    elif uv := shutil.which("uv"):
        fixed = ["pip", "install", "--no-build", "--link-mode=copy", f"--python={sys.executable}"]
        _run_installer(packages, [uv, *fixed, *_uv_platform(packages), "--target", str(tree), *asked], scratch)
    else:
        raise FlowspecError(
            "there is neither pip nor uv to pack Python packages with",
            remedy=f"{sys.executable} -m ensurepip, or install uv",
        )


def _option_line(option: Option) -> str:
    return f"{option.name} {shlex.quote(str(option.folder or option.value))}" if option.value else option.name


def _by_pip(packages: Packages, asked: Sequence[str], tree: Path, scratch: Path) -> None:
    """Downloads wheels, and then unpacks them: `pip install` alone overlooks Requires-Python of another Python."""
    wheels = scratch / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet"]
    platform = ["--only-binary=:all:", *_pip_platform(packages)]
    _run_installer(packages, [*pip, "download", *platform, "--dest", str(wheels), *asked], scratch)
    unpacking = ["--no-deps", "--no-index", "--no-compile", "--no-warn-script-location", "--target", str(tree)]
    _run_installer(packages, [*pip, "install", *platform, *unpacking, *map(str, sorted(wheels.glob("*.whl")))], scratch)


def _run_installer(packages: Packages, argv: Sequence[str], scratch: Path) -> None:
    # Not in the caller's folder, whose files Python would import instead of pip's. Temporary files of a killed pip are
    # removed with those of this process.
    environment = {**_environment(), "TMPDIR": str(scratch)}
    done = subprocess.run(argv, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _packing_error(packages, "pip" if argv[0] == sys.executable else "uv", done.stdout + done.stderr, scratch)


def _environment() -> dict[str, str]:
    """Returns the environment without the settings of pip that contradict the options; the user's indexes stay."""
    dropped = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_REQUIREMENT")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "NO_COLOR": "1"}
    return {**kept, **quiet, "PIP_USER": "0"}


def _pip_platform(packages: Packages) -> list[str]:
    tags = ("any",) if packages.is_pure else packages.platforms
    if not tags and packages.version == "{}.{}".format(*sys.version_info):
        return []
    version = ["--python-version", packages.version]
    return [*version, *(["--implementation", "cp"] if tags else []), *(f"--platform={tag}" for tag in tags)]


def _uv_platform(packages: Packages) -> list[str]:
    """Returns the options of uv. It knows fewer platforms: the newest is used that is not newer than the one wanted."""
    version = ["--python-version", packages.version]
    if packages.is_pure or not packages.platforms:
        return version
    newer = f"manylinux_2_28_{packages.architecture}" in packages.platforms
    return [*version, "--python-platform", f"{packages.architecture}-{'manylinux_2_28' if newer else 'manylinux2014'}"]


def _packing_error(packages: Packages, program: str, output: str, scratch: Path) -> FlowspecError:
    lines = [line.strip() for line in without_credentials(output).splitlines()]
    said = [line.removeprefix("ERROR: ") for line in lines if line and not line.startswith(("WARNING", "[notice]"))]
    end = " | ".join(_shortened(line) for line in said[-_LAST_LINES:])
    if _NO_ANSWER.search(output):
        last = next(line for line in reversed(lines) if _NO_ANSWER.search(line))
        message = (
            f"{packages.description} can't be packed, an index does not answer; {program} said: {_shortened(last)}"
        )
        return FlowspecError(message, remedy="check the network and the index: PIP_INDEX_URL, pip.conf, --index-url")
    if _NO_SPACE.search(output):
        message = f"{packages.description} can't be packed, a disk is full; {program} said: {end}"
        return FlowspecError(message, remedy=f"make room in {scratch.parent}, or set FLOWSPEC_HOME to another disk")
    found = _AT_FAULT.search(output)
    at_fault = [one for one in packages.requirements.entries if found and one.name == canonical_name(found[1])]
    if found and at_fault:
        where = f"{at_fault[0].place}: no wheel of {at_fault[0].text}"
    elif found:
        where = f"{packages.requirements.path.name}: no wheel of {found[1]}, which another package needs,"
    else:
        return FlowspecError(f"{packages.description} can't be packed; {program} said: {end}", remedy=_ASK)
    machine = "any platform" if packages.is_pure else packages.architecture
    remedy = _PURE_REMEDY if packages.is_pure else _ASK
    return FlowspecError(f"{where} for Python {packages.version} on {machine}; {program} said: {end}", remedy=remedy)


def _shortened(line: str) -> str:
    """Shortens a line to a bounded length: pip lists every version that there is."""
    return (
        line if len(line) <= _LINE_CHARACTERS else f"{line[: _LINE_CHARACTERS // 2]} … {line[-_LINE_CHARACTERS // 2 :]}"
    )


_ASK = "ask for a version with a wheel for it (only wheels are packed), or build one: --find-links"
