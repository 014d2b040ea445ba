"""What a day may cost, in counts that no machine changes: requests, bytes, parts, objects, rows held at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from entra_lake import row_groups
from entra_lake.build import build_day
from entra_lake.collect import collect_day
from entra_lake.extract import extract, recall
from entra_lake.footer import open_parquet
from entra_lake.identity import Identity
from entra_lake.known import Standing
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, raw_prefix
from entra_lake.sql import render
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from sandbox.serve import Sandbox
from simulation import DAY

SIGN_INS = STREAMS["sign_ins"]


class Traffic:
    """What a lake asks of S3, by operation and by the first word of the key."""

    def __init__(self, lake: Lake) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        self.read: Counter[str] = Counter()
        events = lake.aws.session.events  # type: ignore[attr-defined]
        events.register("before-parameter-build.s3", self._note_request)
        events.register("after-call.s3.GetObject", self._note_answer)

    def clear(self) -> None:
        """Forget what was sent so far."""
        self.sent.clear()
        self.read.clear()

    def words(self, operation: str) -> dict[str, int]:
        """Return how often an operation was sent, by the first word of its key."""
        return {word: count for (name, word), count in self.sent.items() if name == operation}

    def _note_request(self, params: dict[str, Any], model: Any, **_: object) -> None:
        place = params.get("Key", params.get("Prefix", ""))
        self.sent[model.name, place.split("/")[0]] += 1

    def _note_answer(self, parsed: dict[str, Any], **_: object) -> None:
        self.read["bytes"] += int(parsed.get("ContentLength", 0))


@pytest.fixture
def traffic(lake: Lake) -> Traffic:
    """Watch a prepared lake's requests."""
    found = Traffic(lake)  # a client takes its listeners along when it is made
    prepare(lake)
    found.clear()
    return found


def test_a_page_is_asked_for_once(cloud: Sandbox, lake: Lake, traffic: Traffic) -> None:
    """A quiet day is as many requests as it has pages: nobody looks first, counts or comes back."""
    report = extract(lake, SIGN_INS, DAY, "run")
    asked = [request for request in cloud.tenant.graph.requests if request["status"] == 200]
    assert len(asked) == len(cloud.tenant.graph.requests) == report.total("pages")
    assert traffic.words("PutObject")["raw"] == len(list(lake.store.list(raw_prefix(SIGN_INS, DAY))))


def test_a_reading_without_news_writes_checkpoints_and_the_manifest(
    cloud: Sandbox, lake: Lake, traffic: Traffic
) -> None:
    """When Graph shows nothing new, no record is written or read again: three checkpoints, one manifest."""
    collect_day(lake, SIGN_INS, DAY, "first")
    cloud.clock.advance(60)
    traffic.clear()
    outcome = collect_day(lake, SIGN_INS, DAY, "second")
    assert outcome.manifest is not None
    written = traffic.words("PutObject")
    pages = int(outcome.manifest.passes[-1]["pages"])
    assert written == {"budget": pages, "checkpoints": 3, "manifests": 1}
    assert not traffic.words("GetObject").get("raw")


def test_what_a_reading_compares_is_gone_afterwards(lake: Lake, tmp_path: Path) -> None:
    """It lies on disk as long as somebody lists, in the folder that the lake was given."""
    prepare(lake)
    extract(lake, SIGN_INS, DAY, "run")
    lake, unknown = replace(lake, folder=tmp_path), Identity("unknown", None, "0" * 64)
    before = set(tmp_path.iterdir())
    with recall(lake, SIGN_INS, DAY) as memory:
        assert memory.known.compare([unknown]) == [Standing.NEW]
        assert set(tmp_path.iterdir()) != before
    assert set(tmp_path.iterdir()) == before
    with pytest.raises(ValueError, match="closed"):
        memory.known.compare([unknown])


def test_a_build_reads_each_part_once(lake: Lake, traffic: Traffic, tmp_path: Path) -> None:
    """Building a day reads the bytes of its raw parts, each once, and nothing else of size."""
    extract(lake, SIGN_INS, DAY, "run")
    parts = list(lake.store.list(raw_prefix(SIGN_INS, DAY)))
    traffic.clear()
    build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, tmp_path / "day.parquet")
    assert traffic.words("GetObject") == {"raw": len(parts)}
    assert traffic.read["bytes"] == sum(part.size for part in parts)
    assert not traffic.words("PutObject")


def test_a_question_reads_its_columns_of_its_days(lake: Lake, traffic: Traffic) -> None:
    """Sign-ins by day reads a small part of the days that are asked for, and nothing of others."""
    for age in range(3):
        collect_day(lake, SIGN_INS, DAY - timedelta(days=age), "run")
    database = lake.settings.database
    scanned = [
        lake.athena.run(
            render(
                "dashboards/sign_ins_by_day.sql", database=database, first_day=DAY - timedelta(days=age), last_day=DAY
            )
        ).bytes_scanned
        for age in range(2)
    ]
    assert 0 < scanned[0] <= lake_bytes(lake) // 10
    assert scanned[0] < scanned[1] <= 3 * scanned[0]


def lake_bytes(lake: Lake) -> int:
    """Return the size of the day's object."""
    found = lake.store.look(lake_key(SIGN_INS, DAY))
    assert found is not None
    return found.size


def test_a_neighbour_is_looked_at_when_there_is_one(
    lake: Lake, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether records have moved over midnight costs no request where no day borders, and else each row group once."""
    monkeypatch.setattr(row_groups, "LARGE_DAY_ROWS", 0)
    monkeypatch.setattr(row_groups, "STRETCH_ROWS", 20)
    days = [DAY - timedelta(days=age) for age in (0, 2, 1)]
    asked = []
    for day in days:
        traffic.clear()
        collect_day(lake, SIGN_INS, day, "run")
        asked.append(traffic.words("GetObject")["lake"])
    groups = [groups_of(lake, day) for day in days]
    assert min(groups) > 5
    assert asked[0] == asked[1] <= 6, "footers alone, however many groups"
    two_ranges, twice_two_footers = 2 * groups[2], 4
    assert asked[2] <= asked[0] + twice_two_footers + two_ranges + groups[0] + groups[1]


def groups_of(lake: Lake, day: date) -> int:
    """Return how many row groups the day's object has."""
    found = lake.store.look(lake_key(SIGN_INS, day))
    assert found is not None
    return open_parquet(lake.store, found).metadata.num_row_groups
