"""Detections: activity policies as SQL files with front matter, `include/sql/detections/<id>.sql`.

How a runner uses them:

    detections = read_detections(include_folder() / "sql" / "detections")     # and the operator's own folder
    check_settings(detections, lake.settings.detections)                      # names in lakes.yaml that nobody knows
    for detection in detections:
        if detection.is_for(lake.settings.streams) and detection.is_enabled(lake.settings.detections):
            answer = lake.athena.run(detection.render(day, lake.settings.detections))
            answer.rows       # one dict per finding: RESULT_COLUMNS, all of them texts or None

A rule speaks of one day: every finding has an event on it, but for rules about a stream, which tell of what is missing.
It reads `look_back` days before for what led there (`detection.days(day)`), and may speak only when the lake holds
`needs_history` days before the day. A finding is known by (rule id, day, `entity`). `evidence_json` is a JSON list of
at most 20 texts `<stream>:<record id>`. Names of tables are bare: the query runs in the lake's database.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from entra_lake.errors import ConfigurationError
from entra_lake.front_matter import SqlFile, read_sql_file, read_sql_files
from entra_lake.parameters import Parameter, Value, literal, parse_parameter
from entra_lake.schema import NAME_PATTERN
from entra_lake.settings import DetectionSettings
from entra_lake.sql import quote, render_text

#: What every rule returns, in this order: name and Athena's type.
RESULT_COLUMNS: dict[str, str] = {
    "entity": "varchar",
    "first_event_time": "timestamp(3)",
    "last_event_time": "timestamp(3)",
    "event_count": "bigint",
    "user_id": "varchar",
    "user_principal_name": "varchar",
    "ip_address": "varchar",
    "summary": "varchar",
    "evidence_json": "varchar",
}
#: The most urgent last.
SEVERITIES = ("low", "medium", "high")
#: What a finding can be about; `entity` holds its id or name.
ENTITY_TYPES = ("user", "ip_address", "application", "role", "policy", "domain", "stream")
#: A rule reads no more days before its own.
LONGEST_LOOK_BACK = 90

_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_REQUIRED = ("id", "title", "severity", "attack", "streams", "entity", "why", "false_positives", "what_to_do")
_OPTIONAL = ("look_back", "needs_history", "parameters")
_RESERVED = ("day", "first_day", "enabled")


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One rule.

    :param attack: techniques of MITRE ATT&CK.
    :param streams: the streams that it reads; a lake without one of them does not run it.
    :param entity: what a finding is about, one of `ENTITY_TYPES`.
    :param why: why it matters, in a sentence or two.
    :param look_back: how many days before its day it reads.
    :param needs_history: how many days before its day the lake must hold before it may speak.
    """

    id: str
    title: str
    severity: str
    attack: tuple[str, ...]
    streams: tuple[str, ...]
    entity: str
    why: str
    false_positives: tuple[str, ...]
    what_to_do: tuple[str, ...]
    look_back: int = 0
    needs_history: int = 0
    parameters: tuple[Parameter, ...] = ()
    path: Path
    body: str

    def is_for(self, streams: Collection[str]) -> bool:
        """Tell whether a lake with these streams can run it."""
        return set(self.streams) <= set(streams)

    def is_enabled(self, settings: DetectionSettings) -> bool:
        """Tell whether the lake wants it."""
        return settings.rules.get(self.id, {}).get("enabled", True) is not False

    def days(self, day: date) -> tuple[date, date]:
        """Return the first and the last day that it reads."""
        return day - timedelta(days=self.look_back), day

    def values(self, settings: DetectionSettings) -> dict[str, Value]:
        """Return the value of each parameter: the rule's own in lakes.yaml, else the lake's, else the default.

        :raises ConfigurationError: naming the setting that is wrong.
        """
        return {parameter.name: self._value(parameter, settings) for parameter in self.parameters}

    def _value(self, parameter: Parameter, settings: DetectionSettings) -> Value:
        own, shared = settings.rules.get(self.id, {}), settings.parameters
        if parameter.name in own:
            return parameter.check(own[parameter.name], f"lakes.yaml: detections, rules, {self.id}, {parameter.name}")
        if parameter.name in shared:
            return parameter.check(shared[parameter.name], f"lakes.yaml: detections, parameters, {parameter.name}")
        return parameter.default

    def render(self, day: date, settings: DetectionSettings) -> str:
        """Return the SELECT that finds what happened on a day.

        :raises ConfigurationError: when a setting or a placeholder is wrong, naming it.
        """
        first_day, last_day = self.days(day)
        values = {name: literal(value) for name, value in self.values(settings).items()}
        try:
            return render_text(self.body, day=quote(last_day), first_day=quote(first_day), **values)
        except ConfigurationError as error:
            message = f"{self.path}: {error.message}"
            raise ConfigurationError(message) from error


def read_detections(folder: Path) -> list[Detection]:
    """Return all rules of a folder, by id.

    :raises ConfigurationError: naming the file and field that is wrong.
    """
    return [_detection(file) for file in read_sql_files(folder)]


def read_detection(path: Path) -> Detection:
    """Return the rule of one file.

    :raises ConfigurationError: naming the file and field that is wrong.
    """
    return _detection(read_sql_file(path))


def check_settings(detections: Iterable[Detection], settings: DetectionSettings) -> None:
    """Refuse what the settings say of rules and parameters that do not exist: a misspelt threshold would be silent.

    :raises ConfigurationError: naming the setting.
    """
    rules = {detection.id: {parameter.name for parameter in detection.parameters} for detection in detections}
    for name, own in settings.rules.items():
        if name not in rules:
            message = (
                f"lakes.yaml: detections, rules: there is no rule {name!r}. There are: {', '.join(sorted(rules))}."
            )
            raise ConfigurationError(message)
        _require_known(own, {"enabled"} | rules[name], f"rules, {name}")
    _require_known(settings.parameters, set().union(*rules.values()), "parameters")


def _require_known(held: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(held) - known):
        message = (
            f"lakes.yaml: detections, {where}: unknown {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
        raise ConfigurationError(message)


def _detection(file: SqlFile) -> Detection:
    file.require_fields(_REQUIRED, _OPTIONAL)
    if file.text("id") != file.name:
        file.refuse("id", f"the file's name, {file.name}")
    detection = Detection(
        id=file.name,
        title=file.text("title"),
        severity=file.one_of("severity", SEVERITIES),
        attack=file.texts("attack"),
        streams=file.streams("streams"),
        entity=file.one_of("entity", ENTITY_TYPES),
        why=file.text("why"),
        false_positives=file.texts("false_positives"),
        what_to_do=file.texts("what_to_do"),
        look_back=file.whole("look_back", 0, LONGEST_LOOK_BACK),
        needs_history=file.whole("needs_history", 0, LONGEST_LOOK_BACK),
        parameters=_parameters(file),
        path=file.path,
        body=file.body,
    )
    _check(detection, file)
    return detection


def _check(detection: Detection, file: SqlFile) -> None:
    if not all(_TECHNIQUE.fullmatch(technique) for technique in detection.attack):
        file.refuse("attack", "a list of techniques such as T1078.004")
    if not detection.streams:
        file.refuse("streams", "the streams that the rule reads")
    if not detection.what_to_do:
        file.refuse("what_to_do", "a list of steps")
    if not re.search(r"\{\{-? *day\b", detection.body):
        message = (
            f"{file.path}: the statement never says {{{{ day }}}}. Put a condition on dt into it, or it reads all days."
        )
        raise ConfigurationError(message)
    detection.render(date(2026, 1, 1), DetectionSettings())


def _parameters(file: SqlFile) -> tuple[Parameter, ...]:
    declared = file.facts.get("parameters", {})
    if not isinstance(declared, Mapping):
        file.refuse("parameters", "name: {type, default, description} of each")
    for name in declared:
        if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name) or name in _RESERVED:
            file.refuse("parameters", f"names in lower-case letters, digits and _, and none of {', '.join(_RESERVED)}")
    return tuple(parse_parameter(name, facts, str(file.path)) for name, facts in declared.items())
