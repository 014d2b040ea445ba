"""The rules of one lake: those shipped, and those in the operator's own folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entra_lake.detections import Detection, check_settings, read_detection
from entra_lake.errors import ConfigurationError
from entra_lake.settings import LakeSettings, include_folder


@dataclass(frozen=True)
class Rules:
    """What the lake runs.

    :param detections: the rules that the lake has the streams for and wants, by id.
    :param troubles: what keeps files and settings from being used; each says what to do.
    """

    detections: Sequence[Detection]
    troubles: Sequence[str]


def read_rules(settings: LakeSettings) -> Rules:
    """Return the lake's rules; a file that is wrong is named and keeps no other from running."""
    shipped, troubles = _read(_files(_shipped(), []))
    own_troubles: list[str] = []
    own, wrong = _read(_files(Path(settings.detections.folder), own_troubles) if settings.detections.folder else [])
    known = {rule.id: rule for rule in shipped}
    doubled = [
        f"{rule.path}: a rule that comes with Entra Lake has this name. Name the file otherwise."
        for rule in own
        if rule.id in known
    ]
    every = {**{rule.id: rule for rule in own}, **known}
    misspelt = _try(lambda: check_settings(every.values(), settings.detections))
    wanted = [rule for rule in every.values() if rule.is_for(settings.streams) and rule.is_enabled(settings.detections)]
    return Rules(
        sorted(wanted, key=lambda rule: rule.id),
        [*troubles, *own_troubles, *wrong, *doubled, *([misspelt] if misspelt else [])],
    )


def find_rule(named: str, settings: LakeSettings) -> Detection:
    """Return the rule of this file, or of this id, whether the lake runs it or not.

    :raises ConfigurationError: when there is none, or its file is wrong.
    """
    if named.endswith(".sql") or "/" in named:
        return read_detection(Path(named))
    folders = [
        include_folder() / "sql" / "detections",
        *([Path(folder)] if (folder := settings.detections.folder) else []),
    ]
    known = {path.stem: path for folder in folders for path in sorted(folder.glob("*.sql"))}
    if named in known:
        return read_detection(known[named])
    ids = sorted(known)
    message = f"There is no rule {named!r}. Name a file that ends in .sql, or one of: {', '.join(ids)}."
    raise ConfigurationError(message)


def _shipped() -> Path:
    return include_folder() / "sql" / "detections"


def _files(folder: Path, troubles: list[str]) -> list[Path]:
    if not folder.is_dir():
        troubles.append(f"{folder} is no folder. Correct detections, folder in lakes.yaml.")
        return []
    return sorted(folder.glob("*.sql"))


def _read(paths: Sequence[Path]) -> tuple[list[Detection], list[str]]:
    rules, troubles = list[Detection](), list[str]()
    for path in paths:
        try:
            rules.append(read_detection(path))
        except ConfigurationError as error:
            troubles.append(error.message)
    return rules, troubles


def _try(check: Callable[[], None]) -> str:
    try:
        check()
    except ConfigurationError as error:
        return error.message
    return ""
