"""Tell of findings: at once of what is news, and in one baseline of what a fill or a new rule has brought up.

News is what a rule that is at home has found on one of the last days. Everything else is old: it waits until the lake
is filled and quiet, and goes out in one mail, however many runs have found it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from entra_lake.digest_letter import baseline_letter, digest_letter
from entra_lake.due import readable_days
from entra_lake.examinations import Examination, Noted, change_examination, read_examinations
from entra_lake.examine import read_held_for, recent_days
from entra_lake.findings import Finding, from_parquet
from entra_lake.holdings import find_facts
from entra_lake.lake import GetConnection, Lake
from entra_lake.lake_facts import LakeFacts, expires_at, first_due_at
from entra_lake.layout import findings_key
from entra_lake.mail import Letter
from entra_lake.mutes import read_mutes
from entra_lake.posting import post
from entra_lake.readiness import Held, owed
from entra_lake.rules import Rules, read_rules
from entra_lake.settings import LakeSettings
from entra_lake.slices import iso
from entra_lake.turn import Known, Ledger, Turn, read_ledger, turn

log = logging.getLogger(__name__)

#: A finding on a day of this age, in days, or younger is news: readings at age 1 and 2 bring it.
NEWS_AGE = 2
#: Old findings wait until nothing was found for so long: the next day of a backfill may bring more.
QUIET = timedelta(minutes=15)
#: They wait no longer than this for a fill to end; the first fill of a lake may take longer.
PATIENCE = timedelta(hours=6)
FIRST_PATIENCE = timedelta(hours=24)

#: A fill has ended when all days are there but those that Microsoft deletes within this time.
NOT_WAITED_FOR = timedelta(hours=48)

#: A finding's day and its key.
Name = tuple[date, str]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one run has told.

    :param news: findings in its digest.
    :param baseline: findings in its baseline.
    :param waiting: findings that wait for the baseline.
    :param is_sent: False when a mail could not be sent; what it said goes out with the next.
    """

    news: int = 0
    baseline: int = 0
    muted: int = 0
    waiting: int = 0
    is_sent: bool = True

    def line(self) -> str:
        """Return it in a line."""
        failed = "" if self.is_sent else "; the mail could not be sent, the next run tries again"
        return (
            f"mailed: {self.news} new findings, {self.baseline} in a baseline; "
            f"{self.muted} muted, {self.waiting} wait for the baseline{failed}"
        )


@dataclass(kw_only=True)
class _Scene:
    """What one run sees in its turn."""

    lake: Lake
    facts: LakeFacts
    rules: Rules
    held: Held
    examined: Mapping[date, Examination]
    now: datetime
    news: dict[Name, Noted] = field(default_factory=dict)
    old: dict[Name, Noted] = field(default_factory=dict)

    def owed_rules(self) -> set[str]:
        """Return the rules that have not caught up with the lake."""
        return {
            rule.id
            for day, done in self.examined.items()
            for rule, _ in owed(self.rules.detections, day, self.held, done, self.lake.settings.detections)
        }

    def is_filling(self) -> bool:
        """Tell whether a day that is due was never verified; one that is about to age out is not waited for."""
        return any(
            (stream, day) not in self.held.objects
            for stream in self.facts.streams
            for day in self.examined.keys() & readable_days(self.now, self.facts.of(stream))
            if first_due_at(day) <= self.now < expires_at(day, self.facts.of(stream)) - NOT_WAITED_FOR
        )


def tell(lake: Lake, get_connection: GetConnection, *, base_url: str = "", settle: bool = False) -> Told:
    """Mail what nobody was told of: one digest of what is news, and, when its time has come, one baseline of the rest.

    :param base_url: of Airflow's web UI, for links.
    :param settle: take the fill for ended: whoever asked for days has got them all.
    :raises ConflictError: when other runs do not come to an end with theirs.
    """
    facts = find_facts(lake)
    if facts is None or lake.to_dir:
        return Told()
    rules = read_rules(lake.settings)
    if not _is_worth_a_turn(lake, rules):
        return Told()
    with turn(lake.store, lake.clock) as mine:
        told = _tell(_look(lake, facts, rules, mine.ledger), mine, get_connection, base_url, settle=settle)
    log.info(told.line())
    return told


def _is_worth_a_turn(lake: Lake, rules: Rules) -> bool:
    """Tell whether there is anything to say or to note; most runs have nothing."""
    ledger, _ = read_ledger(lake.store)
    if not all(ledger.is_home(rule.id) for rule in rules.detections):
        return True
    return any(done.untold() for done in read_examinations(lake.store, recent_days(lake)).values())


def _look(lake: Lake, facts: LakeFacts, rules: Rules, ledger: Ledger) -> _Scene:
    days = recent_days(lake)
    scene = _Scene(
        lake=lake,
        facts=facts,
        rules=rules,
        held=read_held_for(lake, rules, days),
        examined=read_examinations(lake.store, days),
        now=lake.clock.now(),
    )
    first_of_news = scene.now.date() - timedelta(days=NEWS_AGE)
    for day, done in scene.examined.items():
        for key, item in done.untold().items():
            is_news = day >= first_of_news and ledger.is_home(item.rule)
            (scene.news if is_news else scene.old)[day, key] = item
    return scene


def _tell(scene: _Scene, mine: Turn, get_connection: GetConnection, base_url: str, *, settle: bool) -> Told:
    """Mail what is to be mailed now, note it, and note which rules are at home."""
    behind = set() if settle else scene.owed_rules()
    is_filling = bool(behind) or (not settle and scene.is_filling())
    is_time = bool(scene.old) and (settle or _is_time(scene, mine.ledger, is_filling=is_filling))
    chosen = [*scene.news, *(scene.old if is_time else ())]
    found = _find(scene.lake, chosen)
    mutes = read_mutes(scene.lake.store)
    silent = {name for name in chosen if name not in found or mutes.of(found[name], scene.now)}
    _note(scene.lake, silent, "muted", scene.now)
    heard = {name: item for name, item in found.items() if name not in silent}
    news = {name: item for name, item in heard.items() if name in scene.news}
    old = {name: item for name, item in heard.items() if name in scene.old}
    sent = [
        _send(scene, "digest", digest_letter, news, get_connection, base_url),
        _send(scene, "baseline", baseline_letter, old, get_connection, base_url),
    ]
    waiting = {item.rule for item in scene.old.values()} if not is_time or not sent[1] else set()
    mine.ledger = replace(mine.ledger, rules=_settled(scene, mine.ledger, behind | waiting, is_filling=is_filling))
    return Told(
        news=len(news) * sent[0],
        baseline=len(old) * sent[1],
        muted=len(silent),
        waiting=0 if is_time else len(scene.old),
        is_sent=all(sent),
    )


def _is_time(scene: _Scene, ledger: Ledger, *, is_filling: bool) -> bool:
    """Tell whether old findings go out now."""
    found_at = [datetime.fromisoformat(item.at) for item in scene.old.values()]
    if scene.now - min(found_at) >= _patience(ledger):
        return True
    return not is_filling and (not ledger.has_home or scene.now - max(found_at) >= QUIET)


def _patience(ledger: Ledger) -> timedelta:
    return PATIENCE if ledger.has_home else FIRST_PATIENCE


def _settled(scene: _Scene, ledger: Ledger, behind: Collection[str], *, is_filling: bool) -> dict[str, Known]:
    """Return the rules that the lake knows, and which of them are at home now.

    :param behind: rules that have not caught up, or whose old findings nobody was told of.
    """
    known: dict[str, Known] = {}
    for rule in scene.rules.detections:
        item = ledger.rules.get(rule.id) or Known(since=iso(scene.now))
        has_waited = scene.now - datetime.fromisoformat(item.since) >= _patience(ledger)
        is_home = item.home or (rule.id not in behind and not is_filling) or has_waited
        known[rule.id] = replace(item, home=is_home)
    return {**ledger.rules, **known}


def _send(  # noqa: PLR0913, PLR0917 - what a mail is made of
    scene: _Scene,
    how: str,
    write: Callable[[Sequence[tuple[date, Finding]], Rules, LakeSettings, str], Letter],
    heard: Mapping[Name, Finding],
    get_connection: GetConnection,
    base_url: str,
) -> bool:
    """Mail these findings and note that; tell whether nothing is left to be mailed."""
    if not heard:
        return True
    letter = write([(day, item) for (day, _), item in heard.items()], scene.rules, scene.lake.settings, base_url)
    if not post(letter, scene.lake.settings, scene.now, get_connection):
        return False
    _note(scene.lake, heard, how, scene.now)
    return True


def _find(lake: Lake, names: Collection[Name]) -> dict[Name, Finding]:
    """Return the findings of these names; one that was erased is left out."""
    rules: dict[date, set[str]] = {}
    examined = read_examinations(lake.store, {day for day, _ in names})
    for day, key in names:
        rules.setdefault(day, set()).add(examined[day].findings[key].rule)
    found: dict[Name, Finding] = {}
    for day, rule in sorted((day, rule) for day, held in rules.items() for rule in held):
        stored = lake.store.read(findings_key(rule, day))
        for item in from_parquet(stored[0], findings_key(rule, day)) if stored else ():
            found[day, item.key(day)] = item
    return {name: found[name] for name in names if name in found}


def _note(lake: Lake, names: Iterable[Name], how: str, now: datetime) -> None:
    """Note in the days' documents that somebody was told of these findings."""
    keys: dict[date, set[str]] = {}
    for day, key in names:
        keys.setdefault(day, set()).add(key)
    for day, mine in keys.items():
        change_examination(lake.store, day, lambda old, mine=mine: old.with_told(mine, now, how))  # type: ignore[misc]
