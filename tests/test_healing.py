"""A lake heals its own gaps: a new one, one after an outage, one whose Airflow or staging was wiped."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from entra_lake.collect import collect_day
from entra_lake.connections import Connection, read_connection
from entra_lake.coverage import coverage
from entra_lake.day_state import State
from entra_lake.due import due
from entra_lake.extract import extract, read_manifest
from entra_lake.holdings import read_facts, read_manifests
from entra_lake.lake import Lake
from entra_lake.reconcile import find_due, pay
from entra_lake.settings import MailSettings
from entra_lake.slices import ONE_DAY, day_range
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from entra_lake.watch import watch
from sandbox.environment import environment
from sandbox.serve import Sandbox
from simulation import DAY, NOW, latest_contents, make_lake, true_contents

pytestmark = pytest.mark.slow

AUDITS = STREAMS["directory_audits"]
TODAY = NOW.date()


@pytest.fixture
def lake(cloud: Sandbox) -> Lake:
    """Open a lake of one stream, at a pace that no test has to wait for."""
    return make_lake(
        cloud,
        streams=("directory_audits",),
        requests_per_10_seconds=1000,
        mail=MailSettings(to=("security@example.com",)),
    )


def reconcile(lake: Lake) -> list[date]:
    """Do what one hourly run does; return the days that it read, in their order."""
    plan = find_due(lake)
    for outcome in pay(lake, plan, f"run at {plan.now}"):
        assert outcome.error is None, outcome.error
    return [item.day for item in plan.kept]


def states(lake: Lake, days: list[date]) -> dict[date, State]:
    """Return the state of each day, as the coverage shows it."""
    found = coverage(lake.clock.now(), read_manifests(lake, days), read_facts(lake), days=400)
    return {day: found.rows[AUDITS.name, day].state for day in days}


def connections(cloud: Sandbox) -> Any:
    """Return how to read the sandbox's connections."""
    variables = environment(cloud.state.folder)

    def get(name: str) -> Connection:
        return read_connection(name, variables)

    return get


def test_a_new_lake_pays_its_retention_and_an_outage_of_nine_days_heals(
    cloud: Sandbox, lake: Lake, tmp_path: Path
) -> None:
    """A new lake owes all that Microsoft still has; after nine days without a run, what was missed comes first.

    Of the missed days the one nearest to expiry is read first, and no other reading overtakes it.
    """
    whole = day_range(TODAY - timedelta(days=30), TODAY - ONE_DAY)
    assert reconcile(lake) == whole
    assert reconcile(lake) == []
    assert set(states(lake, whole).values()) <= {State.OPEN, State.SEALED}
    assert latest_contents(lake, AUDITS, DAY, tmp_path) == true_contents(cloud, AUDITS, DAY)

    cloud.clock.advance(timedelta(days=9).total_seconds())
    missed = day_range(TODAY, TODAY + timedelta(days=8))
    assert reconcile(lake)[:9] == missed
    while reconcile(lake):
        pass
    everything = [*day_range(TODAY + timedelta(days=9 - 30), TODAY - ONE_DAY), *missed]
    assert not {State.MISSING, State.PARTIAL, State.LOST} & set(states(lake, everything).values())
    for day in (missed[0], missed[-1]):
        assert latest_contents(lake, AUDITS, day, tmp_path) == true_contents(cloud, AUDITS, day)


def test_an_outage_beyond_retention_names_exactly_the_lost_days(cloud: Sandbox, lake: Lake) -> None:
    """After 40 days without a run ten days are lost: one mail lists them, the next look says nothing new."""
    for day in (TODAY - 2 * ONE_DAY, TODAY - ONE_DAY):
        extract_and_acknowledge(lake, day)
    facts = read_facts(lake)
    cloud.clock.advance(timedelta(days=40).total_seconds())
    now = lake.clock.now()
    before = day_range(facts.collect_from, TODAY - 3 * ONE_DAY)
    expected = [*before, *day_range(TODAY, now.date() - timedelta(days=31))]
    cloud.mailbox.clear()
    sight = watch(lake, connections(cloud))
    lost = [item.day for item in sight.told if item.kind == "lost"]
    assert lost == expected
    (mail,) = [item for item in cloud.mailbox.all() if "LOST" in item["subject"]]
    for day in expected:
        assert f"{AUDITS.name} {day}" in mail["text"]
    assert f"{AUDITS.name} {TODAY - ONE_DAY}" not in mail["text"]
    cloud.mailbox.clear()
    again = watch(lake, connections(cloud))
    assert [item for item in again.told if item.kind == "lost"] == []
    assert [item for item in cloud.mailbox.all() if "LOST" in item["subject"]] == []
    assert states(lake, expected) == dict.fromkeys(expected, State.LOST)


def test_wiping_airflow_and_staging_downloads_nothing_again(cloud: Sandbox, lake: Lake) -> None:
    """What is due is read from the lake itself: without Airflow's history and staging/ sealed days cost no request."""
    whole = day_range(TODAY - timedelta(days=30), TODAY - ONE_DAY)
    reconcile(lake)
    sealed = {day for day, state in states(lake, whole).items() if state is State.SEALED}
    assert len(sealed) == 4  # ages 27 to 30
    objects = {item.key: item.etag for item in lake.store.list("lake/")}
    client = lake.aws.client("s3")
    for item in list(lake.store.list("staging/")):
        client.delete_object(Bucket=lake.settings.bucket, Key=item.key)
    cloud.clock.advance(timedelta(hours=1).total_seconds())
    asked = len(cloud.tenant.graph.requests)
    fresh = make_lake(cloud, streams=("directory_audits",), requests_per_10_seconds=1000)
    assert not sealed & set(reconcile(fresh))
    assert len(cloud.tenant.graph.requests) == asked
    assert {item.key: item.etag for item in lake.store.list("lake/")} == objects


def test_a_shorter_retention_is_learned_from_graphs_refusal(cloud: Sandbox, lake: Lake) -> None:
    """A licence has ended: Graph names what it still has; the lake remembers it, mails once, and asks for no more."""
    prepare(lake)
    cloud.control.set_faults({"retention_days": 7})
    old = TODAY - timedelta(days=12)
    with pytest.raises(Exception, match="EL205"):
        extract(lake, AUDITS, old, "run")
    asked = len(cloud.tenant.graph.requests)
    with pytest.raises(Exception, match="EL205"):
        extract(lake, AUDITS, old, "another run")
    assert len(cloud.tenant.graph.requests) == asked
    assert reconcile(lake)
    assert {item.day for item in due(lake.clock.now(), {}, read_facts(lake))} >= {TODAY - ONE_DAY}
    assert all((TODAY - item.day).days <= 7 for item in due(lake.clock.now(), {}, read_facts(lake)))
    cloud.mailbox.clear()
    told = watch(lake, connections(cloud)).told
    assert any(item.kind == "retention" for item in told)
    assert not any(item.kind == "retention" for item in watch(lake, connections(cloud)).told)


def test_a_day_that_ages_out_unread_is_mailed_before(cloud: Sandbox, lake: Lake) -> None:
    """Within 48 hours of expiry, and again within 12, somebody hears of a day that cannot be read; each time once."""
    prepare(lake)
    cloud.control.set_faults({"faults": [{"kind": "missing_permission", "stream": AUDITS.name, "times": "always"}]})
    cloud.clock.advance(timedelta(hours=24).total_seconds())
    assert subjects(cloud, lake, "ENDANGERED") == 1
    assert subjects(cloud, lake, "ENDANGERED") == 0
    cloud.clock.advance(timedelta(hours=1).total_seconds())
    assert subjects(cloud, lake, "ENDANGERED") == 0


def test_a_re_reading_without_news_writes_only_checkpoints_and_the_manifest(cloud: Sandbox, lake: Lake) -> None:
    """A quiet pass puts nothing below raw/, staging/ or lake/."""
    extract_and_acknowledge(lake, DAY)
    cloud.clock.advance(timedelta(days=1).total_seconds())
    written: list[str] = []
    lake.aws.session.events.register(  # type: ignore[attr-defined]
        "before-parameter-build.s3.PutObject", lambda params, **_: written.append(params["Key"])
    )
    extract_and_acknowledge(lake, DAY)
    found = read_manifest(lake, AUDITS, DAY)
    assert found
    assert len(found[0].passes) == 2
    assert not found[0].passes[-1]["new"]
    assert {key.split("/")[0] for key in written} <= {"checkpoints", "manifests", "budget"}


def subjects(cloud: Sandbox, lake: Lake, word: str) -> int:
    """Look once; return how many mails with this word it sent."""
    cloud.mailbox.clear()
    watch(lake, connections(cloud))
    return sum(word in mail["subject"] for mail in cloud.mailbox.all())


def extract_and_acknowledge(lake: Lake, day: date) -> None:
    """Take one day to its manifest."""
    prepare(lake)
    assert collect_day(lake, AUDITS, day, f"run {lake.clock.now()}").error is None
