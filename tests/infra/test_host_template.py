"""What host.yaml keeps: a machine without keys and open ports, that finds its data again, and what it costs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from cfn_templates import load, policy, resolve

from entra_lake.settings import LakeSettings, read_lakes

REPOSITORY = Path(__file__).parents[2]
GIB = 2**30
UNITS = {"m": 2**20, "g": GIB}
VALUES = {
    "Bucket": "entra-lake-123456789012-eu-central-1",
    "Database": "entra_lake",
    "Workgroup": "entra_lake",
    "ConnectionsPrefix": "/airflow/connections",
    "MailTo": "security@example.com",
    "Source": "https://git.example.com/entra-lake",
    "Revision": "v0.1.0",
    "DataVolume": "vol-0123456789abcdef0",
    "AWS::Region": "eu-central-1",
}


def host_template(**conditions: bool) -> dict[str, Any]:
    """Return the template with its conditions decided; those not named are false."""
    template = load("host.yaml")
    return resolve(template, {name: conditions.get(name, False) for name in template["Conditions"]})


def resource(logical: str, **conditions: bool) -> dict[str, Any]:
    """Return one resource."""
    return host_template(**conditions)["Resources"][logical]


def machine(**conditions: bool) -> dict[str, Any]:
    """Return what each machine is started with."""
    return resource("LaunchTemplate", **conditions)["Properties"]["LaunchTemplateData"]


def first_start(**conditions: bool) -> str:
    """Return the script of a machine's first start, its parameters filled in."""
    text, own = machine(**conditions)["UserData"]["Fn::Base64"]["Fn::Sub"]
    return re.sub(r"\$\{([\w:]+)\}", lambda found: {**VALUES, **own}[found[1]], text)


def heredoc(script: str, start: str) -> str:
    """Return the text that the script writes to a file."""
    found = re.search(rf"^ *{re.escape(start)}\n(.*?)^ *SETTINGS$", script, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


# Who gets in, and what it may do.


def test_nothing_gets_in() -> None:
    """The machine has no port open, no SSH key, and goes out only for HTTPS, Ubuntu's packages and mail."""
    firewall = resource("Firewall")["Properties"]
    assert "SecurityGroupIngress" not in firewall
    assert not [name for name, item in load("host.yaml")["Resources"].items() if "Ingress" in item["Type"]]
    assert {rule["FromPort"] for rule in firewall["SecurityGroupEgress"]} == {80, 443, 465, 587}
    assert all(rule["FromPort"] == rule["ToPort"] for rule in firewall["SecurityGroupEgress"])
    assert "KeyName" not in machine()


def test_a_public_address_is_a_choice() -> None:
    """Where the subnet has another way out, the machine has no address of its own."""
    assert machine(HasAddress=True)["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    assert machine()["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False


def test_containers_reach_the_role_and_forwarded_requests_do_not() -> None:
    """The metadata service answers two hops away, to requests with a session token only."""
    options = machine()["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)


def test_the_role_has_the_lakes_policies_and_little_more() -> None:
    """Beside writing the lake and reading its connections: be reached, and take the one volume. No AWS keys."""
    role = resource("Role")["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": "WriterPolicyArn"}, {"Ref": "SecretsPolicyArn"}]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert {action for item in policy(host_template(), "HostPolicy") for action in item.actions} == {
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "ec2:AttachVolume",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:GenerateDataKeyWithoutPlaintext",
    }
    assert "AWS::IAM::AccessKey" not in {item["Type"] for item in load("host.yaml")["Resources"].values()}


def test_the_key_is_used_only_through_ec2() -> None:
    """The machine opens the lake's key only for its volume; grants go to AWS only."""
    using = [item for item in policy(host_template(), "HostPolicy") if any("kms:" in name for name in item.actions)]
    assert len(using) == 2
    for item in using:
        conditions = item.body["Condition"]
        assert conditions["StringEquals"]["kms:ViaService"]["Fn::Sub"].startswith("ec2.")
        assert ("kms:CreateGrant" in item.actions) is (conditions.get("Bool") == {"kms:GrantIsForAWSResource": "true"})


def test_every_machine_carries_the_tag_that_lets_it_take_the_volume() -> None:
    """The volume can be attached only to machines of this stack, and each of them is marked as one at its launch."""
    tags = {item["Key"]: item for item in resource("Host")["Properties"]["Tags"]}
    asked = next(item for item in policy(host_template(), "HostPolicy") if item.sid.endswith("/TakeVolumeOnlyHere"))
    assert asked.body["Condition"] == {
        "StringEquals": {"aws:ResourceTag/EntraLakeHost": tags["EntraLakeHost"]["Value"]}
    }
    assert tags["EntraLakeHost"]["PropagateAtLaunch"] is True


# What survives.


def test_the_data_outlives_the_machine_and_the_stack() -> None:
    """The data volume is the stack's own, encrypted with the lake's key; who deletes the stack has a snapshot left."""
    volume = resource("DataVolume")
    assert (volume["DeletionPolicy"], volume["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert volume["Properties"]["Encrypted"] is True
    assert volume["Properties"]["KmsKeyId"] == {"Ref": "KeyArn"}
    assert all(item["Ebs"]["Encrypted"] for item in machine()["BlockDeviceMappings"])


def test_the_old_machine_goes_before_the_new_one_comes() -> None:
    """A volume can be held by one machine only: an update leaves none in service for a while."""
    host = resource("Host")
    assert host["UpdatePolicy"]["AutoScalingRollingUpdate"]["MinInstancesInService"] == 0
    assert host["Properties"]["MaxSize"] == "1"


def test_snapshots_are_a_choice() -> None:
    """With SnapshotDays, the volume's own tag leads the daily snapshots to it; without, there are none."""
    details = resource("Snapshots", HasSnapshots=True)["Properties"]["PolicyDetails"]
    assert details["TargetTags"][0] in resource("DataVolume")["Properties"]["Tags"]
    assert details["Schedules"][0]["RetainRule"] == {"Count": {"Ref": "SnapshotDays"}}
    for name in ("Snapshots", "SnapshotRole"):
        assert load("host.yaml")["Resources"][name]["Condition"] == "HasSnapshots"


# The first start.


def test_the_first_start_is_a_script() -> None:
    """Bash and Python accept what each new machine runs; EC2 takes no more than 16 KB of it."""
    script = first_start()
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    found = re.search(r"<<'PYTHON'\n(.*?)^PYTHON$", script, re.MULTILINE | re.DOTALL)
    assert found
    compile(found[1], "attach", "exec")
    assert script.startswith("#!/bin/bash\n")
    assert len(script.encode()) < 16_384


def test_a_volume_that_holds_anything_is_never_formatted() -> None:
    """Only where probing finds nothing a file system is made; settings are written only where there were none."""
    script = first_start()
    assert re.search(r'found=0; blkid --probe "\$device" \|\| found=\$\?\nif \[ "\$found" = 2 \]; then mkfs', script)
    assert script.count("mkfs") == 1
    guarded = script.partition("if [ ! -e /data/entra-lake/.first-start-done ]")[2].partition("\nfi\n")[0]
    assert "rm -rf" in guarded
    assert ">include/lakes.yaml" in guarded
    assert script.count("rm -rf") == script.count(">include/lakes.yaml") == 1


@pytest.mark.parametrize(
    ("has_sign_ins", "streams", "days"),
    [(True, ("sign_ins", "directory_audits"), 30), (False, ("directory_audits",), 7)],
)
def test_it_writes_the_lakes_settings(
    tmp_path: Path, *, has_sign_ins: bool, streams: tuple[str, ...], days: int
) -> None:
    """What it writes to lakes.yaml are settings of a lake: the stack's bucket, what the licence gives, and the mail."""
    path = tmp_path / "lakes.yaml"
    path.write_text(heredoc(first_start(HasNoSignIns=not has_sign_ins), "cat >include/lakes.yaml <<'SETTINGS'"))
    lake = read_lakes(path)["default"]
    assert (lake.bucket, lake.streams, lake.retention_days, lake.metrics) == (VALUES["Bucket"], streams, days, True)
    assert lake.mail.to == (VALUES["MailTo"],)
    assert (lake.database, lake.workgroup) == (LakeSettings(bucket="b").database, LakeSettings(bucket="b").workgroup)


def test_it_goes_live_with_the_documented_settings() -> None:
    """Airflow reads the connections from SSM, by the two settings of docs/docker.md; the sandbox is off."""
    script = first_start()
    settings = heredoc(script, "cat >airflow.env <<'SETTINGS'").splitlines()
    documented = (REPOSITORY / "docs" / "docker.md").read_text()
    assert len(settings) == 3
    assert all(line in documented for line in settings if line.startswith("AIRFLOW__"))
    edited = subprocess.run(
        ["sed", "s/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=/", REPOSITORY / ".env.example"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "sed 's/^COMPOSE_PROFILES=.*/COMPOSE_PROFILES=/' .env.example >.env" in script
    assert re.search(r"^COMPOSE_PROFILES=$", edited, re.MULTILINE)


# Size and cost.


def test_the_services_fit_into_the_machine() -> None:
    """The memory limits of what runs all the time add up to what the template says, with a GiB left for the rest."""
    services = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())["services"]
    running = [item for item in services.values() if item.get("restart") != "no" and not item.get("profiles")]
    limits = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", item["mem_limit"]) for item in running]
    total = sum(int(limit[:-1]) * UNITS[limit[-1]] for limit in limits)
    assert f"{total / GIB:g} GiB" in load("host.yaml")["Parameters"]["InstanceType"]["Description"]
    assert total <= 7 * GIB  # of 8 GiB


def cost() -> ModuleType:
    """Return benchmarks/cost.py."""
    spec = importlib.util.spec_from_file_location("host_cost", REPOSITORY / "benchmarks" / "cost.py")
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cost_is_that_of_the_defaults() -> None:
    """The script computes the month for the type, the volumes and the address that the template makes by default."""
    parameters = {name: item.get("Default") for name, item in load("host.yaml")["Parameters"].items()}
    names = " ".join(cost().HOST)
    assert f"{parameters['InstanceType']}, 8 GiB" in names
    assert f"data volume, {parameters['DataGiB']} GiB gp3" in names
    assert f"root volume, {machine()['BlockDeviceMappings'][0]['Ebs']['VolumeSize']} GiB gp3" in names
    assert ("public IPv4" in names) is (parameters["HasPublicAddress"] == "yes")
    assert ("snapshots" in names) is (parameters["SnapshotDays"] > 0)
