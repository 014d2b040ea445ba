"""Checkpoints: what a retried task need not list again. They lie in S3, so any worker can go on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta

from entra_lake.layout import checkpoint_prefix, complete_key, pass_id, pass_key, pass_start, run_hash, slice_key
from entra_lake.passes import PassReport, SliceReport, missing_slices, slice_report, to_json
from entra_lake.schema import Stream
from entra_lake.slices import Slice, iso
from entra_lake.store_protocol import Store


class Checkpoints:
    """The checkpoints of one day of one stream."""

    def __init__(self, store: Store, stream: Stream, day: date) -> None:
        self._store = store
        self._stream = stream
        self._day = day

    def names(self) -> dict[str, set[str]]:
        """Return each pass id of the day and the names of its documents."""
        prefix = checkpoint_prefix(self._stream, self._day)
        found: dict[str, set[str]] = {}
        for item in self._store.list(prefix):
            name, _, document = item.key.removeprefix(prefix).partition("/")
            found.setdefault(name, set()).add(document)
        return found

    def completed(self) -> list[PassReport]:
        """Return all complete passes, in their order."""
        names = sorted(name for name, documents in self.names().items() if "complete.json" in documents)
        return [report for name in names if (report := self._read(complete_key(self._stream, self._day, name)))]

    def resume(self, run_id: str) -> PassReport | None:
        """Return the last pass of this run, with its finished slices; None when it is complete, or there is none."""
        names = self.names()
        mine = [name for name in sorted(names) if name.endswith(run_hash(run_id)) and "pass.json" in names[name]]
        if not mine or "complete.json" in names[mine[-1]]:
            return None
        report = self._read(pass_key(self._stream, self._day, mine[-1]))
        return replace(report, slices=(*report.slices, *self._finished(report.pass_id))) if report else None

    def begin(self, run_id: str, now: datetime, window: Slice, finished: tuple[SliceReport, ...] = ()) -> PassReport:
        """Begin a pass, later than every pass of the day: the order of passes says what was observed last.

        So a run that was interrupted begins another pass: under its old name, what it lists now would count as
        observed then, before what others have listed meanwhile.

        :param finished: slices that the interrupted pass has listed to their end.
        """
        earlier = [pass_start(name) for name in self.names()]
        moment = max([now.replace(microsecond=0), *(start + timedelta(seconds=1) for start in earlier)])
        report = PassReport(
            pass_id=pass_id(moment, run_id),
            run_id=run_id,
            started_at=iso(moment),
            start=iso(window.start),
            end=iso(window.end),
            slices=finished,
        )
        self._store.create(pass_key(self._stream, self._day, report.pass_id), report.to_bytes())
        return report

    def finish_slice(self, report: PassReport, done: SliceReport) -> PassReport:
        """Note a finished slice; return the pass with it."""
        key = slice_key(self._stream, self._day, report.pass_id, done.window)
        self._store.create(key, to_json(asdict(done)))
        return replace(report, slices=(*report.slices, done))

    def complete(self, report: PassReport, now: datetime) -> PassReport:
        """Note that every slice of the pass was listed to its end; return the finished pass."""
        finished = replace(report, finished_at=iso(now))
        self._store.create(complete_key(self._stream, self._day, report.pass_id), finished.to_bytes())
        return finished

    def _finished(self, name: str) -> tuple[SliceReport, ...]:
        prefix = f"{checkpoint_prefix(self._stream, self._day)}{name}/slice-"
        contents = [self._store.read(item.key) for item in self._store.list(prefix)]
        return tuple(slice_report(json.loads(content[0])) for content in contents if content)

    def _read(self, key: str) -> PassReport | None:
        found = self._store.read(key)
        return PassReport.from_bytes(found[0]) if found else None


class OpenPass:
    """A pass while its slices are listed.

    :param report: the pass with all slices that are finished so far.
    """

    def __init__(self, checkpoints: Checkpoints, report: PassReport) -> None:
        self._checkpoints = checkpoints
        self.report = report

    def keep(self, done: SliceReport) -> None:
        """Note a finished slice; by one listing at a time."""
        self.report = self._checkpoints.finish_slice(self.report, done)


def left_to_list(report: PassReport) -> list[Slice]:
    """Return what the pass has not listed yet."""
    return missing_slices(report.window, [done.window for done in report.slices])
