"""Look for secrets in the repository's files: `python tests/secrets_scan.py`, a part of `make lint`.

What detect-secrets takes for one and is none stands in known_secrets.yaml, file by file with the reason. `--write` adds
what is new there, without a reason: whoever writes one has looked at it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
KNOWN = Path(__file__).with_name("known_secrets.yaml")
_TOOL = REPOSITORY / ".venv" / "lint" / "bin" / "detect-secrets"
#: Hashes of packages, which look like secrets by the thousand.
_NOT_SCANNED = (".lock",)
_HEAD = "# What detect-secrets takes for secrets and is none; tests/secrets_scan.py reads and writes it.\n"


def scan(folder: Path, files: Iterable[str]) -> dict[str, set[str]]:
    """Return the hashes of what looks like a secret, by file."""
    names = sorted(name for name in files if not name.endswith(_NOT_SCANNED))
    command = [str(_TOOL), "scan", *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    results: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)["results"]
    return {name: {item["hashed_secret"][:12] for item in items} for name, items in results.items()}


def complaints(found: dict[str, set[str]], known: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is new, what has no reason, and what is not there any more."""
    said = []
    for name in sorted(found.keys() | known.keys()):
        here, listed = found.get(name, set()), known.get(name, {})
        if here - set(listed.get("hashes", ())):
            said.append(f"{name}: something in it looks like a secret. Take it out, or run this with --write.")
        if set(listed.get("hashes", ())) - here:
            said.append(f"{name}: {KNOWN.name} lists what is not in it any more. Run this with --write.")
        if listed and not listed.get("why"):
            said.append(f"{name}: {KNOWN.name} does not say why that is no secret.")
    return said


def tracked() -> list[str]:
    """Return the files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (REPOSITORY / name).is_file()]


def main() -> int:
    """Scan the repository; return 1 if anything is new."""
    known = yaml.safe_load(KNOWN.read_text()) if KNOWN.exists() else {}
    found = scan(REPOSITORY, tracked())
    if "--write" in sys.argv:
        listed = {
            name: {"why": known.get(name, {}).get("why", ""), "hashes": sorted(found[name])} for name in sorted(found)
        }
        KNOWN.write_text(_HEAD + yaml.safe_dump(listed, sort_keys=False, width=120))
        return 0
    said = complaints(found, known)
    print("\n".join(said), end="\n" if said else "")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
