"""Glue's catalogue, SSM's parameters and Athena's work groups on disk, as JSON files that a person can read.

    glue/<database>/database.json
    glue/<database>/<table>/table.json
    glue/<database>/<table>/partitions/<values>.json
    ssm/<name>.json                                    every version of one parameter

A save writes what differs from the last save, and removes what is gone.
"""

# ruff: noqa: SLF001 - moto gives no public way to its versions and parameters
from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.glue.models import FakeDatabase, FakePartition, FakeTable, glue_backends
from moto.ssm.models import Parameter, ssm_backends

from sandbox.aws.objects import file_name, write_atomically

PARAMETER_FIELDS = (
    "name", "parameter_type", "description", "allowed_pattern", "keyid", "version", "data_type", "labels", "tier",
    "policies",
)  # fmt: skip


class Documents:
    """The catalogue and the parameters of one account, written through to a folder."""

    def __init__(self, folder: Path, account: str, region: str) -> None:
        """Keep documents under `folder`."""
        self.folder = folder
        self.account = account
        self.region = region
        self._written: dict[Path, Any] = {}

    @property
    def glue(self) -> Any:
        """Return moto's Glue of this account."""
        return glue_backends[self.account][self.region]

    @property
    def ssm(self) -> Any:
        """Return moto's SSM of this account."""
        return ssm_backends[self.account][self.region]

    def save_glue(self) -> None:
        """Write the databases, tables and partitions that changed."""
        root = self.folder / "glue"
        _drop_missing(root, set(self.glue.databases))
        for name, database in self.glue.databases.items():
            folder = root / file_name(name)
            self._write(folder / "database.json", {"name": name, "input": database.input})
            _drop_missing(folder, set(database.tables))
            for table in database.tables.values():
                self._save_table(folder / file_name(table.name), table)

    def _save_table(self, folder: Path, table: FakeTable) -> None:
        self._write(folder / "table.json", {
            "name": table.name, "version": table._current_version,
            "input": table.get_version(str(table._current_version)), "created": table.created_time.isoformat(),
        })  # fmt: skip
        partitions = folder / "partitions"
        wanted = {file_name("/".join(part.values)) + ".json": part for part in table.partitions.values()}
        for name, part in wanted.items():
            # Comparing the object spares a thousand comparisons of texts for each partition that is added.
            if self._written.get(partitions / name) is not part:
                text = {"input": part.partition_input, "created": part.creation_time.isoformat()}
                self._store(partitions / name, json.dumps(text))
                self._written[partitions / name] = part
        for path in partitions.glob("*.json"):
            if path.name not in wanted:
                self._remove(path)

    def save_ssm(self) -> None:
        """Write the parameters that changed."""
        kept: set[str] = set()
        for name, versions in list(self.ssm._parameters.items()):
            if versions and not name.startswith("/aws/service/"):
                self._write(self.folder / "ssm" / f"{file_name(name)}.json", [_parameter(one) for one in versions])
                kept.add(f"{file_name(name)}.json")
        for path in (self.folder / "ssm").glob("*.json"):
            if path.name not in kept:
                self._remove(path)

    def load(self) -> None:
        """Read everything back into moto."""
        for path in sorted((self.folder / "glue").glob("*/database.json")):
            self._load_database(path)
        for path in (self.folder / "ssm").glob("*.json"):
            for stored in json.loads(path.read_bytes()):
                made = Parameter(
                    self.account, stored["name"], stored.pop("value"), stored["parameter_type"],
                    last_modified_date=datetime.fromisoformat(stored.pop("modified")),
                    **{name: stored[name] for name in PARAMETER_FIELDS if name not in ("name", "parameter_type")},
                )  # fmt: skip
                self.ssm._parameters[stored["name"]].append(made)

    def _load_database(self, path: Path) -> None:
        stored = json.loads(path.read_bytes())
        database = FakeDatabase(stored["name"], stored["input"], self.account)
        self.glue.databases[stored["name"]] = database
        for file in sorted(path.parent.glob("*/table.json")):
            found = json.loads(file.read_bytes())
            table = FakeTable(stored["name"], found["name"], found["input"], self.account)
            table._current_version = found["version"]
            table.versions = {str(found["version"]): found["input"]}
            table.created_time = datetime.fromisoformat(found["created"])
            database.tables[found["name"]] = table
            for partition in sorted((file.parent / "partitions").glob("*.json")):
                self._load_partition(table, partition)

    def _load_partition(self, table: FakeTable, path: Path) -> None:
        stored = json.loads(path.read_bytes())
        part = FakePartition(table.database_name, table.name, stored["input"])
        part.creation_time = datetime.fromisoformat(stored["created"])
        table.partitions[str(part.values)] = part
        self._written[path] = part

    def _write(self, path: Path, value: Any) -> None:
        known = json.dumps(value)  # without indent it is quick
        if self._written.get(path) != known or not path.exists():
            self._store(path, json.dumps(value, indent=1))
            self._written[path] = known

    def _store(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._written.pop(path, None)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    stored = {name: getattr(parameter, name) for name in PARAMETER_FIELDS}
    value = parameter.decrypt(parameter.value)
    return stored | {"value": value, "modified": parameter.last_modified_date.isoformat()}


def _drop_missing(folder: Path, names: set[str]) -> None:
    kept = {file_name(name) for name in names} | {"partitions"}
    for path in folder.glob("*/"):
        if path.name not in kept:
            shutil.rmtree(path)
