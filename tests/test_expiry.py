"""Partitions of days that lifecycle rules have removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from entra_lake import expiry
from entra_lake.errors import ConfigurationError
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, partition_prefix
from entra_lake.settings import read_lakes
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from simulation import NOW

AUDITS = STREAMS["directory_audits"]
KEPT = 90
OLD = [NOW.date() - timedelta(days=days) for days in (95, 93, 91)]
RECENT = NOW.date() - timedelta(days=KEPT)


def registered(lake: Lake) -> list[str]:
    """Return the days whose partition Athena knows."""
    answer = lake.glue.get_partitions(DatabaseName=lake.settings.database, TableName=AUDITS.history_table)
    return sorted(item["Values"][0] for item in answer["Partitions"])


@pytest.fixture(name="old")
def make_old(lake: Lake) -> Lake:
    """Return a lake that keeps 90 days and knows three older ones, of which one still has its object."""
    prepare(lake)
    for day in (*OLD, RECENT):
        repair_partitions(lake, AUDITS, day)
    lake.store.create(lake_key(AUDITS, OLD[1]), b"not expired yet")
    return replace(lake, settings=replace(lake.settings, keep_days=KEPT))


def test_days_of_which_nothing_is_left_are_dropped(old: Lake) -> None:
    """Preparing drops partitions that are old and empty; what still has an object, or is recent, stays."""
    prepare(old)
    assert registered(old) == [str(OLD[1]), str(RECENT)]
    assert next(old.store.list(partition_prefix(AUDITS, OLD[1])), None) is not None


def test_nothing_is_dropped_without_the_setting(old: Lake) -> None:
    """A lake that keeps everything keeps its partitions, empty ones too."""
    assert expiry.drop_expired(replace(old, settings=replace(old.settings, keep_days=None)), AUDITS) == []
    assert len(registered(old)) == 4


def test_a_run_drops_no_more_than_its_share(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run after retention was set drops the oldest, and leaves the others to the next runs."""
    monkeypatch.setattr(expiry, "MOST_DROPPED", 1)
    assert expiry.drop_expired(old, AUDITS) == [OLD[0]]
    assert expiry.drop_expired(old, AUDITS) == [OLD[2]]
    assert expiry.drop_expired(old, AUDITS) == []


@pytest.mark.parametrize("days", [0, 30, "x"])
def test_keep_days_lies_above_retention(tmp_path: pytest.TempPathFactory, days: object) -> None:
    """A lake cannot keep less than what Microsoft still lists: it would be read again for ever."""
    path = tmp_path / "lakes.yaml"  # type: ignore[operator]
    path.write_text(f"default: {{bucket: any-lake, keep_days: {days}}}")
    with pytest.raises(ConfigurationError, match="keep_days"):
        read_lakes(path)
