"""EMR's query API (2009-03-31), for callers with an HTTPS connection of their own, which boto 2 allowed.

Parameters are flat, answers are XML. A request is signed with Signature Version 4 and sent once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode


def send(
    session: Any, connect: Callable[[str], Any], host: str, region: str, params: Mapping[str, Any]
) -> tuple[int, str, bytes]:
    """Sends one request, with the credentials of a boto3 `session`; gives the answer's status, reason and body.

    `connect` makes an `http.client` connection to a host. What that raises is left to the caller.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    body = urlencode(params)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": host}
    request = AWSRequest("POST", f"https://{host}/", headers, body)
    SigV4Auth(session.get_credentials(), "elasticmapreduce", region).add_auth(request)
    connection = connect(host)
    connection.request("POST", "/", body, dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.reason, answer.read()
