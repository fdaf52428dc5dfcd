"""Python packages of steps: how they are named in a request, for which machine, and what is refused. Nothing is packed."""

import platform
import sys

import pytest

from flowspec.errors import SpecError
from flowspec.facts.pythons import glibc_of, python_of, wheel_platforms
from flowspec.request.data import data_uses
from flowspec.request.packages import for_this_machine, python_here
from tests import specs
from tests.wheels import make_wheel

HEAD = "flowspec: v1\nname: x\nmaster_instance_type: {type}\n{key}: {release}\nstaging: s3://acme/st\n"
PYTHON = "python: {requirements: requirements.txt}\n"
STREAMING = "steps: [{{name: s, type: streaming, mapper: cat, input: in, output: out{more}}}]\n"
SPARK = "steps: [{{name: s, type: spark, application: s3://acme/etl.py{more}}}]\n"


@pytest.fixture
def compiled(tmp_path):
    """Compiles a spec beside a requirements file."""

    def compiling(
        steps,
        *,
        node="m5.xlarge",
        key="release_label",
        release="emr-7.5.0",
        head=PYTHON,
        requirements="idna==3.10\n",
        local=False,
    ):
        (tmp_path / "requirements.txt").write_text(requirements)
        backend = "backend: local\n" if local else ""
        return specs.compiled(tmp_path, HEAD.format(type=node, key=key, release=release) + backend + head + steps)

    return compiling


def args(request):
    return request.params["Steps"][0]["HadoopJarStep"]["Args"]


def diagnostics(compiling, *words, **options):
    with pytest.raises(SpecError) as caught:
        compiling(*words, **options)
    return caught.value.diagnostics


def findings(compiling, *words, **options):
    return [(one.id, one.message) for one in diagnostics(compiling, *words, **options)]


def test_a_streaming_step(compiled):
    request = compiled(STREAMING.format(more=""))
    (asset,) = request.assets
    assert asset.uri == f"s3://acme/st/{asset.sha256}/python3.9-x86_64.zip"
    assert args(request) == [
        *("hadoop-streaming", "-archives", f"{asset.uri}#python_env", "-mapper", "cat"),
        *("-input", "in", "-output", "out", "-cmdenv", "PYTHONPATH=./python_env"),
    ]
    assert request.warnings == ()
    # `graph`, `iam` and the preflight see it as a file that is read.
    assert next((one.uri, one.use.value) for one in data_uses(request.params)) == (asset.uri, "file")


def test_what_a_step_gives_itself_is_kept(compiled):
    given = ", archives: ['s3://a/x.zip#x'], cmdenv: {LANG: C, PYTHONPATH: ./x}, args: [-verbose]"
    request = compiled(STREAMING.format(more=given))
    uri = f"{request.assets[0].uri}#python_env"
    assert args(request)[1:3] == ["-archives", f"s3://a/x.zip#x,{uri}"]
    assert args(request)[-5:] == ["-cmdenv", "LANG=C", "-cmdenv", "PYTHONPATH=./x:./python_env", "-verbose"]


def test_the_packages_of_the_flow_are_read_once_for_all_its_steps(compiled, monkeypatch):
    from flowspec.request import requirements

    read, calls = requirements.read_requirements, []
    monkeypatch.setattr(requirements, "read_requirements", lambda *given: calls.append(given) or read(*given))
    step = "  - {{name: s{}, type: streaming, mapper: cat, input: in, output: out}}\n"
    request = compiled("steps:\n" + "".join(map(step.format, range(3))))
    (asset,) = request.assets
    texts = [" ".join(step["HadoopJarStep"]["Args"]) for step in request.params["Steps"]]
    assert [asset.uri in text for text in texts] == [True] * 3
    assert len(calls) == 1


def test_spark_in_cluster_mode(compiled):
    request = compiled(SPARK.format(more=", deploy_mode: cluster, conf: {spark.executor.memory: 4g}"))
    assert args(request) == [
        *("spark-submit", "--deploy-mode", "cluster", "--conf", "spark.executor.memory=4g"),
        *("--conf", "spark.yarn.appMasterEnv.PYSPARK_PYTHON=./python_env/bin/python"),
        *("--conf", "spark.executorEnv.PYSPARK_PYTHON=./python_env/bin/python"),
        *("--archives", f"{request.assets[0].uri}#python_env", "s3://acme/etl.py"),
    ]


def test_spark_in_client_mode_gets_packages_without_compiled_code(compiled):
    request = compiled(SPARK.format(more=", py_files: [s3://acme/lib.zip]"))
    (asset,) = request.assets
    assert (asset.name, asset.packages.platforms) == ("python3.9-any.zip", ("any",))
    assert args(request) == ["spark-submit", "--py-files", f"s3://acme/lib.zip,{asset.uri}", "s3://acme/etl.py"]


@pytest.mark.parametrize(
    ("more", "head", "mode"),
    [
        (", conf: {spark.submit.deployMode: cluster}", "", "cluster"),
        (", spark_args: [--verbose, --deploy-mode, cluster]", "", "cluster"),
        (", spark_args: [--deploy-mode=client], deploy_mode: cluster", "", "client"),
        (", master: 'local[*]'", "configurations: {spark-defaults: {spark.submit.deployMode: cluster}}\n", "client"),
        ("", "configurations: {spark-defaults: {spark.submit.deployMode: cluster}}\n", "cluster"),
        (
            "",
            "configurations: [{Classification: spark-defaults, Properties: {spark.submit.deployMode: cluster}}]\n",
            "cluster",
        ),
    ],
)
def test_where_the_driver_runs(compiled, more, head, mode):
    request = compiled(SPARK.format(more=more), head=PYTHON + head)
    assert ("--archives" in args(request), "--py-files" in args(request)) == (mode == "cluster", mode == "client")


def test_pyspark_is_told_of_another_python_than_its_own(compiled):
    request = compiled(SPARK.format(more=""), release="emr-5.29.0")
    assert args(request)[3:5] == ["--conf", "spark.pyspark.python=python3.6"]
    # Which one that is of a release of the future is not known.
    said = "python: {requirements: requirements.txt, version: '3.12'}\n"
    assert "--conf" not in args(compiled(SPARK.format(more=""), release="emr-8.0.0", head=said))


def test_the_step_wins_and_null_is_none(compiled):
    own = ", python: {requirements: requirements.txt, version: '3.11', architecture: arm64}"
    assert compiled(STREAMING.format(more=own)).assets[0].name == "python3.11-aarch64.zip"
    assert compiled(STREAMING.format(more=", python: null")).assets == ()
    # A jar has no use for the packages of the flow.
    assert compiled(SPARK.format(more="").replace("etl.py", "etl.jar")).assets == ()


@pytest.mark.parametrize(
    ("release", "node", "name"),
    [
        ("emr-5.20.0", "m5.xlarge", "python3.6-x86_64.zip"),
        ("emr-5.36.2", "m5.xlarge", "python3.7-x86_64.zip"),
        ("emr-6.15.0", "m6g.xlarge", "python3.7-aarch64.zip"),
        ("emr-7.0.0", "r7g.xlarge", "python3.9-aarch64.zip"),
    ],
)
def test_the_release_and_the_instance_types_tell_the_machine(compiled, release, node, name):
    assert compiled(STREAMING.format(more=""), release=release, node=node).assets[0].name == name


def test_all_instances_count(compiled):
    fleets = (
        "instance_fleets: [{type: MASTER, instance_type_configs: [{type: m6g.xlarge}]},"
        " {type: CORE, instance_type_configs: [{type: m6g.xlarge}, {type: r6g.xlarge}]}]\n"
        "fallback: [{instance_types: {m6g.xlarge: %s}}]\n"
    )
    assert compiled(STREAMING.format(more=""), node="m6g.xlarge", head=PYTHON + fleets % "m7g.xlarge").assets
    found = findings(compiled, STREAMING.format(more=""), node="m6g.xlarge", head=PYTHON + fleets % "m5.xlarge")
    assert found == [
        ("FS283", "the instance types are of several architectures: m6g.xlarge, r6g.xlarge, m5.xlarge"),
    ]


def test_what_is_not_known_has_to_be_said(compiled):
    step = STREAMING.format(more="")
    assert findings(compiled, step, release="emr-8.0.0") == [("FS283", "the Python of emr-8.0.0 is not known here")]
    assert findings(compiled, step, node="m9x.xlarge") == [("FS283", "the architecture of m9x.xlarge is not known")]
    said = "python: {requirements: requirements.txt, version: '3.12', architecture: x86_64}\n"
    assert compiled(step, release="emr-8.0.0", node="m9x.xlarge", head=said).assets[0].name == "python3.12-x86_64.zip"


def test_another_python_than_that_of_the_commands(compiled, tmp_path):
    head = "python: {requirements: requirements.txt, version: '%s'}\n"
    for name, first in {
        "m.py": "#!/usr/bin/env python3",
        "r.py": "#!/usr/bin/env python3.11",
        "t.sh": "#!/bin/sh",
    }.items():
        (tmp_path / name).write_text(f"{first}\n")
    step = "steps: [{name: s, type: streaming, mapper: m.py -x, combiner: t.sh, reducer: %s, input: in, output: out}]\n"
    (found,) = compiled(step % "r.py", head=head % "3.11").warnings
    message = "the packages are for Python 3.11, and python3 of emr-7.5.0 is 3.9, which runs this"
    assert (found.id, found.message, found.location.column) == ("FS285", message, step.index("m.py") + 1)
    assert found.hint == "#!/usr/bin/env python3.11 as its first line"
    found = next(
        one for one in compiled(step % "/usr/bin/python3 x.py", head=head % "3.12").warnings if one.id == "FS285"
    )
    assert found.hint.endswith(", which a bootstrap action has to install")
    assert "FS285" not in {one.id for one in compiled(step % "python3 x.py", head=head % "3.9").warnings}
    too_long = f"{'x' * 300}.py"
    assert [one[0] for one in findings(compiled, step % too_long, head=head % "3.12")] == ["FS285", "FS403"]


def test_what_would_be_in_the_way(compiled):
    files = findings(compiled, STREAMING.format(more=", files: ['s3://a/b#python_env']"))
    assert files == [("FS284", "'python_env' is the folder of the step's Python packages")]
    raw = findings(compiled, STREAMING.format(more=", generic_args: [-archives, s3://a/b.zip]"))
    assert raw == [("FS284", "-archives here would hide that of the step's Python packages")]
    conf = findings(compiled, SPARK.format(more=", deploy_mode: cluster, conf: {spark.pyspark.python: python3}"))
    assert conf == [("FS284", "spark.pyspark.python is set by `python`, to the interpreter that finds the packages")]


def test_requirements_that_can_not_be_used(compiled, tmp_path):
    step = STREAMING.format(more="")
    assert [one[0] for one in findings(compiled, step, requirements="-e .\n./x\n")] == ["FS282", "FS282"]
    assert findings(compiled, step, requirements="# none\n") == [
        ("FS282", "'requirements.txt' does not name a package")
    ]
    head = "python: {requirements: %s}\n"
    assert [one[0] for one in findings(compiled, step, head=head % "gone.txt")] == ["FS401"]
    assert [one[0] for one in findings(compiled, step, head=head % "/etc/requirements.txt")] == ["FS401"]
    (tmp_path / "link.txt").symlink_to("/etc/hosts")
    for outside in ("../requirements.txt", "link.txt"):
        for local in (True, False):
            found = findings(compiled, step, head=head % outside, local=local)
            assert found == [("FS407", f"'{outside}' is outside of the spec's folder tree, or in its .git")]
    (found,) = findings(compiled, step, requirements="-r link.txt\n", local=True)
    assert found == ("FS407", "requirements.txt:1: 'link.txt' is outside of the spec's folder tree")
    (tmp_path / "big.txt").write_text("#" * 5_000_000)
    (found,) = diagnostics(compiled, step, head=head % "big.txt")
    assert (found.id, found.notes) == ("FS403", ())
    assert found.message == "'big.txt' can't be read: more than 4,000,000 characters"


def test_the_python_of_an_ami_is_not_known(compiled):
    (found,) = findings(compiled, STREAMING.format(more=""), release="2.4.11", key="ami_version")
    assert found == ("FS283", "the Python of an AMI version is not known here")


def test_what_is_not_pinned_is_warned_of(compiled):
    request = compiled(STREAMING.format(more=""), requirements="a\nb>=1\nc==1.*\nd~=1.0\ne==1.0\n")
    (found,) = request.warnings
    names = "a (requirements.txt:1), b>=1 (requirements.txt:2), c==1.* (requirements.txt:3) and 1 more"
    assert (found.id, found.message) == ("FS617", f"not pinned to one version: {names}")


def test_the_name_follows_what_decides_the_content(compiled, tmp_path):
    def key(requirements="idna==3.10\n", **options):
        return compiled(STREAMING.format(more=""), requirements=requirements, **options).assets[0].sha256

    links = "--no-index\n--find-links ./wheels\nidna\n"
    make_wheel(tmp_path / "wheels", "idna")
    keys = [
        key(),
        key("idna==3.11\n"),
        key("idna==3.10 --hash=sha256:00\n"),
        key("idna==3.10; python_version > '3'\n"),
        key(node="m6g.xlarge"),
        key(release="emr-6.15.0"),
        key(links),
    ]
    make_wheel(tmp_path / "wheels", "idna", files={"idna.py": "1"})
    keys.append(key(links))
    assert len(set(keys)) == len(keys)
    assert key("# another comment\nidna == 3.10\n") == keys[0]


def test_passwords_of_indexes_are_secrets(compiled):
    request = compiled(STREAMING.format(more=""), requirements="-i https://me:hunter2@a.example/\nidna==3.10\n")
    assert {"hunter2", "me:hunter2"} <= request.secrets


def test_on_this_machine(compiled):
    request = compiled(STREAMING.format(more=""), local=True)
    (asset,) = request.assets
    assert asset.name == f"python{python_here()}-{platform.machine()}.zip"
    assert asset.uri.startswith("s3://flowspec-python-packages/")
    there = compiled(STREAMING.format(more="")).assets[0].packages
    assert for_this_machine(there) == asset.packages
    assert (there.environment["platform_machine"], there.environment["python_version"]) == ("x86_64", "3.9")


def test_the_python_on_the_path(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    own = "{}.{}".format(*sys.version_info)
    assert python_here() == own
    (tmp_path / "python3.4").write_text("#!/bin/sh\n")
    (tmp_path / "python3.4").chmod(0o755)
    (programs / "python3").symlink_to(tmp_path / "python3.4")
    assert python_here() == "3.4"
    (programs / "python3").unlink()
    (programs / "python3").symlink_to(sys.executable)
    assert python_here() == own


def test_the_table():
    assert [
        python_of(label) and python_of(label).versions for label in ("emr-5.19.0", "emr-7.1.0", "emr-spark-8.0.0")
    ] == [
        None,
        ("3.9", "3.11"),
        None,
    ]
    assert [glibc_of(label) for label in (None, "emr-5.29.0", "emr-6.15.0", "emr-7.0.0", "emr-9.0.0")] == [
        17,
        17,
        26,
        34,
        34,
    ]
    assert wheel_platforms(18, "x86_64") == (
        *("manylinux_2_18_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"),
    )
