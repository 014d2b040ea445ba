"""What to soak."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields

from entra_lake.settings import LakeSettings


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to soak; the same options give the same soak.

    :param sign_ins_per_day: of the simulated tenant; the other streams follow.
    :param retention_days: how long Microsoft keeps the tenant's logs: 30, or 7 without a licence.
    :param allow_loss: let one outage last longer than that.
    :param only: classes of faults to leave it at; empty: all of them.
    """

    days: int = 60
    seed: int = 7
    sign_ins_per_day: int = 60
    retention_days: int = 30
    allow_loss: bool = False
    only: tuple[str, ...] = ()

    @property
    def settings(self) -> LakeSettings:
        """Return the lake's settings; the ages of readings that the retention is too short for are left out."""
        ages = tuple(age for age in LakeSettings(bucket="entra-lake").reread_ages if age < self.retention_days)
        return LakeSettings(bucket="entra-lake", retention_days=self.retention_days, reread_ages=ages)

    @property
    def arguments(self) -> str:
        """Return the arguments of the command that does the same again."""
        told = [(item.name, getattr(self, item.name)) for item in fields(self)]
        words = [
            (f"--{name.replace('_', '-')}", value)
            for name, value in told
            if name in {"days", "seed"} or value != getattr(Options, name)
        ]
        return " ".join(word if value is True else f"{word} {_quoted(value)}" for word, value in words)


def _quoted(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, tuple) else str(value)
