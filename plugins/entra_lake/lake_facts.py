"""What the lake promises, and until when Microsoft keeps a day: the calendar behind `day_state` and `due`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from entra_lake.errors import ConfigurationError
from entra_lake.rereading import planned_ages
from entra_lake.settings import LakeSettings
from entra_lake.slices import end_of_retention

#: The daily run reads yesterday at 06:00 UTC. What it has not read an hour later is owed: earlier, the two would race.
FIRST_READING_AT = time(7, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class StreamFacts:
    """What holds for one stream and not for the whole lake.

    :param collect_from: its first day, where it was added to a lake that had begun before.
    :param created_at: when it was added.
    :param retention_days: how long Graph keeps it, where that was found to be less than the setting says.
    """

    collect_from: date | None = None
    created_at: datetime | None = None
    retention_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class LakeFacts:
    """What the lake promises and Microsoft keeps.

    :param collect_from: the first day in scope; earlier ones are `before`.
    :param retention_days: how long Microsoft keeps a day, as far as is known today.
    :param reread_ages: at which ages in days a day is to be read; see `ages`.
    :param created_at: when the lake began: nothing can have been overdue before.
    :param stream_facts: what differs for single streams; see `of`.
    :param keep_days: after how many days lifecycle rules remove a day from the bucket; None: never.
    """

    tenant_id: str
    collect_from: date
    retention_days: int
    reread_ages: tuple[int, ...]
    streams: tuple[str, ...]
    created_at: datetime | None = None
    stream_facts: Mapping[str, StreamFacts] = field(default_factory=dict)
    keep_days: int | None = None

    @classmethod
    def read(
        cls, facts: Mapping[str, Any], settings: LakeSettings, named_retention: Mapping[str, int] | None = None
    ) -> LakeFacts:
        """Put together what lake.json holds and the lake's settings.

        :param named_retention: by stream, the retention that Graph's own refusals have named.

        :raises ConfigurationError: when lake.json does not say where the lake begins.
        """
        try:
            begun, named = facts.get("streams") or {}, named_retention or {}
            return cls(
                tenant_id=str(facts["tenant_id"]),
                collect_from=date.fromisoformat(str(facts["collect_from"])),
                retention_days=settings.retention_days,
                reread_ages=tuple(settings.reread_ages),
                streams=tuple(settings.streams),
                created_at=_moment(facts.get("created_at")),
                keep_days=settings.keep_days,
                stream_facts={
                    name: StreamFacts(
                        collect_from=_day(begun.get(name, {}).get("collect_from")),
                        created_at=_moment(begun.get(name, {}).get("created_at")),
                        retention_days=named.get(name),
                    )
                    for name in {*begun, *named}
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"lake.json does not say where the lake begins ({error!r}). Restore it from its earlier version."
            raise ConfigurationError(message) from error

    def of(self, stream: str) -> LakeFacts:
        """Return what holds for this stream: one that came later begins later, and Graph may keep it for less."""
        own = self.stream_facts.get(stream)
        if own is None:
            return self
        return replace(
            self,
            collect_from=max(self.collect_from, own.collect_from or self.collect_from),
            created_at=own.created_at or self.created_at,
            retention_days=min(self.retention_days, own.retention_days or self.retention_days),
        )

    @property
    def ages(self) -> tuple[int, ...]:
        """Return the ages, in days, at which a day is read, for the retention of today."""
        return planned_ages(self.reread_ages, self.retention_days)


def age_of(day: date, now: datetime) -> int:
    """Return the day's age in days; 0 while it lasts."""
    return (now.astimezone(UTC).date() - day).days


def is_let_go(day: date, now: datetime, keep_days: int | None) -> bool:
    """Tell whether the lake keeps the day no longer: lifecycle rules have removed it, or are about to."""
    return keep_days is not None and age_of(day, now) > keep_days


def start_of_age(day: date, age: int) -> datetime:
    """Return when the day reaches the age: midnight UTC."""
    return datetime.combine(day + timedelta(days=age), time(), UTC)


def first_due_at(day: date) -> datetime:
    """Return when the first reading is owed: age 1, at 07:00 UTC."""
    return datetime.combine(day + timedelta(days=1), FIRST_READING_AT)


def expires_at(day: date, lake: LakeFacts) -> datetime:
    """Return the first moment at which Graph refuses the day."""
    return end_of_retention(day, lake.retention_days)


def hours_to_expiry(day: date, now: datetime, lake: LakeFacts) -> float:
    """Return for how many hours the day can still be read; 0 when it has aged out."""
    return max(0.0, (expires_at(day, lake) - now).total_seconds() / 3600)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
