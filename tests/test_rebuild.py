"""Rebuild makes the lake again from raw: what was lost above raw comes back, and no known id is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entra_lake import build
from entra_lake import rebuild as rebuilding
from entra_lake.__main__ import main
from entra_lake.audit import audit_day
from entra_lake.collect import collect
from entra_lake.errors import DataError, ShrinkRefusedError
from entra_lake.extract import read_manifest
from entra_lake.footer import read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, raw_prefix
from entra_lake.rebuild import days_to_build, rebuild, rebuild_day
from entra_lake.slices import ONE_DAY
from entra_lake.store import hash_content
from entra_lake.streams import STREAMS
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, NOW, latest_contents, make_lake, true_contents
from test_audit import (
    HARM,
    add_object,
    collect_day,
    content_of,
    delete,
    delete_object,
    delete_raw,
    edit_manifest,
    put,
    write_raw,
)

SIGN_INS = STREAMS["sign_ins"]
_numbers = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one cloud for the lakes of this module; each has a prefix and a database of its own."""
    folder = tmp_path_factory.mktemp("cloud")
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=100, throttled=False) as running:
        yield running


@pytest.fixture
def held(shared: Sandbox) -> Lake:
    """Give a lake that holds one day of sign-ins."""
    name = f"lake_{next(_numbers)}"
    lake = make_lake(shared, streams=("sign_ins",), prefix=name, database=name)
    collect_day(lake, "run 1")
    return lake


def facts(lake: Lake) -> tuple[str | None, bytes]:
    """Return the ETag and content of the day's object, and its manifest."""
    found = lake.store.look(lake_key(SIGN_INS, DAY))
    return (found.etag if found else None), content_of(lake, manifest_key(SIGN_INS, DAY))


#: Where an administrator has to act, a rebuild does not: another test says what it does then.
MENDED = {
    name: do
    for name, (do, _, _) in HARM.items()
    if name not in {"foreign object", "raw part deleted", "manifest garbled"}
}


@pytest.mark.fault(48)
@pytest.mark.parametrize("harm", [do for name, do in MENDED.items() if "manifest" not in name and "pass" not in name])
def test_what_lies_above_raw_comes_back(
    shared: Sandbox, held: Lake, harm: Callable[[Lake], None], tmp_path: Path
) -> None:
    """After a rebuild the object has the same bytes as before, Athena counts them, and the audit finds no fault."""
    before = content_of(held, lake_key(SIGN_INS, DAY))
    asked = len(shared.tenant.graph.requests)
    harm(held)
    assert rebuild_day(held, SIGN_INS, DAY).done in {"rebuilt", "registered"}
    assert content_of(held, lake_key(SIGN_INS, DAY)) == before
    found = audit_day(held, SIGN_INS, DAY)
    assert found is not None
    assert found.faults == ()
    assert latest_contents(held, SIGN_INS, DAY, tmp_path) == true_contents(shared, SIGN_INS, DAY)
    assert len(shared.tenant.graph.requests) == asked


def test_a_day_that_is_right_is_left_alone(held: Lake) -> None:
    """Rebuilding a day at which nothing is wrong writes nothing."""
    before = facts(held)
    assert rebuild_day(held, SIGN_INS, DAY).done == "up to date"
    assert facts(held) == before


def test_a_lost_partition_writes_no_object(held: Lake) -> None:
    """Where only Athena has forgotten the day, the object stays the one that it was."""
    before = facts(held)
    MENDED["partition dropped"](held)
    assert rebuild_day(held, SIGN_INS, DAY).done == "registered"
    assert facts(held)[0] == before[0]


@pytest.mark.parametrize("change", ["rules", "schema"])
def test_newer_rules_build_the_day_anew(held: Lake, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """When building rules or columns have changed, the day is built by the new ones, from the same raw."""
    stream = SIGN_INS
    if change == "rules":
        monkeypatch.setattr(build, "BUILD_RULES", build.BUILD_RULES + 1)
    else:
        stream = replace(SIGN_INS, columns=SIGN_INS.columns[:-1])
    before = read_footer(held.store, lake_key(SIGN_INS, DAY))
    assert rebuild_day(held, stream, DAY).done == "rebuilt"
    after = read_footer(held.store, lake_key(SIGN_INS, DAY))
    assert before is not None
    assert after is not None
    assert (after[0].build, after[0].schema) != (before[0].build, before[0].schema)
    assert (after[0].raw_sha256, after[0].id_set_sha256) == (before[0].raw_sha256, before[0].id_set_sha256)
    assert rebuild_day(held, stream, DAY).done == "up to date"


def test_newer_raw_is_built(held: Lake) -> None:
    """Raw that a run has left behind unbuilt comes into the lake."""
    write_raw(held, "20261123T090000Z-00000001")
    before = read_manifest(held, SIGN_INS, DAY)
    done = rebuild_day(held, SIGN_INS, DAY)
    assert before is not None
    assert done.manifest is not None
    assert done.manifest.object["ids"] == before[0].object["ids"] + 1


@pytest.mark.fault(48)
@pytest.mark.parametrize("object_too", [False, True])
def test_raw_that_has_lost_records_is_refused(held: Lake, *, object_too: bool) -> None:
    """A build with fewer ids than were acknowledged is refused, also where the object is gone; nothing is changed."""
    write_raw(held, "20261123T090000Z-00000001")
    rebuild_day(held, SIGN_INS, DAY)
    delete_raw(held)
    if object_too:
        delete_object(held)
    before = facts(held)
    with pytest.raises(ShrinkRefusedError, match="Restore the day's deleted objects below raw/"):
        rebuild_day(held, SIGN_INS, DAY)
    assert facts(held) == before


def test_an_object_that_knows_more_is_not_given_up(held: Lake) -> None:
    """Fewer ids than the object holds are refused even when the manifest that names them is gone."""
    delete(held, manifest_key(SIGN_INS, DAY))
    delete_raw(held)
    write_raw(held, "20261123T090000Z-00000001")
    with pytest.raises(ShrinkRefusedError):
        rebuild_day(held, SIGN_INS, DAY)


def test_a_lost_manifest_is_written_again(held: Lake) -> None:
    """Without its manifest the day is acknowledged again, with the passes that its checkpoints name."""
    before = read_manifest(held, SIGN_INS, DAY)
    delete(held, manifest_key(SIGN_INS, DAY))
    after = rebuild_day(held, SIGN_INS, DAY).manifest
    assert before is not None
    assert after is not None
    assert after.passes == before[0].passes
    assert after.object == before[0].object


def test_a_manifest_that_claims_too_much(held: Lake) -> None:
    """A manifest edited to claim more ids than raw has is not overwritten: somebody has to look."""
    edit_manifest(held)
    with pytest.raises(ShrinkRefusedError):
        rebuild_day(held, SIGN_INS, DAY)
    put(held, manifest_key(SIGN_INS, DAY), b"{}")
    with pytest.raises(DataError, match="Restore it"):
        rebuild_day(held, SIGN_INS, DAY)


def test_what_others_put_there_is_not_deleted(held: Lake) -> None:
    """A foreign object in the partition is left to a person: the day fails with what Athena counts."""
    add_object(held)
    results = list(rebuild(held, [SIGN_INS], DAY))
    assert [getattr(result.error, "code", "") for result in results] == ["EL211"]


def test_a_race_is_built_again(held: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another run loads the day during the build, its records are in the build that wins."""
    real, others = rebuilding.build_day, iter(["other run"])

    def slow(*arguments: Any) -> Any:
        built = real(*arguments)
        for run_id in others:
            write_raw(held, "20261123T090000Z-00000001")
            collect_day(held, run_id)
        return built

    delete_object(held)
    monkeypatch.setattr(rebuilding, "build_day", slow)
    manifest = rebuild_day(held, SIGN_INS, DAY).manifest
    assert manifest is not None
    assert "20261123T090000Z-00000001" in manifest.object["passes"]


def test_all_days_are_found(held: Lake) -> None:
    """All days are those of raw and those of manifests; what others have put there is no day."""
    put(held, "raw/sign_ins/dt=tomorrow/x", b"")
    put(held, f"raw/sign_ins/dt={DAY - ONE_DAY}/x", b"")
    put(held, f"manifests/sign_ins/{DAY - 2 * ONE_DAY}.json", b"")
    put(held, "manifests/sign_ins/notes.json", b"")
    assert days_to_build(held.store, SIGN_INS) == {DAY, DAY - ONE_DAY, DAY - 2 * ONE_DAY}


def test_days_that_the_lake_keeps_no_longer_are_left_alone(held: Lake) -> None:
    """Raw outlives what was built from it by a month: rebuilding everything brings no such day back; naming it does."""
    kept, let_go = NOW.date() - 90 * ONE_DAY, NOW.date() - 91 * ONE_DAY
    for day in (kept, let_go):
        put(held, f"raw/sign_ins/dt={day}/x", b"")
    lake = replace(held, settings=replace(held.settings, keep_days=90))
    assert [item.day for item in rebuild(lake, (SIGN_INS,))] == [kept, DAY]
    assert [item.day for item in rebuild(lake, (SIGN_INS,), let_go)] == [let_go]
    assert [item.day for item in rebuild(held, (SIGN_INS,))] == [let_go, kept, DAY]


def test_the_whole_lake_comes_back(
    cloud: Sandbox, lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With all Parquet and the database gone, every day comes back; one that cannot does not stop the others."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    days = [DAY - ONE_DAY, DAY]
    assert [outcome.error for outcome in collect(lake, days, "run")] == [None] * 4
    for item in list(lake.store.list("lake/")):
        delete(lake, item.key)
    lake.glue.delete_database(Name=lake.settings.database)
    assert main(["rebuild", "--all"]) == 0
    assert capsys.readouterr().out.count("rebuilt") == 4
    assert main(["verify"]) == 0
    delete(lake, next(lake.store.list(raw_prefix(SIGN_INS, days[0]))).key)
    delete(lake, lake_key(SIGN_INS, days[0]))
    delete(lake, lake_key(SIGN_INS, days[1]))
    assert main(["rebuild", "--all", "--streams", "sign_ins"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("no: EL212") == 1
    assert printed.count("rebuilt") == 1
    assert main(["rebuild", "--day", "2026-10-01"]) == 1
    assert "nothing to build from" in capsys.readouterr().err


def test_a_folder_is_rebuilt(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a plain folder rebuild restores a damaged file, without AWS."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    target = ["--to-dir", str(tmp_path / "lake")]
    assert main(["collect", *target]) == 0
    path = tmp_path / "lake" / lake_key(SIGN_INS, DAY)
    before = hash_content(path)
    path.write_bytes(b"damaged")
    assert main(["rebuild", "--day", str(DAY), *target]) == 0
    assert hash_content(path) == before
    assert main(["verify", *target]) == 0
