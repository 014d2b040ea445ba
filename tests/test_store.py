"""The store's promises: conditions decide races, and a lost reply is no lost race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entra_lake.errors import AccessDeniedError, ConfigurationError, StoreUnavailableError
from entra_lake.lake import Lake
from entra_lake.store import ABSENT
from sandbox.serve import Sandbox
from simulation import make_lake


def test_create_writes_once(lake: Lake) -> None:
    """The second writer of a new object is told that somebody was first, and changes nothing."""
    assert lake.store.create("a.json", b"first")
    assert lake.store.create("a.json", b"second") is None
    assert lake.store.read("a.json") is not None
    assert (lake.store.read("a.json") or (b"",))[0] == b"first"


def test_replace_needs_the_current_etag(lake: Lake) -> None:
    """An object is replaced only by one who has seen what is there."""
    first = lake.store.replace("a.json", b"1", ABSENT)
    second = lake.store.replace("a.json", b"2", first)
    assert second
    assert lake.store.replace("a.json", b"3", first) is None
    assert lake.store.replace("gone.json", b"3", first) is None
    assert (lake.store.read("a.json") or (b"",))[0] == b"2"


@pytest.mark.fault(43)
@pytest.mark.parametrize("etag", [False, True], ids=["create", "replace"])
def test_a_lost_reply_is_no_lost_race(cloud: Sandbox, lake: Lake, *, etag: bool) -> None:
    """When S3 stores an object and the reply is lost, the repeated request finds its own success."""
    before = lake.store.create("a.json", b"old") if etag else ABSENT
    cloud.aws.faults.configure({"s3": {"drop_reply": [{"key": "a\\.json", "n": 1}]}})
    written = lake.store.replace("a.json", b"new", before)
    found = lake.store.look("a.json")
    assert found is not None
    assert written == found.etag


def test_of_two_writers_of_the_same_bytes_one_wins(lake: Lake) -> None:
    """Who was first decides, and not what was written: a claim belongs to one."""
    assert [lake.store.create("claim.json", b"mine") is None for _ in range(2)] == [False, True]


def test_absent_objects_are_none(lake: Lake, tmp_path: Path) -> None:
    """What does not exist is None, and no error."""
    assert lake.store.read("no") is None
    assert lake.store.look("no") is None
    assert lake.store.download("no", tmp_path / "x") is None
    assert list(lake.store.list("no/")) == []


def test_keys_are_below_the_prefix(cloud: Sandbox) -> None:
    """Two lakes in one bucket do not see each other."""
    one, two = make_lake(cloud, prefix="one"), make_lake(cloud, prefix="two/")
    one.store.create("lake.json", b"1")
    assert two.store.read("lake.json") is None
    assert [item.key for item in one.store.list("")] == ["lake.json"]
    assert one.store.url("lake.json") == "s3://entra-lake/one/lake.json"


@pytest.mark.slow
def test_listing_goes_on_past_a_page(lake: Lake) -> None:
    """More than a thousand objects are all listed, in the order of their keys."""
    keys = [f"x/{number:05}" for number in range(1001)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: lake.store.create(key, b""), keys))
    assert [item.key for item in lake.store.list("x/")] == keys


@pytest.mark.fault(45)
def test_a_flipped_bit_is_noticed(cloud: Sandbox, lake: Lake, tmp_path: Path) -> None:
    """What arrives must have the hash that its writer noted."""
    lake.store.create("a.parquet", b"0123456789" * 100)
    cloud.aws.faults.configure({"s3": {"flip": [{"key": "a\\.parquet", "n": 1}]}})
    with pytest.raises(StoreUnavailableError):
        lake.store.download("a.parquet", tmp_path / "a")


@pytest.mark.fault(46)
def test_refusals_say_what_to_do(cloud: Sandbox, lake: Lake) -> None:
    """A missing right and a missing bucket are errors that only a person can mend, with the remedy in them."""
    cloud.aws.faults.configure({"s3": {"deny": [{"key": "secret"}]}})
    with pytest.raises(AccessDeniedError, match=r"s3://entra-lake/secret\.json.*right"):
        lake.store.create("secret.json", b"")
    with pytest.raises(ConfigurationError, match=r"lakes\.yaml"):
        make_lake(cloud, bucket="no-such-bucket").store.create("a", b"")


def test_passing_failures_are_tried_again(cloud: Sandbox, lake: Lake) -> None:
    """SlowDown and 500 that pass are not noticed by the caller."""
    cloud.aws.faults.configure({"s3": {"errors": [{"key": "a\\.json", "status": 503, "code": "SlowDown", "n": 2}]}})
    assert lake.store.create("a.json", b"1")
