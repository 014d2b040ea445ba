"""The simulated S3 keeps S3's promises about conditional writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aws_cloud import BUCKET, Cloud, client
from botocore.exceptions import ClientError

PART = b"p" * (5 * 1024 * 1024)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for this module."""
    made = Cloud(tmp_path_factory.mktemp("aws"))
    yield made
    made.aws.stop()


def put_whole(cloud: Cloud, key: str, body: bytes, **conditions: str) -> str:
    """Write with PutObject."""
    return cloud.put(key, body, **conditions)


def put_in_parts(cloud: Cloud, key: str, body: bytes, **conditions: str) -> str:
    """Write with a multipart upload of one part; the condition is checked when it is completed."""
    upload = {
        "Bucket": BUCKET,
        "Key": key,
        "UploadId": cloud.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"],
    }
    part = cloud.s3.upload_part(**upload, PartNumber=1, Body=body)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    return cloud.s3.complete_multipart_upload(**upload, MultipartUpload=parts, **conditions)["ETag"]


WRITERS = pytest.mark.parametrize("write", [put_whole, put_in_parts])
Writer = Callable[..., str]


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    """Return the status and code of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


@WRITERS
def test_if_none_match_creates_only_once(cloud: Cloud, write: Writer) -> None:
    """If-None-Match: * stores a new object, and answers 412 without touching one that is there."""
    key = f"none-match/{write.__name__}"
    write(cloud, key, b"first", IfNoneMatch="*")
    assert refused(lambda: write(cloud, key, b"second", IfNoneMatch="*")) == (412, "PreconditionFailed")
    assert cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"first"


@WRITERS
def test_if_match_replaces_only_what_was_read(cloud: Cloud, write: Writer) -> None:
    """If-Match stores over the same ETag, and answers 412 when the object has changed since."""
    key = f"match/{write.__name__}"
    etag = write(cloud, key, b"first")
    write(cloud, key, b"second", IfMatch=etag)
    assert refused(lambda: write(cloud, key, b"third", IfMatch=etag)) == (412, "PreconditionFailed")
    assert cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"second"


@WRITERS
def test_if_match_on_nothing_is_no_such_key(cloud: Cloud, write: Writer) -> None:
    """If-Match on an object that does not exist answers 404 NoSuchKey."""
    assert refused(lambda: write(cloud, f"absent/{write.__name__}", b"x", IfMatch='"00"')) == (404, "NoSuchKey")


def test_a_condition_that_s3_does_not_know_is_not_implemented(cloud: Cloud) -> None:
    """If-None-Match with an ETag is refused on writes, as S3 does."""
    assert refused(lambda: cloud.put("weird", IfNoneMatch='"abc"')) == (501, "NotImplemented")


@pytest.mark.parametrize("write", [put_whole, put_in_parts])
def test_twenty_writers_have_one_winner(cloud: Cloud, write: Writer) -> None:
    """Of twenty threads that write one key on the same condition, exactly one succeeds, in every round."""
    threads, rounds = 20, 3 if write is put_in_parts else 8
    key = f"race/{write.__name__}"
    clients = [client(cloud.aws, "s3") for _ in range(threads)]
    barrier = threading.Barrier(threads)
    etag = ""

    def attempt(number: int) -> str | None:
        mine = Cloud.__new__(Cloud)
        mine.s3 = clients[number]
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        barrier.wait()
        try:
            return write(mine, key, f"{etag}{number}".encode(), **condition)
        except ClientError as error:
            return None if error.response["Error"]["Code"] == "PreconditionFailed" else str(error)

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            winners = [found for found in pool.map(attempt, range(threads)) if found]
            assert len(winners) == 1
            etag = cloud.s3.head_object(Bucket=BUCKET, Key=key)["ETag"]
            assert winners == [etag]


def test_objects_keep_their_headers_and_ranges(cloud: Cloud) -> None:
    """Metadata, content type and ranges come back as they were given."""
    cloud.s3.put_object(
        Bucket=BUCKET, Key="a/b=c d+ü.txt", Body=b"0123456789", Metadata={"a_b": "c"}, ContentType="text/plain"
    )
    found = cloud.s3.get_object(Bucket=BUCKET, Key="a/b=c d+ü.txt", Range="bytes=2-4")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"234", {"a_b": "c"}, "text/plain")


def test_listing_pages_through_a_prefix(cloud: Cloud) -> None:
    """ListObjectsV2 pages, and folds folders at the delimiter."""
    for number in range(5):
        cloud.put(f"list/{number}/x")
    pages = cloud.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 2}
    )
    assert [found["Key"] for page in pages for found in page["Contents"]] == [f"list/{number}/x" for number in range(5)]
    folded = cloud.s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", Delimiter="/")
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == [f"list/{number}/" for number in range(5)]


def test_a_bucket_is_created_once(cloud: Cloud) -> None:
    """A second CreateBucket says that the bucket is ours; an unknown bucket is NoSuchBucket."""
    place = {"LocationConstraint": "eu-central-1"}
    assert refused(lambda: cloud.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)) == (
        409,
        "BucketAlreadyOwnedByYou",
    )
    assert refused(lambda: cloud.s3.get_object(Bucket="nowhere", Key="x")) == (404, "NoSuchBucket")


def test_an_unknown_upload_cannot_be_completed(cloud: Cloud) -> None:
    """An upload that was aborted, or lost with the process, is NoSuchUpload."""
    parts = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
    assert refused(
        lambda: cloud.s3.complete_multipart_upload(Bucket=BUCKET, Key="x", UploadId="gone", MultipartUpload=parts)
    ) == (404, "NoSuchUpload")


def test_versions_can_be_listed_and_deleted(cloud: Cloud) -> None:
    """In a bucket with versioning, a deleted object leaves its versions and a delete marker."""
    place = {"LocationConstraint": "eu-central-1"}
    cloud.s3.create_bucket(Bucket="versions", CreateBucketConfiguration=place)
    cloud.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        cloud.s3.put_object(Bucket="versions", Key="k", Body=body)
    cloud.s3.delete_object(Bucket="versions", Key="k")
    found = cloud.s3.list_object_versions(Bucket="versions")
    assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (2, 1)
    assert refused(lambda: cloud.s3.get_object(Bucket="versions", Key="k")) == (404, "NoSuchKey")
    cloud.s3.put_object(Bucket="versions", Key="k", Body=b"3", IfNoneMatch="*")


def test_two_clouds_in_one_process_share_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """Each server has an account of its own: the same bucket name holds other objects."""
    cloud.put("mine")
    other = Cloud(tmp_path)
    assert "Contents" not in other.s3.list_objects_v2(Bucket=BUCKET)
    other.aws.stop()
