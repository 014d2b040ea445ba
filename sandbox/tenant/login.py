"""The login service: OpenID discovery, and tokens for client credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sandbox.clock import Clock
from sandbox.state import State
from sandbox.tenant.aadsts import REFUSALS, LoginError
from sandbox.web import Request, Response

_GRAPH_HOSTS = ("https://graph.microsoft.com", "https://graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn")


@dataclass(frozen=True)
class Token:
    """What a bearer token says, once it was found to be ours.

    :param claims: the claims that the client was asked for and passed on.
    """

    app_id: str
    claims: str | None
    generation: int


class Login:
    """Answer discovery and token requests of the tenant.

    :param origin: scheme, host and port as clients see them.
    """

    def __init__(self, state: State, clock: Clock, origin: str) -> None:
        self._state = state
        self._clock = clock
        self._origin = origin
        self.lifetime_seconds = 3599

    def answer(self, request: Request) -> Response:
        """Answer `/<tenant>/v2.0/.well-known/openid-configuration` and `/<tenant>/oauth2/v2.0/token`."""
        tenant, _, rest = request.path.strip("/").partition("/")
        try:
            self._check_tenant(tenant)
            if rest.lower() == "v2.0/.well-known/openid-configuration":
                return _json(200, self._discovery())
            if rest.lower() == "oauth2/v2.0/token" and request.method == "POST":
                return _json(200, self._token(parse_qs(request.body.decode(), keep_blank_values=True)))
        except LoginError as error:
            return self.refusal(error)
        return _json(404, {"error": "not_found"})

    def _check_tenant(self, tenant: str) -> None:
        if tenant.lower() != self._state.tenant_id:
            raise LoginError(90002, tenant=tenant)

    def _discovery(self) -> dict[str, Any]:
        base = f"{self._origin}/{self._state.tenant_id}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "simulated",
        }

    def _token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        fields = {name: values[0] for name, values in form.items()}
        self._check(fields)
        return {
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "ext_expires_in": self.lifetime_seconds,
            "access_token": self._issue(fields.get("claims")),
        }

    def _check(self, fields: dict[str, str]) -> None:
        app, state = fields.get("client_id", ""), self._state
        if fields.get("grant_type") != "client_credentials":
            raise LoginError(70003, grant=fields.get("grant_type", ""))
        if app != state.client_id:
            raise LoginError(700016, app=app, tenant=state.tenant_id)
        if not fields.get("client_secret"):
            raise LoginError(7000218)
        if not hmac.compare_digest(fields["client_secret"].encode(), state.client_secret.encode()):
            raise LoginError(7000215, app=app)
        if state.secret_expired:
            raise LoginError(7000222, app=app)
        if fields.get("scope", "").split(" ")[0] not in {f"{host}/.default" for host in (*_GRAPH_HOSTS, self._origin)}:
            raise LoginError(70011)

    def _issue(self, claims: str | None) -> str:
        now = int(self._clock.seconds())
        payload = {
            "aud": "https://graph.microsoft.com",
            "iss": f"{self._origin}/{self._state.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_seconds,
            "appid": self._state.client_id,
            "tid": self._state.tenant_id,
            "roles": ["AuditLog.Read.All", "Directory.Read.All"],
            "jti": uuid.uuid4().hex,
            "simulated": True,
            "generation": self._state.token_generation,
            "claims": claims,
        }
        head = _encode(b'{"typ":"JWT","alg":"HS256"}') + "." + _encode(json.dumps(payload).encode())
        return f"{head}.{self._signature(head)}"

    def _signature(self, head: str) -> str:
        return _encode(hmac.new(bytes.fromhex(self._state.signing_key), head.encode(), hashlib.sha256).digest())

    def read(self, bearer: str) -> Token | None:
        """Return what the token says; None when it is not ours, expired or revoked."""
        head, _, signature = bearer.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return None
        payload = json.loads(base64.urlsafe_b64decode(head.partition(".")[2] + "=="))
        is_current = payload["generation"] == self._state.token_generation
        if not is_current or self._clock.seconds() >= payload["exp"]:
            return None
        return Token(payload["appid"], payload["claims"], payload["generation"])

    def revoke(self) -> None:
        """Refuse every token that was issued so far."""
        self._state.token_generation += 1
        self._state.save()

    def refusal(self, error: LoginError) -> Response:
        """Return the seven-key answer of a refusal."""
        status, name, text = REFUSALS[error.number]
        stamp = self._clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        facts = {"app": "", "tenant": "", "grant": "", **error.facts}
        description = (
            f"AADSTS{error.number}: {text.format(**facts)} "
            f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        )
        body = {
            "error": name,
            "error_description": description,
            "error_codes": [error.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={error.number}",
        }
        return _json(status, body)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _json(status: int, body: dict[str, Any]) -> Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache"}
    return Response(status, json.dumps(body).encode(), headers)
