"""The pages of `flowspec emulator`: read-only, for this machine's user only, and with nothing that runs but their own."""

import base64
import re
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest

from flowspec.emulator.http import Endpoint
from flowspec.site import respond_with_page
from tests.emulator.conftest import bash
from tests.endpoints import serving
from tests.report.page.conftest import run


@pytest.fixture
def limits():
    return {}


@pytest.fixture
def endpoint(runs, limits):
    server = Endpoint(lambda region: runs.service, region="us-east-1", pages=respond_with_page, **limits)
    with serving(server):
        yield server


@pytest.fixture
def get(endpoint):
    def ask(path, method="GET", **headers):
        connection = HTTPConnection("127.0.0.1", endpoint.server_port, timeout=60)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    return ask


def test_clusters_steps_and_logs(get, runs):
    page = get("/")
    assert page.status == 200
    assert re.search(r"\d+ clusters? in region us-east-1; \d+ active\.", page.text)
    assert f'<a href="/clusters/{runs.red}">nightly</a>' in page.text
    cluster = get(f"/clusters/{runs.red}?from=elsewhere").text
    assert "Why it failed" in cluster
    step = runs.emr.steps(runs.red)[2]["Id"]
    link = f"/clusters/{runs.red}/steps/{step}/stderr"
    assert f'href="{link}"' in cluster
    log = get(link)
    assert log.getheader("Content-Type") == "text/plain; charset=utf-8"
    assert "line 1 of <b>the log</b> &amp;\n" in log.text


def test_a_page_that_takes_long_to_make_is_read_less_often(get, runs, monkeypatch):
    cluster_id = run(runs.emr, bash("true"), keep_alive=True)
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr("flowspec.site.time", SimpleNamespace(thread_time=lambda: next(clock)))
    assert 'data-live="60"' in get(f"/clusters/{cluster_id}").text
    assert "data-live" not in get(f"/clusters/{runs.red}").text
    runs.emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])


def test_nothing_runs_but_what_is_in_the_page(get, runs):
    for path in ("/", f"/clusters/{runs.red}", "/clusters/j-NONE"):
        answer = get(path)
        policy = answer.getheader("Content-Security-Policy")
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("X-Frame-Options") == "DENY"
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.getheader("Cache-Control") == "no-store"


def test_a_name_that_was_made_to_point_here_is_refused(get):
    answer = get("/", Host="attacker.example")
    assert (answer.status, "this machine" in answer.text) == (403, True)
    assert "nightly" not in answer.text


def test_another_web_page_is_refused(get):
    assert get("/", Origin="https://attacker.example").status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/clusters/",
        "/clusters/j-NONE",
        "/clusters/{red}/",
        "/clusters/{red}/steps/s-NONE/stderr",
        "/clusters/{red}/steps/{step}/passwd",
        "/clusters/{red}/steps/../../../../../etc/passwd",
        "/clusters/../state.db",
        "/clusters/%2e%2e",
    ],
)
def test_there_is_nothing_else(get, runs, path):
    step = runs.emr.steps(runs.red)[2]["Id"]
    assert get(path.format(red=runs.red, step=step)).status == 404


def test_a_head_is_answered_like_a_get_without_the_body(endpoint):
    connection = HTTPConnection("127.0.0.1", endpoint.server_port, timeout=60)
    # The answers after the first show that no body was sent before them.
    for method, path, status in [("HEAD", "/", 200), ("HEAD", "/nothing", 404), ("GET", "/", 200), ("HEAD", "/", 200)]:
        connection.request(method, path)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (status, "keep-alive")
        assert int(answer.getheader("Content-Length")) > 0
        assert bool(answer.read()) == (method == "GET")
    connection.request("HEAD", "/", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x"})
    assert connection.sock.makefile("rb").read().endswith(b"\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_pages_are_read_only(get, method):
    assert get("/", method).status == 501


def test_a_post_is_a_call_of_the_api(get):
    answer = get("/", "POST", **{"X-Amz-Target": "ElasticMapReduce.ListClusters"})
    assert (answer.status, answer.getheader("Content-Type")) == (200, "application/x-amz-json-1.1")


def test_a_page_that_fails_is_an_answer(get, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("flowspec.site._clusters_page", fail)
    answer = get("/")
    assert (answer.status, "a bug" in answer.text) == (500, False)
    assert "the page / failed" in caplog.text


class TestWhereUsersAreNotKnown:
    """Outside of Linux the access key takes the place of the owner of a socket."""

    @pytest.fixture
    def limits(self):
        return {"access_key": "AKIAEXAMPLE"}

    def test_a_browser_is_asked_for_the_key(self, get):
        answer = get("/")
        assert (answer.status, answer.text) == (401, "")
        assert answer.getheader("WWW-Authenticate").startswith("Basic ")

    @pytest.mark.parametrize(
        ("given", "status"),
        [("Basic QUtJQQ==", 401), ("Basic %", 401), ("Basic ", 401), ("Bearer AKIAEXAMPLE", 401)],
    )
    def test_a_wrong_key_is_refused(self, get, given, status):
        assert get("/", Authorization=given).status == status

    def test_with_the_key_there_is_a_page(self, get):
        key = base64.b64encode(b"AKIAEXAMPLE:").decode()
        assert get("/", Authorization=f"Basic {key}").status == 200
