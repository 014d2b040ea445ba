"""Which concerns somebody was told of: one small object in the lake decides that each is mailed once.

    mails/watch.json     {"told": {key: when}, "judged_until": day}

`judged_until` is the last day of which it is settled whether it was lost: older manifests are read no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from entra_lake.concerns import QUIET, Concern
from entra_lake.layout import WATCH_KEY
from entra_lake.rewriting import rewrite
from entra_lake.slices import iso
from entra_lake.store_protocol import Store

#: What was told longer ago cannot come again: the day it was about has aged out, and was judged.
_FORGET_AFTER = timedelta(days=400)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the object holds."""

    told: dict[str, str] = field(default_factory=dict)
    judged_until: date | None = None

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        until = str(self.judged_until) if self.judged_until else None
        return json.dumps({"told": self.told, "judged_until": until}, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Told:
        """Read it from its JSON."""
        facts = json.loads(content)
        until = facts.get("judged_until")
        return cls(told=dict(facts.get("told", {})), judged_until=date.fromisoformat(until) if until else None)


def read_told(store: Store) -> Told:
    """Return what somebody was told of so far."""
    found = store.read(WATCH_KEY)
    return Told.from_bytes(found[0]) if found else Told()


def claim(store: Store, concerns: Iterable[Concern], now: datetime) -> list[Concern]:
    """Note these concerns as told, and return those that nobody was told of; each goes to one caller."""
    wanted = list(concerns)
    new: list[Concern] = []

    def add(old: Told) -> Told:
        new[:] = [item for item in wanted if not _is_quiet(old, item, now)]
        kept = {key: at for key, at in old.told.items() if now - datetime.fromisoformat(at) < _FORGET_AFTER}
        return replace(old, told={**kept, **{item.key: iso(now) for item in new}})

    return new if _change(store, add) else []


def withdraw(store: Store, concerns: Sequence[Concern]) -> None:
    """Note that nobody could be told of these after all."""
    keys = {item.key for item in concerns}
    _change(store, lambda old: replace(old, told={key: at for key, at in old.told.items() if key not in keys}))


def judge(store: Store, until: date) -> None:
    """Note that what was lost up to this day is known, and was told."""
    _change(store, lambda old: replace(old, judged_until=max(until, old.judged_until or until)))


def _is_quiet(old: Told, concern: Concern, now: datetime) -> bool:
    if concern.key not in old.told:
        return False
    quiet = QUIET.get(concern.kind)
    return quiet is None or now - datetime.fromisoformat(old.told[concern.key]) < quiet


def _change(store: Store, change: Callable[[Told], Told]) -> bool:
    """Replace the object by what the function makes of it; tell whether it says so now."""

    def rewritten(content: bytes | None) -> bytes | None:
        old = Told() if content is None else Told.from_bytes(content)
        new = change(old)
        return None if new == old else new.to_bytes()

    return rewrite(store, WATCH_KEY, rewritten)
