"""A plain folder keeps every promise that the bucket keeps; and what only a folder must survive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from entra_lake import folder_store
from entra_lake.__main__ import main
from entra_lake.connections import read_connection
from entra_lake.errors import AccessDeniedError, ConfigurationError, ConflictError, StoreUnavailableError
from entra_lake.extract import read_manifest
from entra_lake.folder_store import FolderStore
from entra_lake.lake import Lake, open_lake
from entra_lake.layout import lake_key
from entra_lake.settings import LakeSettings
from entra_lake.slices import ONE_DAY
from entra_lake.store import ABSENT, S3Store, hash_content
from entra_lake.store_protocol import Store
from entra_lake.streams import STREAMS
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, NOW, make_lake

SIGN_INS = STREAMS["sign_ins"]
PATIENCE_SECONDS = 30.0
_prefixes = count()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start one cloud for all tests of this module; each has a prefix of its own."""
    with Sandbox(tmp_path_factory.mktemp("cloud"), seed=7, now=NOW, frozen=True, throttled=False) as running:
        yield running


@pytest.fixture(params=["s3", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give each kind of store, empty."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    lake = make_lake(request.getfixturevalue("bucket"), prefix=f"test-{next(_prefixes)}")
    return lake.store


def content_of(store: Store, key: str) -> bytes | None:
    """Return an object's content; None when there is none."""
    found = store.read(key)
    return found[0] if found else None


def test_create_writes_once(store: Store) -> None:
    """The second writer of a new object is told that somebody was first, and changes nothing."""
    assert store.create("a/b.json", b"first")
    assert store.create("a/b.json", b"second") is None
    assert content_of(store, "a/b.json") == b"first"


def test_replace_needs_the_current_etag(store: Store) -> None:
    """An object is replaced only by one who has seen what is there."""
    first = store.replace("a.json", b"1", ABSENT)
    second = store.replace("a.json", b"2", first)
    assert second
    assert store.replace("a.json", b"3", first) is None
    assert store.replace("a.json", b"3", ABSENT) is None
    assert store.replace("gone.json", b"3", first) is None
    assert content_of(store, "a.json") == b"2"


def test_one_of_many_writers_wins(store: Store) -> None:
    """Of writers that have seen the same object exactly one replaces it, and its content is whole."""
    before = store.create("a.json", b"old")
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda content: store.replace("a.json", content, before), contents))
    assert sum(etag is not None for etag in written) == 1
    winner = next(number for number, etag in enumerate(written) if etag)
    assert content_of(store, "a.json") == contents[winner]


def test_absent_objects_are_none(store: Store, tmp_path: Path) -> None:
    """What does not exist is None, and no error; nor is a prefix an object."""
    for key in ("no", "no/such/key"):
        assert store.read(key) is None
        assert store.look(key) is None
        assert store.download(key, tmp_path / "x") is None
    assert list(store.list("no/")) == []
    assert store.create("a/b", b"")
    assert store.read("a") is None
    assert store.look("a/b/c") is None


def test_listing_is_in_the_order_of_keys(store: Store) -> None:
    """Keys are in order also where one folder's name begins another's; a prefix may end within a name."""
    keys = ["a-b/x", "a.b/x", "a/b/slice-1", "a/b/slice-2", "a/c", "a0", "b/ä", "b/z"]
    for key in reversed(keys):
        store.create(key, key.encode())
    assert [found.key for found in store.list("")] == sorted(keys, key=str.encode)
    assert [found.key for found in store.list("a/")] == ["a/b/slice-1", "a/b/slice-2", "a/c"]
    assert [found.key for found in store.list("a/b/slice-")] == ["a/b/slice-1", "a/b/slice-2"]
    assert [(found.etag, found.size) for found in store.list("a/c")] == [(getattr(store.look("a/c"), "etag", ""), 3)]


def test_listing_goes_on_past_a_page(tmp_path: Path) -> None:
    """More than a thousand objects are all listed; `test_store.py` says the same of S3."""
    store = FolderStore(tmp_path)
    keys = [f"x/{number:05}" for number in range(1001)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: store.create(key, b""), keys))
    assert [item.key for item in store.list("x/")] == keys


def test_a_range_belongs_to_one_object(store: Store) -> None:
    """A part is read of the object that was looked at; once it is replaced, that is a conflict."""
    first = store.create("a", b"0123456789")
    assert first
    assert store.read_range("a", 3, 4, first) == b"3456"
    second = store.replace("a", b"abcdefghij", first)
    with pytest.raises(ConflictError):
        store.read_range("a", 3, 4, first)
    assert second
    assert store.read_range("a", 0, 100, second) == b"abcdefghij"


def test_a_download_is_what_was_stored(store: Store, tmp_path: Path) -> None:
    """A file goes in and comes out with the same bytes and their SHA-256; another ETag is a conflict."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(3_000_000))
    etag = store.create("a.parquet", source)
    found = store.download("a.parquet", copy, etag)
    assert found is not None
    assert (found.etag, found.size, found.sha256) == (etag, 3_000_000, hash_content(source))
    assert store.look("a.parquet") == found
    assert copy.read_bytes() == source.read_bytes()
    with pytest.raises(ConflictError):
        store.download("a.parquet", copy, '"another"')


def test_addresses_name_the_object(store: Store) -> None:
    """Messages say where an object is."""
    store.create("a/b.json", b"{}")
    assert store.url("a/b.json").endswith("/a/b.json")


def test_a_folder_that_refuses_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing right is a matter for a person; a full disk is tried again; the object stays as it was."""
    store = FolderStore(tmp_path)
    etag = store.create("a", b"old")
    for error, expected in (
        (PermissionError(13, "denied"), AccessDeniedError),
        (OSError(28, "full"), StoreUnavailableError),
    ):

        def fail(*_: Any, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(expected, match=r"/a: (denied|full)"):
            store.replace("a", b"new", etag)
    assert content_of(store, "a") == b"old"


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../outside"])
def test_keys_stay_in_the_folder(tmp_path: Path, key: str) -> None:
    """No key leads out of the folder."""
    with pytest.raises(ConfigurationError):
        FolderStore(tmp_path / "store").create(key, b"")


def test_a_file_edited_in_place_has_another_etag(tmp_path: Path) -> None:
    """What somebody else does to a file is noticed by the next look, and decides the next write."""
    store = FolderStore(tmp_path)
    etag = store.create("a", b"0123456789")
    (tmp_path / "a").write_bytes(b"0123456780")
    assert getattr(store.look("a"), "etag", "") != etag
    assert store.replace("a", b"new", etag) is None


def test_equal_sizes_in_quick_succession_are_told_apart(tmp_path: Path) -> None:
    """Hashes that a process remembers are never those of an earlier content, however fast others write."""
    reader, writer = FolderStore(tmp_path), FolderStore(tmp_path)
    etag = writer.create("a", b"000")
    for number in range(1, 200):
        content = f"{number:03}".encode()
        etag = writer.replace("a", content, etag)
        if number % 2:  # the file system gives the inode of the last but one file again
            assert getattr(reader.look("a"), "sha256", "") == hash_content(content)


COUNTER = """
import sys
from pathlib import Path
from entra_lake.folder_store import FolderStore
store = FolderStore(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    while True:
        content, etag = store.read("counter")
        if store.replace("counter", b"%d" % (int(content) + 1), etag):
            break
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start Python code in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(Path(folder_store.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=env)


def test_processes_count_together(tmp_path: Path) -> None:
    """Three processes that add to one number under conditions lose none of their additions."""
    store = FolderStore(tmp_path)
    store.create("counter", b"0")
    processes = [start(COUNTER, tmp_path, 50) for _ in range(3)]
    assert [process.wait(PATIENCE_SECONDS) for process in processes] == [0, 0, 0]
    assert content_of(store, "counter") == b"150"


WRITER = """
import sys
from pathlib import Path
from entra_lake.folder_store import FolderStore
store = FolderStore(Path(sys.argv[1]))
etag = store.look("a").etag
while True:
    for letter in b"AB":
        etag = store.replace("a", bytes([letter]) * 2_000_000, etag)
"""


def test_killed_while_writing(tmp_path: Path) -> None:
    """After SIGKILL at any moment the object is whole, the lock is free, and nothing that is listed is left behind."""
    store = FolderStore(tmp_path)
    store.create("a", b"A" * 2_000_000)
    for _ in range(4):
        before = store.look("a")
        with start(WRITER, tmp_path) as process:
            wait_for(lambda before=before: store.look("a") != before)
            process.send_signal(signal.SIGKILL)
        content, etag = store.read("a") or (b"", "")
        assert content in {b"A" * 2_000_000, b"B" * 2_000_000}
        assert store.replace("a", b"C" * 2_000_000, etag)
    assert [found.key for found in store.list("")] == ["a"]


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"


@pytest.fixture
def command(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call the command line with the sandbox's Graph connection, and without one for AWS."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    return lambda *arguments: main([str(argument) for argument in arguments])


def open_folder(cloud: Sandbox, folder: Path) -> Lake:
    """Open the lake in a folder as the command line does."""
    variables = environment(cloud.state.folder)
    settings = LakeSettings(bucket="nowhere")
    return open_lake(settings, get_connection=lambda name: read_connection(name, variables), to_dir=folder)


def test_a_day_comes_into_a_folder(
    command: Callable[..., int], cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Raw, Parquet and manifests are in the folder without AWS; that Athena is left out is said."""
    folder = tmp_path / "lake"
    assert command("collect", "--to-dir", folder, "--streams", "sign_ins") == 0
    assert "Athena is left out" in capsys.readouterr().out
    assert command("collect", "--to-dir", folder, "--streams", "sign_ins") == 0
    lake = open_folder(cloud, folder)
    found = read_manifest(lake, SIGN_INS, DAY)
    assert found is not None
    manifest = found[0]
    assert "no Athena" in manifest.athena["skipped"]
    assert manifest.athena["ids"] == manifest.object["ids"] > 0
    assert len(manifest.passes) == 2
    assert manifest.previous_sha256
    assert manifest.object["sha256"] == hash_content(folder / lake_key(SIGN_INS, DAY))
    assert next(lake.store.list("raw/sign_ins/"), None)
    assert not list(make_lake(cloud).store.list(""))


def test_a_folder_belongs_to_its_first_tenant(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another tenant's logs are not mixed into the folder."""
    FolderStore(tmp_path / "lake").create("lake.json", b'{"tenant_id": "another"}')
    assert command("collect", "--to-dir", tmp_path / "lake") == 1
    assert "EL207" in capsys.readouterr().err


def test_what_athena_alone_can_do_is_refused(cloud: Sandbox, tmp_path: Path) -> None:
    """A folder has no AWS: asking for it says so."""
    with pytest.raises(ConfigurationError, match="plain folder"):
        _ = open_folder(cloud, tmp_path).athena


@pytest.mark.parametrize("to_dir", [False, True], ids=["s3", "folder"])
def test_a_day_that_is_not_over(
    cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, to_dir: bool
) -> None:
    """Today may be collected by hand: up to now, and again later with what has come since."""
    for name, value in environment(cloud.state.folder).items():
        monkeypatch.setenv(name, value)
    today = DAY + ONE_DAY
    target = ["--to-dir", str(tmp_path / "lake")] if to_dir else []
    ids = []
    for _ in range(2):
        assert main(["collect", "--from", str(today), "--to", str(today), "--streams", "sign_ins", *target]) == 0
        found = read_manifest(open_folder(cloud, tmp_path / "lake") if to_dir else make_lake(cloud), SIGN_INS, today)
        assert found is not None
        ids.append(found[0].object["ids"])
        cloud.clock.advance(4 * 3600)
        monkeypatch.setenv("ENTRA_LAKE_CLOCK_OFFSET_SECONDS", _later(4 * 3600))
    assert 0 < ids[0] < ids[1]


def _later(seconds: float) -> str:
    return str(float(os.environ["ENTRA_LAKE_CLOCK_OFFSET_SECONDS"]) + seconds)


def test_both_stores_are_stores(tmp_path: Path) -> None:
    """Both have every method of the protocol."""
    names = {name for name in vars(Store) if not name.startswith("_")}
    assert all(callable(getattr(kind, name)) for kind in (S3Store, FolderStore) for name in names)
