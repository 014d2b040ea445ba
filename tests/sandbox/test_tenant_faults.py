"""Every fault of the vocabulary does what its line in sandbox/tenant/faults.py says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tenant_visitor import Visitor

from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox
from sandbox.tenant import faults

DAY = "2026-11-22"
SIGN_INS = STREAMS["sign_ins"]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Sandbox]:
    now = datetime(2026, 11, 23, 5, tzinfo=UTC)
    with Sandbox(tmp_path, seed=1, now=now, frozen=True, with_aws=False, throttled=False) as cloud:
        yield cloud


@pytest.fixture
def visitor(cloud: Sandbox) -> Visitor:
    return Visitor(cloud)


@pytest.fixture
def url(visitor: Visitor) -> str:
    return visitor.day_url(SIGN_INS, DAY, 50)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_every_kind_is_documented() -> None:
    """The module's docstring names each kind, and nothing else makes a fault."""
    assert all(f" {kind} " in faults.__doc__.replace("\n", " ") for kind in faults.KINDS)
    with pytest.raises(ValueError, match="There is no fault 'frobnicate'"):
        faults.Fault.read({"kind": "frobnicate"})


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "status", "status": 500}, 500, "generalException"),
        ({"kind": "status", "status": 418, "code": "Teapot"}, 418, "Teapot"),
        ({"kind": "token_expired"}, 401, "InvalidAuthenticationToken"),
        ({"kind": "not_premium"}, 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
        ({"kind": "missing_permission"}, 403, "Authentication_MSGraphPermissionMissing"),
        ({"kind": "skiptoken_invalid"}, 400, "UnknownError"),
        ({"kind": "skiptoken_null"}, 400, "UnknownError"),
        ({"kind": "gone"}, 410, "Gone"),
        ({"kind": "error_in_200"}, 200, "UnknownError"),
    ],
)
def test_refusals_strike_once_and_pass(
    visitor: Visitor, url: str, fault: dict[str, Any], status: int, code: str
) -> None:
    """A fault strikes one request unless told otherwise; the next one is served."""
    visitor.faults(fault)
    answer = visitor.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(visitor.get(url).json()["value"]) == 50


def test_a_revoked_token_stays_refused(visitor: Visitor, url: str) -> None:
    """token_revoked in the middle of a listing: only a new token goes on, from the same link."""
    visitor.faults({"kind": "token_revoked", "page": 2})
    link = visitor.get(url).json()["@odata.nextLink"]
    assert [visitor.get(link).status_code for _ in range(2)] == [401, 401]
    visitor.log_in()
    assert visitor.get(link).status_code == 200


@pytest.mark.parametrize("value", [5, 2.128, -1, 86400, "soon", {"date_in": 30}, None])
def test_retry_after_takes_every_form(visitor: Visitor, url: str, value: Any) -> None:
    """Numbers, nonsense, dates and nothing at all."""
    visitor.faults({"kind": "status", "status": 429, "retry_after": value})
    header = visitor.get(url).headers.get("Retry-After")
    if isinstance(value, dict):
        assert parsedate_to_datetime(header).tzinfo is not None
    else:
        assert header == (None if value is None else str(value))


def test_faults_are_aimed(visitor: Visitor, url: str) -> None:
    """Stream, page, filter, path, times and after choose the requests that are hit."""
    visitor.faults(
        {"kind": "status", "stream": "directory_audits", "times": "always"},
        {"kind": "status", "status": 502, "page": 3, "times": 2},
        {"kind": "status", "status": 504, "filter": "2026-11-19", "after": 1},
    )
    audits = visitor.day_url(STREAMS["directory_audits"], DAY)
    assert [visitor.get(audits).status_code for _ in range(3)] == [503] * 3
    pages = visitor.pages(url, limit=2)
    third = pages[1]["@odata.nextLink"]
    assert [visitor.get(third).status_code for _ in range(3)] == [502, 502, 200]
    other = visitor.day_url(SIGN_INS, "2026-11-19")
    assert [visitor.get(other).status_code for _ in range(3)] == [200, 504, 200]


def test_refusals_wait_for_each_other(visitor: Visitor, url: str) -> None:
    """Two faults on the same requests strike one after the other."""
    visitor.faults({"kind": "status", "status": 500, "times": 2}, {"kind": "status", "status": 503})
    assert [visitor.get(url).status_code for _ in range(4)] == [500, 500, 503, 200]


def test_chance_is_seeded(visitor: Visitor, url: str) -> None:
    """A flapping fault hits a share of the requests, the same ones every time."""
    outcomes = []
    for _ in range(2):
        visitor.faults({"kind": "not_premium", "chance": 0.5, "times": "always"})
        outcomes.append([visitor.get(url).status_code for _ in range(12)])
        visitor.control("DELETE", "/faults")
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {200, 403}


def test_a_top_of_a_thousand_can_be_refused(visitor: Visitor) -> None:
    """page_size_refused demands 1..999, and lets 999 pass."""
    visitor.faults({"kind": "page_size_refused", "times": "always"})
    refused = visitor.get(visitor.day_url(SIGN_INS, DAY, 1000))
    assert (
        refused.json()["error"]["message"]
        == "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."
    )
    assert visitor.get(visitor.day_url(SIGN_INS, DAY, 999)).status_code == 200


def test_redirects_and_pages_of_html(visitor: Visitor, url: str) -> None:
    """A proxy in between answers instead of Graph."""
    visitor.faults({"kind": "redirect", "status": 307, "location": "https://elsewhere.example/"}, {"kind": "html"})
    answer = visitor.get(url)
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example/")
    assert visitor.get(url).headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset", "after_bytes": 0},
        {"kind": "reset", "after_bytes": 300},
        {"kind": "truncate", "after_bytes": 300},
        {"kind": "corrupt_gzip"},
        {"kind": "truncate", "after_bytes": 300, "honest": True},
        {"kind": "broken_json"},
        {"kind": "control_characters"},
        {"kind": "empty_body"},
        {"kind": "html"},
    ],
)
def test_broken_answers_cannot_be_read(visitor: Visitor, url: str, fault: dict[str, Any]) -> None:
    """What is cut, reset, flipped or mixed up never parses, and the next request is served."""
    visitor.faults(fault)
    with pytest.raises((requests.RequestException, ValueError)):
        visitor.get(url).json()
    assert len(visitor.get(url).json()["value"]) == 50


@pytest.mark.parametrize("fault", [{"kind": "hang", "seconds": 600}, {"kind": "drip", "bytes_per_second": 2}])
def test_silence_outlasts_the_clients_patience(visitor: Visitor, url: str, fault: dict[str, Any]) -> None:
    """Hang says nothing, drip next to nothing; neither holds up the sandbox's end."""
    visitor.faults(fault)
    whole = visitor.settings["graph_url"] + "/v1.0/auditLogs" + url
    with pytest.raises(requests.RequestException, match=r"timed out"):
        visitor.session.get(whole, timeout=0.2)


def test_down_means_no_answer(visitor: Visitor, url: str) -> None:
    """Down resets connections, old and new, until it is taken back."""
    assert visitor.get(url).status_code == 200
    visitor.faults(down=True)
    with pytest.raises(requests.ConnectionError):
        visitor.get(url)
    visitor.control("DELETE", "/faults")
    assert visitor.get(url).status_code == 200


@pytest.mark.parametrize("where", ["suffix", "middle"])
def test_a_short_listing_is_silent(visitor: Visitor, url: str, where: str) -> None:
    """Rows are missing, every page is 200, and the next listing has them all."""
    whole = ids(visitor.rows(url))
    visitor.faults({"kind": "short_listing", "share": 0.3, "where": where})
    short = ids(visitor.rows(url))
    start = whole.index(next(row for row in whole if row not in short))
    assert short == whole[:start] + whole[start + len(whole) - len(short) :]
    assert len(short) == len(whole) - round(len(whole) * 0.3)
    assert (start + len(whole) - len(short) == len(whole)) is (where == "suffix")
    assert ids(visitor.rows(url)) == whole


def test_a_live_listing_shifts(cloud: Sandbox, visitor: Visitor) -> None:
    """With live_listing a record that appears while it is paged moves the rows behind it."""
    url = visitor.day_url(SIGN_INS, "2026-11-23", 10)
    visitor.faults({"kind": "live_listing"})
    first = visitor.get(url).json()
    record = first["value"][0] | {"id": "late", "createdDateTime": "2026-11-23T04:59:59Z"}
    visitor.control("POST", "/records", {"stream": "sign_ins", "record": record})
    second = visitor.get(first["@odata.nextLink"]).json()
    assert second["value"][0] == first["value"][-1]


def test_empty_short_and_oversized_pages(visitor: Visitor, url: str) -> None:
    """Pages may hold nothing, little or too much; followed to the end, nothing is missing."""
    whole = ids(visitor.rows(url))
    visitor.faults(
        {"kind": "empty_page", "page": 1, "times": 2},
        {"kind": "short_page", "page": 2, "rows": 3},
        {"kind": "page_size", "page": 3, "rows": 90},
        {"kind": "empty_page", "page": 4},
    )
    pages = visitor.pages(url)
    assert [len(page["value"]) for page in pages][:6] == [0, 0, 50, 3, 90, 0]
    assert ids([row for page in pages for row in page["value"]]) == whole


def test_rows_may_come_twice_or_in_any_order(visitor: Visitor, url: str) -> None:
    """Duplicates within a page and between pages, and shuffled pages, hold the same ids."""
    whole = ids(visitor.rows(url))
    visitor.faults(
        {"kind": "duplicates", "page": 1},
        {"kind": "duplicates", "where": "between", "page": 2},
        {"kind": "shuffled", "page": 3},
    )
    pages = [ids(page["value"]) for page in visitor.pages(url)]
    assert pages[0] == [row for row in whole[:50] for _ in range(2)]
    assert pages[1] == whole[50:101]
    assert pages[2] != whole[100:150]
    assert sorted(pages[2]) == sorted(whole[100:150])


@pytest.mark.parametrize("length", [1, 2])
def test_loops_lead_back(visitor: Visitor, url: str, length: int) -> None:
    """The next link of page 3 leads to page 3 itself, or to page 2."""
    visitor.faults({"kind": "loop", "page": 3, "length": length, "times": "always"})
    pages = visitor.pages(url, limit=6)
    assert pages[3]["value"] == pages[3 - length]["value"]
    assert pages[3]["value"] == pages[3]["value"]


def test_next_links_may_lead_elsewhere(visitor: Visitor, url: str) -> None:
    """Another host, scheme, port or user before the host."""
    visitor.faults(
        {"kind": "next_link", "scheme": "http", "host": "graph.evil.example", "port": 81, "userinfo": "graph"}
    )
    assert (
        visitor.get(url)
        .json()["@odata.nextLink"]
        .startswith("http://graph@graph.evil.example:81/v1.0/auditLogs/signins?")
    )


@pytest.mark.parametrize(("kind", "expected"), [("value_missing", "absent"), ("value_null", None)])
def test_the_value_may_be_no_list(visitor: Visitor, url: str, kind: str, expected: Any) -> None:
    """`value` may be missing or null under 200."""
    visitor.faults({"kind": kind})
    assert visitor.get(url).json().get("value", "absent") == expected


def test_rows_may_be_strange(visitor: Visitor, url: str) -> None:
    """Unknown fields and enum members, lone surrogates, and rows from outside the window."""
    kinds = ("unknown_fields", "unknown_enums", "surrogates", "outside_window")
    visitor.faults(*({"kind": kind, "page": number} for number, kind in enumerate(kinds, start=1)))
    pages = [page["value"] for page in visitor.pages(url)]
    assert all("brandNewField" in row for row in pages[0])
    assert {row.get("riskState", "brandNewMember") for row in pages[1]} == {"brandNewMember"}
    assert all(row["oddText"].startswith("\ud800") for row in pages[2])
    assert any(row["createdDateTime"] < DAY for row in pages[3])


def test_faults_of_other_parts_are_passed_on(cloud: Sandbox, visitor: Visitor) -> None:
    """One request can set faults of tenant and mail; nonsense is refused and changes nothing."""
    visitor.control("POST", "/faults", {"mail": {"reject": 550}, "latency_seconds": 0.01})
    assert cloud.mail_server.faults.reject == 550
    assert cloud.tenant.faults.latency_seconds == 0.01
    refused = visitor.session.post(visitor.settings["control_url"] + "/faults", json={"frob": 1, "down": True})
    assert refused.status_code == 400
    assert "There is no setting frob" in json.loads(refused.text)["error"]
    assert cloud.tenant.faults.down is False
    visitor.control("DELETE", "/faults")
    assert cloud.mail_server.faults.reject is None
