"""News: of the records that a slice lists, those that the lake must keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from entra_lake.changes import changed_paths
from entra_lake.flatten import parse_record
from entra_lake.identity import Identity, canonical, identify
from entra_lake.json_text import parse_json
from entra_lake.known import Known, Standing
from entra_lake.schema import Stream
from entra_lake.tally import lateness_bound

Listed = tuple[bytes, Identity]

#: Of changed records that are looked at together: looking at one takes as long as at hundreds of its row group.
MOST_WAITING_BYTES = 1024 * 1024


class NewsFilter:
    """Compare the pages of one slice with what the lake holds, and let pass what is new.

    Written are ids that are unknown and contents that differ from the latest one of their id. When
    Graph lists an older content, it counts only if the same listing does not hold the latest, too.
    Changed records wait for those of the next pages, until there are enough or the slice ends.

    :param seen_at: when the pass began, ms since 1970: from then on its new records count as seen.
    """

    def __init__(self, stream: Stream, known: Known, seen_at: int) -> None:
        self._stream = stream
        self._known = known
        self._changed: list[Listed] = []
        self._changed_bytes = 0
        self._older: list[Listed] = []
        self._seen_at = seen_at
        self.counts: Counter[Standing] = Counter()
        self.lateness: Counter[str] = Counter()
        self.changed_fields: Counter[str] = Counter()

    def identify(self, lines: Sequence[bytes]) -> list[Listed]:
        """Return the records with their identities."""
        return [(line, identify(line, self._stream)) for line in lines]

    def sift(self, listed: Sequence[Listed]) -> list[Listed]:
        """Return what is new for certain: of a page, and of the changed records that waited."""
        standings = self._known.compare([identity for _, identity in listed])
        news: list[Listed] = []
        for item, standing in zip(listed, standings, strict=True):
            if standing is Standing.NEW:
                news.append(item)
            elif standing is Standing.CHANGED:
                self._changed.append(item)
                self._changed_bytes += len(item[0])
            elif standing is Standing.OLDER:
                self._older.append(item)
        self.counts[Standing.NEW] += len(news)
        times = (identity.event_time for _, identity in news)
        self.lateness.update(lateness_bound(self._seen_at - time) for time in times if time is not None)
        return news + self._really_changed() if self._changed_bytes >= MOST_WAITING_BYTES else news

    def rest(self) -> list[Listed]:
        """Return, when the slice is listed to its end, what waited, and the older contents that came back."""
        news = self._really_changed()
        back = [item for item in self._older if not self._known.has_listed_latest(item[1])]
        self._older = []
        self.counts[Standing.CHANGED] += len(back)
        if back:
            self._note_changes(back, self._contents(back))
        return news + back

    def _really_changed(self) -> list[Listed]:
        """Return the records that waited, without those whose bytes differ while their parsed values do not."""
        changed, self._changed, self._changed_bytes = self._changed, [], 0
        if not changed:
            return []
        contents = self._contents(changed)
        news = []
        for line, identity in changed:
            is_latest = contents.get(identity.id, {}).get(canonical(line))
            if is_latest is None:
                news.append((line, identity))
            elif is_latest:
                self._known.note_latest(identity)
            else:
                self._older.append((line, identity))
        self.counts[Standing.CHANGED] += len(news)
        self._note_changes(news, contents)
        return news

    def _contents(self, listed: Sequence[Listed]) -> dict[str, dict[str, bool]]:
        """Return what the lake holds of these ids; see `Known.contents`."""
        return self._known.contents(self._stream, [identity.id for _, identity in listed])

    def _note_changes(self, changed: Sequence[Listed], contents: Mapping[str, Mapping[str, bool]]) -> None:
        """Count the fields in which these records differ from the latest content of their ids."""
        for line, identity in changed:
            latest = [content for content, is_latest in contents.get(identity.id, {}).items() if is_latest]
            if latest:
                self.changed_fields.update(changed_paths(parse_json(latest[0]), parse_record(line)))
