"""Packing Python packages: by pip from wheels that lie beside the spec, so that no index is needed."""

import errno
import os
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowspec import compile, load, render, run, validate
from flowspec.backend import packing
from flowspec.backend.aws.submission.staging import stage
from flowspec.backend.aws.submission.uploads import upload
from flowspec.backend.packing import pack, packed_asset
from flowspec.emulator.state.store import Record, Store
from flowspec.errors import FlowspecError
from flowspec.facts.files import locked
from flowspec.pipeline import plan_offline
from tests.wheels import make_wheel

SPEC = """\
flowspec: v1
name: shout
release_label: emr-7.5.0
targets:
  laptop: {backend: local}
  prod: {backend: emr, region: us-east-1, staging: s3://artifacts/x}
master_instance_type: m6g.xlarge
python: {requirements: requirements.txt}
steps:
  - {name: shout, type: streaming, mapper: mapper.py, reducer: none, input: data/, output: out/}
"""
MAPPER = """\
#!/usr/bin/env python3
import sys
import shouting
for line in sys.stdin:
    print(shouting.shout(line.strip()))
"""
OFFLINE = "--no-index\n--find-links ./wheels\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "flow"
    shout = {"shouting/__init__.py": "def shout(text):\n    return text.upper()\n"}
    needs = ["loud; python_version < '3.10'", "quiet; python_version >= '3.10'"]
    make_wheel(folder / "wheels", "shouting", files=shout, requires=needs)
    for name in ("loud", "quiet"):
        make_wheel(folder / "wheels", name, "2.0")
    make_wheel(folder / "wheels", "loud", "3.0", python=">=3.10")
    (folder / "requirements.txt").write_text(f"{OFFLINE}shouting>=1\n")
    (folder / "job.yaml").write_text(SPEC)
    (folder / "mapper.py").write_text(MAPPER)
    (folder / "data").mkdir()
    (folder / "data" / "words").write_text("hello\n")
    return folder


def request_of(folder, target="prod"):
    return compile(validate(render(load(folder / "job.yaml"), target=target, environ={}), emr_rules=False))


def packages_of(folder, requirements=None):
    if requirements is not None:
        (folder / "requirements.txt").write_text(requirements)
    return next(one.packages for one in request_of(folder).assets if one.packages)


def names(path):
    with zipfile.ZipFile(path) as archive:
        return [one.filename for one in archive.infolist()]


def test_a_mapper_imports_a_package(folder, monkeypatch):
    """A run on the embedded EMR; the archive is for this machine's Python, and is packed once."""
    first = run(folder / "job.yaml", target="laptop")
    assert first.succeeded
    assert (folder / "out" / "part-00000").read_text() == "HELLO\t\n"
    monkeypatch.setattr(packing, "_install", lambda *_: pytest.fail("it was packed before"))
    (folder / "job.yaml").write_text(SPEC.replace("out/", "out2/"))
    assert run(folder / "job.yaml", target="laptop").succeeded


def test_packages_for_emr_are_those_of_its_python(folder, tmp_path):
    """pip evaluates markers for the Python that runs it; `loud` is needed by that of EMR alone, in the version for it."""
    path = pack(packages_of(folder), tmp_path / "home")
    made = names(path)
    assert made == sorted(made)
    assert made == [
        "bin/python",
        *("loud-2.0.dist-info/METADATA", "loud-2.0.dist-info/WHEEL", "loud.py"),
        *("shouting-1.0.dist-info/METADATA", "shouting-1.0.dist-info/WHEEL", "shouting/__init__.py"),
    ]
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("bin/python").external_attr >> 16 == 0o100755
        assert b'exec python3.9 "$@"' in archive.read("bin/python")
    assert [one.name for one in path.parent.iterdir() if one.suffix != ".lock"] == [path.name]


def test_the_launcher_finds_the_packages(tmp_path):
    """In Spark's cluster mode it is the interpreter, by the name of a link, from the folder with the link."""
    cache, mine = tmp_path / "cache", tmp_path / "mine"
    for folder, name in ((cache, "ours"), (mine, "theirs")):
        folder.mkdir()
        (folder / f"{name}.py").write_text("")
    packing._write_launcher(cache, sys.executable)
    (tmp_path / "python_env").symlink_to(cache)
    asked = ["./python_env/bin/python", "-c", "import sys, ours, theirs; print(ours.__file__, sys.argv[1])", "a b"]
    environment = {**os.environ, "PYTHONPATH": str(mine)}
    done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/python_env/ours.py a b\n"


def test_a_requirement_without_a_wheel_is_named(folder, tmp_path):
    wanted = f"{OFFLINE}shouting\n-i https://me:hunter2@acme.example/simple\nloud==9.9\n"
    with pytest.raises(FlowspecError) as caught:
        pack(packages_of(folder, wanted), tmp_path / "home")
    assert caught.value.message.startswith(
        "requirements.txt:5: no wheel of loud==9.9 for Python 3.9 on aarch64; pip said:"
    )
    assert "hunter2" not in caught.value.sentence
    assert "only wheels are packed" in caught.value.remedy
    assert not [*(tmp_path / "home" / "python").glob("*.zip")]


def test_an_index_that_does_not_answer_is_not_a_missing_package(folder, tmp_path, monkeypatch):
    for name, value in {"PIP_RETRIES": "1", "PIP_EXTRA_INDEX_URL": "", "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    # Port 9 is that of `discard`, which no machine has any more.
    with pytest.raises(FlowspecError, match="an index does not answer; pip said: "):
        pack(packages_of(folder, "--index-url http://127.0.0.1:9/\nidna==3.10\n"), tmp_path / "home")


@pytest.fixture
def fast(monkeypatch):
    """Installing without pip: one file in a package; `made` counts."""
    made = []

    def install(packages, tree, _scratch):
        made.append(packages.key)
        (tree / "pkg").mkdir(parents=True)
        (tree / "pkg" / "module.py").write_text("1")

    monkeypatch.setattr(packing, "_install", install)
    return made


def test_two_at_once_pack_once(folder, fast, tmp_path):
    wanted = packages_of(folder)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: pack(wanted, tmp_path / "home"), range(4)))
    assert (len(fast), len(set(paths))) == (1, 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from flowspec import compile, load, render, validate
from flowspec.backend import packing

def install(packages, tree, scratch):
    tree.mkdir()
    (tree / "half.py").write_text("1")
    os.kill(os.getpid(), signal.SIGKILL)

packing._install = install
spec, home = map(Path, sys.argv[1:])
request = compile(validate(render(load(spec), target="prod", environ={}), emr_rules=False))
packing.pack(next(one.packages for one in request.assets if one.packages), home)
"""


def test_kill_leaves_nothing_half_made(folder, fast, tmp_path):
    home = tmp_path / "home"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder / "job.yaml"), str(home)], check=False)
    assert done.returncode == -9
    assert [*home.rglob("half.py")]
    assert not [*home.rglob("*.zip")]
    assert names(pack(packages_of(folder), home)) == ["pkg/module.py"]
    assert not [*home.rglob("half.py")]


def test_what_a_killed_process_left_half_made_is_pruned(folder, fast, tmp_path):
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-c", KILLED, str(folder / "job.yaml"), str(home)], check=False)
    (half,) = home.rglob("half.py")
    with locked(home / "python" / f"{packages_of(folder).key}.lock"):
        assert packing.prune_packages(home, 0) == (0, 0)
    assert half.exists()
    count, freed = packing.prune_packages(home, 0)
    assert (count, freed > 0) == (1, True)
    assert [one.suffix for one in (home / "python").iterdir()] == [".lock"]


TERMINATED = f"""
import signal
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
{KILLED.replace("packing._install = install", "")}
"""


def test_sigterm_leaves_no_temporary_file(folder, tmp_path):
    (tmp_path / "tmp").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/"
        packages_of(folder, f"--index-url {address}\nidna==3.10\n")
        words = [sys.executable, "-c", TERMINATED, str(folder / "job.yaml"), str(tmp_path / "home")]
        environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PIP_EXTRA_INDEX_URL": ""}
        with subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL) as process:
            index.settimeout(60)
            index.accept()[0].close()
            process.terminate()
    assert [one.suffix for one in (tmp_path / "home" / "python").iterdir()] == [".lock"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_interrupt_leaves_no_half_copy(folder, fast, tmp_path, monkeypatch):
    def interrupt(source, to):
        to.write_bytes(b"half")
        raise KeyboardInterrupt

    (asset,) = (one for one in request_of(folder, "laptop").assets if one.packages)
    monkeypatch.setattr(packing, "_link_or_copy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        packing.put_archive(asset, tmp_path / "s3" / "there.zip", tmp_path / "home")
    assert list((tmp_path / "s3").iterdir()) == []


def test_compiled_code_is_refused_where_it_can_not_be_imported(folder, tmp_path, monkeypatch):
    def install(packages, tree, _scratch):
        (tree / "fast").mkdir(parents=True)
        (tree / "fast" / "core.cpython-39-x86_64-linux-gnu.so").write_text("")

    monkeypatch.setattr(packing, "_install", install)
    wanted = packages_of(folder)
    assert pack(wanted, tmp_path / "home").exists()
    pure = wanted._replace(architecture="any", platforms=("any",))
    with pytest.raises(FlowspecError) as caught:
        pack(pure, tmp_path / "home")
    assert "fast/core.cpython-39-x86_64-linux-gnu.so is compiled code" in caught.value.message
    assert caught.value.remedy.startswith("deploy_mode: cluster")


UV = """#!{python}
import re, sys, zipfile
from pathlib import Path
words = sys.argv[1:]
file, limits = (Path(words[words.index(name) + 1]) for name in ("-r", "-c"))
Path({log!r}).write_text("\\n".join([" ".join(words), file.read_text(), limits.read_text()]))
asked = [re.split("[<>= ]", line)[0] if line[0] != "-" else line for line in file.read_text().splitlines()]
(wheels,) = [Path(line.split()[1]) for line in asked if line.startswith("--find-links")]
for name in [one for one in asked if one[0] != "-"]:
    found = sorted(wheels.glob(f"{{name}}-*.whl"))
    if not found:
        sys.exit(f"error: Because there are no versions of {{name}}, it can't be https://me:hunter2@a/")
    zipfile.ZipFile(found[0]).extractall(words[words.index("--target") + 1])
"""


def test_without_pip_it_is_uv(folder, tmp_path, monkeypatch):
    log, program = tmp_path / "log", tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(UV.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(packing.importlib.util, "find_spec", lambda _: None)
    (folder / "limits.txt").write_text("quiet<9; python_version < '3.10'\nquiet>9; python_version >= '3.10'\n")
    wanted = f"{OFFLINE}-c limits.txt\nloud==2.0 --hash=sha256:aa --hash=sha256:00\nquiet; python_version > '3.9'\n"
    made = names(pack(packages_of(folder, wanted), tmp_path / "home"))
    assert ("loud.py" in made, "quiet.py" in made) == (True, False)
    words, *lines = log.read_text().splitlines()
    links = f"--find-links {folder}/wheels"
    assert lines == ["--no-index", links, "loud==2.0 --hash=sha256:00 --hash=sha256:aa", "", "quiet<9"]
    assert "--no-build --link-mode=copy" in words
    assert "--python-version 3.9 --python-platform aarch64-manylinux_2_28 --target" in words
    with pytest.raises(FlowspecError) as caught:
        pack(packages_of(folder, f"{OFFLINE}-c limits.txt\nsilent\n"), tmp_path / "home")
    assert caught.value.message.startswith(
        "requirements.txt:4: no wheel of silent for Python 3.9 on aarch64; uv said: "
    )
    assert "hunter2" not in caught.value.message


def test_with_neither_it_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(packing.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlowspecError, match="neither pip nor uv"):
        pack(packages_of(folder), tmp_path / "home")


def test_it_is_packed_only_if_it_is_not_staged(folder, fast, emr):
    s3 = emr.s3()
    s3.create_bucket(Bucket="artifacts")
    (asset,) = (one for one in request_of(folder).assets if one.packages)
    assert list(stage(emr, [asset])) == [(asset, True)]
    path = packed_asset(asset).path
    bucket, key = asset.uri.removeprefix("s3://").split("/", 1)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == path.read_bytes()
    path.unlink()
    assert list(stage(emr, [asset])) == [(asset, False)]
    assert not path.exists()
    assert len(fast) == 1
    said = []
    assert upload([asset], emr, said.append) == 0
    s3.delete_object(Bucket=bucket, Key=key)
    assert upload([asset], emr, said.append) == 1
    packing = "packing the Python packages of requirements.txt for Python 3.9 on aarch64"
    assert said == [f"already there: {asset.uri}", packing, f"uploaded: {asset.uri}"]
    s3.close()


def test_wheels_that_change_under_way(folder, fast):
    (asset,) = (one for one in request_of(folder).assets if one.packages)
    make_wheel(folder / "wheels", "quiet", "2.0", files={"quiet.py": "1"})
    with pytest.raises(FlowspecError, match="changed since the request was compiled"):
        packed_asset(asset)


def test_a_plan_says_what_apply_packs(folder):
    flow = validate(render(load(folder / "job.yaml"), target="prod", environ={}), emr_rules=False)
    plan = plan_offline(flow, compile(flow))
    told = {one.address: one.reason for one in plan.changes if one.action.value == "^"}
    assert told["python3.9-aarch64.zip"] == "packed by apply: requirements.txt for Python 3.9 on aarch64"
    assert not (Path(os.environ["FLOWSPEC_HOME"]) / "python").exists()


def test_on_this_machine_nothing_but_the_packages_is_put_somewhere(folder):
    flow = validate(render(load(folder / "job.yaml"), target="laptop", environ={}))
    request = compile(flow)
    uploads = plan_offline(flow, request).uploads
    assert [one.packages is not None for one in uploads] == [True]
    assert len(request.assets) > 1, "the mapper is read where it is"


KEY, OTHER = "a" * 64, "b" * 64


def archive(home, key, *, days):
    """Makes an archive as `pack` and `put_archive` leave it, last used some days ago."""
    packed = home / "python" / f"{key}.zip"
    placed = home / "s3" / "flowspec-python-packages" / key / "python-packages.zip"
    for path in (packed, placed):
        path.parent.mkdir(parents=True, exist_ok=True)
    packed.write_bytes(b"x" * 10000)
    os.link(packed, placed)
    os.utime(packed, (time.time() - days * 86400,) * 2)
    return packed, placed


def test_archives_that_nothing_uses_are_pruned(tmp_path):
    old, new = archive(tmp_path, KEY, days=9), archive(tmp_path, OTHER, days=2)
    assert packing.prune_packages(tmp_path, 7 * 86400)[0] == 2
    assert not any(path.exists() for path in (*old, old[1].parent))
    assert all(path.exists() for path in new)
    count, freed = packing.prune_packages(tmp_path, 0)
    assert (count, freed >= 10000) == (2, True)
    # One that was used a moment ago may be about to be uploaded.
    archive(tmp_path, KEY, days=0)
    assert packing.prune_packages(tmp_path, 0) == (0, 0)


def test_the_archive_of_a_living_cluster_stays(tmp_path):
    (packed, placed), ended = archive(tmp_path, KEY, days=9), archive(tmp_path, OTHER, days=9)
    with Store(tmp_path) as store:
        for cluster, state, key in (("j-1", "RUNNING", KEY), ("j-2", "TERMINATED", OTHER)):
            doc = {"args": ["-archives", f"s3://flowspec-python-packages/{key}/python-packages.zip#python"]}
            store.add(Record("cluster", cluster, cluster, "us-east-1", state, 0.0, {}))
            store.add(Record("step", f"s-{cluster}", cluster, "us-east-1", "PENDING", 0.0, doc))
    packing.prune_packages(tmp_path, 0)
    assert packed.exists()
    assert placed.exists()
    assert not any(path.exists() for path in ended)


def test_what_is_in_the_folder_of_a_copy_does_not_end_a_prune(tmp_path):
    _, placed = archive(tmp_path, KEY, days=9)
    left = placed.parent / ".python-packages.zip.1.2"
    left.write_bytes(b"")
    assert packing.prune_packages(tmp_path, 0)[0] == 2
    assert left.exists()


def test_a_copy_that_a_killed_process_left_is_pruned(tmp_path):
    _, placed = archive(tmp_path, KEY, days=0)
    gone = subprocess.Popen(["true"])
    gone.wait()
    halves = {
        name: placed.with_name(f".python-packages.zip.{pid}.5")
        for name, pid in (("left", gone.pid), ("young", gone.pid + 1_000_000_000), ("living", os.getpid()))
    }
    for name, path in halves.items():
        path.write_bytes(b"x" * 10000)
        age = 0 if name == "young" else 2 * 86400
        os.utime(path, (time.time() - age,) * 2)
    count, freed = packing.prune_packages(tmp_path, 7 * 86400)
    assert (count, freed >= 10000) == (1, True)
    assert [name for name, path in halves.items() if path.exists()] == ["young", "living"]


def test_an_archive_that_another_prune_deletes_is_not_counted(tmp_path, monkeypatch):
    for one in (KEY, OTHER):
        archive(tmp_path, one, days=9)

    def other_prune(home):
        monkeypatch.undo()
        assert packing.prune_packages(home, 0)[0] == 4
        return set()

    monkeypatch.setattr(packing, "_keys_in_use", other_prune)
    assert packing.prune_packages(tmp_path, 0) == (0, 0)


def test_an_archive_that_can_not_be_marked_as_used_is_told(folder, fast, tmp_path):
    (asset,) = (one for one in request_of(folder, "laptop").assets if one.packages)
    (tmp_path / "file").write_text("")
    with pytest.raises(FlowspecError, match="file"):
        packing.put_archive(asset, tmp_path / "file" / "there.zip", tmp_path / "home")


def test_use_keeps_an_archive(folder, fast, tmp_path):
    (asset,) = (one for one in request_of(folder, "laptop").assets if one.packages)
    path = tmp_path / "there.zip"
    packing.put_archive(asset, path, tmp_path / "home")
    os.utime(path, (0, 0))
    assert not packing.put_archive(asset, path, tmp_path / "home")
    assert time.time() - path.stat().st_mtime < 3600
    (packed,) = (tmp_path / "home" / "python").glob("*.zip")
    os.utime(packed, (0, 0))
    packed_asset(asset, tmp_path / "home")
    assert time.time() - packed.stat().st_mtime < 3600


def test_a_full_disk_is_told_and_nothing_is_left(folder, fast, tmp_path, monkeypatch):
    (asset,) = (one for one in request_of(folder, "laptop").assets if one.packages)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_):
        raise full

    with monkeypatch.context() as patched:
        patched.setattr(packing.os, "fsync", fail)
        with pytest.raises(FlowspecError, match=r"not writable: .*home: No space left on device") as told:
            pack(asset.packages, tmp_path / "home")
    assert "on a disk with space left" in told.value.remedy
    with monkeypatch.context() as patched:
        patched.setattr(packing.os, "link", fail)
        patched.setattr(packing.shutil, "copyfile", lambda _, to: (to.write_bytes(b"half"), fail()))
        with pytest.raises(FlowspecError, match="No space left on device"):
            packing.put_archive(asset, tmp_path / "s3" / "there.zip", tmp_path / "home")
    left = [one.suffix for one in tmp_path.rglob("*") if one.is_file() and "flow" not in one.parts]
    assert sorted(left) == [".lock", ".zip"]


def test_a_disk_that_is_full_for_pip_is_no_missing_wheel(folder, tmp_path, monkeypatch):
    (asset,) = (one for one in request_of(folder, "laptop").assets if one.packages)
    said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(packing.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(FlowspecError, match=r"a disk is full; pip said: .*No space left") as told:
        pack(asset.packages, tmp_path / "home")
    assert f"make room in {tmp_path / 'home' / 'python'}, or set" in told.value.remedy
    assert not [one for one in (tmp_path / "home" / "python").iterdir() if one.is_dir()]


def test_what_only_has_the_name_of_an_archive_stays_and_stops_no_prune(tmp_path):
    packed = tmp_path / "python"
    (packed / f"{'a' * 64}.zip").mkdir(parents=True)
    (packed / f"{'b' * 64}.zip").symlink_to(tmp_path / "nowhere")
    archive = packed / f"{'c' * 64}.zip"
    archive.write_bytes(b"x")
    for path in packed.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    assert packing.prune_packages(tmp_path, 0.0)[0] == 1
    assert sorted(one.name[0] for one in packed.glob("*.zip")) == ["a", "b"]
