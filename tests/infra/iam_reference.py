"""AWS's service authorization reference, as policy_sentry ships it: which actions exist, and on what they act."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LINT = Path(sys.prefix) / "lint" / "bin"
_SCRIPT = """
import json, sys
from policy_sentry.querying.actions import get_action_data
known = {}
for action in json.load(sys.stdin):
    service, name = action.split(":")
    found = get_action_data(service, name) or {}
    known[action] = [row["resource_arn_format"] for row in found.get(service, [])]
print(json.dumps(known))
"""


def resource_formats(actions: set[str]) -> dict[str, list[str]]:
    """Return action to the formats of the ARNs that it acts on; `*` if on none, nothing if AWS does not know it."""
    assert LINT.exists(), "the linters are not installed: run make test"
    done = subprocess.run(
        [LINT / "python", "-c", _SCRIPT], input=json.dumps(sorted(actions)), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
