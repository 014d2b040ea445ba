"""The tenant as a whole: one TLS port for login and Graph, and everything behind it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sandbox.certificates import ensure_authority, server_context
from sandbox.clock import Clock
from sandbox.state import State
from sandbox.tenant.aadsts import REFUSALS, LoginError
from sandbox.tenant.additions import Additions
from sandbox.tenant.errors import GraphError
from sandbox.tenant.faults import Faults, Target
from sandbox.tenant.graph import Graph
from sandbox.tenant.login import Login
from sandbox.tenant.people import TENANT_NAME, Cast
from sandbox.tenant.records import Records
from sandbox.tenant.refusals import refuse
from sandbox.tenant.served import Served
from sandbox.tenant.throttle import REPORTS, Limit
from sandbox.web import HttpServer, Request, Response

_ON_LOGIN = frozenset({"status", "hang", "html", "redirect", "empty_body"})


class TenantServer:
    """Serve the tenant of a state folder.

    :param names: host names and addresses for the certificate.
    :param public_name: what clients call this host.
    :param throttle: the limit that applies when none is set as a fault; None for no limit.
    :param latency_seconds: how long Graph takes for a page when nothing else is set.
    """

    def __init__(  # noqa: PLR0913
        self,
        state: State,
        clock: Clock,
        host: str,
        port: int,
        public_name: str,
        *,
        throttle: Limit | None = REPORTS,
        latency_seconds: float = 0.0,
    ) -> None:
        self.state = state
        self.clock = clock
        self.faults = Faults(throttle=throttle, latency_seconds=latency_seconds)
        self.ca_bundle: Path = ensure_authority(state.folder)
        names = [host, "127.0.0.1", "localhost", public_name]
        self._server = HttpServer(self._answer, host, port, tls=server_context(state.folder, names))
        self.origin = f"https://{public_name}:{self._server.port}"
        self.login = Login(state, clock, self.origin)
        cast = Cast.of(state.seed, state.tenant_id, state.sign_ins_per_day)
        additions = Additions(state.folder / "records.jsonl")
        self.records = Records(cast, state.sign_ins_per_day, date.fromisoformat(state.story_day), additions)
        stopping = self._server.stopping
        served = Served(state.folder / "served.txt")

        def wait(seconds: float) -> None:
            clock.pause(seconds, stopping)

        self.graph = Graph(self.records, clock, self.login, self.faults, self.origin, wait, served)

    @property
    def name(self) -> str:
        """Return the tenant's made-up name."""
        return TENANT_NAME

    @property
    def authority(self) -> str:
        """Return what MSAL takes as its authority."""
        return f"{self.origin}/{self.state.tenant_id}"

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Close every connection and wait for every thread."""
        self._server.stop()

    def apply_faults(self) -> None:
        """Let the settings take hold that live outside of a request."""
        self._server.down = self.faults.down
        self.login.lifetime_seconds = self.faults.token_seconds

    def reset(self) -> None:
        """Forget faults, added records, listings, requests and counted requests; the tenant itself stays."""
        self.faults.clear()
        self.apply_faults()
        self.records.additions.clear()
        self.graph.served.clear()
        self.graph.listings.clear()
        self.graph.throttle.forget()
        self.graph.requests.clear()

    def _answer(self, request: Request) -> Response:
        first = request.path.strip("/").partition("/")[0].lower()
        return self.graph.answer(request) if first in ("v1.0", "beta") else self._answer_login(request)

    def _answer_login(self, request: Request) -> Response:
        on = "login" if request.method == "POST" else "discovery"
        fault = self.faults.strike_first(Target(on, request.path), _ON_LOGIN, lambda _fault: True)
        if fault is not None:
            if fault.details.get("error") in REFUSALS:
                return self.login.refusal(LoginError(fault.details["error"], app=self.state.client_id))
            try:
                return refuse(fault, self.clock.now())
            except GraphError as error:
                return Response(error.status, error.message.encode(), error.headers)
        return self.login.answer(request)
