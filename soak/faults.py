"""What goes wrong: every class of fault, by where it strikes.

The words of the specifications are those of `sandbox/tenant/faults.py` and `sandbox/aws/faults.py`. Left out are `hang`
and `drip`, which need real seconds, and the kinds that change a record's bytes on the way, for which nobody could say
what is right: `tests/faults/` has tests of them. Odd contents are the tenant's own here (`soak/tenant.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from soak.stores import PLACES, Crash

Spec = dict[str, Any]
Maker = Callable[[Random], Spec]

#: The documented limit, counted on the simulated clock: whoever asks faster is refused.
THROTTLE: Spec = {"limit": 5, "seconds": 10, "clock": "sandbox", "retry_after": "fraction"}


def _status(status: int, **members: Any) -> Maker:  # noqa: ANN401 - a fault's members
    return lambda random: {"kind": "status", "status": status, "times": random.randint(1, 3), **members}


def _page(kind: str, first: int = 1, **members: Any) -> Maker:  # noqa: ANN401
    return lambda random: {"kind": kind, "page": random.randint(first, 2), **members}


def _wire(kind: str, **members: Any) -> Maker:  # noqa: ANN401
    return lambda random: {"kind": kind, "after_bytes": random.randint(1, 3000), **members}


def _short(where: str) -> Maker:
    return lambda random: {"kind": "short_listing", "share": random.choice((0.05, 0.3, 0.9)), "where": where}


def _always(kind: str, **members: Any) -> Maker:  # noqa: ANN401
    return lambda _: {"kind": kind, "times": "always", **members}


TRANSPORT: dict[str, Maker] = {
    "reset": _wire("reset"),
    "truncated": _wire("truncate"),
    "truncated, and says so": _wire("truncate", honest=True),
    "corrupt gzip": lambda random: {"kind": "corrupt_gzip", "times": random.randint(1, 3)},
    "HTML": _page("html"),
    "empty body": _page("empty_body"),
    "redirect": lambda _: {"kind": "redirect", "status": 302, "location": "https://graph.example.com/"},
}
PROTOCOL: dict[str, Maker] = {
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "503 with Retry-After": _status(503, retry_after=20),
    "503 for ever": _always("status", status=503),
    "504": _status(504),
    "504 until the slice is small": _status(504, times=12),
    "410": _page("gone", 2),
    "403 that flaps": lambda random: {"kind": "not_premium", "times": random.randint(1, 6)},
    "consent withdrawn": _always("missing_permission", permission="AuditLog.Read.All"),
    "skiptoken invalid": _page("skiptoken_invalid", 2),
    "skiptoken null": _page("skiptoken_null", 2),
    "page size refused": _always("page_size_refused", largest=999),
    "error in 200": _page("error_in_200"),
    "value missing": _page("value_missing"),
    "value null": _page("value_null"),
    "empty page": lambda random: {"kind": "empty_page", "times": random.randint(1, 3)},
    "short page": _page("short_page", rows=3),
    "page size ignored": _always("page_size", rows=2500),
    "looping link": lambda random: {"kind": "loop", "length": random.randint(1, 2), "page": 2},
    "foreign link": lambda _: {"kind": "next_link", "host": "graph.microsoft.com.example"},
}
THROTTLING: dict[str, Maker] = {
    "429": _status(429, retry_after=5),
    "429 in fractions": _status(429, retry_after=2.128),
    "429 until a date": _status(429, retry_after={"date_in": 30}),
    "429 without a word": _status(429),
    "429 with nonsense": _status(429, retry_after="soon"),
    "429 with a negative pause": _status(429, retry_after=-1),
    "429 for an hour": _status(429, retry_after=3600, times=1),
    "429 for a day": _status(429, retry_after=86_400, times=1),
    "429 storm": _status(429, retry_after=1, times=40),
}
LOGIN: dict[str, Maker] = {
    "token expired": _page("token_expired"),
    "token revoked": _page("token_revoked"),
    "claims challenge": lambda _: {"kind": "claims_challenge"},
    "login fails": _status(503, on="login"),
    "login is throttled": _status(429, on="login", retry_after=3),
    "login is busy": lambda _: {"kind": "status", "on": "login", "error": 90033},
}
DATA: dict[str, Maker] = {
    "broken JSON": _page("broken_json"),
    "poison that heals": lambda random: {"kind": "broken_json", "times": random.randint(40, 60)},
    "duplicates within pages": _always("duplicates", where="within"),
    "duplicates between pages": _always("duplicates", where="between"),
    "shuffled": _always("shuffled"),
    "records of another day": _always("outside_window"),
    "short listing, suffix": _short("suffix"),
    "short listing, middle": _short("middle"),
    "live listing": _always("live_listing"),
}
LAPSE = "retention of three days"
#: Settings of the tenant that are faults while they last.
SETTINGS: dict[str, Spec] = {
    "connection refused": {"down": True},
    "tokens of a minute": {"token_seconds": 60},
    "links of a second": {"skiptoken_seconds": 1},
    LAPSE: {"retention_days": 3},
}
_ZONES = ("raw/", "lake/", "staging/", "checkpoints/", "manifests/", "budget/", ".")


def _s3(kind: str, **members: Any) -> Maker:  # noqa: ANN401
    return lambda random: {"s3": {kind: [{"key": random.choice(_ZONES), "n": random.randint(1, 4), **members}]}}


def _s3_always(kind: str, **members: Any) -> Maker:  # noqa: ANN401
    return lambda random: {"s3": {kind: [{"key": random.choice(_ZONES), **members}]}}


S3: dict[str, Maker] = {
    "S3 500": _s3("errors", status=500),
    "S3 503": _s3("errors", status=503),
    "S3 503 for ever": _s3_always("errors", status=503),
    "S3 409": _s3("errors", status=409, method="PUT"),
    "S3 reply dropped": _s3("drop_reply"),
    "S3 denies": _s3_always("deny", method="PUT"),
    "S3 byte flipped": _s3("flip"),
}
ATHENA: dict[str, Maker] = {
    "query fails": lambda _: {"athena": {"fail": {"n": 1, "reason": "GENERIC_INTERNAL_ERROR: on purpose"}}},
    "query refused": lambda _: {"athena": {"fail": {"n": 1, "reason": "PERMISSION_DENIED: on purpose"}}},
    "query stuck in the queue": lambda _: {"athena": {"stuck_queued": 1}},
    "Athena throttled": lambda random: {"athena": {"throttle": random.choice((2, 30))}},
    "Athena down": lambda _: {"athena": {"down": True}},
    "object replaced under a query": lambda random: {"athena": {"replace": {"n": random.randint(1, 2)}}},
}
#: Seconds by which the worker's clock is ahead.
CLOCK = {
    "clock ten minutes fast": 600.0,
    "clock ten minutes slow": -600.0,
    "clock a day fast": 86_400.0,
    "clock a day slow": -86_400.0,
}
KILLS = {str(Crash(place, is_after)): (place, is_after) for place in PLACES for is_after in (False, True)}
TWO_RUNS, STOPPED, NO_STAGING = "two runs at once", "stopped while another runs", "staging deleted"

GRAPH = {**TRANSPORT, **PROTOCOL, **THROTTLING, **LOGIN, **DATA}
AWS = {**S3, **ATHENA}
#: What strikes a run of a day, by where it strikes.
GROUPS: dict[str, tuple[str, ...]] = {
    "transport": (*TRANSPORT, "connection refused"),
    "protocol": (*PROTOCOL, "links of a second", LAPSE),
    "throttling": tuple(THROTTLING),
    "login": (*LOGIN, "tokens of a minute"),
    "data": tuple(DATA),
    "S3": tuple(S3),
    "Athena": tuple(ATHENA),
    "process": (*KILLS, TWO_RUNS, STOPPED, NO_STAGING),
    "clock": tuple(CLOCK),
}
#: What happens outside of any run, and what the tenant itself does.
WITHOUT_RUN: dict[str, tuple[str, ...]] = {
    "scheduler": ("outage", "Airflow's database wiped", "run by hand"),
    "tenant": ("late record", "changed", "changed back", "moved over midnight", "odd content"),
}
ALL_GROUPS = {**GROUPS, **WITHOUT_RUN}
