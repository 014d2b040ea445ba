"""What a pass did: a report per slice, and the pass as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from entra_lake.changes import add_up
from entra_lake.slices import Slice, iso


@dataclass(frozen=True, kw_only=True)
class SliceReport:
    """One slice, listed to its end.

    :param listed: records that the pages held, doubles included.
    :param ids: different ids among them.
    :param new: records written because their id was unknown.
    :param changed: records written because their content differs from the latest known.
    :param missing: known ids whose event lies in the slice and which the listing did not hold.
    :param outside: records that Graph served although their event lies on another day.
    :param erased: records that Graph served and that were left out, because they were erased from the lake.
    :param lateness: of the new records: upper bounds in hours to how many were seen that long after their events.
    :param changed_fields: of the changed records: path to how many differ there; see `changes`.
    :param parts: keys of the raw parts written.
    :param failed: why the slice could not be had, where Graph cannot serve it whole; else empty.
    """

    start: str
    end: str
    pages: int = 0
    listed: int = 0
    ids: int = 0
    new: int = 0
    changed: int = 0
    missing: int = 0
    outside: int = 0
    erased: int = 0
    bytes_received: int = 0
    waited_seconds: float = 0.0
    first_request_id: str = ""
    last_request_id: str = ""
    lateness: Mapping[str, int] = field(default_factory=dict)
    changed_fields: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    failed: str = ""

    @property
    def window(self) -> Slice:
        """Return the slice that was listed."""
        return Slice(datetime.fromisoformat(self.start), datetime.fromisoformat(self.end))


#: Counts of a slice that add up over a pass.
COUNTS = (
    "pages",
    "listed",
    "ids",
    "new",
    "changed",
    "missing",
    "outside",
    "erased",
    "bytes_received",
    "waited_seconds",
)


@dataclass(frozen=True, kw_only=True)
class PassReport:
    """One pass over a day.

    :param pass_id: see `layout.pass_id`.
    :param start: first moment that the pass asks for; `end` the moment behind the last.
    :param finished_at: when the last slice was done; None while slices are missing.
    """

    pass_id: str
    run_id: str
    started_at: str
    start: str
    end: str
    finished_at: str | None = None
    slices: tuple[SliceReport, ...] = field(default_factory=tuple)

    @property
    def window(self) -> Slice:
        """Return what the pass asks for: the day, or the part of it that is over."""
        return Slice(datetime.fromisoformat(self.start), datetime.fromisoformat(self.end))

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the keys of all raw parts that the pass wrote."""
        return tuple(key for report in self.slices for key in report.parts)

    def total(self, count: str) -> float:
        """Return one of `COUNTS`, added up over the slices."""
        total: float = sum(getattr(report, count) for report in self.slices)
        return total

    def to_bytes(self) -> bytes:
        """Return the report as JSON."""
        return to_json(asdict(self))

    @classmethod
    def from_bytes(cls, content: bytes) -> PassReport:
        """Read a report from its JSON."""
        facts = _known(cls, json.loads(content))
        slices = tuple(slice_report(item) for item in facts.pop("slices", ()))
        return cls(**facts, slices=slices)


def slice_report(facts: dict[str, Any]) -> SliceReport:
    """Return the report that these facts, read from JSON, describe."""
    known = _known(SliceReport, facts)
    return SliceReport(**{**known, "parts": tuple(known.get("parts", ()))})


def missing_slices(window: Slice, done: Iterable[Slice]) -> list[Slice]:
    """Return the parts of the window that no finished slice covers, in order."""
    gaps, reached = [], window.start
    for piece in sorted(done):
        if piece.start > reached:
            gaps.append(Slice(reached, piece.start))
        reached = max(reached, piece.end)
    if reached < window.end:
        gaps.append(Slice(reached, window.end))
    return gaps


def to_json(facts: dict[str, Any]) -> bytes:
    """Return canonical JSON: the same facts, the same bytes."""
    return json.dumps(facts, sort_keys=True, indent=1, ensure_ascii=False).encode()


def summarise(report: PassReport) -> dict[str, Any]:
    """Return what a manifest keeps of a pass: its counts, and its slices as times."""
    totals = {name: report.total(name) for name in COUNTS}
    return {
        "pass_id": report.pass_id,
        "run_id": report.run_id,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "start": report.start,
        "end": report.end,
        **totals,
        "lateness": add_up(piece.lateness for piece in report.slices),
        "changed_fields": add_up(piece.changed_fields for piece in report.slices),
        "slices": [_span(piece) for piece in report.slices],
        "request_ids": _ends(
            [key for piece in report.slices for key in (piece.first_request_id, piece.last_request_id)]
        ),
        "parts": len(report.parts),
        "failed": [{"slice": _span(piece), "reason": piece.failed} for piece in report.slices if piece.failed],
    }


def _span(report: SliceReport) -> str:
    return f"{iso(report.window.start)}/{iso(report.window.end)}"


def _ends(ids: Sequence[str]) -> list[str]:
    named = [key for key in ids if key]
    return [named[0], named[-1]] if named else []


def _known(kind: type, facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a newer version wrote and this one does not know."""
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in facts.items() if name in names}
