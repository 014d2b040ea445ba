"""Compare ways to read a tenant's log by how many records each of them loses.

    python -m soak.comparison

Each scheme asks the simulated tenant for the sign-ins of some weeks, in four situations: all is well; some listings
are silently short; some records come days or weeks late as well; and the collector is down for nine days as well.
Lost is a record that the tenant has shown within retention and that the scheme has never read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

from entra_lake.lake_facts import LakeFacts
from entra_lake.rereading import DEFAULT_AGES
from entra_lake.slices import ONE_DAY
from entra_lake.streams import STREAMS
from sandbox import ticks
from sandbox.tenant import history
from sandbox.tenant.additions import Additions
from sandbox.tenant.people import Cast
from sandbox.tenant.records import Records
from sandbox.tenant.versions import Row, Version
from soak.document import DOCUMENT, put, table
from soak.schemes import Desk, HighWater, Once, Scheme, ThisOne, Trailing

STREAM = STREAMS["sign_ins"]
FIRST_DAY = date(2026, 3, 2)
SIX = timedelta(hours=6)
#: A late record of the tail comes so many days after its event.
TAIL_DAYS = (5.0, 25.0)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is assumed.

    :param days: event days that are counted; reading goes on until the last of them has aged out.
    :param short: the share of listings that are silently short, by 5 to 50 % of their rows, where they are.
    :param tail_ppm: records per million that come 5 to 25 days late, where they do.
    :param outage_days: how long the collector is down, where it is, from the ninth day on.
    """

    days: int = 40
    sign_ins_per_day: int = 2000
    seed: int = 7
    retention_days: int = 30
    short: float = 0.05
    tail_ppm: int = 200
    outage_days: int = 9

    @property
    def arguments(self) -> str:
        """Return the arguments that assume the same."""
        told = [(item.name, getattr(self, item.name)) for item in fields(self)]
        return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in told)


@dataclass(frozen=True)
class Situation:
    """What goes wrong while a scheme reads."""

    name: str
    is_short: bool = False
    is_late: bool = False
    is_down: bool = False


SITUATIONS = (
    Situation("all is well"),
    Situation("short listings", is_short=True),
    Situation("and late records", is_short=True, is_late=True),
    Situation("and an outage", is_short=True, is_late=True, is_down=True),
)


class LightRecords(Records):
    """The tenant's records, with the number of each content in its place: nobody reads them here."""

    def _generate(self, stream, chunk):  # noqa: ANN001, ANN202 - as the method that it narrows
        return [_light(row) for row in super()._generate(stream, chunk)]


def _light(row: Row) -> Row:
    versions = [Version(item.visible_at, item.ticks, b"%d" % number) for number, item in enumerate(row.versions)]
    return Row(row.ticks, row.id, tuple(versions))


@dataclass(frozen=True)
class Loss:
    """What a scheme has lost, of so many records, with so many listings.

    :param stale: records that it holds with a content that the tenant had replaced within retention.
    """

    records: int
    lost: int
    stale: int
    listings: int

    def per_million(self, number: int) -> int:
        """Return a number of records as a share of all."""
        return round(1_000_000 * number / self.records)


def schemes(options: Options) -> list[Scheme]:
    """Return the schemes, none of which has asked for anything yet."""
    facts = LakeFacts(
        tenant_id="simulated",
        collect_from=FIRST_DAY,
        retention_days=options.retention_days,
        reread_ages=DEFAULT_AGES,
        streams=(STREAM.name,),
        created_at=_at(FIRST_DAY),
    )
    return [
        Once("once, 00:05 the next day, between open bounds (gt, lt)", timedelta(minutes=5), "gt"),
        Once("once, 06:00 the next day", SIX),
        HighWater(),
        Trailing(3),
        Trailing(7),
        ThisOne(facts),
    ]


def measure(scheme: Scheme, situation: Situation, records: Records, options: Options) -> Loss:
    """Let a scheme read the days, and compare what it holds with what the tenant has shown."""
    desk = Desk(
        records,
        STREAM,
        options.retention_days,
        options.short if situation.is_short else 0.0,
        Random(f"{options.seed}/{scheme.name}"),
        _at(FIRST_DAY) + scheme.first_at,
    )
    down = (_at(FIRST_DAY + 9 * ONE_DAY), _at(FIRST_DAY + (9 + options.outage_days) * ONE_DAY))
    end = _at(FIRST_DAY + (options.days + options.retention_days) * ONE_DAY)
    while desk.now < end:
        if not (situation.is_down and down[0] <= desk.now < down[1]):
            scheme.turn(desk)
        desk.now += scheme.every
    return _compare(desk, options)


def _compare(desk: Desk, options: Options) -> Loss:
    lost = stale = count = 0
    for day in (FIRST_DAY + number * ONE_DAY for number in range(options.days)):
        expires = ticks.start_of(day + options.retention_days * ONE_DAY)
        for row in desk.records.rows_of_day(STREAM, day):
            final = row.at(expires - 1)
            count += final is not None
            lost += final is not None and row.id not in desk.held
            stale += final is not None and row.id in desk.held and desk.held[row.id] != final.body
    return Loss(count, lost, stale, desk.listings)


def add_tail(records: Records, options: Options) -> None:
    """Let some more records happen that come days or weeks late."""
    random = Random(f"tail/{options.seed}")
    for number in range(options.days * options.sign_ins_per_day * options.tail_ppm // 1_000_000):
        at = ticks.start_of(FIRST_DAY) + random.randrange(options.days * ticks.DAY)
        visible = at + int(random.uniform(*TAIL_DAYS) * ticks.DAY)
        records.additions.add(STREAM.name, f"tail-{number}", Version(visible, at, b"0"), None)


def compare(options: Options, folder: Path) -> dict[str, list[Loss]]:
    """Return what each scheme loses in each situation."""
    cast = Cast.of(options.seed, "simulated", options.sign_ins_per_day)
    records = LightRecords(cast, options.sign_ins_per_day, FIRST_DAY + 20 * ONE_DAY, Additions(folder / "tail.jsonl"))
    losses: dict[str, list[Loss]] = {}
    for situation in SITUATIONS:
        if situation.is_late and not records.additions.of(STREAM.name):
            add_tail(records, options)
        for scheme in schemes(options):
            losses.setdefault(scheme.name, []).append(measure(scheme, situation, records, options))
    return losses


def block_of(losses: dict[str, list[Loss]], options: Options) -> str:
    """Return the table, what it rests on, the command that makes it, and the date."""
    head = ("scheme", *(f"lost: {item.name}" for item in SITUATIONS), "old content: all is well", "listings per day")
    text = table(head, [_cells(name, found, options) for name, found in losses.items()])
    count = next(iter(losses.values()))[0].records
    command = f"python -m soak.comparison {options.arguments}"
    return f"{text}\n\n{assumptions(options, count)}\n\nMade by `{command}`, run on {datetime.now(UTC):%Y-%m-%d}."


def _cells(name: str, found: Sequence[Loss], options: Options) -> tuple[str, ...]:
    listings = found[0].listings / (options.days + options.retention_days)
    return (
        name,
        *(f"{item.per_million(item.lost):,}" for item in found),
        f"{found[0].per_million(found[0].stale):,}",
        f"{listings:.1f}" if listings < 10 else f"{listings:.0f}",  # noqa: PLR2004 - a digit behind the point
    )


def assumptions(options: Options, count: int) -> str:
    """Say in words what the table rests on."""
    delays = "; ".join(
        f"up to {100 * bound:g} % of records {shortest:,} to {longest:,} s"
        for bound, shortest, longest in history.DELAYS
    )
    return (
        f"Records lost per million. SIMULATED: {count:,} sign-ins of {options.days} days, seed {options.seed}, "
        f"retention {options.retention_days} days. "
        f"Assumed: records appear after their event by this mixture: {delays}. "
        f"Short listings: {100 * options.short:g} % of all, which miss the last 5 to 50 % of their rows. "
        f"Late records: {options.tail_ppm} per million more, 5 to 25 days late. "
        f"Outage: {options.outage_days} days. One record is stamped exactly at each midnight."
    )


def main(arguments: list[str] | None = None) -> int:
    """Compare, print the table, and return 1 if this project's own scheme lost a record."""
    parser = argparse.ArgumentParser(prog="soak.comparison", description=__doc__)
    for item in fields(Options):
        parser.add_argument(f"--{item.name.replace('_', '-')}", type=type(item.default), default=item.default)
    parser.add_argument("--write-doc", action="store_true", help="write the table into docs/no-record-lost.md")
    wanted = vars(parser.parse_args(arguments))
    is_recorded = wanted.pop("write_doc")
    options = Options(**wanted)
    with tempfile.TemporaryDirectory() as folder:
        losses = compare(options, Path(folder))
    block = block_of(losses, options)
    print(block)
    if is_recorded:
        DOCUMENT.write_text(put(DOCUMENT.read_text(), "schemes", block))
    *_, ours = losses.values()
    return 1 if any(item.lost for item in ours) else 0


def _at(day: date) -> datetime:
    return datetime.combine(day, time(tzinfo=UTC))


if __name__ == "__main__":
    sys.exit(main())
