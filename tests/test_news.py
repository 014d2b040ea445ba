"""News: the same records pass, however many changed ones wait to be looked at together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from entra_lake import news
from entra_lake.changed_records import ChangedRecords
from entra_lake.known import Known, Standing
from entra_lake.news import NewsFilter
from held_records import SIGN_INS, line_of, opened_records

DAY_START = 1_764_115_200_000
Record = dict[str, object]


def record(number: int, content: int) -> Record:
    """Return a sign-in in one of its contents."""
    return {"id": f"id-{number}", "createdDateTime": "2025-11-26T01:00:00Z", "userDisplayName": f"Zoë {content}"}


def respelled(shown: Mapping[str, object]) -> bytes:
    """Return other bytes of the same values."""
    return json.dumps(shown, indent=1, sort_keys=True).encode()


#: Ids 0 to 59 with contents 1 and 2, of which 2 is the latest.
HELD = [record(number, content) for content in (1, 2) for number in range(60)]
UNKNOWN = [line_of(record(number, 1)) for number in range(60, 70)]
CHANGED = [line_of(record(number, 3)) for number in range(20)]
EQUAL = [respelled(record(number, 2)) for number in range(20, 30)]
#: Listed in an older content, in the bytes that are held or in others; of the second ten the latest is listed, too.
BACK = [line_of(record(number, 1)) for number in range(30, 35)] + [respelled(record(n, 1)) for n in range(35, 40)]
NOT_BACK = [line_of(record(number, 1)) for number in range(40, 45)] + [respelled(record(n, 1)) for n in range(45, 50)]
LATEST = [line_of(record(number, 2)) for number in range(40, 48)] + [respelled(record(n, 2)) for n in (48, 49)]
LISTED = UNKNOWN + CHANGED + EQUAL + BACK + NOT_BACK + LATEST


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Known]:
    with opened_records(HELD, tmp_path) as file, closing(Known(file, DAY_START)) as made:
        yield made


@pytest.fixture
def sifted(known: Known, tmp_path: Path) -> Iterator[NewsFilter]:
    with ChangedRecords(tmp_path) as changed:
        yield NewsFilter(SIGN_INS, known, 0, changed)


@pytest.mark.parametrize("most", [1, 700, news.MOST_AT_ONCE_BYTES])
@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_waiting_changes_nothing_of_what_is_written(
    sifted: NewsFilter, monkeypatch: pytest.MonkeyPatch, most: int, page_size: int
) -> None:
    """Unknown ids, contents that are new, older ones that came back: however they are listed and looked at."""
    monkeypatch.setattr(news, "MOST_AT_ONCE_BYTES", most)
    lines = list(LISTED)
    Random(page_size).shuffle(lines)
    pages = [lines[start : start + page_size] for start in range(0, len(lines), page_size)]
    passed = [item for page in pages for item in sifted.sift(sifted.identify(page))]
    assert sorted(line for line, _ in passed) == sorted(UNKNOWN), "new ones do not wait"
    passed += sifted.rest()
    assert sorted(line for line, _ in passed) == sorted(UNKNOWN + CHANGED + BACK)
    assert sifted.counts == {Standing.NEW: len(UNKNOWN), Standing.CHANGED: len(CHANGED) + len(BACK)}
    assert sifted.changed_fields == {"userDisplayName": len(CHANGED) + len(BACK)}


def test_changed_records_are_looked_at_row_by_row(
    known: Known, sifted: NewsFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order they are listed: neighbours in the object are looked at together, and once."""
    looks: list[list[str]] = []
    look = known.contents

    def noted(stream: object, ids: list[str]) -> object:
        looks.append(ids)
        return look(SIGN_INS, ids)

    monkeypatch.setattr(known, "contents", noted)
    monkeypatch.setattr(news, "MOST_AT_ONCE_BYTES", 10 * max(map(len, CHANGED)))
    lines = CHANGED[:14]
    Random(1).shuffle(lines)
    for line in lines:
        assert sifted.sift(sifted.identify([line])) == []
    assert not looks
    assert len(list(sifted.rest())) == 14
    held = [f"id-{number}" for number in range(14)]
    assert looks == [held[:10], held[10:]]
