"""What a soak says at its end."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from soak.audit import Verdict
from soak.faults import ALL_GROUPS
from soak.ledger import Key
from soak.life import Life
from soak.options import Options

_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Report:
    """The sums of a soak, and what is wrong.

    :param injected: class of faults to how often it struck.
    :param views: days whose view was compared with what a clean reading saw.
    :param wrong: each day that is not right.
    """

    days: int
    seed: int
    arguments: str
    seconds: float
    runs: int
    failed_runs: int
    passes: int
    requests: int
    throttled: int
    records: int
    versions: int
    days_held: int
    views: int
    lost: int
    doubled: int
    invented: int
    misshown: int
    miscounted: int
    unpaid: int
    aged_out: int
    outage_hours: list[int]
    injected: dict[str, int]
    errors: dict[str, int]
    unnamed: set[tuple[str, date]] = field(default_factory=set)
    wrong: dict[Key, Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, life: Life, options: Options, seconds: float) -> Report:
        """Add up."""
        verdicts, tally = life.auditor.verdicts, life.shop.tally
        every = list(verdicts.values())
        wrong = {key: item for key, item in verdicts.items() if not (item.is_right or _is_allowed(item, life))}
        named, found = life.aged_out
        return cls(
            days=options.days,
            seed=options.seed,
            arguments=options.arguments,
            seconds=seconds,
            runs=tally.runs,
            failed_runs=tally.failed,
            passes=tally.passes,
            requests=tally.requests,
            throttled=tally.throttled,
            records=sum(item.records for item in every),
            versions=sum(item.versions for item in every),
            days_held=sum(item.versions > 0 for item in every),
            views=sum(item.misshown is not None for item in every),
            lost=sum(len(item.lost) for item in every if not _is_allowed(item, life)),
            doubled=sum(item.doubled for item in every),
            invented=sum(len(item.invented) for item in every),
            misshown=sum(len(item.misshown or ()) for item in every),
            miscounted=sum(item.miscounted for item in every),
            unpaid=len(life.unpaid),
            aged_out=len(found),
            outage_hours=[int(gap.total_seconds() // 3600) for gap in life.outages],
            injected={name: number for name, number in sorted(life.mischief.injected.items()) if number},
            errors=dict(sorted(tally.errors.items())),
            unnamed=set(named) ^ set(found),
            wrong=wrong,
        )

    @property
    def is_right(self) -> bool:
        """Tell whether the promise was kept."""
        wrong = self.lost + self.doubled + self.invented + self.misshown + self.miscounted + self.unpaid
        return not wrong and not self.unnamed

    def facts(self) -> dict[str, Any]:
        """Return the sums as JSON takes them."""
        return {name: value for name, value in asdict(self).items() if name not in {"unnamed", "wrong"}}

    def text(self) -> str:
        """Return the report for people."""
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        outages = ", ".join(f"{hours} h" for hours in self.outage_hours) or "none"
        lines = [
            f"SIMULATED: {self.days} days of a tenant, seed {self.seed}, in {self.seconds:.0f} s",
            f"  runs {self.runs} ({self.failed_runs} did not end), complete passes {self.passes}",
            f"  requests to Graph {self.requests} ({self.throttled} answered 429)",
            f"  records {self.records}, versions {self.versions}, days of all streams {self.days_held}",
            f"  views compared {self.views}",
            f"  outages: {outages}",
            f"  faults injected: {sum(self.injected.values())} of {len(self.injected)} classes",
        ]
        for group, names in ALL_GROUPS.items():
            struck = {name: self.injected[name] for name in names if name in self.injected}
            text = f"{group} {sum(struck.values())}: {_counts(struck)}"
            lines += textwrap.wrap(text, 116, initial_indent="    ", subsequent_indent="      ")
        lines.append(f"  errors that tasks ended with: {_counts(self.errors)}")
        if self.aged_out:
            lines.append(f"  days that aged out unread, all of them listed as lost: {self.aged_out}")
        named = list(self.wrong.items())[:_MOST_NAMED]
        lines += [f"  WRONG {key[0].name} {key[1]}: {_describe(item)}" for key, item in named]
        lines += [f"  WRONG {name} {day}: listed as lost or not, differently" for name, day in sorted(self.unnamed)]
        lines.append(
            f"  lost {self.lost}, doubled {self.doubled}, invented {self.invented}, "
            f"shown wrongly {self.misshown}, miscounted {self.miscounted}, readings not made {self.unpaid}"
        )
        return [*lines, f"  again: python -m soak {self.arguments}"]


def _is_allowed(item: Verdict, life: Life) -> bool:
    """Tell whether a day was lost because the soak was asked to lose it."""
    return item.aged_out and life.allow_loss


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or "none"


def _describe(item: Verdict) -> str:
    facts = {
        "lost": len(item.lost),
        "doubled": item.doubled,
        "invented": len(item.invented),
        "shown wrongly": len(item.misshown or ()),
        "miscounted": item.miscounted,
        "aged out": item.aged_out,
    }
    return ", ".join(f"{name} {number}" for name, number in facts.items() if number)
