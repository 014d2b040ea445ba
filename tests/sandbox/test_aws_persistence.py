"""What the simulated AWS acknowledged survives a SIGKILL."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cloud import BUCKET, REGION, Cloud, client
from botocore.exceptions import ClientError

from sandbox.aws.objects import ObjectStore
from sandbox.aws.server import AwsServer

ROOT = Path(__file__).parents[2]
SERVE = """
import pathlib, signal, sys
from sandbox.aws.server import AwsServer
aws = AwsServer(pathlib.Path(sys.argv[1]))
aws.start()
print(aws.endpoint_url, flush=True)
signal.pause()
"""


def serve(folder: Path) -> tuple[subprocess.Popen[str], Any]:
    """Start the simulated AWS in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    return process, SimpleNamespace(endpoint_url=process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    """Kill it without notice."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def write_everything(aws: Any) -> dict[str, str]:
    """Write one of each kind; returns the ETags."""
    s3, glue, ssm, athena = (client(aws, name) for name in ("s3", "glue", "ssm", "athena"))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    etags = {
        f"k/{n}": s3.put_object(Bucket=BUCKET, Key=f"k/{n}", Body=b"%d" % n, Metadata={"n": str(n)})["ETag"]
        for n in range(20)
    }
    upload = {
        "Bucket": BUCKET,
        "Key": "big",
        "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"],
    }
    sizes = (b"a" * 5 * 1024 * 1024, b"b")
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(sizes, 1)
    ]
    etags["big"] = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    s3.put_object(Bucket=BUCKET, Key="gone", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="gone")
    glue.create_database(DatabaseInput={"Name": "db"})
    descriptor = {"Columns": [{"Name": "id", "Type": "string"}], "Location": f"s3://{BUCKET}/t/"}
    keys = [{"Name": "dt", "Type": "string"}]
    glue.create_table(
        DatabaseName="db", TableInput={"Name": "t", "StorageDescriptor": descriptor, "PartitionKeys": keys}
    )
    glue.create_partition(
        DatabaseName="db", TableName="t", PartitionInput={"Values": ["2026-01-01"], "StorageDescriptor": descriptor}
    )
    for version in (1, 2):
        ssm.put_parameter(Name="/conn/graph", Value=f"secret {version}", Type="SecureString", Overwrite=True)
    athena.create_work_group(Name="logs", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    return etags


def test_everything_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """Objects with ETags and metadata, versions, catalogue, secrets and work groups outlive the process."""
    process, aws = serve(tmp_path)
    etags = write_everything(aws)
    kill(process)
    aws = AwsServer(tmp_path)
    aws.start()
    try:
        s3 = client(aws, "s3")
        found = {one["Key"]: one["ETag"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
        assert found == etags
        head = s3.get_object(Bucket=BUCKET, Key="k/7")
        assert (head["Body"].read(), head["Metadata"], head["ETag"]) == (b"7", {"n": "7"}, etags["k/7"])
        assert s3.get_object(Bucket=BUCKET, Key="big")["Body"].read() == b"a" * 5 * 1024 * 1024 + b"b"
        assert len(s3.list_object_versions(Bucket=BUCKET, Prefix="gone")["Versions"]) == 1
        assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket=BUCKET, Key="big", Body=b"x", IfNoneMatch="*")
        parts = client(aws, "glue").get_partitions(DatabaseName="db", TableName="t")["Partitions"]
        assert [part["Values"] for part in parts] == [["2026-01-01"]]
        secret = client(aws, "ssm").get_parameter(Name="/conn/graph", WithDecryption=True)["Parameter"]
        assert (secret["Value"], secret["Version"]) == ("secret 2", 2)
        group = client(aws, "athena").get_work_group(WorkGroup="logs")["WorkGroup"]
        assert group["Configuration"]["BytesScannedCutoffPerQuery"] == 10_000_000
    finally:
        aws.stop()


def test_a_kill_between_writes_loses_no_reply(tmp_path: Path) -> None:
    """Killed while one key is written again and again, the last acknowledged body or the next one is there, whole."""
    process, aws = serve(tmp_path)
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    acknowledged, until = 0, time.monotonic() + 0.5
    while time.monotonic() < until:
        s3.put_object(Bucket=BUCKET, Key="k", Body=str(acknowledged + 1).encode() * 1000)
        acknowledged += 1
    kill(process)
    aws = AwsServer(tmp_path)
    aws.start()
    body = client(aws, "s3").get_object(Bucket=BUCKET, Key="k")["Body"].read()
    aws.stop()
    assert body == str(acknowledged).encode() * 1000


def test_a_half_written_object_is_forgotten(tmp_path: Path) -> None:
    """A body without its entry is removed at start: the object is what it was before."""
    cloud = Cloud(tmp_path)
    cloud.put("k", b"old")
    cloud.aws.stop()
    (tmp_path / "s3" / BUCKET / "body" / "k.half").write_bytes(b"ne")
    again = AwsServer(tmp_path)
    again.start()
    assert client(again, "s3").get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"old"
    again.stop()
    assert not (tmp_path / "s3" / BUCKET / "body" / "k.half").exists()


def test_two_thousand_objects_start_with_two_seconds_of_work(tmp_path: Path) -> None:
    """Starting reads descriptions only, never bodies; measured in time of the processor, which others cannot use up."""
    cloud = Cloud(tmp_path)
    cloud.put("k0")
    cloud.aws.stop()
    folder = tmp_path / "s3" / BUCKET
    template = json.loads((folder / "meta" / "k0.json").read_bytes())
    for number in range(1, 2000):
        text = json.dumps(template | {"key": f"k{number}"})
        (folder / "meta" / f"k{number}.json").write_text(text)
    again = AwsServer(tmp_path)
    started = time.process_time()
    again.start()
    elapsed = time.process_time() - started
    assert len(again.storage.objects.names(BUCKET, "")) == 2000
    again.stop()
    assert elapsed < 2


def test_a_replaced_body_is_removed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that nobody refers to do not pile up, but a query that planned to read one may finish."""
    cloud = Cloud(tmp_path)
    for number in range(5):
        cloud.put("k", b"%d" % number)
    assert len(list((tmp_path / "s3" / BUCKET / "body").iterdir())) == 5
    monkeypatch.setattr("sandbox.aws.objects.time.monotonic", lambda: time.perf_counter() + 1e9)
    cloud.put("k", b"last")
    cloud.aws.stop()
    assert len(list((tmp_path / "s3" / BUCKET / "body").iterdir())) <= 2


def test_bodies_are_not_kept_in_memory(tmp_path: Path) -> None:
    """After a write the only copy is the file."""
    cloud = Cloud(tmp_path)
    cloud.put("k", b"x" * 1000)
    objects: ObjectStore = cloud.aws.storage.objects
    assert objects.path(BUCKET, "k").read_bytes() == b"x" * 1000
    assert objects.find(BUCKET, "k")._value_buffer.path == objects.path(BUCKET, "k")
    cloud.aws.stop()


def test_reset_empties_everything(tmp_path: Path) -> None:
    """After reset() nothing is served, and nothing comes back after a start."""
    cloud = Cloud(tmp_path)
    write = {"Name": "/a", "Value": "b", "Type": "String"}
    client(cloud.aws, "ssm").put_parameter(**write)
    cloud.run("CREATE DATABASE db")
    cloud.aws.reset()
    cloud.aws.stop()
    again = AwsServer(tmp_path)
    again.start()
    assert client(again, "s3").list_buckets()["Buckets"] == []
    assert client(again, "glue").get_databases()["DatabaseList"] == []
    client(again, "ssm").put_parameter(**write)
    again.stop()


def test_stop_returns_within_two_seconds(tmp_path: Path) -> None:
    """Also while a query is held."""
    cloud = Cloud(tmp_path)
    cloud.aws.faults.configure({"athena": {"stuck_queued": 1}})
    cloud.start("SELECT 1")
    started = time.monotonic()
    cloud.aws.stop()
    assert time.monotonic() - started < 2


def test_a_connection_serves_many_requests_until_the_server_stops(tmp_path: Path) -> None:
    """As AWS's do: clients need not connect anew for each request, and hear of the end at once."""
    aws = AwsServer(tmp_path)
    aws.start()
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=5)
    sockets = set()
    for method in ("GET", "HEAD", "PUT", "DELETE", "GET"):
        connection.request(method, "/nowhere/key", body=b"x" * 1000 if method == "PUT" else None)
        assert connection.getresponse().read() is not None
        sockets.add(connection.sock)
    assert len(sockets) == 1
    assert None not in sockets
    aws.stop()
    assert connection.sock.recv(1) == b""
