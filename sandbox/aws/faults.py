"""Faults on purpose: what S3 and Athena do on a bad day, switched on by a test or by the control page.

    configure({"s3": {"errors":     [{"key": regex, "operation": name, "n": 2, "status": 503, "code": "SlowDown"}],
                      "drop_reply": [{"key": regex, "n": 1}],      # the write is kept, the connection is closed
                      "deny":       [{"key": regex, "operation": name}],
                      "delay":      [{"key": regex, "seconds": 0.5}],
                      "flip":       [{"key": regex, "n": 1}]},     # one byte of a GET is changed
               "athena": {"fail": {"n": 1, "reason": text}, "stuck_queued": 1, "throttle": 2, "delay_seconds": 1.0,
                          "replace": {"key": regex}, "down": true}})

Every S3 rule may say `key` (searched in the key), `method`, `operation` and `n` (how often; forever without it).
`configure` replaces the faults of the services it names; `clear` ends all.
"""

from __future__ import annotations

import re
import threading
from copy import deepcopy
from typing import Any

from sandbox.aws.request import Call, Reply, s3_error

S3_FAULTS = ("errors", "drop_reply", "deny", "delay", "flip")
ATHENA_FAULTS = ("fail", "stuck_queued", "throttle", "delay_seconds", "replace", "down")
MESSAGES = {
    "SlowDown": "Please reduce your request rate.",
    "InternalError": "We encountered an internal error. Please try again.",
}


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        """Start without faults."""
        self._lock = threading.Lock()
        self._s3: dict[str, list[dict[str, Any]]] = {}
        self._athena: dict[str, Any] = {}

    def configure(self, faults: dict[str, Any]) -> None:
        """Replace the faults of the services named; refuse words that mean nothing."""
        for service, known in (("s3", S3_FAULTS), ("athena", ATHENA_FAULTS)):
            unknown = set(faults.get(service, {})) - set(known)
            if unknown:
                message = f"unknown {service} fault {sorted(unknown)}; known: {', '.join(known)}"
                raise ValueError(message)
        if set(faults) - {"s3", "athena"}:
            message = f"unknown service {sorted(set(faults) - {'s3', 'athena'})}; known: s3, athena"
            raise ValueError(message)
        with self._lock:
            if "s3" in faults:
                self._s3 = deepcopy(faults["s3"])
            if "athena" in faults:
                self._athena = deepcopy(faults["athena"])

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._s3, self._athena = {}, {}

    def describe(self) -> dict[str, Any]:
        """Return the faults that are still on."""
        with self._lock:
            return {"s3": deepcopy(self._s3), "athena": deepcopy(self._athena)}

    def take_s3(self, kind: str, call: Call) -> dict[str, Any] | None:
        """Return the first rule of a kind that fits the request, and use it up once."""
        with self._lock:
            for rule in self._s3.get(kind, []):
                if rule.get("n") != 0 and _fits(rule, call):
                    if "n" in rule:
                        rule["n"] -= 1
                    return rule
        return None

    def take_athena(self, kind: str) -> Any:
        """Return an Athena fault and use it up once; None or 0 when it is off."""
        with self._lock:
            value = self._athena.get(kind)
            if isinstance(value, dict):
                return _use_up(value)
            if kind in ("stuck_queued", "throttle") and value:
                self._athena[kind] = value - 1
            return value

    def give_back(self, kind: str) -> None:
        """Undo `take_athena` for a rule that did not fit."""
        with self._lock:
            if isinstance(self._athena.get(kind), dict):
                self._athena[kind]["n"] += 1

    def refuse_s3(self, call: Call) -> Reply | None:
        """Answer for S3 when a request has to be denied or to fail."""
        if self.take_s3("deny", call):
            return s3_error(403, "AccessDenied", "Access Denied", Resource=f"/{call.bucket}/{call.key}")
        rule = self.take_s3("errors", call)
        if rule is None:
            return None
        status = rule.get("status", 503)
        code = rule.get("code") or {500: "InternalError", 503: "SlowDown", 409: "ConditionalRequestConflict"}[status]
        return s3_error(status, code, rule.get("message") or MESSAGES.get(code, code))


def flip_a_byte(body: bytes) -> bytes:
    """Change one bit in the middle of a body."""
    if not body:
        return body
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def _fits(rule: dict[str, Any], call: Call) -> bool:
    if rule.get("method") not in (None, call.method) or rule.get("operation") not in (None, call.operation):
        return False
    return re.search(rule.get("key", ""), call.key) is not None


def _use_up(rule: dict[str, Any]) -> dict[str, Any] | None:
    if rule.get("n", 1) <= 0:
        return None
    found = dict(rule)
    rule["n"] = rule.get("n", 1) - 1
    return found
