"""Conditional writes, as S3 promises them.

moto ignores If-Match on CompleteMultipartUpload, so nothing of this is left to moto: the server holds one lock around
this check and the write that follows it, and hides the headers from moto.
"""

from __future__ import annotations

from sandbox.aws.request import Call, Reply, s3_error

CONDITIONAL = ("PutObject", "CompleteMultipartUpload", "CopyObject", "DeleteObject")


def refusal(call: Call, etag: str | None) -> Reply | None:
    """Answer 412 or 404 when the conditions of a write do not hold for the object that is there (None: no object)."""
    if call.operation not in CONDITIONAL:
        return None
    none_match, match = call.header("If-None-Match"), call.header("If-Match")
    call.drop_header("If-None-Match")
    call.drop_header("If-Match")
    if none_match is not None:
        return _none_match(none_match, etag)
    if match is not None:
        return _match(match, etag, call.key)
    return None


def _none_match(wanted: str, etag: str | None) -> Reply | None:
    if wanted.strip('"') != "*":
        return s3_error(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    return _failed("If-None-Match") if etag is not None else None


def _match(wanted: str, etag: str | None, key: str) -> Reply | None:
    if etag is None:
        return s3_error(404, "NoSuchKey", "The specified key does not exist.", Key=key)
    if wanted.strip('"') in ("*", etag.strip('"')):
        return None
    return _failed("If-Match")


def _failed(condition: str) -> Reply:
    message = "At least one of the pre-conditions you specified did not hold"
    return s3_error(412, "PreconditionFailed", message, Condition=condition)
