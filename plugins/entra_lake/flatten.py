"""One record to one flat row, and back: `unflatten(flatten(record)) == record`.

The columns hold what fits. What does not fit goes to `extra_json`, which keeps Graph's nesting so
that `json_extract_scalar(extra_json, '$.newField')` finds a member that no column knows. Putting
the columns together and merging `extra_json` over them gives the record again:

* a NULL column stands for a member that is null (left out, where the column is `optional`);
* an object whose columns are all NULL stands for null;
* `"@absent"` in `extra_json` lists declared members that the record leaves out;
* `"@record"` holds the whole record where its own names would be mistaken for these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from entra_lake.json_text import json_text, parse_json
from entra_lake.schema import Column, Stream, Type

Record = dict[str, Any]
Row = dict[str, Any]
#: A stream's columns by Graph's nesting: a member is a column, or an object of members.
Tree = dict[str, "Column | Tree"]

ABSENT = "@absent"
RECORD = "@record"

_INT32 = range(-(2**31), 2**31)
#: Beyond it a double no longer tells neighbouring integers apart.
_EXACT_IN_DOUBLE = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def flatten(record: Mapping[str, Any], stream: Stream) -> Row:
    """Return the record as one value per column of the stream, and `extra_json`.

    Never fails on a record, whatever its members are; nothing of it is lost.

    :param record: the record as parsed JSON.
    :returns: column name to value; `extra_json` is None when the columns hold everything.
    """
    row: Row = dict.fromkeys(_column_names(stream))
    if ABSENT in record or RECORD in record:
        extra: Record = {RECORD: dict(record)}
        _fill(record, column_tree(stream), row, [], "")
    else:
        absent: list[str] = []
        extra = _fill(record, column_tree(stream), row, absent, "")
        if absent:
            extra[ABSENT] = absent
    for column in stream.derived_columns:
        row[column.name] = strings(record, column.keys)
    row["extra_json"] = json_text(extra, sort_keys=True) if extra else None
    return row


def unflatten(row: Mapping[str, Any], stream: Stream) -> Record:
    """Return the record that `flatten` made the row from, as parsed JSON."""
    text = row.get("extra_json")
    extra = parse_json(text) if text else {}
    if RECORD in extra:
        whole: Record = extra[RECORD]
        return whole
    record = _build(column_tree(stream), row)
    for path in extra.pop(ABSENT, ()):
        _remove(record, path.split("."))
    merged: Record = _merge(record, extra)
    return merged


def replace_id(row: Row, record_id: str) -> None:
    """Give a row whose record has no usable id one that tells it from others; `unflatten` still gives the record."""
    extra = parse_json(row["extra_json"] or "{}")
    if RECORD not in extra and "id" not in (*extra.get(ABSENT, ()), *extra):
        extra["id"] = row["id"]
    row["id"] = record_id
    row["extra_json"] = json_text(extra, sort_keys=True)


@cache
def column_tree(stream: Stream) -> Tree:
    """Return the stream's stored columns by Graph's nesting."""
    tree: Tree = {}
    for column in stream.stored_columns:
        branch: Any = tree
        for key in column.keys[:-1]:
            branch = branch.setdefault(key, {})
        branch[column.keys[-1]] = column
    return tree


def parse_record(line: bytes | str) -> Record:
    """Return one record as parsed JSON.

    :raises ValueError: when the bytes are not one JSON object in UTF-8; NaN and Infinity are no JSON.
    """
    record = parse_json(line if isinstance(line, str) else line.decode())
    if not isinstance(record, dict):
        message = f"expected a JSON object, got {type(record).__name__}"
        raise ValueError(message)  # noqa: TRY004 - one error for whatever is wrong with the text
    return record


def parse_time(value: object) -> int | None:
    """Return a Graph time as milliseconds since 1970 UTC, digits beyond them cut off; None if it is none.

    Graph sends 0 to 7 digits behind the second.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def extra_paths(extra: Mapping[str, Any], stream: Stream) -> Iterator[tuple[str, str]]:
    """Name what `extra_json` holds, for the drift report.

    :returns: pairs of a path and what is unusual there: `unknown` (no column for it), `type` (its column
        could not take it) or `names` (the record uses our reserved names).
    """
    if RECORD in extra:
        yield RECORD, "names"
        return
    yield from _paths({key: value for key, value in extra.items() if key != ABSENT}, column_tree(stream), "")


def _paths(extra: Mapping[str, Any], tree: Tree, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in extra.items():
        node = tree.get(key)
        path = prefix + key
        if node is None:
            yield path, "unknown"
        elif isinstance(node, dict) and isinstance(value, dict):
            yield from _paths(value, node, f"{path}.")
        elif value is not None and not (_is_double(node) and type(value) is int):  # 47 for 47.0 is no drift
            yield path, "type"


def _is_double(node: Column | Tree) -> bool:
    return isinstance(node, Column) and node.type is Type.DOUBLE


def _fill(record: Mapping[str, Any], tree: Tree, row: Row, absent: list[str], prefix: str) -> Record:
    """Put into the row what its columns can hold; return the rest."""
    rest: Record = {}
    for key, node in tree.items():
        if key not in record:
            if isinstance(node, dict) or not node.optional:
                absent.append(prefix + key)
        elif isinstance(node, dict):
            _fill_object(key, record[key], node, row, absent, prefix, rest)
        else:
            row[node.name], is_exact = hold(node, record[key])
            if not is_exact:
                rest[key] = record[key]
    if len(record) > len(tree) or not record.keys() <= tree.keys():
        rest.update((key, value) for key, value in record.items() if key not in tree)
    return rest


def _fill_object(  # noqa: PLR0913, PLR0917 - one step of a recursion over two trees
    key: str, value: object, tree: Tree, row: Row, absent: list[str], prefix: str, rest: Record
) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        rest[key] = value
        return
    inner_absent: list[str] = []
    inner_rest = _fill(value, tree, row, inner_absent, f"{prefix}{key}.")
    if all(row[column.name] is None for column in _leaves(tree)):
        rest[key] = value  # its columns alone would stand for null
        return
    absent.extend(inner_absent)
    if inner_rest:
        rest[key] = inner_rest


def hold(column: Column, value: Any) -> tuple[Any, bool]:  # noqa: ANN401 - any JSON value
    """Return what the column takes of the value, and whether that is all of it."""
    if value is None:
        return None, not column.optional
    return _HOLDERS[column.type](value)


def _hold_string(value: Any) -> tuple[Any, bool]:  # noqa: ANN401
    if not isinstance(value, str):
        return None, False
    return _encodable(value)


def _encodable(value: str) -> tuple[str, bool]:
    if value.isascii():
        return value, True
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), False
    return value, True


def _hold_int(value: Any) -> tuple[Any, bool]:  # noqa: ANN401
    fits = type(value) is int and value in _INT32
    return (value if fits else None), fits


def _hold_double(value: Any) -> tuple[Any, bool]:  # noqa: ANN401
    if isinstance(value, float):
        return value, True
    if type(value) is int and abs(value) <= _EXACT_IN_DOUBLE:
        return float(value), False  # queries want the number; `extra_json` keeps that it was written as 47
    return None, False


def _hold_boolean(value: Any) -> tuple[Any, bool]:  # noqa: ANN401
    fits = isinstance(value, bool)
    return (value if fits else None), fits


def _hold_json(value: Any) -> tuple[Any, bool]:  # noqa: ANN401
    fits = isinstance(value, list)
    return (json_text(value) if fits else None), fits


_HOLDERS = {
    Type.STRING: _hold_string,
    Type.INT: _hold_int,
    Type.DOUBLE: _hold_double,
    Type.BOOLEAN: _hold_boolean,
    Type.JSON: _hold_json,
}


def strings(value: object, keys: tuple[str, ...]) -> list[str] | None:
    """Return every text below a path that may lead through lists; None where the path leads nowhere."""
    found = list(_walk(value, keys))
    texts = [_encodable(value)[0] for value in found if isinstance(value, str)]
    return texts if found else None


def _walk(value: Any, keys: tuple[str, ...]) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, keys)
    elif not keys:
        yield value
    elif isinstance(value, dict) and keys[0] in value:
        yield from _walk(value[keys[0]], keys[1:])


def _build(tree: Tree, row: Mapping[str, Any]) -> Record:
    record: Record = {}
    for key, node in tree.items():
        if isinstance(node, dict):
            inner = _build(node, row) if any(row.get(c.name) is not None for c in _leaves(node)) else None
            record[key] = inner
        else:
            value = row.get(node.name)
            if value is not None or not node.optional:
                record[key] = parse_json(value) if node.type is Type.JSON and value is not None else value
    return record


def _leaves(tree: Tree) -> Iterator[Column]:
    for node in tree.values():
        if isinstance(node, dict):
            yield from _leaves(node)
        else:
            yield node


def _merge(base: Any, patch: Any) -> Any:  # noqa: ANN401
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        merged[key] = _merge(merged.get(key), value)
    return merged


def _remove(record: Record, keys: list[str]) -> None:
    for key in keys[:-1]:
        record = record[key]
    record.pop(keys[-1], None)


@cache
def _column_names(stream: Stream) -> tuple[str, ...]:
    return tuple(column.name for column in stream.columns)
