"""AWS without a network in between: requests go straight into the simulated cloud, signed and complete as they are.

botocore builds, signs, repeats and reads everything as ever; only the socket is left out, which takes longer than
all the rest. Graph keeps its sockets, and TLS.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from urllib3 import HTTPResponse
from werkzeug.test import EnvironBuilder

from entra_lake.aws import Aws
from sandbox.aws.request import Reply

Answer = Callable[[dict[str, Any]], Reply]


class DirectAws(Aws):
    """AWS in this process; one client per service, for making them takes longer than what they do.

    :param answer: the cloud: what answers a request.
    """

    def __init__(self, session: boto3.Session, endpoint_url: str | None, answer: Answer) -> None:
        super().__init__(session, endpoint_url)
        object.__setattr__(self, "_answer", answer)  # a frozen dataclass

    @cache  # noqa: B019 - lives as long as its world
    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the service's client."""
        made = super().client(service)
        made.meta.events.register_last("before-send", self._send)
        return made

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        answer: Answer = self._answer  # type: ignore[attr-defined]
        try:
            reply = answer(_environ(request))
        except ConnectionResetError as error:
            raise ConnectionClosedError(endpoint_url=request.url, request=request) from error
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        body = io.BytesIO(b"" if request.method == "HEAD" else reply.body)
        raw = HTTPResponse(body, headers, preload_content=False, request_method=request.method)
        return AWSResponse(request.url, reply.status, HTTPHeaders.from_dict(headers), raw)


def _environ(request: AWSPreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url)
    body: Any = request.body
    headers = {name: text.decode() if isinstance(text, bytes) else text for name, text in request.headers.items()}
    builder = EnvironBuilder(
        path=parts.path,
        query_string=parts.query,
        method=request.method,
        base_url=f"{parts.scheme}://{parts.netloc}",
        headers=list(headers.items()),
        data=body.read() if hasattr(body, "read") else body or b"",
    )
    return builder.get_environ()
