"""What every template of infra/ keeps: two linters, and no right that is wider than it must be.

No template has been deployed to a real AWS account; moto's create_stack skips most of these resources, so it proves
nothing. These tests look at the templates themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfn_templates import INFRA, TEMPLATES, Statement, load, statements, variants
from iam_reference import LINT, resource_formats

#: Where `*` stands as a resource, and why AWS demands it.
EVERY_RESOURCE = {
    "Key/AccountManagesKey": "in a key policy, * is the key itself",
    "Key/AlarmsReachTopic": "in a key policy, * is the key itself",
    "HostPolicy/OpenSessions": "Session Manager's channels are no resources; the region limits them",
    "WriterPolicy/PutMetrics": "PutMetricData acts on no resource; the namespace limits it",
}
#: Where an action ends in `*`, and why.
EVERY_ACTION = {"Key/AccountManagesKey": "without it nobody can manage the key any more (AWS's default key policy)"}

every_template = pytest.mark.parametrize("name", [path.name for path in TEMPLATES])


def every_statement() -> list[Statement]:
    """Return all statements of all templates, in every combination of their conditions, each once."""
    found = {}
    for path in TEMPLATES:
        for variant in variants(path.name):
            found |= {(item.template, item.sid, json.dumps(item.body)): item for item in statements(variant, path.name)}
    return list(found.values())


@pytest.mark.slow
def test_cfn_lint_is_content() -> None:
    """AWS's own rules of CloudFormation find nothing, not even a warning."""
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "cfn-lint", "--include-checks", "W", "--", *TEMPLATES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_checkov_is_content() -> None:
    """Checkov finds nothing in any template, but for what the templates themselves except with a reason."""
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "-o", "json"]
    done = subprocess.run(
        [LINT / "checkov", "-d", INFRA, *options], capture_output=True, text=True, check=False, timeout=120
    )
    found = json.loads(done.stdout)
    failed = [
        f"{item['check_id']} {item['resource']}: {item['check_name']}" for item in found["results"]["failed_checks"]
    ]
    assert failed == []
    assert done.returncode == 0
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["resource_count"] >= sum(len(load(path.name)["Resources"]) for path in TEMPLATES)
    assert found["summary"]["skipped"] == len(exceptions())


def exceptions() -> list[tuple[str, dict[str, str]]]:
    """Return the checks that the templates except: resource, and what it says."""
    return [
        (logical, skip)
        for path in TEMPLATES
        for logical, resource in load(path.name)["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", ())
    ]


def test_every_exception_has_its_reason() -> None:
    """A check is excepted only for one resource, with a sentence that says why."""
    for logical, skip in exceptions():
        assert len(skip["comment"].split()) >= 6, logical
    for path in TEMPLATES:
        text = path.read_text()
        assert "checkov:skip" not in text
        assert "cfn-lint" not in load(path.name).get("Metadata", {})


@every_template
def test_it_says_that_it_was_never_deployed(name: str) -> None:
    """Until somebody has deployed it, the template says that nobody has."""
    assert "never deployed to a real AWS account" in " ".join(load(name)["Description"].split())


def test_actions_are_named_one_by_one() -> None:
    """No statement allows `s3:*` or `*`, but the one that AWS's own default key policy has."""
    wild = {item.sid for item in every_statement() if item.is_allowing and any("*" in name for name in item.actions)}
    assert wild == set(EVERY_ACTION)


def test_resources_are_named_one_by_one() -> None:
    """`*` stands as a resource only where AWS leaves no choice: in key policies, and for actions on no resource."""
    wild = [item for item in every_statement() if item.is_allowing and "*" in item.resources]
    assert {item.sid for item in wild} == set(EVERY_RESOURCE)
    for item in wild:
        assert item.body.get("Condition") or item.sid in EVERY_ACTION, item.sid
    actions = {action for item in wild if item.kind != "AWS::KMS::Key" for action in item.actions}
    assert {action: formats for action, formats in resource_formats(actions).items() if formats != ["*"]} == {}


def test_every_action_exists() -> None:
    """AWS knows each action by this name: a mistyped one would be accepted and grant nothing."""
    actions = {action for item in every_statement() for action in item.actions if not action.endswith("*")}
    assert [action for action, formats in resource_formats(actions).items() if not formats] == []


def test_only_named_principals_are_trusted() -> None:
    """Nobody is allowed everything, and no policy trusts the world: `*` stands only where something is refused."""
    for item in every_statement():
        principal: Any = item.body.get("Principal")
        if item.is_allowing and principal:
            assert principal != "*", item.sid
            assert "*" not in principal.values(), item.sid


def test_names_in_policies_are_unique() -> None:
    """Each statement has a Sid of its own within its policy, so that a message can name it."""
    for path in TEMPLATES:
        for variant in variants(path.name):
            sids = [item.sid for item in statements(variant, path.name) if item.kind != "AWS::IAM::Role"]
            assert len(sids) == len(set(sids))
            assert all(sid.partition("/")[2] for sid in sids)
