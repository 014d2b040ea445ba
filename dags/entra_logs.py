"""### Sign-in and audit logs of yesterday, every morning.

Takes one UTC day of every log stream from Microsoft Graph into the lake:

`prepare` → per stream: `extract` → `transform` → `load` → `repair_partitions` → `verify`; then `detect`

| task | does | writes |
|---|---|---|
| prepare | finds out the day, claims the lake for its tenant, shapes tables and views | `lake.json`, Glue |
| extract | lists the day from Graph, keeps what is new, as received | `raw/` |
| transform | builds the day's one Parquet object from all of raw | `staging/` |
| load | replaces the day's object, under a condition | `lake/` |
| repair_partitions | registers the partition in Athena | Glue |
| verify | counts in Athena, compares, acknowledges the day | `manifests/` |
| detect | runs the detections of what is verified, mails what is new | `findings/` |

**The day** is the run's partition key, else the parameter `day`, else the day before the run was due.
**A missed day**: *Trigger* with the partition key or `day`, or *Backfill* for a range. Running a day again
changes nothing that is right already. Microsoft keeps the logs for 30 days (7 without a licence).

A stream that fails does not stop the others. Each failure is mailed once, with what to do; what may pass is
tried again, and a long pause that Graph asks for costs no try. Each lake of `include/lakes.yaml` has a DAG of
its own. Settings: `docs/connections.md`; errors: `docs/troubleshooting.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronPartitionTimetable, Param

from entra_lake.alerts import run_failed
from entra_lake.lake_dag import DEFAULTS, POOL, LakeDag, late_alert
from entra_lake.settings import LakeSettings, read_lakes
from entra_lake.stream_day import detect, finish, prepare, stream_day

PARAMS = {
    "day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Day",
        description="The UTC day to collect, such as 2026-11-22. Empty: the partition key, or yesterday.",
    ),
    "full_repair": Param(
        default=False,
        type="boolean",
        title="Full repair of partitions",
        description="Look at all of S3 for partitions that Athena does not know (MSCK REPAIR TABLE).",
    ),
}


def daily_dag(lake: LakeSettings) -> DAG:
    """Return the lake's daily DAG."""
    with LakeDag(
        f"entra_logs{lake.dag_suffix}",
        description="Yesterday's Microsoft Entra ID logs into S3 and Athena, proved complete",
        doc_md=__doc__,
        schedule=CronPartitionTimetable("0 6 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,  # missed days are read again from what the manifests lack, not from Airflow's history
        max_active_runs=3,
        params=PARAMS,
        default_args=DEFAULTS,
        on_failure_callback=run_failed,
        deadline=late_alert(),
        tags=["entra-lake", lake.name],
    ) as dag:
        day = prepare(lake.name)
        streams = [stream_day.override(group_id=stream)(lake.name, stream, day, POOL) for stream in lake.streams]
        # Not without a day: then `prepare` has failed, and has mailed.
        detected = detect.override(trigger_rule="all_done_min_one_success")(lake.name, [day])
        streams >> detected
        [*streams, detected] >> finish()
    return dag


for settings in read_lakes().values():
    daily_dag(settings)
