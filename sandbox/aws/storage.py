"""S3, Glue and SSM: moto answers, the sandbox guards the conditions of a write and keeps what was written."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from moto.core.base_backend import BackendDict
from moto.glue.models import glue_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeKey, FakeMultipart, s3_backends
from moto.ssm.models import ssm_backends
from werkzeug.test import EnvironBuilder, run_wsgi_app

from sandbox.aws.conditional import refusal
from sandbox.aws.documents import Documents
from sandbox.aws.objects import ObjectStore, write_atomically
from sandbox.aws.request import Call, Reply, read_call, s3_error

PART_OPERATIONS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts")


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
    """moto's way from a host to a service, gone once per host: moto looks through its own folder for each request."""

    def __init__(self, create_app: Callable[[Any], Any]) -> None:
        """Remember nothing yet."""
        super().__init__(create_app)
        self._services: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the service of a host."""
        if host not in self._services:
            self._services[host] = super().get_backend_for_host(host)
        return self._services[host]


class Storage:
    """The kept services of one simulated account. Every call is answered after what it changed is on disk."""

    def __init__(self, folder: Path, account: str, region: str) -> None:
        """Serve one account from `folder`."""
        self.folder = folder
        self.account = account
        self.region = region
        # One lock for all of S3: conditions are checked and the write is done as one step, and reads see whole objects.
        self.lock = threading.RLock()
        self.objects = ObjectStore(folder, account, region)
        self.documents = Documents(folder, account, region)
        self._moto = Dispatcher(create_backend_app)

    def load(self) -> None:
        """Read the state of an earlier process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._forget()
        self.objects.load()
        for path in sorted(self.objects.folder.glob("*/config/*.json")):
            self._replay(path.parent.parent.name, json.loads(path.read_bytes()))
        self.documents.load()

    def reset(self) -> None:
        """Empty all services, in memory and on disk."""
        with self.lock:
            self._forget()
            for name in ("s3", "glue", "ssm"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self.objects = ObjectStore(self.folder, self.account, self.region)
            self.documents = Documents(self.folder, self.account, self.region)

    def answer(self, call: Call) -> Reply:
        """Answer one request."""
        if call.service == "s3":
            return self._answer_s3(call)
        with self.lock:
            reply = self._ask_moto(call)
            if call.service == "glue" and not call.operation.startswith(("Get", "List", "BatchGet", "Search")):
                self.documents.save_glue()
            if call.service == "ssm" and "Parameter" in call.operation and not call.operation.startswith("Get"):
                self.documents.save_ssm()
        return reply

    def _answer_s3(self, call: Call) -> Reply:
        with self.lock:
            refused = self._refuse(call)
            if refused is not None:
                return refused
            reply = self._ask_moto(call)
            if call.is_write and reply.is_success:
                self._save(call)
            FakeKey.instances_tracked.clear()  # moto would hold every key and part ever made
            FakeMultipart.instances_tracked.clear()
        return reply

    def _refuse(self, call: Call) -> Reply | None:
        buckets = self.objects.backend.buckets
        if call.operation == "CreateBucket" and call.bucket in buckets:
            message = "Your previous request to create the named bucket succeeded and you already own it."
            return s3_error(409, "BucketAlreadyOwnedByYou", message, BucketName=call.bucket)
        if call.bucket and call.bucket not in buckets and call.operation != "CreateBucket":
            return s3_error(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=call.bucket)
        if call.operation in PART_OPERATIONS and call.query["uploadId"] not in buckets[call.bucket].multiparts:
            message = (
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
                "aborted or completed."
            )
            return s3_error(404, "NoSuchUpload", message, UploadId=call.query["uploadId"])
        found = self.objects.find(call.bucket, call.key) if call.key else None
        return refusal(call, found.etag if found else None)

    def _save(self, call: Call) -> None:
        if call.operation in ("CreateBucket", "DeleteBucket"):
            self.objects.save_bucket(call.bucket)
        elif call.operation == "DeleteObjects":
            for key in _deleted_keys(call.body):
                self.objects.save(call.bucket, key)
        elif call.key and call.operation not in ("UploadPart", "UploadPartCopy", "CreateMultipartUpload"):
            self.objects.save(call.bucket, call.key)
        elif not call.key:
            self._save_configuration(call)

    def _save_configuration(self, call: Call) -> None:
        name = quote(next(iter(call.query), "none"), safe="")
        path = self.objects.folder / call.bucket / "config" / f"{name}.json"
        if call.method == "DELETE":
            path.unlink(missing_ok=True)
            return
        kept = {"query": call.environ["QUERY_STRING"], "body": call.body.decode("utf-8", "replace")}
        write_atomically(path, json.dumps(kept).encode())

    def _replay(self, bucket: str, kept: dict[str, str]) -> None:
        scope = (
            f"AWS4-HMAC-SHA256 Credential=sandbox/20260101/{self.region}/s3/aws4_request, SignedHeaders=, Signature="
        )
        builder = EnvironBuilder(
            method="PUT", path=f"/{bucket}", query_string=kept["query"], data=kept["body"].encode(),
            headers={"Authorization": scope},
        )  # fmt: skip
        self._ask_moto(read_call(builder.get_environ()))

    def _ask_moto(self, call: Call) -> Reply:
        environ = call.rewind()
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        body = b"".join(chunks)
        return Reply(int(status.split()[0]), body, dict(headers.items()))

    def _forget(self) -> None:
        backends: Iterable[BackendDict[Any]] = (s3_backends, glue_backends, ssm_backends)
        for backend in backends:
            backend.pop(self.account, None)


def _deleted_keys(body: bytes) -> list[str]:
    return [element.text or "" for element in ET.fromstring(body).iter() if element.tag.rpartition("}")[2] == "Key"]
