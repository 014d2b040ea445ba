"""Erasure: a person's records are gone from every version of every object, stay gone, and all others' are there."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from entra_lake import removal
from entra_lake.__main__ import main
from entra_lake.audit import audit
from entra_lake.checkpoints import Checkpoints
from entra_lake.collect import collect
from entra_lake.erasure import ErasedDay, erase, search
from entra_lake.errors import DataError, ShrinkRefusedError, WrongTenantError
from entra_lake.extract import read_manifest
from entra_lake.folder_store import FolderStore
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.load import load, transform
from entra_lake.raw import RawWriter, list_day, list_parts, read_part
from entra_lake.rebuild import days_to_build, rebuild, rebuild_day
from entra_lake.schema import Stream
from entra_lake.slices import ONE_DAY, Slice
from entra_lake.store import S3Store
from entra_lake.streams import STREAMS
from entra_lake.subject import Role, Subject, actors
from entra_lake.windows import start_of_day
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, NOW, make_lake, true_contents

SIGN_INS, AUDITS = STREAMS["sign_ins"], STREAMS["directory_audits"]
DAYS = [DAY]
Left = dict[tuple[Stream, date], set[tuple[str, str]]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one cloud for the lakes of this module."""
    folder = tmp_path_factory.mktemp("cloud")
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=40, throttled=False) as running:
        yield running


@pytest.fixture(scope="module")
def template(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that holds a day, read twice."""
    folder = tmp_path_factory.mktemp("lake")
    lake = in_folder(shared, folder)
    read(lake, "first", DAYS)
    read(lake, "second", DAYS)
    return folder


@pytest.fixture
def held(shared: Sandbox, template: Path, tmp_path: Path) -> Lake:
    """Give a lake of its own in a folder, which holds a day."""
    return in_folder(shared, shutil.copytree(template, tmp_path / "lake"))


def in_folder(cloud: Sandbox, folder: Path) -> Lake:
    """Open a lake that is a plain folder."""
    return replace(make_lake(cloud), to_dir=folder, session=None)


def read(lake: Lake, run_id: str, days: list[date]) -> list[Any]:
    """Take days to their manifests; return the outcomes."""
    outcomes = list(collect(lake, days, run_id))
    assert [item.error for item in outcomes] == [None] * len(outcomes)
    return outcomes


@pytest.fixture(scope="module")
def victim(shared: Sandbox) -> Subject:
    """Give a person who acts in both streams, and to whom others do something."""
    texts = [
        (stream, json.loads(text))
        for stream in (SIGN_INS, AUDITS)
        for day in DAYS
        for text in true_contents(shared, stream, day).values()
    ]
    for names in everybody(texts):
        roles = {(stream.name, Subject.of(names).role_in(record, stream)) for stream, record in texts}
        if roles >= {("sign_ins", Role.ACTOR), ("directory_audits", Role.NAMED)}:
            return Subject.of(names)
    message = "the story has nobody to whom something is done"
    raise AssertionError(message)


def everybody(texts: list[tuple[Stream, Any]]) -> list[tuple[str, ...]]:
    """Return all names of each person who acts, most active first."""
    seen: dict[str, list[str]] = {}
    for stream, record in texts:
        names = [name.lower() for name in actors(record, stream)]
        for upn in (name for name in names if "@" in name):
            seen.setdefault(upn, []).extend(names)
    people = sorted(seen.values(), key=lambda names: -len(names))
    return [tuple(sorted(set(names))) for names in people if len(set(names)) > 1]


def erase_now(lake: Lake, subject: Subject, *, targets: bool = True) -> list[ErasedDay]:
    """Erase the person from raw and all that is built from it."""
    return list(erase(lake, list(search(lake, subject, targets=targets))))


def everything(lake: Lake) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every version of every object of the lake."""
    if lake.to_dir:
        files = [path for path in sorted(lake.to_dir.rglob("*")) if path.is_file()]
        yield from ((str(path), path.read_bytes()) for path in files)
        return
    s3 = lake.aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="entra-lake"):
        for item in page.get("Versions", ()):
            names = {"Bucket": "entra-lake", "Key": item["Key"], "VersionId": item["VersionId"]}
            yield f"{item['Key']} {item['VersionId']}", s3.get_object(**names)["Body"].read()


def as_text(body: bytes) -> str:
    """Return what an object says, unpacked, in lower case and without escapes."""
    if body.startswith(b"PAR1"):
        return json.dumps(pq.read_table(io.BytesIO(body)).to_pylist(), default=str, ensure_ascii=False).lower()
    if body.startswith(b"\x28\xb5\x2f\xfd"):
        lines = zstandard.decompress(body).splitlines()
        return "\n".join(json.dumps(json.loads(line), ensure_ascii=False) for line in lines).lower()
    return body.decode(errors="replace").lower()


def naming(lake: Lake, subject: Subject) -> list[str]:
    """Return which versions of which objects of the lake hold one of the person's names."""
    return [where for where, body in everything(lake) if any(name in as_text(body) for name in subject.names)]


def rows(lake: Lake, stream: Stream, day: date) -> set[tuple[str, str]]:
    """Return id and content hash of each row that the day's object holds."""
    return {(row["id"], row["record_sha256"]) for row in held_rows(lake, stream, day)}


def held_rows(lake: Lake, stream: Stream, day: date) -> list[dict[str, Any]]:
    """Return the day's rows."""
    found = lake.store.read(lake_key(stream, day))
    assert found
    return pq.read_table(io.BytesIO(found[0])).to_pylist()


def expected(lake: Lake, subject: Subject, *, targets: bool = True) -> Left:
    """Return the rows that must be left, by stream and day; to be asked before anything is erased."""
    left: Left = {}
    for stream in (SIGN_INS, AUDITS):
        for day in DAYS:
            doomed = set()
            for part in list_parts(lake.store, stream, day):
                for line in read_part(lake.store, part):
                    record = json.loads(line)
                    acts = not {name.lower() for name in actors(record, stream)}.isdisjoint(subject.names)
                    if acts or (targets and any(name in as_text(line) for name in subject.names)):
                        doomed.add(record["id"])
            left[stream, day] = {row for row in rows(lake, stream, day) if row[0] not in doomed}
    assert left[SIGN_INS, DAY] != rows(lake, SIGN_INS, DAY), "there is something to erase"
    return left


def check(lake: Lake, subject: Subject, left: Left) -> None:
    """Check that others' records are all there, nothing names the person, and the audit is green."""
    assert {key: rows(lake, *key) for key in left} == left
    assert naming(lake, subject) == []
    assert [fault for item in audit(lake) for fault in item.faults] == []


# In a bucket that keeps versions, by the command.


@pytest.mark.slow
def test_nothing_is_left_and_nothing_comes_back(
    shared: Sandbox, victim: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an erasure no version of any object names the person; re-readings and rebuilds do not bring them back."""
    lake = make_lake(shared)
    s3 = lake.aws.client("s3")
    s3.put_bucket_versioning(Bucket="entra-lake", VersioningConfiguration={"Status": "Enabled"})
    read(lake, "first", DAYS)
    read(lake, "second", DAYS)
    ask_about(lake, victim)
    left = expected(lake, victim)
    before = naming(lake, victim)
    assert {where.partition("/")[0] for where in before} >= {"raw", "lake", "staging", "athena-results", "findings"}
    for name, value in environment(shared.state.folder).items():
        monkeypatch.setenv(name, value)
    command = ["erase", "--targets", "--user", *victim.names]
    assert main([*command, "--dry-run"]) == 0
    assert naming(lake, victim) == before
    assert main(command) == 0, capsys.readouterr().err
    assert "1 rows of findings" in capsys.readouterr().out
    check(lake, victim, left)
    assert [row["entity"] for row in pq.read_table(io.BytesIO(content(lake, FINDINGS))).to_pylist()] == [
        "else@x.example"
    ]
    outcomes = read(lake, "third", DAYS)
    passes = [item.manifest.passes[-1] for item in outcomes]
    assert [(item["missing"], item["new"], item["changed"]) for item in passes] == [(0, 0, 0)] * len(passes)
    assert sum(item["erased"] for item in passes) > 0
    assert {item.done for item in rebuild(lake, lake.streams)} == {"up to date"}
    s3.delete_object(Bucket="entra-lake", Key=lake_key(SIGN_INS, DAY))
    assert [item.done for item in rebuild(lake, (SIGN_INS,), DAY)] == ["rebuilt"]
    assert erase_now(lake, victim) == []
    check(lake, victim, left)


FINDINGS = f"findings/dt={DAY}/some_rule.parquet"


def ask_about(lake: Lake, subject: Subject) -> None:
    """Leave what queries and detections leave: an answer of Athena, a finding, and an older version of it."""
    name = next(name for name in subject.names if "@" in name)
    lake.athena.run(f"SELECT id, user_principal_name FROM sign_ins WHERE lower(user_principal_name) = '{name}'")
    for entities in ([name], [name.upper(), "else@x.example"]):
        sink = io.BytesIO()
        pq.write_table(pa.table({"entity": entities}), sink)
        lake.aws.client("s3").put_object(Bucket="entra-lake", Key=FINDINGS, Body=sink.getvalue())


def content(lake: Lake, key: str) -> bytes:
    """Return what an object holds now."""
    found = lake.store.read(key)
    assert found
    return found[0]


@pytest.mark.parametrize("keeps_versions", [False, True])
def test_versions_go_one_by_one(shared: Sandbox, tmp_path: Path, *, keeps_versions: bool) -> None:
    """Each version of an object is found, read and removed by itself, whether or not the bucket keeps any."""
    bucket = f"versions-{keeps_versions}".lower()
    s3 = make_lake(shared).aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    if keeps_versions:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"older", b"newer"):
        s3.put_object(Bucket=bucket, Key="lake/a/b", Body=body)
    s3.put_object(Bucket=bucket, Key="lake/a/c", Body=b"other")
    versions = removal.versions_of(S3Store(s3, bucket, "lake"))
    path = tmp_path / "copy"

    def held() -> list[tuple[str, bytes, bool]]:
        found = list(versions.list("a/"))
        assert all(versions.fetch(item, path) for item in found)
        return sorted((item.key, read_version(item), item.is_latest) for item in found)

    def read_version(item: removal.StoredVersion) -> bytes:
        assert versions.fetch(item, path)
        return path.read_bytes()

    older = [("a/b", b"older", False)] if keeps_versions else []
    assert held() == sorted([*older, ("a/b", b"newer", True), ("a/c", b"other", True)])
    doomed = next(item for item in versions.list("a/b") if item.is_latest)
    versions.remove(doomed)
    assert not versions.fetch(doomed, path)
    assert held() == sorted([*((key, body, True) for key, body, _ in older), ("a/c", b"other", True)])


# In a folder, step by step.


def test_what_others_did_to_the_person_stays_and_is_listed(held: Lake, victim: Subject) -> None:
    """Without targets, records that only name the person stay, and the search lists them."""
    left = expected(held, victim, targets=False)
    done = erase_now(held, victim, targets=False)
    assert {key: rows(held, *key) for key in left} == left
    listed = {(item.stream, mention.id) for item in done for mention in item.traces.mentions}
    texts = [
        (stream, record_id)
        for stream, day in left
        for record_id, text in (
            (row["id"], json.dumps(row, default=str).lower()) for row in held_rows(held, stream, day)
        )
        if any(name in text for name in victim.names)
    ]
    assert listed == set(texts)
    assert listed


def test_the_manifest_says_that_records_were_erased(held: Lake, victim: Subject) -> None:
    """The chain of manifests goes on; the new one counts what was erased, and names nobody."""
    before = read_manifest(held, SIGN_INS, DAY)
    erase_now(held, victim, targets=False)
    after = read_manifest(held, SIGN_INS, DAY)
    assert before is not None
    assert after is not None
    assert after[0].previous_sha256
    assert after[0].object["ids"] + after[0].object["erased"] == before[0].object["ids"]
    assert after[0].object["erased"] > 0
    assert after[0].passes == before[0].passes


class Interrupted(FolderStore):
    """A folder in which the process dies before its n-th change."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self.left = changes

    def replace(self, key: str, content: bytes | Path, etag: str | None) -> str | None:
        """Write, unless the process dies first."""
        self.count()
        return super().replace(key, content, etag)

    def count(self) -> None:
        """Die before the last change."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_it_goes_on_wherever_it_was_interrupted(
    shared: Sandbox, template: Path, victim: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any of its changes, with or without a run of the pipeline after it, an erasure can be completed."""
    left = expected(in_folder(shared, template), victim)
    remove = removal.FolderVersions.remove

    def counted(self: Any, version: Any) -> None:
        self._store.count()
        remove(self, version)

    monkeypatch.setattr(removal.FolderVersions, "remove", counted)
    changes, is_done = 0, False
    while not is_done:
        lake = in_folder(shared, shutil.copytree(template, tmp_path / f"{changes}"))
        assert lake.to_dir
        lake.__dict__["store"] = Interrupted(lake.to_dir, changes)
        with contextlib.suppress(KeyboardInterrupt):
            erase_now(lake, victim)
            is_done = True
        lake.__dict__["store"].left = 10**6
        if changes % 2:
            read(lake, "in between", DAYS)
        assert {item.error for item in erase_now(lake, victim)} <= {None}
        check(lake, victim, left)
        shutil.rmtree(lake.to_dir)
        changes += 1
    assert changes > 10


def test_a_reading_brings_nothing_back(held: Lake, victim: Subject) -> None:
    """Graph still lists the records: the next reading leaves them out, says how many, and is neither short nor news."""
    left = expected(held, victim)
    erase_now(held, victim)
    passes = [item.manifest.passes[-1] for item in read(held, "again", DAYS)]
    assert [(item["missing"], item["new"], item["changed"]) for item in passes] == [(0, 0, 0)] * len(passes)
    assert sum(item["erased"] for item in passes) > 0
    check(held, victim, left)


def test_the_guard_stays_as_strict_as_it_was(held: Lake, victim: Subject) -> None:
    """An erasure allows the day to lose what was erased, and not one id more."""
    erase_now(held, victim)
    assert held.to_dir
    part = held.to_dir / max(list_parts(held.store, SIGN_INS, DAY), key=lambda part: part.records).key
    kept = part.read_bytes()
    part.unlink()
    with pytest.raises(ShrinkRefusedError):
        rebuild_day(held, SIGN_INS, DAY)
    with pytest.raises(ShrinkRefusedError):
        load(held, SIGN_INS, DAY, transform(held, SIGN_INS, DAY))
    part.write_bytes(kept)
    assert rebuild_day(held, SIGN_INS, DAY).done == "up to date"


def near_midnight(lake: Lake, subject: Subject) -> str:
    """Write a record of the person that lies in the day's last minute; return its id."""
    record = {"id": "late-1", "createdDateTime": f"{DAY}T23:59:30Z", "userId": subject.names[0]}
    writer = RawWriter(lake.store, SIGN_INS, DAY, "20261123T090000Z-00000001")
    writer.add(json.dumps(record).encode(), start_of_day(DAY + ONE_DAY) - 30_000)
    writer.flush()
    return "late-1"


def test_a_record_near_midnight_stays_away_from_the_next_day(held: Lake, victim: Subject) -> None:
    """Graph may move a record over midnight: the neighbour, not read yet, will not take it, and is no day by itself."""
    erased = near_midnight(held, victim)
    erase_now(held, victim)
    assert [list_day(held.store, SIGN_INS, DAY + ONE_DAY * n).erased.hold(erased) for n in (0, 1, 2)] == [
        True,
        True,
        False,
    ]
    assert DAY + ONE_DAY not in days_to_build(held.store, SIGN_INS)
    assert not list_parts(held.store, SIGN_INS, DAY + ONE_DAY)


def test_a_pass_under_way_is_named(held: Lake, victim: Subject) -> None:
    """What a pass writes after the erasure was not looked at: the person who erases is told to do it again."""
    Checkpoints(held.store, SIGN_INS, DAY).begin("running", held.clock.now(), Slice.of_day(DAY))
    assert {item.stream.name for item in erase_now(held, victim) if item.is_busy} == {"sign_ins"}
    near_midnight(held, victim)
    held.clock.sleep(2 * 24 * 3600)
    assert not any(item.is_busy for item in erase_now(held, victim))
    assert naming(held, victim) == []


def test_a_part_that_cannot_be_read_fails_its_day(held: Lake, victim: Subject) -> None:
    """Where nobody can say whose records lie, the day is red, and the other days are erased all the same."""
    assert held.to_dir
    broken = held.to_dir / list_parts(held.store, SIGN_INS, DAY)[0].key
    broken.write_bytes(b"garbled")
    codes = {item.stream.name: getattr(item.error, "code", None) for item in erase_now(held, victim)}
    assert codes == {"sign_ins": "EL210", "directory_audits": None}


def test_tombstones_that_cannot_be_read_stop_everything(held: Lake, victim: Subject) -> None:
    """Without its tombstones a day would take back what was erased: no reading, no build, until they are restored."""
    erase_now(held, victim)
    assert held.to_dir
    key = list_day(held.store, SIGN_INS, DAY).erased.keys[0]
    (held.to_dir / key).write_bytes(b"{}")
    with pytest.raises(DataError, match="erased records would come back"):
        rebuild_day(held, SIGN_INS, DAY)
    assert [item.error.code for item in collect(held, [DAY], "again") if item.error] == ["EL210"]


def test_tombstones_name_nobody(held: Lake, victim: Subject) -> None:
    """What is left says which records were erased by hashes of their ids alone."""
    ids = {row["id"] for row in held_rows(held, SIGN_INS, DAY)}
    erase_now(held, victim)
    gone = ids - {row["id"] for row in held_rows(held, SIGN_INS, DAY)}
    text = "".join(content(held, key).decode() for key in list_day(held.store, SIGN_INS, DAY).erased.keys)
    assert gone
    assert not [name for name in (*gone, *victim.names) if name in text]


def test_the_command_says_what_it_found(
    shared: Sandbox, held: Lake, victim: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It counts per day, lists what others did to the person, and tells under which other names they were seen."""
    for name, value in environment(shared.state.folder).items():
        monkeypatch.setenv(name, value)
    upn = next(name for name in victim.names if "@" in name)
    others = set(victim.names) - {upn}
    command = ["erase", "--to-dir", str(held.to_dir), "--user"]
    assert main([*command, upn, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"seen as: {' '.join(sorted(others))}" in said
    assert "--targets erases them, too" in said
    assert "Nothing was changed." in said
    assert main([*command, "nobody@nowhere.example"]) == 0
    assert "No record names this person." in capsys.readouterr().out
    assert main([*command, "Ingrid"]) == 1
    assert "EL201" in capsys.readouterr().err
    held.store.create("mails/run/cause.json", f'{{"about": "{upn}"}}'.encode())
    assert main([*command, *victim.names, "--targets"]) == 1
    assert "mails/run/cause.json: names this person" in capsys.readouterr().err


def test_another_tenants_lake_is_left_alone(shared: Sandbox, held: Lake, victim: Subject) -> None:
    """A lake that belongs to another tenant, or is none, is not touched."""
    other = replace(held, graph=replace(held.graph, tenant_id="3f2b6c1e-0000-4000-8000-000000000000"))
    with pytest.raises(WrongTenantError):
        erase_now(other, victim)
    assert held.to_dir
    with pytest.raises(DataError, match="There is no lake"):
        erase_now(in_folder(shared, held.to_dir / "nowhere"), victim)
