"""DuckDBs that know Trino's functions; to make one takes longer than most queries, so that it serves many."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import duckdb

from sandbox.aws.athena import functions
from sandbox.aws.athena.dialect import CLOCK

MEMORY = "2GB"
_idle: queue.Queue[duckdb.DuckDBPyConnection] = queue.Queue(maxsize=4)


def take(now: datetime) -> duckdb.DuckDBPyConnection:
    """Return an empty DuckDB for one query; `now` is the instant of current_timestamp."""
    try:
        connection = _idle.get_nowait()
    except queue.Empty:
        connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": MEMORY})
        connection.execute("SET TimeZone = 'UTC'")
        functions.install(connection)
    for variable, (pattern, _) in CLOCK.values():
        connection.execute(f"SET VARIABLE {variable} = '{now.astimezone(UTC):{pattern}}'")
    return connection


def give_back(connection: duckdb.DuckDBPyConnection, schemas: Iterable[str], *, usable: bool) -> None:
    """Keep a connection for another query once it is empty again; close it otherwise."""
    if usable:
        with suppress(duckdb.Error, queue.Full):
            for schema in schemas:
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            _idle.put_nowait(connection)
            return
    connection.close()
