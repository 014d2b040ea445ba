"""A short soak on every run of the tests, and proof that it notices a library that loses or doubles records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from entra_lake import build, listing
from entra_lake.layout import pass_start
from entra_lake.pages import Page
from entra_lake.resolve import Rows, Wanderers
from entra_lake.versions import Version
from entra_lake.windows import Records
from soak.experiment import soak
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
        places = [*range(len(rows.ids))] * 2
        seen = [pass_start(passes[number]) for number in rows.records.passes]
        copies = [Version(rows.hashes[at], 9, False, seen[at], seen[at]) for at in range(len(rows.ids))]  # noqa: FBT003
        return replace(
            rows,
            records=rows.records.take(np.array(places, dtype=np.int64)),
            ids=[rows.ids[at] for at in places],
            hashes=[rows.hashes[at] for at in places],
            versions=[*rows.versions, *copies],
        )

    monkeypatch.setattr(build, "resolve", twice)
    report = soak(SHORTEST, tmp_path)
    assert report.doubled > 0
    assert not report.is_right
