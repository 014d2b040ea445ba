"""The way to Graph: which certificates count, which proxies, and where the token may go."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from entra_lake.answers import Answer
from entra_lake.errors import ConfigurationError, ListingBrokenError, UntrustedLinkError
from entra_lake.next_links import Trail, check_origin
from entra_lake.redaction import quote
from entra_lake.transport import Transport
from sandbox.serve import Sandbox
from test_graph_support import NOW, VirtualClock, client_of, connection_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAPH = "https://graph.microsoft.com"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("tenant")
    with Sandbox(folder, seed=7, now=NOW, sign_ins_per_day=20, with_aws=False, throttled=False) as sandbox:
        yield sandbox


# --- certificates, proxies, .netrc ---------------------------------------------------------------


def test_the_environment_does_not_replace_the_bundle(
    cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are not asked when the connection names a bundle."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    with client_of(connection_to(cloud)) as client:
        assert client.check().tenant_id


@pytest.mark.fault(5)
def test_the_environment_does_not_add_an_authority(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With verify on, a bundle from the environment cannot make somebody else's certificate good; it is not retried."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, cloud.settings["ca_bundle"])
    clock = VirtualClock()
    said = r"certificate of 127\.0\.0\.1:\d+ is not to be trusted"
    connection = connection_to(cloud, verify=True)
    with client_of(connection, clock) as client, pytest.raises(ConfigurationError, match=said):
        client.check()
    assert clock.sleeps == []


def test_a_netrc_file_does_not_replace_the_token(
    cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A .netrc entry for Graph's host would turn the bearer token into a password login."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with client_of(connection_to(cloud)) as client:
        assert client.check().tenant_id


def pump(source: socket.socket, sink: socket.socket) -> None:
    with source, sink:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass


def serve_one(near: socket.socket, targets: list[str], *, refuses: bool) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += near.recv(4096)
    targets.append(head.split()[1].decode())
    if refuses:
        near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        near.close()
        return
    host, _, port = targets[-1].rpartition(":")
    far = socket.create_connection((host, int(port)))
    near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()


@contextmanager
def tunnel(*, refuses: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that lets CONNECT through, and tell where to."""
    targets: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                serve_one(listener.accept()[0], targets, refuses=refuses)

    threading.Thread(target=serve, daemon=True).start()
    with closing(listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", targets


@pytest.fixture
def no_proxy_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxy_set")
def test_a_proxy_from_the_environment_is_used(cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY carries login and Graph, with TLS from end to end."""
    with tunnel() as (address, targets):
        monkeypatch.setenv("HTTPS_PROXY", address)
        with client_of(connection_to(cloud)) as client:
            assert client.check().tenant_id
            assert client.check().tenant_id
    # One connection for login and Graph, however many requests: the sandbox serves both on one port.
    assert targets == [cloud.settings["graph_url"].removeprefix("https://")]


@pytest.mark.usefixtures("no_proxy_set")
def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer's problem says that it is the proxy, without the address that was asked for."""
    with tunnel(refuses=True) as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", address)
        answer = plain_transport().send("GET", f"{GRAPH}/v1.0/x?secret=1", "our-id", {})
    assert answer.problem is not None
    assert answer.problem.startswith("the proxy did not let the request through")
    assert "secret" not in answer.problem


@pytest.mark.fault(1)
@pytest.mark.usefixtures("no_proxy_set")
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1:1/x?secret=1", "Connection refused"),
        ("https://nohost.invalid/x?secret=1", "the connection failed"),
    ],
)
def test_what_cannot_be_reached_is_a_problem_and_no_exception(url: str, said: str) -> None:
    """A closed port and an unknown name are told in few words, without the address."""
    answer = plain_transport().send("GET", url, "our-id", {})
    assert answer.status == 0
    assert said in (answer.problem or "")
    assert "secret" not in (answer.problem or "")
    assert answer.request_id == "our-id"


def plain_transport() -> Transport:
    return Transport(verify=True, clock=VirtualClock(), connect_timeout=2, read_timeout=2)


# --- where the token may go ----------------------------------------------------------------------


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil/v1.0/x",
        "https://evil.graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com@evil.example/v1.0/x",
        "https://user:word@graph.microsoft.com/v1.0/x",
        "https://@graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com:443@evil.example/",
        "https://evil.example\\@graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com\\.evil.example/v1.0/x",
        "https://graph.microsoft.com\\@evil.example/v1.0/x",
        "https:\\\\graph.microsoft.com/v1.0/x",
        "https:/graph.microsoft.com/v1.0/x",
        "https:graph.microsoft.com/v1.0/x",
        "//graph.microsoft.com/v1.0/x",
        "/v1.0/x",
        "http://graph.microsoft.com/v1.0/x",
        "http://graph.microsoft.com:443/v1.0/x",
        "ftp://graph.microsoft.com/v1.0/x",
        "file:///etc/passwd",
        "https://graph.microsoft.com:8443/v1.0/x",
        "https://graph.microsoft.com:0443x/v1.0/x",
        "https://graph.microsoft.com:/v1.0/x",
        "https://graph.microsoft.com./v1.0/x",
        "https://graph%2emicrosoft.com/v1.0/x",
        "https://graph.microsoft.com%00.evil.example/v1.0/x",
        "https://graph.microsoft.com%2f@evil.example/v1.0/x",
        "https://graph.mіcrosoft.com/v1.0/x",
        "https://graph。microsoft.com/v1.0/x",
        "https://ｇraph.microsoft.com/v1.0/x",
        "https://xn--graph-microsoft.com/v1.0/x",
        "https://graph.microsoft.com\t/v1.0/x",
        "https://graph.microsoft.com/v1.0/x\r\nHost: evil.example",
        "https://graph.microsoft.com/v1.0/x?a=\x00",
        " https://graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com/v1.0/x\n",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/",
        "https://graph.microsoft.com#@evil.example/",
        "https://evil.example/?https://graph.microsoft.com/",
        "",
    ],
)
def test_a_link_to_elsewhere_is_refused(link: str) -> None:
    """Scheme, host and port must be Graph's, in the plainest spelling; the link itself is not repeated."""
    with pytest.raises(UntrustedLinkError) as caught:
        check_origin(link, GRAPH)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/v1.0/auditLogs/signIns?$top=50&$filter=(createdDateTime+gt+2020-10-14T00%3a00%3a00Z)&$skiptoken=3ea_1",
        "https://graph.microsoft.com:443/v1.0/auditLogs/signins?$skiptoken=3ea_1",
        "HTTPS://Graph.Microsoft.COM/beta/x?$filter=a ge b and c eq 'd\\e'",
        "https://graph.microsoft.com?$skiptoken=x",
    ],
)
def test_graphs_own_links_are_followed(link: str) -> None:
    """Every spelling that Graph is known to use has Graph's origin."""
    check_origin(link, GRAPH)


@pytest.mark.fault(19)
@given(st.text(max_size=30), st.sampled_from(["", "/", "?", "#", "@", ":", "\\", "."]))
def test_nothing_between_scheme_and_host_gets_through(text: str, sign: str) -> None:
    """Whatever stands around Graph's name, the request goes to Graph or nowhere."""
    link = f"https://{text}{sign}graph.microsoft.com/x"
    try:
        check_origin(link, GRAPH)
    except UntrustedLinkError:
        return
    assert (parse_url(link).host, parse_url(link).port or 443) == ("graph.microsoft.com", 443)


def test_the_port_of_the_sandbox_counts() -> None:
    """An origin with a port of its own allows that port alone."""
    check_origin("https://127.0.0.1:8443/v1.0/x", "https://127.0.0.1:8443")
    with pytest.raises(UntrustedLinkError):
        check_origin("https://127.0.0.1/v1.0/x", "https://127.0.0.1:8443")


@pytest.mark.fault(18)
def test_a_listing_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that was seen, or too many of them, break the listing off instead of going on for ever."""
    monkeypatch.setattr("entra_lake.next_links.MAX_PAGES", 3)
    trail = Trail()
    trail.add("a")
    trail.add("b")
    with pytest.raises(ListingBrokenError, match="repeats"):
        trail.add("a")
    trail.add("c")
    with pytest.raises(ListingBrokenError, match="does not end"):
        trail.add("d")


# --- what may be repeated ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Invalid filter clause", "Invalid filter clause"),
        (
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        ),
        ("CorrelationId: 6f2f4b5e-0000-4000-8000-000000000000", "CorrelationId: 6f2f4b5e-0000-4000-8000-000000000000"),
        ("at https://graph.microsoft.com/v1.0/x?$skiptoken=5f3", "at https://graph.microsoft.com/v1.0/x?…"),
        ("bad $skiptoken=5f3e_100 there", "bad $skiptoken=… there"),
        ("bad $skiptoken%3D5f3e_100", "bad $skiptoken%3D…"),
        ("token eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln", "token …"),
        ("Bearer abcdefghijklmnopqrstuvwxyz", "Bearer …"),
        ("client_secret=abc~def&x=1", "client_secret=…&x=1"),
        ("0123456789abcdef0123456789abcdef_1450", "…"),
        ("line\r\nforged \x1b[31m \u202etext\u2028", "line forged  [31m  text"),
        ("x" * 400, "x" * 299 + "…"),
        ("y" * 1_000_000, "y" * 299 + "…"),
    ],
)
def test_foreign_texts_are_cleaned(text: str, quoted: str) -> None:
    """Messages quote what was said, on one line of 300 characters, without anything secret."""
    assert quote(text) == quoted


def test_known_secrets_are_cut_out() -> None:
    """A secret that a service repeats is removed wherever it stands."""
    assert quote("the key p~w was wrong: p~w", secrets=("p~w", "")) == "the key … was wrong: …"


@pytest.mark.parametrize("retry_after", ["", "soon", "-5", "1e9", "nan", "inf", "99999999999999", "٣"])
def test_nonsense_in_retry_after_counts_as_absent(retry_after: str) -> None:
    """Only digits, a fraction or a date ask for a wait."""
    assert Answer(client_request_id="x", headers={"Retry-After": retry_after}).retry_after() is None


def test_a_request_id_is_no_place_to_hide_text() -> None:
    """An id that could break a log line is replaced by our own."""
    assert Answer(client_request_id="ours", headers={"request-id": "a\nb"}).request_id == "ours"
