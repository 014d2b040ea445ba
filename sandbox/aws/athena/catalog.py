"""Glue's databases, tables, views and partitions as Athena sees them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from sandbox.aws.athena.errors import QueryFailedError
from sandbox.aws.storage import Storage

VIEW_TEXT = "/* Presto View: {} */"


@dataclass(frozen=True)
class Partition:
    """One registered partition: its values in the order of the keys, and where its objects are."""

    values: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class Table:
    """A table or view of the catalogue; names are lower case."""

    database: str
    name: str
    columns: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    location: str = ""
    view: dict[str, Any] | None = None

    @property
    def view_sql(self) -> str | None:
        """Return a view's query."""
        return self.view["originalSql"] if self.view else None

    @property
    def full_name(self) -> str:
        """Return the name as Athena prints it."""
        return f"awsdatacatalog.{self.database}.{self.name}"


class Catalog:
    """Reads and changes Glue through moto's models; every change is on disk when the method returns."""

    def __init__(self, storage: Storage) -> None:
        """Work on one account's catalogue."""
        self.storage = storage

    @property
    def _databases(self) -> dict[str, Any]:
        return self.storage.documents.glue.databases

    def databases(self) -> list[str]:
        """List the databases; `default` is always there."""
        return sorted({"default", *self._databases})

    def tables(self, database: str) -> list[str]:
        """List tables and views of a database."""
        self.require_database(database)
        return sorted(self._databases[database].tables) if database in self._databases else []

    def require_database(self, database: str) -> None:
        """Fail like Athena when a database does not exist."""
        if database not in self.databases():
            message = f"SCHEMA_NOT_FOUND: line 1:1: Schema '{database}' does not exist"
            raise QueryFailedError(message)

    def find(self, database: str, name: str) -> Table | None:
        """Return a table or view, or None."""
        found = self.raw(database, name)
        if found is None:
            return None
        stored = found.as_dict()
        descriptor = stored.get("StorageDescriptor", {})
        return Table(
            database,
            name,
            {column["Name"].lower(): column["Type"].lower() for column in descriptor.get("Columns", [])},
            {column["Name"].lower(): column["Type"].lower() for column in stored.get("PartitionKeys", [])},
            _folder(descriptor.get("Location", "")),
            decode_view(stored["ViewOriginalText"]) if stored.get("TableType") == "VIRTUAL_VIEW" else None,
        )

    def definitions(self, sql: str) -> str:
        """Return columns, keys and views of all that a statement may name: what it means depends on nothing else.

        Whatever has a name that stands anywhere in the text counts, and what stands in the text of such a view.
        """
        tables = [self.find(database, name) for database in sorted(self._databases) for name in self.tables(database)]
        left, found, text = [table for table in tables if table is not None], list[Table](), sql.lower()
        while named := [table for table in left if table.name in text]:
            found += named
            left = [table for table in left if table not in named]
            text = " ".join((table.view_sql or "").lower() for table in named)
        return repr(sorted((t.database, t.name, t.columns, t.keys, t.view) for t in found))

    def raw(self, database: str, name: str) -> Any:
        """Return moto's table, or None."""
        return self._databases[database].tables.get(name) if database in self._databases else None

    def partitions(self, table: Table) -> list[Partition]:
        """List the registered partitions, by value."""
        with self.storage.lock:
            parts = list(self.raw(table.database, table.name).partitions.values())
        return sorted(
            (Partition(tuple(p.values), _folder(p.partition_input["StorageDescriptor"]["Location"])) for p in parts),
            key=lambda part: part.values,
        )

    def create_database(self, name: str, comment: str | None) -> None:
        """Create a database."""
        with self.storage.lock:
            self.storage.documents.glue.create_database(name, {"Name": name, "Description": comment})
            self.storage.documents.save_glue()

    def drop_database(self, name: str) -> None:
        """Delete a database and its tables' entries."""
        with self.storage.lock:
            self.storage.documents.glue.delete_database(name)
            self.storage.documents.save_glue()

    def put_table(self, database: str, name: str, table_input: dict[str, Any]) -> None:
        """Create or change a table."""
        with self.storage.lock:
            glue = self.storage.documents.glue
            if database == "default" and database not in self._databases:
                glue.create_database(database, {"Name": database})
            if self.raw(database, name) is None:
                glue.create_table(database, name, table_input)
            else:
                glue.update_table(database, name, table_input)
            self.storage.documents.save_glue()

    def drop_table(self, database: str, name: str) -> None:
        """Delete a table's entry; its objects stay."""
        with self.storage.lock:
            self.storage.documents.glue.delete_table(database, name)
            self.storage.documents.save_glue()

    def add_partitions(self, table: Table, partitions: list[Partition]) -> None:
        """Register partitions, each with a copy of the table's columns as Athena does."""
        with self.storage.lock:
            found = self.raw(table.database, table.name)
            descriptor = found.as_dict()["StorageDescriptor"]
            for part in partitions:
                copied = dict(descriptor) | {"Location": part.location}
                found.create_partition({"Values": list(part.values), "StorageDescriptor": copied, "Parameters": {}})
            self.storage.documents.save_glue()

    def drop_partition(self, table: Table, values: tuple[str, ...]) -> None:
        """Forget a partition; its objects stay."""
        with self.storage.lock:
            self.raw(table.database, table.name).delete_partition(list(values))
            self.storage.documents.save_glue()


def encode_view(sql: str, database: str, columns: dict[str, str]) -> str:
    """Return the text in which Athena keeps a view in Glue."""
    view = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
    }
    return VIEW_TEXT.format(base64.b64encode(json.dumps(view).encode()).decode())


def decode_view(text: str) -> dict[str, Any]:
    """Read the text in which Athena keeps a view in Glue."""
    return json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))


def split_location(location: str) -> tuple[str, str]:
    """Split s3://bucket/prefix/ into bucket and prefix."""
    parsed = urlparse(location)
    return parsed.netloc, parsed.path.lstrip("/")


def _folder(location: str) -> str:
    return location if not location or location.endswith("/") else location + "/"
