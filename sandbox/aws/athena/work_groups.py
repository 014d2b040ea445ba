"""Work groups: where results go, and how much a query may scan. Kept as one JSON file each."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from sandbox.aws.objects import file_name, write_atomically

SMALLEST_CUTOFF = 10_000_000


class RefusedError(Exception):
    """An API call is refused with an error code of AWS."""

    def __init__(self, message: str, code: str = "InvalidRequestException") -> None:
        super().__init__(message)
        self.code = code


class WorkGroups:
    """The work groups of one account; `primary` is always there."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`."""
        self.folder = folder
        self._lock = threading.Lock()
        self._groups = {"primary": _primary()}

    def load(self) -> None:
        """Read them back."""
        for path in sorted(self.folder.glob("*.json")):
            group = json.loads(path.read_bytes())
            self._groups[group["Name"]] = group

    def reset(self) -> None:
        """Leave `primary` alone."""
        with self._lock:
            self._groups = {"primary": _primary()}
            shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """CreateWorkGroup."""
        configuration = {"EnforceWorkGroupConfiguration": True} | (asked.get("Configuration") or {})
        _check(configuration)
        with self._lock:
            if asked["Name"] in self._groups:
                message = "WorkGroup is already created"
                raise RefusedError(message)
            self._keep({
                "Name": asked["Name"], "State": "ENABLED", "Configuration": configuration,
                "Description": asked.get("Description", ""), "CreationTime": time.time(),
            })  # fmt: skip
        return {}

    def update(self, asked: dict[str, Any]) -> dict[str, Any]:
        """UpdateWorkGroup."""
        changes = dict(asked.get("ConfigurationUpdates") or {})
        with self._lock:
            group = json.loads(json.dumps(self._find(asked["WorkGroup"])))
            configuration = group["Configuration"]
            results = changes.pop("ResultConfigurationUpdates", {})
            if changes.pop("RemoveBytesScannedCutoffPerQuery", False):
                configuration.pop("BytesScannedCutoffPerQuery", None)
            configuration.update(changes)
            configuration["ResultConfiguration"] = configuration.get("ResultConfiguration", {}) | results
            _check(configuration)
            group["State"] = asked.get("State", group["State"])
            group["Description"] = asked.get("Description", group["Description"])
            self._keep(group)
        return {}

    def delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        """DeleteWorkGroup."""
        with self._lock:
            if asked["WorkGroup"] == "primary":
                message = "The primary workgroup cannot be deleted"
                raise RefusedError(message)
            self._groups.pop(asked["WorkGroup"], None)
            (self.folder / f"{file_name(asked['WorkGroup'])}.json").unlink(missing_ok=True)
        return {}

    def get(self, name: str) -> dict[str, Any]:
        """Return a work group; refuse an unknown name."""
        with self._lock:
            return self._find(name)

    def list(self) -> dict[str, Any]:
        """ListWorkGroups."""
        shown = ("Name", "State", "Description", "CreationTime")
        return {"WorkGroups": [{key: group[key] for key in shown} for group in self._groups.values()]}

    def output(self, group: dict[str, Any], asked: dict[str, Any]) -> str:
        """Return the folder for results: the work group's when it is enforced, else the client's, else the group's."""
        if group["State"] != "ENABLED":
            message = f"WorkGroup {group['Name']} is disabled"
            raise RefusedError(message)
        configuration = group["Configuration"]
        own = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
        enforced = configuration.get("EnforceWorkGroupConfiguration", True) and own
        output = own if enforced else asked.get("OutputLocation") or own
        if not output:
            message = (
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
            raise RefusedError(message)
        if not output.startswith("s3://"):
            message = f"outputLocation is not a valid S3 path: {output}"
            raise RefusedError(message)
        return output if output.endswith("/") else output + "/"

    def _find(self, name: str) -> dict[str, Any]:
        if name not in self._groups:
            message = f"WorkGroup {name} is not found."
            raise RefusedError(message)
        return self._groups[name]

    def _keep(self, group: dict[str, Any]) -> None:
        self._groups[group["Name"]] = group
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{file_name(group['Name'])}.json", json.dumps(group, indent=1).encode())


def _primary() -> dict[str, Any]:
    configuration = {"EnforceWorkGroupConfiguration": False, "ResultConfiguration": {}}
    return {
        "Name": "primary",
        "State": "ENABLED",
        "Configuration": configuration,
        "Description": "",
        "CreationTime": 0.0,
    }


def _check(configuration: dict[str, Any]) -> None:
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < SMALLEST_CUTOFF:
        message = "BytesScannedCutoffPerQuery must be at least 10000000"
        raise RefusedError(message)
