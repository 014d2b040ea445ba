"""Whose turn it is to mail about findings, and which rules are at home in the lake.

    mails/findings.json     {"rules": {rule: {since, home}}, "sending": {by, until}}

A mail gathers what several runs have found. So one run at a time looks and mails; the others wait. A run that is killed
in its turn loses it after `LEASE`. A rule is at home once the lake has been told of all that it found when it was new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from entra_lake.clock import Clock
from entra_lake.errors import ConflictError
from entra_lake.layout import DIGEST_KEY
from entra_lake.slices import iso
from entra_lake.store_protocol import Store

#: So long a turn lasts at most.
LEASE = timedelta(minutes=10)
_LONGEST_WAIT_SECONDS = 120.0
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Known:
    """A rule that the lake knows.

    :param since: when it was seen first.
    :param home: whether what it finds on new days is news; else it belongs to the baseline.
    """

    since: str
    home: bool = False


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What the document holds."""

    rules: Mapping[str, Known] = field(default_factory=dict)
    sending: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_home(self) -> bool:
        """Tell whether any rule is at home: the lake had its first baseline."""
        return any(item.home for item in self.rules.values())

    def is_home(self, rule: str) -> bool:
        """Tell whether the rule is at home."""
        return rule in self.rules and self.rules[rule].home

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Ledger:
        """Read it from its JSON; what cannot be read is a new one: a mail too many is better than none."""
        try:
            facts = json.loads(content)
            rules = {name: Known(since=item["since"], home=bool(item["home"])) for name, item in facts["rules"].items()}
            return cls(rules=rules, sending=dict(facts.get("sending") or {}))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


class Turn:
    """The turn of one run.

    :param ledger: what holds now; set it, and it is written when the turn ends.
    """

    def __init__(self, ledger: Ledger, etag: str) -> None:
        self.ledger = ledger
        self.etag = etag


def read_ledger(store: Store) -> tuple[Ledger, str | None]:
    """Return what the document holds, and its ETag."""
    found = store.read(DIGEST_KEY)
    return (Ledger.from_bytes(found[0]), found[1]) if found else (Ledger(), None)


@contextmanager
def turn(store: Store, clock: Clock) -> Iterator[Turn]:
    """Wait for this run's turn, and end it.

    :raises ConflictError: when others do not come to an end.
    """
    mine = _take(store, clock)
    try:
        yield mine
    finally:
        store.replace(DIGEST_KEY, replace(mine.ledger, sending={}).to_bytes(), mine.etag)


def _take(store: Store, clock: Clock) -> Turn:
    waited = 0.0
    while True:
        ledger, etag = read_ledger(store)
        now = clock.now()
        if not _is_taken(ledger, now):
            taken = replace(ledger, sending={"by": uuid4().hex, "until": iso(now + LEASE)})
            if new := store.replace(DIGEST_KEY, taken.to_bytes(), etag):
                return Turn(taken, new)
        if waited >= _LONGEST_WAIT_SECONDS:
            message = f"{store.url(DIGEST_KEY)}: another run has been mailing for {waited:.0f} s. Trying again later."
            raise ConflictError(message)
        clock.sleep(_PAUSE_SECONDS)
        waited += _PAUSE_SECONDS


def _is_taken(ledger: Ledger, now: datetime) -> bool:
    until = ledger.sending.get("until")
    return bool(until) and now < datetime.fromisoformat(str(until))
