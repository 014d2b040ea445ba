"""The pages as their users see them: in Chromium, over a simulated lake, with Airflow's own login."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, sync_playwright
from running_ui import WebUi

#: Headless, and without the calls home that a test machine may not make.
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run")  # fmt: skip
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium once; Playwright's event loop must end with this module, for others run their own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        yield running
        running.close()


@pytest.fixture(scope="module")
def logged_in(browser: Any, web_ui: WebUi) -> Any:
    """Log in as an administrator by Airflow's own form; return the cookies and all else that the browser has kept."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{web_ui.url}/auth/login/")
    tab.fill("input[name=username]", "admin")
    tab.fill("input[name=password]", web_ui.passwords["admin"])
    tab.click("button[type=submit]")
    tab.wait_for_url(lambda url: "login" not in url, timeout=60_000)
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def tab(browser: Any, logged_in: Any) -> Iterator[Page]:
    """Open a tab in a browser that knows nothing but its log-in; an error of a script fails the test."""
    context = browser.new_context(viewport=WIDE, storage_state=logged_in)
    tab, errors = context.new_page(), list[str]()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert errors == []


def story_day(web_ui: WebUi) -> str:
    """Return a filled day."""
    return str((datetime.now(UTC) - timedelta(days=2)).date())


@pytest.mark.parametrize(
    "path", ["coverage", "overview", "findings", "queries", "day?day={day}", "query?name=dashboards/top_errors"]
)
def test_pages_fit_a_phone(web_ui: WebUi, tab: Page, path: str) -> None:
    """At 390 pixels nothing but tables in their own frames is wider than the page."""
    tab.set_viewport_size(NARROW)
    tab.goto(f"{web_ui.url}/entra-lake/{path.format(day=story_day(web_ui))}")
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert tab.locator("h1").count() == 1


def test_a_drill_down_leads_from_a_chart_to_a_person(web_ui: WebUi, tab: Page) -> None:
    """Overview, the user who fails most, the address: each step is a link, and each page shows a timeline."""
    tab.goto(f"{web_ui.url}/entra-lake/overview")
    tab.locator("#panel-users_by_failures ~ div a").first.click()
    assert tab.locator("h1").inner_text().startswith("User ")
    tab.locator("#panel-user_addresses ~ div a").first.click()
    assert tab.locator("h1").inner_text().startswith("Address ")
    assert tab.locator("#panel-address_history ~ div tbody tr").count() > 0


def test_pages_stand_inside_airflow(web_ui: WebUi, tab: Page) -> None:
    """Airflow's navigation has the coverage, and shows it in its frame."""
    tab.goto(f"{web_ui.url}/plugin/entra-lake-coverage")
    frame = tab.frame_locator("iframe")
    assert "days safe" in frame.locator("p.lead").inner_text(timeout=30_000)
    tab.goto(f"{web_ui.url}/dags/entra_logs")
    tab.get_by_role("link", name="Coverage").or_(tab.get_by_role("tab", name="Coverage")).last.click()
    assert "days safe" in frame.locator("p.lead").inner_text(timeout=30_000)


def test_a_backfill_turns_a_square(web_ui: WebUi, tab: Page) -> None:
    """Choose a missing day in the coverage, see what would run, start it: the square is no longer missing."""
    day = str((datetime.now(UTC) - timedelta(days=5)).date())
    tab.goto(f"{web_ui.url}/entra-lake/coverage?first={day}&last={day}")
    square = tab.locator(f'.squares a.square[href*="day={day}"]').first
    assert "missing" in (square.get_attribute("class") or "")
    tab.click("text=See what a backfill would do")
    assert tab.locator("main li").all_inner_texts() == [day]
    tab.click("text=Start the backfill")
    tab.wait_for_selector(f'.map:not(.year) a.square.open[href*="day={day}"]', timeout=240_000)
    _follow_the_run(web_ui, tab, day)


def _follow_the_run(web_ui: WebUi, tab: Page, day: str) -> None:
    """See the day as a tab of its run; from there a link leads to the run, in Airflow and not in the frame."""
    api, token = f"{web_ui.url}/api/v2/dags/entra_logs/dagRuns", web_ui.session("admin").cookies["_token"]
    runs = requests.get(api, headers={"Authorization": f"Bearer {token}"}, timeout=30).json()["dag_runs"]
    (run,) = [item["dag_run_id"] for item in runs if item["partition_key"] == day]
    tab.goto(f"{web_ui.url}/dags/entra_logs/runs/{quote(run, safe='')}/plugin/entra-lake-run")
    frame = tab.frame_locator("iframe")
    assert day in frame.locator("h1").inner_text(timeout=30_000)
    frame.get_by_role("link", name=run).first.click()
    tab.wait_for_url(lambda url: "/dag_runs?" in url, timeout=30_000)
    tab.wait_for_selector(f"text={run}", timeout=30_000)
    tab.wait_for_selector("iframe", state="detached", timeout=30_000)


def test_the_tab_of_a_run_copes_with_any_run(web_ui: WebUi, admin: requests.Session) -> None:
    """Airflow shows the tab on the runs of all DAGs: one that has read nothing, or is none of ours, is said so."""
    for dag_id, run_id in (("other", "manual__1"), ("entra_logs", "no such/run %2F<b>"), ("entra_reconcile", "")):
        answer = admin.get(f"{web_ui.url}/entra-lake/run", params={"dag_id": dag_id, "run_id": run_id}, timeout=30)
        assert answer.status_code == 200
        assert "Nothing that this run has read is acknowledged" in answer.text
    made = {"dag_id": "entra_logs", "run_id": "make-up"}
    page = admin.get(f"{web_ui.url}/entra-lake/run", params=made, timeout=30).text
    assert f"day={story_day(web_ui)}" in page


def test_hostile_filters_are_harmless(web_ui: WebUi, admin: requests.Session) -> None:
    """Markup, quotes with SQL, and a right-to-left override in an address: text in the page, a literal in the query."""
    for text in ("<img src=x onerror=alert(1)>", "' OR '1'='1", "Micro\u202etfos", 'a"b'):
        answer = admin.get(f"{web_ui.url}/entra-lake/overview", params={"application": text}, timeout=60)
        assert answer.status_code == 200
        assert "<img" not in answer.text
        assert "\u202e" not in answer.text
        assert "Nothing in this period." in answer.text


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("overview", {"first": "2016-01-01", "last": "2026-01-01"}, 400),
        ("overview", {"first": "2026-11-20", "last": "2026-11-01"}, 400),
        ("overview", {"first": "0001-01-01", "last": "0001-01-01"}, 400),
        ("overview", {"last": "9999-12-31"}, 400),
        ("overview", {"first": "yesterday"}, 400),
        ("day", {"day": "0001-01-01"}, 404),
        ("day", {"day": "9999-12-31"}, 404),
        ("day", {}, 422),
        ("coverage", {"started": "<b>many"}, 422),
        ("user", {"user": "nobody@example.com"}, 200),
        ("user", {"user": " "}, 400),
        ("user", {"user": "a/b%2F..%00\u202e\U0001f469\u200d\U0001f680"}, 200),
        ("user", {"user": "x" * 20_000}, 200),
        ("address", {"address": "::/0' OR ''='"}, 200),
        ("event", {"event_id": "../../lake.json"}, 200),
        ("search", {"q": "%_'\n--"}, 200),
        ("panel/user_history.csv", {}, 400),
        ("panel/user_history.csv", {"user": "a\nb"}, 400),
        ("panel/../static.csv", {}, 404),
        ("query", {"name": "dashboards/../../lakes"}, 404),
        ("query", {"name": "tables/drop_partition"}, 404),
        ("day/manifest", {"day": "2026-11-20", "stream": "../lake"}, 404),
        ("finding", {"day": "2026-11-20", "key": "../" * 50}, 404),
        ("policies", {"user": "' OR 1=1 --", "application": "\\"}, 200),
    ],
)
def test_strange_addresses_have_an_answer(
    web_ui: WebUi, admin: requests.Session, path: str, params: dict[str, str], expected: int
) -> None:
    """Years, nobody, slashes, code points and very long texts: a page that says so, never an error of the server."""
    answer = admin.get(f"{web_ui.url}/entra-lake/{path}", params=params, timeout=60)
    assert answer.status_code == expected
    if not path.endswith(".csv") or expected != 200:
        assert "<h1>" in answer.text
    assert "<b>many" not in answer.text
    assert "\u202e" not in answer.text


def test_a_table_is_a_file(web_ui: WebUi, admin: requests.Session) -> None:
    """Every panel's rows can be downloaded, and the page shows the statement that gave them."""
    page = admin.get(f"{web_ui.url}/entra-lake/overview", timeout=60).text
    assert "Show SQL" in page
    assert "FROM &#34;entra_lake&#34;.sign_in_outcomes" in page
    answer = admin.get(f"{web_ui.url}/entra-lake/panel/sign_ins_by_country.csv", timeout=60)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == "country,successes,failures,users,ip_addresses"
    assert len(answer.text.splitlines()) > 1


def test_a_viewer_starts_nothing(web_ui: WebUi) -> None:
    """Who may only look can neither plan nor start a backfill."""
    viewer = web_ui.session("viewer")
    own = {"Origin": web_ui.url, "Sec-Fetch-Site": "same-origin"}
    day = {"first": story_day(web_ui), "last": story_day(web_ui)}
    assert viewer.get(f"{web_ui.url}/entra-lake/coverage/plan", params=day, headers=own, timeout=30).status_code == 403
    assert viewer.post(f"{web_ui.url}/entra-lake/coverage/fill", params=day, headers=own, timeout=30).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_another_site_starts_nothing(web_ui: WebUi, admin: requests.Session, headers: dict[str, str]) -> None:
    """A post that another site's page has sent with an administrator's cookie is refused."""
    day = {"first": story_day(web_ui), "last": story_day(web_ui)}
    answer = admin.post(f"{web_ui.url}/entra-lake/coverage/fill", params=day, headers=headers, timeout=30)
    assert answer.status_code == 403


def test_days_that_cannot_be_had_are_refused(web_ui: WebUi, admin: requests.Session) -> None:
    """A backfill beyond retention, or of the future, is refused before anything starts."""
    own = {"Origin": web_ui.url, "Sec-Fetch-Site": "same-origin"}
    for age in (40, -1):
        day = str((datetime.now(UTC) - timedelta(days=age)).date())
        answer = admin.post(
            f"{web_ui.url}/entra-lake/coverage/fill", params={"first": day, "last": day}, headers=own, timeout=30
        )
        assert answer.status_code == 400


def test_a_manifest_can_be_downloaded(web_ui: WebUi, admin: requests.Session) -> None:
    """The day's page hands out the proof itself."""
    day = story_day(web_ui)
    answer = admin.get(f"{web_ui.url}/entra-lake/day/manifest", params={"day": day, "stream": "sign_ins"}, timeout=30)
    assert json.loads(answer.content)["day"] == day


def test_every_question_of_the_book_has_an_answer(web_ui: WebUi, admin: requests.Session) -> None:
    """Each question of the query book runs on the simulated lake."""
    book = admin.get(f"{web_ui.url}/entra-lake/queries", timeout=60).text
    names = {name.replace("%2F", "/") for name in re.findall(r"/query\?lake=default&amp;name=([a-z_%2F]+)", book)}
    assert len(names) >= 15
    for name in sorted(names):
        page = admin.get(f"{web_ui.url}/entra-lake/query", params={"name": name}, timeout=60).text
        assert "Result in the simulated lake" in page, name
