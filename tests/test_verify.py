"""Tables, partitions and the count that acknowledges a day."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from entra_lake import tables
from entra_lake.collect import collect_day
from entra_lake.errors import (
    AthenaUnavailableError,
    ConfigurationError,
    CountMismatchError,
    CredentialError,
    DataError,
    FutureDayError,
    QueryFailedError,
    RetentionError,
    WrongTenantError,
)
from entra_lake.extract import extract, read_manifest
from entra_lake.lake import Lake
from entra_lake.layout import LAKE_KEY, lake_key, manifest_key
from entra_lake.load import load, transform
from entra_lake.slices import ONE_DAY
from entra_lake.sql import render
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.serve import Sandbox
from simulation import DAY, make_lake

SIGN_INS = STREAMS["sign_ins"]


def load_day(lake: Lake) -> None:
    """Bring the day into the lake, without a partition."""
    prepare(lake)
    extract(lake, SIGN_INS, DAY, "run")
    load(lake, SIGN_INS, DAY, transform(lake, SIGN_INS, DAY))


@pytest.mark.fault(50, 52)
def test_without_repair_the_day_is_not_verified(lake: Lake) -> None:
    """A day whose partition nobody registered is invisible to Athena: verify fails and commits nothing."""
    load_day(lake)
    with pytest.raises(CountMismatchError, match=r"0 rows.*repair_partitions"):
        verify(lake, SIGN_INS, DAY)
    assert lake.store.look(manifest_key(SIGN_INS, DAY)) is None


@pytest.mark.fault(50)
@pytest.mark.parametrize("full", [False, True])
def test_repair_makes_the_day_visible(lake: Lake, *, full: bool) -> None:
    """Either way of repairing registers the day, and repairing again does no harm."""
    load_day(lake)
    for _ in range(2):
        repair_partitions(lake, SIGN_INS, DAY, full=full)
    assert verify(lake, SIGN_INS, DAY).athena["rows"] > 0


def test_full_repair_finds_days_that_nobody_named(lake: Lake) -> None:
    """A full repair registers every day that S3 holds."""
    load_day(lake)
    repair_partitions(lake, SIGN_INS, DAY - ONE_DAY, full=True)
    assert verify(lake, SIGN_INS, DAY).athena["rows"] > 0


@pytest.mark.fault(52)
def test_a_foreign_file_in_the_partition_is_noticed(lake: Lake) -> None:
    """A second Parquet object beside the day's own changes the count, and the day is not verified."""
    load_day(lake)
    repair_partitions(lake, SIGN_INS, DAY)
    found = lake.store.read(lake_key(SIGN_INS, DAY))
    assert found is not None
    lake.store.create(lake_key(SIGN_INS, DAY).replace(".parquet", "-copy.parquet"), found[0])
    with pytest.raises(CountMismatchError):
        verify(lake, SIGN_INS, DAY)


def test_verify_without_an_object(lake: Lake) -> None:
    """Verifying a day that was never loaded says which task to run."""
    prepare(lake)
    with pytest.raises(DataError, match="load"):
        verify(lake, SIGN_INS, DAY)


def test_the_view_shows_each_id_once(lake: Lake) -> None:
    """The view has one row per id, and the check for doubles finds none."""
    collect_through(lake)
    names = {"database": lake.settings.database, "view": SIGN_INS.name, "day": DAY}
    assert lake.athena.run(render("checks/doubled_ids.sql", **names)).rows == ()


def collect_through(lake: Lake) -> None:
    """Take the day to its manifest."""
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "run")


def test_prepare_twice_changes_nothing(lake: Lake) -> None:
    """Preparing a prepared lake leaves tables, views and lake.json as they are."""
    first = prepare(lake)
    shape = lake.glue.get_table(DatabaseName="entra_lake", Name="sign_ins_history")["Table"]
    assert prepare(lake) == first
    again = lake.glue.get_table(DatabaseName="entra_lake", Name="sign_ins_history")["Table"]
    assert again["Parameters"] == shape["Parameters"]
    assert first["collect_from"] == "2026-10-24"


def test_an_older_table_gains_columns(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that lacks a column of the stream gets it, and days loaded before show NULL there."""
    older = replace(SIGN_INS, columns=SIGN_INS.columns[:-1])
    lacking = SIGN_INS.columns[-1].name
    tables.shape_table(lake, older)
    assert lacking not in _columns(lake)
    collect_through(lake)
    assert lacking in _columns(lake)
    assert lake.athena.run(f"SELECT count({lacking}) AS n FROM sign_ins WHERE dt = '{DAY}'").rows


def _columns(lake: Lake) -> list[str]:
    table = lake.glue.get_table(DatabaseName="entra_lake", Name="sign_ins_history")["Table"]
    return [column["Name"] for column in table["StorageDescriptor"]["Columns"]]


@pytest.mark.fault(62)
def test_a_newer_table_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is older than the tables stops before it writes."""
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 9)
    prepare(lake)
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="Upgrade"):
        prepare(lake)


@pytest.mark.fault(61)
def test_a_lake_belongs_to_its_first_tenant(cloud: Sandbox, lake: Lake) -> None:
    """Another tenant's connection is refused before anything is written."""
    lake.store.create(LAKE_KEY, json.dumps({"tenant_id": "another"}).encode())
    with pytest.raises(WrongTenantError, match=r"another.*lakes\.yaml"):
        prepare(lake)
    assert [item.key for item in lake.store.list("")] == [LAKE_KEY]


@pytest.mark.fault(61)
def test_a_new_lake_waits_for_a_tenant_that_exists(cloud: Sandbox, lake: Lake) -> None:
    """A wrong secret, or a mistyped tenant, claims nothing: the right one can still begin the lake."""
    wrong = replace(lake, graph=replace(lake.graph, client_secret="wrong"))
    with pytest.raises(CredentialError):
        prepare(wrong)
    assert lake.store.look(LAKE_KEY) is None
    assert prepare(lake)["tenant_id"] == lake.tenant_id


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [("bucket", "no-such-bucket", "Bucket 'no-such-bucket'"), ("workgroup", "nobody", "workgroup 'nobody'")],
)
def test_what_infra_should_have_made(cloud: Sandbox, setting: str, value: str, expected: str) -> None:
    """A missing bucket or workgroup is named together with what makes it."""
    with pytest.raises(ConfigurationError, match=f"{expected}.*lakes.yaml"):
        prepare(make_lake(cloud, **{setting: value}))


@pytest.mark.fault(14)
def test_days_out_of_reach(cloud: Sandbox, lake: Lake) -> None:
    """A day in the future, or beyond retention, is refused without a request, and nothing is written."""
    with pytest.raises(FutureDayError):
        extract(lake, SIGN_INS, DAY + 2 * ONE_DAY, "run")
    with pytest.raises(RetentionError):
        extract(lake, SIGN_INS, DAY - 30 * ONE_DAY, "run")
    assert not cloud.tenant.graph.requests
    assert not list(lake.store.list(""))


def test_today_may_be_read(lake: Lake) -> None:
    """A day that is not over is read up to now, and read again later."""
    prepare(lake)
    today = DAY + ONE_DAY
    outcome = collect_day(lake, SIGN_INS, today, "run")
    assert outcome.report is not None
    assert outcome.report.start == "2026-11-23T00:00:00Z"
    assert "2026-11-23T07:00:00Z" <= outcome.report.end <= outcome.report.started_at, (
        "up to now, however slow the machine"
    )


@pytest.mark.fault(49)
def test_a_failing_athena_keeps_the_day_safe(cloud: Sandbox, lake: Lake) -> None:
    """While Athena fails there is no manifest; the next run acknowledges without asking Graph again."""
    prepare(lake)
    cloud.aws.faults.configure({"athena": {"fail": {"n": 9, "reason": "GENERIC_INTERNAL_ERROR: busy"}}})
    with pytest.raises(AthenaUnavailableError):
        collect_day(lake, SIGN_INS, DAY, "run 1")
    assert read_manifest(lake, SIGN_INS, DAY) is None
    cloud.aws.faults.clear()
    asked = len(cloud.tenant.graph.requests)
    assert collect_day(lake, SIGN_INS, DAY, "run 2").manifest
    assert len(cloud.tenant.graph.requests) == asked


@pytest.mark.fault(49)
def test_a_query_whose_object_was_replaced_runs_again(cloud: Sandbox, lake: Lake) -> None:
    """A query that fails because the day was loaded under it is asked once more."""
    load_day(lake)
    repair_partitions(lake, SIGN_INS, DAY)
    cloud.aws.faults.configure({"athena": {"replace": {"key": r"lake/sign_ins/.*\.parquet"}}})
    assert verify(lake, SIGN_INS, DAY).athena["rows"] > 0


def test_a_wrong_statement_is_fatal(lake: Lake) -> None:
    """A statement that Athena refuses is not tried again; the message carries Athena's reason."""
    prepare(lake)
    with pytest.raises(QueryFailedError, match="COLUMN_NOT_FOUND"):
        lake.athena.run("SELECT no_such_column FROM sign_ins")
