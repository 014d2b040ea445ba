"""The fast way to columns gives what `flatten` gives, cell by cell, whatever the records are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra_lake.columns import flat_columns
from entra_lake.flatten import column_tree, unflatten
from entra_lake.identity import canonical, identify
from entra_lake.json_text import json_text
from entra_lake.schema import Column, Stream, Type
from entra_lake.shape import MOST_LEARNED, Shape, slow_row
from entra_lake.streams import STREAMS
from record_shapes import members, values
from sandbox.tenant.records import encode

every_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
#: Ways to write one value: as Graph does, with blanks, escaped.
STYLES: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {"separators": (" ,", " : ")},
    {"ensure_ascii": False, "separators": (",", ":")},
)


def fast_rows(lines: Sequence[bytes], stream: Stream, shape: Shape | None = None) -> list[dict[str, Any]]:
    """Return the rows of the fast way."""
    shape = shape or Shape(stream)
    ids = [identify(line, stream).id for line in lines]
    flat = flat_columns(lines, shape.read(lines), ids, shape)
    columns = {name: array.to_pylist() for name, array in flat.columns.items()} | {"extra_json": flat.extra}
    return [{name: column[number] for name, column in columns.items()} for number in range(len(lines))]


def slow_rows(lines: Sequence[bytes], stream: Stream) -> list[dict[str, Any]]:
    """Return the rows that `flatten` gives, with collections as received; records without an id have none."""
    return [slow_row(line, stream) for line in lines]


def assert_equal(
    fast: list[dict[str, Any]], slow: list[dict[str, Any]], lines: Sequence[bytes], stream: Stream
) -> None:
    """Compare cell by cell; where an id was made up, that the record comes back."""
    for mine, theirs, line in zip(fast, slow, lines, strict=True):
        if theirs["id"] == identify(line, stream).id:
            assert {name: repr(mine[name]) for name in theirs} == {name: repr(cell) for name, cell in theirs.items()}
        assert canonical(unflatten(mine, stream)) == canonical(line)


def regular(stream: Stream, number: int) -> dict[str, Any]:
    """Return a record that is what the schema says."""
    return _regular(column_tree(stream), number)


def _regular(tree: dict[str, Any], number: int) -> dict[str, Any]:
    cells = {Type.STRING: f"text {number}", Type.INT: 5, Type.DOUBLE: 1.5, Type.BOOLEAN: True, Type.JSON: ["a"]}
    return {key: cells[node.type] if isinstance(node, Column) else _regular(node, number) for key, node in tree.items()}


@st.composite
def lines_of(draw: st.DrawFn, stream: Stream) -> list[bytes]:
    """Make a page of lines: regular records, records with anything in them, in any style, some bytes changed."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        record = regular(stream, number) if draw(st.booleans()) else {}
        record.update(draw(members(column_tree(stream))))
        if draw(st.booleans()):
            record["newField"] = draw(values)
        text = json_text(record) if draw(st.booleans()) else json.dumps(record, **draw(st.sampled_from(STYLES)))
        text = text.replace("Infinity", "1e999")
        found.append(text.encode("utf-8", "replace"))
    return found


@every_stream
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_fast_equals_slow(stream: Stream, data: st.DataObject) -> None:
    """Whatever a page holds, the fast way gives the same cells as the slow one, and loses nothing."""
    lines = data.draw(lines_of(stream))
    assert_equal(fast_rows(lines, stream), slow_rows(lines, stream), lines, stream)


@every_stream
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_what_was_learned_changes_no_cell(stream: Stream, data: st.DataObject) -> None:
    """A shape that has learned members of other pages gives the same cells as a fresh one."""
    shape = Shape(stream)
    fast_rows(data.draw(lines_of(stream)), stream, shape)
    lines = data.draw(lines_of(stream))
    assert_equal(fast_rows(lines, stream, shape), slow_rows(lines, stream), lines, stream)


def put(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        record = record[key]
    record[path[-1]] = value


HOSTILE_VALUES: dict[str, bytes] = {
    "absent": b"",
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "minus zero": b"-0",
    "minus zero as a fraction": b"-0.0",
    "whole": b"47",
    "fraction": b"1.5",
    "whole written as a fraction": b"1.0",
    "exponent": b"1e2",
    "one more than 32 bits": b"2147483648",
    "one more than 53 bits": b"9007199254740993",
    "64 bits": b"18446744073709551616",
    "more than a double": b"1e400",
    "smallest double": b"4.9e-324",
    "long number": b"9" * 5000,
    "long fraction": b"0." + b"3" * 400,
    "empty text": b'""',
    "text": b'"x"',
    "escaped text": b'"\\u00e9\\/\\ud83d\\ude00"',
    "bytes beyond ASCII": '"é😀\u2028"'.encode(),
    "lone surrogate": b'"\\ud800"',
    "pair in the wrong order": b'"\\udc00\\ud800"',
    "escaped null character": b'"\\u0000"',
    "raw control character": b'"\x01"',
    "tab": b'"\t"',
    "quotes and backslashes": b'"\\"\\\\"',
    "empty object": b"{}",
    "object of nulls": b'{"a":null}',
    "object": b'{"a":{"b":[1]}}',
    "empty list": b"[]",
    "list of nulls": b"[null]",
    "list of lists": b'[[{"id":"a"}]]',
    "list of objects": b'[{"id":"a","displayName":null},{"id":7}]',
    "list with blanks": b'[ {"id" : "a"} ]',
    "list with a surrogate": b'["\\ud800"]',
    "list with doubled members": b'[{"id":"a","id":"b"}]',
    "list with a long number": b"[" + b"1" * 5000 + b"]",
    "list with huge numbers": b"[1e400,-1e400]",
    "7 digits": b'"2026-11-22T12:54:12.5603524Z"',
    "year 1": b'"0001-01-01T00:00:00Z"',
    "deep": b"[" * 60 + b"]" * 60,
}


@every_stream
@pytest.mark.parametrize("kind", HOSTILE_VALUES)
def test_hostile_values(stream: Stream, kind: str) -> None:
    """Each hostile value, at each place of a record and beside regular records, gives the cells of the slow way."""
    mark = b'"\\u0000here"'
    lines = [encode(regular(stream, 0))]
    for path in places(column_tree(stream)):
        record = regular(stream, 1)
        put(record, path, "\0here")
        line = encode(record)
        if kind == "absent":
            name = json.dumps(path[-1]).encode()
            line = line.replace(name + b":" + mark + b",", b"").replace(b"," + name + b":" + mark, b"")
            line = line.replace(name + b":" + mark, b"")
        lines.append(line.replace(mark, HOSTILE_VALUES[kind]))
    assert_equal(fast_rows(lines, stream), slow_rows(lines, stream), lines, stream)


def places(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every member that a column or an object is made of, and of an unknown one in each object."""
    found = [(*path, "newField")]
    for key, node in tree.items():
        found.append((*path, key))
        if not isinstance(node, Column):
            found += places(node, (*path, key))
    return found


@every_stream
def test_doubled_members_give_the_last(stream: Stream) -> None:
    """Where a member stands twice, both ways take the last one, as every parser here does."""
    line = encode(regular(stream, 1))
    lines = [line[:-1] + b',"id":"second"}', b'{"id":"first",' + line[1:], line]
    rows = fast_rows(lines, stream)
    assert [row["id"] for row in rows] == ["second", "text 1", "text 1"]
    assert_equal(rows, slow_rows(lines, stream), lines, stream)


@every_stream
def test_a_new_member_in_every_record_keeps_to_the_fast_way(stream: Stream) -> None:
    """A member that Graph adds to all records, at any depth, is learned; only the first page looks twice."""
    lines = []
    for number in range(200):
        record = regular(stream, number)
        for path in places(column_tree(stream)):
            if path[-1] == "newField":
                put(record, path, number)
        lines.append(encode(record))
    shape = Shape(stream)
    assert None not in shape.read(lines)
    assert_equal(fast_rows(lines, stream, shape), slow_rows(lines, stream), lines, stream)


def test_endless_new_members_are_not_learned() -> None:
    """A tenant whose records hold ever new members costs time, and no more memory than any other."""
    stream = STREAMS["sign_ins"]
    lines = [encode({**regular(stream, 1), f"new{number}": number}) for number in range(300)]
    shape = Shape(stream)
    for start in range(0, 300, 50):
        shape.read(lines[start : start + 50])
    assert len(shape.learned) == MOST_LEARNED
    assert_equal(fast_rows(lines, stream, shape), slow_rows(lines, stream), lines, stream)


def test_collections_stay_as_received() -> None:
    """The JSON text of a collection is what Graph sent, to the byte; only what is no strict JSON is written anew."""
    stream = STREAMS["directory_audits"]
    sent = [b'[ {"a" : 1.10, "b":"\\u00e9"} ]', b'["\\ud800"]', b"[\n]"]
    lines = [
        encode(regular(stream, 1)).replace(b'"targetResources":["a"]', b'"targetResources":' + text) for text in sent
    ]
    cells = [row["target_resources_json"] for row in fast_rows(lines, stream)]
    assert cells == [sent[0].decode(), '["\\ud800"]', "[\n]"]


def test_the_order_of_records_changes_no_cell() -> None:
    """What a record's row is does not depend on the records around it."""
    stream = STREAMS["sign_ins"]
    lines = [encode({**regular(stream, number), **({"new": number} if number % 3 else {})}) for number in range(100)]
    lines += [encode({"id": f"x{number}", "status": number}) for number in range(50)]
    expected = dict(zip(lines, fast_rows(lines, stream), strict=True))
    Random(3).shuffle(lines)
    assert fast_rows(lines, stream) == [expected[line] for line in lines]
