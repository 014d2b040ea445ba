"""How fast pages answer, and how much of a lake a chart reads: the web UI as `make up` starts it, over a filled lake.

Each page is asked for by HTTP as a browser does, logged in. First: nobody has asked before, Athena is asked. Warm: the
answers are at hand. Bytes are what the simulated Athena counts: compressed columns of the row groups it had to read.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import requests

from benchmarks.report import Options, Report, Table, main, spread
from entra_lake.settings import read_lake
from sandbox.provision import ACCESS_KEY, REGION, SECRET_KEY

REPOSITORY = Path(__file__).parents[1]
DAYS, SIGN_INS = 30, 20_000
ROUNDS = 7
#: What must hold: seconds of a warm answer, and a chart's share of the period's bytes.
LONGEST_SECONDS, LARGEST_SHARE = 1.0, 0.05
_USER = re.compile(r'href="[^"]*[/"]user\?[^"]*?user=([^"&]+)')
_PAGES = {
    "Security overview": "overview?{span}",
    "Security overview of a user": "overview?{span}&user={user}",
    "User": "user?user={user}&{span}",
    "Coverage": "coverage",
    "Day": "day?day={day}",
    "Findings": "findings?{span}",
    "Query book": "queries",
}


@dataclass(frozen=True)
class Cloud:
    """The simulated cloud behind the pages."""

    endpoint_url: str

    def client(self, service: str) -> Any:
        """Return a client of the simulated AWS."""
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": REGION}
        return boto3.client(service, endpoint_url=self.endpoint_url, **keys)  # type: ignore[call-overload]

    def stored_bytes(self) -> int:
        """Return the size of all Parquet objects."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=read_lake().bucket, Prefix="lake/")
        return sum(item["Size"] for page in pages for item in page.get("Contents", ()))

    def queries(self) -> dict[str, int]:
        """Return the bytes that each query so far has read."""
        athena = self.client("athena")
        pages = athena.get_paginator("list_query_executions").paginate(WorkGroup=read_lake().workgroup)
        ids = [name for page in pages for name in page["QueryExecutionIds"]]
        found = [athena.get_query_execution(QueryExecutionId=name)["QueryExecution"] for name in ids]
        return {item["QueryExecutionId"]: item["Statistics"].get("DataScannedInBytes", 0) for item in found}


@contextmanager
def web_ui(folder: Path, days: int, sign_ins: int) -> Iterator[tuple[str, requests.Session, Cloud]]:
    """Start the web UI over a lake of so many days; yield its address, a client that is logged in, and the cloud."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-u", "-m", "sandbox.local.up", "--folder", str(folder), "--port", str(port),
               "--days", str(days), "--detected-days", "2", "--sign-ins-per-day", str(sign_ins)]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": "plugins:."}
    with subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("  3. "):
                break
        if not any(line.startswith("Ready") for line in lines):
            message = f"The web UI did not start: {''.join(lines)}"
            raise RuntimeError(message)
        url = f"http://127.0.0.1:{port}"
        try:
            yield url, _log_in(url, folder), Cloud(_endpoint(folder))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _log_in(url: str, folder: Path) -> requests.Session:
    password = json.loads((folder / "airflow" / "passwords.json").read_text())["admin"]
    session = requests.Session()
    answer = session.post(f"{url}/auth/token", json={"username": "admin", "password": password}, timeout=60)
    answer.raise_for_status()
    session.cookies.set("_token", answer.json()["access_token"])
    return session


def _endpoint(folder: Path) -> str:
    return str(json.loads((folder / "cloud" / "sandbox.json").read_text())["aws_endpoint_url"])


def ask(session: requests.Session, url: str) -> tuple[float, str]:
    """Return how long a page took, in seconds, and its text."""
    began = time.perf_counter()
    answer = session.get(url, timeout=120)
    answer.raise_for_status()
    return time.perf_counter() - began, answer.text


def run(options: Options, days: int = DAYS, sign_ins: int = SIGN_INS, filled: Path | None = None) -> Report:
    """Measure every page over the same 30 days.

    :param filled: the folder of a lake that has been filled before: filling one takes ten minutes.
    """
    rounds = options.rounds or ROUNDS
    last = datetime.now(UTC).date() - timedelta(days=1)
    span = f"first={last - timedelta(days=days - 1)}&last={last}"
    with tempfile.TemporaryDirectory() as name, web_ui(filled or Path(name), days, sign_ins) as (url, session, cloud):
        stored = cloud.stored_bytes()
        ask(session, f"{url}/entra-lake/")  # the process has loaded what all pages need
        seen, user, found = set(cloud.queries()), "", []
        for title, path in _PAGES.items():
            address = f"{url}/entra-lake/{path.format(span=span, day=last - timedelta(days=1), user=user)}"
            first, text = ask(session, address)
            user = user or "".join(_USER.findall(text)[:1])
            now = cloud.queries()
            read = [size for query, size in now.items() if query not in seen]
            seen |= set(now)
            found.append((title, first, [ask(session, address)[0] for _ in range(rounds)], read))
    if not any(read for *_, read in found):
        message = "No page has asked Athena anything: there is nothing to measure."
        raise RuntimeError(message)
    return _report(found, stored, days, sign_ins)


def _report(
    found: Sequence[tuple[str, float, list[float], list[int]]], stored: int, days: int, sign_ins: int
) -> Report:
    rows = [
        (title, f"{first:.2f}", spread(warm, 2), str(len(read)), f"{100 * max(read, default=0) / stored:.2f} %")
        for title, first, warm, read in found
    ]
    head = ("page", "first, s", "warm, s", "queries", "largest share of the lake")
    note = (
        f"SIMULATED: {days} days with {sign_ins:,} sign-ins each, {stored / 1e6:.1f} MB of Parquet. Queries run in the "
        "simulated Athena, on the same cores; the share is what one query read of all Parquet bytes."
    )
    claims = {
        f"every page answers within {LONGEST_SECONDS:.0f} s warm": all(
            sorted(warm)[len(warm) // 2] <= LONGEST_SECONDS for _, _, warm, _ in found
        ),
        f"no chart reads more than {100 * LARGEST_SHARE:.0f} % of the lake's bytes": all(
            max(read, default=0) <= LARGEST_SHARE * stored for *_, read in found
        ),
    }
    question = "How long does a page take, and how much does it read?"
    return Report(
        name="pages", question=question, tables=[Table(title="Pages", head=head, rows=rows, note=note)], claims=claims
    )


if __name__ == "__main__":
    sys.exit(main(run))
