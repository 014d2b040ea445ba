"""The Graph client against the simulated tenant: every record of a slice, or an error that says what to do."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from entra_lake import transport
from entra_lake.clock import Clock
from entra_lake.errors import (
    ConfigurationError,
    ConsentMissingError,
    CredentialError,
    EntraLakeError,
    GraphUnavailableError,
    LicenceMissingError,
    ListingBrokenError,
    RetentionError,
    ThrottledError,
    UntrustedLinkError,
    WrongClockError,
)
from entra_lake.gate import Gate, LocalBudget
from entra_lake.pages import InvalidPage
from entra_lake.slices import Slice
from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox
from test_graph_support import NOW, VirtualClock, client_of, connection_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from entra_lake.graph import GraphClient

DAY = date(2026, 11, 21)
SIGN_INS = STREAMS["sign_ins"]
AUDITS = STREAMS["directory_audits"]
#: A day of 300 sign-ins is one page at 1,000; smaller pages make a listing of it.
IN_30_SECONDS = format_datetime(NOW + timedelta(seconds=30), usegmt=True)
SMALL = {"kind": "page_size", "rows": 60, "times": "always"}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("tenant")
    with Sandbox(folder, seed=7, now=NOW, sign_ins_per_day=300, with_aws=False, throttled=False) as sandbox:
        sandbox.clock.freeze(frozen=True)
        yield sandbox


@pytest.fixture
def cloud(tenant: Sandbox) -> Sandbox:
    tenant.tenant.reset()
    return tenant


def fault(cloud: Sandbox, kind: str, **details: Any) -> None:
    cloud.tenant.faults.configure({"faults": [{"kind": kind, **details}]})


def expected_ids(cloud: Sandbox, stream: str = "sign_ins") -> set[str]:
    return {line["id"] for line in map(json.loads, cloud.control.truth({"stream": stream, "day": str(DAY)}))}


def ids_of(client: GraphClient, stream: Any = SIGN_INS, window: Slice | None = None) -> list[str]:
    pages = client.list_pages(stream, window or Slice.of_day(DAY))
    return [json.loads(record, strict=False)["id"] for page in pages for record in page.records]


def requests_of(cloud: Sandbox) -> list[dict[str, Any]]:
    return list(cloud.tenant.graph.requests)


def messages_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


# --- the listing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [SIGN_INS, AUDITS], ids=lambda stream: stream.name)
def test_a_day_is_listed_completely(cloud: Sandbox, stream: Any) -> None:
    """All records that the tenant shows are listed, over several pages."""
    fault(cloud, "page_size", rows=5, times="always")
    with client_of(connection_to(cloud)) as client:
        listed = ids_of(client, stream)
    assert set(listed) == expected_ids(cloud, stream.name)
    assert len(requests_of(cloud)) > 1


def test_a_page_tells_where_it_came_from(cloud: Sandbox) -> None:
    """A page has Graph's id and ours, Graph's clock, and its size."""
    with client_of(connection_to(cloud)) as client:
        page = next(client.list_pages(SIGN_INS, Slice.of_day(DAY)))
    assert page.request_id
    assert page.client_request_id != page.request_id
    assert page.served_at == NOW
    assert page.size > sum(len(record) for record in page.records)


@pytest.mark.fault(2, 3, 6, 7, 8, 10, 11, 16, 17, 20, 21)
@pytest.mark.defect("D4", "D13", "D14")
@pytest.mark.parametrize(
    "details",
    [
        {"kind": "empty_page", "page": 1},
        {"kind": "short_page", "rows": 7, "page": 2},
        {"kind": "shuffled", "times": "always"},
        {"kind": "duplicates", "where": "between", "times": 2},
        {"kind": "unknown_fields", "times": "always"},
        {"kind": "surrogates", "times": "always"},
        {"kind": "control_characters", "times": "always"},
        {"kind": "status", "status": 429, "code": "TooManyRequests", "retry_after": 5, "page": 2},
        {"kind": "status", "status": 429, "retry_after": 2.128, "times": 2},
        {"kind": "status", "status": 429, "retry_after": IN_30_SECONDS},
        {"kind": "status", "status": 429, "retry_after": -1},
        {"kind": "status", "status": 429, "retry_after": "soon"},
        {"kind": "status", "status": 429, "times": 4},
        {"kind": "status", "status": 500, "times": 4},
        {"kind": "status", "status": 502, "page": 2, "times": 2},
        {"kind": "status", "status": 503, "retry_after": 20},
        {"kind": "status", "status": 504},
        {"kind": "status", "status": 408},
        {"kind": "token_expired", "page": 2},
        {"kind": "token_revoked", "page": 3},
        {"kind": "not_premium", "times": 3},
        {"kind": "page_size_refused", "largest": 999},
        {"kind": "html"},
        {"kind": "error_in_200", "page": 2},
        {"kind": "empty_body", "times": 2},
        {"kind": "reset", "after_bytes": 0},
        {"kind": "reset", "after_bytes": 5000, "page": 2},
        {"kind": "truncate", "after_bytes": 5000, "honest": True},
        {"kind": "truncate", "after_bytes": 5000, "honest": False, "times": 2},
        {"kind": "corrupt_gzip", "page": 2},
        {"kind": "broken_json", "times": 2},
        {"kind": "value_missing"},
        {"kind": "value_null", "page": 2},
    ],
    ids=lambda details: "-".join(f"{value}" for value in details.values()),
)
def test_passing_trouble_loses_nothing(cloud: Sandbox, details: dict[str, Any]) -> None:
    """Whatever goes wrong for a while, the listing comes out complete, and no time is really slept."""
    fault(cloud, **SMALL)
    fault(cloud, **details)
    with client_of(connection_to(cloud)) as client:
        assert set(ids_of(client)) == expected_ids(cloud)


def test_each_request_says_who_asks_and_what_it_understands(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page's request has the token, the Prefer header, gzip and an id of its own; never the same id twice."""
    seen: list[Any] = []
    answer = cloud.tenant.graph.answer
    monkeypatch.setattr(
        cloud.tenant.graph, "answer", lambda request: (seen.append(request.headers), answer(request))[1]
    )
    fault(cloud, **SMALL)
    with client_of(connection_to(cloud)) as client:
        ids_of(client)
    assert {headers["Prefer"] for headers in seen} == {"include-unknown-enum-members"}
    assert {headers["Accept-Encoding"] for headers in seen} == {"gzip"}
    assert all(headers["User-Agent"].startswith("EntraLake/") for headers in seen)
    assert all(headers["Authorization"].startswith("Bearer ") for headers in seen)
    assert len({headers["client-request-id"] for headers in seen}) == len(seen) > 1


@pytest.mark.defect("D3")
def test_pages_do_not_pile_up(cloud: Sandbox) -> None:
    """A page is asked for when its reader wants it, not before."""
    fault(cloud, **SMALL)
    with client_of(connection_to(cloud)) as client:
        pages = client.list_pages(SIGN_INS, Slice.of_day(DAY))
        next(pages)
        assert len(requests_of(cloud)) == 1


# --- throttling ----------------------------------------------------------------------------------


@pytest.mark.fault(8)
@pytest.mark.defect("D16")
@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(5, 5), (2.128, 2.128), (IN_30_SECONDS, 30), (None, 10), (-1, 10), ("soon", 10)]
)
def test_retry_after_is_kept_by_everybody(cloud: Sandbox, retry_after: Any, seconds: float) -> None:
    """A 429 stops all that share the budget for as long as Graph says, or ten seconds where it does not."""
    details = {} if retry_after is None else {"retry_after": retry_after}
    fault(cloud, "status", status=429, **details)
    clock, budget, waits = VirtualClock(), LocalBudget(), []
    gate = Gate(budget, clock, requests_per_10_seconds=1000)
    with client_of(connection_to(cloud), clock, gate=gate, on_wait=lambda *wait: waits.append(wait)) as client:
        ids_of(client)
        assert client.waited_seconds == pytest.approx(seconds, abs=0.01)
    assert budget.read()[0].not_before == pytest.approx(NOW.timestamp() + seconds, abs=0.01)
    assert waits == [(pytest.approx(seconds, abs=0.01), "throttled by Graph")]


@pytest.mark.fault(8)
@pytest.mark.defect("D11")
def test_an_absurd_retry_after_is_not_slept(cloud: Sandbox) -> None:
    """A day's pause is handed to the scheduler at once, and everybody keeps it."""
    fault(cloud, "status", status=429, retry_after=86_400)
    clock, budget = VirtualClock(), LocalBudget()
    with (
        client_of(connection_to(cloud), clock, gate=Gate(budget, clock)) as client,
        pytest.raises(ThrottledError) as caught,
    ):
        ids_of(client)
    assert caught.value.retry_after == 86_400
    assert clock.sleeps == []
    assert budget.read()[0].not_before == pytest.approx(NOW.timestamp() + 86_400)


@pytest.mark.fault(9)
def test_throttling_without_end_stops_after_some_tries(cloud: Sandbox) -> None:
    """A 429 for ever becomes an error that names the pause, after five requests."""
    fault(cloud, "status", status=429, retry_after=3, times="always")
    with client_of(connection_to(cloud)) as client, pytest.raises(ThrottledError) as caught:
        ids_of(client)
    assert caught.value.retry_after == 3
    assert len(requests_of(cloud)) == 5


def test_a_service_that_wants_a_long_rest_is_given_one(cloud: Sandbox) -> None:
    """A 503 with a long Retry-After reschedules instead of sleeping."""
    fault(cloud, "status", status=503, retry_after=600)
    with client_of(connection_to(cloud)) as client, pytest.raises(ThrottledError) as caught:
        ids_of(client)
    assert caught.value.retry_after == 600


def test_graphs_own_limit_is_never_met(cloud: Sandbox) -> None:
    """Under the documented limit, a listing of many pages through the gate gets no 429."""
    cloud.tenant.faults.configure({"throttle": {"limit": 5, "seconds": 10, "clock": "sandbox"}})
    fault(cloud, "page_size", rows=10, times="always")
    clock = VirtualClock()
    original = clock.advance
    moved = lambda seconds: (original(seconds), cloud.clock.advance(seconds))  # noqa: E731
    object.__setattr__(clock, "advance", moved)
    try:
        with client_of(connection_to(cloud), clock, gate=Gate(LocalBudget(), clock)) as client:
            assert set(ids_of(client)) == expected_ids(cloud)
    finally:
        cloud.clock.set(NOW)
    assert {request["status"] for request in requests_of(cloud)} == {200}
    assert clock.elapsed > 20


# --- trouble that does not pass ------------------------------------------------------------------


@pytest.mark.fault(2, 3, 6, 7, 10, 11, 12, 13, 18, 19, 21, 24)
@pytest.mark.parametrize(
    ("details", "kind", "said"),
    [
        ({"kind": "status", "status": 503}, GraphUnavailableError, "HTTP 503"),
        ({"kind": "html"}, InvalidPage, "not valid JSON"),
        ({"kind": "error_in_200"}, InvalidPage, "in place of records"),
        ({"kind": "broken_json"}, InvalidPage, "not valid JSON"),
        ({"kind": "value_null"}, InvalidPage, "not a list"),
        ({"kind": "value_missing"}, InvalidPage, "no member"),
        ({"kind": "reset", "after_bytes": 3000}, GraphUnavailableError, "broke off"),
        ({"kind": "truncate", "after_bytes": 3000, "honest": False}, GraphUnavailableError, "broke off"),
        ({"kind": "truncate", "after_bytes": 3000, "honest": True}, GraphUnavailableError, "cut off"),
        ({"kind": "corrupt_gzip"}, GraphUnavailableError, ""),
        ({"kind": "token_expired"}, CredentialError, "new token did not help"),
        ({"kind": "not_premium"}, LicenceMissingError, "P1"),
        ({"kind": "missing_permission"}, ConsentMissingError, "Grant AuditLog.Read.All to application"),
        (
            {
                "kind": "status",
                "status": 403,
                "code": "Authorization_RequestDenied",
                "message": "Insufficient privileges",
            },
            ConsentMissingError,
            "Insufficient privileges",
        ),
        ({"kind": "skiptoken_invalid", "page": 2}, ListingBrokenError, "Token not found"),
        ({"kind": "skiptoken_null", "page": 2}, ListingBrokenError, "skip token is null"),
        ({"kind": "gone", "page": 2}, ListingBrokenError, "starts again"),
        ({"kind": "status", "status": 400, "code": "BadRequest", "message": "", "page": 2}, ListingBrokenError, ""),
        ({"kind": "loop", "length": 1, "page": 2}, ListingBrokenError, "repeats"),
        ({"kind": "loop", "length": 2, "page": 3}, ListingBrokenError, "repeats"),
        (
            {
                "kind": "status",
                "status": 400,
                "code": "BadRequest",
                "message": "Invalid filter clause: at position 20.",
            },
            ConfigurationError,
            "Invalid filter clause",
        ),
        (
            {"kind": "status", "status": 404, "code": "ResourceNotFound", "message": "No such"},
            ConfigurationError,
            "No such",
        ),
        ({"kind": "redirect", "status": 302, "location": "https://127.0.0.1:1/x"}, UntrustedLinkError, "redirects"),
        ({"kind": "redirect", "status": 307, "location": "/v1.0/x"}, UntrustedLinkError, "redirects"),
        ({"kind": "next_link", "host": "graph.microsoft.com.evil"}, UntrustedLinkError, "another server"),
        ({"kind": "next_link", "scheme": "http"}, UntrustedLinkError, "another server"),
        ({"kind": "next_link", "port": 1}, UntrustedLinkError, "another server"),
        ({"kind": "next_link", "userinfo": "graph.microsoft.com"}, UntrustedLinkError, "another server"),
    ],
    ids=lambda value: "-".join(f"{item}" for item in value.values()) if isinstance(value, dict) else "",
)
def test_lasting_trouble_is_named(
    cloud: Sandbox, details: dict[str, Any], kind: type[EntraLakeError], said: str
) -> None:
    """What does not pass ends in the error that says what to do, with the request's id and nothing secret."""
    fault(cloud, **SMALL)
    fault(cloud, **{"times": "always", **details})
    tokens: list[str] = []
    with client_of(connection_to(cloud), on_token=tokens.append) as client, pytest.raises(kind) as caught:
        ids_of(client)
    error = caught.value
    assert type(error) is kind
    assert said in error.message
    assert error.message.startswith("sign_ins 2026-11-21 000000-240000: ")
    assert error.request_id
    assert error.request_id in error.message
    assert pickle.loads(pickle.dumps(error)).message == error.message
    shown = messages_of(error)
    for secret in (*tokens, cloud.settings["client_secret"], "skiptoken="):
        assert secret not in shown.replace("$skiptoken=…", "")


@pytest.mark.fault(11)
def test_a_challenge_is_passed_on_to_the_login_service(cloud: Sandbox) -> None:
    """Continuous access evaluation: the new token proves what Graph wanted to be proved, and the listing goes on."""
    fault(cloud, **SMALL)
    fault(cloud, "claims_challenge", page=2, times="always")
    tokens: list[str] = []
    with client_of(connection_to(cloud), on_token=tokens.append) as client:
        assert set(ids_of(client)) == expected_ids(cloud)
    assert [request["status"] for request in requests_of(cloud)].count(401) == 1
    assert len(tokens) == 2


@pytest.mark.fault(11)
def test_a_second_401_is_the_end(cloud: Sandbox) -> None:
    """One new token is worth a try; when Graph refuses that too, no third one is fetched."""
    fault(cloud, "token_expired", times="always")
    tokens: list[str] = []
    with client_of(connection_to(cloud), on_token=tokens.append) as client, pytest.raises(CredentialError):
        ids_of(client)
    assert len(tokens) == len(requests_of(cloud)) == 2


@pytest.mark.fault(14)
def test_a_day_before_retention_names_the_oldest_moment(cloud: Sandbox) -> None:
    """The bound that Graph names comes along as a moment, so that the caller can clamp."""
    with client_of(connection_to(cloud)) as client, pytest.raises(RetentionError) as caught:
        ids_of(client, AUDITS, Slice.of_day(date(2026, 9, 1)))
    oldest: datetime = caught.value.oldest
    assert timedelta(days=29) <= NOW - oldest <= timedelta(days=32)
    assert oldest.tzinfo is UTC


@pytest.mark.fault(4)
def test_a_silent_server_is_given_up(cloud: Sandbox) -> None:
    """No answer within the read timeout is an error that says so."""
    fault(cloud, "hang", seconds=30, times="always")
    with (
        client_of(connection_to(cloud), read_timeout=0.2, max_tries=2) as client,
        pytest.raises(GraphUnavailableError) as caught,
    ):
        ids_of(client)
    assert caught.value.timed_out is True
    assert "no answer came in time" in caught.value.message


@pytest.mark.fault(4)
def test_a_slow_drip_is_given_up(cloud: Sandbox) -> None:
    """Bytes that come one by one keep a read timeout quiet; the whole page has a limit of its own."""
    fault(cloud, "drip", bytes_per_second=50, times="always")
    clock = Clock(sleep=lambda _: None)
    connection = connection_to(cloud)
    with (
        client_of(connection, clock, read_timeout=0.3, max_tries=1) as client,
        pytest.raises(GraphUnavailableError) as caught,
    ):
        ids_of(client)
    assert caught.value.timed_out is True
    assert "not complete after" in caught.value.message


@pytest.mark.defect("D13")
def test_an_endless_answer_is_given_up(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is not read beyond its limit, whatever it unpacks to."""
    monkeypatch.setattr(transport, "MAX_BODY", 10_000)
    with (
        client_of(connection_to(cloud), max_tries=1) as client,
        pytest.raises(GraphUnavailableError, match="larger than"),
    ):
        ids_of(client)


@pytest.mark.fault(1)
def test_no_server_at_all_is_said_plainly(cloud: Sandbox) -> None:
    """A closed connection is tried again with longer and longer waits, and named without an address."""
    clock = VirtualClock()
    with client_of(connection_to(cloud), clock) as client:
        client.check()
        cloud.tenant.faults.configure({"down": True})
        cloud.tenant.apply_faults()
        with pytest.raises(GraphUnavailableError) as caught:
            ids_of(client)
    assert "$filter" not in messages_of(caught.value)
    assert "request-id" in caught.value.message
    assert clock.sleeps == [1.5, 3.0, 6.0, 12.0]


# --- what is logged ------------------------------------------------------------------------------


def test_no_log_line_holds_a_token_or_a_link(cloud: Sandbox) -> None:
    """At DEBUG, of all libraries together: the path of each request, but no query, token or secret."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Collect()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    fault(cloud, **SMALL)
    fault(cloud, "token_expired", page=2)
    fault(cloud, "status", status=503, page=3)
    tokens: list[str] = []
    try:
        with client_of(connection_to(cloud), on_token=tokens.append) as client:
            ids_of(client)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = "\n".join(lines)
    assert "GET /v1.0/auditLogs/signIns: 200" in text
    assert len(tokens) == 2
    for secret in (*tokens, cloud.settings["client_secret"], "skiptoken", "$filter"):
        assert secret not in text


# --- the connection test -------------------------------------------------------------------------


@pytest.mark.fault(58)
def test_check_names_tenant_roles_and_clock(cloud: Sandbox) -> None:
    """The test of a connection tells the tenant, the token's permissions, and how far the clocks are apart."""
    clock = VirtualClock(NOW + timedelta(seconds=90))
    with client_of(connection_to(cloud), clock) as client:
        check = client.check()
    assert check.tenant_id == cloud.settings["tenant_id"]
    assert "AuditLog.Read.All" in check.roles
    assert check.clock_skew == pytest.approx(90, abs=2)


@pytest.mark.fault(58)
@pytest.mark.parametrize("seconds", [299, -299])
def test_a_clock_may_be_five_minutes_off(cloud: Sandbox, seconds: int) -> None:
    """Nothing is read otherwise."""
    with client_of(connection_to(cloud), VirtualClock(NOW + timedelta(seconds=seconds))) as client:
        assert set(ids_of(client)) == expected_ids(cloud)


@pytest.mark.fault(58)
@pytest.mark.parametrize("seconds", [302, -302])
def test_a_clock_that_is_further_off_reads_nothing(cloud: Sandbox, seconds: int) -> None:
    """Two answers in a row have to say so."""
    with (
        client_of(connection_to(cloud), VirtualClock(NOW + timedelta(seconds=seconds))) as client,
        pytest.raises(WrongClockError, match="Set it, by NTP") as caught,
    ):
        ids_of(client)
    assert caught.value.request_id == requests_of(cloud)[-1]["request_id"]
    assert len(requests_of(cloud)) == 2


@pytest.mark.fault(58)
def test_one_answer_of_another_time_is_asked_for_again(cloud: Sandbox) -> None:
    """An answer that lay in a cache on its way, or a clock that is set right meanwhile, stops no listing."""

    class LateClock(VirtualClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=1 if len(requests_of(cloud)) == 1 else 0)

    with client_of(connection_to(cloud), LateClock(NOW)) as client:
        assert set(ids_of(client)) == expected_ids(cloud)


def test_check_says_that_consent_is_missing(cloud: Sandbox) -> None:
    """A connection that may not read the logs fails its test with the permission's name."""
    fault(cloud, "missing_permission", permission="AuditLog.Read.All", times="always")
    with (
        client_of(connection_to(cloud)) as client,
        pytest.raises(ConsentMissingError, match=r"Grant AuditLog\.Read\.All"),
    ):
        client.check()
