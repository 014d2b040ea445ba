"""News: of the records that a slice lists, those that the lake must keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from entra_lake.changed_records import ChangedRecords
from entra_lake.changes import changed_paths
from entra_lake.flatten import parse_record
from entra_lake.identity import Identity, canonical, identify
from entra_lake.json_text import parse_json
from entra_lake.known import Known, Standing
from entra_lake.schema import Stream
from entra_lake.tally import lateness_bound

Listed = tuple[bytes, Identity]

#: Of changed records that are looked at together: looking at one takes as long as at hundreds of its row group.
MOST_AT_ONCE_BYTES = 1024 * 1024


class NewsFilter:
    """Compare the pages of one slice with what the lake holds, and let pass what is new.

    Written are ids that are unknown and contents that differ from the latest one of their id. When
    Graph lists an older content, it counts only if the same listing does not hold the latest, too.
    Changed records wait until the slice is listed; then those whose rows are neighbours are looked at together.

    :param seen_at: when the pass began, ms since 1970: from then on its new records count as seen.
    :param changed: where they wait.
    """

    def __init__(self, stream: Stream, known: Known, seen_at: int, changed: ChangedRecords) -> None:
        self._stream = stream
        self._known = known
        self._changed = changed
        self._older: list[Listed] = []
        self._seen_at = seen_at
        self.counts: Counter[Standing] = Counter()
        self.lateness: Counter[str] = Counter()
        self.changed_fields: Counter[str] = Counter()

    def identify(self, lines: Sequence[bytes]) -> list[Listed]:
        """Return the records with their identities."""
        return [(line, identify(line, self._stream)) for line in lines]

    def sift(self, listed: Sequence[Listed]) -> list[Listed]:
        """Return what is new of a page; what has changed waits."""
        standings = self._known.compare([identity for _, identity in listed])
        found: dict[Standing, list[Listed]] = {standing: [] for standing in Standing}
        for item, standing in zip(listed, standings, strict=True):
            found[standing].append(item)
        news, changed = found[Standing.NEW], found[Standing.CHANGED]
        self._older += found[Standing.OLDER]
        self.counts[Standing.NEW] += len(news)
        times = (identity.event_time for _, identity in news)
        self.lateness.update(lateness_bound(self._seen_at - time) for time in times if time is not None)
        if changed:
            rows = self._known.first_rows_of([identity.id for _, identity in changed])
            self._changed.add([line for line, _ in changed], rows)
        return news

    def rest(self) -> Iterator[Listed]:
        """Give, once, when the slice is listed to its end, what has changed, and the older contents that came back."""
        for lines in self._changed.batches(MOST_AT_ONCE_BYTES):
            yield from self._really_changed(self.identify(lines))
        back = [item for item in self._older if not self._known.has_listed_latest(item[1])]
        self.counts[Standing.CHANGED] += len(back)
        if back:
            self._note_changes(back, self._contents(back))
        yield from back

    def _really_changed(self, changed: Sequence[Listed]) -> list[Listed]:
        """Return the records without those whose bytes differ while their parsed values do not."""
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
