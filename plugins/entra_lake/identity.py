"""Which record a line is: its id, its event time, and the hash of its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from entra_lake.flatten import Record, parse_record, parse_time
from entra_lake.json_text import json_text
from entra_lake.schema import Stream


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a record from others.

    :param id: Graph's id; `sha256:…` of the content where Graph gave none that is a string.
    :param event_time: ms since 1970; None when the record names no time that can be read.
    :param sha256: SHA-256 of the received bytes, in hexadecimal.
    """

    id: str
    event_time: int | None
    sha256: str


def identify(line: bytes, stream: Stream) -> Identity:
    """Return the identity of a record's bytes.

    :raises ValueError: when the line is no JSON object.
    """
    name, event_time = locate(line, stream)
    sha256 = hashlib.sha256(line).hexdigest()
    return Identity(name or f"sha256:{sha256}", event_time, sha256)


def locate(line: bytes, stream: Stream) -> tuple[str | None, int | None]:
    """Return id and event time of a record's bytes, None for what it does not name.

    :raises ValueError: when the line is no JSON object.
    """
    try:
        fields = _decoder(stream).decode(line)
        name, time = fields.id, fields.time
    except (msgspec.MsgspecError, UnicodeDecodeError):  # surrogates, control characters: msgspec refuses them
        record = parse_record(line)
        name, time = record.get("id"), record.get(stream.time_field)
    return _usable_id(name), parse_time(time)


def canonical(record: bytes | Record) -> str:
    """Return a text that two records share exactly when their parsed values are equal.

    Order of members and white space do not matter; 1 and 1.0 differ, as they do in the lake.
    """
    parsed = parse_record(record) if isinstance(record, bytes) else record
    return json_text(parsed, sort_keys=True)


def _usable_id(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return name


@cache
def _decoder(stream: Stream) -> msgspec.json.Decoder[Any]:
    fields = [("id", Any, None), ("time", Any, None)]
    kind = msgspec.defstruct("Fields", fields, rename={"time": stream.time_field})
    return msgspec.json.Decoder(kind)
