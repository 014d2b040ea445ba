"""What Graph's refusals mean: each answer that is no page becomes the error that says what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from entra_lake.answers import Answer
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
)
from entra_lake.redaction import quote


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of Graph, in the words of an error message.

    :param subject: such as `sign_ins 2026-11-22 060000-120000`.
    :param url: where; never to be logged.
    :param application: the application's id.
    :param follows_link: True where the address came from Graph itself.
    """

    subject: str
    url: str = field(repr=False)
    application: str
    permission: str
    licence: str | None = None
    follows_link: bool = False


class PageSizeRefusedError(ConfigurationError):
    """Graph wants smaller pages than `$top` asked for."""


def refusal(answer: Answer, question: Question) -> EntraLakeError:
    """Return the error for an answer that is no page, of the class that tells what to do next."""
    status = answer.status
    if answer.is_redirect:
        return _error(UntrustedLinkError, answer, question, "It redirects to another address; that is not followed.")
    if status == 429:  # noqa: PLR2004
        return _throttled(answer, question)
    if answer.is_refusal and not answer.problem:
        said = answer.error()
        if said is not None:
            return _REFUSALS.get(status, _refused_request)(answer, question, *said)
        if status == 401:  # noqa: PLR2004
            return _refused_token(answer, question, "", "")
    return unavailable(answer, question, answer.problem or f"HTTP {status} without a page")


def unavailable(
    answer: Answer, question: Question, reason: str, kind: type[GraphUnavailableError] = GraphUnavailableError
) -> GraphUnavailableError:
    """Return the error for an answer that cannot be used; it may be better next time.

    The error's `timed_out` is True where Graph took too long: a shorter slice may help.
    """
    said = ": ".join(filter(None, answer.error() or ()))
    status = f"HTTP {answer.status}, " if answer.status else ""
    message = (
        f"{question.subject}: Graph gave no usable answer ({status}request-id {answer.request_id}): {quote(reason)}."
        f"{_said(said)} Nothing is lost; the step may run again."
    )
    error = kind(message, request_id=answer.request_id)
    error.timed_out = answer.timed_out or answer.status == 504  # noqa: PLR2004
    return error


def _throttled(answer: Answer, question: Question) -> ThrottledError:
    """Return the error for a 429; its `retry_after` is 0 where Graph does not say for how long."""
    message = f"{question.subject}: Graph is throttling this application (429, request-id {answer.request_id})."
    return ThrottledError(message, retry_after=answer.retry_after() or 0.0, request_id=answer.request_id)


def _refused_token(answer: Answer, question: Question, code: str, text: str) -> EntraLakeError:
    remedy = "A new token did not help. See whether the application was disabled or a policy blocks it."
    return _error(CredentialError, answer, question, remedy, f"{code}: {text}")


def _forbidden(answer: Answer, question: Question, code: str, text: str) -> EntraLakeError:
    said = f"{code}: {text}"
    if "premium" in said.lower():
        licence = question.licence or "a Microsoft Entra ID P1 licence"
        return _error(LicenceMissingError, answer, question, f"The tenant needs: {licence}.", said)
    remedy = f"Grant {question.permission} to application {question.application} and consent as an administrator."
    return _error(ConsentMissingError, answer, question, remedy, said)


_OLDEST: Final = re.compile(
    r"minimum allowed time\D{0,80}?(\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M)", re.IGNORECASE
)
_PAGE_SIZE: Final = re.compile(r"limit of '?\d+'? for top|invalid page size|\$top.{0,60}\b999\b", re.IGNORECASE)
_SKIPTOKEN: Final = re.compile(r"skip ?token|token not found", re.IGNORECASE)


def _bad_request(answer: Answer, question: Question, code: str, text: str) -> EntraLakeError:
    said = f"{code}: {text}"
    if oldest := _OLDEST.search(text):
        return _too_old(answer, question, oldest[1], said)
    if _SKIPTOKEN.search(text):
        return _gone(answer, question, code, text)
    if _PAGE_SIZE.search(text):
        return _error(PageSizeRefusedError, answer, question, "Ask for smaller pages.", said)
    if question.follows_link and "filter clause" not in text.lower():
        # The request is Graph's own; risky users are known to end in a link that Graph then refuses.
        return _gone(answer, question, code, text)
    return _refused_request(answer, question, code, text)


def _too_old(answer: Answer, question: Question, bound: str, said: str) -> RetentionError:
    """Return the error for a filter before retention; its `oldest` is the first moment that may be asked for."""
    remedy = f"Microsoft keeps nothing before {bound} UTC. What the lake holds is untouched."
    error = RetentionError(_message(answer, question, remedy, said), request_id=answer.request_id)
    oldest = datetime.strptime(bound.upper(), "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    error.oldest = oldest
    return error


def _gone(answer: Answer, question: Question, code: str, text: str) -> EntraLakeError:
    remedy = "The listing cannot go on and starts again."
    return _error(ListingBrokenError, answer, question, remedy, f"{code}: {text}")


def _refused_request(answer: Answer, question: Question, code: str, text: str) -> EntraLakeError:
    remedy = "Check the stream's path, filter and API version, and whether this cloud has the log."
    return _error(ConfigurationError, answer, question, remedy, f"{code}: {text}")


_REFUSALS: Final = {400: _bad_request, 401: _refused_token, 403: _forbidden, 410: _gone}


def _error(
    kind: type[EntraLakeError], answer: Answer, question: Question, remedy: str, said: str = ""
) -> EntraLakeError:
    return kind(_message(answer, question, remedy, said), request_id=answer.request_id)


def _message(answer: Answer, question: Question, remedy: str, said: str) -> str:
    return (
        f"{question.subject}: Graph refused the request ({answer.status}, request-id {answer.request_id}). "
        f"{remedy}{_said(said)}"
    )


def _said(text: str) -> str:
    cleaned = quote(text).strip(": ")
    return f" Graph said: {cleaned}" if cleaned else ""
