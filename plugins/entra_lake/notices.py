"""Mails about failures, recoveries and lateness: who is told, what, and only once."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from airflow.sdk.log import redact  # type: ignore[attr-defined]
from botocore.exceptions import BotoCoreError, ClientError

from entra_lake.advice import to_do, what_next
from entra_lake.clock import system_clock
from entra_lake.digest_letter import PAGES
from entra_lake.errors import EntraLakeError
from entra_lake.failures import DETECTIONS, Failure, log_url, plain, run_url, safety
from entra_lake.hooks.graph import read_airflow_connection
from entra_lake.hooks.lake import airflow_aws, base_url
from entra_lake.incidents import Incident, claim, close, withdraw
from entra_lake.layout import manifest_key
from entra_lake.mail import Letter, write_letter
from entra_lake.posting import always, post, said
from entra_lake.runs import again_command, day_of_run, is_about_a_day
from entra_lake.settings import LakeSettings, read_lake
from entra_lake.store import S3Store
from entra_lake.streams import STREAMS, get_stream

log = logging.getLogger(__name__)

#: What keeps us from S3 when S3 is what failed.
_OUT_OF_REACH = (EntraLakeError, ClientError, BotoCoreError, OSError)


def tell_failure(failure: Failure) -> bool:
    """Mail a failure unless somebody was told already; tell whether somebody knows of it now."""
    settings, now = read_lake(failure.lake), system_clock().now()
    try:
        days = claim(_store(settings), failure, now)
    except _OUT_OF_REACH as error:
        log.warning("The bucket cannot say whether %s was mailed (%s); mailing.", failure.cause_id, said(error))
        days = (str(failure.day or ""),)
    if days is None:
        log.info("%s was mailed already.", failure.cause_id)
        return True
    if _post(failure_letter(failure, settings, now, days), settings, now):
        return True
    _withdraw(failure, settings)
    return False


def tell_recovery(lake: str, stream: str, day: date | None, read_from: datetime | None = None) -> None:
    """Mail what works again now that a day of this stream was verified; see `incidents.close`."""
    settings, now = read_lake(lake), system_clock().now()
    store = _store(settings)
    for incident in close(store, stream, str(day or ""), read_from):
        _post(recovery_letter(incident, settings, store), settings, now)


def tell_lateness(lake: str, run: Mapping[str, Any], deadline: Mapping[str, Any]) -> None:
    """Mail that a run is not done in time.

    :param run: the DAG run, as Airflow's API writes it.
    """
    settings, now = read_lake(lake), system_clock().now()
    _post(late_letter(run, deadline, settings, now), settings, now)


def failure_letter(failure: Failure, settings: LakeSettings, now: datetime, days: tuple[str, ...]) -> Letter:
    """Return the mail about a failure."""
    short, urgency = _safety(failure, now, settings)
    what = " ".join(filter(None, (failure.stream or failure.dag_id, str(failure.day or ""))))
    facts = {
        "failure": replace(failure, cause=replace(failure.cause, message=str(redact(failure.cause.message)))),
        "days": days,
        "affected": _affected(failure, settings),
        "urgency": urgency,
        "next": what_next(may_pass=failure.cause.may_pass),
        "todo": to_do(failure.cause.code, settings, failure.command),
        "log_url": log_url(base_url(), failure),
        "run_url": run_url(base_url(), failure.dag_id, failure.run_id),
        "coverage_url": _coverage_url(settings),
        "host": socket.gethostname(),
    }
    return write_letter(
        "failed",
        f"FAILED {what} · {failure.cause.words} · {short}",
        {**facts, **always()},
        thread=f"{failure.dag_id} {failure.day}",
        occasion=f"failed {failure.dag_id} {failure.run_id} {failure.cause_id}",
    )


def recovery_letter(incident: Incident, settings: LakeSettings, store: S3Store) -> Letter:
    """Return the mail about something that works again, and what of it is still to be collected."""
    streams = [incident.stream] if incident.stream in STREAMS else list(settings.streams)
    streams = [] if incident.stream == DETECTIONS else streams
    missing = {day: _missing(store, streams, day) for day in incident.days if day}
    states = [(day, f"missing: {', '.join(gone)}" if gone else _done(incident)) for day, gone in missing.items()]
    todo = [
        f"Take {day} again: {again_command(incident.dag_id, incident.stream, date.fromisoformat(day))}"
        for day, gone in missing.items()
        if gone
    ]
    what = incident.stream or incident.dag_id
    return write_letter(
        "recovered",
        f"RECOVERED {what} · {incident.words} · works again",
        {
            "incident": incident,
            "days": states,
            "todo": todo,
            "dag_url": f"{base_url()}/dags/{incident.dag_id}",
            "coverage_url": _coverage_url(settings),
            **always(),
        },
        thread=f"{incident.dag_id} {incident.days[0]}",
        occasion=f"recovered {incident.dag_id} {incident.cause} {incident.opened_at}",
    )


def late_letter(run: Mapping[str, Any], deadline: Mapping[str, Any], settings: LakeSettings, now: datetime) -> Letter:
    """Return the mail about a run that is not done in time."""
    dag_id, run_id = str(run["dag_id"]), str(run["dag_run_id"])
    day = _day_of(run)
    short, urgency = safety(day, now, settings.retention_days)
    facts = {
        "dag_id": dag_id,
        "run_id": plain(run_id),
        "day": day,
        "lake": settings.name,
        "state": plain(str(run.get("state"))),
        "queued_at": str(run.get("queued_at") or "an unknown time")[:19],
        "deadline": str(deadline.get("deadline_time") or "now")[:19],
        "urgency": urgency,
        "run_url": run_url(base_url(), dag_id, run_id),
        "todo": _LATE,
        **always(),
    }
    subject = " ".join(filter(None, ("LATE", dag_id, str(day or ""), "· the run is not done ·", short)))
    return write_letter("late", subject, facts, thread=f"{dag_id} {day}", occasion=f"late {dag_id} {run_id}")


def _coverage_url(settings: LakeSettings) -> str:
    """Return the page that shows which days of the lake are safe."""
    return f"{base_url().rstrip('/')}{PAGES}/coverage?{urlencode({'lake': settings.name})}"


_LATE = [
    "Open the run: which task is queued, running or waiting for a retry, and since when?",
    "Queued for long: see whether its pool exists and has a free slot (Admin → Pools), and whether workers run.",
    "Waiting for Graph: nothing is lost; its log says until when.",
]


def _safety(failure: Failure, now: datetime, settings: LakeSettings) -> tuple[str, str]:
    if failure.stream == DETECTIONS:
        return "no record is at risk", "No record is at risk: what was verified is in the lake."
    return safety(failure.day, now, settings.retention_days)


def _affected(failure: Failure, settings: LakeSettings) -> str:
    day = f" of {failure.day}" if failure.day else ""
    everything = f"all streams of lake {settings.name} ({', '.join(settings.streams)})"
    if failure.stream == DETECTIONS:
        return f"Detections{day}: what is named above says nothing until it runs. All others were run, and have mailed."
    if not failure.stream:
        return f"{everything[0].upper()}{everything[1:]}{day}."
    if failure.permission:
        return f"{failure.stream}{day}. The cause may concern all streams that need {failure.permission}."
    if failure.is_of_lake:
        return f"{failure.stream}{day}. The cause concerns {everything}."
    return f"{failure.stream}{day}. Other streams of the run go on."


def _done(incident: Incident) -> str:
    return "made up for" if incident.stream == DETECTIONS else "collected meanwhile"


def _missing(store: S3Store, streams: list[str], day: str) -> list[str]:
    """Return the streams that have no manifest for the day."""
    moment = date.fromisoformat(day)
    return [name for name in streams if store.look(manifest_key(get_stream(name), moment)) is None]


def _day_of(run: Mapping[str, Any]) -> date | None:
    if not is_about_a_day(str(run["dag_id"])):
        return None
    run_after = datetime.fromisoformat(str(run.get("run_after")))
    try:
        return day_of_run(run.get("partition_key"), (run.get("conf") or {}).get("day"), run_after)
    except EntraLakeError:
        return None


def _post(letter: Letter, settings: LakeSettings, now: datetime) -> bool:
    return post(letter, settings, now, read_airflow_connection)


def _withdraw(failure: Failure, settings: LakeSettings) -> None:
    try:
        withdraw(_store(settings), failure)
    except _OUT_OF_REACH as error:
        log.warning("The bucket cannot note that no mail was sent: %s", said(error))


def _store(settings: LakeSettings) -> S3Store:
    return S3Store(airflow_aws(settings).client("s3"), settings.bucket, settings.prefix)
