"""Airflow's connections, told apart: there is none, or nobody could look.

Airflow's own search goes on to the next secrets backend when one fails, also when its own database is away, and says
in the end that the connection is not defined. A run that believes this fails for good in an outage of seconds.
"""

from __future__ import annotations

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, ErrorType
from airflow.sdk.execution_time.secrets import ExecutionAPISecretsBackend
from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

from entra_lake.errors import SecretsUnavailableError
from entra_lake.redaction import quote


def find_connection(conn_id: str) -> Connection | None:
    """Return an Airflow connection from whichever secrets backend holds it; None when surely none does.

    :raises SecretsUnavailableError: when it was not found and a backend could not be asked.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        trouble = _trouble(conn_id)
        if trouble is None:
            return None
        message = f"Airflow could not look for connection {conn_id!r}: {trouble}. Trying again."
        raise SecretsUnavailableError(message) from error


def _trouble(conn_id: str) -> str | None:
    """Ask each backend, and tell why one of them does not know; None when all say that there is no such connection."""
    for backend in ensure_secrets_backend_loaded():
        name = type(backend).__name__
        try:
            is_there = _ask_api(conn_id) if isinstance(backend, ExecutionAPISecretsBackend) else False
            if is_there or backend.get_connection(conn_id=conn_id):
                return f"{name} did not find it, and found it a moment later"
        except Exception as error:  # noqa: BLE001 - each backend has errors of its own
            return f"{name}: {type(error).__name__}: {quote(str(error))}"
    return None


def _ask_api(conn_id: str) -> bool:
    """Ask Airflow's API through the task's supervisor; the backend itself calls every failure "not found".

    :raises RuntimeError: when the API could not answer.
    """
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection  # noqa: PLC0415 - in a task only
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415 - in a task only

    answer = SUPERVISOR_COMMS.send(GetConnection(conn_id=conn_id))
    if not isinstance(answer, ErrorResponse):
        return True
    if answer.error is not ErrorType.CONNECTION_NOT_FOUND:
        message = f"{answer.error.value} {answer.detail or ''}"
        raise RuntimeError(message)
    return False
