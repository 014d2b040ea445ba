"""Truth equals lake: a day comes whole into the lake, whatever Graph does on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from entra_lake.collect import collect_day
from entra_lake.errors import PartialDayError
from entra_lake.extract import extract, read_manifest
from entra_lake.lake import Lake
from entra_lake.load import build_if_needed, load, transform
from entra_lake.manifest import manifest_hash
from entra_lake.schema import Stream
from entra_lake.store import S3Store, StoredObject
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare, repair_partitions
from entra_lake.verify import verify
from sandbox.serve import Sandbox
from simulation import DAY, NOW, lake_contents, latest_contents, make_lake, true_contents, true_history, truth_items

SIGN_INS = STREAMS["sign_ins"]
AUDITS = STREAMS["directory_audits"]


def assert_truth(cloud: Sandbox, lake: Lake, stream: Stream, folder: Path) -> None:
    """Compare history and view of the day with the tenant's truth."""
    assert lake_contents(lake, stream, DAY, folder) == true_history(cloud, stream, DAY)
    truth, held = true_contents(cloud, stream, DAY), latest_contents(lake, stream, DAY, folder)
    assert held.keys() == truth.keys()
    assert {name for name in truth if truth[name] != held[name]} == set()


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_day_comes_whole(cloud: Sandbox, lake: Lake, stream: Stream, tmp_path: Path) -> None:
    """Each record that the tenant serves is in the lake once, Athena counts it, and the manifest says so."""
    prepare(lake)
    outcome = collect_day(lake, stream, DAY, "run")
    assert_truth(cloud, lake, stream, tmp_path)
    assert outcome.manifest is not None
    assert outcome.manifest.athena["ids"] == len(true_contents(cloud, stream, DAY))
    assert outcome.manifest.pass_ids == {outcome.report.pass_id if outcome.report else ""}


FAULTS = [
    pytest.param(
        {"kind": "status", "status": 503, "times": 2},
        id="503",
        marks=(pytest.mark.fault(10), pytest.mark.defect("D14", "D10")),
    ),
    pytest.param(
        {"kind": "status", "status": 429, "retry_after": 2.128, "times": 2},
        id="throttled in fractions",
        marks=(pytest.mark.fault(8), pytest.mark.defect("D13")),
    ),
    pytest.param(
        {"kind": "status", "status": 429, "retry_after": {"date_in": 30}},
        id="throttled until a date",
        marks=pytest.mark.fault(8),
    ),
    pytest.param({"kind": "status", "status": 429}, id="throttled without a word", marks=pytest.mark.fault(8)),
    pytest.param({"kind": "token_expired", "page": 2}, id="token expired in the middle", marks=pytest.mark.fault(11)),
    pytest.param({"kind": "claims_challenge", "page": 2}, id="claims challenge", marks=pytest.mark.fault(11)),
    pytest.param({"kind": "reset", "after_bytes": 300, "page": 2}, id="reset", marks=pytest.mark.fault(2)),
    pytest.param({"kind": "truncate", "after_bytes": 3000}, id="truncated", marks=pytest.mark.fault(3)),
    pytest.param(
        {"kind": "truncate", "after_bytes": 3000, "honest": True, "page": 2},
        id="truncated, and says so",
        marks=pytest.mark.fault(3),
    ),
    pytest.param({"kind": "corrupt_gzip"}, id="corrupted gzip", marks=pytest.mark.fault(6)),
    pytest.param({"kind": "html"}, id="HTML", marks=pytest.mark.fault(7)),
    pytest.param({"kind": "error_in_200"}, id="error object instead of value", marks=pytest.mark.fault(21)),
    pytest.param({"kind": "broken_json", "page": 2}, id="error object inside value", marks=pytest.mark.fault(21)),
    pytest.param({"kind": "value_missing"}, id="value missing", marks=pytest.mark.fault(21)),
    pytest.param({"kind": "value_null"}, id="value null", marks=pytest.mark.fault(21)),
    pytest.param(
        {"kind": "empty_page", "page": 2},
        id="empty page with a next link",
        marks=(pytest.mark.fault(20), pytest.mark.defect("D4")),
    ),
    pytest.param(
        {"kind": "short_page", "rows": 7, "times": 3},
        id="short page",
        marks=(pytest.mark.fault(20), pytest.mark.defect("D8")),
    ),
    pytest.param(
        {"kind": "page_size", "rows": 2500, "times": "always"}, id="page size ignored", marks=pytest.mark.fault(20)
    ),
    pytest.param(
        {"kind": "page_size_refused", "largest": 999, "times": "always"}, id="1000 refused", marks=pytest.mark.fault(20)
    ),
    pytest.param(
        {"kind": "duplicates", "where": "within", "times": "always"},
        id="duplicates within a page",
        marks=pytest.mark.fault(16),
    ),
    pytest.param(
        {"kind": "duplicates", "where": "between", "times": "always"},
        id="duplicates between pages",
        marks=pytest.mark.fault(16),
    ),
    pytest.param({"kind": "shuffled", "times": "always"}, id="out of order", marks=pytest.mark.fault(17)),
    pytest.param({"kind": "skiptoken_invalid", "page": 2}, id="skiptoken expired", marks=pytest.mark.fault(12)),
    pytest.param({"kind": "skiptoken_null", "page": 2}, id="skiptoken null", marks=pytest.mark.fault(12)),
    pytest.param({"kind": "gone", "page": 2}, id="410", marks=pytest.mark.fault(12)),
    pytest.param({"kind": "loop", "length": 1, "page": 2}, id="looping next link", marks=pytest.mark.fault(18)),
    pytest.param(
        {"kind": "outside_window", "times": "always"}, id="records of another day", marks=pytest.mark.fault(22)
    ),
    pytest.param({"kind": "not_premium", "times": 2}, id="403 that flaps", marks=pytest.mark.fault(13)),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_lose_nothing(cloud: Sandbox, lake: Lake, fault: dict[str, Any], tmp_path: Path) -> None:
    """After any passing fault the lake holds the tenant's truth."""
    small_pages = {"kind": "page_size", "rows": 50, "times": "always"}
    faults = [fault] if fault["kind"].startswith("page_size") else [fault, small_pages]
    cloud.tenant.faults.configure({"faults": faults})
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "run")
    assert_truth(cloud, lake, SIGN_INS, tmp_path)


@pytest.mark.fault(29)
@pytest.mark.parametrize("kind", ["unknown_fields", "unknown_enums", "surrogates"])
def test_strange_content_is_kept(cloud: Sandbox, lake: Lake, kind: str, tmp_path: Path) -> None:
    """Members and values that no schema knows reach the lake, and the manifest reports them."""
    cloud.tenant.faults.configure({"faults": [{"kind": kind, "times": "always"}]})
    prepare(lake)
    outcome = collect_day(lake, SIGN_INS, DAY, "run")
    assert latest_contents(lake, SIGN_INS, DAY, tmp_path).keys() == true_contents(cloud, SIGN_INS, DAY).keys()
    assert outcome.manifest is not None
    assert outcome.manifest.drift


def add(cloud: Sandbox, record: dict[str, Any]) -> None:
    """Have the tenant serve a record, or a new version of one, from now on."""
    url = f"{cloud.settings['control_url']}/records"
    requests.post(url, json={"stream": "sign_ins", "record": record}, timeout=10).raise_for_status()


def sign_in(**members: Any) -> dict[str, Any]:
    """Return a small sign-in of the day."""
    return {"id": "11111111-0000-0000-0000-000000000000", "createdDateTime": f"{DAY}T12:00:00Z", **members}


@pytest.mark.fault(26)
def test_content_that_comes_back_is_the_latest(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """After A, B and A again there are two versions, and the view shows A."""
    prepare(lake)
    for number, risk in enumerate(["none", "atRisk", "none"]):
        add(cloud, sign_in(riskState=risk))
        cloud.clock.advance(60)
        collect_day(lake, SIGN_INS, DAY, f"run {number}")
    answer = lake.athena.run(
        "SELECT risk_state, version, is_latest FROM sign_ins_history "
        f"WHERE dt = '{DAY}' AND id = '{sign_in()['id']}' ORDER BY version"
    )
    assert [tuple(row.values()) for row in answer.rows] == [("none", "1", "true"), ("atRisk", "2", "false")]
    assert_truth(cloud, lake, SIGN_INS, tmp_path)


@pytest.mark.fault(22)
@pytest.mark.defect("D1", "D9")
def test_a_day_begins_and_ends_with_its_first_and_last_instant(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Records of exactly 00:00:00Z and of the last 100 ns belong to their day and to no other."""
    edges = {"first": f"{DAY}T00:00:00Z", "last": f"{DAY}T23:59:59.9999999Z"}
    for name, moment in edges.items():
        add(cloud, {"id": name, "createdDateTime": moment})
    prepare(lake)
    for day in (DAY - timedelta(days=1), DAY):
        collect_day(lake, SIGN_INS, day, "run")
    assert edges.keys() <= latest_contents(lake, SIGN_INS, DAY, tmp_path).keys()
    assert not edges.keys() & latest_contents(lake, SIGN_INS, DAY - timedelta(days=1), tmp_path).keys()


@pytest.mark.fault(56)
@pytest.mark.defect("D12")
def test_a_second_run_changes_nothing(cloud: Sandbox, lake: Lake) -> None:
    """Running a day again leaves the same object, writes no raw part, and adds one pass to the manifest."""
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "run 1")
    before = {item.key: item.etag for item in lake.store.list("") if item.key.startswith(("raw/", "lake/", "staging/"))}
    outcome = collect_day(lake, SIGN_INS, DAY, "run 2")
    after = {item.key: item.etag for item in lake.store.list("") if item.key.startswith(("raw/", "lake/", "staging/"))}
    assert after == before
    assert outcome.manifest is not None
    assert len(outcome.manifest.passes) == 2


def test_same_raw_gives_same_bytes(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Building a day twice from the same raw parts gives the same file."""
    extract(lake, SIGN_INS, DAY, "run")
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        build_if_needed(lake, SIGN_INS, DAY, folder)
    first, second = ((folder / "built.parquet").read_bytes() for folder in folders)
    assert first == second


def test_other_bytes_with_equal_values_are_no_news(cloud: Sandbox, lake: Lake) -> None:
    """A record that comes back with its members in another order is no new version, and nothing is written."""
    prepare(lake)
    add(cloud, sign_in(riskState="none", userId="u"))
    collect_day(lake, SIGN_INS, DAY, "run 1")
    cloud.clock.advance(60)
    add(cloud, dict(reversed(sign_in(riskState="none", userId="u").items())))
    report = extract(lake, SIGN_INS, DAY, "run 2")
    assert (report.total("new"), report.total("changed"), report.parts) == (0, 0, ())


@pytest.mark.fault(38, 47)
def test_the_loser_of_a_race_builds_again(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Two runs of one day at once: whoever loads last from fewer records loses, and the union survives."""
    prepare(lake)
    extract(lake, SIGN_INS, DAY, "slow run")
    stale = transform(lake, SIGN_INS, DAY)
    add(cloud, sign_in())
    cloud.clock.advance(60)
    verify_after_load(make_lake(cloud), "quick run")
    loaded = load(lake, SIGN_INS, DAY, stale)
    assert sign_in()["id"] in latest_contents(lake, SIGN_INS, DAY, tmp_path)
    assert loaded.ids == len(true_contents(cloud, SIGN_INS, DAY))
    verify(lake, SIGN_INS, DAY)


class InterruptedStore(S3Store):
    """A bucket in which something happens just behind the first look at raw/."""

    def __init__(self, lake: Lake, meanwhile: Callable[[], object]) -> None:
        super().__init__(lake.aws.client("s3"), lake.settings.bucket)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def list(self, prefix: str) -> Iterator[StoredObject]:
        found = list(super().list(prefix))
        if prefix.startswith("raw/") and self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return iter(found)


@pytest.mark.fault(38)
@pytest.mark.slow
def test_a_load_between_listing_and_building_wins(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """A run that has listed raw before another one loaded more cannot replace that newer object."""
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "first")
    add(cloud, sign_in())
    cloud.clock.advance(60)
    slow = make_lake(cloud)
    slow.__dict__["store"] = InterruptedStore(slow, lambda: collect_day(lake, SIGN_INS, DAY, "quick"))
    add(cloud, {**sign_in(), "id": "only-in-raw-of-the-slow-run"})
    extract(slow, SIGN_INS, DAY, "slow")
    slow.__dict__["store"] = InterruptedStore(slow, lambda: collect_more(cloud, lake))
    load(lake, SIGN_INS, DAY, transform(slow, SIGN_INS, DAY))
    assert_truth(cloud, lake, SIGN_INS, tmp_path)


def collect_more(cloud: Sandbox, lake: Lake) -> None:
    """Have a third record come, and another run load it."""
    add(cloud, {**sign_in(), "id": "late"})
    cloud.clock.advance(60)
    collect_day(lake, SIGN_INS, DAY, "quick once more")
    collect_day(lake, SIGN_INS, DAY, "and again")


def verify_after_load(lake: Lake, run_id: str) -> None:
    """Take the day past a pass that another run has completed."""
    manifest_of_other = read_manifest(lake, SIGN_INS, DAY)
    assert manifest_of_other is None
    load(lake, SIGN_INS, DAY, transform(lake, SIGN_INS, DAY))
    repair_partitions(lake, SIGN_INS, DAY)
    verify(lake, SIGN_INS, DAY)
    collect_day(lake, SIGN_INS, DAY, run_id)


def test_a_complete_pass_is_not_asked_for_again(cloud: Sandbox, lake: Lake) -> None:
    """When a run died behind its listing, the next one goes on from raw without a request to Graph."""
    prepare(lake)
    first = extract(lake, SIGN_INS, DAY, "died")
    asked = len(cloud.tenant.graph.requests)
    outcome = collect_day(lake, SIGN_INS, DAY, "next")
    assert len(cloud.tenant.graph.requests) == asked
    assert outcome.report == first
    assert outcome.manifest is not None


def test_the_manifests_of_a_day_are_a_chain(cloud: Sandbox, lake: Lake) -> None:
    """Each manifest carries the hash of the one that it replaces."""
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "run 1")
    first = read_manifest(lake, SIGN_INS, DAY)
    collect_day(lake, SIGN_INS, DAY, "run 2")
    second = read_manifest(lake, SIGN_INS, DAY)
    assert first is not None
    assert second is not None
    assert first[0].previous_sha256 is None
    assert second[0].previous_sha256 == manifest_hash(first[1])
    assert json.loads(second[1])["passes"][:1] == json.loads(first[1])["passes"]


@pytest.mark.fault(31)
@pytest.mark.slow
def test_a_record_that_graph_cannot_write_is_named(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """One poisoned record breaks every page that holds it: all others are had, and its second is in the manifest."""
    moment = f"{DAY}T03:04:05Z"
    poison = json.dumps({"id": "poison", "createdDateTime": moment})[:-1] + ', "x": NaN}'
    url = f"{cloud.settings['control_url']}/records"
    requests.post(url, json={"stream": "sign_ins", "raw": poison}, timeout=10).raise_for_status()
    prepare(lake)
    outcome = collect_day(lake, SIGN_INS, DAY, "run")
    truth = {name for name in true_ids(cloud) if name != "poison"}
    assert latest_contents(lake, SIGN_INS, DAY, tmp_path).keys() == truth
    assert outcome.manifest is not None
    failed = outcome.manifest.passes[-1]["failed"]
    assert [item["slice"] for item in failed] == [f"{DAY}T03:04:05Z/{DAY}T03:04:06Z"]
    assert isinstance(outcome.error, PartialDayError)
    assert f"{DAY}T03:04:05Z" in outcome.error.message


def true_ids(cloud: Sandbox) -> set[str]:
    """Return the ids of the day, also of what is no JSON."""
    return {item["id"] for item in truth_items(cloud, SIGN_INS, DAY)}


@pytest.mark.fault(38)
@pytest.mark.slow
def test_two_runs_at_once(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Two runs that collect one day side by side both end well; nothing is doubled, and both passes are named."""
    prepare(lake)
    lakes = {"left": make_lake(cloud), "right": make_lake(cloud)}
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda run: collect_day(lakes[run], SIGN_INS, DAY, run), lakes))
    assert_truth(cloud, lake, SIGN_INS, tmp_path)
    found = read_manifest(lake, SIGN_INS, DAY)
    assert found is not None
    assert {outcome.report.pass_id for outcome in outcomes if outcome.report} == found[0].pass_ids


@pytest.mark.fault(15)
def test_a_short_listing_is_noticed(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """A pass that misses ids which the lake holds removes none of them, and the manifest counts them."""
    prepare(lake)
    collect_day(lake, SIGN_INS, DAY, "run 1")
    cloud.tenant.faults.configure({"faults": [{"kind": "short_listing", "share": 0.3, "where": "middle"}]})
    outcome = collect_day(lake, SIGN_INS, DAY, "run 2")
    assert outcome.manifest is not None
    assert outcome.manifest.passes[-1]["missing"] > 0
    cloud.tenant.faults.clear()
    assert_truth(cloud, lake, SIGN_INS, tmp_path)


@pytest.mark.slow
def test_late_records_join_their_day(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """Read again after weeks, the day holds every content that the tenant has shown at a reading."""
    prepare(lake)
    for number, days in enumerate((0, 1, 2, 20)):
        cloud.clock.advance(days * 86_400)
        collect_day(lake, SIGN_INS, DAY, f"run {number}")
    assert_truth(cloud, lake, SIGN_INS, tmp_path)
    found = read_manifest(lake, SIGN_INS, DAY)
    assert found is not None
    assert any(item["changed"] for item in found[0].passes[1:])


@pytest.mark.slow
def test_a_lake_may_lie_below_a_prefix(cloud: Sandbox, tmp_path: Path) -> None:
    """Several lakes can share a bucket: each has its prefix, its database and its tables."""
    lakes = [make_lake(cloud, prefix=f"tenants/{name}", database=f"entra_{name}") for name in ("a", "b")]
    for lake in lakes:
        prepare(lake)
        assert collect_day(lake, SIGN_INS, DAY, "run").manifest
        assert_truth(cloud, lake, SIGN_INS, tmp_path)
    below = {item.key.split("/")[0] for item in make_lake(cloud, prefix="tenants").store.list("")}
    assert below == {"a", "b"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_other_tenants_come_whole_too(tmp_path: Path, seed: int) -> None:
    """Whatever tenant the sandbox invents, every record of every stream reaches the lake."""
    with Sandbox(tmp_path / "cloud", seed=seed, now=NOW, frozen=True, sign_ins_per_day=1500, throttled=False) as cloud:
        lake = make_lake(cloud)
        prepare(lake)
        for stream in STREAMS.values():
            collect_day(lake, stream, DAY, "run")
            assert_truth(cloud, lake, stream, tmp_path)
