"""AWS clients from a connection, and AWS's errors as ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ReadTimeoutError
from botocore.loaders import Loader, create_loader

from entra_lake.connections import Connection
from entra_lake.errors import (
    AccessDeniedError,
    ConfigurationError,
    ConflictError,
    EntraLakeError,
    StoreUnavailableError,
)

_DENIED = {"AccessDenied", "AccessDeniedException", "403", "Forbidden", "KMS.DisabledException", "KMSAccessDenied"}
_CREDENTIAL = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "UnrecognizedClientException",
    "RequestTimeTooSkewed",
}
_MISPLACED = {"NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
    user_agent_extra="EntraLake",
)


@cache
def _descriptions() -> Loader:
    """Return what reads AWS's descriptions of its services, each once: they are megabytes of JSON."""
    return create_loader(botocore.session.Session().get_config_variable("data_path"))


@dataclass(frozen=True)
class Aws:
    """A session of boto3 and where its services answer.

    :param endpoint_url: None for AWS itself; the sandbox's address otherwise.
    """

    session: boto3.Session
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Let all sessions of this process share AWS's descriptions of its services."""
        self.session._session.register_component("data_loader", _descriptions())  # noqa: SLF001 - hooks bring their own

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return a client that retries what is worth it and waits no longer than a minute for an answer."""
        return self.session.client(service, endpoint_url=self.endpoint_url, config=_CONFIG)  # type: ignore[call-overload]

    @classmethod
    def from_connection(cls, connection: Connection) -> Aws:
        """Make the session of an Airflow AWS connection; without keys in it, boto3 looks where it always does."""
        extra = connection.extra
        session = boto3.Session(
            aws_access_key_id=connection.login or None,
            aws_secret_access_key=connection.password or None,
            aws_session_token=extra.get("aws_session_token"),
            region_name=extra.get("region_name"),
            profile_name=extra.get("profile_name"),
        )
        return cls(session, extra.get("endpoint_url"))


def map_error(error: BotoCoreError | ClientError, what: str) -> EntraLakeError:
    """Return AWS's error as one that says what to do.

    :param what: what it was about: `s3://bucket/key`, or a statement.
    """
    if not isinstance(error, ClientError):
        return _from_botocore(error, what)
    facts = error.response.get("Error", {})
    code, text = str(facts.get("Code", "")), str(facts.get("Message", ""))[:300]
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
    said = f"{what}: AWS answered {code} to {error.operation_name} (request-id {request_id}): {text}"
    if code in _DENIED:
        return AccessDeniedError(f"{said} Give the role of the AWS connection this right.", request_id=request_id)
    if code in _CREDENTIAL:
        return ConfigurationError(f"{said} Check keys, region and clock of the AWS connection.", request_id=request_id)
    if code in _MISPLACED:
        return ConfigurationError(
            f"{said} Check bucket and region in include/lakes.yaml and the AWS connection.", request_id=request_id
        )
    if code in _LOST_RACE:
        return ConflictError(f"{what} was replaced while it was read. Reading it again.", request_id=request_id)
    return StoreUnavailableError(f"{said} Trying again later.", request_id=request_id)


def _from_botocore(error: BotoCoreError, what: str) -> EntraLakeError:
    if isinstance(error, NoCredentialsError):
        return ConfigurationError(f"{what}: the AWS connection holds no keys and the machine has no role. Fill it in.")
    kind = "did not answer in time" if isinstance(error, ReadTimeoutError) else f"failed ({type(error).__name__})"
    return StoreUnavailableError(f"{what}: AWS {kind}. Trying again later.")
