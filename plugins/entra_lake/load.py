"""transform and load: the day's object from raw, and its way into the lake under a condition.

The lake's object is looked at *before* raw is listed. Only if it is still that one may it be
replaced: whoever built from fewer raw parts loses, builds again and keeps everybody's records.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from entra_lake.build import Built, build_day, is_current
from entra_lake.errors import ConflictError, DataError, ShrinkRefusedError
from entra_lake.footer import Footer, read_footer
from entra_lake.lake import Lake
from entra_lake.layout import lake_key, staging_key
from entra_lake.raw import list_day
from entra_lake.schema import Stream
from entra_lake.scratch import scratch
from entra_lake.store import ABSENT, hash_content

#: Lost races after which load gives up; each means that another run has loaded the day meanwhile.
MOST_RACES = 6
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A build that waits in staging/.

    :param etag: ETag of the lake's object that the build may replace; None: of none.
    :param sha256: of the build, which names it in staging/; None when the lake's object is this build already.
    """

    etag: str | None
    rows: int
    ids: int
    sha256: str | None = None
    size: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for XCom."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The object that is in the lake after a load."""

    key: str
    etag: str
    rows: int
    ids: int
    size: int
    sha256: str
    is_new: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for XCom."""
        return asdict(self)


def transform(lake: Lake, stream: Stream, day: date) -> Staged:
    """Build the day's object from all of its raw parts, and put it into staging/.

    :returns: where it is, and the ETag under which load may put it into the lake.
    """
    with scratch(lake.folder) as folder:
        etag, built, footer = build_if_needed(lake, stream, day, folder)
        if built is None:
            return Staged(etag=etag, rows=footer.rows, ids=footer.ids)
        sha256 = hash_content(built.path)
        lake.store.create(staging_key(stream, day, sha256), built.path)  # None: this very build is there already
        size = built.path.stat().st_size
    return Staged(etag=etag, rows=footer.rows, ids=footer.ids, sha256=sha256, size=size)


def load(lake: Lake, stream: Stream, day: date, staged: Staged, jitter: Callable[[], float] = random.random) -> Loaded:
    """Put the staged build into the lake; build again from raw when another run was first.

    :raises ShrinkRefusedError: when the build holds fewer ids than the object that it would replace.
    :raises ConflictError: when other runs were first, time and again.
    """
    with scratch(lake.folder) as folder:
        path = folder / "staged.parquet"
        etag, ready = staged.etag, _fetch(lake, stream, day, staged, path)
        for race in range(MOST_RACES):
            if not ready:
                lake.clock.sleep(min(_LONGEST_PAUSE_SECONDS, 0.1 * 2**race) * jitter() if race else 0.0)
                etag, built, _ = build_if_needed(lake, stream, day, folder)
                if built is None:
                    return _in_lake(lake, stream, day, is_new=race > 0)
                path = built.path
            if _put(lake, stream, day, path, etag):
                return _in_lake(lake, stream, day, is_new=True)
            ready = False
    message = f"{stream.name} {day}: other runs loaded the day {MOST_RACES} times meanwhile. Trying again later."
    raise ConflictError(message)


def build_if_needed(lake: Lake, stream: Stream, day: date, folder: Path) -> tuple[str | None, Built | None, Footer]:
    """Look at the lake's object, then list raw, then build unless the object is that build already.

    :returns: the object's ETag (None: there is none), the build (None: not needed), and the footer of
        what is or will be in the lake.
    """
    found = read_footer(lake.store, lake_key(stream, day))
    raw = list_day(lake.store, stream, day)
    if found and is_current(found[0], stream, raw):
        return found[1].etag, None, found[0]
    built = build_day(lake.store, stream, day, lake.tenant_id, folder / "built.parquet", raw)
    return (found[1].etag if found else ABSENT), built, built.footer


def _fetch(lake: Lake, stream: Stream, day: date, staged: Staged, path: Path) -> bool:
    """Bring the staged build here; tell whether there is one."""
    if staged.sha256 is None:
        return False
    found = lake.store.download(staging_key(stream, day, staged.sha256), path)
    return found is not None


def _put(lake: Lake, stream: Stream, day: date, path: Path, etag: str | None) -> bool:
    key = lake_key(stream, day)
    _refuse_shrinking(lake, key, path, etag)
    return lake.store.replace(key, path, etag) is not None


def _refuse_shrinking(lake: Lake, key: str, path: Path, etag: str | None) -> None:
    """Guard what is in the lake against a raw zone that has lost records."""
    found = read_footer(lake.store, key) if etag else None
    if found is None or found[1].etag != etag:
        return  # the condition of the write will fail
    footer = local_footer(path, key)
    if footer.ids_ever < found[0].ids_ever:
        message = (
            f"{key} holds {found[0].ids} ids, and building it from raw gives only {footer.ids}. It stays as it is. "
            "Restore the day's deleted objects below raw/ from their noncurrent versions, then run the day again."
        )
        raise ShrinkRefusedError(message)


def local_footer(path: Path, key: str) -> Footer:
    """Return the footer of a build on this machine's disk."""
    return Footer.from_metadata(pq.read_metadata(path).metadata, key)


def _in_lake(lake: Lake, stream: Stream, day: date, *, is_new: bool) -> Loaded:
    key = lake_key(stream, day)
    found = read_footer(lake.store, key)
    if found is None:
        message = f"{lake.store.url(key)} was just written and is gone. Nothing but Entra Lake may delete below lake/."
        raise DataError(message)
    footer, facts = found
    return Loaded(
        key=key,
        etag=facts.etag,
        rows=footer.rows,
        ids=footer.ids,
        size=facts.size,
        sha256=facts.sha256 or "",
        is_new=is_new,
    )
