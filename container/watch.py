"""Look at every lake again and again from outside of Airflow: `watch.py [SECONDS]`.

`python -m entra_lake watch` needs no Airflow, only connections. Here Airflow holds them, in its database or a secrets
backend: they are asked for before each look, in a process that ends, and the last known ones serve while Airflow's
database is away. That is when the watch is needed most.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict

from healthy import WATCH_FILE

EVERY_SECONDS = 900.0
#: A look that takes longer is given up; the next one follows.
LONGEST_SECONDS = 600.0


def main(arguments: list[str]) -> int:
    """Look, and look again, until somebody ends it; `--connections` prints what Airflow holds, once."""
    if arguments == ["--connections"]:
        print(json.dumps(read_connections()))
        return 0
    every = float(arguments[0]) if arguments else EVERY_SECONDS
    known: dict[str, str] = {}
    while True:
        known |= ask_airflow()
        look(known)
        WATCH_FILE.touch()
        time.sleep(every)


def look(connections: Mapping[str, str]) -> None:
    """Look at each lake once; what is of concern, the command mails and prints."""
    for name in lake_names():
        done = run(["-m", "entra_lake", "watch", "--lake", name], {**os.environ, **connections})
        print(f"{name}: {done.strip()}", flush=True)


def ask_airflow() -> dict[str, str]:
    """Return Airflow's connections as the variables that the command reads; none while Airflow cannot be asked."""
    text = run([__file__, "--connections"], {**os.environ, "_AIRFLOW_PROCESS_CONTEXT": "server"})
    *_, last = ["", *text.splitlines()]
    try:
        found: dict[str, str] = json.loads(last)
        reason = "It knows none of them."
    except ValueError:
        found, reason = {}, last[:500]
    if not found:
        print(f"No connections can be had from Airflow; the last known ones serve. {reason}", flush=True)
    return found


def run(arguments: list[str], environ: Mapping[str, str]) -> str:
    """Run this Python and return what it printed."""
    try:
        done = subprocess.run(  # noqa: S603 - our own programs
            [sys.executable, *arguments], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"No end after {LONGEST_SECONDS:.0f} s."
    return done.stdout


def lake_names() -> list[str]:
    """Return the lakes of lakes.yaml; the default one while the file cannot be read, so that its watch says why."""
    from entra_lake.errors import ConfigurationError  # noqa: PLC0415 - what only this needs
    from entra_lake.settings import DEFAULT_LAKE, read_lakes  # noqa: PLC0415

    try:
        return list(read_lakes())
    except ConfigurationError:
        return [DEFAULT_LAKE]


def read_connections() -> dict[str, str]:
    """Return the connections of all lakes that Airflow knows."""
    from entra_lake.errors import ConfigurationError  # noqa: PLC0415 - Airflow is loaded in the process that ends
    from entra_lake.hooks.graph import read_airflow_connection  # noqa: PLC0415
    from entra_lake.settings import read_lakes  # noqa: PLC0415

    lakes = read_lakes().values()
    names = {name for lake in lakes for name in (lake.graph_conn_id, lake.aws_conn_id, lake.mail.smtp_conn_id)}
    found = {}
    for name in sorted(names):
        try:
            facts = asdict(read_airflow_connection(name))
        except ConfigurationError:  # not created yet: the command says so
            continue
        found[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(facts)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
