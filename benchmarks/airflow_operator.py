"""Airflow's own MSGraphAsyncOperator reads the simulated tenant: `python benchmarks/airflow_operator.py PAGES LATENCY`.

It needs the packages of requirements-operator.lock; `benchmarks/extraction.py` runs it in their environment and reads
the JSON that it prints. The operator, its trigger and its hook are the provider's own. What Airflow does around them
takes no time here: a scheduler, a triggerer and a database would add some seconds to each page. The pauses of the
hook's retry handler wait on the simulated clock. What the operator pushes to XCom is counted, not written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.exceptions import AirflowException, TaskDeferred
from airflow.providers.microsoft.azure.operators.msgraph import MSGraphAsyncOperator
from kiota_http.middleware import retry_handler

from benchmarks.rivals import together
from benchmarks.scene import DAY, NOW, Scene, sign_ins, simulated_time, tenant
from entra_lake.slices import Slice, filter_text

PAGE_SIZE = 5


class TaskInstance:
    """The part of a task instance that the operator uses; it counts the bytes that XCom would be given."""

    map_index = -1

    def __init__(self) -> None:
        self.pushed_bytes = 0
        self._value: list[dict[str, Any]] = []
        self._sizes: list[int] = []

    def xcom_pull(self, **_: Any) -> list[dict[str, Any]]:
        """Return what was pushed last."""
        return self._value

    def xcom_push(self, key: str, value: list[dict[str, Any]]) -> None:
        """Keep the pages, and count them all again: that is what is written."""
        del key
        self._sizes += [len(json.dumps(page)) for page in value[len(self._sizes) :]]
        self._value = value
        self.pushed_bytes += sum(self._sizes)


async def run_operator(operator: MSGraphAsyncOperator, context: dict[str, Any]) -> None:
    """Do what Airflow does for a task that defers: run its trigger, and resume it with the event."""
    step, arguments = operator.execute, {}
    while True:
        try:
            step(context, **arguments)
        except TaskDeferred as deferred:
            async for event in deferred.trigger.run():
                step = getattr(operator, deferred.method_name)
                arguments = {**(deferred.kwargs or {}), "event": event.payload}
                break
        else:
            return


def connect(scene: Scene) -> None:
    """Describe the tenant as the provider's connection wants it."""
    settings = scene.cloud.settings
    authority, tenant_id = settings["authority"].rsplit("/", 1)
    host, port = settings["graph_url"].removeprefix("https://").split(":")
    os.environ["AIRFLOW_CONN_MSGRAPH_DEFAULT"] = json.dumps({
        "conn_type": "msgraph",
        "schema": "https",
        "host": f"{host}:{port}",
        "login": settings["client_id"],
        "password": scene.cloud.state.client_secret,
        "extra": {
            "tenant_id": tenant_id,
            "authority": authority,
            "verify": settings["ca_bundle"],
            "disable_instance_discovery": True,
            "allowed_hosts": host,
            "api_version": "v1.0",
        },
    })  # fmt: skip


def measure(pages: int, latency: float) -> dict[str, Any]:
    """Let the operator read a day of so many pages; return what it took."""
    stream = sign_ins(page_size=PAGE_SIZE)
    with tempfile.TemporaryDirectory() as folder, tenant(Path(folder), pages * PAGE_SIZE, latency) as scene:
        connect(scene)
        time, task, failures = simulated_time(scene), TaskInstance(), []

        async def sleep(seconds: float) -> None:
            time.sleep(seconds)

        retry_handler.asyncio = SimpleNamespace(sleep=sleep)
        query = {"$filter": filter_text(stream, Slice.of_day(DAY)), "$top": str(PAGE_SIZE)}
        read = MSGraphAsyncOperator(task_id="read", url="auditLogs/signIns", query_parameters=query)

        def work() -> None:
            try:
                asyncio.run(run_operator(read, {"ti": task}))
            except AirflowException as error:
                failures.append(str(error)[:300])

        together(time, [work])
        return {
            "seconds": time.seconds() - NOW.timestamp(),
            "answered": scene.answered(),
            "refused": scene.refused(),
            "pushed_bytes": task.pushed_bytes,
            "failure": failures[0] if failures else "",
            "version": version("apache-airflow-providers-microsoft-azure"),
        }


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2]))))
