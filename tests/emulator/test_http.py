"""The HTTP of `flowspec emulator`: whatever comes, an answer in AWS's form, and nobody kept waiting."""

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from flowspec.emulator import http, peers
from flowspec.emulator.api.service import Service
from flowspec.emulator.errors import EmrError
from flowspec.emulator.http import MAX_BODY, Endpoint
from flowspec.errors import FlowspecError
from tests.emulator.conftest import ROOT_WARNING, emulator
from tests.endpoints import serving as running
from tests.waiting import PATIENCE, wait_until

LIST = "ElasticMapReduce.ListClusters"


@pytest.fixture
def limits():
    """Limits of the endpoint of a test that are not the usual ones."""
    return {}


@pytest.fixture
def serving(home, limits):
    """An endpoint in this process."""
    server = Endpoint(lambda region: Service(home, region=region), region="us-east-1", **limits)
    with running(server):
        yield server


@pytest.fixture
def port(serving):
    return serving.server_port


def ask(port, body=b"{}", method="POST", path="/", **headers):
    """A request: the status, the error's code ("" without), and its message."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    named = {"X-Amz-Target": LIST} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {name: value for name, value in named.items() if value is not None})
    answer = connection.getresponse()
    told = json.loads(answer.read() or b"{}")
    assert answer.getheader("Content-Type") == "application/x-amz-json-1.1"
    connection.close()
    return answer.status, told.get("__type", ""), told.get("message", "")


def raw(port, data, *, end=True):
    """Sends bytes as they are; gives all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def head(*lines):
    return "\r\n".join(["POST / HTTP/1.1", "Host: localhost", f"X-Amz-Target: {LIST}", *lines, "", ""]).encode()


def test_an_empty_body_is_a_call_without_parameters(port):
    assert ask(port, b"")[:2] == (200, "")


@pytest.mark.parametrize(
    ("request_", "status", "code", "message"),
    [
        ({"X_Amz_Target": None}, 404, "UnknownOperationException", "X-Amz-Target is missing"),
        (
            {"X_Amz_Target": "DynamoDB_20120810.ListTables"},
            404,
            "UnknownOperationException",
            "not an operation of Amazon",
        ),
        ({"X_Amz_Target": "ElasticMapReduce.Nonsense"}, 400, "UnknownOperationException", "Nonsense"),
        ({"X_Amz_Target": "ElasticMapReduce.DescribeStudio"}, 400, "UnknownOperationException", "DescribeStudio"),
        ({"X_Amz_Target": "ElasticMapReduce."}, 400, "UnknownOperationException", ""),
        ({"path": "/elsewhere"}, 404, "UnknownOperationException", "nothing at /elsewhere"),
        ({"path": "//["}, 404, "UnknownOperationException", "nothing at /["),
        ({"path": "*"}, 404, "UnknownOperationException", "nothing at *"),
        ({"method": "GET"}, 405, "MethodNotAllowed", "embedded EMR"),
        ({"method": "PUT"}, 501, "MethodNotAllowed", "PUT"),
        ({"method": "OPTIONS"}, 501, "MethodNotAllowed", "OPTIONS"),
        ({"Host": "evil.example"}, 403, "AccessDeniedException", "is not this machine"),
        ({"Origin": "http://evil.example"}, 403, "AccessDeniedException", "web pages"),
        ({"body": b"nonsense"}, 400, "SerializationException", "not JSON"),
        ({"body": b"\xff\xfe"}, 400, "SerializationException", "not JSON"),
        ({"body": b"[]"}, 400, "SerializationException", "not a JSON object"),
        ({"body": b"[" * 100_000}, 400, "SerializationException", "not JSON"),
        ({"body": b'{"Marker": "\\ud800"}'}, 400, "SerializationException", "not JSON"),
        ({"body": b'{"CreatedAfter": NaN}'}, 400, "SerializationException", "NaN is not a number"),
        ({"Content_Length": "-1"}, 400, "BadRequest", "Content-Length"),
        ({"Content_Length": "two"}, 400, "BadRequest", "Content-Length"),
        ({"Content_Length": "9" * 30}, 400, "BadRequest", "Content-Length"),
        ({"Content_Length": str(MAX_BODY + 1)}, 413, "RequestEntityTooLargeException", "may have"),
        ({"Transfer_Encoding": "chunked"}, 411, "MissingContentLength", "Content-Length is needed"),
    ],
)
def test_what_is_no_call_is_refused_in_awss_form(port, request_, status, code, message):
    answer = ask(port, **request_)
    assert answer[:2] == (status, code)
    assert message in answer[2]


def test_a_body_that_is_too_large_is_refused_before_it_is_read_and_the_client_hears_it(port):
    assert ask(port, b"x" * (3 * MAX_BODY))[:2] == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (head("X-Long: " + "x" * 70_000), 431),
        (head(*[f"X-{number}: x" for number in range(200)]), 431),
        (head("Content-Length: 2", "Content-Length: 3") + b"{}", 400),
        (head("Content-Length: 20") + b"{}", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_broken_http_is_answered_and_the_connection_closed(port, sent, status):
    answer = raw(port, sent)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'{"__type": "BadRequest", ' in answer


def test_a_connection_serves_many_requests(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.connect()
    first = connection.sock
    for body in (b"{}", b"nonsense", b"{}"):
        connection.request("POST", "/", body, {"X-Amz-Target": LIST})
        connection.getresponse().read()
    assert connection.sock is first
    connection.close()


def test_a_client_of_http_1_0_gets_its_answer_and_the_end(port):
    sent = f"POST / HTTP/1.0\r\nX-Amz-Target: {LIST}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    assert b'{"Clusters": []}' in raw(port, sent, end=False)


def test_silent_and_slow_clients_keep_nobody_waiting(port):
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for number, connection in enumerate(idle):
        connection.sendall(head("Content-Length: 99")[: number * 5])
    assert ask(port)[0] == 200
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("limits", [{"request_seconds": 0.2}])
def test_a_client_that_never_sends_its_body_is_told_so(port):
    assert b"RequestTimeout" in raw(port, head("Content-Length: 99"), end=False)


class Clock:
    """Stands for the module `time` in the endpoint: between two looks at it `step` seconds pass."""

    def __init__(self, step):
        self.step, self.looks = step, 0

    def monotonic(self):
        self.looks += 1
        return self.step * self.looks


def trickle_until_cut_off(connection):
    """Sends byte after byte until the other side has closed the connection."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            connection.sendall(b"x")
            assert time.monotonic() < deadline, "it is not cut off"
            time.sleep(0.01)


@pytest.mark.parametrize("limits", [{"request_seconds": 1000}])
def test_a_trickling_client_is_cut_off(serving, port, monkeypatch):
    """Each byte comes in time; the whole request does not."""
    clock = Clock(step=100)
    with monkeypatch.context() as patched, socket.create_connection(("127.0.0.1", port)) as connection:
        patched.setattr(http, "time", clock)
        connection.sendall(b"POST / HTTP/1.1\r\nX-Endless: ")
        trickle_until_cut_off(connection)
    assert clock.looks > 10
    wait_until(lambda: not serving.connections)
    assert ask(port)[0] == 200


def test_a_client_that_trickles_after_a_refusal_is_cut_off(port, monkeypatch):
    """Those beyond the most of connections are refused so, and other users: each holds a thread until it is closed."""
    monkeypatch.setattr(http, "time", Clock(step=http._DRAIN_SECONDS / 4))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head(f"Content-Length: {MAX_BODY + 1}"))
        trickle_until_cut_off(connection)


def test_a_connection_for_which_there_is_no_thread_is_refused_and_not_counted(serving, monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        answer = raw(serving.server_port, b"")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"can't start new thread: raise the limit of processes (ulimit -u)" in answer
    assert serving.connections == 0
    assert ask(serving.server_port)[0] == 200


@pytest.mark.parametrize("limits", [{"request_seconds": 1000}])
def test_a_connection_may_last_longer_than_a_request_may_take(port, monkeypatch):
    clock = Clock(step=100)
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with monkeypatch.context() as patched:
        patched.setattr(http, "time", clock)
        for _ in range(20):
            connection.request("POST", "/", b"{}", {"X-Amz-Target": LIST})
            assert connection.getresponse().read() == b'{"Clusters": []}'
        connection.close()
    assert clock.looks > 10


# -- other users

# Connects and sends as another user; then prints the answer, or leaves at once.
FOREIGN = """
import encodings.idna, os, socket, sys
os.setgid(65534); os.setuid(65534)
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60) as connection:
    connection.sendall(sys.argv[2].encode())
    if sys.argv[3] == "leave":
        os._exit(0)
    while piece := connection.recv(65536):
        sys.stdout.buffer.write(piece)
"""


def foreign(port, end="stay", operation="CreateSecurityConfiguration"):
    body = '{"Name": "x", "SecurityConfiguration": "{}"}'
    sent = f"POST / HTTP/1.1\r\nX-Amz-Target: ElasticMapReduce.{operation}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    command = [sys.executable, "-c", FOREIGN, str(port), sent, end]
    return subprocess.run(command, capture_output=True, check=True, cwd="/").stdout


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
def test_another_user_is_refused_and_changes_nothing(port):
    answer = foreign(port)
    assert answer.startswith(b"HTTP/1.1 403 "), answer
    assert b"--allow-other-users" in answer
    for _ in range(20):
        # The socket of a process that has exited belongs to nobody, which the kernel shows as root.
        foreign(port, "leave")
    assert ask(port, X_Amz_Target="ElasticMapReduce.ListSecurityConfigurations")[0] == 200
    listed = raw(port, head("Content-Length: 2").replace(b"ListClusters", b"ListSecurityConfigurations") + b"{}")
    assert b'"SecurityConfigurations": []' in listed


@as_root
def test_other_users_are_served_on_request(home):
    with emulator_for_all(home) as port:
        assert b"200 OK" in foreign(port)


@contextlib.contextmanager
def emulator_for_all(home):
    command = [sys.executable, "-m", "flowspec", "emulator", "--home", str(home), "--allow-other-users"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()
            assert "every user of this machine can run programs" in process.communicate(timeout=PATIENCE)[1]


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2326 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 91 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:2326 01 00000000:00000000 00:00000000 00000000  1001        0 92 1 0 20 4 30 10 -1
   2: 0100007F:9C41 0100007F:2326 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000100007F:9C42 0000000000000000FFFF00000100007F:2326 01 0:0 00:0 0  1002 0 93 1 0
"""


@pytest.mark.parametrize(("port", "uid"), [(40000, 1001), (40001, None), (40002, 1002), (40003, None)])
def test_the_owner_of_a_socket_is_read_from_the_kernels_tables(tmp_path, monkeypatch, port, uid):
    (tmp_path / "tcp").write_text(TCP)
    monkeypatch.setattr(peers, "_TABLES", (tmp_path / "tcp", tmp_path / "missing"))
    assert peers.uid_of_peer(("127.0.0.1", port), ("127.0.0.1", 8998)) == uid


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")], ids=["v4", "mapped"]
)
def test_the_kernel_is_asked_for_one_socket(listener, monkeypatch, tmp_path, family, host):
    monkeypatch.setattr(peers, "_TABLES", (tmp_path / "missing",))
    with socket.socket(family) as client:
        client.connect((host, listener.getsockname()[1]))
        connection, peer = listener.accept()
        with connection:
            assert peers.uid_of_peer(peer, listener.getsockname()) == os.geteuid()
            client.close()
            assert peers.uid_of_peer(peer, listener.getsockname()) is None


def test_who_listens_on_the_port_of_a_client_does_not_own_its_socket(listener):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert peers.uid_of_peer(other.getsockname(), listener.getsockname()) is None


def test_an_access_key_is_asked_for_where_there_are_no_such_tables(home):
    server = Endpoint(lambda region: Service(home, region=region), region="us-east-1", access_key="AKIA1")
    scope = "AWS4-HMAC-SHA256 Credential={}/20261124/us-east-1/elasticmapreduce/aws4_request"
    with running(server):
        assert ask(server.server_port)[:2] == (403, "AccessDeniedException")
        assert ask(server.server_port, Authorization=scope.format("AKIA2"))[0] == 403
        assert ask(server.server_port, Authorization=scope.format("AKIA1"))[0] == 200


@pytest.mark.parametrize("limits", [{"max_connections": 1}])
def test_there_is_a_most_to_connections(serving):
    with socket.create_connection(("127.0.0.1", serving.server_port)):
        wait_until(lambda: serving.connections)
        assert ask(serving.server_port)[:2] == (503, "ServiceUnavailable")
    wait_until(lambda: not serving.connections)
    assert ask(serving.server_port)[0] == 200


@pytest.mark.parametrize(("files", "connections"), [(16, 1), (256, 56), (1024, 248), (1 << 16, 256), (-1, 256)])
def test_the_limit_of_open_files_bounds_connections(home, monkeypatch, files, connections):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    with Endpoint(lambda region: Service(home, region=region), region="us-east-1") as server:
        assert server.max_connections == connections


def test_more_clients_than_files_keep_no_call_from_its_answer(home):
    """With 256 connections of the 256 files of macOS, calls told that the home is not writable."""
    with (
        emulator(home, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))) as url,
        contextlib.ExitStack() as opened,
    ):
        port = int(url.rpartition(":")[2])
        others = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) for _ in range(100)
        ]
        assert b"too many connections are open: 8 may be (more with a higher ulimit -n" in others[8].recv(1 << 16)
        for one in others[:8]:
            one.sendall(head("Content-Length: 2") + b"{}")
        for one in others[:8]:
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("authorization", "region"),
    [
        ("AWS4-HMAC-SHA256 Credential=AK/20261124/eu-west-1/elasticmapreduce/aws4_request, Signature=x", "eu-west-1"),
        ("AWS4-HMAC-SHA256 Credential=AK/20261124/eu-west-1/s3/aws4_request, Signature=x", "us-east-1"),
        ("AWS4-ECDSA-P256-SHA256 Credential=AK/20261124/elasticmapreduce/aws4_request", "us-east-1"),
        ("Basic nonsense", "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_credential_scope(serving, authorization, region):
    asked = []
    service_for = serving.service_for
    serving.service_for = lambda name: asked.append(name) or service_for(name)
    ask(serving.server_port, Authorization=authorization)
    assert asked == [region]


class Broken:
    """A service that fails."""

    def __init__(self, error):
        self.error = error

    def call(self, *_):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (EmrError("ThrottlingException", "Rate exceeded"), 400, "ThrottlingException", "Rate exceeded"),
        (FlowspecError("it is full", remedy="make room"), 500, "InternalFailure", "it is full; make room"),
        (KeyError("x"), 500, "InternalFailure", "internal error in the emulator"),
    ],
)
def test_what_fails_inside_is_an_answer_too(serving, error, status, code, message):
    serving.service_for = lambda _: Broken(error)
    assert ask(serving.server_port)[:2] == (status, code)
    assert message in ask(serving.server_port)[2]


def test_an_answer_may_be_lost(serving, monkeypatch):
    monkeypatch.setattr(http, "respond", lambda *_: None)
    assert raw(serving.server_port, head("Content-Length: 2") + b"{}") == b""


def test_stopping_answers_what_was_asked_and_closes_what_is_idle(home):
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        def call(self, *_):
            entered.set()
            go_on.wait(PATIENCE)
            return {"Clusters": []}

    server = Endpoint(lambda _: Slow(), region="us-east-1")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    idle = socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(server.server_port)))
    asking.start()
    entered.wait(PATIENCE)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert idle.recv(1) == b""
    go_on.set()
    for thread in (asking, stopping, serving):
        thread.join(PATIENCE)
    idle.close()
    assert answers == [(200, "", "")]


# -- the command


def test_it_says_first_where_it_listens_and_stops_by_sigterm(home):
    with emulator(home) as url:
        assert ask(int(url.rpartition(":")[2]))[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="sends a signal to one thread as Linux does")
def test_a_signal_that_another_thread_takes_stops_it_as_well(home):
    """So is one that comes just before the first thread begins to wait: nothing wakes it."""
    command = [sys.executable, "-m", "flowspec", "emulator", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        tasks = {int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()}
        (other,) = tasks - {process.pid}
        wait_until(lambda: "S" in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0])
        ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM)
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_ctrl_c_stops_it_as_well(home):
    command = [sys.executable, "-m", "flowspec", "emulator", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE) == ("", ROOT_WARNING if os.geteuid() == 0 else "")
        assert process.returncode == 0


def flowspec(*args):
    done = subprocess.run([sys.executable, "-m", "flowspec", *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_port_in_use_is_an_error_with_a_remedy(home, port):
    code, out, err = flowspec("emulator", "--port", str(port))
    assert (code, out) == (1, "")
    assert (
        err
        == f"error: can't listen on 127.0.0.1:{port}: Address already in use\n  choose another --port; 0 takes a free one\n"
    )


def test_a_home_that_can_not_be_is_told_before_it_listens(tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = flowspec("emulator", "--home", str(tmp_path / "file" / "home"))
    assert (code, out) == (1, "")
    assert "is not writable" in err


@pytest.mark.parametrize("url", ["", "moto", "ftp://x", "http://", "http://[", "http://a b"])
def test_an_s3_that_is_no_url_is_refused(url):
    code, _, err = flowspec("emulator", "--s3", url)
    assert code == 2
    assert "is not an S3 endpoint" in err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--inject", "throttle=2", "write throttle[@Operation]=P"),
        ("--inject", "lost-answer@RunJobFlw=0.1", "did you mean RunJobFlow?"),
        ("--time-scale", "0", "is not a number above 0"),
        ("--time-scale", "nan", "is not a number above 0"),
    ],
)
def test_a_value_that_is_none_is_an_error_of_usage(option, value, said):
    code, out, err = flowspec("emulator", option, value)
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}'" in err
    assert said in err
