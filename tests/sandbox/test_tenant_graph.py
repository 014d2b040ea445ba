"""Listings over HTTP: complete, paged, bounded, throttled and refused as Graph does it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tenant_visitor import Visitor

from entra_lake.schema import Column, Stream, Type
from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
DAY = "2026-11-22"
SIGN_INS = STREAMS["sign_ins"]
TOO_OLD = (
    "Specified argument was out of the range of valid values. "
    "(Parameter 'Minimum allowed time for createdDateTime is 10/24/2026 12:00:00 AM')"
)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path, seed=1, now=NOW, frozen=True, with_aws=False, throttled=False) as cloud:
        yield cloud


@pytest.fixture
def visitor(cloud: Sandbox) -> Visitor:
    return Visitor(cloud)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("top", [7, 1000])
def test_a_listing_is_the_truth(visitor: Visitor, stream: Stream, top: int) -> None:
    """Paged to its end, a day's listing holds each visible id once, in its current content."""
    rows = visitor.rows(visitor.day_url(stream, DAY, top))
    assert len(rows) > 20
    assert {row["id"]: row for row in rows} == visitor.current(stream, DAY)
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_new_stream_is_served_from_its_columns(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream file that the sandbox has never heard of is listed, filtered and told by the truth."""
    columns = (
        Column("id", Type.STRING, "id", "Id."),
        Column("when", Type.STRING, "detectedDateTime", "When."),
        Column("risk_level", Type.STRING, "risk.level", "Level.", values=("low", "high", "unknownFutureValue")),
        Column("score", Type.INT, "risk.score", "Score."),
        Column("facts_json", Type.JSON, "facts", "Facts."),
    )
    stream = replace(
        SIGN_INS,
        name="risk_detections",
        path="identityProtection/riskDetections",
        time_field="detectedDateTime",
        columns=columns,
    )
    monkeypatch.setitem(STREAMS, stream.name, stream)
    window = f"detectedDateTime ge {DAY}T00:00:00Z and detectedDateTime lt 2026-11-23T00:00:00Z"
    url = f"{visitor.settings['graph_url']}/v1.0/{stream.path}?$filter={window}"
    rows = visitor.rows(url)
    assert len(rows) > 20
    assert {row["id"]: row for row in rows} == visitor.current(stream, DAY)
    assert {row["risk"]["level"] for row in visitor.rows(f"{url} and risk/level eq 'high'")} == {"high"}


def test_newest_first_unless_asked_otherwise(visitor: Visitor) -> None:
    """The default order is newest first; $orderby turns it."""
    url = visitor.day_url(SIGN_INS, DAY)
    times = [row["createdDateTime"] for row in visitor.rows(url)]
    assert times == sorted(times, reverse=True)
    assert [row["createdDateTime"] for row in visitor.rows(f"{url}&$orderby=createdDateTime asc")] == times[::-1]
    assert visitor.get(f"{url}&$orderby=userId").status_code == 400


def test_pages_are_never_larger_than_a_thousand(tmp_path: Path) -> None:
    """A $top above the maximum has no effect."""
    with Sandbox(tmp_path, now=NOW, sign_ins_per_day=3000, with_aws=False, throttled=False) as cloud:
        visitor = Visitor(cloud)
        page = visitor.pages(visitor.day_url(SIGN_INS, DAY, top=5000), limit=1)[0]
    assert len(page["value"]) == 1000


def test_next_links_are_spelled_by_graph(visitor: Visitor) -> None:
    """Blanks become +, hexadecimal is lower-case, the path changes its case, garbage is echoed."""
    link = visitor.pages(visitor.day_url(SIGN_INS, DAY, 50) + "&frob=a b,c", limit=1)[0]["@odata.nextLink"]
    assert link.startswith(
        f"{visitor.settings['graph_url']}/v1.0/auditLogs/signins?$filter=createdDateTime+ge+2026-11-22T00%3a00%3a00Z+and"
    )
    assert "&$top=50&frob=a+b%2cc&" in link
    assert re.search(r"&\$skiptoken=[0-9a-f]{32}_50$", link)


def test_the_same_link_gives_the_same_page(visitor: Visitor) -> None:
    """A page can be asked for again, as a client does after a reset."""
    link = visitor.pages(visitor.day_url(SIGN_INS, DAY, 50), limit=1)[0]["@odata.nextLink"]
    assert visitor.get(link).json()["value"] == visitor.get(link).json()["value"]


def test_a_listing_shows_what_was_visible_at_its_first_page(cloud: Sandbox, visitor: Visitor) -> None:
    """Records and versions that come to light while it is paged do not shift the rows."""
    url = visitor.day_url(SIGN_INS, DAY, 10)
    before = visitor.rows(url)
    first = visitor.pages(url, limit=1)[0]
    visitor.faults(skiptoken_seconds=1e9, token_seconds=10**9)
    visitor.log_in()
    cloud.clock.advance(3 * 86_400)
    later = first["value"] + visitor.rows(first["@odata.nextLink"])
    assert later == before
    assert visitor.rows(url) != before


def test_raw_blanks_in_the_target_are_accepted(visitor: Visitor) -> None:
    """Graph's front door reads a request line with unencoded blanks."""
    context = ssl.create_default_context(cafile=visitor.settings["ca_bundle"])
    port = int(visitor.settings["graph_url"].rsplit(":", 1)[1])
    head = (
        f"GET /v1.0/auditLogs/signIns?$top=1&$filter=createdDateTime ge {DAY}T00:00:00Z HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {visitor.session.headers['Authorization']}\r\nConnection: close\r\n\r\n"
    )
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(head.encode())
        assert tls.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            "$skip=5",
            "BadRequest",
            "Query option 'Skip' is not allowed. To allow it, set the 'AllowedQueryOptions' property",
        ),
        ("$skiptoken=", "UnknownError", "Invalid Skip Token, skip token is null"),
        ("$skiptoken=abc_5", "UnknownError", "Token not found: token is either invalid or expired"),
        ("$filter=nonsense eq 1", "BadRequest", "Invalid filter clause"),
        (
            "$filter=createdDateTime ge 2026-10-23T23:59:59Z",
            "UnknownError",
            TOO_OLD,
        ),
    ],
)
def test_refusals_have_graphs_words(visitor: Visitor, query: str, code: str, message: str) -> None:
    """What Graph refuses is a 400 with its code, its text and its envelope."""
    answer = visitor.get(f"/signIns?{query}", headers={"client-request-id": "abc"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["message"].startswith(message)
    assert error["innerError"]["date"] == "2026-11-23T05:00:00"
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"] == "abc"


def test_the_oldest_allowed_day_is_allowed(visitor: Visitor) -> None:
    """The bound of retention is midnight, and it can be seven days."""
    assert visitor.get("/signIns?$filter=createdDateTime ge 2026-10-24T00:00:00Z&$top=1").status_code == 200
    visitor.faults(retention_days=7)
    assert visitor.get("/signIns?$filter=createdDateTime ge 2026-11-16T00:00:00Z&$top=1").status_code == 200
    refused = visitor.get("/signIns?$filter=createdDateTime ge 2026-11-15T23:00:00Z&$top=1")
    assert "11/16/2026 12:00:00 AM" in refused.json()["error"]["message"]


def test_skiptokens_expire(cloud: Sandbox, visitor: Visitor) -> None:
    """A link that was handed out too long ago is refused as expired."""
    link = visitor.pages(visitor.day_url(SIGN_INS, DAY, 50), limit=1)[0]["@odata.nextLink"]
    cloud.clock.advance(1201)
    assert visitor.get(link).json()["error"]["message"].startswith("Token not found")


def test_answers_carry_the_sandboxes_date_and_are_compressed(visitor: Visitor) -> None:
    """The Date header is simulated time, so that clients can compare clocks; gzip is used when asked for."""
    answer = visitor.get("/signIns?$top=5")
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 05:00:00 GMT"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in visitor.get("/signIns?$top=5", headers={"Accept-Encoding": "identity"}).headers


def test_new_enum_members_are_hidden_unless_asked_for(visitor: Visitor) -> None:
    """Without `Prefer: include-unknown-enum-members` newer members read unknownFutureValue."""
    url = visitor.day_url(SIGN_INS, DAY)
    assert "reportOnlyNotApplied" in visitor.get(url).text
    hidden = visitor.get(url, headers={"Prefer": ""}).text
    assert "reportOnly" not in hidden
    assert '"unknownFutureValue"' in hidden


def test_one_connection_serves_many_requests(visitor: Visitor) -> None:
    """Keep-alive works, as the client's session expects."""
    context = ssl.create_default_context(cafile=visitor.settings["ca_bundle"])
    connection = http.client.HTTPSConnection(visitor.settings["graph_url"].partition("//")[2], context=context)
    connections = set()
    for _ in range(3):
        connection.request("GET", "/v1.0/auditLogs/signIns?$top=3", headers=dict(visitor.session.headers))
        assert connection.getresponse().read()
        connections.add(connection.sock)
    connection.close()
    assert len(connections) == 1
    assert None not in connections


def test_the_sixth_request_in_ten_seconds_is_throttled(cloud: Sandbox, visitor: Visitor) -> None:
    """5 in 10 s, refused ones count, and Retry-After says when it is worth trying."""
    visitor.faults(throttle={"limit": 5, "seconds": 10, "clock": "sandbox"})
    answers = [visitor.get("/signIns?$top=1") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].headers["Retry-After"] == "10"
    assert answers[5].json()["error"]["message"].startswith("This request is throttled. Please try again")
    cloud.clock.advance(5)
    assert [visitor.get("/signIns?$top=1").status_code for _ in range(5)] == [429] * 5
    cloud.clock.advance(6)
    assert visitor.get("/signIns?$top=1").status_code == 429
    cloud.clock.advance(10)
    assert visitor.get("/signIns?$top=1").status_code == 200


@pytest.mark.parametrize(
    ("kind", "header", "expected"),
    [("fixed", "int", r"\d+"), ("bucket", "fraction", r"\d+\.\d{3}"), ("sliding", "none", "")],
)
def test_other_limiters_throttle_too(visitor: Visitor, kind: str, header: str, expected: str) -> None:
    """The limiter's kind and the form of Retry-After can be chosen."""
    visitor.faults(throttle={"limit": 2, "seconds": 100, "kind": kind, "retry_after": header, "clock": "sandbox"})
    answers = [visitor.get("/signIns?$top=1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert re.fullmatch(expected, answers[2].headers.get("Retry-After", ""))


def test_requests_are_noted_without_their_token(cloud: Sandbox, visitor: Visitor) -> None:
    """Tests can count requests by stream, page and status; no token is among what is noted."""
    visitor.pages(visitor.day_url(SIGN_INS, DAY, 100), limit=2)
    noted = visitor.control("GET", "/requests")
    assert [(note["stream"], note["page"], note["status"]) for note in noted] == [
        ("sign_ins", 1, 200),
        ("sign_ins", 2, 200),
    ]
    assert visitor.session.headers["Authorization"].split(".")[1] not in str(noted)


def test_unknown_paths_are_refused(visitor: Visitor) -> None:
    """There is nothing but the streams."""
    assert visitor.get("/frobnications").json()["error"]["message"].startswith("Resource not found for the segment")
