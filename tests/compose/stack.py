"""A running stack as its users reach it: docker compose, Airflow's API, the sandbox's control and mails."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

DAG = "entra_logs"
API = "http://127.0.0.1:8080"
MAILS = "http://127.0.0.1:8025"
CONTROL = "http://127.0.0.1:8090"
READ_LAKE = (Path(__file__).with_name("read_lake.py")).read_text()


class Failed(Exception):  # noqa: N818 - reads better where it is raised
    """Something that must hold does not."""


def hold(*, that: object, else_say: str) -> None:
    """Go on only if something holds.

    :raises Failed: when it does not.
    """
    if not that:
        raise Failed(else_say)


def until(what: str, look: Callable[[], Any], seconds: float, *, every: float = 3.0) -> Any:
    """Return what `look` finds as soon as it finds something.

    :raises Failed: when it has not after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            message = f"not after {seconds:.0f} s: {what}"
            raise Failed(message)
        time.sleep(every)


def days_ago(number: int) -> str:
    """Return a UTC day."""
    return str((datetime.now(UTC) - timedelta(days=number)).date())


class Stack:
    """The stack of the Compose file in this folder."""

    def compose(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """Run `docker compose` and return what it printed."""
        return self.docker("compose", *arguments, text=text, check=check)

    def docker(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """Run `docker` and return what it printed."""
        done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, check=False)
        if check and done.returncode:
            message = f"docker {' '.join(arguments)[:200]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            raise Failed(message)
        return done.stdout

    def services(self) -> dict[str, dict[str, Any]]:
        """Return the state of every container, ended ones too."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {facts["Service"]: facts for facts in map(json.loads, lines)}

    def all_healthy(self) -> bool:
        """Tell whether every service is healthy, or has ended well if it runs once."""
        return all(
            facts["Health"] == "healthy" if facts["State"] == "running" else facts["ExitCode"] == 0
            for facts in self.services().values()
        )

    def crash(self, service: str) -> None:
        """Kill a service's first process from outside, as the system does when memory is short: Docker notices."""
        container = self.compose("ps", "--quiet", service).strip()
        process = self.docker("inspect", "--format", "{{.State.Pid}}", container).strip()
        self.docker(
            "run", "--rm", "--pid", "host", "--privileged", "--user", "0", "--entrypoint", "kill",
            "entra-lake:0.1.0", "-9", process,
        )  # fmt: skip

    # Airflow

    @cached_property
    def password(self) -> str:
        """Return the administrator's password, read as the documentation says."""
        return self.compose("exec", "-T", "api-server", "cat", "/run/entra-lake/airflow/admin_password").strip()

    def log_in(self, password: str) -> str | None:
        """Return a token, None when the password is refused."""
        try:
            return str(self.call(f"{API}/auth/token", {"username": "admin", "password": password})["access_token"])
        except urllib.error.HTTPError:
            return None

    def api(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask Airflow's API; wait while it is away."""

        def ask() -> Any:
            try:
                return self.call(f"{API}/api/v2/{path}", body, self._token(), method) or {"done": True}
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 401:
                    message = f"{path}: {error.code} {error.read().decode()[:500]}"
                    raise Failed(message) from error
                self.__dict__.pop("_kept_token", None)
                return None
            except OSError:
                return None

        return until(f"an answer of the API to {path}", ask, 240)

    def _token(self) -> str:
        if "_kept_token" not in self.__dict__:
            self.__dict__["_kept_token"] = self.log_in(self.password) or ""
        return str(self.__dict__["_kept_token"])

    def call(self, url: str, body: Any = None, token: str | None = None, method: str | None = None) -> Any:
        """Return the JSON of an answer."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def backfill(self, first: str, last: str) -> None:
        """Begin a backfill of these days, as the web UI does; wait while another one is active."""
        body = {
            "dag_id": DAG,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T23:59:00Z",
            "max_active_runs": 3,
            "reprocess_behavior": "completed",
            "run_backwards": False,
            "dag_run_conf": {},
        }

        def begin() -> Any:
            try:
                return self.api("backfills", body)
            except Failed as error:
                if "409" in str(error):
                    return None
                raise

        until("no other backfill is active", begin, 300)

    def runs(self, day: str) -> list[dict[str, Any]]:
        """Return the runs of a day, the youngest first."""
        found = self.api(f"dags/{DAG}/dagRuns?limit=100&order_by=-run_after")["dag_runs"]
        return [run for run in found if run.get("partition_key") == day or (run.get("conf") or {}).get("day") == day]

    def trigger(self, day: str) -> str:
        """Start a run of a day by hand; return its id."""
        run = self.api(f"dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"day": day}})
        return str(run["dag_run_id"])

    def state_of(self, run_id: str) -> str:
        """Return a run's state."""
        return str(self.api(f"dags/{DAG}/dagRuns/{run_id}")["state"])

    def wait_for_end(self, run_id: str, seconds: float) -> str:
        """Return the state in which a run ended."""
        ended = until(
            f"the end of {run_id}",
            lambda: (state := self.state_of(run_id)) in {"success", "failed"} and state,
            seconds,
        )
        return str(ended)

    def wait_until_green(self, days: list[str], seconds: float) -> None:
        """Wait until every day has a green run and none has one that failed."""

        def look() -> bool:
            runs = {day: [run["state"] for run in self.runs(day)] for day in days}
            failed = [day for day, states in runs.items() if "failed" in states]
            hold(that=not failed, else_say=f"the runs of {failed} failed")
            return all(states and set(states) == {"success"} for states in runs.values())

        until(f"{days} are green", look, seconds, every=5)

    def wait_until_busy(self, day: str) -> None:
        """Wait until a task of this day's run works."""

        def look() -> bool:
            for run in self.runs(day):
                tasks = self.api(f"dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
                if any(task["state"] == "running" for task in tasks):
                    return True
            return False

        until(f"a task of {day} runs", look, 240, every=1)

    # The sandbox

    def control(self, path: str, body: Any = None) -> Any:
        """Ask the sandbox's control."""
        return self.call(f"{CONTROL}/{path}", body)

    def mails(self) -> list[dict[str, Any]]:
        """Return the mails that arrived."""
        mails: list[dict[str, Any]] = self.call(f"{MAILS}/mails")
        return mails

    def differences(self, days: list[str]) -> dict[str, Any]:
        """Compare lake and truth, record by record; return what differs, and how many records there are."""
        facts: dict[str, Any] = json.loads(self.compose("exec", "-T", "sandbox", "python", "-", *days, text=READ_LAKE))
        return facts
