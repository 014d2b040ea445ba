"""What mails about findings say. All that a log holds may be an attacker's words: they are shown, and do nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from entra_lake.detections import SEVERITIES, Detection
from entra_lake.findings import Finding
from entra_lake.mail import Letter, write_letter
from entra_lake.posting import always
from entra_lake.redaction import without_hidden
from entra_lake.rules import Rules
from entra_lake.settings import LakeSettings

#: Findings that a mail shows; more are counted, and shown by the page.
MOST_SHOWN: Final = 25
MOST_OF_A_RULE: Final = 8
TOP: Final = 10
#: Where Airflow mounts the pages, below its own address.
PAGES: Final = "/entra-lake"
_LONGEST: Final = 300

Found = Sequence[tuple[date, Finding]]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One finding as a mail shows it: every text is one plain line."""

    day: date
    severity: str
    title: str
    who: str
    address: str
    when: str
    events: str
    summary: str
    url: str
    user_url: str
    address_url: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """What one rule has found."""

    title: str
    severity: str
    attack: str
    why: str
    what_to_do: tuple[str, ...]
    false_positives: tuple[str, ...]
    found: tuple[Shown, ...]
    number: int
    days: str

    @property
    def more(self) -> int:
        """Return how many the mail leaves out."""
        return self.number - len(self.found)


def digest_letter(found: Found, rules: Rules, settings: LakeSettings, base_url: str) -> Letter:
    """Return the mail about what is new: each finding with why it matters and what to do."""
    ordered = _ordered(found)
    groups = _groups(ordered, rules, _Links(settings, base_url), most=MOST_SHOWN)
    first = groups[0]
    about = " · ".join(filter(None, (first.found[0].who, first.found[0].address)))
    rest = f" and {_number(len(found) - 1, 'other')}" if len(found) > 1 else ""
    subject = f"{first.severity.upper()} {first.title}: {about}{rest} · {_days(ordered)}"
    return _letter("digest", subject, ordered, groups, settings, base_url)


def baseline_letter(found: Found, rules: Rules, settings: LakeSettings, base_url: str) -> Letter:
    """Return the one mail about what a fill, a re-reading or a new rule has brought up: counts, and the top of them."""
    ordered = _ordered(found)
    links = _Links(settings, base_url)
    groups = _groups(ordered, rules, links, most=0)
    counts = Counter(item.severity for _, item in ordered)
    parts = [f"{counts[severity]} {severity}" for severity in reversed(SEVERITIES) if counts[severity]]
    subject = f"BASELINE {_number(len(found), 'finding')} · {', '.join(parts)} · {_days(ordered)}"
    top = [links.shown(day, item) for day, item in ordered[:TOP]]
    return _letter("baseline", subject, ordered, groups, settings, base_url, top=top)


def plain_line(text: object, longest: int = _LONGEST) -> str:
    """Return a text as one line of a mail: no character that is not seen, and no address that a reader would link."""
    line = " ".join(without_hidden(str(text or "")).split()).replace("://", "[:]//").replace("www.", "www[.]")
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _letter(  # noqa: PLR0913, PLR0917 - what both mails are made of
    name: str,
    subject: str,
    found: Found,
    groups: Sequence[Group],
    settings: LakeSettings,
    base_url: str,
    **facts: Any,  # noqa: ANN401
) -> Letter:
    keys = sorted(item.key(day) for day, item in found)
    facts |= {
        "number": _number(len(found), "finding"),
        "days": _days(found),
        "groups": groups,
        "more": len(found) - sum(len(group.found) for group in groups),
        "findings_url": _Links(settings, base_url).page("findings", first=_first(found), last=_last(found)),
        "lake": settings.name,
        **always(),
    }
    occasion = f"{name} {settings.name} {hashlib.sha256(' '.join(keys).encode()).hexdigest()}"
    return write_letter(name, subject, facts, thread=f"findings {settings.name}", occasion=occasion)


def _groups(found: Found, rules: Rules, links: _Links, *, most: int) -> list[Group]:
    """Return what each rule has found, the most urgent rule first."""
    by_rule: dict[str, list[tuple[date, Finding]]] = {}
    for day, item in found:
        by_rule.setdefault(item.rule, []).append((day, item))
    known = {rule.id: rule for rule in rules.detections}
    groups, left = list[Group](), most
    for name, mine in by_rule.items():
        taken = mine[: min(MOST_OF_A_RULE, left)]
        left -= len(taken)
        groups.append(_group(mine, known.get(name), tuple(links.shown(day, item) for day, item in taken)))
    return groups


def _group(mine: Found, rule: Detection | None, shown: tuple[Shown, ...]) -> Group:
    item = mine[0][1]
    return Group(
        title=plain_line(item.title),
        severity=item.severity,
        attack=", ".join(item.attack),
        why=rule.why if rule else "",
        what_to_do=rule.what_to_do if rule else (),
        false_positives=rule.false_positives if rule else (),
        found=shown,
        number=len(mine),
        days=_days(mine),
    )


class _Links:
    """Addresses of pages; empty where Airflow's own is not known."""

    def __init__(self, settings: LakeSettings, base_url: str) -> None:
        self._lake = settings.name
        self._base = base_url.rstrip("/")

    def page(self, name: str, **query: object) -> str:
        """Return the address of a page."""
        if not self._base:
            return ""
        given = {key: str(value) for key, value in {"lake": self._lake, **query}.items() if value}
        return f"{self._base}{PAGES}/{name}?{urlencode(given)}"

    def shown(self, day: date, item: Finding) -> Shown:
        """Return a finding as a mail shows it."""
        period = {"first": day, "last": day}
        finding = self.page("finding", day=day, key=item.key(day))
        return Shown(
            day=day,
            severity=item.severity,
            title=plain_line(item.title),
            who=plain_line(item.user_principal_name or _about(item)),
            address=plain_line(item.ip_address),
            when=_when(item),
            events=_number(item.event_count, "event"),
            summary=plain_line(item.summary, 2 * _LONGEST),
            url=finding,
            user_url=self.page("user", user=item.user_principal_name, **period) if item.user_principal_name else "",
            address_url=self.page("address", address=item.ip_address, **period) if item.ip_address else "",
        )


def _about(item: Finding) -> str:
    """Return what a finding without a user is about, unless its address says it already."""
    return "" if item.entity == item.ip_address else f"{item.entity_type.replace('_', ' ')} {item.entity}"


def _ordered(found: Found) -> list[tuple[date, Finding]]:
    """Return findings, the most urgent first, of each severity the newest first."""
    newest = sorted(found, key=lambda pair: (pair[0], str(pair[1].last_event_time)), reverse=True)
    return sorted(newest, key=lambda pair: pair[1].rank)


def _when(item: Finding) -> str:
    first, last = item.first_event_time, item.last_event_time
    if first is None or last is None:
        return ""
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M}" + (f"–{last:%H:%M}" if _minute(first) != _minute(last) else "") + " UTC"
    return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M} UTC"


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _first(found: Found) -> date:
    return min(day for day, _ in found)


def _last(found: Found) -> date:
    return max(day for day, _ in found)


def _days(found: Found) -> str:
    first, last = _first(found), _last(found)
    return str(first) if first == last else f"{first} to {last}"


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
