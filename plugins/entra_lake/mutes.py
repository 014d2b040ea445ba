"""Findings that nobody wants to hear of: by rule and entity, with who said so, when, why, and until when.

    mutes.json     {"mutes": [{rule, entity, by, at, why, until}]}

A mute silences mails. The finding is kept and shown all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from entra_lake.errors import ConfigurationError, ConflictError, DataError
from entra_lake.findings import Finding
from entra_lake.layout import MUTES_KEY
from entra_lake.rewriting import rewrite
from entra_lake.slices import iso
from entra_lake.store_protocol import Store

_LONGEST = 500
#: More would be a rule that should be switched off.
_MOST = 2000


@dataclass(frozen=True, kw_only=True)
class Mute:
    """One mute.

    :param until: the last day, YYYY-MM-DD, on which it holds; empty: for ever.
    """

    rule: str
    entity: str
    by: str
    at: str
    why: str = ""
    until: str = ""

    def holds(self, now: datetime) -> bool:
        """Tell whether it still holds."""
        return not self.until or now.astimezone(UTC).date() <= date.fromisoformat(self.until)


class Mutes:
    """What is muted."""

    def __init__(self, mutes: Iterable[Mute] = ()) -> None:
        self.all = tuple(mutes)
        self._by_name = {(item.rule, item.entity): item for item in self.all}

    def of(self, finding: Finding, now: datetime) -> Mute | None:
        """Return the mute that silences this finding now; None when none does."""
        return self.named(finding.rule, finding.entity, now)

    def named(self, rule: str, entity: str, now: datetime) -> Mute | None:
        """Return the mute that silences this rule about this entity now; None when none does."""
        found = self._by_name.get((rule, entity))
        return found if found and found.holds(now) else None


def read_mutes(store: Store) -> Mutes:
    """Return what is muted.

    :raises DataError: when the document is none.
    """
    found = store.read(MUTES_KEY)
    return _parse(found[0], store) if found else Mutes()


def mute(  # noqa: PLR0913 - what a mute is made of
    store: Store, rule: str, entity: str, *, by: str, now: datetime, why: str = "", until: date | None = None
) -> None:
    """Mute a rule about an entity; a mute of the same rule and entity is replaced.

    :raises ConfigurationError: when it would end in the past, or there are too many.
    """
    if until and until < now.astimezone(UTC).date():
        message = f"A mute until {until} has ended before it begins. Choose today or a later day, or none."
        raise ConfigurationError(message)
    new = Mute(
        rule=rule[:_LONGEST],
        entity=entity,
        by=by[:_LONGEST],
        at=iso(now),
        why=why.strip()[:_LONGEST],
        until=str(until) if until else "",
    )
    _change(store, lambda old: [*(item for item in old if _name(item) != _name(new)), new])


def unmute(store: Store, rule: str, entity: str) -> None:
    """Take a mute back; nothing happens when there is none."""
    _change(store, lambda old: [item for item in old if _name(item) != (rule, entity)])


def _name(item: Mute) -> tuple[str, str]:
    return item.rule, item.entity


def _change(store: Store, change: Callable[[tuple[Mute, ...]], list[Mute]]) -> None:
    def rewritten(content: bytes | None) -> bytes | None:
        old = () if content is None else _parse(content, store).all
        new = change(old)
        if len(new) > _MOST:
            message = f"{len(new)} mutes are too many to keep in sight. Raise a threshold, or switch the rule off."
            raise ConfigurationError(message)
        return None if tuple(new) == old else json.dumps({"mutes": [asdict(item) for item in new]}, indent=1).encode()

    if not rewrite(store, MUTES_KEY, rewritten):
        message = f"{store.url(MUTES_KEY)} was written by others each time. Try again."
        raise ConflictError(message)


def _parse(content: bytes, store: Store) -> Mutes:
    try:
        return Mutes(Mute(**item) for item in json.loads(content)["mutes"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"{store.url(MUTES_KEY)} holds no mutes. Restore it from its noncurrent version, or delete it."
        raise DataError(message) from error
