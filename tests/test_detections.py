"""Detections as files: what is wrong is named with file and field, and a value never becomes SQL."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from entra_lake.detection_guide import guide
from entra_lake.detections import check_settings, read_detection, read_detections
from entra_lake.errors import ConfigurationError
from entra_lake.parameters import literal
from entra_lake.settings import DetectionSettings, include_folder, read_lakes

DAY = date(2026, 3, 1)
FRONT: dict[str, Any] = {
    "id": "rule", "title": "A rule", "severity": "low", "attack": ["T1078.004"], "streams": ["sign_ins"],
    "entity": "user", "why": "It matters.", "false_positives": [], "what_to_do": ["Look."], "look_back": 2,
    "parameters": {
        "users": {"type": "texts", "default": ["Anna"], "description": "Who."},
        "least": {"type": "integer", "default": 5, "description": "How many.", "minimum": 1, "maximum": 100},
        "share": {"type": "number", "default": 0.5, "description": "Of all.", "maximum": 1},
    },
}  # fmt: skip
BODY = "SELECT {{ users }}, {{ least }}, {{ share }} FROM t WHERE dt BETWEEN {{ first_day }} AND {{ day }}\n"


def write(folder: Path, front: dict[str, Any] | str, body: str = BODY, name: str = "rule.sql") -> Path:
    """Write a rule."""
    text = front if isinstance(front, str) else yaml.safe_dump(front, sort_keys=False)
    path = folder / name
    path.write_text(f"/* ---\n{text}\n--- */\n{body}", encoding="utf-8")
    return path


def test_a_rule_is_rendered_for_a_day(tmp_path: Path) -> None:
    """The days are texts, parameters are literals, and the look-back crosses months."""
    rule = read_detection(write(tmp_path, FRONT))
    assert rule.render(DAY, DetectionSettings()) == (
        "SELECT ARRAY['anna'], 5, CAST(0.5 AS double) FROM t WHERE dt BETWEEN '2026-02-27' AND '2026-03-01'"
    )


def test_the_rules_own_value_comes_first(tmp_path: Path) -> None:
    """lakes.yaml speaks of all rules and of one; what it leaves out is the default."""
    rule = read_detection(write(tmp_path, FRONT))
    settings = DetectionSettings(parameters={"least": 7, "users": ["x"]}, rules={"rule": {"least": 9}})
    assert rule.values(settings) == {"users": ("x",), "least": 9, "share": 0.5}
    assert rule.is_enabled(settings)
    assert not rule.is_enabled(DetectionSettings(rules={"rule": {"enabled": False}}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "other"}, "id is 'other'; expected the file's name, rule"),
        ({"title": ""}, "title is ''"),
        ({"severity": "urgent"}, "severity is 'urgent'; expected one of low, medium, high"),
        ({"attack": ["T1"]}, "attack is"),
        ({"streams": []}, "streams is"),
        ({"streams": ["mails"]}, "streams is ['mails']; expected some of"),
        ({"entity": "thing"}, "entity is 'thing'"),
        ({"why": None}, "why is None"),
        ({"what_to_do": []}, "what_to_do is []"),
        ({"what_to_do": "Look."}, "what_to_do is 'Look.'; expected a list of texts"),
        ({"look_back": 91}, "look_back is 91; expected a whole number from 0 to 90"),
        ({"look_back": True}, "look_back is True"),
        ({"needs_history": -1}, "needs_history is -1"),
        ({"lookback": 1}, "unknown field lookback"),
        ({"parameters": ["users"]}, "parameters is"),
        ({"parameters": {"day": {"type": "integer", "default": 1, "description": "x"}}}, "parameters is"),
        ({"parameters": {"users": {"type": "texts", "default": []}}}, "parameters, users: expected type"),
        ({"parameters": {"users": {"type": "sql", "default": "x", "description": "x"}}}, "type is 'sql'"),
        ({"parameters": {"users": {"type": "texts", "default": "x", "description": "x"}}}, "users: default is 'x'"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The error names the file, the field, what it holds and what is expected."""
    path = write(tmp_path, FRONT | change)
    with pytest.raises(ConfigurationError) as caught:
        read_detection(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("field", ["title", "severity", "attack", "streams", "entity", "why", "what_to_do"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    """What every rule must say."""
    with pytest.raises(ConfigurationError, match=f"rule.sql: {field} is missing"):
        read_detection(write(tmp_path, {name: value for name, value in FRONT.items() if name != field}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "has no front matter"),
        ("/* ---\ntitle: [\n--- */\nSELECT 1", "the front matter is no YAML"),
        ("/* ---\njust text\n--- */\nSELECT 1", "should be a mapping"),
    ],
)
def test_a_file_that_is_no_rule_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A file without front matter is refused, not passed over: its author would wait for findings in vain."""
    (tmp_path / "rule.sql").write_text(text)
    with pytest.raises(ConfigurationError, match=r"rule\.sql") as caught:
        read_detections(tmp_path)
    assert said in str(caught.value)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """A mistyped folder is an error, not a lake without rules."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_detections(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("SELECT {{ nobody }} FROM t WHERE dt = {{ day }}", "'nobody' is undefined"),
        ("SELECT 1 FROM t", "never says {{ day }}"),
        ("SELECT {{ day FROM t", "expected token"),
        ("SELECT {{ day.__class__.__mro__ }} WHERE dt = {{ day }}", "unsafe"),
    ],
)
def test_a_wrong_placeholder_is_named(tmp_path: Path, body: str, said: str) -> None:
    """Placeholders are those of the front matter; a template reaches nothing else."""
    with pytest.raises(ConfigurationError, match=r"rule\.sql") as caught:
        read_detection(write(tmp_path, FRONT, body))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE sign_ins_history; --",
        "a'b",
        "''",
        "{{ day }}",
        "{% raw %}",
        "ünï©ode",
        "x' OR '1'='1",
        "*/ 1 /*",
        "--",
    ],
)
def test_a_value_stays_a_value(tmp_path: Path, text: str) -> None:
    """Whatever an operator writes into a list arrives in the query as that text, in lower case."""
    rule = read_detection(write(tmp_path, FRONT, "SELECT {{ users }} AS users WHERE '2026' < {{ day }}"))
    statement = rule.render(DAY, DetectionSettings(parameters={"users": [text]}))
    assert duckdb.sql(statement.replace("ARRAY[", "[")).fetchall() == [([text.lower()],)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"users": ["a\nb"]}, "users"),
        ({"users": ["a\\b"]}, "users"),
        ({"users": ["\u202e"]}, "users"),
        ({"users": "anna"}, "users is 'anna'"),
        ({"users": [1]}, "users is [1]"),
        ({"users": [""]}, "users is ['']"),
        ({"users": ["x"] * 501}, "at most 500 texts"),
        ({"least": 0}, "least is 0; expected a whole number from 1 to 100"),
        ({"least": 1.5}, "least is 1.5"),
        ({"least": True}, "least is True"),
        ({"least": "1; DROP"}, "least is '1; DROP'"),
        ({"share": 2}, "share is 2; expected a number from 0 to 1"),
        ({"share": float("nan")}, "share is nan"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    """The error says where in lakes.yaml the value stands."""
    rule = read_detection(write(tmp_path, FRONT))
    for settings, where in (
        (DetectionSettings(parameters=values), "lakes.yaml: detections, parameters"),
        (DetectionSettings(rules={"rule": values}), "lakes.yaml: detections, rules, rule"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            rule.render(DAY, settings)
        assert where in str(caught.value)
        assert said in str(caught.value)


def test_an_empty_list_is_an_array_of_texts() -> None:
    """An allow-list that nobody fills is no syntax error."""
    assert literal(()) == "CAST(ARRAY[] AS array(varchar))"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (DetectionSettings(rules={"password_sprai": {}}), "there is no rule 'password_sprai'"),
        (DetectionSettings(rules={"rule": {"leest": 1}}), "rules, rule: unknown leest"),
        (DetectionSettings(parameters={"brake_glass": []}), "parameters: unknown brake_glass"),
    ],
)
def test_a_misspelt_setting_is_named(tmp_path: Path, settings: DetectionSettings, said: str) -> None:
    """A threshold under a wrong name would be silent."""
    rules = [read_detection(write(tmp_path, FRONT))]
    check_settings(rules, DetectionSettings(parameters={"users": []}, rules={"rule": {"enabled": True, "least": 1}}))
    with pytest.raises(ConfigurationError) as caught:
        check_settings(rules, settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "entry", [{"rules": ["x"]}, {"rules": {"x": 1}}, {"parameters": 1}, {"folder": 1}, {"fold": "x"}, "x"]
)
def test_detections_in_lakes_yaml_are_checked(tmp_path: Path, entry: object) -> None:
    """The form is checked when settings are read; names and values when rules are."""
    path = tmp_path / "lakes.yaml"
    path.write_text(yaml.safe_dump({"default": {"bucket": "b-b", "detections": entry}}))
    with pytest.raises(ConfigurationError, match="lake 'default', detections"):
        read_lakes(path)


def test_lakes_yaml_tells_detections(tmp_path: Path) -> None:
    """What lakes.yaml says arrives."""
    path = tmp_path / "lakes.yaml"
    entry = {"folder": "/x", "parameters": {"users": ["a"]}, "rules": {"rule": {"least": 3}}}
    path.write_text(yaml.safe_dump({"default": {"bucket": "b-b", "detections": entry}, "other": {"bucket": "c-c"}}))
    lakes = read_lakes(path)
    assert lakes["default"].detections == DetectionSettings(**entry)
    assert lakes["other"].detections == DetectionSettings()


def test_the_page_on_detections_is_up_to_date() -> None:
    """docs/detections.md is what the rules give now."""
    page = Path(__file__).parents[1] / "docs" / "detections.md"
    assert page.read_text(encoding="utf-8") == guide(), "run: python -m entra_lake.detection_guide docs/detections.md"


def test_parameters_of_one_name_mean_one_thing() -> None:
    """A value for all rules needs one type, whichever rule reads it."""
    kinds: dict[str, set[str]] = {}
    for rule in read_detections(include_folder() / "sql" / "detections"):
        for parameter in rule.parameters:
            kinds.setdefault(parameter.name, set()).add(parameter.type)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
