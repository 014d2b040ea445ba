"""One request as the sandbox sees it (service, operation, bucket, key), and the replies it gives by itself."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

READS = ("GET", "HEAD")

# The sub-resource in the query string names the operation: PUT /bucket/key?tagging is PutObjectTagging.
KEY_OPERATIONS = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "uploadId"): "ListParts",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "CreateMultipartUpload",
}
BUCKET_OPERATIONS = {
    ("GET", ""): "ListObjects",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "uploads"): "ListMultipartUploads",
    ("HEAD", ""): "HeadBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("POST", "delete"): "DeleteObjects",
}
SUBRESOURCES = (
    "uploadId", "uploads", "delete", "versions", "list-type", "versioning", "policy", "lifecycle", "tagging", "acl",
    "encryption", "publicAccessBlock", "ownershipControls", "cors", "location", "notification", "logging",
    "object-lock", "retention", "legal-hold", "attributes", "policyStatus", "accelerate", "website", "replication",
)  # fmt: skip


@dataclass
class Reply:
    """An answer given without moto."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Tell a 2xx from the rest."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass
class Call:
    """A request whose body has been read, so that nothing waits for a slow client while it holds a lock."""

    environ: dict[str, Any]
    service: str
    operation: str
    bucket: str = ""
    key: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def is_write(self) -> bool:
        """Tell whether the request may change something."""
        return self.method not in READS

    def header(self, name: str) -> str | None:
        """Return a request header, or None."""
        return self.environ.get("HTTP_" + name.upper().replace("-", "_"))

    def drop_header(self, name: str) -> None:
        """Hide a header from moto."""
        self.environ.pop("HTTP_" + name.upper().replace("-", "_"), None)

    def parameters(self) -> dict[str, Any]:
        """Return the JSON body of a Glue, SSM or Athena call."""
        return json.loads(self.body or b"{}")

    def rewind(self) -> dict[str, Any]:
        """Return the environ with the body to be read once more."""
        self.environ["wsgi.input"] = io.BytesIO(self.body)
        self.environ["CONTENT_LENGTH"] = str(len(self.body))
        self.environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self.environ


def read_call(environ: dict[str, Any]) -> Call:
    """Read a WSGI request and name what it asks for."""
    service = _service(environ)
    body = _read_body(environ)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if service != "s3":
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        action = target.rpartition(".")[2] or dict(parse_qsl(body.decode("utf-8", "replace"))).get("Action", "")
        return Call(environ, service, action, query=query, body=body)
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace").lstrip("/")
    bucket, _, key = path.partition("/")
    call = Call(environ, "s3", "", bucket, key, query, body)
    call.operation = _s3_operation(call)
    return call


def s3_error(status: int, code: str, message: str, **details: str) -> Reply:
    """Build the XML body that S3 sends with an error."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in details.items())
    request_id = hashlib.sha256(f"{code}{message}{details}".encode()).hexdigest()[:16].upper()
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{inner}"
        f"<RequestId>{request_id}</RequestId><HostId>sandbox</HostId></Error>"
    )
    return Reply(status, text.encode(), {"Content-Type": "application/xml", "x-amz-request-id": request_id})


def json_error(status: int, code: str, message: str) -> Reply:
    """Build the JSON body that Glue, SSM and Athena send with an error."""
    body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})


def _service(environ: dict[str, Any]) -> str:
    credential = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0]
    scope = credential.split("/")
    if len(scope) == 5:  # noqa: PLR2004 - key/date/region/service/aws4_request
        return scope[-2].lower()
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    return {"AWSGlue": "glue", "AmazonSSM": "ssm", "AmazonAthena": "athena"}.get(target.partition(".")[0], "s3")


def _read_body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return stream.read()
    return stream.read(int(environ.get("CONTENT_LENGTH") or 0))


def _s3_operation(call: Call) -> str:
    if not call.bucket:
        return "ListBuckets"
    if call.key and call.operation == "" and call.method == "PUT" and call.header("x-amz-copy-source"):
        return "UploadPartCopy" if "uploadId" in call.query else "CopyObject"
    sub = next((name for name in SUBRESOURCES if name in call.query), "")
    known = KEY_OPERATIONS if call.key else BUCKET_OPERATIONS
    noun = "Object" if call.key else "Bucket"
    return known.get((call.method, sub), f"{call.method.title()}{noun}{sub.title()}")
