"""Extraction against the simulated tenant, on simulated time: what it asks for, and how much of the allowance it uses.

The tenant answers each page after a chosen time and counts requests as Graph does; nobody waits for it. Pages hold
5 records here instead of 1,000: it is requests that Graph limits.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks.beside import daily_seconds
from benchmarks.scene import DAY, Scene, sign_ins, simulated_time, tenant
from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import StoreUnavailableError, ThrottledError
from entra_lake.extract import extract
from entra_lake.load import load, transform
from entra_lake.passes import PassReport, missing_slices
from entra_lake.schema import Stream
from entra_lake.slices import Slice
from simulation import latest_contents, true_contents

PAGE_SIZE = 5
STREAM = sign_ins(page_size=PAGE_SIZE)
#: Requests a second that Graph allows.
ALLOWED = 0.5


def take(scene: Scene, day: date, run_id: str = "run", stream: Stream = STREAM) -> PassReport:
    """Take a day to its object; return the pass."""
    report = extract(scene.lake, stream, day, run_id)
    load(scene.lake, stream, day, transform(scene.lake, stream, day))
    return report


def assert_whole(scene: Scene, report: PassReport, day: date, folder: Path) -> None:
    """Compare the slices with the day, and the lake with what the tenant shows."""
    assert missing_slices(Slice.of_day(day), [piece.window for piece in report.slices]) == []
    assert latest_contents(scene.lake, STREAM, day, folder) == true_contents(scene.cloud, STREAM, day)


def test_a_small_day_is_one_slice_and_a_request_a_page(tmp_path: Path) -> None:
    """A day of 300 sign-ins at 5 a page: one slice, one request for each page, none refused, no thread beside it."""
    with tenant(tmp_path, 300, latency=1.5) as scene:
        report = take(scene, DAY)
        pages = -(-int(report.total("listed")) // PAGE_SIZE)
        assert len(report.slices) == 1
        assert report.total("pages") == pages == len(scene.requests)
        assert scene.refused() == 0
        assert_whole(scene, report, DAY, tmp_path)


@pytest.mark.slow
def test_a_larger_day_is_cut_by_what_its_neighbour_held(tmp_path: Path) -> None:
    """Of 260 pages at six seconds: equal slices of 40 pages, hardly a page more than there must be, none refused."""
    with tenant(tmp_path, 1_300, latency=6.0) as scene:
        take(scene, DAY - timedelta(days=1))
        asked, begun = len(scene.requests), scene.time.seconds()
        report = extract(scene.lake, STREAM, DAY, "run")
        seconds, requests = scene.time.seconds() - begun, len(scene.requests) - asked
        load(scene.lake, STREAM, DAY, transform(scene.lake, STREAM, DAY))
        pages = -(-int(report.total("listed")) // PAGE_SIZE)
        assert 4 <= len(report.slices) <= 8
        assert max(piece.pages for piece in report.slices) <= 1.35 * pages / len(report.slices)
        assert report.total("pages") == requests <= pages + len(report.slices)
        assert scene.refused() == 0
        assert requests >= 0.93 * seconds * ALLOWED
        assert 6 * pages >= 2.7 * seconds, "less than 2.7 times as fast as one page after the other"
        assert report.total("waited_seconds") > 0
        assert_whole(scene, report, DAY, tmp_path)


@pytest.mark.slow
def test_a_large_day_that_nothing_is_known_of_is_cut_while_it_is_listed(tmp_path: Path) -> None:
    """The first day ever of a large tenant: few pages are asked for twice, and most of the allowance is used."""
    with tenant(tmp_path, 2_000, latency=6.0) as scene:
        begun = scene.time.seconds()
        report = extract(scene.lake, STREAM, DAY, "run")
        seconds = scene.time.seconds() - begun
        pages = -(-int(report.total("listed")) // PAGE_SIZE)
        assert len(report.slices) > 4
        assert len(scene.requests) <= 1.2 * pages
        assert len(scene.requests) >= 0.8 * seconds * ALLOWED
        assert scene.refused() == 0
        load(scene.lake, STREAM, DAY, transform(scene.lake, STREAM, DAY))
        assert_whole(scene, report, DAY, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "allowed"), [("bucket", 2), ("fixed", 1)])
def test_a_limit_that_is_secretly_lower_costs_a_handful_of_refusals(tmp_path: Path, kind: str, allowed: int) -> None:
    """When Graph allows less than it documents, the listing slows down to that and comes to its end."""
    with tenant(tmp_path, 750, latency=1.5, limit=allowed, kind=kind) as scene:
        begun = scene.time.seconds()
        report = take(scene, DAY)
        seconds = scene.time.seconds() - begun
        assert 0 < scene.refused() <= 20
        assert len(scene.requests) >= 0.9 * seconds * allowed / 10
        assert_whole(scene, report, DAY, tmp_path)


@pytest.mark.parametrize("latency", [1.5, 6.0])
def test_a_daily_run_beside_a_backfill_takes_hardly_longer(latency: float) -> None:
    """60 pages take the scheduled run 133 s alone, and 177 s beside a backfill that never stops; at 6 s 396 and 415."""
    alone, beside = (daily_seconds(STREAM, 60, latency, is_beside=is_beside) for is_beside in (False, True))
    assert beside <= 1.5 * alone


@pytest.mark.slow
def test_a_long_pause_in_the_middle_keeps_what_is_done(tmp_path: Path) -> None:
    """Told to rest for an hour, all listings end at once; the same run goes on with the slices that are left."""
    with tenant(tmp_path, 700, latency=1.5) as scene:
        take(scene, DAY - timedelta(days=1))
        throttled = {"kind": "status", "status": 429, "retry_after": 3600, "after": 100}
        scene.cloud.tenant.faults.configure({"faults": [throttled]})
        asked = len(scene.requests)
        with pytest.raises(ThrottledError) as caught:
            extract(scene.lake, STREAM, DAY, "run")
        assert caught.value.retry_after > 3000
        assert len(scene.requests) - asked <= 100 + 8
        interrupted = Checkpoints(scene.lake.store, STREAM, DAY).resume("run")
        assert interrupted is not None
        assert interrupted.slices
        simulated_time(scene).sleep(3600)
        asked = len(scene.requests)
        report = take(scene, DAY)
        assert report.slices[: len(interrupted.slices)] == interrupted.slices
        assert len(scene.requests) - asked <= sum(piece.pages for piece in report.slices[len(interrupted.slices) :]) + 1
        assert_whole(scene, report, DAY, tmp_path)


@pytest.mark.slow
def test_a_store_that_fails_at_one_checkpoint_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a checkpoint of one of many listings cannot be written, the run fails, and the next one completes it."""
    with tenant(tmp_path, 700, latency=6.0) as scene:
        take(scene, DAY - timedelta(days=1))
        original, writes = scene.lake.store.create, []

        def failing(key: str, content: bytes) -> bool:
            if "/slice-" in key:
                writes.append(key)
                if len(writes) == 2:
                    message = "S3 did not answer"
                    raise StoreUnavailableError(message)
            return original(key, content)

        with monkeypatch.context() as patch:
            patch.setattr(type(scene.lake.store), "create", staticmethod(failing))
            with pytest.raises(StoreUnavailableError):
                extract(scene.lake, STREAM, DAY, "run")
        report = take(scene, DAY)
        assert len(writes) == 2
        assert_whole(scene, report, DAY, tmp_path)
