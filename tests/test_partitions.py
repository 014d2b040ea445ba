"""No question of include/sql reads a partition that it does not need: the days it is asked about, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from entra_lake.detections import Detection, read_detections
from entra_lake.lake import Lake
from entra_lake.settings import DetectionSettings, include_folder
from entra_lake.sql import placeholders, render
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from sandbox.aws.athena.catalog import Catalog
from sandbox.aws.athena.engine import Engine
from sandbox.serve import Sandbox
from simulation import NOW, make_lake
from sql_cases import Desk

SQL = include_folder() / "sql"
DETECTIONS = {rule.id: rule for rule in read_detections(SQL / "detections")}
QUESTIONS = sorted(
    str(path.relative_to(SQL)) for folder in ("dashboards", "checks", "evidence") for path in (SQL / folder).iterdir()
)
DAY = date(2026, 11, 20)
#: The lake holds more days than any rule looks back to, and some that come after those asked for.
HELD = [DAY + timedelta(days=number) for number in range(3, -100, -1)]
ASKED = (DAY - timedelta(days=1), DAY)
VALUES: dict[str, Any] = {
    "first_day": ASKED[0],
    "last_day": ASKED[1],
    "day": DAY,
    "user": "ada@example.com",
    "address": "192.0.2.1",
    "event_id": "e",
    "text": "ada",
    "application": "Mail",
    "ids": "'e'",
    "streams": tuple(STREAMS),
    "table": "sign_ins_history",
    "view": "sign_ins",
}


class Planner:
    """A lake that holds an object for each of many days, and the plans of its Athena."""

    def __init__(self, cloud: Sandbox, lake: Lake) -> None:
        self.database = lake.settings.database
        self._engine = Engine(Catalog(cloud.aws.storage), self.database, cloud.clock.now)

    def days_read(self, statement: str) -> dict[str, set[date]]:
        """Return the days whose objects each table of the statement reads."""
        query = self._engine.check(statement)
        self._engine.plan(query)
        self._engine.close()
        return {
            name: {date.fromisoformat(file.values[0]) for file in files} for (_, name), files in query.files.items()
        }


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """Fill a lake with one record of each stream and each day."""
    with Sandbox(tmp_path_factory.mktemp("planned") / "cloud", seed=7, now=NOW, frozen=True, throttled=False) as cloud:
        lake = make_lake(cloud)
        prepare(lake)
        times = [f"{day}T12:00:00Z" for day in HELD]
        Desk(lake).fill(
            {stream: [{"id": time, stream.time_field: time} for time in times] for stream in STREAMS.values()}
        )
        yield Planner(cloud, lake)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_the_days_that_are_asked_for(name: str, planner: Planner) -> None:
    """Every condition on days reaches the partitions, through whatever views the question reads."""
    known = placeholders((SQL / name).read_text(encoding="utf-8"))
    statement = render(name, database=planner.database, **{key: VALUES[key] for key in known - {"database"}})
    expected = {DAY} if "day" in known else set(ASKED)
    found = planner.days_read(statement)
    logs = {table: days for table, days in found.items() if table != "findings"}
    assert found
    assert all(days == expected for days in logs.values()), name


@pytest.mark.parametrize("rule", DETECTIONS.values(), ids=DETECTIONS)
def test_a_detection_reads_its_day_and_what_it_looks_back_to(rule: Detection, planner: Planner) -> None:
    """A rule reads no day that its front matter does not name, and names none in vain."""
    first, last = rule.days(DAY)
    named = {first + timedelta(days=number) for number in range((last - first).days + 1)}
    found = planner.days_read(rule.render(DAY, DetectionSettings()))
    assert set.union(*found.values()) == named
    assert all(DAY in days for days in found.values())
