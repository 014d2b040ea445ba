"""Any order of events: a tenant that adds, delays and changes records, runs that die, meet and fail.

Hypothesis chooses what happens next; after every step the lake must still be right. The library and the protocols
are the real ones. By default it is the same story every time. `ENTRA_LAKE_EXAMPLES=400` tells so many, longer and
other ones every time, and prints what tells a failing one again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from two_runs import DAYS, SIGN_INS, STEPS, Scene

from entra_lake.checkpoints import Checkpoints
from entra_lake.collect import collect_day
from entra_lake.errors import ConflictError, EntraLakeError
from sandbox.serve import Sandbox
from simulation import NOW
from soak.stores import PLACES, Meanwhile, Steering
from soak.world import hurried

pytestmark = pytest.mark.slow

EXAMPLES = "ENTRA_LAKE_EXAMPLES"
#: Instants of a day at which collectors lose records, and two that lie in it.
TIMES = ("00:00:00Z", "00:00:00.0000001Z", "03:07:08.1234567Z", "12:00:00Z", "23:59:59Z", "23:59:59.9999999Z")

GRAPH_FAULTS: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503, "times": 2},
    "503 for ever": {"kind": "status", "status": 503, "times": "always"},
    "429": {"kind": "status", "status": 429, "retry_after": 7, "times": 2},
    "429 for an hour": {"kind": "status", "status": 429, "retry_after": 3600},
    "token expired": {"kind": "token_expired"},
    "reset": {"kind": "reset", "after_bytes": 200},
    "truncated": {"kind": "truncate", "after_bytes": 900, "honest": True},
    "broken JSON": {"kind": "broken_json", "page": 2},
    "skiptoken": {"kind": "skiptoken_invalid", "page": 2},
    "loop": {"kind": "loop", "page": 2},
    "empty page": {"kind": "empty_page", "page": 1},
    "duplicates": {"kind": "duplicates", "where": "between", "times": "always"},
    "shuffled": {"kind": "shuffled", "times": "always"},
    "another day": {"kind": "outside_window", "times": "always"},
    "short": {"kind": "short_listing", "share": 0.4, "where": "suffix"},
    "short in the middle": {"kind": "short_listing", "share": 0.4, "where": "middle"},
}
AWS_FAULTS: dict[str, dict[str, Any]] = {
    "S3 503": {"s3": {"errors": [{"n": 2, "status": 503}]}},
    "S3 503 for ever": {"s3": {"errors": [{"status": 503, "method": "PUT"}]}},
    "S3 500 in raw": {"s3": {"errors": [{"n": 1, "status": 500, "key": "raw/"}]}},
    "S3 409": {"s3": {"errors": [{"n": 1, "status": 409, "method": "PUT", "key": "lake/"}]}},
    "reply dropped": {"s3": {"drop_reply": [{"n": 3}]}},
    "flipped byte": {"s3": {"flip": [{"n": 1, "key": "raw/|staging/|manifests/|checkpoints/"}]}},
    "query fails": {"athena": {"fail": {"n": 1, "reason": "GENERIC_INTERNAL_ERROR"}}},
    "object replaced": {"athena": {"replace": {"n": 1}}},
    "Athena throttled": {"athena": {"throttle": 9}},
    "Athena down": {"athena": {"down": True}},
}
SLOTS = st.sampled_from((0, 1))


class LakeMachine(RuleBasedStateMachine):
    """A tenant, a lake, and two runs that get in each other's way."""

    cloud: ClassVar[Sandbox]
    numbers: ClassVar[Iterator[int]]

    @initialize(page_rows=st.integers(3, 30))
    def begin(self, page_rows: int) -> None:
        """Begin with a lake of its own: an empty prefix, a new database, and the tenant as it was at first."""
        self.cloud.tenant.reset()
        self.cloud.aws.faults.clear()
        self.cloud.clock.set(NOW)
        self.scene = Scene(self.cloud, self.numbers, page_rows)
        self.added: list[dict[str, Any]] = []

    # --- the tenant ------------------------------------------------------------------------------

    @rule(time=st.sampled_from(TIMES), day=st.sampled_from(DAYS), hours=st.sampled_from((0, 0, 1, 30)))
    def emit(self, time: str, day: date, hours: int) -> None:
        """Let something happen on a day; it becomes visible at once or late."""
        record = {"id": f"added-{next(self.numbers)}", "createdDateTime": f"{day}T{time}", "riskState": "A"}
        self.added.append(record)
        self.scene.world.add_record(SIGN_INS, record, self.scene.world.now + timedelta(hours=hours))

    @precondition(lambda self: self.added)
    @rule(data=st.data(), content=st.sampled_from("ABC"), hours=st.sampled_from((0, 0, 2)))
    def change(self, data: st.DataObject, content: str, hours: int) -> None:
        """Give a record another content, or one that it had before."""
        record = data.draw(st.sampled_from(self.added))
        changed = {**record, "riskState": content}
        self.scene.world.wait(1)
        self.scene.world.add_record(SIGN_INS, changed, self.scene.world.now + timedelta(hours=hours))

    @rule(hours=st.sampled_from((0.01, 1, 24)))
    def wait(self, hours: float) -> None:
        """Let time pass."""
        self.scene.world.wait(hours * 3600)

    # --- runs ------------------------------------------------------------------------------------

    @rule(slot=SLOTS, step=st.sampled_from(STEPS))
    def step(self, slot: int, step: str) -> None:
        """Do a task of a run."""
        self.scene.attempt(slot, step)

    @rule(slot=SLOTS, day=st.sampled_from(DAYS))
    def begin_run(self, slot: int, day: date) -> None:
        """Put a new run into the slot; what the one before left undone stays undone."""
        self.scene.runs[slot] = self.scene.new_run(day)

    @rule(day=st.sampled_from(DAYS))
    def whole_run(self, day: date) -> None:
        """Run a day from the listing to the manifest, undisturbed: the view is what the tenant shows."""
        while not self.scene.collect(self.scene.new_run(day)):
            pass  # it has acknowledged what another run had left
        self.scene.check_view(day)

    @rule(slot=SLOTS)
    def finish(self, slot: int) -> None:
        """Take up a run where it was, undisturbed from now on."""
        run = self.scene.runs[slot]
        begun = Checkpoints(self.scene.lake.store, SIGN_INS, run.day).resume(run.run_id)
        is_own = self.scene.collect(run)
        if is_own and not (begun and begun.slices):  # else a part of it was listed before
            self.scene.check_view(run.day)

    @rule(slot=SLOTS, place=st.sampled_from(PLACES), is_after=st.booleans())
    def die(self, slot: int, place: str, is_after: bool) -> None:  # noqa: FBT001 - drawn
        """Let the process be gone at a write of a run; whatever comes next comes from another process."""
        self.scene.die(slot, place, is_after=is_after)

    @rule(slot=SLOTS, step=st.sampled_from(STEPS), call=st.integers(1, 9))
    def overtake(self, slot: int, step: str, call: int) -> None:
        """Let another run of the same day go from the listing to the manifest between two calls of a task."""
        other = self.scene.world.open(Steering(etags=self.scene.steering.etags))
        run_id, day = f"run {next(self.numbers)}", self.scene.runs[slot].day
        meanwhile = Meanwhile(call, lambda: collect_day(other, SIGN_INS, day, run_id))
        self.scene.reopen(Steering(meanwhile=meanwhile, etags=self.scene.steering.etags))
        self.scene.attempt(slot, step, may_fail=(ConflictError,))
        self.scene.reopen(Steering(etags=self.scene.steering.etags))

    @rule(slot=SLOTS, step=st.sampled_from(STEPS), fault=st.sampled_from(sorted(GRAPH_FAULTS)))
    def graph_fault(self, slot: int, step: str, fault: str) -> None:
        """Let Graph trouble a task."""
        self.cloud.tenant.faults.configure({"faults": [GRAPH_FAULTS[fault]]})
        self.scene.attempt(slot, step, may_fail=(EntraLakeError,))
        self.scene.calm()
        self.scene.world.wait(3700 if fault == "429 for an hour" else 0)

    @rule(slot=SLOTS, step=st.sampled_from(STEPS), fault=st.sampled_from(sorted(AWS_FAULTS)))
    def aws_fault(self, slot: int, step: str, fault: str) -> None:
        """Let AWS trouble a task."""
        self.cloud.aws.faults.configure(AWS_FAULTS[fault])
        self.scene.attempt(slot, step, may_fail=(EntraLakeError,))
        self.scene.calm()

    # --- what must always be true ----------------------------------------------------------------

    @invariant()
    def days_are_right(self) -> None:
        """See that nothing is doubled, nothing goes, and what is acknowledged is there."""
        self.scene.note_what_changed()
        for day in DAYS:
            self.scene.check(day)


def profile() -> settings:
    """Return how much is tried: the same for everybody who runs the tests; as much as one asks for at night."""
    examples = int(os.environ.get(EXAMPLES, "0"))
    return settings(
        max_examples=examples or 8,
        stateful_step_count=40 if examples else 16,
        derandomize=not examples,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def test_any_order_of_events(tmp_path: Path) -> None:
    """Whatever happens in whatever order: nothing acknowledged is lost, nothing is doubled, and views come right."""
    with Sandbox(tmp_path, seed=7, now=NOW, frozen=True, sign_ins_per_day=8, throttled=False) as cloud, hurried():
        LakeMachine.cloud, LakeMachine.numbers = cloud, count()
        run_state_machine_as_test(LakeMachine, settings=profile())
