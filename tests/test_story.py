"""The sandbox's story under the rules: the hacked account is found, and ordinary days are quiet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from entra_lake.detections import Detection, read_detections
from entra_lake.flatten import parse_record
from entra_lake.schema import Stream
from entra_lake.settings import DetectionSettings, include_folder
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from sandbox.serve import Sandbox
from simulation import NOW, make_lake, truth_items
from sql_cases import Desk

RULES = {rule.id: rule for rule in read_detections(include_folder() / "sql" / "detections")}
LOUD = {name: rule for name, rule in RULES.items() if rule.severity != "low"}
VICTIM = "ingrid@winter-gardens.example"
PLANTED = "svc-backup@winter-gardens.example"
GLASS = "break-glass@winter-gardens.example"
#: What is said of the night, rule by rule: whose name the findings hold.
NIGHT = {
    "application_credential_added": {VICTIM},
    "break_glass_account_changed": {GLASS},
    "break_glass_account_used": {GLASS},
    "consent_to_application": {VICTIM},
    "impossible_travel": {VICTIM},
    "legacy_authentication_succeeded": {VICTIM},
    "mfa_denied": {VICTIM},
    "mfa_fatigue": {VICTIM},
    "new_country": {VICTIM, PLANTED},
    "password_only_sign_in": {VICTIM},
    "password_spray": {None},
    "privileged_role_assigned": {VICTIM},
    "risky_sign_in_succeeded": {VICTIM},
    "security_info_after_unusual_sign_in": {VICTIM},
    "short_lived_account": {GLASS},
    "spray_source_succeeded": {VICTIM},
}


@dataclass(frozen=True)
class Story:
    """A lake that holds the story and the month before it."""

    desk: Desk
    day: date

    def findings(self, rule: Detection, days_later: int = 0) -> list[dict[str, str | None]]:
        """Return what a rule says of a day of the story."""
        return self.desk.ask(rule.render(self.day + timedelta(days=days_later), DetectionSettings()))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Fill a lake with all that the tenant has served for 40 days."""
    folder = tmp_path_factory.mktemp("story") / "cloud"
    with Sandbox(folder, seed=1, now=NOW, frozen=True, sign_ins_per_day=100, throttled=False) as cloud:
        lake = make_lake(cloud)
        prepare(lake)
        day = date.fromisoformat(cloud.state.story_day)
        days = [day - timedelta(days=back) for back in range(40, -1, -1)]
        desk = Desk(lake)
        desk.fill({stream: served(cloud, stream, days) for stream in STREAMS.values()})
        yield Story(desk, day)


def served(cloud: Sandbox, stream: Stream, days: list[date]) -> list[dict[str, Any]]:
    """Return every version of every record."""
    items = [item for day in days for item in truth_items(cloud, stream, day)]
    return [parse_record(item["raw"]) if "raw" in item else item["record"] for item in items]


@pytest.mark.slow
def test_the_hacked_account_is_found(story: Story) -> None:
    """Each deed of the night is told by its rule, and about nobody else: sixteen rules speak."""
    found = {name: {row["user_principal_name"] for row in story.findings(rule)} for name, rule in LOUD.items()}
    assert {name: who for name, who in found.items() if who} == NIGHT


@pytest.mark.slow
def test_the_planted_account_is_named(story: Story) -> None:
    """Who was created, and made administrator, is the same account."""
    created = [row for row in story.findings(RULES["user_created"]) if PLANTED in str(row["summary"])]
    assigned = story.findings(RULES["privileged_role_assigned"])
    assert [row["entity"] for row in created] == [row["entity"] for row in assigned]
    assert assigned[0]["summary"] == f"{VICTIM} gave {PLANTED} the role Global Administrator"


@pytest.mark.slow
@pytest.mark.parametrize("days_later", [-5, -4, -3, -2, -1])
def test_every_night_of_spraying_is_found(story: Story, days_later: int) -> None:
    """The attack shows five days before it succeeds."""
    (row,) = story.findings(RULES["password_spray"], days_later)
    assert str(row["ip_address"]).startswith("203.0.113.")


@pytest.mark.slow
@pytest.mark.parametrize("days_later", [-8, -6])
def test_ordinary_days_are_quiet(story: Story, days_later: int) -> None:
    """On a weekend and on a working day nothing of severity medium or high is found."""
    found = {name: story.findings(rule, days_later) for name, rule in LOUD.items()}
    assert {name: rows for name, rows in found.items() if rows} == {}
