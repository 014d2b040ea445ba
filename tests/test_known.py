"""What is known of a day: the same answers however its rows are spread over row groups, runs and blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entra_lake import few_rows, known, known_rows, row_file
from entra_lake.identity import Identity, canonical
from entra_lake.known import Known, Standing
from held_records import SIGN_INS, content_hash, opened_records

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


@pytest.fixture(params=[(40, 2), (row_file.RUN_ROWS, row_file.BLOCK_ROWS)], ids=["many runs and blocks", "one run"])
def file(
    request: pytest.FixtureRequest, rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pq.ParquetFile]:
    """Write the rows in groups; sort them in many runs and blocks, or in one run."""
    monkeypatch.setattr(row_file, "RUN_ROWS", request.param[0])
    monkeypatch.setattr(row_file, "BLOCK_ROWS", request.param[1])
    with pq.ParquetFile(written(rows, tmp_path)) as opened:
        yield opened


@pytest.fixture
def days(file: pq.ParquetFile) -> Iterator[Known]:
    """Know the rows."""
    with closing(Known(file, DAY_START)) as made:
        yield made


def written(rows: Sequence[Row], folder: Path) -> Path:
    """Write rows as far as they are compared."""
    table = pa.table(
        {
            "id": pa.array([row.id for row in rows], pa.string()),
            "record_sha256": pa.array([row.listed().sha256 for row in rows], pa.string()),
            "is_latest": pa.array([row.is_latest for row in rows], pa.bool_()),
            "event_time": pa.array([row.time for row in rows], pa.timestamp("ms", "UTC")),
        }
    )
    pq.write_table(table, folder / "day.parquet", row_group_size=GROUP_ROWS)
    return folder / "day.parquet"


def test_each_content_has_its_standing(rows: list[Row], days: Known) -> None:
    """Latest, older, another content of a known id, an unknown id: in whatever order a page holds them."""
    expected = {row.listed(): Standing.LATEST if row.is_latest else Standing.OLDER for row in rows}
    expected |= {row.listed(content=9): Standing.CHANGED for row in rows}
    expected |= {
        Row(f"new-{number}", 0, is_latest=True, time=DAY_START).listed(): Standing.NEW for number in range(100)
    }
    page = list(expected)
    Random(1).shuffle(page)
    assert dict(zip(page, days.compare(page), strict=True)) == expected


def test_an_id_with_another_time_is_known(rows: list[Row], days: Known) -> None:
    """A time that was corrected by hours makes another content, not another id; the old row is not missing."""
    moved = [Identity(row.id, DAY_START + 86_399_999, hashlib.sha256(b"moved").hexdigest()) for row in rows]
    assert set(days.compare(moved)) == {Standing.CHANGED}
    assert days.count_missing(DAY_START, DAY_START + 86_400_000) == 0


def test_the_first_row_of_each_id_is_told(rows: list[Row], days: Known) -> None:
    """In whatever order they are asked for, and twice; whoever asks in the order of the rows finds neighbours."""
    asked = [row.id for row in rows] * 2
    Random(1).shuffle(asked)
    held = [row.id for row in rows]
    assert days.first_rows_of(asked).tolist() == [held.index(name) for name in asked]


@pytest.mark.parametrize("is_noted", [False, True])
def test_the_latest_content_is_remembered(rows: list[Row], days: Known, *, is_noted: bool) -> None:
    """Whether the latest content of an id was listed, by its hash or by its values, is told of all its rows."""
    latest = [row.listed() for row in rows if row.is_latest]
    chosen, others = latest[::2], latest[1::2]
    if is_noted:
        for identity in chosen:
            days.note_latest(identity)
    else:
        days.compare(chosen)
    assert all(days.has_listed_latest(identity) for identity in chosen)
    assert not any(days.has_listed_latest(identity) for identity in others)


def test_what_a_slice_does_not_list_is_missing(rows: list[Row], days: Known) -> None:
    """Counted are the ids of a slice's time that were not listed, by their latest content."""
    chosen = {row.id for row in rows[::3]}
    days.compare([row.listed() for row in rows if row.id in chosen])
    for start, end in ((0, 24), (0, 1), (7, 9), (23, 24)):
        first, last = DAY_START + start * 3_600_000, DAY_START + end * 3_600_000
        left = [row for row in rows if row.is_latest and row.id not in chosen]
        inside = [row for row in left if first <= (DAY_START if row.time is None else row.time) < last]
        assert days.count_missing(first, last) == len(inside)


def test_many_versions_of_one_id_are_all_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They straddle blocks, in which others stand before and behind them; each has its own standing."""
    monkeypatch.setattr(row_file, "BLOCK_ROWS", 4)
    rows = [Row(f"other-{number}", 0, is_latest=True, time=DAY_START) for number in range(20)]
    rows += [Row("changing", content, content == 15, DAY_START) for content in range(30)]
    with pq.ParquetFile(written(rows, tmp_path)) as opened, closing(Known(opened, DAY_START)) as days:
        page = [row.listed() for row in rows] + [rows[-1].listed(content=99)]
        expected = [Standing.LATEST if row.is_latest else Standing.OLDER for row in rows]
        assert days.compare(page) == [*expected, Standing.CHANGED]


def test_ids_with_equal_numbers_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new record whose id has a known one's number has changed, and no content of its id: so it is written."""

    def few_numbers(ids: Sequence[str]) -> known_rows.Numbers:
        return np.array([len(name) for name in ids], dtype=np.int64)

    monkeypatch.setattr(known_rows, "id_numbers", few_numbers)
    monkeypatch.setattr(known, "id_numbers", few_numbers)
    records = [{"id": name, "createdDateTime": "2025-11-26T01:00:00Z"} for name in ("aa", "bb", "c")]
    with opened_records(records, tmp_path, GROUP_ROWS) as opened, closing(Known(opened, DAY_START)) as days:
        latest = [Identity(str(record["id"]), None, content_hash(record)) for record in records]
        news = [Identity(name, None, content_hash({"id": name})) for name in ("cc", "d", "eee")]
        assert days.compare(latest) == [Standing.LATEST] * 3
        assert days.compare(news) == [Standing.CHANGED, Standing.CHANGED, Standing.NEW]
        assert days.contents(SIGN_INS, ["bb", "cc", "d", "eee"]).keys() == {"bb"}


@pytest.mark.parametrize("batch_bytes", [1, 100, few_rows.BATCH_BYTES])
def test_contents_are_those_of_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_bytes: int) -> None:
    """They stand in any row group and any part of it; one id may have several, of which one is the latest."""
    monkeypatch.setattr(few_rows, "BATCH_BYTES", batch_bytes)
    records = [
        {"id": f"id-{number % 90}", "userDisplayName": f"Zoë {number % 7}", "number": number} for number in range(120)
    ]
    with opened_records(records, tmp_path, GROUP_ROWS) as opened, closing(Known(opened, DAY_START)) as days:
        assert opened.num_row_groups == 3
        assert days.contents(SIGN_INS, ["id-5", "id-88", "id-5", "no such id"]) == {
            "id-5": {canonical(records[5]): False, canonical(records[95]): True},
            "id-88": {canonical(records[88]): True},
        }
        assert days.contents(SIGN_INS, ["no such id"]) == days.contents(SIGN_INS, []) == {}
        everything = days.contents(SIGN_INS, {str(record["id"]) for record in records})
        assert {text for contents in everything.values() for text in contents} == set(map(canonical, records))


def test_an_object_without_rows_knows_nothing(tmp_path: Path) -> None:
    """Every record is new, and none is missing."""
    identity = Row("id", 0, is_latest=True, time=DAY_START).listed()
    with pq.ParquetFile(written([], tmp_path)) as opened, closing(Known(opened, DAY_START)) as days:
        assert days.compare([identity]) == [Standing.NEW]
        assert days.count_missing(DAY_START, DAY_START + 86_400_000) == 0
        assert days.contents(SIGN_INS, ["id"]) == {}


def test_nothing_is_known_of_a_new_day() -> None:
    """Every record is new, and none is missing."""
    days, identity = Known.nothing(), Row("id", 0, is_latest=True, time=DAY_START).listed()
    assert days.compare([identity, identity]) == [Standing.NEW, Standing.NEW]
    assert days.compare([]) == []
    assert not days.has_listed_latest(identity)
    assert days.count_missing(DAY_START, DAY_START + 86_400_000) == 0
