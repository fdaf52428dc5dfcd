import pytest

from flowspec.engines.paths import FileSystems, UnknownScheme, split_uri
from flowspec.errors import FlowspecError


@pytest.fixture
def local(tmp_path):
    return FileSystems(working=tmp_path / "cwd")


@pytest.fixture
def mapped(tmp_path):
    return FileSystems(working=tmp_path / "cwd", s3=tmp_path / "s3", hdfs=tmp_path / "hdfs")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/a/b", ("", "", "/a/b")),
        ("a/b:c", ("", "", "a/b:c")),
        ("s3://bucket/a b", ("s3", "bucket", "/a b")),
        ("s3n://bucket", ("s3n", "bucket", "")),
        ("hdfs:///x", ("hdfs", "", "/x")),
        ("hdfs://node:8020/x", ("hdfs", "node:8020", "/x")),
        ("file:/x", ("file", "", "/x")),
    ],
)
def test_a_uri_is_cut_as_hadoop_cuts_it(text, parts):
    assert split_uri(text) == parts


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("/data//x/", "file:/data/x"),
        ("file:///data/x", "file:/data/x"),
        ("file:/data/../x", "file:/x"),
        ("s3://bucket/a//b/", "s3://bucket/a/b"),
        ("s3a://bucket", "s3a://bucket"),
        ("hdfs:///data/x", "hdfs:///data/x"),
        ("hdfs://node:8020/data", "hdfs://node:8020/data"),
    ],
)
def test_full_uris_are_as_hadoop_prints_them(local, text, uri):
    assert local.qualify(text) == uri


def test_a_relative_path_belongs_to_the_working_directory_or_to_the_home_in_hdfs(local, mapped, tmp_path):
    assert local.qualify("data/x") == f"file:{tmp_path}/cwd/data/x"
    assert mapped.qualify("data/x") == "hdfs:///user/hadoop/data/x"
    assert mapped.locate("data/x") == tmp_path / "hdfs/user/hadoop/data/x"


def test_the_places_that_stand_for_s3_and_hdfs(mapped, tmp_path):
    assert mapped.locate("s3://bucket/a/b") == tmp_path / "s3/bucket/a/b"
    assert mapped.locate("s3n://bucket/") == tmp_path / "s3/bucket"
    assert mapped.locate("hdfs://node:8020/a") == tmp_path / "hdfs/a"
    assert mapped.locate("/a").as_posix() == "/a"


@pytest.mark.parametrize("uri", ["s3://bucket/x", "hdfs:///x", "gs://bucket/x"])
def test_a_scheme_that_nothing_stands_for_is_unknown(local, uri):
    with pytest.raises(UnknownScheme, match=f'^No FileSystem for scheme "{uri.partition(":")[0]}"$'):
        local.locate(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/../other/x",
        "s3://bucket/a/../../x",
        "s3://../emulator.db",
        "s3://./bucket",
        "hdfs:///../x",
        "hdfs://h/a/../../x",
    ],
)
def test_no_path_leads_out_of_its_root(mapped, uri):
    with pytest.raises(FlowspecError, match="leads out of its root"):
        mapped.locate(uri)


def test_roots_come_from_the_environment(tmp_path):
    files = FileSystems.from_environment({"FLOWSPEC_S3_ROOT": "/s3", "FLOWSPEC_HDFS_ROOT": ""}, tmp_path)
    assert (files.s3 and files.s3.as_posix(), files.hdfs) == ("/s3", None)
