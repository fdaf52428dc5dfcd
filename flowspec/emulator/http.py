"""HTTP endpoint of the embedded EMR, on the loopback interface.

A client of EMR can run programs on it, so an `Endpoint` listens on 127.0.0.1 only and serves only processes of
the user who runs it: on Linux by the owner of the client's socket (`peers`), elsewhere by an access key id that is
generated at start. It also refuses requests that a web page could have sent: Host must name this machine (against
DNS rebinding), and no Origin may be present. Pages for people are served under the same conditions.

Signatures are not verified; the region is taken from the credential scope. Each connection has its own thread, and
size and duration of a request are bounded, so that a slow client blocks no other.

It is built on http.server of the standard library. Most of this module is the bounds on connections, bodies and
durations, the checks of users, Host and Origin, and the orderly stop, which Werkzeug's development server lacks too.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import io
import logging
import os
import re
import resource
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flowspec.emulator.api.service import Service
from flowspec.emulator.errors import EmrError
from flowspec.emulator.in_process import Response, refusal, respond
from flowspec.emulator.peers import uid_of_peer
from flowspec.errors import FlowspecError

HOST = "127.0.0.1"
MAX_BODY = 8 << 20
"""Bytes: three times what 256 steps of the 10,240 characters that EMR allows need."""

_MAX_CONNECTIONS = 256
# Open files: a connection and the store's three of its call; those of the process itself, and of starting workers.
_FILES_PER_CONNECTION, _OTHER_FILES = 4, 32
_REJECTED_AT_ONCE = 8
"""Connections that are kept open so that their clients can read why they are refused; others are closed at once."""
# An idle connection is kept as long as urllib3's pools usually keep one; AWS closes after some 20 s to 60 s.
_SILENCE_SECONDS = 60.0
# From the first byte of a request to its last (for a new connection: from accept), however it trickles. 8 MB on the
# loopback take milliseconds.
_REQUEST_SECONDS = 20.0
_STOP_SECONDS = 10.0
_DRAIN_SECONDS = 2.0
_BLOCK = 1 << 16

_THIS_MACHINE = re.compile(r"(localhost|127\.0\.0\.1|[\w-]+\.localhost)(:\d+)?", re.IGNORECASE)
_KEY = re.compile(r"Credential=([^/,\s]+)/")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/([a-z0-9-]{1,32})/elasticmapreduce/aws4_request")
_LENGTH = re.compile(r"[0-9]{1,18}")

# AWS's error codes for requests that reach no operation (EMR API reference, Common Errors; S3's for lengths).
_CODES = {
    HTTPStatus.FORBIDDEN: "AccessDeniedException",
    HTTPStatus.NOT_FOUND: "UnknownOperationException",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.NOT_IMPLEMENTED: "MethodNotAllowed",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeout",
    HTTPStatus.LENGTH_REQUIRED: "MissingContentLength",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLargeException",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalFailure",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}

Pages = Callable[[Service, str], "Response | None"]

_log = logging.getLogger(__name__)


class Endpoint(ThreadingHTTPServer):
    """HTTP server for the services that `service_for` returns by region; the default region is `region`.

    The constructor binds the port (0: any free one) and raises OSError if it can't. Requests are answered
    while `serve_forever` runs. `stop` must be called once. Requests of other users are refused unless
    `other_users`; with an `access_key`, requests of any user are served that are signed with that access key id, or
    that give it as the user name of HTTP Basic (browsers). `pages` answers a GET by its path, or returns None where
    there is nothing; it never changes anything. Connections beyond `max_connections` are answered with 503; by default
    these are as many as the limit of open files leaves room for (56 with macOS's 256 files). A connection is closed
    after `silence` seconds without a request, and when a request takes longer than `request_seconds`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        service_for: Callable[[str], Service],
        *,
        region: str,
        port: int = 0,
        other_users: bool = False,
        access_key: str = "",
        pages: Pages | None = None,
        max_connections: int | None = None,
        silence: float = _SILENCE_SECONDS,
        request_seconds: float = _REQUEST_SECONDS,
    ) -> None:
        self.service_for = service_for
        self.region = region
        self.access_key = access_key
        self.pages = pages
        self._same_user_only = not (other_users or access_key)
        self.silence = silence
        self.request_seconds = request_seconds
        self.max_connections = _most_connections() if max_connections is None else max_connections
        self._open: dict[Any, threading.Thread] = {}
        self._guard = threading.Lock()
        self._patience = threading.Semaphore(_REJECTED_AT_ONCE)
        super().__init__((HOST, port), _Handler)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    @property
    def url(self) -> str:
        """The URL that clients connect to."""
        return f"http://{HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Binds without the reverse DNS lookup of http.server, which takes seconds where no name server answers."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves a new connection in a thread, or refuses it."""
        # Checked here, so that other users can't use up the connections either.
        if self._same_user_only and uid_of_peer(client_address, (HOST, self.server_port)) != os.geteuid():
            self._reject(request, 403, "the embedded EMR serves only the user who runs it (see --allow-other-users)")
        elif why := self._start_serving(request, client_address):
            self._reject(request, 503, why)

    def _start_serving(self, request: Any, client_address: Any) -> str:
        """Starts the thread that serves a connection; returns why it can't, else ""."""
        with self._guard:
            if len(self._open) >= self.max_connections:
                most = f"{self.max_connections} may be (more with a higher ulimit -n, up to {_MAX_CONNECTIONS})"
                return f"too many connections are open: {most}"
            thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                return f"{error}: raise the limit of processes (ulimit -u), which counts threads, too"
            self._open[request] = thread
        return ""

    def _reject(self, request: Any, status: int, text: str) -> None:
        """Says why a connection is refused, for which a new one always has room, and closes it."""
        with contextlib.suppress(OSError):
            request.sendall(_as_bytes(_refusal_response(status, text), close=True))
        if self._patience.acquire(blocking=False):
            try:
                threading.Thread(target=self._close_slowly, args=(request,), daemon=True).start()
                return
            except RuntimeError:
                self._patience.release()
        self.shutdown_request(request)

    def _close_slowly(self, request: Any) -> None:
        _drain(request)
        self._patience.release()
        self.shutdown_request(request)

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                del self._open[request]

    def stop(self) -> None:
        """Stops listening, lets requests in progress finish, and closes all connections."""
        self.shutdown()
        self.server_close()
        with self._guard:
            left = dict(self._open)
        for connection in left:
            # Idle connections now read end-of-file; those with a request in progress can still send the answer.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in left.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's parameters
        """Ignores disconnects; logs any other exception."""
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("internal error on the connection from %s", client_address)


def _most_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return min(max(1, (files - _OTHER_FILES) // _FILES_PER_CONNECTION), _MAX_CONNECTIONS)


class _TimedInput(io.RawIOBase):
    """Reads from a connection; raises TimeoutError when a request takes too long, or none comes."""

    def __init__(self, connection: socket.socket, *, silence: float, request_seconds: float) -> None:
        self._connection, self._silence, self._seconds = connection, silence, request_seconds
        self._deadline: float | None = time.monotonic() + request_seconds

    def expect_request(self) -> None:
        """Waits for the next request, whose time runs from its first byte."""
        self._deadline = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._silence if self._deadline is None else self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        if self._deadline is None:
            self._deadline = time.monotonic() + self._seconds
        # A client that does not read its answer is bounded as well.
        self._connection.settimeout(self._silence)
        return count


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Endpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Replaces the input by one with a deadline for each request."""
        super().setup()
        self.connection.settimeout(self.server.silence)
        self.rfile.close()
        limits = {"silence": self.server.silence, "request_seconds": self.server.request_seconds}
        self._input = _TimedInput(self.connection, **limits)
        self.rfile = io.BufferedReader(self._input)

    def handle_one_request(self) -> None:
        """Handles a request."""
        super().handle_one_request()
        self._input.expect_request()

    def do_POST(self) -> None:
        """Answers a call of the API: each is a POST to /."""
        self._answer(self._respond)

    def do_GET(self) -> None:
        """Answers with a page for people, if the endpoint has any; else 405 with an explanation.

        A signed GET is a client that takes this for an S3, to which 404 would say that its object is not there.
        """
        signed = self.headers.get("Authorization", "").startswith("AWS")
        if self.server.pages is None or signed:
            self.send_error(405, "this is the embedded EMR of flowspec; it takes POST, AWS JSON 1.1")
            return
        self._answer(partial(self._answer_page, self.server.pages))

    def do_HEAD(self) -> None:
        """Answers like a GET, without the body: so programs (wait-on, wget --spider) learn whether it listens."""
        self.do_GET()

    def _answer(self, respond: Callable[[], Response | None]) -> None:
        """Sends a response; without one, or if the request is refused, closes the connection."""
        try:
            response = respond()
        except _Refused as refused:
            self.send_error(refused.status, str(refused))
            return
        if response is None:
            self.close_connection = True
        else:
            self._write(response, close=self.close_connection)

    def _write(self, response: Response, *, close: bool) -> None:
        self.wfile.write(_as_bytes(response, close=close, without_body=self.command == "HEAD"))

    def _answer_page(self, pages: Pages) -> Response:
        _refuse_foreign(self.headers)
        self._body()
        if self.server.access_key and not self._has_password():
            return Response(401, {"WWW-Authenticate": 'Basic realm="AWS_ACCESS_KEY_ID as user, no password"'}, b"")
        path, _, _ = self.path.partition("?")
        try:
            found = pages(self.server.service_for(self.server.region), path)
        except Exception:  # noqa: BLE001
            return _internal_error_response(f"the page {path}")
        return found or _refusal_response(404, f"there is nothing at {path}")

    def _has_password(self) -> bool:
        """Returns True if a browser gives the access key as the name of a user; it can't sign requests."""
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        try:
            name = base64.b64decode(encoded).partition(b":")[0] if kind.lower() == "basic" else b""
        except ValueError:
            return False
        return hmac.compare_digest(name, self.server.access_key.encode())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers in AWS's error format and closes: the rest of a bad request must not be parsed as another one."""
        self.close_connection = True
        self._write(_refusal_response(code, message or explain or HTTPStatus(code).phrase), close=True)
        _drain(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Logs nothing: errors are in the answers."""

    def _respond(self) -> Response | None:
        _refuse_foreign(self.headers)
        self._check_access_key()
        body = self._body()
        target = self.headers.get("X-Amz-Target", "")
        if self.path.partition("?")[0] != "/":
            return refusal(EmrError("UnknownOperationException", f"there is nothing at {self.path}, only at /", 404))
        if not target:
            message = "the header X-Amz-Target is missing: this endpoint speaks AWS JSON 1.1 (boto3, the AWS CLI ...)"
            return refusal(EmrError("UnknownOperationException", message, 404))
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        try:
            return respond(self.server.service_for(scope[1] if scope else self.server.region), target, body)
        except FlowspecError as error:
            return _refusal_response(500, error.sentence)
        except Exception:  # noqa: BLE001
            return _internal_error_response(target)

    def _check_access_key(self) -> None:
        if not self.server.access_key:
            return
        found = _KEY.search(self.headers.get("Authorization", ""))
        if not hmac.compare_digest((found[1] if found else "").encode(), self.server.access_key.encode()):
            raise _Refused(403, "set AWS_ACCESS_KEY_ID to the value that flowspec emulator printed when it started")

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise _Refused(411, "a Content-Length is needed; transfer encodings are not taken")
        lengths = set(self.headers.get_all("Content-Length", ["0"]))
        length = lengths.pop()
        if lengths or not _LENGTH.fullmatch(length):
            raise _Refused(400, "the Content-Length is not one number")
        if int(length) > MAX_BODY:
            raise _Refused(413, f"the request has {length} bytes, and may have {MAX_BODY}")
        try:
            body = self.rfile.read(int(length))
        except TimeoutError as error:
            raise _Refused(
                408, f"the request's {length} bytes did not arrive within {self.server.request_seconds:g} s"
            ) from error
        if len(body) < int(length):
            raise _Refused(400, f"the request ended after {len(body)} of {length} bytes")
        return body


class _Refused(Exception):
    """An HTTP request that is not an API call; the text is sent to the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _refuse_foreign(headers: Any) -> None:
    host = headers.get("Host", HOST)
    if not _THIS_MACHINE.fullmatch(host):
        raise _Refused(403, f"the host '{host}' is not this machine: use {HOST} or localhost")
    if "Origin" in headers:
        raise _Refused(403, "requests from web pages are refused")


def _refusal_response(status: int, message: str) -> Response:
    return refusal(EmrError(_CODES.get(HTTPStatus(status), "BadRequest"), message, status))


def _internal_error_response(what: str) -> Response:
    """Logs the current exception, which is a bug, and returns the answer for the client, which must get one."""
    _log.exception("%s failed", what)
    return _refusal_response(500, "internal error in the emulator; see its stderr")


def _drain(connection: socket.socket) -> None:
    """Discards input for a moment: closing with unread data sends a TCP reset, which can overtake the answer."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(_BLOCK):
                return


def _as_bytes(response: Response, *, close: bool, without_body: bool = False) -> bytes:
    """Encodes an answer as one write: a second one would wait for the acknowledgment of the first (Nagle)."""
    headers = {
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "close" if close else "keep-alive",
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if without_body else response.body)
