"""Flattening loses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra_lake.flatten import column_tree, extra_paths, flatten, parse_record, parse_time, unflatten
from entra_lake.json_text import json_text
from entra_lake.schema import Stream, Type
from entra_lake.streams import STREAMS
from record_shapes import members

STREAM_LIST = list(STREAMS.values())


def as_parsed(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as it is after a trip through JSON text."""
    return parse_record(json_text(record))


def exact(value: Any) -> str:
    """Tell 1 from 1.0 and from True, which == does not."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("stream", STREAM_LIST, ids=lambda stream: stream.name)
@settings(deadline=None)
@given(data=st.data())
def test_round_trip(stream: Stream, data: st.DataObject) -> None:
    """A record of any shape comes back from its row as it was."""
    record = as_parsed(data.draw(members(column_tree(stream))))
    row = flatten(record, stream)
    assert exact(unflatten(row, stream)) == exact(record)


@pytest.mark.parametrize("stream", STREAM_LIST, ids=lambda stream: stream.name)
@settings(deadline=None)
@given(data=st.data())
def test_rows_can_be_stored(stream: Stream, data: st.DataObject) -> None:
    """Every value of a row can be written as UTF-8 and has its column's type."""
    row = flatten(as_parsed(data.draw(members(column_tree(stream)))), stream)
    python_types: dict[Type, type] = {Type.INT: int, Type.DOUBLE: float, Type.BOOLEAN: bool, Type.STRINGS: list}
    for column in stream.columns:
        value = row[column.name]
        assert value is None or isinstance(value, python_types.get(column.type, str))
        for text in value if isinstance(value, list) else [value]:
            assert not isinstance(text, str) or text.encode().decode() == text


def test_complete_record_needs_no_extra() -> None:
    """A record that looks like the documentation leaves `extra_json` NULL."""
    stream = STREAMS["sign_ins"]
    record = unflatten({"status_error_code": 0, "location_city": "", "risk_event_types_v2_json": "[]"}, stream)
    row = flatten(record, stream)
    assert row["extra_json"] is None
    assert (row["status_error_code"], row["location_city"], row["risk_event_types_v2_json"]) == (0, "", "[]")


def test_wrong_type_moves_aside() -> None:
    """A value of another type leaves its column NULL and is found in `extra_json` under Graph's path."""
    row = flatten({"status": {"errorCode": "50126", "failureReason": "bad"}}, STREAMS["sign_ins"])
    assert row["status_error_code"] is None
    assert json.loads(row["extra_json"])["status"]["errorCode"] == "50126"


def test_whole_number_fills_a_double() -> None:
    """A coordinate written as 47 can be queried, and comes back as 47 and not as 47.0."""
    stream = STREAMS["sign_ins"]
    record = {"location": {"geoCoordinates": {"latitude": 47, "longitude": 8.5}}}
    row = flatten(record, stream)
    assert row["location_geo_coordinates_latitude"] == 47.0
    assert exact(unflatten(row, stream)) == exact(record)


def test_filter_columns_collect_through_lists() -> None:
    """Columns for filters hold every string below their path."""
    record = {"targetResources": [{"id": "a", "modifiedProperties": [{"displayName": "x"}]}, {"id": None}, {"id": "b"}]}
    row = flatten(record, STREAMS["directory_audits"])
    assert row["target_resource_ids"] == ["a", "b"]
    assert row["modified_property_names"] == ["x"]
    assert row["target_resource_user_principal_names"] is None


def test_drift_names_paths() -> None:
    """What no column could take is named by its path and kind; plain gaps are no drift."""
    record = {"newField": 1, "status": {"errorCode": "x", "failureReason": "y", "more": {}}, "deviceDetail": {}}
    extra = json.loads(flatten(record, STREAMS["sign_ins"])["extra_json"])
    found = set(extra_paths(extra, STREAMS["sign_ins"]))
    assert found == {("newField", "unknown"), ("status.errorCode", "type"), ("status.more", "unknown")}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.0019999Z", 1),
        ("1970-01-01T23:59:59.9999999Z", 86_399_999),
        ("1970-01-01T02:00:00+02:00", 0),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_are_cut_to_milliseconds(text: str | None, milliseconds: int | None) -> None:
    """Digits beyond the millisecond are cut and never round a record into the next day."""
    assert parse_time(text) == milliseconds


@pytest.mark.parametrize("line", [b"[]", b"{", b'{"a": NaN}', b'{"a": "\xff"}', b"1"])
def test_only_json_objects_are_records(line: bytes) -> None:
    """Anything but one JSON object is refused."""
    with pytest.raises(ValueError):
        parse_record(line)
