"""Uploading assets to an S3 that is moto's."""

import hashlib
import subprocess
import sys
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest

from flowspec.backend.aws.client import connect
from flowspec.backend.aws.submission.staging import stage
from flowspec.errors import FlowspecError, ServiceError
from flowspec.request.archives import members, packed
from flowspec.request.assets import Asset

BUCKET = "acme"


def asset_of(path, files=None):
    blocks = packed(files) if files is not None else [path.read_bytes()]
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
    return Asset(path, digest.hexdigest(), size, f"s3://{BUCKET}/x/{digest.hexdigest()}/{path.name}", files)


def stored(s3, asset):
    return s3.get_object(Bucket=BUCKET, Key=asset.uri.removeprefix(f"s3://{BUCKET}/"))["Body"].read()


def test_each_is_uploaded_once(emr, s3, tmp_path):
    (tmp_path / "m.py").write_text("print()")
    asset = asset_of(tmp_path / "m.py")
    assert list(stage(emr, [asset])) == [(asset, True)]
    assert list(stage(emr, [asset])) == [(asset, False)]
    assert stored(s3, asset) == b"print()"


def test_a_file_whose_age_is_not_told_is_sent_again(emr, s3, faulty_s3, tmp_path):
    (tmp_path / "map.py").write_text("print(1)\n")
    asset = asset_of(tmp_path / "map.py")
    faulty_s3("undated")
    behind_proxy = connect(emr.endpoint)
    assert [sent for _ in range(2) for _, sent in stage(behind_proxy, [asset])] == [True, True]


def test_a_directory_arrives_as_its_archive(emr, s3, tmp_path):
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a").write_text("1")
    asset = asset_of(folder, members(folder, tmp_path))
    assert list(stage(emr, [asset])) == [(asset, True)]
    assert zipfile.ZipFile(BytesIO(stored(s3, asset))).read("a") == b"1"


MEASURED = """
import resource, sys
from pathlib import Path
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.client import connect
from flowspec.backend.aws.submission.staging import stage
from flowspec.request.assets import Asset

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

url, bucket, *assets = sys.argv[1:]
emr = connect(Endpoint("emr", "us-east-1", endpoint_url=url))
for one in assets:
    path, sha, size = one.split(":")
    before = peak()
    list(stage(emr, [Asset(Path(path), sha, int(size), f"s3://{bucket}/{sha}")]))
print(peak() - before)
"""


def test_a_big_file_is_never_held_in_memory(moto, s3, tmp_path):
    (tmp_path / "small").write_text("x")
    with (tmp_path / "big").open("wb") as file:
        for number in range(60):
            file.write(bytes([number]) * 1_000_000)
    assets = [asset_of(tmp_path / name) for name in ("small", "big")]
    words = [f"{one.path}:{one.sha256}:{one.size}" for one in assets]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, moto, BUCKET, *words], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 15_000_000
    assert s3.head_object(Bucket=BUCKET, Key=assets[1].sha256)["ContentLength"] == 60_000_000


def test_a_very_big_file_is_sent_in_parts(emr, s3, tmp_path):
    path = tmp_path / "big.jar"
    path.write_bytes(bytes(range(250)) * 80_000)
    asset = asset_of(path)
    assert list(stage(emr, [asset], in_parts=1 << 20)) == [(asset, True)]
    assert stored(s3, asset) == path.read_bytes()
    assert s3.head_object(Bucket=BUCKET, Key=asset.uri.split("/", 3)[3])["ETag"].endswith('-3"')


@pytest.mark.parametrize("packs", [False, True])
def test_what_changed_since_it_was_hashed_is_not_uploaded(emr, s3, tmp_path, packs):
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a").write_text("1")
    asset = asset_of(folder, members(folder, tmp_path)) if packs else asset_of(folder / "a")
    (folder / "a").write_text("2")
    with pytest.raises(FlowspecError, match="changed while it was being staged"):
        list(stage(emr, [asset]))
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize("staged_before", [False, True])
def test_what_changes_while_its_parts_are_sent_does_not_stay(emr, s3, tmp_path, monkeypatch, staged_before):
    path = tmp_path / "m.py"
    path.write_text("1")
    asset = asset_of(path)
    if staged_before:
        list(stage(emr, [asset]))
        monkeypatch.setattr("flowspec.backend.aws.submission.staging.REFRESH_AFTER", timedelta(days=-1))

    class Meddling:
        """Changes the file while it is under way."""

        def __getattr__(self, name):
            return getattr(s3, name)

        def put_object(self, **params):
            answer = s3.put_object(**params)
            path.write_text("23")
            return answer

    monkeypatch.setattr(emr, "s3", Meddling)
    with pytest.raises(FlowspecError, match="changed while it was being staged"):
        list(stage(emr, [asset], in_parts=1))
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_bucket_that_is_not_there(emr, moto, tmp_path):
    (tmp_path / "m.py").write_text("1")
    asset = asset_of(tmp_path / "m.py")
    with pytest.raises(ServiceError, match="NoSuchBucket") as caught:
        list(stage(emr, [asset]))
    assert f"bucket {BUCKET} exists" in caught.value.remedy
