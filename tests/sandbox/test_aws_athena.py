"""The simulated Athena runs its queries: partitions must be registered, types must fit, every outcome is a state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from aws_cloud import BUCKET, OUTPUT, Cloud
from botocore.exceptions import ClientError

CREATE = f"""
-- the table of the tests
CREATE EXTERNAL TABLE IF NOT EXISTS db.logs (
  id string COMMENT 'Graph''s id, -- not a comment',
  n bigint, `user` string, event_time timestamp, tags array<string>, later string
)
PARTITIONED BY (dt string)
STORED AS PARQUET
LOCATION 's3://{BUCKET}/logs'
TBLPROPERTIES ('schema_version' = '1', 'parquet.compression' = 'ZSTD');
"""
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def day(number: int) -> dict[str, object]:
    """Return the columns of one day's object; `later` is not in it."""
    moments = [datetime(2026, 1, number, hour, tzinfo=UTC) for hour in (1, 2)]
    return {
        "id": [f"{number}a", f"{number}b"],
        "n": pa.array([number, None], pa.int64()),
        "user": ["x" * 500, "y"],
        "event_time": pa.array(moments, pa.timestamp("ms", "UTC")),
        "tags": [["x", "y"], []],
    }


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Make a cloud with a table of three days, of which two are registered."""
    made = Cloud(tmp_path_factory.mktemp("aws"))
    made.rows("CREATE DATABASE db")
    made.rows(CREATE)
    for number, name in enumerate(DAYS, 1):
        made.put_parquet(f"logs/dt={name}/logs.parquet", day(number))
    made.rows(
        f"ALTER TABLE logs ADD IF NOT EXISTS PARTITION (dt='{DAYS[0]}') LOCATION 's3://{BUCKET}/logs/dt={DAYS[0]}/' "
        f"PARTITION (dt='{DAYS[1]}')"
    )
    yield made
    made.aws.stop()


def test_only_registered_partitions_are_seen(cloud: Cloud) -> None:
    """The third day is in S3 and not in the catalogue: it has no rows."""
    assert cloud.rows("SELECT dt, count(*) FROM logs GROUP BY dt ORDER BY dt") == [[DAYS[0], "2"], [DAYS[1], "2"]]
    assert cloud.rows("SHOW PARTITIONS logs") == [["dt=2026-01-01"], ["dt=2026-01-02"]]


def test_the_same_question_about_another_day_has_another_answer(cloud: Cloud) -> None:
    """A statement is checked once for all days; each is asked with its own, wherever they stand in it."""
    columns = "'{0}' AS asked, dt, min(id), date_diff('day', DATE '{0}', DATE '{1}')"
    question = f"SELECT {columns} FROM logs WHERE dt = '{{0}}' GROUP BY dt"
    assert cloud.rows(question.format(*DAYS[:2])) == [[DAYS[0], DAYS[0], "1a", "1"]]
    assert cloud.rows(question.format(*DAYS[1:])) == [[DAYS[1], DAYS[1], "2a", "1"]]
    assert cloud.rows(question.format(DAYS[1], DAYS[1])) == [[DAYS[1], DAYS[1], "2a", "0"]]
    assert cloud.rows("SELECT '0001-01-01' || '2026-01-02'") == [["0001-01-012026-01-02"]]


def test_values_are_printed_as_athena_prints_them(cloud: Cloud) -> None:
    """Timestamps have milliseconds, NULL has no value, a declared column that is not in the file is NULL."""
    found = cloud.rows("SELECT id, n, event_time, tags, later, dt FROM logs WHERE id IN ('1a', '1b') ORDER BY id")
    assert found == [
        ["1a", "1", "2026-01-01 01:00:00.000", "[x, y]", None, "2026-01-01"],
        ["1b", None, "2026-01-01 02:00:00.000", "[]", None, "2026-01-01"],
    ]


def test_the_result_says_its_names_and_types(cloud: Cloud) -> None:
    """The first row is the header, unnamed columns are _col0, ColumnInfo holds Athena's types."""
    query = cloud.run("SELECT count(*), max(event_time) AS latest, 1 + 1 FROM logs")["QueryExecutionId"]
    result = cloud.athena.get_query_results(QueryExecutionId=query)["ResultSet"]
    assert [cell["VarCharValue"] for cell in result["Rows"][0]["Data"]] == ["_col0", "latest", "_col2"]
    assert [column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]] == [
        "bigint",
        "timestamp",
        "integer",
    ]


def test_results_are_paged_and_written(cloud: Cloud) -> None:
    """Pages of any size give every row once; <id>.csv holds quoted values, and nothing for NULL."""
    done = cloud.run("SELECT id, n FROM logs ORDER BY id")
    pages = cloud.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=done["QueryExecutionId"], PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [2, 2, 1]
    location = done["ResultConfiguration"]["OutputLocation"]
    assert location == f"{OUTPUT}{done['QueryExecutionId']}.csv"
    text = cloud.s3.get_object(Bucket=BUCKET, Key=location.removeprefix(f"s3://{BUCKET}/"))["Body"].read().decode()
    assert text == '"id","n"\n"1a","1"\n"1b",\n"2a","2"\n"2b",\n'


def test_only_the_chunks_needed_are_scanned(cloud: Cloud) -> None:
    """Fewer columns and fewer partitions scan less; count(*) scans nothing."""

    def scanned(sql: str) -> int:
        return cloud.run(sql)["Statistics"]["DataScannedInBytes"]

    everything, one_column = scanned("SELECT * FROM logs"), scanned("SELECT id FROM logs")
    one_day = scanned(f"SELECT id FROM logs WHERE dt = '{DAYS[0]}'")
    assert everything > one_column > one_day > 0
    assert scanned("SELECT count(*) FROM logs") == 0
    assert scanned(f"SELECT id FROM (SELECT * FROM logs) WHERE dt BETWEEN '{DAYS[0]}' AND '{DAYS[0]}'") == one_day
    assert scanned("SELECT id FROM logs WHERE dt = '1999-01-01'") == 0
    view = "SELECT id, dt FROM (SELECT id, dt FROM logs WHERE id <> 'x' AND id <> 'y')"
    assert scanned(f"SELECT id FROM ({view}) WHERE dt = '1999-01-01' AND id <> 'z'") == 0


def test_an_outer_join_is_not_pruned_wrongly(cloud: Cloud) -> None:
    """A condition that NULL fulfils keeps the partitions it speaks of."""
    sql = f"""
        SELECT count(*) FROM (VALUES '2a') AS a(id) LEFT JOIN logs b ON a.id = b.id
        WHERE b.dt IS NULL OR b.dt = '{DAYS[0]}'"""
    assert cloud.rows(sql) == [["0"]]


def test_a_window_function_in_a_view_is_not_pruned_wrongly(cloud: Cloud) -> None:
    """A condition on the outside does not reach below a window function."""
    numbered = "SELECT dt, row_number() OVER (ORDER BY dt, id) AS r FROM logs"
    sql = f"SELECT r FROM ({numbered}) WHERE dt = '{DAYS[1]}' ORDER BY r"
    assert cloud.rows(sql) == [["3"], ["4"]]


def test_an_empty_or_hidden_location_gives_no_rows(cloud: Cloud) -> None:
    """A registered partition without visible objects is empty, not an error."""
    cloud.rows(
        "CREATE EXTERNAL TABLE hidden (id string) PARTITIONED BY (dt string) "
        f"STORED AS PARQUET LOCATION 's3://{BUCKET}/hidden/'"
    )
    cloud.put("hidden/dt=1/_tmp.parquet", b"not parquet")
    cloud.put("hidden/dt=1/.tmp", b"not parquet")
    cloud.rows("ALTER TABLE hidden ADD PARTITION (dt='1') PARTITION (dt='2')")
    assert cloud.rows("SELECT count(*) FROM hidden") == [["0"]]


def test_path_names_the_object(cloud: Cloud) -> None:
    """Selecting "$path" gives the object's address; the star does not show it."""
    assert cloud.rows(f"SELECT DISTINCT \"$path\" FROM logs WHERE dt = '{DAYS[0]}'") == [
        [f"s3://{BUCKET}/logs/dt={DAYS[0]}/logs.parquet"]
    ]
    assert len(cloud.rows("SELECT * FROM logs")[0]) == 7


def test_a_wrong_type_fails_only_when_the_column_is_read(cloud: Cloud) -> None:
    """HIVE_BAD_DATA names column, file and types; queries that leave the column alone succeed."""
    cloud.rows(f"CREATE EXTERNAL TABLE drift (id string, n int) STORED AS PARQUET LOCATION 's3://{BUCKET}/drift/'")
    cloud.put_parquet("drift/one.parquet", {"id": ["a"], "n": ["seven"]})
    assert cloud.rows("SELECT id FROM drift") == [["a"]]
    assert cloud.reason("SELECT n FROM drift") == (
        f"HIVE_BAD_DATA: Field n's type BINARY in parquet file s3://{BUCKET}/drift/one.parquet "
        "is incompatible with type integer defined in table schema"
    )


def test_microseconds_are_rounded_to_milliseconds(cloud: Cloud) -> None:
    """Athena's timestamp has three digits."""
    cloud.rows(f"CREATE EXTERNAL TABLE fine (ts timestamp) STORED AS PARQUET LOCATION 's3://{BUCKET}/fine/'")
    cloud.put_parquet(
        "fine/one.parquet",
        {"ts": pa.array([datetime(2026, 1, 1, 0, 0, 0, 1600, tzinfo=UTC)], pa.timestamp("us", "UTC"))},
    )
    assert cloud.rows("SELECT ts, ts = timestamp '2026-01-01 00:00:00.002' FROM fine") == [
        ["2026-01-01 00:00:00.002", "true"]
    ]


def test_what_is_not_parquet_is_bad_data(cloud: Cloud) -> None:
    """A file that is no Parquet fails the query."""
    cloud.rows(f"CREATE EXTERNAL TABLE broken (id string) STORED AS PARQUET LOCATION 's3://{BUCKET}/broken/'")
    cloud.put("broken/x", b"hello world")
    assert cloud.reason("SELECT id FROM broken").startswith("HIVE_BAD_DATA: Not valid Parquet file")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT x FROM nowhere", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.db.nowhere' does not exist"),
        ("SELECT x FROM nodb.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nodb' does not exist"),
        ("SELECT nope FROM logs", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("SELECT id AS x FROM logs WHERE x = 'a'", "COLUMN_NOT_FOUND: line 1:32: Column 'x' cannot be resolved"),
        ("SELEC 1", "SYNTAX_ERROR: line 1:1: mismatched input 'SELEC'"),
        ("SELECT id FROM logs WHERE n = '5'", "TYPE_MISMATCH: Cannot apply operator: bigint = varchar(1)"),
        (
            "SELECT strftime(event_time, '%Y') FROM logs",
            "FUNCTION_NOT_FOUND: line 1:1: Function 'strftime' not registered",
        ),
        ("SELECT 1 / (n - n) FROM logs", "DIVISION_BY_ZERO: Division by zero"),
        (
            "OPTIMIZE logs REWRITE DATA USING BIN_PACK",
            "NOT_SUPPORTED: the sandbox's Athena does not know the statement OPTIMIZE",
        ),
        ("SHOW COLUMNS IN logs", "NOT_SUPPORTED: the sandbox's Athena does not know the statement 'SHOW COLUMNS"),
        ("ALTER TABLE logs SET LOCATION 's3://x/'", "NOT_SUPPORTED: the sandbox's Athena does not know ALTER TABLE"),
        ("CREATE TABLE t (id string)", "FAILED: External keyword required"),
        (
            "CREATE EXTERNAL TABLE t (date string) STORED AS PARQUET LOCATION 's3://b/'",
            "FAILED: ParseException line 1:25 Failed to",
        ),
        (
            "CREATE EXTERNAL TABLE t (id varchar2) STORED AS PARQUET LOCATION 's3://b/'",
            "FAILED: ParseException line 1:28 cannot",
        ),
        (
            "CREATE EXTERNAL TABLE t (id string) STORED AS PARQUET LOCATION '/tmp'",
            "FAILED: SemanticException: LOCATION must",
        ),
        (
            "CREATE EXTERNAL TABLE t (id string, ID int) STORED AS PARQUET LOCATION 's3://b/'",
            "FAILED: SemanticException [Error 10036]",
        ),
        ("CREATE DATABASE db", "FAILED: Execution Error, return code 1"),
        ("ALTER TABLE logs ADD PARTITION (dt='2026-01-01')", "FAILED: Execution Error, return code 1"),
        ("ALTER TABLE logs ADD PARTITION (day='2026-01-01')", "FAILED: SemanticException Partition spec"),
        ("ALTER TABLE logs ADD COLUMNS (n bigint)", "FAILED: Execution Error, return code 1"),
        ("MSCK REPAIR TABLE nowhere", "FAILED: SemanticException [Error 10001]: Table not found db.nowhere"),
        ("DROP VIEW logs", "FAILED: SemanticException: logs is a table"),
    ],
)
def test_failures_say_why(cloud: Cloud, sql: str, reason: str) -> None:
    """What Athena refuses is refused in its words; what the sandbox does not know is named, never a silent success."""
    assert cloud.reason(sql).startswith(reason)


def test_msck_only_adds_what_it_likes(cloud: Cloud) -> None:
    """Lower-case keys, no colon in the value, no hidden files; what is gone is reported and stays registered."""
    cloud.rows(
        "CREATE EXTERNAL TABLE msck (id string) PARTITIONED BY (dt string) "
        f"STORED AS PARQUET LOCATION 's3://{BUCKET}/msck/'"
    )
    for folder in ("dt=2026-01-01", "DT=2026-01-02", "dt=03:00", "_tmp/dt=2026-01-04", "other"):
        cloud.put_parquet(f"msck/{folder}/x.parquet", {"id": ["a"]})
    cloud.put("msck/dt=2026-01-05/_staging", b"x")
    cloud.rows("ALTER TABLE msck ADD PARTITION (dt='gone')")
    assert cloud.rows("MSCK REPAIR TABLE msck") == [
        ["Partitions not in metastore:\tmsck:dt=2026-01-01"],
        ["Partitions missing from filesystem:\tmsck:dt=gone"],
        ["Repair: Added partition to metastore msck:dt=2026-01-01"],
    ]
    assert cloud.rows("SHOW PARTITIONS msck") == [["dt=2026-01-01"], ["dt=gone"]]
    cloud.rows("ALTER TABLE msck DROP IF EXISTS PARTITION (dt='gone'), PARTITION (dt='never')")
    assert cloud.rows("SELECT count(*) FROM msck") == [["1"]]


def test_columns_and_properties_are_added(cloud: Cloud) -> None:
    """Old files have NULL in a new column; the property is in Glue."""
    cloud.rows(f"CREATE EXTERNAL TABLE grow (id string) STORED AS PARQUET LOCATION 's3://{BUCKET}/grow/'")
    cloud.put_parquet("grow/x", {"id": ["a"]})
    cloud.rows("ALTER TABLE grow ADD COLUMNS (extra string COMMENT 'new')")
    cloud.rows("ALTER TABLE grow SET TBLPROPERTIES ('schema_version' = '2')")
    assert cloud.rows("SELECT * FROM grow") == [["a", None]]
    assert cloud.glue.get_table(DatabaseName="db", Name="grow")["Table"]["Parameters"]["schema_version"] == "2"


def test_a_view_is_kept_replaced_and_shown(cloud: Cloud) -> None:
    """A view runs in its own database, prunes through its text, and is a Presto view in Glue."""
    cloud.rows("CREATE OR REPLACE VIEW latest AS SELECT id, n, dt FROM logs WHERE n IS NOT NULL")
    assert cloud.rows(f"SELECT id FROM db.latest v WHERE v.dt = '{DAYS[1]}'", database="default") == [["2a"]]
    assert cloud.glue.get_table(DatabaseName="db", Name="latest")["Table"]["TableType"] == "VIRTUAL_VIEW"
    assert "View already exists" in cloud.reason("CREATE VIEW latest AS SELECT 1 AS x")
    cloud.rows("CREATE OR REPLACE VIEW latest AS SELECT 1 AS x")
    assert cloud.rows("SHOW CREATE VIEW latest") == [["CREATE VIEW db.latest AS"], ["SELECT 1 AS x"]]
    cloud.rows("DROP VIEW latest")
    assert cloud.reason("SELECT * FROM latest").startswith("TABLE_NOT_FOUND")


def test_a_view_with_a_star_goes_stale(cloud: Cloud) -> None:
    """After a column is added, a view with a star must be made again, as in Trino."""
    cloud.rows(f"CREATE EXTERNAL TABLE base (id string) STORED AS PARQUET LOCATION 's3://{BUCKET}/base/'")
    cloud.rows("CREATE VIEW all_of_it AS SELECT * FROM base")
    cloud.rows("ALTER TABLE base ADD COLUMNS (extra string)")
    assert cloud.reason("SELECT * FROM all_of_it").startswith("VIEW_IS_STALE")
    cloud.rows("CREATE OR REPLACE VIEW all_of_it AS SELECT * FROM base")
    assert cloud.rows("SELECT * FROM all_of_it") == []


def test_a_wrong_view_is_not_kept(cloud: Cloud) -> None:
    """CREATE VIEW checks its query."""
    assert cloud.reason("CREATE VIEW wrong AS SELECT nope FROM logs").startswith("COLUMN_NOT_FOUND")
    assert cloud.glue.get_tables(DatabaseName="db", Expression="wrong")["TableList"] == []


def test_execution_parameters_are_bound(cloud: Cloud) -> None:
    """Question marks take SQL literals in order; a wrong number fails."""
    assert cloud.rows("SELECT id FROM logs WHERE dt = ? AND n = ?", ExecutionParameters=[f"'{DAYS[0]}'", "1"]) == [
        ["1a"]
    ]
    assert cloud.reason("SELECT ?").startswith("INVALID_PARAMETER_USAGE")


def test_a_token_starts_one_query(cloud: Cloud) -> None:
    """The same ClientRequestToken and text give the same execution; another text is refused."""
    token = "t" * 32
    first, second = (cloud.start("SELECT 1", ClientRequestToken=token) for _ in range(2))
    assert first == second
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        cloud.start("SELECT 2", ClientRequestToken=token)


def test_an_enforced_work_group_decides(cloud: Cloud) -> None:
    """Its output location wins over the client's, its cutoff ends a query that scans more."""
    place = {"OutputLocation": f"s3://{BUCKET}/enforced/"}
    cloud.athena.create_work_group(
        Name="strict", Configuration={"ResultConfiguration": place, "BytesScannedCutoffPerQuery": 10_000_000}
    )
    done = cloud.run("SELECT 1", WorkGroup="strict", ResultConfiguration={"OutputLocation": OUTPUT})
    assert done["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/enforced/")
    assert done["QueryExecutionId"] in cloud.athena.list_query_executions(WorkGroup="strict")["QueryExecutionIds"]
    cloud.aws.athena.work_groups.get("strict")["Configuration"]["BytesScannedCutoffPerQuery"] = 10
    assert "Bytes scanned limit was exceeded" in cloud.reason("SELECT * FROM logs", WorkGroup="strict")


def test_calls_that_cannot_work_are_refused(cloud: Cloud) -> None:
    """No output location, an unknown work group, an unknown query: InvalidRequestException."""
    for call in (
        lambda: cloud.start("SELECT 1", ResultConfiguration={}),
        lambda: cloud.start("SELECT 1", WorkGroup="unknown"),
        lambda: cloud.athena.get_query_execution(QueryExecutionId="unknown"),
    ):
        with pytest.raises(ClientError, match="InvalidRequestException"):
            call()


def test_the_clock_is_the_clouds(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """current_date follows the simulated time."""
    monkeypatch.setattr(cloud.aws.athena, "now", lambda: datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert cloud.rows("SELECT current_date, current_timestamp") == [["2031-02-03", "2031-02-03 04:05:06.000 UTC"]]


def test_names_are_listed(cloud: Cloud) -> None:
    """SHOW DATABASES and SHOW TABLES."""
    assert cloud.rows("SHOW DATABASES") == [["db"], ["default"]]
    assert ["logs"] in cloud.rows("SHOW TABLES IN db")


@pytest.mark.parametrize(
    "sql", ["DROP TABLE IF EXISTS nothing", "DROP DATABASE IF EXISTS nothing", "CREATE DATABASE IF NOT EXISTS db"]
)
def test_lenient_statements_succeed(cloud: Cloud, sql: str) -> None:
    """IF EXISTS and IF NOT EXISTS."""
    assert cloud.rows(sql) == []


def test_dropping_a_table_leaves_its_objects(cloud: Cloud) -> None:
    """An external table's data stays."""
    cloud.rows(f"CREATE EXTERNAL TABLE dropped (id string) STORED AS PARQUET LOCATION 's3://{BUCKET}/dropped/'")
    cloud.put_parquet("dropped/x", {"id": ["a"]})
    cloud.rows("DROP TABLE dropped")
    assert cloud.reason("SELECT * FROM dropped").startswith("TABLE_NOT_FOUND")
    cloud.s3.head_object(Bucket=BUCKET, Key="dropped/x")
