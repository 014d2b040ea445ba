"""Athena's API: the calls that boto3, Airflow and PyAthena make. A call that is not here is refused by name."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.aws.athena.catalog import Catalog
from sandbox.aws.athena.execution import FINAL, Execution, Runner
from sandbox.aws.athena.work_groups import RefusedError, WorkGroups
from sandbox.aws.faults import Faults
from sandbox.aws.request import Call, Reply, json_error
from sandbox.aws.storage import Storage

WORKERS = 4
KEPT_QUERIES = 2000
LONGEST_LOOK_SECONDS = 0.5
MAX_PAGE = 1000
LONGEST_QUERY = 262_144


class AthenaApi:
    """Answers Athena's calls and runs its queries in the background."""

    def __init__(self, storage: Storage, faults: Faults) -> None:
        """Serve one account; the clock is the system's plus the sandbox's offset."""
        self.faults = faults
        self.now: Callable[[], datetime] = _simulated_now
        self.catalog = Catalog(storage)
        self.work_groups = WorkGroups(storage.folder / "work_groups")
        self.executions: dict[str, Execution] = {}
        self._tokens: dict[str, str] = {}
        self._queue: queue.Queue[Execution | None] = queue.Queue()
        self._held: list[Execution] = []
        self._lock = threading.Lock()

    @property
    def is_busy(self) -> bool:
        """Tell whether a query is on its way to its end; one that is stuck on purpose is on none."""
        return self._queue.unfinished_tasks > 0

    def start(self) -> None:
        """Start the workers."""
        self.work_groups.load()
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"athena-{number}", daemon=True).start()

    def stop(self) -> None:
        """Interrupt what runs and end the workers."""
        self._cancel_all()
        for _ in range(WORKERS):
            self._queue.put(None)

    def reset(self) -> None:
        """Forget all executions and work groups."""
        self._cancel_all()
        with self._lock:
            self.executions.clear()
            self._tokens.clear()
            self._held.clear()
        self.work_groups.reset()

    def answer(self, call: Call) -> Reply:
        """Answer one call."""
        if self.faults.take_athena("down"):
            return json_error(503, "ServiceUnavailableException", "Athena is down on purpose")
        action = ACTIONS.get(call.operation)
        if action is None:
            return json_error(400, "UnknownOperationException", f"the sandbox's Athena does not know {call.operation}")
        try:
            body = action(self, call.parameters())
        except RefusedError as error:
            return json_error(400, error.code, str(error))
        return Reply(200, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    def start_query(self, asked: dict[str, Any]) -> dict[str, Any]:
        """StartQueryExecution: the same token starts one query."""
        if self.faults.take_athena("throttle"):
            message = "Rate exceeded"
            raise RefusedError(message, "ThrottlingException")
        if len(asked["QueryString"].encode()) > LONGEST_QUERY:
            message = "Query string is too long: at most 262144 bytes"
            raise RefusedError(message)
        group = self.work_groups.get(asked.get("WorkGroup") or "primary")
        output = self.work_groups.output(group, asked.get("ResultConfiguration") or {})
        token = asked.get("ClientRequestToken")
        with self._lock:
            if token and self._tokens.get(token) in self.executions:
                return self._same_query(token, asked["QueryString"])
            execution = Execution(
                asked["QueryString"],
                (asked.get("QueryExecutionContext") or {}).get("Database", "default").lower(),
                group["Name"],
                output,
                asked.get("ExecutionParameters") or [],
                group["Configuration"].get("BytesScannedCutoffPerQuery"),
            )
            self.executions[execution.id] = execution
            self._forget_oldest()
            if token:
                self._tokens[token] = execution.id
        self._queue.put(execution)
        return {"QueryExecutionId": execution.id}

    def get_query(self, asked: dict[str, Any]) -> dict[str, Any]:
        """GetQueryExecution: a look waits a little for the end; to look again would cost more than most queries."""
        execution = self._find(asked["QueryExecutionId"])
        execution.at_rest.wait(LONGEST_LOOK_SECONDS)
        return {"QueryExecution": _describe(execution)}

    def get_queries(self, asked: dict[str, Any]) -> dict[str, Any]:
        """BatchGetQueryExecution."""
        known = [name for name in asked["QueryExecutionIds"] if name in self.executions]
        unknown = [{"QueryExecutionId": name} for name in asked["QueryExecutionIds"] if name not in self.executions]
        found = [_describe(self.executions[name]) for name in known]
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": unknown}

    def get_results(self, asked: dict[str, Any]) -> dict[str, Any]:
        """GetQueryResults, in pages of at most 1,000 rows; the header is the first row of the first page."""
        execution = self._find(asked["QueryExecutionId"])
        if execution.state != "SUCCEEDED":
            why = "did not finish successfully" if execution.state in FINAL else "has not yet finished"
            message = f"Query {why}. Final query state: {execution.state}"
            raise RefusedError(message)
        rows = execution.result.page_rows()
        size = int(asked.get("MaxResults") or MAX_PAGE)
        if not 1 <= size <= MAX_PAGE:
            message = "MaxResults is more than maximum allowed length 1000"
            raise RefusedError(message)
        at = int(asked.get("NextToken") or 0)
        body: dict[str, Any] = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": [{"Data": [_cell(value) for value in row]} for row in rows[at : at + size]],
                "ResultSetMetadata": {"ColumnInfo": execution.result.column_info()},
            },
        }
        return body | ({"NextToken": str(at + size)} if at + size < len(rows) else {})

    def stop_query(self, asked: dict[str, Any]) -> dict[str, Any]:
        """StopQueryExecution."""
        self._find(asked["QueryExecutionId"]).cancel()
        return {}

    def list_queries(self, asked: dict[str, Any]) -> dict[str, Any]:
        """ListQueryExecutions: newest first."""
        group = asked.get("WorkGroup") or "primary"
        names = [one.id for one in reversed(list(self.executions.values())) if one.work_group == group]
        at, size = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or 50)
        more = {"NextToken": str(at + size)} if at + size < len(names) else {}
        return {"QueryExecutionIds": names[at : at + size]} | more

    def _forget_oldest(self) -> None:
        """Hold the results of a bounded number of queries in memory; their objects in S3 stay."""
        for name in list(self.executions)[: max(0, len(self.executions) - KEPT_QUERIES)]:
            if self.executions[name].state in FINAL:
                del self.executions[name]

    def _same_query(self, token: str, sql: str) -> dict[str, Any]:
        execution = self.executions[self._tokens[token]]
        if execution.sql != sql:
            message = "Idempotent parameters do not match"
            raise RefusedError(message)
        return {"QueryExecutionId": execution.id}

    def _find(self, name: str) -> Execution:
        if name not in self.executions:
            message = f"QueryExecution {name} was not found"
            raise RefusedError(message)
        return self.executions[name]

    def _work(self) -> None:
        runner = Runner(self.catalog, self.faults, lambda: self.now())  # noqa: PLW0108 - the clock may be changed later
        while (execution := self._queue.get()) is not None:
            if self.faults.take_athena("stuck_queued"):
                self._held.append(execution)  # it stays QUEUED until it is stopped
                execution.at_rest.set()
            else:
                runner.run(execution)
            self._queue.task_done()

    def _cancel_all(self) -> None:
        for execution in list(self.executions.values()):
            execution.cancel()


def _describe(execution: Execution) -> dict[str, Any]:
    ended = execution.completed or time.time()
    started = execution.started or ended
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.completed:
        status["CompletionDateTime"] = execution.completed
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.state == "FAILED":
        user = not execution.reason.startswith(("GENERIC_INTERNAL", "HIVE_CANNOT_OPEN"))
        status["AthenaError"] = {
            "ErrorCategory": 2 if user else 1,
            "ErrorType": 1006,
            "Retryable": not user,
            "ErrorMessage": execution.reason,
        }
    return {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "StatementType": execution.statement_type,
        "ResultConfiguration": {"OutputLocation": execution.location},
        "QueryExecutionContext": {"Database": execution.database, "Catalog": "awsdatacatalog"},
        "Status": status,
        "Statistics": {
            "DataScannedInBytes": execution.scanned,
            "EngineExecutionTimeInMillis": int((ended - started) * 1000),
            "TotalExecutionTimeInMillis": int((ended - execution.submitted) * 1000),
            "QueryQueueTimeInMillis": int((started - execution.submitted) * 1000),
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        },
        "WorkGroup": execution.work_group,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
    } | ({"ExecutionParameters": execution.parameters} if execution.parameters else {})


def _cell(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _simulated_now() -> datetime:
    offset = float(os.environ.get("ENTRA_LAKE_CLOCK_OFFSET_SECONDS") or 0)
    return datetime.now(UTC) + timedelta(seconds=offset)


ACTIONS: dict[str, Callable[[AthenaApi, dict[str, Any]], dict[str, Any]]] = {
    "StartQueryExecution": AthenaApi.start_query,
    "GetQueryExecution": AthenaApi.get_query,
    "BatchGetQueryExecution": AthenaApi.get_queries,
    "GetQueryResults": AthenaApi.get_results,
    "StopQueryExecution": AthenaApi.stop_query,
    "ListQueryExecutions": AthenaApi.list_queries,
    "CreateWorkGroup": lambda api, asked: api.work_groups.create(asked),
    "UpdateWorkGroup": lambda api, asked: api.work_groups.update(asked),
    "DeleteWorkGroup": lambda api, asked: api.work_groups.delete(asked),
    "GetWorkGroup": lambda api, asked: {"WorkGroup": api.work_groups.get(asked["WorkGroup"])},
    "ListWorkGroups": lambda api, _: api.work_groups.list(),
}
