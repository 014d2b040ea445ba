"""Building a day from raw: every content once, versions in order, in bounded memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from entra_lake import raw, windows
from entra_lake.build import build_day
from entra_lake.errors import DataError, ShrinkRefusedError
from entra_lake.flatten import unflatten
from entra_lake.identity import canonical, identify
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, raw_key, raw_prefix
from entra_lake.load import build_if_needed, load, transform
from entra_lake.raw import RawWriter, list_parts
from entra_lake.streams import STREAMS
from entra_lake.windows import place, start_of_day
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY

SIGN_INS = STREAMS["sign_ins"]
PASSES = ("20261123T060000Z-00000001", "20261124T060000Z-00000002", "20261126T060000Z-00000003")


def write_raw(lake: Lake, pass_id: str, records: Sequence[dict[str, Any]]) -> None:
    """Write records as a pass would have."""
    writer = RawWriter(lake.store, SIGN_INS, DAY, pass_id)
    for record in records:
        line = json.dumps(record, separators=(",", ":")).encode()
        writer.add(line, place(identify(line, SIGN_INS).event_time, start_of_day(DAY)))
    writer.flush()


def build(lake: Lake, folder: Path) -> list[dict[str, Any]]:
    """Build the day and return its rows."""
    built = build_day(lake.store, SIGN_INS, DAY, lake.tenant_id, folder / "day.parquet")
    rows: list[dict[str, Any]] = pq.read_table(built.path).to_pylist()
    assert (built.footer.rows, built.footer.ids) == (len(rows), len({row["id"] for row in rows}))
    return rows


def record(number: int, second: int | None = None, **members: Any) -> dict[str, Any]:
    """Return a sign-in at a second of the day."""
    moment = number if second is None else second
    clock = f"{moment // 3600:02}:{moment // 60 % 60:02}:{moment % 60:02}"
    return {"id": f"id-{number:06}", "createdDateTime": f"{DAY}T{clock}Z", **members}


def test_rows_are_sorted_whatever_the_order_of_raw(lake: Lake, tmp_path: Path) -> None:
    """Rows stand in the order of their events, however Graph listed them."""
    records = [record(number) for number in range(3000)]
    write_raw(lake, PASSES[0], records[::-1])
    times = [row["event_time"] for row in build(lake, tmp_path)]
    assert times == sorted(times)


@pytest.mark.parametrize("window_bytes", [200, 5_000, 10**9])
@pytest.mark.parametrize("part_records", [7, raw.PART_RECORDS])
def test_the_size_of_windows_changes_nothing(
    lake: Lake, tmp_path: Path, window_bytes: int, part_records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions and rows are the same in many small windows and in one, also of an id whose time moved."""
    monkeypatch.setattr(windows, "WINDOW_BYTES", window_bytes)
    monkeypatch.setattr(raw, "PART_RECORDS", part_records)
    records = [record(number) for number in range(200)]
    write_raw(lake, PASSES[0], records)
    write_raw(lake, PASSES[1], [record(7, riskState="atRisk"), record(9, second=86_000), record(300, second=20)])
    write_raw(lake, PASSES[2], [record(7), record(9, second=50_000, riskState="none")])
    rows = build(lake, tmp_path)
    versions = {
        name: [(row["version"], row["is_latest"], row["created_date_time"][11:19]) for row in rows if row["id"] == name]
        for name in ("id-000007", "id-000009", "id-000300")
    }
    assert len(rows) == 204
    assert [row["event_time"] for row in rows] == sorted(row["event_time"] for row in rows)
    assert sorted(versions["id-000007"]) == [(1, True, "00:00:07"), (2, False, "00:00:07")]
    assert sorted(versions["id-000009"]) == [(1, False, "00:00:09"), (2, False, "23:53:20"), (3, True, "13:53:20")]
    assert versions["id-000300"] == [(1, True, "00:00:20")]


STRANGE: list[dict[str, Any]] = [{}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "\ud800"}, {"createdDateTime": "?"}]


@pytest.mark.parametrize("strange", STRANGE)
def test_records_without_id_or_time_are_kept(lake: Lake, tmp_path: Path, strange: dict[str, Any]) -> None:
    """A record that names no usable id or time is a row like any other and comes back as it was."""
    first, second = {**strange, "userId": "a"}, {**strange, "userId": "b"}
    if "createdDateTime" in strange:
        first["id"], second["id"] = "x", "y"
    write_raw(lake, PASSES[0], [first, second, record(1)])
    rows = build(lake, tmp_path)
    assert len(rows) == 3
    written = {canonical(item) for item in (first, second, record(1))}
    assert {canonical(unflatten(row, SIGN_INS)) for row in rows} == written


@pytest.mark.fault(32)
def test_an_empty_day_is_an_object_of_no_rows(lake: Lake, tmp_path: Path) -> None:
    """A day on which nothing happened is no missing day."""
    assert build(lake, tmp_path) == []


def test_parts_are_small_and_say_what_they_hold(lake: Lake) -> None:
    """A raw part holds at most 5,000 records, and its key tells their first and last event."""
    write_raw(lake, PASSES[0], [record(number) for number in range(raw.PART_RECORDS + 1)])
    parts = list_parts(lake.store, SIGN_INS, DAY)
    start = start_of_day(DAY)
    facts = sorted((part.records, part.first - start, part.last - start) for part in parts)
    assert facts == [(1, 5_000_000, 5_000_000), (5000, 0, 4_999_000)]


def test_what_does_not_belong_below_raw_is_named(lake: Lake, tmp_path: Path) -> None:
    """A foreign object below raw/ stops the build with its name, before anything is written."""
    lake.store.create(f"{raw_prefix(SIGN_INS, DAY)}notes.txt", b"")
    with pytest.raises(DataError, match=r"notes\.txt"):
        build(lake, tmp_path)


@pytest.mark.fault(45)
def test_a_damaged_part_is_named(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """A part whose content is not what its key says stops the build."""
    write_raw(lake, PASSES[0], [record(1)])
    part = list_parts(lake.store, SIGN_INS, DAY)[0]
    found = lake.store.look(part.key)
    assert lake.store.replace(part.key, b"other", found.etag if found else None)
    with pytest.raises(DataError, match="noncurrent version"):
        build(lake, tmp_path)


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lines: [lines[1], lines[0], lines[2]], id="exchanged"),
        pytest.param(lambda lines: lines[:2], id="cut off"),
        pytest.param(lambda lines: [*lines, lines[0]], id="doubled"),
        pytest.param(lambda lines: [lines[0].replace(b"0", b"1"), *lines[1:]], id="altered"),
        pytest.param(lambda lines: [lines[0] + b" ", *lines[1:]], id="one blank more"),
    ],
)
def test_a_part_with_other_records_is_named(
    cloud: Sandbox, lake: Lake, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Whole records in a part that is whole JSON are not believed either when they are not those of its key."""
    write_raw(lake, PASSES[0], [record(number) for number in range(3)])
    part = list_parts(lake.store, SIGN_INS, DAY)[0]
    found = lake.store.read(part.key)
    assert found
    lines = zstandard.decompress(found[0])[:-1].split(b"\n")
    content = b"\n".join(change(lines)) + b"\n"
    assert lake.store.replace(part.key, zstandard.compress(content), found[1])
    with pytest.raises(DataError, match="noncurrent version"):
        build(lake, tmp_path)


def test_parts_of_older_lakes_are_read(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Keys once held the hash of the part's content, and not of its records' hashes."""
    content = b"".join(json.dumps(record(number)).encode() + b"\n" for number in range(3))
    facts = {"first": start_of_day(DAY), "last": start_of_day(DAY), "records": 3}
    key = raw_key(SIGN_INS, DAY, PASSES[0], **facts, sha256=hashlib.sha256(content).hexdigest())
    lake.store.create(key, zstandard.compress(content))
    assert len(build(lake, tmp_path)) == 3


def test_fewer_ids_than_the_lake_holds_are_refused(cloud: Sandbox, lake: Lake) -> None:
    """When raw has lost records, the day's object stays as it is."""
    write_raw(lake, PASSES[0], [record(1)])
    write_raw(lake, PASSES[1], [record(2)])
    load(lake, SIGN_INS, DAY, transform(lake, SIGN_INS, DAY))
    before = lake.store.look(lake_key(SIGN_INS, DAY))
    client = lake.aws.client("s3")
    client.delete_object(Bucket="entra-lake", Key=list_parts(lake.store, SIGN_INS, DAY)[0].key)
    with pytest.raises(ShrinkRefusedError, match=r"2 ids.*only 1"):
        load(lake, SIGN_INS, DAY, transform(lake, SIGN_INS, DAY))
    assert lake.store.look(lake_key(SIGN_INS, DAY)) == before


def test_nothing_is_built_when_nothing_is_new(lake: Lake, tmp_path: Path) -> None:
    """An object that was built from the same raw parts is left alone."""
    write_raw(lake, PASSES[0], [record(1)])
    load(lake, SIGN_INS, DAY, transform(lake, SIGN_INS, DAY))
    assert transform(lake, SIGN_INS, DAY).sha256 is None
    assert build_if_needed(lake, SIGN_INS, DAY, tmp_path)[1] is None


BUILD_ALONE = """
import json, sys
from datetime import date
from pathlib import Path
from entra_lake.build import build_day
from entra_lake.connections import read_connection
from entra_lake.lake import open_lake
from entra_lake.pandas_absence import leave_pandas_out
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS
leave_pandas_out()
variables = json.loads(sys.argv[1])
lake = open_lake(LakeSettings(bucket="entra-lake"), get_connection=lambda name: read_connection(name, variables))
built = build_day(lake.store, STREAMS["sign_ins"], date.fromisoformat(sys.argv[2]), "t", Path(sys.argv[3]))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({"rows": built.footer.rows, "mib": int(peak.split()[1]) / 1024}))
"""


LEAN = """
import sys
import pyarrow as pa
from entra_lake.pandas_absence import leave_pandas_out
leave_pandas_out()
pa.array(["a", None, "a"]).dictionary_encode()
print("pandas" in sys.modules)
print(pa.table({"n": [1, 2]}).to_pandas()["n"].sum())
"""


def test_a_worker_does_without_pandas() -> None:
    """Arrow does not bring pandas along, and a data frame is there for whoever asks."""
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "3"]


@pytest.mark.fault(33)
@pytest.mark.slow
def test_memory_does_not_follow_the_day(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """The object of a day of 100,000 sign-ins of ordinary size is built within 256 MiB."""
    policies = [{"id": f"p{number}", "displayName": "Require MFA", "result": "notApplied"} for number in range(4)]
    writer = RawWriter(lake.store, SIGN_INS, DAY, PASSES[0])
    for number in range(100_000):
        item = record(number, second=number * 86_400 // 100_000, appliedConditionalAccessPolicies=policies)
        item |= {"userId": f"user-{number % 997}", "userAgent": "Mozilla/5.0 " + "x" * 80, "status": {"errorCode": 0}}
        item |= {"location": {"city": "Bern", "geoCoordinates": {"latitude": 46.9}}, "filler": "y" * 700}
        line = json.dumps(item).encode()
        writer.add(line, start_of_day(DAY) + number * 86_400_000 // 100_000)
    writer.flush()
    variables = json.dumps(environment(cloud.state.folder))
    command = [sys.executable, "-c", BUILD_ALONE, variables, str(DAY), str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    assert facts["rows"] == 100_000
    assert facts["mib"] <= 256
