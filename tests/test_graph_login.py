"""Tokens: what the login service refuses is named with its number, and nothing of it is replayed or logged."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from entra_lake.access_token import claims_of, read_claims
from entra_lake.errors import (
    ConfigurationError,
    CredentialError,
    EntraLakeError,
    GraphUnavailableError,
    ThrottledError,
    UntrustedLinkError,
)
from entra_lake.slices import Slice
from entra_lake.streams import STREAMS
from sandbox.serve import Sandbox
from test_graph_support import NOW, VirtualClock, client_of, connection_to

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("tenant")
    with Sandbox(folder, seed=7, now=NOW, sign_ins_per_day=20, with_aws=False, throttled=False) as sandbox:
        sandbox.clock.freeze(frozen=True)
        yield sandbox


@pytest.fixture
def cloud(tenant: Sandbox) -> Sandbox:
    tenant.tenant.reset()
    return tenant


def fault(cloud: Sandbox, kind: str, **details: Any) -> None:
    cloud.tenant.faults.configure({"faults": [{"kind": kind, **details}]})


def list_one(cloud: Sandbox, clock: VirtualClock | None = None, **changes: Any) -> None:
    with client_of(connection_to(cloud, **changes), clock) as client:
        next(client.list_pages(STREAMS["sign_ins"], Slice.of_day(date(2026, 11, 21))))


UNKNOWN = "00000000-0000-0000-0000-00000000dead"


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_secret": "wrong~Secret"}, ("AADSTS7000215", "the secret's value")),
        ({"client_id": UNKNOWN}, ("AADSTS700016", "application id")),
    ],
)
def test_a_refused_application_is_told_what_to_do(
    cloud: Sandbox, changes: dict[str, str], said: tuple[str, str]
) -> None:
    """A wrong secret or application id is fatal at once; the message has the number and the remedy."""
    clock = VirtualClock()
    with pytest.raises(CredentialError) as caught:
        list_one(cloud, clock, **changes)
    assert all(text in caught.value.message for text in said)
    assert "graph_default" in caught.value.message
    assert changes.get("client_secret", "wrong~Secret") not in "".join(traceback.format_exception(caught.value))
    assert clock.sleeps == []


@pytest.mark.fault(61)
def test_an_expired_secret_is_named(cloud: Sandbox) -> None:
    """The commonest reason of all has a message of its own."""
    cloud.control.change_secret({"expired": True})
    try:
        with pytest.raises(CredentialError, match=r"AADSTS7000222.*has expired"):
            list_one(cloud)
    finally:
        cloud.control.change_secret({"expired": False})


@pytest.mark.fault(61)
def test_an_unknown_tenant_is_named(cloud: Sandbox) -> None:
    """MSAL hides the reason behind a ValueError; the number comes out all the same."""
    authority = f"{cloud.settings['graph_url']}/{UNKNOWN}"
    with pytest.raises(CredentialError, match=r"AADSTS90002.*no such tenant"):
        list_one(cloud, authority=authority, tenant_id=UNKNOWN)


def test_a_corrected_secret_works_at_once(cloud: Sandbox) -> None:
    """MSAL replays an HTTP 400 for a minute; here the next try asks again."""
    fault(cloud, "status", on="login", error=700016)
    with client_of(connection_to(cloud)) as client:
        with pytest.raises(CredentialError):
            client.check()
        client.check()


@pytest.mark.parametrize(
    "details",
    [
        {"kind": "status", "on": "login", "error": 90033, "times": 3},
        {"kind": "status", "on": "login", "status": 500, "times": 4},
        {"kind": "status", "on": "login", "status": 429, "retry_after": 7},
        {"kind": "html", "on": "login"},
        {"kind": "status", "on": "discovery", "status": 503, "times": 2},
        {"kind": "html", "on": "discovery"},
    ],
    ids=lambda details: "-".join(f"{value}" for value in details.values()),
)
def test_a_disturbed_login_service_is_tried_again(cloud: Sandbox, details: dict[str, Any]) -> None:
    """Trouble of the login service that passes costs some waits, and no error."""
    fault(cloud, **details)
    clock = VirtualClock()
    list_one(cloud, clock)
    assert len(clock.sleeps) == details.get("times", 1)
    assert clock.sleeps[0] == details.get("retry_after", 1.5)


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ({"kind": "status", "on": "login", "status": 503}, GraphUnavailableError),
        ({"kind": "html", "on": "login"}, GraphUnavailableError),
        ({"kind": "html", "on": "discovery"}, GraphUnavailableError),
        ({"kind": "status", "on": "login", "status": 429, "retry_after": 900}, ThrottledError),
        ({"kind": "redirect", "on": "login", "status": 307, "location": "https://127.0.0.1:1/"}, UntrustedLinkError),
        ({"kind": "redirect", "on": "discovery", "status": 302, "location": "/x"}, UntrustedLinkError),
    ],
    ids=lambda value: "-".join(f"{item}" for item in value.values()) if isinstance(value, dict) else "",
)
def test_a_lasting_disturbance_is_an_error(cloud: Sandbox, details: dict[str, Any], kind: type[EntraLakeError]) -> None:
    """The error says that it is the login service, and the secret follows no redirect."""
    fault(cloud, **{"times": "always", **details})
    with pytest.raises(kind, match="login service") as caught:
        list_one(cloud)
    assert type(caught.value) is kind


def test_an_authority_of_no_use_is_a_setting_to_correct(cloud: Sandbox) -> None:
    """An authority without a tenant is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="authority"):
        list_one(cloud, authority="https://127.0.0.1")


def test_a_token_is_used_until_it_ends(cloud: Sandbox) -> None:
    """Listings of one client share one token; a client that lists again does not log in again."""
    tokens: list[str] = []
    with client_of(connection_to(cloud), on_token=tokens.append) as client:
        client.check()
        client.check()
    assert len(tokens) == 1


def test_a_cut_off_token_answer_is_not_logged(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """MSAL would log an unreadable token answer word for word, and half a token is still secret."""
    answer = cloud.tenant.login.answer

    def cut(request: Any) -> Any:
        response = answer(request)
        if request.method == "POST":
            response.body = b'{"access_token":"eyJ0b3AtHALF'
        return response

    monkeypatch.setattr(cloud.tenant.login, "answer", cut)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(GraphUnavailableError, match="without a JSON object") as caught:
            list_one(cloud)
    finally:
        logging.getLogger().removeHandler(handler)
    assert "HALF" not in "".join(lines) + "".join(traceback.format_exception(caught.value))


def test_claims_of_a_challenge_are_decoded() -> None:
    """Base64 in both alphabets, with and without padding; anything else is no claim."""
    claims = {"access_token": {"nbf": {"essential": True, "value": "1604106651"}, "x": "ÿ>?"}}
    text = json.dumps(claims, ensure_ascii=False)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(text.encode()).decode()
        for variant in (encoded, encoded.rstrip("=")):
            header = f'Bearer realm="", error="insufficient_claims", claims="{variant}"'
            assert json.loads(claims_of(header) or "") == claims
    assert claims_of("") is None
    assert claims_of('Bearer claims="!!"') is None
    assert claims_of('Bearer claims="bm8gSlNPTg=="') is None


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.W10.c", "a.bm8.c"])
def test_an_opaque_token_says_nothing(token: str) -> None:
    """A token is read for display only, and need not be readable."""
    assert read_claims(token) == {}
