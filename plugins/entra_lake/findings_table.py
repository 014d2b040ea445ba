"""The table `findings`: rules write it, analysts and pages read it."""

from __future__ import annotations

from datetime import date
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.finding_columns import FINDING_COLUMNS, FINDINGS_COMMENT, FINDINGS_TABLE
from entra_lake.lake import Lake
from entra_lake.layout import FINDINGS_PREFIX, findings_prefix
from entra_lake.sql import render

#: Raise it when a column changes in a way that older code cannot live with.
_VERSION = 1


def shape_findings(lake: Lake) -> None:
    """Create the table, or give an older one the columns that it lacks."""
    names = {"database": lake.settings.database, "table": FINDINGS_TABLE}
    found = _catalogued(lake)
    if found is None:
        facts = {"columns": FINDING_COLUMNS, "comment": FINDINGS_COMMENT, "location": lake.store.url(FINDINGS_PREFIX)}
        lake.athena.run(render("tables/create_history_table.sql", **names, **facts, schema_version=_VERSION))
        return
    held = {column["Name"] for column in found.get("StorageDescriptor", {}).get("Columns", ())}
    if missing := [column for column in FINDING_COLUMNS if column.name not in held]:
        lake.athena.run(render("tables/add_columns.sql", **names, columns=missing))


def register_findings(lake: Lake, day: date) -> None:
    """Register the day's partition of findings in Athena."""
    names = {"database": lake.settings.database, "table": FINDINGS_TABLE}
    lake.athena.run(render("tables/add_partition.sql", **names, day=day, location=lake.store.url(findings_prefix(day))))


def _catalogued(lake: Lake) -> dict[str, Any] | None:
    try:
        answer = lake.glue.get_table(DatabaseName=lake.settings.database, Name=FINDINGS_TABLE)
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise map_error(error, f"Glue table {FINDINGS_TABLE}") from error
    except BotoCoreError as error:
        raise map_error(error, f"Glue table {FINDINGS_TABLE}") from error
    table: dict[str, Any] = answer["Table"]
    return table
