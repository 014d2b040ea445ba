"""A simulated AWS for tests, and short words to talk to it."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config

from sandbox.aws.server import REGION, AwsServer

BUCKET = "lake"
OUTPUT = f"s3://{BUCKET}/results/"
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=20)


def client(aws: AwsServer, service: str, config: Config | None = ONCE) -> Any:
    """Return a boto3 client of the simulated cloud; it does not retry, so that a test sees every reply."""
    return boto3.client(
        service, endpoint_url=aws.endpoint_url, region_name=REGION, config=config,
        aws_access_key_id="any", aws_secret_access_key="key",
    )  # fmt: skip


class Cloud:
    """A running server with one bucket."""

    def __init__(self, folder: Path) -> None:
        """Start a server with its state in `folder`."""
        self.aws = AwsServer(folder)
        self.aws.start()
        self.s3 = client(self.aws, "s3")
        self.athena = client(self.aws, "athena")
        self.glue = client(self.aws, "glue")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, key: str, body: bytes = b"x", **conditions: str) -> str:
        """Put an object; returns its ETag."""
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **conditions)["ETag"]

    def put_parquet(self, key: str, columns: dict[str, Any]) -> None:
        """Put a Parquet object."""
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)
        self.put(key, buffer.getvalue())

    def start(self, sql: str, **more: Any) -> str:
        """Start a query; returns its id."""
        more.setdefault("ResultConfiguration", {"OutputLocation": OUTPUT})
        context = {"Database": more.pop("database", "db")}
        return self.athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, **more)[
            "QueryExecutionId"
        ]

    def wait(self, query: str) -> dict[str, Any]:
        """Return the query's description when it has ended."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if found["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return found
        msg = f"the query did not end: {found}"
        raise AssertionError(msg)

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        """Run a query to its end."""
        return self.wait(self.start(sql, **more))

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """Run a query that must succeed; returns its rows without the header."""
        done = self.run(sql, **more)
        assert done["Status"]["State"] == "SUCCEEDED", done["Status"]
        pages = self.athena.get_paginator("get_query_results").paginate(QueryExecutionId=done["QueryExecutionId"])
        rows = [
            [cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]
        ]
        return rows[1:] if done["StatementType"] == "DML" else rows

    def reason(self, sql: str, **more: Any) -> str:
        """Run a query that must fail; returns why."""
        done = self.run(sql, **more)
        assert done["Status"]["State"] == "FAILED", done["Status"]
        return done["Status"]["StateChangeReason"]
