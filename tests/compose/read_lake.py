"""Compare the lake with the truth, inside the sandbox's container: `python - DAY…` prints what differs as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import duckdb

from entra_lake.streams import STREAMS
from sandbox.provision import BUCKET, client

CONTROL = "http://127.0.0.1:8090"
S3 = client("s3", "http://127.0.0.1:5000")
#: Between the facts of a line of the truth and the record as it was served.
MARK = b',"record":'


def truth(stream: str, day: str) -> set[tuple[str, str]]:
    """Return id and hash of every version that the tenant has shown."""
    with urllib.request.urlopen(f"{CONTROL}/truth?stream={stream}&day={day}", timeout=60) as answer:
        lines = answer.read().splitlines()
    parts = [line.partition(MARK) for line in lines]
    return {(json.loads(head + b"}")["id"], hashlib.sha256(body[:-1]).hexdigest()) for head, _, body in parts}


def lake(stream: str, day: str) -> list[tuple[Any, ...]]:
    """Return id and hash of every row of the day's object."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.parquet"
        S3.download_file(BUCKET, f"lake/{stream}/dt={day}/{stream}-{day}.parquet", str(path))
        return duckdb.execute("select id, record_sha256 from read_parquet(?)", [str(path)]).fetchall()


def compare(stream: str, day: str) -> dict[str, Any]:
    """Return how many records there are, and which are lost, made up or doubled."""
    expected, rows = truth(stream, day), lake(stream, day)
    manifest = json.load(S3.get_object(Bucket=BUCKET, Key=f"manifests/{stream}/{day}.json")["Body"])
    found = set(rows)
    return {
        "rows": len(rows),
        "counted": manifest["athena"]["rows"],
        "lost": sorted(expected - found),
        "made_up": sorted(found - expected),
        "doubled": len(rows) - len(found),
    }


print(json.dumps({f"{stream} {day}": compare(stream, day) for day in sys.argv[1:] for stream in STREAMS}))
