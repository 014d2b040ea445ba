"""Airflow's public interface, asked in this very process and in the name of the page's user.

So a page can do no more than its user: Airflow checks the permission, and its audit log names the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

import httpx
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from anyio import from_thread
from fastapi import HTTPException, Request, status

from entra_lake.settings import LakeSettings
from entra_lake.web.access import daily_dag_id

#: Runs of a backfill that go at one time: Graph's budget is shared, more would only wait.
RUNS_AT_ONCE = 2
#: What a backfill does with days that have a run already, in Airflow's words and ours.
BEHAVIOURS = {
    "failed": "days without a run, and days whose run failed",
    "completed": "all days, also those whose run succeeded",
}


@dataclass(frozen=True)
class AirflowApi:
    """Ask as the user of one request; call it from a thread of the server, not from its event loop."""

    request: Request
    lake: LakeSettings

    def is_paused(self) -> bool | None:
        """Tell whether the daily DAG is paused; None when Airflow does not know the DAG yet."""
        answer = self._ask("GET", f"/dags/{daily_dag_id(self.lake)}")
        return bool(answer.json()["is_paused"]) if answer.is_success else None

    def day_of_run(self, run_id: str) -> str:
        """Return the day that a run of the daily DAG was started for; an empty text when Airflow does not know."""
        answer = self._ask("GET", f"/dags/{daily_dag_id(self.lake)}/dagRuns/{quote(run_id, safe='')}")
        run = answer.json() if answer.is_success else {}
        return str(run.get("partition_key") or (run.get("conf") or {}).get("day") or "")

    def unpause(self) -> None:
        """Let the daily DAG run.

        :raises HTTPException: with Airflow's own reason.
        """
        self._demand("PATCH", f"/dags/{daily_dag_id(self.lake)}?update_mask=is_paused", {"is_paused": False})

    def plan_backfill(self, first: date, last: date, behaviour: str) -> list[str]:
        """Return the days for which a backfill would start runs.

        :raises HTTPException: with Airflow's own reason.
        """
        found = self._demand("POST", "/backfills/dry_run", self._backfill(first, last, behaviour))
        return [str(item["partition_key"]) for item in found["backfills"]]

    def start_backfill(self, first: date, last: date, behaviour: str) -> int:
        """Start a backfill; return its number.

        :raises HTTPException: with Airflow's own reason: another one is under way, or the user may not.
        """
        return int(self._demand("POST", "/backfills", self._backfill(first, last, behaviour))["id"])

    def has_active_backfill(self) -> bool:
        """Tell whether a backfill of the daily DAG is under way."""
        answer = self._ask("GET", f"/backfills?dag_id={daily_dag_id(self.lake)}&limit=100&order_by=-id")
        return answer.is_success and any(item["completed_at"] is None for item in answer.json()["backfills"])

    def _backfill(self, first: date, last: date, behaviour: str) -> dict[str, Any]:
        # Runs are due at 06:00 of their day: a bare date as the end would leave the last day out.
        return {
            "dag_id": daily_dag_id(self.lake),
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T23:59:00Z",
            "reprocess_behavior": behaviour,
            "max_active_runs": RUNS_AT_ONCE,
        }

    def _demand(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        if not answer.is_success:
            raise HTTPException(answer.status_code, f"Airflow refused: {_reason(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return from_thread.run(self._send, method, path, body)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        from airflow.api_fastapi.main import app  # noqa: PLC0415 - the application that has mounted this one

        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self._token()}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow", headers=headers) as client:
            return await client.request(method, f"/api/v2{path}", json=body)

    def _token(self) -> str:
        """Return the credential that the request itself has brought."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        found = token if scheme.lower() == "bearer" else self.request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
        if not found:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Log in to Airflow again.")
        return found


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except ValueError:
        detail = answer.text[:300]
    return detail if isinstance(detail, str) else str(detail)[:500]
