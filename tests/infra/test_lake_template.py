"""What lake.yaml keeps: the bucket, its lifecycle, and three roles that may do what the code does and no more."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cfn_templates import Statement, load, policy, resolve
from code_actions import ERASING, IMPLIED, called_actions, called_operations, stated_actions

from entra_lake import layout
from entra_lake.audit import audit
from entra_lake.collect import collect_day
from entra_lake.lake import Lake
from entra_lake.rebuild import rebuild
from entra_lake.settings import LakeSettings, read_lakes
from entra_lake.streams import STREAMS
from entra_lake.tables import prepare
from simulation import DAY

BUCKETS = ("Bucket", "ResultsBucket", "LogBucket")
#: IAM's limit for a managed policy, white space not counted.
LONGEST_POLICY = 6144


def lake_template(**conditions: bool) -> dict[str, Any]:
    """Return the template with its conditions decided; those not named are false."""
    template = load("lake.yaml")
    return resolve(template, {name: conditions.get(name, False) for name in template["Conditions"]})


def properties(logical: str, **conditions: bool) -> dict[str, Any]:
    """Return the properties of one resource."""
    return lake_template(**conditions)["Resources"][logical]["Properties"]


def granted(logical: str, **conditions: bool) -> set[str]:
    """Return the actions that a policy allows."""
    return {action for item in allowed(logical, **conditions) for action in item.actions}


def allowed(logical: str, **conditions: bool) -> list[Statement]:
    """Return the allowing statements of a policy."""
    return [item for item in policy(lake_template(**conditions), logical) if item.is_allowing]


# Rights.


def test_the_writer_may_do_what_the_code_does_and_no_more() -> None:
    """Each action of the writer is one that the code or Athena in its name calls, and each of those is allowed."""
    deleting = {action for action in called_actions() if "Delete" in action}
    needed = (called_actions() | stated_actions() | IMPLIED) - deleting
    assert granted("WriterPolicy", HasRetention=True) == needed


@pytest.mark.slow
def test_the_source_names_every_call(lake: Lake) -> None:
    """What a day, an audit and a rebuild really send to AWS is found in the source: the comparison above is whole."""
    sent: Counter[str] = Counter()
    events = lake.aws.session.events  # type: ignore[attr-defined]
    events.register("before-call", lambda model, **_: sent.update([f"{model.service_model.service_name}:{model.name}"]))
    prepare(lake)
    stream = STREAMS["directory_audits"]
    collect_day(lake, stream, DAY, "first")
    assert [item.faults for item in audit(lake, DAY)] == [()]
    assert [item.error for item in rebuild(lake, (stream,), DAY)] == [None]
    assert len(sent) > 8
    assert set(sent) <= called_operations()


@pytest.mark.parametrize("has_retention", [True, False])
def test_the_writer_deletes_nothing(*, has_retention: bool) -> None:
    """The writer can remove no object and no version, and cannot change the rules that would."""
    wild = re.compile(r"s3:(Delete|Bypass|PutLifecycle|PutBucket|PutObjectRetention|PutObjectLegalHold|\*)|^\*$")
    for name in ("WriterPolicy", "ReaderPolicy", "SecretsPolicy"):
        assert [item for item in granted(name, HasRetention=has_retention) if wild.match(item)] == []


def test_the_writer_drops_partitions_only_where_days_expire() -> None:
    """Without retention there is nothing to drop, and no right to."""
    dropping = {"glue:DeletePartition", "glue:BatchDeletePartition"}
    assert not granted("WriterPolicy") & dropping
    assert granted("WriterPolicy", HasRetention=True) >= dropping


def test_the_reader_reads_the_tables_and_writes_results() -> None:
    """An analyst reads no raw records and no manifests, and writes nothing but answers of Athena."""
    objects = [item for item in allowed("ReaderPolicy") if any("Object" in action for action in item.actions)]
    assert {resource for item in objects for resource in item.resources} == {
        "${Bucket.Arn}/lake/*",
        "${ResultsBucket.Arn}/*",
    }
    writing = {
        resource for item in allowed("ReaderPolicy") if "s3:PutObject" in item.actions for resource in item.resources
    }
    assert writing == {"${ResultsBucket.Arn}/*"}
    assert {item for item in granted("ReaderPolicy") if item.startswith("glue:") and "Get" not in item} == {
        "glue:CreateDatabase"  # of `default`, which Athena demands
    }
    listing = next(item for item in allowed("ReaderPolicy") if "s3:ListBucket" in item.actions)
    assert listing.body["Condition"] == {"StringLike": {"s3:prefix": ["lake/", "lake/*"]}}


def test_only_erasure_deletes() -> None:
    """The erasure role has the writer's rights and those to delete, versions too, and nobody else has them."""
    template = lake_template(HasErasure=True, HasWriter=True, HasReader=True)
    holders = {
        logical
        for logical in template["Resources"]
        for item in policy(template, logical)
        if item.is_allowing and any(action.startswith("s3:Delete") for action in item.actions)
    }
    assert holders == {"ErasurePolicy"}
    attached = template["Resources"]["ErasureRole"]["Properties"]["ManagedPolicyArns"]
    assert attached == [{"Ref": "WriterPolicy"}, {"Ref": "ErasurePolicy"}]


def test_the_erasure_role_may_do_what_erasing_calls_and_no_more() -> None:
    """Nothing but the erasing module deletes; its calls are allowed in both buckets, and nothing else is added."""
    deleting = {action for action in called_actions() if action.startswith("s3:Delete")}
    assert deleting == {action for action in called_actions(ERASING) if action.startswith("s3:Delete")} != set()
    for bucket in ("Bucket", "ResultsBucket"):
        inside = (f"${{{bucket}.Arn}}", f"${{{bucket}.Arn}}/*")
        for_both = [item for name in ("WriterPolicy", "ErasurePolicy") for item in allowed(name)]
        may = {action for item in for_both if not {*inside}.isdisjoint(item.resources) for action in item.actions}
        assert may >= called_actions(ERASING)
    assert granted("ErasurePolicy") <= called_actions(ERASING)


@pytest.mark.parametrize("name", ["Writer", "Reader", "Erasure"])
def test_a_role_trusts_the_one_principal_of_its_parameter(name: str) -> None:
    """A role exists only if somebody is named who may assume it, and trusts nobody else."""
    template = load("lake.yaml")
    role = template["Resources"][f"{name}Role"]
    assert role["Condition"] == f"Has{name}"
    assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": {"Ref": f"{name}PrincipalArn"}}, "Action": "sts:AssumeRole"}
    ]
    pattern = re.compile(template["Parameters"][f"{name}PrincipalArn"]["AllowedPattern"])
    assert pattern.fullmatch("arn:aws:iam::123456789012:role/airflow")
    assert not pattern.fullmatch("*")
    assert not pattern.fullmatch("arn:aws:iam::123456789012:root")


def test_the_key_serves_only_through_s3_and_ssm() -> None:
    """Whoever may use the key may do so only through the service that holds the data."""
    uses = [
        item
        for name in ("WriterPolicy", "ReaderPolicy", "SecretsPolicy")
        for item in allowed(name)
        if any(action.startswith("kms:") for action in item.actions)
    ]
    assert len(uses) == 3
    for item in uses:
        assert item.resources == ["${Key.Arn}"]
        through = item.body["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"].partition(".")[0]
        assert through == ("ssm" if item.resource == "SecretsPolicy" else "s3")


def test_policies_are_short_enough() -> None:
    """Each managed policy stays below IAM's limit when its references are as long as they get."""
    template = lake_template(HasRetention=True)
    for logical, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            text = json.dumps(resource["Properties"]["PolicyDocument"], separators=(",", ":"))
            longest = re.sub(r"\$\{[\w.:]+\}", "x" * 40, text)
            assert len(longest) < LONGEST_POLICY, logical


# Buckets.


@pytest.mark.parametrize("logical", BUCKETS)
def test_buckets_are_private(logical: str) -> None:
    """No bucket can be made public, be owned by a stranger's objects, or lose what was overwritten at once."""
    bucket = properties(logical)
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert load("lake.yaml")["Resources"][logical]["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("logical", BUCKETS)
def test_buckets_refuse_what_is_not_tls_1_2(logical: str) -> None:
    """Plain HTTP, and TLS older than 1.2, are refused to everybody, for the bucket and all in it."""
    denied = [item for item in policy(lake_template(), f"{logical}Policy") if not item.is_allowing]
    assert [item.body["Condition"] for item in denied] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    for item in denied:
        assert item.body["Principal"] == "*"
        assert item.actions == ["s3:*"]
        assert item.resources == [f"${{{logical}.Arn}}", f"${{{logical}.Arn}}/*"]


@pytest.mark.parametrize("logical", ["Bucket", "ResultsBucket"])
def test_data_is_encrypted_with_the_lakes_key_and_its_accesses_are_logged(logical: str) -> None:
    """Records and answers lie under the lake's own key, with a bucket key, and each access is logged elsewhere."""
    rule = properties(logical)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == [
        {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": "Key.Arn"}},
        }
    ]
    assert properties(logical)["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "LogBucket"}
    assert properties("Key")["EnableKeyRotation"] is True


# Lifecycle.


def rules(**conditions: bool) -> dict[str, dict[str, Any]]:
    """Return the lake bucket's lifecycle rules by their id."""
    return {item["Id"]: item for item in properties("Bucket", **conditions)["LifecycleConfiguration"]["Rules"]}


def test_the_lake_keeps_everything_by_default() -> None:
    """Nothing but staging expires; only versions that were replaced go, after 30 days."""
    expiring = {item.get("Prefix") for item in rules().values() if "ExpirationInDays" in item}
    assert expiring == {"staging/"}
    assert rules()["EmptyStaging"]["ExpirationInDays"] == 7
    assert rules()["ForgetOldVersions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rules()["ForgetOldVersions"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1
    assert "Prefix" not in rules()["ForgetOldVersions"]
    assert properties("ResultsBucket")["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 30


def test_cold_records_can_be_read_at_once() -> None:
    """Raw records go to a class that a rebuild reads without waiting, unless they are too small for it to pay."""
    assert rules()["CoolRaw"]["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
    assert rules()["CoolRaw"]["Prefix"] == "raw/"
    configuration = properties("Bucket")["LifecycleConfiguration"]
    assert configuration["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    moved = [item.get("Prefix") for item in rules().values() if "Transitions" in item]
    assert moved == ["raw/"]


def test_retention_removes_all_of_a_day_and_raw_last() -> None:
    """With retention, Parquet and manifest of a day expire, then what they were built from, and nothing is left."""
    expiring = {
        item["Prefix"]: item["ExpirationInDays"]
        for item in rules(HasRetention=True).values()
        if "ExpirationInDays" in item
    }
    days = {"Ref": "RetentionDays"}
    later = {"Fn::FindInMap": ["Raw", "KeptDays", days]}
    assert expiring == {
        "staging/": 7,
        "lake/": days,
        "manifests/": days,
        "raw/": later,
        "checkpoints/": later,
    }
    choices = load("lake.yaml")["Parameters"]["RetentionDays"]["AllowedValues"]
    kept = load("lake.yaml")["Mappings"]["Raw"]["KeptDays"]
    assert set(choices) == set(kept)
    assert all(int(kept[days]) == int(days) + 30 for days in choices if days != "forever")


def test_lifecycle_names_prefixes_that_exist() -> None:
    """Each rule's prefix is one under which the code keeps something."""
    stream = STREAMS["sign_ins"]
    keys = [
        layout.raw_prefix(stream, DAY),
        layout.checkpoint_prefix(stream, DAY),
        layout.staging_key(stream, DAY, "0"),
        layout.lake_key(stream, DAY),
        layout.manifest_key(stream, DAY),
    ]
    used = {item["Prefix"] for item in rules(HasRetention=True).values() if "Prefix" in item}
    assert used == {f"{key.partition('/')[0]}/" for key in keys}


def test_object_lock_is_a_choice() -> None:
    """Without the parameter there is no lock; with it, each version stays for so many days."""
    assert "ObjectLockConfiguration" not in properties("Bucket")
    locked = properties("Bucket", HasObjectLock=True)
    assert locked["ObjectLockEnabled"] is True
    assert locked["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "GOVERNANCE",
        "Days": {"Ref": "ObjectLockDays"},
    }


# Athena, and what lakes.yaml needs.


def test_the_workgroup_decides() -> None:
    """Engine 3, encrypted answers in one place, and a limit to what one query reads; clients cannot override it."""
    workgroup = properties("AthenaWorkgroup")["WorkGroupConfiguration"]
    assert workgroup["EnforceWorkGroupConfiguration"] is True
    assert workgroup["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert workgroup["BytesScannedCutoffPerQuery"] == {"Ref": "ScanCutoffBytes"}
    assert workgroup["ResultConfiguration"]["OutputLocation"] == {"Fn::Sub": "s3://${ResultsBucket}/"}
    assert workgroup["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert workgroup["PublishCloudWatchMetricsEnabled"] is True


def test_the_defaults_are_those_of_lakes_yaml() -> None:
    """Database and workgroup are called what the settings call them by default."""
    parameters = load("lake.yaml")["Parameters"]
    settings = LakeSettings(bucket="any")
    assert parameters["Database"]["Default"] == settings.database
    assert parameters["Workgroup"]["Default"] == settings.workgroup


def test_the_outputs_fill_lakes_yaml(tmp_path: Path) -> None:
    """The output LakesYaml, pasted behind `default:`, is a lake that the settings accept."""
    text = load("lake.yaml")["Outputs"]["LakesYaml"]["Value"]["Fn::Sub"]
    values = {
        "Bucket": "entra-lake-123456789012-eu-central-1",
        "GlueDatabase": "entra_lake",
        "AthenaWorkgroup": "entra_lake",
    }
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    path = tmp_path / "lakes.yaml"
    path.write_text(f"default: {text}\n")
    lake = read_lakes(path)["default"]
    assert (lake.bucket, lake.prefix, lake.database, lake.workgroup) == (
        values["Bucket"],
        "",
        "entra_lake",
        "entra_lake",
    )
