"""One query execution: its states from QUEUED to the end, and the thread that takes it there."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.aws.athena.catalog import Catalog, encode_view
from sandbox.aws.athena.ddl import Ddl
from sandbox.aws.athena.engine import Engine, Query
from sandbox.aws.athena.errors import QueryFailedError
from sandbox.aws.athena.relations import File, changed
from sandbox.aws.athena.remembered import Remembered
from sandbox.aws.athena.results import Result
from sandbox.aws.athena.scanner import Scanner
from sandbox.aws.athena.verdicts import Verdicts
from sandbox.aws.faults import Faults
from sandbox.aws.trino_lint import LintError

CREATE_VIEW = re.compile(
    r"CREATE\s+(OR\s+REPLACE\s+)?VIEW\s+(.+?)\s+AS\s+(?=SELECT|WITH|\()", re.IGNORECASE | re.DOTALL
)
HIVE_TYPES = {
    "varchar": "string", "integer": "int", "timestamp with time zone": "timestamp", "json": "string",
    "array": "array<string>",  # the only arrays of the lake
}  # fmt: skip
_view_columns = Remembered[dict[str, str]]()
_views = Verdicts("view")
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass
class Execution:
    """A query as GetQueryExecution shows it."""

    sql: str
    database: str
    work_group: str
    output: str
    parameters: list[str] = field(default_factory=list)
    cutoff: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    reason: str | None = None
    result: Result = field(default_factory=Result)
    scanned: int = 0
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    engine: Engine | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_rest: threading.Event = field(default_factory=threading.Event)

    @property
    def statement_type(self) -> str:
        """Tell DDL from DML; a UTILITY only shows."""
        word = Scanner(self.sql).text.split(None, 1)[0].upper() if self.sql.strip() else ""
        if word in ("SHOW", "DESCRIBE", "EXPLAIN"):
            return "UTILITY"
        return "DDL" if word in ("CREATE", "ALTER", "DROP", "MSCK") else "DML"

    @property
    def location(self) -> str:
        """Return where the output is."""
        return f"{self.output}{self.id}{'.csv' if self.statement_type == 'DML' else '.txt'}"

    def move(self, state: str, reason: str | None = None) -> bool:
        """Change the state unless the query has ended."""
        with self.lock:
            if self.state in FINAL:
                return False
            self.state, self.reason = state, reason
            if state == "RUNNING":
                self.started = time.time()
            if state in FINAL:
                self.completed = time.time()
                self.at_rest.set()
            return True

    def cancel(self) -> None:
        """Stop the query."""
        if self.move("CANCELLED", "Query was cancelled by user") and self.engine is not None:
            self.engine.interrupt()


class Runner:
    """Takes executions to their end."""

    def __init__(self, catalog: Catalog, faults: Faults, now: Callable[[], datetime]) -> None:
        """Run on a catalogue; `now` is the cloud's clock."""
        self.catalog = catalog
        self.faults = faults
        self.now = now

    def run(self, execution: Execution) -> None:
        """Run one query; every outcome is a state."""
        try:
            if not execution.move("RUNNING"):
                return
            execution.engine = Engine(self.catalog, execution.database, self.now)
            result = self._statement(execution)
            self._write(execution, result)
            execution.result = result
            execution.move("SUCCEEDED")
        except (QueryFailedError, LintError) as error:
            execution.move("FAILED", str(error))
        except Exception as error:  # noqa: BLE001 - a fault of the sandbox must not look like a query that hangs
            execution.move("FAILED", f"GENERIC_INTERNAL_ERROR: the sandbox failed: {error!r}")
        finally:
            if execution.engine is not None:
                execution.engine.close()

    def _statement(self, execution: Execution) -> Result:
        fail = self.faults.take_athena("fail")
        if fail:
            raise QueryFailedError(fail.get("reason", "GENERIC_INTERNAL_ERROR: failed on purpose"))
        text = Scanner(execution.sql).text
        view = CREATE_VIEW.match(text)
        if view:
            return self._create_view(execution, text, view)
        if execution.statement_type != "DML":
            return Ddl(self.catalog, execution.database).run(execution.sql)
        engine = execution.engine
        query = engine.check(execution.sql.strip().rstrip(";"), execution.parameters)
        engine.plan(query)
        execution.scanned = query.scanned
        if execution.cutoff is not None and execution.scanned > execution.cutoff:
            message = "Query exhausted resources at this scale factor: Bytes scanned limit was exceeded"
            raise QueryFailedError(message)
        self._disturb(query)
        result = engine.run(query)
        self._require_unchanged(query)
        return result

    def _create_view(self, execution: Execution, text: str, found: re.Match[str]) -> Result:
        replace, name, sql = found.group(1), Scanner(found.group(2)), text[found.end() :]
        database, view = (
            name.table_name(execution.database) if '"' not in name.text else _quoted(name.text, execution.database)
        )
        self.catalog.require_database(database)
        existing = self.catalog.find(database, view)
        if existing is not None and existing.view_sql is None:
            message = f"TABLE_ALREADY_EXISTS: line 1:1: Table already exists: '{existing.full_name}'"
            raise QueryFailedError(message)
        if existing is not None and not replace:
            message = f"TABLE_ALREADY_EXISTS: line 1:1: View already exists: '{existing.full_name}'"
            raise QueryFailedError(message)
        engine = execution.engine
        key = (sql, execution.database, self.catalog.definitions(sql))
        columns = _view_columns.get(key, lambda: _views.get(key, lambda: engine.view_columns(engine.check(sql))))
        self.catalog.put_table(database, view, _view_input(view, sql, execution.database, columns))
        return Result.text([])

    def _disturb(self, query: Query) -> None:
        delay = self.faults.take_athena("delay_seconds")
        if delay:
            time.sleep(delay)
        rule = self.faults.take_athena("replace")
        files = [file for files in query.files.values() for file in files]
        if rule is None:
            return
        hit = next((file for file in files if re.search(rule.get("key", ""), file.key)), None)
        if hit is None:
            self.faults.give_back("replace")
            return
        raise _object_changed(hit)

    def _require_unchanged(self, query: Query) -> None:
        moved = changed(self.catalog, (file for files in query.files.values() for file in files))
        if moved is not None:
            raise _object_changed(moved)

    def _write(self, execution: Execution, result: Result) -> None:
        bucket, _, prefix = execution.output.removeprefix("s3://").partition("/")
        storage = self.catalog.storage
        with storage.lock:
            if bucket not in storage.objects.backend.buckets:
                message = f"Unable to verify/create output bucket {bucket}"
                raise QueryFailedError(message)
            for key, data in result.objects(f"{prefix}{execution.id}"):
                storage.objects.put(bucket, key, data)


def _object_changed(file: File) -> QueryFailedError:
    return QueryFailedError(
        f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {file.uri}: the object changed meanwhile"
    )


def _quoted(text: str, database: str) -> tuple[str, str]:
    parts = [part.strip('"').lower() for part in text.split(".")]
    return (parts[0], parts[1]) if len(parts) > 1 else (database, parts[0])


def _view_input(name: str, sql: str, database: str, columns: dict[str, str]) -> dict[str, Any]:
    hive = [{"Name": column, "Type": HIVE_TYPES.get(kind, kind)} for column, kind in columns.items()]
    return {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": hive, "Location": "", "SerdeInfo": {}},
        "ViewOriginalText": encode_view(sql, database, columns),
        "ViewExpandedText": "/* Presto View */",
    }
