"""What a complete reading of a day must have found by now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

from entra_lake.schema import Stream
from sandbox import ticks
from sandbox.tenant.records import Records


def truth(records: Records, stream: Stream, day: date, now: int) -> Iterator[bytes]:
    """Return a JSON line for every version of the day's records that has been visible by now, ordered by time and id.

    A version whose event time lies on another day belongs to that day's truth.
    """
    start = ticks.start_of(day)
    for row in records.rows_of_day(stream, day):
        for number, version in enumerate(row.versions, start=1):
            if version.visible_at <= now and start <= version.ticks < start + ticks.DAY:
                yield _line(row.id, number, version.visible_at, version.ticks, version.body)


def _line(record_id: str, number: int, visible_at: int, event: int, body: bytes) -> bytes:
    facts = {"id": record_id, "version": number, "visible_at": ticks.iso(visible_at), "event_time": ticks.iso(event)}
    head = json.dumps(facts)[:-1].encode()
    try:
        json.loads(body)
    except ValueError:
        return head + b',"raw":' + json.dumps(body.decode("utf-8", "replace")).encode() + b"}\n"
    return head + b',"record":' + body + b"}\n"
