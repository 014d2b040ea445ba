"""### Days that have to be read again, every hour.

Records arrive late, come back changed, and a listing can silently be short. So each day is read again, at ages of
2, 4, 8, 16 and 27 days after its first reading. And whatever was missed is read: the lake heals its own gaps, and a
new lake fills itself with all that Microsoft still has.

`find_due` → per stream and day: `extract` → `transform` → `load` → `repair_partitions` → `verify`; then `detect`

`detect`: runs detections for all days that owe it, mails what is new, and what a fill has brought up in one mail.

`watch`: a mail about days that Microsoft is about to delete and that are unread or partial, and about lost ones.

**What is due** is computed from the manifests in S3, `lake.json` and the clock, never from Airflow's history. Nothing
due: the run ends at once, green. First readings go first, then last ones before Microsoft deletes a day, then those to
repeat, then the ones between; of each, what is nearest to its end. One run takes at most 30 days of a stream, and three
hours of requests; the next run goes on.

**By hand**: *Trigger* and choose days (a list, or from and to) and streams: these are read, whether due or not. Without
days, what is due of these streams is read. Reading a day again changes nothing that is right already.

A day that fails does not stop the others, is mailed once, and is due again in an hour.
`python -m entra_lake coverage` shows the state of all days; `docs/rereading.md` explains it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable, Param

from entra_lake.alerts import run_failed
from entra_lake.lake_dag import DEFAULTS, POOL, LakeDag, late_alert
from entra_lake.settings import LakeSettings, read_lakes
from entra_lake.stream_day import detect, find_due, finish, stream_day, watch

#: Half past: the daily run of 06:00 is then under way, and what it has not read counts as due from 07:00 on.
SCHEDULE = "30 * * * *"


def params(lake: LakeSettings) -> dict[str, Param]:
    """Return the form of a run by hand."""
    optional_day = {"type": ["null", "string"], "format": "date"}
    return {
        "days": Param(
            [],
            type=["null", "array"],
            items={"type": "string", "format": "date"},
            title="Days",
            description="UTC days to read again, one a line, such as 2026-11-22. Empty: what is due.",
        ),
        "from": Param(None, **optional_day, title="From", description="Or: the first day of a range."),
        "to": Param(None, **optional_day, title="To", description="The last day of the range, included."),
        "streams": Param(
            list(lake.streams),
            type=["null", "array"],
            items={"type": "string", "enum": list(lake.streams)},
            examples=list(lake.streams),
            title="Streams",
            description="Only these streams.",
        ),
        "full_repair": Param(
            default=False,
            type="boolean",
            title="Full repair of partitions",
            description="Look at all of S3 for partitions that Athena does not know (MSCK REPAIR TABLE).",
        ),
    }


def hourly_dag(lake: LakeSettings) -> DAG:
    """Return the lake's hourly DAG."""
    with LakeDag(
        f"entra_reconcile{lake.dag_suffix}",
        description="Days of Microsoft Entra ID logs that have to be read again, the most urgent first",
        doc_md=__doc__,
        schedule=CronTriggerTimetable(SCHEDULE, timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,  # what was missed is due now, however many runs were missed
        max_active_runs=1,
        max_active_tasks=4,  # Graph's budget is the bottleneck: more would only wait, in slots that others need
        params=params(lake),
        default_args=DEFAULTS,
        on_failure_callback=run_failed,
        deadline=late_alert(),
        tags=["entra-lake", lake.name],
    ) as dag:
        watch(lake.name)  # beside the others: a day that cannot be read is the very one to mail about
        readings = stream_day.partial(lake=lake.name, pool=POOL).expand_kwargs(find_due(lake.name))
        detected = detect(lake.name)
        readings >> detected
        [readings, detected] >> finish()
    return dag


for settings in read_lakes().values():
    hourly_dag(settings)
