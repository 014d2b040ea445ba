"""What AWS bills a month for a lake: `python benchmarks/cost.py` prints the figures and what they assume.

The requests per day and stream are counted: `tests/test_docs.py` takes a day and compares. Prices are AWS's list prices
for us-east-1 as published in 2026, without any free tier; other regions differ by some tens of per cent.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from entra_lake.report import text_table

GB = 10**9
MB = 10**6
DAYS = 30
#: AWS's list prices in dollars.
S3_GB_MONTH = 0.023
S3_WRITE = 0.005 / 1000  # PUT and LIST
S3_READ = 0.0004 / 1000  # GET and HEAD
ATHENA_TB = 5.0
ATHENA_LEAST_BYTES = 10 * MB  # a query is billed for at least this much
KMS_KEY_MONTH = 1.0
KMS_REQUEST = 0.03 / 10_000

#: What one record takes, in bytes: as Graph sends it (with many policies; simulated ones take a third), in raw/ and in
#: lake/. A simulated organisation's take 95 and 200 in lake/ (docs/benchmarks.md); real ones repeat themselves less:
#: more is assumed.
SENT = {"sign_ins": 6_200, "directory_audits": 1_700}
KEPT_RAW = 500
KEPT_LAKE = 500
#: What `count(*)` and `count(DISTINCT id)` read of one record, in bytes.
COUNTED = 25
#: What one day's object, manifest and checkpoints take at least, in bytes.
KEPT_PER_DAY = 60_000

#: What infra/host.yaml makes with its defaults; on-demand prices of us-east-1 as published in 2025.
HOST_HOURS = 730
HOST = {
    "t3a.large, 8 GiB, always on": HOST_HOURS * 0.0752,
    "data volume, 30 GiB gp3": 30 * 0.08,
    "root volume, 12 GiB gp3": 12 * 0.08,
    "snapshots, as large as the data volume": 30 * 0.05,
    "public IPv4 address": HOST_HOURS * 0.005,
}

PAGE_RECORDS = 1_000
PART_BYTES = 4 * 1024 * 1024
PART_RECORDS = 5_000


@dataclass(frozen=True)
class Requests:
    """Requests to S3 for one day of one stream, read once.

    :param reads: at most: how many ranges of the object are read for midnight depends on where its events lie.
    """

    writes: int
    reads: int


@dataclass(frozen=True)
class Tenant:
    """How much a tenant logs in a day."""

    name: str
    sign_ins: int
    directory_audits: int

    @property
    def streams(self) -> dict[str, int]:
        """Return stream to records a day."""
        return {"sign_ins": self.sign_ins, "directory_audits": self.directory_audits}


TENANTS = (Tenant("a family", 300, 40), Tenant("1 M sign-ins a day", 1_000_000, 100_000))


def requests(pages: int, parts: int) -> Requests:
    """Return the requests of a day's first reading without interruption, from `extract` to `verify`.

    Written are: the request budget before each page, each raw part, three checkpoints, the staged build, the day's
    object, the manifest; listed is seven times. Read are the raw parts, once, what came before, what Graph's refusals
    named, and the neighbouring days' ids at midnight.
    """
    return Requests(writes=pages + parts + 6 + 7, reads=parts + 24)


def monthly(tenant: Tenant, months: int = 12) -> dict[str, float]:
    """Return dollars by position, in the last of so many months: storage grows, the rest does not."""
    found = [_day(stream, records) for stream, records in tenant.streams.items()]
    writes, reads = (DAYS * sum(getattr(item, name) for item in found) for name in ("writes", "reads"))
    objects = writes + reads
    return {
        "S3 storage": months * DAYS * _kept(tenant) / GB * S3_GB_MONTH,
        "S3 requests": writes * S3_WRITE + reads * S3_READ,
        "Athena, verify": DAYS * sum(_query(records * COUNTED) for records in tenant.streams.values()),
        "Athena, one 30-day query a day": DAYS * _query(DAYS * tenant.sign_ins * KEPT_LAKE),
        "KMS, if you use it": KMS_KEY_MONTH + objects * KMS_REQUEST,
    }


def table() -> str:
    """Return dollars a month, at the end of the first year, as Markdown."""
    columns = [monthly(tenant) for tenant in TENANTS]
    rows = [[name, *(_dollars(column[name]) for column in columns)] for name in columns[0]]
    rows.append(["**together**", *(f"**{_dollars(sum(column.values()))}**" for column in columns)])
    head = ["AWS, a month", *(tenant.name for tenant in TENANTS)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * len(columns), *rows])


def host_table() -> str:
    """Return dollars a month for the machine of infra/host.yaml, as Markdown."""
    rows = [f"| {name} | {_dollars(value)} |" for name, value in HOST.items()]
    return "\n".join(
        ["| The machine, a month | |", "| --- | ---: |", *rows, f"| **together** | **{host_dollars()}** |"]
    )


def host_dollars() -> str:
    """Return what the machine costs a month."""
    return _dollars(sum(HOST.values()))


def main() -> int:
    """Print the figures and the assumptions."""
    print(table())
    print(f"\n{host_table()}")
    print("\nEach day is read once. Requests to S3 per day:\n")
    rows = [
        (tenant.name, stream, f"{records:,}", *(f"{value:,}" for value in _numbers(_day(stream, records))))
        for tenant in TENANTS
        for stream, records in tenant.streams.items()
    ]
    print(text_table(("tenant", "stream", "records", "PUT and LIST", "GET and HEAD"), rows))
    print(_ASSUMPTIONS)
    return 0


def _day(stream: str, records: int) -> Requests:
    parts = max(math.ceil(records * SENT[stream] / PART_BYTES), math.ceil(records / PART_RECORDS))
    return requests(math.ceil(records / PAGE_RECORDS), parts)


def _kept(tenant: Tenant) -> float:
    """Return the bytes that a day adds for good."""
    return sum(records * (KEPT_RAW + KEPT_LAKE) + KEPT_PER_DAY for records in tenant.streams.values())


def _query(scanned: float) -> float:
    return max(scanned, ATHENA_LEAST_BYTES) / 10**12 * ATHENA_TB


def _numbers(found: Requests) -> tuple[int, int]:
    return found.writes, found.reads


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 0.005 else "under $0.01"  # noqa: PLR2004 - half a cent


_ASSUMPTIONS = f"""
Assumed: us-east-1, list prices without free tiers, S3 Standard, the first year complete ({DAYS} days a month).
A record takes {KEPT_RAW} bytes in raw/, {KEPT_LAKE} in lake/. A lifecycle rule empties staging/ and Athena's results.
KMS without bucket keys: one request per request to S3. The daily query reads all of {DAYS} days of sign-ins.
Not in the first table: the machine that runs Airflow, CloudTrail, noncurrent versions, prepare (a handful of requests a
run), DDL (free), Glue (its first million objects and requests are free). The machine is that of infra/host.yaml at the
prices of 2025; a burst of CPU for hours, traffic out and taxes come on top."""


if __name__ == "__main__":
    sys.exit(main())
