"""What `python -m entra_lake detect` does: try a rule on the last days of a lake."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from entra_lake.athena import Answer
from entra_lake.commands import open_chosen
from entra_lake.detections import Detection
from entra_lake.examine import AT_ONCE
from entra_lake.findings import Finding, parse_findings
from entra_lake.lake import Lake
from entra_lake.readiness import read_held, why_not
from entra_lake.redaction import without_hidden
from entra_lake.report import size_text, text_table
from entra_lake.rules import find_rule
from entra_lake.slices import ONE_DAY, day_range

_MOST_SHOWN = 20
_LONGEST_SUMMARY = 150


def detect_command(options: argparse.Namespace) -> int:
    """Run a rule for the last days, print what it finds; 0 also when it finds nothing.

    Nothing is stored and nobody is mailed.
    """
    lake = open_chosen(options)
    rule = find_rule(options.rule, lake.settings)
    last = lake.clock.now().date() - ONE_DAY
    days = day_range(last - ONE_DAY * (options.days - 1), last)
    held = read_held(lake, days[0] - ONE_DAY * max(rule.look_back, rule.needs_history), last)
    ready = [day for day in days if not why_not(rule, day, held)]
    answers = _ask(lake, rule, ready)
    found = [
        (day, item)
        for day, answer in zip(ready, answers, strict=True)
        for item in parse_findings(answer, rule, lake.tenant_id, lake.clock.now())
    ]
    print("\n".join(_told(rule, days, ready, found, sum(answer.bytes_scanned for answer in answers))))
    if skipped := [day for day in days if day not in ready]:
        print(f"Left out: {len(skipped)} days; the first: {why_not(rule, skipped[0], held)}.")
    return 0


def _ask(lake: Lake, rule: Detection, days: Sequence[date]) -> list[Answer]:
    athena = lake.athena
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda day: athena.run(rule.render(day, lake.settings.detections)), days))


def _told(
    rule: Detection, days: Sequence[date], ready: Sequence[date], found: Sequence[tuple[date, Finding]], scanned: int
) -> list[str]:
    hits = len({day for day, _ in found})
    number = f"{len(found)} findings on {hits} of {len(ready)} days"
    lines = [f"{rule.id} ({rule.severity}): {number}, {days[0]} to {days[-1]}; {size_text(scanned)} scanned."]
    if found:
        rows = [
            (
                str(day),
                without_hidden(item.user_principal_name or item.entity),
                without_hidden(item.ip_address or ""),
                f"{item.event_count:,}",
                without_hidden(item.summary)[:_LONGEST_SUMMARY],
            )
            for day, item in found[-_MOST_SHOWN:]
        ]
        lines += ["", text_table(("day", "about", "address", "events", "summary"), rows)]
    if len(found) > _MOST_SHOWN:
        lines.append(f"… the newest {_MOST_SHOWN} of {len(found)}.")
    return lines
