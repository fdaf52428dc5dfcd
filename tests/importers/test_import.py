"""Requests become specs that compile to them: exact texts, the corpus, and whatever the model allows.

Each folder in `imports` is a request.json with the job.yaml it becomes. FLOWSPEC_REWRITE=1 writes those
anew, to be read in a review.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowspec.facts.api_model import input_shape, problems
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.decompile.redact import is_secret_name, variable_name
from flowspec.importers.placeholders import Variable, Wanted, placeholder
from tests.specs import compiled

IMPORTS = Path(__file__).parent / "imports"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "requests"
REWRITE = bool(os.environ.get("FLOWSPEC_REWRITE"))


def assert_same(made, folder, wanted):
    """Members, values, their types, the order of lists; only that of Tags is free."""
    assert canonical(compiled(folder, made.text, variables=made.secrets).params) == canonical(wanted)


def canonical(request):
    tags = request.get("Tags")
    ordered = {**request, **({"Tags": sorted(tags, key=lambda tag: json.dumps(tag, sort_keys=True))} if tags else {})}
    # JSON tells 1, 1.0 and true apart, and absent from empty.
    return json.dumps(ordered, sort_keys=True)


@pytest.mark.parametrize("case", sorted(IMPORTS.iterdir()), ids=lambda case: case.name)
def test_a_request_becomes_this_spec(case, tmp_path):
    request = json.loads((case / "request.json").read_text("utf-8"))
    made = write_spec(request, folder=tmp_path, origin="request.json")
    if REWRITE:
        (case / "job.yaml").write_text(made.text, encoding="utf-8")
    assert made.text == (case / "job.yaml").read_text("utf-8")
    assert_same(made, tmp_path, request)
    assert bool(made.leftover) == (case.name == "declined")


@pytest.mark.parametrize("text", ["a \nb", "a\n\n  b", "\na", "a\n\n", " a\nb", "a\tb\nc", "a\nb\n"])
def test_a_text_of_several_lines_is_itself(text, tmp_path):
    step = {"Name": "s", "HadoopJarStep": {"Jar": "s3://b/x.jar", "Args": [text]}}
    request = {"Name": "n", "ReleaseLabel": "emr-7.5.0", "Instances": {}, "Steps": [step]}
    made = write_spec(request, folder=tmp_path)
    assert made.leftover == {}
    assert_same(made, tmp_path, request)


def test_a_comment_stays_one_line():
    made = write_spec({"Name": "n", "Instances": {}}, origin="a\nname: other")
    assert made.text.splitlines()[0] == "# Imported from a\\nname: other by `flowspec import`."


def test_a_variable_may_be_named_like_a_key(tmp_path):
    wanted = Wanted({"Name": placeholder("type"), "Instances": {}}, {"type": Variable(default="x")})
    assert_same(write_spec(wanted), tmp_path, {"Name": "x", "Instances": {}})


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("db.password", True),
        ("fs.s3a.secret.key", True),
        ("--api-key", True),
        ("privateKey", True),
        ("x.apikey", True),
        ("x.accesskey", True),
        ("oauth.secrets", True),
        ("oauth.tokens", True),
        ("smtp.pass", True),
        ("pass.count", False),
        ("compass", False),
        ("fs.s3a.aws.credentials.provider", False),
        ("ssl.password.file", False),
        ("token.ttl", False),
        ("secret.location", False),
        ("token.count", False),
        ("primary.key", False),
        ("", False),
    ],
)
def test_a_name_tells_of_a_secret(name, secret):
    assert is_secret_name(name) is secret


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("javax.jdo.option.ConnectionPassword", "connection_password"),
        ("fs.s3a.secret.key", "s3a_secret_key"),
        ("--", "secret"),
    ],
)
def test_the_variable_of_a_secret_is_named_like_it(name, variable):
    assert variable_name(name) == variable


def test_variables_and_tags_beside_secrets():
    properties = {"db.password": placeholder("given"), "password": "hunter2"}
    params = {
        "Name": placeholder("password"),
        "Instances": {},
        "Configurations": [{"Classification": "c", "Properties": properties}],
        "Tags": [{"Key": "token", "Value": "search"}],
    }
    made = write_spec(Wanted(params, {"given": Variable(), "password": Variable(default="x")}))
    assert made.secrets == {"password_2": "hunter2"}
    assert made.places == {"password_2": ("configurations.c.password",)}
    assert "given: {type: string, sensitive: true}" in made.text
    assert "password: {type: string, default: x}" in made.text
    assert "tags: {token: search}" in made.text


@pytest.mark.parametrize(
    ("request_", "line", "comment"),
    [
        ({"Instances": {}}, "name: x", "no release is given: EMR uses a very old AMI"),
        (
            {"ReleaseLabel": "emr-7.5.0", "Instances": {"HadoopVersion": "2.4"}},
            'hadoop_version: "2.4"',
            "EMR uses this only before release 4.0.0",
        ),
    ],
    ids=["no release", "Hadoop's version"],
)
def test_a_remark_stands_above_what_is_odd(request_, line, comment):
    text = write_spec({"Name": "x", **request_}).text
    assert f"# {comment}\n{line}\n" in text


def test_secrets_can_be_kept(tmp_path):
    request = json.loads((IMPORTS / "kerberos" / "request.json").read_text())
    made = write_spec(request, keep_secrets=True)
    assert (made.secrets, made.places) == ({}, {})
    assert "correct-horse" in made.text
    assert_same(made, tmp_path, request)


def test_no_secret_is_left_in_the_spec():
    request = json.loads((IMPORTS / "kerberos" / "request.json").read_text())
    made = write_spec(request)
    assert len(made.secrets) == 11
    for secret in made.secrets.values():
        assert secret not in made.text


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real requests is not beside this checkout")
@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.json")), ids=lambda file: file.stem[:30])
def test_a_real_request_needs_no_api_params(file, tmp_path):
    request = json.loads(file.read_text())["request"]
    made = write_spec(request, folder=tmp_path)
    assert (made.leftover, "api_params" in made.text) == ({}, False)
    assert_same(made, tmp_path, request)


def test_local_files_are_never_taken_for_what_a_request_names(tmp_path):
    for name in ("mapper.py", "app.jar", "boot.sh", "cat"):
        (tmp_path / name).write_text("x")
    request = {
        "Name": "x",
        "ReleaseLabel": "emr-7.5.0",
        "Instances": {"MasterInstanceType": "m5.xlarge"},
        "BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "boot.sh"}}],
        "Steps": [
            {"Name": "a", "HadoopJarStep": {"Jar": "app.jar", "Args": ["mapper.py"]}},
            {"Name": "b", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "mapper.py"]}},
            {
                "Name": "c",
                "HadoopJarStep": {
                    "Jar": "command-runner.jar",
                    "Args": [
                        "hadoop-streaming",
                        "-mapper",
                        "cat",
                        "-reducer",
                        "mapper.py",
                        "-input",
                        "a",
                        "-output",
                        "b",
                    ],
                },
            },
        ],
    }
    made = write_spec(request, folder=tmp_path)
    assert made.text.count("stage: false") == 4
    assert_same(made, tmp_path, request)


# --- whatever the model allows ---

NASTY = [
    "", "{{ x }}", "{% if %}", "{#", "{{{", "${emr.clusterId}", "a: b", "- x", "#c", " lead", "trail ", "a\nb", "a\n", "\n", "a\n\n b", "\r\n",
    "\t", "\x00\x1b", "é ☃ 😀", "\u2028\ufeff\ufffe", "true", "null", "~", "0x10", "1e3", "1.50", "007", "12:30", "2024-01-01", "=", "<<", "*a",
    "&a", "!t", "%x", "@y", "`z`", "'q'", '"dq"', "\\n", "a,b", "[x]", "{y}", "none", "NONE", "item", "s3n://b/k", "relative/path.py", "-D", "--conf",
    "password=hunter22", "AKIAIOSFODNN7EXAMPLE", "configurations", "Key", "m" * 300,
]  # fmt: skip
TEXTS = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def values(shape, depth=0):
    """Values of a botocore shape, small and nasty ones."""
    kind, least = shape.type_name, shape.metadata.get("min", 0)
    if kind == "string":
        return (
            st.sampled_from(shape.enum)
            if shape.enum
            else TEXTS.map(lambda text: text + "m" * max(0, least - len(text)))
        )
    if kind in ("integer", "long"):
        return st.integers(max(least, 0), 4) | st.integers(shape.metadata.get("min", -5), 2**40)
    if kind in ("double", "float"):
        return st.floats(least, 1e20) | st.integers(least, 100)
    if kind == "boolean":
        return st.booleans()
    if kind == "list":
        return st.lists(values(shape.member, depth + 1), max_size=2) if depth < 7 else st.just([])
    if kind == "map":
        return st.dictionaries(values(shape.key), values(shape.value), max_size=2)
    return st.deferred(lambda: members(shape, depth))


def members(shape, depth, names=None):
    needed = {name: values(one, depth + 1) for name, one in shape.members.items() if name in shape.required_members}
    free = {name: values(one, depth + 1) for name, one in shape.members.items() if name not in needed}
    if names is not None:
        return st.fixed_dictionaries({**needed, **{name: values(shape.members[name], depth + 1) for name in names}})
    return st.fixed_dictionaries(needed, optional=free if depth < 7 else {})


def some_requests():
    """Requests of a few members, so that what one of them has against another does not hide the rest."""
    shape = input_shape()
    names = st.lists(
        st.sampled_from([name for name in shape.members if name not in ("Name", "Instances")]), max_size=2, unique=True
    )
    inner = shape.members["Instances"]
    few = st.lists(st.sampled_from(list(inner.members)), max_size=1, unique=True)
    return st.tuples(names, few).flatmap(
        lambda chosen: st.tuples(members(shape, 0, chosen[0]), members(inner, 1, chosen[1])).map(
            lambda made: {**made[0], "Instances": made[1]}
        )
    )


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(some_requests() | values(input_shape()), st.booleans())
@example({"Name": "", "Instances": {}, "Steps": [{"Name": "", "HadoopJarStep": {"Jar": "\0\x1b"}}]}, False)
@example({"Name": "", "Instances": {}, "Steps": [{"Name": "", "HadoopJarStep": {"Jar": "a" * 300}}]}, False)
@example({"Name": "", "Instances": {}, "Tags": [{"Key": "a\nname: b", "Value": "v" * 300}]}, False)
def test_whatever_the_model_allows_comes_back(tmp_path_factory, request_, keep):
    assert problems(request_) == []
    made = write_spec(request_, keep_secrets=keep)
    assert_same(made, tmp_path_factory.getbasetemp(), request_)
    # What had to go to api_params is there, and a comment says why.
    for member in made.leftover:
        assert f"# {member}: " in made.text
    assert ("\napi_params:" in made.text) == bool(made.leftover)


def test_secrets_are_looked_for_in_linear_time():
    # In quadratic time this would take hours.
    step = {"Name": "s", "HadoopJarStep": {"Jar": "x.jar", "Args": ["x" * 1_000_000]}}
    assert write_spec({"Name": "flow", "Instances": {}, "Steps": [step]}).secrets == {}
