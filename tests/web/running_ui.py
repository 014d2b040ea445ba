"""A running web UI, and how to visit it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests


@dataclass(frozen=True)
class WebUi:
    """A running web UI.

    :param cloud: addresses of the simulated cloud, such as `control_url`.
    :param passwords: user to password.
    :param cloud_folder: what `environment` reads connections from.
    """

    url: str
    cloud: dict[str, Any]
    passwords: dict[str, str]
    cloud_folder: Path

    def session(self, user: str | None = None) -> requests.Session:
        """Return a client that is logged in as the user, by the cookie that browsers have; as nobody without one."""
        session = requests.Session()
        if user:
            login = {"username": user, "password": self.passwords[user]}
            answer = session.post(f"{self.url}/auth/token", json=login, timeout=30)
            answer.raise_for_status()
            session.cookies.set("_token", answer.json()["access_token"])
        return session
