"""Graph's error answers, word by word as they were captured."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass
class GraphError(Exception):
    """An answer that is no page."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


def bad_request(message: str) -> GraphError:
    """400 with the general code."""
    return GraphError(400, "BadRequest", message)


def token_refused(message: str) -> GraphError:
    """401: the bearer token is empty, expired or forged."""
    return GraphError(401, "InvalidAuthenticationToken", message)


def skip_refused() -> GraphError:
    """400: $skip is not offered."""
    return bad_request(
        "Query option 'Skip' is not allowed. To allow it, set the 'AllowedQueryOptions' property on "
        "EnableQueryAttribute or QueryValidationSettings."
    )


def skiptoken_invalid() -> GraphError:
    """400: the skiptoken is unknown, or was handed out too long ago."""
    return GraphError(400, "UnknownError", "Token not found: token is either invalid or expired")


def skiptoken_null() -> GraphError:
    """400: the skiptoken is empty."""
    return GraphError(400, "UnknownError", "Invalid Skip Token, skip token is null")


def before_retention(time_field: str, oldest: date) -> GraphError:
    """400: the filter reaches back behind what the tenant keeps; Graph writes the date in American."""
    return GraphError(
        400,
        "UnknownError",
        "Specified argument was out of the range of valid values. (Parameter 'Minimum allowed time for "
        f"{time_field} is {oldest.month}/{oldest.day}/{oldest.year} 12:00:00 AM')",
    )


def throttled(retry_after: str | None, correlation: str) -> GraphError:
    """429 of the reports service."""
    return GraphError(
        429,
        "UnknownError",
        "This request is throttled. Please try again after the value specified in the Retry-After header. "
        f"CorrelationId: {correlation}",
        {} if retry_after is None else {"Retry-After": retry_after},
    )


def not_premium() -> GraphError:
    """403: sign-ins need a premium licence."""
    return GraphError(
        403,
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        "Neither tenant is B2C or tenant doesn't have premium license",
    )


def missing_permission(permission: str) -> GraphError:
    """403: the application lacks a permission."""
    return GraphError(
        403,
        "Authentication_MSGraphPermissionMissing",
        f"Calling principal does not have required MSGraph permissions {permission}",
    )


def page_size_refused(size: str, largest: int) -> GraphError:
    """400: $top is larger than this endpoint likes today."""
    return bad_request(f"Invalid page size specified: '{size}'. Must be between 1 and {largest} inclusive.")
