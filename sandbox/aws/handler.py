"""Connections of clients to the simulated AWS: kept open from request to request, as AWS's are.

werkzeug's own handler closes each after its answer, so that a client spends a third of its time on connecting.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

from sandbox.aws.request import Reply

log = logging.getLogger(__name__)


class Connections:
    """The open connections of one server."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.is_stopping = False

    def add(self, connection: socket.socket) -> None:
        """Note one that has been opened."""
        with self._lock:
            self._open.add(connection)

    def discard(self, connection: socket.socket) -> None:
        """Forget one that has been closed."""
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        """Take no further request on any; what is being answered is answered to its end."""
        self.is_stopping = True
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)


class Handler(MotoRequestHandler):
    """Reads requests off one connection until a side closes it; silent unless SANDBOX_LOG=debug."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answer: Callable[[dict[str, Any]], Reply]
    connections: Connections

    def setup(self) -> None:
        """Let the server hang up on this connection."""
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        """Let the server forget this connection."""
        self.connections.discard(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        """Answer one request; whoever answers has read its body to the end."""
        if self.connections.is_stopping:
            self.close_connection = True
            return
        self.environ = self.make_environ()
        try:
            self._send(self.answer(self.environ))
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # a fault, or a client that has gone

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status, "OK" if reply.is_success else "Error")
        for name, text in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002 - werkzeug's names
        """Write request lines and errors to the log at debug level only."""
        if os.environ.get("SANDBOX_LOG") == "debug":
            log.debug(message, *args)


def handler(answer: Callable[[dict[str, Any]], Reply], connections: Connections) -> type[Handler]:
    """Return the handler of one server's connections."""
    return type("OwnHandler", (Handler,), {"answer": staticmethod(answer), "connections": connections})
