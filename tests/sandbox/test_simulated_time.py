"""Simulated time: nobody waits for long, and everything happens at its moment."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import requests

from sandbox.serve import Sandbox
from sandbox.simulated_time import SimulatedTime

START = datetime(2026, 11, 23, 5, tzinfo=UTC)


def run(clock: SimulatedTime, *works: list[float]) -> list[tuple[float, int]]:
    """Let activities sleep as told, side by side; return when which of them woke."""
    woke: list[tuple[float, int]] = []
    ended = threading.Semaphore(0)

    def activity(number: int, sleeps: list[float]) -> None:
        for seconds in sleeps:
            clock.sleep(seconds)
            woke.append((round((clock.now() - START).total_seconds(), 3), number))
        ended.release()

    def begin() -> None:
        for number, sleeps in enumerate(works):
            clock.start(partial(activity, number, sleeps))

    clock.start(begin)  # an activity of its own: time stands until all have begun
    for _ in works:
        assert ended.acquire(timeout=20)
    return woke


def test_time_moves_to_the_next_waking() -> None:
    """Sleeps of hours end at once, in the order of their ends."""
    clock, begun = SimulatedTime(START), time.monotonic()
    assert run(clock, [3600, 100], [5000], [10, 10, 10]) == [
        (10, 2),
        (20, 2),
        (30, 2),
        (3600, 0),
        (3700, 0),
        (5000, 1),
    ]
    assert time.monotonic() - begun < 10


def test_time_stands_while_somebody_is_busy() -> None:
    """While one activity works, another one that sleeps does not wake."""
    clock = SimulatedTime(START)
    may_end, seen = threading.Event(), []
    clock.start(lambda: (may_end.wait(20), seen.append(clock.now())))
    asleep = threading.Thread(target=lambda: run(clock, [60]))
    asleep.start()
    asleep.join(timeout=0.2)
    assert asleep.is_alive()
    may_end.set()
    asleep.join(timeout=20)
    assert not asleep.is_alive()
    assert seen == [START]


def test_a_lone_thread_does_not_wait_either() -> None:
    """Outside of any activity, a sleep moves the time by itself."""
    clock = SimulatedTime(START)
    clock.library_clock().sleep(86_400)
    assert clock.now() == datetime(2026, 11, 24, 5, tzinfo=UTC)


@pytest.mark.parametrize("latency", [0.5, 10.0])
def test_slow_pages_take_simulated_time_only(tmp_path: Path, latency: float) -> None:
    """A page takes as long as was chosen, on the sandbox's clock; a refused request takes none."""
    clock = SimulatedTime(START)
    with Sandbox(tmp_path, seed=7, clock=clock, with_aws=False, throttled=False, latency_seconds=latency) as cloud:
        url = f"{cloud.settings['graph_url']}/v1.0/auditLogs/signIns"
        answer = requests.get(url, verify=cloud.settings["ca_bundle"], timeout=20)
        assert answer.status_code == 401
        assert clock.now() == START
        form = {
            "client_id": cloud.settings["client_id"],
            "client_secret": cloud.settings["client_secret"],
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        }
        login = f"{cloud.settings['authority']}/oauth2/v2.0/token"
        issued = requests.post(login, form, verify=cloud.settings["ca_bundle"], timeout=20).json()
        headers = {"Authorization": f"Bearer {issued['access_token']}"}
        answer = requests.get(url, headers=headers, verify=cloud.settings["ca_bundle"], timeout=20)
        assert answer.status_code == 200
        assert (clock.now() - START).total_seconds() == pytest.approx(latency)
