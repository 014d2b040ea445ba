"""Records as typed structs: one compiled reading per record, which knows every member of the stream by name.

A record that is what the schema says becomes a struct without a Python dict in between; its collections
stay the bytes that were received. Whatever is otherwise (a value of another type, a member that nobody
knows, a lone surrogate) makes the reading refuse that record, and `flatten` takes it.

Members that Graph has added since the schema was written stand in every record. They are learned from
the first records that are refused, so that the others need not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw

from entra_lake.flatten import ABSENT, RECORD, Record, Row, Tree, column_tree, flatten, parse_record
from entra_lake.schema import Stream, Type
from entra_lake.structs import Paths, Struct, make_node, renew, struct_name, struct_of_row

#: A record's received bytes, or a view of them.
Line = bytes | memoryview

#: Refused records that are looked at to learn members from, at one time.
GROUP = 32
_FIRST_LOOK = 256
#: More unknown members than that are no schema of Graph's, and each costs a little in every record.
MOST_LEARNED = 64
_Refused = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NAME = re.compile(r"[^\x00-\x1f\"\\]+")


class Shape:
    """How a stream's records are read; it learns members that its schema does not know."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._learned: Paths = frozenset()
        self._has_looked = False
        #: What was noted on a record to its `extra_json`.
        self.leftovers: dict[tuple[tuple[tuple[str, ...], str], ...], str] = {}
        self._use(self._learned)
        #: What gives a struct's id and the text of its time; members that are learned stand behind them.
        self.get_id = attrgetter(struct_name(self.node.names.index("id")))
        self.get_time = attrgetter(struct_name(self.node.names.index(stream.time_field)))

    @property
    def learned(self) -> Paths:
        """Return the paths of the members that were learned."""
        return self._learned

    def read(self, lines: Sequence[Line]) -> list[Struct | None]:
        """Return each record as a struct of `node`; None for those that must be taken one by one.

        Structs of earlier calls may lack the fields that this call learns: put them into `renew`.
        """
        if not self._has_looked:
            self._look(lines[:_FIRST_LOOK])
        found = _decode(self._decoder, lines)
        refused = [number for number, item in enumerate(found) if item is None]
        while refused and self._learn(lines[number] for number in refused[:GROUP]):
            again = _decode(self._decoder, [lines[number] for number in refused])
            for number, item in zip(refused, again, strict=True):
                found[number] = item
            refused = [number for number in refused if found[number] is None]
        if not set(map(type, found)) <= {self.node.kind, type(None)}:
            found = [item if item is None else self.renew(item) for item in found]
        return found

    def read_quickly(self, lines: Sequence[Line]) -> list[Struct | None]:
        """Return what `read` does, plain records as the node's plain struct."""
        if not self._has_looked:
            self._look(lines[:_FIRST_LOOK])
        node, found = self.node, _decode(self._plain_decoder, lines)
        if None not in found:
            return found
        odd = [number for number, item in enumerate(found) if item is None]
        for number, item in zip(odd, self.read([lines[number] for number in odd]), strict=True):
            found[number] = item
        return found if self.node is node else self.read_quickly(lines)  # the plain ones lack what was learned

    def renew(self, item: Struct) -> Struct:
        """Return the struct with the fields that were learned since it was read."""
        return item if type(item) in self.node.kinds else renew(item, self.node)

    def of_row(self, row: Mapping[str, Any]) -> Struct:
        """Return the struct whose columns hold what the row holds."""
        return struct_of_row(self.node, row)

    def _use(self, learned: Paths) -> None:
        self._learned = learned
        tree = column_tree(self.stream)
        self.node = make_node(tree, learned, "Record")
        self._decoder: msgspec.json.Decoder[Struct] = msgspec.json.Decoder(self.node.kind)
        self._plain_decoder: msgspec.json.Decoder[Struct] = msgspec.json.Decoder(self.node.plain)

    def _look(self, lines: Sequence[Line]) -> None:
        """Learn from the first records, before many are read without what these teach."""
        self._has_looked = True
        found = _decode(self._decoder, lines)
        while self._learn([line for line, item in zip(lines, found, strict=True) if item is None][:GROUP]):
            found = _decode(self._decoder, lines)

    def _learn(self, lines: Iterable[Line]) -> bool:
        """Tell whether these refused records have taught a member."""
        tree = column_tree(self.stream)
        new = {path for line in lines for path in _unknown(_parsed(bytes(line)), tree, ())} - self._learned
        chosen = sorted(new)[: MOST_LEARNED - len(self._learned)]
        if chosen:
            self._use(self._learned.union(chosen))
        return bool(chosen)


def _decode(decoder: msgspec.json.Decoder[Struct], lines: Iterable[Line]) -> list[Struct | None]:
    """Read the lines, None for refused ones: a refused line costs no other a second reading."""
    decode = decoder.decode
    found: list[Struct | None] = []
    for line in lines:
        try:
            found.append(decode(line))
        except _Refused:
            found.append(None)
    return found


def received_texts(line: bytes, stream: Stream) -> dict[str, str]:
    """Return the collections of a record as they were received: column name to JSON text.

    None of a record that is not strictly JSON: their text is then written anew.
    """
    columns = [column for column in stream.stored_columns if column.type is Type.JSON]
    try:
        found = ((column.name, _text_at(line, column.keys)) for column in columns)
        return {name: text for name, text in found if text is not None}
    except _Refused:
        return {}


def _text_at(line: bytes, keys: tuple[str, ...]) -> str | None:
    value = bytes(line)
    for key in keys:
        if not value.lstrip().startswith(b"{"):
            return None
        members = _MEMBERS.decode(value)
        if key not in members:
            return None
        value = bytes(members[key])
    return value.decode() if value.startswith(b"[") else None


_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def _parsed(line: bytes) -> Record:
    try:
        return parse_record(line)
    except (ValueError, RecursionError):
        return {}


def _unknown(record: Mapping[str, Any], tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in record.items():
        inner = tree.get(key)
        if inner is None:
            if _NAME.fullmatch(key) and key not in {ABSENT, RECORD} and _is_encodable(key):
                yield (*path, key)
        elif isinstance(inner, dict) and isinstance(value, dict):
            yield from _unknown(value, inner, (*path, key))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def slow_row(line: bytes, stream: Stream) -> Row:
    """Return a record's row as `flatten` gives it, with its collections as they were received where that can be."""
    row = flatten(parse_record(line), stream)
    row.update({name: text for name, text in received_texts(line, stream).items() if row[name] is not None})
    return row
