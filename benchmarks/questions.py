"""The questions of include/sql, asked of a made day: which columns of which stream each needs, and what those take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.made_raw import DAY
from entra_lake.connections import read_connection
from entra_lake.lake import Lake, open_lake
from entra_lake.settings import LakeSettings, include_folder
from entra_lake.sql import render
from entra_lake.tables import prepare
from sandbox.aws.athena.catalog import Catalog
from sandbox.aws.athena.engine import Engine
from sandbox.environment import environment
from sandbox.serve import Sandbox

#: Stream to the columns that a question needs of it.
Needed = Mapping[str, frozenset[str]]
#: What each question needs to be told beside its days.
_TOLD = {
    "user": ("user_history", "user_addresses"),
    "address": ("address_history", "address_users"),
    "event_id": ("events_by_id",),
    "text": ("search_names",),
}
#: Questions about what detections have found: they read no log.
_NOT_OF_LOGS = ("findings", "findings_by_rule")


@dataclass
class Asked:
    """A lake in the simulated AWS, and the engine that answers its questions."""

    lake: Lake
    cloud: Sandbox

    def statement(self, name: str, values: Mapping[str, str], day: date = DAY) -> str:
        """Return the SQL of a question for one day."""
        told = {key: values[key] for key, names in _TOLD.items() if name in names}
        database = self.lake.settings.database
        return render(f"dashboards/{name}.sql", database=database, first_day=day, last_day=day, **told)

    def needed(self, statement: str) -> Needed:
        """Return the columns that a statement needs of each stream."""
        engine = Engine(Catalog(self.cloud.aws.storage), self.lake.settings.database, self.cloud.clock.now)
        query = engine.check(statement)
        return {
            table.removesuffix("_history"): frozenset(query.checked.needed_of((database, table)))
            for database, table in query.tables
        }


def names() -> list[str]:
    """Return the dashboards' questions of logs."""
    found = sorted(path.stem for path in (include_folder() / "sql" / "dashboards").glob("*.sql"))
    return [name for name in found if name not in _NOT_OF_LOGS]


@contextmanager
def asking(folder: Path) -> Iterator[Asked]:
    """Start the simulated AWS and make an empty lake's tables and views in it."""
    now = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), UTC)
    with Sandbox(folder, seed=7, now=now, sign_ins_per_day=1, throttled=False) as cloud:
        variables = environment(cloud.state.folder)
        lake = open_lake(LakeSettings(bucket="entra-lake"), get_connection=lambda key: read_connection(key, variables))
        prepare(lake)
        yield Asked(lake, cloud)


def busy_values(sign_ins: Path) -> dict[str, str]:
    """Return a user and an address of the middle of those that occur at all, and an id: what look-ups are told."""
    table = pq.read_table(sign_ins, columns=["user_principal_name", "ip_address", "id"])
    middle = {name: _middle(table[name].to_pylist()) for name in ("user_principal_name", "ip_address")}
    return {
        "user": middle["user_principal_name"],
        "address": middle["ip_address"],
        "event_id": table["id"][table.num_rows // 2].as_py(),
        "text": middle["user_principal_name"][:4],
    }


def _middle(values: list[str]) -> str:
    ranked = Counter(value for value in values if value).most_common()
    return ranked[len(ranked) // 2][0]


def bytes_read(path: Path, columns: frozenset[str], only: tuple[str, Any] | None = None) -> int:
    """Return the size of the chunks of these columns.

    :param only: a column and a value: row groups whose statistics tell that they do not hold it are left out.
    """
    metadata = pq.read_metadata(path)
    size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = [group.column(index) for index in range(group.num_columns)]
        if only is None or _may_hold(chunks, *only):
            size += sum(c.total_compressed_size for c in chunks if c.path_in_schema.split(".")[0] in columns)
    return size


def _may_hold(chunks: list[Any], column: str, value: str) -> bool:
    facts = next(chunk.statistics for chunk in chunks if chunk.path_in_schema == column)
    return not facts or not facts.has_min_max or bool(facts.min <= value <= facts.max)
