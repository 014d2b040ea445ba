"""The watch: look at a lake's coverage from outside, and mail before records are lost.

Needs no Airflow: it catches what Airflow cannot report, a scheduler that is dead or a DAG that is
paused. Inside Airflow the hourly DAG runs it as well, for days that age out while everything else works.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from entra_lake.concerns import Concern, Kind, concerns
from entra_lake.coverage import Coverage, coverage
from entra_lake.coverage_text import sentence
from entra_lake.due import lost_days
from entra_lake.holdings import read_facts, read_manifests
from entra_lake.lake import GetConnection, Lake
from entra_lake.mail import Letter, write_letter
from entra_lake.posting import always, post
from entra_lake.retention import named_retention
from entra_lake.settings import LakeSettings
from entra_lake.slices import ONE_DAY, day_range
from entra_lake.told import claim, judge, read_told, withdraw

log = logging.getLogger(__name__)

#: What a mail says is to be done, by the kind of concern.
TO_DO = {
    Kind.ENDANGERED: (
        "Read the days now: python -m entra_lake reconcile{option}, or trigger {reconcile} in Airflow.",
        "If that fails, act on what it says: after the time above nobody can read these days any more.",
    ),
    Kind.LOST: (
        "Nothing brings these days back from Graph. If they were exported elsewhere, keep that copy.",
        "Find out what kept them from being read: a DAG that was paused, a secret that expired, mails to nobody.",
    ),
    Kind.RETENTION: (
        "If a licence has ended: renew it, or set retention_days of lake {lake} in include/lakes.yaml to that number.",
        "Until then days are read at closer ages, and older days that were not read completely count as lost.",
    ),
    Kind.OVERDUE: (
        "See whether Airflow's scheduler runs and {reconcile} is not paused; look at its last runs.",
        "Without Airflow: python -m entra_lake reconcile{option} reads what is due.",
    ),
}


@dataclass(frozen=True)
class Sight:
    """What the watch has seen.

    :param found: the coverage of the days that Microsoft still has.
    :param concerns: what somebody must hear of, told already or not.
    :param told: what was mailed now.
    """

    found: Coverage
    concerns: Sequence[Concern]
    told: Sequence[Concern] = ()


def look(lake: Lake) -> Sight:
    """Return the lake's coverage, and what of it is of concern."""
    facts, now = read_facts(lake), lake.clock.now()
    days = lake.settings.retention_days
    yesterday = now.date() - ONE_DAY
    judged = read_told(lake.store).judged_until
    since = min(max(facts.collect_from, judged + ONE_DAY if judged else facts.collect_from), yesterday)
    shown = day_range(max(facts.collect_from, yesterday - timedelta(days=days - 1)), yesterday)
    manifests = read_manifests(lake, sorted({*shown, *day_range(since, yesterday)}))
    found = coverage(now, manifests, facts, days=days, requests_per_10_seconds=lake.settings.requests_per_10_seconds)
    lost = lost_days(now, manifests, replace(facts, collect_from=since))
    return Sight(found, concerns(found, lost, named_retention(lake)))


def watch(lake: Lake, get_connection: GetConnection, kinds: Collection[Kind] = tuple(Kind)) -> Sight:
    """Look, and mail what nobody was told of: one mail for each kind of concern.

    :param kinds: only these kinds.
    """
    sight, now = look(lake), lake.clock.now()
    told: list[Concern] = []
    for letter, items in _letters(claim(lake.store, (c for c in sight.concerns if c.kind in kinds), now), sight, lake):
        if post(letter, lake.settings, now, get_connection):
            told.extend(items)
        else:
            withdraw(lake.store, items)
    open_ones = {item.key for item in sight.concerns if item.kind is Kind.LOST} - set(read_told(lake.store).told)
    if not open_ones:
        # From here on only younger days can be lost: those whose retention ends after this look.
        judge(lake.store, now.date() - timedelta(days=lake.settings.retention_days + 1))
    for item in sight.concerns:
        log.warning("%s: %s", item.kind, item.words)
    return Sight(sight.found, sight.concerns, told)


def blind_letter(settings: LakeSettings, words: str, now: datetime) -> Letter:
    """Return the mail that says that the watch cannot look at the lake at all."""
    facts = {
        "title": f"The watch cannot look at lake {settings.name}",
        "items": [words],
        "sentence": "Nothing is known of its days until it can.",
        "todo": ["Do what the message says; then run: python -m entra_lake watch --lake " + settings.name],
        "lake": settings.name,
        **always(),
    }
    subject = f"BLIND lake {settings.name} · the watch cannot look"
    return write_letter("watch", subject, facts, thread=f"watch {settings.name}", occasion=f"blind {now.isoformat()}")


def _letters(items: Sequence[Concern], sight: Sight, lake: Lake) -> Iterator[tuple[Letter, list[Concern]]]:
    for kind, group in groupby(items, key=lambda item: item.kind):
        mine = list(group)
        yield _letter(kind, mine, sight.found, lake), mine


def _letter(kind: Kind, items: Sequence[Concern], found: Coverage, lake: Lake) -> Letter:
    name, suffix = lake.settings.name, lake.settings.dag_suffix
    names = {"lake": name, "reconcile": f"entra_reconcile{suffix}", "option": f" --lake {name}" if suffix else ""}
    what = items[0].words if len(items) == 1 else f"{_named(items)}: the first is {items[0].words}"
    facts = {
        "title": f"{_named(items)}: {kind}",
        "items": [item.words for item in items],
        "sentence": sentence(found),
        "todo": [step.format(**names) for step in TO_DO[kind]],
        "lake": name,
        **always(),
    }
    return write_letter(
        "watch",
        f"{kind.upper()} {what}",
        facts,
        thread=f"watch {name}",
        occasion=f"{kind} {name} {found.now.isoformat()} {items[0].key}",
    )


def _named(items: Sequence[Concern]) -> str:
    days = {item.day for item in items if item.day}
    streams = sorted({item.stream for item in items})
    number = f"{len(days)} day{'s' if len(days) > 1 else ''} of " if days else ""
    return f"{number}{', '.join(streams)}"
