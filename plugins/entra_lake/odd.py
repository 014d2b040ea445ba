"""What typed columns leave over of a record: its `extra_json`, made from what a walk over columns has noted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from entra_lake.flatten import ABSENT, Tree, column_tree
from entra_lake.json_text import json_text
from entra_lake.shape import Shape
from entra_lake.structs import Node, Struct, light_object, parse_value

#: The names that lead to a member.
Path = tuple[str, ...]

_MOST_KNOWN = 10_000  # attackers may make all of them differ
_IS_ABSENT = "absent"
_IS_WHOLE = "whole"


class Leftovers:
    """Notes on odd records: members left out, values that a column cannot hold, members that no column knows.

    Many records are odd in the same way, so that their text is made once.
    """

    def __init__(self, shape: Shape) -> None:
        self._known = shape.leftovers
        self._tree = column_tree(shape.stream)
        self._notes: dict[int, list[tuple[Path, str, Any]]] = {}

    @property
    def rows(self) -> set[int]:
        """Return the numbers of the records that something was noted on."""
        return set(self._notes)

    def note(self, place: int, path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Note a value that the column does not hold, or not exactly."""
        self._add(place, path, repr(value), value)

    def note_text(self, place: int, path: Path, text: bytes) -> None:
        """Note a value by its JSON text; an empty text: the member is left out."""
        if text:
            self._add(place, path, text.decode(), text)
        else:
            self._add(place, path, _IS_ABSENT, None)

    def note_absent(self, places: Iterable[int], path: Path) -> None:
        """Note records that leave the member out."""
        for place in places:
            self._add(place, path, _IS_ABSENT, None)

    def note_whole(self, place: int, path: Path, node: Node, item: Struct) -> None:
        """Note an object that is kept whole, whatever is noted on its members."""
        value = light_object(node, item)
        self._add(place, path, f"{_IS_WHOLE}{value!r}", value)

    def text(self, place: int) -> str:
        """Return the record's `extra_json`."""
        notes = self._notes[place]
        key = tuple((path, kind) for path, kind, _ in notes)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._text(notes)
        return self._known[key]

    def _add(self, place: int, path: Path, kind: str, value: Any) -> None:  # noqa: ANN401
        self._notes.setdefault(place, []).append((path, kind, value))

    def _text(self, notes: list[tuple[Path, str, Any]]) -> str:
        whole = {path for path, kind, _ in notes if kind.startswith(_IS_WHOLE)}
        extra: dict[str, Any] = {}
        absent: set[Path] = set()
        for path, kind, value in notes:
            if any(path[:length] in whole for length in range(1, len(path))):
                continue  # it is in there
            if kind == _IS_ABSENT:
                absent.add(path)
            else:
                _put(extra, path, parse_value(value) if isinstance(value, bytes) else value)
        if absent:
            extra[ABSENT] = [".".join(path) for path in _in_order(self._tree) if path in absent]
        return json_text(extra, sort_keys=True)


def _put(extra: dict[str, Any], path: Path, value: Any) -> None:  # noqa: ANN401
    for name in path[:-1]:
        extra = extra.setdefault(name, {})
    extra[path[-1]] = value


def _in_order(tree: Tree, path: Path = ()) -> Iterable[Path]:
    for name, inner in tree.items():
        yield (*path, name)
        if isinstance(inner, dict):
            yield from _in_order(inner, (*path, name))
