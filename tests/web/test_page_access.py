"""Who may see the pages: Airflow's login and DAG permissions decide, on every path."""

from __future__ import annotations

import pytest
import requests
from running_ui import WebUi

PAGES = ("coverage", "overview", "policies", "queries", "query?name=checks/count_day", "day?day=2026-11-20",
         "user?user=a@b.example", "address?address=::1", "event?event_id=1", "search?q=x",
         "run?dag_id=entra_logs&run_id=make-up", "findings", "findings.csv")  # fmt: skip
OTHERS = ("", "docs", "redoc", "openapi.json", "static/pages.css", "static/../app.py", "no/such/page", "panel/x.csv",
          "finding?day=2026-11-20&key=0", "finding/mute?day=2026-11-20&key=0", "finding/unmute")  # fmt: skip


@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_nobody_sees_anything_without_login(web_ui: WebUi, path: str, method: str) -> None:
    """Every path answers 401 to a visitor who is not logged in: pages, files, documents, paths that do not exist."""
    answer = web_ui.session().request(method, f"{web_ui.url}/entra-lake/{path}", timeout=30)
    assert answer.status_code == 401
    assert "sign_ins" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_reads_no_record(web_ui: WebUi, path: str) -> None:
    """Who may log in to Airflow and may not read the lake's DAG gets 403 from every page."""
    answer = web_ui.session("stranger").get(f"{web_ui.url}/entra-lake/{path}", timeout=30)
    assert answer.status_code == 403
    assert "sign_ins" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_pages(web_ui: WebUi, path: str) -> None:
    """Who may read the lake's DAG may read its pages."""
    assert web_ui.session("viewer").get(f"{web_ui.url}/entra-lake/{path}", timeout=60).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_show_in_no_frame_of_another_site(web_ui: WebUi, admin: requests.Session, path: str) -> None:
    """Each page forbids inline scripts, scripts from elsewhere, and frames of other sites."""
    policy = admin.get(f"{web_ui.url}/entra-lake/{path}", timeout=60).headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'self';" in policy


def test_documents_about_the_application_do_not_exist(web_ui: WebUi, admin: requests.Session) -> None:
    """Not even an administrator finds an interface description."""
    for path in ("docs", "redoc", "openapi.json"):
        assert admin.get(f"{web_ui.url}/entra-lake/{path}", timeout=30).status_code == 404


def test_another_lake_is_not_found(web_ui: WebUi, admin: requests.Session) -> None:
    """An address cannot name a lake that there is not."""
    assert admin.get(f"{web_ui.url}/entra-lake/overview?lake=other", timeout=30).status_code == 404
