"""Every error that Entra Lake raises, named by what to do next.

EntraLakeError                     code  a person or a program can look it up
├─ RetryableError                        the step may run again, unchanged
│  ├─ ThrottledError            EL101    Graph asked for a pause: wait `retry_after` seconds
│  ├─ GraphUnavailableError     EL102    no usable answer: time-out, 5xx, reset, broken JSON
│  ├─ ListingBrokenError        EL103    the listing of a slice cannot go on: list the slice again
│  ├─ StoreUnavailableError     EL104    S3 did not answer or refused for the moment
│  ├─ AthenaUnavailableError    EL105    a query was throttled, cancelled or did not finish
│  ├─ ConflictError             EL106    somebody else wrote the same object first, several times
│  ├─ DiskFullError             EL107    this machine has no room for a build
│  └─ SecretsUnavailableError   EL108    Airflow could not look for a connection
└─ FatalError                            nothing changes until a person acts
   ├─ ConfigurationError        EL201    a connection, a setting or a name is wrong
   ├─ CredentialError           EL202    the login service refused the application
   ├─ ConsentMissingError       EL203    Graph refuses: a permission was not granted
   ├─ LicenceMissingError       EL204    Graph refuses: the tenant has no premium licence
   ├─ RetentionError            EL205    the day is older than Graph keeps
   ├─ FutureDayError            EL206    the day has not begun
   ├─ WrongTenantError          EL207    the lake belongs to another tenant
   ├─ AccessDeniedError         EL208    AWS refuses
   ├─ UntrustedLinkError        EL209    Graph's answer points somewhere else: the token stays here
   ├─ DataError                 EL210    an answer or an object cannot be what it should be
   ├─ CountMismatchError        EL211    Athena and the object disagree
   ├─ ShrinkRefusedError        EL212    a build would hold fewer ids than the object it replaces
   ├─ QueryFailedError          EL213    Athena refuses a statement
   ├─ PartialDayError           EL214    Graph could not write out a part of the day
   ├─ DetectionFailedError      EL215    a rule could not be run; the others were
   └─ WrongClockError           EL216    this machine's clock differs from Graph's by minutes

A message says what failed, on what, and what to do. `docs/troubleshooting.md` explains each code.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any


class EntraLakeError(Exception):
    """Base of all errors of this package.

    :param message: what failed, on what, and what to do next; never a secret, a token or a link.
    :param request_id: Graph's or AWS's id of the request, to quote in a support case.
    """

    code = "EL000"

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"[{self.code}] {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep keyword facts when the error crosses a process border."""
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(kind: type[EntraLakeError], message: str, facts: dict[str, Any]) -> EntraLakeError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(facts)
    return error


class RetryableError(EntraLakeError):
    """The step may simply run again."""

    code = "EL100"


class ThrottledError(RetryableError):
    """Graph, or our own request budget, asks for a pause.

    :param retry_after: seconds to wait before the next request.
    """

    code = "EL101"

    def __init__(self, message: str, *, retry_after: float, request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


class GraphUnavailableError(RetryableError):
    """Graph gave no usable answer, several times.

    :param timed_out: True when Graph took too long; asking for less may help.
    """

    code = "EL102"
    timed_out: bool = False


class ListingBrokenError(RetryableError):
    """A listing cannot be continued; the slice has to be listed again from its beginning."""

    code = "EL103"


class StoreUnavailableError(RetryableError):
    """S3 did not answer, or refused for the moment."""

    code = "EL104"


class AthenaUnavailableError(RetryableError):
    """A query was throttled, cancelled, or did not finish in time."""

    code = "EL105"


class ConflictError(RetryableError):
    """Another writer kept winning the race for one object."""

    code = "EL106"


class DiskFullError(RetryableError):
    """This machine's disk has no room for what a step builds; another machine's may, or this one's later."""

    code = "EL107"


class SecretsUnavailableError(RetryableError):
    """Airflow's database or secrets backend did not answer, so nobody knows whether there is a connection."""

    code = "EL108"


class FatalError(EntraLakeError):
    """Nothing changes until a person acts."""

    code = "EL200"


class ConfigurationError(FatalError):
    """A connection, a setting or a name is wrong."""

    code = "EL201"


class CredentialError(FatalError):
    """The login service refused the application's credential."""

    code = "EL202"


class ConsentMissingError(FatalError):
    """A Graph permission was not granted, or was withdrawn."""

    code = "EL203"


class LicenceMissingError(FatalError):
    """The tenant lacks the Microsoft Entra ID P1 licence that this log needs."""

    code = "EL204"


class RetentionError(FatalError):
    """The day is older than Graph keeps its logs.

    :param oldest: the earliest moment that Graph allows, where its refusal names it.
    """

    code = "EL205"
    oldest: datetime | None = None


class FutureDayError(FatalError):
    """The day has not begun (UTC)."""

    code = "EL206"


class WrongTenantError(FatalError):
    """The lake was begun for another tenant."""

    code = "EL207"


class AccessDeniedError(FatalError):
    """AWS refuses the action."""

    code = "EL208"


class UntrustedLinkError(FatalError):
    """A next link or redirect points away from the configured Graph origin."""

    code = "EL209"


class DataError(FatalError):
    """An answer or a stored object cannot be what it should be."""

    code = "EL210"


class CountMismatchError(FatalError):
    """Athena counts other rows than the object holds."""

    code = "EL211"


class ShrinkRefusedError(FatalError):
    """A build would hold fewer ids than the object it replaces."""

    code = "EL212"


class QueryFailedError(FatalError):
    """Athena refuses a statement."""

    code = "EL213"


class PartialDayError(FatalError):
    """Graph could not write out a part of the day; everything else of it is in the lake and verified."""

    code = "EL214"


class DetectionFailedError(FatalError):
    """A detection could not be run, or its answer is no list of findings; the other ones were run."""

    code = "EL215"


class WrongClockError(FatalError):
    """This machine's clock differs from Graph's by minutes: which days are over, or too old, cannot be told by it."""

    code = "EL216"
