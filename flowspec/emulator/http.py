"""The way from any client into the service: HTTP on this machine's loopback, and nowhere else.

Whoever can call an EMR can run programs on it, so an `Endpoint` listens on 127.0.0.1 only, and answers no
request that a web page could have sent: the Host must be this machine, and browsers' Origin is refused.

It is built on http.server of the standard library. Most of its 240 lines are the bounds on connections, bodies and
silence, the checks of Host and Origin and the orderly stop; Werkzeug's development server would not save much of it.

Any signature is accepted; the region is that of its credential scope. Each connection has a thread of its
own, so a slow or silent client keeps nobody waiting, and what a client may send is bounded.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flowspec.emulator.api.errors import EmrError
from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import Response, refusal, respond
from flowspec.errors import FlowspecError

HOST = "127.0.0.1"
MAX_BODY = 8 << 20
"""Bytes; 256 steps of the 10,240 characters that EMR allows, thrice over."""

_MAX_CONNECTIONS = 256
_SILENCE_SECONDS = 60.0
_STOP_SECONDS = 10.0
_DRAIN_SECONDS = 1.0
_BLOCK = 1 << 16

_OURS = re.compile(r"(localhost|127\.0\.0\.1|[\w-]+\.localhost)(:\d+)?", re.IGNORECASE)
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/([a-z0-9-]{1,32})/elasticmapreduce/aws4_request")
_LENGTH = re.compile(r"[0-9]{1,18}")

# AWS's names for what goes wrong before any operation is reached (Common Errors, and S3's for lengths).
_CODES = {
    HTTPStatus.FORBIDDEN: "AccessDeniedException",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.NOT_IMPLEMENTED: "MethodNotAllowed",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeout",
    HTTPStatus.LENGTH_REQUIRED: "MissingContentLength",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLargeException",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalFailure",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}

_log = logging.getLogger(__name__)


class Endpoint(ThreadingHTTPServer):
    """An HTTP server for the EMRs that `service_for` gives for a region; requests without a region mean `region`.

    It listens when it is made (raises OSError when it can't), answers while `serve_forever` runs, and is
    ended by `stop`, once. Port 0 takes a free one. Beyond `max_connections` it answers 503; a client that sends
    nothing for `silence` seconds is given up.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        service_for: Callable[[str], Service],
        *,
        region: str,
        port: int = 0,
        max_connections: int = _MAX_CONNECTIONS,
        silence: float = _SILENCE_SECONDS,
    ) -> None:
        self.service_for = service_for
        self.region = region
        self.silence = silence
        self._max_connections = max_connections
        self._open: dict[Any, threading.Thread] = {}
        self._guard = threading.Lock()
        super().__init__((HOST, port), _Handler)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Takes the address, without asking a name server for its name as http.server does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Has a thread serve a new connection, or turn it away where there are too many."""
        with self._guard:
            full = len(self._open) >= self._max_connections
            work = self._turn_away if full else self._serve
            thread = threading.Thread(target=work, args=(request, client_address), daemon=True)
            if not full:
                self._open[request] = thread
        thread.start()

    def _turn_away(self, request: Any, _: Any) -> None:
        with contextlib.suppress(OSError):
            request.sendall(_as_bytes(_refused(503, "too many connections are open"), close=True))
        _drain(request)
        self.shutdown_request(request)

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                del self._open[request]

    def stop(self) -> None:
        """Stops listening, has what was asked already answered, and closes all connections."""
        self.shutdown()
        self.server_close()
        with self._guard:
            left = dict(self._open)
        for connection in left:
            # Whoever waits for a request now reads its end; who is at work can still answer.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in left.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's parameters
        """Lets a client go that has gone; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("the connection from %s was given up", client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Endpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Sets how long a read may wait."""
        super().setup()
        self.connection.settimeout(self.server.silence)

    def do_POST(self) -> None:
        """Every call of the API is a POST to /."""
        try:
            response = self._respond()
        except _Refused as refused:
            self.send_error(refused.status, str(refused))
            return
        if response is None:
            self.close_connection = True
        else:
            self.wfile.write(_as_bytes(response, close=self.close_connection))

    def do_GET(self) -> None:
        """Nothing of the API is read by GET; who looks at it in a browser is told what this is."""
        self.send_error(405, "this is the embedded EMR of flowspec; it takes POST, AWS JSON 1.1")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers as AWS does, and closes: what else the client sends is not to be taken for a request."""
        self.close_connection = True
        self.wfile.write(_as_bytes(_refused(code, message or explain or HTTPStatus(code).phrase), close=True))
        _drain(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Says nothing: clients are told what was wrong."""

    def _respond(self) -> Response | None:
        _refuse_strangers(self.headers)
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
            return _refused(500, error.sentence)
        except Exception:  # noqa: BLE001
            # The one place where a mistake of ours must not cost the client its answer.
            _log.exception("%s failed", target)
            return _refused(500, "the embedded EMR made a mistake; it is told on its standard error")

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
                408, f"the request's {length} bytes did not come within {self.server.silence:g} s"
            ) from error
        if len(body) < int(length):
            raise _Refused(400, f"the request ended after {len(body)} of {length} bytes")
        return body


class _Refused(Exception):
    """A request that is no call of the API; its text is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _refuse_strangers(headers: Any) -> None:
    host = headers.get("Host", HOST)
    if not _OURS.fullmatch(host):
        raise _Refused(403, f"the host '{host}' is not this machine: use {HOST} or localhost")
    if "Origin" in headers:
        raise _Refused(403, "requests of web pages are not answered")


def _refused(status: int, message: str) -> Response:
    return refusal(EmrError(_CODES.get(HTTPStatus(status), "BadRequest"), message, status))


def _drain(connection: socket.socket) -> None:
    """Reads on for a moment: closing on unread data would be a reset, which can overtake the answer."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_DRAIN_SECONDS)
        for _ in range(8 * MAX_BODY // _BLOCK):
            if not connection.recv(_BLOCK):
                return


def _as_bytes(response: Response, *, close: bool) -> bytes:
    """The answer as one piece: sent in two, the second would wait for the client to acknowledge the first."""
    headers = {
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "close" if close else "keep-alive",
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + response.body
