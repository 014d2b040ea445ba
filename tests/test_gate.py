"""The request budget: never a sixth request in ten seconds, whoever sends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

import pytest

from entra_lake.budget import Budget, LocalBudget, Priority
from entra_lake.errors import ThrottledError
from entra_lake.gate import Gate
from entra_lake.pace import Pace
from sandbox.simulated_time import SimulatedTime
from sandbox.tenant.throttle import Limit, Throttle
from test_graph_support import NOW, SharedTime, VirtualClock

LIMIT, SECONDS = 5, 10.0


class CountingBudget(LocalBudget):
    """A shared document that counts how it is used, and lets somebody else write first when told so."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = 0
        self.races = 0

    def read(self) -> tuple[Budget, str | None]:
        self.reads += 1
        return super().read()

    def write(self, budget: Budget, etag: str | None) -> str | None:
        self.writes += 1
        if self.races:
            self.races -= 1
            other, current = super().read()
            super().write(other, current)
        return super().write(budget, etag)


def busiest(moments: list[float], seconds: float = SECONDS) -> int:
    """Return the most requests that any window of so many seconds holds."""
    moments = sorted(moments)
    return max(sum(begin <= moment < begin + seconds for moment in moments) for begin in moments)


def test_the_sixth_request_waits_until_the_first_is_ten_seconds_old() -> None:
    """Five requests pass at once; the sixth waits one window, with the margin for the network."""
    clock = VirtualClock()
    gate = Gate(LocalBudget(), clock)
    for _ in range(5):
        gate.acquire()
    assert clock.elapsed == 0
    gate.acquire()
    assert clock.elapsed == pytest.approx(10.1, abs=0.01)
    assert gate.waited_seconds == pytest.approx(clock.elapsed)


def test_a_quiet_gate_costs_one_write_and_no_read() -> None:
    """After the first look at the document, each request is one conditional write."""
    store, clock = CountingBudget(), VirtualClock()
    gate = Gate(store, clock)
    for _ in range(20):
        gate.acquire()
        clock.advance(3)
    assert (store.reads, store.writes) == (1, 20)


def test_a_lost_race_is_read_again_after_a_pause() -> None:
    """Whoever loses the write pauses a random moment, reads what the winner wrote, and counts it."""
    store, clock = CountingBudget(), VirtualClock()
    store.races = 2
    Gate(store, clock, jitter=lambda: 0.5).acquire()
    assert (store.reads, store.writes) == (3, 3)
    assert clock.sleeps == [pytest.approx(0.126), pytest.approx(0.126)]


def test_a_request_is_written_down_before_it_is_sent() -> None:
    """When acquire returns, the shared document already holds the request's time."""
    store = LocalBudget()
    Gate(store, VirtualClock()).acquire()
    assert store.read()[0].requests == (NOW.timestamp(),)


def test_a_pause_holds_for_everybody() -> None:
    """A 429 that one process was given stops the others too, even one that had read the document before."""
    store, clock = LocalBudget(), VirtualClock()
    mine, others = Gate(store, clock), Gate(store, clock)
    others.acquire()
    mine.pause(30)
    others.acquire()
    assert clock.elapsed == pytest.approx(30, abs=0.3)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of two pauses the later end counts."""
    clock = VirtualClock()
    gate = Gate(LocalBudget(), clock)
    gate.pause(40)
    gate.pause(5)
    gate.acquire()
    assert clock.elapsed == pytest.approx(40, abs=0.01)


def test_a_pause_survives_a_lost_race() -> None:
    """The pause is written again on top of what the winner wrote."""
    store, clock = CountingBudget(), VirtualClock()
    store.races = 3
    Gate(store, clock).pause(20)
    assert store.read()[0].not_before >= NOW.timestamp() + 20


def test_a_long_pause_is_an_error_instead_of_a_sleep() -> None:
    """Longer waits than a task may sleep are handed to the scheduler, with their length, and cost no request."""
    store, clock = CountingBudget(), VirtualClock()
    gate = Gate(store, clock, longest_sleep=60)
    gate.pause(3600)
    with pytest.raises(ThrottledError) as caught:
        gate.acquire()
    assert caught.value.retry_after == pytest.approx(3600)
    assert clock.sleeps == []
    assert store.read()[0].requests == ()


def test_waiting_ends_after_the_longest_sleep_in_all() -> None:
    """Many short waits may not add up to more than one `acquire` may wait."""
    store, clock = CountingBudget(), VirtualClock()
    store.races = 10_000
    with pytest.raises(ThrottledError):
        Gate(store, clock, longest_sleep=5, jitter=lambda: 0.9).acquire()
    assert clock.elapsed <= 5


def test_times_of_a_wrong_clock_do_not_block() -> None:
    """A machine whose clock runs an hour ahead cannot stop the others for an hour."""
    store, clock = LocalBudget(), VirtualClock()
    store.write(Budget(tuple(NOW.timestamp() + 3600 for _ in range(5))), None)
    Gate(store, clock).acquire()
    assert clock.sleeps == []


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"requests": 5}', b'{"requests": [null], "not_before": 0}'])
def test_an_unreadable_document_counts_as_empty(body: bytes) -> None:
    """The document only delays requests, so a damaged one stops nobody."""
    assert Budget.from_json(body) == Budget()


def test_the_document_survives_its_store() -> None:
    """What is written is what is read."""
    budget = Budget((1.5, 2.25), 3.0, (0, 2), {0: 9.5}, Pace(level=3, failed=4, failed_at=2.5))
    assert Budget.from_json(budget.to_json()) == budget


class SlowBudget(LocalBudget):
    """A shared document whose writes take some of the threads' time."""

    def __init__(self, time: SharedTime, random: Random) -> None:
        super().__init__()
        self._time = time
        self._random = random

    def write(self, budget: Budget, etag: str | None) -> str | None:
        written = super().write(budget, etag)
        self._time.sleep(self._random.uniform(0.02, 0.6))
        return written


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("slow", [False, True])
def test_processes_together_never_exceed_the_limit(seed: int, slow: bool) -> None:  # noqa: FBT001
    """Six gates on one document, as six processes have them, send at most five requests in any ten seconds."""
    workers, each = 6, 10
    time, random = SharedTime(workers), Random(seed)
    store = SlowBudget(time, random) if slow else LocalBudget()
    sent: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        gate = Gate(store, time.clock(), longest_sleep=10_000, jitter=random.random)
        try:
            for _ in range(each):
                gate.acquire()
                with lock:
                    sent.append(time.elapsed)
        finally:
            time.leave()

    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result(timeout=20)
    assert len(sent) == workers * each
    assert busiest(sent) <= LIMIT
    # And the budget is used: the last one leaves not much later than the limit demands, even with a very slow store.
    assert max(sent) < (workers * each / LIMIT) * (SECONDS + (5 if slow else 0.5))


def test_threads_of_one_gate_share_it() -> None:
    """One gate in four threads keeps to the limit too."""
    time = SharedTime(4)
    gate = Gate(LocalBudget(), time.clock(), longest_sleep=10_000)
    sent: list[float] = []

    def work() -> None:
        try:
            for _ in range(10):
                gate.acquire()
                sent.append(time.elapsed)
        finally:
            time.leave()

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work) for _ in range(4)]:
            future.result(timeout=20)
    assert len(sent) == 40
    assert busiest(sent) <= LIMIT


# --- several threads of one gate -----------------------------------------------------------------


def together(time: SimulatedTime, works: list[Callable[[], None]]) -> None:
    """Begin activities at the same moment and wait for their ends."""
    ended = threading.Semaphore(0)

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            ended.release()

    time.start(lambda: [time.start(partial(run, work)) for work in works] and None)
    for _ in works:
        assert ended.acquire(timeout=60)


def test_threads_that_wait_together_are_written_down_together() -> None:
    """Eight threads at one gate cost a write for each burst of five, not one for each request."""
    time, store = SimulatedTime(NOW), CountingBudget()
    gate = Gate(store, time.library_clock(), longest_sleep=10_000)
    sent: list[float] = []
    left = iter(range(200))  # of all: a thread that had its share would leave the last bursts to fewer than five

    def work() -> None:
        sent.extend(gate.acquire() for _ in left)

    together(time, [work] * 8)
    assert len(sent) == 200
    assert busiest(sent) <= LIMIT
    assert max(sent) - min(sent) == pytest.approx(39 * 10.1, abs=1)
    first, others = 5, 39  # nobody waits yet when the first five come
    assert store.writes <= first + others


def test_threads_pass_in_the_order_in_which_they_came() -> None:
    """However many wait, nobody waits for longer than the queue that was there: next links do not live for ever."""
    time = SimulatedTime(NOW)
    gate = Gate(LocalBudget(), time.library_clock(), requests_per_10_seconds=1)
    waits: list[float] = []

    def work() -> None:
        for _ in range(20):
            begun = time.seconds()
            gate.acquire()
            waits.append(time.seconds() - begun)
            time.sleep(1.5)

    together(time, [work] * 8)
    assert len(waits) == 160
    assert max(waits) < 8 * 10.1 + 1


def test_a_busy_gate_is_no_long_pause() -> None:
    """Threads that wait for their turn for minutes, while others of their gate pass, are not sent away."""
    time = SimulatedTime(NOW)
    gate = Gate(LocalBudget(), time.library_clock(), requests_per_10_seconds=1, longest_sleep=30)
    passed: list[float] = []
    together(time, [lambda: passed.append(gate.acquire())] * 12)
    assert len(passed) == 12


def test_who_never_gets_a_turn_comes_back_later() -> None:
    """A gate that nobody has passed for a minute gives its worker back for another minute, which costs no try."""
    store, clock = CountingBudget(), VirtualClock()
    store.races = 10_000
    with pytest.raises(ThrottledError) as caught:
        Gate(store, clock).acquire()
    assert caught.value.retry_after > 60


# --- the pace that refusals teach ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket"])
@pytest.mark.parametrize(("allowed", "most_refused"), [(5, 0), (3, 4), (2, 8), (1, 14)])
def test_a_limit_that_is_secretly_lower_is_found(kind: str, allowed: int, most_refused: int) -> None:
    """Whatever Graph really allows and however it counts: a handful of refusals, and nearly all of it is used."""
    time = SimulatedTime(NOW)
    limit = Limit(limit=allowed, kind=kind, clock="sandbox")
    service = Throttle(time.seconds)
    gate = Gate(LocalBudget(), time.library_clock(), longest_sleep=10_000, jitter=lambda: 0.5)
    answers: list[bool] = []

    def work() -> None:
        while time.seconds() < NOW.timestamp() + 3000:
            moment = gate.acquire()
            wait = service.refuse("app", limit)
            time.sleep(1.5)
            answers.append(not wait)
            if wait:
                gate.pause(float(limit.header(wait) or 0), refused=moment)

    together(time, [work] * 8)
    assert answers.count(False) <= most_refused
    assert answers.count(True) > 0.93 * allowed * 300


def test_a_step_down_holds_for_everybody() -> None:
    """What one process was refused, another one that knows nothing of it does not try."""
    clock, store = VirtualClock(), LocalBudget()
    Gate(store, clock).pause(5, refused=NOW.timestamp())
    others = Gate(store, clock)
    for _ in range(5):
        others.acquire()
    assert clock.elapsed == pytest.approx(5 + 10.1, abs=0.1)


# --- whose turn it is ----------------------------------------------------------------------------


def test_a_backfill_does_not_starve_the_daily_run() -> None:
    """Beside a backfill that would take every request, a daily listing of 60 pages takes as long as alone, nearly."""

    def seconds_of_daily_run(*others: Priority) -> float:
        time, store = SimulatedTime(NOW), LocalBudget()
        done, spent = threading.Event(), []

        def daily() -> None:
            time.sleep(60)
            begun = time.seconds()
            gate = Gate(store, time.library_clock(), priority=Priority.SCHEDULED, jitter=lambda: 0.3)
            for _ in range(60):
                gate.acquire()
                time.sleep(1.5)
            spent.append(time.seconds() - begun)
            done.set()

        def other(gate: Gate) -> None:
            while not done.is_set():
                gate.acquire()
                time.sleep(1.5)

        def gate_of(priority: Priority) -> Gate:
            return Gate(store, time.library_clock(), priority=priority, longest_sleep=10_000, jitter=lambda: 0.7)

        gates = [gate_of(priority) for priority in others]
        together(time, [daily, *(partial(other, gate) for gate in gates for _ in range(8))])
        return spent[0]

    alone = seconds_of_daily_run()
    assert seconds_of_daily_run(Priority.BACKFILL) < 1.35 * alone
    assert seconds_of_daily_run(Priority.RECONCILE, Priority.BACKFILL) < 1.8 * alone


def test_the_less_urgent_get_what_is_left_over() -> None:
    """Beside urgent ones one request in ten seconds at most, and all of the budget once nobody is more urgent."""
    time, store = SimulatedTime(NOW), LocalBudget()
    end_of_urgent = NOW.timestamp() + 300
    sent: dict[Priority, list[float]] = {Priority.SCHEDULED: [], Priority.BACKFILL: []}

    def work(priority: Priority, gate: Gate, end: float) -> None:
        while time.seconds() < end:
            gate.acquire()
            sent[priority].append(time.seconds())
            time.sleep(1.5)

    works = []
    for priority, end in ((Priority.SCHEDULED, end_of_urgent), (Priority.BACKFILL, end_of_urgent + 300)):
        gate = Gate(store, time.library_clock(), priority=priority, longest_sleep=10_000, jitter=lambda: 0.5)
        works += [partial(work, priority, gate, end)] * 8
    together(time, works)
    beside = [moment for moment in sent[Priority.BACKFILL] if moment < end_of_urgent]
    behind = [moment for moment in sent[Priority.BACKFILL] if moment >= end_of_urgent + 30]
    assert 5 <= len(beside) <= 31
    assert len(behind) >= 0.93 * 5 * 27
    assert busiest([*sent[Priority.SCHEDULED], *sent[Priority.BACKFILL]]) <= LIMIT
