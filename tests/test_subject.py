"""Who is meant by a name, and what stands in its place when a record is gone."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from entra_lake.errors import ConfigurationError
from entra_lake.sightings import is_named_in_file, naming_rows
from entra_lake.streams import STREAMS
from entra_lake.subject import Role, Subject
from entra_lake.tombstones import Tombstones, hash_id

ANN = "ann@contoso.com"
ID = "0c9a7d3e-1111-4222-8333-444455556666"
SUBJECT = Subject.of([ANN, ID])


@pytest.mark.parametrize(
    "text",
    [
        ANN,
        "ANN@Contoso.com",
        f"from {ANN}.",
        f'["{ANN}"]',
        f"SMTP:{ANN}",
        f"x\\n{ANN}",
        f"\\u0027{ANN}'",
        f"/users/{ID}/x",
    ],
)
def test_a_name_is_found(text: str) -> None:
    """A name is found in any case, in text, in JSON in text, and at the end of a sentence."""
    assert SUBJECT.is_named_in(text)


@pytest.mark.parametrize(
    "text", [f"jo{ANN}", f"jo-{ANN}", f"jo.{ANN}", f"{ANN}.evil.example", f"{ANN}x", f"{ID}0", "ann"]
)
def test_a_part_of_a_name_is_nobody(text: str) -> None:
    """Whoever's name ends or begins with this one is somebody else."""
    assert not SUBJECT.is_named_in(text)


@pytest.mark.parametrize("name", ["ann", "", " ", "00000000-0000-0000-0000-000000000000", "Ann Smith", "a@b.c"])
def test_a_name_of_many_people_is_refused(name: str) -> None:
    """A display name, an empty one, or the id that means nobody, would erase what is not theirs."""
    with pytest.raises(ConfigurationError):
        Subject.of([ANN, name])
    with pytest.raises(ConfigurationError):
        Subject.of([])


ROLES = [
    ("sign_ins", {"userId": ID.upper()}, Role.ACTOR),
    ("sign_ins", {"userId": "", "userPrincipalName": "Ann@contoso.com"}, Role.ACTOR),
    ("sign_ins", {"userPrincipalName": "bob@contoso.com", "status": {"additionalDetails": f"as {ANN}"}}, Role.NAMED),
    ("sign_ins", {"userPrincipalName": "bob@contoso.com", "newField": [[{ANN: 1}]]}, Role.NAMED),
    ("sign_ins", {"userPrincipalName": f"jo{ANN}", "userId": None}, Role.NONE),
    ("directory_audits", {"initiatedBy": {"user": {"id": ID}}}, Role.ACTOR),
    ("directory_audits", {"initiatedBy": {"user": None, "app": {"displayName": ANN}}}, Role.NAMED),
    ("directory_audits", {"initiatedBy": "odd", "targetResources": [{"id": ID}]}, Role.NAMED),
    ("directory_audits", {"initiatedBy": {"user": {"id": 5}}}, Role.NONE),
]


@pytest.mark.parametrize(("stream", "record", "role"), ROLES)
def test_the_role_of_a_person(stream: str, record: dict[str, object], role: Role) -> None:
    """Who did it is told from whom it was done to, on any record, and the quick look never misses them."""
    assert SUBJECT.role_in(record, STREAMS[stream]) is role
    if role is not Role.NONE:
        assert SUBJECT.may_be_in(json.dumps(record).encode())


def test_the_quick_look_sees_through_escapes() -> None:
    """A name whose letters are escaped in JSON is not overlooked."""
    record = f'{{"userPrincipalName": "{ANN.replace("@", chr(92) + "u0040")}"}}'.encode()
    assert SUBJECT.may_be_in(record)
    assert not SUBJECT.may_be_in(b'{"userPrincipalName": "bob@contoso.com"}')


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_stream_says_who_acts(stream: object) -> None:
    """Each stream names the columns of the person who acted: without them nobody could be erased from it."""
    paths = {column.path for column in stream.columns}  # type: ignore[attr-defined]
    assert stream.actor  # type: ignore[attr-defined]
    assert paths.issuperset(stream.actor)  # type: ignore[attr-defined]


def test_tombstones_follow_parts() -> None:
    """Parts that were written anew time and again are found under their last key; nothing is left of some."""
    first = Tombstones(ids=frozenset({hash_id("1")}), parts={"a": "b", "x": None})
    second = Tombstones(near=frozenset({hash_id("2")}), parts={"b": "c"})
    both = Tombstones.from_documents({"raw/2": second.to_bytes(), "raw/1": first.to_bytes()})
    assert both.keys == ("raw/1", "raw/2")
    assert [both.hold(name) for name in ("1", "2", "3")] == [True, True, False]
    assert both.present("a", ["c"]) == "c"
    assert both.present("a", ["a", "c"]) == "a", "it was not removed yet"
    assert both.present("a", []) == "c", "which is missing"
    assert both.present("x", ["c"]) is None
    assert both.present("other", []) == "other"
    assert Tombstones().nothing


TABLE = pa.table(
    {
        "text": ["nobody", None, "Ann@contoso.com", f"jo{ANN}"],
        "list": pa.array([[], [ANN], None, ["x"]], pa.list_(pa.string())),
        "number": [1, 2, 3, 4],
    }
)


def test_rows_that_name_somebody() -> None:
    """Text and lists of text are looked through in every row; a longer name is somebody else's."""
    assert naming_rows(TABLE, SUBJECT).tolist() == [False, True, True, False]
    assert naming_rows(TABLE.slice(1, 2), SUBJECT).tolist() == [True, True]


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


FILES = {
    "text": (b"id,name\n1,Ann@contoso.com\n", True),
    "over two chunks": (b"x" * (8 * 1024 * 1024 - 5) + b" " + ANN.encode() + b" ", True),
    "zstd": (zstandard.compress(b"a") + zstandard.compress(b' "ann@contoso.com" '), True),
    "gzip": (gzip.compress(ANN.encode()), True),
    "parquet": (_parquet(TABLE), True),
    "another parquet": (_parquet(TABLE.slice(3)), False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("content", "named"), FILES.values(), ids=FILES)
def test_files_of_every_kind_are_searched(content: bytes, tmp_path: Path, *, named: bool) -> None:
    """Whatever form a file has, a name in it is found."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert is_named_in_file(path, SUBJECT) is named


@pytest.mark.parametrize("content", [b"\x28\xb5\x2f\xfd" + b"\xff" * 20, b"\x1f\x8bno", b"PAR1no"])
def test_a_file_that_cannot_be_read_is_not_clean(content: bytes, tmp_path: Path) -> None:
    """Where nobody can look, nobody may say that nothing is there."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        is_named_in_file(path, SUBJECT)
