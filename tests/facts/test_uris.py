"""S3 URIs and lists of paths."""

import pytest

from flowspec.facts.uris import is_log_uri, is_s3, nested_s3, split_at_commas, split_s3


@pytest.mark.parametrize("uri", ["s3://b/k/x", "s3n://b/k/x", "s3a://b/k/x"])
def test_all_schemes_of_hadoop_name_the_same_object(uri):
    assert is_s3(uri)
    assert split_s3(uri) == ("b", "k/x")


def test_a_bucket_alone_has_an_empty_key():
    assert split_s3("s3://b") == split_s3("s3://b/") == ("b", "")


@pytest.mark.parametrize("text", ["/b/k", "s3:/b", "hdfs://b/k", "x s3://b/k", ""])
def test_other_texts_are_no_s3_uris(text):
    assert not is_s3(text)
    with pytest.raises(ValueError, match="not an S3 URI"):
        split_s3(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s3://b/s3://c/x", "s3://b/s3://c/x"),
        ("--out=s3a://b/p/s3n://c", "s3a://b/p/s3n://c"),
        ("s3://b/x,s3://c/y", ""),
        ("s3://b/x s3://c/y", ""),
        ("s3://b/x:s3://c/y", ""),
        ("s3://b/x", ""),
    ],
)
def test_a_uri_in_the_key_of_another(text, found):
    assert nested_s3(text) == found


@pytest.mark.parametrize(("uri", "usable"), [("s3://b", True), ("/x", True), ("file:/x", True), ("s3:///", False), ("x", False)])  # fmt: skip
def test_where_logs_can_be_archived(uri, usable):
    assert is_log_uri(uri) == usable


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        ("a{1,2},b", ["a{1,2}", "b"]),
        ("a{1,{2,3}},b", ["a{1,{2,3}}", "b"]),
        ("a},b{", ["a}", "b{"]),
        ("a{1,b", ["a{1,b"]),
        ("", [""]),
    ],
)
def test_commas_within_braces_separate_nothing(text, parts):
    assert split_at_commas(text) == parts
