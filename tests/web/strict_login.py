"""Airflow's simple login, with one more user who may read no DAG of Entra Lake."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

_configured = SimpleAuthManager.get_users


def _with_a_stranger() -> list[SimpleAuthManagerUser]:
    return [*_configured(), SimpleAuthManagerUser(username="stranger", role="viewer")]


# Airflow's login asks this class for its users, whichever class is configured.
SimpleAuthManager.get_users = staticmethod(_with_a_stranger)  # type: ignore[method-assign]


class StrictAuthManager(SimpleAuthManager):
    """`stranger` may log in and see Airflow, and is allowed nothing on DAGs."""

    def is_authorized_dag(self, *, user: SimpleAuthManagerUser, **request: Any) -> bool:
        return user.username != "stranger" and super().is_authorized_dag(user=user, **request)
