"""What goes wrong in the tenant, on demand: the vocabulary of `POST /faults`.

    {"faults": [FAULT, …], SETTING: value, …}         merged into what is set; `DELETE /faults` clears all of it

A FAULT is an object with a `kind` and, all optional, where and how often it strikes:

    "times"    1 by default, any number, or "always"      "after"   let so many matching requests pass first
    "stream"   "sign_ins"                                 "path"    a part of the request's path
    "page"     1 is the first page of a listing           "filter"  a part of the decoded $filter
    "on"       "graph" by default, "login" or "discovery"
    "chance"   0.2 strikes one matching request in five, by a random stream of its own (seeded)

Of the faults instead of an answer the first that is meant strikes, and the next one waits for the next request.
Kinds, with their own members:

  instead of an answer
    status             status=503, code, message; retry_after: 5 | 2.128 | -1 | "text" | {"date_in": 30},
                       no header when absent; on the login: error=90033 (any number of aadsts.py) or a bare status
    token_expired      401 for this request            token_revoked   401, and for every token issued so far
    claims_challenge   401 with claims, until the token was asked for with claims
    not_premium        403; flapping with times/chance missing_permission   403, permission="AuditLog.Read.All"
    skiptoken_invalid  400 "Token not found…"          skiptoken_null  400 "Invalid Skip Token…"
    gone               410                             page_size_refused   400 when $top is above largest=999
    redirect           status=302, location            html            200 with a page of HTML
    error_in_200       200 with an error object        empty_body      200 without a byte
    hang               says nothing for seconds=60
  on the wire
    reset              after_bytes=100                 truncate        after_bytes=100, honest=false
    drip               bytes_per_second=100            corrupt_gzip    one byte of the compressed body is flipped
  in the page
    broken_json        an error object is appended in the middle of `value`
    value_missing      no `value`                      value_null      "value": null
    empty_page         no rows, but a next link to them; each page once
    short_page         rows=7 on this page, the rest on the next
    page_size          rows=2500: $top is ignored
    short_listing      share=0.3, where="suffix" | "middle": rows are silently left out of the whole listing
    live_listing       rows that become visible while it is paged shift the pages
    duplicates         where="within" | "between" pages
    shuffled           order by chance, seeded by the page
    loop               length=1: the next link leads back by so many pages (1: to this very page)
    next_link          scheme, host, port, userinfo: the next link leads elsewhere
    outside_window     rows from before the window are added
    unknown_fields     every row has members that nobody knows        unknown_enums   and enum members likewise
    surrogates         a lone surrogate in every row    control_characters   a raw control character: invalid JSON

`truncate` with honest=true announces the shorter length, so that only the JSON is broken.
`short_listing` and `live_listing` strike a listing at its first page and hold for all of it.

SETTINGS: "throttle": {"limit": 5, "seconds": 10, "kind": "sliding" | "fixed" | "bucket", "retry_after": "int" |
"fraction" | "none", "clock": "system" | "sandbox"} or null for none; "latency_seconds": 0.2; "retention_days": 7;
"skiptoken_seconds": 60; "token_seconds": 300; "down": true; "mail": {"reject": 550, "slow_seconds": 2, "down": true};
"aws": {…} is passed on to the simulated AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Any

from sandbox.tenant.throttle import REPORTS, Limit

INSTEAD = frozenset(
    [
        "status",
        "token_expired",
        "token_revoked",
        "claims_challenge",
        "not_premium",
        "missing_permission",
        "skiptoken_invalid",
        "skiptoken_null",
        "gone",
        "page_size_refused",
        "redirect",
        "html",
        "error_in_200",
        "empty_body",
        "hang",
    ]
)
ON_THE_WIRE = frozenset(["reset", "truncate", "drip", "corrupt_gzip"])
IN_THE_PAGE = frozenset(
    [
        "broken_json",
        "value_missing",
        "value_null",
        "empty_page",
        "short_page",
        "page_size",
        "short_listing",
        "live_listing",
        "duplicates",
        "shuffled",
        "loop",
        "next_link",
        "outside_window",
        "unknown_fields",
        "unknown_enums",
        "surrogates",
        "control_characters",
    ]
)
KINDS = INSTEAD | ON_THE_WIRE | IN_THE_PAGE
_AIMS: tuple[str, ...] = ("on", "stream", "path", "page", "filter")
_WHERE = frozenset({"kind", "times", "after", "chance", *_AIMS})


@dataclass(frozen=True)
class Target:
    """What a fault may look at to know whether a request is meant."""

    on: str
    path: str
    stream: str | None = None
    page: int | None = None
    filter: str = ""


@dataclass
class Fault:
    """One thing that goes wrong.

    :param left: how often it still strikes; None for ever.
    :param details: the members of its own kind.
    """

    kind: str
    match: dict[str, Any]
    left: int | None
    passes: int
    chance: float
    details: dict[str, Any]
    struck: int = 0
    random: Random = field(default_factory=lambda: Random(0))

    @classmethod
    def read(cls, spec: dict[str, Any]) -> Fault:
        """Read one object of the vocabulary.

        :raises ValueError: when there is no such kind.
        """
        kind = spec.get("kind")
        if kind not in KINDS:
            message = f"There is no fault {kind!r}. Choose from: {', '.join(sorted(KINDS))}."
            raise ValueError(message)
        times = spec.get("times", 1)
        match = {"on": "graph", **{name: spec[name] for name in _AIMS if name in spec}}
        details = {name: value for name, value in spec.items() if name not in _WHERE}
        left = None if times == "always" else int(times)
        return cls(kind, match, left, int(spec.get("after", 0)), float(spec.get("chance", 1.0)), details)

    def strikes(self, target: Target) -> bool:
        """Tell whether this request is hit, and count it."""
        if self.left == 0 or not self._meant(target):
            return False
        if self.passes > 0:
            self.passes -= 1
            return False
        if self.chance < 1.0 and self.random.random() >= self.chance:
            return False
        if self.left is not None:
            self.left -= 1
        self.struck += 1
        return True

    def _meant(self, target: Target) -> bool:
        match = self.match
        return (
            match["on"] == target.on
            and match.get("stream", target.stream) == target.stream
            and match.get("page", target.page) == target.page
            and str(match.get("path", "")).lower() in target.path.lower()
            and match.get("filter", "") in target.filter
        )

    def describe(self) -> dict[str, Any]:
        """Return the fault for `GET /state`."""
        left = "always" if self.left is None else self.left
        return {"kind": self.kind, **self.match, **self.details, "left": left, "struck": self.struck}


class Faults:
    """All faults and settings of the tenant.

    :param throttle: the limit that applies when nothing is set; None for no limit.
    :param latency_seconds: how long Graph takes for a page when nothing is set.
    """

    def __init__(self, *, throttle: Limit | None = REPORTS, latency_seconds: float = 0.0) -> None:
        self._throttle = throttle
        self._latency_seconds = latency_seconds
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._faults: list[Fault] = []
            self.throttle: Limit | None = self._throttle
            self.latency_seconds = self._latency_seconds
            self.retention_days: int | None = None
            self.skiptoken_seconds = 1200.0
            self.token_seconds = 3599
            self.down = False

    def configure(self, wanted: dict[str, Any]) -> None:
        """Merge an object of the vocabulary.

        :raises ValueError: when it holds what nobody knows; nothing is changed then.
        """
        unknown = set(wanted) - {"faults", *_SETTINGS}
        if unknown:
            message = f"There is no setting {', '.join(sorted(unknown))}. Choose from: faults, {', '.join(_SETTINGS)}."
            raise ValueError(message)
        fresh = [Fault.read(spec) for spec in wanted.get("faults", [])]
        settings = {name: _SETTINGS[name](value) for name, value in wanted.items() if name != "faults"}
        with self._lock:
            self._faults += fresh
            for name, value in settings.items():
                setattr(self, name, value)

    def strike(self, target: Target, kinds: frozenset[str]) -> list[Fault]:
        """Return the faults of these kinds that hit the request; each counts it."""
        with self._lock:
            return [fault for fault in self._faults if fault.kind in kinds and fault.strikes(target)]

    def strike_first(self, target: Target, kinds: frozenset[str], applies: Callable[[Fault], bool]) -> Fault | None:
        """Return the first fault of these kinds that hits the request and applies to it; the others wait."""
        with self._lock:
            candidates = (fault for fault in self._faults if fault.kind in kinds and applies(fault))
            return next((fault for fault in candidates if fault.strikes(target)), None)

    def describe(self) -> dict[str, Any]:
        """Return everything for `GET /state`."""
        throttle = None if self.throttle is None else vars(self.throttle)
        settings = {name: getattr(self, name) for name in _SETTINGS if name != "throttle"}
        return {"faults": [fault.describe() for fault in self._faults], "throttle": throttle, **settings}


def _limit(value: dict[str, Any] | None) -> Limit | None:
    return None if value is None else Limit(**value)


_SETTINGS: dict[str, Any] = {
    "throttle": _limit,
    "latency_seconds": float,
    "retention_days": lambda value: None if value is None else int(value),
    "skiptoken_seconds": float,
    "token_seconds": int,
    "down": bool,
}
