"""One lake at work: its settings and the services that hold it, put together once per task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from entra_lake.athena import Athena
from entra_lake.aws import Aws
from entra_lake.budget import Budget, Priority
from entra_lake.clock import Clock, system_clock
from entra_lake.connections import Connection, GraphConnection, read_connection
from entra_lake.errors import ConfigurationError, ConflictError, WrongTenantError
from entra_lake.folder_store import FolderStore
from entra_lake.gate import Gate
from entra_lake.graph import GraphClient
from entra_lake.layout import LAKE_KEY, budget_key
from entra_lake.schema import Stream
from entra_lake.settings import LakeSettings, read_lake
from entra_lake.slices import iso
from entra_lake.store import S3Store
from entra_lake.store_protocol import Store
from entra_lake.streams import get_stream

GetConnection = Callable[[str], Connection]


@dataclass(frozen=True)
class Lake:
    """One tenant's lake.

    :param settings: its entry in lakes.yaml.
    :param graph: how to reach Graph.
    :param session: how to reach AWS; None for a lake in a plain folder.
    :param to_dir: the plain folder that holds the lake instead of a bucket; it has no Athena.
    :param folder: where builds may use this machine's disk; None: the system's temporary folder.
    :param on_token: is told each new token, so that logs can be masked.
    :param priority: whose turn it is when several runs want to ask Graph.
    """

    settings: LakeSettings
    graph: GraphConnection
    session: Aws | None
    clock: Clock
    to_dir: Path | None = None
    folder: Path | None = None
    on_token: Callable[[str], None] | None = None
    priority: Priority = Priority.BACKFILL

    @property
    def tenant_id(self) -> str:
        """Return the tenant whose logs the lake keeps."""
        return self.graph.tenant_id

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Return the streams that the lake keeps."""
        return tuple(get_stream(name) for name in self.settings.streams)

    @property
    def aws(self) -> Aws:
        """Return how to reach AWS.

        :raises ConfigurationError: when the lake is a plain folder.
        """
        if self.session is None:
            message = f"The lake in {self.to_dir} is a plain folder, which has no AWS. Leave --to-dir out for that."
            raise ConfigurationError(message)
        return self.session

    @cached_property
    def store(self) -> Store:
        """Return where the lake's objects are: its bucket, or its folder."""
        if self.to_dir:
            return FolderStore(self.to_dir)
        return S3Store(self.aws.client("s3"), self.settings.bucket, self.settings.prefix)

    @cached_property
    def athena(self) -> Athena:
        """Return the lake's database."""
        return Athena(
            self.aws.client("athena"),
            database=self.settings.database,
            workgroup=self.settings.workgroup,
            clock=self.clock,
        )

    @cached_property
    def glue(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the catalogue, to look at what a table is."""
        return self.aws.client("glue")

    def open_graph(self) -> GraphClient:
        """Return a client for Graph behind the budget that all tasks share."""
        budget = S3Budget(self.store, budget_key(self.graph.client_id, self.tenant_id))
        limit = self.settings.requests_per_10_seconds
        gate = Gate(budget, self.clock, requests_per_10_seconds=limit, priority=self.priority)
        return GraphClient(self.graph, gate=gate, clock=self.clock, on_token=self.on_token)


def open_lake(  # noqa: PLR0913 - what a lake is put together from
    settings: LakeSettings | None = None,
    *,
    get_connection: GetConnection = read_connection,
    aws: Aws | None = None,
    clock: Clock | None = None,
    to_dir: Path | None = None,
    on_token: Callable[[str], None] | None = None,
) -> Lake:
    """Put a lake together from settings and connections.

    :param settings: the lake; without it, the one called `default`.
    :param get_connection: reads a connection by its id; `AIRFLOW_CONN_…` variables without it.
    :param aws: a session that somebody else has made, such as Airflow's AWS hook.
    :param to_dir: a plain folder to keep the lake in; no AWS connection is read then.
    :param on_token: is told each new token, so that logs can be masked.
    :raises ConfigurationError: when a connection or setting is missing or wrong.
    """
    settings = settings or read_lake()
    return Lake(
        settings=settings,
        graph=GraphConnection.from_connection(get_connection(settings.graph_conn_id)),
        session=None if to_dir else aws or Aws.from_connection(get_connection(settings.aws_conn_id)),
        clock=clock or system_clock(),
        to_dir=to_dir,
        on_token=on_token,
    )


@dataclass(frozen=True)
class S3Budget:
    """The request budget as an object that all processes and hosts share."""

    store: Store
    key: str

    def read(self) -> tuple[Budget, str | None]:
        """Return the budget and its ETag; an empty one and None when nobody has written it."""
        found = self.store.read(self.key)
        return (Budget.from_json(found[0]), found[1]) if found else (Budget(), None)

    def write(self, budget: Budget, etag: str | None) -> str | None:
        """Replace the budget that has this ETag; None when somebody else wrote first."""
        return self.store.replace(self.key, budget.to_json(), etag)


def claim_lake(lake: Lake) -> dict[str, Any]:
    """Write `lake.json` at the first run, and make sure at every other that it is the same tenant.

    A new lake is claimed only when the login service knows the tenant: a mistyped id would hold it for ever.

    :returns: what lake.json holds.
    :raises WrongTenantError: when the lake was begun for another tenant.
    :raises CredentialError: when the lake is new and the application cannot log in.
    """
    found = lake.store.read(LAKE_KEY)
    if found is None:
        _check_tenant(lake)
        if facts := _begin_lake(lake):
            return facts
        found = lake.store.read(LAKE_KEY)
    if found is None:
        message = f"{lake.store.url(LAKE_KEY)} exists and cannot be read. Trying again later."
        raise ConflictError(message)
    return _with_streams(_same_tenant(_parse(found[0], lake), lake), found[1], lake)


def find_claim(lake: Lake) -> dict[str, Any] | None:
    """Return what lake.json holds; None when no run has begun the lake.

    :raises WrongTenantError: when the lake was begun for another tenant.
    """
    found = lake.store.read(LAKE_KEY)
    return _same_tenant(_parse(found[0], lake), lake) if found else None


def _check_tenant(lake: Lake) -> None:
    with lake.open_graph() as graph:
        tenant_id = graph.log_in()
    if tenant_id and tenant_id.lower() != lake.tenant_id.lower():
        message = (
            f"Connection {lake.graph.conn_id!r}: extra.tenant_id is {lake.tenant_id!r}, and the login service calls "
            f"the tenant {tenant_id}. Write that id there: it names the lake's tenant in every record."
        )
        raise ConfigurationError(message)


def _begin_lake(lake: Lake) -> dict[str, Any] | None:
    """Write lake.json; return what it holds, or None when another run was first."""
    first_day = lake.clock.now().date() - timedelta(days=lake.settings.retention_days)
    facts: dict[str, Any] = {
        "format": 1,
        "tenant_id": lake.tenant_id,
        "collect_from": str(first_day),
        "created_at": iso(lake.clock.now()),
    }
    facts["streams"] = {name: _beginning(facts) for name in lake.settings.streams}
    return facts if lake.store.create(LAKE_KEY, json.dumps(facts, indent=1).encode()) else None


def _with_streams(facts: dict[str, Any], etag: str, lake: Lake) -> dict[str, Any]:
    """Note since when the lake has the streams that came after it: what happened before is out of scope, not lost.

    A lake from before lake.json named streams has had its own from the first day on.
    """
    begun = facts.get("streams")
    missing = [name for name in lake.settings.streams if name not in (begun or {})]
    if not missing:
        return facts
    now = lake.clock.now()
    first_day = now.date() - timedelta(days=lake.settings.retention_days)
    since = facts if begun is None else {"collect_from": str(first_day), "created_at": iso(now)}
    added = {**facts, "streams": {**(begun or {}), **{name: _beginning(since) for name in missing}}}
    lake.store.replace(LAKE_KEY, json.dumps(added, indent=1).encode(), etag)  # or another run does it
    return added


def _beginning(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("collect_from", "created_at") if name in facts}


def _same_tenant(facts: dict[str, Any], lake: Lake) -> dict[str, Any]:
    if facts.get("tenant_id") != lake.tenant_id:
        message = (
            f"{lake.store.url(LAKE_KEY)} says that this lake belongs to tenant {facts.get('tenant_id')}, and the "
            f"connection {lake.graph.conn_id!r} is for {lake.tenant_id}. Give each tenant a lake of its own in "
            "include/lakes.yaml, or correct the connection's tenant_id."
        )
        raise WrongTenantError(message)
    return facts


def _parse(content: bytes, lake: Lake) -> dict[str, Any]:
    try:
        facts = json.loads(content)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        message = f"{lake.store.url(LAKE_KEY)} is no JSON object. Restore it from its noncurrent version."
        raise ConfigurationError(message)
    return facts
