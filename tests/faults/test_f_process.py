"""Workers that are stopped, ended, moved to another machine, or out of disk; and clocks that are wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Lock

import pytest
from ground import SIGN_INS, Ground, assert_nothing_committed, assert_truth
from plain_ground import PlainGround

from entra_lake import crew, scratch
from entra_lake.budget import Priority
from entra_lake.checkpoints import Checkpoints
from entra_lake.collect import collect_day
from entra_lake.errors import AthenaUnavailableError, DiskFullError, RetryableError, ThrottledError, WrongClockError
from entra_lake.extract import extract
from entra_lake.load import load, transform
from entra_lake.progress import Progress
from entra_lake.slices import ONE_DAY
from entra_lake.tables import repair_partitions
from entra_lake.verify import verify
from simulation import DAY, true_contents

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("stopping_worker.py")


@contextmanager
def worker(ground: Ground, *places: str) -> Iterator[int]:
    """Start a worker on the day in a process of its own, which stops before these writes; give its process id."""
    names = ("bucket", "prefix", "database", "streams", "requests_per_10_seconds")
    facts = {
        "cloud": str(ground.cloud.state.folder),
        "ticks": ground.world.ticks,
        "settings": {name: getattr(ground.world.settings, name) for name in names},
        "day": str(ground.day),
        "run_id": "run",
        "places": places,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["plugins", "."])}
    process = subprocess.Popen([sys.executable, str(WORKER), json.dumps(facts)], env=environment)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def next_state(pid: int) -> str:
    """Wait until the process stops or ends; say which."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return "stopped"
    return f"ended {os.waitstatus_to_exitcode(status)}"


@pytest.mark.fault(37)
def test_a_worker_that_was_stopped_overwrites_nothing_newer(ground: Ground) -> None:
    """Stopped before it loads, and again before it acknowledges, while others go on for ten minutes each time."""
    with worker(ground, "lake/", "manifests/") as pid:
        for others in ("first", "second"):
            assert next_state(pid) == "stopped"
            ground.wait(600)  # before the others list: what changes behind that is nobody's yet
            ground.add(ground.sign_in(f"of the {others}"))
            ground.collect(others)
            os.kill(pid, signal.SIGCONT)
        assert next_state(pid) == "ended 0"
    assert_truth(ground)


@pytest.mark.fault(37)
def test_a_worker_that_is_told_to_end(ground: Ground) -> None:
    """SIGTERM between build and load: nothing is committed, and the same run completes the day without Graph."""
    with worker(ground, "lake/") as pid:
        assert next_state(pid) == "stopped"
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        assert next_state(pid) == f"ended {-signal.SIGTERM}"
    assert_nothing_committed(ground)
    asked = len(ground.asked())
    ground.collect()
    assert len(ground.asked()) == asked
    assert_truth(ground)


class FullDisk(tempfile.TemporaryDirectory[str]):
    """A temporary folder whose files lie on a disk that is full: the kernel's own."""

    def __enter__(self) -> str:
        name = super().__enter__()
        for file in ("built.parquet", "staged.parquet", "known.parquet"):
            (Path(name) / file).symlink_to("/dev/full")
        return name


@pytest.mark.fault(40)
def test_a_full_disk(plain: PlainGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the disk, nothing partial is written, and with room again the day needs nothing of Graph."""
    with monkeypatch.context() as patch:
        patch.setattr(scratch.tempfile, "TemporaryDirectory", FullDisk)
        with pytest.raises(DiskFullError, match="No space left"):
            plain.collect()
    assert not list(plain.open().store.list("lake/"))
    assert not list(plain.open().store.list("manifests/"))
    asked = len(plain.cloud.tenant.graph.requests)
    plain.collect("another run")
    assert len(plain.cloud.tenant.graph.requests) == asked
    plain.assert_truth()


@pytest.mark.fault(9, 41)
def test_the_retry_runs_on_another_machine(plain: PlainGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one worker has finished of a listing, another one that knows only the lake does not list again."""
    monkeypatch.setattr(crew, "MOST_AT_ONCE", 1)  # the first half is finished before the second one is begun
    plain.fault(
        {"kind": "skiptoken_invalid", "page": 2},
        {"kind": "page_size", "rows": 20, "times": "always"},
        {"kind": "status", "status": 429, "retry_after": 3600, "filter": f"ge {DAY}T12", "times": "always"},
    )
    with pytest.raises(ThrottledError):
        plain.collect()
    left = Checkpoints(plain.open().store, SIGN_INS, DAY).resume("run")
    assert left
    assert left.slices, "no slice was finished"
    plain.fault()
    plain.wait(3600)
    outcome = plain.collect()
    assert outcome.report
    assert outcome.report.slices[: len(left.slices)] == left.slices
    plain.assert_truth()


@pytest.mark.fault(41)
@pytest.mark.parametrize("gone", ["staging/", "checkpoints/"])
def test_what_is_only_on_the_way_may_go(ground: Ground, gone: str) -> None:
    """Without staging/ load builds again from raw; without checkpoints the day is listed again; nothing is lost."""
    lake = ground.open()
    extract(lake, SIGN_INS, ground.day, "run")
    staged = transform(lake, SIGN_INS, ground.day)
    client = lake.aws.client("s3")
    for item in list(lake.store.list(gone)):
        client.delete_object(Bucket=lake.settings.bucket, Key=f"{lake.settings.prefix}/{item.key}".lstrip("/"))
    assert not list(lake.store.list(gone))
    asked = len(ground.asked())
    load(ground.open(), SIGN_INS, ground.day, staged)
    ground.collect()
    assert (len(ground.asked()) == asked) == (gone == "staging/")
    assert_truth(ground)


@pytest.mark.fault(49)
def test_athena_is_down_for_a_day(ground: Ground) -> None:
    """The day that was listed waits in the bucket: the run of the next day acknowledges it without asking Graph."""
    truth = true_contents(ground.cloud, SIGN_INS, ground.day)
    ground.cloud.aws.faults.configure({"athena": {"down": True}})
    with pytest.raises(AthenaUnavailableError):
        ground.collect()
    asked = len(ground.asked())
    ground.wait(ONE_DAY.total_seconds())
    ground.cloud.aws.faults.clear()
    assert ground.collect("next day").error is None
    assert len(ground.asked()) == asked
    held = ground.held()
    assert held
    assert held.view == truth


@pytest.mark.fault(51)
def test_two_repairs_at_once(ground: Ground) -> None:
    """Both succeed, one registers; the day is there once."""
    lakes = [ground.open(), ground.open()]
    for lake in lakes[:1]:
        extract(lake, SIGN_INS, ground.day, "run")
        load(lake, SIGN_INS, ground.day, transform(lake, SIGN_INS, ground.day))
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(repair_partitions, lake, SIGN_INS, ground.day) for lake in lakes]:
            future.result(timeout=60)
    verify(ground.open(), SIGN_INS, ground.day)
    assert_truth(ground)


@pytest.mark.fault(38)
def test_daily_run_backfill_and_reconcile_of_one_day_at_once(ground: Ground) -> None:
    """All three end, whoever loses builds again, and the lake has what any of them has listed, once."""
    together, lock, names = Barrier(3, timeout=60), Lock(), iter(range(100))

    def run(priority: Priority) -> set[str]:
        lake = replace(ground.open(), priority=priority)
        shown: set[str] = set()

        def on_page(_: Progress) -> None:
            with lock:
                shown.add(name := f"shown {next(names)}")
                ground.add(ground.sign_in(name))

        together.wait()
        for _ in range(9):
            try:
                collect_day(lake, SIGN_INS, ground.day, f"run of {priority}", on_page)
            except RetryableError:
                continue
            return shown
        pytest.fail(f"the run of {priority} never ends")

    ground.add(ground.sign_in("before all"))
    with ThreadPoolExecutor(3) as pool:
        shown = set().union(*pool.map(run, Priority))
    assert shown
    held = ground.held()
    assert held
    assert held.doubled == 0
    assert "before all" in held.view
    ground.collect("afterwards")
    assert_truth(ground)


@pytest.mark.fault(58)
@pytest.mark.parametrize("skew", [600.0, -600.0, 86_400.0, -86_400.0], ids=["10 min", "-10 min", "1 day", "-1 day"])
def test_a_wrong_clock_reads_nothing(plain: PlainGround, skew: float) -> None:
    """A worker's clock is not Graph's: it keeps and acknowledges nothing, and once it is set right nothing is lost."""
    plain.show("it", "05:00:00Z")
    plain.skew = skew
    with pytest.raises(WrongClockError, match=rf"clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'}"):
        plain.collect("run")
    assert not [path for path in plain.folder.rglob("*") if path.is_file() and {"raw", "manifests"} & set(path.parts)]
    plain.skew = 0.0
    plain.collect("run")
    plain.collect_if_due("the hourly run")  # a day slow, the run has begun on a day that was not over
    plain.assert_truth()


@pytest.mark.fault(58)
@pytest.mark.parametrize("skew", [240.0, -240.0], ids=["4 min", "-4 min"])
def test_a_clock_that_is_a_little_wrong_and_set_right(plain: PlainGround, skew: float) -> None:
    """A worker reads with a wrong clock, then with the right one: what came last is last, and nothing is lost."""
    plain.show("it", "05:00:00Z", riskState="none")
    plain.skew = skew
    plain.collect("wrong clock")
    for risk in ("atRisk", "none"):
        plain.skew = 0.0
        plain.show("it", "05:00:00Z", riskState=risk)
        plain.collect(f"right clock, {risk}")
        plain.assert_truth()
    assert len(plain.contents_of("it")) == 2
