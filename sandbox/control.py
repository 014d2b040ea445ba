"""The control API: the truth, the clock, faults, and records by hand. Plain HTTP and JSON; for tests and shows.

GET    /truth?stream=&day=   JSON lines, one per version of the day's records: {"id", "version", "visible_at",
                             "event_time", "record"} (or "raw"); told are the current version and those that a listing
                             has held; `&versions=all` tells also those that were visible and never listed
GET    /state                who, when, and which faults
POST   /clock                {"now": ISO} | {"advance_seconds": n} | {"frozen": true | false}
POST   /faults               the vocabulary of sandbox/tenant/faults.py       DELETE /faults
POST   /records              {"stream", "record": {…} | "raw": "text", "visible_at": ISO?, "id"?, "event_time"?}
POST   /secret               {"rotate": true} | {"expired": true | false}
POST   /tokens/revoke        refuse every token issued so far
POST   /reset                forget faults, added records, mails, requests; with {"aws": true} also S3 and Glue
GET    /requests             every request to Graph, never its token           DELETE /requests
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Protocol
from urllib.parse import parse_qsl

from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.clock import Clock, parse_moment
from sandbox.state import State, new_secret
from sandbox.tenant.additions import instant_of
from sandbox.tenant.records import encode
from sandbox.tenant.server import TenantServer
from sandbox.tenant.truth import truth
from sandbox.tenant.versions import Version
from sandbox.web import Request, Response

Json = dict[str, Any]


class Faulty(Protocol):
    """A part of the sandbox that faults can be passed on to."""

    def configure(self, wanted: Json) -> object:
        """Merge settings."""

    def clear(self) -> object:
        """Let everything go right again."""


class Control:
    """Answer the control API.

    :param others: parts whose faults are passed on, by their name: `aws`, `mail`.
    :param resets: what else `/reset` calls, by name.
    :param secret_changed: called when the client secret is another one.
    """

    def __init__(
        self,
        tenant: TenantServer,
        others: dict[str, Faulty],
        resets: dict[str, Callable[[], object]],
        secret_changed: Callable[[], object],
    ) -> None:
        self._tenant = tenant
        self._state: State = tenant.state
        self._clock: Clock = tenant.clock
        self._others = others
        self._resets = resets
        self._secret_changed = secret_changed
        self._routes: dict[tuple[str, str], Callable[[Json], Any]] = {
            ("GET", "/truth"): self.truth,
            ("GET", "/state"): self.describe,
            ("GET", "/requests"): lambda _: list(tenant.graph.requests),
            ("DELETE", "/requests"): lambda _: tenant.graph.requests.clear(),
            ("POST", "/clock"): self.set_clock,
            ("POST", "/faults"): self.set_faults,
            ("DELETE", "/faults"): self.clear_faults,
            ("POST", "/records"): self.add_record,
            ("POST", "/secret"): self.change_secret,
            ("POST", "/tokens/revoke"): lambda _: tenant.login.revoke(),
            ("POST", "/reset"): self.reset,
        }

    def answer(self, request: Request) -> Response:
        """Answer a request; what is wrong with it is said in the body."""
        route = self._routes.get((request.method, request.path.rstrip("/")))
        if route is None:
            return _answer(404, {"error": f"Choose from: {', '.join(' '.join(key) for key in self._routes)}."})
        try:
            arguments = json.loads(request.body) if request.body else {}
            result = route({**dict(parse_qsl(request.query)), **arguments})
        except (KeyError, TypeError, ValueError) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})
        if isinstance(result, Iterator):
            return Response(200, result, {"Content-Type": "application/jsonl"})
        return _answer(200, {"done": True} if result is None else result)

    def truth(self, wanted: Json) -> Iterator[bytes]:
        """Tell the day's records as they are now, and as listings have shown them before."""
        stream = STREAMS[wanted["stream"]]
        day = date.fromisoformat(wanted["day"])
        served = self._tenant.graph.served
        return truth(
            self._tenant.records, served, stream, day, self._clock.ticks(), every=wanted.get("versions") == "all"
        )

    def describe(self, _wanted: Json) -> Json:
        """Tell who the tenant is, what time it is, and what goes wrong."""
        return {
            "simulated": True,
            "tenant_name": self._tenant.name,
            "tenant_id": self._state.tenant_id,
            "client_id": self._state.client_id,
            "seed": self._state.seed,
            "sign_ins_per_day": self._state.sign_ins_per_day,
            "story_day": self._state.story_day,
            "now": ticks.iso(self._clock.ticks(), 3),
            "clock": self._clock.state(),
            "clock_offset_seconds": self._clock.offset_seconds,
            "streams": list(STREAMS),
            "faults": self._tenant.faults.describe(),
            "requests": len(self._tenant.graph.requests),
        }

    def set_clock(self, wanted: Json) -> Json:
        """Set, move, stop or start the clock."""
        if unknown := set(wanted) - {"now", "advance_seconds", "frozen"}:
            message = f"The clock knows no {', '.join(unknown)}. Choose from: now, advance_seconds, frozen."
            raise ValueError(message)
        if "now" in wanted:
            self._clock.set(parse_moment(wanted["now"]))
        if "frozen" in wanted:
            self._clock.freeze(bool(wanted["frozen"]))
        if "advance_seconds" in wanted:
            self._clock.advance(float(wanted["advance_seconds"]))
        self._state.clock = self._clock.state()
        self._state.save()
        return {"now": ticks.iso(self._clock.ticks(), 3), "clock_offset_seconds": self._clock.offset_seconds}

    def set_faults(self, wanted: Json) -> Json:
        """Merge faults; those of other parts are passed on."""
        own = {name: value for name, value in wanted.items() if name not in self._others}
        self._tenant.faults.configure(own)
        self._tenant.apply_faults()
        for name, part in self._others.items():
            if name in wanted:
                part.configure(wanted[name])
        return self._tenant.faults.describe()

    def clear_faults(self, _wanted: Json) -> None:
        """Let everything go right again."""
        self._tenant.faults.clear()
        self._tenant.apply_faults()
        for part in self._others.values():
            part.clear()

    def add_record(self, wanted: Json) -> Json:
        """Add a record, or a version of one that exists: whoever has the same id."""
        stream = STREAMS[wanted["stream"]]
        body = wanted["raw"].encode("utf-8", "surrogatepass") if "raw" in wanted else encode(wanted["record"])
        known = wanted.get("record") or _read(body)
        record_id = str(wanted.get("id", known.get("id")))
        event = ticks.parse(str(wanted.get("event_time", known.get(stream.time_field))))
        visible_at = instant_of(wanted.get("visible_at"), self._clock.ticks())
        home = self._tenant.records.find(stream, record_id, event)
        self._tenant.records.additions.add(stream.name, record_id, Version(visible_at, event, body), home)
        return {"id": record_id, "event_time": ticks.iso(event), "visible_at": ticks.iso(visible_at)}

    def change_secret(self, wanted: Json) -> Json:
        """Make a new client secret, or let the one there is expire."""
        if wanted.get("rotate"):
            self._state.client_secret = wanted.get("value") or new_secret()
            self._state.secret_expired = False
        if "expired" in wanted:
            self._state.secret_expired = bool(wanted["expired"])
        self._state.save()
        self._secret_changed()
        return {"client_secret": self._state.client_secret, "expired": self._state.secret_expired}

    def reset(self, wanted: Json) -> None:
        """Forget what tests did."""
        self.clear_faults(wanted)
        self._tenant.reset()
        for name, reset in self._resets.items():
            if name != "aws" or wanted.get("aws"):
                reset()


def _read(body: bytes) -> Json:
    try:
        record = json.loads(body)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _answer(status: int, body: object) -> Response:
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
