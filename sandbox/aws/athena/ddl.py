"""Hive DDL against Glue: what Athena sends to its other parser.

Every statement that is not listed in STATEMENTS fails and says so; none succeeds in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.aws.athena.catalog import Catalog, Partition, Table, decode_view
from sandbox.aws.athena.errors import NotSimulatedError, QueryFailedError
from sandbox.aws.athena.msck import repair
from sandbox.aws.athena.results import Result
from sandbox.aws.athena.scanner import Scanner

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {},
    },
}
DDL_TASK = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "


class Ddl:
    """Runs one DDL statement in a database."""

    def __init__(self, catalog: Catalog, database: str) -> None:
        """Resolve bare table names in `database`."""
        self.catalog = catalog
        self.database = database

    def run(self, sql: str) -> Result:
        """Run a statement; returns the lines it prints."""
        scanner = Scanner(sql)
        for words, action in STATEMENTS:
            if scanner.keyword(*words):
                return action(self, scanner)
        message = f"the statement '{' '.join(scanner.text.split()[:4])} …'"
        raise NotSimulatedError(message)

    def create_database(self, scanner: Scanner) -> Result:
        """CREATE DATABASE|SCHEMA [IF NOT EXISTS] name [COMMENT 'text']."""
        lenient = scanner.keyword("IF", "NOT", "EXISTS")
        name = scanner.name()
        comment = scanner.string() if scanner.keyword("COMMENT") else None
        scanner.end()
        if name not in self.catalog.databases():
            self.catalog.create_database(name, comment)
        elif not lenient:
            message = f"{DDL_TASK}AlreadyExistsException(message:Database already exists: {name})"
            raise QueryFailedError(message)
        return Result.text([])

    def drop_database(self, scanner: Scanner) -> Result:
        """DROP DATABASE [IF EXISTS] name [CASCADE]."""
        lenient = scanner.keyword("IF", "EXISTS")
        name = scanner.name()
        cascade = scanner.keyword("CASCADE")
        scanner.end()
        if name not in self.catalog.databases():
            if lenient:
                return Result.text([])
            message = f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}"
            raise QueryFailedError(message)
        if self.catalog.tables(name) and not cascade:
            message = f"{DDL_TASK}InvalidOperationException(message:Database {name} is not empty.)"
            raise QueryFailedError(message)
        self.catalog.drop_database(name)
        return Result.text([])

    def create_table(self, scanner: Scanner) -> Result:
        """CREATE EXTERNAL TABLE [IF NOT EXISTS] … STORED AS PARQUET LOCATION '…' [TBLPROPERTIES (…)]."""
        lenient = scanner.keyword("IF", "NOT", "EXISTS")
        database, name = scanner.table_name(self.database)
        self.catalog.require_database(database)
        table_input = _table_input(name, scanner)
        if self.catalog.find(database, name) is None:
            self.catalog.put_table(database, name, table_input)
        elif not lenient:
            message = f"{DDL_TASK}AlreadyExistsException(message:Table {name} already exists.)"
            raise QueryFailedError(message)
        return Result.text([])

    def refuse_managed_table(self, scanner: Scanner) -> Result:
        """CREATE TABLE without EXTERNAL."""
        if scanner.rest().upper().find(" AS SELECT") > 0:
            message = "CREATE TABLE … AS SELECT"
            raise NotSimulatedError(message)
        message = "FAILED: External keyword required for CREATE TABLE: only external tables are supported"
        raise QueryFailedError(message)

    def alter_table(self, scanner: Scanner) -> Result:
        """ALTER TABLE name ADD PARTITION | DROP PARTITION | ADD COLUMNS | SET TBLPROPERTIES."""
        table = self._table(scanner)
        for words, action in ALTERATIONS:
            if scanner.keyword(*words):
                return action(self, table, scanner)
        message = f"ALTER TABLE … {scanner.rest()[:40]}"
        raise NotSimulatedError(message)

    def add_partition(self, table: Table, scanner: Scanner) -> Result:
        """ADD [IF NOT EXISTS] PARTITION (key='value') [LOCATION '…'] …."""
        lenient = scanner.keyword("IF", "NOT", "EXISTS")
        known = {part.values for part in self.catalog.partitions(table)}
        added: list[Partition] = []
        while scanner.keyword("PARTITION"):
            values = _values(table, scanner.pairs())
            path = "/".join(f"{key}={value}" for key, value in zip(table.keys, values, strict=True))
            location = _location(scanner) if scanner.keyword("LOCATION") else f"{table.location}{path}/"
            if values not in known:
                added.append(Partition(values, location))
                known.add(values)
            elif not lenient:
                message = f"{DDL_TASK}AlreadyExistsException(message:Partition already exists: {path})"
                raise QueryFailedError(message)
        scanner.end()
        self.catalog.add_partitions(table, added)
        return Result.text([])

    def drop_partition(self, table: Table, scanner: Scanner) -> Result:
        """DROP [IF EXISTS] PARTITION (key='value') [, PARTITION (…)]."""
        lenient = scanner.keyword("IF", "EXISTS")
        known = {part.values for part in self.catalog.partitions(table)}
        while scanner.keyword("PARTITION"):
            values = _values(table, scanner.pairs())
            if values in known:
                self.catalog.drop_partition(table, values)
            elif not lenient:
                message = f"FAILED: SemanticException [Error 10006]: Partition not found {values}"
                raise QueryFailedError(message)
            scanner.symbol(",")
        scanner.end()
        return Result.text([])

    def add_columns(self, table: Table, scanner: Scanner) -> Result:
        """ADD COLUMNS (name type, …): partitions that exist keep their own list of columns."""
        columns = scanner.columns()
        scanner.end()
        for column in columns:
            if column["Name"] in table.columns | table.keys:
                message = f"{DDL_TASK}Duplicate column name: {column['Name']}"
                raise QueryFailedError(message)
            if column["Type"] == "date":
                message = "FAILED: ParseException ALTER TABLE ADD COLUMNS does not work for columns of type date"
                raise QueryFailedError(message)
        stored = self._input(table)
        stored["StorageDescriptor"] = dict(stored["StorageDescriptor"])
        stored["StorageDescriptor"]["Columns"] = [*stored["StorageDescriptor"]["Columns"], *columns]
        self.catalog.put_table(table.database, table.name, stored)
        return Result.text([])

    def set_properties(self, table: Table, scanner: Scanner) -> Result:
        """SET TBLPROPERTIES ('key'='value', …)."""
        pairs = scanner.pairs()
        scanner.end()
        stored = self._input(table)
        stored["Parameters"] = stored.get("Parameters", {}) | pairs
        self.catalog.put_table(table.database, table.name, stored)
        return Result.text([])

    def repair_table(self, scanner: Scanner) -> Result:
        """MSCK REPAIR TABLE name."""
        table = self._table(scanner)
        scanner.end()
        return Result.text(repair(self.catalog, table))

    def drop_table(self, scanner: Scanner) -> Result:
        """DROP TABLE [IF EXISTS] name."""
        return self._drop(scanner, view=False)

    def drop_view(self, scanner: Scanner) -> Result:
        """DROP VIEW [IF EXISTS] name."""
        return self._drop(scanner, view=True)

    def show_partitions(self, scanner: Scanner) -> Result:
        """SHOW PARTITIONS name."""
        table = self._table(scanner)
        scanner.end()
        parts = self.catalog.partitions(table)
        paths = ["/".join(f"{k}={v}" for k, v in zip(table.keys, part.values, strict=True)) for part in parts]
        return Result.text(paths, "partition")

    def show_tables(self, scanner: Scanner) -> Result:
        """SHOW TABLES [IN database]."""
        database = scanner.name() if scanner.keyword("IN") or scanner.keyword("FROM") else self.database
        scanner.end()
        return Result.text(self.catalog.tables(database), "tab_name")

    def show_databases(self, scanner: Scanner) -> Result:
        """SHOW DATABASES."""
        scanner.end()
        return Result.text(self.catalog.databases(), "database_name")

    def show_create_view(self, scanner: Scanner) -> Result:
        """SHOW CREATE VIEW name."""
        table = self._table(scanner)
        scanner.end()
        if table.view_sql is None:
            message = f"NOT_SUPPORTED: line 1:1: Relation '{table.full_name}' is a table, not a view"
            raise QueryFailedError(message)
        text = decode_view(self.catalog.raw(table.database, table.name).as_dict()["ViewOriginalText"])["originalSql"]
        return Result.text([f"CREATE VIEW {table.database}.{table.name} AS", *text.splitlines()], "create view")

    def _drop(self, scanner: Scanner, *, view: bool) -> Result:
        lenient = scanner.keyword("IF", "EXISTS")
        database, name = scanner.table_name(self.database)
        scanner.end()
        found = self.catalog.find(database, name)
        if found is None and not lenient:
            message = f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}"
            raise QueryFailedError(message)
        if found is not None and (found.view_sql is not None) != view:
            message = f"FAILED: SemanticException: {name} is a {'table' if view else 'view'}"
            raise QueryFailedError(message)
        if found is not None:
            self.catalog.drop_table(database, name)
        return Result.text([])

    def _table(self, scanner: Scanner) -> Table:
        database, name = scanner.table_name(self.database)
        found = self.catalog.find(database, name)
        if found is None:
            message = f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}"
            raise QueryFailedError(message)
        return found

    def _input(self, table: Table) -> dict[str, object]:
        stored = self.catalog.raw(table.database, table.name).as_dict()
        return {
            k: v
            for k, v in stored.items()
            if k not in ("DatabaseName", "CreateTime", "UpdateTime", "VersionId", "CatalogId")
        }


def _table_input(name: str, scanner: Scanner) -> dict[str, object]:
    columns = scanner.columns()
    comment = scanner.string() if scanner.keyword("COMMENT") else None
    keys = scanner.columns() if scanner.keyword("PARTITIONED", "BY") else []
    if {column["Name"] for column in columns} & {key["Name"] for key in keys}:
        message = "FAILED: SemanticException [Error 10035]: Column repeated in partitioning columns"
        raise QueryFailedError(message)
    if not scanner.keyword("STORED", "AS", "PARQUET"):
        message = f"a table that is not STORED AS PARQUET: {scanner.rest()[:40]}"
        raise NotSimulatedError(message)
    scanner.expect("LOCATION")
    location = _location(scanner)
    properties = scanner.pairs() if scanner.keyword("TBLPROPERTIES") else {}
    scanner.end()
    return {
        "Name": name,
        "Description": comment,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": keys,
        "Parameters": {"EXTERNAL": "TRUE"} | properties,
        "StorageDescriptor": {"Columns": columns, "Location": location, **PARQUET},
    }


def _location(scanner: Scanner) -> str:
    location = scanner.string()
    if not location.startswith("s3://"):
        message = f"FAILED: SemanticException: LOCATION must be a path in S3 (s3://bucket/folder/): {location}"
        raise QueryFailedError(message)
    return location


def _values(table: Table, pairs: dict[str, str]) -> tuple[str, ...]:
    if sorted(pairs) != sorted(table.keys):
        message = f"FAILED: SemanticException Partition spec {{{', '.join(pairs)}}} contains non-partition columns"
        raise QueryFailedError(message)
    return tuple(pairs[key] for key in table.keys)


STATEMENTS: list[tuple[tuple[str, ...], Callable[[Ddl, Scanner], Result]]] = [
    (("CREATE", "(?:DATABASE|SCHEMA)"), Ddl.create_database),
    (("DROP", "(?:DATABASE|SCHEMA)"), Ddl.drop_database),
    (("CREATE", "EXTERNAL", "TABLE"), Ddl.create_table),
    (("CREATE", "TABLE"), Ddl.refuse_managed_table),
    (("ALTER", "TABLE"), Ddl.alter_table),
    (("MSCK", "REPAIR", "TABLE"), Ddl.repair_table),
    (("DROP", "TABLE"), Ddl.drop_table),
    (("DROP", "VIEW"), Ddl.drop_view),
    (("SHOW", "PARTITIONS"), Ddl.show_partitions),
    (("SHOW", "TABLES"), Ddl.show_tables),
    (("SHOW", "(?:DATABASES|SCHEMAS)"), Ddl.show_databases),
    (("SHOW", "CREATE", "VIEW"), Ddl.show_create_view),
]
ALTERATIONS: list[tuple[tuple[str, ...], Callable[[Ddl, Table, Scanner], Result]]] = [
    (("ADD", "COLUMNS"), Ddl.add_columns),
    (("ADD",), Ddl.add_partition),
    (("DROP",), Ddl.drop_partition),
    (("SET", "TBLPROPERTIES"), Ddl.set_properties),
]
