"""Run the rules for days of a lake, and keep what they find."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from entra_lake.athena import Answer, Athena
from entra_lake.detections import Detection
from entra_lake.errors import (
    AthenaUnavailableError,
    ConflictError,
    DetectionFailedError,
    EntraLakeError,
    RetryableError,
)
from entra_lake.examinations import Examination, Noted, Ran, change_examination, read_examination, read_examinations
from entra_lake.extract import read_manifest
from entra_lake.findings import Finding, from_parquet, merge, parse_findings, to_parquet
from entra_lake.findings_table import register_findings, shape_findings
from entra_lake.lake import Lake
from entra_lake.layout import findings_key
from entra_lake.readiness import Held, owed, read_held
from entra_lake.rewriting import rewrite
from entra_lake.rules import Rules, read_rules
from entra_lake.settings import DetectionSettings
from entra_lake.slices import iso
from entra_lake.streams import get_stream

log = logging.getLogger(__name__)

#: Questions that are asked at one time; a workgroup has a quota for all who ask.
AT_ONCE = 4
#: A run looks back so many days at most, where Microsoft keeps more.
LONGEST_SIGHT = 62
#: One run examines so long; the next goes on.
LONGEST_SECONDS = 1500.0
_MOST_NAMED = 10
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A rule that could not be run for a day."""

    rule: str
    day: date
    error: EntraLakeError


@dataclass(kw_only=True)
class Examined:
    """What one run has done.

    :param ran: rules that ran, each counted for each of its days.
    :param new: findings that no earlier run knew.
    :param troubles: files and settings that cannot be used; named by runs that had something to do.
    :param left: whether time ran out before all was done.
    :param is_clean: whether no rule stands failed for these days, in this run or in one before.
    """

    ran: int = 0
    new: int = 0
    bytes_scanned: int = 0
    failed: list[Failed] = field(default_factory=list)
    troubles: Sequence[str] = ()
    left: bool = False
    is_clean: bool = True

    def line(self) -> str:
        """Return what was done, in a line."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        rest = ", the rest is left for the next run" if self.left else ""
        return f"rules run: {self.ran}{failed}; new findings: {self.new}; scanned: {self.bytes_scanned:,} bytes{rest}"

    def error(self) -> EntraLakeError | None:
        """Return the error that names what could not be run; None when all was.

        It is one that passes only when nothing else was wrong.
        """
        if not self.failed and not self.troubles:
            return None
        named = [
            f"{rule} ({', '.join(str(item.day) for item in items)}): {items[0].error.message}"
            for rule, items in ((rule, list(group)) for rule, group in groupby(self._by_rule(), key=lambda i: i.rule))
        ]
        every = [*self.troubles, *named]
        more = f" And {len(every) - _MOST_NAMED} more." if len(every) > _MOST_NAMED else ""
        message = f"{len(every)} could not be run, all others were. {' '.join(every[:_MOST_NAMED])}{more}"
        will_pass = not self.troubles and all(isinstance(item.error, RetryableError) for item in self.failed)
        return AthenaUnavailableError(message) if will_pass else DetectionFailedError(message)

    def _by_rule(self) -> list[Failed]:
        return sorted(self.failed, key=lambda item: (item.rule, item.day))


def examine(lake: Lake, days: Iterable[date], *, longest_seconds: float = LONGEST_SECONDS) -> Examined:
    """Run all rules that may speak of these days and have not yet, the newest day first.

    A rule that fails stops no other. What they find is stored before it is noted that they ran, so that a run
    that is killed changes nothing.
    """
    done = Examined()
    wanted = sorted(set(days), reverse=True)
    if not wanted or lake.to_dir:
        return done
    rules = read_rules(lake.settings)
    held = read_held_for(lake, rules, wanted)
    examinations = read_examinations(lake.store, wanted)
    began, is_shaped = lake.clock.monotonic(), False
    for day in wanted:
        ready = owed(rules.detections, day, held, examinations[day], lake.settings.detections)
        ready = [item for item in ready if _is_verified(lake, item[0].streams, day, held)] if ready else []
        if not ready:
            continue
        if lake.clock.monotonic() - began > longest_seconds:
            done.left = True
            break
        if not is_shaped:
            shape_findings(lake)
            is_shaped, done.troubles = True, rules.troubles
        _examine_day(lake, day, ready, done)
        examinations[day] = read_examination(lake.store, day)
    names = {rule.id for rule in rules.detections}
    standing = [name for item in examinations.values() for name, ran in item.rules.items() if ran.code]
    done.is_clean = not rules.troubles and names.isdisjoint(standing)
    log.info(done.line())
    return done


def recent_days(lake: Lake) -> list[date]:
    """Return the days that runs look at, the newest first: today, and those that Microsoft still has."""
    today, longest = lake.clock.now().date(), min(lake.settings.retention_days + 1, LONGEST_SIGHT)
    return [today - timedelta(days=age) for age in range(longest + 1)]


def read_held_for(lake: Lake, rules: Rules, days: Sequence[date]) -> Held:
    """Return what the lake holds of these days, and of those that its rules read before them."""
    back = max((max(rule.look_back, rule.needs_history) for rule in rules.detections), default=0)
    return read_held(lake, min(days) - timedelta(days=back), max(days))


def _is_verified(lake: Lake, streams: Iterable[str], day: date, held: Held) -> bool:
    """Tell whether the objects are those that the manifests acknowledge: a run may have loaded and not yet verified."""
    for name in streams:
        manifest = read_manifest(lake, get_stream(name), day)
        if manifest is None or manifest[0].object.get("etag") != held.objects.get((name, day)):
            return False
    return True


def _examine_day(lake: Lake, day: date, ready: Sequence[tuple[Detection, str]], done: Examined) -> None:
    """Run these rules for the day; each with the hash of its inputs."""
    athena = lake.athena  # made once, before threads ask for it
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda item: _ask(athena, item[0], day, lake.settings.detections), ready))
    ran, noted = dict[str, Ran](), dict[str, Noted]()
    for (rule, inputs), answer in zip(ready, answers, strict=True):
        try:
            facts, known = _take(lake, rule, day, answer)
        except EntraLakeError as error:
            log.error("%s %s: %s", rule.id, day, error)  # noqa: TRY400 - the message says all
            done.failed.append(Failed(rule=rule.id, day=day, error=error))
            facts, known = {"code": error.code, "message": error.message[:_LONGEST_MESSAGE]}, []
        ran[rule.id] = Ran(at=iso(lake.clock.now()), inputs=inputs, **facts)
        noted |= {item.key(day): Noted(rule=rule.id, at=iso(item.first_found_at)) for item in known}
    if noted:
        register_findings(lake, day)
    done.new += _note(lake, day, ran, noted)
    done.ran += sum(not item.code for item in ran.values())
    done.bytes_scanned += sum(item.bytes_scanned for item in ran.values())


def _take(
    lake: Lake, rule: Detection, day: date, answer: Answer | EntraLakeError
) -> tuple[dict[str, Any], list[Finding]]:
    """Keep what an answer says; return what is noted of the run, and all findings of the rule and day."""
    if isinstance(answer, EntraLakeError):
        raise answer
    known = _keep(lake, rule, day, parse_findings(answer, rule, lake.tenant_id, lake.clock.now()))
    return {"found": len(known), "bytes_scanned": answer.bytes_scanned, "query_id": answer.query_id}, known


def _note(lake: Lake, day: date, ran: Mapping[str, Ran], noted: Mapping[str, Noted]) -> int:
    """Note what has run; return how many findings nobody knew of."""
    new: list[int] = []

    def add(old: Examination) -> Examination:
        new[:] = [len(noted.keys() - old.findings.keys())]
        return old.with_rules(ran, noted)

    change_examination(lake.store, day, add)
    return new[0]


def _ask(athena: Athena, rule: Detection, day: date, settings: DetectionSettings) -> Answer | EntraLakeError:
    try:
        return athena.run(rule.render(day, settings))
    except EntraLakeError as error:
        return error


def _keep(lake: Lake, rule: Detection, day: date, found: Sequence[Finding]) -> list[Finding]:
    """Store what was found with what is known already; return both.

    :raises ConflictError: when others kept being first.
    """
    key, merged = findings_key(rule.id, day), list[Finding]()

    def rewritten(content: bytes | None) -> bytes | None:
        merged[:] = merge([] if content is None else from_parquet(content, lake.store.url(key)), found)
        return to_parquet(merged) if found else None

    if not rewrite(lake.store, key, rewritten):
        message = f"{lake.store.url(key)} was written by others each time. Trying again later."
        raise ConflictError(message)
    return merged
