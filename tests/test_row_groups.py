"""Row groups: large, few, in the order of events, and each user's rows together."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_lake import cells, raw
from entra_lake import row_groups as groups
from entra_lake import windows as windows_of_raw
from entra_lake.arrow import unique_columns
from entra_lake.build import build_day
from entra_lake.errors import DataError
from entra_lake.extract import extract
from entra_lake.lake import Lake
from entra_lake.row_groups import row_groups
from entra_lake.schema import Stream, Type
from entra_lake.streams import STREAMS
from simulation import DAY

SIGN_INS = STREAMS["sign_ins"]
TEXTS = pa.dictionary(pa.int32(), pa.string())
ROWS = pa.schema([("at", pa.int64()), ("user", TEXTS), ("agent", TEXTS), ("tags", pa.list_(pa.string()))])
LONG = pa.schema([("text", TEXTS)])


def spread(number: int) -> str:
    """Return a short text, as random as a user's id."""
    return sha256(str(number).encode()).hexdigest()[:10]


def windows(count: int, rows: int, texts: int = 1) -> Iterator[pa.Table]:
    """Give windows of so many rows whose one long text is one of so many."""
    for window in range(count):
        column = pa.array([spread((window * rows + row) % texts) * 100 for row in range(rows)])
        yield pa.table({"text": column.dictionary_encode()})


def window(rows: Sequence[tuple[str | None, str | None]], first: int) -> pa.Table:
    """Return a window of rows that are numbered from `first`: their user as it is, their agent in a dictionary."""
    users, agents = ([row[place] for row in rows] for place in range(2))
    tags = [[user, agent] if user and agent else None for user, agent in rows]
    columns = {
        "at": pa.array(range(first, first + len(rows)), pa.int64()),
        "user": pa.array(users, pa.string()),
        "agent": pa.array(agents, pa.string()).dictionary_encode(),
        "tags": pa.array(tags, pa.list_(pa.string())),
    }
    return pa.table(columns)


@pytest.mark.parametrize("together", [(), ("text",)], ids=["in the order of events", "together"])
@pytest.mark.parametrize("large", [1, 10**6], ids=["over disk", "in memory"])
def test_a_large_day_has_few_row_groups(monkeypatch: pytest.MonkeyPatch, large: int, together: tuple[str, ...]) -> None:
    """However little memory a group may take, a day has at most a hundred, so that its footer stays small."""
    monkeypatch.setattr(groups, "ROW_GROUP_BYTES", 1)
    monkeypatch.setattr(groups, "LARGE_DAY_ROWS", large)
    monkeypatch.setattr(groups, "STRETCH_ROWS", 1)
    found = [table.num_rows for table in row_groups(windows(2_000, 10, texts=20_000), 20_000, LONG, together)]
    assert len(found) <= 100
    assert sum(found) == 20_000


def test_a_large_day_has_groups_of_much_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of users are random, and so a stretch of them holds as many as another, and no fewer rows than are wanted."""
    monkeypatch.setattr(groups, "LARGE_DAY_ROWS", 1)
    monkeypatch.setattr(groups, "STRETCH_ROWS", 1_000)
    chance = Random(7)
    users = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(5_000)]
    tables = (pa.table({"text": chance.choices(users, k=100)}) for _ in range(200))
    found = [table.num_rows for table in row_groups(tables, 20_000, LONG, ("text",))]
    assert len(found) == 20
    assert max(found) < 1_300


@pytest.mark.parametrize(("texts", "least", "most"), [(20_000, 1_000, 2_000), (7, 20_000, 20_000)])
def test_memory_bounds_the_rows_held_at_once(
    monkeypatch: pytest.MonkeyPatch, texts: int, least: int, most: int
) -> None:
    """A group ends where its texts fill the memory; those that repeat are held once, and so fill it later."""
    monkeypatch.setattr(groups, "ROW_GROUP_BYTES", 1_000_000)
    monkeypatch.setattr(groups, "MOST_ROW_GROUPS", 10**6)
    found = [table.num_rows for table in row_groups(windows(200, 100, texts=texts), 20_000, LONG)]
    assert least <= max(found) <= most
    assert sum(found) == 20_000


USERS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "é"]), st.text(max_size=3))
DAYS = st.lists(st.lists(st.tuples(USERS, USERS), min_size=1, max_size=30), max_size=8)


@pytest.mark.parametrize("is_large", [False, True], ids=["in memory", "over disk"])
@given(day=DAYS, size=st.sampled_from([1, 2_000, 10**6]), waiting=st.sampled_from([1, 500, 10**6]))
def test_every_row_comes_out_whole(
    day: list[list[tuple[str | None, str | None]]], size: int, waiting: int, *, is_large: bool
) -> None:
    """Whatever windows come, each row keeps its cells; users stand together, and each user's rows in their order."""
    given_rows, tables, first = [], [], 0
    for rows in day:
        tables.append(window(rows, first))
        given_rows += tables[-1].to_pylist()
        first += len(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "ROW_GROUP_BYTES", size)
        patch.setattr(groups, "WAITING_BYTES", waiting)
        patch.setattr(groups, "LARGE_DAY_ROWS", 0 if is_large else 10_000)
        patch.setattr(groups, "STRETCH_ROWS", 2_000)
        found = [table.to_pylist() for table in row_groups(iter(tables), 10_000, ROWS, ("user", "agent"))]
    assert sorted((row for group in found for row in group), key=lambda row: row["at"]) == given_rows
    for group, following in pairwise(found):
        if not is_large:
            assert max(row["at"] for row in group) < min(row["at"] for row in following), "groups stand in their order"
        elif size == 10**6:
            assert max(users_of(group)) < min(users_of(following)), "a user stands in one group"
    for group in found:
        pairs = [(row["user"], row["agent"]) for row in group]
        assert len(runs(pairs)) == len(set(pairs))
        assert len(runs([user for user, _ in pairs])) == len({user for user, _ in pairs})
        for pair in set(pairs):
            times = [row["at"] for row in group if (row["user"], row["agent"]) == pair]
            assert times == sorted(times)


def users_of(group: Sequence[dict[str, object]]) -> list[str]:
    """Return the group's users; one without a name stands where an empty name does."""
    return [str(row["user"] or "") for row in group]


def runs(values: Sequence[object]) -> list[object]:
    """Return the values without those that equal the one before."""
    return [value for place, value in enumerate(values) if not place or value != values[place - 1]]


def test_a_large_day_lies_on_disk_and_not_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Memory holds some groups, however many there are; of the file no name is left when the day is done."""
    monkeypatch.setattr(groups, "ROW_GROUP_BYTES", 1_000_000)
    monkeypatch.setattr(groups, "SPILLED_BYTES", 500_000)
    monkeypatch.setattr(groups, "WAITING_BYTES", 100_000)
    monkeypatch.setattr(groups, "LARGE_DAY_ROWS", 0)
    monkeypatch.setattr(groups, "STRETCH_ROWS", 1_000)
    before, spilling, peaks, seen = pa.total_allocated_bytes(), [], [], 0

    def measured() -> Iterator[pa.Table]:
        for number in range(300):
            users = pa.array([f"{(row * 7919 + number) % 16**4:04x}" for row in range(100)])
            texts = pa.array([f"{number:05}{row:05}" * 100 for row in range(100)])
            spilling.append(pa.total_allocated_bytes() - before)
            yield pa.table({"user": users, "text": texts})

    schema = pa.schema([("user", TEXTS), ("text", TEXTS)])
    for table in row_groups(measured(), 30_000, schema, ("user",), tmp_path):
        peaks.append(pa.total_allocated_bytes() - before)
        seen += table.num_rows
        assert not list(tmp_path.iterdir())
        del table
    assert seen == 30_000
    assert max(spilling) < 800_000, "of thirty million bytes"
    assert max(peaks) < 1_600_000
    assert len(peaks) < 45, "some of thirty stretches are more than one group fits"


def test_a_day_that_cannot_be_put_together_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What fails meanwhile is told, and the file is closed."""
    opened = []
    make = tempfile.TemporaryFile

    def noted(dir: Path | None) -> object:  # noqa: A002 - the name that it is called with
        assert dir == tmp_path
        opened.append(make(dir=dir))
        return opened[-1]

    def broken() -> Iterator[pa.Table]:
        yield from windows(1, 10)
        message = "raw is gone"
        raise DataError(message)

    monkeypatch.setattr(groups, "LARGE_DAY_ROWS", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", noted)
    with pytest.raises(DataError, match="raw is gone"):
        list(row_groups(broken(), 20, LONG, ("text",), tmp_path))
    assert [file.closed for file in opened] == [True]


@pytest.mark.parametrize("texts", [200, 300, 70_000])
def test_many_texts_keep_their_numbers(texts: int) -> None:
    """Numbers of texts grow from one byte to two and to four, while those before keep their meaning."""
    values = [f"user {number}" for number in range(texts)] + [None, "user 0", f"user {texts - 1}"]
    tables = [pa.table({"text": pa.array(values[start : start + 1_000])}) for start in range(0, len(values), 1_000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "WAITING_BYTES", 1)
        (found,) = row_groups(iter(tables), len(values), LONG)
    assert found["text"].to_pylist() == values
    assert found["text"].num_chunks == 1, "several dictionaries would make Parquet's writer give up on them"


def test_a_day_in_one_group_has_one_dictionary_a_column(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that repeat stand once in the file, whatever pieces they came in, and are plain text to its readers."""
    monkeypatch.setattr(cells, "PIECE_RECORDS", 20)
    extract(lake, SIGN_INS, DAY, "run")
    path = build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, tmp_path / "day.parquet").path
    group = pq.read_metadata(path).row_group(0)
    found = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert pq.read_schema(path).field("user_agent").type == pa.string()
    assert "RLE_DICTIONARY" in found["user_agent"].encodings
    assert found["user_agent"].total_uncompressed_size < 5_000, "300 texts of a hundred bytes"
    assert "RLE_DICTIONARY" not in found["id"].encodings


def test_users_stand_together_within_a_part_of_the_day(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question about an hour reads the groups of that hour; one that counts users reads each user once a group."""
    monkeypatch.setattr(raw, "PART_RECORDS", 50)
    monkeypatch.setattr(windows_of_raw, "WINDOW_BYTES", 1)
    monkeypatch.setattr(windows_of_raw, "MOST_PARTS", 1)
    monkeypatch.setattr(groups, "ROW_GROUP_BYTES", 50_000)
    extract(lake, SIGN_INS, DAY, "run")
    file = pq.ParquetFile(build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, tmp_path / "day.parquet").path)
    assert file.num_row_groups > 1
    ends = [datetime.min.replace(tzinfo=UTC)]
    for number in range(file.num_row_groups):
        table = file.read_row_group(number)
        times, users = table["event_time"].to_pylist(), table["user_id"].to_pylist()
        assert min(times) >= ends[-1]
        ends.append(max(times))
        assert len(runs(users)) == len(set(users)) < len(users)


def test_each_user_of_a_large_day_stands_in_one_group(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that counts users reads each of them once a day; rows are those of a day put together in memory."""
    monkeypatch.setattr(raw, "PART_RECORDS", 50)
    monkeypatch.setattr(windows_of_raw, "WINDOW_BYTES", 1)
    extract(lake, SIGN_INS, DAY, "run")
    small = build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, tmp_path / "small.parquet")
    monkeypatch.setattr(groups, "LARGE_DAY_ROWS", 100)
    monkeypatch.setattr(groups, "STRETCH_ROWS", 100)
    large = build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, tmp_path / "large.parquet")
    file, seen = pq.ParquetFile(large.path), set[str]()
    assert file.num_row_groups > 1
    for number in range(file.num_row_groups):
        users = [user or "" for user in file.read_row_group(number)["user_id"].to_pylist()]
        assert len(runs(users)) == len(set(users))
        assert min(users) > max(seen, default=""), "statistics of the groups tell users apart"
        seen.update(users)
    order = [("id", "ascending"), ("version", "ascending")]
    assert pq.read_table(large.path).sort_by(order) == pq.read_table(small.path).sort_by(order)
    assert large.footer == small.footer


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_what_stands_together_is_text_that_repeats(stream: Stream) -> None:
    """A column that differs in every record, or is no text, has nothing to stand together by."""
    types = {column.name: column.type for column in stream.table_columns}
    assert {types[name] for name in stream.together} <= {Type.STRING}
    assert not unique_columns(stream) & set(stream.together)
