"""An S3 that refuses, breaks off or does not answer: an error of ours that names the object, never a traceback."""

import gzip
import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.diagnosis.diagnose import diagnose
from flowspec.backend.aws.logs import shipped_logs
from flowspec.backend.aws.submission.staging import stage
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.errors import ServiceError
from flowspec.plan.cluster import Cluster, Step
from flowspec.request.assets import Asset
from tests.backend.aws.failures.cases import load

CLUSTER = Cluster("j-1", "flow", "TERMINATED", log_uri="s3://acme/logs/")
KEY = "logs/j-1/steps/s-1/stdout.gz"
URI = f"s3://acme/{KEY}"
# Random, so that half of what is stored is half of what is read.
LOG = os.urandom(300_000)


@pytest.fixture
def s3(s3):
    s3.put_object(Bucket="acme", Key=KEY, Body=gzip.compress(LOG))
    return s3


@pytest.fixture
def logs(emr, s3):
    return shipped_logs(emr, CLUSTER, timeout=20)


def read(logs):
    return b"".join(logs.blocks("s-1", "stdout"))


def test_a_shipped_log_is_read_in_blocks_and_by_its_tail(logs):
    blocks = list(logs.blocks("s-1", "stdout"))
    assert b"".join(blocks) == LOG
    assert max(map(len, blocks)) <= 65536
    assert b"".join(logs.blocks("s-1", "stdout", 70_000)) == LOG[70_000:]
    assert logs.tail("s-1", "stdout", 100_000) == LOG[-100_000:]
    assert logs.tail("s-1", "stdout", 1_000_000) == LOG
    assert logs.blocks("s-1", "stderr") is None
    assert logs.tail("s-1", "stderr", 10) is None


def test_a_log_of_several_gzip_members_is_one(s3, logs):
    s3.put_object(Bucket="acme", Key=KEY, Body=gzip.compress(b"a") + gzip.compress(b"b"))
    assert read(logs) == b"ab"


NETWORK = "check the network, the region, and AWS_ENDPOINT_URL_S3 if it is set"
FAULTS = {
    "refused": ("refused", "EndpointConnectionError", NETWORK),
    "403": (
        (403, "AccessDenied"),
        "AccessDenied: .*as asked for",
        "check that bucket acme exists and that you may read",
    ),
    "405": ((405, "MethodNotAllowed"), "MethodNotAllowed", "the endpoint is not an S3: set AWS_ENDPOINT_URL_S3"),
    "503": ((503, "SlowDown"), "SlowDown", "check that bucket acme exists"),
    "cut": ("cut", "IncompleteReadError|ResponseStreamingError", NETWORK),
    "silent": ("silent", "ReadTimeoutError", NETWORK),
}


@pytest.mark.parametrize(("fault", "says", "remedy"), FAULTS.values(), ids=FAULTS)
def test_a_log_that_cannot_be_read(faulty_s3, emr, s3, fault, says, remedy):
    faulty_s3(fault)
    logs = shipped_logs(emr, CLUSTER, timeout=1 if fault == "silent" else 20)
    with pytest.raises(ServiceError, match=rf"^GetObject: ({says})") as caught:
        read(logs)
    assert URI in caught.value.message
    assert remedy in caught.value.remedy
    with pytest.raises(ServiceError):
        logs.tail("s-1", "stdout", 10)


def test_a_slow_s3_is_only_slow(faulty_s3, emr, s3):
    """Each piece comes in time, and all of them take longer than that."""
    assert faulty_s3("slow").seen == []
    assert read(shipped_logs(emr, CLUSTER, timeout=2)) == LOG


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(LOG)[:-50_000],  # the object itself is cut
        b"<html>a proxy's page</html>",
        gzip.compress(LOG)[:1000] + bytes(1000) + gzip.compress(LOG)[2000:],
    ],
    ids=["cut", "no gzip", "damaged"],
)
def test_a_log_that_is_damaged(s3, logs, content):
    s3.put_object(Bucket="acme", Key=KEY, Body=content)
    with pytest.raises(ServiceError, match=r"^GetObject: DamagedContent: s3://acme/logs/") as caught:
        read(logs)
    assert caught.value.remedy.startswith("try again")


MEASURED = """
import resource, sys
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.logs import shipped_logs
from flowspec.plan.cluster import Cluster

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

emr = connect(Endpoint("emr", "us-east-1", endpoint_url=sys.argv[1]))
logs = shipped_logs(emr, Cluster("j-1", "flow", "TERMINATED", log_uri="s3://acme/logs/"))
logs.tail("s-1", "small", 1000)
before = peak()
assert len(logs.tail("s-1", "stdout", 1000)) == 1000
assert sum(map(len, logs.blocks("s-1", "stdout"))) == 200_000_000
print(peak() - before)
"""


def test_a_big_log_is_never_held_in_memory(moto, s3):
    s3.put_object(Bucket="acme", Key=KEY, Body=gzip.compress(bytes(200_000_000), 1))
    s3.put_object(Bucket="acme", Key=KEY.replace("stdout", "small"), Body=gzip.compress(b"x"))
    done = subprocess.run([sys.executable, "-c", MEASURED, moto], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 15_000_000


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refused", "HeadObject: EndpointConnectionError"),
        ((403, "AccessDenied"), "HeadObject: 403"),
        ((405, "MethodNotAllowed"), "HeadObject: 405"),
        ("cut", None),  # a HEAD has no body
        ("slow", None),
    ],
)
def test_staging(moto, s3, faulty_s3, tmp_path, fault, says):
    path = tmp_path / "m.py"
    path.write_bytes(b"print()")
    digest = hashlib.sha256(b"print()").hexdigest()
    asset = Asset(path, digest, 7, f"s3://acme/x/{digest}/m.py", None)
    faulty_s3(fault)
    emr = connect(Endpoint("emr", "us-east-1", endpoint_url=moto))
    if says is None:
        assert list(stage(emr, [asset])) == [(asset, True)]
        return
    with pytest.raises(ServiceError, match=f"^{says}: {asset.uri}") as caught:
        list(stage(emr, [asset]))
    assert caught.value.remedy


def test_what_is_shipped_below_a_folder_is_listed_and_read(s3, logs):
    for name in ("stderr", "stdout"):
        key = f"logs/j-1/containers/application_1_0001/container_1_0001_01_000001/{name}.gz"
        s3.put_object(Bucket="acme", Key=key, Body=gzip.compress(name.encode()))
    found = logs.list_logs("containers/application_1_0001/", 10)
    assert [one.path.rpartition("/")[2] for one in found] == ["stderr", "stdout"]
    assert [b"".join(logs.read(one.path)) for one in found] == [b"stderr", b"stdout"]
    assert all(one.size > 0 for one in found)
    assert len(logs.list_logs("containers/", 1)) == 1
    assert logs.list_logs("containers/application_1_0002/", 10) == []
    assert logs.uri("steps/s-1/stdout") == URI


def test_the_driver_of_a_cluster_mode_step_is_diagnosed_from_s3(s3, logs):
    case = load("written-driver-in-cluster-mode")
    for path in case.folder.glob("logs/**/*"):
        if path.is_file():
            name = str(path.relative_to(case.folder / "logs"))
            key = f"logs/j-1/{name if name.startswith('containers/') else f'steps/s-1/{name}'}.gz"
            s3.put_object(Bucket="acme", Key=key, Body=gzip.compress(path.read_bytes()))
    step = Step("s-1", "sums", "FAILED")
    cluster = replace(CLUSTER, steps=(step,))
    cause = diagnose(cluster, Verdict(Outcome.STEP_FAILED, step), logs).cause
    container = "containers/application_1763805600000_0003/container_1763805600000_0003_01_000001"
    assert (cause.id, cause.log) == ("python-exception", f"s3://acme/logs/j-1/{container}/stdout.gz")
    assert (cause.line, cause.end_line) == (2, 4)
    assert cause.quote[-1] == "KeyError: 'shop'"
