"""What was accepted once is not checked again; what was refused is, and everything is when a checker changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws import trino_lint
from sandbox.aws.athena import engine, verdicts
from sandbox.aws.athena.catalog import Catalog, encode_view
from sandbox.aws.athena.engine import Engine
from sandbox.aws.athena.errors import QueryFailedError
from sandbox.aws.athena.remembered import Remembered
from sandbox.aws.athena.verdicts import FOLDER_VARIABLE, Verdicts
from sandbox.aws.storage import Storage

Ask = Callable[[str], list[tuple[str | None, ...]]]
QUESTION = "SELECT date_diff('day', DATE '{}', current_date)"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep verdicts in a folder of the test's own."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    yield tmp_path / "cache" / "athena"
    verdicts._folder.cache_clear()


@pytest.fixture(name="checked")
def note_checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that Trino's grammar is asked about from now on."""
    asked: list[str] = []
    ask = trino_lint.parse

    def note(sql: str) -> Any:
        asked.append(sql)
        return ask(sql)

    monkeypatch.setattr(trino_lint, "parse", note)
    return asked


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Return a catalogue without tables."""
    storage = Storage(tmp_path / "aws", "999999999998", "eu-central-1")
    storage.load()
    return Catalog(storage)


def put_table(catalog: Catalog, name: str, *columns: str) -> None:
    """Create or change a table of integers."""
    described = [{"Name": column, "Type": "int"} for column in columns]
    catalog.put_table("default", name, {"Name": name, "StorageDescriptor": {"Columns": described, "Location": ""}})


@pytest.fixture
def new_process(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Ask]:
    """Return what forgets all that a process holds in memory, and then asks a question."""

    def start() -> Ask:
        monkeypatch.setattr(engine, "_checked", Remembered())
        verdicts._folder.cache_clear()
        return ask

    def ask(sql: str) -> list[tuple[str | None, ...]]:
        one = Engine(catalog, "default", lambda: datetime(2026, 11, 23, tzinfo=UTC))
        try:
            query = one.check(sql)
            one.plan(query)
            return one.run(query).rows
        finally:
            one.close()

    return start


def test_another_process_need_not_check_again(new_process: Callable[[], Ask], checked: list[str]) -> None:
    """One check serves all processes and all days, and each day has its own answer."""
    assert new_process()(QUESTION.format("2026-11-22")) == [("1",)]
    assert len(checked) == 1
    assert new_process()(QUESTION.format("2026-11-23")) == [("0",)]
    assert new_process()(QUESTION.format("2026-11-24")) == [("-1",)]
    assert len(checked) == 1


def test_a_table_counts_where_it_is_named(new_process: Callable[[], Ask], checked: list[str], catalog: Catalog) -> None:
    """A table that the statement does not name, nor a view that it names, changes nothing; one that it names does."""
    put_table(catalog, "counts", "n", "m")
    catalog.put_table(
        "default",
        "numbers",
        {
            "Name": "numbers",
            "TableType": "VIRTUAL_VIEW",
            "StorageDescriptor": {"Columns": [{"Name": "n", "Type": "int"}], "Location": ""},
            "ViewOriginalText": encode_view("SELECT n FROM counts", "default", {"n": "integer"}),
        },
    )
    question = "SELECT n + 1 FROM numbers WHERE n IS NOT NULL"
    for _ in range(2):
        assert new_process()(question) == []
        put_table(catalog, "elsewhere", "n")
    assert checked == [question]
    put_table(catalog, "counts", "m", "n")
    assert new_process()(question) == []
    assert checked == [question, question]
    put_table(catalog, "counts", "m")
    with pytest.raises(QueryFailedError, match="COLUMN_NOT_FOUND"):
        new_process()(question)


def test_a_refusal_is_not_kept(new_process: Callable[[], Ask], checked: list[str], fresh: Path) -> None:
    """A statement that was refused is checked each time, and refused each time."""
    for _ in range(2):
        with pytest.raises(QueryFailedError, match="TYPE_MISMATCH"):
            new_process()("SELECT 1 = 'a'")
    assert len(checked) == 2
    assert not list(fresh.glob("*/*"))


def test_other_checks_are_made_anew(
    new_process: Callable[[], Ask], checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a source of the sandbox or a package that parses is another, nothing counts that was accepted before."""
    new_process()("SELECT 1")
    monkeypatch.setattr(verdicts, "PACKAGES", ("sqlglot",))
    assert new_process()("SELECT 1") == [("1",)]
    assert len(checked) == 2


@pytest.mark.parametrize("content", [b"", b'{"text": '], ids=["empty", "torn"])
def test_a_file_that_cannot_be_read_is_made_again(
    new_process: Callable[[], Ask], checked: list[str], fresh: Path, content: bytes
) -> None:
    """A full disk, or a process that was killed, costs a check and no more."""
    new_process()("SELECT 1")
    (kept,) = fresh.glob("*/*")
    kept.write_bytes(content)
    assert new_process()("SELECT 1") == [("1",)]
    assert len(checked) == 2
    assert kept.read_bytes() != content


def test_without_a_folder_everything_is_checked(
    new_process: Callable[[], Ask], checked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nothing can be kept, or nothing shall be, each process checks for itself."""
    (tmp_path / "file").touch()
    for folder in ("", str(tmp_path / "file")):
        monkeypatch.setenv(FOLDER_VARIABLE, folder)
        for _ in range(2):
            assert new_process()("SELECT 1") == [("1",)]
    assert len(checked) == 2 * 2


def test_two_kinds_of_verdicts_are_apart() -> None:
    """A view and a question of the same words are two things."""
    assert Verdicts("statement").get("SELECT 1", lambda: 1) == 1
    assert Verdicts("view").get("SELECT 1", lambda: 2) == 2
    assert Verdicts("view").get("SELECT 1", lambda: 3) == 2
