"""prepare and repair_partitions: the tables and views of a lake, and their partitions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.errors import ConfigurationError
from entra_lake.expiry import drop_expired
from entra_lake.findings_table import shape_findings
from entra_lake.lake import Lake, claim_lake
from entra_lake.layout import partition_prefix, table_prefix
from entra_lake.schema import Stream
from entra_lake.sql import render
from entra_lake.views import View, in_order, read_views

#: Raise it when tables or views change in a way that older code cannot live with.
SCHEMA_VERSION = 2
_VERSION_PROPERTY = "entra_lake.schema_version"
_VIEW_PROPERTY = "entra_lake.view_sha256"
_VIEWS_PROPERTY = "entra_lake.views_sha256"


def prepare(lake: Lake) -> dict[str, Any]:
    """Claim the lake for its tenant, and bring its tables and views to this version of the code.

    One task per run does it, before any other: tables have one owner. A plain folder has no tables.

    :returns: what lake.json holds.
    :raises WrongTenantError: when the lake belongs to another tenant.
    :raises ConfigurationError: when bucket or workgroup are missing, or newer code shaped the tables.
    """
    if lake.to_dir:
        return claim_lake(lake)
    _check_bucket(lake)
    facts = claim_lake(lake)
    lake.athena.check()
    _make_database(lake)
    for stream in lake.streams:
        shape_table(lake, stream)
        drop_expired(lake, stream)
    shape_findings(lake)
    shape_views(lake)
    return facts


def repair_partitions(lake: Lake, stream: Stream, day: date, *, full: bool = False) -> None:
    """Register the day's partition in Athena; in a plain folder there is nothing to register.

    :param full: look at all of S3 instead (`MSCK REPAIR TABLE`): after a first creation or a recovery.
    """
    if lake.to_dir:
        return
    names = {"database": lake.settings.database, "table": stream.history_table}
    if full:
        lake.athena.run(render("tables/repair_partitions.sql", **names))
    location = lake.store.url(partition_prefix(stream, day))
    lake.athena.run(render("tables/add_partition.sql", **names, day=day, location=location))


def shape_table(lake: Lake, stream: Stream) -> None:
    """Create the stream's table and view, or give an older table what it lacks."""
    table = _table(lake, stream)
    if table is None:
        lake.athena.run(_create_statement(lake, stream))
        table = _table(lake, stream) or {}
    _refuse_newer(table, stream)
    _add_columns(lake, stream, table)
    _replace_view(lake, stream, table)


def shape_views(lake: Lake) -> None:
    """Create the analysts' views for which the lake has the streams, or bring them to this version of the code.

    Views keep no properties of their own, so the first stream's table notes what they were made from.
    """
    views = in_order([view for view in read_views() if view.is_for(lake.settings.streams)])
    statements = {view.name: _create_view(lake, view) for view in views}
    properties = {_VIEWS_PROPERTY: _sha256("\n".join(statements.values()))}
    held = (_table(lake, lake.streams[0]) or {}).get("Parameters", {})
    if properties.items() <= held.items() and all(_catalogued(lake, name) for name in statements):
        return
    for statement in statements.values():
        lake.athena.run(statement)
    names = {"database": lake.settings.database, "table": lake.streams[0].history_table}
    lake.athena.run(render("tables/set_properties.sql", **names, properties=properties))


def _check_bucket(lake: Lake) -> None:
    try:
        lake.aws.client("s3").head_bucket(Bucket=lake.settings.bucket)
    except ClientError as error:
        if str(error.response["Error"]["Code"]) in {"404", "NoSuchBucket"}:
            message = (
                f"Bucket {lake.settings.bucket!r} does not exist. Make it, or correct `bucket` in include/lakes.yaml."
            )
            raise ConfigurationError(message) from error
        raise map_error(error, f"s3://{lake.settings.bucket}") from error
    except BotoCoreError as error:
        raise map_error(error, f"s3://{lake.settings.bucket}") from error


def _make_database(lake: Lake) -> None:
    """Create the database where it is missing: CloudFormation makes it in production, so this asks first."""
    try:
        lake.glue.get_database(Name=lake.settings.database)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise map_error(error, f"Glue database {lake.settings.database}") from error
        lake.athena.run(render("tables/create_database.sql", database=lake.settings.database))
    except BotoCoreError as error:
        raise map_error(error, f"Glue database {lake.settings.database}") from error


def _table(lake: Lake, stream: Stream) -> dict[str, Any] | None:
    return _catalogued(lake, stream.history_table)


def _catalogued(lake: Lake, name: str) -> dict[str, Any] | None:
    """Return what Glue says of a table or view; None where there is none of this name."""
    try:
        answer = lake.glue.get_table(DatabaseName=lake.settings.database, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise map_error(error, f"Glue table {name}") from error
    except BotoCoreError as error:
        raise map_error(error, f"Glue table {name}") from error
    table: dict[str, Any] = answer["Table"]
    return table


def _create_statement(lake: Lake, stream: Stream) -> str:
    return render(
        "tables/create_history_table.sql",
        database=lake.settings.database,
        table=stream.history_table,
        columns=stream.table_columns,
        comment=stream.description,
        location=lake.store.url(table_prefix(stream)),
        schema_version=SCHEMA_VERSION,
    )


def _refuse_newer(table: Mapping[str, Any], stream: Stream) -> None:
    version = int(table.get("Parameters", {}).get(_VERSION_PROPERTY, 0))
    if version > SCHEMA_VERSION:
        message = (
            f"Table {stream.history_table} was shaped by schema version {version}, and this code knows only "
            f"{SCHEMA_VERSION}. Upgrade Entra Lake; an older version must not write beside a newer one."
        )
        raise ConfigurationError(message)


def _add_columns(lake: Lake, stream: Stream, table: Mapping[str, Any]) -> None:
    held = {column["Name"] for column in table.get("StorageDescriptor", {}).get("Columns", ())}
    missing = [column for column in stream.table_columns if column.name not in held]
    if held and missing:
        names = {"database": lake.settings.database, "table": stream.history_table}
        lake.athena.run(render("tables/add_columns.sql", **names, columns=missing))


def _replace_view(lake: Lake, stream: Stream, table: Mapping[str, Any]) -> None:
    names = {"database": lake.settings.database, "table": stream.history_table}
    statement = render("tables/create_current_view.sql", **names, view=stream.name, columns=stream.table_columns)
    properties = {_VERSION_PROPERTY: str(SCHEMA_VERSION), _VIEW_PROPERTY: _sha256(statement)}
    held = table.get("Parameters", {})
    if properties.items() <= held.items():
        return
    if held.get(_VIEW_PROPERTY) != properties[_VIEW_PROPERTY]:
        lake.athena.run(statement)
    lake.athena.run(render("tables/set_properties.sql", **names, properties=properties))


def _create_view(lake: Lake, view: View) -> str:
    select = view.select(lake.settings.database, lake.settings.streams)
    return render("tables/create_view.sql", database=lake.settings.database, view=view.name, select=select)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
