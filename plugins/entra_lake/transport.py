"""One HTTPS request and its answer: bounded in time and size, to one place only.

The adapter of `requests` is used without its Session, which would follow redirects, replace the
token by what a .netrc file says, keep cookies, and let REQUESTS_CA_BUNDLE replace `verify`. Proxies
from the environment do work.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

import requests
from requests import exceptions as failures
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, ReadTimeoutError

from entra_lake.answers import Answer
from entra_lake.clock import Clock
from entra_lake.errors import ConfigurationError
from entra_lake.redaction import hide_queries_in_logs, quote

#: Bytes that one answer may have, decoded: 40 times the largest page that was seen.
MAX_BODY: Final = 256 * 1024 * 1024
#: Bytes that are read of an answer that is an error.
MAX_ERROR_BODY: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
_GZIP: Final = 31  # zlib's number for "gzip, with its checksum"


class _UnusableError(Exception):
    """The answer's body is not whole, not readable, too large or too slow."""


class _TooSlowError(_UnusableError):
    """The answer's body did not arrive in time."""


class Transport:
    """Send requests to one server.

    :param verify: True for the usual certificate authorities, or a CA bundle's path.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes; a whole answer may take twice as long.
    """

    def __init__(self, *, verify: bool | str, clock: Clock, connect_timeout: float, read_timeout: float) -> None:
        hide_queries_in_logs()
        self._verify = verify
        self._clock = clock
        self._timeouts = (connect_timeout, read_timeout)
        self._adapter = HTTPAdapter(pool_connections=2, pool_maxsize=10)

    def send(
        self,
        method: str,
        url: str,
        client_request_id: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its answer; trouble on the way is the answer's `problem`.

        :raises ConfigurationError: when the server's certificate is not to be trusted.
        """
        deadline = self._clock.monotonic() + 2 * self._timeouts[1]
        status, body = 0, b""
        received: Mapping[str, str] = {}
        problem: Exception | None = None
        try:
            response = self._open(method, url, headers, form)
            try:
                status, received = response.status_code, response.headers
                body = self._body(response.raw, deadline, MAX_BODY if status == requests.codes.ok else MAX_ERROR_BODY)
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error, _UnusableError) as error:
            problem = error
        if problem and "CERTIFICATE_VERIFY_FAILED" in str(problem):
            # Raised out here: the error's context would hold the address, and with it the next link.
            raise _untrusted_certificate(url)
        return Answer(
            client_request_id=client_request_id,
            status=status,
            headers=received,
            body=body,
            problem=_describe(problem) if problem else None,
            timed_out=isinstance(problem, (failures.Timeout, ReadTimeoutError, _TooSlowError)),
        )

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _open(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> requests.Response:
        request = requests.Request(method, url, headers=dict(headers), data=form).prepare()
        return self._adapter.send(
            request, stream=True, timeout=self._timeouts, verify=self._verify, proxies=get_environ_proxies(url)
        )

    def _body(self, raw: HTTPResponse, deadline: float, limit: int) -> bytes:
        """Read to the end, one network read at a time: a read timeout alone does not bound a slow drip."""
        encoding = raw.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", ""):
            reason = f"the answer is encoded as {encoding[:20]!r}, which nobody asked for"
            raise _UnusableError(reason)
        inflate = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        body = bytearray()
        while chunk := raw.read1(_CHUNK, decode_content=False):
            body += inflate.decompress(chunk, limit + 1 - len(body)) if inflate else chunk
            if len(body) > limit:
                reason = f"the answer is larger than {limit} bytes"
                raise _UnusableError(reason)
            if self._clock.monotonic() > deadline:
                reason = f"the answer was not complete after {2 * self._timeouts[1]:.0f} s"
                raise _TooSlowError(reason)
        if inflate and body and not inflate.eof:
            reason = "the compressed answer was cut off"
            raise _UnusableError(reason)
        return bytes(body)


def _describe(error: Exception) -> str:
    """Name a problem without its address, which exceptions of requests hold."""
    if isinstance(error, _UnusableError):
        return str(error)
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return f"{words}{_root_cause(error)}"
    return f"the answer broke off{_root_cause(error)}"


_WORDS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (failures.ProxyError, "the proxy did not let the request through"),
    (failures.SSLError, "the TLS connection failed"),
    (failures.ConnectTimeout, "no connection came about in time"),
    ((failures.ReadTimeout, ReadTimeoutError), "no answer came in time"),
    (zlib.error, "the compressed answer is damaged"),
    (failures.ConnectionError, "the connection failed"),
    ((failures.InvalidURL, failures.InvalidHeader, ValueError), "the request could not be written"),
)


def _root_cause(error: BaseException) -> str:
    """Return the operating system's own words, such as ` (Connection refused)`."""
    seen = [error]
    while (inner := seen[-1].__cause__ or seen[-1].__context__) and inner not in seen:
        seen.append(inner)
    words = [item.strerror for item in seen if isinstance(item, OSError) and item.strerror]
    return f" ({quote(words[-1])})" if words else ""


def _untrusted_certificate(url: str) -> ConfigurationError:
    host = url.split("/")[2].rpartition("@")[2]
    message = (
        f"The certificate of {quote(host)} is not to be trusted. If a proxy or the sandbox signs by itself, "
        "put the path of its CA bundle into the connection's extra.verify; if not, somebody is in between."
    )
    return ConfigurationError(message)
