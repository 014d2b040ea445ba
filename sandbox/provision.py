"""What CloudFormation owns in reality: the bucket, the database and the workgroup of the lake."""

from __future__ import annotations

from typing import Any

REGION = "eu-central-1"
ACCESS_KEY = "simulated"
SECRET_KEY = "simulated"
BUCKET = "entra-lake"
DATABASE = "entra_lake"
WORKGROUP = "entra_lake"


def client(service: str, endpoint_url: str) -> Any:
    """Return a client of the simulated AWS."""
    # Loaded here because it takes a while that a sandbox without AWS need not wait for.
    import boto3  # noqa: PLC0415

    # Its stubs know a signature for every service by name, but none for a name that is not known yet.
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def provision(endpoint_url: str) -> None:
    """Create what is not there yet."""
    _create_bucket(client("s3", endpoint_url))
    _create_database(client("glue", endpoint_url))
    _create_workgroup(client("athena", endpoint_url))


def _create_bucket(s3: Any) -> None:
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    if BUCKET not in names:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def _create_database(glue: Any) -> None:
    names = [database["Name"] for database in glue.get_databases()["DatabaseList"]]
    if DATABASE not in names:
        glue.create_database(DatabaseInput={"Name": DATABASE})


def _create_workgroup(athena: Any) -> None:
    names = [group["Name"] for group in athena.list_work_groups()["WorkGroups"]]
    if WORKGROUP not in names:
        location = {"OutputLocation": f"s3://{BUCKET}/athena-results/"}
        configuration = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": location}
        athena.create_work_group(Name=WORKGROUP, Configuration=configuration)
