"""The simulated AWS as one HTTP endpoint: start it, point boto3's endpoint_url at it, stop it.

    aws = AwsServer(Path("state"))
    aws.start()
    boto3.client("s3", endpoint_url=aws.endpoint_url, region_name="eu-central-1", ...)
    aws.faults.configure({"s3": {"errors": [{"key": "manifests/", "n": 1}]}})
    aws.stop()

State lives in the folder: a process that is killed and started again serves what it had acknowledged.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.aws.athena.api import AthenaApi
from sandbox.aws.faults import Faults, flip_a_byte
from sandbox.aws.handler import Connections, handler
from sandbox.aws.request import Call, Reply, json_error, read_call, s3_error
from sandbox.aws.storage import Storage

REGION = "eu-central-1"
log = logging.getLogger(__name__)
_accounts = itertools.count(123456789012)


class AwsServer:
    """S3, Glue, SSM, STS and Athena on one address of this machine."""

    def __init__(self, state_dir: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare a server; port 0 lets the system choose when it starts."""
        self.host = host
        self.port = port
        self.faults = Faults()
        # moto keeps its state per account in this process: an account of its own keeps several servers apart.
        self.storage = Storage(Path(state_dir), str(next(_accounts)), REGION)
        self.athena = AthenaApi(self.storage, self.faults)
        self._connections = Connections()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def endpoint_url(self) -> str:
        """Return the URL for boto3's endpoint_url and the connection's extra."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"

    def start(self) -> None:
        """Read the state and serve it; returns when connections are accepted."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.storage.load()
        self.athena.start()
        self._connections = Connections()
        kind = handler(self.answer, self._connections)
        self._server = make_server(self.host, self.port, None, threaded=True, request_handler=kind)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="aws", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; running queries are interrupted. What was acknowledged is on disk."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._connections.hang_up()
        self.athena.stop()
        if self._thread is not None:
            self._thread.join(timeout=2)
        self._server = self._thread = None

    def reset(self) -> None:
        """Empty every service and end all faults."""
        self.faults.clear()
        self.athena.reset()
        self.storage.reset()

    def answer(self, environ: dict[str, Any]) -> Reply:
        """Answer one request, as WSGI describes it.

        :raises ConnectionResetError: where the connection shall be closed without a reply: a fault.
        """
        call = read_call(environ)
        try:
            return self._answer(call)
        except ConnectionResetError:
            raise
        except Exception as error:
            log.exception("%s %s failed", call.service, call.operation)
            fail = s3_error if call.service == "s3" else json_error
            return fail(500, "InternalError", f"the sandbox failed: {error!r}")

    def _answer(self, call: Call) -> Reply:
        if call.service == "athena":
            return self.athena.answer(call)
        if call.service != "s3":
            return self.storage.answer(call)
        delay = self.faults.take_s3("delay", call)
        if delay:
            time.sleep(delay["seconds"])
        reply = self.faults.refuse_s3(call) or self.storage.answer(call)
        if call.is_write and self.faults.take_s3("drop_reply", call):
            message = "the reply is dropped on purpose"
            raise ConnectionResetError(message)
        if call.operation == "GetObject" and reply.is_success and self.faults.take_s3("flip", call):
            reply.body = flip_a_byte(reply.body)
            # As if the byte had changed in storage: the transport's checksum must not give it away.
            reply.headers = {name: text for name, text in reply.headers.items() if "checksum" not in name.lower()}
        return reply
