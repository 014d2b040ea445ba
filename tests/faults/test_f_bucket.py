"""What goes wrong between a run and its bucket: a proxy stands in front of S3."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from botocore.config import Config
from ground import SIGN_INS, Ground, assert_nothing_committed, assert_truth
from proxy import (
    Act,
    Proxy,
    cut_off,
    drop_reply,
    drop_request,
    first_do,
    flip_reply,
    keep_silent,
    refuse,
    reset_after,
    then_do,
)

from entra_lake import aws
from entra_lake.errors import AccessDeniedError, ConfigurationError, DataError, EntraLakeError, StoreUnavailableError
from entra_lake.extract import extract
from entra_lake.load import load, transform

pytestmark = pytest.mark.slow

#: Every kind of object that a run writes, by a part of its key.
WRITTEN = ("budget/", "pass.json", "raw/", "slice-", "complete.json", "staging/", "lake/.*parquet", "manifests/")

PASSING: dict[str, Act] = {
    "500": refuse(500, "InternalError"),
    "503 SlowDown": refuse(503, "SlowDown"),
    "lost before S3 saw it": drop_request,
    "stored, and the reply lost": drop_reply,
    "409": refuse(409, "ConditionalRequestConflict"),
}


@pytest.mark.fault(43, 47)
@pytest.mark.parametrize("act", PASSING.values(), ids=PASSING)
def test_every_write_goes_wrong_once(ground: Ground, proxy: Proxy, act: Act) -> None:
    """Each kind of object is struck once: the day comes whole, once, and the manifest is that of its object."""
    rules = [proxy.add(act, method="PUT", key=place) for place in WRITTEN]
    ground.collect(lake=ground.open(proxy.url))
    assert {place: rule.struck for place, rule in zip(WRITTEN, rules, strict=True)} == dict.fromkeys(WRITTEN, 1)
    assert_truth(ground)


@pytest.mark.fault(43)
def test_a_reply_that_never_comes(ground: Ground, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 stores the day's object and says nothing: the repeated write knows that it was itself."""
    config: Any = Config(retries={"mode": "standard", "max_attempts": 3}, read_timeout=1)
    monkeypatch.setattr(aws, "_CONFIG", config)
    rule = proxy.add(keep_silent(3), method="PUT", key="lake/.*parquet")
    ground.collect(lake=ground.open(proxy.url))
    assert rule.struck == 1
    assert_truth(ground)


@pytest.mark.fault(43)
@pytest.mark.parametrize("place", ["raw/", "manifests/"])
def test_a_bucket_that_is_busy_for_long(ground: Ground, proxy: Proxy, place: str) -> None:
    """503 for ever ends as an error to be tried again; when it is over, the same run completes the day."""
    proxy.add(refuse(503, "SlowDown"), method="PUT", key=place, times=None)
    with pytest.raises(StoreUnavailableError, match="SlowDown"):
        ground.collect(lake=ground.open(proxy.url))
    assert ground.manifest() is None
    proxy.calm()
    asked = len(ground.asked())
    ground.collect(lake=ground.open(proxy.url))
    assert (len(ground.asked()) == asked) == (place != "raw/"), "a complete pass is not listed again"
    assert_truth(ground)


@pytest.mark.fault(44)
def test_every_object_is_one_put(ground: Ground, proxy: Proxy) -> None:
    """No upload in parts is ever begun, so none can be abandoned, seen half or billed for ever."""
    ground.collect(lake=ground.open(proxy.url))
    written = [path for method, path, _ in proxy.seen if method == "PUT"]
    assert len(written) >= len(WRITTEN)
    assert [seen for seen in proxy.seen if "uploads" in seen[2] or "uploadId" in seen[2]] == []


BROKEN_READS: dict[str, Act] = {"a bit flips": flip_reply, "cut off": cut_off(20), "reset": reset_after(20)}
READ = ("raw/", "staging/", "checkpoints/.*complete", "manifests/")


@pytest.mark.fault(45)
@pytest.mark.parametrize("act", BROKEN_READS.values(), ids=BROKEN_READS)
def test_every_read_goes_wrong_once(ground: Ground, proxy: Proxy, act: Act) -> None:
    """A damaged or broken read is noticed and made again, within the run or by its retries; the day comes whole."""
    ground.collect()
    ground.add()
    rules = [proxy.add(act, method="GET", key=place) for place in READ]
    lake = ground.open(proxy.url)
    for _ in READ:
        with suppress(StoreUnavailableError):
            ground.collect("next", lake)
    ground.collect("next", lake)
    assert {place: rule.struck for place, rule in zip(READ, rules, strict=True)} == dict.fromkeys(READ, 1)
    assert_truth(ground)


@pytest.mark.fault(45)
@pytest.mark.parametrize("place", ["raw/", "manifests/"])
def test_a_read_that_is_always_damaged(ground: Ground, proxy: Proxy, place: str) -> None:
    """What can never be read as it was written stops the run with the object's name; the lake stays as it was."""
    ground.collect()
    before = ground.held()
    ground.add()
    proxy.add(flip_reply, method="GET", key=place, times=None)
    with pytest.raises((DataError, StoreUnavailableError), match=place):
        ground.collect("next", ground.open(proxy.url))
    assert ground.held() == before
    proxy.calm()
    ground.collect("next", ground.open(proxy.url))
    assert_truth(ground)


REFUSALS: dict[str, tuple[Act, type[EntraLakeError], str]] = {
    "access denied": (refuse(403, "AccessDenied", "Access Denied"), AccessDeniedError, "Give the role"),
    "key disabled": (refuse(400, "KMS.DisabledException", "arn is disabled."), AccessDeniedError, "is disabled"),
    "key denied": (refuse(403, "AccessDenied", "kms:GenerateDataKey is denied"), AccessDeniedError, "GenerateDataKey"),
    "bucket gone": (refuse(404, "NoSuchBucket"), ConfigurationError, "Check bucket and region"),
    "bucket elsewhere": (refuse(301, "PermanentRedirect"), ConfigurationError, "Check bucket and region"),
    "wrong keys": (refuse(403, "SignatureDoesNotMatch"), ConfigurationError, "Check keys, region and clock"),
    "clock skewed": (refuse(403, "RequestTimeTooSkewed"), ConfigurationError, "Check keys, region and clock"),
    "token expired": (refuse(400, "ExpiredToken"), ConfigurationError, "Check keys, region and clock"),
}


@pytest.mark.fault(46)
@pytest.mark.parametrize("place", ["raw/", "lake/.*parquet"])
def test_a_bucket_that_refuses(ground: Ground, proxy: Proxy, place: str) -> None:
    """Each refusal says what to do and commits nothing; when somebody has done it, the same run goes on."""
    lake = ground.open(proxy.url)
    for act, kind, said in REFUSALS.values():
        proxy.calm()
        proxy.add(act, method="PUT", key=place, times=None)
        with pytest.raises(kind, match=said):
            ground.collect(lake=lake)
    assert_nothing_committed(ground)
    proxy.calm()
    ground.collect(lake=lake)
    assert_truth(ground)


@pytest.mark.fault(38, 47)
@pytest.mark.parametrize("place", ["lake/.*parquet", "manifests/"])
@pytest.mark.parametrize("moment", [first_do, then_do], ids=["before the write", "behind the write"])
def test_another_run_commits_at_that_moment(ground: Ground, proxy: Proxy, moment: Any, place: str) -> None:
    """Around the write of an object, another run commits the whole day with more records: the union survives."""

    def meanwhile() -> None:
        ground.add(ground.sign_in("late"))
        ground.collect("another")  # takes up what the first run has listed, if that is not acknowledged yet
        ground.collect("yet another")

    rule = proxy.add(moment(meanwhile), method="PUT", key=place)
    ground.collect(lake=ground.open(proxy.url))
    assert rule.struck == 1
    held = ground.held()
    assert held
    assert "late" in held.view
    assert_truth(ground)


@pytest.mark.fault(43, 47)
def test_a_stale_build_is_never_loaded(ground: Ground, proxy: Proxy) -> None:
    """What was built before other runs loaded is built again, also when the reply to its write is lost."""
    lake = ground.open(proxy.url)
    extract(lake, SIGN_INS, ground.day, "run")
    staged = transform(lake, SIGN_INS, ground.day)
    ground.collect("another")
    ground.add(ground.sign_in("late"))
    ground.collect("yet another")
    proxy.add(drop_reply, method="PUT", key="lake/.*parquet")
    load(lake, SIGN_INS, ground.day, staged)
    assert_truth(ground)
