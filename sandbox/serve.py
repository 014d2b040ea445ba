"""The whole sandbox: tenant, AWS, mail and control, in one folder and on ports of its own."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from sandbox.clock import Clock
from sandbox.control import Control, Faulty
from sandbox.environment import hand_over
from sandbox.mail import Mailbox, MailServer
from sandbox.mail_page import MailPage
from sandbox.provision import provision
from sandbox.state import State, write_private
from sandbox.tenant.server import TenantServer
from sandbox.tenant.throttle import REPORTS, Limit
from sandbox.web import HttpServer


@dataclass(frozen=True)
class Ports:
    """Where to listen; 0 lets the system choose."""

    graph: int = 0
    aws: int = 0
    smtp: int = 0
    mail: int = 0
    control: int = 0


class Sandbox:
    """A running sandbox; leaving the `with` block stops it.

    :param state_dir: where it remembers everything; a second sandbox on it goes on where the first one was.
    :param now: what the clock shows at the start; None is the system's time, or where the last one was.
    :param hand_over_to: a folder for Airflow's connections, where Airflow runs in another container.
    :param frozen: whether the clock stands still, until the control API or `clock` moves it.
    :param throttle: Graph's limit, of whatever kind; the documented one by default.
    :param throttled: whether there is a limit at all.
    :param latency_seconds: how long Graph takes for a page.
    :param clock: a clock of the caller's, such as `SimulatedTime`; `now` and `frozen` say nothing then.
    :param settings: addresses and credentials, as `sandbox.json` holds them.
    """

    def __init__(  # noqa: PLR0913 - each setting of the command is one
        self,
        state_dir: Path | str,
        *,
        seed: int | None = None,
        now: datetime | None = None,
        frozen: bool = False,
        sign_ins_per_day: int | None = None,
        with_aws: bool = True,
        throttle: Limit | None = REPORTS,
        throttled: bool = True,
        latency_seconds: float = 0.0,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        public_name: str | None = None,
        ports: Ports | None = None,
        hand_over_to: Path | None = None,
    ) -> None:
        self._hand_over_to = hand_over_to
        self._clock = clock or _clock_at(now, frozen=frozen)
        self.state = State.open(Path(state_dir), seed, sign_ins_per_day, self._clock)
        self.clock = self._clock or Clock(**self.state.clock)
        self._host = host
        self._public_name = public_name or ("127.0.0.1" if host == "0.0.0.0" else host)
        self._ports = ports or Ports()
        self._with_aws = with_aws
        self._throttle = throttle if throttled else None
        self._latency_seconds = latency_seconds
        self._running = ExitStack()
        self.aws: Any = None
        self.settings: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every part; when one fails, those that run are stopped again."""
        with ExitStack() as starting:
            self._start_tenant(starting)
            self._start_mail(starting)
            if self._with_aws:
                self._start_aws(starting)
            self._start_control(starting)
            self._write_settings()
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop every part and wait for its threads."""
        self._running.close()

    def _start_tenant(self, stack: ExitStack) -> None:
        self.tenant = TenantServer(
            self.state,
            self.clock,
            self._host,
            self._ports.graph,
            self._public_name,
            throttle=self._throttle,
            latency_seconds=self._latency_seconds,
        )
        stack.callback(self.tenant.stop)
        self.tenant.start()

    def _start_mail(self, stack: ExitStack) -> None:
        self.mailbox = Mailbox(self.state.folder / "mails")
        self.mail_server = MailServer(self.mailbox, self._host, self._ports.smtp)
        stack.callback(self.mail_server.stop)
        self.mail_server.start()
        self._mail_page = self._serve(stack, MailPage(self.mailbox), self._ports.mail)

    def _start_aws(self, stack: ExitStack) -> None:
        # Loaded here because moto takes a second that tests of the tenant alone need not wait for.
        from sandbox.aws.server import AwsServer  # noqa: PLC0415

        self.aws = AwsServer(self.state.folder / "aws", self._host, self._ports.aws)
        self.aws.athena.now = self.clock.now
        stack.callback(self.aws.stop)
        self.aws.start()
        provision(self.aws.endpoint_url)

    def _start_control(self, stack: ExitStack) -> None:
        others: dict[str, Faulty] = {"mail": self.mail_server.faults}
        resets: dict[str, Any] = {"mail": self.mailbox.clear}
        if self.aws is not None:
            others["aws"] = self.aws.faults
            resets["aws"] = self._reset_aws
        self.control = Control(self.tenant, others, resets, self._write_settings)
        self._control_server = self._serve(stack, self.control, self._ports.control)

    def _reset_aws(self) -> None:
        self.aws.reset()
        provision(self.aws.endpoint_url)

    def _serve(self, stack: ExitStack, page: MailPage | Control, port: int) -> HttpServer:
        server = HttpServer(page.answer, self._host, port)
        stack.callback(server.stop)
        server.start()
        return server

    def _write_settings(self) -> None:
        self.settings |= {
            "simulated": True,
            "graph_url": self.tenant.origin,
            "authority": self.tenant.authority,
            "ca_bundle": str(self.tenant.ca_bundle),
            "tenant_id": self.state.tenant_id,
            "tenant_name": self.tenant.name,
            "client_id": self.state.client_id,
            "client_secret": self.state.client_secret,
            "aws_endpoint_url": self._aws_url(),
            "smtp_host": self._public_name,
            "smtp_port": self.mail_server.port,
            "mail_url": f"http://{self._public_name}:{self._mail_page.port}",
            "control_url": f"http://{self._public_name}:{self._control_server.port}",
            "story_day": self.state.story_day,
            "now": self.clock.now().isoformat(timespec="seconds"),
        }
        write_private(self.state.folder / "sandbox.json", json.dumps(self.settings, indent=1))
        if self._hand_over_to is not None:
            hand_over(self.state.folder, self._hand_over_to)

    def _aws_url(self) -> str | None:
        if self.aws is None:
            return None
        return f"http://{self._public_name}:{self.aws.endpoint_url.rsplit(':', 1)[1].rstrip('/')}"


def _clock_at(now: datetime | None, *, frozen: bool) -> Clock | None:
    if now is None and not frozen:
        return None
    clock = Clock()
    clock.freeze(frozen)
    if now is not None:
        clock.set(now)
    return clock


def serve_until_signalled(sandbox: Sandbox) -> None:
    """Run a sandbox, say where it is in one line of JSON, and stop it at SIGTERM or SIGINT."""
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    with sandbox:
        print(json.dumps(sandbox.settings), flush=True)
        ended.wait()
