"""MSCK REPAIR TABLE: registers folders that look like partitions. It only adds, and it is silent about much."""

from __future__ import annotations

from urllib.parse import unquote

from sandbox.aws.athena.catalog import Catalog, Partition, Table, split_location


def repair(catalog: Catalog, table: Table) -> list[str]:
    """Register the partitions found below the table's location; return the lines that Athena prints."""
    found = _on_s3(catalog, table)
    registered = {part.values for part in catalog.partitions(table)}
    missing = [part for values, part in sorted(found.items()) if values not in registered]
    gone = sorted(registered - set(found))
    catalog.add_partitions(table, missing)
    lines = []
    if missing:
        lines.append("Partitions not in metastore:\t" + "\t".join(_name(table, part.values) for part in missing))
    if gone:
        lines.append("Partitions missing from filesystem:\t" + "\t".join(_name(table, values) for values in gone))
    return lines + [f"Repair: Added partition to metastore {_name(table, part.values)}" for part in missing]


def _on_s3(catalog: Catalog, table: Table) -> dict[tuple[str, ...], Partition]:
    bucket, prefix = split_location(table.location)
    found: dict[tuple[str, ...], Partition] = {}
    for key in catalog.storage.objects.names(bucket, prefix):
        parts = key[len(prefix) :].split("/")
        values = _values(parts, list(table.keys))
        if values is not None:
            folder = "/".join(parts[: len(table.keys)])
            found.setdefault(values, Partition(values, f"{table.location}{folder}/"))
    return found


def _values(parts: list[str], keys: list[str]) -> tuple[str, ...] | None:
    """Return the values of a path, or None where Athena passes over it in silence."""
    if len(parts) <= len(keys) or any(part.startswith(("_", ".")) for part in parts):
        return None
    values = []
    for part, key in zip(parts, keys, strict=False):
        name, equals, value = part.partition("=")
        # The key must be written in lower case; a colon in the value, also an escaped one, is skipped.
        if not equals or name != key or ":" in unquote(value) or not value:
            return None
        values.append(unquote(value))
    return tuple(values)


def _name(table: Table, values: tuple[str, ...]) -> str:
    return f"{table.name}:" + "/".join(f"{key}={value}" for key, value in zip(table.keys, values, strict=True))
