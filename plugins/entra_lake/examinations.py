"""Which rules have run for a day, and which of their findings somebody was told of: one small document per day.

    examinations/D.json     {"rules": {rule: {at, inputs, found, …}}, "findings": {key: {rule, at, told, how}}}

`inputs` is a hash of the rule's statement and of the objects that it read: as long as it is the same, the rule need not
run again. Findings are named by keys that tell nobody what they are about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from entra_lake.errors import ConflictError, DataError
from entra_lake.layout import examination_key
from entra_lake.rewriting import rewrite
from entra_lake.slices import iso
from entra_lake.store_protocol import Store

_READERS = 8


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One rule's last run for a day.

    :param inputs: hash of the statement and the objects that it read.
    :param found: how many findings the rule has for the day, those of earlier runs included.
    :param code: of the error that kept it from running; empty when it ran.
    :param message: that error's words.
    """

    at: str
    inputs: str
    found: int = 0
    bytes_scanned: int = 0
    query_id: str = ""
    code: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What is known of one finding.

    :param at: when it was found first.
    :param told: when somebody was told of it; empty as long as nobody was.
    :param how: `digest`, `baseline` or `muted`.
    """

    rule: str
    at: str
    told: str = ""
    how: str = ""


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What rules have done for one day."""

    rules: Mapping[str, Ran] = field(default_factory=dict)
    findings: Mapping[str, Noted] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Examination:
        """Read it from its JSON; members of a newer format are left out.

        :raises DataError: when it is none.
        """
        try:
            facts = json.loads(content)
            return cls(
                rules={name: Ran(**_known(item, Ran)) for name, item in facts["rules"].items()},
                findings={name: Noted(**_known(item, Noted)) for name, item in facts["findings"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"{where} is no list of examinations. Delete it: the rules run again, and mail what they find."
            raise DataError(message) from error

    def with_rules(self, ran: Mapping[str, Ran], noted: Mapping[str, Noted]) -> Examination:
        """Return it with these runs and the findings that are new to it."""
        return replace(self, rules={**self.rules, **ran}, findings={**noted, **self.findings})

    def with_told(self, keys: Iterable[str], now: datetime, how: str) -> Examination:
        """Return it with a note that somebody was told of these findings, or did not want to be."""
        told = {key: replace(self.findings[key], told=iso(now), how=how) for key in keys if key in self.findings}
        return replace(self, findings={**self.findings, **told})

    def untold(self) -> dict[str, Noted]:
        """Return the findings of which nobody was told."""
        return {key: item for key, item in self.findings.items() if not item.told}


def read_examination(store: Store, day: date) -> Examination:
    """Return what rules have done for the day; an empty one when none has run."""
    found = store.read(examination_key(day))
    return Examination.from_bytes(found[0], store.url(examination_key(day))) if found else Examination()


def read_examinations(store: Store, days: Iterable[date]) -> dict[date, Examination]:
    """Return what rules have done for these days."""
    wanted = list(days)
    with ThreadPoolExecutor(_READERS) as pool:
        return dict(zip(wanted, pool.map(lambda day: read_examination(store, day), wanted), strict=True))


def change_examination(store: Store, day: date, change: Callable[[Examination], Examination]) -> Examination:
    """Replace the day's document by what the function makes of it.

    :raises ConflictError: when others kept being first.
    """
    key, new = examination_key(day), Examination()

    def rewritten(content: bytes | None) -> bytes | None:
        nonlocal new
        old = Examination() if content is None else Examination.from_bytes(content, store.url(key))
        new = change(old)
        return None if new == old else new.to_bytes()

    if not rewrite(store, key, rewritten):
        message = f"{store.url(key)} was written by others each time. Trying again later."
        raise ConflictError(message)
    return new


def _known(facts: Mapping[str, Any], kind: type) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in facts.items() if name in names}
