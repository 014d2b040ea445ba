"""Every SELECT under include/sql passes the oracles; the oracles catch what is wrong and pass what is right."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import jinja2
import pytest

from entra_lake import sql
from entra_lake.finding_columns import FINDING_COLUMNS, FINDINGS_TABLE
from entra_lake.streams import STREAMS
from entra_lake.views import read_views
from sandbox.aws.athena.ddl import STATEMENTS
from sandbox.aws.athena.scanner import Scanner
from sql_oracle import check

SQL = Path(__file__).parents[1] / "include" / "sql"
LOGS = {
    "logs": {
        "id": "varchar", "n": "bigint", "score": "double", "ok": "boolean", "ip": "varchar", "user_id": "varchar",
        "event_time": "timestamp(3)", "tags": "array(varchar)", "raw_json": "varchar", "dt": "varchar",
    },
    "people": {"user_id": "varchar", "joined": "date", "age": "integer"},
}  # fmt: skip

WRONG = [
    "SELECT n AS m FROM logs WHERE m > 1",
    "SELECT ip AS a, count(*) FROM logs GROUP BY a",
    "SELECT ip, count(*) AS c FROM logs GROUP BY ip HAVING c > 1",
    "SELECT n + 1 AS a, a + 1 AS b FROM logs",
    "SELECT id FROM logs WHERE n = '5'",
    "SELECT id FROM logs WHERE n IN ('5', '6')",
    "SELECT id FROM logs WHERE event_time > '2026-01-01'",
    "SELECT id FROM logs WHERE event_time BETWEEN '2026-01-01' AND '2026-01-02'",
    "SELECT ip || n FROM logs",
    "SELECT coalesce(ip, n) FROM logs",
    "SELECT CASE WHEN ok THEN ip ELSE n END FROM logs",
    "SELECT if(ok, ip, n) FROM logs",
    "SELECT ip FROM logs UNION ALL SELECT n FROM logs",
    "SELECT ip FROM logs UNION ALL SELECT ip, n FROM logs",
    "SELECT ip, count(*) FROM logs GROUP BY ALL",
    "SELECT * EXCLUDE (ip) FROM logs",
    "SELECT ip FROM logs QUALIFY row_number() OVER (PARTITION BY ip ORDER BY n) = 1",
    "SELECT ip FROM logs WHERE ip ILIKE 'a%'",
    "SELECT n::varchar FROM logs",
    "SELECT id FROM logs WHERE n == 5",
    "SELECT id FROM logs LIMIT 5 OFFSET 5",
    "SELECT strftime(event_time, '%Y') FROM logs",
    "SELECT list_sort(tags) FROM logs",
    "SELECT nope FROM logs",
    "SELECT logs.nope FROM logs",
    "SELECT id FROM nowhere",
    "SELECT id FROM `logs`",
    "SELECT id FROM logs WHERE n LIKE '5%'",
    "SELECT ok + 1 FROM logs",
    "SELECT a.id FROM logs a JOIN people b ON a.n = b.user_id",
    "SELECT id, FROM logs",
    "SELECT id FROM logs WHERE n",
]
RIGHT = [
    "SELECT id, n FROM logs WHERE dt = '2026-01-01'",
    "SELECT id FROM logs WHERE event_time >= timestamp '2026-01-01 00:00:00' AND dt >= '2026-01-01'",
    "SELECT ip, count(*) AS c FROM logs GROUP BY ip HAVING count(*) > 1 ORDER BY c DESC LIMIT 10",
    "SELECT ip, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC",
    "SELECT ip || cast(n AS varchar) FROM logs",
    "SELECT coalesce(n, 0), coalesce(score, 1) FROM logs",
    "SELECT CASE WHEN ok THEN 1 ELSE 1.5 END FROM logs",
    "SELECT id FROM logs OFFSET 5 LIMIT 5",
    "WITH a AS (SELECT ip, n AS m FROM logs) SELECT ip, sum(m) FROM a WHERE m > 1 GROUP BY ip",
    "SELECT l.id, u.tag FROM logs l CROSS JOIN UNNEST(tags) AS u(tag) WHERE u.tag = 'x'",
    """SELECT json_extract_scalar(j, '$.a') FROM logs
       CROSS JOIN UNNEST(CAST(json_extract(raw_json, '$') AS array(json))) AS t(j)""",
    "SELECT date_diff('minute', min(event_time), max(event_time)) FROM logs GROUP BY user_id",
    """SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY ip ORDER BY event_time DESC) AS r FROM logs)
       WHERE r = 1""",
    "SELECT count(*) FILTER (WHERE ok), approx_distinct(ip), max_by(ip, n), map_agg(ip, n) FROM logs",
    "SELECT id FROM logs WHERE any_match(tags, t -> t LIKE 'a%') OR contains(tags, 'b')",
    "SELECT date_format(event_time, '%Y-%m-%d'), date_trunc('hour', event_time), to_iso8601(event_time) FROM logs",
    "SELECT id FROM logs WHERE event_time > current_timestamp - interval '7' day",
    "SELECT a.id FROM logs a LEFT JOIN people b ON a.user_id = b.user_id WHERE b.joined > date '2026-01-01'",
    "SELECT ip, NULL AS nothing FROM logs UNION ALL SELECT user_id, age FROM people",
    "SELECT listagg(ip, ',') WITHIN GROUP (ORDER BY ip), array_join(array_agg(DISTINCT ip), ',') FROM logs",
    "SELECT try_cast(ip AS bigint) + 1, cast(n AS double) / 3, score > n FROM logs",
    """SELECT user_id, count(*) OVER (ORDER BY event_time RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW)
       FROM logs""",
    """SELECT id FROM logs WHERE dt IN (SELECT max(dt) FROM logs)
       AND EXISTS (SELECT 1 FROM people p WHERE p.user_id = logs.user_id)""",
    "SELECT ip, grouping(ip) FROM logs GROUP BY ROLLUP (ip)",
]
VIEW = re.compile(r"^\s*CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\s+\S+\s+AS\s+", re.IGNORECASE)
COMMENTS = re.compile(r"^(?:\s+|--[^\n]*\n|/\*.*?\*/)+", re.DOTALL)


@pytest.mark.parametrize("statement", WRONG)
def test_what_trino_refuses_is_caught(statement: str) -> None:
    """Each statement fails in Athena, and most of them run in DuckDB."""
    assert check(statement, LOGS) != []


@pytest.mark.parametrize("statement", RIGHT)
def test_what_trino_accepts_passes(statement: str) -> None:
    """No false alarm."""
    assert check(statement, LOGS) == []


def templates() -> list[Path]:
    """Collect the files, also later ones; test_sql_cases.py takes those with front matter."""
    return sorted(path for path in SQL.rglob("*.sql") if not path.read_text(encoding="utf-8").startswith("/* ---"))


class Placeholder(jinja2.Undefined):
    """A name that this test does not know renders as a word."""

    def __str__(self) -> str:
        return str(self._undefined_name)

    def __getattr__(self, name: str) -> object:
        return getattr(str(self), name)


def render(path: Path) -> str:
    """Render a template for one stream, as the library would."""
    environment = sql._environment(SQL).overlay(undefined=Placeholder)
    stream = STREAMS["sign_ins"]
    days = dict.fromkeys(("day", "start", "end", "first_day", "last_day"), date(2026, 1, 1))
    names = {"database": "lake", "table": stream.history_table, "view": stream.name, "columns": stream.table_columns}
    names |= {"ids": "'a', 'b'", "streams": list(STREAMS)}
    names |= {"select": "SELECT id FROM sign_ins", "properties": {"name": "value"}}
    text = environment.get_template(path.relative_to(SQL).as_posix()).render(**names, **days)
    return VIEW.sub("", COMMENTS.sub("", text + "\n").strip().rstrip(";"))


def lake_columns() -> dict[str, dict[str, str]]:
    """Return the columns of every table and view of the lake, from the streams."""
    trino = {"string": "varchar", "int": "integer", "array<string>": "array(varchar)"}
    found: dict[str, dict[str, str]] = {}
    for stream in STREAMS.values():
        kinds = {column.name: sql.HIVE_TYPES[column.type] for column in stream.table_columns}
        found[stream.name] = {name: trino.get(kind, kind) for name, kind in kinds.items()} | {"dt": "varchar"}
        found[stream.history_table] = found[stream.name]
    kinds = {column.name: sql.HIVE_TYPES[column.type] for column in FINDING_COLUMNS}
    found[FINDINGS_TABLE] = {name: trino.get(kind, kind) for name, kind in kinds.items()} | {"dt": "varchar"}
    return found | {view.name: {column.name: column.type for column in view.columns} for view in read_views()}


@pytest.mark.parametrize("path", templates(), ids=[path.relative_to(SQL).as_posix() for path in templates()])
def test_every_sql_file_passes(path: Path) -> None:
    """Rendered for a stream, a SELECT or a view's body passes all oracles; the rest is DDL that the sandbox knows."""
    text = render(path)
    if re.match(r"(SELECT|WITH)\b", text, re.IGNORECASE):
        assert check(text, lake_columns()) == []
    else:
        assert any(Scanner(text).keyword(*words) for words, _ in STATEMENTS), text[:80]
