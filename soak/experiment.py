"""One soak from its first day to its report."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from pathlib import Path

from sandbox.serve import Sandbox
from soak.life import Life
from soak.options import Options
from soak.report import Report
from soak.world import World, hurried

FIRST_MORNING = datetime(2026, 9, 1, 5, tzinfo=UTC)


def soak(options: Options, folder: Path) -> Report:
    """Simulate the days and return what came of them.

    :param folder: where the simulated cloud keeps its state.
    """
    random.seed(options.seed)  # the library's jitter
    began = time.monotonic()
    cloud = Sandbox(
        folder,
        seed=options.seed,
        now=FIRST_MORNING,
        frozen=True,
        sign_ins_per_day=options.sign_ins_per_day,
        throttled=False,
    )
    with cloud, hurried():
        life = Life(World(cloud, options.settings), random.Random(options.seed), options.allow_loss, options.only)
        life.live(options.days)
        return Report.of(life, options, time.monotonic() - began)
