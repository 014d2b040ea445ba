"""Two runs of a lake's days, step by step, and what must be true of the days at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta

from entra_lake.checkpoints import Checkpoints
from entra_lake.errors import CountMismatchError, DataError, EntraLakeError
from entra_lake.extract import extract, read_manifest
from entra_lake.layout import lake_key, manifest_key
from entra_lake.load import Staged, load, transform
from entra_lake.manifest import Manifest
from entra_lake.settings import LakeSettings
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.serve import Sandbox
from simulation import DAY
from soak.contents import Content, Held, read_held, shown_at
from soak.stores import Crash, ProcessGone, Steering
from soak.world import World

SIGN_INS = STREAMS["sign_ins"]
DAYS = (DAY, DAY - timedelta(days=1))
STEPS = ("extract", "transform", "load", "repair", "verify")


@dataclass
class Run:
    """One run of a day, step by step, as a DAG run goes through its tasks; each step may come again.

    :param visible: contents that the tenant has shown ever since the run first listed anything.
    """

    run_id: str
    day: date
    staged: Staged | None = None
    visible: frozenset[Content] | None = None


@dataclass
class Expected:
    """What must be true of one day.

    :param passes: pass id to contents that its listings have held for certain.
    """

    history: frozenset[Content] = frozenset()
    passes: dict[str, frozenset[Content]] = field(default_factory=dict)
    #: the object and the manifest that were checked last; unchanged, they are still right
    checked: tuple[str | None, str | None] | None = None
    held: Held | None = None


class Scene:
    """A tenant, a lake of its own, and two runs that get in each other's way.

    :param numbers: gives numbers that nobody else has.
    :param page_rows: records on a page of Graph's.
    """

    def __init__(self, cloud: Sandbox, numbers: Iterator[int], page_rows: int) -> None:
        number = next(numbers)
        self.cloud = cloud
        self.numbers = numbers
        self.page_size = {"kind": "page_size", "rows": page_rows, "times": "always"}
        settings = LakeSettings(
            bucket="entra-lake",
            prefix=f"lake-{number}",
            database=f"entra_lake_{number}",
            streams=("sign_ins",),
            requests_per_10_seconds=1000,
        )
        self.world = World(cloud, settings)
        self.steering = Steering()
        self.lake = self.world.open(self.steering)
        self.runs = [self.new_run(DAY), self.new_run(DAY)]
        self.expected = {day: Expected() for day in DAYS}
        self.calm()
        prepare(self.lake)

    def new_run(self, day: date) -> Run:
        """Return a run that nobody has seen yet."""
        return Run(f"run {next(self.numbers)}", day)

    def die(self, slot: int, place: str, *, is_after: bool) -> None:
        """Let the run's process be gone at a write; whatever comes next comes from another process."""
        self.reopen(Steering(crash=Crash(place, is_after), etags=self.steering.etags))
        with suppress(ProcessGone):
            self.collect(self.runs[slot])
        self.reopen(Steering(etags=self.steering.etags))

    def attempt(self, slot: int, step: str, may_fail: tuple[type[EntraLakeError], ...] = ()) -> None:
        """Do a task of a run; one that comes out of its turn may refuse, and say so."""
        run = self.runs[slot]
        is_ready = self.lake.store.look(lake_key(SIGN_INS, run.day)) is not None and self.is_registered(run.day)
        try:
            getattr(self, f"do_{step}")(run)
        except may_fail:
            pass
        except (DataError, CountMismatchError):
            # The object is not there yet, or nobody has registered its partition: a clear stop.
            assert step == "verify"
            assert not is_ready

    def do_extract(self, run: Run) -> bool:
        """List the day; tell whether this run has listed it, and not acknowledged what another one has left."""
        if run.visible is None:
            run.visible = self.truth(run.day)
        known = {report.pass_id for report in Checkpoints(self.lake.store, SIGN_INS, run.day).completed()}
        report = extract(self.lake, SIGN_INS, run.day, run.run_id)
        is_own = report.pass_id not in known
        if is_own and not self.was_short():
            self.expected[run.day].passes[report.pass_id] = run.visible & self.truth(run.day)
        run.visible = None if is_own else run.visible
        return is_own

    def do_transform(self, run: Run) -> None:
        """Build the day."""
        run.staged = transform(self.lake, SIGN_INS, run.day)

    def do_load(self, run: Run) -> None:
        """Load what was built, be it old by now."""
        if run.staged:
            load(self.lake, SIGN_INS, run.day, run.staged)

    def do_repair(self, run: Run) -> None:
        """Register the partition."""
        repair_partitions(self.lake, SIGN_INS, run.day)

    def do_verify(self, run: Run) -> None:
        """Count, and commit the manifest."""
        verify(self.lake, SIGN_INS, run.day)

    def collect(self, run: Run) -> bool:
        """Do all steps of a run; tell whether it has listed the day."""
        is_own = self.do_extract(run)
        self.do_transform(run)
        self.do_load(run)
        self.do_repair(run)
        self.do_verify(run)
        return is_own

    def check(self, day: date) -> None:
        """Check one day, unless neither its object nor its manifest has changed."""
        expected = self.expected[day]
        state = (self.etag(lake_key(SIGN_INS, day)), self.etag(manifest_key(SIGN_INS, day)))
        if state == expected.checked:
            return
        if expected.checked is None or state[0] != expected.checked[0]:
            expected.held = read_held(self.lake, SIGN_INS, day)
            self.check_object(expected)
        expected.checked = state
        found = read_manifest(self.lake, SIGN_INS, day)
        if found:
            assert expected.held, "a manifest without an object"
            self.check_manifest(day, found[0], expected.held)

    def check_object(self, expected: Expected) -> None:
        """Check that nothing stands twice, and that nothing is gone that was there before."""
        held = expected.held
        assert held is None or held.doubled == 0
        history = held.history if held else frozenset()
        assert history >= expected.history, "the history has lost contents"
        expected.history = history

    def etag(self, key: str) -> str | None:
        """Return the ETag of an object, if there is one."""
        found = self.lake.store.look(key)
        return found.etag if found else None

    def check_manifest(self, day: date, manifest: Manifest, held: Held) -> None:
        """Check what a manifest says against its object, or that there was such an object."""
        etag = manifest.object["etag"]
        assert etag in self.steering.etags[lake_key(SIGN_INS, day)], "no such object was ever written"
        if etag == held.etag:
            counts = (held.rows, held.ids)
            assert counts == (manifest.object["rows"], manifest.object["ids"])
            assert counts == (manifest.athena["rows"], manifest.athena["ids"])
        for name in manifest.pass_ids:
            assert held.history >= self.expected[day].passes.get(name, frozenset()), "acknowledged, and not there"

    def check_view(self, day: date) -> None:
        """Compare with what the tenant shows now."""
        held, truth = read_held(self.lake, SIGN_INS, day), shown_at(self.world, SIGN_INS, day)
        assert held
        assert held.view == truth
        assert held.history >= set(truth.items())

    def truth(self, day: date) -> frozenset[Content]:
        """Return what a complete listing shows now."""
        return frozenset(shown_at(self.world, SIGN_INS, day).items())

    def note_what_changed(self) -> None:
        """Forget of each begun run what the tenant no longer shows: its listing may have missed it."""
        for run in self.runs:
            if run.visible is not None:
                run.visible &= self.truth(run.day)

    def is_registered(self, day: date) -> bool:
        """Tell whether Athena sees the day."""
        names = {"DatabaseName": self.world.settings.database, "TableName": SIGN_INS.history_table}
        found = self.lake.glue.get_partitions(**names)["Partitions"]
        return [str(day)] in [item["Values"] for item in found]

    def was_short(self) -> bool:
        """Tell whether a listing of this step was cut short."""
        faults = self.cloud.tenant.faults.describe()["faults"]
        return any(item["kind"] == "short_listing" and item["struck"] for item in faults)

    def reopen(self, steering: Steering) -> None:
        """Let another process open the lake."""
        self.steering = steering
        self.lake = self.world.open(steering)

    def calm(self) -> None:
        """Let everything go right, page by page."""
        self.cloud.tenant.faults.clear()
        self.cloud.aws.faults.clear()
        self.cloud.tenant.faults.configure({"faults": [self.page_size]})
