"""How long Graph keeps a stream: the setting, or less where Graph's own refusals have said so.

A tenant's licence decides, and it may end. When Graph refuses a day that the setting counts on, its
message names the oldest day that it still has. `retention.json` remembers that for all runs, so that
they ask for nothing that cannot be had, read days at closer ages, and call lost what is lost.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any

from entra_lake.errors import RetentionError
from entra_lake.lake import Lake
from entra_lake.layout import RETENTION_KEY
from entra_lake.rewriting import rewrite
from entra_lake.schema import Stream
from entra_lake.slices import SHORTEST_SLICE, Slice, iso

log = logging.getLogger(__name__)

#: After so long Graph is asked once more for what the setting promises: a licence may have been bought.
FORGET_AFTER = timedelta(days=30)


def retention_days(lake: Lake, stream: Stream) -> int:
    """Return for how many days Graph keeps the stream, as far as is known."""
    return min(lake.settings.retention_days, named_retention(lake).get(stream.name, lake.settings.retention_days))


def named_retention(lake: Lake) -> dict[str, int]:
    """Return by stream the days that Graph's refusals have named, where they are fewer than the setting says."""
    found = lake.store.read(RETENTION_KEY)
    notes = json.loads(found[0]) if found else {}
    return {
        name: int(note["retention_days"])
        for name, note in notes.items()
        if lake.clock.now() - datetime.fromisoformat(note["noted_at"]) < FORGET_AFTER
        and note["retention_days"] < lake.settings.retention_days
    }


def rest_of(lake: Lake, stream: Stream, window: Slice, error: RetentionError) -> Slice:
    """Note the bound that a refusal names, and return what lies behind it of the slice that was refused.

    :raises RetentionError: the error itself, when nothing is left.
    """
    if error.oldest is None:
        raise error
    _note(lake, stream, error.oldest)
    start = error.oldest.replace(microsecond=0)
    start += SHORTEST_SLICE if start < error.oldest else timedelta()
    if not window.start < start < window.end:
        raise error
    log.warning("%s: Graph has only what happened from %s on; what came before is lost.", stream.name, iso(start))
    return Slice(start, window.end)


def _note(lake: Lake, stream: Stream, oldest: datetime) -> None:
    """Remember the bound for all runs."""
    now = lake.clock.now()
    days = max(1, (now.date() - oldest.date()).days)
    if days >= lake.settings.retention_days:
        return
    log.error(
        "%s: Graph keeps %d days, and lake %r counts on %d. Days that are older are lost. If a licence has ended, set "
        "retention_days to %d in include/lakes.yaml.",
        *(stream.name, days, lake.settings.name, lake.settings.retention_days, days),
    )

    def noted(content: bytes | None) -> bytes:
        notes: dict[str, Any] = {} if content is None else json.loads(content)
        notes[stream.name] = {"retention_days": days, "oldest": iso(oldest), "noted_at": iso(now)}
        return json.dumps(notes, indent=1).encode()

    rewrite(lake.store, RETENTION_KEY, noted)
