"""What is known of a day: the same answers however few of its rows are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entra_lake import known_rows
from entra_lake.identity import Identity
from entra_lake.known import Known, Standing
from entra_lake.known_rows import RowGroups

DAY_START = 1_764_115_200_000
GROUP_ROWS = 50


@dataclass(frozen=True)
class Row:
    """A row of an object."""

    id: str
    content: int
    is_latest: bool
    time: int | None

    def listed(self, content: int | None = None) -> Identity:
        """Return what a listing shows of the id."""
        shown = self.content if content is None else content
        return Identity(self.id, self.time, hashlib.sha256(f"{self.id} {shown}".encode()).hexdigest())


def made_rows(random: Random) -> list[Row]:
    """Return ids of up to three contents; those of one id may lie hours apart, in several row groups."""
    rows = []
    for number in range(400):
        contents, latest = range(random.choice((1, 1, 1, 2, 3))), random.random()
        for content in contents:
            time = None if random.random() < 0.02 else DAY_START + random.randrange(86_400_000)
            rows.append(Row(f"id-{number}", content, content == int(latest * len(contents)), time))
    return sorted(rows, key=lambda row: row.time or DAY_START)


@pytest.fixture(params=[1, 2, 3])
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return made_rows(Random(request.param))


@pytest.fixture(params=[1, known_rows.MOST_ROWS], ids=["one group in memory", "all"])
def file(
    request: pytest.FixtureRequest, rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pq.ParquetFile]:
    """Write the rows in groups; hold one group of them in memory, or all."""
    monkeypatch.setattr(known_rows, "MOST_ROWS", request.param)
    table = pa.table(
        {
            "id": [row.id for row in rows],
            "record_sha256": [row.listed().sha256 for row in rows],
            "is_latest": [row.is_latest for row in rows],
            "event_time": pa.array([row.time for row in rows], pa.timestamp("ms", "UTC")),
        }
    )
    pq.write_table(table, tmp_path / "day.parquet", row_group_size=GROUP_ROWS)
    with pq.ParquetFile(tmp_path / "day.parquet") as opened:
        yield opened


def test_each_content_has_its_standing(rows: list[Row], file: pq.ParquetFile) -> None:
    """Latest, older, another content of a known id, an unknown id: in whatever order a page holds them."""
    expected = {row.listed(): Standing.LATEST if row.is_latest else Standing.OLDER for row in rows}
    expected |= {row.listed(content=9): Standing.CHANGED for row in rows}
    expected |= {
        Row(f"new-{number}", 0, is_latest=True, time=DAY_START).listed(): Standing.NEW for number in range(100)
    }
    page = list(expected)
    Random(1).shuffle(page)
    assert dict(zip(page, Known(file, DAY_START).compare(page), strict=True)) == expected


def test_an_id_with_another_time_is_known(rows: list[Row], file: pq.ParquetFile) -> None:
    """A time that was corrected by hours makes another content, not another id; the old row is not missing."""
    known = Known(file, DAY_START)
    moved = [Identity(row.id, DAY_START + 86_399_999, hashlib.sha256(b"moved").hexdigest()) for row in rows]
    assert set(known.compare(moved)) == {Standing.CHANGED}
    assert known.count_missing(DAY_START, DAY_START + 86_400_000) == 0


@pytest.mark.parametrize("is_noted", [False, True])
def test_the_latest_content_is_remembered(rows: list[Row], file: pq.ParquetFile, *, is_noted: bool) -> None:
    """Whether the latest content of an id was listed, by its hash or by its values, is told of all its rows."""
    known = Known(file, DAY_START)
    latest = [row.listed() for row in rows if row.is_latest]
    chosen, others = latest[::2], latest[1::2]
    if is_noted:
        for identity in chosen:
            known.note_latest(identity)
    else:
        known.compare(chosen)
    assert all(known.has_listed_latest(identity) for identity in chosen)
    assert not any(known.has_listed_latest(identity) for identity in others)


def test_what_a_slice_does_not_list_is_missing(rows: list[Row], file: pq.ParquetFile) -> None:
    """Counted are the ids of a slice's time that were not listed, by their latest content."""
    known = Known(file, DAY_START)
    chosen = {row.id for row in rows[::3]}
    known.compare([row.listed() for row in rows if row.id in chosen])
    for start, end in ((0, 24), (0, 1), (7, 9), (23, 24)):
        first, last = DAY_START + start * 3_600_000, DAY_START + end * 3_600_000
        left = [row for row in rows if row.is_latest and row.id not in chosen]
        inside = [row for row in left if first <= (DAY_START if row.time is None else row.time) < last]
        assert known.count_missing(first, last) == len(inside)


def test_few_rows_are_in_memory(file: pq.ParquetFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many row groups were asked for, those that are kept hold no more rows than they may."""
    monkeypatch.setattr(known_rows, "MOST_ROWS", 3 * GROUP_ROWS)
    groups = RowGroups(file)
    for number in (0, 1, 2, 0, 3):
        assert len(groups.get(number).ids) == GROUP_ROWS
    assert list(groups._kept) == [2, 0, 3]


def test_nothing_is_known_of_a_new_day() -> None:
    """Every record is new, and none is missing."""
    known, identity = Known.nothing(), Row("id", 0, is_latest=True, time=DAY_START).listed()
    assert known.compare([identity, identity]) == [Standing.NEW, Standing.NEW]
    assert known.compare([]) == []
    assert not known.has_listed_latest(identity)
    assert known.count_missing(DAY_START, DAY_START + 86_400_000) == 0
