"""Runs that die and go on later, while the tenant and other runs do not wait for them.

Each test stands for a defect that the state machine was made to look for, and which was in the library once.
"""

from __future__ import annotations

from itertools import count

import pytest
from two_runs import SIGN_INS, Scene

from sandbox.serve import Sandbox
from simulation import DAY

pytestmark = pytest.mark.slow


@pytest.fixture
def scene(cloud: Sandbox) -> Scene:
    return Scene(cloud, count(), page_rows=1000)


def show(scene: Scene, content: str) -> None:
    """Have the tenant show a record of the day with this content from now on."""
    scene.world.wait(1)
    scene.world.add_record(SIGN_INS, {"id": "it", "createdDateTime": f"{DAY}T12:00:00Z", "riskState": content})
    scene.world.wait(1)


@pytest.mark.parametrize("content", ["B", "C", "D", "E"])
def test_a_change_while_a_run_was_dead_is_the_latest(scene: Scene, content: str) -> None:
    """A run that died behind a raw part observes what it lists afterwards later, whatever the hashes are."""
    show(scene, "A")
    scene.die(0, "raw/", is_after=True)
    show(scene, content)
    assert scene.collect(scene.runs[0])
    scene.check_view(DAY)


def test_a_run_that_goes_on_observes_later_than_runs_in_between(scene: Scene) -> None:
    """A run that died, and goes on when another one has read the day, does not put its news before the other's."""
    show(scene, "A")
    scene.die(0, "pass.json", is_after=True)
    scene.collect(scene.runs[1])
    show(scene, "B")
    assert scene.collect(scene.runs[0])
    scene.check_view(DAY)


def test_nothing_is_acknowledged_that_is_only_in_raw(scene: Scene) -> None:
    """A pass that found nothing new, because a dead run had written it, waits for its load as well."""
    scene.collect(scene.runs[0])
    show(scene, "A")
    scene.runs = [scene.new_run(DAY), scene.new_run(DAY)]
    scene.die(0, "raw/", is_after=True)
    assert scene.do_extract(scene.runs[1])
    scene.do_verify(scene.runs[1])
    scene.check(DAY)
    scene.collect(scene.runs[1])
    scene.check_view(DAY)
