"""A short soak on every run of the tests, and proof that it notices a library that loses or doubles records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from entra_lake import build, due, listing
from entra_lake.due import Debt
from entra_lake.lake_facts import LakeFacts
from entra_lake.layout import pass_start
from entra_lake.manifest import Manifest
from entra_lake.pages import Page
from entra_lake.resolve import Rows, Wanderers
from entra_lake.versions import Version
from entra_lake.windows import Records
from soak import comparison
from soak.document import DOCUMENT, WRONG, fault_table, put, read_results, soak_table
from soak.experiment import soak
from soak.faults import ALL_GROUPS
from soak.options import Options

pytestmark = pytest.mark.slow

#: A tenant whose logs Microsoft keeps for a week: more readings, and more trouble, in fewer days.
SHORT = Options(days=5, sign_ins_per_day=15, retention_days=7)
#: Enough to see that something is wrong.
SHORTEST = Options(days=1, sign_ins_per_day=15, retention_days=3)
Take = Callable[[listing.Listing, Page], None]


@pytest.mark.parametrize("seed", [11])
def test_a_week_of_trouble_loses_nothing(seed: int, tmp_path: Path) -> None:
    """Five days with faults of all kinds: nothing is lost, nothing doubled, and the views are the tenant's truth."""
    report = soak(replace(SHORT, seed=seed), tmp_path)
    assert report.is_right, report.text()
    assert report.records > 150, report.text()
    assert sum(report.injected.values()) > 20, report.text()
    assert report.views > 20, report.text()


def test_a_lost_record_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that forgets the last record of each page does not pass."""
    take: Take = listing.Listing.take

    def forget_the_last(self: listing.Listing, page: Page) -> None:
        take(self, replace(page, records=page.records[:-1]))

    monkeypatch.setattr(listing.Listing, "take", forget_the_last)
    report = soak(SHORTEST, tmp_path)
    assert report.lost > 0
    assert not report.is_right


def test_a_doubled_record_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that writes each row twice, and counts both, does not pass."""
    right = build.resolve

    def twice(records: Records, passes: Sequence[str], wanderers: Wanderers) -> Rows:
        rows = right(records, passes, wanderers)
        count = len(rows.records)
        doubled = rows.records.take(np.array([*range(count)] * 2, dtype=np.int64))
        seen = [pass_start(passes[number]) for number in rows.records.passes]
        hashes = doubled.sha256_of(range(count))
        copies = {
            count + at: Version(hashes[at], 9, False, seen[at], seen[at])  # noqa: FBT003
            for at in range(count)
        }
        return replace(
            rows,
            records=doubled,
            versions={**rows.versions, **copies},
        )

    monkeypatch.setattr(build, "resolve", twice)
    report = soak(SHORTEST, tmp_path)
    assert report.doubled > 0
    assert not report.is_right


def test_an_old_content_in_the_view_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that goes on showing the first content of a record that has changed does not pass."""
    right = build.resolve

    def first(records: Records, passes: Sequence[str], wanderers: Wanderers) -> Rows:
        rows = right(records, passes, wanderers)
        old = {row: replace(item, is_latest=item.number == 1) for row, item in rows.versions.items()}
        return replace(rows, versions=old)

    monkeypatch.setattr(build, "resolve", first)
    report = soak(SHORTEST, tmp_path)
    assert report.misshown > 0
    assert not report.is_right


def test_a_reading_that_nobody_makes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that reads each day once, and calls nothing due after that, does not pass."""
    right = due.owed

    def once(manifest: Manifest | None, now: datetime, lake: LakeFacts, day: date) -> Debt | None:
        return right(manifest, now, lake, day) if manifest is None else None

    monkeypatch.setattr(due, "owed", once)
    report = soak(SHORTEST, tmp_path)
    assert report.unpaid > 0
    assert not report.is_right


def test_schemes_are_told_apart(tmp_path: Path) -> None:
    """Reading a day once loses what comes late; this lake's scheme loses nothing, even beside an outage."""
    options = comparison.Options(days=4, sign_ins_per_day=150, retention_days=8, outage_days=3)
    losses = comparison.compare(options, tmp_path)
    once, *_, ours = losses.values()
    assert [loss.lost for loss in ours] == [0, 0, 0, 0]
    assert all(loss.lost for loss in once)
    assert f"| {ours[0].listings / 12:.1f} |" in comparison.block_of(losses, options)


def test_the_document_says_what_soaks_have_found() -> None:
    """The tables are those of the recorded soaks; none found anything wrong, and each class of faults struck."""
    text, results = DOCUMENT.read_text(), read_results()
    assert put(put(text, "soaks", soak_table(results)), "faults", fault_table(results)) == text
    assert max(item["days"] for item in results) >= 60
    assert not [item["command"] for item in results if any(item[name] for name in WRONG)]
    assert not [
        name
        for names in ALL_GROUPS.values()
        for name in names
        if not any(item["injected"].get(name) for item in results)
    ]
