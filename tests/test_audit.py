"""The audit notices whatever happens to an acknowledged day, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entra_lake import audit as audits
from entra_lake.__main__ import main
from entra_lake.audit import Audit, audit, audit_day
from entra_lake.checks import NEWER_RAW, check_chain
from entra_lake.collect import collect
from entra_lake.errors import DataError
from entra_lake.extract import read_manifest
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, manifest_key, raw_prefix
from entra_lake.manifest import manifest_hash
from entra_lake.raw import RawWriter
from entra_lake.streams import STREAMS
from entra_lake.windows import start_of_day
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, NOW, make_lake

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
    """Give a lake whose bucket keeps versions and holds one day of sign-ins, read twice."""
    name = f"lake_{next(_numbers)}"
    return hold(shared, prefix=name, database=name)


def hold(cloud: Sandbox, **settings: Any) -> Lake:
    """Make such a lake."""
    lake = make_lake(cloud, streams=("sign_ins",), **settings)
    s3 = lake.aws.client("s3")
    s3.put_bucket_versioning(Bucket=lake.settings.bucket, VersioningConfiguration={"Status": "Enabled"})
    collect_day(lake, "run 1")
    cloud.clock.advance(60)
    collect_day(lake, "run 2")
    return lake


def collect_day(lake: Lake, run_id: str) -> None:
    """Take the day to its manifest."""
    assert [outcome.error for outcome in collect(lake, [DAY], run_id)] == [None]


def look(lake: Lake) -> Audit:
    """Audit the day."""
    found = audit_day(lake, SIGN_INS, DAY)
    assert found is not None
    return found


def put(lake: Lake, key: str, content: bytes) -> None:
    """Write an object as a stranger does: without a condition and without a hash."""
    lake.aws.client("s3").put_object(Bucket=lake.settings.bucket, Key=in_bucket(lake, key), Body=content)


def in_bucket(lake: Lake, key: str) -> str:
    """Return the whole key."""
    return lake.store.url(key).split("/", 3)[3]


def delete(lake: Lake, key: str) -> None:
    """Delete an object as a stranger does."""
    lake.aws.client("s3").delete_object(Bucket=lake.settings.bucket, Key=in_bucket(lake, key))


def content_of(lake: Lake, key: str) -> bytes:
    """Return an object's content."""
    found = lake.store.read(key)
    assert found is not None
    return found[0]


def delete_object(lake: Lake) -> None:
    """Delete the day's Parquet object."""
    delete(lake, lake_key(SIGN_INS, DAY))


def edit_object(lake: Lake) -> None:
    """Change one byte in the middle of the day's object; its footer stays as it is."""
    content = bytearray(content_of(lake, lake_key(SIGN_INS, DAY)))
    content[len(content) // 3] ^= 1
    put(lake, lake_key(SIGN_INS, DAY), bytes(content))


def replace_object(lake: Lake) -> None:
    """Put something else where the day's object was."""
    put(lake, lake_key(SIGN_INS, DAY), b"PAR1 something else PAR1")


def add_object(lake: Lake) -> None:
    """Put a copy beside the day's object."""
    put(lake, lake_key(SIGN_INS, DAY).replace(".parquet", "-copy.parquet"), content_of(lake, lake_key(SIGN_INS, DAY)))


def delete_raw(lake: Lake) -> None:
    """Delete a raw part."""
    delete(lake, next(lake.store.list(raw_prefix(SIGN_INS, DAY))).key)


def edit_manifest(lake: Lake) -> None:
    """Make the manifest claim one id more."""
    facts = json.loads(content_of(lake, manifest_key(SIGN_INS, DAY)))
    facts["object"]["ids"] += 1
    put(lake, manifest_key(SIGN_INS, DAY), json.dumps(facts).encode())


def edit_passes(lake: Lake) -> None:
    """Take a pass out of the manifest: all that it says of the object stays true."""
    facts = json.loads(content_of(lake, manifest_key(SIGN_INS, DAY)))
    facts["passes"] = facts["passes"][1:]
    put(lake, manifest_key(SIGN_INS, DAY), json.dumps(facts).encode())


def garble_manifest(lake: Lake) -> None:
    """Leave no manifest in the manifest's place."""
    put(lake, manifest_key(SIGN_INS, DAY), b"{}")


def drop_partition(lake: Lake) -> None:
    """Drop the day's partition in Athena."""
    lake.glue.delete_partition(
        DatabaseName=lake.settings.database, TableName=SIGN_INS.history_table, PartitionValues=[str(DAY)]
    )


#: What happens to the day: the checks that notice it, and words of the remedy.
HARM: dict[str, tuple[Callable[[Lake], None], set[str], str]] = {
    "object deleted": (delete_object, {"object", "Athena"}, "rebuild --day 2026-11-22 --streams sign_ins"),
    "object edited": (edit_object, {"object"}, "rebuild --day"),
    "object replaced": (replace_object, {"object", "footer", "Athena"}, "rebuild --day"),
    "foreign object": (add_object, {"object", "Athena"}, "-copy.parquet. Move what others wrote"),
    "raw part deleted": (delete_raw, {"raw"}, "Restore the deleted objects"),
    "manifest edited": (edit_manifest, {"manifests", "footer", "Athena"}, "delete those that Entra Lake did not"),
    "pass taken out": (edit_passes, {"manifests"}, "delete those that Entra Lake did not"),
    "manifest garbled": (garble_manifest, {"manifests"}, "Restore it from its noncurrent version"),
    "partition dropped": (drop_partition, {"Athena"}, "registers it"),
}


@pytest.mark.fault(48)
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_harm_is_noticed(held: Lake, harm: tuple[Callable[[Lake], None], set[str], str]) -> None:
    """A day is right as it was acknowledged; what happens to it is named, together with what to do."""
    assert look(held).faults == ()
    do, noticed, remedy = harm
    do(held)
    found = look(held)
    wrong = {name for name, item in found.findings.items() if item.fault}
    assert noticed <= wrong | {"Athena"}
    assert wrong <= noticed | {"Athena"}
    assert remedy in " ".join(found.faults)


def test_everything_right(held: Lake) -> None:
    """A day that was read twice has a chain of two manifests, one object, its raw parts and Athena's count."""
    found = look(held)
    manifest = read_manifest(held, SIGN_INS, DAY)
    assert manifest is not None
    facts = manifest[0].object
    counted = f"{facts['rows']:,} rows, {facts['ids']:,} ids"
    assert [item.text for item in found.findings.values()] == [
        "2, whole",
        "as acknowledged",
        counted,
        "1 part",
        counted,
    ]


def write_raw(lake: Lake, pass_id: str) -> None:
    """Write a record as a pass does that has not been built yet."""
    writer = RawWriter(lake.store, SIGN_INS, DAY, pass_id)
    writer.add(json.dumps({"id": "late", "createdDateTime": f"{DAY}T12:00:00Z"}).encode(), start_of_day(DAY))
    writer.flush()


@pytest.mark.parametrize("same_pass", [True, False])
def test_newer_raw_is_no_fault(held: Lake, *, same_pass: bool) -> None:
    """Raw that has grown is said to be newer, whichever pass has brought it, and nothing is wrong."""
    parts = [found.key for found in held.store.list(raw_prefix(SIGN_INS, DAY))]
    write_raw(held, parts[0].split("/")[3] if same_pass else "20261123T090000Z-00000001")
    found = look(held)
    assert found.findings["raw"].text == NEWER_RAW
    assert found.faults == ()


def test_a_manifest_committed_meanwhile_is_no_fault(held: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a run loads and acknowledges the day during the audit, the audit looks again."""
    real, runs = audits.hash_object, iter(["run 3"])

    def meanwhile(*arguments: Any) -> str:
        for run_id in runs:
            write_raw(held, "20261123T090000Z-00000001")
            collect_day(held, run_id)
        return real(*arguments)

    monkeypatch.setattr(audits, "hash_object", meanwhile)
    found = look(held)
    assert found.faults == ()
    assert found.findings["manifests"].text == "3, whole"


def test_what_cannot_be_checked_is_not_right(shared: Sandbox, held: Lake) -> None:
    """While Athena is down the day is not called right; the other checks are made."""
    shared.aws.faults.configure({"athena": {"fail": {"n": 9, "reason": "GENERIC_INTERNAL_ERROR: busy"}}})
    found = look(held)
    shared.aws.faults.clear()
    assert {name for name, item in found.findings.items() if item.fault} == {"Athena"}
    assert found.findings["Athena"].text == "EL105"


def manifests(number: int) -> list[bytes]:
    """Return a chain of manifests, newest first."""
    chain: list[bytes] = []
    for position in range(number):
        previous = manifest_hash(chain[0]) if chain else None
        chain.insert(0, json.dumps({"position": position, "previous_sha256": previous}).encode())
    return chain


def test_chains() -> None:
    """A chain is whole to its first manifest, or as far as it is kept; a gap, an edit and a stranger break it."""
    chain = manifests(4)
    assert check_chain(chain, "x").text == "4, whole"
    assert check_chain(chain[:1], "x").text == "1, older not kept"
    assert check_chain(chain[:3], "x").text == "3, older not kept"
    assert check_chain(chain[:3], "x").fault == ""
    for broken in (
        chain[:1] + chain[2:],
        [chain[0], b"{}", *chain[2:]],
        [chain[0], b"\xff", chain[2]],
        [b"[]", *chain],
    ):
        assert check_chain(broken, "x").text == "broken"


@pytest.fixture
def command(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call the command line with the sandbox's connections."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: main([str(argument) for argument in arguments])


def test_the_command_shows_each_day(
    command: Callable[..., int], cloud: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per stream and day, exit code 0 when all is right and 1 with what is wrong on stderr."""
    held = hold(cloud)
    assert command("verify") == 0
    assert capsys.readouterr().out.count("right") == 1
    drop_partition(held)
    assert command("verify", "--day", DAY) == 1
    printed = capsys.readouterr()
    assert "WRONG" in printed.out
    assert "sign_ins 2026-11-22: Athena finds 0 rows" in printed.err
    assert command("verify", "--day", DAY - timedelta(days=1)) == 1
    assert "There is no manifest" in capsys.readouterr().err


def test_a_folder_is_verified_too(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a plain folder everything but Athena is checked, without AWS."""
    arguments = ("--to-dir", tmp_path / "lake")
    assert command("verify", *arguments) == 1
    assert command("collect", *arguments) == 0
    capsys.readouterr()
    assert command("verify", *arguments) == 0
    assert capsys.readouterr().out.count("left out") == len(STREAMS)
    path = tmp_path / "lake" / lake_key(SIGN_INS, DAY)
    path.write_bytes(path.read_bytes()[:-1])
    assert command("verify", *arguments) == 1
    assert "rebuild --day 2026-11-22 --streams sign_ins" in capsys.readouterr().err


def test_a_lake_without_manifests_is_not_right(lake: Lake) -> None:
    """Looking in the wrong place is an error, not a lake in which nothing is wrong."""
    with pytest.raises(DataError, match="correct --lake"):
        list(audit(lake))
