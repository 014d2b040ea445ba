"""A small HTTP/1.1 server for all doors of the sandbox: threads, TLS, keep-alive, and answers that go wrong."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client asked for; `path` is decoded, `query` is not."""

    method: str
    path: str
    query: str
    headers: Any
    body: bytes


@dataclass(frozen=True)
class Delivery:
    """How an answer goes wrong on its way.

    :param hang_seconds: say nothing for so long, then close.
    :param reset_after: reset the connection after so many bytes of the body.
    :param cut_after: close the connection in good order after so many bytes of the body.
    :param bytes_per_second: drip.
    """

    hang_seconds: float | None = None
    reset_after: int | None = None
    cut_after: int | None = None
    bytes_per_second: float | None = None


@dataclass
class Response:
    """An answer; a body of several pieces is sent chunked and never held as a whole."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery | None = None


Application = Callable[[Request], Response]


class HttpServer:
    """Serve an application in threads of its own until `stop`.

    :param tls: the server's certificate; None speaks plain HTTP.
    """

    def __init__(self, application: Application, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server((host, port), application, tls)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox-http")

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return self._server.server_address[1]

    @property
    def stopping(self) -> Event:
        """Return the event that ends every wait inside the server."""
        return self._server.stopping

    @property
    def down(self) -> bool:
        """Tell whether connections are reset instead of answered."""
        return self._server.down

    @down.setter
    def down(self, down: bool) -> None:
        self._server.down = down

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for every thread."""
        self._server.stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], application: Application, tls: ssl.SSLContext | None) -> None:
        self.application = application
        self.stopping = Event()
        self.down = False
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a silent client blocks nobody else."""
        request.settimeout(120)
        if self.down:
            reset(request)
            return
        connection = request
        with self._lock:
            self._connections.add(request)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(request, server_side=True)
                with self._lock:
                    self._connections.add(connection)
            if not self.stopping.is_set():
                _Handler(connection, client_address, self)
        finally:
            with self._lock:
                self._connections -= {request, connection}
            connection.close()

    def hang_up(self) -> None:
        """Wake every thread that waits for its client."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                # Not SSLSocket.shutdown: that takes the TLS object away under the thread that reads from it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def server_bind(self) -> None:
        """Bind without asking the resolver for the host's full name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the game."""


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """Accept raw blanks in the target, as Graph's front door does."""
        method, _, rest = self.raw_requestline.rstrip(b"\r\n").partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if target:
            self.raw_requestline = b" ".join((method, target.replace(b" ", b"%20"), version)) + b"\r\n"
        return super().parse_request()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.down:
            self.close_connection = True
            reset(self.connection)
            return
        target = urlsplit(self.path)
        request = Request(self.command, unquote(target.path), target.query, self.headers, body)
        self._send(self.server.application(request))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _send(self, response: Response) -> None:
        if response.delivery is not None:
            self._misdeliver(response, response.delivery)
        elif isinstance(response.body, bytes):
            body = b"" if self.command == "HEAD" else response.body
            self.connection.sendall(self._head(response, {"Content-Length": str(len(response.body))}) + body)
        else:
            self.connection.sendall(self._head(response, {"Transfer-Encoding": "chunked"}))
            for piece in response.body:
                if piece:
                    self.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.connection.sendall(b"0\r\n\r\n")

    def _head(self, response: Response, framing: dict[str, str]) -> bytes:
        phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in {**response.headers, **framing}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _misdeliver(self, response: Response, delivery: Delivery) -> None:
        self.close_connection = True
        if delivery.hang_seconds is not None:
            self.server.stopping.wait(delivery.hang_seconds)
            return
        body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        end = next((cut for cut in (delivery.reset_after, delivery.cut_after) if cut is not None), len(body))
        self.connection.sendall(self._head(response, {"Content-Length": str(len(body))}))
        if delivery.bytes_per_second:
            self._drip(body[:end], delivery.bytes_per_second)
        else:
            self.connection.sendall(body[:end])
        if delivery.reset_after is not None:
            reset(self.connection)

    def _drip(self, body: bytes, bytes_per_second: float) -> None:
        size = max(1, int(bytes_per_second / 10))
        for start in range(0, len(body), size):
            self.connection.sendall(body[start : start + size])
            if self.server.stopping.wait(size / bytes_per_second):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Stay quiet."""
