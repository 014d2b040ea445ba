"""Every stream, tested by being registered: what the rest of the code relies on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entra_lake import streams
from entra_lake.arrow import ARROW_TYPES, arrow_schema
from entra_lake.errors import ConfigurationError
from entra_lake.schema import NAME_PATTERN, Stream, Type
from entra_lake.sql import HIVE_TYPES
from entra_lake.streams import STREAMS, get_stream

PROPERTIES = json.loads((Path(__file__).parent / "data" / "graph_v1_properties.json").read_text())
EDM_TYPES = {
    "Edm.String": Type.STRING,
    "Edm.DateTimeOffset": Type.STRING,  # the exact text; event_time is the typed one
    "Edm.Int32": Type.INT,
    "Edm.Double": Type.DOUBLE,
    "Edm.Boolean": Type.BOOLEAN,
}
#: Athena's DDL keeps these words for itself; a column of that name would need backticks everywhere.
RESERVED = {"date", "timestamp", "user", "time", "start", "end", "row", "group", "order", "partition", "interval"}

every_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


@every_stream
def test_names(stream: Stream) -> None:
    """A stream is called like its file, and its columns have plain names, each once."""
    names = [column.name for column in stream.table_columns]
    assert (Path(streams.__file__).parent / f"{stream.name}.py").exists()
    assert len(names) == len(set(names))
    assert all(NAME_PATTERN.fullmatch(name) and name not in RESERVED for name in names)


@every_stream
def test_id_and_time_are_columns(stream: Stream) -> None:
    """Each stream keeps Graph's id and the text of its time field."""
    paths = {column.path: column.type for column in stream.stored_columns}
    assert paths["id"] is Type.STRING
    assert paths[stream.time_field] is Type.STRING


@every_stream
def test_types_are_known_everywhere(stream: Stream) -> None:
    """Every type exists in Arrow and in Athena; what is stored can be given back exactly."""
    assert {column.type for column in stream.table_columns} <= set(ARROW_TYPES) & set(HIVE_TYPES)
    assert not [column for column in stream.stored_columns if column.type is Type.TIMESTAMP]
    assert arrow_schema(stream).names == [column.name for column in stream.table_columns]


@every_stream
def test_descriptions(stream: Stream) -> None:
    """Each column has one sentence that fits into Glue's comment."""
    for column in stream.table_columns:
        assert column.description.endswith(".")
        assert len(column.description) <= 255


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_documented_property_has_a_place(name: str) -> None:
    """Each property of Graph's v1.0 schema has its column, of its type, or lies inside a JSON column."""
    stored = {column.path: column for column in get_stream(name).stored_columns}
    for path, (edm_type, *enum) in PROPERTIES[name]["properties"].items():
        outer = path.split("[]")[0]
        if outer in stored:
            column = stored[outer]
            expected = Type.JSON if "[]" in path else EDM_TYPES.get(edm_type, Type.STRING)
            assert column.type is expected, path
            assert not enum or "[]" in path or sorted(column.values) == enum[0], path
        else:
            is_object = any(known.startswith(f"{path}.") for known in stored)
            assert is_object or path == "initiatedBy.user.*", path  # an open type: the rest goes to extra_json


def test_unknown_stream() -> None:
    """Asking for a stream that does not exist names those that do."""
    with pytest.raises(ConfigurationError, match=", ".join(STREAMS)):
        get_stream("risky_users")
