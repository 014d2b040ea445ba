"""Which volume fits into Graph's limit: `python benchmarks/volume.py` prints the table of docs/at-scale.md.

Nothing is measured here. The figures follow from Microsoft's documented limit (five requests in ten seconds for one
application in one tenant), pages of 1,000 records, and the readings that the lake plans for each day.
"""

from __future__ import annotations

import math
import sys

from entra_lake.report import text_table
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS

VOLUMES = (10_000, 100_000, 1_000_000, 5_000_000, 10_000_000, 20_000_000)
DAY_HOURS = 24
#: What is read of each day even when the budget is short: the first time, and the last before Microsoft deletes it.
LEAST_READINGS = 2


def pages(records: int) -> int:
    """Return the requests that one reading of a day of sign-ins takes."""
    return math.ceil(records / STREAMS["sign_ins"].page_size)


def hours(requests: int) -> float:
    """Return how long so many requests take."""
    return requests * 10 / _settings().requests_per_10_seconds / 3600


def readings() -> int:
    """Return how often each day is read; in steady state, how many readings there are a day."""
    return len(_settings().reread_ages)


def verdict(records: int) -> str:
    """Say which readings fit into a day."""
    if hours(readings() * pages(records)) <= DAY_HOURS:
        return "all readings"
    if hours(LEAST_READINGS * pages(records)) <= DAY_HOURS:
        return "first and last; some between are dropped, visibly"
    return "no: ask Microsoft for a higher limit"


def rows() -> list[tuple[str, ...]]:
    """Return the table's rows."""
    days = _settings().retention_days
    return [
        (
            f"{records:,}",
            f"{pages(records):,}",
            _time(hours(pages(records))),
            _time(hours(readings() * pages(records))),
            _time(hours(days * pages(records))),
            verdict(records),
        )
        for records in VOLUMES
    ]


HEAD = ("sign-ins a day", "requests", "first reading", "all readings of a day", "filling 30 days", "what fits")


def table() -> str:
    """Return the table as Markdown."""
    lines = [HEAD, tuple(["---:"] * 5 + ["---"]), *rows()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _settings() -> LakeSettings:
    return LakeSettings(bucket="any")


def _time(value: float) -> str:
    return f"{value:,.1f} h" if value >= 1 else f"{value * 60:.0f} min" if value * 60 >= 1 else "under 1 min"


if __name__ == "__main__":
    print(text_table(HEAD, rows()))
    sys.exit(0)
