"""What goes wrong: every class of fault, drawn from a deck so that each comes before any comes again.

The words of the specifications are those of `sandbox/tenant/faults.py` and `sandbox/aws/faults.py`. Left out are `hang`
and `drip`, which need real seconds, and the kinds that change a record's bytes: those have tests of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from sandbox.serve import Sandbox

Spec = dict[str, Any]

#: The documented limit, counted on the simulated clock: whoever asks faster is refused.
THROTTLE: Spec = {"limit": 5, "seconds": 10, "clock": "sandbox", "retry_after": "fraction"}


def _status(status: int, **members: Any) -> Callable[[Random], Spec]:  # noqa: ANN401 - a fault's members
    return lambda random: {"kind": "status", "status": status, "times": random.randint(1, 3), **members}


def _page(kind: str, **members: Any) -> Callable[[Random], Spec]:  # noqa: ANN401
    return lambda random: {"kind": kind, "page": random.randint(1, 3), **members}


def _wire(kind: str, **members: Any) -> Callable[[Random], Spec]:  # noqa: ANN401
    return lambda random: {"kind": kind, "after_bytes": random.randint(1, 6000), **members}


def _short(where: str) -> Callable[[Random], Spec]:
    return lambda random: {"kind": "short_listing", "share": random.choice((0.05, 0.3, 0.9)), "where": where}


#: Faults of Graph and of the login service.
GRAPH: dict[str, Callable[[Random], Spec]] = {
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "503 with Retry-After": _status(503, retry_after=20),
    "503 for ever": _status(503, times="always"),
    "504": _status(504),
    "504 until the slice is small": _status(504, times=12),
    "429": _status(429, retry_after=5),
    "429 in fractions": _status(429, retry_after=2.128),
    "429 until a date": _status(429, retry_after={"date_in": 30}),
    "429 without a word": _status(429),
    "429 with nonsense": _status(429, retry_after="soon"),
    "429 with a negative pause": _status(429, retry_after=-1),
    "429 for an hour": _status(429, retry_after=3600, times=1),
    "429 storm": _status(429, retry_after=1, times=40),
    "token expired": _page("token_expired"),
    "token revoked": _page("token_revoked"),
    "claims challenge": lambda _: {"kind": "claims_challenge"},
    "login fails": _status(503, on="login"),
    "login is throttled": _status(429, on="login", retry_after=3),
    "login is busy": lambda _: {"kind": "status", "on": "login", "error": 90033},
    "403 that flaps": lambda random: {"kind": "not_premium", "times": random.randint(1, 6)},
    "consent withdrawn": lambda _: {"kind": "missing_permission", "permission": "AuditLog.Read.All", "times": "always"},
    "skiptoken invalid": lambda random: {"kind": "skiptoken_invalid", "page": random.randint(2, 3)},
    "skiptoken null": lambda _: {"kind": "skiptoken_null", "page": 2},
    "410": lambda _: {"kind": "gone", "page": 2},
    "page size refused": lambda _: {"kind": "page_size_refused", "largest": 999, "times": "always"},
    "redirect": lambda _: {"kind": "redirect", "status": 302, "location": "https://graph.example.com/"},
    "HTML": _page("html"),
    "error in 200": _page("error_in_200"),
    "empty body": _page("empty_body"),
    "reset": _wire("reset"),
    "truncated": _wire("truncate"),
    "truncated, and says so": _wire("truncate", honest=True),
    "corrupt gzip": lambda random: {"kind": "corrupt_gzip", "times": random.randint(1, 3)},
    "broken JSON": _page("broken_json"),
    "value missing": _page("value_missing"),
    "value null": _page("value_null"),
    "empty page": lambda random: {"kind": "empty_page", "times": random.randint(1, 3)},
    "short page": _page("short_page", rows=7),
    "page size ignored": lambda _: {"kind": "page_size", "rows": 2500, "times": "always"},
    "duplicates within pages": lambda _: {"kind": "duplicates", "where": "within", "times": "always"},
    "duplicates between pages": lambda _: {"kind": "duplicates", "where": "between", "times": "always"},
    "shuffled": lambda _: {"kind": "shuffled", "times": "always"},
    "looping link": lambda random: {"kind": "loop", "length": random.randint(1, 2), "page": random.randint(2, 3)},
    "foreign link": lambda _: {"kind": "next_link", "host": "graph.microsoft.com.example"},
    "records of another day": lambda _: {"kind": "outside_window", "times": "always"},
    "short listing, suffix": _short("suffix"),
    "short listing, middle": _short("middle"),
    "live listing": lambda _: {"kind": "live_listing", "times": "always"},
}
#: Settings of the tenant that are faults while they last.
SETTINGS: dict[str, Spec] = {
    "connection refused": {"down": True},
    "tokens of a minute": {"token_seconds": 60},
    "links of a second": {"skiptoken_seconds": 1},
    "retention of three days": {"retention_days": 3},
}
_ZONES = ("raw/", "lake/", "staging/", "checkpoints/", "manifests/", "budget/", ".")


def _s3(kind: str, **members: Any) -> Callable[[Random], Spec]:  # noqa: ANN401
    return lambda random: {"s3": {kind: [{"key": random.choice(_ZONES), "n": random.randint(1, 4), **members}]}}


def _always(kind: str, **members: Any) -> Callable[[Random], Spec]:  # noqa: ANN401
    return lambda random: {"s3": {kind: [{"key": random.choice(_ZONES), **members}]}}


#: Faults of S3 and Athena.
AWS: dict[str, Callable[[Random], Spec]] = {
    "S3 500": _s3("errors", status=500),
    "S3 503": _s3("errors", status=503),
    "S3 503 for ever": _always("errors", status=503),
    "S3 409": _s3("errors", status=409, method="PUT"),
    "S3 reply dropped": _s3("drop_reply"),
    "S3 denies": _always("deny", method="PUT"),
    "S3 byte flipped": _s3("flip"),
    "query fails": lambda _: {"athena": {"fail": {"n": 1, "reason": "GENERIC_INTERNAL_ERROR: on purpose"}}},
    "query refused": lambda _: {"athena": {"fail": {"n": 1, "reason": "PERMISSION_DENIED: on purpose"}}},
    "query stuck in the queue": lambda _: {"athena": {"stuck_queued": 1}},
    "Athena throttled": lambda random: {"athena": {"throttle": random.choice((2, 30))}},
    "Athena down": lambda _: {"athena": {"down": True}},
    "object replaced under a query": lambda random: {"athena": {"replace": {"n": random.randint(1, 2)}}},
}
#: What happens to the process itself, and who else is there.
PROCESS = ("killed before a write", "killed after a write", "two runs at once")
#: They come so much more often than the others: there are many places to die at, and to meet.
_PROCESS_CARDS = 6


class Deck:
    """All classes of faults, in an order drawn from the seed; when all have come, in another one.

    :param only: classes to leave it at; empty: all of them.
    """

    def __init__(self, random: Random, only: tuple[str, ...] = ()) -> None:
        self._random = random
        self._all = only or (*GRAPH, *SETTINGS, *AWS, *(PROCESS * _PROCESS_CARDS))
        self._cards = self._deal()

    def draw(self) -> str:
        """Return the next class."""
        return next(self._cards)

    def _deal(self) -> Iterator[str]:
        while True:
            cards = list(self._all)
            self._random.shuffle(cards)
            yield from cards


class Mischief:
    """Switches faults on and off, and counts those that struck.

    :param injected: class to how often it struck; what strikes for ever, and a setting, counts once each time it is on.
    :param cut_listings: listings that were silently short so far.
    """

    def __init__(self, cloud: Sandbox, random: Random, retention_days: int) -> None:
        self.injected: Counter[str] = Counter()
        self._cloud = cloud
        self._random = random
        self._retention_days = retention_days
        self._on: list[str] = []
        self._rules: dict[str, Spec] = {}
        self._cut = 0
        self.calm()

    @property
    def cut_listings(self) -> int:
        """Return how many listings were silently short so far."""
        return self._cut + self._cut_now()

    def switch_on(self, name: str) -> None:
        """Let one class of faults strike what follows."""
        self._on.append(name)
        tenant = self._cloud.tenant
        if name in GRAPH:
            tenant.faults.configure({"faults": [GRAPH[name](self._random)]})
        elif name in SETTINGS:
            tenant.faults.configure(SETTINGS[name])
            tenant.apply_faults()
            self.injected[name] += 1
        elif name in AWS:
            self._rules[name] = AWS[name](self._random)
            self._cloud.aws.faults.configure(self._rules[name])

    def calm(self) -> None:
        """Let everything go right again, in pages of any size; count what struck."""
        self._count()
        tenant, aws = self._cloud.tenant, self._cloud.aws
        tenant.faults.clear()
        aws.faults.clear()
        self._on.clear()
        self._rules.clear()
        rows = self._random.choice((5, 20, 50, 1000))
        small_pages = {"kind": "page_size", "rows": rows, "times": "always"}
        settings = {"throttle": THROTTLE, "retention_days": self._retention_days}
        tenant.faults.configure({**settings, "faults": [small_pages]})
        tenant.apply_faults()

    def _count(self) -> None:
        self._cut += self._cut_now()
        struck = [item["struck"] for item in self._tenant_faults()[1:]]
        for name, number in zip([name for name in self._on if name in GRAPH], struck, strict=True):
            self.injected[name] += number
        left = self._cloud.aws.faults.describe()
        for name, rules in self._rules.items():
            self.injected[name] += _strikes(rules, left)

    def _cut_now(self) -> int:
        return sum(item["struck"] for item in self._tenant_faults() if item["kind"] == "short_listing")

    def _tenant_faults(self) -> list[Spec]:
        found: list[Spec] = self._cloud.tenant.faults.describe()["faults"]
        return found


def _strikes(rules: Spec, left: Spec) -> int:
    """Return how often a fault of AWS struck: what it was allowed, less what is left."""
    (service, kinds), *_ = rules.items()
    (kind, given), *_ = kinds.items()
    rest = left[service].get(kind, given)
    if service == "s3":
        given, rest = given[0], rest[0]
    if isinstance(given, dict):
        return int(given["n"] - rest["n"]) if "n" in given else 1
    return 1 if given is True else int(given - rest)
