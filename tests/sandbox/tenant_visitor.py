"""A client of the simulated tenant that promises nothing: it shows tests the bare answers."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import requests

from entra_lake.schema import Stream
from sandbox.serve import Sandbox


class Visitor:
    """Ask a sandbox as an application would."""

    def __init__(self, cloud: Sandbox) -> None:
        self.settings = cloud.settings
        self.session = requests.Session()
        self.session.trust_env = False  # a CA bundle in the environment would win over `verify`
        self.session.verify = self.settings["ca_bundle"]
        self.log_in()

    def ask_token(self, **fields: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.settings["client_id"],
            "client_secret": self.settings["client_secret"],
            "scope": "https://graph.microsoft.com/.default",
        }
        form = {name: value for name, value in (form | fields).items() if value}
        return self.session.post(f"{self.settings['authority']}/oauth2/v2.0/token", data=form)

    def log_in(self, **fields: str) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.ask_token(**fields).json()['access_token']}"

    def get(self, url: str, **options: Any) -> requests.Response:
        if url.startswith("/"):
            url = f"{self.settings['graph_url']}/v1.0/auditLogs{url}"
        headers = {"Prefer": "include-unknown-enum-members"} | options.pop("headers", {})
        return self.session.get(url, headers=headers, allow_redirects=False, timeout=10, **options)

    def day_url(self, stream: Stream, day: str, top: int = 1000) -> str:
        field = stream.time_field
        window = f"{field} ge {day}T00:00:00Z and {field} lt {next_day(day)}T00:00:00Z"
        return f"/{stream.path.partition('/')[2]}?$filter={window}&$top={top}"

    def pages(self, url: str | None, limit: int = 1000) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = []
        while url is not None and len(pages) < limit:
            answer = self.get(url)
            assert answer.status_code == 200, answer.text
            pages.append(answer.json())
            url = pages[-1].get("@odata.nextLink")
        return pages

    def rows(self, url: str) -> list[dict[str, Any]]:
        return [row for page in self.pages(url) for row in page["value"]]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, self.settings["control_url"] + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, *faults: dict[str, Any], **settings: Any) -> None:
        self.control("POST", "/faults", {"faults": list(faults), **settings})

    def truth(self, stream: Stream, day: str, versions: str = "") -> list[dict[str, Any]]:
        url = f"{self.settings['control_url']}/truth?stream={stream.name}&day={day}&versions={versions}"
        return [json.loads(line) for line in self.session.get(url).iter_lines()]

    def current(self, stream: Stream, day: str) -> dict[str, dict[str, Any]]:
        """Return what the truth says is the current content of each id."""
        return {line["id"]: line["record"] for line in self.truth(stream, day)}


def next_day(day: str) -> str:
    """Return the day after."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
