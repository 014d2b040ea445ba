"""Where a thing lives in the lake: every object key is made here, and only from typed values.

raw/<stream>/dt=D/<pass>/<first>_<last>_<records>_<sha>.jsonl.zst   as received; only erasure deletes
raw/<stream>/dt=D/erased/<sha>.json                                 which records were erased; see tombstones
checkpoints/<stream>/dt=D/<pass>/{pass,<slice>,complete}.json       what a retry need not list again
staging/<stream>/dt=D/<sha256>.parquet                              a build on its way to the lake
lake/<stream>/dt=D/<stream>-D.parquet                               the day's one object
manifests/<stream>/D.json                                           the acknowledgement
findings/dt=D/<rule>.parquet                                        what a rule has found on the day
examinations/D.json                                                 which rules have run for the day, who was told
lake.json  retention.json  mutes.json  budget/<application>-<tenant>.json  mails/<run>/<cause>
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from entra_lake.errors import DataError
from entra_lake.schema import Stream
from entra_lake.slices import Slice

LAKE_KEY = "lake.json"
#: What Graph's refusals say of retention, where that is less than the setting.
RETENTION_KEY = "retention.json"
#: Of which concerns somebody was told.
WATCH_KEY = "mails/watch.json"
#: Which findings nobody wants to hear of.
MUTES_KEY = "mutes.json"
#: Which rules are at home in the lake, and who is mailing about findings.
DIGEST_KEY = "mails/findings.json"
#: What the table of findings reads.
FINDINGS_PREFIX = "findings/"
#: Which rules have run for which days.
EXAMINATIONS_PREFIX = "examinations/"

_PASS = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
_ERASED = "erased"
_PART = re.compile(r"(-?\d{1,15})_(-?\d{1,15})_(\d{1,7})_([0-9a-f]{16})\.jsonl\.zst")


def pass_id(started_at: datetime, run_id: str) -> str:
    """Name a pass by its UTC start and a hash of its run: names sort in the order of the passes."""
    return f"{started_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{run_hash(run_id)}"


def run_hash(run_id: str) -> str:
    """Return the part of a pass id that its run decides."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:8]


@lru_cache(1024)  # a build asks for every version's
def pass_start(name: str) -> datetime:
    """Return when the pass of this id started.

    :raises DataError: when it is no pass id.
    """
    match = _PASS.fullmatch(name)
    if not match:
        message = f"{name!r} is not the id of a pass. Remove what does not belong below raw/."
        raise DataError(message)
    return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class RawPart:
    """One object of raw records: its key tells all that is needed to decide whether to open it.

    :param first: earliest event time in it, ms since 1970.
    :param last: latest event time in it, ms since 1970.
    """

    key: str
    pass_id: str
    first: int
    last: int
    records: int

    @classmethod
    def parse(cls, key: str) -> RawPart:
        """Read a part's facts from its key.

        :raises DataError: when the key is not a raw part's.
        """
        folder, _, name = key.rpartition("/")
        match = _PART.fullmatch(name)
        if not match:
            message = f"{key} is not a raw part. Remove what does not belong below raw/."
            raise DataError(message)
        pass_name = folder.rpartition("/")[2]
        pass_start(pass_name)
        return cls(key, pass_name, int(match[1]), int(match[2]), int(match[3]))


def raw_prefix(stream: Stream, day: date) -> str:
    """Return the prefix of all raw parts of the day."""
    return f"raw/{stream.name}/dt={day}/"


def raw_key(  # noqa: PLR0913 - what a key is made of
    stream: Stream, day: date, name: str, *, first: int, last: int, records: int, sha256: str
) -> str:
    """Return the key of a raw part; the same content in the same pass has the same key.

    :param sha256: of the SHA-256 of all records, one behind the other.
    """
    return f"{raw_prefix(stream, day)}{name}/{first}_{last}_{records}_{sha256[:16]}.jsonl.zst"


def erasure_key(stream: Stream, day: date, content: bytes) -> str:
    """Return the key of a document that says which of the day's records were erased."""
    return f"{raw_prefix(stream, day)}{_ERASED}/{hashlib.sha256(content).hexdigest()[:16]}.json"


def is_erasure_key(key: str) -> bool:
    """Tell whether a key below raw/ is such a document's."""
    return key.split("/")[-2:-1] == [_ERASED]


def parts_hash(keys: Iterable[str]) -> str:
    """Return the hash of a set of keys below raw/, whatever their order."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def checkpoint_prefix(stream: Stream, day: date) -> str:
    """Return the prefix of the checkpoints of all passes of the day."""
    return f"checkpoints/{stream.name}/dt={day}/"


def pass_key(stream: Stream, day: date, name: str) -> str:
    """Return the key of the document that begins a pass."""
    return f"{checkpoint_prefix(stream, day)}{name}/pass.json"


def slice_key(stream: Stream, day: date, name: str, window: Slice) -> str:
    """Return the key of a finished slice's checkpoint."""
    return f"{checkpoint_prefix(stream, day)}{name}/slice-{window.name}.json"


def complete_key(stream: Stream, day: date, name: str) -> str:
    """Return the key of the document that says: every slice of the pass was listed to its end."""
    return f"{checkpoint_prefix(stream, day)}{name}/complete.json"


def staging_prefix(stream: Stream, day: date) -> str:
    """Return the prefix of the day's builds on their way to the lake."""
    return f"staging/{stream.name}/dt={day}/"


def staging_key(stream: Stream, day: date, sha256: str) -> str:
    """Return the key of a build on its way to the lake."""
    return f"{staging_prefix(stream, day)}{sha256}.parquet"


def table_prefix(stream: Stream) -> str:
    """Return the prefix that the stream's table reads."""
    return f"lake/{stream.name}/"


def partition_prefix(stream: Stream, day: date) -> str:
    """Return the prefix of one partition."""
    return f"{table_prefix(stream)}dt={day}/"


def lake_key(stream: Stream, day: date) -> str:
    """Return the key of the day's one Parquet object."""
    return f"{partition_prefix(stream, day)}{stream.name}-{day}.parquet"


def manifest_prefix(stream: Stream) -> str:
    """Return the prefix of the stream's manifests."""
    return f"manifests/{stream.name}/"


def manifest_key(stream: Stream, day: date) -> str:
    """Return the key of the day's manifest."""
    return f"{manifest_prefix(stream)}{day}.json"


def findings_prefix(day: date) -> str:
    """Return the prefix of the day's partition of findings."""
    return f"{FINDINGS_PREFIX}dt={day}/"


def findings_key(rule: str, day: date) -> str:
    """Return the key of what a rule has found on the day."""
    return f"{findings_prefix(day)}{rule}.parquet"


def examination_key(day: date) -> str:
    """Return the key of the document on which rules have run for the day."""
    return f"{EXAMINATIONS_PREFIX}{day}.json"


def budget_key(client_id: str, tenant_id: str) -> str:
    """Return the key of the request budget that all tasks of one application and tenant share."""
    return f"budget/{_plain(client_id)}-{_plain(tenant_id)}.json"


def mail_key(run_id: str, cause: str) -> str:
    """Return the key whose creation decides that this run has mailed about this cause."""
    return f"mails/{_plain(run_id)}/{_plain(cause)}.json"


def _plain(text: str) -> str:
    """Keep only what cannot change the meaning of a key."""
    plain = re.sub(r"[^A-Za-z0-9.=+-]", "_", text).strip(".") or "_"
    longest = 120
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
