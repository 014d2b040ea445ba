"""A process that is killed at any step leaves a lake that the next run completes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from entra_lake.checkpoints import Checkpoints
from entra_lake.extract import extract, read_manifest
from entra_lake.lake import Lake
from entra_lake.layout import lake_key
from entra_lake.passes import SliceReport
from entra_lake.slices import Slice
from entra_lake.streams import STREAMS
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, latest_contents, true_contents

pytestmark = pytest.mark.slow

SIGN_INS = STREAMS["sign_ins"]
PATIENCE_SECONDS = 60.0

#: Step to (what S3 holds up, what is there already when it is killed, what is not).
STEPS: dict[str, tuple[str, str, str]] = {
    "between a raw part and its checkpoint": (r"checkpoints/.*/slice-", "raw/sign_ins/", "checkpoints/none"),
    "between the last slice and the end of the pass": (r"checkpoints/.*/complete", "checkpoints/sign_ins/", "staging/"),
    "during the build": (r"staging/", "checkpoints/sign_ins/", "lake/"),
    "between the build and the lake": (r"lake/.*parquet", "staging/sign_ins/", "manifests/"),
    "between the object and the manifest": (r"manifests/", "lake/sign_ins/", "manifests/"),
}


def start(cloud: Sandbox) -> subprocess.Popen[bytes]:
    """Start the pipeline in a process of its own."""
    days = ["--from", str(DAY), "--to", str(DAY)]
    command = [sys.executable, "-m", "entra_lake", "collect", *days, "--streams", "sign_ins"]
    env = {**os.environ, **environment(cloud.state.folder), "PYTHONPATH": "plugins"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for(condition: Any) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"


@pytest.mark.fault(36, 39)  # out of memory, the kernel kills in the same way
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_killed_and_run_again(cloud: Sandbox, lake: Lake, step: tuple[str, str, str], tmp_path: Path) -> None:
    """SIGKILL at the step; the next run gives the tenant's truth, once each, and a manifest."""
    held_up, there, not_there = step
    delayed = {"key": held_up, "method": "PUT", "seconds": 6}
    cloud.aws.faults.configure({"s3": {"delay": [delayed]}})
    with start(cloud) as process:
        wait_for(lambda: any(True for _ in lake.store.list(there)))
        wait_for(lambda: process.poll() is None)
        process.send_signal(signal.SIGKILL)
    assert not list(lake.store.list(not_there))
    assert read_manifest(lake, SIGN_INS, DAY) is None
    cloud.aws.faults.clear()
    with start(cloud) as process:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output.decode()
    assert latest_contents(lake, SIGN_INS, DAY, tmp_path) == true_contents(cloud, SIGN_INS, DAY)


def test_a_killed_pass_goes_on_where_it_was(cloud: Sandbox, lake: Lake) -> None:
    """Finished slices are not listed again: the run that goes on asks only for what is missing."""
    checkpoints = Checkpoints(lake.store, SIGN_INS, DAY)
    report = checkpoints.begin("run", lake.clock.now(), Slice.of_day(DAY))
    morning, _ = Slice.of_day(DAY).halve()
    checkpoints.finish_slice(report, SliceReport(start=morning.start.isoformat(), end=morning.end.isoformat()))
    finished = extract(lake, SIGN_INS, DAY, "run")
    assert finished.run_id == report.run_id
    assert finished.pass_id > report.pass_id, "what is listed now is observed later"
    assert [piece.window.name for piece in finished.slices] == ["000000-120000", "120000-240000"]
    filters = [str(request["filter"]) for request in cloud.tenant.graph.requests]
    assert filters
    assert all(f"ge {DAY}T12:00:00Z" in text for text in filters)
    assert lake.store.look(lake_key(SIGN_INS, DAY)) is None
