"""Run statements in Athena and wait for their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.aws import map_error
from entra_lake.clock import Clock
from entra_lake.errors import AthenaUnavailableError, ConfigurationError, QueryFailedError, StoreUnavailableError

#: A query may take so long; Athena itself ends DML after 30 minutes.
LONGEST_QUERY_SECONDS = 600.0
_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 2.0

#: What a query says that read an object while it was replaced; it is worth one more try.
_REPLACED = ("HIVE_CANNOT_OPEN_SPLIT", "HIVE_FILESYSTEM_ERROR", "HIVE_CURSOR_ERROR")
_BUSY = (
    "GENERIC_INTERNAL_ERROR",
    "INTERNAL_ERROR",
    "exhausted resources",
    "ThrottlingException",
    "Rate exceeded",
    "SlowDown",
)
_THROTTLED = ("ThrottlingException", "TooManyRequestsException", "InternalServerException")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a statement gave.

    :param rows: one dict per row, column name to text; None for NULL.
    :param bytes_scanned: what Athena bills.
    """

    query_id: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str | None], ...]
    bytes_scanned: int


class Athena:
    """One database and workgroup.

    :param longest_query_seconds: after so long a query is stopped and given up.
    :raises QueryFailedError: when Athena refuses a statement.
    :raises AthenaUnavailableError: when a query was throttled, cancelled or did not finish.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3
        *,
        database: str,
        workgroup: str,
        clock: Clock,
        longest_query_seconds: float = LONGEST_QUERY_SECONDS,
    ) -> None:
        self._client = client
        self.database = database
        self.workgroup = workgroup
        self._clock = clock
        self._longest_query_seconds = longest_query_seconds

    def check(self) -> None:
        """Make sure that the workgroup exists and takes queries.

        :raises ConfigurationError: when it does not.
        """
        if self._look_at_workgroup().get("State") == "DISABLED":
            raise self._no_workgroup()

    def output_location(self) -> str | None:
        """Return where the workgroup puts answers, `s3://bucket/prefix/`; None where it names no place.

        :raises ConfigurationError: when the workgroup does not exist.
        """
        results = self._look_at_workgroup().get("Configuration", {}).get("ResultConfiguration", {})
        return results.get("OutputLocation") or None

    def _look_at_workgroup(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client.get_work_group(WorkGroup=self.workgroup)["WorkGroup"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRequestException":
                raise self._no_workgroup() from error
            raise map_error(error, f"Athena workgroup {self.workgroup}") from error
        return found

    def run(self, statement: str) -> Answer:
        """Run one statement to its end and return all rows of its answer.

        A query that failed because an object was replaced under it runs once more.
        """
        try:
            return self._run(statement)
        except AthenaUnavailableError as error:
            if not any(sign in error.message for sign in _REPLACED):
                raise
            return self._run(statement)

    def _run(self, statement: str) -> Answer:
        query_id = self._start(statement)
        facts = self._wait(query_id, statement)
        rows = list(self._rows(query_id))
        return Answer(
            query_id=query_id,
            columns=tuple(rows[0]) if rows else (),
            rows=tuple(rows),
            bytes_scanned=int(facts.get("Statistics", {}).get("DataScannedInBytes", 0)),
        )

    def _start(self, statement: str) -> str:
        try:
            answer = self._client.start_query_execution(
                QueryString=statement,
                QueryExecutionContext={"Database": self.database},
                WorkGroup=self.workgroup,
            )
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error, statement) from error
        return str(answer["QueryExecutionId"])

    def _wait(self, query_id: str, statement: str) -> dict[str, Any]:
        began = self._clock.monotonic()
        pause = _FIRST_POLL_SECONDS
        while True:
            facts = self._look(query_id, statement)
            state = facts["Status"]["State"]
            if state == "SUCCEEDED":
                return facts
            if state in {"FAILED", "CANCELLED"}:
                raise _failure(state, str(facts["Status"].get("StateChangeReason", "")), query_id, statement)
            if self._clock.monotonic() - began > self._longest_query_seconds:
                raise self._too_long(query_id, state)
            self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)

    def _look(self, query_id: str, statement: str) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error, statement) from error
        return facts

    def _rows(self, query_id: str) -> Iterator[dict[str, str | None]]:
        names: list[str] | None = None
        try:
            for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id):
                for row in page["ResultSet"].get("Rows", ()):
                    values = [cell.get("VarCharValue") for cell in row.get("Data", ())]
                    if names is None:
                        names = [str(value) for value in values]
                    else:
                        yield dict(zip(names, values, strict=True))
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error, f"results of query {query_id}") from error

    def _refused(self, error: ClientError | BotoCoreError, statement: str) -> Exception:
        what = f"Athena, {_first_line(statement)!r}"
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _THROTTLED:
            return AthenaUnavailableError(f"{what}: Athena is busy. Trying again later.")
        mapped = map_error(error, what)
        is_passing = isinstance(mapped, StoreUnavailableError)
        if (
            is_passing
            and isinstance(error, ClientError)
            and error.response["Error"]["Code"] == "InvalidRequestException"
        ):
            return QueryFailedError(f"{what}: {error.response['Error'].get('Message', '')[:300]} Check the statement.")
        return AthenaUnavailableError(mapped.message) if is_passing else mapped

    def _too_long(self, query_id: str, state: str) -> AthenaUnavailableError:
        try:
            self._client.stop_query_execution(QueryExecutionId=query_id)
        except (ClientError, BotoCoreError):
            state += ", and could not be stopped"
        return AthenaUnavailableError(
            f"Athena query {query_id} is still {state} after {self._longest_query_seconds:.0f} s. Trying again later.",
            request_id=query_id,
        )

    def _no_workgroup(self) -> ConfigurationError:
        return ConfigurationError(
            f"Athena workgroup {self.workgroup!r} does not exist or is disabled. Make it, or correct "
            "`workgroup` in include/lakes.yaml."
        )


def _failure(state: str, reason: str, query_id: str, statement: str) -> Exception:
    said = f"Athena query {query_id} ({_first_line(statement)!r}) ended {state}: {reason[:500] or 'no reason given'}."
    if state == "CANCELLED" or any(sign in reason for sign in (*_REPLACED, *_BUSY)):
        return AthenaUnavailableError(f"{said} Trying again.", request_id=query_id)
    return QueryFailedError(
        f"{said} Check that the tables exist and that the role may use them; then run the task again.",
        request_id=query_id,
    )


def _first_line(statement: str) -> str:
    return " ".join(statement.split())[:80]
