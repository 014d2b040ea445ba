"""Which IAM actions the code needs, read from its calls of boto3 and from the statements it sends to Athena."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
from botocore import xform_name

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "plugins" / "entra_lake"
SERVICES = ("s3", "athena", "glue", "cloudwatch")

#: Operation → IAM actions, where they do not have the same name. From AWS's service authorization reference.
ACTIONS = {
    "s3:HeadBucket": {"s3:ListBucket"},
    "s3:HeadObject": {"s3:GetObject", "s3:ListBucket"},  # without ListBucket an absent object is 403, not 404
    "s3:GetObject": {"s3:GetObject", "s3:ListBucket"},
    "s3:PutObject": {"s3:PutObject", "s3:GetObject"},  # If-Match needs GetObject
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:DeleteObject": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:CopyObject": {"s3:GetObject", "s3:PutObject"},
}
#: `GetObject` of a version is an action of its own.
VERSION_ACTION = "s3:GetObjectVersion"

#: What Athena does in Glue with the caller's rights, by the statement's first words: AWS's documents, never tried.
_READ = {"glue:GetDatabase", "glue:GetTable"}
_SCAN = {*_READ, "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition"}
STATEMENTS = {
    r"CREATE EXTERNAL TABLE": {*_READ, "glue:CreateTable"},
    r"CREATE OR REPLACE VIEW": {*_READ, "glue:CreateTable", "glue:UpdateTable"},
    r"ALTER TABLE \S+ ADD COLUMNS": {*_READ, "glue:UpdateTable"},
    r"ALTER TABLE \S+ SET TBLPROPERTIES": {*_READ, "glue:UpdateTable"},
    r"ALTER TABLE \S+ ADD IF NOT EXISTS PARTITION": {*_SCAN, "glue:CreatePartition", "glue:BatchCreatePartition"},
    r"ALTER TABLE \S+ DROP IF EXISTS": {*_SCAN, "glue:DeletePartition", "glue:BatchDeletePartition"},
    r"MSCK REPAIR TABLE": {*_SCAN, "glue:BatchCreatePartition"},
    r"(SELECT|WITH)\b": _SCAN,
    # Only for those who have not deployed lake.yaml: there the stack makes the database.
    r"CREATE DATABASE": _READ,
}
#: What no call names: Athena writes its answers with the caller's rights and asks for the `default` database; the
#: bucket's default encryption uses the key; Athena asks for a bucket's region.
IMPLIED = {
    "s3:GetBucketLocation",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucketMultipartUploads",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "glue:CreateDatabase",
}


#: Functions of ours, and of Airflow, that are called like an operation of Glue.
OURS = {"get_connection", "get_session"}


#: The only modules that remove objects, and so the only ones that need the erasure role.
ERASING = ("removal",)


@functools.cache
def called_operations(modules: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the AWS operations that the library's source, or these modules of it, call, such as `s3:GetObject`."""
    known = {f"{xform_name(name)}": f"{service}:{name}" for service in SERVICES for name in _operations(service)}
    return frozenset(known[name] for name in _called_names(modules) if name in known and name not in OURS)


def called_actions(modules: tuple[str, ...] = ()) -> set[str]:
    """Return the IAM actions of the operations that the library, or these modules of it, call.

    :raises KeyError: for an operation of S3 whose actions nobody has looked up yet.
    """
    found: set[str] = set()
    for operation in called_operations(modules):
        found |= ACTIONS[operation] if operation.startswith("s3:") else {operation}
    if any(re.search(r"VersionId\b", path.read_text()) for path in _sources(modules)):
        found.add(VERSION_ACTION)
    return found


def stated_actions() -> set[str]:
    """Return the actions that Athena needs for the statements in include/sql/."""
    found: set[str] = set()
    for path in sorted((REPOSITORY / "include" / "sql").rglob("*.sql")):
        found |= actions_of(path.read_text())
    return found


def actions_of(sql: str) -> set[str]:
    """Return the actions of one statement.

    :raises KeyError: for a statement whose actions nobody has looked up yet.
    """
    text = re.sub(r"\{%-?\s*macro.*?endmacro\s*-?%\}", "", sql, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{#.*?#\}|/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"`?\{\{.*?\}\}`?", "x", re.sub(r"--.*", "", text), flags=re.DOTALL)
    text = " ".join(text.split())
    for pattern, actions in STATEMENTS.items():
        if re.match(pattern, text):
            return actions
    raise KeyError(text[:60])


def _operations(service: str) -> list[str]:
    return list(botocore.session.get_session().get_service_model(service).operation_names)


def _sources(modules: tuple[str, ...] = ()) -> list[Path]:
    return [path for path in sorted(LIBRARY.rglob("*.py")) if not modules or path.stem in modules]


def _called_names(modules: tuple[str, ...]) -> Iterator[str]:
    for path in _sources(modules):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node.func.attr
                if node.func.attr in {"get_paginator", "get_waiter"} and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value)
