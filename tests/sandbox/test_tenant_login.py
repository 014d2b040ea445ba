"""The login service behaves like Microsoft's towards MSAL and towards mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msal
import pytest
from tenant_visitor import Visitor

from sandbox.serve import Sandbox

SCOPES = ["https://graph.microsoft.com/.default"]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    now = datetime(2026, 11, 23, 5, tzinfo=UTC)
    with Sandbox(tmp_path, seed=1, now=now, with_aws=False, throttled=False) as cloud:
        yield cloud


def application(cloud: Sandbox, **changes: Any) -> msal.ConfidentialClientApplication:
    settings = cloud.settings | changes
    return msal.ConfidentialClientApplication(
        settings["client_id"],
        client_credential=settings["client_secret"],
        authority=settings["authority"],
        instance_discovery=False,
        verify=settings["ca_bundle"],
        client_capabilities=["CP1"],
    )


def test_msal_gets_a_token_that_graph_accepts(cloud: Sandbox) -> None:
    """The real MSAL talks to the simulated login, and Graph takes its token."""
    result = application(cloud).acquire_token_for_client(SCOPES)
    visitor = Visitor(cloud)
    visitor.session.headers["Authorization"] = f"Bearer {result['access_token']}"
    assert result["expires_in"] == 3599
    discovery = visitor.session.get(cloud.settings["authority"] + "/v2.0/.well-known/openid-configuration").json()
    assert discovery["issuer"] == cloud.settings["authority"] + "/v2.0"
    assert visitor.get("/signIns?$top=1").status_code == 200


def test_msal_meets_an_unknown_tenant_at_discovery(cloud: Sandbox) -> None:
    """A wrong tenant id fails when the application is made, as with Microsoft."""
    with pytest.raises(ValueError, match=r"AADSTS90002|tenant"):
        application(cloud, authority=cloud.tenant.origin + "/00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    ("fields", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "4f3b6c6e-0000-0000-0000-000000000000"}, 400, "unauthorized_client", 700016),
        ({"scope": "https://manage.office.com/.default"}, 400, "invalid_scope", 70011),
    ],
)
def test_mistakes_get_the_seven_key_answer(
    cloud: Sandbox, fields: dict[str, str], status: int, error: str, number: int
) -> None:
    """Each mistake is answered with Microsoft's number, in Microsoft's shape."""
    answer = Visitor(cloud).ask_token(**fields)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }


def test_an_expired_secret_is_refused_until_it_is_rotated(cloud: Sandbox) -> None:
    """`POST /secret` lets the secret expire; the rotated one works, the old one does not."""
    visitor = Visitor(cloud)
    visitor.control("POST", "/secret", {"expired": True})
    assert visitor.ask_token().json()["error_codes"] == [7000222]
    old = cloud.settings["client_secret"]
    fresh = visitor.control("POST", "/secret", {"rotate": True})["client_secret"]
    assert visitor.ask_token(client_secret=old).json()["error_codes"] == [7000215]
    assert visitor.ask_token(client_secret=fresh).status_code == 200
    assert cloud.settings["client_secret"] == fresh


def test_a_transient_error_passes(cloud: Sandbox) -> None:
    """A fault on the login strikes as often as asked, and then the login works."""
    visitor = Visitor(cloud)
    visitor.faults({"kind": "status", "on": "login", "error": 90033, "times": 2})
    statuses = [visitor.ask_token().status_code for _ in range(3)]
    assert statuses == [503, 503, 200]


def test_tokens_expire_by_the_sandbox_clock(cloud: Sandbox) -> None:
    """A token lasts `token_seconds` of simulated time."""
    visitor = Visitor(cloud)
    visitor.faults(token_seconds=300)
    visitor.log_in()
    cloud.clock.advance(290)
    assert visitor.get("/signIns?$top=1").status_code == 200
    cloud.clock.advance(20)
    answer = visitor.get("/signIns?$top=1")
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Lifetime validation failed, the token is expired."


def test_tokens_can_be_revoked(cloud: Sandbox) -> None:
    """After a revocation only a new token is good."""
    visitor = Visitor(cloud)
    visitor.control("POST", "/tokens/revoke")
    assert visitor.get("/signIns?$top=1").status_code == 401
    visitor.log_in()
    assert visitor.get("/signIns?$top=1").status_code == 200


@pytest.mark.parametrize("bearer", ["", "Bearer ", "Bearer nonsense", "Bearer a.b.c"])
def test_no_forged_token_gets_in(cloud: Sandbox, bearer: str) -> None:
    """Missing, empty and forged tokens are 401 with Graph's code."""
    visitor = Visitor(cloud)
    visitor.session.headers["Authorization"] = bearer
    answer = visitor.get("/signIns")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"


def test_a_claims_challenge_ends_when_the_claims_are_passed_on(cloud: Sandbox) -> None:
    """Continuous access evaluation: 401 with claims, until a token was asked for with them."""
    visitor = Visitor(cloud)
    visitor.faults({"kind": "claims_challenge", "times": "always"})
    answer = visitor.get("/signIns?$top=1")
    assert answer.status_code == 401
    assert 'error="insufficient_claims", claims="' in answer.headers["WWW-Authenticate"]
    visitor.log_in(claims='{"access_token":{"nbf":{"essential":true,"value":"1"}}}')
    assert visitor.get("/signIns?$top=1").status_code == 200
