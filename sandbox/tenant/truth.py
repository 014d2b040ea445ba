"""What a complete reading of a day must have found by now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

from entra_lake.schema import Stream
from sandbox import ticks
from sandbox.tenant.records import Records
from sandbox.tenant.served import Served


def truth(  # noqa: PLR0913
    records: Records, served: Served, stream: Stream, day: date, now: int, *, every: bool
) -> Iterator[bytes]:
    """Return a JSON line for every version of the day's records, ordered by time and id.

    Told are the version that is current now, and those before it that a listing has held: what was replaced before
    anybody asked is in no listing, and so in no lake. A version whose event time lies on another day belongs to that
    day's truth.

    :param every: tell also the versions that were visible and never listed.
    """
    start = ticks.start_of(day)
    for row in records.rows_of_day(stream, day):
        visible = [version for version in row.versions if version.visible_at <= now]
        for number, version in enumerate(visible, start=1):
            is_told = every or number == len(visible) or served.holds(stream.name, row.id, version.body)
            if is_told and start <= version.ticks < start + ticks.DAY:
                yield _line(row.id, number, version.visible_at, version.ticks, version.body)


def _line(record_id: str, number: int, visible_at: int, event: int, body: bytes) -> bytes:
    facts = {"id": record_id, "version": number, "visible_at": ticks.iso(visible_at), "event_time": ticks.iso(event)}
    head = json.dumps(facts)[:-1].encode()
    try:
        json.loads(body)
    except ValueError:
        return head + b',"raw":' + json.dumps(body.decode("utf-8", "replace")).encode() + b"}\n"
    return head + b',"record":' + body + b"}\n"
