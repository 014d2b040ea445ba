"""Faults drawn and switched: which one comes next, and how often each has struck."""

from __future__ import annotations

from collections import Counter
from random import Random

from entra_lake.layout import RETENTION_KEY
from sandbox.serve import Sandbox
from soak.faults import AWS, CLOCK, GRAPH, GROUPS, LAPSE, SETTINGS, THROTTLE, Spec
from soak.world import World


class Deck:
    """All classes of faults, in an order drawn from the seed; when all have struck, in another one.

    :param only: classes to leave it at; empty: all of them.
    """

    def __init__(self, random: Random, only: tuple[str, ...] = ()) -> None:
        self._random = random
        self._all = only or tuple(name for names in GROUPS.values() for name in names)
        self._cards: list[str] = []

    def draw(self) -> str:
        """Return the next class."""
        if not self._cards:
            self._cards = random_order(self._random, self._all)
        return self._cards.pop()

    def put_back(self, name: str) -> None:
        """Take back a class that has not struck: the run gave it no occasion."""
        self._cards.insert(self._random.randint(0, len(self._cards)), name)


def random_order(random: Random, names: tuple[str, ...]) -> list[str]:
    """Return the names in an order of their own."""
    return random.sample(names, len(names))


class Mischief:
    """Switches faults on and off, and counts those that struck.

    :param injected: class to how often it struck; what strikes for ever, and a setting, counts once each time it is on.
    :param cut_listings: listings that were silently short so far.
    """

    def __init__(self, world: World, random: Random) -> None:
        self.injected: Counter[str] = Counter()
        self._world = world
        self._cloud: Sandbox = world.cloud
        self._random = random
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
        elif name in CLOCK:
            self._world.skew = CLOCK[name]
            self.injected[name] += 1
        elif name in AWS:
            self._rules[name] = AWS[name](self._random)
            self._cloud.aws.faults.configure(self._rules[name])

    def calm(self) -> None:
        """Let everything go right again, in pages of any size; count what struck."""
        self._count()
        if LAPSE in self._on:  # the licence is renewed, and somebody tells the lake
            self._world.delete(RETENTION_KEY)
        tenant, aws = self._cloud.tenant, self._cloud.aws
        tenant.faults.clear()
        aws.faults.clear()
        self._world.skew = 0.0
        self._on.clear()
        self._rules.clear()
        rows = self._random.choice((5, 20, 50, 1000))
        small_pages = {"kind": "page_size", "rows": rows, "times": "always"}
        settings = {"throttle": THROTTLE, "retention_days": self._world.settings.retention_days}
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
