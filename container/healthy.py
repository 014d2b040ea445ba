"""Tell whether a container does its work: `healthy.py ROLE`, or the role of the container's own command.

Asks the cheapest public sign of life there is: `airflow jobs check` would take seconds of processor time each time.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

API = os.environ.get("ENTRA_LAKE_HEALTH_API", "http://api-server:8080")
SCHEDULER = os.environ.get("ENTRA_LAKE_HEALTH_SCHEDULER", "http://127.0.0.1:8974/health")
#: `watch` touches this file after each look at the lake.
WATCH_FILE = Path(os.environ.get("ENTRA_LAKE_WATCH_FILE", "/tmp/watch-alive"))  # noqa: S108 - its own tmpfs # nosec B108
WATCH_SECONDS = 1800.0
BROKER_FILE = Path("/run/entra-lake/airflow/broker_url")
#: The doors of the sandbox: control, mails, AWS and Graph.
SANDBOX_PORTS = (8090, 8025, 5000, 8443)


def main(arguments: list[str]) -> int:
    """Return 0 when all is well, 1 with the reason."""
    role = arguments[0] if arguments else role_of_container()
    try:
        trouble = CHECKS[role]() if role in CHECKS else None
    except (OSError, ValueError) as error:
        trouble = f"{type(error).__name__}: {error}"
    if trouble:
        print(f"{role}: {trouble}")
    return 1 if trouble else 0


def role_of_container(command_line: Path = Path("/proc/1/cmdline")) -> str:
    """Return which part of Airflow the container's first process is; empty when it is none."""
    words = command_line.read_bytes().decode(errors="replace").split("\0")
    return next((word for word in words if word in CHECKS), "")


def check_api_server() -> str | None:
    """Ask for the database: the server itself answers also without it."""
    return _unhealthy(_get("http://127.0.0.1:8080/api/v2/monitor/health"), "metadatabase")


def check_scheduler() -> str | None:
    """Ask the scheduler's own door: its status is the whole answer, 503 (an OSError) without a fresh heartbeat."""
    with urllib.request.urlopen(SCHEDULER, timeout=5):  # noqa: S310 - our own address # nosec B310
        return None


def check_dag_processor() -> str | None:
    """Ask the API server for the heartbeat."""
    return _unhealthy(_get(f"{API}/api/v2/monitor/health"), "dag_processor")


def check_triggerer() -> str | None:
    """Ask the API server for the heartbeat."""
    return _unhealthy(_get(f"{API}/api/v2/monitor/health"), "triggerer")


def check_watch() -> str | None:
    """Look when the last look at the lake was."""
    age = time.time() - WATCH_FILE.stat().st_mtime
    return f"the last look was {age:.0f} s ago" if age > WATCH_SECONDS else None


def check_worker() -> str | None:
    """Ask this container's worker over the broker, as Celery's own `inspect ping` does, without loading Airflow."""
    from celery import Celery  # noqa: PLC0415 - costs half a second; the other checks do without

    name = f"celery@{socket.gethostname()}"
    broker = BROKER_FILE.read_text().strip()
    return None if Celery(broker=broker).control.ping(destination=[name], timeout=5.0) else f"{name} does not answer"


def check_sandbox() -> str | None:
    """Knock at every door."""
    for port in SANDBOX_PORTS:
        socket.create_connection(("127.0.0.1", port), timeout=3).close()
    return None if _get("http://127.0.0.1:8090/state").get("simulated") else "this is no sandbox"


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own addresses # nosec B310
        facts: dict[str, Any] = json.load(answer)
        return facts


def _unhealthy(health: dict[str, Any], part: str) -> str | None:
    status = (health.get(part) or {}).get("status")
    return None if status == "healthy" else f"{part} is {status}"


CHECKS = {
    "api-server": check_api_server,
    "scheduler": check_scheduler,
    "dag-processor": check_dag_processor,
    "triggerer": check_triggerer,
    "watch": check_watch,
    "worker": check_worker,
    "sandbox": check_sandbox,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
