"""Settings that are not secret: `include/lakes.yaml`, one entry per lake."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from entra_lake.errors import ConfigurationError
from entra_lake.rereading import DEFAULT_AGES, default_ages
from entra_lake.schema import NAME_PATTERN
from entra_lake.streams import STREAMS

#: Says where include/ is, where it does not lie beside plugins/ (managed Airflow ships it elsewhere).
INCLUDE_VARIABLE = "ENTRA_LAKE_INCLUDE"
DEFAULT_LAKE = "default"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_WORKGROUP = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PREFIX = re.compile(r"[A-Za-z0-9/_=.-]{0,200}")
_LAKE = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Who hears of failures, and through which connection."""

    smtp_conn_id: str = "smtp_default"
    to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """What detections are told of a lake. Rules check the values, which they alone know.

    :param folder: holds rules of the operator's own; None: only the shipped ones run.
    :param parameters: values for every rule that has a parameter of the name, such as `break_glass_accounts`.
    :param rules: by the rule's id, values for this rule alone, and `enabled: false`.
    """

    folder: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class LakeSettings:
    """One lake.

    :param retention_days: how long Microsoft keeps the tenant's logs.
    :param reread_ages: at which ages in days a day is read again.
    :param requests_per_10_seconds: Graph's limit for one application in one tenant.
    :param keep_days: after how many days lifecycle rules remove a day from the bucket; None: never.
    :param metrics: whether each verified day is counted in CloudWatch.
    """

    name: str = DEFAULT_LAKE
    graph_conn_id: str = "graph_default"
    aws_conn_id: str = "aws_default"
    bucket: str
    prefix: str = ""
    database: str = "entra_lake"
    workgroup: str = "entra_lake"
    streams: tuple[str, ...] = tuple(STREAMS)
    retention_days: int = 30
    reread_ages: tuple[int, ...] = DEFAULT_AGES
    requests_per_10_seconds: int = 5
    keep_days: int | None = None
    metrics: bool = False
    mail: MailSettings = field(default_factory=MailSettings)
    detections: DetectionSettings = field(default_factory=DetectionSettings)

    @property
    def dag_suffix(self) -> str:
        """Return what the lake's DAG ids end in."""
        return "" if self.name == DEFAULT_LAKE else f"__{self.name}"


def include_folder() -> Path:
    """Return the folder that holds lakes.yaml, sql/ and email/."""
    named = os.environ.get(INCLUDE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / "include"


def read_lakes(path: Path | None = None) -> dict[str, LakeSettings]:
    """Read all lakes.

    :raises ConfigurationError: naming the entry and the setting that is wrong.
    """
    path = path or include_folder() / "lakes.yaml"
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        message = f"{path} cannot be read ({error}). Set {INCLUDE_VARIABLE} to the folder that holds lakes.yaml."
        raise ConfigurationError(message) from error
    if not isinstance(entries, dict) or not entries:
        message = f"{path} names no lake. Begin with an entry `default:`."
        raise ConfigurationError(message)
    return {str(name): _lake(str(name), entry, path) for name, entry in entries.items()}


def read_lake(name: str = DEFAULT_LAKE, path: Path | None = None) -> LakeSettings:
    """Read one lake.

    :raises ConfigurationError: when it does not exist or is wrong.
    """
    lakes = read_lakes(path)
    if name not in lakes:
        message = f"There is no lake {name!r} in lakes.yaml. Choose from: {', '.join(lakes)}."
        raise ConfigurationError(message)
    return lakes[name]


def _lake(name: str, entry: object, path: Path) -> LakeSettings:
    where = f"{path.name}, lake {name!r}"
    if not isinstance(entry, Mapping):
        message = f"{where}: expected settings, got {entry!r}."
        raise ConfigurationError(message)
    known = {item.name for item in fields(LakeSettings)} - {"name"}
    if unknown := sorted(set(entry) - known):
        message = f"{where}: unknown settings {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        raise ConfigurationError(message)
    facts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    facts.setdefault("reread_ages", _default_ages(facts.get("retention_days")))
    facts["mail"] = _mail(facts.get("mail") or {}, where)
    facts["detections"] = _detections(facts.get("detections") or {}, where)
    try:
        lake = LakeSettings(name=name, **facts)
    except TypeError as error:
        message = f"{where}: {error}."
        raise ConfigurationError(message) from error
    _check(lake, where)
    return lake


def _default_ages(retention_days: object) -> tuple[int, ...]:
    is_number = isinstance(retention_days, int) and retention_days > 0
    return default_ages(retention_days) if is_number else DEFAULT_AGES  # type: ignore[arg-type]


def _mail(entry: Any, where: str) -> MailSettings:  # noqa: ANN401 - YAML holds anything
    known = {item.name for item in fields(MailSettings)}
    if not isinstance(entry, Mapping) or set(entry) - known:
        message = f"{where}, mail: known settings are {', '.join(sorted(known))}."
        raise ConfigurationError(message)
    to = entry.get("to") or ()
    return MailSettings(**{**entry, "to": (to,) if isinstance(to, str) else tuple(to)})


def _detections(entry: Any, where: str) -> DetectionSettings:  # noqa: ANN401 - YAML holds anything
    known = {item.name for item in fields(DetectionSettings)}
    if not isinstance(entry, Mapping) or set(entry) - known:
        message = f"{where}, detections: known settings are {', '.join(sorted(known))}."
        raise ConfigurationError(message)
    found = DetectionSettings(**{name: value for name, value in entry.items() if value is not None})
    mappings = [found.parameters, found.rules, *(found.rules.values() if isinstance(found.rules, Mapping) else ())]
    if not all(isinstance(item, Mapping) for item in mappings) or not isinstance(found.folder, str | None):
        message = (
            f"{where}, detections: expected folder: a path, parameters: name and value, "
            "rules: by the rule's id, name and value."
        )
        raise ConfigurationError(message)
    return found


def _check(lake: LakeSettings, where: str) -> None:
    rules = (
        ("name", _LAKE.fullmatch(lake.name), "lower-case letters, digits and _"),
        ("bucket", _BUCKET.fullmatch(str(lake.bucket)), "the name of an S3 bucket"),
        ("prefix", _PREFIX.fullmatch(str(lake.prefix)), "a plain S3 prefix"),
        ("database", NAME_PATTERN.fullmatch(str(lake.database)), "lower-case letters, digits and _"),
        ("workgroup", _WORKGROUP.fullmatch(str(lake.workgroup)), "the name of an Athena workgroup"),
        ("streams", lake.streams and set(lake.streams) <= set(STREAMS), f"some of {', '.join(STREAMS)}"),
        ("retention_days", lake.retention_days in range(1, 731), "a number of days"),
        ("requests_per_10_seconds", lake.requests_per_10_seconds in range(1, 10_001), "a number of requests"),
        (
            "keep_days",
            lake.keep_days is None or lake.keep_days in range(lake.retention_days + 1, 36_501),
            "a number of days above retention_days, or nothing",
        ),
        ("metrics", isinstance(lake.metrics, bool), "true or false"),
        ("reread_ages", all(age in range(1, lake.retention_days) for age in lake.reread_ages), "days below retention"),
    )
    for setting, is_right, expected in rules:
        if not is_right:
            message = f"{where}: {setting} is {getattr(lake, setting)!r}; expected {expected}."
            raise ConfigurationError(message)
