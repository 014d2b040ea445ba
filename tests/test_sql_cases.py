"""Views and detections: each case in tests/sql/ is Graph records and the rows that Athena gives for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlglot import exp

from entra_lake.detections import RESULT_COLUMNS, Detection, read_detections
from entra_lake.flatten import unflatten
from entra_lake.schema import Stream, Type
from entra_lake.settings import DetectionSettings, include_folder
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from entra_lake.views import View, read_views
from sandbox.aws.trino_lint import parse
from sandbox.serve import Sandbox
from simulation import NOW, make_lake
from sql_cases import Case, Desk, cases, compare
from sql_oracle import check
from test_sql_files import lake_columns

DETECTIONS = {rule.id: rule for rule in read_detections(include_folder() / "sql" / "detections")}
VIEWS = {view.name: view for view in read_views()}
DAYS = [date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Prepare one lake for all cases."""
    folder = tmp_path_factory.mktemp("desk") / "cloud"
    with Sandbox(folder, seed=7, now=NOW, frozen=True, sign_ins_per_day=10, throttled=False) as cloud:
        lake = make_lake(cloud)
        prepare(lake)
        yield Desk(lake)


@pytest.mark.parametrize("case", cases("views"), ids=str)
def test_view(case: Case, desk: Desk) -> None:
    """The view gives the rows that the case expects."""
    desk.fill(case.records)
    found, expected = compare(
        desk.ask(case.facts.get("query", f"SELECT * FROM {case.subject}")), case.facts["expected"]
    )
    assert found == expected, case.facts["what"]


def test_every_view_has_a_case() -> None:
    """No view goes untested, and no case tests what is not there."""
    assert {case.subject for case in cases("views")} == set(VIEWS)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_view_has_the_columns_that_it_documents(view: View, desk: Desk) -> None:
    """Names, types and order of the front matter are those that Athena has noted in Glue."""
    kinds = {"varchar": "string", "integer": "int", "timestamp(3)": "timestamp", "array(varchar)": "array<string>"}
    table = desk.lake.glue.get_table(DatabaseName=desk.lake.settings.database, Name=view.name)["Table"]
    held = [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]
    assert held == [(column.name, kinds.get(column.type, column.type)) for column in view.columns]


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_view_reads_only_the_days_it_is_asked_for(view: View, desk: Desk) -> None:
    """A condition on dt goes through the view: one day's objects are read, not its neighbours'."""
    desk.fill({stream: [record(stream.name, day) for day in DAYS] for stream in STREAMS.values()})
    everything = desk.lake.athena.run(f"SELECT * FROM {view.name}")
    one_day = desk.lake.athena.run(f"SELECT * FROM {view.name} WHERE dt = '{DAYS[0]}'")
    two_days = desk.lake.athena.run(f"SELECT v.* FROM {view.name} v WHERE v.dt BETWEEN '{DAYS[0]}' AND '{DAYS[1]}'")
    assert 0 < one_day.bytes_scanned * 3 == everything.bytes_scanned
    assert two_days.bytes_scanned == 2 * one_day.bytes_scanned
    assert {row["dt"] for row in one_day.rows} == {str(DAYS[0])}


def record(stream: str, day: date) -> dict[str, object]:
    """Return a record of the day that every view shows."""
    if stream == "sign_ins":
        policies = [{"id": "p", "displayName": "P", "result": "success", "enforcedGrantControls": ["Mfa"]}]
        return {
            "id": f"s{day}", "createdDateTime": f"{day}T10:00:00Z", "userId": "u", "ipAddress": "192.0.2.1",
            "status": {"errorCode": 0}, "appliedConditionalAccessPolicies": policies,
        }  # fmt: skip
    target = {"id": "u", "type": "User", "modifiedProperties": [{"displayName": "Name", "newValue": '"new"'}]}
    return {
        "id": f"a{day}", "activityDateTime": f"{day}T10:00:00Z", "activityDisplayName": "Update user",
        "targetResources": [target], "initiatedBy": {"user": {"id": "v", "ipAddress": "192.0.2.1"}},
    }  # fmt: skip


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("streams", [tuple(STREAMS), *((name,) for name in STREAMS)], ids="+".join)
def test_trino_accepts_every_view(view: View, streams: tuple[str, ...]) -> None:
    """Grammar, names, types and functions are Trino's, whichever streams the lake has."""
    if view.is_for(streams):
        absent = {name for name in STREAMS if name not in streams} | {
            v.name for v in VIEWS.values() if not v.is_for(streams)
        }
        columns = {name: held for name, held in lake_columns().items() if name.removesuffix("_history") not in absent}
        assert check(view.select("entra_lake", streams), columns) == []


#: What a `_nopii` view shows as it is: neither who somebody is, nor where they were, nor what holds such things.
SHOWN = {
    "sign_ins": {
        "id", "correlation_id", "app_id", "app_display_name", "resource_id", "resource_display_name", "client_app_used",
        "conditional_access_status", "device_detail_operating_system", "device_detail_browser",
        "device_detail_trust_type", "location_country_or_region", "risk_detail", "risk_level_aggregated",
        "risk_level_during_sign_in", "risk_state", "risk_event_types_v2_json",
    },
    "directory_audits": {
        "id", "correlation_id", "activity_display_name", "category", "operation_type", "logged_by_service", "result",
        "initiated_by_user_user_type", "initiated_by_app_app_id", "initiated_by_app_service_principal_id",
        "modified_property_names",
    },
}  # fmt: skip


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_nopii_views_show_nobody(stream: Stream, desk: Desk) -> None:
    """Of a record whose every member is marked, a `_nopii` view shows the harmless ones, and none that is new."""
    marks = {column.name: f"mark-{number:03}" for number, column in enumerate(stream.columns)}
    numbers = {column.name: 1000.5 + number for number, column in enumerate(stream.columns)}
    row: dict[str, object] = {}
    for column in stream.stored_columns:
        parts = {
            item.keys: marks[item.name]
            for item in stream.derived_columns
            if item.keys[:-1] and item.keys[0] == column.path
        }
        collection = [marked(parts, 1) | {"newMember": marks[column.name]}] if parts else [marks[column.name]]
        row[column.name] = {
            Type.STRING: marks[column.name],
            Type.DOUBLE: numbers[column.name],
            Type.JSON: json.dumps(collection),
            Type.INT: 4711,
            Type.BOOLEAN: True,
        }[column.type]
    time = f"{DAYS[0]}T10:00:00Z"
    desk.fill({stream: [{**unflatten(row, stream), stream.time_field: time, "newMember": "mark-new"}]})
    text = json.dumps(desk.ask(f"SELECT * FROM {stream.name}_nopii"))
    seen = {name for name, mark in marks.items() if mark in text or str(numbers[name]) in text}
    assert seen == SHOWN[stream.name]
    assert "mark-new" not in text


def marked(parts: dict[tuple[str, ...], str], depth: int) -> dict[str, Any]:
    """Return a member of a collection that holds each mark where its path leads, through further collections."""
    found: dict[str, Any] = {}
    for keys, mark in parts.items():
        inner = {keys_: mark_ for keys_, mark_ in parts.items() if keys_[depth] == keys[depth]}
        found[keys[depth]] = mark if len(keys) == depth + 1 else [marked(inner, depth + 1)]
    return found


@pytest.mark.parametrize("case", cases("detections"), ids=str)
def test_detection(case: Case, desk: Desk) -> None:
    """The rule finds what the case expects and nothing else, in the columns that all rules share."""
    desk.fill(case.records)
    settings = DetectionSettings(**case.facts.get("settings", {}))
    rows = desk.ask(DETECTIONS[case.subject].render(date.fromisoformat(case.facts["day"]), settings))
    found, expected = compare(rows, case.facts["expected"])
    assert found == expected, case.facts["what"]
    for row in rows:
        assert list(row) == list(RESULT_COLUMNS)
        assert row["entity"]
        assert row["summary"]
        assert case.facts["day"] == str(row["last_event_time"])[:10] or DETECTIONS[case.subject].entity == "stream"
        assert 0 < len(json.loads(row["evidence_json"] or "")) <= 20


def test_every_detection_has_cases() -> None:
    """Each rule is seen to find something, and to find nothing."""
    expected = {(case.subject, bool(case.facts["expected"])) for case in cases("detections")}
    assert expected == {(rule, finds) for rule in DETECTIONS for finds in (True, False)}


@pytest.mark.parametrize("detection", DETECTIONS.values(), ids=DETECTIONS)
def test_trino_accepts_every_detection(detection: Detection) -> None:
    """Grammar, names, types and functions are Trino's; the streams that it reads are those that it names."""
    absent = {name for name in STREAMS if name not in detection.streams}
    absent |= {view.name for view in VIEWS.values() if not view.is_for(detection.streams)}
    columns = {name: held for name, held in lake_columns().items() if name.removesuffix("_history") not in absent}
    assert check(detection.render(DAYS[-1], DetectionSettings()), columns) == []


@pytest.mark.parametrize("detection", DETECTIONS.values(), ids=DETECTIONS)
def test_every_detection_limits_the_days_that_it_reads(detection: Detection) -> None:
    """Wherever a rule reads a table or view, it says which partitions: else it would read all days there are."""
    tree = parse(detection.render(DAYS[-1], DetectionSettings()))
    own = {part.alias for part in tree.find_all(exp.CTE)}
    readers = [table.parent_select for table in tree.find_all(exp.Table) if table.name not in own]
    assert readers
    for reader in readers:
        where = reader.args["where"]
        assert {literal.this for literal in _dt_literals(where)} & {str(DAYS[-1])}, reader.sql()


def _dt_literals(where: exp.Expression) -> list[exp.Expression]:
    conditions = [node for node in where.find_all(exp.EQ, exp.Between) if node.this.name == "dt"]
    return [literal for condition in conditions for literal in condition.find_all(exp.Literal)]
