"""The container `scheduler` is healthy when the scheduler's own door says so."""

from __future__ import annotations

import threading
from datetime import timedelta
from http.server import HTTPServer

import pytest
from airflow._shared.timezones.timezone import utcnow
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.utils.scheduler_health import HealthServer
from airflow.utils.session import create_session

import healthy


def test_scheduler_is_healthy_by_its_heartbeat(
    database: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a fresh heartbeat the container is healthy; with an old one, or when nobody answers, it is not."""
    with HTTPServer(("127.0.0.1", 0), HealthServer) as server, create_session() as session:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(healthy, "SCHEDULER", f"http://127.0.0.1:{server.server_port}/health")
        job = Job(job_type=SchedulerJobRunner.job_type, state="running", latest_heartbeat=utcnow())
        session.add(job)
        session.commit()
        assert healthy.main(["scheduler"]) == 0
        job.latest_heartbeat = utcnow() - timedelta(minutes=10)
        session.commit()
        assert healthy.main(["scheduler"]) == 1
        session.delete(job)
        server.shutdown()
    assert healthy.main(["scheduler"]) == 1
    assert capsys.readouterr().out.count("scheduler: ") == 2
